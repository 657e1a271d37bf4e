// Convolutions and transposed convolutions, named as in PyTorch's torch.nn.functional.
import { familyOps, ops } from '../autograd.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import type { ConvAttrs, ConvLayout } from '../ops/conv.ts';
import { convRows } from '../ops/conv.ts';
import { type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { eachDim, type Sizes } from './arguments.ts';

const convOps = familyOps(convRows);

/** What a convolution adds to its result. */
export interface ConvBiasOptions {
  /** What is added to each channel of the result, f32 [out]; null: nothing. @defaultValue null */
  bias?: Tensor | null;
}

/** Options of {@link conv1d}, {@link conv2d} and {@link conv3d}, beside {@link ConvBiasOptions}. */
export interface ConvOptions {
  /** Elements from one window to the next. @defaultValue 1 */
  stride?: Sizes;
  /** Zeros on both sides; `'same'`: as many as keep the size (for stride 1); `'valid'`: none. @defaultValue 0 */
  padding?: Sizes | 'same' | 'valid';
  /** Elements from one tap of the kernel to the next. @defaultValue 1 */
  dilation?: Sizes;
  /**
   * Into how many groups the channels are split; a group of outputs sees its own group of inputs only.
   * @defaultValue 1
   */
  groups?: number;
  /**
   * `'nhwc'`, TensorFlow's layout: input and result have their channels last, [n, height, width, channels], and the
   * weight is [height, width, in / groups, out]. A depthwise kernel of TensorFlow, [height, width, in, multiplier], is
   * such a weight by `reshape([height, width, 1, in * multiplier])` with `groups` as many as input channels.
   * @defaultValue 'nchw'
   */
  layout?: ConvLayout;
}

/**
 * Options of {@link convTranspose1d}, {@link convTranspose2d} and {@link convTranspose3d}, beside {@link
 * ConvBiasOptions}.
 */
export interface ConvTransposeOptions {
  /** Elements of the result from one window to the next. @defaultValue 1 */
  stride?: Sizes;
  /** How many elements are cut off both sides of the result. @defaultValue 0 */
  padding?: Sizes;
  /** Elements added to the end of the result; fewer than stride or dilation. @defaultValue 0 */
  outputPadding?: Sizes;
  /** Elements from one tap of the kernel to the next. @defaultValue 1 */
  dilation?: Sizes;
  /**
   * Into how many groups the channels are split; a group of outputs sees its own group of inputs only.
   * @defaultValue 1
   */
  groups?: number;
}

/** One number for all dims, or one for each, or how many keep the size or none. */
type Padding = Sizes | 'same' | 'valid';

function paddings(
  op: string,
  weight: Tensor,
  padding: Padding,
  { stride, dilation, layout }: Pick<ConvAttrs, 'stride' | 'dilation' | 'layout'>,
): ConvAttrs['padding'] {
  if (padding !== 'same')
    return eachDim(op, 'padding', padding === 'valid' ? 0 : padding, stride.length, 0).map((n) => [n, n] as const);
  if (stride.some((step) => step !== 1))
    throw new ArgumentError(
      `${op}: expected stride 1 with padding 'same', got ${formatShape(stride)}; give numbers instead`,
    );
  // An odd number of zeros has the greater half behind.
  const first = layout === 'nhwc' ? 0 : 2;
  const zeros = dilation.map((step, d) => step * ((weight.sizes[d + first] ?? 1) - 1));
  return zeros.map((n) => [n >> 1, n - (n >> 1)] as const);
}

/** Calls f on images with a batch, adding and removing that of an input without one. */
function batched(op: string, x: Tensor, spatial: number, layout: ConvLayout, f: (x: Tensor) => Tensor): Tensor {
  if (x.ndim === spatial + 2) return f(x);
  if (x.ndim === spatial + 1) return ops.squeeze({ x: f(ops.unsqueeze({ x }, { dim: 0 })) }, { dim: 0 });
  const dims = ['length', 'height, width', 'depth, height, width'][spatial - 1];
  const shape = layout === 'nhwc' ? `[n, ${dims}, channels]` : `[n, channels, ${dims}]`;
  throw new ShapeError(`${op}: expected input ${shape}, with or without n, got ${formatShape(x.sizes)}`);
}

/** A convolution. */
export type ConvFunction = Callable<
  [x: Tensor, weight: Tensor],
  [bias: Tensor | null, stride: Sizes, padding: Sizes | 'same' | 'valid', dilation: Sizes, groups: number],
  ConvOptions & ConvBiasOptions,
  Tensor,
  ['x', 'weight']
>;
/** A transposed convolution. */
export type ConvTransposeFunction = Callable<
  [x: Tensor, weight: Tensor],
  [bias: Tensor | null, stride: Sizes, padding: Sizes, outputPadding: Sizes, groups: number, dilation: Sizes],
  ConvTransposeOptions & ConvBiasOptions,
  Tensor,
  ['x', 'weight']
>;

const FIRST = '(x: Tensor, weight: Tensor, bias: Tensor|null = null, stride: int|int[] = 1, padding: int|int[]';

/* @__NO_SIDE_EFFECTS__ */
const conv = (op: string, spatial: number): ConvFunction =>
  callable<ConvFunction>(
    `${op}${FIRST}|'same'|'valid' = 0, dilation: int|int[] = 1, groups: int = 1, *, layout: 'nchw'|'nhwc' = 'nchw')`,
    (
      x: Tensor,
      weight: Tensor,
      ...[bias, strides, padding, dilations, groups, layout]: [Tensor | null, Sizes, Padding, Sizes, number, ConvLayout]
    ) => {
      const stride = eachDim(op, 'stride', strides, spatial, 1);
      const dilation = eachDim(op, 'dilation', dilations, spatial, 1);
      const attrs = { stride, dilation, groups, layout };
      const padded = { ...attrs, padding: paddings(op, weight, padding, attrs) };
      return batched(op, x, spatial, layout, (batch) => convOps.conv({ x: batch, weight, bias }, padded));
    },
  );

/* @__NO_SIDE_EFFECTS__ */
const convTranspose = (op: string, spatial: number): ConvTransposeFunction =>
  callable<ConvTransposeFunction>(
    `${op}${FIRST} = 0, outputPadding: int|int[] = 0, groups: int = 1, dilation: int|int[] = 1)`,
    (
      x: Tensor,
      weight: Tensor,
      ...[bias, strides, paddings, outputPadding, groups, dilations]: [
        Tensor | null,
        Sizes,
        Sizes,
        Sizes,
        number,
        Sizes,
      ]
    ) => {
      const stride = eachDim(op, 'stride', strides, spatial, 1);
      const dilation = eachDim(op, 'dilation', dilations, spatial, 1);
      const padding = eachDim(op, 'padding', paddings, spatial, 0);
      const extra = eachDim(op, 'outputPadding', outputPadding, spatial, 0);
      if (extra.some((n, d) => n >= Math.max(stride[d] as number, dilation[d] as number)))
        throw new ArgumentError(
          `${op}: expected outputPadding less than stride ${formatShape(stride)} or dilation ${formatShape(dilation)}, got ${formatShape(extra)}`,
        );
      const channels = x.sizes[x.ndim - spatial - 1];
      if (weight.ndim !== spatial + 2 || weight.sizes[0] !== channels || (channels as number) % groups !== 0)
        throw new ShapeError(
          `${op}: expected weight [in, out / groups, ...kernel] of ${spatial + 2} dims for input ${formatShape(x.sizes)} in ${groups} groups, got ${formatShape(weight.sizes)}`,
        );
      return batched(op, x, spatial, 'nchw', (batch) => {
        const size = stride.map((step, d) => {
          const reach = (dilation[d] as number) * ((weight.sizes[d + 2] as number) - 1);
          return (
            ((batch.sizes[d + 2] as number) - 1) * step - 2 * (padding[d] as number) + reach + (extra[d] as number) + 1
          );
        });
        if (size.some((n) => n < 1))
          throw new ShapeError(
            `${op}: expected a result of at least 1 along each dim, got ${formatShape(size)}; use less padding`,
          );
        // The convolution whose gradient this is never reads the rows that outputPadding adds.
        const sides = padding.map((n, d) => [n, n - (extra[d] as number)] as const);
        return convOps.convBackwardInput(
          { g: batch, weight, bias },
          { stride, dilation, groups, size, padding: sides },
        );
      });
    },
  );

/**
 * Convolution over one dim: y[n, o, p] = Σ w[o, c, t] x[n, c, p stride − padding + t dilation] + bias[o].
 * @param x [n, in, length] or [in, length]
 * @param weight [out, in / groups, kernel]
 * @param bias [out]
 * @returns [n, out, ⌊(length + 2 padding − dilation (kernel − 1) − 1) / stride⌋ + 1]; channels last with layout 'nhwc'
 * @throws ShapeError, ArgumentError, DtypeError
 */
export const conv1d: ConvFunction = conv('conv1d', 1);

/**
 * {@link conv1d} over two dims.
 * @param x [n, in, height, width] or [in, height, width]
 * @param weight [out, in / groups, height, width]
 * @param bias [out]
 */
export const conv2d: ConvFunction = conv('conv2d', 2);

/**
 * {@link conv1d} over three dims.
 * @param x [n, in, depth, height, width] or without n
 * @param weight [out, in / groups, depth, height, width]
 * @param bias [out]
 */
export const conv3d: ConvFunction = conv('conv3d', 3);

/**
 * Transposed convolution over one dim: the gradient of {@link conv1d} by its input (Zeiler et al. 2010), as PyTorch's
 * `conv_transpose1d`.
 * @param x [n, in, length] or [in, length]
 * @param weight [in, out / groups, kernel]
 * @param bias [out]
 * @returns [n, out, (length − 1) stride − 2 padding + dilation (kernel − 1) + outputPadding + 1]
 * @throws ShapeError, ArgumentError, DtypeError
 */
export const convTranspose1d: ConvTransposeFunction = convTranspose('convTranspose1d', 1);

/**
 * {@link convTranspose1d} over two dims.
 * @param x [n, in, height, width] or [in, height, width]
 * @param weight [in, out / groups, height, width]
 * @param bias [out]
 */
export const convTranspose2d: ConvTransposeFunction = convTranspose('convTranspose2d', 2);

/**
 * {@link convTranspose1d} over three dims.
 * @param x [n, in, depth, height, width] or without n
 * @param weight [in, out / groups, depth, height, width]
 * @param bias [out]
 */
export const convTranspose3d: ConvTransposeFunction = convTranspose('convTranspose3d', 3);
