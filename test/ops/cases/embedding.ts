// Cases of rows by index.
import { at, build, type Nd, nd } from '../../../reference/nd.ts';
import {
  argumentError,
  type Bad,
  type Cases,
  distinct,
  dtypeError,
  f32,
  freedError,
  i32,
  list,
  type Sample,
  type Spec,
  shapeError,
  whole,
} from './types.ts';

const EXACT = { relative: 0 };
const SUMS = { relative: 1e-6, absolute: 2e-6 };
const NO_GRADIENTS = { padding: -1, byFrequency: false };
const NO_SKIPS = { skipFrom: -1, skipTo: -1 };

/** rows, width and the shape of the indices. */
const tables: readonly (readonly [rows: number, width: number, index: readonly number[]])[] = [
  [5, 3, [2, 4]],
  [3, 1, [7]],
  [4, 17, []],
  [1, 37, [3]],
  [2, 5, [0]],
  [3, 0, [2]],
  [97, 67, [40]],
];

/** rows, width, n and m. */
const sums: readonly (readonly [rows: number, width: number, n: number, m: number])[] = [
  [5, 3, 4, 7],
  [3, 1, 5, 2],
  [1, 1, 1, 1],
  [2, 37, 1, 9],
  [4, 5, 3, 0],
  [3, 0, 2, 2],
  [4, 4, 3, 5],
  [5, 6, 4, 6],
  [31, 67, 17, 40],
];

type Sum = Sample<'sumRows'>;
const sumSamples: Sum[] = sums.flatMap(([rows, width, n, m]): Sum[] => {
  const x = f32([rows, width]);
  const [from, to, factor] = [i32([m], whole(0, rows)), i32([m], whole(0, n)), f32([m])];
  const attrs = { n, ...NO_SKIPS };
  const few = f32([m, width]);
  return [
    { inputs: { x, from, to, factor }, attrs },
    { inputs: { x, from, to, factor: null }, attrs },
    { inputs: { x: few, from: null, to, factor }, attrs: { n, skipFrom: 0, skipTo: 0 } },
    { inputs: { x, from, to: null, factor: null }, attrs: { n: m, skipFrom: 1, skipTo: 0 } },
    // Indices that name no row.
    { inputs: { x, from: i32([m], whole(-2, rows + 2)), to: i32([m], whole(-1, n + 1)), factor }, attrs },
  ];
});

function summed(
  { x, from, to, factor }: { x: Nd; from: Nd | null; to: Nd | null; factor: Nd | null },
  { n, skipFrom, skipTo }: { n: number; skipFrom: number; skipTo: number },
): Nd {
  const [rows, width] = x.shape as [number, number];
  const m = (from ?? to)?.data.length ?? rows;
  const y = nd([n, width], new Array(n * width).fill(0));
  for (let j = 0; j < m; j++) {
    const [a, b] = [from ? at(from, [j]) : j, to ? at(to, [j]) : j];
    if (a < 0 || a >= rows || b < 0 || b >= n || (from && a === skipFrom) || (to && b === skipTo)) continue;
    for (let i = 0; i < width; i++)
      y.data[b * width + i] = (y.data[b * width + i] as number) + at(x, [a, i]) * (factor ? at(factor, [j]) : 1);
  }
  return y;
}

const bags = (
  index: readonly number[],
  offsets: readonly number[] | null,
  padding: number,
  count = offsets?.length as number,
): Sample<'bagPlaces'> => ({
  inputs: {
    index: i32([index.length], list(...index)),
    offsets: offsets && i32([offsets.length], list(...offsets)),
  },
  attrs: { rows: 4, bags: count, padding },
});
const maxima = (
  rows: number,
  width: number,
  index: readonly number[],
  place: readonly number[],
  count: number,
): Sample<'bagMaxima'> => ({
  inputs: {
    weight: f32([rows, width], distinct()),
    index: i32([index.length], list(...index)),
    place: i32([place.length], list(...place)),
  },
  attrs: { bags: count },
});

/** Indices that are out of range at both ends. */
const rangeErrors = (op: string, table: string, others: Readonly<Record<string, Spec>> = {}, attrs?: unknown): Bad[] =>
  [3, -1].map((bad) =>
    argumentError(
      { [table]: f32([3, 2]), index: i32([3], list(0, 2, bad)), ...others },
      attrs,
      new RegExp(`^${op}: expected indices from 0 to 2, one for each row, got ${bad} at position 2`),
    ),
  );

export const embeddingCases = {
  embedding: {
    samples: tables.flatMap(([rows, width, shape]): Sample<'embedding'>[] => {
      const inputs = { weight: f32([rows, width]), index: i32(shape, whole(0, rows)) };
      return [
        { inputs, attrs: NO_GRADIENTS },
        // Gradients by frequency are no derivatives.
        { inputs, attrs: { padding: 0, byFrequency: true }, valueOnly: true },
      ];
    }),
    reference: ({ weight, index }) =>
      build([...index.shape, weight.shape[1] as number], (i) =>
        at(weight, [at(index, i.slice(0, -1)), i.at(-1) as number]),
      ),
    tolerance: EXACT,
    gradients: { weight: true },
    errors: [
      ...rangeErrors('embedding', 'weight', {}, NO_GRADIENTS),
      shapeError(
        { weight: f32([3]), index: i32([1], list(0)) },
        NO_GRADIENTS,
        /^embedding: expected a weight \[rows, width\], got \[3\]/,
      ),
      argumentError(
        { weight: f32([3, 2]), index: i32([1], list(0)) },
        { ...NO_GRADIENTS, padding: 3 },
        /^embedding: expected paddingIdx from -3 to 2, got 3/,
      ),
      dtypeError({ weight: f32([3, 2]), index: f32([1]) }, NO_GRADIENTS, /^embedding: expected dtype i32, got f32/),
    ] as unknown as [Bad, Bad, Bad],
  },
  sumRows: {
    samples: sumSamples,
    reference: (inputs, attrs) => summed(inputs, attrs),
    tolerance: SUMS,
    gradients: { x: true, factor: 'throws' },
    errors: [
      shapeError(
        { x: f32([3]), from: null, to: null, factor: null },
        { n: 1, ...NO_SKIPS },
        /^sumRows: expected rows \[rows, width\], got \[3\]/,
      ),
      shapeError(
        { x: f32([3, 2]), from: i32([2], list(0)), to: i32([3], list(0)), factor: null },
        { n: 1, ...NO_SKIPS },
        /^sumRows: expected as many places as rows to take, got 3 and 2/,
      ),
      shapeError(
        { x: f32([3, 2]), from: i32([2], list(0)), to: null, factor: f32([3]) },
        { n: 2, ...NO_SKIPS },
        /^sumRows: expected the factors of shape \[2\], got \[3\]/,
      ),
    ],
  },
  indexShares: {
    samples: [
      { inputs: { index: i32([5], list(1, 3, 1, 0, 1)) }, attrs: { n: 4 } },
      { inputs: { index: i32([2, 3], list(0)) }, attrs: { n: 1 } },
      { inputs: { index: i32([0]) }, attrs: { n: 3 } },
      { inputs: { index: i32([], list(1)) }, attrs: { n: 2 } },
      { inputs: { index: i32([7], whole(0, 3)) }, attrs: { n: 3 } },
      { inputs: { index: i32([8], whole(0, 5)) }, attrs: { n: 5 } },
      { inputs: { index: i32([101], whole(0, 7)) }, attrs: { n: 7 } },
    ],
    reference: ({ index }) =>
      nd(
        [index.data.length],
        Array.from(index.data, (i) => 1 / Array.from(index.data).filter((other) => other === i).length),
      ),
    dtype: 'f32',
    tolerance: { relative: 1e-7 },
    gradients: 'none',
    errors: [
      dtypeError({ index: f32([3]) }, { n: 3 }, /^indexShares: expected dtype i32, got f32/),
      freedError({ index: i32([3], list(0)) }, { n: 3 }, 'index'),
      freedError({ index: i32([], list(0)) }, { n: 1 }, 'index'),
    ],
  },
  bagPlaces: {
    samples: [
      bags([2, 0, 1, 3, 0], [0, 2, 2, 4], -1),
      bags([2, 0, 1, 3, 0], [0, 0, 5], 0),
      bags([2, 0, 1, 3, 0, 1], null, 1, 3),
      bags([2, 0, 1, 3, 0, 1, 2], [0, 3], 1),
      bags([1], [0], 1),
      bags([], [0, 0], -1),
      bags([], null, -1, 0),
      bags(
        Array.from({ length: 60 }, (_, i) => i % 4),
        null,
        3,
        6,
      ),
    ],
    reference: ({ index, offsets }, { bags: count, padding }) => {
      const m = index.data.length;
      const [place, share] = [new Array(m).fill(-1), new Array(m).fill(0)];
      for (let b = 0; b < count; b++) {
        const [begin, end] = [b, b + 1].map((i) => (i === count ? m : offsets ? at(offsets, [i]) : (i * m) / count));
        const entries = Array.from({ length: (end as number) - (begin as number) }, (_, i) => (begin as number) + i);
        const counted = entries.filter((j) => at(index, [j]) !== padding);
        for (const j of counted) place[j] = b;
        for (const j of entries) share[j] = 1 / counted.length;
      }
      return { place: nd([m], place), share: nd([m], share) };
    },
    dtype: { place: 'i32', share: 'f32' },
    tolerance: { relative: 1e-7 },
    gradients: 'none',
    errors: [
      argumentError(
        { index: i32([2], list(0, 4)), offsets: null },
        { rows: 4, bags: 1, padding: -1 },
        /^bagPlaces: expected indices from 0 to 3, one for each row, got 4 at position 1/,
      ),
      ...[
        [1, 2],
        [0, 3],
        [0, -1],
      ].map((given) =>
        argumentError(
          { index: i32([2], list(0)), offsets: i32([2], list(...given)) },
          { rows: 4, bags: 2, padding: -1 },
          /^bagPlaces: expected offsets that begin with 0 and rise to at most 2, got (1 at position 0|3 at|-1 at)/,
        ),
      ),
      shapeError(
        { index: i32([5], list(0)), offsets: null },
        { rows: 4, bags: 2, padding: -1 },
        /^bagPlaces: expected bags of one size, got 2 of 5 indices together/,
      ),
    ] as unknown as [Bad, Bad, Bad],
  },
  bagMaxima: {
    samples: [
      maxima(4, 3, [0, 3, 1, 3, 2], [0, 0, 1, -1, 3], 4),
      maxima(1, 1, [0], [0], 1),
      maxima(4, 4, [3, 1, 2, 0], [2, 0, 0, 2], 3),
      maxima(5, 6, [4, 1, 2, 0, 3, 1], [0, 1, 1, 2, 0, 2], 3),
      maxima(2, 3, [], [], 2),
      maxima(2, 3, [], [], 0),
      maxima(7, 37, [6, 5, 4, 3, 2, 1, 0], [1, 1, 1, 0, 0, 0, 0], 2),
    ],
    reference: ({ weight, index, place }, { bags: count }) => {
      const width = weight.shape[1] as number;
      const inBag = (b: number): number[] => Array.from(index.data).filter((_, j) => at(place, [j]) === b);
      return {
        rows: build(
          [count, width],
          ([b, i]) =>
            inBag(b as number).reduce(
              (best, r) => (best < 0 || at(weight, [r, i as number]) > at(weight, [best, i as number]) ? r : best),
              -1,
            ) + (inBag(b as number).length === 0 ? 1 : 0),
        ),
        filled: build([count, 1], ([b]) => Math.min(1, inBag(b as number).length)),
      };
    },
    dtype: { rows: 'i32', filled: 'f32' },
    tolerance: EXACT,
    gradients: 'none',
    errors: [
      shapeError(
        { weight: f32([3]), index: i32([1], list(0)), place: i32([1], list(0)) },
        { bags: 1 },
        /^bagMaxima: expected a weight \[rows, width\], got \[3\]/,
      ),
      shapeError(
        { weight: f32([3, 2]), index: i32([1], list(0)), place: i32([2], list(0)) },
        { bags: 1 },
        /^bagMaxima: expected the places of shape \[1\], got \[2\]/,
      ),
      dtypeError(
        { weight: i32([3, 2]), index: i32([1], list(0)), place: i32([1], list(0)) },
        { bags: 1 },
        /^bagMaxima: expected dtype f32, got i32/,
      ),
    ],
  },
  putRows: {
    samples: [
      { inputs: { y: f32([4, 3]), index: i32([3], list(2, 0, 3)), x: f32([3, 3]) } },
      { inputs: { y: f32([5, 17]), index: i32([4], list(1, 1, 0, 1)), x: f32([4, 17]) } },
      { inputs: { y: f32([5, 4]), index: i32([2], list(4, 1)), x: f32([2, 4]) } },
      { inputs: { y: f32([3, 6]), index: i32([3], list(2, 1, 2)), x: f32([3, 6]) } },
      { inputs: { y: f32([2, 3]), index: i32([0]), x: f32([0, 3]) } },
      { inputs: { y: f32([2, 0]), index: i32([1], list(0)), x: f32([1, 0]) } },
    ],
    reference: ({ y, index, x }) => {
      const width = y.shape[1] as number;
      const left = nd(y.shape, y.data);
      for (let j = 0; j < index.data.length; j++)
        for (let i = 0; i < width; i++) left.data[at(index, [j]) * width + i] = at(x, [j, i]);
      return { y: left };
    },
    tolerance: EXACT,
    gradients: 'none',
    errors: [
      ...rangeErrors('putRows', 'y', { x: f32([3, 2]) }),
      shapeError(
        { y: f32([3, 2]), index: i32([2], list(0)), x: f32([3, 2]) },
        undefined,
        /^putRows: expected the rows of shape \[2, 2\], got \[3, 2\]/,
      ),
    ] as unknown as [Bad, Bad, Bad],
  },
} satisfies Cases;
