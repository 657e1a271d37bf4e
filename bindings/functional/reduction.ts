// Functions that reduce or scan dims: any set of them, by default all.
import { ops } from '../autograd.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import type { ReduceAttrs } from '../ops/reduce.ts';
import { normalizeDim } from '../ops/shapes.ts';
import type { Tensor } from '../tensor.ts';
import { asFloat, asTensor, type Dims } from './arguments.ts';

/** Options of the reductions. */
export interface ReduceOptions {
  /** Whether the reduced dims stay, with size 1. @defaultValue false */
  keepdim?: boolean;
}

/** Options of {@link variance} and {@link std}. */
export interface VarianceOptions extends ReduceOptions {
  /**
   * The squares are divided by the number of elements less this: 1 for a sample, 0 for all there is.
   * @defaultValue 1
   */
  correction?: number;
}

/** Options of {@link norm}. */
export interface NormOptions extends ReduceOptions {
  /** The order of the norm: a number > 0, or Infinity for the largest magnitude. @defaultValue 2 */
  p?: number;
}

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
function reduction(
  name: 'sum' | 'mean' | 'prod' | 'norm',
  x: Tensor,
  dims: Dims | undefined,
  { keepdim = false }: ReduceOptions,
): Tensor {
  const given = asTensor(name, x);
  // Sums of integers are integers; what has a fraction is f32.
  const input = name === 'mean' ? asFloat(given) : given;
  return runs(reducedDims(name, input, dims)).reduce(
    (y, [dim, end]) => ops[name]({ x: y }, { dim, end, keepdim }),
    input,
  );
}

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
  const y = row(ops.permute({ x: input }, { dims: [...kept, ...reduced] }), {
    dim: kept.length,
    end: input.ndim,
    keepdim: false,
  });
  return keepdim ? ops.reshape({ x: y }, { shape: input.shape.map((size, d) => (reduced.includes(d) ? 1 : size)) }) : y;
}

/** Run by run, equal extremes would not share evenly, and the softmax of a lane of −∞ would be NaN. */
const whole = (
  name: 'max' | 'min' | 'logsumexp',
  x: Tensor,
  dims: Dims | undefined,
  { keepdim = false }: ReduceOptions,
): Tensor => together(name, x, dims, keepdim, (input, attrs) => ops[name]({ x: input }, attrs));

const spread = (
  name: 'variance' | 'std',
  x: Tensor,
  dims: Dims | undefined,
  { keepdim = false, correction = 1 }: VarianceOptions,
): Tensor => together(name, x, dims, keepdim, (input, attrs) => ops[name]({ x: input }, { ...attrs, correction }));

const argument = (
  name: 'argmax' | 'argmin',
  x: Tensor,
  dim: number | undefined,
  { keepdim = false }: ReduceOptions,
): Tensor => together(name, x, dim, keepdim, (input, attrs) => ops[name]({ x: input }, attrs));

/** x to the power of p, and 0 at 0 with a gradient of 0, where the power's own may be infinite. */
function power(x: Tensor, p: number): Tensor {
  const number = (value: number): Tensor => ops.full({}, { shape: [], value });
  const zero = number(0);
  const condition = ops.eq({ a: x, b: zero });
  const y = ops.pow({ a: ops.where({ condition, a: number(1), b: x }), b: number(p) });
  return ops.where({ condition, a: zero, b: y });
}

/**
 * The sum of the elements over `dims`.
 * @param dims the dims to reduce; all by default
 */
export const sum = (x: Tensor, dims?: Dims, options: ReduceOptions = {}): Tensor => reduction('sum', x, dims, options);

/**
 * The mean of the elements over `dims`; NaN for none.
 * @param dims the dims to reduce; all by default
 */
export const mean = (x: Tensor, dims?: Dims, options: ReduceOptions = {}): Tensor =>
  reduction('mean', x, dims, options);

/**
 * The product of the elements over `dims`.
 * @param dims the dims to reduce; all by default
 */
export const prod = (x: Tensor, dims?: Dims, options: ReduceOptions = {}): Tensor =>
  reduction('prod', x, dims, options);

/**
 * The largest element over `dims`; NaN if one is NaN.
 * Equal ones share the gradient (PyTorch's `amax`). For its place see {@link argmax}.
 * @param dims the dims to reduce; all by default
 */
export const max = (x: Tensor, dims?: Dims, options: ReduceOptions = {}): Tensor => whole('max', x, dims, options);

/**
 * The smallest element over `dims`; NaN if one is NaN.
 * Equal ones share the gradient (PyTorch's `amin`). For its place see {@link argmin}.
 * @param dims the dims to reduce; all by default
 */
export const min = (x: Tensor, dims?: Dims, options: ReduceOptions = {}): Tensor => whole('min', x, dims, options);

/**
 * log Σ exp(x) over `dims`, without overflow.
 * @param dims the dims to reduce; all by default
 */
export const logsumexp = (x: Tensor, dims?: Dims, options: ReduceOptions = {}): Tensor =>
  whole('logsumexp', x, dims, options);

/**
 * The p-norm (Σ |x|ᵖ)^(1 / p) over `dims`.
 * @param dims the dims to reduce; all by default
 * @throws ArgumentError for p ≤ 0
 */
export const norm = (x: Tensor, dims?: Dims, options: NormOptions = {}): Tensor => {
  const { p = 2, keepdim = false } = options;
  if (p === 2) return reduction('norm', x, dims, { keepdim });
  if (p === 1) return sum(ops.abs({ x }), dims, { keepdim });
  if (p === Number.POSITIVE_INFINITY) return max(ops.abs({ x }), dims, { keepdim });
  if (!(p > 0)) throw new ArgumentError(`norm: expected p > 0, got ${p}`);
  return power(sum(power(ops.abs({ x }), p), dims, { keepdim }), 1 / p);
};

/**
 * The variance Σ (x − mean)² / (n − correction) over `dims` (PyTorch's `var`).
 * @param dims the dims to reduce; all by default
 */
export const variance = (x: Tensor, dims?: Dims, options: VarianceOptions = {}): Tensor =>
  spread('variance', x, dims, options);

/**
 * The standard deviation over `dims`: the root of {@link variance}.
 * @param dims the dims to reduce; all by default
 */
export const std = (x: Tensor, dims?: Dims, options: VarianceOptions = {}): Tensor => spread('std', x, dims, options);

/**
 * The i32 index of the first largest element along `dim`; without `dim` that in the flattened tensor. It has no
 * gradient.
 */
export const argmax = (x: Tensor, dim?: number, options: ReduceOptions = {}): Tensor =>
  argument('argmax', x, dim, options);

/**
 * The i32 index of the first smallest element along `dim`; without `dim` that in the flattened tensor. It has no
 * gradient.
 */
export const argmin = (x: Tensor, dim?: number, options: ReduceOptions = {}): Tensor =>
  argument('argmin', x, dim, options);

/** The running sum along `dim`: y[i] = x[0] + … + x[i]. */
export const cumsum = (x: Tensor, dim: number): Tensor =>
  ops.cumsum({ x }, { dim: normalizeDim('cumsum', dim, x.ndim) });

/** The logarithm of the running sum of eˣ along `dim`, without overflow. */
export const logcumsumexp = (x: Tensor, dim: number): Tensor =>
  ops.logcumsumexp({ x: asFloat(x) }, { dim: normalizeDim('logcumsumexp', dim, x.ndim) });

/** eˣ / Σ eˣ along `dim`, without overflow. */
export const softmax = (x: Tensor, dim: number): Tensor =>
  ops.softmax({ x }, { dim: normalizeDim('softmax', dim, x.ndim) });

/** log(eˣ / Σ eˣ) along `dim`, without overflow. */
export const logSoftmax = (x: Tensor, dim: number): Tensor =>
  ops.logSoftmax({ x }, { dim: normalizeDim('logSoftmax', dim, x.ndim) });
