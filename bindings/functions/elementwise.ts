// Elementwise functions; binary ones broadcast and take numbers.
import { ops } from '../autograd.ts';
import type { Dtype, Tensor } from '../tensor.ts';
import { asTensor, type TensorLike } from './arguments.ts';

const binary =
  (name: 'add' | 'sub' | 'mul' | 'div' | 'pow' | 'maximum' | 'minimum' | 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge') =>
  (x: Tensor, other: TensorLike): Tensor =>
    ops[name](asTensor(name, x), asTensor(name, other, x));

type Plain =
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
const unary =
  (name: Plain) =>
  (x: Tensor): Tensor =>
    ops[name](asTensor(name, x));

/** x + other, broadcast. */
export const add = binary('add');

/** x − other, broadcast. */
export const sub = binary('sub');

/** x · other elementwise, broadcast. */
export const mul = binary('mul');

/** x / other, broadcast. */
export const div = binary('div');

/** x to the power of other, broadcast. */
export const pow = binary('pow');

/** The larger of x and other; NaN if either is. */
export const maximum = binary('maximum');

/** The smaller of x and other; NaN if either is. */
export const minimum = binary('minimum');

/** u8 mask of x = other. */
export const eq = binary('eq');

/** u8 mask of x ≠ other. */
export const ne = binary('ne');

/** u8 mask of x < other. */
export const lt = binary('lt');

/** u8 mask of x ≤ other. */
export const le = binary('le');

/** u8 mask of x > other. */
export const gt = binary('gt');

/** u8 mask of x ≥ other. */
export const ge = binary('ge');

/** −x. */
export const neg = unary('neg');

/** |x|. */
export const abs = unary('abs');

/** eˣ. */
export const exp = unary('exp');

/** eˣ − 1, exact near 0. */
export const expm1 = unary('expm1');

/** Natural logarithm. */
export const log = unary('log');

/** log(1 + x), exact near 0. */
export const log1p = unary('log1p');

/** √x. */
export const sqrt = unary('sqrt');

/** 1 / √x. */
export const rsqrt = unary('rsqrt');

/** 1 / x. */
export const reciprocal = unary('reciprocal');

/** x². */
export const square = unary('square');

/** −1, 0 or 1. */
export const sign = unary('sign');

/** The whole number at or below x. */
export const floor = unary('floor');

/** The whole number at or above x. */
export const ceil = unary('ceil');

/** To the nearest whole number, halves to the even one. */
export const round = unary('round');

/** x without its fraction. */
export const trunc = unary('trunc');

/** Sine, of radians. */
export const sin = unary('sin');

/** Cosine, of radians. */
export const cos = unary('cos');

/** Gauss error function. */
export const erf = unary('erf');

/** Hyperbolic tangent. */
export const tanh = unary('tanh');

/** 1 / (1 + e⁻ˣ). */
export const sigmoid = unary('sigmoid');

/** max(x, 0). */
export const relu = unary('relu');

/** Limits x to min … max; either may be left out. */
export const clamp = (
  x: Tensor,
  { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY }: { min?: number; max?: number },
): Tensor => ops.clamp(x, { min, max });

/** x as another dtype; x itself if it has it. f32 to integers truncates and saturates. */
export const to = (x: Tensor, dtype: Dtype): Tensor => (x.dtype === dtype ? x : ops.cast(x, { dtype }));

/** `x` where the mask is not 0, else `other`; numbers stand for constants. */
export function where(condition: Tensor, x: TensorLike, other: TensorLike): Tensor {
  return ops.where(condition, asTensor('where', x), asTensor('where', other));
}
