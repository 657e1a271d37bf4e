// GEMM against an f64 reference, and to the bit against its definition: sums of K blocks of 256, each in the order of p.
import { describe, expect, it } from 'vitest';
import { builds, KernelBench } from '../support/kernels.ts';

const KC = 256;
const RELU = 1;

function randomizer(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A strided operand: element [i, j] is data[i * rs + j * cs], and nothing lies behind the last element. */
interface Matrix {
  data: Float32Array;
  rs: number;
  cs: number;
}

type Layout = 'N' | 'T' | 'padded' | 'odd' | 'rows broadcast' | 'columns broadcast';

function strides(layout: Layout, rows: number, cols: number): [number, number] {
  switch (layout) {
    case 'N':
      return [cols, 1];
    case 'T':
      return [1, rows];
    case 'padded':
      return [cols + 3, 1];
    case 'odd':
      return [2 * cols + 1, 2];
    case 'rows broadcast':
      return [0, 1];
    case 'columns broadcast':
      return [1, 0];
  }
}

function matrix(layout: Layout, rows: number, cols: number, random: () => number): Matrix {
  const [rs, cs] = strides(layout, rows, cols);
  const length = rows === 0 || cols === 0 ? 0 : (rows - 1) * rs + (cols - 1) * cs + 1;
  return { data: Float32Array.from({ length }, () => random() * 2 - 1), rs, cs };
}

const at = (x: Matrix, i: number, j: number): number => x.data[i * x.rs + j * x.cs] as number;

interface Product {
  m: number;
  n: number;
  k: number;
  a: Matrix;
  b: Matrix;
  c?: Float32Array;
  crs?: number;
  bias?: Float32Array;
  beta?: number;
  act?: number;
}

/** Runs the kernel alone in its memory, on a workspace full of NaN; gives C, the gaps between its rows included. */
function run(bench: KernelBench, p: Product): Float32Array {
  bench.reset();
  const crs = p.crs ?? p.n;
  const length = p.m === 0 || p.n === 0 ? 0 : (p.m - 1) * crs + p.n;
  const a = bench.f32(p.a.data);
  const b = bench.f32(p.b.data);
  const c = bench.f32(p.c ?? length);
  const bias = p.bias ? bench.f32(p.bias) : 0;
  const workspace = bench.f32((bench.run('gemm_workspace_bytes') as number) / 4);
  bench.run(
    'gemm_f32',
    c,
    a,
    b,
    bias,
    p.m,
    p.n,
    p.k,
    p.a.rs,
    p.a.cs,
    p.b.rs,
    p.b.cs,
    crs,
    p.beta ?? 0,
    p.act ?? 0,
    workspace,
    0,
  );
  return bench.readF32(c, length);
}

/** act(beta * C + A B + bias) in f64, and how far f32 may be off. */
function check(p: Product, c: Float32Array): void {
  const crs = p.crs ?? p.n;
  const beta = p.beta ?? 0;
  for (let i = 0; i < p.m; i++) {
    for (let j = 0; j < p.n; j++) {
      const old = beta === 0 ? 0 : beta * (p.c?.[i * crs + j] as number);
      const bias = p.bias?.[j] ?? 0;
      let sum = old + bias;
      let size = Math.abs(old) + Math.abs(bias);
      for (let q = 0; q < p.k; q++) {
        const product = at(p.a, i, q) * at(p.b, q, j);
        sum += product;
        size += Math.abs(product);
      }
      if (p.act === RELU) sum = Math.max(sum, 0);
      const error = Math.abs((c[i * crs + j] as number) - sum);
      // Each product is rounded at most p.k + 4 times on its way into C.
      if (!(error <= size * (p.k + 4) * 2 ** -24)) expect.fail(`C[${i}, ${j}] = ${c[i * crs + j]}, expected ${sum}`);
    }
  }
}

/** The definition in f32, operation by operation; exact for the strict build. */
function define(p: Product): Float32Array {
  const c = new Float32Array(p.m * p.n);
  for (let i = 0; i < p.m; i++) {
    for (let j = 0; j < p.n; j++) {
      let value = 0;
      for (let block = 0; block < p.k; block += KC) {
        let sum = 0;
        for (let q = block; q < Math.min(p.k, block + KC); q++) {
          sum = Math.fround(sum + Math.fround(at(p.a, i, q) * at(p.b, q, j)));
        }
        value = block === 0 ? sum : Math.fround(value + sum);
      }
      c[i * p.n + j] = value;
    }
  }
  return c;
}

const bits = (x: Float32Array): Uint32Array => new Uint32Array(x.buffer, x.byteOffset, x.length);

const layouts: [Layout, Layout][] = [
  ['N', 'N'],
  ['N', 'T'],
  ['T', 'N'],
  ['T', 'T'],
  ['padded', 'padded'],
  ['odd', 'odd'],
  ['rows broadcast', 'N'],
  ['N', 'columns broadcast'],
  ['columns broadcast', 'rows broadcast'],
];
const small = [0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 33, 64, 65];

describe.each(builds)('gemm, %s', (build) => {
  const bench = new KernelBench(build);
  const tiles = Array.from({ length: bench.run('gemm_tile_count') as number }, (_, id) => id);

  describe.each(tiles)('tile %i', (tile) => {
    const random = randomizer(tile + 1);
    const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
    const product = (m: number, n: number, k: number, [la, lb]: [Layout, Layout]): Product => ({
      m,
      n,
      k,
      a: matrix(la, m, k, random),
      b: matrix(lb, k, n, random),
    });
    const start = () => {
      bench.run('gemm_set_tile', tile);
    };

    it.each(layouts)('agrees with f64: A %s, B %s', (la, lb) => {
      start();
      for (let trial = 0; trial < 30; trial++) {
        const p = product(pick(small), pick(small), pick([...small, 255, 256, 257]), [la, lb]);
        check(p, run(bench, p));
      }
    });

    it('applies beta, bias and relu once, over several K blocks, and leaves the gaps between rows', () => {
      start();
      for (const k of [0, 1, 16, 257, 520]) {
        for (const beta of [0, 1, 0.5, -3]) {
          for (const act of [0, RELU]) {
            for (const withBias of [false, true]) {
              const [m, n] = pick([
                [1, pick(small)],
                [pick(small), 1],
                [pick(small), pick(small)],
              ] as const);
              const crs = n + 5;
              const length = m === 0 || n === 0 ? 0 : (m - 1) * crs + n;
              const c = Float32Array.from({ length }, () => random() * 8 - 4);
              const p: Product = { ...product(m, n, k, ['N', 'N']), c, crs, beta, act };
              if (withBias) p.bias = Float32Array.from({ length: n }, () => random() * 8 - 4);
              const out = run(bench, p);
              check(p, out);
              for (let i = 0; i + 1 < m; i++)
                expect(out.subarray(i * crs + n, (i + 1) * crs)).toEqual(c.subarray(i * crs + n, (i + 1) * crs));
            }
          }
        }
      }
    });

    it('crosses the blocks of rows, columns and K, with bias and relu', () => {
      start();
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
      start();
      for (const layout of layouts) {
        const [m, n, k] = pick([
          [13, 19, 600],
          [37, 45, 130],
          [150, 11, 256],
          [37, 19, 5],
          [64, 64, 64], // small
          [16, 32, 20],
          [3, 530, 300], // skinny: few rows, few columns, few steps
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

    it('gives a part of a product the bits that the part has alone', () => {
      start();
      const [m, n, k] = [157, 37, 300];
      const p = product(m, n, k, ['N', 'N']);
      const whole = run(bench, p);
      for (let trial = 0; trial < 12; trial++) {
        const [i, j] = [Math.floor(random() * m), Math.floor(random() * n)];
        // A part of few rows or columns goes another way than a tile.
        const rows = trial % 3 === 1 ? 1 : 1 + Math.floor(random() * (m - i));
        const cols = trial % 3 === 2 ? 1 : 1 + Math.floor(random() * (n - j));
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

    it('gives slices of rows and of columns the bits of the whole', () => {
      start();
      // What threads do: at least 8 rows from a multiple of 8, or 16 columns from a multiple of 16, by shifted addresses.
      for (const [m, n, k] of [
        [40, 48, 300],
        [64, 64, 64],
        [150, 17, 40],
        [13, 200, 3],
        [8, 530, 260],
        [530, 8, 260],
        [1, 90, 70],
        [90, 1, 70],
        [100, 100, 1],
      ] as const) {
        for (const layout of layouts) {
          const beta = pick([0, 1, 0.5]);
          const c = Float32Array.from({ length: m * n }, () => random() - 0.5);
          const bias = Float32Array.from({ length: n }, () => random() - 0.5);
          const p: Product = { ...product(m, n, k, layout), c, bias, beta, act: RELU };
          const whole = bits(run(bench, p));
          const { a, b } = p;
          const row = m < 16 ? 0 : 8 * (1 + Math.floor(random() * (m / 8 - 1)));
          const column = n < 32 ? 0 : 16 * (1 + Math.floor(random() * (n / 16 - 1)));
          for (const [from, to] of [
            [0, row],
            [row, m],
          ] as const) {
            const part = { ...a, data: a.data.subarray(from * a.rs) };
            const slice = run(bench, { ...p, m: to - from, a: part, c: c.slice(from * n, to * n) });
            expect(bits(slice)).toEqual(whole.subarray(from * n, to * n));
          }
          for (const [from, to] of [
            [0, column],
            [column, n],
          ] as const) {
            if (to === from) continue;
            const part = { ...b, data: b.data.subarray(from * b.cs) };
            const old = c.slice(from, (m - 1) * n + to);
            const slice = run(bench, { ...p, n: to - from, b: part, c: old, crs: n, bias: bias.slice(from, to) });
            for (let i = 0; i < m; i++)
              expect(bits(slice.subarray(i * n, i * n + to - from))).toEqual(whole.subarray(i * n + from, i * n + to));
          }
        }
      }
    });

    it('keeps NaN and infinity in their row or column', () => {
      start();
      for (const [m, n, k] of [
        [1, 1, 1],
        [5, 9, 3],
        [13, 21, 6],
        [7, 17, 300],
      ] as const) {
        for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
          for (const layout of layouts.slice(0, 4)) {
            const [i, j, q] = [Math.floor(random() * m), Math.floor(random() * n), Math.floor(random() * k)];
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

    it('passes NaN and infinity through relu, bias and C', () => {
      start();
      const one: Matrix = { data: new Float32Array([1]), rs: 1, cs: 1 };
      const alone = (x: number, extra: Partial<Product>): number => {
        const a: Matrix = { data: new Float32Array([x]), rs: 1, cs: 1 };
        return run(bench, { m: 1, n: 1, k: 1, a, b: one, ...extra })[0] as number;
      };
      expect(alone(Number.NaN, { act: RELU })).toBeNaN();
      expect(alone(Number.POSITIVE_INFINITY, { act: RELU })).toBe(Number.POSITIVE_INFINITY);
      expect(alone(Number.NEGATIVE_INFINITY, { act: RELU })).toBe(0);
      expect(alone(2, { bias: new Float32Array([Number.NaN]) })).toBeNaN();
      expect(alone(2, { c: new Float32Array([Number.NaN]), beta: 1 })).toBeNaN();
      expect(alone(2, { c: new Float32Array([Number.NaN]), beta: 0.5 })).toBeNaN();
      expect(alone(2, { c: new Float32Array([Number.NaN]), beta: 0 })).toBe(2);
      expect(alone(2 ** -149, {})).toBe(2 ** -149);
    });

    it('reads nothing behind A, B, C or the bias at the end of memory', () => {
      start();
      bench.reset();
      const workspace = bench.f32((bench.run('gemm_workspace_bytes') as number) / 4);
      const scratch = bench.f32(64 * 64);
      bench.memory.grow(1);
      const end = bench.memory.buffer.byteLength;
      for (let trial = 0; trial < 60; trial++) {
        const [m, n, k] = [1 + Math.floor(random() * 20), 1 + Math.floor(random() * 20), 1 + Math.floor(random() * 20)];
        const [la, lb] = pick(layouts);
        const [ars, acs] = strides(la, m, k);
        const [brs, bcs] = strides(lb, k, n);
        const tail = (elements: number): number => end - 4 * elements;
        const a = tail((m - 1) * ars + (k - 1) * acs + 1);
        const b = tail((k - 1) * brs + (n - 1) * bcs + 1);
        const gemm = (c: number, pa: number, pb: number, bias: number): unknown =>
          bench.run('gemm_f32', c, pa, pb, bias, m, n, k, ars, acs, brs, bcs, n, 1, RELU, workspace, 0);
        gemm(scratch, a, b, tail(n));
        gemm(tail(m * n), scratch, scratch, 0);
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

  describe('batches', () => {
    const random = randomizer(99);

    /** Runs all batches, `sizes` with strides in matrices, against one call a batch. */
    function batches(m: number, n: number, k: number, sizes: number[], a: number[], b: number[], c: number[]): void {
      const count = (of: number[]): number =>
        1 + sizes.reduce((sum, size, d) => sum + (size - 1) * (of[d] as number), 0);
      const total = sizes.reduce((product, size) => product * size, 1);
      const values = (length: number): Float32Array => Float32Array.from({ length }, () => random() * 2 - 1);
      const [da, db, dc, bias] = [
        values(count(a) * m * k),
        values(count(b) * k * n),
        values(count(c) * m * n),
        values(n),
      ];
      bench.reset();
      const [pa, pb, pc, pBias] = [bench.f32(da), bench.f32(db), bench.f32(dc), bench.f32(bias)];
      const workspace = bench.f32((bench.run('gemm_workspace_bytes') as number) / 4);
      const dims = bench.i32([
        sizes.length,
        ...sizes,
        ...a.map((s) => s * m * k),
        ...b.map((s) => s * k * n),
        ...c.map((s) => s * m * n),
      ]);
      const call = (to: number, x: number, y: number, d: number): unknown =>
        bench.run('gemm_f32', to, x, y, pBias, m, n, k, k, 1, n, 1, n, 0.5, RELU, workspace, d);
      call(pc, pa, pb, dims);
      const got = bench.readF32(pc, dc.length);
      new Float32Array(bench.memory.buffer, pc, dc.length).set(dc);
      for (let batch = 0; batch < total; batch++) {
        let rest = batch;
        const at = [0, 0, 0];
        for (let d = sizes.length - 1; d >= 0; d--) {
          const i = rest % (sizes[d] as number);
          rest = Math.floor(rest / (sizes[d] as number));
          [a, b, c].forEach((of, x) => {
            at[x] = (at[x] as number) + i * (of[d] as number);
          });
        }
        const [xa, xb, xc] = at as [number, number, number];
        call(pc + 4 * xc * m * n, pa + 4 * xa * m * k, pb + 4 * xb * k * n, 0);
      }
      expect(bits(got)).toEqual(bits(bench.readF32(pc, dc.length)));
    }

    it('runs all batches of up to six dimensions, broadcasting strides of 0', () => {
      for (const tile of [0, 1]) {
        bench.run('gemm_set_tile', tile);
        batches(5, 9, 7, [], [], [], []);
        batches(5, 9, 7, [4], [1], [1], [1]);
        batches(3, 8, 2, [3, 4], [4, 1], [0, 1], [4, 1]);
        batches(3, 8, 2, [3, 4], [0, 0], [1, 3], [4, 1]);
        batches(4, 4, 4, [2, 3, 2], [1, 2, 6], [0, 0, 0], [6, 2, 1]);
        batches(2, 3, 5, [2, 1, 2, 3, 1, 2], [12, 0, 6, 2, 0, 1], [0, 0, 1, 2, 0, 0], [12, 12, 6, 2, 2, 1]);
        batches(5, 9, 7, [3, 0], [0, 1], [1, 1], [0, 1]);
      }
    });
  });
});

describe('madd_limit_f32', () => {
  it.each(builds)('reaches its fixed point, %s', (build) => {
    expect(new KernelBench(build).run('madd_limit_f32', 100)).toBe(1);
  });
});
