// Elementwise ops, reductions, row ops and the optimizer: what is bound by memory, and what by the exponential.

import { checkOp } from '../checks/op.ts';
import { ops as lane, streamLoop } from '../limits/loops.ts';
import {
  type Case,
  classes,
  type Family,
  isStepped,
  type OpName,
  type OpProblem,
  type Side,
  TABLE_STEPS,
  type TableStep,
  uniform,
  type Work,
} from '../problems.ts';
import type { RawKernels } from '../sides/raw-kernels.ts';
import { rareCases } from './rare.ts';

/** Bytes an element that must be read and written, and exponentials an element. */
const COST: Readonly<Record<OpName, { readonly bytes: number; readonly exps?: number }>> = {
  add: { bytes: 12 },
  'bias+relu': { bytes: 8 },
  sum: { bytes: 4 },
  exp: { bytes: 8, exps: 1 },
  tanh: { bytes: 8, exps: 1 },
  sigmoid: { bytes: 8, exps: 1 },
  gelu: { bytes: 8, exps: 1 },
  softmax: { bytes: 8, exps: 1 },
  layerNorm: { bytes: 8 },
  // With its mask, of a byte an element.
  dropout: { bytes: 9 },
  crossEntropy: { bytes: 4, exps: 1 },
  'crossEntropy gradient': { bytes: 8, exps: 1 },
  'relu gradient': { bytes: 12 },
  // Elements are read, and written with their places.
  sort: { bytes: 12 },
  topk: { bytes: 4 },
  cummax: { bytes: 12 },
  // Reads elements, places and what is there, and writes.
  'scatter amax': { bytes: 16 },
  // Of each number that is taken.
  embedding: { bytes: 8 },
  'embedding gradient': { bytes: 4 },
  // The gradient, and what the step reads and writes.
  'embedding, Adam': { bytes: 32 },
  'embedding, SparseAdam': { bytes: 36 },
  // Reads parameter, gradient and two averages; writes all but the gradient.
  Adam: { bytes: 28 },
  NAdam: { bytes: 28 },
  RAdam: { bytes: 28 },
  Adamax: { bytes: 28 },
  Adadelta: { bytes: 28 },
  ASGD: { bytes: 20 },
  Rprop: { bytes: 28 },
  Lion: { bytes: 20 },
  // Its direction is written, and read with the parameter twice.
  LAMB: { bytes: 44 },
};

/** rows × cols in a second-level cache, and beyond every cache. */
const SIZES = {
  quick: [[16, 250]],
  full: [
    [64, 256],
    [16384, 1024],
  ],
} as const;

/** A vocabulary, and what 32 texts of 64 words take of it. */
const TABLES = { quick: [[50, 16, 24]], full: [[50_000, 128, 2048]] } as const;

type TableOp = 'embedding' | 'embedding gradient' | TableStep;

/** Bytes of an op on a table: a dense gradient is as large as that, and made of the numbers that were taken. */
function bytesOf(op: TableOp, table: number, taken: number): number {
  const bytes = COST[op].bytes;
  if (op === 'embedding') return bytes * taken;
  if (op === 'embedding gradient') return bytes * taken + 4 * table;
  return (COST.embedding.bytes + 4) * taken + bytes * (op === 'embedding, Adam' ? table : taken);
}

function tableCase(op: TableOp, rows: number, cols: number, taken: number): Case {
  const bytes = bytesOf(op, rows * cols, taken * cols);
  return {
    name: `${op} ${taken} of ${rows}×${cols}`,
    work: { bytes, unit: 'GB/s' },
    make: () => {
      const target = classes(taken, rows, 2);
      const y = op === 'embedding' ? {} : { y: uniform(taken * cols, 3) };
      const problem: OpProblem = { kind: 'op', op, rows, cols, x: uniform(rows * cols, 1), target, ...y };
      return { problem, check: checkOp(problem) };
    },
  };
}

function problemOf(op: OpName, rows: number, cols: number): OpProblem {
  const n = rows * cols;
  const problem = { kind: 'op', op, rows, cols } as const;
  if (isStepped(op)) return { ...problem, x: uniform(n, 1), y: uniform(n, 2) };
  switch (op) {
    case 'add':
    case 'Adam':
    case 'relu gradient':
      return { ...problem, x: uniform(n, 1), y: uniform(n, 2) };
    case 'bias+relu':
      return { ...problem, x: uniform(n, 1), bias: uniform(cols, 2) };
    case 'sum':
      return { ...problem, x: uniform(n, 1, 0, 1) };
    case 'layerNorm':
      return { ...problem, x: uniform(n, 1), weight: uniform(cols, 2), bias: uniform(cols, 3) };
    case 'scatter amax':
      return { ...problem, x: uniform(n, 1), target: classes(rows, rows, 2) };
    case 'crossEntropy':
    case 'crossEntropy gradient':
      return { ...problem, x: uniform(n, 1, -5, 5), target: classes(rows, cols, 2) };
    default:
      return { ...problem, x: uniform(n, 1, -5, 5) };
  }
}

function opCase(op: OpName, rows: number, cols: number, raw: RawKernels | null): Case {
  const n = rows * cols;
  const { bytes, exps = 0 } = COST[op];
  const work: Work = { bytes: bytes * n, unit: 'GB/s', ...(exps > 0 && { exps: exps * n }) };
  return {
    name: `${op} ${rows}×${cols}`,
    work,
    make: () => {
      const problem = problemOf(op, rows, cols);
      return { problem, check: checkOp(problem) };
    },
    ...(op === 'relu gradient' && raw && { sides: gradientSides(raw) }),
  };
}

/**
 * Two ways for a backward pass to leave relu's gradient, as the same hand-made loop: to overwrite dx, or to fill it
 * with 0 and add to it. The library overwrites; these show what that is worth.
 */
function gradientSides(raw: RawKernels): Side[] {
  const masked = (g: readonly number[], x: readonly number[]): number[] => [
    ...x,
    ...lane.zero,
    ...lane.gt,
    ...g,
    ...lane.and,
  ];
  const overwrite = streamLoop(raw.memory, 2, ([g, x]) => masked(g as number[], x as number[]));
  const accumulate = streamLoop(raw.memory, 2, ([g, x], old) => [
    ...masked(g as number[], x as number[]),
    ...old,
    ...lane.add,
  ]);
  const fill = streamLoop(raw.memory, 0, () => lane.zero);
  const side = (name: string, solve: (dx: number, g: number, x: number, bytes: number) => void): Side => ({
    name,
    version: 'a loop in plain SIMD, made by hand',
    prepare: (problem) => {
      if (problem.kind !== 'op') return null;
      const n = problem.x.length;
      // The loops go by 16 elements.
      const padded = Math.ceil(n / 16) * 16;
      const release = raw.mark();
      const [dx, g, x] = [raw.f32(padded), raw.f32(padded), raw.f32(padded)];
      raw.view(g, n).set(problem.y as Float32Array);
      raw.view(x, n).set(problem.x);
      const run = (): void => solve(dx, g, x, padded * 4);
      return {
        answer: () => {
          run();
          return raw.view(dx, n).slice();
        },
        run,
        dispose: release,
      };
    },
  });
  return [
    side('overwrite', overwrite),
    side('zero, then add', (dx, g, x, bytes) => {
      fill(dx, bytes);
      accumulate(dx, g, x, bytes);
    }),
  ];
}

/** @param quick one small size @param raw the memory of the loops that two cases are compared to, if they are */
export function opsFamily(quick: boolean, raw: RawKernels | null): Family {
  const names = (Object.keys(COST) as OpName[]).filter((op) => !op.startsWith('embedding'));
  const sizes: readonly (readonly [number, number])[] = quick ? SIZES.quick : SIZES.full;
  return {
    name: 'ops',
    // A quarter of the rows for optimizers, which have four arrays.
    cases: [
      ...names.flatMap((op) =>
        sizes.map(([rows, cols]) =>
          opCase(op, (op === 'Adam' || isStepped(op)) && rows > 1000 ? rows / 4 : rows, cols, raw),
        ),
      ),
      ...TABLES[quick ? 'quick' : 'full'].flatMap(([rows, cols, taken]) => [
        tableCase('embedding', rows, cols, taken),
        tableCase('embedding gradient', rows, cols, taken),
        ...TABLE_STEPS.map((op) => tableCase(op, rows, cols, taken)),
      ]),
      ...rareCases(quick),
    ],
    skipped: [],
  };
}
