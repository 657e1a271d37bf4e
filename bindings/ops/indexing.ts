// Ops that read or write by index. Indices are i32 tensors, checked before a kernel sees them; negative ones are
// errors.
import { dtypes } from '../dtypes.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import {
  any,
  attrs,
  f32,
  family,
  grad,
  i32,
  type Kernels,
  type Probes,
  plain,
  row,
  signature,
  type Tensor,
  u8,
} from './core.ts';
import { expectShape, normalizeDim, sameShape, split3 } from './shapes.ts';

type Dim = { readonly dim: number };
const picked = () => signature({ x: any, index: i32 }, { y: grad }, attrs<Dim>());
const added = () => signature({ x: f32, index: i32, src: f32 }, { y: grad }, attrs<Dim>());

const s = {
  /** y[.., i, ..] = x[.., index[i], ..] with index [m]. */
  indexSelect: picked(),
  /** A copy of x with src[.., i, ..] added at [.., index[i], ..]. */
  indexAdd: added(),
  /** y[.., i, ..] = x[.., index[.., i, ..], ..]; index has x's shape but for `dim`. */
  gather: picked(),
  /** A copy of x with src[.., i, ..] added at [.., index[.., i, ..], ..]. */
  scatterAdd: added(),
  /** The positions of a mask that are not 0, in order: `count` of them. */
  maskPositions: signature({ mask: u8 }, { index: plain }, attrs<{ readonly count: number }>()),
};
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

/** @throws ArgumentError where an index is outside of dim `dim` of x */
export function checkIndex(probes: Probes, { x, index }: { x: Tensor; index: Tensor }, { dim }: Dim, op: string): void {
  const bound = x.sizes[dim] as number;
  const bad = probes.check_index_i32({ index, n: index.size, bound });
  if (bad >= 0)
    throw new ArgumentError(
      `${op}: expected indices from 0 to ${bound - 1} for dim ${dim} of ${formatShape(x.sizes)}, got ${index.data[bad]} at position ${bad}`,
    );
}

export function expectIndexed(op: string, x: Tensor, { dim }: Dim): void {
  normalizeDim(op, dim, x.ndim);
  if (x.ndim === 0)
    throw new ShapeError(`${op}: expected a tensor of at least 1 dim, got a single number; reshape it to [1]`);
}

export const replaced = (x: Tensor, dim: number, size: number): number[] =>
  x.sizes.map((n, d) => (d === dim ? size : n));

export function expectVector(op: string, index: Tensor): void {
  if (index.ndim !== 1) throw new ShapeError(`${op}: expected an index of 1 dim, got ${formatShape(index.sizes)}`);
}

export function expectSameButDim(op: string, x: Tensor, index: Tensor, dim: number): void {
  if (index.ndim !== x.ndim || !sameShape(replaced(index, dim, 0), replaced(x, dim, 0)))
    throw new ShapeError(
      `${op}: expected index to have the shape ${formatShape(x.sizes)} but for dim ${dim}, got ${formatShape(index.sizes)}`,
    );
}

/** n positions in x, m in the indexed side. */
export function placesOf(x: Tensor, m: number, dim: number): { outer: number; n: number; m: number; inner: number } {
  const [outer, n, inner] = split3(x.sizes, dim);
  return { outer, n, m, inner };
}

export const copyOf = (k: Kernels, y: Tensor, x: Tensor): void => k.copy_32({ y, x, dims: [1, x.size, 1, 1] });

export const indexingRows = family(s, () => ({
  indexSelect: row(s.indexSelect, {
    outputs: (make, { x, index }, { dim }, op) => {
      expectIndexed(op, x, { dim });
      expectVector(op, index);
      return { y: make(replaced(x, dim, index.size), x.dtype) };
    },
    check: checkIndex,
    forward: (k, { y }, { x, index }, { dim }) => {
      const call = { y, x, index, ...placesOf(x, index.size, dim) };
      if (dtypes[x.dtype].bytes === 1) k.index_select_8(call);
      else k.index_select_32(call);
    },
    saves: ['index'],
    backward: (o, { y: g }, { index }, dim, { shapes }) => ({
      x: o.indexAdd({ x: o.full({}, { shape: shapes.x, value: 0 }), index, src: g }, dim),
    }),
  }),
  indexAdd: row(s.indexAdd, {
    outputs: (make, { x, index, src }, { dim }, op) => {
      expectIndexed(op, x, { dim });
      expectVector(op, index);
      expectShape(op, 'src', src, replaced(x, dim, index.size));
      return { y: make(x.sizes, 'f32') };
    },
    check: checkIndex,
    forward: (k, { y }, { x, index, src }, { dim }) => {
      copyOf(k, y, x);
      k.index_add_f32({ y, src, index, ...placesOf(x, index.size, dim) });
    },
    saves: ['index'],
    backward: (o, { y: g }, { index }, dim, { needs }) => ({
      x: g,
      src: needs.src ? o.indexSelect({ x: g, index }, dim) : null,
    }),
  }),
  gather: row(s.gather, {
    outputs: (make, { x, index }, { dim }, op) => {
      expectIndexed(op, x, { dim });
      expectSameButDim(op, x, index, dim);
      return { y: make(index.sizes, x.dtype) };
    },
    check: checkIndex,
    forward: (k, { y }, { x, index }, { dim }) => {
      const call = { y, x, index, ...placesOf(x, index.sizes[dim] as number, dim) };
      if (dtypes[x.dtype].bytes === 1) k.gather_8(call);
      else k.gather_32(call);
    },
    saves: ['index'],
    backward: (o, { y: g }, { index }, dim, { shapes }) => ({
      x: o.scatterAdd({ x: o.full({}, { shape: shapes.x, value: 0 }), index, src: g }, dim),
    }),
  }),
  scatterAdd: row(s.scatterAdd, {
    outputs: (make, { x, index, src }, { dim }, op) => {
      expectIndexed(op, x, { dim });
      expectSameButDim(op, x, index, dim);
      expectShape(op, 'src', src, index.sizes);
      return { y: make(x.sizes, 'f32') };
    },
    check: checkIndex,
    forward: (k, { y }, { x, index, src }, { dim }) => {
      copyOf(k, y, x);
      k.scatter_add_f32({ y, index, src, ...placesOf(x, index.sizes[dim] as number, dim) });
    },
    saves: ['index'],
    backward: (o, { y: g }, { index }, dim, { needs }) => ({
      x: g,
      src: needs.src ? o.gather({ x: g, index }, dim) : null,
    }),
  }),
  maskPositions: row(s.maskPositions, {
    outputs: (make, _, { count }) => ({ index: make([count], 'i32') }),
    check: (probes, { mask }, { count }, op) => {
      const found = probes.check_nonzero_u8({ mask, n: mask.size, count });
      if (found >= 0) throw new ArgumentError(`${op}: expected ${count} elements that are not 0, got ${found}`);
    },
    forward: (k, { index }, { mask }) => k.nonzero_u8({ index, mask, n: mask.size, count: index.size }),
  }),
}));
