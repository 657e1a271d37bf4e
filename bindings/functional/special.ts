// Trigonometry, hyperbolic and other rare functions of elements. They are no methods: a bundle has those that it calls.
import { familyOps, ops } from '../autograd.ts';
import { type SpecialName, specialRows } from '../ops/special.ts';
import { type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { asFloat, constantFor, paired, type TensorLike } from './arguments.ts';
import {
  abs,
  add,
  clamp,
  div,
  eq,
  gt,
  le,
  lt,
  maximum,
  mul,
  ne,
  pow,
  sub,
  type UnaryFunction,
  where,
} from './elementwise.ts';
import { stretched, wholeQuotient, wide } from './quotient.ts';

const own = familyOps(specialRows);
const INFINITY = Number.POSITIVE_INFINITY;

/* @__NO_SIDE_EFFECTS__ */
const unary = (name: string, of: UnaryFunction): UnaryFunction =>
  callable(`${name}(x: Tensor)`, (x: Tensor): Tensor => of(asFloat(x)));
/* @__NO_SIDE_EFFECTS__ */
const special = (fn: SpecialName): UnaryFunction => unary(fn, (x) => own.special({ x }, { fn }));
const times = (x: Tensor, alpha: number): Tensor => ops.scale({ x }, { alpha, beta: 0 });

/** The angle whose tangent is x. */
export const atan: UnaryFunction = special('atan');

/** The angle whose sine is x; NaN beyond ±1. */
export const asin: UnaryFunction = special('asin');

/** The angle whose cosine is x; NaN beyond ±1. */
export const acos: UnaryFunction = special('acos');

/** The hyperbolic sine (eˣ − e⁻ˣ) / 2. */
export const sinh: UnaryFunction = special('sinh');

/** The hyperbolic cosine (eˣ + e⁻ˣ) / 2. */
export const cosh: UnaryFunction = special('cosh');

/** The inverse of {@link sinh}. */
export const asinh: UnaryFunction = special('asinh');

/** The inverse of {@link cosh}, at least 0; NaN below 1. */
export const acosh: UnaryFunction = special('acosh');

/** The inverse of the hyperbolic tangent; NaN beyond ±1. */
export const atanh: UnaryFunction = special('atanh');

/** 1 − erf(x), which keeps its digits where it is small. */
export const erfc: UnaryFunction = special('erfc');

/** The inverse of the error function; NaN beyond ±1. */
export const erfinv: UnaryFunction = special('erfinv');

/** The tangent of x in radians. */
export const tan: UnaryFunction = unary('tan', (x) => div(ops.sin({ x }), ops.cos({ x })));

/** 2ˣ. */
export const exp2: UnaryFunction = unary('exp2', (x) => ops.pow({ a: constantFor(x, 2), b: x }));

/** The logarithm to base 2. */
export const log2: UnaryFunction = unary('log2', (x) => div(ops.log({ x }), Math.LN2));

/** The logarithm to base 10. */
export const log10: UnaryFunction = unary('log10', (x) => div(ops.log({ x }), Math.LN10));

/** sin(πx) / πx, and 1 at 0. */
export const sinc: UnaryFunction = unary('sinc', (x) => {
  const angle = times(x, Math.PI);
  const small = lt(abs(angle), 1);
  // Of the quotient's gradient near 0 nothing is left: there its series, in the square of the angle.
  const z = ops.square({ x: where(small, angle, 0) });
  const series = [1 / 362880, -1 / 5040, 1 / 120, -1 / 6, 1].reduce<Tensor>((p, c) => add(mul(p, z), c), mul(z, 0));
  const apart = where(small, 1, angle);
  return where(small, series, div(ops.sin({ x: apart }), apart));
});

/** Degrees as radians. */
export const deg2rad: UnaryFunction = unary('deg2rad', (x) => times(x, Math.PI / 180));

/** Radians as degrees. */
export const rad2deg: UnaryFunction = unary('rad2deg', (x) => times(x, 180 / Math.PI));

/** Options of {@link logit}. */
export interface LogitOptions {
  /** x is limited to eps … 1 − eps first; null: not. @defaultValue null */
  eps?: number | null;
}

/** log(x / (1 − x)), the inverse of sigmoid. */
export const logit = callable<Callable<[x: Tensor], [eps: number | null], LogitOptions, Tensor>>(
  'logit(x: Tensor, eps: number|null = null)',
  (x: Tensor, eps: number | null) => {
    const p = eps === null ? asFloat(x) : clamp(asFloat(x), eps, 1 - eps);
    return ops.log({ x: div(p, ops.scale({ x: p }, { alpha: -1, beta: 1 })) });
  },
);

/** A function of two tensors, broadcast. */
export type PairFunction = (x: Tensor, other: Tensor) => Tensor;
/* @__NO_SIDE_EFFECTS__ */
const pair = (name: string, of: (a: Tensor, b: Tensor) => Tensor): PairFunction =>
  callable(`${name}(x: Tensor, other: Tensor)`, (x: Tensor, y: Tensor): Tensor => of(asFloat(x), asFloat(y)));

/** The angle of the point (other, x), from −π to π, broadcast. */
export const atan2: PairFunction = pair('atan2', (a, b) => own.atan2(stretched('atan2', a, b)));

/** √(x² + other²), without overflow, broadcast. */
export const hypot: PairFunction = pair('hypot', (a, b) => {
  // Squares of what is very large or very small leave f32.
  const top = ops.maximum({ a: ops.abs({ x: a }), b: ops.abs({ x: b }) });
  const factor = where(gt(top, 2 ** 60), 2 ** -66, where(lt(top, 2 ** -40), 2 ** 66, 1));
  const [p, q] = [mul(a, factor), mul(b, factor)];
  return div(ops.sqrt({ x: add(ops.square({ x: p }), ops.square({ x: q })) }), factor);
});

function logAdd(a: Tensor, b: Tensor): Tensor {
  // The difference of equal infinities is NaN.
  const apart = where(eq(a, b), 0, sub(a, b));
  return add(maximum(a, b), ops.log1p({ x: ops.exp({ x: ops.neg({ x: abs(apart) }) }) }));
}

/** log(eˣ + eᵒᵗʰᵉʳ) without overflow, broadcast. */
export const logaddexp: PairFunction = pair('logaddexp', logAdd);

/** log₂(2ˣ + 2ᵒᵗʰᵉʳ) without overflow, broadcast. */
export const logaddexp2: PairFunction = pair('logaddexp2', (a, b) =>
  div(logAdd(times(a, Math.LN2), times(b, Math.LN2)), Math.LN2),
);

/** A function of two tensors or numbers, broadcast. */
export type LikePairFunction = (x: TensorLike, other: TensorLike) => Tensor;
/* @__NO_SIDE_EFFECTS__ */
const timesLog = (name: string, log: 'log' | 'log1p', pole: number): LikePairFunction =>
  callable(`${name}(x: Tensor|number, other: Tensor|number)`, (x: TensorLike, other: TensorLike): Tensor => {
    const both = paired(name, x, other);
    const [a, b] = [asFloat(both.a), asFloat(both.b)];
    // 0 times an infinite logarithm is 0.
    const gone = ops.logicalAnd({
      a: eq(a, 0),
      b: ops.logicalOr({ a: le(b, pole), b: eq(b, INFINITY) }),
    });
    return where(gone, 0, mul(a, ops[log]({ x: where(gone, 1, b) })));
  });

/** x · log(other), 0 where x is 0, broadcast. NaN where `other` is. */
export const xlogy: LikePairFunction = timesLog('xlogy', 'log', 0);

/** x · log(1 + other), 0 where x is 0, broadcast (PyTorch's `torch.special.xlog1py`). */
export const xlog1py: LikePairFunction = timesLog('xlog1py', 'log1p', -1);

/** x to the power of the other, in f32, broadcast. */
export const floatPower: LikePairFunction = callable(
  'floatPower(x: Tensor|number, exponent: Tensor|number)',
  (x: TensorLike, exponent: TensorLike): Tensor => {
    const { a, b } = paired('floatPower', x, exponent);
    return pow(asFloat(a), asFloat(b));
  },
);

/** Tensors of one dtype, of a tensor or number and another. */
const divided = (op: string, x: TensorLike, other: TensorLike): { a: Tensor; b: Tensor; whole: boolean } => {
  const { a, b } = paired(op, x, other);
  return { a, b, whole: a.dtype !== 'f32' };
};
const back = (y: Tensor, x: Tensor): Tensor => (y.dtype === x.dtype ? y : ops.cast({ x: y }, { dtype: x.dtype }));

function remainderOf(op: string, x: TensorLike, other: TensorLike): Tensor {
  const { a, b, whole } = divided(op, x, other);
  if (!whole) return own.remainder(stretched(op, a, b));
  const [p, q] = [wide(a), wide(b)];
  return back(ops.sub({ a: p, b: ops.mul({ a: q, b: wholeQuotient(p, q) }) }), a);
}

/**
 * x − other · ⌊x / other⌋, exactly, broadcast: it has the sign of `other`. Of integers it is one; where `other` is 0
 * it is NaN, of integers x.
 */
export const remainder: LikePairFunction = callable(
  'remainder(x: Tensor|number, other: Tensor|number)',
  (x: TensorLike, other: TensorLike): Tensor => remainderOf('remainder', x, other),
);

/**
 * What is left of x after as many `other` as go into it, exactly, broadcast: it has the sign of x. Of integers it is
 * one; where `other` is 0 it is NaN, of integers x.
 */
export const fmod = callable('fmod(x: Tensor, other: Tensor|number)', (x: Tensor, other: TensorLike): Tensor => {
  const { a, b } = divided('fmod', x, other);
  const below = lt(a, 0);
  // Not abs(), whose gradient is 0 at 0.
  const sizes = [a, b].map((y) => (y.dtype === 'u8' ? y : where(lt(y, 0), ops.neg({ x: y }), y))) as [Tensor, Tensor];
  const left = remainderOf('fmod', sizes[0], sizes[1]);
  return left.dtype === 'u8' ? left : where(below, ops.neg({ x: left }), left);
});

/** ⌊x / other⌋, broadcast. Of integers it is one. Its gradient is 0. */
export const floorDivide = callable(
  'floorDivide(x: Tensor, other: Tensor|number)',
  (x: Tensor, other: TensorLike): Tensor => {
    const { a, b, whole } = divided('floorDivide', x, other);
    if (whole) return back(wholeQuotient(a, b), a);
    const left = own.remainder(stretched('floorDivide', a, b));
    const exact = ops.round({ x: div(sub(a, left), b) });
    const endless = ops.logicalAnd({ a: eq(abs(b), INFINITY), b: lt(abs(a), INFINITY) });
    const steps = ops.neg({ x: asFloat(ne(left, a)) });
    return where(eq(b, 0), ops.floor({ x: div(a, b) }), where(endless, steps, exact));
  },
);
