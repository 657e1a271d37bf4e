// Rows of a table by index. All of them are made of one sum of rows, which is its own transpose: so derivatives have
// derivatives of any order.
import { embeddingKernels, orderKernels } from '../generated/kernel-calls.ts';
import { optional } from '../lookup.ts';
import { ArgumentError, formatShape, GradError, ShapeError } from '../memory/errors.ts';
import type { Shape } from '../tensor.ts';
import {
  attrs,
  aux,
  calling,
  f32,
  family,
  grad,
  i32,
  inout,
  maybe,
  type Ops,
  type Probes,
  plain,
  row,
  signature,
  type Tensor,
} from './core.ts';
import { expectShape } from './shapes.ts';
import { packRows, sparseSignatures, stepRows } from './sparse.ts';
import { SparseTensor } from './sparse-tensor.ts';

/** How many rows there are. */
type Rows = { readonly n: number };
/** The row that an entry of `from` or `to` may name to be left out; −1 for none. */
type Skips = { readonly skipFrom: number; readonly skipTo: number };
/**
 * The row without a gradient, or −1; whether gradients are divided by how often the row was taken; whether that of the
 * weight is a SparseTensor.
 */
type Gradients = { readonly padding: number; readonly byFrequency: boolean } & Sparse;
/** Whether the gradient is a SparseTensor, where it needs no derivative itself. */
type Sparse = { readonly sparse?: boolean };

const s = optional(() => ({
  /** y[...index, inner] = weight[index]. */
  embedding: signature({ weight: f32, index: i32 }, { y: grad }, attrs<Gradients>()),
  /**
   * y[n, inner], to[j] += factor[j] x[from[j]]; a list that is not there is 0, 1, 2 …, a factor 1. What an index
   * outside of its rows names is left out.
   */
  sumRows: signature(
    { x: f32, from: maybe(i32), to: maybe(i32), factor: maybe(f32) },
    { y: grad },
    attrs<Rows & Skips & Sparse>(),
  ),
  /** 1 / (how many of the indices are index[j]). */
  indexShares: signature({ index: i32 }, { share: plain, counts: aux }, attrs<Rows>()),
  /** The bag of each entry, or −1, and 1 / (how many entries that has). */
  bagPlaces: signature(
    { index: i32, offsets: maybe(i32) },
    { place: plain, share: plain },
    attrs<{ readonly rows: number; readonly bags: number; readonly padding: number }>(),
  ),
  /** The row of the largest element of each bag, by column; filled [bags, 1] is 0 where there is none. */
  bagMaxima: signature(
    { weight: f32, index: i32, place: i32 },
    { rows: plain, filled: plain },
    attrs<{ readonly bags: number }>(),
  ),
  /** y[index[j]] = x[j]. */
  putRows: signature({ y: inout(f32), index: i32, x: f32 }, {}),
  ...sparseSignatures,
}));
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

/** @throws ShapeError unless x is [rows, inner] */
function expectTable(op: string, what: string, x: Tensor): void {
  if (x.ndim !== 2) throw new ShapeError(`${op}: expected ${what} [rows, width], got ${formatShape(x.sizes)}`);
}

function checkRows(probes: Probes, bound: number, index: Tensor, op: string): void {
  const bad = probes.check_index_i32({ index, n: index.size, bound });
  if (bad >= 0)
    throw new ArgumentError(
      `${op}: expected indices from 0 to ${bound - 1}, one for each row, got ${index.data[bad]} at position ${bad}`,
    );
}

/** How many entries a sum of rows has. */
const entriesOf = (x: Tensor, from: Tensor | null, to: Tensor | null): number =>
  (from ?? to)?.size ?? (x.sizes[0] as number);

/** The gradient of a table, as a sum of rows; of those alone that it has, where it is to be sparse. */
function rowGradient(o: Ops, sum: Parameters<Ops['sumRows']>[0], shape: Shape, skips: Skips, sparse = false): Tensor {
  const n = shape[0] as number;
  const { to } = sum;
  if (!sparse || !to) return o.sumRows(sum, { n, ...skips });
  return new SparseTensor(o.packRows({ ...sum, to }, { n, skip: skips.skipTo }), shape, o);
}

export const embeddingRows = family(calling(orderKernels, calling(embeddingKernels, s)), () => ({
  embedding: row(s.embedding, {
    outputs: (make, { weight, index }, { padding }, op) => {
      expectTable(op, 'a weight', weight);
      const [n, width] = weight.sizes as [number, number];
      if (!(Number.isInteger(padding) && padding >= -1 && padding < n))
        throw new ArgumentError(`${op}: expected paddingIdx from ${-n} to ${n - 1}, got ${padding}`);
      return { y: make([...index.sizes, width], 'f32') };
    },
    check: (probes, { weight, index }, _, op) => checkRows(probes, weight.sizes[0] as number, index, op),
    forward: (k, { y }, { weight, index }) => {
      const [n, inner] = weight.sizes as [number, number];
      k.index_select_32({ y, x: weight, index, outer: 1, n, m: index.size, inner });
    },
    saves: ['index'],
    backward: (o, { y: g }, { index }, { padding, byFrequency, sparse }, { shapes, noted }) => {
      const [n, width] = shapes.weight as readonly [number, number];
      const [x, to] = [
        o.reshape({ x: g }, { shape: [index.size, width] }),
        o.reshape({ x: index }, { shape: [index.size] }),
      ];
      const factor = byFrequency ? o.indexShares({ index }, { n }) : null;
      const skips = { skipFrom: -1, skipTo: padding };
      return { weight: rowGradient(o, { x, from: null, to, factor }, shapes.weight, skips, !noted && sparse) };
    },
  }),
  sumRows: row(s.sumRows, {
    outputs: (make, { x, from, to, factor }, { n }, op) => {
      expectTable(op, 'rows', x);
      const m = entriesOf(x, from, to);
      if (to && to.size !== m)
        throw new ShapeError(`${op}: expected as many places as rows to take, got ${to.size} and ${m}`);
      if (factor) expectShape(op, 'the factors', factor, [m]);
      return { y: make([n, x.sizes[1] as number], 'f32') };
    },
    forward: (k, { y }, { x, from, to, factor }, { n, skipFrom, skipTo }) => {
      const [rows, inner] = x.sizes as [number, number];
      const m = entriesOf(x, from, to);
      k.sum_rows_f32({ y, x, from, to, factor, n, rows, m, inner, step: inner, skipFrom, skipTo });
    },
    saves: ['from', 'to', 'factor'],
    backward: (o, { y: g }, { from, to, factor }, { skipFrom, skipTo, sparse }, { shapes, needs, noted }) => {
      if (needs.factor)
        throw new GradError('sumRows: expected factors without a gradient, got some that want one; multiply the rows');
      const skips = { skipFrom: skipTo, skipTo: skipFrom };
      return { x: rowGradient(o, { x: g, from: to, to: from, factor }, shapes.x, skips, !noted && sparse) };
    },
  }),
  indexShares: row(s.indexShares, {
    outputs: (make, { index }, { n }) => ({ share: make([index.size], 'f32'), counts: make([n], 'i32') }),
    forward: (k, { share, counts }, { index }, { n }) => k.index_shares_f32({ share, counts, index, n, m: index.size }),
  }),
  bagPlaces: row(s.bagPlaces, {
    outputs: (make, { index, offsets }, { bags }, op) => {
      if (offsets) expectShape(op, 'offsets', offsets, [bags]);
      else if (bags > 0 ? index.size % bags !== 0 : index.size > 0)
        throw new ShapeError(`${op}: expected bags of one size, got ${bags} of ${index.size} indices together`);
      return { place: make([index.size], 'i32'), share: make([index.size], 'f32') };
    },
    check: (probes, { index, offsets }, { rows, bags }, op) => {
      checkRows(probes, rows, index, op);
      const bad = offsets ? probes.check_offsets_i32({ offsets, bags, m: index.size }) : -1;
      if (bad >= 0)
        throw new ArgumentError(
          `${op}: expected offsets that begin with 0 and rise to at most ${index.size}, got ${offsets?.data[bad]} at position ${bad}`,
        );
    },
    forward: (k, { place, share }, { index, offsets }, { bags, padding }) =>
      k.bag_places_f32({ place, share, index, offsets, bags, m: index.size, padding }),
  }),
  bagMaxima: row(s.bagMaxima, {
    outputs: (make, { weight, index, place }, { bags }, op) => {
      expectTable(op, 'a weight', weight);
      expectShape(op, 'the places', place, [index.size]);
      return { rows: make([bags, weight.sizes[1] as number], 'i32'), filled: make([bags, 1], 'f32') };
    },
    forward: (k, { rows: row, filled }, { weight, index, place }, { bags }) => {
      const [rows, inner] = weight.sizes as [number, number];
      k.bag_argmax_f32({ row, filled, x: weight, index, place, rows, bags, m: index.size, inner });
    },
  }),
  putRows: row(s.putRows, {
    outputs: (_, { y, index, x }, __, op) => {
      expectTable(op, 'a tensor to write', y);
      expectShape(op, 'the rows', x, [index.size, y.sizes[1] as number]);
      return {};
    },
    check: (probes, { y, index }, _, op) => checkRows(probes, y.sizes[0] as number, index, op),
    forward: (k, _, { y, index, x }) => {
      const [n, inner] = y.sizes as [number, number];
      k.put_rows_f32({ y, x, index, n, m: index.size, inner });
    },
  }),
  packRows: packRows(),
  stepRows: stepRows(),
}));
