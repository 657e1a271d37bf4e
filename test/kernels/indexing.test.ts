import { describe, expect, it } from 'vitest';
import { builds, KernelBench } from '../support/kernels.ts';

/** [outer, n, m, inner]: x is [outer, n, inner], m the number of indices along the middle. */
const shapes = [
  ...[1, 3, 4, 5, 8, 15, 16, 17, 31].map((inner) => [2, 5, 7, inner] as const),
  ...[0, 1, 3, 17].map((m) => [3, 4, m, 1] as const),
  [1, 1, 1, 1],
  [0, 4, 3, 2],
  [2, 4, 3, 0],
  [1, 1009, 67, 3],
] as const;

const noise = (n: number, seed: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(seed + i * i * 1.37));
const indices = (count: number, n: number) => Int32Array.from({ length: count }, (_, i) => (i * i * 7 + i) % n);

describe.each(builds)('%s', (build) => {
  const bench = new KernelBench(build);

  it.each(shapes)('index_select_32, index_select_8 and index_add_f32 for [%i, %i -> %i, %i]', (outer, n, m, inner) => {
    bench.reset();
    const x = noise(outer * n * inner, 1);
    const index = indices(m, n);
    const at = (o: number, j: number, i: number) => (o * n + (index[j] as number)) * inner + i;
    const cells = Array.from({ length: outer * m * inner }, (_, k) =>
      at(Math.floor(k / (m * inner)), Math.floor(k / inner) % m, k % inner),
    );
    const [from, list, out] = [bench.f32(x), bench.i32(index), bench.f32(outer * m * inner)];
    bench.run('index_select_32', out, from, list, outer, n, m, inner);
    expect(bench.readF32(out, cells.length)).toEqual(Float32Array.from(cells, (c) => x[c] as number));

    const small = Uint8Array.from(x, (_, k) => k * 7);
    const bytes = bench.u8(cells.length);
    bench.run('index_select_8', bytes, bench.u8(small), list, outer, n, m, inner);
    expect(bench.readU8(bytes, cells.length)).toEqual(Uint8Array.from(cells, (c) => small[c] as number));

    const g = noise(cells.length, 5);
    bench.run('index_add_f32', from, bench.f32(g), list, outer, n, m, inner);
    const expected = x.slice();
    for (const [k, c] of cells.entries()) expected[c] = (expected[c] as number) + (g[k] as number);
    expect(bench.readF32(from, x.length)).toEqual(expected);
  });

  it.each(shapes)('gather_32, gather_8 and scatter_add_f32 for [%i, %i -> %i, %i]', (outer, n, m, inner) => {
    bench.reset();
    const x = noise(outer * n * inner, 2);
    const index = indices(outer * m * inner, n);
    const cells = Array.from(index, (j, k) => (Math.floor(k / (m * inner)) * n + j) * inner + (k % inner));
    const [into, list, out] = [bench.f32(x), bench.i32(index), bench.f32(cells.length)];
    bench.run('gather_32', out, into, list, outer, n, m, inner);
    expect(bench.readF32(out, cells.length)).toEqual(Float32Array.from(cells, (c) => x[c] as number));

    const small = Uint8Array.from(x, (_, k) => k * 7);
    const bytes = bench.u8(cells.length);
    bench.run('gather_8', bytes, bench.u8(small), list, outer, n, m, inner);
    expect(bench.readU8(bytes, cells.length)).toEqual(Uint8Array.from(cells, (c) => small[c] as number));

    const src = noise(cells.length, 3);
    bench.run('scatter_add_f32', into, list, bench.f32(src), outer, n, m, inner);
    const expected = x.slice();
    for (const [k, c] of cells.entries()) expected[c] = (expected[c] as number) + (src[k] as number);
    expect(bench.readF32(into, x.length)).toEqual(expected);
  });

  it('moves any four bytes as they are', () => {
    for (const inner of [1, 3, 4, 5]) {
      bench.reset();
      // A signalling NaN, as f32.
      const words = Int32Array.from({ length: 2 * inner }, (_, k) => 0x7f800001 + k);
      const [x, out] = [bench.i32(words), bench.i32(2 * inner)];
      bench.run('index_select_32', out, x, bench.i32([1, 0]), 1, 2, 2, inner);
      expect(bench.readI32(out, 2 * inner)).toEqual(Int32Array.from([...words.slice(inner), ...words.slice(0, inner)]));
      bench.run('gather_32', out, x, bench.i32(Array(2 * inner).fill(1)), 1, 2, 2, inner);
      expect(bench.readI32(out, 2 * inner)).toEqual(Int32Array.from([...words.slice(inner), ...words.slice(inner)]));
    }
  });

  it('check_index_i32 finds the first bad index at any place', () => {
    for (const count of [0, 1, 3, 4, 5, 8, 17]) {
      for (let bad = 0; bad <= count; bad++) {
        for (const value of [-1, 10, 2 ** 31 - 1, -(2 ** 31)]) {
          bench.reset();
          const index = Int32Array.from({ length: count }, (_, k) => k % 10);
          if (bad < count) index.fill(value, bad);
          expect(bench.run('check_index_i32', bench.i32(index), count, 10)).toBe(bad < count ? bad : -1);
        }
      }
    }
    expect(bench.run('check_index_i32', bench.i32([0]), 1, 0)).toBe(0);
  });
});
