// Cases of the constants and the random numbers. The generator is counter-based, so its numbers have a reference as
// well.
import type { Shape } from '../../../bindings/tensor.ts';
import { numelOf } from '../../../bindings/tensor.ts';
import { type Nd, nd, zip } from '../../../reference/nd.ts';
import { block as blockOf, high, kept, type Words, words as wordsOf } from '../../../reference/philox.ts';
import {
  argumentError,
  type Bad,
  type BadInputs,
  type Cases,
  dtypeError,
  f32,
  i32,
  list,
  shapeError,
  u8,
} from './types.ts';

/** Key, and a counter whose low word is about to carry into the high one. */
const STATE = [0x12345678, -7, -3, 41];
export const state = i32([4], list(...STATE));
/** The state after n numbers were drawn: the counter has gone on by as many blocks of four. */
export function advanced(n: number): Nd {
  const [key0, key1, low, high] = STATE.map((word) => word >>> 0) as [number, number, number, number];
  const counter = BigInt(low) + (BigInt(high) << 32n) + BigInt(Math.ceil(n / 4));
  return nd([4], Int32Array.of(key0, key1, Number(counter & 0xffffffffn), Number((counter >> 32n) & 0xffffffffn)));
}

const SEEN = STATE.map((word) => word >>> 0) as unknown as Words;
/** The words that a generator in STATE gives. */
export const words = (n: number): number[] => [...wordsOf(SEEN, n)];
/** Block i of a generator in STATE, for a try. */
export const block = (i: number, attempt: number): readonly number[] => blockOf(SEEN, i, attempt);
export const unit = (word: number): number => (word >>> 8) / 2 ** 24;
const happens = (word: number, p: number): boolean => word < Math.fround(p) * 2 ** 32 || p >= 1;

/** What a row that draws leaves. */
const drawing = (shape: Shape, values: ArrayLike<number>): { y: Nd; state: Nd } => ({
  y: nd(shape, values),
  state: advanced(numelOf(shape)),
});

/** Box and Muller over pairs of words. */
export function normals(n: number): number[] {
  const w = words(n + 3);
  return Array.from({ length: n }, (_, i) => {
    const first = i - (i % 2);
    const radius = Math.sqrt(-2 * Math.log(((w[first] as number) + 0.5) / 2 ** 32));
    const angle = 2 * Math.PI * unit(w[first + 1] as number);
    return radius * (i === first ? Math.cos(angle) : Math.sin(angle));
  });
}

const shapes: readonly Shape[] = [[2, 3], [], [1], [0, 3], [4, 4], [17], [1009]];
const badShapes = (op: string, more: object, inputs: BadInputs = { state }): [Bad, Bad, Bad] => [
  shapeError(
    inputs,
    { shape: [-1], ...more },
    new RegExp(`^${op}: expected sizes to be whole numbers from 0, got \\[-1\\]`),
  ),
  shapeError(
    inputs,
    { shape: [2, 0.5], ...more },
    new RegExp(`^${op}: expected sizes to be whole numbers from 0, got \\[2, 0.5\\]`),
  ),
  shapeError(inputs, { shape: [2 ** 31], ...more }, new RegExp(`^${op}: expected at most 2147483647 elements`)),
];
/** What is left of each element: 0, or 1 / (1 − p). */
export const dropped = (n: number, p: number): number[] => kept(SEEN, n, p).map((keep) => keep && kernelScale(p));
const kernelScale = (p: number): number => Math.fround(1 / Math.fround(1 - Math.fround(p)));

export const randomCases = {
  full: {
    samples: shapes.flatMap((shape) => [
      ...[0, -1.5, 1e38].map((value) => ({ inputs: {} as const, attrs: { shape, value } })),
      ...[7, -(2 ** 31)].map((value) => ({ inputs: {} as const, attrs: { shape, value, dtype: 'i32' as const } })),
      ...[1, 255].map((value) => ({ inputs: {} as const, attrs: { shape, value, dtype: 'u8' as const } })),
    ]),
    reference: (_, { shape, value }) => nd(shape, new Float64Array(numelOf(shape)).fill(Math.fround(value))),
    dtype: ({ dtype = 'f32' }) => dtype,
    tolerance: { relative: 0 },
    gradients: 'none',
    errors: badShapes('full', { value: 1 }, {}),
  },
  randint: {
    samples: shapes.flatMap((shape) =>
      [
        [0, 1],
        [-3, 5],
        [7, 2 ** 31],
        [-(2 ** 31), 2 ** 31],
      ].map(([from, below]) => ({ inputs: { state }, attrs: { shape, low: from as number, high: below as number } })),
    ),
    reference: (_, { shape, low: from, high: below }) =>
      drawing(
        shape,
        words(numelOf(shape)).map((word) => from + high(word, below - from)),
      ),
    dtype: 'i32',
    tolerance: { relative: 0 },
    gradients: 'none',
    errors: [
      ...badShapes('randint', { low: 0, high: 2 }),
      argumentError(
        { state },
        { shape: [2], low: 2, high: 2 },
        /^randint: expected whole numbers low < high, got 2 and 2/,
      ),
      argumentError(
        { state },
        { shape: [2], low: 0, high: 2 ** 32 },
        /^randint: .* high <= 2147483648, got 0 and 4294967296/,
      ),
    ],
  },
  randperm: {
    samples: [0, 1, 2, 3, 8, 17, 1009].map((n) => ({ inputs: { state }, attrs: { n } })),
    reference: (_, { n }) => {
      const order: number[] = [];
      words(n).forEach((word, i) => {
        const place = high(word, i + 1);
        order[i] = order[place] ?? i;
        order[place] = i;
      });
      return drawing([n], order);
    },
    dtype: 'i32',
    tolerance: { relative: 0 },
    gradients: 'none',
    errors: [
      shapeError({ state }, { n: -1 }, /^randperm: expected sizes to be whole numbers from 0, got \[-1\]/),
      shapeError({ state }, { n: 0.5 }, /^randperm: expected sizes to be whole numbers from 0, got \[0.5\]/),
      shapeError({ state }, { n: 2 ** 31 }, /^randperm: expected at most 2147483647 elements/),
    ],
  },
  uniform: {
    samples: shapes.flatMap((shape) =>
      [[0, 1] as const, [-3, 5] as const].map(([low, high]) => ({
        inputs: { state },
        attrs: { shape, low, high },
      })),
    ),
    reference: (_, { shape, low, high }) =>
      drawing(
        shape,
        words(numelOf(shape)).map((word) => low + (high - low) * unit(word)),
      ),
    dtype: 'f32',
    tolerance: { relative: 2e-7, absolute: 5e-7 },
    gradients: 'none',
    errors: badShapes('uniform', { low: 0, high: 1 }),
  },
  normal: {
    samples: shapes.flatMap((shape) =>
      [[0, 1] as const, [3, 0.5] as const].map(([mean, std]) => ({
        inputs: { state },
        attrs: { shape, mean, std },
      })),
    ),
    reference: (_, { shape, mean, std }) =>
      drawing(
        shape,
        normals(numelOf(shape)).map((z) => mean + std * z),
      ),
    dtype: 'f32',
    tolerance: { relative: 2e-6, absolute: 2e-6 },
    gradients: 'none',
    errors: [
      ...badShapes('normal', { mean: 0, std: 1 }),
      argumentError({ state }, { shape: [2], mean: 0, std: -1 }, /^normal: expected std >= 0, got -1/),
    ],
  },
  bernoulli: {
    samples: shapes.flatMap((shape) => [0, 0.3, 1].map((p) => ({ inputs: { state }, attrs: { shape, p } }))),
    reference: (_, { shape, p }) =>
      drawing(
        shape,
        words(numelOf(shape)).map((word) => Number(happens(word, p))),
      ),
    dtype: 'f32',
    tolerance: { relative: 0 },
    gradients: 'none',
    errors: [
      ...badShapes('bernoulli', { p: 0.5 }),
      argumentError({ state }, { shape: [2], p: 1.5 }, /^bernoulli: expected p from 0 to 1, got 1.5/),
      argumentError({ state }, { shape: [2], p: Number.NaN }, /^bernoulli: expected p from 0 to 1, got NaN/),
    ],
  },
  dropout: {
    samples: shapes.flatMap((shape) =>
      [0, 0.3, 0.5, 1].map((p) => ({ inputs: { x: f32(shape), state }, attrs: { p } })),
    ),
    reference: ({ x }, { p }) => {
      const mask = kept(SEEN, x.data.length, p);
      return drawing(
        x.shape,
        x.data.map((v, i) => (mask[i] ? v * kernelScale(p) : 0)),
      );
    },
    tolerance: { relative: 1e-7 },
    gradients: 'all',
    errors: [
      dtypeError({ x: i32([3]), state }, { p: 0.5 }, /^dropout: expected dtype f32, got i32; convert/),
      dtypeError({ x: u8([3]), state }, { p: 0.5 }, /^dropout: expected dtype f32, got u8; convert/),
      argumentError({ x: f32([2]), state }, { p: -0.1 }, /^dropout: expected p from 0 to 1, got -0.1/),
    ],
  },
  dropoutBackward: {
    samples: shapes.flatMap((shape) =>
      [0, 0.3].map((p) => ({ inputs: { g: f32(shape), mask: u8(shape) } as const, attrs: { p } })),
    ),
    reference: ({ g, mask }, { p }) => zip((a, m) => (m ? (a as number) * kernelScale(p) : 0), g, mask),
    tolerance: { relative: 1e-7 },
    gradients: { g: true, mask: false },
    errors: [
      shapeError(
        { g: f32([3]), mask: u8([2]) },
        { p: 0.5 },
        /^dropoutBackward: expected the mask of shape \[3\], got \[2\]/,
      ),
      dtypeError({ g: i32([3]), mask: u8([3]) }, { p: 0.5 }, /^dropoutBackward: expected dtype f32, got i32/),
      dtypeError({ g: f32([3]), mask: f32([3]) }, { p: 0.5 }, /^dropoutBackward: expected dtype u8, got f32/),
    ],
  },
} satisfies Cases;
