// Random numbers written into a tensor, and tensors like another one.
import { familyOps, ops, withoutTape } from '../autograd.ts';
import { full, type LikeFunction, type TensorOptions } from '../creation.ts';
import { dtypes } from '../dtypes.ts';
import { ArgumentError, DtypeError } from '../memory/errors.ts';
import { withinRows } from '../ops/within.ts';
import { defaultGenerator, rand, randint, randn } from '../random.ts';
import { alternatives, type Callable, callable } from '../signature.ts';
import { type Dtype, Tensor } from '../tensor.ts';
import { cast } from './arguments.ts';
import { add, clamp, div, lt, mul } from './elementwise.ts';
import { copy_ } from './inplace.ts';
import { exponentials, uniforms } from './sampling.ts';

const checkOps = familyOps(withinRows);

/** Writes what `draw` makes of x's shape into x. */
function written(x: Tensor, draw: (shape: readonly number[]) => Tensor): Tensor {
  return copy_(
    x,
    withoutTape(() => cast(draw(x.sizes), x.dtype)),
  );
}

/** @throws DtypeError for numbers that have a fraction, in integers */
function expectFloat(op: string, dtype: Dtype): void {
  if (!dtypes[dtype].floating)
    throw new DtypeError(`${op}: expected a tensor of f32, got ${dtype}; convert it with .to('f32')`);
}

/** Options of {@link uniform_}. */
export interface UniformDrawOptions {
  /** The least number. @defaultValue 0 */
  from?: number;
  /** The bound that numbers stay below. @defaultValue 1 */
  to?: number;
}

/** Options of {@link normal_}. */
export interface NormalDrawOptions {
  /** The mean. @defaultValue 0 */
  mean?: number;
  /** The standard deviation, at least 0. @defaultValue 1 */
  std?: number;
}

/** Options of {@link logNormal_}. */
export interface LogNormalDrawOptions {
  /** The mean of the logarithms. @defaultValue 1 */
  mean?: number;
  /** The standard deviation of the logarithms, at least 0. @defaultValue 2 */
  std?: number;
}

/** Options of {@link exponential_}. */
export interface ExponentialDrawOptions {
  /** The rate, above 0. @defaultValue 1 */
  lambd?: number;
}

/** Options of {@link cauchy_}. */
export interface CauchyDrawOptions {
  /** The median. @defaultValue 0 */
  median?: number;
  /** Half the width in which half of the numbers are, above 0. @defaultValue 1 */
  sigma?: number;
}

/** Options of {@link bernoulli_}. */
export interface BernoulliDrawOptions {
  /** The probability of 1, of all or, in a tensor that broadcasts, of each. @defaultValue 0.5 */
  p?: number | Tensor;
}

/**
 * Fills x with uniform numbers from `from` up to, without, `to`. @throws DtypeError; ArgumentError unless from <= to
 */
export const uniform_ = callable<Callable<[x: Tensor], [from: number, to: number], UniformDrawOptions, Tensor>>(
  'uniform_(x: Tensor, from: number = 0, to: number = 1)',
  (x: Tensor, from: number, to: number) => {
    expectFloat('uniform_', x.dtype);
    if (!(from <= to && Number.isFinite(to - from)))
      throw new ArgumentError(`uniform_: expected finite numbers from <= to, got ${from} and ${to}`);
    const state = defaultGenerator();
    return written(x, (shape) => ops.uniform({ state }, { shape, low: from, high: to }));
  },
);

/** Normal numbers of a shape. @throws DtypeError; ArgumentError */
function normals(op: string, x: Tensor, mean: number, std: number): (shape: readonly number[]) => Tensor {
  expectFloat(op, x.dtype);
  if (!(std >= 0)) throw new ArgumentError(`${op}: expected std >= 0, got ${std}`);
  return (shape) => ops.normal({ state: defaultGenerator() }, { shape, mean, std });
}

/** Fills x with normal numbers. @throws DtypeError; ArgumentError for std < 0 */
export const normal_ = callable<Callable<[x: Tensor], [mean: number, std: number], NormalDrawOptions, Tensor>>(
  'normal_(x: Tensor, mean: number = 0, std: number = 1)',
  (x: Tensor, mean: number, std: number) => written(x, normals('normal_', x, mean, std)),
);

/** Fills x with numbers whose logarithms are normal. @throws DtypeError; ArgumentError for std < 0 */
export const logNormal_ = callable<Callable<[x: Tensor], [mean: number, std: number], LogNormalDrawOptions, Tensor>>(
  'logNormal_(x: Tensor, mean: number = 1, std: number = 2)',
  (x: Tensor, mean: number, std: number) => {
    const draw = normals('logNormal_', x, mean, std);
    return written(x, (shape) => ops.exp({ x: draw(shape) }));
  },
);

/** Fills x with exponential numbers of rate `lambd`. @throws DtypeError; ArgumentError for a rate of 0 or less */
export const exponential_ = callable<Callable<[x: Tensor], [lambd: number], ExponentialDrawOptions, Tensor>>(
  'exponential_(x: Tensor, lambd: number = 1)',
  (x: Tensor, lambd: number) => {
    expectFloat('exponential_', x.dtype);
    if (!(lambd > 0)) throw new ArgumentError(`exponential_: expected lambd > 0, got ${lambd}`);
    return written(x, (shape) => ops.scale({ x: exponentials(shape) }, { alpha: 1 / lambd, beta: 0 }));
  },
);

/** Fills x with numbers of a Cauchy distribution. @throws DtypeError; ArgumentError for sigma of 0 or less */
export const cauchy_ = callable<Callable<[x: Tensor], [median: number, sigma: number], CauchyDrawOptions, Tensor>>(
  'cauchy_(x: Tensor, median: number = 0, sigma: number = 1)',
  (x: Tensor, median: number, sigma: number) => {
    expectFloat('cauchy_', x.dtype);
    if (!(sigma > 0)) throw new ArgumentError(`cauchy_: expected sigma > 0, got ${sigma}`);
    return written(x, (shape) => {
      const inside = clamp(uniforms(shape), 2 ** -24, 1 - 2 ** -24);
      const angle = ops.scale({ x: inside }, { alpha: Math.PI, beta: -Math.PI / 2 });
      return add(mul(div(ops.sin({ x: angle }), ops.cos({ x: angle })), sigma), median);
    });
  },
);

/**
 * Fills x with how many tries of probability p it takes until the first that succeeds: 1, 2, ….
 * @throws ArgumentError unless p is between 0 and 1
 */
export const geometric_ = callable('geometric_(x: Tensor, p: number)', (x: Tensor, p: number): Tensor => {
  if (!(p > 0 && p < 1)) throw new ArgumentError(`geometric_: expected p between 0 and 1, got ${p}`);
  const scale = { alpha: -1 / Math.log1p(-p), beta: 0 };
  return written(x, (shape) => clamp(ops.ceil({ x: ops.scale({ x: exponentials(shape) }, scale) }), 1));
});

/** Fills x with 1 of probability p, else 0. @throws ArgumentError for a probability outside of 0 … 1 */
export const bernoulli_ = callable<Callable<[x: Tensor], [p: number | Tensor], BernoulliDrawOptions, Tensor>>(
  'bernoulli_(x: Tensor, p: Tensor|number = 0.5)',
  (x: Tensor, p: number | Tensor) => {
    const state = defaultGenerator();
    if (!(p instanceof Tensor)) return written(x, (shape) => ops.bernoulli({ state }, { shape, p }));
    checkOps.within({ x: p }, { low: 0, high: 1, what: 'probabilities' });
    return written(x, (shape) => lt(uniforms(shape), p));
  },
);

/** How many whole numbers from 0 on a dtype holds exactly, within 32 bits. */
const WHOLE: Readonly<Record<Dtype, number>> = { f32: 2 ** 24 + 1, i32: 2 ** 31, u8: 2 ** 8 };
const whole = (x: Tensor, low: number, high: number): Tensor => written(x, (shape) => randint(low, high, shape));

/**
 * Fills x with whole numbers from 0, or `from`, up to, not including, `to`; without bounds all that its dtype holds
 * exactly.
 * @throws ArgumentError unless from < to are whole numbers of 32 bits
 */
export const random_ = alternatives<{
  (x: Tensor): Tensor;
  (x: Tensor, to: number): Tensor;
  (x: Tensor, from: number, to: number): Tensor;
}>(
  ['random_(x: Tensor)', (x: Tensor) => whole(x, 0, WHOLE[x.dtype])],
  ['random_(x: Tensor, to: int)', (x: Tensor, to: number) => whole(x, 0, to)],
  ['random_(x: Tensor, from: int, to: int)', whole],
);

const LIKE = '*, dtype?: dtype, requiresGrad: bool = false)';
type Maker = (shape: readonly number[], options: TensorOptions) => Tensor;
/* @__NO_SIDE_EFFECTS__ */
const like = (name: string, make: Maker): LikeFunction =>
  callable<LikeFunction>(
    `${name}(x: Tensor, ${LIKE}`,
    (x: Tensor, dtype: Dtype = x.dtype, requiresGrad: boolean = false) => {
      expectFloat(name, dtype);
      return make(x.sizes, { dtype, requiresGrad });
    },
  );

/** Uniform numbers from 0 up to, without, 1, of x's shape and dtype. @throws DtypeError for integers */
export const randLike: LikeFunction = like('randLike', (shape, options) => rand(shape, options));

/** Normal numbers of mean 0 and standard deviation 1, of x's shape and dtype. @throws DtypeError for integers */
export const randnLike: LikeFunction = like('randnLike', (shape, options) => randn(shape, options));

/** Whole numbers from 0, or `low`, up to, not including, `high`, of x's shape and dtype. @throws ArgumentError */
export const randintLike = alternatives<{
  (x: Tensor, high: number, options?: TensorOptions): Tensor;
  (x: Tensor, low: number, high: number, options?: TensorOptions): Tensor;
}>(
  [
    `randintLike(x: Tensor, high: int, ${LIKE}`,
    (x: Tensor, high: number, dtype: Dtype = x.dtype, requiresGrad: boolean = false) =>
      randint(0, high, x.sizes, { dtype, requiresGrad }),
  ],
  [
    `randintLike(x: Tensor, low: int, high: int, ${LIKE}`,
    (x: Tensor, low: number, high: number, dtype: Dtype = x.dtype, requiresGrad: boolean = false) =>
      randint(low, high, x.sizes, { dtype, requiresGrad }),
  ],
);

/** A tensor of x's shape and dtype, full of `fillValue`. @throws ArgumentError where the dtype does not hold it */
export const fullLike = callable<(x: Tensor, fillValue: number, options?: TensorOptions) => Tensor>(
  `fullLike(x: Tensor, fillValue: number, ${LIKE}`,
  (x: Tensor, fillValue: number, dtype: Dtype = x.dtype, requiresGrad: boolean = false) =>
    full(x.sizes, fillValue, { dtype, requiresGrad }),
);

/** A tensor of x's shape and dtype; its numbers are 0 here, and may be any in PyTorch. */
export const emptyLike: LikeFunction = callable<LikeFunction>(
  `emptyLike(x: Tensor, ${LIKE}`,
  (x: Tensor, dtype: Dtype = x.dtype, requiresGrad: boolean = false) => full(x.sizes, 0, { dtype, requiresGrad }),
);
