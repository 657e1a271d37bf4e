// Max and average pooling over the last dims, one or two of them; the dims before are planes, pooled each for itself.
// Adaptive pools are given the size of the result and cut the input into as many windows.
import { ArgumentError, formatShape, ShapeError } from '../runtime/errors.ts';
import { numelOf, type Shape } from '../tensor.ts';
import { expectDtype, expectShape, sameShape } from './shapes.ts';
import type { KernelRow, Kernels, Ops, Rows, Tensor } from './types.ts';

/** Windows that slide: one number for each pooled dim. */
interface Windows {
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  /** On both sides: −Infinity for a maximum, 0 for a mean. */
  readonly padding: readonly number[];
  /** Whether a last window may hang over the padded input. */
  readonly ceilMode: boolean;
}
/** Attributes of a max pool. */
export type MaxPool = Windows & { readonly dilation: readonly number[] };
/** Attributes of an average pool. */
export type AvgPool = Windows & {
  /** Whether a mean counts the padding. */
  readonly countIncludePad: boolean;
  /** What sums are divided by instead of the number of elements. */
  readonly divisorOverride: number | null;
};
/** Attributes of an adaptive pool: the size of the result. */
export type AdaptivePool = { readonly outputSize: readonly number[] };
/** Attributes of the gradients: the shape of the input, and how many of its dims were pooled. */
type Of = { readonly shape: Shape };

export interface PoolOps {
  maxPool(x: Tensor, attrs: MaxPool): Tensor;
  /** Where the maxima lie, as positions in their planes. */
  maxPoolIndices(x: Tensor, attrs: MaxPool): Tensor;
  adaptiveMaxPool(x: Tensor, attrs: AdaptivePool): Tensor;
  adaptiveMaxPoolIndices(x: Tensor, attrs: AdaptivePool): Tensor;
  /**
   * Zeros of `shape`, with g added at `index`: positions in planes of the last `pooled` dims, as a max pool makes them.
   */
  maxPoolBackward(g: Tensor, index: Tensor, attrs: Of & { readonly pooled: number }): Tensor;
  avgPool(x: Tensor, attrs: AvgPool): Tensor;
  avgPoolBackward(g: Tensor, attrs: AvgPool & Of): Tensor;
  adaptiveAvgPool(x: Tensor, attrs: AdaptivePool): Tensor;
  adaptiveAvgPoolBackward(g: Tensor, attrs: AdaptivePool & Of): Tensor;
}

/** What a kernel gets to know of one axis: see assembly/pool/windows.ts. */
interface Axis {
  readonly size: number;
  readonly windows: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
}
/** The axes, whether they are cut unevenly, and how means divide. */
interface Geometry {
  readonly axes: readonly Axis[];
  readonly uneven: boolean;
  readonly countIncludePad?: boolean;
  readonly divisorOverride?: number | null;
}

const MOST = 2 ** 28; // so that positions fit an i32, padding included
const LAYOUT = ['[n, channels, length]', '[n, channels, height, width]'];

/** The sizes of the dims that are pooled. */
function pooledSizes(op: string, x: Shape, pooled: number): Shape {
  if (x.length !== pooled + 1 && x.length !== pooled + 2)
    throw new ShapeError(`${op}: expected input ${LAYOUT[pooled - 1]}, with or without n, got ${formatShape(x)}`);
  return x.slice(-pooled);
}

function expectWhole(op: string, name: string, values: readonly number[], pooled: number, least: number): void {
  if (values.length !== pooled || !values.every((n) => Number.isInteger(n) && n >= least && n <= MOST))
    throw new ArgumentError(
      `${op}: expected ${name} of ${pooled} whole number${pooled > 1 ? 's' : ''} >= ${least}, got ${formatShape(values)}`,
    );
}

/** Whether a window has no position on the axis: its steps may be longer than the axis is. */
function misses({ size, windows, stride, padding, dilation }: Axis): boolean {
  if (dilation <= size) return false;
  for (let o = 0; o < windows && o * stride < padding; o++) {
    const start = o * stride - padding;
    if (start + Math.ceil(-start / dilation) * dilation >= size) return true;
  }
  return false;
}

/** Windows that slide over x. @throws ShapeError, ArgumentError */
function sliding(op: string, x: Shape, attrs: Windows, dilation?: readonly number[]): Axis[] {
  const { kernelSize, stride, padding, ceilMode } = attrs;
  const pooled = kernelSize.length;
  const sizes = pooledSizes(op, x, pooled);
  const steps = dilation ?? kernelSize.map(() => 1);
  expectWhole(op, 'kernelSize', kernelSize, pooled, 1);
  expectWhole(op, 'stride', stride, pooled, 1);
  expectWhole(op, 'padding', padding, pooled, 0);
  expectWhole(op, 'dilation', steps, pooled, 1);
  if (padding.some((n, d) => 2 * n > (kernelSize[d] as number)))
    throw new ArgumentError(
      `${op}: expected padding of at most half the kernelSize ${formatShape(kernelSize)}, got ${formatShape(padding)}`,
    );
  const reach = kernelSize.map((kernel, d) => (kernel - 1) * (steps[d] as number) + 1);
  const axes = sizes.map((size, d) => {
    const [kernel, step, pad] = [kernelSize[d], stride[d], padding[d]] as [number, number, number];
    const room = (size + 2 * pad - (reach[d] as number)) / step;
    let windows = (ceilMode ? Math.ceil(room) : Math.floor(room)) + 1;
    // The last one starts on the input or the padding before it.
    if (ceilMode && (windows - 1) * step >= size + pad) windows--;
    // A stride beyond the axis makes one window, however long it is: kept short, positions fit the kernel's i32.
    return { size, windows, kernel, stride: Math.min(step, size + pad), padding: pad, dilation: steps[d] as number };
  });
  if (axes.some(({ size, windows }) => size < 1 || windows < 1))
    throw new ShapeError(
      `${op}: expected windows that fit the padded input, got kernelSize ${formatShape(kernelSize)} over ` +
        `${formatShape(reach)} elements for input ${formatShape(x)}; use a smaller kernel or dilation`,
    );
  if (axes.some(misses))
    throw new ShapeError(
      `${op}: expected every window to reach the input, got dilation ${formatShape(steps)} and padding ` +
        `${formatShape(padding)} for input ${formatShape(x)}; use less of them`,
    );
  return axes;
}

/**
 * x cut into outputSize windows. Even cuts are windows that slide, which is faster. @throws ShapeError, ArgumentError
 */
function adaptive(op: string, x: Shape, { outputSize }: AdaptivePool): Geometry {
  const pooled = outputSize.length;
  const sizes = pooledSizes(op, x, pooled);
  expectWhole(op, 'outputSize', outputSize, pooled, 1);
  if (sizes.some((size) => size < 1))
    throw new ShapeError(`${op}: expected sizes of at least 1, got input ${formatShape(x)}`);
  const uneven = sizes.some((size, d) => size % (outputSize[d] as number) !== 0);
  const axes = sizes.map((size, d) => {
    const windows = outputSize[d] as number;
    const kernel = uneven ? 1 : size / windows;
    return { size, windows, kernel, stride: kernel, padding: 0, dilation: 1 };
  });
  return { axes, uneven };
}

/** The `dims` of the kernels: two axes, then how a mean divides. */
function dims({ axes, countIncludePad = true, divisorOverride = null }: Geometry): number[] {
  const list = axes.length === 1 ? [1, 1, 1, 1, 0, 1] : [];
  for (const { size, windows, kernel, stride, padding, dilation } of axes)
    list.push(size, windows, kernel, stride, padding, dilation);
  list.push(Number(countIncludePad), divisorOverride ?? 0);
  return list;
}

const planesOf = (shape: Shape, pooled: number): number => numelOf(shape.slice(0, shape.length - pooled));
/** `shape` with its last dims replaced by as many windows. */
const resultOf = (shape: Shape, { axes }: Geometry): number[] => [
  ...shape.slice(0, shape.length - axes.length),
  ...axes.map(({ windows }) => windows),
];

/** What the attributes make of an input of `shape`. */
type Measure<A> = (shape: Shape, attrs: A) => Geometry;

const maxWindows: Measure<MaxPool> = (shape, attrs) => {
  const op = `maxPool${attrs.kernelSize.length}d`;
  return { axes: sliding(op, shape, attrs, attrs.dilation), uneven: false };
};

const avgWindows: Measure<AvgPool> = (shape, attrs) => {
  const op = `avgPool${attrs.kernelSize.length}d`;
  const { countIncludePad, divisorOverride } = attrs;
  if (divisorOverride !== null && (divisorOverride === 0 || divisorOverride !== (divisorOverride | 0)))
    throw new ArgumentError(`${op}: expected divisorOverride to be a whole number but 0, got ${divisorOverride}`);
  return { axes: sliding(op, shape, attrs), uneven: false, countIncludePad, divisorOverride };
};

const adaptiveWindows =
  (name: string): Measure<AdaptivePool> =>
  (shape, attrs) =>
    adaptive(`${name}${attrs.outputSize.length}d`, shape, attrs);

/** The maxima, and beside them where they lie. */
function maximum<A>(op: string, measure: Measure<A>): KernelRow<[Tensor], A> {
  return {
    infer: ([x], attrs) => {
      expectDtype(op, x, 'f32');
      const shape = resultOf(x.shape, measure(x.shape, attrs));
      return [
        { shape, dtype: 'f32' },
        { shape, dtype: 'i32' },
      ];
    },
    forward: (k, [y, index], [x], attrs) => {
      const geometry = measure(x.shape, attrs);
      const kernel = geometry.uneven ? k.adaptive_max_pool_forward_f32 : k.max_pool_forward_f32;
      kernel(y as Tensor, index as Tensor, x, planesOf(x.shape, geometry.axes.length), dims(geometry));
    },
    saves: 'output',
    backward: (o, g, { inputs: [x], outputs: [, index], attrs }) => {
      const pooled = measure(x.shape, attrs).axes.length;
      return [o.maxPoolBackward(g, index as Tensor, { shape: x.shape, pooled })];
    },
  };
}

/** As maximum() with its results swapped, and no gradient. */
function places<A>(op: string, measure: Measure<A>): KernelRow<[Tensor], A> {
  const { infer, forward } = maximum(op, measure);
  return {
    infer: (inputs, attrs) => [...infer(inputs, attrs)].reverse(),
    forward: (k, outputs, inputs, attrs) => forward(k, [...outputs].reverse(), inputs, attrs),
    saves: 'none',
  };
}

const meanKernel = (k: Kernels, { uneven }: Geometry) =>
  uneven ? k.adaptive_avg_pool_forward_f32 : k.avg_pool_forward_f32;
const meanGradientKernel = (k: Kernels, { uneven }: Geometry) =>
  uneven ? k.adaptive_avg_pool_backward_f32 : k.avg_pool_backward_f32;

function mean<A>(
  op: string,
  measure: Measure<A>,
  gradient: (o: Ops, g: Tensor, attrs: A & Of) => Tensor,
): KernelRow<[Tensor], A> {
  return {
    infer: ([x], attrs) => {
      expectDtype(op, x, 'f32');
      return [{ shape: resultOf(x.shape, measure(x.shape, attrs)), dtype: 'f32' }];
    },
    forward: (k, [y], [x], attrs) => {
      const geometry = measure(x.shape, attrs);
      meanKernel(k, geometry)(y as Tensor, x, planesOf(x.shape, geometry.axes.length), dims(geometry));
    },
    saves: 'none',
    backward: (o, g, { inputs: [x], attrs }) => [gradient(o, g, { ...attrs, shape: x.shape })],
  };
}

/** Linear in g, so that its own gradient is the mean again. */
function meanBackward<A>(
  op: string,
  measure: Measure<A>,
  again: (o: Ops, h: Tensor, attrs: A) => Tensor,
): KernelRow<[Tensor], A & Of> {
  return {
    infer: ([g], { shape, ...attrs }) => {
      expectDtype(op, g, 'f32');
      expectShape(op, 'the gradient', g, resultOf(shape, measure(shape, attrs as A)));
      return [{ shape, dtype: 'f32' }];
    },
    forward: (k, [dx], [g], { shape, ...attrs }) => {
      const geometry = measure(shape, attrs as A);
      meanGradientKernel(k, geometry)(dx as Tensor, g, planesOf(shape, geometry.axes.length), dims(geometry));
    },
    saves: 'none',
    backward: (o, h, { attrs: { shape: _, ...attrs } }) => [again(o, h, attrs as A)],
  };
}

const adaptiveMax = adaptiveWindows('adaptiveMaxPool');
const adaptiveAvg = adaptiveWindows('adaptiveAvgPool');

export const poolRows: Rows<PoolOps> = {
  maxPool: maximum('maxPool', maxWindows),
  maxPoolIndices: places('maxPoolIndices', maxWindows),
  adaptiveMaxPool: maximum('adaptiveMaxPool', adaptiveMax),
  adaptiveMaxPoolIndices: places('adaptiveMaxPoolIndices', adaptiveMax),
  maxPoolBackward: {
    infer: ([g, index], { shape, pooled }) => {
      expectDtype('maxPoolBackward', g, 'f32');
      expectDtype('maxPoolBackward', index, 'i32');
      expectShape('maxPoolBackward', 'the gradient', g, index.shape);
      const lead = shape.length - pooled;
      if (!sameShape(g.shape.slice(0, lead), shape.slice(0, lead)))
        throw new ShapeError(
          `maxPoolBackward: expected a gradient that begins as ${formatShape(shape)} does, got ${formatShape(g.shape)}`,
        );
      return [{ shape, dtype: 'f32' }];
    },
    forward: (k, [dx], [g, index], { shape, pooled }) => {
      const planes = planesOf(shape, pooled);
      const size = numelOf(shape.slice(-pooled));
      k.max_pool_backward_f32(dx as Tensor, g, index, planes, size, planes > 0 ? g.size / planes : 0);
    },
    saves: 'inputs',
    // Linear in g: the derivative picks, as the maxima were picked.
    backward: (o, h, { inputs: [g, index], attrs: { shape, pooled } }) => {
      const planes = planesOf(shape, pooled);
      const rows = (x: Tensor): Tensor => o.reshape(x, { shape: [planes, planes > 0 ? x.size / planes : 0] });
      return [o.reshape(o.gather(rows(h), rows(index), { dim: 1 }), { shape: g.shape }), null];
    },
  },
  avgPool: mean('avgPool', avgWindows, (o, g, attrs) => o.avgPoolBackward(g, attrs)),
  avgPoolBackward: meanBackward('avgPoolBackward', avgWindows, (o, h, attrs) => o.avgPool(h, attrs)),
  adaptiveAvgPool: mean('adaptiveAvgPool', adaptiveAvg, (o, g, attrs) => o.adaptiveAvgPoolBackward(g, attrs)),
  adaptiveAvgPoolBackward: meanBackward('adaptiveAvgPoolBackward', adaptiveAvg, (o, h, attrs) =>
    o.adaptiveAvgPool(h, attrs),
  ),
};
