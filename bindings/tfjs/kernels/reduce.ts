// Reductions over some axes, scans along one, and softmax.
import { recurrenceKernels } from '../../generated/kernel-calls.ts';
import type { Kernels } from '../../kernels/table.ts';
import { ShapeError } from '../../memory/errors.ts';
import { split3 } from '../../ops/shapes.ts';
import { contiguousStrides, numelOf, type Shape } from '../../sizes.ts';
import type { Backend } from '../backend.ts';
import type { Data, NumberDtype } from '../data.ts';
import type { Info } from '../engine.ts';
import { B, F, type Family, I, type Row, row } from '../row.ts';
import { asFloat, axisOf, cast, constant, copy, fill, part } from './layout.ts';

/** Sum and the like call it axis, Max and Min reductionIndices. */
interface Axes {
  readonly axis?: number | readonly number[] | null;
  readonly reductionIndices?: number | readonly number[] | null;
  readonly keepDims?: boolean;
}

/** The axes to reduce, counted from the front, each once; without any, all of them. */
function axesOf(kernel: string, { axis, reductionIndices }: Axes, ndim: number): number[] {
  const given = axis ?? reductionIndices;
  const axes: number[] = [];
  if (given === null || given === undefined) {
    for (let d = 0; d < ndim; d++) axes.push(d);
    return axes;
  }
  if (typeof given === 'number') return [axisOf(kernel, given, ndim)];
  if (given.length === 1) return [axisOf(kernel, given[0] as number, ndim)];
  return [...new Set(given.map((each) => axisOf(kernel, each, ndim)))].sort((a, b) => a - b);
}

/** x [outer, r, inner] of which the axis r goes. */
interface Split {
  readonly x: Data;
  readonly outer: number;
  readonly r: number;
  readonly inner: number;
}

/** The axes of x as one: where they are no neighbours, a copy with them at the end. */
function splitOver(backend: Backend, x: Data, shape: Shape, axes: readonly number[]): Split {
  const first = axes[0] ?? 0;
  if (axes.length < 2 || axes.every((axis, i) => axis === first + i)) {
    const [outer, r, inner] = split3(shape, first, first + axes.length);
    return { x, outer, r, inner };
  }
  const order = [...shape.keys()].filter((d) => !axes.includes(d)).concat(axes);
  const steps = contiguousStrides(shape);
  const moved = order.map((d) => shape[d] as number);
  const y = backend.temporary(x.size, x.dtype as NumberDtype);
  const from = order.map((d) => steps[d] as number);
  copy(backend.kernels, x.dtype as NumberDtype, y, x, moved, contiguousStrides(moved), from);
  const r = axes.reduce((n, d) => n * (shape[d] as number), 1);
  return { x: y, outer: numelOf(shape) / Math.max(1, r), r, inner: 1 };
}

/** The shape without the axes, or with 1 for each. */
function reducedShape(shape: Shape, axes: readonly number[], keepDims = false): number[] {
  const left: number[] = [];
  for (let d = 0; d < shape.length; d++)
    if (!axes.includes(d)) left.push(shape[d] as number);
    else if (keepDims) left.push(1);
  return left;
}

/** A result: the sum of floats over some axes, which go. */
export function sumOver(backend: Backend, x: Info, axes: readonly number[]): Info {
  const y = backend.make(reducedShape(x.shape, axes), 'float32');
  addUp(backend, y.dataId, splitOver(backend, backend.at(x), x.shape, axes), 1);
  return y;
}

/** Elements of one long sum of a few columns that are worth the time of several threads. */
const LONG = 1 << 17;
const FEW_COLUMNS = 32;
/** Parts of such a sum: the largest of these powers of 2 that divides it. */
const MOST_PARTS = 64;

/**
 * y = factor · the sum over the axis: of a long one the sums of parts first, which threads share, whether there are any
 * or not. Operands are named one by one, here and below: to spread them takes long.
 */
function addUp(backend: Backend, y: Data, { x, outer, r, inner }: Split, factor: number): void {
  const { kernels } = backend;
  let parts = 1;
  if (outer === 1 && inner < FEW_COLUMNS && r * inner >= LONG)
    while (parts < MOST_PARTS && r % (2 * parts) === 0) parts *= 2;
  if (parts === 1) {
    kernels.sum_f32({ y, x, outer, r, inner, stride: inner, factor });
    return;
  }
  const sums = backend.temporary(parts * inner, 'float32');
  kernels.sum_f32({ y: sums, x, outer: parts, r: r / parts, inner, stride: inner, factor: 1 });
  kernels.sum_f32({ y, x: sums, outer, r: parts, inner, stride: inner, factor });
}

/** What a reduction calls. */
interface Call {
  readonly y: Data;
  readonly x: Data;
  readonly outer: number;
  readonly r: number;
  readonly inner: number;
  readonly stride: number;
}
type Reduce = (k: Kernels, call: Call, backend: Backend) => void;
type Choice = { readonly [D in NumberDtype]?: readonly [result: NumberDtype, reduce: Reduce] };

/** What is left of no elements, the cpu backend says. */
const hasElements = ({ x }: { readonly x: Info }): boolean => numelOf(x.shape) > 0;

function reduction(kernel: string, choice: Choice): Row {
  const mask = (choice.float32 ? F : 0) | (choice.int32 ? I : 0) | (choice.bool ? B : 0);
  return row<{ x: number }, Axes>(
    { x: mask },
    (backend, { x }, attrs) => {
      const axes = axesOf(kernel, attrs, x.shape.length);
      const [dtype, reduce] = choice[x.dtype as NumberDtype] as readonly [NumberDtype, Reduce];
      const y = backend.make(reducedShape(x.shape, axes, attrs.keepDims), dtype);
      const { x: data, outer, r, inner } = splitOver(backend, backend.at(x), x.shape, axes);
      reduce(backend.kernels, { y: y.dataId, x: data, outer, r, inner, stride: inner }, backend);
      return y;
    },
    hasElements,
  );
}

/** Bools as floats. */
function floats(backend: Backend, x: Data): Data {
  const y = backend.temporary(x.size, 'float32');
  cast(backend, 'bool', 'float32', y, x, x.size);
  return y;
}

/** The index of an extreme. NaN is never one, where the kernel lets it win. */
function argument(kernel: string, worst: number, choice: { float32: Reduce; int32: Reduce }): Row {
  const skipping: Reduce = (k, call, backend) => {
    const n = call.x.size;
    const number = backend.temporary(n, 'bool');
    k.eq_f32({ y: number, a: call.x, b: call.x, dims: [1, n, 1, 1] });
    const least = constant(backend, 'float32', worst);
    const x = backend.temporary(n, 'float32');
    k.where_f32({ y: x, condition: number, a: call.x, b: least, dims: [1, n, 1, 1, 0] });
    choice.float32(k, { ...call, x }, backend);
  };
  const inner = reduction(kernel, {
    float32: ['int32', skipping],
    int32: ['int32', choice.int32],
    bool: ['int32', (k, call, backend) => choice.float32(k, { ...call, x: floats(backend, call.x) }, backend)],
  });
  // Of several axes tfjs takes the first.
  const first = (attrs: unknown): Axes => {
    const { axis } = attrs as Axes;
    return { axis: Array.isArray(axis) ? axis[0] : (axis ?? 0) };
  };
  return {
    fits: (backend, inputs, attrs) => inner.fits(backend, inputs, first(attrs)),
    run: (backend, inputs, attrs) => inner.run(backend, inputs, first(attrs)),
  };
}

/** Counts the bytes that are not 0, and compares that with r, or with 0. */
const counting =
  (compare: (k: Kernels, y: Data, count: Data, n: number, r: Data, zero: Data) => void): Reduce =>
  (k, { y, ...call }, backend) => {
    const count = backend.temporary(y.size, 'int32');
    k.sum_u8({ ...call, y: count });
    compare(k, y, count, y.size, constant(backend, 'int32', call.r), constant(backend, 'int32', 0));
  };

/** The product of integers, modulo 2^32: half of what is left times the other half, until one is left. */
const multiplyUp: Reduce = (k, { y, x, outer, r, inner }, backend) => {
  const left = backend.temporary(x.size, 'int32');
  const step = r * inner;
  k.copy_32({ y: left, x, dims: [1, outer * step, 1, 1] });
  for (let n = r; n > 1; ) {
    const half = n >> 1;
    // A middle one that is left over waits for the next round.
    const from = part(left, (n - half) * inner);
    const products = backend.temporary(outer * half * inner, 'int32');
    k.mul_forward_i32({ y: products, a: left, b: from, dims: [2, outer, half * inner, step, 1, step, 1] });
    k.copy_32({ y: left, x: products, dims: [2, outer, half * inner, step, 1, half * inner, 1] });
    n -= half;
  }
  k.copy_32({ y, x: left, dims: [2, outer, inner, inner, 1, step, 1] });
};

interface Scan {
  readonly axis: number;
  /** Each result leaves its own element out. */
  readonly exclusive?: boolean;
  /** From the end. */
  readonly reverse?: boolean;
}

/** What the elements up to each come to. @param start what none come to */
function scanRow(kernel: string, mask: number, start: number, scan: Reduce): Row {
  return row<{ x: number }, Scan>({ x: mask }, (backend, { x }, { axis, exclusive = false, reverse = false }) => {
    const { kernels } = backend;
    const dtype = x.dtype as NumberDtype;
    const y = backend.make(x.shape, dtype);
    const { dataId } = y;
    const { size } = dataId;
    if (size === 0) return y;
    const [outer, r, inner] = split3(x.shape, axisOf(kernel, axis, x.shape.length));
    const shape = [outer, r, inner];
    const steps = [r * inner, inner, 1];
    /** Turned around. */
    const turn = (to: Data, from: Data): Data => {
      copy(kernels, dtype, to, part(from, (r - 1) * inner), shape, steps, [r * inner, -inner, 1]);
      return to;
    };
    const from = reverse ? turn(backend.temporary(size, dtype), backend.at(x)) : backend.at(x);
    const plain = !(exclusive || reverse);
    const all = plain ? dataId : backend.temporary(size, dtype);
    scan(kernels, { y: all, x: from, outer, r, inner, stride: inner }, backend);
    if (plain) return y;
    let last = all;
    if (exclusive) {
      last = reverse ? backend.temporary(size, dtype) : dataId;
      fill(kernels, dtype, last, size, start);
      copy(kernels, dtype, part(last, inner), all, [outer, r - 1, inner], steps, steps);
    }
    if (reverse) turn(dataId, last);
    return y;
  });
}

export const reduce: Family = {
  kernels: [recurrenceKernels],
  rows: {
    Sum: reduction('Sum', {
      float32: ['float32', (_, call, backend) => addUp(backend, call.y, call, 1)],
      int32: ['int32', (k, call) => k.sum_i32(call)],
      bool: ['int32', (k, call) => k.sum_u8(call)],
    }),
    Mean: row<{ x: number }, Axes>(
      { x: F | I | B },
      (backend, { x }, attrs) => {
        const axes = axesOf('Mean', attrs, x.shape.length);
        const y = backend.make(reducedShape(x.shape, axes, attrs.keepDims), 'float32');
        const split = splitOver(backend, asFloat(backend, x), x.shape, axes);
        addUp(backend, y.dataId, split, 1 / split.r);
        return y;
      },
      hasElements,
    ),
    Prod: reduction('Prod', {
      float32: ['float32', (k, call) => k.prod_f32(call)],
      int32: ['int32', multiplyUp],
    }),
    Max: reduction('Max', {
      float32: ['float32', (k, call) => k.max_f32(call)],
      int32: ['int32', (k, call) => k.max_i32(call)],
    }),
    Min: reduction('Min', {
      float32: ['float32', (k, call) => k.min_f32(call)],
      int32: ['int32', (k, call) => k.min_i32(call)],
    }),
    All: reduction('All', {
      bool: ['bool', counting((k, y, a, n, b) => k.eq_i32({ y, a, b, dims: [1, n, 1, 0] }))],
    }),
    Any: reduction('Any', {
      bool: ['bool', counting((k, y, a, n, _, b) => k.ne_i32({ y, a, b, dims: [1, n, 1, 0] }))],
    }),
    ArgMax: argument('ArgMax', Number.NEGATIVE_INFINITY, {
      float32: (k, call) => k.argmax_f32(call),
      int32: (k, call) => k.argmax_i32(call),
    }),
    ArgMin: argument('ArgMin', Number.POSITIVE_INFINITY, {
      float32: (k, call) => k.argmin_f32(call),
      int32: (k, call) => k.argmin_i32(call),
    }),
    Cumsum: scanRow('cumsum', F | I, 0, (k, call) =>
      call.y.dtype === 'int32' ? k.cumsum_forward_i32(call) : k.cumsum_forward_f32(call),
    ),
    Cumprod: scanRow('cumprod', F, 1, (k, { y, x, outer, r, inner }) =>
      k.recurrence_f32({ y, a: x, b: null, outer, r, inner, start: 1, backward: 0 }),
    ),
    Softmax: row<{ logits: number }, { dim: number }>({ logits: F }, (backend, { logits }, { dim }) => {
      const { shape } = logits;
      if (axisOf('Softmax', dim, shape.length) !== shape.length - 1)
        throw new ShapeError(
          `Softmax: expected the last dim, got ${dim} of ${shape.length}; along a non-last dimension it is not yet supported: transpose first`,
        );
      const r = shape[shape.length - 1] as number;
      const y = backend.make(shape, 'float32');
      const { dataId } = y;
      if (dataId.size === 0) return y;
      const call = { y: dataId, x: backend.at(logits), outer: dataId.size / r, r, inner: 1, stride: 1 };
      backend.kernels.softmax_forward_f32(call);
      return y;
    }),
  },
};
