// Cases of the writes in place. What they leave is what they wrote; that nothing else changes is checked of all rows.
import { build, type Nd, nd, zip } from '../../../reference/nd.ts';
import { advanced, normals, state, unit, words } from './random.ts';
import { argumentError, type Cases, dtypeError, f32, freedError, i32, shapeError, u8 } from './types.ts';

/** What is written, and what is stretched to it. */
const stretched: readonly (readonly [y: readonly number[], x: readonly number[]])[] = [
  [
    [2, 3],
    [2, 3],
  ],
  [[], []],
  [[1], []],
  [[3, 4], [4]],
  [
    [3, 4],
    [3, 1],
  ],
  [[2, 2], []],
  [
    [0, 3],
    [1, 3],
  ],
  [[1009], [1009]],
  [[7, 37], [37]],
  [
    [2, 4, 3],
    [2, 1, 1],
  ],
];
const shapes: readonly (readonly number[])[] = [[2, 3], [], [1], [0, 3], [17], [1009]];
const EXACT = { relative: 0 };

const stretch = (x: Nd, y: Nd): Nd => zip((_, v) => v as number, y, x);

export const inplaceCases = {
  copy: {
    samples: [
      ...stretched.map(([y, x]) => ({ inputs: { y: f32(y), x: f32(x) } })),
      ...stretched.map(([y, x]) => ({ inputs: { y: i32(y), x: i32(x) } })),
      ...stretched.map(([y, x]) => ({ inputs: { y: u8(y), x: u8(x) } })),
    ],
    reference: ({ y, x }) => ({ y: stretch(x, y) }),
    tolerance: EXACT,
    gradients: { x: true },
    errors: [
      dtypeError({ y: f32([2]), x: i32([2]) }, undefined, /^copy_: expected dtype f32, got i32/),
      dtypeError({ y: u8([2]), x: f32([2]) }, undefined, /^copy_: expected dtype u8, got f32/),
      shapeError(
        { y: f32([3]), x: f32([2, 3]) },
        undefined,
        /^copy_: expected a source that stretches to \[3\], got \[2, 3\]/,
      ),
      shapeError(
        { y: f32([1, 3]), x: f32([2, 3]) },
        undefined,
        /^copy_: expected a source that stretches to \[1, 3\], got \[2, 3\]/,
      ),
      shapeError({ y: f32([3]), x: f32([2]) }, undefined, /^copy_: expected shapes that broadcast together/),
      freedError({ y: f32([2]), x: f32([2]) }, undefined, 'y'),
    ],
  },
  addInto: {
    samples: stretched.map(([y, x]) => ({ inputs: { y: f32(y), x: f32(x) } })),
    reference: ({ y, x }) => ({ y: zip((a, b) => (a as number) + (b as number), y, x) }),
    tolerance: { relative: 1e-7 },
    gradients: 'none',
    errors: [
      dtypeError({ y: f32([2]), x: i32([2]) }, undefined, /^addInto: expected dtype f32, got i32/),
      shapeError(
        { y: f32([3]), x: f32([2, 3]) },
        undefined,
        /^addInto: expected a source that stretches to \[3\], got \[2, 3\]/,
      ),
      shapeError({ y: f32([3]), x: f32([2]) }, undefined, /^addInto: expected shapes that broadcast together/),
    ],
  },
  fillInto: {
    samples: [
      ...shapes.flatMap((y) =>
        [0, -1.5, Math.fround(1e38)].map((value) => ({ inputs: { y: f32(y) }, attrs: { value } })),
      ),
      ...shapes.flatMap((y) =>
        [7, 2 ** 31 - 1, -(2 ** 31)].map((value) => ({ inputs: { y: i32(y) }, attrs: { value } })),
      ),
      ...shapes.flatMap((y) => [0, 255].map((value) => ({ inputs: { y: u8(y) }, attrs: { value } }))),
    ],
    reference: ({ y }, { value }) => ({ y: build(y.shape, () => value) }),
    tolerance: EXACT,
    gradients: 'none',
    errors: [
      argumentError({ y: i32([2]) }, { value: 2 ** 31 }, /^fill_: expected whole numbers from -2147483648/),
      argumentError({ y: u8([2]) }, { value: 0.5 }, /^fill_: expected whole numbers from 0 to 255/),
      freedError({ y: f32([2]) }, { value: 1 }, 'y'),
    ],
  },
  clampInto: {
    samples: shapes.flatMap((y) =>
      [
        { min: -0.5, max: 0.7 },
        { min: Number.NEGATIVE_INFINITY, max: 0 },
        { min: 1, max: 1 },
      ].map((attrs) => ({ inputs: { y: f32(y) }, attrs })),
    ),
    reference: ({ y }, { min, max }) => ({
      y: zip((v) => Math.min(Math.fround(max), Math.max(Math.fround(min), v as number)), y),
    }),
    tolerance: EXACT,
    gradients: 'none',
    errors: [
      dtypeError({ y: i32([2]) }, { min: 0, max: 1 }, /^clampInto: expected dtype f32, got i32/),
      argumentError({ y: f32([2]) }, { min: 1, max: -1 }, /^clampInto: expected min <= max, got 1 and -1/),
      argumentError({ y: f32([2]) }, { min: Number.NaN, max: 1 }, /^clampInto: expected min <= max, got NaN and 1/),
    ],
  },
  scaleInto: {
    samples: shapes.map((y) => ({ inputs: { y: f32(y), factor: f32([]) } })),
    reference: ({ y, factor }) => ({ y: zip((v) => (v as number) * (factor.data[0] as number), y) }),
    tolerance: { relative: 1e-7 },
    gradients: 'none',
    errors: [
      shapeError(
        { y: f32([2]), factor: f32([2]) },
        undefined,
        /^scaleInto: expected the factor of shape \[\], got \[2\]/,
      ),
      shapeError(
        { y: f32([2]), factor: f32([1]) },
        undefined,
        /^scaleInto: expected the factor of shape \[\], got \[1\]/,
      ),
      dtypeError({ y: f32([2]), factor: i32([]) }, undefined, /^scaleInto: expected dtype f32, got i32/),
    ],
  },
  sumInto: {
    samples: shapes.flatMap((y) =>
      [0, 1, 5].map((n) => ({ inputs: { y: f32(y), x: f32([n, ...y]) }, attrs: { factor: n === 5 ? 0.2 : -1 } })),
    ),
    reference: ({ y, x }, { factor }) => ({
      y: nd(
        y.shape,
        y.data.map((_, i) => {
          let sum = 0;
          for (let r = 0; r < (x.shape[0] as number); r++) sum += x.data[r * y.data.length + i] as number;
          return factor * sum;
        }),
      ),
    }),
    tolerance: { relative: 1e-6, absolute: 1e-6 },
    gradients: 'none',
    errors: [
      shapeError(
        { y: f32([2]), x: f32([3, 3]) },
        { factor: 1 },
        /^sumInto: expected the rows of shape \[3, 2\], got \[3, 3\]/,
      ),
      shapeError({ y: f32([]), x: f32([]) }, { factor: 1 }, /^sumInto: expected the rows of shape \[0\], got \[\]/),
      dtypeError({ y: f32([2]), x: i32([3, 2]) }, { factor: 1 }, /^sumInto: expected dtype f32, got i32/),
    ],
  },
  uniformInto: {
    samples: shapes.flatMap((y) =>
      [
        { low: 0, high: 1 },
        { low: -3, high: 5 },
      ].map((attrs) => ({ inputs: { y: f32(y), state }, attrs })),
    ),
    reference: ({ y }, { low, high }) => ({
      y: nd(
        y.shape,
        words(y.data.length).map((word) => low + (high - low) * unit(word)),
      ),
      state: advanced(y.data.length),
    }),
    tolerance: { relative: 2e-7, absolute: 5e-7 },
    gradients: 'none',
    errors: [
      dtypeError({ y: i32([2]), state }, { low: 0, high: 1 }, /^uniformInto: expected dtype f32, got i32/),
      shapeError(
        { y: f32([2]), state: i32([2]) },
        { low: 0, high: 1 },
        /^uniformInto: expected the generator's state of shape \[4\], got \[2\]/,
      ),
      freedError({ y: f32([2]), state }, { low: 0, high: 1 }, 'state'),
    ],
  },
  normalInto: {
    samples: shapes.flatMap((y) =>
      [
        { mean: 0, std: 1 },
        { mean: 3, std: 0.5 },
      ].map((attrs) => ({ inputs: { y: f32(y), state }, attrs })),
    ),
    reference: ({ y }, { mean, std }) => ({
      y: nd(
        y.shape,
        normals(y.data.length).map((z) => mean + std * z),
      ),
      state: advanced(y.data.length),
    }),
    tolerance: { relative: 2e-6, absolute: 2e-6 },
    gradients: 'none',
    errors: [
      dtypeError({ y: i32([2]), state }, { mean: 0, std: 1 }, /^normalInto: expected dtype f32, got i32/),
      argumentError({ y: f32([2]), state }, { mean: 0, std: -1 }, /^normalInto: expected std >= 0, got -1/),
      shapeError(
        { y: f32([2]), state: i32([3]) },
        { mean: 0, std: 1 },
        /^normalInto: expected the generator's state of shape \[4\], got \[3\]/,
      ),
    ],
  },
} satisfies Cases;
