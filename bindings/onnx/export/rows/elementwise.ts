// Ops of elements: of one tensor, of two, and activations.
import type { OpName } from '../../../ops/core.ts';
import { DATA } from '../../messages.ts';
import { float, type Graph, TYPES, type Value } from '../graph.ts';
import { needOpset, type Operand, type Writer, type Writers } from '../writers.ts';

/** What all ops of one tensor take. */
type Unary = { readonly [K in OpName]: Writer<K> extends Writer<'exp'> ? K : never }[OpName];

/** An operator of the same meaning. */
const as =
  (opType: string) =>
  (g: Graph, { x }: { readonly x: Operand }): Value =>
    g.node(opType, [x]);

/** By tanh near 0, where the digits of eˣ − 1 would be lost. */
function expm1(g: Graph, x: Value): Value {
  const t = g.node('Tanh', [g.scale(x, 0.5)]);
  const near = g.div(g.scale(t, 2), g.scale(t, -1, 1));
  return g.where(g.less(g.node('Abs', [x]), g.scalar(1)), near, g.scale(g.node('Exp', [x]), 1, -1));
}

/** log u · x / (u − 1) with u = 1 + x, whose roundings cancel (Kahan). */
function log1p(g: Graph, x: Value): Value {
  const u = g.scale(x, 1, 1);
  const less = g.scale(u, 1, -1);
  const log = g.node('Log', [u]);
  const exact = g.where(g.equal(less, x), log, g.div(g.mul(log, x), less));
  return g.where(g.equal(u, g.scalar(1)), x, exact);
}

/** The error function beside 1, of which 1 − erf x would have no digits left (Numerical Recipes, erfcc). */
const ERFC = [
  ...[0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196],
  ...[1.00002368, -1.26551223],
];
function erfc(g: Graph, x: Value): Value {
  const z = g.node('Abs', [x]);
  const t = g.node('Reciprocal', [g.scale(z, 0.5, 1)]);
  const tail = g.mul(t, g.node('Exp', [g.sub(polynomial(g, t, ERFC), g.mul(z, z))]));
  const positive = g.where(g.less(z, g.scalar(0.5)), g.scale(g.node('Erf', [z]), -1, 1), tail);
  return g.where(g.less(x, g.scalar(0)), g.scale(positive, -1, 2), positive);
}

/** The inverse of the error function (Giles, Approximating the erfinv function). */
const ERFINV = [
  ...[2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503, -0.00417768164],
  ...[0.246640727, 1.50140941],
];
const ERFINV_FAR = [
  ...[-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047],
  ...[1.00167406, 2.83297682],
];
function erfinv(g: Graph, x: Value): Value {
  const rest = g.mul(g.scale(x, -1, 1), g.scale(x, 1, 1));
  const w = g.node('Neg', [g.node('Log', [rest])]);
  const [near, far] = [g.scale(w, 1, -2.5), g.scale(g.node('Sqrt', [w]), 1, -3)];
  const factor = g.where(g.less(w, g.scalar(5)), polynomial(g, near, ERFINV), polynomial(g, far, ERFINV_FAR));
  const edge = g.equal(g.node('Abs', [x]), g.scalar(1));
  return g.where(edge, g.mul(x, g.scalar(Number.POSITIVE_INFINITY)), g.mul(factor, x));
}

/** Σ cᵢ xⁿ⁻ⁱ, the highest power first (Horner). */
function polynomial(g: Graph, x: Value, [first = 0, ...rest]: readonly number[]): Value {
  const [second = 0, ...others] = rest;
  return others.reduce((sum, c) => g.scale(g.mul(sum, x), 1, c), g.scale(x, first, second));
}

const GELU_SCALE = Math.sqrt(2 / Math.PI);

function gelu(g: Graph, x: Value, approximate: 'none' | 'tanh'): Value {
  if (g.opset >= 20) return g.node('Gelu', [x], { approximate });
  const half = g.scale(x, 0.5);
  if (approximate === 'none') return g.mul(half, g.scale(g.node('Erf', [g.scale(x, Math.SQRT1_2)]), 1, 1));
  const inner = g.mul(x, g.scale(g.mul(x, x), 0.044715 * GELU_SCALE, GELU_SCALE));
  return g.mul(half, g.scale(g.node('Tanh', [inner]), 1, 1));
}

function clip(g: Graph, x: Value, min: number, max: number): Value {
  const bound = (value: number): Value | null => (Number.isFinite(value) ? g.scalar(value) : null);
  return g.node('Clip', [x, bound(min), bound(max)]);
}

/** Beyond it log(1 + eˣ) is x in f32. */
const LINEAR_FROM = 17;

const rare = {
  ...{ atan: 'Atan', asin: 'Asin', acos: 'Acos', sinh: 'Sinh', cosh: 'Cosh' },
  ...{ asinh: 'Asinh', acosh: 'Acosh', atanh: 'Atanh' },
} as const;

export const unaryWriters = {
  ...({
    ...{ exp: as('Exp'), log: as('Log'), sqrt: as('Sqrt'), reciprocal: as('Reciprocal') },
    ...{ floor: as('Floor'), ceil: as('Ceil'), round: as('Round'), sin: as('Sin'), cos: as('Cos'), erf: as('Erf') },
    ...{ abs: as('Abs'), tanh: as('Tanh'), sigmoid: as('Sigmoid'), relu: as('Relu'), selu: as('Selu') },
    softsign: as('Softsign'),
  } satisfies { readonly [K in Unary]?: unknown }),
  ...{ neg: as('Neg'), sign: as('Sign') },
  expm1: (g, { x }) => expm1(g, x),
  log1p: (g, { x }) => log1p(g, x),
  rsqrt: (g, { x }) => g.node('Reciprocal', [g.node('Sqrt', [x])]),
  square: (g, { x }) => g.mul(x, x),
  trunc: (g, { x }) => g.mul(g.node('Sign', [x]), g.node('Floor', [g.node('Abs', [x])])),
  bitwiseNot: (g, { x }, _, call) => {
    needOpset(g, call, 18);
    return g.node('BitwiseNot', [g.cast(x, x.type === DATA.BOOL ? DATA.UINT8 : x.type)]);
  },
  logicalNot: (g, { x }) => g.node('Not', [g.bool(x)]),
  scale: (g, { x }, { alpha, beta }) => g.scale(x, alpha, beta),
  // To bytes as far as those go.
  cast: (g, { x }, { dtype }) => g.cast(dtype === 'u8' && x.type === DATA.FLOAT ? clip(g, x, 0, 255) : x, TYPES[dtype]),
  leakyRelu: (g, { x }, { negativeSlope }) => g.node('LeakyRelu', [x], { alpha: float(negativeSlope) }),
  elu: (g, { x }, { alpha }) => {
    const negative = g.scale(expm1(g, g.node('Min', [x, g.scalar(0)])), alpha);
    return g.where(g.less(g.scalar(0), x), x, negative);
  },
  gelu: (g, { x }) => gelu(g, x, 'none'),
  geluTanh: (g, { x }) => gelu(g, x, 'tanh'),
  silu: (g, { x }) => g.mul(x, g.node('Sigmoid', [x])),
  mish: (g, { x }) => (g.opset >= 18 ? g.node('Mish', [x]) : g.mul(x, g.node('Tanh', [g.node('Softplus', [x])]))),
  softplus: (g, { x }, { beta, threshold }) => {
    const scaled = g.scale(x, beta);
    const curve = g.scale(g.node('Softplus', [scaled]), 1 / beta);
    return threshold >= LINEAR_FROM ? curve : g.where(g.less(g.scalar(threshold), scaled), x, curve);
  },
  hardtanh: (g, { x }, { min, max }) => clip(g, x, min, max),
  clamp: (g, { x }, { min, max }) => clip(g, x, min, max),
  special: (g, { x }, { fn }) => {
    if (fn === 'erfc') return erfc(g, x);
    return fn === 'erfinv' ? erfinv(g, x) : g.node(rare[fn], [x]);
  },
} satisfies Writers;

type Pair = { readonly a: Operand; readonly b: Operand };

/** Arithmetic, of bytes in whole numbers that wrap at last. */
const arithmetic =
  (opType: string) =>
  (g: Graph, { a, b }: Pair): Value => {
    const y = g.node(opType, [g.counted(a), g.counted(b)]);
    return a.type === y.type ? y : g.cast(y, DATA.UINT8);
  };

const comparison =
  (opType: string) =>
  (g: Graph, { a, b }: Pair): Value => {
    // Masks are equal as they are.
    const [x, y] =
      a.type === DATA.BOOL && b.type === DATA.BOOL && opType === 'Equal' ? [a, b] : [g.counted(a), g.counted(b)];
    return g.node(opType, [x, y], {}, DATA.BOOL);
  };

const bitwise =
  (opType: string): Writer<'bitwiseAnd'> =>
  (g, { a, b }, _, call) => {
    needOpset(g, call, 18);
    const [x, y] = [a, b].map((each) => (each.type === DATA.BOOL ? g.cast(each, DATA.UINT8) : each)) as [Value, Value];
    return g.node(opType, [x, y]);
  };

const logical =
  (opType: string) =>
  (g: Graph, { a, b }: Pair): Value =>
    g.node(opType, [g.bool(a), g.bool(b)]);

/** The angle of (b, a), by that of a / b in the right half. */
function atan2(g: Graph, a: Value, b: Value): Value {
  const zero = g.scalar(0);
  const angle = g.node('Atan', [g.div(a, b)]);
  const half = g.where(g.less(a, zero), g.scalar(-Math.PI), g.scalar(Math.PI));
  const upright = g.where(g.equal(a, zero), zero, g.scale(half, 0.5));
  return g.where(g.equal(b, zero), upright, g.where(g.less(b, zero), g.add(angle, half), angle));
}

export const binaryWriters = {
  ...{ add: arithmetic('Add'), sub: arithmetic('Sub'), mul: arithmetic('Mul') },
  ...{ maximum: arithmetic('Max'), minimum: arithmetic('Min') },
  div: (g, { a, b }) => g.div(a, b),
  pow: (g, { a, b }) => g.node('Pow', [a, b]),
  ...{ eq: comparison('Equal'), lt: comparison('Less'), gt: comparison('Greater') },
  ...{ le: comparison('LessOrEqual'), ge: comparison('GreaterOrEqual') },
  ne: (g, pair) => g.node('Not', [comparison('Equal')(g, pair)]),
  ...{ bitwiseAnd: bitwise('BitwiseAnd'), bitwiseOr: bitwise('BitwiseOr'), bitwiseXor: bitwise('BitwiseXor') },
  ...{ logicalAnd: logical('And'), logicalOr: logical('Or'), logicalXor: logical('Xor') },
  where: (g, { condition, a, b }) => {
    const [x, y] = (a.type === DATA.BOOL ? [a, b].map((each) => g.cast(each, DATA.UINT8)) : g.alike([a, b])) as [
      Value,
      Value,
    ];
    return g.where(g.bool(condition), x, y);
  },
  atan2: (g, { a, b }) => atan2(g, a, b),
  // Of the sign of b: what is left of the division that rounds to 0, and b where that has the other sign.
  remainder: (g, { a, b }) => {
    const rest = g.node('Mod', [a, b], { fmod: 1 });
    return g.where(g.less(g.mul(rest, b), g.scalar(0)), g.add(rest, b), rest);
  },
  // The quotient that rounds to 0, and one less where something is left of the other sign.
  floorDivide: (g, { a, b }) => {
    const quotient = g.div(a, b);
    const rest = g.sub(a, g.mul(quotient, b));
    const zero = g.scalar(0, DATA.INT32);
    const unlike = g.node('Xor', [g.less(rest, zero), g.less(b, zero)]);
    const down = g.node('And', [g.node('Not', [g.equal(rest, zero)]), unlike]);
    return g.sub(quotient, g.cast(down, DATA.INT32));
  },
} satisfies Writers;
