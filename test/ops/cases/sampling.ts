// Cases of random numbers of distributions that tensors hold. The generator is counter-based, so they have references.
import { at, build, nd } from '../../../reference/nd.ts';
import { advanced, block, state } from './random.ts';
import {
  argumentError,
  type Cases,
  distinct,
  dtypeError,
  f32,
  freedError,
  i32,
  list,
  shapeError,
  uniform,
} from './types.ts';

/** Two words of the block of element i, for a try. */
const wordsOf = (i: number, attempt = 1): readonly [number, number] =>
  block(i, attempt).slice(0, 2) as [number, number];
/** A uniform number by `bits` of 64. */
const unitOf = (i: number, bits: bigint): number => {
  const [low, high] = wordsOf(i);
  return Number(((BigInt(high) << 32n) | BigInt(low)) >> (64n - bits)) / 2 ** Number(bits);
};

function poissonOf(rate: number, i: number): number {
  if (rate < 10) {
    let [k, term] = [0, Math.exp(-rate)];
    for (let sum = term; unitOf(i, 64n) >= sum && k < 200; sum += term) term *= rate / ++k;
    return k;
  }
  const b = 0.931 + 2.53 * Math.sqrt(rate);
  const a = -0.059 + 0.02483 * b;
  for (let attempt = 1; ; attempt++) {
    const [u, v] = wordsOf(i, attempt).map((word) => (word + 0.5) / 2 ** 32) as [number, number];
    const edge = 0.5 - Math.abs(u - 0.5);
    const k = Math.floor(((2 * a) / edge + b) * (u - 0.5) + rate + 0.43);
    if (edge >= 0.07 && v <= 0.9277 - 3.6224 / (b - 2)) return k;
    if (k < 0 || (edge < 0.013 && v > edge)) continue;
    let logFactorial = 0;
    for (let j = 2; j <= k; j++) logFactorial += Math.log(j);
    const height = Math.log((v * (1.1239 + 1.1328 / (b - 3.4))) / (a / (edge * edge) + b));
    if (height <= -rate + k * Math.log(rate) - logFactorial) return k;
  }
}

/** Sums of weights, some of them 0. */
const cdf = (rows: number, classes: number) =>
  f32([rows, classes], (n, next) => {
    const values: number[] = [];
    for (let i = 0; i < n; i++) {
      const before = i % classes === 0 ? 0 : (values[i - 1] as number);
      values.push(Math.fround(before + (next() < 0.3 && i % classes !== classes - 1 ? 0 : next() + 0.01)));
    }
    return values;
  });

const shapes: readonly (readonly [rows: number, classes: number])[] = [
  [1, 1],
  [3, 4],
  [0, 3],
  [2, 6],
  [2, 1009],
];

export const samplingCases = {
  weights: {
    samples: shapes.map(([rows, classes]) => ({
      inputs: { p: f32([rows, classes], uniform(0.1, 1)) },
      attrs: { least: 1 },
    })),
    reference: () => ({}),
    tolerance: { relative: 0 },
    gradients: 'none',
    errors: [
      argumentError(
        { p: f32([2, 2], list(0, 1, -1, 3)) },
        { least: 1 },
        /^weights: expected finite weights of at least 0, 1 of them above 0, in each row, got others in row 1/,
      ),
      argumentError({ p: f32([1, 2], list(1, Number.NaN)) }, { least: 1 }, /got others in row 0/),
      argumentError({ p: f32([1, 3], list(1, 0, 0)) }, { least: 2 }, /got others in row 0/),
      shapeError({ p: f32([2, 0]) }, { least: 1 }, /^weights: expected \[rows, classes\] with a class, got \[2, 0\]/),
      dtypeError({ p: i32([2, 2]) }, { least: 1 }, /^weights: expected dtype f32, got i32/),
    ],
  },
  poisson: {
    samples: [0, 1, 5, 67].flatMap((n) =>
      [uniform(0, 3), uniform(5, 40), list(0, 9.5, 10, 300, 1e4)].map((fill) => ({
        inputs: { rates: f32([n], fill), state },
      })),
    ),
    reference: ({ rates }) => ({
      y: nd(rates.shape, Array.from(rates.data, poissonOf)),
      state: advanced(4 * rates.data.length),
    }),
    tolerance: { relative: 0 },
    gradients: 'none',
    errors: [
      argumentError(
        { rates: f32([2], list(1, -1)), state },
        undefined,
        /^poisson: expected rates of at least 0, got -1 at position 1/,
      ),
      argumentError(
        { rates: f32([1], list(Number.NaN)), state },
        undefined,
        /^poisson: expected rates of at least 0, got NaN/,
      ),
      dtypeError({ rates: i32([2]), state }, undefined, /^poisson: expected dtype f32, got i32/),
    ],
  },
  multinomial: {
    samples: shapes.flatMap(([rows, classes]) =>
      [1, 6, 7, 8].map((samples) => ({ inputs: { cdf: cdf(rows, classes), state }, attrs: { samples } })),
    ),
    reference: (inputs, { samples }) => {
      const [rows, classes] = inputs.cdf.shape as [number, number];
      const y = build([rows, samples], (index) => {
        const [row, i] = index as unknown as [number, number];
        const u = unitOf(row * samples + i, 53n) * at(inputs.cdf, [row, classes - 1]);
        let c = 0;
        while (c < classes - 1 && at(inputs.cdf, [row, c]) <= u) c++;
        return c;
      });
      return { index: y, state: advanced(4 * rows * samples) };
    },
    dtype: { index: 'i32' },
    tolerance: { relative: 0 },
    gradients: 'none',
    errors: [
      shapeError(
        { cdf: f32([3]), state },
        { samples: 1 },
        /^multinomial: expected \[rows, classes\] with a class, got \[3\]/,
      ),
      dtypeError({ cdf: i32([2, 2]), state }, { samples: 1 }, /^multinomial: expected dtype f32, got i32/),
      freedError({ cdf: f32([2, 2]), state }, { samples: 1 }, 'cdf'),
    ],
  },
  largest: {
    samples: shapes.flatMap(([rows, classes]) =>
      [1, classes].map((samples) => ({ inputs: { scores: f32([rows, classes], distinct()) }, attrs: { samples } })),
    ),
    reference: ({ scores }, { samples }) => {
      const [rows, classes] = scores.shape as [number, number];
      const order = Array.from({ length: rows }, (_, row) =>
        Array.from({ length: classes }, (__, c) => c).sort((a, b) => at(scores, [row, b]) - at(scores, [row, a])),
      );
      return build([rows, samples], (index) => {
        const [row, i] = index as unknown as [number, number];
        return order[row]?.[i] as number;
      });
    },
    dtype: { index: 'i32' },
    tolerance: { relative: 0 },
    gradients: 'none',
    errors: [
      argumentError(
        { scores: f32([1, 3]) },
        { samples: 4 },
        /^largest: expected at most 3 samples of 3 classes, got 4/,
      ),
      shapeError({ scores: f32([3]) }, { samples: 1 }, /^largest: expected \[rows, classes\] with a class, got \[3\]/),
      dtypeError({ scores: i32([2, 2]) }, { samples: 1 }, /^largest: expected dtype f32, got i32/),
    ],
  },
} satisfies Cases;
