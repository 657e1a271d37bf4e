// Cases of convolutions and of what their gradients are made of.
import type { ConvAttrs } from '../../../bindings/ops/conv.ts';
import { numelOf, type Shape } from '../../../bindings/tensor.ts';
import { type Nd, nd } from '../../../reference/nd.ts';
import { argumentError, type Cases, dtypeError, f32, i32, type Sample, shapeError } from './types.ts';

/** Input, weight and the numbers of a convolution, square in all dims. */
interface Example {
  readonly x: Shape;
  readonly weight: Shape;
  readonly stride?: number;
  readonly padding?: readonly [number, number];
  readonly dilation?: number;
  readonly groups?: number;
  /** Shapes are those of layout 'nchw' nonetheless. */
  readonly layout?: 'nhwc';
}

const examples: readonly Example[] = [
  { x: [1, 1, 1], weight: [1, 1, 1] },
  { x: [2, 3, 9], weight: [4, 3, 3], padding: [1, 1] },
  { x: [2, 2, 8], weight: [2, 2, 2], padding: [0, 1] },
  { x: [1, 2, 10], weight: [3, 2, 3], stride: 3, padding: [2, 1], dilation: 2 },
  { x: [2, 3, 5, 6], weight: [4, 3, 1, 1] },
  { x: [2, 2, 6, 5], weight: [3, 2, 3, 3], padding: [1, 1] },
  { x: [1, 3, 7, 9], weight: [2, 3, 3, 2], stride: 2, padding: [1, 1] },
  { x: [1, 4, 6, 6], weight: [6, 2, 3, 3], groups: 2, padding: [1, 1], stride: 2 },
  { x: [2, 3, 6, 7], weight: [3, 1, 3, 3], groups: 3, padding: [1, 1] },
  { x: [1, 2, 7, 7], weight: [4, 1, 3, 3], groups: 2, padding: [1, 1], stride: 2 },
  { x: [1, 2, 9, 8], weight: [2, 2, 2, 3], dilation: 3, padding: [2, 2] },
  { x: [1, 2, 4, 3], weight: [2, 2, 2, 2], stride: 3, padding: [1, -1] },
  { x: [1, 2, 3, 4, 5], weight: [3, 2, 2, 2, 3], padding: [1, 1] },
  { x: [1, 2, 4, 3, 4], weight: [2, 1, 2, 1, 2], groups: 2, stride: 2 },
  { x: [0, 2, 4, 4], weight: [3, 2, 2, 2] },
  { x: [1, 4, 5, 4], weight: [3, 4, 2, 2] },
  { x: [2, 3, 9], weight: [4, 3, 3], padding: [1, 1], layout: 'nhwc' },
  { x: [2, 3, 5, 6], weight: [4, 3, 1, 1], layout: 'nhwc' },
  { x: [2, 3, 6, 5], weight: [5, 3, 3, 3], padding: [1, 1], layout: 'nhwc' },
  { x: [1, 3, 7, 9], weight: [2, 3, 3, 2], stride: 2, padding: [1, 1], layout: 'nhwc' },
  { x: [1, 4, 6, 6], weight: [6, 2, 3, 3], groups: 2, padding: [1, 0], stride: 2, layout: 'nhwc' },
  { x: [2, 5, 6, 7], weight: [5, 1, 3, 3], groups: 5, padding: [1, 1], layout: 'nhwc' },
  { x: [1, 2, 7, 7], weight: [4, 1, 3, 3], groups: 2, padding: [0, 1], stride: 2, layout: 'nhwc' },
  { x: [1, 2, 3, 4, 5], weight: [3, 2, 2, 2, 3], padding: [1, 1], dilation: 2, layout: 'nhwc' },
  { x: [0, 2, 4, 4], weight: [3, 2, 2, 2], layout: 'nhwc' },
  { x: [1, 4, 5, 4], weight: [3, 4, 2, 2], layout: 'nhwc' },
];

const spatialOf = (shape: Shape): number => shape.length - 2;
const attrsOf = ({ x, stride = 1, padding = [0, 0], dilation = 1, groups = 1, layout }: Example): ConvAttrs => {
  const each = <T>(value: T): T[] => new Array<T>(spatialOf(x)).fill(value);
  return { stride: each(stride), padding: each(padding), dilation: each(dilation), groups, layout };
};

/** For each dim of a layout which dim of 'nchw' it is, of images and of weights; and the way back. */
const imageDims = (ndim: number): number[] => [0, ...Array.from({ length: ndim - 2 }, (_, i) => i + 2), 1];
const weightDims = (ndim: number): number[] => [...Array.from({ length: ndim - 2 }, (_, i) => i + 2), 1, 0];
const inverse = (dims: readonly number[]): number[] => dims.map((_, d) => dims.indexOf(d));
const ordered = (shape: Shape, dims: readonly number[]): number[] => dims.map((d) => shape[d] as number);

function permuted(x: Nd, dims: readonly number[]): Nd {
  const shape = ordered(x.shape, dims);
  const strides = x.shape.map((_, d) => numelOf(x.shape.slice(d + 1)));
  const data = Float64Array.from({ length: numelOf(shape) }, (_, i) => {
    let [rest, at] = [i, 0];
    for (let d = shape.length - 1; d >= 0; d--) {
      at += (rest % (shape[d] as number)) * (strides[dims[d] as number] as number);
      rest = Math.floor(rest / (shape[d] as number));
    }
    return x.data[at] as number;
  });
  return nd(shape, data);
}
const imageShape = (shape: Shape, { layout }: ConvAttrs): Shape =>
  layout === 'nhwc' ? ordered(shape, imageDims(shape.length)) : shape;
const weightShape = (shape: Shape, { layout }: ConvAttrs): Shape =>
  layout === 'nhwc' ? ordered(shape, weightDims(shape.length)) : shape;
const imageOf = (x: Nd, { layout }: ConvAttrs): Nd =>
  layout === 'nhwc' ? permuted(x, inverse(imageDims(x.shape.length))) : x;
const weightOf = (w: Nd, { layout }: ConvAttrs): Nd =>
  layout === 'nhwc' ? permuted(w, inverse(weightDims(w.shape.length))) : w;
const imageBack = (x: Nd, { layout }: ConvAttrs): Nd =>
  layout === 'nhwc' ? permuted(x, imageDims(x.shape.length)) : x;
const weightBack = (w: Nd, { layout }: ConvAttrs): Nd =>
  layout === 'nhwc' ? permuted(w, weightDims(w.shape.length)) : w;
const outputsOf = (x: Shape, weight: Shape, { stride, padding, dilation }: ConvAttrs): number[] =>
  stride.map((step, d) => {
    const [before, behind] = padding[d] as readonly [number, number];
    const room = (x[d + 2] as number) + before + behind - (dilation[d] as number) * ((weight[d + 2] as number) - 1) - 1;
    return Math.floor(room / step) + 1;
  });
const resultOf = (e: Example): number[] => [
  e.x[0] as number,
  e.weight[0] as number,
  ...outputsOf(e.x, e.weight, attrsOf(e)),
];

/** Three spatial dims, by adding ones in front. */
const padded = (shape: Shape): [number, number, number, number, number] => {
  const [n, c, ...rest] = shape as [number, number, ...number[]];
  const [d, h, w] = [...new Array<number>(3 - rest.length).fill(1), ...rest] as [number, number, number];
  return [n, c, d, h, w];
};

/** A tap of a kernel along an axis, and where on the axis it lies. */
type Tap = readonly [tap: number, at: number];

/** The `count` taps from `from` on, `step` apart, that lie on an axis of `size`. */
const reach = (size: number, from: number, count: number, step: number): Tap[] =>
  Array.from({ length: count }, (_, t): Tap => [t, from + t * step]).filter(([, at]) => at >= 0 && at < size);

const triples = (zs: readonly Tap[], ys: readonly Tap[], xs: readonly Tap[]): (readonly [Tap, Tap, Tap])[] =>
  zs.flatMap((z) => ys.flatMap((y) => xs.map((x) => [z, y, x] as const)));

/** Calls `visit` with the positions of each triple (result, input, weight) that a convolution multiplies and sums. */
function forEachTerm(
  x: Shape,
  weight: Shape,
  y: Shape,
  attrs: ConvAttrs,
  visit: (y: number, x: number, w: number) => void,
): void {
  const [batch, , D, H, W] = padded(x);
  const [out, channels, kd, kh, kw] = padded(weight);
  const [, , od, oh, ow] = padded(y);
  const fill = (list: readonly number[], value: number): number[] => [
    ...new Array<number>(3 - list.length).fill(value),
    ...list,
  ];
  const [sd, sh, sw] = fill(attrs.stride, 1) as [number, number, number];
  const [ld, lh, lw] = fill(attrs.dilation, 1) as [number, number, number];
  const [pd, ph, pw] = fill(
    attrs.padding.map(([before]) => before),
    0,
  ) as [number, number, number];
  const perGroup = out / attrs.groups;
  for (let n = 0; n < batch; n++)
    for (let o = 0; o < out; o++)
      for (let p = 0; p < od * oh * ow; p++) {
        const [a, b, c] = [Math.floor(p / (oh * ow)), Math.floor(p / ow) % oh, p % ow];
        const window = triples(
          reach(D, a * sd - pd, kd, ld),
          reach(H, b * sh - ph, kh, lh),
          reach(W, c * sw - pw, kw, lw),
        );
        for (let ch = 0; ch < channels; ch++) {
          const plane = n * channels * attrs.groups + Math.floor(o / perGroup) * channels + ch;
          for (const [[i, z], [j, r], [k, s]] of window)
            visit(
              (n * out + o) * od * oh * ow + p,
              ((plane * D + z) * H + r) * W + s,
              (((o * channels + ch) * kd + i) * kh + j) * kw + k,
            );
        }
      }
}

/** A sum over all terms of a product of two of the three. */
function summed(
  shape: Shape,
  terms: Parameters<typeof forEachTerm>,
  into: 0 | 1 | 2,
  one: readonly [0 | 1 | 2, Nd],
  other: readonly [0 | 1 | 2, Nd],
): Nd {
  const [x, weight, y, attrs] = terms;
  const data = new Float64Array(numelOf(shape));
  const [[i, a], [j, b]] = [one, other];
  forEachTerm(x, weight, y, attrs, (...at) => {
    const to = at[into];
    data[to] = (data[to] as number) + (a.data[at[i]] as number) * (b.data[at[j]] as number);
  });
  return nd(shape, data);
}
const nothing = (): void => {};

const withBias = (y: Nd, bias: Nd | null): Nd => {
  if (!bias) return y;
  const inner = numelOf(y.shape.slice(2));
  return nd(
    y.shape,
    y.data.map((v, i) => v + (bias.data[Math.floor(i / inner) % (y.shape[1] as number)] as number)),
  );
};

const plain: ConvAttrs = {
  stride: [1, 1],
  padding: [
    [0, 0],
    [0, 0],
  ],
  dilation: [1, 1],
  groups: 1,
};
const tolerance = { relative: 1e-5, absolute: 2e-5 };

export const convCases = {
  conv: {
    samples: examples.map(
      (e, i): Sample<'conv'> => ({
        inputs: {
          x: f32(imageShape(e.x, attrsOf(e))),
          weight: f32(weightShape(e.weight, attrsOf(e))),
          bias: i % 2 === 0 ? f32([e.weight[0] as number]) : null,
        },
        attrs: attrsOf(e),
      }),
    ),
    reference: ({ x: input, weight: kernel, bias }, attrs) => {
      const [x, weight] = [imageOf(input, attrs), weightOf(kernel, attrs)];
      const shape = [x.shape[0] as number, weight.shape[0] as number, ...outputsOf(x.shape, weight.shape, attrs)];
      const y = summed(shape, [x.shape, weight.shape, shape, attrs, nothing], 0, [1, x], [2, weight]);
      return imageBack(withBias(y, bias), attrs);
    },
    tolerance,
    gradients: 'all',
    errors: [
      shapeError(
        { x: f32([1, 4, 4, 2]), weight: f32([3, 3, 3, 2]), bias: null },
        { ...plain, layout: 'nhwc' },
        /^conv2d: expected weight \[\.\.\.kernel, in \/ groups, out\] of 4 dims for 2 channels in 1 groups, got \[3, 3, 3, 2\]/,
      ),
      argumentError(
        { x: f32([1, 4, 4, 2]), weight: f32([3, 3, 2, 2]), bias: null },
        { ...plain, layout: 'chwn' },
        /^conv2d: expected layout 'nchw' or 'nhwc', got 'chwn'/,
      ),
      shapeError(
        { x: f32([1, 2, 4, 4]), weight: f32([3, 3, 2, 2]), bias: null },
        plain,
        /^conv2d: expected weight \[out, in \/ groups, \.\.\.kernel\] of 4 dims for 2 channels in 1 groups, got \[3, 3, 2, 2\]/,
      ),
      shapeError(
        { x: f32([1, 2, 4, 4]), weight: f32([3, 1, 2, 2]), bias: null },
        { ...plain, groups: 2 },
        /^conv2d: expected output channels that divide into 2 groups/,
      ),
      shapeError(
        { x: f32([1, 2, 4, 4]), weight: f32([3, 2, 5, 2]), bias: null },
        plain,
        /^conv2d: expected a kernel of at least 1 that fits the padded input \[4, 4\], got \[5, 2\]/,
      ),
      shapeError(
        { x: f32([1, 2, 4, 4]), weight: f32([3, 2, 2, 2]), bias: f32([2]) },
        plain,
        /^conv2d: expected bias of shape \[3\], got \[2\]/,
      ),
      shapeError(
        { x: f32([2, 4]), weight: f32([3, 2]), bias: null },
        plain,
        /^conv1d: expected input \[n, channels, \.\.\.\]/,
      ),
      argumentError(
        { x: f32([1, 2, 4, 4]), weight: f32([3, 2, 2, 2]), bias: null },
        { ...plain, stride: [0, 1] },
        /^conv2d: expected stride of 2 whole numbers >= 1, got \[0, 1\]/,
      ),
      argumentError(
        { x: f32([1, 2, 4, 4]), weight: f32([3, 2, 2, 2]), bias: null },
        { ...plain, groups: 0 },
        /^conv2d: expected groups/,
      ),
      dtypeError(
        { x: i32([1, 2, 4, 4]), weight: f32([3, 2, 2, 2]), bias: null },
        plain,
        /^conv2d: expected dtype f32, got i32/,
      ),
    ],
  },
  convBackwardInput: {
    samples: examples.map(
      (e, i): Sample<'convBackwardInput'> => ({
        inputs: {
          g: f32(imageShape(resultOf(e), attrsOf(e))),
          weight: f32(weightShape(e.weight, attrsOf(e))),
          bias: i % 2 === 0 ? f32([e.x[1] as number]) : null,
        },
        attrs: { ...attrsOf(e), size: e.x.slice(2) },
      }),
    ),
    reference: ({ g: upstream, weight: kernel, bias }, { size, ...attrs }) => {
      const [g, weight] = [imageOf(upstream, attrs), weightOf(kernel, attrs)];
      const shape = [g.shape[0] as number, (weight.shape[1] as number) * attrs.groups, ...size];
      const dx = summed(shape, [shape, weight.shape, g.shape, attrs, nothing], 1, [0, g], [2, weight]);
      return imageBack(withBias(dx, bias), attrs);
    },
    tolerance,
    gradients: 'all',
    errors: [
      shapeError(
        { g: f32([1, 3, 3, 3]), weight: f32([2, 2, 2, 3]), bias: null },
        { ...plain, size: [5, 4], layout: 'nhwc' },
        /^convBackwardInput: expected a gradient of shape \[1, 4, 3, 3\] for input \[1, 5, 4, 2\] and weight \[2, 2, 2, 3\]/,
      ),
      shapeError(
        { g: f32([1, 3, 3, 3]), weight: f32([3, 2, 2, 2]), bias: null },
        { ...plain, size: [5, 4] },
        /^convBackwardInput: expected a gradient of shape \[1, 3, 4, 3\]/,
      ),
      shapeError(
        { g: f32([1, 3, 3, 3]), weight: f32([3, 2, 2, 2]), bias: f32([3]) },
        { ...plain, size: [4, 4] },
        /^convBackwardInput: expected bias of shape \[2\], got \[3\]/,
      ),
      argumentError(
        { g: f32([1, 3, 3, 3]), weight: f32([3, 2, 2, 2]), bias: null },
        { ...plain, size: [4] },
        /^convBackwardInput: expected a size of 2 whole numbers, got \[4\]/,
      ),
      dtypeError(
        { g: f32([1, 3, 3, 3]), weight: i32([3, 2, 2, 2]), bias: null },
        { ...plain, size: [4, 4] },
        /^convBackwardInput: expected dtype f32, got i32/,
      ),
    ],
  },
  convBackwardWeight: {
    samples: examples.map(
      (e): Sample<'convBackwardWeight'> => ({
        inputs: { g: f32(imageShape(resultOf(e), attrsOf(e))), x: f32(imageShape(e.x, attrsOf(e))) },
        attrs: { ...attrsOf(e), kernel: e.weight.slice(2) },
      }),
    ),
    reference: ({ g: upstream, x: input }, { kernel, ...attrs }) => {
      const [g, x] = [imageOf(upstream, attrs), imageOf(input, attrs)];
      const shape = [g.shape[1] as number, (x.shape[1] as number) / attrs.groups, ...kernel];
      return weightBack(summed(shape, [x.shape, shape, g.shape, attrs, nothing], 2, [0, g], [1, x]), attrs);
    },
    tolerance,
    gradients: 'all',
    errors: [
      shapeError(
        { g: f32([1, 3, 3, 3]), x: f32([1, 2, 4, 4]) },
        { ...plain, kernel: [3, 2] },
        /^convBackwardWeight: expected a gradient of shape \[1, 3, 2, 3\]/,
      ),
      shapeError(
        { g: f32([1, 3, 3, 3]), x: f32([1, 2, 4, 4]) },
        { ...plain, kernel: [2] },
        /^convBackwardWeight: expected weight/,
      ),
      dtypeError(
        { g: f32([1, 3, 3, 3]), x: i32([1, 2, 4, 4]) },
        { ...plain, kernel: [2, 2] },
        /^convBackwardWeight: expected dtype f32, got i32/,
      ),
    ],
  },
} satisfies Cases;
