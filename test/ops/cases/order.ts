// Cases of sorting, running extremes and searches.
import { at, build, forEachIndex, type Nd, nd } from '../../../reference/nd.ts';
import {
  argumentError,
  type Cases,
  distinct,
  dtypeError,
  f32,
  freedError,
  grid,
  i32,
  list,
  type Sample,
  shapeError,
  u8,
  whole,
} from './types.ts';

const EXACT = { relative: 0 };

/** NaN is greater than all. */
const compare = (a: number, b: number): number =>
  Number.isNaN(a) || Number.isNaN(b) ? Number(Number.isNaN(a)) - Number(Number.isNaN(b)) : a - b;

/** The places of the first k of a row in order. */
const placesIn = (row: readonly number[], k: number, descending: boolean): number[] =>
  row
    .map((_, i) => i)
    .sort((a, b) => (descending ? -1 : 1) * compare(row[a] as number, row[b] as number) || a - b)
    .slice(0, k);
const rowsOf = (x: Nd): number[][] => {
  const n = x.shape.at(-1) as number;
  return Array.from({ length: n === 0 ? 0 : x.data.length / n }, (_, o) => [...x.data.subarray(o * n, (o + 1) * n)]);
};

const sort = (shape: readonly number[], k: number, descending = false): Sample<'sort'> => ({
  inputs: { x: f32(shape, distinct()) },
  attrs: { k, descending },
});
const special = list(2, Number.NaN, -0, 0, Number.POSITIVE_INFINITY, 1, -1, Number.NEGATIVE_INFINITY, Number.NaN, 1);

const running = (
  shape: readonly number[],
  dim: number,
  least: boolean,
  fill = distinct(),
): Sample<'cumulativeArg'> => ({
  inputs: { x: f32(shape, fill) },
  attrs: { dim, least },
});

/** Numbers in order, two of each. */
const sorted =
  (step: number) =>
  (n: number): number[] =>
    Array.from({ length: n }, (_, i) => Math.floor(i / 2) * step);

export const orderCases = {
  sort: {
    samples: [
      sort([1], 1),
      sort([7], 7),
      sort([3, 5], 5, true),
      sort([2, 3, 4], 4),
      sort([3, 50], 50),
      sort([2, 300], 300, true),
      sort([3, 600], 4),
      sort([2, 600], 4, true),
      sort([2, 61], 32, true),
      sort([300], 33),
      sort([3, 5], 2),
      sort([3, 5], 0),
      sort([0, 4], 4),
      sort([2, 0], 0),
      // More than the workspace has room for.
      { ...sort([5000], 5000), valueOnly: true },
      { ...sort([9000], 1100, true), valueOnly: true },
      { inputs: { x: f32([70], grid(0.5)) }, attrs: { k: 70, descending: true }, valueOnly: true },
      { inputs: { x: f32([10], special) }, attrs: { k: 10, descending: false }, valueOnly: true },
      { inputs: { x: f32([2, 50], special) }, attrs: { k: 50, descending: true }, valueOnly: true },
      { inputs: { x: i32([9], list(3, -3, 2 ** 31 - 1, -(2 ** 31))) }, attrs: { k: 9, descending: true } },
    ],
    reference: ({ x }, { k, descending }) => {
      const shape = [...x.shape.slice(0, -1), k];
      const places = rowsOf(x).map((row) => placesIn(row, k, descending));
      const values = rowsOf(x).flatMap((row, o) => (places[o] as number[]).map((i) => row[i] as number));
      return { values: nd(shape, values), indices: nd(shape, places.flat()) };
    },
    dtype: { indices: 'i32' },
    tolerance: EXACT,
    gradients: 'all',
    errors: [
      shapeError({ x: f32([]) }, { k: 0, descending: false }, /^sort: expected a tensor of at least 1 dim/),
      argumentError({ x: f32([3]) }, { k: 4, descending: false }, /^sort: expected k from 0 to 3.*got 4/),
      dtypeError({ x: u8([3]) }, { k: 3, descending: false }, /^sort: expected dtype f32 or i32, got u8/),
    ],
  },
  cumulativeArg: {
    samples: [
      running([7], 0, false),
      running([3, 5], 1, true),
      running([3, 5], 0, false),
      running([3, 4], 0, true),
      running([4, 6], 0, false),
      running([2, 9, 3], 1, true, grid(0.5)),
      running([10], 0, false, special),
      running([10], 0, true, special),
      running([1], 0, true),
      running([0, 3], 0, false),
      running([31, 7], 0, false, grid(0.5)),
      running([2, 37], 1, false, grid(0.5)),
      running([2, 37], 1, true, grid(0.5)),
      // Each before is greater than all behind it.
      running([43], 0, false, (n) => Array.from({ length: n }, (_, i) => n - i)),
      { inputs: { x: i32([9], list(3, -3, 2 ** 31 - 1, -(2 ** 31))) }, attrs: { dim: 0, least: true } },
    ],
    reference: ({ x }, { dim, least }) => {
      const y = build(x.shape, () => 0);
      forEachIndex(x.shape, (index) => {
        const here = index[dim] as number;
        let best = 0;
        for (let j = 1; j <= here; j++) {
          const [a, b] = [at(x, index.with(dim, j)), at(x, index.with(dim, best))];
          if (Number.isNaN(a) || (!Number.isNaN(b) && (least ? a <= b : a >= b))) best = j;
        }
        y.data[index.reduce((p, i, d) => p * (x.shape[d] as number) + i, 0)] = best;
      });
      return y;
    },
    dtype: 'i32',
    tolerance: EXACT,
    gradients: 'none',
    errors: [
      shapeError({ x: f32([3]) }, { dim: 1, least: false }, /^cumulativeArg: expected dim from -1 to 0, got 1/),
      dtypeError({ x: u8([3]) }, { dim: 0, least: false }, /^cumulativeArg: expected dtype f32 or i32, got u8/),
      freedError({ x: f32([3]) }, { dim: 0, least: false }),
    ],
  },
  searchSorted: {
    samples: [
      ...[false, true].flatMap((right) => [
        { inputs: { x: f32([6], sorted(1)), v: f32([9], grid(0.5, 0, -1, 4)) }, attrs: { right } },
        { inputs: { x: f32([8], sorted(1)), v: f32([5], grid(0.5, 0, -1, 4)) }, attrs: { right } },
        { inputs: { x: f32([1], sorted(1)), v: f32([1], list(0)) }, attrs: { right } },
        { inputs: { x: f32([0]), v: f32([2, 3]) }, attrs: { right } },
        { inputs: { x: f32([3]), v: f32([0, 3]) }, attrs: { right } },
        { inputs: { x: f32([37], sorted(0.5)), v: f32([31, 7], grid(0.5, 0, -1, 11)) }, attrs: { right } },
        {
          inputs: {
            x: f32([3, 5], (n) => sorted(1)(5).concat(sorted(2)(5), sorted(3)(5)).slice(0, n)),
            v: f32([3, 7], grid(1, 0, -1, 5)),
          },
          attrs: { right },
        },
        { inputs: { x: i32([6], sorted(1)), v: i32([9], whole(-1, 5)) }, attrs: { right } },
      ]),
    ] satisfies Sample<'searchSorted'>[],
    reference: ({ x, v }, { right }) =>
      build(v.shape, (index) => {
        const row =
          x.shape.length === 1
            ? [...x.data]
            : rowsOf(x)[v.shape.slice(0, -1).reduce((p, size, d) => p * size + (index[d] as number), 0)];
        const value = at(v, index);
        return (row as number[]).filter((each) => each < value || (right && each === value)).length;
      }),
    dtype: 'i32',
    tolerance: EXACT,
    gradients: 'none',
    errors: [
      shapeError(
        { x: f32([2, 3]), v: f32([3, 3]) },
        { right: false },
        /^searchSorted: expected a sorted vector, or .*got \[2, 3\] for \[3, 3\]/,
      ),
      shapeError({ x: f32([]), v: f32([3]) }, { right: false }, /^searchSorted: expected a sorted vector/),
      dtypeError(
        { x: f32([3]), v: i32([3]) },
        { right: false },
        /^searchSorted: expected both of one dtype, got f32 and i32/,
      ),
      freedError({ x: f32([3]), v: f32([3]) }, { right: false }),
    ],
  },
} satisfies Cases;
