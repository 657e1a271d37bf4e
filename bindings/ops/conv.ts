// Convolutions over one to three dims. The gradients of a convolution are two ops that are as linear as it is, and the
// gradients of those are convolutions again: three rows are closed under differentiation.
import { convKernels } from '../generated/kernel-calls.ts';
import { optional, rowOf } from '../lookup.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { numelOf } from '../sizes.ts';
import type { Shape, Tensor } from '../tensor.ts';
import { sum } from './algebra.ts';
import { attrs as attrsOf, calling, f32, family, grad, maybe, type Ops, row, signature } from './core.ts';
import { expectShape, sameShape } from './shapes.ts';

/** One number a spatial dim, and the number of groups. */
export interface ConvAttrs {
  readonly stride: readonly number[];
  /** Zeros before and behind; behind, fewer than none leave elements out. */
  readonly padding: readonly (readonly [before: number, behind: number])[];
  readonly dilation: readonly number[];
  readonly groups: number;
  /** Default 'nchw'. */
  readonly layout?: ConvLayout | undefined;
}
/** Where channels are: PyTorch's layout, whose shapes are below, or TensorFlow's. */
export type ConvLayout = 'nchw' | 'nhwc';
type InputAttrs = ConvAttrs & { readonly size: readonly number[] };
type WeightAttrs = ConvAttrs & { readonly kernel: readonly number[] };

/** With layout 'nhwc', x and results are [n, ...size, channels], and weights are [...kernel, in / groups, out]. */
const s = optional(() => ({
  /** x [n, in, ...size], weight [out, in / groups, ...kernel], bias [out] → [n, out, ...outputs]. */
  conv: signature({ x: f32, weight: f32, bias: maybe(f32) }, { y: grad }, attrsOf<ConvAttrs>()),
  /**
   * The gradient by x, [n, in, ...size], of a convolution whose result has the gradient g; plus bias [in]. A transposed
   * convolution of g.
   */
  convBackwardInput: signature({ g: f32, weight: f32, bias: maybe(f32) }, { dx: grad }, attrsOf<InputAttrs>()),
  /** The gradient by weight, [out, in / groups, ...kernel]. */
  convBackwardWeight: signature({ g: f32, x: f32 }, { dw: grad }, attrsOf<WeightAttrs>()),
}));
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

const NO_ACTIVATION = 0;

/** Shapes as those of layout 'nchw', and back. */
interface Order {
  readonly image: (shape: Shape) => Shape;
  readonly weight: (shape: Shape) => Shape;
  readonly imageBack: (shape: Shape) => Shape;
  readonly weightBack: (shape: Shape) => Shape;
  /** Of the weight, for errors. */
  readonly name: string;
}
const same = (shape: Shape): Shape => shape;
const ORDERS: Readonly<Record<ConvLayout, Order>> = {
  nchw: { image: same, weight: same, imageBack: same, weightBack: same, name: '[out, in / groups, ...kernel]' },
  nhwc: {
    image: (shape) => [...shape.slice(0, 1), ...shape.slice(-1), ...shape.slice(1, -1)],
    weight: (shape) => [...shape.slice(-1), ...shape.slice(-2, -1), ...shape.slice(0, -2)],
    imageBack: (shape) => [...shape.slice(0, 1), ...shape.slice(2), ...shape.slice(1, 2)],
    weightBack: (shape) => [...shape.slice(2), ...shape.slice(1, 2), ...shape.slice(0, 1)],
    name: '[...kernel, in / groups, out]',
  },
};
const orderOf = ({ layout = 'nchw' }: ConvAttrs): Order => ORDERS[layout];

/** What a convolution connects. */
interface Parts {
  /** Shapes of input, weight and result, as those of layout 'nchw'. */
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
function checkAttrs(op: string, shape: Shape, { stride, padding, dilation, groups, layout = 'nchw' }: ConvAttrs): void {
  if (!rowOf(ORDERS, layout)) throw new ArgumentError(`${op}: expected layout 'nchw' or 'nhwc', got '${layout}'`);
  const spatial = shape.length - 2;
  if (spatial < 1 || spatial > 3)
    throw new ShapeError(
      `${op}: expected input ${layout === 'nchw' ? '[n, channels, ...]' : '[n, ..., channels]'} with 1 to 3 further dims, got ${formatShape(shape)}`,
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

/** @param weight as of layout 'nchw' */
function checkWeight(op: string, weight: Shape, channels: number, ndim: number, attrs: ConvAttrs): void {
  const [out = 0, inner] = weight;
  const { groups } = attrs;
  const { name, weightBack } = orderOf(attrs);
  if (weight.length !== ndim || channels % groups !== 0 || inner !== channels / groups)
    throw new ShapeError(
      `${op}: expected weight ${name} of ${ndim} dims for ${channels} channels in ${groups} groups, got ${formatShape(weightBack(weight))}`,
    );
  if (out % groups !== 0)
    throw new ShapeError(
      `${op}: expected output channels that divide into ${groups} groups, got weight ${formatShape(weightBack(weight))}`,
    );
}

/** Checks that g is what a convolution of `x` by `weight` makes, whose shapes are as of layout 'nchw'. */
function checkGradient(op: string, g: Tensor, x: Shape, weight: Shape, attrs: ConvAttrs): void {
  const { imageBack, weightBack } = orderOf(attrs);
  const made = outputs(op, x.slice(2), weight.slice(2), attrs);
  const shape = imageBack([x[0] as number, weight[0] as number, ...made]);
  if (!sameShape(g.sizes, shape))
    throw new ShapeError(
      `${op}: expected a gradient of shape ${formatShape(shape)} for input ${formatShape(imageBack(x))} and weight ${formatShape(weightBack(weight))}, got ${formatShape(g.sizes)}`,
    );
}

const windows = ({ stride, padding, dilation, groups, layout }: ConvAttrs): ConvAttrs => ({
  stride,
  padding,
  dilation,
  groups,
  layout,
});

/** The sum of every channel. */
function channelSums(o: Ops, g: Tensor, { layout }: ConvAttrs): Tensor {
  return sum(o, layout === 'nhwc' ? sum(o, g, 1, g.ndim - 1) : sum(o, g, 2, g.ndim), 0, 1);
}

const spatial = (x: Shape, attrs: ConvAttrs): Shape => orderOf(attrs).image(x).slice(2);
const taps = (weight: Shape, attrs: ConvAttrs): Shape => orderOf(attrs).weight(weight).slice(2);

/** The `dims` of the kernels for x, weight and y. */
function dimsOf(x: Tensor, weight: Tensor, y: Tensor, attrs: ConvAttrs): number[] {
  const order = orderOf(attrs);
  return geometry({ x: order.image(x.sizes), weight: order.weight(weight.sizes), y: order.image(y.sizes) }, attrs);
}

export const convRows = family(calling(convKernels, s), () => ({
  conv: row(s.conv, {
    title: ({ x }) => `conv${Math.max(1, x.ndim - 2)}d`,
    outputs: (make, { x, weight, bias }, attrs, op) => {
      checkAttrs(op, x.sizes, attrs);
      const order = orderOf(attrs);
      const [from, by] = [order.image(x.sizes), order.weight(weight.sizes)];
      checkWeight(op, by, from[1] as number, x.ndim, attrs);
      const [n, out] = [from[0] as number, by[0] as number];
      if (bias) expectShape(op, 'bias', bias, [out]);
      return { y: make(order.imageBack([n, out, ...outputs(op, from.slice(2), by.slice(2), attrs)]), 'f32') };
    },
    forward: (k, { y }, { x, weight: w, bias }, attrs) => {
      const call = { y, x, w, bias, act: NO_ACTIVATION, dims: dimsOf(x, w, y, attrs) };
      if (attrs.layout === 'nhwc') k.conv_nhwc_forward_f32({ ...call, first: 0, lines: numelOf(y.sizes.slice(0, -2)) });
      else k.conv_forward_f32(call);
    },
    saves: ['x', 'weight'],
    backward: (o, { y: g }, { x, weight }, attrs, { needs }) => ({
      x: needs.x
        ? o.convBackwardInput({ g, weight, bias: null }, { ...windows(attrs), size: spatial(x.sizes, attrs) })
        : null,
      weight: needs.weight
        ? o.convBackwardWeight({ g, x }, { ...windows(attrs), kernel: taps(weight.sizes, attrs) })
        : null,
      bias: needs.bias ? channelSums(o, g, attrs) : null,
    }),
  }),
  convBackwardInput: row(s.convBackwardInput, {
    outputs: (make, { g, weight, bias }, { size, ...attrs }, op) => {
      checkAttrs(op, g.sizes, attrs);
      const order = orderOf(attrs);
      const by = order.weight(weight.sizes);
      const channels = (by[1] ?? 0) * attrs.groups;
      checkWeight(op, by, channels, g.ndim, attrs);
      if (size.length !== g.ndim - 2 || !whole(size, 0))
        throw new ArgumentError(`${op}: expected a size of ${g.ndim - 2} whole numbers, got ${formatShape(size)}`);
      const shape = [g.sizes[0] as number, channels, ...size];
      checkGradient(op, g, shape, by, attrs);
      if (bias) expectShape(op, 'bias', bias, [channels]);
      return { dx: make(order.imageBack(shape), 'f32') };
    },
    forward: (k, { dx }, { g, weight: w, bias }, attrs) => {
      const call = { dx, g, w, bias, dims: dimsOf(dx, w, g, attrs) };
      if (attrs.layout === 'nhwc') k.conv_nhwc_backward_input_f32(call);
      else k.conv_backward_input_f32(call);
    },
    saves: ['g', 'weight'],
    backward: (o, { dx: h }, { g, weight }, attrs, { needs }) => ({
      g: needs.g ? o.conv({ x: h, weight, bias: null }, windows(attrs)) : null,
      weight: needs.weight
        ? o.convBackwardWeight({ g, x: h }, { ...windows(attrs), kernel: taps(weight.sizes, attrs) })
        : null,
      bias: needs.bias ? channelSums(o, h, attrs) : null,
    }),
  }),
  convBackwardWeight: row(s.convBackwardWeight, {
    outputs: (make, { g, x }, { kernel, ...attrs }, op) => {
      checkAttrs(op, x.sizes, attrs);
      const order = orderOf(attrs);
      const from = order.image(x.sizes);
      const [channels, out] = [from[1] as number, order.image(g.sizes)[1] ?? 0];
      const shape = [out, channels / attrs.groups, ...kernel];
      checkWeight(op, shape, channels, x.ndim, attrs);
      checkGradient(op, g, from, shape, attrs);
      return { dw: make(order.weightBack(shape), 'f32') };
    },
    forward: (k, { dw }, { g, x }, attrs) => {
      const call = { dw, g, x, dims: dimsOf(x, dw, g, attrs) };
      if (attrs.layout === 'nhwc') k.conv_nhwc_backward_weight_f32({ ...call, first: 0, taps: numelOf(attrs.kernel) });
      else k.conv_backward_weight_f32(call);
    },
    saves: ['g', 'x'],
    backward: (o, { dw: h }, { g, x }, attrs, { needs }) => ({
      g: needs.g ? o.conv({ x, weight: h, bias: null }, windows(attrs)) : null,
      x: needs.x
        ? o.convBackwardInput({ g, weight: h, bias: null }, { ...windows(attrs), size: spatial(x.sizes, attrs) })
        : null,
    }),
  }),
}));
