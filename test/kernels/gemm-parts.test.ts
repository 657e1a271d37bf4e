// What parts of products share with the whole, and what does not reach beyond a row, a column or the end of memory.
import { beforeEach, describe, expect, it } from 'vitest';
import { algorithmsOf, bits, builds, KernelBench } from '../support/kernels.ts';
import { layouts, type Matrix, operands, type Product, RELU, run, same, strides } from '../support/products.ts';

describe.each(builds)('parts of gemm, %s', (build) => {
  const bench = new KernelBench(build);
  const tiles = Array.from({ length: bench.run('gemm_tile_count') as number }, (_, id) => id);

  describe.each(tiles)('tile %i', (tile) => {
    const { next, pick, product } = operands(tile + 1);
    const start = (): void => {
      bench.run('gemm_set_tile', tile);
    };
    beforeEach(start);

    it('gives a part of a product the bits that the part has alone', () => {
      const [m, n, k] = [157, 37, 300];
      const p = product(m, n, k, ['N', 'N']);
      const whole = run(bench, p);
      for (let trial = 0; trial < 12; trial++) {
        const [i, j] = [Math.floor(next() * m), Math.floor(next() * n)];
        // A part of few rows or columns goes another way than a tile.
        const rows = trial % 3 === 1 ? 1 : 1 + Math.floor(next() * (m - i));
        const cols = trial % 3 === 2 ? 1 : 1 + Math.floor(next() * (n - j));
        const part = run(bench, {
          m: rows,
          n: cols,
          k,
          a: { ...p.a, data: p.a.data.subarray(i * k, (i + rows) * k) },
          b: { ...p.b, data: p.b.data.subarray(j, j + (k - 1) * n + cols) },
        });
        for (let r = 0; r < rows; r++) {
          const expected = whole.subarray((i + r) * n + j, (i + r) * n + j + cols);
          expect(bits(part.subarray(r * cols, (r + 1) * cols))).toEqual(bits(expected));
        }
      }
    });

    it('gives slices of rows and of columns the bits of the whole, by its algorithm', () => {
      const selected = new Set<number>();
      for (const [m, n, k] of [
        [40, 48, 300],
        [64, 64, 64],
        [16, 32, 20],
        [150, 17, 40],
        [13, 200, 3],
        [8, 530, 260],
        [530, 8, 260],
        [1, 90, 70],
        [90, 1, 70],
        [100, 100, 1],
      ] as const) {
        for (const layout of layouts) {
          const bias = Float32Array.from({ length: n }, () => next() - 0.5);
          const p: Product = { ...product(m, n, k, layout), bias, act: RELU };
          const { a, b } = p;
          const algorithm = bench.run('gemm_select_f32', m, n, k, a.rs, a.cs, b.rs, b.cs) as number;
          selected.add(algorithm);
          const whole = run(bench, p);
          const what = `${m}x${n}x${k} ${layout}`;
          expect(same(run(bench, { ...p, algorithm }), whole), what).toBe(true);
          // Any slice: one row or column, and what is left in two parts that end in the middle of tiles.
          const cuts = (size: number): [number, number][] => {
            const ends = [...new Set([1, 1 + Math.floor(next() * size), size])].sort((x, y) => x - y);
            return ends.map((end, i) => [ends[i - 1] ?? 0, end]);
          };
          for (const [from, to] of cuts(m)) {
            const part = { ...a, data: a.data.subarray(from * a.rs) };
            const slice = run(bench, { ...p, m: to - from, a: part, algorithm });
            expect(same(slice, whole.subarray(from * n, to * n)), `${what}: rows ${from} to ${to}`).toBe(true);
          }
          for (const [from, to] of cuts(n)) {
            const part = { ...b, data: b.data.subarray(from * b.cs) };
            const columns = { n: to - from, b: part, crs: n, bias: bias.slice(from, to) };
            const slice = run(bench, { ...p, ...columns, algorithm });
            const rows = Array.from({ length: m }, (_, i) => i * n);
            const differ = rows.filter(
              (i) => !same(slice.subarray(i, i + to - from), whole.subarray(i + from, i + to)),
            );
            expect(differ, `${what}: columns ${from} to ${to}`).toEqual([]);
          }
        }
      }
      // No algorithm is left untried.
      expect(selected).toEqual(new Set(algorithmsOf(bench, 'GemmAlgorithm').map(([, number]) => number)));
    });

    it('keeps NaN and infinity in their row or column', () => {
      for (const [m, n, k] of [
        [1, 1, 1],
        [5, 9, 3],
        [13, 21, 6],
        [7, 17, 300],
      ] as const) {
        for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
          for (const layout of layouts.slice(0, 4)) {
            const [i, j, q] = [Math.floor(next() * m), Math.floor(next() * n), Math.floor(next() * k)];
            const p = product(m, n, k, layout);
            p.a.data[i * p.a.rs + q * p.a.cs] = bad;
            const byRow = run(bench, p);
            const rows = Array.from(byRow.entries())
              .filter(([, x]) => !Number.isFinite(x))
              .map(([e]) => Math.floor(e / n));
            expect(rows).toEqual(new Array(n).fill(i));
            const o = product(m, n, k, layout);
            o.b.data[q * o.b.rs + j * o.b.cs] = bad;
            const byColumn = run(bench, o);
            const columns = Array.from(byColumn.entries())
              .filter(([, x]) => !Number.isFinite(x))
              .map(([e]) => e % n);
            expect(columns).toEqual(new Array(m).fill(j));
          }
        }
      }
    });

    it('passes NaN and infinity through relu and bias, and never reads C', () => {
      const one: Matrix = { data: new Float32Array([1]), rs: 1, cs: 1 };
      const alone = (x: number, extra: Partial<Product>): number => {
        const a: Matrix = { data: new Float32Array([x]), rs: 1, cs: 1 };
        return run(bench, { m: 1, n: 1, k: 1, a, b: one, ...extra })[0] as number;
      };
      expect(alone(Number.NaN, { act: RELU })).toBeNaN();
      expect(alone(Number.POSITIVE_INFINITY, { act: RELU })).toBe(Number.POSITIVE_INFINITY);
      expect(alone(Number.NEGATIVE_INFINITY, { act: RELU })).toBe(0);
      expect(alone(2, { bias: new Float32Array([Number.NaN]) })).toBeNaN();
      expect(alone(2, { c: new Float32Array([Number.NaN]) })).toBe(2);
      expect(alone(2 ** -149, {})).toBe(2 ** -149);
    });

    it('reads nothing behind A, B, C or the bias at the end of memory', () => {
      bench.reset();
      const workspace = bench.f32((bench.run('gemm_workspace_bytes') as number) / 4);
      const scratch = bench.f32(64 * 64);
      bench.memory.grow(1);
      const end = bench.memory.buffer.byteLength;
      for (let trial = 0; trial < 60; trial++) {
        const [m, n, k] = [1 + Math.floor(next() * 20), 1 + Math.floor(next() * 20), 1 + Math.floor(next() * 20)];
        const [la, lb] = pick(layouts);
        const [ars, acs] = strides(la, m, k);
        const [brs, bcs] = strides(lb, k, n);
        const tail = (elements: number): number => end - 4 * elements;
        const a = tail((m - 1) * ars + (k - 1) * acs + 1);
        const b = tail((k - 1) * brs + (n - 1) * bcs + 1);
        const gemm = (c: number, pa: number, pb: number, bias: number): unknown =>
          bench.run('gemm_f32', c, pa, pb, bias, m, n, k, ars, acs, brs, bcs, n, RELU, 0, workspace, 0);
        gemm(scratch, a, b, tail(n));
        gemm(tail(m * n), scratch, scratch, 0);
      }
    });
  });
});
