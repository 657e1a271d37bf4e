// Convolutions.
import { familyOps } from '../../autograd.ts';
import { eye } from '../../creation.ts';
import { silu } from '../../functional/activation.ts';
import { cast, constantFor } from '../../functional/arguments.ts';
import * as F from '../../functional/elementwise.ts';
import { cat, expand, narrow, reshape, unsqueeze } from '../../functional/shape.ts';
import { fold } from '../../functional/shuffle.ts';
import { ArgumentError, formatShape, ShapeError } from '../../memory/errors.ts';
import { convRows } from '../../ops/conv.ts';
import type { Shape, Tensor } from '../../tensor.ts';
import { type Call, type Family, like, type Operator } from '../operator.ts';
import { AUTO, each, reach, windowsOf } from './windows.ts';

const own = familyOps(convRows);

/** @throws ShapeError for images that no convolution takes */
function spatialOf(call: Call, x: Shape, weight: Shape): Shape {
  if (x.length < 3 || x.length > 5 || weight.length !== x.length)
    throw new ShapeError(
      `${call.node.op}: expected input [n, channels, ...] with 1 to 3 further dims and a weight of as many, got ${formatShape(x)} and ${formatShape(weight)}`,
    );
  const kernel = call.ints('kernel_shape');
  if (kernel?.some((size, d) => size !== weight[d + 2]))
    throw new ShapeError(
      `${call.node.op}: expected a weight for windows of ${formatShape(kernel)}, got ${formatShape(weight)}`,
    );
  return x.slice(2);
}

/** The convolution of x, whose padding may differ before and behind. */
export function convolved(call: Call, x: Tensor, weight: Tensor, bias: Tensor | null): Tensor {
  const size = spatialOf(call, x.sizes, weight.sizes);
  const { stride, dilation, before, behind } = windowsOf(call, size, weight.sizes.slice(2));
  const padding = before.map((n, d) => [n, behind[d] as number] as const);
  return own.conv({ x, weight, bias }, { stride, dilation, padding, groups: call.attr('group'), layout: 'nchw' });
}

/** What is cut off a transposed convolution's full result of each dim. */
function cutsOf(call: Call, size: Shape, kernel: Shape): { before: number[]; behind: number[]; extra: number[] } {
  const spatial = size.length;
  const stride = each(call, 'strides', spatial, 1);
  const dilation = each(call, 'dilations', spatial, 1);
  const extra = [...each(call, 'output_padding', spatial, 0)];
  const wanted = call.ints('output_shape')?.slice(-spatial);
  const auto = call.word('auto_pad', ...AUTO);
  const pads = call.ints('pads') ?? new Array<number>(2 * spatial).fill(0);
  const before = pads.slice(0, spatial);
  const behind = pads.slice(spatial);
  if (wanted || auto.startsWith('SAME'))
    size.forEach((length, d) => {
      const step = stride[d] as number;
      const whole = (length - 1) * step + reach(kernel[d] as number, dilation[d] as number) + (extra[d] as number);
      const total = whole - (wanted?.[d] ?? length * step);
      // More than the windows reach is put on behind.
      if (total < 0) extra[d] = (extra[d] as number) - total;
      const [less, more] = [Math.floor(Math.max(total, 0) / 2), Math.ceil(Math.max(total, 0) / 2)];
      before[d] = auto === 'SAME_UPPER' || (wanted && auto !== 'SAME_LOWER') ? less : more;
      behind[d] = auto === 'SAME_UPPER' || (wanted && auto !== 'SAME_LOWER') ? more : less;
    });
  return { before, behind, extra };
}

const transposed: Operator = {
  takes:
    'X W B? | auto_pad=NOTSET dilations:ints group=1 kernel_shape:ints output_padding:ints output_shape:ints pads:ints strides:ints',
  run: (call) => {
    const [x, weight, bias] = [call.float(0), call.float(1), call.maybe(2)];
    const size = spatialOf(call, x.sizes, weight.sizes);
    const kernel = weight.sizes.slice(2);
    const stride = each(call, 'strides', size.length, 1);
    const dilation = each(call, 'dilations', size.length, 1);
    const { before, behind, extra } = cutsOf(call, size, kernel);
    const result = size.map(
      (length, d) =>
        (length - 1) * (stride[d] as number) +
        reach(kernel[d] as number, dilation[d] as number) +
        (extra[d] as number) -
        (before[d] as number) -
        (behind[d] as number),
    );
    if (result.some((n) => n < 1))
      throw new ShapeError(`ConvTranspose: expected a result of at least 1 along each dim, got ${formatShape(result)}`);
    const padding = before.map((n, d) => [n, (behind[d] as number) - (extra[d] as number)] as const);
    return own.convBackwardInput(
      { g: x, weight, bias },
      { stride, dilation, groups: call.attr('group'), size: result, padding },
    );
  },
};

/** Columns added up to volumes: each by a window of its own, of which one element is 1. */
function volumes(call: Call, image: readonly number[], block: readonly number[]): Tensor {
  const x = call.float();
  const count = block.reduce((a, b) => a * b, 1);
  const [n, rows] = x.sizes as [number, number];
  const channels = rows / count;
  const pads = call.ints('pads') ?? [0, 0, 0, 0, 0, 0];
  const [stride, dilation] = ['strides', 'dilations'].map((name) => each(call, name, 3, 1)) as [number[], number[]];
  const windows = image.map((size, d) => {
    const room =
      size + (pads[d] as number) + (pads[d + 3] as number) - reach(block[d] as number, dilation[d] as number);
    return Math.floor(room / (stride[d] as number)) + 1;
  });
  const one = reshape(cast(eye(count), 'f32'), [1, count, ...block]);
  const weight = reshape(expand(unsqueeze(one, 1), [channels, -1, -1, ...block.map(() => -1)]), [rows, 1, ...block]);
  return own.convBackwardInput(
    { g: reshape(x, [n, rows, ...windows]), weight, bias: null },
    {
      stride,
      dilation,
      groups: channels,
      size: image,
      padding: block.map((_, d) => [pads[d] as number, pads[d + 3] as number] as const),
    },
  );
}

/** Columns added up to images, which may have any padding: what is beyond is cut off. */
const columns: Operator = {
  takes: 'X image_shape# block_shape# | dilations:ints pads:ints strides:ints',
  run: (call) => {
    const [image, block] = [call.list(1), call.list(2)];
    if (image.length > 3) throw new ArgumentError(`Col2Im: expected images of 1 to 3 dims, got ${formatShape(image)}`);
    if (image.length === 3) return volumes(call, image, block);
    const flat = image.length === 1;
    const two = (list: readonly number[], one: number): number[] => (flat ? [one, ...list] : [...list]);
    const pads = call.ints('pads') ?? image.flatMap(() => [0, 0]);
    const size = image.map((n, d) => n + (pads[d] as number) + (pads[d + image.length] as number));
    const y = fold(call.x(), two(size, 1), two(block, 1), {
      dilation: two(each(call, 'dilations', image.length, 1), 1),
      stride: two(each(call, 'strides', image.length, 1), 1),
    });
    const cut = two(image, 1).reduce(
      (part, n, d) => narrow(part, d + 2, two(pads.slice(0, image.length), 0)[d] as number, n),
      y,
    );
    return flat ? reshape(cut, [...cut.sizes.slice(0, 2), ...image]) : cut;
  },
};

export const WINDOWS = 'auto_pad=NOTSET dilations:ints group=1 kernel_shape:ints pads:ints strides:ints';

/** x without its zero point, in f32. */
export function centred(x: Tensor, zero: Tensor | null, dim: number | null = null): Tensor {
  const wide = cast(x, 'f32');
  if (!zero) return wide;
  const point = cast(zero, 'f32');
  if (dim === null || point.ndim === 0 || point.size === 1)
    return F.sub(wide, point.ndim > 0 && point.size === 1 ? reshape(point, []) : point);
  return F.sub(
    wide,
    reshape(
      point,
      wide.sizes.map((_, d) => (d === dim ? -1 : 1)),
    ),
  );
}

/** Each channel over what came before, of which the end is kept for the next call. */
const causal: Operator = {
  takes: 'input weight bias? past_state? | activation=none',
  types: like(0, 0),
  run: (call) => {
    const [x, weight] = [call.float(0), call.float(1)];
    const [n, channels] = x.sizes as [number, number];
    const kept = (weight.sizes[2] as number) - 1;
    const past = call.has(3) ? call.float(3) : constantFor(x, 0, 'f32', [n, channels, kept]);
    const whole = kept > 0 ? cat([past, x], 2) : x;
    const settings = {
      stride: [1],
      dilation: [1],
      padding: [[0, 0]] as const,
      groups: channels,
      layout: 'nchw',
    } as const;
    const y = own.conv({ x: whole, weight, bias: call.maybe(2) }, settings);
    const state = narrow(whole, 2, (whole.sizes[2] as number) - kept, kept);
    return [call.word('activation', 'none', 'silu', 'swish') === 'none' ? y : silu(y), state];
  },
};

export const convolutions: Family = {
  CausalConvWithState: causal,
  Col2Im: columns,
  Conv: {
    takes: `X W B? | ${WINDOWS}`,
    run: (call) => convolved(call, call.float(0), call.float(1), call.maybe(2)),
  },
  ConvTranspose: transposed,
};
