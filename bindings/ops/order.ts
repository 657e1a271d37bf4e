// What puts the last dim in order, finds extremes on the way along a dim, or searches in what is in order.
import { orderKernels } from '../generated/kernel-calls.ts';
import { sortRoom } from '../kernels/order.ts';
import { optional } from '../lookup.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { attrs, aux, calling, family, grad, numeric, plain, row, signature, type Tensor } from './core.ts';
import { expectSameDtype, normalizeDim, sameShape, split3 } from './shapes.ts';

const s = optional(() => ({
  /** The first k of the last dim in order, and their places; of equal ones the first comes first. */
  sort: signature(
    { x: numeric },
    { values: grad, indices: plain, scratch: aux },
    attrs<{ readonly k: number; readonly descending: boolean }>(),
  ),
  /** Where the greatest, or the least, of all until there lies; of equal ones the last. */
  cumulativeArg: signature(
    { x: numeric },
    { index: plain },
    attrs<{ readonly dim: number; readonly least: boolean }>(),
  ),
  /** How many of the last dim of x, which is in order, are less than each of v; with `right`, not greater. */
  searchSorted: signature({ x: numeric, v: numeric }, { index: plain }, attrs<{ readonly right: boolean }>()),
}));
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

const orderOf = (x: Tensor, down: boolean): number => Number(x.dtype === 'f32') + 2 * Number(down);

export const orderRows = family(calling(orderKernels, s), () => ({
  sort: row(s.sort, {
    outputs: (make, { x }, { k }, op) => {
      const n = x.sizes.at(-1);
      if (n === undefined)
        throw new ShapeError(`${op}: expected a tensor of at least 1 dim, got a single number; reshape it to [1]`);
      if (!(Number.isInteger(k) && k >= 0 && k <= n))
        throw new ArgumentError(`${op}: expected k from 0 to ${n}, the size of the dim, got ${k}`);
      const shape = [...x.sizes.slice(0, -1), k];
      const { width } = sortRoom(n, k);
      return {
        values: make(shape, x.dtype),
        indices: make(shape, 'i32'),
        scratch: make([n === 0 ? 0 : x.size / n, width], 'i32'),
      };
    },
    forward: (k, { values, indices, scratch }, { x }, attributes) => {
      const n = x.sizes.at(-1) as number;
      const outer = n === 0 ? 0 : x.size / n;
      k.sort_32({
        ...{ index: indices, scratch, x, outer, n, k: attributes.k, room: sortRoom(n, attributes.k).room },
        width: scratch.sizes[1] as number,
        order: orderOf(x, attributes.descending),
      });
      k.gather_32({ y: values, x, index: indices, outer, n, m: attributes.k, inner: 1 });
    },
    saves: ['indices'],
    backward: (o, { values: g }, { indices: index }, _, { shapes }) => ({
      x: o.scatterAdd({ x: o.full({}, { shape: shapes.x, value: 0 }), index, src: g }, { dim: shapes.x.length - 1 }),
    }),
  }),
  cumulativeArg: row(s.cumulativeArg, {
    outputs: (make, { x }, { dim }, op) => {
      normalizeDim(op, dim, x.ndim);
      return { index: make(x.sizes, 'i32') };
    },
    forward: (k, { index }, { x }, { dim, least }) => {
      const [outer, r, inner] = split3(x.sizes, dim);
      k.cumulative_arg_32({ index, x, outer, r, inner, order: orderOf(x, least) });
    },
  }),
  searchSorted: row(s.searchSorted, {
    outputs: (make, { x, v }, _, op) => {
      expectSameDtype(op, x, v);
      if (x.ndim < 1 || (x.ndim > 1 && !sameShape(x.sizes.slice(0, -1), v.sizes.slice(0, -1))))
        throw new ShapeError(
          `${op}: expected a sorted vector, or one for each of the same leading dims, got ${formatShape(x.sizes)} for ${formatShape(v.sizes)}`,
        );
      return { index: make(v.sizes, 'i32') };
    },
    forward: (k, { index }, { x, v }, { right }) => {
      const n = x.sizes.at(-1) as number;
      const shared = x.ndim === 1;
      const m = shared ? v.size : (v.sizes.at(-1) as number);
      const outer = shared || m === 0 ? 1 : v.size / m;
      const call = { outer, n, m, xRow: shared ? 0 : n, right: Number(right), order: orderOf(x, false) };
      k.search_sorted_32({ y: index, x, v, ...call });
    },
  }),
}));
