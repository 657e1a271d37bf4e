// Matrix products: square ones in the three layouts that training needs, odd sizes beside them, and skinny shapes.
import { checkProduct, type Matrix } from '../checks/elements.ts';
import type { Case, Family, GemmProblem, Layout, LinearProblem, Side } from '../problems.ts';
import { uniform } from '../problems.ts';

const LAYOUTS: readonly Layout[] = ['NN', 'NT', 'TN'];

/** The matrix of `rows` × `cols` in `data`, or its transpose stored there. */
function matrix(data: Float32Array, rows: number, cols: number, transposed: boolean): Matrix {
  const at = transposed
    ? (i: number, j: number) => data[j * rows + i] as number
    : (i: number, j: number) => data[i * cols + j] as number;
  return { rows, cols, at };
}

const bytesOf = (...elements: number[]): number => 4 * elements.reduce((a, b) => a + b, 0);

export function product(layout: Layout, m: number, n: number, k: number, sides: readonly Side[]): Case {
  return {
    name: m === n && n === k ? `${layout} ${m}` : `${layout} ${m}×${n}×${k}`,
    work: { flops: 2 * m * n * k, bytes: bytesOf(m * k, k * n, m * n), unit: 'GFLOP/s' },
    sides,
    make: () => {
      const problem: GemmProblem = { kind: 'gemm', layout, m, n, k, a: uniform(m * k, 1), b: uniform(k * n, 2) };
      const a = matrix(problem.a, m, k, layout === 'TN');
      const b = matrix(problem.b, k, n, layout === 'NT');
      return { problem, check: checkProduct(a, b) };
    },
  };
}

function dense(rows: number, inner: number, out: number): Case {
  return {
    name: `relu(x·Wᵀ + b) ${rows}×${out}×${inner}`,
    work: {
      flops: 2 * rows * inner * out,
      bytes: bytesOf(rows * inner, inner * out, out, rows * out),
      unit: 'GFLOP/s',
    },
    make: () => {
      const problem: LinearProblem = {
        kind: 'linear',
        rows,
        inner,
        out,
        x: uniform(rows * inner, 1),
        weight: uniform(out * inner, 2),
        bias: uniform(out, 3),
      };
      const check = checkProduct(matrix(problem.x, rows, inner, false), matrix(problem.weight, inner, out, true), {
        bias: (j) => problem.bias[j] as number,
        activation: (x) => Math.max(x, 0),
      });
      return { problem, check };
    },
  };
}

/** One dim of 1 to 8: matrix-vector, vector-matrix, outer product and their neighbours. */
const SKINNY: readonly (readonly [Layout, number, number, number])[] = [
  ['NN', 1024, 1, 1024],
  ['NN', 1, 1024, 1024],
  ['NT', 1, 1024, 1024],
  ['TN', 1024, 1, 1024],
  ['NN', 1024, 1024, 1],
  ['NN', 1024, 4, 1024],
  ['NT', 4, 1024, 1024],
  ['NN', 8, 1024, 1024],
  ['TN', 1024, 1024, 8],
];

/** @param quick a few small products @param sides of this family alone, such as the bare kernel */
export function gemmFamily(quick: boolean, sides: readonly Side[]): Family {
  const square = quick ? [16, 64, 127, 256] : [16, 32, 64, 128, 256, 512, 1024, 2048, 127, 509, 1021];
  const skinny = quick
    ? SKINNY.map(([layout, ...dims]) => [layout, ...dims.map((d) => (d > 8 ? 200 : d))] as const)
    : SKINNY;
  return {
    name: 'gemm',
    cases: [
      ...square.flatMap((n) => LAYOUTS.map((layout) => product(layout, n, n, n, sides))),
      ...skinny.map(([layout, m, n, k]) => product(layout, m as number, n as number, k as number, sides)),
      quick ? dense(32, 100, 50) : dense(256, 1024, 1024),
    ],
    skipped: [],
  };
}
