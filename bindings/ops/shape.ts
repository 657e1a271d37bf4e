// Views, which share memory, and the copies that join and lay out tensors anew.
import { dtypes } from '../dtypes.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { checkShape, contiguousStrides, numelOf, type Shape, type Tensor } from '../tensor.ts';
import { any, attrs, f32, family, grad, type Kernels, many, type Ops, row, signature, strided } from './core.ts';
import { broadcastStrides, expectDtype, expectShape, loopDims, normalizeDim, sameShape } from './shapes.ts';

type Slice = { readonly dim: number; readonly start: number; readonly length: number; readonly step: number };
type Dim = { readonly dim: number };

const x = strided(any);
const s = {
  reshape: signature({ x: any }, { y: grad }, attrs<{ readonly shape: Shape }>()),
  /** The same memory in another shape, where the strides of x allow that. */
  view: signature({ x }, { y: grad }, attrs<{ readonly shape: Shape }>()),
  /** Dim d of the result is dim dims[d] of x. */
  permute: signature({ x }, { y: grad }, attrs<{ readonly dims: readonly number[] }>()),
  /** Stretches dims of size 1, and adds dims in front. */
  expand: signature({ x }, { y: grad }, attrs<{ readonly shape: Shape }>()),
  /** Puts in a dim of size 1. */
  unsqueeze: signature({ x }, { y: grad }, attrs<Dim>()),
  /** Takes out a dim of size 1. */
  squeeze: signature({ x }, { y: grad }, attrs<Dim>()),
  slice: signature({ x }, { y: grad }, attrs<Slice>()),
  /** Zeros of `shape`, with g where slice() took from. */
  sliceBackward: signature({ g: strided(f32) }, { dx: grad }, attrs<Slice & { readonly shape: Shape }>()),
  /** A copy in row-major order. */
  contiguous: signature({ x }, { y: grad }),
  concat: signature({ xs: many(strided(any)) }, { y: grad }, attrs<Dim>()),
};
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

/** Copies the elements of `from` to the strided place `to` of the same shape. */
export function copy(k: Kernels, to: Tensor, from: Tensor): void {
  const dims = loopDims(to.sizes, to.steps, from.steps);
  if (dtypes[to.dtype].bytes === 1) k.copy_8({ y: to, x: from, dims });
  else k.copy_32({ y: to, x: from, dims });
}

/** The elements that a slice takes, as a tensor over the memory of `x`. */
function sliceOf(
  x: Tensor,
  { dim, start, length, step }: Slice,
): { shape: number[]; strides: number[]; offset: number } {
  const shape = [...x.sizes];
  const strides = [...x.steps];
  const stride = strides[dim] as number;
  shape[dim] = length;
  strides[dim] = stride * step;
  return { shape, strides, offset: x.offset + start * stride };
}

/**
 * The strides by which the memory of x has `shape`, of as many elements; null where there are none. Dims of x that lie
 * as one behind the other are joined to runs, which the dims of `shape` have to fill one by one (PyTorch's
 * computeStride).
 */
export function viewStrides({ sizes, steps, size }: Tensor, shape: Shape): number[] | null {
  if (size === 0 || sizes.length === 0) return contiguousStrides(shape);
  const strides = new Array<number>(shape.length);
  let at = shape.length - 1;
  let run = 1;
  let filled = 1;
  let step = steps[sizes.length - 1] as number;
  for (let d = sizes.length - 1; d >= 0; d--) {
    run *= sizes[d] as number;
    if (d > 0 && (sizes[d - 1] === 1 || steps[d - 1] === run * step)) continue;
    for (; at >= 0 && (filled < run || shape[at] === 1); at--) {
      strides[at] = filled * step;
      filled *= shape[at] as number;
    }
    if (filled !== run) return null;
    step = steps[d - 1] as number;
    run = 1;
    filled = 1;
  }
  return strides;
}

function checkElements(op: string, { size, sizes }: Tensor, shape: Shape): void {
  checkShape(op, shape);
  if (numelOf(shape) !== size)
    throw new ShapeError(
      `${op}: expected a shape of ${size} elements for ${formatShape(sizes)}, got ${formatShape(shape)}`,
    );
}

/** x in another shape: the same memory where its strides allow that, else a copy. @throws ShapeError */
export function reshaped(o: Pick<Ops, 'reshape' | 'view'>, x: Tensor, shape: Shape): Tensor {
  return (x.isContiguous() || !viewStrides(x, shape) ? o.reshape : o.view)({ x }, { shape });
}

function checkSlice(op: string, shape: Shape, { dim, start, length, step }: Slice): void {
  const size = shape[dim];
  const fits =
    size !== undefined &&
    start >= 0 &&
    length >= 0 &&
    step >= 1 &&
    (length === 0 ? start <= size : start + (length - 1) * step < size);
  if (!fits || ![start, length, step].every(Number.isInteger))
    throw new ShapeError(
      `${op}: expected start, length and step inside dim ${dim} of ${formatShape(shape)}, got ${start}, ${length} and ${step}`,
    );
}

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: a table, of rows that are short each
export const shapeRows = family(s, () => ({
  reshape: row(s.reshape, {
    view: ({ x }, { shape }) => {
      checkElements('reshape', x, shape);
      return { shape, strides: contiguousStrides(shape), offset: x.offset };
    },
    backward: (o, { y: g }, _, __, { shapes }) => ({ x: reshaped(o, g, shapes.x) }),
  }),
  view: row(s.view, {
    view: ({ x }, { shape }) => {
      checkElements('view', x, shape);
      const strides = viewStrides(x, shape);
      if (!strides)
        throw new ShapeError(
          `view: expected a shape that the strides ${formatShape(x.steps)} of ${formatShape(x.sizes)} allow without a copy, got ${formatShape(shape)}; use reshape()`,
        );
      return { shape, strides, offset: x.offset };
    },
    backward: (o, { y: g }, _, __, { shapes }) => ({ x: reshaped(o, g, shapes.x) }),
  }),
  permute: row(s.permute, {
    view: ({ x }, { dims }) => {
      if (dims.length !== x.ndim || !dims.every((_, d) => dims.includes(d)))
        throw new ShapeError(`permute: expected each dim of ${formatShape(x.sizes)} once, got ${formatShape(dims)}`);
      const shape = dims.map((dim) => x.sizes[dim] as number);
      return { shape, strides: dims.map((dim) => x.steps[dim] as number), offset: x.offset };
    },
    backward: (o, { y: g }, _, { dims }) => ({
      x: o.permute({ x: g }, { dims: dims.map((_dim, d) => dims.indexOf(d)) }),
    }),
  }),
  expand: row(s.expand, {
    view: ({ x }, { shape }) => {
      checkShape('expand', shape);
      const lead = shape.length - x.ndim;
      const fits = lead >= 0 && x.sizes.every((size, d) => size === shape[lead + d] || size === 1);
      if (!fits)
        throw new ShapeError(
          `expand: expected a shape that ${formatShape(x.sizes)} stretches to, got ${formatShape(shape)}`,
        );
      return { shape, strides: broadcastStrides(x, shape), offset: x.offset };
    },
    // The walker sums the stretched dims away, as it does after any broadcast.
    backward: (_, { y: g }) => ({ x: g }),
  }),
  unsqueeze: row(s.unsqueeze, {
    view: ({ x }, { dim }) => {
      normalizeDim('unsqueeze', dim, x.ndim + 1);
      const shape = x.sizes.toSpliced(dim, 0, 1);
      checkShape('unsqueeze', shape);
      const stride = (x.steps[dim] ?? 1) * (x.sizes[dim] ?? 1);
      return { shape, strides: x.steps.toSpliced(dim, 0, stride), offset: x.offset };
    },
    backward: (o, { y: g }, _, attributes) => ({ x: o.squeeze({ x: g }, attributes) }),
  }),
  squeeze: row(s.squeeze, {
    view: ({ x }, { dim }) => {
      if (x.sizes[dim] !== 1)
        throw new ShapeError(`squeeze: expected size 1 at dim ${dim}, got ${formatShape(x.sizes)}`);
      return { shape: x.sizes.toSpliced(dim, 1), strides: x.steps.toSpliced(dim, 1), offset: x.offset };
    },
    backward: (o, { y: g }, _, attributes) => ({ x: o.unsqueeze({ x: g }, attributes) }),
  }),
  slice: row(s.slice, {
    view: ({ x }, attributes) => {
      checkSlice('slice', x.sizes, attributes);
      return sliceOf(x, attributes);
    },
    backward: (o, { y: g }, _, attributes, { shapes }) => ({
      x: o.sliceBackward({ g }, { ...attributes, shape: shapes.x }),
    }),
  }),
  sliceBackward: row(s.sliceBackward, {
    outputs: (make, { g }, { shape, ...attributes }, op) => {
      checkSlice(op, shape, attributes);
      expectShape(op, 'the gradient', g, shape.with(attributes.dim, attributes.length));
      return { dx: make(shape, 'f32') };
    },
    forward: (k, { dx }, { g }, attributes) => {
      k.fill_f32({ y: dx, n: dx.size, value: 0 });
      const { shape, strides, offset } = sliceOf(dx, attributes);
      copy(k, dx.alias(shape, strides, offset), g);
    },
    backward: (o, { dx: h }, _, { dim, start, length, step }) => ({
      g: o.slice({ x: h }, { dim, start, length, step }),
    }),
  }),
  contiguous: row(s.contiguous, {
    outputs: (make, { x }) => ({ y: make(x.sizes, x.dtype) }),
    forward: (k, { y }, { x }) => copy(k, y, x),
    backward: (_, { y: g }) => ({ x: g }),
  }),
  concat: row(s.concat, {
    outputs: (make, { xs }, { dim }, op) => {
      const [first] = xs;
      if (!first?.ndim)
        throw new ArgumentError(
          `${op}: expected tensors of at least one dim, got ${first ? 'a single number' : 'none'}`,
        );
      normalizeDim(op, dim, first.ndim);
      let size = 0;
      for (const x of xs) {
        expectDtype(op, x, first.dtype);
        const rest = (shape: Shape): number[] => shape.filter((_, d) => d !== dim);
        if (x.ndim !== first.ndim || !sameShape(rest(x.sizes), rest(first.sizes)))
          throw new ShapeError(
            `${op}: expected shapes that differ in dim ${dim} only, got ${formatShape(first.sizes)} and ${formatShape(x.sizes)}`,
          );
        size += x.sizes[dim] as number;
      }
      return { y: make(first.sizes.with(dim, size), first.dtype) };
    },
    forward: (k, { y }, { xs }, { dim }) => {
      let start = 0;
      for (const x of xs) {
        const length = x.sizes[dim] as number;
        const { shape, strides, offset } = sliceOf(y, { dim, start, length, step: 1 });
        copy(k, y.alias(shape, strides, offset), x);
        start += length;
      }
    },
    backward: (o, { y: g }, _, { dim }, { shapes, needs }) => {
      let start = 0;
      return {
        xs: shapes.xs.map((shape, i) => {
          const length = shape[dim] as number;
          const attributes = { dim, start, length, step: 1 };
          start += length;
          return needs.xs[i] ? o.slice({ x: g }, attributes) : null;
        }),
      };
    },
  }),
}));
