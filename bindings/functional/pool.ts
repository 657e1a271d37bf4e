// Max, average and adaptive pooling, named as in PyTorch's torch.nn.functional.
import { familyOps } from '../autograd.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import type { AdaptivePool, AvgPool, MaxPool } from '../ops/pool.ts';
import { poolRows } from '../ops/pool.ts';
import { type AfterFirst, type Arguments, type Callable, callable, type Front } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { eachDim, type Sizes } from './arguments.ts';
import { adaptiveMaxVolume, adaptiveMeans, maxVolume, meanVolume } from './pool-volume.ts';

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

/** Options of {@link maxPool1d}, {@link maxPool2d} and {@link maxPool3d}. */
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

/** Options of {@link avgPool2d} and {@link avgPool3d}. */
export interface AvgPool2dOptions extends AvgPoolOptions {
  /** What sums are divided by; null: the number of elements. @defaultValue null */
  divisorOverride?: number | null;
}

/** Size of a result: one number for all dims, or one for each; null keeps the input's. */
export type OutputSize = number | null | readonly (number | null)[];

function windows(
  op: string,
  pooled: number,
  kernelSize: Sizes,
  { stride, padding, ceilMode }: { stride: Sizes | null; padding: Sizes; ceilMode: boolean },
) {
  const kernel = eachDim(op, 'kernelSize', kernelSize, pooled, 1);
  return {
    kernelSize: kernel,
    stride: stride === null ? kernel : eachDim(op, 'stride', stride, pooled, 1),
    padding: eachDim(op, 'padding', padding, pooled, 0),
    ceilMode,
  };
}

function adaptiveAttrs(op: string, pooled: number, x: Tensor, outputSize: OutputSize): AdaptivePool {
  const sizes = Array.isArray(outputSize)
    ? outputSize
    : new Array<number | null>(pooled).fill(outputSize as number | null);
  if (sizes.length !== pooled)
    throw new ArgumentError(`${op}: expected outputSize of one number, or ${pooled}, got ${sizes.length}`);
  if (x.ndim < pooled)
    throw new ShapeError(`${op}: expected input of at least ${pooled + 1} dims, got ${formatShape(x.sizes)}`);
  return { outputSize: sizes.map((size, d) => size ?? (x.sizes[x.ndim - pooled + d] as number)) };
}

/** What a max pool gives, of planes and of volumes. */
type Greatest<A> = (x: Tensor, attrs: A, returnIndices: boolean) => readonly [y: Tensor, index: Tensor | null];

/** @throws ShapeError unless x is [channels, depth, height, width], with or without n in front */
function expectVolume(op: string, x: Tensor): void {
  if (x.ndim !== 4 && x.ndim !== 5)
    throw new ShapeError(
      `${op}: expected input [n, channels, depth, height, width], with or without n, got ${formatShape(x.sizes)}`,
    );
}

const flatMax: Greatest<MaxPool> = (x, attrs, returnIndices) => {
  if (!returnIndices) return [poolOps.maxPool({ x }, attrs), null];
  const { y, index } = poolOps.maxPoolWithIndices({ x }, attrs);
  return [y, index];
};
const flatAdaptiveMax: Greatest<AdaptivePool> = (x, attrs, returnIndices) => {
  if (!returnIndices) return [poolOps.adaptiveMaxPool({ x }, attrs), null];
  const { y, index } = poolOps.adaptiveMaxPoolWithIndices({ x }, attrs);
  return [y, index];
};

/**
 * A max pool of arguments R, options P by position or O by name. By default it gives the output; with `returnIndices`
 * that and the places of the maxima: i32 positions in the plane of their channel, row by row, without a gradient.
 */
export interface MaxPoolFunction<
  R extends readonly unknown[],
  P extends readonly unknown[],
  O,
  K extends readonly string[] = [],
> {
  (...args: AfterFirst<R, K, O & { returnIndices: true }>): [output: Tensor, indices: Tensor];
  (...args: AfterFirst<R, K, O & { returnIndices?: false }>): Tensor;
  (
    ...args: [...required: R, ...front: Front<P>, options: O & { returnIndices: true }]
  ): [output: Tensor, indices: Tensor];
  (
    ...args: [...required: R, ...others: { [K in keyof P]: P[K] | undefined }, returnIndices: true]
  ): [output: Tensor, indices: Tensor];
  (...args: Arguments<R, [...others: P, returnIndices: false], O & { returnIndices?: false }>): Tensor;
  (
    ...args: Arguments<R, [...others: P, returnIndices: boolean], O & IndicesOptions>
  ): Tensor | [output: Tensor, indices: Tensor];
}
/** A max pool of windows. */
export type MaxPoolWindowsFunction = MaxPoolFunction<
  [x: Tensor, kernelSize: Sizes],
  [stride: Sizes | null, padding: Sizes, dilation: Sizes, ceilMode: boolean],
  MaxPoolOptions,
  ['x', 'kernelSize']
>;
/** A max pool of a given number of windows. */
export type AdaptiveMaxPoolFunction = MaxPoolFunction<
  [x: Tensor, outputSize: OutputSize],
  [],
  object,
  ['x', 'outputSize']
>;
/** An average pool of a given number of windows. */
export type AdaptiveAvgPoolFunction = (x: Tensor, outputSize: OutputSize) => Tensor;

const WINDOWS = '(x: Tensor, kernelSize: int|int[], stride: int|int[]|null = null, padding: int|int[] = 0';
const OUTPUT = '(x: Tensor, outputSize: size|size[]';
const KINDS = {
  size: [(x: unknown) => x === null || Number.isSafeInteger(x), 'a whole number or null', 'whole numbers or nulls'],
} as const;
const INDICES = ', returnIndices: bool = false)';

/* @__NO_SIDE_EFFECTS__ */
const maxPool = (op: string, pooled: number, greatest: Greatest<MaxPool>): MaxPoolWindowsFunction =>
  callable<MaxPoolWindowsFunction>(
    `${op}${WINDOWS}, dilation: int|int[] = 1, ceilMode: bool = false${INDICES}`,
    (
      x: Tensor,
      kernelSize: Sizes,
      stride: Sizes | null,
      padding: Sizes,
      dilations: Sizes,
      ceilMode: boolean,
      returnIndices: boolean,
    ) => {
      const dilation = eachDim(op, 'dilation', dilations, pooled, 1);
      const attrs = { ...windows(op, pooled, kernelSize, { stride, padding, ceilMode }), dilation };
      const [y, index] = greatest(x, attrs, returnIndices);
      return index ? [y, index] : y;
    },
  );

/* @__NO_SIDE_EFFECTS__ */
const adaptiveMaxPool = (op: string, pooled: number, greatest: Greatest<AdaptivePool>): AdaptiveMaxPoolFunction =>
  callable<AdaptiveMaxPoolFunction>(
    op + OUTPUT + INDICES,
    (x: Tensor, outputSize: OutputSize, returnIndices: boolean) => {
      const attrs = adaptiveAttrs(op, pooled, x, outputSize);
      const [y, index] = greatest(x, attrs, returnIndices);
      return index ? [y, index] : y;
    },
    KINDS,
  );

/* @__NO_SIDE_EFFECTS__ */
const adaptiveAvgPool = (op: string, pooled: number): AdaptiveAvgPoolFunction =>
  callable(
    `${op}${OUTPUT})`,
    (x: Tensor, outputSize: OutputSize) => poolOps.adaptiveAvgPool({ x }, adaptiveAttrs(op, pooled, x, outputSize)),
    KINDS,
  );

/**
 * The largest element of each window of the last dim. A NaN is larger than all numbers. Of equal ones the first gets
 * the gradient. With `returnIndices` it gives the places of the maxima as well: i32 positions along the dim, without a
 * gradient.
 * @param x [n, channels, length] or [channels, length]
 * @returns [n, channels, ⌊(length + 2 padding − dilation (kernelSize − 1) − 1) / stride⌋ + 1]
 * @throws ShapeError, ArgumentError, DtypeError
 */
export const maxPool1d: MaxPoolWindowsFunction = maxPool('maxPool1d', 1, flatMax);

/**
 * {@link maxPool1d} over the last two dims. Places of maxima are positions in the plane of their channel, row by row.
 * @param x [n, channels, height, width] or [channels, height, width]
 */
export const maxPool2d: MaxPoolWindowsFunction = maxPool('maxPool2d', 2, flatMax);

/**
 * {@link maxPool1d} over the last three dims. Places of maxima are positions in the volume of their channel.
 * @param x [n, channels, depth, height, width] or [channels, depth, height, width]
 */
export const maxPool3d: MaxPoolWindowsFunction = maxPool('maxPool3d', 3, (x, attrs, returnIndices) => {
  expectVolume('maxPool3d', x);
  return maxVolume(poolOps, x, attrs, returnIndices);
});

/**
 * The largest element of each of `outputSize` windows, which cut the last dim into equal parts: window o goes from
 * ⌊o length / outputSize⌋ to before ⌈(o + 1) length / outputSize⌉. With outputSize 1 it is a global pool. With
 * `returnIndices` it gives the places of the maxima as well: i32 positions along the dim, without a gradient.
 * @param x [n, channels, length] or [channels, length]
 * @throws ShapeError, ArgumentError, DtypeError
 */
export const adaptiveMaxPool1d: AdaptiveMaxPoolFunction = adaptiveMaxPool('adaptiveMaxPool1d', 1, flatAdaptiveMax);

/**
 * {@link adaptiveMaxPool1d} over the last two dims. Places of maxima are positions in the plane of their channel, row
 * by row.
 * @param x [n, channels, height, width] or [channels, height, width]
 */
export const adaptiveMaxPool2d: AdaptiveMaxPoolFunction = adaptiveMaxPool('adaptiveMaxPool2d', 2, flatAdaptiveMax);

/**
 * {@link adaptiveMaxPool1d} over the last three dims. Places of maxima are positions in the volume of their channel.
 * @param x [n, channels, depth, height, width] or [channels, depth, height, width]
 */
export const adaptiveMaxPool3d: AdaptiveMaxPoolFunction = adaptiveMaxPool(
  'adaptiveMaxPool3d',
  3,
  (x, { outputSize }, returnIndices) => {
    expectVolume('adaptiveMaxPool3d', x);
    return adaptiveMaxVolume(poolOps, x, outputSize, returnIndices);
  },
);

type AvgWindows = [stride: Sizes | null, padding: Sizes, ceilMode: boolean, countIncludePad: boolean];

const AVERAGE = `${WINDOWS}, ceilMode: bool = false, countIncludePad: bool = true`;

/**
 * The mean of each window of the last dim.
 * @param x [n, channels, length] or [channels, length]
 * @returns [n, channels, ⌊(length + 2 padding − kernelSize) / stride⌋ + 1]
 * @throws ShapeError, ArgumentError, DtypeError
 */
export const avgPool1d = callable<
  Callable<
    [x: Tensor, kernelSize: Sizes],
    [stride: Sizes | null, padding: Sizes, ceilMode: boolean, countIncludePad: boolean],
    AvgPoolOptions,
    Tensor,
    ['x', 'kernelSize']
  >
>(
  `avgPool1d${AVERAGE})`,
  (x: Tensor, kernelSize: Sizes, ...[stride, padding, ceilMode, countIncludePad]: AvgWindows) => {
    const sizes = windows('avgPool1d', 1, kernelSize, { stride, padding, ceilMode });
    return poolOps.avgPool({ x }, { ...sizes, countIncludePad, divisorOverride: null });
  },
);

/** An average pool of planes or volumes. */
export type AvgPoolFunction = Callable<
  [x: Tensor, kernelSize: Sizes],
  [stride: Sizes | null, padding: Sizes, ceilMode: boolean, countIncludePad: boolean, divisorOverride: number | null],
  AvgPool2dOptions,
  Tensor,
  ['x', 'kernelSize']
>;

/* @__NO_SIDE_EFFECTS__ */
const avgPool = (op: string, pooled: number, mean: (x: Tensor, attrs: AvgPool) => Tensor): AvgPoolFunction =>
  callable<AvgPoolFunction>(
    `${op}${AVERAGE}, divisorOverride: number|null = null)`,
    (
      x: Tensor,
      kernelSize: Sizes,
      ...[stride, padding, ceilMode, countIncludePad, divisorOverride]: [...AvgWindows, number | null]
    ) => {
      const sizes = windows(op, pooled, kernelSize, { stride, padding, ceilMode });
      return mean(x, { ...sizes, countIncludePad, divisorOverride });
    },
  );

/**
 * {@link avgPool1d} over the last two dims.
 * @param x [n, channels, height, width] or [channels, height, width]
 */
export const avgPool2d: AvgPoolFunction = avgPool('avgPool2d', 2, (x, attrs) => poolOps.avgPool({ x }, attrs));

/**
 * {@link avgPool1d} over the last three dims.
 * @param x [n, channels, depth, height, width] or [channels, depth, height, width]
 */
export const avgPool3d: AvgPoolFunction = avgPool('avgPool3d', 3, (x, attrs) => {
  expectVolume('avgPool3d', x);
  return meanVolume(poolOps, x, attrs);
});

/**
 * The mean of each of `outputSize` windows, cut as in {@link adaptiveMaxPool1d}. With outputSize 1 it is a global
 * average.
 * @param x [n, channels, length] or [channels, length]
 * @throws ShapeError, ArgumentError, DtypeError
 */
export const adaptiveAvgPool1d: AdaptiveAvgPoolFunction = adaptiveAvgPool('adaptiveAvgPool1d', 1);

/**
 * {@link adaptiveAvgPool1d} over the last two dims.
 * @param x [n, channels, height, width] or [channels, height, width]
 */
export const adaptiveAvgPool2d: AdaptiveAvgPoolFunction = adaptiveAvgPool('adaptiveAvgPool2d', 2);

/**
 * {@link adaptiveAvgPool1d} over the last three dims.
 * @param x [n, channels, depth, height, width] or [channels, depth, height, width]
 */
export const adaptiveAvgPool3d: AdaptiveAvgPoolFunction = callable(
  `adaptiveAvgPool3d${OUTPUT})`,
  (x: Tensor, outputSize: OutputSize) => {
    expectVolume('adaptiveAvgPool3d', x);
    return adaptiveMeans(poolOps, x, adaptiveAttrs('adaptiveAvgPool3d', 3, x, outputSize).outputSize);
  },
  KINDS,
);
