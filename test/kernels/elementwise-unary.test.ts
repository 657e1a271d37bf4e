import { describe, expect, it } from 'vitest';
import { type Unary, unary } from '../../reference/elementwise.ts';
import { type Build, builds, KernelBench, sizes, ulps } from '../support/kernels.ts';

/** How one function is run and held to its reference. */
interface Case {
  /** The forward kernel's bound in units of the last place. 0: the very bits. */
  ulps: number;
  /** What the backward kernel reads; absent where there is none. */
  saved?: 'input' | 'output';
  /** Scalars to try, in the kernel's order. */
  scalars?: number[][];
  /** The backward kernel's bound relative to g, for derivatives that cancel somewhere. */
  cancels?: number;
}

const slope = Math.fround(0.01);
const cases: { [K in keyof typeof unary]: Case } = {
  neg: { ulps: 0 },
  abs: { ulps: 0, saved: 'input' },
  sign: { ulps: 0 },
  step: { ulps: 0, scalars: [[0], [slope], [-2]] },
  exp: { ulps: 2 },
  expm1: { ulps: 2 },
  log: { ulps: 2 },
  log1p: { ulps: 2 },
  sqrt: { ulps: 0 },
  rsqrt: { ulps: 1.5 },
  reciprocal: { ulps: 0 },
  square: { ulps: 0 },
  floor: { ulps: 0 },
  ceil: { ulps: 0 },
  round: { ulps: 0 },
  trunc: { ulps: 0 },
  sin: { ulps: 2 },
  cos: { ulps: 2 },
  erf: { ulps: 3 },
  tanh: { ulps: 3, saved: 'output' },
  sigmoid: { ulps: 3, saved: 'output' },
  relu: { ulps: 0, saved: 'output' },
  leaky_relu: { ulps: 0, saved: 'input', scalars: [[slope], [0], [-2]] },
  elu: { ulps: 3, saved: 'input', scalars: [[1], [0.5]] },
  selu: { ulps: 3, saved: 'input' },
  gelu: { ulps: 4, saved: 'input', cancels: 2 ** -21 },
  gelu_tanh: { ulps: 4, saved: 'input', cancels: 2 ** -21 },
  silu: { ulps: 4, saved: 'input', cancels: 2 ** -21 },
  mish: { ulps: 4, saved: 'input', cancels: 2 ** -21 },
  softplus: {
    ulps: 4,
    saved: 'input',
    scalars: [
      [1, 20],
      [2, 5],
      [0.5, 1e9],
    ],
  },
  softsign: { ulps: 2, saved: 'input' },
  hardtanh: {
    ulps: 0,
    saved: 'input',
    scalars: [
      [-1, 1],
      [0, 6],
    ],
  },
  clamp: {
    ulps: 0,
    saved: 'input',
    scalars: [
      [-1, 1],
      [2, Number.POSITIVE_INFINITY],
      [1, -1],
    ],
  },
};

const specials = Float32Array.of(
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  1.5,
  2.5,
  -2.5,
  6,
  -6,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  2 ** -149,
  -(2 ** -149),
  1e-40,
  -1e-40,
  2 ** -126,
  -(2 ** -126),
  3.4028235e38,
  -3.4028235e38,
  1e-20,
  -1e-20,
  88,
  89,
  104,
  -88,
  -100,
  -104,
  16777216,
  8388609.5,
  -8388609.5,
  1e10,
  -1e10,
  3e33,
  5,
  -5,
  10,
  -10,
  -13,
  -14,
);

/** n numbers that repeat from run to run, most of them between -8 and 8. */
function numbers(n: number, seed: number): Float32Array {
  const out = new Float32Array(n);
  let state = seed;
  for (let i = 0; i < n; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const scale = i % 5 === 4 ? 0.01 : i % 5 === 3 ? 8 : 2;
    out[i] = (state / 2 ** 31 - 1) * scale;
  }
  return out;
}

function close(actual: number, expected: number, bound: number): boolean {
  if (bound === 0) return Object.is(actual, Math.fround(expected));
  // What lies far below the least denormal is 0.
  return Math.abs(expected) < 2 ** -152 ? actual === 0 : ulps(actual, expected) <= bound;
}

function forwardFaults(name: string, op: Unary, test: Case, x: Float32Array, y: Float32Array, scalars: number[]) {
  const [p = 0, q = 0] = scalars;
  const faults: string[] = [];
  x.forEach((xi, i) => {
    const expected = op.forward(xi, p, q);
    const actual = y[i] as number;
    // What is odd keeps the sign of 0.
    const sameZero = xi !== 0 || expected !== 0 || Object.is(actual, expected);
    if (!close(actual, expected, test.ulps) || !sameZero) faults.push(`${name}(${xi}) is ${actual}, not ${expected}`);
  });
  return faults;
}

function backwardFaults(
  name: string,
  op: Unary,
  test: Case,
  saved: Float32Array,
  g: Float32Array,
  dx: Float32Array,
  scalars: number[],
) {
  const [p = 0, q = 0] = scalars;
  const faults: string[] = [];
  saved.forEach((s, i) => {
    const gi = g[i] as number;
    const actual = dx[i] as number;
    const derivative =
      test.saved === 'output' && op.derivativeOfOutput ? op.derivativeOfOutput(s) : op.derivative(s, p, q);
    const expected = derivative === 0 ? 0 : gi * derivative;
    const cancelled = Math.abs(s) < 4 && Math.abs(actual - expected) <= Math.abs(gi) * (test.cancels ?? 0);
    if (!cancelled && ulps(actual, expected) > 8) faults.push(`${name}'(${s}) * ${gi} is ${actual}, not ${expected}`);
  });
  return faults;
}

/** Runs forward, apart and in place, and backward from what it saves; returns what is wrong. */
function faultsOf(bench: KernelBench, name: keyof typeof unary, x: Float32Array, scalars: number[]): string[] {
  const op: Unary = unary[name];
  const test: Case = cases[name];
  const n = x.length;
  bench.reset();
  const input = bench.f32(x);
  const out = bench.f32(n);
  bench.run(`${name}_forward_f32`, out, input, n, ...scalars);
  const y = bench.readF32(out, n);
  const faults = forwardFaults(name, op, test, x, y, scalars);
  expect(bench.readF32(input, n)).toEqual(x);
  bench.run(`${name}_forward_f32`, input, input, n, ...scalars);
  expect(bench.readF32(input, n)).toEqual(y);
  if (!test.saved) return faults;

  const saved = test.saved === 'input' ? x : y;
  const g = numbers(n, 7).map((v) => v + Math.sign(v) * 0.1);
  bench.reset();
  const dx = bench.f32(n);
  const gradient = bench.f32(g);
  const kept = bench.f32(saved);
  bench.run(`${name}_backward_f32`, dx, gradient, kept, n, ...scalars);
  const result = bench.readF32(dx, n);
  faults.push(...backwardFaults(name, op, test, saved, g, result, scalars));
  bench.run(`${name}_backward_f32`, gradient, gradient, kept, n, ...scalars);
  expect(bench.readF32(gradient, n)).toEqual(result);
  return faults;
}

describe.each(builds)('unary kernels, %s', (build: Build) => {
  const bench = new KernelBench(build);
  for (const name of Object.keys(cases) as (keyof typeof unary)[]) {
    const scalarSets = (cases[name] as Case).scalars ?? [[]];
    it(`${name} is right at every size, apart and in place`, () => {
      for (const scalars of scalarSets) {
        for (const n of sizes) expect(faultsOf(bench, name, numbers(n, n + 1), scalars)).toEqual([]);
      }
    });
    it(`${name} is right at special values`, () => {
      for (const scalars of scalarSets) expect(faultsOf(bench, name, specials, scalars)).toEqual([]);
    });
  }
});
