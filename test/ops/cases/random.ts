// Cases of the constants and the random numbers. The generator is counter-based, so its numbers have a reference as well.
import type { RandomOps } from '../../../bindings/ops/random.ts';
import type { Shape, Tensor } from '../../../bindings/tensor.ts';
import { numelOf } from '../../../bindings/tensor.ts';
import { nd, toTensor, zip } from '../../support/tensors.ts';
import { argumentError, type Bad, type Cases, dtypeError, f32, i32, shapeError, u8, unaryErrors } from './types.ts';

/** Key, and a counter whose low word is about to carry into the high one. */
const STATE = [0x12345678, -7, -3, 41];
const state = (): Tensor => toTensor(nd([4], STATE), 'i32');

const low = (x: bigint): number => Number(x & 0xffffffffn);
const high = (x: bigint): number => Number(x >> 32n);

/** Block `counter` of Philox4x32-10 under a key (Salmon et al. 2011). */
function philox(counter: bigint, key0: number, key1: number): number[] {
  let c = [low(counter), high(counter), 0, 0] as [number, number, number, number];
  for (let round = 0, k0 = key0, k1 = key1; round < 10; round++) {
    const a = BigInt(c[0]) * 0xd2511f53n;
    const b = BigInt(c[2]) * 0xcd9e8d57n;
    c = [(high(b) ^ c[1] ^ k0) >>> 0, low(b), (high(a) ^ c[3] ^ k1) >>> 0, low(a)];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return c;
}

/** The words that a generator in STATE gives, made when first asked for. */
const drawn: number[] = [];
function words(n: number): number[] {
  const [k0, k1, counterLow, counterHigh] = STATE.map((word) => word >>> 0) as [number, number, number, number];
  const first = BigInt(counterLow) + (BigInt(counterHigh) << 32n);
  while (drawn.length < n) drawn.push(...philox(first + BigInt(drawn.length / 4), k0, k1));
  return drawn.slice(0, n);
}
const unit = (word: number): number => (word >>> 8) / 2 ** 24;
const happens = (word: number, p: number): boolean => word < Math.fround(p) * 2 ** 32 || p >= 1;

/** Box and Muller over pairs of words. */
function normals(n: number): number[] {
  const w = words(n + 3);
  return Array.from({ length: n }, (_, i) => {
    const first = i - (i % 2);
    const radius = Math.sqrt(-2 * Math.log(((w[first] as number) + 0.5) / 2 ** 32));
    const angle = 2 * Math.PI * unit(w[first + 1] as number);
    return radius * (i === first ? Math.cos(angle) : Math.sin(angle));
  });
}

const shapes: readonly Shape[] = [[2, 3], [], [1], [0, 3], [4, 4], [17], [1009]];
const badShapes = (op: string, more: object): [Bad, Bad, Bad] => [
  shapeError(
    [],
    { shape: [-1], ...more },
    new RegExp(`^${op}: expected sizes to be whole numbers from 0, got \\[-1\\]`),
  ),
  shapeError(
    [],
    { shape: [2, 0.5], ...more },
    new RegExp(`^${op}: expected sizes to be whole numbers from 0, got \\[2, 0.5\\]`),
  ),
  shapeError([], { shape: [2 ** 31], ...more }, new RegExp(`^${op}: expected at most 2147483647 elements`)),
];
const withState = (attrs: object) => () => ({ ...attrs, state: state() });
/** The mask of a dropout that keeps with probability 1 − p. */
const kept = (n: number, p: number): number[] => words(n).map((word) => Number(!happens(word, p)));
const kernelScale = (p: number): number => Math.fround(1 / Math.fround(1 - Math.fround(p)));

export const randomCases: Cases<RandomOps> = {
  full: {
    samples: shapes.flatMap((shape) =>
      [0, -1.5, 1e38].map((value) => ({ inputs: [] as const, attrs: { shape, value } })),
    ),
    reference: (_, { shape, value }) => nd(shape, new Float64Array(numelOf(shape)).fill(Math.fround(value))),
    tolerance: { relative: 0 },
    gradients: 'none',
    errors: badShapes('full', { value: 1 }),
  },
  uniform: {
    samples: shapes.flatMap((shape) =>
      [[0, 1] as const, [-3, 5] as const].map(([low, high]) => ({
        inputs: [] as const,
        attrs: () => ({ shape, low, high, state: state() }),
      })),
    ),
    reference: (_, { shape, low, high }) =>
      nd(
        shape,
        words(numelOf(shape)).map((word) => low + (high - low) * unit(word)),
      ),
    tolerance: { relative: 2e-7, absolute: 5e-7 },
    gradients: 'none',
    errors: badShapes('uniform', { low: 0, high: 1 }).map((bad) => ({
      ...bad,
      attrs: withState(bad.attrs as object),
    })) as unknown as [Bad, Bad, Bad],
  },
  normal: {
    samples: shapes.flatMap((shape) =>
      [[0, 1] as const, [3, 0.5] as const].map(([mean, std]) => ({
        inputs: [] as const,
        attrs: () => ({ shape, mean, std, state: state() }),
      })),
    ),
    reference: (_, { shape, mean, std }) =>
      nd(
        shape,
        normals(numelOf(shape)).map((z) => mean + std * z),
      ),
    tolerance: { relative: 2e-6, absolute: 2e-6 },
    gradients: 'none',
    errors: [
      ...(badShapes('normal', { mean: 0, std: 1 }).map((bad) => ({
        ...bad,
        attrs: withState(bad.attrs as object),
      })) as unknown as [Bad, Bad, Bad]),
      argumentError([], withState({ shape: [2], mean: 0, std: -1 }), /^normal: expected std >= 0, got -1/),
    ],
  },
  bernoulli: {
    samples: shapes.flatMap((shape) =>
      [0, 0.3, 1].map((p) => ({ inputs: [] as const, attrs: () => ({ shape, p, state: state() }) })),
    ),
    reference: (_, { shape, p }) =>
      nd(
        shape,
        words(numelOf(shape)).map((word) => Number(happens(word, p))),
      ),
    tolerance: { relative: 0 },
    gradients: 'none',
    errors: [
      ...(badShapes('bernoulli', { p: 0.5 }).map((bad) => ({
        ...bad,
        attrs: withState(bad.attrs as object),
      })) as unknown as [Bad, Bad, Bad]),
      argumentError([], withState({ shape: [2], p: 1.5 }), /^bernoulli: expected p from 0 to 1, got 1.5/),
      argumentError([], withState({ shape: [2], p: Number.NaN }), /^bernoulli: expected p from 0 to 1, got NaN/),
    ],
  },
  dropout: {
    samples: shapes.flatMap((shape) =>
      [0, 0.3, 0.5, 1].map((p) => ({ inputs: [f32(shape)] as const, attrs: () => ({ p, state: state() }) })),
    ),
    reference: ([x], { p }) => {
      const mask = kept(x.data.length, p);
      return nd(
        x.shape,
        x.data.map((v, i) => (mask[i] ? v * kernelScale(p) : 0)),
      );
    },
    tolerance: { relative: 1e-7 },
    gradients: 'all',
    errors: [
      ...(unaryErrors('dropout', { p: 0.5 }).map((bad) => ({
        ...bad,
        attrs: withState(bad.attrs as object),
      })) as unknown as [Bad, Bad, Bad]),
      argumentError([f32([2])], withState({ p: -0.1 }), /^dropout: expected p from 0 to 1, got -0.1/),
    ],
  },
  dropoutBackward: {
    samples: shapes.flatMap((shape) =>
      [0, 0.3].map((p) => ({ inputs: [f32(shape), u8(shape)] as const, attrs: { p } })),
    ),
    reference: ([g, mask], { p }) => zip((a, m) => (m ? (a as number) * kernelScale(p) : 0), g, mask),
    tolerance: { relative: 1e-7 },
    gradients: [true, false],
    errors: [
      shapeError([f32([3]), u8([2])], { p: 0.5 }, /^dropoutBackward: expected the mask of shape \[3\], got \[2\]/),
      dtypeError([i32([3]), u8([3])], { p: 0.5 }, /^dropoutBackward: expected dtype f32, got i32/),
      dtypeError([f32([3]), f32([3])], { p: 0.5 }, /^dropoutBackward: expected dtype u8, got f32/),
    ],
  },
};
