// Convolutions, windows as columns, and padding.
import type { ConvAttrs } from '../../../ops/conv.ts';
import { DATA } from '../../messages.ts';
import type { Attribute, Graph, Value } from '../graph.ts';
import { linear, type Size, type Sizes } from '../sizes.ts';
import { type Call, fixedSizes, needOpset, type Operand, type Writers } from '../writers.ts';

type Pads = readonly (readonly [before: number, behind: number])[];

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Channels behind all other dims but the first come second, or go back there. */
const toFront = (rank: number): number[] => [0, rank - 1, ...range(rank - 2).map((d) => d + 1)];
const toBack = (rank: number): number[] => [0, ...range(rank - 2).map((d) => d + 2), 1];
/** [...kernel, in, out] as [out, in, ...kernel]. */
const weightToFront = (rank: number): number[] => [rank - 1, rank - 2, ...range(rank - 2)];

/** What a convolution and its transpose have in common. */
function windows(call: Call, weight: Operand, { stride, dilation, groups, layout }: ConvAttrs) {
  const sizes = layout === 'nhwc' ? weight.sizes.slice(0, -2) : weight.sizes.slice(2);
  const kernel = fixedSizes(call, sizes);
  return { kernel_shape: kernel, strides: stride, dilations: dilation, group: groups };
}

/** Calls `make` with operands whose channels come second, and puts those of its result where they were. */
function inFront(
  g: Graph,
  x: Operand,
  weight: Operand,
  { layout }: ConvAttrs,
  make: (x: Value, weight: Value) => Value,
): Value {
  const rank = x.sizes.length;
  if (layout !== 'nhwc') return make(x, weight);
  const y = make(g.transpose(x, toFront(rank)), g.transpose(weight, weightToFront(rank)));
  return g.transpose(y, toBack(rank));
}

const padsOf = (pads: Pads): number[] => [
  ...pads.map(([before]) => before),
  ...pads.map(([, behind]) => Math.max(behind, 0)),
];

function conv(g: Graph, x: Operand, weight: Operand, bias: Value | null, attrs: ConvAttrs, call: Call): Value {
  const spatial = x.sizes.slice(attrs.layout === 'nhwc' ? 1 : 2, attrs.layout === 'nhwc' ? -1 : undefined);
  const attributes = { ...windows(call, weight, attrs), pads: padsOf(attrs.padding) };
  return inFront(g, x, weight, attrs, (image, kernels) => {
    // Less than no padding cuts off.
    const cut = attrs.padding.reduce<Value>(
      (left, [, behind], d) => (behind < 0 ? g.slice(left, d + 2, 0, linear(spatial[d] as Size, 1, behind)) : left),
      image,
    );
    return g.node('Conv', [cut, kernels, bias], attributes);
  });
}

function convTranspose(
  g: Graph,
  x: Operand,
  weight: Operand,
  bias: Value | null,
  attrs: ConvAttrs & { readonly size: readonly number[] },
  call: Call,
): Value {
  const shared = windows(call, weight, attrs);
  const from = fixedSizes(
    call,
    x.sizes.slice(attrs.layout === 'nhwc' ? 1 : 2, attrs.layout === 'nhwc' ? -1 : undefined),
  );
  // What the windows leave of the image behind the last one.
  const rest = attrs.size.map((size, d) => {
    const [before, behind] = attrs.padding[d] as readonly [number, number];
    const [step, apart, taps] = [attrs.stride[d], attrs.dilation[d], shared.kernel_shape[d]] as [
      number,
      number,
      number,
    ];
    return size + before + Math.max(behind, 0) - ((from[d] as number) - 1) * step - apart * (taps - 1) - 1;
  });
  // Runtimes take less than a stride of it; more is where no window reaches.
  const own = rest.map((size, d) => Math.min(size, (attrs.stride[d] as number) - 1));
  const attributes = { ...shared, pads: padsOf(attrs.padding), output_padding: own };
  return inFront(g, x, weight, attrs, (image, kernels) => {
    const more = rest.map((size, d) => size - (own[d] as number));
    if (!more.some((size) => size > 0)) return g.node('ConvTranspose', [image, kernels, bias], attributes);
    const y = pad(
      g,
      g.node('ConvTranspose', [image, kernels], attributes),
      [[0, 0], [0, 0], ...more.map((n) => [0, n] as const)],
      0,
    );
    return bias
      ? g.add(
          y,
          g.unsqueeze(
            bias,
            range(more.length).map((d) => d + 1),
          ),
        )
      : y;
  });
}

function pad(g: Graph, x: Value, pads: Pads, value: number): Value {
  const all = g.ints([...pads.map(([before]) => before), ...pads.map(([, behind]) => behind)]);
  return g.node('Pad', [x, all, value === 0 ? null : g.scalar(value, x.type)], { mode: 'constant' });
}

/** Which element of `n` stands at place `i`, outside of them too. */
const outside = {
  reflect: (i: number, n: number): number => {
    const period = Math.max(2 * (n - 1), 1);
    const at = ((i % period) + period) % period;
    return Math.min(at, period - at);
  },
  replicate: (i: number, n: number): number => Math.min(Math.max(i, 0), n - 1),
  circular: (i: number, n: number): number => ((i % n) + n) % n,
} as const;

const MODES = { reflect: 'reflect', replicate: 'edge' } as const;

function padEdge(
  g: Graph,
  x: Operand,
  attrs: { dim: number; pads: Pads; mode: keyof typeof outside },
  call: Call,
): Value {
  const { dim, pads, mode } = attrs;
  if (mode !== 'circular' && pads.flat().every((n) => n >= 0)) {
    const around = x.sizes.map((_, d) => pads[d - dim] ?? [0, 0]);
    const all = g.ints([...around.map(([before]) => before), ...around.map(([, behind]) => behind)]);
    return g.node('Pad', [x, all], { mode: MODES[mode] });
  }
  return pads.reduce<Value>((y, [before, behind], i) => {
    const n = call.fixed(x.sizes[dim + i] as Size);
    const places = range(Math.max(n + before + behind, 0)).map((at) => outside[mode](at - before, n));
    return g.node('Gather', [y, g.ints(places)], { axis: dim + i });
  }, x);
}

interface Columns {
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
}

function im2col(
  g: Graph,
  x: Operand,
  { kernelSize, stride, padding, dilation }: Columns,
  sizes: Sizes,
  call: Call,
): Value {
  const image = fixedSizes(call, x.sizes.slice(2));
  const around = padding.map((n) => [n, n] as const);
  const padded = padding.some((n) => n > 0) ? pad(g, x, [[0, 0], [0, 0], ...around], 0) : x;
  // [n, channels, taps, windows, taps, windows]: each dim becomes two.
  const taken = image.reduce<Value>((y, size, d) => {
    const [taps, step, apart] = [kernelSize[d], stride[d], dilation[d]] as [number, number, number];
    const reach = apart * (taps - 1) + 1;
    const count = Math.floor((size + 2 * (padding[d] as number) - reach) / step) + 1;
    const places = range(taps).flatMap((tap) => range(count).map((at) => at * step + tap * apart));
    return g.node('Gather', [y, g.constant(places, DATA.INT64, [taps, count])], { axis: 2 + 2 * d });
  }, padded);
  const own: Sizes = [x.sizes[0] as Size];
  return g.reshape(g.transpose(taken, [0, 1, 2, 4, 3, 5]), sizes, own);
}

function col2im(g: Graph, x: Operand, attrs: Columns & { size: readonly number[] }, call: Call): Value {
  needOpset(g, call, 18);
  const { kernelSize, stride, padding, dilation, size } = attrs;
  const attributes: Record<string, Attribute> = {
    strides: stride,
    pads: [...padding, ...padding],
    dilations: dilation,
  };
  return g.node('Col2Im', [x, g.ints(size), g.ints(kernelSize)], attributes);
}

export const convWriters = {
  conv: (g, { x, weight, bias }, attrs, call) => conv(g, x, weight, bias, attrs, call),
  convBackwardInput: (g, { g: x, weight, bias }, attrs, call) => convTranspose(g, x, weight, bias, attrs, call),
  pad: (g, { x }, { pads, value }) =>
    x.sizes.length === 0 ? x : pad(g, g.cast(x, x.type === DATA.BOOL ? DATA.UINT8 : x.type), pads, value),
  padEdge: (g, { x }, attrs, call) => padEdge(g, x, attrs, call),
  im2col: (g, { x }, attrs, call) => im2col(g, x, attrs, call.sizes, call),
  col2im: (g, { x }, attrs, call) => col2im(g, x, attrs, call),
} satisfies Writers;
