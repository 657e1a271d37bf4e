// Max and average pooling over the last dims, one or two of them; the dims before are planes, pooled each for itself.
// Adaptive pools are given the size of the result and cut the input into as many windows.
import { poolKernels } from '../generated/kernel-calls.ts';
import { optional } from '../lookup.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { numelOf, type Shape } from '../tensor.ts';
import {
  attrs as attrsOf,
  aux,
  calling,
  f32,
  family,
  grad,
  i32,
  type Ops,
  plain,
  type Rewrite,
  type Row,
  row,
  type Signature,
  signature,
  type Tensor,
} from './core.ts';
import { expectShape, sameShape } from './shapes.ts';

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

const maxOf = <A>() => signature({ x: f32 }, { y: grad, index: aux }, attrsOf<A>());
const maxWithIndicesOf = <A>() => signature({ x: f32 }, { y: grad, index: plain }, attrsOf<A>());
const meanOf = <A>() => signature({ x: f32 }, { y: grad }, attrsOf<A>());
const meanBackwardOf = <A>() => signature({ g: f32 }, { dx: grad }, attrsOf<A & Of>());

const s = optional(() => ({
  /** index says where the maxima lie, as positions in their planes. */
  maxPool: maxOf<MaxPool>(),
  maxPoolWithIndices: maxWithIndicesOf<MaxPool>(),
  adaptiveMaxPool: maxOf<AdaptivePool>(),
  adaptiveMaxPoolWithIndices: maxWithIndicesOf<AdaptivePool>(),
  /**
   * Zeros of `shape`, with g added at `index`: positions in planes of the last `pooled` dims, as a max pool makes them.
   */
  maxPoolBackward: signature({ g: f32, index: i32 }, { dx: grad }, attrsOf<Of & { readonly pooled: number }>()),
  avgPool: meanOf<AvgPool>(),
  avgPoolBackward: meanBackwardOf<AvgPool>(),
  adaptiveAvgPool: meanOf<AdaptivePool>(),
  adaptiveAvgPoolBackward: meanBackwardOf<AdaptivePool>(),
}));
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
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

/** A max pool, whose caller gets the indices or, by its signature, does not. */
const maximum = <A>(name: string, measure: Measure<A>, { inputs, outputs }: Max): Row =>
  row({ inputs, outputs } as Signature<Max['inputs'], A, S['maxPool']['outputs']>, {
    title: (_, attrs) => `${name}${pooledDims(attrs)}d`,
    outputs: (make, { x }, attrs) => {
      const shape = resultOf(x.sizes, measure(x.sizes, attrs));
      return { y: make(shape, 'f32'), index: make(shape, 'i32') };
    },
    forward: (k, { y, index }, { x }, attrs) => {
      const geometry = measure(x.sizes, attrs);
      const call = { y, index, x, planes: planesOf(x.sizes, geometry.axes.length), dims: dims(geometry) };
      if (geometry.uneven) k.adaptive_max_pool_forward_f32(call);
      else k.max_pool_forward_f32(call);
    },
    saves: ['index'],
    backward: (o, { y: g }, { index }, attrs, { shapes }) => ({
      x: o.maxPoolBackward({ g, index }, { shape: shapes.x, pooled: pooledDims(attrs) }),
    }),
  });
type Max = Pick<S['maxPool'], 'inputs'> & Pick<S['maxPool' | 'maxPoolWithIndices'], 'outputs'>;

/** How many dims the attributes pool. */
const pooledDims = (attrs: unknown): number => {
  const { kernelSize, outputSize } = attrs as Partial<Windows & AdaptivePool>;
  return (kernelSize ?? outputSize)?.length ?? 0;
};

interface Mean<A> {
  readonly measure: Measure<A>;
  readonly gradient: (o: Ops, g: Tensor, attrs: A & Of) => Tensor;
  readonly again: (o: Ops, h: Tensor, attrs: A) => Tensor;
}

const mean = <A>(name: string, { measure, gradient }: Mean<A>): Row =>
  row(s.avgPool as unknown as Signature<S['avgPool']['inputs'], A, S['avgPool']['outputs']>, {
    title: (_, attrs) => `${name}${pooledDims(attrs)}d`,
    outputs: (make, { x }, attrs) => ({ y: make(resultOf(x.sizes, measure(x.sizes, attrs)), 'f32') }),
    forward: (k, { y }, { x }, attrs) => {
      const geometry = measure(x.sizes, attrs);
      const call = { y, x, planes: planesOf(x.sizes, geometry.axes.length), dims: dims(geometry) };
      if (geometry.uneven) k.adaptive_avg_pool_forward_f32(call);
      else k.avg_pool_forward_f32(call);
    },
    backward: (o, { y: g }, _, attrs, { shapes }) => ({ x: gradient(o, g, { ...attrs, shape: shapes.x }) }),
  });

/** Linear in g, so that its own gradient is the mean again. */
const meanBackward = <A>({ measure, again }: Mean<A>): Row =>
  row(
    s.avgPoolBackward as unknown as Signature<S['avgPoolBackward']['inputs'], A & Of, S['avgPoolBackward']['outputs']>,
    {
      outputs: (make, { g }, { shape, ...attrs }, op) => {
        expectShape(op, 'the gradient', g, resultOf(shape, measure(shape, attrs as A)));
        return { dx: make(shape, 'f32') };
      },
      forward: (k, { dx }, { g }, { shape, ...attrs }) => {
        const geometry = measure(shape, attrs as A);
        const call = { dx, g, planes: planesOf(shape, geometry.axes.length), dims: dims(geometry) };
        if (geometry.uneven) k.adaptive_avg_pool_backward_f32(call);
        else k.avg_pool_backward_f32(call);
      },
      backward: (o, { dx: h }, _, { shape: __, ...attrs }) => ({ g: again(o, h, attrs as A) }),
    },
  );

const adaptiveMaxWindows = adaptiveWindows('adaptiveMaxPool');
const avg: Mean<AvgPool> = {
  measure: avgWindows,
  gradient: (o, g, attrs) => o.avgPoolBackward({ g }, attrs),
  again: (o, x, attrs) => o.avgPool({ x }, attrs),
};
const adaptiveAvg: Mean<AdaptivePool> = {
  measure: adaptiveWindows('adaptiveAvgPool'),
  gradient: (o, g, attrs) => o.adaptiveAvgPoolBackward({ g }, attrs),
  again: (o, x, attrs) => o.adaptiveAvgPool({ x }, attrs),
};

/**
 * The derivative of relu in front of a max pool, of gradients that the pool has spread: found before they are spread,
 * it takes as many elements as there are windows. A window's maximum is above 0 where the element is that it came from.
 */
const reluFirst: Rewrite = (call, { maker, readers, lasts, make }) => {
  const { g, index } = call.inputs as { readonly g: Tensor; readonly index: Tensor };
  const dx = call.outputs.dx as Tensor;
  const [relu, other] = readers(dx);
  const pool = maker(index);
  if (relu?.op !== 'reluBackward' || other || lasts(dx) || !pool) return null;
  const { g: own, saved } = relu.inputs as { readonly g: Tensor; readonly saved: Tensor };
  const { x } = pool.inputs as { readonly x?: Tensor };
  const { y } = pool.outputs;
  // Whole and unwritten: relu's result goes into the pool as it is.
  if (own.block !== dx.block || x?.block !== saved.block || x.size !== saved.size || x.offset !== saved.offset)
    return null;
  if (!y || maker(y) !== pool || !readers(saved).includes(relu)) return null;
  const masked = make(g.sizes);
  return {
    calls: [
      { ...relu, inputs: { g, saved: y }, outputs: { dx: masked } },
      { ...call, inputs: { g: masked, index }, outputs: relu.outputs },
    ],
    gone: [relu],
  };
};

export const poolRows = family(calling(poolKernels, s), () => ({
  maxPool: maximum('maxPool', maxWindows, s.maxPool),
  maxPoolWithIndices: maximum('maxPool', maxWindows, s.maxPoolWithIndices),
  adaptiveMaxPool: maximum('adaptiveMaxPool', adaptiveMaxWindows, s.adaptiveMaxPool),
  adaptiveMaxPoolWithIndices: maximum('adaptiveMaxPool', adaptiveMaxWindows, s.adaptiveMaxPoolWithIndices),
  maxPoolBackward: row(s.maxPoolBackward, {
    outputs: (make, { g, index }, { shape, pooled }, op) => {
      expectShape(op, 'the gradient', g, index.sizes);
      const lead = shape.length - pooled;
      if (!sameShape(g.sizes.slice(0, lead), shape.slice(0, lead)))
        throw new ShapeError(
          `${op}: expected a gradient that begins as ${formatShape(shape)} does, got ${formatShape(g.sizes)}`,
        );
      return { dx: make(shape, 'f32') };
    },
    forward: (k, { dx }, { g, index }, { shape, pooled }) => {
      const planes = planesOf(shape, pooled);
      const windows = planes > 0 ? g.size / planes : 0;
      k.max_pool_backward_f32({ dx, g, index, planes, plane: numelOf(shape.slice(-pooled)), windows });
    },
    rewrite: reluFirst,
    saves: ['index'],
    // Linear in g: the derivative picks, as the maxima were picked.
    backward: (o, { dx: h }, { index }, { shape, pooled }, { shapes }) => {
      const planes = planesOf(shape, pooled);
      const rows = (x: Tensor): Tensor => o.reshape({ x }, { shape: [planes, planes > 0 ? x.size / planes : 0] });
      const picked = o.gather({ x: rows(h), index: rows(index) }, { dim: 1 });
      return { g: o.reshape({ x: picked }, { shape: shapes.g }) };
    },
  }),
  avgPool: mean('avgPool', avg),
  avgPoolBackward: meanBackward(avg),
  adaptiveAvgPool: mean('adaptiveAvgPool', adaptiveAvg),
  adaptiveAvgPoolBackward: meanBackward(adaptiveAvg),
}));
