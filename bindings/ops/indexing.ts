// Ops that read or write by index. Indices are i32 tensors, checked before a kernel sees them; negative ones are errors.
import { ArgumentError, formatShape, ShapeError } from '../runtime/errors.ts';
import { expectDtype, expectShape, like, normalizeDim, sameShape, split3 } from './shapes.ts';
import type { Kernels, Probes, Rows, Tensor } from './types.ts';

type Dim = { readonly dim: number };

export interface IndexingOps {
  /** out[.., i, ..] = x[.., index[i], ..] with index [m]. */
  indexSelect(x: Tensor, index: Tensor, attrs: Dim): Tensor;
  /** A copy of x with src[.., i, ..] added at [.., index[i], ..]. */
  indexAdd(x: Tensor, index: Tensor, src: Tensor, attrs: Dim): Tensor;
  /** out[.., i, ..] = x[.., index[.., i, ..], ..]; index has x's shape but for `dim`. */
  gather(x: Tensor, index: Tensor, attrs: Dim): Tensor;
  /** A copy of x with src[.., i, ..] added at [.., index[.., i, ..], ..]. */
  scatterAdd(x: Tensor, index: Tensor, src: Tensor, attrs: Dim): Tensor;
}

function checkIndex(op: string, probes: Probes, x: Tensor, index: Tensor, dim: number): void {
  const size = x.shape[dim] as number;
  const bad = probes.check_index_i32(index, index.size, size);
  if (bad >= 0)
    throw new ArgumentError(
      `${op}: expected indices from 0 to ${size - 1} for dim ${dim} of ${formatShape(x.shape)}, got ${index.data[bad]} at position ${bad}`,
    );
}

function expectIndexed(op: string, x: Tensor, index: Tensor, dim: number): void {
  expectDtype(op, x, 'f32', 'i32');
  expectDtype(op, index, 'i32');
  normalizeDim(op, dim, x.ndim);
  if (x.ndim === 0)
    throw new ShapeError(`${op}: expected a tensor of at least 1 dim, got a single number; reshape it to [1]`);
}

const replaced = (x: Tensor, dim: number, size: number): number[] => x.shape.map((s, d) => (d === dim ? size : s));

function expectSameButDim(op: string, x: Tensor, index: Tensor, dim: number): void {
  if (index.ndim !== x.ndim || !sameShape(replaced(index, dim, 0), replaced(x, dim, 0)))
    throw new ShapeError(
      `${op}: expected index to have the shape ${formatShape(x.shape)} but for dim ${dim}, got ${formatShape(index.shape)}`,
    );
}

/** [outer, n, m, inner]: n positions in x, m in the indexed side. */
function sizes(x: Tensor, m: number, dim: number): [number, number, number, number] {
  const [outer, n, inner] = split3(x.shape, dim);
  return [outer, n, m, inner];
}

const copyOf = (k: Kernels, to: Tensor, from: Tensor): void => k.copy_32(to, from, [1, from.size, 1, 1]);
const zerosLike = (shape: readonly number[]) => ({ shape, value: 0 });

export const indexingRows: Rows<IndexingOps> = {
  indexSelect: {
    infer: ([x, index], { dim }) => {
      expectIndexed('indexSelect', x, index, dim);
      if (index.ndim !== 1)
        throw new ShapeError(`indexSelect: expected an index of 1 dim, got ${formatShape(index.shape)}`);
      return [{ shape: replaced(x, dim, index.size), dtype: x.dtype }];
    },
    check: (probes, [x, index], { dim }) => checkIndex('indexSelect', probes, x, index, dim),
    forward: (k, [out], [x, index], { dim }) =>
      k.index_select_32(out as Tensor, x, index, ...sizes(x, index.size, dim)),
    saves: 'inputs',
    backward: (o, g, { inputs: [x, index], attrs }) => [o.indexAdd(o.full(zerosLike(x.shape)), index, g, attrs), null],
  },
  indexAdd: {
    infer: ([x, index, src], { dim }) => {
      expectIndexed('indexAdd', x, index, dim);
      expectDtype('indexAdd', x, 'f32');
      expectDtype('indexAdd', src, 'f32');
      if (index.ndim !== 1)
        throw new ShapeError(`indexAdd: expected an index of 1 dim, got ${formatShape(index.shape)}`);
      expectShape('indexAdd', 'src', src, replaced(x, dim, index.size));
      return [like(x)];
    },
    check: (probes, [x, index], { dim }) => checkIndex('indexAdd', probes, x, index, dim),
    forward: (k, [out], [x, index, src], { dim }) => {
      copyOf(k, out as Tensor, x);
      k.index_add_f32(out as Tensor, src, index, ...sizes(x, index.size, dim));
    },
    saves: 'inputs',
    backward: (o, g, { inputs: [, index], attrs, needs }) => [
      g,
      null,
      needs[2] ? o.indexSelect(g, index, attrs) : null,
    ],
  },
  gather: {
    infer: ([x, index], { dim }) => {
      expectIndexed('gather', x, index, dim);
      expectSameButDim('gather', x, index, dim);
      return [{ shape: index.shape, dtype: x.dtype }];
    },
    check: (probes, [x, index], { dim }) => checkIndex('gather', probes, x, index, dim),
    forward: (k, [out], [x, index], { dim }) =>
      k.gather_32(out as Tensor, x, index, ...sizes(x, index.shape[dim] as number, dim)),
    saves: 'inputs',
    backward: (o, g, { inputs: [x, index], attrs }) => [
      o.scatterAdd(o.full(zerosLike(x.shape)), index, g, attrs),
      null,
    ],
  },
  scatterAdd: {
    infer: ([x, index, src], { dim }) => {
      expectIndexed('scatterAdd', x, index, dim);
      expectDtype('scatterAdd', x, 'f32');
      expectDtype('scatterAdd', src, 'f32');
      expectSameButDim('scatterAdd', x, index, dim);
      expectShape('scatterAdd', 'src', src, index.shape);
      return [like(x)];
    },
    check: (probes, [x, index], { dim }) => checkIndex('scatterAdd', probes, x, index, dim),
    forward: (k, [out], [x, index, src], { dim }) => {
      copyOf(k, out as Tensor, x);
      k.scatter_add_f32(out as Tensor, index, src, ...sizes(x, index.shape[dim] as number, dim));
    },
    saves: 'inputs',
    backward: (o, g, { inputs: [, index], attrs, needs }) => [g, null, needs[2] ? o.gather(g, index, attrs) : null],
  },
};
