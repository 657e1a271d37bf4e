import { describe, expect, it } from 'vitest';
import { builds, KernelBench, ulps } from '../support/kernels.ts';

type Column = number[];

const EPSILON = 2 ** -24;
const sum = (c: Column) => c.reduce((total, v) => total + v, 0);
const softmax = (x: Column) => {
  const top = Math.max(...x);
  const total = sum(x.map((v) => Math.exp(v - top)));
  return x.map((v) => Math.exp(v - top) / total);
};
const logSoftmax = (x: Column) => {
  const top = Math.max(...x);
  const logSum = Math.log(sum(x.map((v) => Math.exp(v - top))));
  return x.map((v) => v - top - logSum);
};

/** Forward: [kernel, reference(x), the size below which errors count as absolute]. */
const forwards = [
  ['softmax_forward_f32', softmax, 1e-30],
  ['log_softmax_forward_f32', logSoftmax, 1],
] as const;

/** Backward: [kernel, what it takes as y, reference(g, y)]. */
const backwards = [
  [
    'softmax_backward_f32',
    softmax,
    (g: Column, y: Column) => {
      const dot = sum(g.map((v, j) => v * (y[j] as number)));
      return y.map((v, j) => v * ((g[j] as number) - dot));
    },
  ],
  [
    'log_softmax_backward_f32',
    logSoftmax,
    (g: Column, y: Column) => g.map((v, j) => v - Math.exp(y[j] as number) * sum(g)),
  ],
] as const;

const shapes = [
  ...[1, 3, 4, 5, 8, 15, 16, 17, 129, 1009].map((r) => [3, r, 1] as const),
  ...[1, 3, 17].flatMap((r) => [2, 3, 4, 5, 8, 15, 16, 17, 31].map((inner) => [2, r, inner] as const)),
  [0, 5, 1],
  [2, 0, 1],
  [2, 0, 5],
  [2, 5, 0],
] as const;

const noise = (n: number, seed: number) =>
  Float32Array.from({ length: n }, (_, i) => 3 * Math.sin(seed + i * i * 1.37));

/** Applies f to every column of x[outer, r, inner], and of y beside it. */
function byColumn(
  [outer, r, inner]: readonly [number, number, number],
  f: (x: Column, y: Column) => Column,
  x: Float32Array,
  y = x,
) {
  const out = new Float64Array(x.length);
  for (let k = 0; k < outer * inner; k++) {
    const at = Array.from({ length: r }, (_, j) => (Math.floor(k / inner) * r + j) * inner + (k % inner));
    const pick = (v: Float32Array) => at.map((i) => v[i] as number);
    for (const [j, v] of f(pick(x), pick(y)).entries()) out[at[j] as number] = v;
  }
  return out;
}

/** The largest error, against the larger of the value and `floor`. */
const worst = (got: Float32Array, expected: Float64Array, floor: number) =>
  got.reduce((most, v, i) => {
    const e = expected[i] as number;
    return Math.max(most, Math.abs(v - e) / Math.max(Math.abs(e), floor));
  }, 0);

const NAN = Number.NaN;
const INF = Number.POSITIVE_INFINITY;

/** [kernel, column, result]. */
const specials: [string, Column, Column][] = [
  ['softmax_forward_f32', [-INF, -INF], [NAN, NAN]],
  ['softmax_forward_f32', [-INF, 0, -INF, 0, -INF], [0, 0.5, 0, 0.5, 0]],
  ['softmax_forward_f32', [1, NAN, 2], [NAN, NAN, NAN]],
  ['softmax_forward_f32', [1, INF, 2], [NAN, NAN, NAN]],
  ['softmax_forward_f32', [1e4, 1e4, -1e4], [0.5, 0.5, 0]],
  ['softmax_forward_f32', [-1e4, -1e4], [0.5, 0.5]],
  ['softmax_forward_f32', [3e38, -3e38], [1, 0]],
  ['log_softmax_forward_f32', [-INF, -INF], [NAN, NAN]],
  ['log_softmax_forward_f32', [-INF, 0], [-INF, 0]],
  ['log_softmax_forward_f32', [1, NAN], [NAN, NAN]],
  ['log_softmax_forward_f32', [1e4, -1e4, 1e4], [-Math.LN2, -2e4 - Math.LN2, -Math.LN2]],
];

describe.each(builds)('%s', (build) => {
  const bench = new KernelBench(build);

  it.each(forwards)('%s agrees with f64 for every shape, also in place', (kernel, reference, floor) => {
    for (const shape of shapes) {
      for (const inPlace of [false, true]) {
        bench.reset();
        const x = noise(shape[0] * shape[1] * shape[2], shape[1]);
        const from = bench.f32(x);
        const out = inPlace ? from : bench.f32(x.length);
        bench.run(kernel, out, from, ...shape, shape[2]);
        const error = worst(bench.readF32(out, x.length), byColumn(shape, reference, x), floor);
        expect(error, `${shape}`).toBeLessThan(16 * EPSILON);
      }
    }
  });

  it.each(backwards)('%s agrees with f64 for every shape, also in place', (kernel, output, reference) => {
    for (const shape of shapes) {
      const n = shape[0] * shape[1] * shape[2];
      const y = Float32Array.from(byColumn(shape, output, noise(n, shape[1])));
      const g = noise(n, 7);
      const expected = byColumn(shape, reference, g, y);
      for (const target of ['apart', 'g', 'y']) {
        bench.reset();
        const [gradient, saved] = [bench.f32(g), bench.f32(y)];
        const dx = target === 'g' ? gradient : target === 'y' ? saved : bench.f32(n);
        bench.run(kernel, dx, gradient, saved, ...shape, shape[2]);
        // The sum over a column of r terms of size 3 is what rounds.
        expect(worst(bench.readF32(dx, n), expected, 3 + shape[1] / 100), `${shape}`).toBeLessThan(16 * EPSILON);
      }
    }
  });

  it.each(specials)('%s of %j', (kernel, values, expected) => {
    for (const inner of [1, 3, 18]) {
      bench.reset();
      const at = (k: number) => Math.floor(k / inner) % values.length;
      const n = 2 * values.length * inner;
      const out = bench.f32(n);
      bench.run(
        kernel,
        out,
        bench.f32(Array.from({ length: n }, (_, k) => values[at(k)] as number)),
        2,
        values.length,
        inner,
        inner,
      );
      for (const [k, v] of bench.readF32(out, n).entries()) {
        expect(ulps(v, expected[at(k)] as number), `inner ${inner} at ${k}`).toBeLessThanOrEqual(1);
      }
    }
  });

  it('a softmax of many equal logits sums to 1', () => {
    bench.reset();
    const n = 1 << 20;
    const out = bench.f32(n);
    bench.run('softmax_forward_f32', out, bench.f32(new Float32Array(n).fill(5)), 1, n, 1, 1);
    expect(sum([...bench.readF32(out, n)])).toBeCloseTo(1, 6);
  });
});
