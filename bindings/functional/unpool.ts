// Max pools undone, as PyTorch's max_unpool1d and its like.
import { familyOps } from '../autograd.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { unpoolRows } from '../ops/unpool.ts';
import { type Callable, callable } from '../signature.ts';
import type { Shape, Tensor } from '../tensor.ts';
import { eachDim, type Sizes } from './arguments.ts';

const unpoolOps = familyOps(unpoolRows);

/** Options of {@link maxUnpool1d}, {@link maxUnpool2d} and {@link maxUnpool3d}: those of the pool. */
export interface UnpoolOptions {
  /** Elements from one window to the next; null: the size of the window. @defaultValue null */
  stride?: Sizes | null;
  /** Positions that were added on both sides. @defaultValue 0 */
  padding?: Sizes;
  /**
   * The size of the result, which several sizes are pooled alike to: of its spatial dims, or of all; null: as small as
   * the windows make it.
   * @defaultValue null
   */
  outputSize?: Shape | null;
}

/** A max pool undone. */
export type MaxUnpoolFunction = Callable<
  [x: Tensor, indices: Tensor, kernelSize: Sizes],
  [stride: Sizes | null, padding: Sizes, outputSize: Shape | null],
  UnpoolOptions,
  Tensor,
  ['x', 'indices', 'kernelSize']
>;

/** The spatial sizes of the result. @throws ArgumentError where a pool would not give x of them */
function resultOf(
  op: string,
  x: Tensor,
  [kernel, stride, padding]: readonly [readonly number[], readonly number[], readonly number[]],
  outputSize: Shape | null,
): Shape {
  const pooled = kernel.length;
  const least = kernel.map((size, d) => {
    const windows = x.sizes[x.ndim - pooled + d] as number;
    return (windows - 1) * (stride[d] as number) - 2 * (padding[d] as number) + size;
  });
  if (!outputSize) return least;
  const given = outputSize.length === pooled + 2 ? outputSize.slice(2) : outputSize;
  if (given.length !== pooled || given.some((n, d) => Math.abs(n - (least[d] as number)) >= (stride[d] as number)))
    throw new ArgumentError(
      `${op}: expected outputSize less than stride ${formatShape(stride)} away from ${formatShape(least)}, got ${formatShape(outputSize)}`,
    );
  return given;
}

/* @__NO_SIDE_EFFECTS__ */
const maxUnpool = (op: string, pooled: number): MaxUnpoolFunction =>
  callable<MaxUnpoolFunction>(
    `${op}(x: Tensor, indices: Tensor, kernelSize: int|int[], stride: int|int[]|null = null, padding: int|int[] = 0, outputSize: int[]|null = null)`,
    (
      x: Tensor,
      indices: Tensor,
      kernelSize: Sizes,
      ...[strides, paddings, outputSize]: [Sizes | null, Sizes, Shape | null]
    ) => {
      if (x.ndim !== pooled + 1 && x.ndim !== pooled + 2)
        throw new ShapeError(
          `${op}: expected input [n, channels, ...] with ${pooled} further dims, with or without n, got ${formatShape(x.sizes)}`,
        );
      const kernel = eachDim(op, 'kernelSize', kernelSize, pooled, 1);
      const stride = strides === null ? kernel : eachDim(op, 'stride', strides, pooled, 1);
      const padding = eachDim(op, 'padding', paddings, pooled, 0);
      const size = resultOf(op, x, [kernel, stride, padding], outputSize);
      if (size.some((n) => n < 1))
        throw new ShapeError(`${op}: expected a result of at least 1 along each dim, got ${formatShape(size)}`);
      const shape = [...x.sizes.slice(0, x.ndim - pooled), ...size];
      return unpoolOps.maxUnpool({ x, index: indices }, { shape, pooled });
    },
  );

/**
 * Zeros, with the maxima of {@link maxPool1d} back where they stood. Where windows share a maximum, the last counts.
 * @param x [n, channels, windows] or [channels, windows]
 * @param indices i32 of x's shape, as the pool gives them with `returnIndices`
 * @returns [n, channels, length] by default with (windows − 1) stride − 2 padding + kernelSize
 * @throws ShapeError, ArgumentError, DtypeError
 */
export const maxUnpool1d: MaxUnpoolFunction = maxUnpool('maxUnpool1d', 1);

/** {@link maxUnpool1d} of {@link maxPool2d}. */
export const maxUnpool2d: MaxUnpoolFunction = maxUnpool('maxUnpool2d', 2);

/** {@link maxUnpool1d} of {@link maxPool3d}. */
export const maxUnpool3d: MaxUnpoolFunction = maxUnpool('maxUnpool3d', 3);
