// What every elementwise op means, one number at a time, in f64. Written for plainness; at infinities the functions
// give the limit.

import { erf, normalCdf, normalPdf, power, roundHalfEven, SQRT_PI, sigmoid } from './special.ts';

/** A function of one number. `p` and `q` are the op's scalars, in the kernel's order. */
export interface Unary {
  forward(x: number, p: number, q: number): number;
  /** d forward / dx. */
  derivative(x: number, p: number, q: number): number;
  /** The derivative as a function of the output, for ops that save their output. */
  derivativeOfOutput?(y: number): number;
}

/** A function of two numbers. */
export interface Binary {
  forward(a: number, b: number): number;
  /** d forward / da and d forward / db. */
  derivatives(a: number, b: number): [number, number];
}

const Z1 = 2 * Math.sqrt(2 / Math.PI);
const Z3 = 0.044715 * Z1;
const SELU_SCALE = 1.0507009873554805;
const SELU_ALPHA = 1.6732632423543772;

function clampTo(x: number, low: number, high: number): number {
  const raised = x < low ? low : x;
  return raised > high ? high : raised;
}

/** x gate(x), where 0 times infinity is the limit. */
function gated(x: number, gate: number): number {
  return gate === 0 ? 0 : x * gate;
}

/** tanh(ln(1 + eˣ)). */
const mishGate = (x: number): number => Math.tanh(Math.log1p(Math.exp(x)));

/** Its derivative (1 − t²) σ(x), written so that nothing cancels or overflows. */
function mishSlope(x: number): number {
  const e = Math.exp(-Math.abs(x));
  return x < 0 ? (4 * e * (1 + e)) / ((1 + e) ** 2 + 1) ** 2 : (4 * e * e * (1 + e)) / ((1 + e) ** 2 + e * e) ** 2;
}

export const unary = {
  neg: { forward: (x) => -x, derivative: () => -1 },
  abs: { forward: Math.abs, derivative: (x) => (x > 0 ? 1 : x < 0 ? -1 : 0) },
  sign: { forward: (x) => (x > 0 ? 1 : x < 0 ? -1 : 0), derivative: () => 0 },
  /** TensorFlow's: `low` is its alpha. */
  step: { forward: (x, low) => (x > 0 ? 1 : Number.isNaN(x) ? x : low), derivative: () => 0 },
  exp: { forward: Math.exp, derivative: Math.exp, derivativeOfOutput: (y) => y },
  expm1: { forward: Math.expm1, derivative: Math.exp, derivativeOfOutput: (y) => y + 1 },
  log: { forward: Math.log, derivative: (x) => 1 / x },
  log1p: { forward: Math.log1p, derivative: (x) => 1 / (1 + x) },
  sqrt: { forward: Math.sqrt, derivative: (x) => 0.5 / Math.sqrt(x), derivativeOfOutput: (y) => 0.5 / y },
  rsqrt: {
    forward: (x) => 1 / Math.sqrt(x),
    derivative: (x) => -0.5 / (x * Math.sqrt(x)),
    derivativeOfOutput: (y) => -0.5 * y * y * y,
  },
  reciprocal: { forward: (x) => 1 / x, derivative: (x) => -1 / (x * x), derivativeOfOutput: (y) => -y * y },
  square: { forward: (x) => x * x, derivative: (x) => 2 * x },
  floor: { forward: Math.floor, derivative: () => 0 },
  ceil: { forward: Math.ceil, derivative: () => 0 },
  round: { forward: roundHalfEven, derivative: () => 0 },
  trunc: { forward: Math.trunc, derivative: () => 0 },
  sin: { forward: Math.sin, derivative: Math.cos },
  cos: { forward: Math.cos, derivative: (x) => -Math.sin(x) },
  erf: { forward: erf, derivative: (x) => (2 / SQRT_PI) * Math.exp(-x * x) },
  tanh: {
    forward: Math.tanh,
    derivative: (x) => 1 / Math.cosh(x) ** 2,
    derivativeOfOutput: (y) => (1 - y) * (1 + y),
  },
  sigmoid: {
    forward: sigmoid,
    derivative: (x) => sigmoid(x) * sigmoid(-x),
    derivativeOfOutput: (y) => y * (1 - y),
  },
  relu: {
    forward: (x) => (x < 0 ? 0 : x),
    derivative: (x) => (x > 0 ? 1 : 0),
    derivativeOfOutput: (y) => (y <= 0 ? 0 : 1),
  },
  leaky_relu: {
    forward: (x, slope) => (x > 0 ? x : slope * x),
    derivative: (x, slope) => (x > 0 ? 1 : slope),
  },
  elu: {
    forward: (x, alpha) => (x < 0 ? alpha * Math.expm1(x) : x),
    derivative: (x, alpha) => (x > 0 ? 1 : alpha * Math.exp(x)),
  },
  selu: {
    forward: (x) => SELU_SCALE * (x < 0 ? SELU_ALPHA * Math.expm1(x) : x),
    derivative: (x) => SELU_SCALE * (x > 0 ? 1 : SELU_ALPHA * Math.exp(x)),
  },
  gelu: {
    forward: (x) => gated(x, normalCdf(x)),
    derivative: (x) => normalCdf(x) + gated(x, normalPdf(x)),
  },
  gelu_tanh: {
    forward: (x) => gated(x, sigmoid(Z1 * x + Z3 * x ** 3)),
    derivative: (x) => {
      const z = Z1 * x + Z3 * x ** 3;
      return sigmoid(z) + gated(x * (Z1 + 3 * Z3 * x * x), sigmoid(z) * sigmoid(-z));
    },
  },
  silu: {
    forward: (x) => gated(x, sigmoid(x)),
    derivative: (x) => sigmoid(x) + gated(x, sigmoid(x) * sigmoid(-x)),
  },
  mish: {
    forward: (x) => gated(x, mishGate(x)),
    derivative: (x) => mishGate(x) + gated(x, mishSlope(x)),
  },
  softplus: {
    forward: (x, beta, threshold) => {
      const z = x * beta;
      return z > threshold ? x : (Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)))) / beta;
    },
    derivative: (x, beta, threshold) => (x * beta > threshold ? 1 : sigmoid(x * beta)),
  },
  softsign: {
    forward: (x) => (Number.isFinite(x) ? x / (1 + Math.abs(x)) : Math.sign(x)),
    derivative: (x) => 1 / (1 + Math.abs(x)) ** 2,
  },
  hardtanh: {
    forward: clampTo,
    derivative: (x, low, high) => (x <= low || x >= high ? 0 : 1),
  },
  clamp: {
    forward: clampTo,
    derivative: (x, low, high) => (x >= low && x <= high ? 1 : 0),
  },
} as const satisfies Record<string, Unary>;

export const binary = {
  add: { forward: (a, b) => a + b, derivatives: () => [1, 1] },
  sub: { forward: (a, b) => a - b, derivatives: () => [1, -1] },
  mul: { forward: (a, b) => a * b, derivatives: (a, b) => [b, a] },
  div: { forward: (a, b) => a / b, derivatives: (a, b) => [1 / b, -a / (b * b)] },
  pow: {
    forward: power,
    derivatives: (a, b) => [b === 0 ? 0 : b * power(a, b - 1), a === 0 && b >= 0 ? 0 : power(a, b) * Math.log(a)],
  },
  // Where both are equal, each gets half, as in PyTorch.
  maximum: { forward: Math.max, derivatives: (a, b) => (a === b ? [0.5, 0.5] : a > b ? [1, 0] : [0, 1]) },
  minimum: { forward: Math.min, derivatives: (a, b) => (a === b ? [0.5, 0.5] : a < b ? [1, 0] : [0, 1]) },
} as const satisfies Record<string, Binary>;

export const comparison: Record<'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge', (a: number, b: number) => boolean> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
  gt: (a, b) => a > b,
  ge: (a, b) => a >= b,
};
