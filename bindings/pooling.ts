// Max, average and adaptive pooling, named as in PyTorch's torch.nn.functional.
import { ops } from './autograd.ts';
import { eachDim, type Sizes } from './convolution.ts';
import type { AdaptivePool, AvgPool, MaxPool } from './ops/pool.ts';
import { ArgumentError, ShapeError } from './runtime/errors.ts';
import type { Tensor } from './tensor.ts';

interface WindowOptions {
  /** Step from window to window. Default kernelSize. */
  stride?: Sizes | null;
  /** Positions added on both sides, at most half of kernelSize. Default 0. */
  padding?: Sizes;
  /** Whether a last window may hang over the padded input, and start on it. Default false. */
  ceilMode?: boolean;
}

/** Options of max pools. */
export interface MaxPoolOptions extends WindowOptions {
  /** Step from position to position within a window. Default 1. */
  dilation?: Sizes;
}

/** Options of average pools. */
export interface AvgPoolOptions extends WindowOptions {
  /** Whether zeros in the padding count. Default true. */
  countIncludePad?: boolean;
}

/** Options of {@link avgPool2d}. */
export interface AvgPool2dOptions extends AvgPoolOptions {
  /** What sums are divided by instead of the number of elements. Default none. */
  divisorOverride?: number | null;
}

/** Size of a result: one number for all dims, or one for each; null keeps the input's. */
export type OutputSize = number | null | readonly (number | null)[];

function windows(op: string, kernelSize: Sizes, pooled: number, options: WindowOptions) {
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

/**
 * A max pool. With `returnIndices` it also says where the maxima lie: i32 positions in their planes, row by row. It has
 * no gradient by them.
 */
export interface MaxPooling<S, O> {
  (x: Tensor, size: S, options: O & { returnIndices: true }): [output: Tensor, indices: Tensor];
  (x: Tensor, size: S, options?: O & { returnIndices?: boolean }): Tensor;
}
type Indices = { returnIndices?: boolean };

function maxPooling(pooled: number): MaxPooling<Sizes, MaxPoolOptions> {
  const pool = (x: Tensor, kernelSize: Sizes, { returnIndices = false, ...options }: MaxPoolOptions & Indices = {}) => {
    const attrs = maxAttrs(pooled, kernelSize, options);
    const y = ops.maxPool(x, attrs);
    return returnIndices ? [y, ops.maxPoolIndices(x, attrs)] : y;
  };
  return pool as MaxPooling<Sizes, MaxPoolOptions>;
}

function adaptiveMaxPooling(pooled: number): MaxPooling<OutputSize, object> {
  const pool = (x: Tensor, outputSize: OutputSize, { returnIndices = false }: Indices = {}) => {
    const attrs = adaptiveAttrs(`adaptiveMaxPool${pooled}d`, x, outputSize, pooled);
    const y = ops.adaptiveMaxPool(x, attrs);
    return returnIndices ? [y, ops.adaptiveMaxPoolIndices(x, attrs)] : y;
  };
  return pool as MaxPooling<OutputSize, object>;
}

/**
 * The greatest element of each window of the last dim. A NaN is greater than all. Of equals the first gets the
 * gradient.
 * @param x [n, channels, length] or [channels, length]
 * @returns [n, channels, ⌊(length + 2 padding − dilation (kernelSize − 1) − 1) / stride⌋ + 1]
 * @throws ShapeError, ArgumentError, DtypeError
 */
export const maxPool1d = maxPooling(1);
/** {@link maxPool1d} over the last two dims. @param x [n, channels, height, width] or [channels, height, width] */
export const maxPool2d = maxPooling(2);

/**
 * The greatest element of each of `outputSize` windows, which cut the last dim into equal parts: window o goes from
 * ⌊o length / outputSize⌋ to before ⌈(o + 1) length / outputSize⌉. With outputSize 1 a global pool.
 * @param x [n, channels, length] or [channels, length]
 * @throws ShapeError, ArgumentError, DtypeError
 */
export const adaptiveMaxPool1d = adaptiveMaxPooling(1);
/**
 * {@link adaptiveMaxPool1d} over the last two dims. @param x [n, channels, height, width] or [channels, height, width]
 */
export const adaptiveMaxPool2d = adaptiveMaxPooling(2);

/**
 * The mean of each window of the last dim.
 * @param x [n, channels, length] or [channels, length]
 * @returns [n, channels, ⌊(length + 2 padding − kernelSize) / stride⌋ + 1]
 * @throws ShapeError, ArgumentError, DtypeError
 */
export function avgPool1d(x: Tensor, kernelSize: Sizes, options: AvgPoolOptions = {}): Tensor {
  return ops.avgPool(x, avgAttrs(1, kernelSize, options));
}

/** {@link avgPool1d} over the last two dims. @param x [n, channels, height, width] or [channels, height, width] */
export function avgPool2d(x: Tensor, kernelSize: Sizes, options: AvgPool2dOptions = {}): Tensor {
  return ops.avgPool(x, avgAttrs(2, kernelSize, options));
}

/** The mean of each of `outputSize` windows, cut as in {@link adaptiveMaxPool1d}. */
export function adaptiveAvgPool1d(x: Tensor, outputSize: OutputSize): Tensor {
  return ops.adaptiveAvgPool(x, adaptiveAttrs('adaptiveAvgPool1d', x, outputSize, 1));
}

/**
 * {@link adaptiveAvgPool1d} over the last two dims. @param x [n, channels, height, width] or [channels, height, width]
 */
export function adaptiveAvgPool2d(x: Tensor, outputSize: OutputSize): Tensor {
  return ops.adaptiveAvgPool(x, adaptiveAttrs('adaptiveAvgPool2d', x, outputSize, 2));
}
