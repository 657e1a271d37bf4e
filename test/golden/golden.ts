// The files that generate.py wrote, and how a case of them is run.
import { readFileSync } from 'node:fs';
import * as retrograd from '../../bindings/index.ts';
import type { Dtype, Tensor } from '../../bindings/tensor.ts';
import { type Nd, nd } from '../../reference/nd.ts';
import { toTensor } from '../support/tensors.ts';

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

interface StoredTensor {
  readonly shape: readonly number[];
  readonly data: readonly Json[];
  readonly dtype?: Dtype;
}

/** One call: positions point into the file's tensors. */
export interface Stored {
  readonly name: string;
  readonly call: string;
  readonly args: readonly unknown[];
  readonly inputs: readonly number[];
  readonly output: number;
  readonly gradOutput?: number;
  readonly grads?: readonly (number | null)[];
  /** Which of several results. */
  readonly pick?: number | string;
  /** Of a second derivative: what the gradient of each input is weighed with. */
  readonly weights?: readonly number[];
  /** Inputs that the call changes: those behind the first three, afterwards. */
  readonly running?: readonly number[];
  /** Its shape depends on values, so that it can be no part of a compiled function. */
  readonly dynamic?: boolean;
}

export interface File {
  readonly cases: readonly Stored[];
  expected(position: number): Nd & { readonly dtype: Dtype };
}

export function readCases(name: string): File {
  const { tensors, cases } = read(name) as { tensors: readonly StoredTensor[]; cases: readonly Stored[] };
  return {
    cases,
    expected: (position) => {
      const { shape, data, dtype = 'f32' } = tensors[position] as StoredTensor;
      return { ...nd(shape, numbers(data)), dtype };
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
