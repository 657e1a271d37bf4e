// Images of another size, as PyTorch's torch.nn.functional.interpolate.
import { familyOps } from '../autograd.ts';
import type { Sampling } from '../kernels/resample.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { poolRows } from '../ops/pool.ts';
import { type Resample, resampleRows } from '../ops/resample.ts';
import { type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import type { Sizes } from './arguments.ts';
import { adaptiveMeans } from './pool-volume.ts';

const resampleOps = familyOps(resampleRows);
const poolOps = familyOps(poolRows);

/**
 * How elements of another size are made: the nearest one (`'nearest'` rounds down, `'nearest-exact'` takes that of the
 * middle), by lines between neighbours over one, two or three dims, by cubic convolutions over two, or means of areas.
 */
export type InterpolateMode = 'nearest' | 'nearest-exact' | 'linear' | 'bilinear' | 'trilinear' | 'bicubic' | 'area';

/** Options of {@link interpolate}. */
export interface InterpolateOptions {
  /**
   * Size of the result: one number for all spatial dims, or one for each; null: by `scaleFactor`. @defaultValue null
   */
  size?: Sizes | null;
  /** How many times larger the result is, along all dims or along each; null: by `size`. @defaultValue null */
  scaleFactor?: number | readonly number[] | null;
  /** How elements are made. @defaultValue 'nearest' */
  mode?: InterpolateMode;
  /**
   * Whether the middles of corner elements stay where they are; else their outer edges do. Only of the modes that draw
   * lines or curves; null is false.
   * @defaultValue null
   */
  alignCorners?: boolean | null;
  /** Whether steps follow from the sizes, where `scaleFactor` gives no whole ones. @defaultValue null */
  recomputeScaleFactor?: boolean | null;
  /** Whether a smaller image is smoothed, in modes `'bilinear'` and `'bicubic'`. @defaultValue false */
  antialias?: boolean;
}

/** Each mode: how many spatial dims it takes, and how one of them is resampled. */
const MODES: Readonly<Record<InterpolateMode, readonly [spatial: readonly number[], sampling: Sampling | null]>> = {
  nearest: [[1, 2, 3], 'nearest'],
  'nearest-exact': [[1, 2, 3], 'nearest-exact'],
  area: [[1, 2, 3], null],
  linear: [[1], 'linear'],
  bilinear: [[2], 'linear'],
  trilinear: [[3], 'linear'],
  bicubic: [[2], 'cubic'],
};

/** One number for each spatial dim. */
function each(name: string, value: number | readonly number[], spatial: number): readonly number[] {
  const list = typeof value === 'number' ? new Array<number>(spatial).fill(value) : value;
  if (list.length !== spatial)
    throw new ArgumentError(`interpolate: expected ${name} of one number, or ${spatial}, got ${formatShape(list)}`);
  return list;
}

/** The sizes of the result, and how many of x's elements one of it takes along each dim; 0: as the sizes have it. */
function targets(
  x: Tensor,
  size: Sizes | null,
  scaleFactor: number | readonly number[] | null,
  recompute: boolean | null,
): { sizes: readonly number[]; steps: readonly number[] } {
  const spatial = x.ndim - 2;
  if ((size === null) === (scaleFactor === null))
    throw new ArgumentError(
      `interpolate: expected either size or scaleFactor, got ${size === null ? 'neither' : 'both'}`,
    );
  if (scaleFactor === null) {
    if (recompute) throw new ArgumentError('interpolate: expected scaleFactor with recomputeScaleFactor, got size');
    return { sizes: each('size', size as Sizes, spatial), steps: new Array<number>(spatial).fill(0) };
  }
  const factors = each('scaleFactor', scaleFactor, spatial);
  if (!factors.every((factor) => factor > 0 && Number.isFinite(factor)))
    throw new ArgumentError(`interpolate: expected scaleFactor above 0, got ${formatShape(factors)}`);
  const sizes = factors.map((factor, d) => Math.floor((x.sizes[d + 2] as number) * factor));
  return { sizes, steps: factors.map((factor) => (recompute ? 0 : 1 / factor)) };
}

/** Dims in the order in which the least is computed: those that shrink, then those that grow. */
const cheapest = (x: Tensor, calls: readonly Resample[]): Resample[] =>
  [...calls].sort((a, b) => a.size / (x.sizes[a.dim] as number) - b.size / (x.sizes[b.dim] as number));

type Options = [
  size: Sizes | null,
  scaleFactor: number | readonly number[] | null,
  mode: InterpolateMode,
  alignCorners: boolean | null,
  recomputeScaleFactor: boolean | null,
  antialias: boolean,
];

/**
 * x in another size, by `size` or by `scaleFactor`.
 * @param x [n, channels, length], [n, channels, height, width] or [n, channels, depth, height, width]
 * @returns the same with `size`, or ⌊length · scaleFactor⌋ along each spatial dim
 * @throws ShapeError, ArgumentError, DtypeError
 */
export const interpolate = callable<
  Callable<
    [x: Tensor],
    [
      size: Sizes | null,
      scaleFactor: number | readonly number[] | null,
      mode: InterpolateMode,
      alignCorners: boolean | null,
      recomputeScaleFactor: boolean | null,
      antialias: boolean,
    ],
    InterpolateOptions,
    Tensor
  >
>(
  "interpolate(x: Tensor, size: int|int[]|null = null, scaleFactor: number|number[]|null = null, mode: 'nearest'|'nearest-exact'|'linear'|'bilinear'|'trilinear'|'bicubic'|'area' = 'nearest', alignCorners: bool|null = null, recomputeScaleFactor: bool|null = null, antialias: bool = false)",
  (x: Tensor, ...[size, scaleFactor, mode, alignCorners, recompute, antialias]: Options) => {
    const [dims, sampling] = MODES[mode];
    const spatial = x.ndim - 2;
    if (!dims.includes(spatial))
      throw new ShapeError(
        `interpolate: expected input of ${dims.map((n) => n + 2).join(', ')} dims in mode '${mode}', got ${formatShape(x.sizes)}`,
      );
    if (alignCorners !== null && sampling !== 'linear' && sampling !== 'cubic')
      throw new ArgumentError(`interpolate: expected no alignCorners in mode '${mode}', got ${alignCorners}`);
    if (antialias && (spatial !== 2 || (sampling !== 'linear' && sampling !== 'cubic')))
      throw new ArgumentError(
        `interpolate: expected antialias in mode 'bilinear' or 'bicubic' only, got it in mode '${mode}'`,
      );
    const { sizes, steps } = targets(x, size, scaleFactor, recompute);
    if (sampling === null) return adaptiveMeans(poolOps, x, sizes);
    const calls = sizes.map(
      (length, d): Resample => ({
        dim: d + 2,
        size: length,
        mode: antialias ? (`smooth ${sampling}` as Sampling) : sampling,
        align: alignCorners ?? false,
        step: steps[d] as number,
      }),
    );
    return cheapest(x, calls).reduce((y, call) => resampleOps.resample({ x: y }, call), x);
  },
);
