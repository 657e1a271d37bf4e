// Kernels of i32 and u8: arithmetic, bits, logic, sums and extremes. Every case comes from a table of what it computes.
import { describe, expect, it } from 'vitest';
import { dimsOf, extent, offsets, pair, patterns } from '../support/broadcast.ts';
import { builds, KernelBench } from '../support/kernels.ts';

type Kind = 'i32' | 'u8';
type Binary = (a: number, b: number) => number;

const wrap: Record<Kind, (v: number) => number> = { i32: (v) => v | 0, u8: (v) => v & 0xff };
const flag = (b: boolean): number => (b ? 1 : 0);

/** By the kernel's name. */
const binary: Record<string, [Kind, Binary]> = Object.fromEntries<[Kind, Binary]>([
  ...(['i32', 'u8'] as const).flatMap((kind) =>
    Object.entries<Binary>({
      add_forward: (a, b) => a + b,
      sub_forward: (a, b) => a - b,
      mul_forward: Math.imul,
      maximum_forward: Math.max,
      minimum_forward: Math.min,
      and_forward: (a, b) => a & b,
      or_forward: (a, b) => a | b,
      xor_forward: (a, b) => a ^ b,
    }).map(([name, f]) => [`${name}_${kind}`, [kind, f]] as [string, [Kind, Binary]]),
  ),
  ['logical_and_u8', ['u8', (a, b) => flag(a !== 0 && b !== 0)]],
  ['logical_or_u8', ['u8', (a, b) => flag(a !== 0 || b !== 0)]],
  ['logical_xor_u8', ['u8', (a, b) => flag((a !== 0) !== (b !== 0))]],
  ['eq_u8', ['u8', (a, b) => flag(a === b)]],
  ['ne_u8', ['u8', (a, b) => flag(a !== b)]],
  ['lt_u8', ['u8', (a, b) => flag(a < b)]],
  ['le_u8', ['u8', (a, b) => flag(a <= b)]],
  ['gt_u8', ['u8', (a, b) => flag(a > b)]],
  ['ge_u8', ['u8', (a, b) => flag(a >= b)]],
]);

const unary: Record<string, [Kind, (v: number) => number]> = {
  neg_forward_i32: ['i32', (v) => -v],
  abs_forward_i32: ['i32', Math.abs],
  sign_forward_i32: ['i32', Math.sign],
  not_forward_i32: ['i32', (v) => ~v],
  not_forward_u8: ['u8', (v) => ~v],
  logical_not_u8: ['u8', (v) => flag(v === 0)],
};

/** Reductions of one column to an i32. */
const reductions: Record<string, [Kind, (column: readonly number[]) => number]> = {
  sum_i32: ['i32', (c) => c.reduce((sum, v) => (sum + v) | 0, 0)],
  sum_u8: ['u8', (c) => c.reduce((sum, v) => sum + v, 0)],
  max_i32: ['i32', (c) => c.reduce((a, b) => Math.max(a, b), -(2 ** 31))],
  min_i32: ['i32', (c) => c.reduce((a, b) => Math.min(a, b), 2 ** 31 - 1)],
  argmax_i32: ['i32', (c) => c.indexOf(Math.max(...c))],
  argmin_i32: ['i32', (c) => c.indexOf(Math.min(...c))],
};

const edges: Record<Kind, readonly number[]> = {
  i32: [0, 1, -1, 2, -2, 255, 256, -256, 65535, 65536, 46341, -46341, 2 ** 31 - 1, -(2 ** 31), -(2 ** 31) + 1, 2 ** 30],
  u8: [0, 1, 2, 3, 15, 16, 17, 100, 127, 128, 129, 200, 253, 254, 255],
};

/** Numbers over the whole range, among them edges, and the same ones again and again. */
const values = (kind: Kind, n: number, seed: number): number[] =>
  Array.from({ length: n }, (_, i) => {
    const among = edges[kind];
    if ((i + seed) % 3 === 0) return among[(i * 5 + seed) % among.length] as number;
    return wrap[kind](Math.imul(i * 7 + seed, 0x9e3779b1) >> 3);
  });

const lengths = [0, 1, 3, 4, 5, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 1009];
/** [outer, r, inner, stride]; of one matrix also some of its columns. */
const shapes = [
  ...lengths.flatMap((r) => [1, 3].map((outer) => [outer, r, 1, 1] as const)),
  ...[1, 2, 5, 16, 17, 33, 300].flatMap((r) =>
    [2, 3, 4, 5, 8, 15, 16, 17, 31, 37, 67].flatMap((inner) => [
      [2, r, inner, inner] as const,
      [1, r, inner, inner + 3] as const,
    ]),
  ),
  [0, 5, 4, 4],
  [3, 5, 0, 0],
] as const;

const columnAt = (x: readonly number[], r: number, stride: number, o: number, i: number): number[] =>
  Array.from({ length: r }, (_, j) => x[(o * r + j) * stride + i] as number);

describe.each(builds)('integers and masks, %s', (build) => {
  const bench = new KernelBench(build);
  const buffer = (kind: Kind, content: number | ArrayLike<number>): number => bench[kind](content);
  const read = (kind: Kind, ptr: number, n: number): number[] =>
    kind === 'i32' ? [...bench.readI32(ptr, n)] : [...bench.readU8(ptr, n)];

  describe.each(Object.entries(binary))('%s', (name, [kind, f]) => {
    it('broadcasts', () => {
      for (const pattern of patterns) {
        const a = values(kind, extent(pattern, 0), 1);
        const b = values(kind, extent(pattern, 1), 2);
        const expected = offsets(pattern).map(([i = 0, j = 0]) => wrap[kind](f(a[i] as number, b[j] as number)));
        bench.reset();
        const out = buffer(kind, expected.length);
        bench.run(name, out, buffer(kind, a), buffer(kind, b), bench.i32(dimsOf(pattern)));
        expect(read(kind, out, expected.length), JSON.stringify(pattern)).toEqual(expected);
      }
    });

    it('is right for every pair of edges', () => {
      const all = edges[kind];
      const pattern = pair([all.length, all.length], [1, 0], [0, 1]);
      bench.reset();
      const out = buffer(kind, all.length ** 2);
      const operand = buffer(kind, all);
      bench.run(name, out, operand, operand, bench.i32(dimsOf(pattern)));
      expect(read(kind, out, all.length ** 2)).toEqual(all.flatMap((a) => all.map((b) => wrap[kind](f(a, b)))));
    });

    it('may write over an operand', () => {
      for (const n of lengths) {
        const [a, b] = [values(kind, n, 3), values(kind, n, 4)];
        const expected = a.map((v, i) => wrap[kind](f(v, b[i] as number)));
        for (const over of [0, 1]) {
          bench.reset();
          const args = [buffer(kind, a), buffer(kind, b)];
          bench.run(name, args[over] as number, ...args, bench.i32([1, n, 1, 1]));
          expect(read(kind, args[over] as number, n)).toEqual(expected);
        }
      }
    });
  });

  it.each(Object.entries(unary))('%s is right at every size, also in place', (name, [kind, f]) => {
    for (const n of lengths) {
      const x = values(kind, n, 5);
      const expected = x.map((v) => wrap[kind](f(v)) || 0);
      bench.reset();
      const [from, out] = [buffer(kind, x), buffer(kind, n)];
      bench.run(name, out, from, n);
      expect(read(kind, out, n)).toEqual(expected);
      bench.run(name, from, from, n);
      expect(read(kind, from, n)).toEqual(expected);
    }
  });

  it.each(Object.entries(reductions))('%s is right for every shape', (name, [kind, f]) => {
    for (const [outer, r, inner, stride] of shapes) {
      if (r === 0 && name.startsWith('arg')) continue;
      const x = values(kind, outer * r * stride, r + inner);
      bench.reset();
      const out = bench.i32(outer * inner);
      bench.run(name, out, buffer(kind, x), outer, r, inner, stride);
      const expected = Array.from({ length: outer * inner }, (_, k) =>
        f(columnAt(x, r, stride, Math.floor(k / inner), k % inner)),
      );
      expect([...bench.readI32(out, outer * inner)], `[${outer}, ${r}, ${inner}] ${stride}`).toEqual(expected);
    }
  });

  it('sum_u8 holds what 16 bits do not', () => {
    for (const inner of [1, 3, 16, 21]) {
      bench.reset();
      const out = bench.i32(inner);
      bench.run('sum_u8', out, bench.u8(new Uint8Array(100_000 * inner).fill(255)), 1, 100_000, inner, inner);
      expect([...bench.readI32(out, inner)]).toEqual(new Array(inner).fill(25_500_000));
    }
  });

  it('cumsum_forward_i32 wraps and is right for every shape, also in place', () => {
    for (const [outer, r, inner, stride] of shapes) {
      if (inner !== stride) continue;
      for (const inPlace of [false, true]) {
        const x = values('i32', outer * r * inner, r);
        bench.reset();
        const from = bench.i32(x);
        const out = inPlace ? from : bench.i32(x.length);
        bench.run('cumsum_forward_i32', out, from, outer, r, inner, stride);
        const expected = x.slice();
        for (const k of expected.keys())
          if (Math.floor(k / inner) % r > 0)
            expected[k] = ((expected[k] as number) + (expected[k - inner] as number)) | 0;
        expect([...bench.readI32(out, x.length)], `[${outer}, ${r}, ${inner}]`).toEqual(expected);
      }
    }
  });

  it('check_nonzero_u8 and nonzero_u8 find what is not 0', () => {
    for (const n of lengths) {
      for (const mask of [
        values('u8', n, 1).map((v, i) => (i % 4 ? 0 : v)),
        new Array<number>(n).fill(0),
        new Array<number>(n).fill(128),
      ]) {
        const expected = mask.flatMap((v, i) => (v ? [i] : []));
        bench.reset();
        const from = bench.u8(mask);
        expect(bench.run('check_nonzero_u8', from, n, expected.length)).toBe(-1);
        expect(bench.run('check_nonzero_u8', from, n, expected.length + 1)).toBe(expected.length);
        const index = bench.i32(expected.length);
        bench.run('nonzero_u8', index, from, n, expected.length);
        expect([...bench.readI32(index, expected.length)]).toEqual(expected);
      }
    }
  });

  it('where_u8 picks byte by byte, also once the engine has optimised it', async () => {
    const n = 1021;
    const mask = Uint8Array.from({ length: n }, (_, i) => (i * i) % 5);
    const [a, b] = [11, 77].map((from) => Uint8Array.from({ length: n }, (_, i) => from + (i % 50)));
    bench.reset();
    const [condition, x, y] = [mask, a, b].map((values) => bench.u8(values as Uint8Array)) as [number, number, number];
    const [out, dims] = [bench.u8(n), bench.i32([1, n, 1, 1, 1])];
    for (let round = 0; round < 60; round++) {
      for (let i = 0; i < 100; i++) bench.kernel('where_u8')(out, condition, x, y, dims);
      await new Promise((resolve) => setTimeout(resolve, 1)); // optimised code comes from another thread
    }
    bench.run('where_u8', out, condition, x, y, dims);
    const expected = Array.from(mask, (m, i) => (m ? a : b)?.[i]);
    expect([...bench.readU8(out, n)]).toEqual(expected);
  });

  it('no kernel reads past the end of memory', () => {
    const end = bench.memory.buffer.byteLength;
    for (const n of lengths) {
      const tail = (kind: Kind): number => {
        const p = end - n * (kind === 'i32' ? 4 : 1);
        new Uint8Array(bench.memory.buffer, p).fill(3);
        return p;
      };
      bench.reset();
      const [out, dims] = [bench.i32(n + 1), bench.i32([1, n, 1, 1])];
      for (const [name, [kind]] of Object.entries(binary)) bench.run(name, out, tail(kind), tail(kind), dims);
      for (const [name, [kind]] of Object.entries(unary)) bench.run(name, out, tail(kind), n);
      if (n === 0) continue;
      for (const [name, [kind]] of Object.entries(reductions)) {
        bench.run(name, out, tail(kind), 1, n, 1, 1);
        bench.run(name, out, tail(kind), 1, 1, n, n);
      }
      bench.run('cumsum_forward_i32', out, tail('i32'), 1, n, 1, 1);
      bench.run('where_u8', out, tail('u8'), tail('u8'), tail('u8'), bench.i32([1, n, 1, 1, 1]));
      expect(bench.run('check_nonzero_u8', tail('u8'), n, n)).toBe(-1);
      bench.run('nonzero_u8', out, tail('u8'), n, n);
    }
  });
});
