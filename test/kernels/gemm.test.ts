// GEMM against an f64 reference, and to the bit against its definition: sums of K blocks of 256, each in the order of
// p.
import { beforeEach, describe, expect, it } from 'vitest';
import { bits, builds, KernelBench } from '../support/kernels.ts';
import { check, define, layouts, type Matrix, operands, type Product, RELU, run, small } from '../support/products.ts';

describe.each(builds)('gemm, %s', (build) => {
  const bench = new KernelBench(build);
  const tiles = Array.from({ length: bench.run('gemm_tile_count') as number }, (_, id) => id);

  describe.each(tiles)('tile %i', (tile) => {
    const { next, pick, product } = operands(tile + 1);
    const start = (): void => {
      bench.run('gemm_set_tile', tile);
    };
    beforeEach(start);

    it.each(layouts)('agrees with f64: A %s, B %s', (la, lb) => {
      for (let trial = 0; trial < 30; trial++) {
        const p = product(pick(small), pick(small), pick([...small, 255, 256, 257]), [la, lb]);
        check(p, run(bench, p));
      }
    });

    it('applies bias and relu once, over several K blocks, and leaves the gaps between rows', () => {
      const gaps = (c: Float32Array, m: number, n: number, crs: number): Float32Array[] =>
        Array.from({ length: m - 1 }, (_, i) => c.subarray(i * crs + n, (i + 1) * crs));
      const kinds = [0, 1, 16, 257, 520].flatMap((k) =>
        [0, RELU].flatMap((act) => [false, true].map((withBias) => ({ k, act, withBias }))),
      );
      for (const { k, act, withBias } of kinds) {
        for (const [m, n] of [
          [1, pick(small)],
          [pick(small), 1],
          [pick(small), pick(small)],
        ] as const) {
          const crs = n + 5;
          const length = m === 0 || n === 0 ? 0 : (m - 1) * crs + n;
          const c = Float32Array.from({ length }, () => next() * 8 - 4);
          const p: Product = { ...product(m, n, k, ['N', 'N']), c, crs, act };
          if (withBias) p.bias = Float32Array.from({ length: n }, () => next() * 8 - 4);
          const out = run(bench, p);
          check(p, out);
          expect(gaps(out, m, n, crs)).toEqual(gaps(c, m, n, crs));
        }
      }
    });

    it('crosses the blocks of rows, columns and K, with bias and relu', () => {
      for (const [m, n, k] of [
        [301, 9, 20],
        [3, 2060, 7],
        [1, 1030, 300],
        [1030, 1, 300],
        [150, 1030, 3],
        [150, 17, 515],
      ] as const) {
        const p = { ...product(m, n, k, pick(layouts)), act: RELU, bias: new Float32Array(n).fill(0.25) };
        check(p, run(bench, p));
      }
    });

    it('adds in the defined order, to the bit', () => {
      for (const layout of layouts) {
        const [m, n, k] = pick([
          [13, 19, 600],
          [37, 45, 130],
          [150, 11, 256],
          [37, 19, 5],
          [64, 64, 64], // small
          [16, 32, 20],
          [3, 530, 300], // GEMV: few rows, few columns, few steps
          [530, 4, 257],
          [33, 530, 7],
        ] as const);
        const p = product(m, n, k, layout);
        const c = run(bench, p);
        // The relaxed build rounds a product and a sum once, which f64 cannot show; it must give the bits of tile 0.
        if (build === 'strict') expect(bits(c)).toEqual(bits(define(p)));
        bench.run('gemm_set_tile', 0);
        expect(bits(run(bench, p))).toEqual(bits(c));
        start();
      }
    });
  });

  it('does nothing for m or n of 0', () => {
    const none: Matrix = { data: new Float32Array(0), rs: 0, cs: 0 };
    for (const [m, n] of [
      [0, 3],
      [3, 0],
      [0, 0],
    ] as const)
      run(bench, { m, n, k: 0, a: none, b: none });
  });

  it('needs a workspace of whole cache lines', () => {
    expect((bench.run('gemm_workspace_bytes') as number) % 64).toBe(0);
  });
});
