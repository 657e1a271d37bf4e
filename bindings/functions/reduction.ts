// Functions that reduce or scan dims: any set of them, by default all.
import { ops } from '../autograd.ts';
import type { ReduceAttrs } from '../ops/reduce.ts';
import { normalizeDim } from '../ops/shapes.ts';
import { ArgumentError, formatShape, ShapeError } from '../runtime/errors.ts';
import type { Tensor } from '../tensor.ts';
import { asTensor, type Dims } from './arguments.ts';

type KeepDim = { keepdim?: boolean };

/** The dims of `x` to reduce, sorted; all of them without `dims`, or with an empty list, as in PyTorch. */
function reducedDims(op: string, x: Tensor, dims: Dims | undefined): number[] {
  if (dims === undefined || (typeof dims !== 'number' && dims.length === 0)) return x.shape.map((_, d) => d);
  const list = (typeof dims === 'number' ? [dims] : [...dims]).map((dim) => normalizeDim(op, dim, x.ndim));
  if (new Set(list).size !== list.length)
    throw new ShapeError(`${op}: expected each dim once, got ${formatShape(list)}`);
  // A single number has no dims to name, but dim 0 and -1 are taken, as in PyTorch.
  return x.ndim === 0 ? [] : list.sort((a, b) => a - b);
}

/** [dim, end) for every run of neighbours in sorted `dims`, the last first. */
function runs(dims: readonly number[]): [dim: number, end: number][] {
  const found: [number, number][] = [];
  for (const dim of dims) {
    const last = found.at(-1);
    if (last && last[1] === dim) last[1]++;
    else found.push([dim, dim + 1]);
  }
  return found.length > 0 ? found.reverse() : [[0, 0]];
}

/** Reductions that may be taken run by run. */
const reduction =
  (name: 'sum' | 'mean' | 'prod' | 'norm') =>
  (x: Tensor, dims?: Dims, { keepdim = false }: KeepDim = {}): Tensor => {
    const input = asTensor(name, x);
    return runs(reducedDims(name, input, dims)).reduce((y, [dim, end]) => ops[name](y, { dim, end, keepdim }), input);
  };

/** Reductions that need all their dims together: other dims are moved to the front first. */
function together(
  name: string,
  x: Tensor,
  dims: Dims | undefined,
  keepdim: boolean,
  row: (x: Tensor, attrs: ReduceAttrs) => Tensor,
): Tensor {
  const input = asTensor(name, x);
  const reduced = reducedDims(name, input, dims);
  const [run, ...rest] = runs(reduced);
  if (run && rest.length === 0) return row(input, { dim: run[0], end: run[1], keepdim });
  const kept = input.shape.map((_, d) => d).filter((d) => !reduced.includes(d));
  const y = row(ops.permute(input, { dims: [...kept, ...reduced] }), {
    dim: kept.length,
    end: input.ndim,
    keepdim: false,
  });
  return keepdim ? ops.reshape(y, { shape: input.shape.map((size, d) => (reduced.includes(d) ? 1 : size)) }) : y;
}

/** Run by run, equal extremes would not share evenly, and the softmax of a lane of −∞ would be NaN. */
const whole =
  (name: 'max' | 'min' | 'logsumexp') =>
  (x: Tensor, dims?: Dims, { keepdim = false }: KeepDim = {}): Tensor =>
    together(name, x, dims, keepdim, (input, attrs) => ops[name](input, attrs));

const spread =
  (name: 'variance' | 'std') =>
  (x: Tensor, dims?: Dims, { keepdim = false, correction = 1 }: KeepDim & { correction?: number } = {}): Tensor =>
    together(name, x, dims, keepdim, (input, attrs) => ops[name](input, { ...attrs, correction }));

const argument =
  (name: 'argmax' | 'argmin') =>
  (x: Tensor, dim?: number, { keepdim = false }: KeepDim = {}): Tensor =>
    together(name, x, dim, keepdim, (input, attrs) => ops[name](input, attrs));

const power = (x: Tensor, p: number): Tensor => ops.pow(x, ops.full({ shape: [], value: p }));

/** Sum over `dims`, all by default. */
export const sum = reduction('sum');

/** Mean over `dims`, all by default. */
export const mean = reduction('mean');

/** Product over `dims`, all by default. */
export const prod = reduction('prod');

/** Largest value over `dims`; equal ones share the gradient (PyTorch's `amax`). For indices see argmax. */
export const max = whole('max');

/** Smallest value over `dims` (PyTorch's `amin`). */
export const min = whole('min');

/** log Σ exp over `dims`, without overflow. */
export const logsumexp = whole('logsumexp');

/** p-norm over `dims`; default 2, also 1, Infinity and any other p > 0. */
export const norm = (x: Tensor, dims?: Dims, { p = 2, keepdim = false }: KeepDim & { p?: number } = {}): Tensor => {
  if (p === 2) return reduction('norm')(x, dims, { keepdim });
  if (p === 1) return sum(ops.abs(x), dims, { keepdim });
  if (p === Number.POSITIVE_INFINITY) return max(ops.abs(x), dims, { keepdim });
  if (!(p > 0)) throw new ArgumentError(`norm: expected p > 0, got ${p}`);
  return power(sum(power(ops.abs(x), p), dims, { keepdim }), 1 / p);
};

/** Variance over `dims`; divides by n − correction, default 1 (PyTorch's `var`). */
export const variance = spread('variance');

/** Standard deviation over `dims`; see variance. */
export const std = spread('std');

/** i32 index of the first largest value along `dim`, or in the flattened tensor. */
export const argmax = argument('argmax');

/** i32 index of the first smallest value along `dim`, or in the flattened tensor. */
export const argmin = argument('argmin');

/** Running sum along `dim`. */
export const cumsum = (x: Tensor, dim: number): Tensor => ops.cumsum(x, { dim: normalizeDim('cumsum', dim, x.ndim) });

/** eˣ / Σ eˣ along `dim`, without overflow. */
export const softmax = (x: Tensor, dim: number): Tensor =>
  ops.softmax(x, { dim: normalizeDim('softmax', dim, x.ndim) });

/** log of softmax, without overflow. */
export const logSoftmax = (x: Tensor, dim: number): Tensor =>
  ops.logSoftmax(x, { dim: normalizeDim('logSoftmax', dim, x.ndim) });
