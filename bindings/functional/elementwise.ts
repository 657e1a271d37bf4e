// Elementwise functions; binary ones broadcast as NumPy does, and take numbers.
import { ops } from '../autograd.ts';
import { checkDtype } from '../dtypes.ts';
import { type Dtype, Tensor } from '../tensor.ts';
import { asFloat, asTensor, type TensorLike } from './arguments.ts';

type Binary = 'add' | 'sub' | 'mul' | 'pow' | 'maximum' | 'minimum' | 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge';
const binary = (name: Binary, x: Tensor, other: TensorLike): Tensor =>
  ops[name]({ a: asTensor(name, x), b: asTensor(name, other, x) });

const bitwise = (name: 'bitwiseAnd' | 'bitwiseOr' | 'bitwiseXor', x: Tensor, other: TensorLike): Tensor =>
  ops[name]({ a: asTensor(name, x), b: asTensor(name, other, x) });

/** The u8 mask of where x is not 0: x itself, where it is one. */
const asMask = (x: Tensor): Tensor => (x.dtype === 'u8' ? x : ne(x, 0));
const logical = (name: 'logicalAnd' | 'logicalOr' | 'logicalXor', x: Tensor, other: TensorLike): Tensor =>
  ops[name]({ a: asMask(asTensor(name, x)), b: asMask(asTensor(name, other, x)) });

type Unary =
  | 'neg'
  | 'abs'
  | 'exp'
  | 'expm1'
  | 'log'
  | 'log1p'
  | 'sqrt'
  | 'rsqrt'
  | 'reciprocal'
  | 'square'
  | 'sign'
  | 'floor'
  | 'ceil'
  | 'round'
  | 'trunc'
  | 'sin'
  | 'cos'
  | 'erf'
  | 'tanh'
  | 'sigmoid'
  | 'relu';
const unary = (name: Unary, x: Tensor): Tensor => ops[name]({ x: asTensor(name, x) });

/** x + other, broadcast. */
export const add = (x: Tensor, other: TensorLike): Tensor => binary('add', x, other);

/** x − other, broadcast. */
export const sub = (x: Tensor, other: TensorLike): Tensor => binary('sub', x, other);

/** x · other elementwise, broadcast. */
export const mul = (x: Tensor, other: TensorLike): Tensor => binary('mul', x, other);

/** x / other in f32, also of integers, broadcast. */
export const div = (x: Tensor, other: TensorLike): Tensor =>
  ops.div({ a: asFloat(asTensor('div', x)), b: asFloat(asTensor('div', other, x)) });

/** x to the power of `other`, broadcast. */
export const pow = (x: Tensor, other: TensorLike): Tensor => binary('pow', x, other);

/** The larger of x and `other`, broadcast; NaN where either is NaN. */
export const maximum = (x: Tensor, other: TensorLike): Tensor => binary('maximum', x, other);

/** The smaller of x and `other`, broadcast; NaN where either is NaN. */
export const minimum = (x: Tensor, other: TensorLike): Tensor => binary('minimum', x, other);

/** The u8 mask of x = other, broadcast. */
export const eq = (x: Tensor, other: TensorLike): Tensor => binary('eq', x, other);

/** The u8 mask of x ≠ other, broadcast. */
export const ne = (x: Tensor, other: TensorLike): Tensor => binary('ne', x, other);

/** The u8 mask of x < other, broadcast. */
export const lt = (x: Tensor, other: TensorLike): Tensor => binary('lt', x, other);

/** The u8 mask of x ≤ other, broadcast. */
export const le = (x: Tensor, other: TensorLike): Tensor => binary('le', x, other);

/** The u8 mask of x > other, broadcast. */
export const gt = (x: Tensor, other: TensorLike): Tensor => binary('gt', x, other);

/** The u8 mask of x ≥ other, broadcast. */
export const ge = (x: Tensor, other: TensorLike): Tensor => binary('ge', x, other);

/** The bits that both x and `other` have, of i32 or u8, broadcast. */
export const bitwiseAnd = (x: Tensor, other: TensorLike): Tensor => bitwise('bitwiseAnd', x, other);

/** The bits that x or `other` has, of i32 or u8, broadcast. */
export const bitwiseOr = (x: Tensor, other: TensorLike): Tensor => bitwise('bitwiseOr', x, other);

/** The bits that one of x and `other` has, of i32 or u8, broadcast. */
export const bitwiseXor = (x: Tensor, other: TensorLike): Tensor => bitwise('bitwiseXor', x, other);

/** The bits that x lacks, of i32 or u8. */
export const bitwiseNot = (x: Tensor): Tensor => ops.bitwiseNot({ x: asTensor('bitwiseNot', x) });

/** The u8 mask of where neither x nor `other` is 0, broadcast. */
export const logicalAnd = (x: Tensor, other: TensorLike): Tensor => logical('logicalAnd', x, other);

/** The u8 mask of where x or `other` is not 0, broadcast. */
export const logicalOr = (x: Tensor, other: TensorLike): Tensor => logical('logicalOr', x, other);

/** The u8 mask of where one of x and `other` is 0 and the other is not, broadcast. */
export const logicalXor = (x: Tensor, other: TensorLike): Tensor => logical('logicalXor', x, other);

/** The u8 mask of where x is 0. */
export const logicalNot = (x: Tensor): Tensor => ops.logicalNot({ x: asMask(asTensor('logicalNot', x)) });

/** −x, elementwise. */
export const neg = (x: Tensor): Tensor => unary('neg', x);

/** |x|, elementwise. */
export const abs = (x: Tensor): Tensor => unary('abs', x);

/** eˣ, elementwise. */
export const exp = (x: Tensor): Tensor => unary('exp', x);

/** eˣ − 1, exact near 0. */
export const expm1 = (x: Tensor): Tensor => unary('expm1', x);

/** The natural logarithm: NaN below 0, −∞ at 0. */
export const log = (x: Tensor): Tensor => unary('log', x);

/** log(1 + x), exact near 0. */
export const log1p = (x: Tensor): Tensor => unary('log1p', x);

/** √x: NaN below 0. */
export const sqrt = (x: Tensor): Tensor => unary('sqrt', x);

/** 1 / √x. */
export const rsqrt = (x: Tensor): Tensor => unary('rsqrt', x);

/** 1 / x. */
export const reciprocal = (x: Tensor): Tensor => unary('reciprocal', x);

/** x². */
export const square = (x: Tensor): Tensor => unary('square', x);

/** −1, 0 or 1. Its gradient is 0. */
export const sign = (x: Tensor): Tensor => unary('sign', x);

/** The largest whole number ≤ x. Its gradient is 0. */
export const floor = (x: Tensor): Tensor => unary('floor', x);

/** The smallest whole number ≥ x. Its gradient is 0. */
export const ceil = (x: Tensor): Tensor => unary('ceil', x);

/** The nearest whole number; halves go to the even one. Its gradient is 0. */
export const round = (x: Tensor): Tensor => unary('round', x);

/** x without its fraction. Its gradient is 0. */
export const trunc = (x: Tensor): Tensor => unary('trunc', x);

/** The sine of x in radians. */
export const sin = (x: Tensor): Tensor => unary('sin', x);

/** The cosine of x in radians. */
export const cos = (x: Tensor): Tensor => unary('cos', x);

/** The Gauss error function 2 / √π ∫₀ˣ exp(−t²) dt. */
export const erf = (x: Tensor): Tensor => unary('erf', x);

/** The hyperbolic tangent (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ). */
export const tanh = (x: Tensor): Tensor => unary('tanh', x);

/** The logistic function 1 / (1 + e⁻ˣ). */
export const sigmoid = (x: Tensor): Tensor => unary('sigmoid', x);

/** The rectifier max(x, 0). */
export const relu = (x: Tensor): Tensor => unary('relu', x);

/** Bounds of {@link clamp}. */
export interface ClampOptions {
  /** The least value. @defaultValue -Infinity */
  min?: number;
  /** The greatest value. @defaultValue Infinity */
  max?: number;
}

/** x limited to `min` … `max`; the gradient is 0 where it was beyond them. */
export const clamp = (x: Tensor, options: ClampOptions): Tensor => {
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = options;
  return ops.clamp({ x }, { min, max });
};

/**
 * x as another dtype; x itself where it has that dtype. From f32 to integers it cuts the fraction off and saturates.
 * The gradient goes from f32 to f32 only.
 */
export const to = (x: Tensor, dtype: Dtype): Tensor => {
  checkDtype('to', dtype);
  return x.dtype === dtype ? x : ops.cast({ x }, { dtype });
};

/** `x` where the u8 mask `condition` is not 0, else `other`; all three broadcast, and numbers stand for constants. */
export function where(condition: Tensor, x: TensorLike, other: TensorLike): Tensor {
  const beside = x instanceof Tensor ? x : other instanceof Tensor ? other : undefined;
  return ops.where({ condition, a: asTensor('where', x, beside), b: asTensor('where', other, beside) });
}
