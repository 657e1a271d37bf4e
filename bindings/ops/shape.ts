// Views, which share memory, and the copies that join and lay out tensors anew.
import { ArgumentError, formatShape, ShapeError } from '../runtime/errors.ts';
import { checkShape, contiguousStrides, numelOf, type Shape, type Tensor } from '../tensor.ts';
import { broadcastStrides, expectDtype, expectShape, like, loopDims, normalizeDim, sameShape } from './shapes.ts';
import type { Kernels, Rows } from './types.ts';

type Slice = { readonly dim: number; readonly start: number; readonly length: number; readonly step: number };

export interface ShapeOps {
  reshape(x: Tensor, attrs: { readonly shape: Shape }): Tensor;
  /** Dim d of the result is dim dims[d] of x. */
  permute(x: Tensor, attrs: { readonly dims: readonly number[] }): Tensor;
  /** Stretches dims of size 1, and adds dims in front. */
  expand(x: Tensor, attrs: { readonly shape: Shape }): Tensor;
  /** Puts in a dim of size 1. */
  unsqueeze(x: Tensor, attrs: { readonly dim: number }): Tensor;
  /** Takes out a dim of size 1. */
  squeeze(x: Tensor, attrs: { readonly dim: number }): Tensor;
  slice(x: Tensor, attrs: Slice): Tensor;
  /** Zeros of `shape`, with g where slice() took from. */
  sliceBackward(g: Tensor, attrs: Slice & { readonly shape: Shape }): Tensor;
  /** A copy in row-major order. */
  contiguous(x: Tensor): Tensor;
  concat(...args: [...xs: Tensor[], attrs: { readonly dim: number }]): Tensor;
}

/** Copies the elements of `from` to the strided place `to` of the same shape. */
function copy(k: Kernels, to: Tensor, from: Tensor): void {
  const dims = loopDims(to.shape, to.strides, from.strides);
  if (to.dtype === 'u8') k.copy_8(to, from, dims);
  else k.copy_32(to, from, dims);
}

/** The elements that a slice takes, as a tensor over the memory of `x`. */
function sliceOf(
  x: Tensor,
  { dim, start, length, step }: Slice,
): { shape: number[]; strides: number[]; offset: number } {
  const shape = [...x.shape];
  const strides = [...x.strides];
  const stride = strides[dim] as number;
  shape[dim] = length;
  strides[dim] = stride * step;
  return { shape, strides, offset: x.offset + start * stride };
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

export const shapeRows: Rows<ShapeOps> = {
  reshape: {
    view: ([x], { shape }) => {
      checkShape('reshape', shape);
      if (numelOf(shape) !== x.size)
        throw new ShapeError(
          `reshape: expected a shape of ${x.size} elements for ${formatShape(x.shape)}, got ${formatShape(shape)}`,
        );
      return { shape, strides: contiguousStrides(shape), offset: x.offset };
    },
    saves: 'none',
    backward: (o, g, { inputs: [x] }) => [o.reshape(g, { shape: x.shape })],
  },
  permute: {
    strided: true,
    view: ([x], { dims }) => {
      const valid = dims.length === x.ndim && [...dims].sort((a, b) => a - b).every((dim, d) => dim === d);
      if (!valid)
        throw new ShapeError(`permute: expected each dim of ${formatShape(x.shape)} once, got ${formatShape(dims)}`);
      const shape = dims.map((dim) => x.shape[dim] as number);
      return { shape, strides: dims.map((dim) => x.strides[dim] as number), offset: x.offset };
    },
    saves: 'none',
    backward: (o, g, { attrs: { dims } }) => [o.permute(g, { dims: dims.map((_, d) => dims.indexOf(d)) })],
  },
  expand: {
    strided: true,
    view: ([x], { shape }) => {
      checkShape('expand', shape);
      const lead = shape.length - x.ndim;
      const fits = lead >= 0 && x.shape.every((size, d) => size === shape[lead + d] || size === 1);
      if (!fits)
        throw new ShapeError(
          `expand: expected a shape that ${formatShape(x.shape)} stretches to, got ${formatShape(shape)}`,
        );
      return { shape, strides: broadcastStrides(x, shape), offset: x.offset };
    },
    saves: 'none',
    // The walker sums the stretched dims away, as it does after any broadcast.
    backward: (_, g) => [g],
  },
  unsqueeze: {
    strided: true,
    view: ([x], { dim }) => {
      normalizeDim('unsqueeze', dim, x.ndim + 1);
      const shape = x.shape.toSpliced(dim, 0, 1);
      checkShape('unsqueeze', shape);
      const stride = (x.strides[dim] ?? 1) * (x.shape[dim] ?? 1);
      return { shape, strides: x.strides.toSpliced(dim, 0, stride), offset: x.offset };
    },
    saves: 'none',
    backward: (o, g, { attrs }) => [o.squeeze(g, attrs)],
  },
  squeeze: {
    strided: true,
    view: ([x], { dim }) => {
      if (x.shape[dim] !== 1)
        throw new ShapeError(`squeeze: expected size 1 at dim ${dim}, got ${formatShape(x.shape)}`);
      return { shape: x.shape.toSpliced(dim, 1), strides: x.strides.toSpliced(dim, 1), offset: x.offset };
    },
    saves: 'none',
    backward: (o, g, { attrs }) => [o.unsqueeze(g, attrs)],
  },
  slice: {
    strided: true,
    view: ([x], attrs) => {
      checkSlice('slice', x.shape, attrs);
      return sliceOf(x, attrs);
    },
    saves: 'none',
    backward: (o, g, { inputs: [x], attrs }) => [o.sliceBackward(g, { ...attrs, shape: x.shape })],
  },
  sliceBackward: {
    strided: true,
    infer: ([g], { shape, ...attrs }) => {
      expectDtype('sliceBackward', g, 'f32');
      checkSlice('sliceBackward', shape, attrs);
      expectShape(
        'sliceBackward',
        'the gradient',
        g,
        shape.map((size, d) => (d === attrs.dim ? attrs.length : size)),
      );
      return [{ shape, dtype: 'f32' }];
    },
    forward: (k, [out], [g], attrs) => {
      const dx = out as Tensor;
      k.fill_f32(dx, dx.size, 0);
      const { shape, strides, offset } = sliceOf(dx, attrs);
      copy(k, dx.view(shape, strides, offset), g);
    },
    saves: 'none',
    backward: (o, h, { attrs: { dim, start, length, step } }) => [o.slice(h, { dim, start, length, step })],
  },
  contiguous: {
    strided: true,
    infer: ([x]) => [like(x)],
    forward: (k, [y], [x]) => copy(k, y as Tensor, x),
    saves: 'none',
    backward: (_, g) => [g],
  },
  concat: {
    strided: true,
    infer: (xs, { dim }) => {
      const [first] = xs;
      if (!first) throw new ArgumentError('concat: expected at least one tensor, got none');
      normalizeDim('concat', dim, first.ndim);
      let size = 0;
      for (const x of xs) {
        expectDtype('concat', x, first.dtype);
        const rest = (shape: Shape): number[] => shape.filter((_, d) => d !== dim);
        if (x.ndim !== first.ndim || !sameShape(rest(x.shape), rest(first.shape)))
          throw new ShapeError(
            `concat: expected shapes that differ in dim ${dim} only, got ${formatShape(first.shape)} and ${formatShape(x.shape)}`,
          );
        size += x.shape[dim] as number;
      }
      return [{ shape: first.shape.map((s, d) => (d === dim ? size : s)), dtype: first.dtype }];
    },
    forward: (k, [out], xs, { dim }) => {
      const y = out as Tensor;
      let start = 0;
      for (const x of xs) {
        const length = x.shape[dim] as number;
        const { shape, strides, offset } = sliceOf(y, { dim, start, length, step: 1 });
        copy(k, y.view(shape, strides, offset), x);
        start += length;
      }
    },
    saves: 'none',
    backward: (o, g, { inputs, attrs: { dim }, needs }) => {
      let start = 0;
      return inputs.map((x, i) => {
        const length = x.shape[dim] as number;
        const attrs = { dim, start, length, step: 1 };
        start += length;
        return needs[i] ? o.slice(g, attrs) : null;
      });
    },
  },
};
