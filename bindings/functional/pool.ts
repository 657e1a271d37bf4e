// Max, average and adaptive pooling, named as in PyTorch's torch.nn.functional.
import { familyOps } from '../autograd.ts';
import { ArgumentError, ShapeError } from '../memory/errors.ts';
import type { AdaptivePool, AvgPool, MaxPool } from '../ops/pool.ts';
import { poolRows } from '../ops/pool.ts';
import type { Tensor } from '../tensor.ts';
import { eachDim, type Sizes } from './arguments.ts';

const poolOps = familyOps(poolRows);

/** Options of all pools with windows. */
export interface PoolOptions {
  /** Elements from one window to the next; null: the size of the window. @defaultValue null */
  stride?: Sizes | null;
  /** Positions added on both sides, at most half of the window: zeros for averages, −∞ for maxima. @defaultValue 0 */
  padding?: Sizes;
  /** Whether a last window may hang over the padded input, if it begins inside. @defaultValue false */
  ceilMode?: boolean;
}

/** Options of {@link maxPool1d} and {@link maxPool2d}. */
export interface MaxPoolOptions extends PoolOptions {
  /** Elements from one position of a window to the next. @defaultValue 1 */
  dilation?: Sizes;
}

/** The option by which max pools tell where their maxima lie. */
export interface IndicesOptions {
  /** Whether the result is [output, indices], not the output alone. @defaultValue false */
  returnIndices?: boolean;
}

/** Options of {@link avgPool1d}. */
export interface AvgPoolOptions extends PoolOptions {
  /** Whether zeros in the padding count as elements. @defaultValue true */
  countIncludePad?: boolean;
}

/** Options of {@link avgPool2d}. */
export interface AvgPool2dOptions extends AvgPoolOptions {
  /** What sums are divided by; null: the number of elements. @defaultValue null */
  divisorOverride?: number | null;
}

/** Size of a result: one number for all dims, or one for each; null keeps the input's. */
export type OutputSize = number | null | readonly (number | null)[];

function windows(op: string, kernelSize: Sizes, pooled: number, options: PoolOptions) {
  const kernel = eachDim(op, 'kernelSize', kernelSize, pooled, 1);
  return {
    kernelSize: kernel,
    stride: options.stride == null ? kernel : eachDim(op, 'stride', options.stride, pooled, 1),
    padding: eachDim(op, 'padding', options.padding ?? 0, pooled, 0),
    ceilMode: options.ceilMode ?? false,
  };
}

function maxAttrs(pooled: number, kernelSize: Sizes, options: MaxPoolOptions): MaxPool {
  const op = `maxPool${pooled}d`;
  const dilation = eachDim(op, 'dilation', options.dilation ?? 1, pooled, 1);
  return { ...windows(op, kernelSize, pooled, options), dilation };
}

function avgAttrs(pooled: number, kernelSize: Sizes, options: AvgPool2dOptions): AvgPool {
  const { countIncludePad = true, divisorOverride = null } = options;
  return { ...windows(`avgPool${pooled}d`, kernelSize, pooled, options), countIncludePad, divisorOverride };
}

function adaptiveAttrs(op: string, x: Tensor, outputSize: OutputSize, pooled: number): AdaptivePool {
  const sizes = Array.isArray(outputSize)
    ? outputSize
    : new Array<number | null>(pooled).fill(outputSize as number | null);
  if (sizes.length !== pooled)
    throw new ArgumentError(`${op}: expected outputSize of one number, or ${pooled}, got ${sizes.length}`);
  if (x.ndim < pooled) throw new ShapeError(`${op}: expected input of at least ${pooled + 1} dims, got ${x.ndim}`);
  return { outputSize: sizes.map((size, d) => size ?? (x.shape[x.ndim - pooled + d] as number)) };
}

/** The output of max pooling, and where asked for the indices. */
type MaxPooled = Tensor | [output: Tensor, indices: Tensor];

function maxPool(pooled: number, x: Tensor, size: Sizes, options: MaxPoolOptions & IndicesOptions): MaxPooled {
  const { returnIndices = false, ...rest } = options;
  const attrs = maxAttrs(pooled, size, rest);
  if (!returnIndices) return poolOps.maxPool({ x }, attrs);
  const { y, index } = poolOps.maxPoolWithIndices({ x }, attrs);
  return [y, index];
}

function adaptiveMaxPool(pooled: number, x: Tensor, outputSize: OutputSize, options: IndicesOptions): MaxPooled {
  const attrs = adaptiveAttrs(`adaptiveMaxPool${pooled}d`, x, outputSize, pooled);
  if (!options.returnIndices) return poolOps.adaptiveMaxPool({ x }, attrs);
  const { y, index } = poolOps.adaptiveMaxPoolWithIndices({ x }, attrs);
  return [y, index];
}

/**
 * The largest element of each window of the last dim. A NaN is larger than all numbers. Of equal ones the first gets
 * the gradient. Beside the output it gives the places of the maxima: i32 positions along the dim, without a gradient.
 * @param x [n, channels, length] or [channels, length]
 * @returns [n, channels, ⌊(length + 2 padding − dilation (kernelSize − 1) − 1) / stride⌋ + 1]
 * @throws ShapeError, ArgumentError, DtypeError
 */
export function maxPool1d(
  x: Tensor,
  kernelSize: Sizes,
  options: MaxPoolOptions & IndicesOptions & { returnIndices: true },
): [output: Tensor, indices: Tensor];
/**
 * The largest element of each window of the last dim. A NaN is larger than all numbers. Of equal ones the first gets
 * the gradient.
 * @param x [n, channels, length] or [channels, length]
 * @returns [n, channels, ⌊(length + 2 padding − dilation (kernelSize − 1) − 1) / stride⌋ + 1]
 * @throws ShapeError, ArgumentError, DtypeError
 */
export function maxPool1d(x: Tensor, kernelSize: Sizes, options?: MaxPoolOptions & IndicesOptions): Tensor;
export function maxPool1d(x: Tensor, kernelSize: Sizes, options: MaxPoolOptions & IndicesOptions = {}): MaxPooled {
  return maxPool(1, x, kernelSize, options);
}

/**
 * {@link maxPool1d} over the last two dims, with the places of the maxima: i32 positions in the plane of their
 * channel, row by row.
 * @param x [n, channels, height, width] or [channels, height, width]
 */
export function maxPool2d(
  x: Tensor,
  kernelSize: Sizes,
  options: MaxPoolOptions & IndicesOptions & { returnIndices: true },
): [output: Tensor, indices: Tensor];
/**
 * {@link maxPool1d} over the last two dims.
 * @param x [n, channels, height, width] or [channels, height, width]
 */
export function maxPool2d(x: Tensor, kernelSize: Sizes, options?: MaxPoolOptions & IndicesOptions): Tensor;
export function maxPool2d(x: Tensor, kernelSize: Sizes, options: MaxPoolOptions & IndicesOptions = {}): MaxPooled {
  return maxPool(2, x, kernelSize, options);
}

/**
 * The largest element of each of `outputSize` windows, which cut the last dim into equal parts: window o goes from
 * ⌊o length / outputSize⌋ to before ⌈(o + 1) length / outputSize⌉. With outputSize 1 it is a global pool.
 * Beside the output it gives the places of the maxima: i32 positions along the dim, without a gradient.
 * @param x [n, channels, length] or [channels, length]
 * @throws ShapeError, ArgumentError, DtypeError
 */
export function adaptiveMaxPool1d(
  x: Tensor,
  outputSize: OutputSize,
  options: IndicesOptions & { returnIndices: true },
): [output: Tensor, indices: Tensor];
/**
 * The largest element of each of `outputSize` windows, which cut the last dim into equal parts: window o goes from
 * ⌊o length / outputSize⌋ to before ⌈(o + 1) length / outputSize⌉. With outputSize 1 it is a global pool.
 * @param x [n, channels, length] or [channels, length]
 * @throws ShapeError, ArgumentError, DtypeError
 */
export function adaptiveMaxPool1d(x: Tensor, outputSize: OutputSize, options?: IndicesOptions): Tensor;
export function adaptiveMaxPool1d(x: Tensor, outputSize: OutputSize, options: IndicesOptions = {}): MaxPooled {
  return adaptiveMaxPool(1, x, outputSize, options);
}

/**
 * {@link adaptiveMaxPool1d} over the last two dims, with the places of the maxima: i32 positions in the plane of
 * their channel, row by row.
 * @param x [n, channels, height, width] or [channels, height, width]
 */
export function adaptiveMaxPool2d(
  x: Tensor,
  outputSize: OutputSize,
  options: IndicesOptions & { returnIndices: true },
): [output: Tensor, indices: Tensor];
/**
 * {@link adaptiveMaxPool1d} over the last two dims.
 * @param x [n, channels, height, width] or [channels, height, width]
 */
export function adaptiveMaxPool2d(x: Tensor, outputSize: OutputSize, options?: IndicesOptions): Tensor;
export function adaptiveMaxPool2d(x: Tensor, outputSize: OutputSize, options: IndicesOptions = {}): MaxPooled {
  return adaptiveMaxPool(2, x, outputSize, options);
}

/**
 * The mean of each window of the last dim.
 * @param x [n, channels, length] or [channels, length]
 * @returns [n, channels, ⌊(length + 2 padding − kernelSize) / stride⌋ + 1]
 * @throws ShapeError, ArgumentError, DtypeError
 */
export function avgPool1d(x: Tensor, kernelSize: Sizes, options: AvgPoolOptions = {}): Tensor {
  return poolOps.avgPool({ x }, avgAttrs(1, kernelSize, options));
}

/**
 * {@link avgPool1d} over the last two dims.
 * @param x [n, channels, height, width] or [channels, height, width]
 */
export function avgPool2d(x: Tensor, kernelSize: Sizes, options: AvgPool2dOptions = {}): Tensor {
  return poolOps.avgPool({ x }, avgAttrs(2, kernelSize, options));
}

/**
 * The mean of each of `outputSize` windows, cut as in {@link adaptiveMaxPool1d}. With outputSize 1 it is a global
 * average.
 * @param x [n, channels, length] or [channels, length]
 * @throws ShapeError, ArgumentError, DtypeError
 */
export function adaptiveAvgPool1d(x: Tensor, outputSize: OutputSize): Tensor {
  return poolOps.adaptiveAvgPool({ x }, adaptiveAttrs('adaptiveAvgPool1d', x, outputSize, 1));
}

/**
 * {@link adaptiveAvgPool1d} over the last two dims.
 * @param x [n, channels, height, width] or [channels, height, width]
 */
export function adaptiveAvgPool2d(x: Tensor, outputSize: OutputSize): Tensor {
  return poolOps.adaptiveAvgPool({ x }, adaptiveAttrs('adaptiveAvgPool2d', x, outputSize, 2));
}
