// Functions that reduce or scan dims: any set of them, by default all.
import { ops } from '../autograd.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import type { ReduceAttrs } from '../ops/reduce.ts';
import { normalizeDim } from '../ops/shapes.ts';
import { alternatives, type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { asFloat, cast, constantFor, type Dims, widened } from './arguments.ts';
import { maximum, minimum, ne } from './elementwise.ts';
import { gather } from './indexing.ts';
import { squeeze } from './shape.ts';

/** Options of the reductions. */
export interface ReduceOptions {
  /** The dims to reduce; null: all of them. @defaultValue null */
  dim?: Dims | null;
  /** Whether the reduced dims stay, with size 1. @defaultValue false */
  keepdim?: boolean;
}

/** Options of {@link argmax} and {@link argmin}. */
export interface ArgumentOptions {
  /** The dim to search; null: the flattened tensor. @defaultValue null */
  dim?: number | null;
  /** Whether the reduced dims stay, with size 1. @defaultValue false */
  keepdim?: boolean;
}

/** Options of {@link max} and {@link min} along a dim. */
export interface ExtremeOptions {
  /** Whether the reduced dim stays, with size 1. @defaultValue false */
  keepdim?: boolean;
}

/** What {@link max} and {@link min} give along a dim. */
export interface Extremes {
  /** The extreme elements. The gradient goes to the elements at `indices`. */
  values: Tensor;
  /** Their places along the dim, i32; of equal ones the first. */
  indices: Tensor;
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
  /**
   * The order of the norm: any number, Infinity for the largest magnitude, 0 for the number of elements that are not 0;
   * 'fro' is 2.
   * @defaultValue 'fro'
   */
  p?: number | 'fro';
}

/** The dims of `x` to reduce, sorted; all of them for null, or with an empty list, as in PyTorch. */
function reducedDims(op: string, x: Tensor, dims: Dims | null): number[] {
  if (dims === null || (typeof dims !== 'number' && dims.length === 0)) return x.sizes.map((_, d) => d);
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

/** A reduction over any dims. */
export type ReduceFunction = Callable<[x: Tensor], [dim: Dims | null, keepdim: boolean], ReduceOptions, Tensor>;
/** A measure of spread over any dims. */
export type SpreadFunction = Callable<[x: Tensor], [dim: Dims | null], VarianceOptions, Tensor>;
/** A search for a place along a dim, or among all elements. */
export type PlaceFunction = Callable<[x: Tensor], [dim: number | null, keepdim: boolean], ArgumentOptions, Tensor>;

const REDUCED = '(x: Tensor, dim: int|int[]|null = null, keepdim: bool = false)';

const declare = (name: string, fn: (x: Tensor, dims: Dims | null, keepdim: boolean) => Tensor): ReduceFunction =>
  callable<ReduceFunction>(name + REDUCED, fn);

/** Reductions that may be taken run by run. */
const reduction = (name: 'sum' | 'mean' | 'prod' | 'norm', x: Tensor, dims: Dims | null, keepdim: boolean): Tensor => {
  // Sums of integers are integers; what has a fraction is f32.
  const input = name === 'mean' ? asFloat(x) : x;
  if (dims === null) return ops[name]({ x: input }, { dim: 0, end: input.ndim, keepdim });
  return runs(reducedDims(name, input, dims)).reduce(
    (y, [dim, end]) => ops[name]({ x: y }, { dim, end, keepdim }),
    input,
  );
};
const byRuns = (name: 'sum' | 'mean' | 'prod'): ReduceFunction =>
  declare(name, (x, dims, keepdim) => reduction(name, x, dims, keepdim));

/** Reductions that need all their dims together: other dims are moved to the front first. */
function together(
  name: string,
  input: Tensor,
  dims: Dims | null,
  keepdim: boolean,
  row: (x: Tensor, attrs: ReduceAttrs) => Tensor,
): Tensor {
  const reduced = reducedDims(name, input, dims);
  const [run, ...rest] = runs(reduced);
  if (run && rest.length === 0) return row(input, { dim: run[0], end: run[1], keepdim });
  const kept = input.sizes.map((_, d) => d).filter((d) => !reduced.includes(d));
  const y = row(ops.permute({ x: input }, { dims: [...kept, ...reduced] }), {
    dim: kept.length,
    end: input.ndim,
    keepdim: false,
  });
  return keepdim ? ops.reshape({ x: y }, { shape: input.sizes.map((size, d) => (reduced.includes(d) ? 1 : size)) }) : y;
}

/** Run by run, equal extremes would not share evenly, and the softmax of a lane of −∞ would be NaN. */
const whole = (name: string, op: 'max' | 'min' | 'logsumexp'): ReduceFunction =>
  declare(name, (x, dims, keepdim) => {
    const input = op === 'logsumexp' ? asFloat(x) : x;
    const y = together(name, widened(input), dims, keepdim, (given, attrs) => ops[op]({ x: given }, attrs));
    return cast(y, input.dtype);
  });

const spread = (name: 'var' | 'std', op: 'variance' | 'std'): SpreadFunction =>
  callable<SpreadFunction>(
    `${name}(x: Tensor, dim: int|int[]|null = null, *, correction: number = 1, keepdim: bool = false)`,
    (x: Tensor, dims: Dims | null, correction: number, keepdim: boolean) =>
      together(name, x, dims, keepdim, (input, attrs) => ops[op]({ x: input }, { ...attrs, correction })),
  );

const placeOf = (name: 'argmax' | 'argmin', x: Tensor, dim: number | null, keepdim: boolean): Tensor =>
  together(name, widened(x), dim, keepdim, (input, attrs) => ops[name]({ x: input }, attrs));
const place = (name: 'argmax' | 'argmin'): PlaceFunction =>
  callable<PlaceFunction>(
    `${name}(x: Tensor, dim: int|null = null, keepdim: bool = false)`,
    (x: Tensor, dim: number | null, keepdim: boolean) => placeOf(name, x, dim, keepdim),
  );

/** The three forms of max and min: of all elements, along a dim with places, of two tensors. */
export type ExtremeFunction = {
  (x: Tensor): Tensor;
  (x: Tensor, dim: number, options?: ExtremeOptions): Extremes;
  (x: Tensor, dim: number, keepdim?: boolean): Extremes;
  (x: Tensor, other: Tensor): Tensor;
};
const extreme = (name: 'max' | 'min'): ExtremeFunction =>
  alternatives(
    [
      `${name}(x: Tensor)`,
      (x: Tensor) => cast(ops[name]({ x: widened(x) }, { dim: 0, end: x.ndim, keepdim: false }), x.dtype),
    ],
    [
      `${name}(x: Tensor, dim: int, keepdim: bool = false)`,
      (x: Tensor, dim: number, keepdim: boolean): Extremes => {
        const found = placeOf(name === 'max' ? 'argmax' : 'argmin', x, dim, true);
        const values = x.ndim === 0 ? x : gather(x, dim, found);
        const squeezed = (y: Tensor) => (keepdim || x.ndim === 0 ? y : squeeze(y, dim));
        return { values: squeezed(values), indices: squeezed(found) };
      },
    ],
    [`${name}(x: Tensor, other: Tensor)`, (x: Tensor, other: Tensor) => (name === 'max' ? maximum : minimum)(x, other)],
  );

/** x to the power of p. At 0 its gradient is 0, where the power's own may be infinite. */
function power(x: Tensor, p: number): Tensor {
  const number = (value: number): Tensor => constantFor(x, value);
  const condition = ops.eq({ a: x, b: number(0) });
  const y = ops.pow({ a: ops.where({ condition, a: number(1), b: x }), b: number(p) });
  return ops.where({ condition, a: number(p > 0 ? 0 : Number.POSITIVE_INFINITY), b: y });
}

/** The sum of the elements over `dim`, one dim or several; all by default. */
export const sum: ReduceFunction = byRuns('sum');

/** The mean of the elements over `dim`, one dim or several; all by default. NaN for none. */
export const mean: ReduceFunction = byRuns('mean');

/** The product of the elements over `dim`, one dim or several; all by default. */
export const prod: ReduceFunction = byRuns('prod');

/**
 * The largest elements over `dim`, one dim or several; all by default. NaN if one is NaN. Equal ones share the
 * gradient.
 */
export const amax: ReduceFunction = whole('amax', 'max');

/**
 * The smallest elements over `dim`, one dim or several; all by default. NaN if one is NaN. Equal ones share the
 * gradient.
 */
export const amin: ReduceFunction = whole('amin', 'min');

/**
 * `max(x)`: the largest element; equal ones share the gradient. `max(x, dim)`: the largest along `dim`, with its
 * places. `max(x, other)`: {@link maximum}. A NaN is larger than all numbers. For several dims see {@link amax}.
 */
export const max: ExtremeFunction = extreme('max');

/**
 * `min(x)`: the smallest element; equal ones share the gradient. `min(x, dim)`: the smallest along `dim`, with its
 * places. `min(x, other)`: {@link minimum}. A NaN is smaller than all numbers. For several dims see {@link amin}.
 */
export const min: ExtremeFunction = extreme('min');

/** log Σ exp(x) over `dim`, one dim or several, without overflow; all by default. */
export const logsumexp: ReduceFunction = whole('logsumexp', 'logsumexp');

/** The p-norm (Σ |x|ᵖ)^(1 / p) over `dim`, one dim or several; all by default. */
export const norm = callable<
  Callable<[x: Tensor], [p: number | 'fro', dim: Dims | null, keepdim: boolean], NormOptions, Tensor>
>(
  "norm(x: Tensor, p: number|'fro' = 'fro', dim: int|int[]|null = null, keepdim: bool = false, -out = null, -dtype = null)",
  (x: Tensor, p: number | 'fro', dim: Dims | null, keepdim: boolean) => {
    if (p === 2 || p === 'fro') return reduction('norm', x, dim, keepdim);
    if (p === 0) return sum(ops.cast({ x: ne(x, 0) }, { dtype: 'f32' }), dim, keepdim);
    const magnitudes = ops.abs({ x });
    if (p === 1) return sum(magnitudes, dim, keepdim);
    if (p === Number.POSITIVE_INFINITY) return amax(magnitudes, dim, keepdim);
    if (p === Number.NEGATIVE_INFINITY) return amin(magnitudes, dim, keepdim);
    if (Number.isNaN(p)) throw new ArgumentError('norm: expected a number as p, got NaN; give the order of the norm');
    return power(sum(power(magnitudes, p), dim, keepdim), 1 / p);
  },
);

/** The variance Σ (x − mean)² / (n − correction) over `dim`, one dim or several; all by default. */
const variance: SpreadFunction = spread('var', 'variance');

export { variance as var };

/** The standard deviation over `dim`, one dim or several; all by default: the root of {@link var}. */
export const std: SpreadFunction = spread('std', 'std');

/**
 * The i32 index of the first largest element along `dim`; without `dim` that in the flattened tensor. It has no
 * gradient.
 */
export const argmax: PlaceFunction = place('argmax');

/**
 * The i32 index of the first smallest element along `dim`; without `dim` that in the flattened tensor. It has no
 * gradient.
 */
export const argmin: PlaceFunction = place('argmin');

/** A function along one dim. */
export type AlongFunction = {
  (x: Tensor, dim: number): Tensor;
  (x: Tensor, options: AlongDim): Tensor;
};
/** Where to compute. */
export interface AlongDim {
  /** The dim to go along; a negative one counts from the end. */
  dim: number;
}

const along = (
  name: 'cumsum' | 'logcumsumexp' | 'softmax' | 'logSoftmax',
  input: (x: Tensor) => Tensor = (x) => x,
): AlongFunction =>
  callable<AlongFunction>(
    // PyTorch's sums have dtype by name only.
    `${name}(x: Tensor, dim: int${name.endsWith('max') ? ', -dtype = null' : ''})`,
    (x: Tensor, dim: number): Tensor => ops[name]({ x: input(x) }, { dim: normalizeDim(name, dim, x.ndim) }),
  );

/** The running sum along `dim`: y[i] = x[0] + … + x[i]. */
export const cumsum: AlongFunction = along('cumsum', widened);

/** The logarithm of the running sum of eˣ along `dim`, without overflow. */
export const logcumsumexp: AlongFunction = along('logcumsumexp', asFloat);

/** eˣ / Σ eˣ along `dim`, without overflow. */
export const softmax: AlongFunction = along('softmax');

/** log(eˣ / Σ eˣ) along `dim`, without overflow. */
export const logSoftmax: AlongFunction = along('logSoftmax');
