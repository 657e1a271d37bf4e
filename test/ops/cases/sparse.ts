// Cases of rows that are packed into one block, and of steps by them.
import { at, type Nd, nd } from '../../../reference/nd.ts';
import { type State, steps } from '../../../reference/optimizers.ts';
import {
  argumentError,
  type Bad,
  type Cases,
  dtypeError,
  type Fill,
  f32,
  freedError,
  i32,
  list,
  type Sample,
  type Spec,
  shapeError,
  uniform,
  whole,
} from './types.ts';

const bitsOf = (values: ArrayLike<number>): number[] => Array.from(new Int32Array(Float32Array.from(values).buffer));
const numbersOf = (bits: ArrayLike<number>): number[] => Array.from(new Float32Array(Int32Array.from(bits).buffer));
/** So few that sums of them are exact: what is packed is compared bit by bit. */
const few = whole(-4, 5);

/** taken rows, width, n and m. */
const tables: readonly (readonly [taken: number, width: number, n: number, m: number])[] = [
  [5, 3, 4, 7],
  [1, 1, 1, 1],
  [2, 37, 100, 9],
  [4, 5, 3, 0],
  [4, 5, 3, 8],
  [3, 0, 2, 2],
  [3, 2, 0, 2],
  [31, 67, 17, 90],
];

const packSamples = tables.flatMap(([taken, width, n, m]): Sample<'packRows'>[] => {
  const [x, all] = [f32([taken, width], few), f32([m, width], few)];
  const [from, to, factor] = [i32([m], whole(0, taken)), i32([m], whole(0, Math.max(1, n))), f32([m], whole(-2, 3))];
  return [
    { inputs: { x: all, from: null, to, factor: null }, attrs: { n, skip: -1 } },
    { inputs: { x, from, to, factor }, attrs: { n, skip: 0 } },
    { inputs: { x: all, from: null, to: i32([m], whole(-3, n + 3)), factor }, attrs: { n, skip: n - 1 } },
    { inputs: { x, from: i32([m], whole(-1, taken + 1)), to, factor: null }, attrs: { n, skip: -1 } },
  ];
});

type Rule = 'sgd' | 'adagrad' | 'sparseAdam';
/** Settings as hyper holds them, and the state that there is. */
const rules: readonly (readonly [rule: Rule, hyper: readonly number[], buffers: number])[] = [
  ['sgd', [0.1, 0, 0, 0, 1, 0], 0],
  ['sgd', [0.1, 0, 1, 0.9, 0.75, 0], 1],
  ['sgd', [0.1, 0, 0, 0.5, 1, 1], 1],
  ['adagrad', [0.1, 0, 1, 0.5, 0.25], 1],
  ['sparseAdam', [0.1, 0, 0, 0.125, 0.25, 0.5], 2],
];
const positive = uniform(0.1, 2);

/** Packed rows of random numbers: those that are named, and as many more that are not there. */
function packed(rows: readonly number[], empty: number, width: number): Spec {
  const room = rows.length + empty;
  const fill: Fill = (_, random) => [
    ...bitsOf(Array.from({ length: room * width }, (__, i) => (i < rows.length * width ? random() - 0.5 : 0))),
    ...rows,
    ...new Array(empty).fill(-1),
  ];
  return i32([room * (width + 1)], fill);
}

const stepSamples = rules.flatMap(([rule, hyper, buffers], i): Sample<'stepRows'>[] =>
  (
    [
      [5, 3, [1, 2, 4], 1],
      [4, 17, [0, 1, 2, 3], 1],
      [5, 6, [0, 3], 1],
      [6, 37, [5], 3],
      [3, 4, [], 1],
      [3, 0, [1], 1],
      [0, 3, [], 1],
    ] as const
  ).map(([n, width, rows, empty], j) => ({
    inputs: {
      p: f32([n, width]),
      g: packed(rows, empty, width),
      a: buffers > 0 ? f32([n, width], positive) : null,
      b: buffers > 1 ? f32([n, width], positive) : null,
      step: f32([], list((i + j) % 2 === 0 ? 1 : 7)),
      hyper: f32([hyper.length], list(...hyper)),
    },
    attrs: { rule },
  })),
);

/** One element after a step. */
function stepped(
  rule: Rule,
  hyper: ArrayLike<number>,
  { p, a, b }: Record<'p' | 'a' | 'b', number>,
  g: number,
  t: number,
) {
  const [lr, weightDecay, maximize, x3, x4, x5] = Array.from(hyper) as [number, number, number, number, number, number];
  const common = { lr, weightDecay, maximize: maximize !== 0 };
  if (rule === 'sgd') {
    const settings = { ...common, momentum: x3, dampening: 1 - x4, nesterov: x5 !== 0 };
    const state: State & { readonly p: number } = Number.isNaN(a) ? { p } : { p, momentum: a };
    const after = steps.sgd(settings, state, g, t);
    return { p: after.p, a: after.momentum, b };
  }
  if (rule === 'adagrad') {
    const after = steps.adagrad({ ...common, lrDecay: x3, eps: x4 }, { p, sum: a }, g, t);
    return { p: after.p, a: after.sum, b };
  }
  const settings = { ...common, betas: [1 - x3, 1 - x4] as const, eps: x5 };
  const after = steps.sparseAdam(settings, { p, average: a, square: b }, g, t);
  return { p: after.p, a: after.average, b: after.square };
}

const right = {
  p: f32([3, 2]),
  g: packed([1], 1, 2),
  a: f32([3, 2], positive),
  b: f32([3, 2], positive),
  step: f32([], list(1)),
  hyper: f32([6], list(0.1)),
};
const one = { x: f32([2, 3]), from: null, to: i32([2], list(0)), factor: null };

export const sparseCases = {
  packRows: {
    samples: packSamples,
    reference: ({ x, from, to, factor }, { n, skip }) => {
      const [taken, width] = x.shape as [number, number];
      const rows = [...new Set(Array.from(to.data))].filter((r) => r >= 0 && r < n && r !== skip).sort((a, b) => a - b);
      const room = Math.min(to.data.length, n) + 1;
      const values = new Array(room * width).fill(0);
      Array.from(to.data).forEach((r, j) => {
        const [slot, a] = [rows.indexOf(r), from ? at(from, [j]) : j];
        if (slot < 0 || a < 0 || a >= taken) return;
        for (let i = 0; i < width; i++) values[slot * width + i] += at(x, [a, i]) * (factor ? at(factor, [j]) : 1);
      });
      const index = Array.from({ length: room }, (_, i) => rows[i] ?? -1);
      return nd([room * (width + 1)], [...bitsOf(values), ...index]);
    },
    dtype: 'i32',
    tolerance: { relative: 0 },
    gradients: 'none',
    errors: [
      shapeError({ ...one, x: f32([2]) }, { n: 3, skip: -1 }, /^packRows: expected rows \[rows, width\], got \[2\]/),
      shapeError({ ...one, x: f32([3, 3]) }, { n: 3, skip: -1 }, /^packRows: expected as many places .*, got 2 and 3/),
      shapeError({ ...one, from: i32([1], list(0)) }, { n: 3, skip: -1 }, /^packRows: .*as many places.* got 2 and 1/),
      shapeError({ ...one, factor: f32([3]) }, { n: 3, skip: -1 }, /^packRows: expected the factors of shape \[2\]/),
      dtypeError({ ...one, to: f32([2]) }, { n: 3, skip: -1 }, /^packRows: expected dtype i32, got f32/),
    ] as unknown as [Bad, Bad, Bad],
  },
  stepRows: {
    samples: stepSamples,
    reference: ({ p, g, a, b, step, hyper }, { rule }) => {
      const [n, width] = p.shape as [number, number];
      const room = g.data.length / (width + 1);
      const values = numbersOf(g.data);
      const index = Array.from(g.data).slice(room * width);
      const t = step.data[0] as number;
      const after = { p: nd(p.shape, p.data), a: a && nd(a.shape, a.data), b: b && nd(b.shape, b.data) };
      for (let r = 0; r < n; r++) {
        const j = index.indexOf(r);
        // Momentum moves all rows.
        if (j < 0 && !(rule === 'sgd' && a)) continue;
        for (let i = 0; i < width; i++) {
          const where = r * width + i;
          const of = (x: Nd | null): number => (x ? (x.data[where] as number) : Number.NaN);
          const next = stepped(
            rule,
            hyper.data,
            { p: of(p), a: of(a), b: of(b) },
            j < 0 ? 0 : (values[j * width + i] as number),
            t,
          );
          after.p.data[where] = next.p as number;
          if (after.a) after.a.data[where] = next.a as number;
          if (after.b) after.b.data[where] = next.b as number;
        }
      }
      return after;
    },
    tolerance: { relative: 2e-6, absolute: 2e-7 },
    gradients: 'none',
    errors: [
      shapeError(
        { ...right, p: f32([6]) },
        { rule: 'sparseAdam' },
        /^stepRows: expected a parameter \[rows, width\], got \[6\]/,
      ),
      shapeError(
        { ...right, g: i32([5]) },
        { rule: 'sparseAdam' },
        /^stepRows: expected packed rows like .*, got \[5\]/,
      ),
      shapeError(
        { ...right, g: i32([0]) },
        { rule: 'sparseAdam' },
        /^stepRows: expected packed rows like .*, got \[0\]/,
      ),
      argumentError(right, { rule: 'sgd' }, /^stepRows: expected the state of sgd, got a, b/),
      argumentError(right, { rule: 'adagrad' }, /^stepRows: expected the state of adagrad, got a, b/),
      argumentError(
        { ...right, b: null },
        { rule: 'sparseAdam' },
        /^stepRows: expected the state of sparseAdam, got a, no b/,
      ),
      shapeError({ ...right, a: f32([2, 2]) }, { rule: 'sparseAdam' }, /^stepRows: expected a of shape \[3, 2\]/),
      shapeError({ ...right, hyper: f32([5]) }, { rule: 'sparseAdam' }, /^stepRows: expected hyper of shape \[6\]/),
      freedError(right, { rule: 'sparseAdam' }, 'g'),
    ] as unknown as [Bad, Bad, Bad],
  },
} satisfies Cases;
