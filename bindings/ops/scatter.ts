// Writes by index into a copy: in the place of what is there, or joined with it.

import { scatterKernels } from '../generated/kernel-calls.ts';
import { optional } from '../lookup.ts';
import { ArgumentError } from '../memory/errors.ts';
import { constant, div, mul, where } from './algebra.ts';
import { attrs, calling, family, grad, i32, numeric, type Ops, plain, row, signature, type Tensor } from './core.ts';
import { checkIndex, copyOf, expectIndexed, expectSameButDim, expectVector, placesOf, replaced } from './indexing.ts';
import { expectSameDtype, expectShape } from './shapes.ts';

type Dim = { readonly dim: number };
/** How an element joins what is there: in its place, or by a sum, a product, or as the greatest or least of both. */
export type Joining = 'set' | 'sum' | 'prod' | 'amax' | 'amin';
type Join = Dim & { readonly how: Joining };
const CODES: Readonly<Record<Joining, number>> = { set: 0, sum: 1, prod: 2, amax: 3, amin: 4 };

const s = optional(() => ({
  /** A copy of x with src[.., i, ..] joined to what is at [.., index[.., i, ..], ..]. */
  scatter: signature({ x: numeric, index: i32, src: numeric }, { y: grad }, attrs<Join>()),
  /** A copy of x with src[.., i, ..] at [.., index[i], ..]. */
  indexCopy: signature({ x: numeric, index: i32, src: numeric }, { y: grad }, attrs<Dim>()),
  /** Indices as they are, when they are known to be from 0 to size − 1, or to have been before size was added. */
  checkedIndex: signature({ x: i32 }, { y: plain }, attrs<{ readonly size: number; readonly dim: number }>()),
  /** Where a flat position lies along an axis of `size` elements that are `stride` apart. */
  coordinate: signature({ x: i32 }, { y: plain }, attrs<{ readonly size: number; readonly stride: number }>()),
}));
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

interface Scattered {
  readonly x: Tensor;
  readonly index: Tensor;
  readonly src: Tensor;
}
interface Wanted {
  readonly x: boolean;
  readonly src: boolean;
}
type Gradients = { readonly x: Tensor | null; readonly src: Tensor | null };

const zeros = (o: Ops, shape: readonly number[], value = 0): Tensor => o.full({}, { shape, value });
const asNumbers = (o: Ops, mask: Tensor): Tensor => o.cast({ x: mask }, { dtype: 'f32' });

/** The gradients of a product, where factors may be 0 (PyTorch's scatter_reduce_backward). */
function productBackward(o: Ops, g: Tensor, { x, index, src }: Scattered, y: Tensor, { dim }: Dim): Gradients {
  const [zero, one] = [constant(o, 0), constant(o, 1)];
  const at = (t: Tensor): Tensor => o.gather({ x: t, index }, { dim });
  const product = (a: Tensor, b: Tensor): Tensor => o.scatter({ x: a, index, src: b }, { dim, how: 'prod' });
  const nonzero = where(o, o.eq({ a: x, b: zero }), one, x);
  const isZero = o.eq({ a: src, b: zero });
  const count = o.scatterAdd({ x: zeros(o, x.sizes), index, src: asNumbers(o, isZero) }, { dim });
  // The only factor that is 0 at its place: its gradient is the product of the others.
  const alone = o.logicalAnd({ a: isZero, b: o.eq({ a: at(count), b: one }) });
  const others = product(x, where(o, alone, one, src));
  return {
    x: div(o, mul(o, g, product(nonzero, src)), nonzero),
    src: where(o, alone, at(mul(o, g, others)), div(o, at(mul(o, g, y)), where(o, isZero, one, src))),
  };
}

/** Equal extremes at one place share its gradient. */
function extremeBackward(o: Ops, g: Tensor, { x, index, src }: Scattered, y: Tensor, { dim }: Dim): Gradients {
  const at = (t: Tensor): Tensor => o.gather({ x: t, index }, { dim });
  const own = asNumbers(o, o.eq({ a: x, b: y }));
  const theirs = asNumbers(o, o.eq({ a: src, b: at(y) }));
  const share = div(o, g, o.scatterAdd({ x: own, index, src: theirs }, { dim }));
  return { x: mul(o, own, share), src: mul(o, theirs, at(share)) };
}

function scatterBackward(
  o: Ops,
  g: Tensor,
  saved: Scattered & { y: Tensor },
  { dim, how }: Join,
  needs: Wanted,
): Gradients {
  const { index } = saved;
  if (how === 'prod') return productBackward(o, g, saved, saved.y, { dim });
  if (how === 'amax' || how === 'amin') return extremeBackward(o, g, saved, saved.y, { dim });
  const src = needs.src ? o.gather({ x: g, index }, { dim }) : null;
  if (how === 'sum') return { x: g, src };
  return { x: needs.x ? o.scatter({ x: g, index, src: zeros(o, index.sizes) }, { dim, how }) : null, src };
}

export const scatterRows = family(calling(scatterKernels, s), () => ({
  scatter: row(s.scatter, {
    outputs: (make, { x, index, src }, { dim }, op) => {
      expectIndexed(op, x, { dim });
      expectSameButDim(op, x, index, dim);
      expectSameDtype(op, x, src);
      expectShape(op, 'src', src, index.sizes);
      return { y: make(x.sizes, x.dtype) };
    },
    check: checkIndex,
    forward: (k, { y }, { x, index, src }, { dim, how }) => {
      copyOf(k, y, x);
      // The codes of i32 follow those of f32.
      const code = CODES[how] + (x.dtype === 'f32' ? 0 : 5);
      k.scatter_32({ y, index, src, ...placesOf(x, index.sizes[dim] as number, dim), how: code });
    },
    saves: ['x', 'index', 'src', 'y'],
    backward: (o, { y: g }, saved, attributes, { needs }) => scatterBackward(o, g, saved, attributes, needs),
  }),
  indexCopy: row(s.indexCopy, {
    outputs: (make, { x, index, src }, { dim }, op) => {
      expectIndexed(op, x, { dim });
      expectVector(op, index);
      expectSameDtype(op, x, src);
      expectShape(op, 'src', src, replaced(x, dim, index.size));
      return { y: make(x.sizes, x.dtype) };
    },
    check: checkIndex,
    forward: (k, { y }, { x, index, src }, { dim }) => {
      copyOf(k, y, x);
      k.index_copy_32({ y, src, index, ...placesOf(x, index.size, dim) });
    },
    saves: ['index'],
    backward: (o, { y: g }, { index }, dim, { needs, shapes }) => ({
      x: needs.x ? o.indexCopy({ x: g, index, src: zeros(o, shapes.src) }, dim) : null,
      src: needs.src ? o.indexSelect({ x: g, index }, dim) : null,
    }),
  }),
  checkedIndex: row(s.checkedIndex, {
    title: () => 'at',
    outputs: (make, { x }) => ({ y: make(x.sizes, 'i32') }),
    check: (probes, { x }, { size, dim }, op) => {
      const bad = probes.check_index_i32({ index: x, n: x.size, bound: size });
      if (bad < 0) return;
      const got = x.data[bad] as number;
      throw new ArgumentError(
        `${op}: expected indices from ${-size} to ${size - 1} for dim ${dim}, got ${got < 0 ? got - size : got} at position ${bad}`,
      );
    },
    forward: (k, { y }, { x }) => copyOf(k, y, x),
  }),
  coordinate: row(s.coordinate, {
    outputs: (make, { x }) => ({ y: make(x.sizes, 'i32') }),
    forward: (k, { y }, { x }, { size, stride }) => k.coordinate_i32({ y, x, n: x.size, size, stride }),
  }),
}));
