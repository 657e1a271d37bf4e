// Pools by powers, and max pools of windows at random places.
import { ops } from '../autograd.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { rand } from '../random.ts';
import { type Callable, callable, type Front } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { cast, eachDim, type Sizes } from './arguments.ts';
import { abs, add, floor, mul, pow, relu, sign, sub } from './elementwise.ts';
import { gather } from './indexing.ts';
import { iota } from './places.ts';
import { type AvgPoolFunction, avgPool1d, avgPool2d, avgPool3d, type IndicesOptions } from './pool.ts';
import { max } from './reduction.ts';
import { cat, expand, reshape } from './shape.ts';

/** Options of {@link lpPool1d}, {@link lpPool2d} and {@link lpPool3d}. */
export interface LPPoolOptions {
  /** Elements from one window to the next; null: the size of the window. @defaultValue null */
  stride?: Sizes | null;
  /** Whether a last window may hang over the input, if it begins inside. @defaultValue false */
  ceilMode?: boolean;
}
/** A pool by powers. */
export type LPPoolFunction = Callable<
  [x: Tensor, normType: number, kernelSize: Sizes],
  [stride: Sizes | null, ceilMode: boolean],
  LPPoolOptions,
  Tensor,
  ['x', 'normType', 'kernelSize']
>;

/* @__NO_SIDE_EFFECTS__ */
const lpPool = (op: string, pooled: number, means: AvgPoolFunction | typeof avgPool1d): LPPoolFunction =>
  callable<LPPoolFunction>(
    `${op}(x: Tensor, normType: number, kernelSize: int|int[], stride: int|int[]|null = null, ceilMode: bool = false)`,
    (x: Tensor, normType: number, kernelSize: Sizes, ...[stride, ceilMode]: [Sizes | null, boolean]) => {
      if (!(normType !== 0 && Number.isFinite(normType)))
        throw new ArgumentError(`${op}: expected normType to be a number but 0, got ${normType}`);
      const kernel = eachDim(op, 'kernelSize', kernelSize, pooled, 1);
      const mean = (means as typeof avgPool1d)(pow(x, normType), kernel, stride, 0, ceilMode);
      const sum = mul(
        mul(sign(mean), relu(abs(mean))),
        kernel.reduce((a, b) => a * b, 1),
      );
      return pow(sum, 1 / normType);
    },
  );

/**
 * (Σ xᵖ)^(1 / p) over each window of the last dim: with p = 1 its sum, and the larger p, the closer to its maximum. Of
 * a sum of 0 the gradient is 0 / 0 unless p is 1, as in PyTorch.
 * @param x [n, channels, length] or [channels, length]
 * @param normType p
 * @throws ShapeError, ArgumentError, DtypeError
 */
export const lpPool1d: LPPoolFunction = lpPool('lpPool1d', 1, avgPool1d);
/** {@link lpPool1d} over the last two dims. */
export const lpPool2d: LPPoolFunction = lpPool('lpPool2d', 2, avgPool2d);
/** {@link lpPool1d} over the last three dims. */
export const lpPool3d: LPPoolFunction = lpPool('lpPool3d', 3, avgPool3d);

/** Options of {@link fractionalMaxPool2d} and {@link fractionalMaxPool3d}, beside {@link IndicesOptions}. */
export interface FractionalOptions {
  /** Windows along each dim; null: by `outputRatio`. @defaultValue null */
  outputSize?: Sizes | null;
  /** Windows for an element of x along each dim, between 0 and 1; null: by `outputSize`. @defaultValue null */
  outputRatio?: number | readonly number[] | null;
  /** Numbers from 0 to 1 that places of windows follow from, [n, channels, dims]; null: new ones. @defaultValue null */
  randomSamples?: Tensor | null;
}
/** Results to inputs along all dims, or each; null where sizes are given. */
export type FractionalRatio = number | readonly number[] | null;
type FractionalPositions = [outputSize: Sizes | null, outputRatio: FractionalRatio];
/** A max pool of windows at random places; with `returnIndices` [output, indices]. */
export interface FractionalMaxPoolFunction {
  (
    ...args: [
      ...required: [x: Tensor, kernelSize: Sizes],
      ...front: Front<FractionalPositions>,
      options: FractionalOptions & { returnIndices: true },
    ]
  ): [output: Tensor, indices: Tensor];
  (
    x: Tensor,
    kernelSize: Sizes,
    outputSize: Sizes | null | undefined,
    outputRatio: FractionalRatio | undefined,
    returnIndices: true,
    randomSamples?: Tensor | null,
  ): [output: Tensor, indices: Tensor];
  (
    ...args: [
      ...required: [x: Tensor, kernelSize: Sizes],
      ...front: Front<FractionalPositions>,
      options: FractionalOptions & { returnIndices?: false },
    ]
  ): Tensor;
  (
    ...args: [
      ...required: [x: Tensor, kernelSize: Sizes],
      ...front: Front<[...first: FractionalPositions, returnIndices: boolean]>,
      options: FractionalOptions & IndicesOptions,
    ]
  ): Tensor | [output: Tensor, indices: Tensor];
}

/**
 * Where windows along an axis start, i32 [planes, count]: apart by about the same, the last at the end (Graham 2014).
 */
function startsOf(sample: Tensor, size: number, count: number, kernel: number): Tensor {
  const planes = sample.sizes[0] as number;
  const last = ops.full({}, { shape: [planes, 1], value: size - kernel, dtype: 'i32' });
  if (count === 1) return last;
  const step = (size - kernel) / (count - 1);
  const turns = reshape(cast(iota(count - 1, sample), 'f32'), [1, count - 1]);
  const starts = sub(floor(mul(add(turns, sample), step)), floor(mul(sample, step)));
  return cat([cast(starts, 'i32'), last], 1);
}

/** The sizes of the result. */
function countsOf(
  op: string,
  size: readonly number[],
  outputSize: Sizes | null,
  outputRatio: FractionalRatio,
): readonly number[] {
  if ((outputSize === null) === (outputRatio === null))
    throw new ArgumentError(
      `${op}: expected either outputSize or outputRatio, got ${outputSize === null ? 'neither' : 'both'}`,
    );
  if (outputRatio === null) return eachDim(op, 'outputSize', outputSize as Sizes, size.length, 1);
  const ratios = typeof outputRatio === 'number' ? size.map(() => outputRatio) : outputRatio;
  if (ratios.length !== size.length || !ratios.every((ratio) => ratio > 0 && ratio < 1))
    throw new ArgumentError(
      `${op}: expected outputRatio of one number between 0 and 1, or ${size.length}, got ${formatShape(ratios)}`,
    );
  return size.map((n, d) => Math.floor(n * (ratios[d] as number)));
}

/**
 * The greatest of windows of x [planes, ...size], and its places there; one dim after the other, the last one first.
 */
function greatest(
  x: Tensor,
  samples: Tensor,
  kernel: readonly number[],
  counts: readonly number[],
): [y: Tensor, index: Tensor] {
  const [planes, ...size] = x.sizes as [number, ...number[]];
  const all = reshape(iota(x.size / Math.max(planes, 1), x), [1, ...size]);
  let [y, index] = [x, expand(all, x.sizes)];
  for (let d = size.length - 1; d >= 0; d--) {
    const [n, count, taps] = [size[d], counts[d], kernel[d]] as [number, number, number];
    // PyTorch's numbers are those of width, height and, in front of both, depth.
    const at = size.length === 3 ? d : 1 - d;
    const sample = ops.slice({ x: samples }, { dim: 1, start: at, length: 1, step: 1 });
    const starts = startsOf(sample, n, count, taps);
    const rest = (width: number): number[] => [planes, ...size.map((_, e) => (e === d ? width : 1))];
    const places = add(reshape(starts, [planes, count, 1]), reshape(iota(taps, x), [1, 1, taps]));
    const windows = (t: Tensor, width: number): number[] => t.sizes.map((length, e) => (e === d + 1 ? width : length));
    const taken = gather(y, d + 1, expand(reshape(places, rest(count * taps)), windows(y, count * taps)));
    const { values, indices } = max(reshape(taken, taken.sizes.toSpliced(d + 1, 1, count, taps)), d + 2);
    index = gather(index, d + 1, add(indices, reshape(starts, rest(count))));
    y = values;
  }
  return [y, index];
}

/* @__NO_SIDE_EFFECTS__ */
const fractional = (op: string, pooled: number): FractionalMaxPoolFunction =>
  callable<FractionalMaxPoolFunction>(
    `${op}(x: Tensor, kernelSize: int|int[], outputSize: int|int[]|null = null, outputRatio: number|number[]|null = null, returnIndices: bool = false, randomSamples: Tensor|null = null)`,
    (
      x: Tensor,
      kernelSize: Sizes,
      ...[outputSize, outputRatio, returnIndices, given]: [Sizes | null, FractionalRatio, boolean, Tensor | null]
    ) => {
      if (x.ndim !== pooled + 1 && x.ndim !== pooled + 2)
        throw new ShapeError(
          `${op}: expected input [n, channels, ...] with ${pooled} further dims, with or without n, got ${formatShape(x.sizes)}`,
        );
      const [lead, size] = [x.sizes.slice(0, x.ndim - pooled), x.sizes.slice(-pooled)];
      const kernel = eachDim(op, 'kernelSize', kernelSize, pooled, 1);
      const counts = countsOf(op, size, outputSize, outputRatio);
      if (size.some((n, d) => (counts[d] as number) < 1 || (kernel[d] as number) + (counts[d] as number) - 1 > n))
        throw new ShapeError(
          `${op}: expected at least one window of ${formatShape(kernel)}, and so many as fit ${formatShape(size)}, got ${formatShape(counts)}`,
        );
      const planes = lead.reduce((a, b) => a * b, 1);
      const samples = given ?? rand([...(lead.length === 1 ? [1] : []), ...lead, pooled]);
      if (samples.size !== planes * pooled || samples.sizes.at(-1) !== pooled)
        throw new ShapeError(
          `${op}: expected samples [n, channels, ${pooled}] for input ${formatShape(x.sizes)}, got ${formatShape(samples.sizes)}`,
        );
      const [y, index] = greatest(reshape(x, [planes, ...size]), reshape(samples, [planes, pooled]), kernel, counts);
      const output = reshape(y, [...lead, ...counts]);
      return returnIndices ? [output, reshape(index, output.sizes)] : output;
    },
  );

/**
 * The largest element of each of a given number of windows, which lie at random places and overlap (Graham 2014). Of
 * equal ones the first gets the gradient.
 * @param x [n, channels, height, width] or [channels, height, width]
 * @param kernelSize of the windows
 * @throws ShapeError, ArgumentError, DtypeError
 */
export const fractionalMaxPool2d: FractionalMaxPoolFunction = fractional('fractionalMaxPool2d', 2);
/** {@link fractionalMaxPool2d} over the last three dims. */
export const fractionalMaxPool3d: FractionalMaxPoolFunction = fractional('fractionalMaxPool3d', 3);
