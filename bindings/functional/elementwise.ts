// Elementwise functions; binary ones broadcast as NumPy does, and take numbers. Operands of two dtypes meet in the one
// that holds both (PyTorch's type promotion); of integers, what has a fraction is f32, and the rest stays integer.
import { ops } from '../autograd.ts';
import { ArgumentError } from '../memory/errors.ts';
import { type Callable, callable } from '../signature.ts';
import type { Dtype, Tensor } from '../tensor.ts';
import { asFloat, asTensor, cast, paired, type TensorLike } from './arguments.ts';

/** A function of one tensor. */
export type UnaryFunction = (x: Tensor) => Tensor;
/** A function of two tensors, or of a tensor and a number. */
export type BinaryFunction = (x: Tensor, other: TensorLike) => Tensor;

const binaryOf = (name: string, fn: BinaryFunction): BinaryFunction =>
  callable(`${name}(x: Tensor, other: Tensor|number)`, fn);

type BinaryOp = 'mul' | 'maximum' | 'minimum' | 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge';
const binary = (name: BinaryOp | 'bitwiseAnd' | 'bitwiseOr' | 'bitwiseXor'): BinaryFunction =>
  binaryOf(name, (x, other) => ops[name](paired(name, x, other)));

/** The u8 mask of where x is not 0: x itself, where it is one. */
const asMask = (x: Tensor): Tensor => (x.dtype === 'u8' ? x : ne(x, 0));
const logical = (name: 'logicalAnd' | 'logicalOr' | 'logicalXor'): BinaryFunction =>
  binaryOf(name, (x, other) => ops[name]({ a: asMask(x), b: asMask(asTensor(name, other, x)) }));

type UnaryOp =
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
  | 'sigmoid';
/** @param ofIntegers what stands for the op there; without it, it is that of the same numbers in f32 */
const unary = (name: UnaryOp, ofIntegers: UnaryFunction = (x) => ops[name]({ x: asFloat(x) })): UnaryFunction =>
  callable(`${name}(x: Tensor)`, (x: Tensor): Tensor => (x.dtype === 'f32' ? ops[name]({ x }) : ofIntegers(x)));

/** What whole numbers are after rounding. */
const copied: UnaryFunction = (x) => ops.contiguous({ x });

/** Options of {@link add} and {@link sub}. */
export interface AddOptions {
  /** What `other` is multiplied by. @defaultValue 1 */
  alpha?: number;
}
/** A sum of a tensor and a multiple of another, or of a number. */
export type SumFunction = Callable<[x: Tensor, other: TensorLike], [], AddOptions, Tensor, ['x', 'other']>;

const sumOf = (name: 'add' | 'sub'): SumFunction =>
  callable<SumFunction>(
    `${name}(x: Tensor, other: Tensor|number, *, alpha: number = 1)`,
    (x: Tensor, other: TensorLike, alpha: number) =>
      ops[name](paired(name, x, alpha === 1 ? other : typeof other === 'number' ? other * alpha : mul(other, alpha))),
  );

/** x + alpha · other, broadcast. */
export const add: SumFunction = sumOf('add');

/** x − alpha · other, broadcast. */
export const sub: SumFunction = sumOf('sub');

/** x · other elementwise, broadcast. */
export const mul: BinaryFunction = binary('mul');

/** x / other in f32, also of integers, broadcast. */
export const div: BinaryFunction = binaryOf('div', (x, other) =>
  ops.div({ a: asFloat(x), b: asFloat(asTensor('div', other, x)) }),
);

/** The whole power n of integers, by squaring: it wraps as a product does. */
function wholePower(x: Tensor, n: number): Tensor {
  if (n < 0)
    throw new ArgumentError(
      `pow: expected integers to the power of at least 0, got ${n}; convert them with .to('f32')`,
    );
  let y = ops.full({}, { shape: x.shape, value: 1, dtype: x.dtype });
  for (let square = x, left = n; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) y = ops.mul({ a: y, b: square });
    if (left > 1) square = ops.mul({ a: square, b: square });
  }
  return y;
}

/** x to the power of `other`, broadcast. Of integers to whole numbers it is an integer. */
export const pow: BinaryFunction = binaryOf('pow', (x, other) =>
  x.dtype !== 'f32' && Number.isInteger(other) ? wholePower(x, other as number) : ops.pow(paired('pow', x, other)),
);

/** The larger of x and `other`, broadcast; NaN where either is NaN. */
export const maximum: BinaryFunction = binary('maximum');

/** The smaller of x and `other`, broadcast; NaN where either is NaN. */
export const minimum: BinaryFunction = binary('minimum');

/** The u8 mask of x = other, broadcast. */
export const eq: BinaryFunction = binary('eq');

/** The u8 mask of x ≠ other, broadcast. */
export const ne: BinaryFunction = binary('ne');

/** The u8 mask of x < other, broadcast. */
export const lt: BinaryFunction = binary('lt');

/** The u8 mask of x ≤ other, broadcast. */
export const le: BinaryFunction = binary('le');

/** The u8 mask of x > other, broadcast. */
export const gt: BinaryFunction = binary('gt');

/** The u8 mask of x ≥ other, broadcast. */
export const ge: BinaryFunction = binary('ge');

/** The bits that both x and `other` have, of i32 or u8, broadcast. */
export const bitwiseAnd: BinaryFunction = binary('bitwiseAnd');

/** The bits that x or `other` has, of i32 or u8, broadcast. */
export const bitwiseOr: BinaryFunction = binary('bitwiseOr');

/** The bits that one of x and `other` has, of i32 or u8, broadcast. */
export const bitwiseXor: BinaryFunction = binary('bitwiseXor');

/** The bits that x lacks, of i32 or u8. */
export const bitwiseNot = callable('bitwiseNot(x: Tensor)', (x: Tensor): Tensor => ops.bitwiseNot({ x }));

/** The u8 mask of where neither x nor `other` is 0, broadcast. */
export const logicalAnd: BinaryFunction = logical('logicalAnd');

/** The u8 mask of where x or `other` is not 0, broadcast. */
export const logicalOr: BinaryFunction = logical('logicalOr');

/** The u8 mask of where one of x and `other` is 0 and the other is not, broadcast. */
export const logicalXor: BinaryFunction = logical('logicalXor');

/** The u8 mask of where x is 0. */
export const logicalNot = callable('logicalNot(x: Tensor)', (x: Tensor): Tensor => ops.logicalNot({ x: asMask(x) }));

/** −x, elementwise. */
export const neg: UnaryFunction = unary('neg', (x) =>
  x.dtype === 'u8' ? sub(ops.full({}, { shape: [], value: 0, dtype: 'u8' }), x) : ops.neg({ x }),
);

/** |x|, elementwise. */
export const abs: UnaryFunction = unary('abs', (x) => (x.dtype === 'u8' ? copied(x) : maximum(x, ops.neg({ x }))));

/** eˣ, elementwise. */
export const exp: UnaryFunction = unary('exp');

/** eˣ − 1, exact near 0. */
export const expm1: UnaryFunction = unary('expm1');

/** The natural logarithm: NaN below 0, −∞ at 0. */
export const log: UnaryFunction = unary('log');

/** log(1 + x), exact near 0. */
export const log1p: UnaryFunction = unary('log1p');

/** √x: NaN below 0. */
export const sqrt: UnaryFunction = unary('sqrt');

/** 1 / √x. */
export const rsqrt: UnaryFunction = unary('rsqrt');

/** 1 / x. */
export const reciprocal: UnaryFunction = unary('reciprocal');

/** x². */
export const square: UnaryFunction = unary('square', (x) => ops.mul({ a: x, b: x }));

/** −1, 0 or 1. Its gradient is 0. */
export const sign: UnaryFunction = unary('sign', (x) => (x.dtype === 'u8' ? ne(x, 0) : ops.sign({ x })));

/** The largest whole number ≤ x. Its gradient is 0. */
export const floor: UnaryFunction = unary('floor', copied);

/** The smallest whole number ≥ x. Its gradient is 0. */
export const ceil: UnaryFunction = unary('ceil', copied);

/** The nearest whole number; halves go to the even one. Its gradient is 0. */
export const round: UnaryFunction = unary('round', copied);

/** x without its fraction. Its gradient is 0. */
export const trunc: UnaryFunction = unary('trunc', copied);

/** The sine of x in radians. */
export const sin: UnaryFunction = unary('sin');

/** The cosine of x in radians. */
export const cos: UnaryFunction = unary('cos');

/** The Gauss error function 2 / √π ∫₀ˣ exp(−t²) dt. */
export const erf: UnaryFunction = unary('erf');

/** The hyperbolic tangent (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ). */
export const tanh: UnaryFunction = unary('tanh');

/** The logistic function 1 / (1 + e⁻ˣ). */
export const sigmoid: UnaryFunction = unary('sigmoid');

/** The rectifier max(x, 0). */
export const relu = callable(
  'relu(x: Tensor)',
  (x: Tensor): Tensor => (x.dtype === 'f32' ? ops.relu({ x }) : maximum(x, 0)),
);

/** x + weight · (end − x), broadcast: x at weight 0, `end` at 1. */
export const lerp = callable(
  'lerp(x: Tensor, end: Tensor, weight: Tensor|number)',
  (x: Tensor, end: Tensor, weight: TensorLike): Tensor => add(x, mul(sub(end, x), weight)),
);

/** Bounds of {@link clamp}; one of them has to be given. */
export interface ClampOptions {
  /** The least value; null: none. @defaultValue null */
  min?: number | null;
  /** The greatest value; null: none. @defaultValue null */
  max?: number | null;
}

/**
 * x limited to `min` … `max`; the gradient is 0 where it was beyond them.
 * @throws ArgumentError without either bound
 */
export const clamp = callable<Callable<[x: Tensor], [min: number | null, max: number | null], ClampOptions, Tensor>>(
  'clamp(x: Tensor, min: number|null = null, max: number|null = null)',
  (x: Tensor, min: number | null, max: number | null) => {
    if (min === null && max === null)
      throw new ArgumentError('clamp: expected min, max or both, got neither; give at least one of them');
    if (x.dtype !== 'f32') {
      const least = min === null ? x : maximum(x, min);
      return max === null ? least : minimum(least, max);
    }
    return ops.clamp({ x }, { min: min ?? Number.NEGATIVE_INFINITY, max: max ?? Number.POSITIVE_INFINITY });
  },
);

/**
 * x as another dtype; x itself where it has that dtype. From f32 to integers it cuts the fraction off and saturates.
 * The gradient goes from f32 to f32 only.
 */
export const to = callable(
  'to(x: Tensor, dtype: dtype, -nonBlocking: bool = false, -copy: bool = false)',
  (x: Tensor, dtype: Dtype): Tensor => cast(x, dtype),
);

/** `x` where the u8 mask `condition` is not 0, else `other`; all three broadcast, and numbers stand for constants. */
export const where = callable(
  'where(condition: Tensor, x: Tensor|number, other: Tensor|number)',
  (condition: Tensor, x: TensorLike, other: TensorLike): Tensor => {
    const { a, b } = paired('where', x, other);
    return ops.where({ condition, a, b });
  },
);
