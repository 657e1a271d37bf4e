import { describe, expect, it } from 'vitest';
import { binary, comparison } from '../../reference/elementwise.ts';
import { dimsOf, extent, offsets, type Pattern, pair, patterns } from '../support/broadcast.ts';
import { type Build, builds, KernelBench, sizes, ulps } from '../support/kernels.ts';

/** Small numbers in steps of 1/8, so that equal pairs occur. */
function values(n: number, seed: number): number[] {
  return Array.from({ length: n }, (_, i) => (((i * 37 + seed * 11 + 5) % 41) - 20) / 8);
}

const specials = [
  0,
  -0,
  1,
  -1,
  2,
  -2,
  3,
  -3,
  0.5,
  -0.5,
  1.5,
  -7,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  2 ** -149,
  -(2 ** -149),
  1e-40,
  3.4028234663852886e38,
  -3.4028234663852886e38,
  127,
  -150.5,
  16777217,
].map(Math.fround);

describe.each(builds)('broadcasting kernels, %s', (build: Build) => {
  const bench = new KernelBench(build);

  for (const [name, { forward }] of Object.entries(binary)) {
    const bound = name === 'pow' ? 1 : 0.5;
    it(`${name} broadcasts`, () => {
      for (const pattern of patterns) {
        const a = values(extent(pattern, 0), 1).map((v) => (name === 'pow' ? Math.abs(v) : v));
        const b = values(extent(pattern, 1), 2);
        const expected = offsets(pattern).map(([i = 0, j = 0]) => forward(a[i] as number, b[j] as number));
        bench.reset();
        const out = bench.f32(expected.length);
        const args = [bench.f32(a), bench.f32(b), bench.i32(dimsOf(pattern))];
        bench.run(`${name}_forward_f32`, out, ...args);
        const actual = bench.readF32(out, expected.length);
        const worst = expected.reduce((most, e, i) => Math.max(most, ulps(actual[i] as number, e)), 0);
        expect(worst, JSON.stringify(pattern)).toBeLessThanOrEqual(bound);
      }
    });

    it(`${name} is right at special values`, () => {
      const pattern = pair([specials.length, specials.length], [1, 0], [0, 1]);
      bench.reset();
      const out = bench.f32(specials.length ** 2);
      const operand = bench.f32(specials);
      bench.run(`${name}_forward_f32`, out, operand, operand, bench.i32(dimsOf(pattern)));
      const actual = bench.readF32(out, specials.length ** 2);
      offsets(pattern).forEach(([i = 0, j = 0], at) => {
        const a = specials[i] as number;
        const b = specials[j] as number;
        const expected = Math.fround(forward(a, b));
        const label = `${name}(${a}, ${b})`;
        if (name === 'pow') {
          expect(ulps(actual[at] as number, forward(a, b)), label).toBeLessThanOrEqual(1);
          if (expected === 0) expect(actual[at], label).toBe(expected);
        } else expect(actual[at], label).toBe(expected);
      });
    });

    it(`${name} may write over an operand`, () => {
      for (const n of sizes) {
        const a = values(n, 3).map(Math.abs);
        const b = values(n, 4);
        for (const over of [0, 1]) {
          bench.reset();
          const args = [bench.f32(a), bench.f32(b)];
          const out = bench.f32(n);
          const dims = bench.i32([1, n, 1, 1]);
          bench.run(`${name}_forward_f32`, out, ...args, dims);
          bench.run(`${name}_forward_f32`, args[over] as number, ...args, dims);
          expect(bench.readF32(args[over] as number, n)).toEqual(bench.readF32(out, n));
        }
      }
    });
  }

  for (const [name, test] of Object.entries(comparison)) {
    it(`${name} compares f32, i32 and u8`, () => {
      for (const pattern of patterns) {
        for (const kind of ['f32', 'i32', 'u8'] as const) {
          // As u8 the numbers lie on both sides of 128.
          const convert = { f32: (v: number) => v, i32: (v: number) => v * 8, u8: (v: number) => v * 8 + 128 }[kind];
          const a = values(extent(pattern, 0), 1).map(convert);
          const b = values(extent(pattern, 1), 2).map(convert);
          const expected = offsets(pattern).map(([i = 0, j = 0]) => Number(test(a[i] as number, b[j] as number)));
          bench.reset();
          const out = bench.u8(expected.length);
          bench.run(`${name}_${kind}`, out, bench[kind](a), bench[kind](b), bench.i32(dimsOf(pattern)));
          expect([...bench.readU8(out, expected.length)], `${kind} ${JSON.stringify(pattern)}`).toEqual(expected);
        }
      }
    });

    it(`${name} compares special values as IEEE 754 does`, () => {
      const pattern = pair([specials.length, specials.length], [1, 0], [0, 1]);
      const expected = specials.flatMap((a) => specials.map((b) => Number(test(a, b))));
      bench.reset();
      const out = bench.u8(expected.length);
      const operand = bench.f32(specials);
      bench.run(`${name}_f32`, out, operand, operand, bench.i32(dimsOf(pattern)));
      expect([...bench.readU8(out, expected.length)]).toEqual(expected);
    });
  }

  it('where picks, for any broadcast of three', () => {
    const triples: Pattern[] = [
      ...sizes.map((n) => ({ n: [n], strides: [[1], [1], [1]] })),
      ...[1, 3, 4, 17, 33].flatMap((n) =>
        [
          [1, 1, 0],
          [1, 0, 1],
          [1, 0, 0],
          [0, 1, 1],
          [2, 1, 3],
          [3, 2, 1],
        ].map((s) => ({ n: [n], strides: s.map((v) => [v]) })),
      ),
      { n: [], strides: [[], [], []] },
      {
        n: [3, 0],
        strides: [
          [0, 1],
          [0, 1],
          [0, 0],
        ],
      },
      {
        n: [2, 3, 9],
        strides: [
          [0, 9, 1],
          [27, 9, 1],
          [0, 0, 0],
        ],
      },
      {
        n: [2, 3, 2, 6],
        strides: [
          [1, 0, 2, 4],
          [36, 12, 6, 1],
          [6, 12, 0, 1],
        ],
      },
    ];
    for (const pattern of triples) {
      const cond = Array.from(
        { length: extent(pattern, 0) },
        (_, i) => [0, 1, 0, 0, 255, 2, 0, 128][(i * 5) % 8] as number,
      );
      const a = values(extent(pattern, 1), 1);
      const b = values(extent(pattern, 2), 2).map((v) => v + 100);
      const expected = offsets(pattern).map(([i = 0, j = 0, k = 0]) => (cond[i] ? a[j] : b[k]) as number);
      bench.reset();
      const out = bench.f32(expected.length);
      bench.run('where_f32', out, bench.u8(cond), bench.f32(a), bench.f32(b), bench.i32(dimsOf(pattern)));
      expect([...bench.readF32(out, expected.length)], JSON.stringify(pattern)).toEqual(expected);

      const [x, y] = [a.map((v) => v * 8 + 20), b.map((v) => v - 5)];
      const bytes = offsets(pattern).map(([i = 0, j = 0, k = 0]) => (cond[i] ? x[j] : y[k]) as number);
      const to = bench.u8(bytes.length);
      bench.run('where_u8', to, bench.u8(cond), bench.u8(x), bench.u8(y), bench.i32(dimsOf(pattern)));
      expect([...bench.readU8(to, bytes.length)], JSON.stringify(pattern)).toEqual([...Uint8Array.from(bytes)]);
    }
  });
});
