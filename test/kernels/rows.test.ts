// Sums and writes of rows by index, in guarded memory, against plain loops.
import { describe, expect, it } from 'vitest';
import { builds, KernelBench } from '../support/kernels.ts';

const noise = (n: number, seed: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(seed + i * i * 1.37));
/** Some of them name no row. */
const indices = (count: number, n: number, seed: number) =>
  Int32Array.from({ length: count }, (_, i) => ((i * i * 7 + i + seed) % (n + 2)) - 1);

const shapes = [0, 1, 3, 4, 5, 15, 16, 17, 31, 67].flatMap((inner) => [
  [5, 7, 11, inner] as const,
  [1, 1, 3, inner] as const,
  [3, 2, 0, inner] as const,
]);

const variants = Array.from({ length: 32 }, (_, bits) => ({
  hasFrom: (bits & 1) > 0,
  hasTo: (bits & 2) > 0,
  hasFactor: (bits & 4) > 0,
  skip: bits & 8 ? 1 : -1,
  gap: bits & 16 ? 3 : 0,
}));

/** What a sum of rows leaves of 7s. */
function summed(
  x: Float32Array,
  { from, to }: Readonly<Record<'from' | 'to', Int32Array | null>>,
  factor: Float32Array | null,
  { n, rows, m, inner, step, skip }: Readonly<Record<'n' | 'rows' | 'm' | 'inner' | 'step' | 'skip', number>>,
): Float32Array {
  const y = new Float32Array(n * step).fill(7);
  for (let r = 0; r < n; r++) y.fill(0, r * step, r * step + inner);
  /** Where an entry goes to or comes from; -1: nowhere. */
  const place = (list: Int32Array | null, j: number, count: number): number => {
    const at = list ? (list[j] as number) : j;
    return at < 0 || at >= count || (list && at === skip) ? -1 : at;
  };
  for (let j = 0; j < m; j++) {
    const [a, b] = [place(from, j, rows), place(to, j, n)];
    if (a < 0 || b < 0) continue;
    for (let i = 0; i < inner; i++)
      y[b * step + i] = (y[b * step + i] as number) + (x[a * step + i] as number) * (factor?.[j] ?? 1);
  }
  return y;
}

describe.each(builds)('%s', (build) => {
  const bench = new KernelBench(build);

  it.each(shapes)('sum_rows_f32 to %i rows from %i, of %i entries, %i wide', (n, rows, m, inner) => {
    for (const { hasFrom, hasTo, hasFactor, skip, gap } of variants) {
      bench.reset();
      const step = inner + gap;
      const [x, factor] = [noise(rows * step, 1), noise(m, 2)];
      const lists = { from: hasFrom ? indices(m, rows, 0) : null, to: hasTo ? indices(m, n, 3) : null };
      const factors = hasFactor ? factor : null;
      const expected = summed(x, lists, factors, { n, rows, m, inner, step, skip });
      const y = bench.f32(new Float32Array(n * step).fill(7));
      const [from, to] = [lists.from, lists.to].map((list) => (list ? bench.i32(list) : 0)) as [number, number];
      const scale = factors ? bench.f32(factors) : 0;
      bench.run('sum_rows_f32', y, bench.f32(x), from, to, scale, n, rows, m, inner, step, skip, skip);
      const left = bench.readF32(y, n * step);
      expect(left.findIndex((value, i) => Math.abs(value - (expected[i] as number)) > 1e-5)).toBe(-1);
    }
  });

  it.each(shapes)('put_rows_f32 and index_shares_f32: %i rows, %i, %i entries, %i wide', (n, _, m, inner) => {
    bench.reset();
    const [x, index] = [noise(m * inner, 1), indices(m, n, 0)];
    const expected = noise(n * inner, 4);
    const y = bench.f32(expected);
    index.forEach((row, j) => {
      if (row >= 0 && row < n) expected.set(x.subarray(j * inner, (j + 1) * inner), row * inner);
    });
    bench.run('put_rows_f32', y, bench.f32(x), bench.i32(index), n, m, inner);
    expect(bench.readF32(y, n * inner)).toEqual(expected);
    const [share, counts] = [bench.f32(m), bench.i32(n)];
    bench.run('index_shares_f32', share, counts, bench.i32(index), n, m);
    const shares = Array.from(index, (row) =>
      row < 0 || row >= n ? 0 : Math.fround(1 / index.filter((other) => other === row).length),
    );
    expect(Array.from(bench.readF32(share, m))).toEqual(shares);
  });
});
