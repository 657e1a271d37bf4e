// Functions that lay images out anew: pixels to channels and back, groups of channels, windows to columns and back.
import { familyOps, ops } from '../autograd.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { columnRows } from '../ops/columns.ts';
import { type Callable, callable } from '../signature.ts';
import type { Shape, Tensor } from '../tensor.ts';
import { eachDim, type Sizes } from './arguments.ts';

const columnOps = familyOps(columnRows);

const atLeast = (op: string, name: string, value: number): void => {
  if (value < 1) throw new ArgumentError(`${op}: expected ${name} to be a whole number >= 1, got ${value}`);
};

/** x [..., channels, height, width] as [..., ...parts], its dims in the order `dims`, then joined to `end`. */
function laidOut(x: Tensor, parts: Shape, dims: readonly number[], end: Shape): Tensor {
  const lead = x.sizes.slice(0, -3);
  const apart = ops.reshape({ x }, { shape: [...lead, ...parts] });
  const order = [...lead.map((_, d) => d), ...dims.map((d) => d + lead.length)];
  return ops.reshape({ x: ops.permute({ x: apart }, { dims: order }) }, { shape: [...lead, ...end] });
}

/** [channels, height, width] of an image. @throws ShapeError */
function imageOf(op: string, x: Tensor): [channels: number, height: number, width: number] {
  if (x.ndim < 3)
    throw new ShapeError(`${op}: expected input [..., channels, height, width], got ${formatShape(x.sizes)}`);
  return x.sizes.slice(-3) as [number, number, number];
}

/**
 * Channels laid out as pixels (Shi et al. 2016): y[..., c, h r + i, w r + j] = x[..., c r² + i r + j, h, w].
 * @param x [..., channels · r², height, width] of any dtype
 * @param upscaleFactor r
 * @returns [..., channels, height · r, width · r]
 * @throws ShapeError, ArgumentError
 */
export const pixelShuffle = callable(
  'pixelShuffle(x: Tensor, upscaleFactor: int)',
  (x: Tensor, upscaleFactor: number): Tensor => {
    const r = upscaleFactor;
    atLeast('pixelShuffle', 'upscaleFactor', r);
    const [channels, h, w] = imageOf('pixelShuffle', x);
    if (channels % (r * r) !== 0)
      throw new ShapeError(`pixelShuffle: expected channels that divide by ${r * r}, got ${formatShape(x.sizes)}`);
    const c = channels / (r * r);
    return laidOut(x, [c, r, r, h, w], [0, 3, 1, 4, 2], [c, h * r, w * r]);
  },
);

/**
 * Pixels laid out as channels, which {@link pixelShuffle} takes back.
 * @param x [..., channels, height · r, width · r] of any dtype
 * @param downscaleFactor r
 * @returns [..., channels · r², height, width]
 * @throws ShapeError, ArgumentError
 */
export const pixelUnshuffle = callable(
  'pixelUnshuffle(x: Tensor, downscaleFactor: int)',
  (x: Tensor, downscaleFactor: number): Tensor => {
    const r = downscaleFactor;
    atLeast('pixelUnshuffle', 'downscaleFactor', r);
    const [c, height, width] = imageOf('pixelUnshuffle', x);
    if (height % r !== 0 || width % r !== 0)
      throw new ShapeError(
        `pixelUnshuffle: expected height and width that divide by ${r}, got ${formatShape(x.sizes)}`,
      );
    const [h, w] = [height / r, width / r];
    return laidOut(x, [c, h, r, w, r], [0, 2, 4, 1, 3], [c * r * r, h, w]);
  },
);

/**
 * Channels in another order (Zhang et al. 2018): of `groups` groups the first of each, the second of each, and so on.
 * @param x [n, channels, ...] of any dtype, at least 3 dims
 * @throws ShapeError, ArgumentError
 */
export const channelShuffle = callable(
  'channelShuffle(x: Tensor, groups: int)',
  (x: Tensor, groups: number): Tensor => {
    atLeast('channelShuffle', 'groups', groups);
    const [n = 0, channels = 0, ...rest] = x.sizes;
    if (x.ndim < 3 || channels % groups !== 0)
      throw new ShapeError(
        `channelShuffle: expected input [n, channels, ...] of at least 3 dims with channels that divide by ${groups}, got ${formatShape(x.sizes)}`,
      );
    const pixels = rest.reduce((a, b) => a * b, 1);
    const apart = ops.reshape({ x }, { shape: [n, groups, channels / groups, pixels] });
    return ops.reshape({ x: ops.permute({ x: apart }, { dims: [0, 2, 1, 3] }) }, { shape: x.sizes });
  },
);

/** Options of {@link unfold} and {@link fold}. */
export interface FoldOptions {
  /** Elements from one tap of a window to the next. @defaultValue 1 */
  dilation?: Sizes;
  /** Zeros on both sides. @defaultValue 0 */
  padding?: Sizes;
  /** Elements from one window to the next. @defaultValue 1 */
  stride?: Sizes;
}

const windowsOf = (op: string, kernelSize: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes) => ({
  kernelSize: eachDim(op, 'kernelSize', kernelSize, 2, 1),
  dilation: eachDim(op, 'dilation', dilation, 2, 1),
  padding: eachDim(op, 'padding', padding, 2, 0),
  stride: eachDim(op, 'stride', stride, 2, 1),
});

/** f of x with a batch, adding and removing that of an input without one. */
const batched = (x: Tensor, ndim: number, f: (x: Tensor) => Tensor): Tensor =>
  x.ndim === ndim - 1 ? ops.squeeze({ x: f(ops.unsqueeze({ x }, { dim: 0 })) }, { dim: 0 }) : f(x);

/** What {@link unfold} takes. */
type Windows = [dilation: Sizes, padding: Sizes, stride: Sizes];
const WINDOWS = 'dilation: int|int[] = 1, padding: int|int[] = 0, stride: int|int[] = 1)';

/**
 * The windows of images as columns (im2col): row (c · kernelHeight + i) · kernelWidth + j has what all windows have at
 * tap (i, j) of channel c.
 * @param x [n, channels, height, width] or [channels, height, width]
 * @returns [n, channels · kernelHeight · kernelWidth, windows]
 * @throws ShapeError, ArgumentError, DtypeError
 */
export const unfold = callable<
  Callable<
    [x: Tensor, kernelSize: Sizes],
    [dilation: Sizes, padding: Sizes, stride: Sizes],
    FoldOptions,
    Tensor,
    ['x', 'kernelSize']
  >
>(`unfold(x: Tensor, kernelSize: int|int[], ${WINDOWS}`, (x: Tensor, kernelSize: Sizes, ...windows: Windows) => {
  const attrs = windowsOf('unfold', kernelSize, ...windows);
  return batched(x, 4, (images) => columnOps.im2col({ x: images }, attrs));
});

/**
 * The images that columns add up to (col2im): each element is the sum of what all windows have there. It is the
 * gradient of {@link unfold}.
 * @param x [n, channels · kernelHeight · kernelWidth, windows], with or without n
 * @param outputSize [height, width]
 * @returns [n, channels, height, width]
 * @throws ShapeError, ArgumentError, DtypeError
 */
export const fold = callable<
  Callable<
    [x: Tensor, outputSize: Sizes, kernelSize: Sizes],
    [dilation: Sizes, padding: Sizes, stride: Sizes],
    FoldOptions,
    Tensor,
    ['x', 'outputSize', 'kernelSize']
  >
>(
  `fold(x: Tensor, outputSize: int|int[], kernelSize: int|int[], ${WINDOWS}`,
  (x: Tensor, outputSize: Sizes, kernelSize: Sizes, ...windows: Windows) => {
    const attrs = windowsOf('fold', kernelSize, ...windows);
    const size = eachDim('fold', 'outputSize', outputSize, 2, 1);
    return batched(x, 3, (columns) => columnOps.col2im({ x: columns }, { ...attrs, size }));
  },
);
