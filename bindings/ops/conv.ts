// Convolutions over one to three dims. The gradients of a convolution are two ops that are as linear as it is, and the
// gradients of those are convolutions again: three rows are closed under differentiation.
import { ArgumentError, formatShape, ShapeError } from '../runtime/errors.ts';
import type { Shape, Tensor } from '../tensor.ts';
import { expectDtype, expectShape, sameShape } from './shapes.ts';
import type { Ops, Rows } from './types.ts';

/** One number a spatial dim, and the number of groups. */
export interface ConvAttrs {
  readonly stride: readonly number[];
  /** Zeros before and behind; behind, fewer than none leave elements out. */
  readonly padding: readonly (readonly [before: number, behind: number])[];
  readonly dilation: readonly number[];
  readonly groups: number;
}
type InputAttrs = ConvAttrs & { readonly size: readonly number[] };
type WeightAttrs = ConvAttrs & { readonly kernel: readonly number[] };

export interface ConvOps {
  /** x [n, in, ...size], weight [out, in / groups, ...kernel], bias [out] → [n, out, ...outputs]. */
  conv(x: Tensor, weight: Tensor, bias: Tensor | null, attrs: ConvAttrs): Tensor;
  /**
   * The gradient by x, [n, in, ...size], of a convolution whose result has the gradient g; plus bias [in]. A transposed
   * convolution of g.
   */
  convBackwardInput(g: Tensor, weight: Tensor, bias: Tensor | null, attrs: InputAttrs): Tensor;
  /** The gradient by weight, [out, in / groups, ...kernel]. */
  convBackwardWeight(g: Tensor, x: Tensor, attrs: WeightAttrs): Tensor;
}

const NO_ACTIVATION = 0;

/** What a convolution connects. */
interface Parts {
  /** Shapes of input, weight and result. */
  readonly x: Shape;
  readonly weight: Shape;
  readonly y: Shape;
}

/** The `dims` of the kernels: see assembly/conv/geometry.ts. */
function geometry({ x, weight, y }: Parts, { stride, padding, dilation, groups }: ConvAttrs): number[] {
  const dims = [x[0] as number, groups, weight[1] as number, (weight[0] as number) / groups];
  // From image to image.
  dims.push(...[x, y].map((shape) => shape.slice(1).reduce((a, b) => a * b, 1)));
  const missing = 5 - x.length;
  for (let i = 0; i < missing; i++) dims.push(1, 1, 1, 1, 0, 1);
  stride.forEach((step, d) => {
    const before = (padding[d] as readonly [number, number])[0];
    const [size, outputs, kernel] = [x[d + 2], y[d + 2], weight[d + 2]] as [number, number, number];
    dims.push(size, outputs, kernel, step, before, dilation[d] as number);
  });
  return dims;
}

const whole = (values: readonly number[], least: number): boolean =>
  values.every((value) => Number.isSafeInteger(value) && value >= least);

/** Checks ranks and attributes. */
function checkAttrs(op: string, shape: Shape, { stride, padding, dilation, groups }: ConvAttrs): void {
  const spatial = shape.length - 2;
  if (spatial < 1 || spatial > 3)
    throw new ShapeError(
      `${op}: expected input [n, channels, ...] with 1 to 3 further dims, got ${formatShape(shape)}`,
    );
  for (const [name, values, least] of [
    ['stride', stride, 1],
    ['dilation', dilation, 1],
    ['padding', padding.map(([before]) => before), 0],
    ['padding behind', padding.map(([, behind]) => behind), Number.MIN_SAFE_INTEGER],
  ] as const)
    if (values.length !== spatial || !whole(values, least))
      throw new ArgumentError(
        `${op}: expected ${name} of ${spatial} whole numbers${least >= 0 ? ` >= ${least}` : ''}, got ${formatShape(values)}`,
      );
  if (!whole([groups], 1)) throw new ArgumentError(`${op}: expected groups to be a whole number >= 1, got ${groups}`);
}

/** The sizes that a kernel leaves of `size`. @throws ShapeError where it does not fit */
function outputs(op: string, size: Shape, kernel: Shape, { stride, padding, dilation }: ConvAttrs): number[] {
  const reach = kernel.map((taps, d) => (taps - 1) * (dilation[d] as number) + 1);
  const padded = size.map((n, d) => {
    const [before, behind] = padding[d] as readonly [number, number];
    return n + before + behind;
  });
  if (reach.some((r, d) => r < 1 || r > (padded[d] as number)))
    throw new ShapeError(
      `${op}: expected a kernel of at least 1 that fits the padded input ${formatShape(padded)}, got ${formatShape(kernel)} ` +
        `over ${formatShape(reach)} elements; pad the input or use a smaller kernel or dilation`,
    );
  return reach.map((r, d) => Math.floor(((padded[d] as number) - r) / (stride[d] as number)) + 1);
}

function checkWeight(op: string, weight: Shape, channels: number, ndim: number, groups: number): void {
  const [out = 0, inner] = weight;
  if (weight.length !== ndim || channels % groups !== 0 || inner !== channels / groups)
    throw new ShapeError(
      `${op}: expected weight [out, in / groups, ...kernel] of ${ndim} dims for ${channels} channels in ${groups} groups, got ${formatShape(weight)}`,
    );
  if (out % groups !== 0)
    throw new ShapeError(
      `${op}: expected output channels that divide into ${groups} groups, got weight ${formatShape(weight)}`,
    );
}

/** Checks that g is what a convolution of `x` by `weight` makes. */
function checkGradient(op: string, g: Tensor, x: Shape, weight: Shape, attrs: ConvAttrs): void {
  const made = outputs(op, x.slice(2), weight.slice(2), attrs);
  const shape = [x[0] as number, weight[0] as number, ...made];
  if (!sameShape(g.shape, shape))
    throw new ShapeError(
      `${op}: expected a gradient of shape ${formatShape(shape)} for input ${formatShape(x)} and weight ${formatShape(weight)}, got ${formatShape(g.shape)}`,
    );
}

function expectFloats(op: string, ...inputs: readonly (Tensor | null)[]): void {
  for (const input of inputs) if (input) expectDtype(op, input, 'f32');
}

const plain = ({ stride, padding, dilation, groups }: ConvAttrs): ConvAttrs => ({ stride, padding, dilation, groups });

/** The sum of every channel of [n, channels, ...]. */
function channelSums(o: Ops, g: Tensor): Tensor {
  const overSpace = o.sum(g, { dim: 2, end: g.ndim, keepdim: false });
  return o.sum(overSpace, { dim: 0, end: 1, keepdim: false });
}

const spatial = (x: Tensor): Shape => x.shape.slice(2);

export const convRows: Rows<ConvOps> = {
  conv: {
    infer: ([x, weight, bias], attrs) => {
      const op = `conv${Math.max(1, x.ndim - 2)}d`;
      expectFloats(op, x, weight, bias);
      checkAttrs(op, x.shape, attrs);
      checkWeight(op, weight.shape, x.shape[1] as number, x.ndim, attrs.groups);
      const [n, out] = [x.shape[0] as number, weight.shape[0] as number];
      if (bias) expectShape(op, 'bias', bias, [out]);
      return [{ shape: [n, out, ...outputs(op, spatial(x), spatial(weight), attrs)], dtype: 'f32' }];
    },
    forward: (k, [out], [x, weight, bias], attrs) => {
      const y = out as Tensor;
      const parts = { x: x.shape, weight: weight.shape, y: y.shape };
      k.conv_forward_f32(y, x, weight, bias, NO_ACTIVATION, geometry(parts, attrs));
    },
    saves: 'inputs',
    backward: (o, g, { inputs: [x, weight], attrs, needs }) => [
      needs[0] ? o.convBackwardInput(g, weight, null, { ...plain(attrs), size: spatial(x) }) : null,
      needs[1] ? o.convBackwardWeight(g, x, { ...plain(attrs), kernel: spatial(weight) }) : null,
      needs[2] ? channelSums(o, g) : null,
    ],
  },
  convBackwardInput: {
    infer: ([g, weight, bias], { size, ...attrs }) => {
      const op = 'convBackwardInput';
      expectFloats(op, g, weight, bias);
      checkAttrs(op, g.shape, attrs);
      const channels = (weight.shape[1] ?? 0) * attrs.groups;
      checkWeight(op, weight.shape, channels, g.ndim, attrs.groups);
      if (size.length !== g.ndim - 2 || !whole(size, 0))
        throw new ArgumentError(`${op}: expected a size of ${g.ndim - 2} whole numbers, got ${formatShape(size)}`);
      const shape = [g.shape[0] as number, channels, ...size];
      checkGradient(op, g, shape, weight.shape, attrs);
      if (bias) expectShape(op, 'bias', bias, [channels]);
      return [{ shape, dtype: 'f32' }];
    },
    forward: (k, [out], [g, weight, bias], attrs) => {
      const dx = out as Tensor;
      const parts = { x: dx.shape, weight: weight.shape, y: g.shape };
      k.conv_backward_input_f32(dx, g, weight, bias, NO_ACTIVATION, geometry(parts, attrs));
    },
    saves: 'inputs',
    backward: (o, h, { inputs: [g, weight], attrs, needs }) => [
      needs[0] ? o.conv(h, weight, null, plain(attrs)) : null,
      needs[1] ? o.convBackwardWeight(g, h, { ...plain(attrs), kernel: spatial(weight) }) : null,
      needs[2] ? channelSums(o, h) : null,
    ],
  },
  convBackwardWeight: {
    infer: ([g, x], { kernel, ...attrs }) => {
      const op = 'convBackwardWeight';
      expectFloats(op, g, x);
      checkAttrs(op, x.shape, attrs);
      const [channels, out] = [x.shape[1] as number, g.shape[1] ?? 0];
      const shape = [out, channels / attrs.groups, ...kernel];
      checkWeight(op, shape, channels, x.ndim, attrs.groups);
      checkGradient(op, g, x.shape, shape, attrs);
      return [{ shape, dtype: 'f32' }];
    },
    forward: (k, [out], [g, x], attrs) => {
      const dw = out as Tensor;
      k.conv_backward_weight_f32(dw, g, x, geometry({ x: x.shape, weight: dw.shape, y: g.shape }, attrs));
    },
    saves: 'inputs',
    backward: (o, h, { inputs: [g, x], attrs, needs }) => [
      needs[0] ? o.conv(x, h, null, plain(attrs)) : null,
      needs[1] ? o.convBackwardInput(g, h, null, { ...plain(attrs), size: spatial(x) }) : null,
    ],
  },
};
