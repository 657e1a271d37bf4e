// Matrix products that the kernel is tried on, and what they should give.
import { expect } from 'vitest';
import { random } from '../../reference/random.ts';
import type { KernelBench } from './kernels.ts';

const KC = 256;
export const RELU = 1;

/** A strided operand: element [i, j] is data[i * rs + j * cs], and nothing lies behind the last element. */
export interface Matrix {
  data: Float32Array;
  rs: number;
  cs: number;
}

type Layout = 'N' | 'T' | 'padded' | 'odd' | 'rows broadcast' | 'columns broadcast';

export function strides(layout: Layout, rows: number, cols: number): [number, number] {
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

export interface Product {
  m: number;
  n: number;
  k: number;
  a: Matrix;
  b: Matrix;
  c?: Float32Array;
  crs?: number;
  bias?: Float32Array;
  act?: number;
  /** 0, or left out: the kernel selects one. */
  algorithm?: number;
}

/** Runs the kernel alone in its memory, on a workspace full of NaN; gives C, the gaps between its rows included. */
export function run(bench: KernelBench, p: Product): Float32Array {
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
    p.act ?? 0,
    p.algorithm ?? 0,
    workspace,
    0,
  );
  return bench.readF32(c, length);
}

/** act(A B + bias) in f64, and how far f32 may be off. */
export function check(p: Product, c: Float32Array): void {
  const crs = p.crs ?? p.n;
  for (let i = 0; i < p.m; i++) {
    for (let j = 0; j < p.n; j++) {
      const bias = p.bias?.[j] ?? 0;
      let sum = bias;
      let size = Math.abs(bias);
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
export function define(p: Product): Float32Array {
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

/** Whether two results have the same bits, faster than toEqual() of thousands of numbers. */
export const same = (x: Float32Array, y: Float32Array): boolean =>
  Buffer.from(x.buffer, x.byteOffset, x.byteLength).equals(Buffer.from(y.buffer, y.byteOffset, y.byteLength));

export const layouts: [Layout, Layout][] = [
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
export const small = [0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 33, 64, 65];

/** Random operands, the same of a seed in every run. */
export function operands(seed: number) {
  const next = random(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)] as T;
  const product = (m: number, n: number, k: number, [la, lb]: [Layout, Layout]): Product => ({
    m,
    n,
    k,
    a: matrix(la, m, k, next),
    b: matrix(lb, k, n, next),
  });
  return { next, pick, product };
}
