import { describe, expect, it } from 'vitest';
import { type Build, builds, KernelBench, sizes, ulps } from '../support/kernels.ts';
import { binary, comparison } from '../support/reference.ts';

/** A broadcast: sizes, and the strides of each operand. */
interface Pattern {
  n: number[];
  strides: number[][];
}

const pair = (n: number[], a: number[], b: number[]): Pattern => ({ n, strides: [a, b] });
const patterns: Pattern[] = [
  ...sizes.map((n) => pair([n], [1], [1])),
  ...[1, 3, 4, 17, 33].flatMap((n) => [
    pair([n], [1], [0]),
    pair([n], [0], [1]),
    pair([n], [0], [0]),
    pair([n], [2], [3]),
    pair([n], [1], [5]),
    pair([3, n], [n, 1], [0, 1]),
    pair([3, n], [n, 1], [1, 0]),
    pair([3, n], [0, 1], [n, 1]),
    pair([3, n], [1, 0], [n, 1]),
    pair([n, 6], [1, n], [6, 1]),
    pair([n, 6], [6, 1], [1, n]),
  ]),
  pair([], [], []),
  pair([0, 5], [5, 1], [5, 1]),
  pair([5, 0], [0, 1], [0, 1]),
  pair([2, 0, 3], [0, 3, 1], [0, 0, 1]),
  pair([2, 3, 20], [60, 20, 1], [0, 1, 0]),
  pair([2, 3, 20], [1, 2, 6], [20, 0, 1]),
  pair([4, 3, 2, 5], [0, 10, 5, 1], [30, 0, 15, 3]),
  pair([2, 1, 2, 1, 2, 2, 1, 3], [12, 12, 6, 6, 3, 0, 3, 1], [0, 0, 1, 1, 2, 4, 0, 8]),
];

/** Every index of the pattern in row-major order, as one offset an operand. */
function offsets({ n, strides }: Pattern): number[][] {
  let all: number[][] = [strides.map(() => 0)];
  n.forEach((count, axis) => {
    all = all.flatMap((base) =>
      Array.from({ length: count }, (_, i) => base.map((at, operand) => at + i * (strides[operand]?.[axis] ?? 0))),
    );
  });
  return all;
}

/** How many elements an operand must have. */
function extent({ n, strides }: Pattern, operand: number): number {
  if (n.includes(0)) return 0;
  return n.reduce((sum, count, axis) => sum + (count - 1) * (strides[operand]?.[axis] ?? 0), 1);
}

function dimsOf({ n, strides }: Pattern): number[] {
  return [n.length, ...n, ...strides.flat()];
}

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

  const integers = {
    add: (a: number, b: number) => (a + b) | 0,
    sub: (a: number, b: number) => (a - b) | 0,
    mul: Math.imul,
  };
  const integerValues = (n: number, seed: number) =>
    Array.from({ length: n }, (_, i) => Math.imul(i * 7 + seed, 0x9e3779b1));
  for (const [name, forward] of Object.entries(integers)) {
    it(`${name} of i32 wraps and broadcasts`, () => {
      for (const pattern of patterns) {
        const a = integerValues(extent(pattern, 0), 1);
        const b = integerValues(extent(pattern, 1), 2);
        const expected = offsets(pattern).map(([i = 0, j = 0]) => forward(a[i] as number, b[j] as number));
        bench.reset();
        const out = bench.i32(expected.length);
        bench.run(`${name}_forward_i32`, out, bench.i32(a), bench.i32(b), bench.i32(dimsOf(pattern)));
        expect([...bench.readI32(out, expected.length)], JSON.stringify(pattern)).toEqual(expected);
      }
    });
  }

  for (const [name, test] of Object.entries(comparison)) {
    it(`${name} compares f32 and i32`, () => {
      for (const pattern of patterns) {
        for (const kind of ['f32', 'i32'] as const) {
          const scale = kind === 'i32' ? 8 : 1;
          const a = values(extent(pattern, 0), 1).map((v) => v * scale);
          const b = values(extent(pattern, 1), 2).map((v) => v * scale);
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
    }
  });
});
