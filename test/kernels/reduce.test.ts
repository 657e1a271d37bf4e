import { describe, expect, it } from 'vitest';
import { builds, KernelBench, ulps } from '../support/kernels.ts';

type Column = number[];

/** What a reduction gives for one column, and how far f32 may be from it. */
interface Reduction {
  kernel: string;
  scalars?: (r: number) => number[];
  reference(column: Column): number;
  tolerance(column: Column): number;
}

const EPSILON = 2 ** -24;
const add = (column: Column, of = (v: number) => v) => column.reduce((sum, v) => sum + of(v), 0);
const running = (column: Column) => {
  let sum = 0;
  return column.map((v) => {
    sum += v;
    return sum;
  });
};
const moment = (column: Column) => {
  const mean = add(column) / column.length;
  return add(column, (v) => (v - mean) ** 2);
};
// A sum is as exact as a few roundings of the terms' sizes allow, however long it is.
const few = (column: Column, of = (v: number) => v) => 12 * EPSILON * add(column, (v) => Math.abs(of(v)));
const logSumExp = (column: Column) => {
  const top = Math.max(...column);
  return top + Math.log(add(column, (v) => Math.exp(v - top)));
};

const reductions: Reduction[] = [
  { kernel: 'sum_f32', scalars: () => [1], reference: (c) => add(c), tolerance: (c) => few(c) },
  {
    kernel: 'sum_f32',
    scalars: (r) => [1 / r],
    reference: (c) => add(c) / c.length,
    tolerance: (c) => few(c) / c.length,
  },
  {
    kernel: 'sum_squares_f32',
    reference: (c) => add(c, (v) => v * v),
    tolerance: (c) => few(c, (v) => v * v),
  },
  { kernel: 'max_f32', reference: (c) => Math.max(...c), tolerance: () => 0 },
  { kernel: 'min_f32', reference: (c) => Math.min(...c), tolerance: () => 0 },
  {
    kernel: 'prod_f32',
    reference: (c) => c.reduce((p, v) => p * v, 1),
    tolerance: (c) => 1e-38 + c.length * EPSILON * Math.abs(c.reduce((p, v) => p * v, 1)),
  },
  {
    kernel: 'logsumexp_f32',
    reference: logSumExp,
    tolerance: (c) => 4 * EPSILON * (1 + Math.abs(logSumExp(c)) + Math.max(0, ...c.map(Math.abs))),
  },
];

const lengths = [1, 3, 4, 5, 8, 15, 16, 17, 31, 33, 67, 127, 128, 129, 1009];
const shapes = [
  ...lengths.flatMap((r) => [1, 3].map((outer) => [outer, r, 1] as const)),
  ...[1, 2, 5, 16, 17, 33, 67].flatMap((r) =>
    [2, 3, 4, 5, 8, 15, 16, 17, 31, 37].map((inner) => [2, r, inner] as const),
  ),
  [0, 5, 1],
  [0, 5, 4],
  [3, 5, 0],
] as const;

/** Reproducible values in [-2, 2] that are no simple sequence. */
const noise = (n: number, seed = 1) => Float32Array.from({ length: n }, (_, i) => 2 * Math.sin(seed + i * i * 1.37));

const column = (x: ArrayLike<number>, r: number, inner: number, o: number, i: number): Column =>
  Array.from({ length: r }, (_, j) => x[(o * r + j) * inner + i] as number);

/** The outputs' own positions in a [outer, r, inner] input, one per (o, i). */
const outputs = (outer: number, inner: number) =>
  Array.from({ length: outer * inner }, (_, k) => [Math.floor(k / inner), k % inner] as const);

/** x[outer, r, inner] whose columns all are `values`. */
const spread = (values: Column, outer: number, inner: number) =>
  Float32Array.from(
    { length: outer * values.length * inner },
    (_, k) => values[Math.floor(k / inner) % values.length] as number,
  );

/** What kernels that sum columns take behind their other arguments. */
const SUMMING = new Set(['sum_f32', 'sum_squares_f32', 'variance_f32']);
const workspaceFor = (bench: KernelBench, kernel: string): number[] => (SUMMING.has(kernel) ? [bench.f32(4096)] : []);

function reduced(
  bench: KernelBench,
  kernel: string,
  x: Float32Array,
  outer: number,
  r: number,
  inner: number,
  scalars: number[],
) {
  bench.reset();
  const out = bench.f32(outer * inner);
  bench.run(kernel, out, bench.f32(x), outer, r, inner, inner, ...scalars, ...workspaceFor(bench, kernel));
  return bench.readF32(out, outer * inner);
}

const NAN = Number.NaN;
const INF = Number.POSITIVE_INFINITY;

/** [kernel, column, result, further arguments], each tried as rows and as columns. */
const specials: [string, Column, number, number[]?][] = [
  ['sum_f32', [1, NAN, 2], NAN, [1]],
  ['sum_f32', [INF, 1, INF], INF, [1]],
  ['sum_f32', [INF, -INF], NAN, [1]],
  ['sum_f32', [], 0, [1]],
  ['sum_f32', [], NAN, [INF]],
  ['sum_squares_f32', [], 0],
  ['prod_f32', [], 1],
  ['prod_f32', [2, NAN, 0], NAN],
  ['prod_f32', [0, INF], NAN],
  ['max_f32', [1, NAN, 2], NAN],
  ['max_f32', [-INF, -INF], -INF],
  ['max_f32', [-0, 0], 0],
  ['max_f32', [1e-45, 0, 0, 0, 0], 1e-45],
  ['min_f32', [1, NAN, 2], NAN],
  ['min_f32', [INF, INF, INF], INF],
  ['min_f32', [0, -0], -0],
  ['logsumexp_f32', [-INF, -INF, -INF], -INF],
  ['logsumexp_f32', [], -INF],
  ['logsumexp_f32', [-INF, 3], 3],
  ['logsumexp_f32', [1, INF, -INF], INF],
  ['logsumexp_f32', [1, NAN], NAN],
  ['logsumexp_f32', [INF, NAN], NAN],
  ['logsumexp_f32', [1e4, 1e4], 1e4 + Math.LN2],
  ['logsumexp_f32', [-1e4, -1e4], -1e4 + Math.LN2],
];

/** [kernel, column, index]. */
const indexSpecials: [string, Column, number][] = [
  ['argmax_f32', [1, 3, 3, 2], 1],
  ['argmax_f32', [1, NAN, 3, NAN, INF], 1],
  ['argmax_f32', [-INF, -INF, -INF, -INF, -INF], 0],
  ['argmax_f32', [-0, 0], 0],
  ['argmax_f32', [0, 0, 0, 0, 0, 0, 7, 7, 7], 6],
  ['argmin_f32', [3, 1, 1, 2], 1],
  ['argmin_f32', [1, NAN, -INF, NAN], 1],
  ['argmin_f32', [INF, INF, INF, INF, INF], 0],
  ['argmin_f32', [0, -0], 0],
];

describe.each(builds)('%s', (build) => {
  const bench = new KernelBench(build);

  it.each(reductions)('$kernel agrees with f64 for every shape', ({ kernel, scalars, reference, tolerance }) => {
    for (const [outer, r, inner] of shapes) {
      const x = noise(outer * r * inner, r + inner);
      const got = reduced(bench, kernel, x, outer, r, inner, scalars?.(r) ?? []);
      const excess = outputs(outer, inner).map(([o, i], k) => {
        const c = column(x, r, inner, o, i);
        const expected = reference(c);
        // Half a unit in the last place is the rounding of the result itself.
        return Math.abs((got[k] as number) - expected) - tolerance(c) - EPSILON * Math.abs(expected);
      });
      expect(Math.max(...excess), `[${outer}, ${r}, ${inner}]`).toBeLessThanOrEqual(0);
    }
  });

  it.each(specials)('%s of %j is %d', (kernel, values, expected, scalars = []) => {
    for (const inner of [1, 3, 21]) {
      const got = reduced(bench, kernel, spread(values, 3, inner), 3, values.length, inner, scalars);
      for (const v of got) expect(ulps(v, expected), `inner ${inner}`).toBeLessThanOrEqual(2);
    }
  });

  it.each(indexSpecials)('%s of %j is %i', (kernel, values, expected) => {
    for (const inner of [1, 3, 21]) {
      bench.reset();
      const out = bench.i32(3 * inner);
      bench.run(kernel, out, bench.f32(spread(values, 3, inner)), 3, values.length, inner, inner);
      expect([...bench.readI32(out, 3 * inner)]).toEqual(Array(3 * inner).fill(expected));
    }
  });

  it.each([
    ['argmax_f32', Math.max],
    ['argmin_f32', Math.min],
  ] as const)('%s finds the first of the best for every shape', (kernel, best) => {
    for (const [outer, r, inner] of shapes) {
      bench.reset();
      const x = noise(outer * r * inner, r).map((v) => Math.round(v * 4));
      const out = bench.i32(outer * inner);
      bench.run(kernel, out, bench.f32(x), outer, r, inner, inner);
      const expected = outputs(outer, inner).map(([o, i]) => {
        const c = column(x, r, inner, o, i);
        return c.indexOf(best(...c));
      });
      expect([...bench.readI32(out, outer * inner)], `[${outer}, ${r}, ${inner}]`).toEqual(expected);
    }
  });

  it.each([0, 1, 2, 0.5])('variance_f32 with correction %d agrees with f64', (correction) => {
    for (const [outer, r, inner] of shapes) {
      bench.reset();
      const x = noise(outer * r * inner, r).map((v) => v + 30);
      const out = bench.f32(outer * inner);
      const mean = bench.f32(outer * inner);
      bench.run('variance_f32', out, mean, bench.f32(x), outer, r, inner, inner, correction, bench.f32(4096));
      const [means, variances] = [bench.readF32(mean, outer * inner), bench.readF32(out, outer * inner)];
      for (const [k, [o, i]] of outputs(outer, inner).entries()) {
        const c = column(x, r, inner, o, i);
        expect(ulps(means[k] as number, add(c) / r), `mean of ${r}`).toBeLessThanOrEqual(4);
        const left = Math.max(0, r - correction);
        if (left > 0) expect(variances[k]).toBeCloseTo(moment(c) / left, 4);
        else expect(variances[k]).toBe(r === 1 ? NAN : INF);
      }
    }
  });

  it('variance_f32 of equal values far from 0 is as good as nothing', () => {
    bench.reset();
    const out = bench.f32(1);
    bench.run(
      'variance_f32',
      out,
      bench.f32(1),
      bench.f32(new Float32Array(1000).fill(1e4)),
      1,
      1000,
      1,
      1,
      1,
      bench.f32(4096),
    );
    expect(bench.readF32(out, 1)[0]).toBe(0);
  });

  it.each([
    ['rows', 10_000_000, 1],
    ['columns', 3_000_000, 3],
    ['columns', 600_000, 16],
  ] as const)('sums of ten million keep their accuracy down %s', (_, r, inner) => {
    for (const value of [0.1, 1, 1.7]) {
      bench.reset();
      const x = new Float32Array(r * inner).fill(value);
      const exact = Math.fround(value) * r;
      for (const sum of reduced(bench, 'sum_f32', x, 1, r, inner, [1])) {
        expect(Math.abs(sum / exact - 1)).toBeLessThan(3e-7);
      }
    }
  });

  it.each(['sum_f32', 'sum_squares_f32', 'logsumexp_f32'])(
    '%s of a slice has the same bits wherever the slice lies',
    (kernel) => {
      const scalars = kernel === 'sum_f32' ? [1] : [];
      for (const r of [5, 130, 1009]) {
        const x = noise(7 * r);
        const rows = reduced(bench, kernel, x, 7, r, 1, scalars);
        const alone = Array.from({ length: 7 }, (_, o) =>
          reduced(bench, kernel, x.slice(o * r, (o + 1) * r), 1, r, 1, scalars),
        );
        expect([...rows]).toEqual(alone.flatMap((a) => [...a]));
        // A column's bits do not depend on its neighbours either.
        const columns = reduced(bench, kernel, x, 1, r, 7, scalars);
        const wide = Float32Array.from(
          { length: r * 23 },
          (_, k) => x[Math.floor(k / 23) * 7 + ((k % 23) % 7)] as number,
        );
        const among = reduced(bench, kernel, wide, 1, r, 23, scalars);
        expect([...among]).toEqual(Array.from(among, (_, k) => columns[k % 7]));
      }
    },
  );

  it.each([
    ['cumsum_forward_f32', running],
    ['cumsum_backward_f32', (c: Column) => running(c.toReversed()).reverse()],
  ] as const)('%s agrees with f64 for every shape, also in place', (kernel, reference) => {
    for (const [outer, r, inner] of shapes) {
      for (const inPlace of [false, true]) {
        bench.reset();
        const x = noise(outer * r * inner);
        const from = bench.f32(x);
        const out = inPlace ? from : bench.f32(x.length);
        bench.run(kernel, out, from, outer, r, inner, inner);
        const got = bench.readF32(out, x.length);
        for (const [o, i] of outputs(outer, inner)) {
          const c = column(x, r, inner, o, i);
          const expected = reference(c);
          const errors = column(got, r, inner, o, i).map((v, j) => Math.abs(v - (expected[j] as number)));
          expect(Math.max(...errors), `[${outer}, ${r}, ${inner}]`).toBeLessThanOrEqual(few(c));
        }
      }
    }
  });

  it('cumsum carries NaN and infinities on', () => {
    const values = [1, 2, INF, 4, -INF, 6];
    for (const inner of [1, 2]) {
      bench.reset();
      const out = bench.f32(values.length * inner);
      bench.run('cumsum_forward_f32', out, bench.f32(spread(values, 1, inner)), 1, values.length, inner, inner);
      expect(column(bench.readF32(out, values.length * inner), values.length, inner, 0, 0)).toEqual([
        1,
        3,
        INF,
        INF,
        NAN,
        NAN,
      ]);
    }
  });

  it.each([0, 1, 2])('prod_backward_f32 leaves each element out of its own product, with %i zeros', (zeros) => {
    for (const [outer, r, inner] of shapes) {
      if (r > 67) continue; // beyond, the product leaves f32
      bench.reset();
      const x = noise(outer * r * inner).map((v, k) => (Math.floor(k / inner) % r < zeros ? 0 : v + Math.sign(v)));
      const g = noise(outer * inner, 5);
      const dx = bench.f32(x.length);
      bench.run('prod_backward_f32', dx, bench.f32(g), bench.f32(x), outer, r, inner, inner);
      const got = bench.readF32(dx, x.length);
      for (const [k, [o, i]] of outputs(outer, inner).entries()) {
        const c = column(x, r, inner, o, i);
        const errors = column(got, r, inner, o, i).map((v, j) => {
          const expected = c.reduce((p, w, other) => (other === j ? p : p * w), g[k] as number);
          return Math.abs(v - expected) - 2 * EPSILON * Math.abs(expected);
        });
        expect(Math.max(...errors), `[${outer}, ${r}, ${inner}]`).toBeLessThanOrEqual(0);
      }
    }
  });

  it('no reduction reads past the end of memory', () => {
    const calls = [
      ['sum_f32', 1],
      ['max_f32'],
      ['argmax_f32'],
      ['logsumexp_f32'],
      ['cumsum_forward_f32'],
      ['cumsum_backward_f32'],
    ] as const;
    for (const [kernel, ...scalars] of calls) {
      for (const [r, inner] of [
        [1, 1],
        [7, 1],
        [130, 1],
        [3, 2],
        [5, 7],
        [2, 18],
        [4, 19],
      ] as const) {
        bench.reset();
        const out = bench.f32(r * inner);
        const x = bench.memory.buffer.byteLength - 4 * r * inner;
        new Float32Array(bench.memory.buffer, x, r * inner).fill(1);
        const workspace = workspaceFor(bench, kernel);
        expect(() => bench.run(kernel, out, x, 1, r, inner, inner, ...scalars, ...workspace)).not.toThrow();
      }
    }
  });
});
