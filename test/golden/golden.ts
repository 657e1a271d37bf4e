// The files that generate.py wrote, and how a case of them is run.
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import * as retrograd from '../../bindings/index.ts';
import type { Dtype, Tensor } from '../../bindings/tensor.ts';
import { type Nd, nd, numelOf } from '../../reference/nd.ts';
import { expectClose, toTensor } from '../support/tensors.ts';

/** JSON has no NaN and no infinities: they are strings. */
type Json = number | 'NaN' | 'Infinity' | '-Infinity';

export const numbers = (values: readonly Json[]): number[] => values.map(Number);

export function read(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`./${name}.json`, import.meta.url), 'utf8'));
}

/** A state that PyTorch saved: its tensors are written as shapes and lists. */
export function savedState(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(savedState);
  if (typeof value !== 'object' || value === null) return value;
  const { shape, data } = value as { shape?: unknown; data?: readonly Json[] };
  if (shape && data) return { shape, data: Float64Array.from(numbers(data)) };
  return Object.fromEntries(Object.entries(value).map(([key, x]) => [key, savedState(x)]));
}

/** All numbers, or the seed of those that are made, or the {@link digest} of those that are to come out. */
interface StoredTensor {
  readonly shape: readonly number[];
  readonly data?: readonly Json[];
  readonly seed?: number;
  readonly range?: readonly [low: number, high: number];
  readonly sums?: readonly number[];
  readonly dtype?: Dtype;
}

/** What is to come out. */
interface Expected extends Nd {
  readonly dtype: Dtype;
  /** `data` is a {@link digest}. */
  readonly digested: boolean;
}

/** 24 bits by a counter; store.py has the same lines. */
function mixed(seed: number, i: number): number {
  let h = Math.imul(seed, 0x9e3779b1) + Math.imul(i, 0x85ebca77);
  h = Math.imul(h ^ (h >>> 16), 0x21f0aaad);
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
  return (h ^ (h >>> 15)) >>> 8;
}

/** The numbers of a seed. */
export const made = (seed: number, shape: readonly number[], [low, high]: readonly [number, number] = [-2, 2]): Nd => {
  const data = Float64Array.from({ length: numelOf(shape) }, (_, i) =>
    Math.fround(low + ((high - low) * (mixed(seed, i) % 4001)) / 4000),
  );
  return nd(shape, data);
};

/** The largest number and weighted sums of all: an element that differs or is in another place changes each sum. */
export function digest(values: ArrayLike<number>, sums = 2): number[] {
  const each = Array.from(values);
  const weight = (seed: number, i: number): number => {
    const u = mixed(seed, i) / 2 ** 24;
    return u >= 0.5 ? u : -(0.5 + u);
  };
  const weighted = Array.from({ length: sums }, (_, k) => each.reduce((sum, v, i) => sum + v * weight(k, i), 0));
  return [Math.max(...each.map(Math.abs)), ...weighted];
}

/** A tolerance relative to each number, and one relative to the largest of all, or of `least` where that is more. */
interface Tolerance {
  readonly relative?: number;
  readonly ofLargest: number;
  readonly least?: number;
}

/** Holds a tensor against what is to come out. @throws Error that names `what` */
export function expectStored(
  actual: Tensor | null | undefined,
  expected: Expected,
  { relative = 0, ofLargest, least = 0 }: Tolerance,
  what: string,
): void {
  expect(actual?.shape, `${what}: shape`).toEqual(expected.shape);
  expect(actual?.dtype, `${what}: dtype`).toBe(expected.dtype);
  const { data, digested } = expected;
  const known = digested ? data.subarray(0, 1) : data;
  const largest = known.reduce((top, v) => (Number.isFinite(v) ? Math.max(top, Math.abs(v)) : top), least);
  const values = actual?.data ?? [];
  // A sum may be near 0 where no term is, and two terms may be as far off as they may.
  if (digested)
    expectClose(
      digest(values, data.length - 1),
      data,
      { relative: 0, absolute: 2 * (relative + ofLargest) * largest },
      what,
    );
  else expectClose(values, data, { relative, absolute: ofLargest * largest }, what);
}

/** One call: positions point into the file's tensors. */
export interface Stored {
  /** Where it says more than the call. */
  readonly name?: string;
  readonly call: string;
  readonly args: readonly unknown[];
  readonly inputs: readonly number[];
  readonly output: number;
  readonly gradOutput?: number;
  readonly grads?: readonly (number | null)[];
  /** Which of several results. */
  readonly pick?: number | string;
  /** Of a second derivative: what the gradient of each input that has one is weighed with. */
  readonly weights?: readonly number[];
  /** Second derivatives by those inputs and by the gradient of the output. */
  readonly second?: readonly (number | null)[];
  /** Inputs that the call changes: those behind the first three, afterwards. */
  readonly running?: readonly number[];
  /** Its shape depends on values, so that it can be no part of a compiled function. */
  readonly dynamic?: boolean;
}

export interface File {
  readonly cases: readonly Stored[];
  expected(position: number): Expected;
  /** Of a test: the case's name, or its call. */
  title(stored: Stored): string;
}

/** A case of Compact, of store.py: what is rare has keys, at its end; gradients of outputs and weights are made. */
type Row = readonly unknown[];
const ROW = ['call', 'args', 'inputs', 'output', 'grads', 'second'] as const;
/** Of what made gradients of outputs come, and the first of the weights. */
const OUTPUT_SEED = 99;
const WEIGHT_SEED = 100;

/** A row as a case; what its tensors lack is put behind them. */
function caseOf(row: Row, tensors: StoredTensor[]): Stored {
  const rest = row.find((value) => typeof value === 'object' && value !== null && !Array.isArray(value));
  const known = ROW.flatMap((key, i) => (row[i] === undefined || row[i] === rest ? [] : [[key, row[i]]]));
  const one: Stored = { ...Object.fromEntries(known), ...(rest as object) };
  if (!one.grads) return one;
  const seeded = (like: number, seed: number): number =>
    tensors.push({ shape: (tensors[like] as StoredTensor).shape, seed }) - 1;
  const graded = one.inputs.filter((_, i) => typeof one.grads?.[i] === 'number');
  const weights = graded.map((position, i) => seeded(position, WEIGHT_SEED + i));
  return { ...one, gradOutput: seeded(one.output, OUTPUT_SEED), ...(one.second && { weights }) };
}

export function readCases(name: string): File {
  const file = read(name) as { tensors?: StoredTensor[]; cases?: (Stored | Row)[] };
  const { tensors = [], cases = [] } = file;
  return {
    cases: cases.map((one) => ('length' in one ? caseOf(one, tensors) : one)),
    expected: (position) => {
      const { shape, data, seed, range, sums, dtype = 'f32' } = tensors[position] as StoredTensor;
      if (sums) return { shape, data: Float64Array.from(sums), dtype, digested: true };
      return { ...(data ? nd(shape, numbers(data)) : made(seed as number, shape, range)), dtype, digested: false };
    },
    title: ({ name, call, args, inputs, pick }) => {
      const shapes = inputs.map((position) => `[${tensors[position]?.shape}]`).join(' ');
      return name ?? `${call} ${JSON.stringify(args)} of ${shapes}${pick === undefined ? '' : ` ${pick}`}`;
    },
  };
}

/** Puts the inputs in the place of "$0", "$1", … wherever they stand in the arguments. */
function fill(arg: unknown, inputs: readonly Tensor[]): unknown {
  if (typeof arg === 'string') {
    if (arg.startsWith('$')) return inputs[Number(arg.slice(1))];
    return arg.endsWith('Infinity') ? Number(arg) : arg;
  }
  if (Array.isArray(arg)) return arg.map((item) => fill(item, inputs));
  if (arg && typeof arg === 'object')
    return Object.fromEntries(Object.entries(arg).map(([key, value]) => [key, fill(value, inputs)]));
  return arg;
}

type Callable = (...args: unknown[]) => Tensor | Tensor[];

/** Runs the call as a user would write it: a method, a function of the package or of `functional`. */
export function run({ call, args, pick }: Stored, inputs: readonly Tensor[]): Tensor {
  const given = args.map((arg) => fill(arg, inputs));
  let result: Tensor | Tensor[];
  if (call.startsWith('.')) {
    const [self, ...rest] = given as [Record<string, Callable>, ...unknown[]];
    result = (self[call.slice(1)] as Callable).apply(self, rest);
  } else {
    const home = (call.startsWith('F.') ? retrograd.functional : retrograd) as unknown as Record<string, Callable>;
    result = (home[call.replace('F.', '')] as Callable)(...given);
  }
  return pick === undefined ? (result as Tensor) : ((result as unknown as Record<string, Tensor>)[pick] as Tensor);
}

/** Leaves for the inputs of a case; those that had a gradient in PyTorch ask for one. */
export const leaves = (file: File, { inputs, grads }: Stored): Tensor[] =>
  inputs.map((position, i) => {
    const value = file.expected(position);
    return toTensor(value, value.dtype).requiresGrad_(typeof grads?.[i] === 'number');
  });
