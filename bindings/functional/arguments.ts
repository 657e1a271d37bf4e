// What the functions take where an op takes tensors, dims and sizes.
import { ops } from '../autograd.ts';
import { type Dtype, dtypes, promote } from '../dtypes.ts';
import { runtime } from '../engine/engine.ts';
import { ArgumentError, formatShape, typeName } from '../memory/errors.ts';
import { type Shape, Tensor } from '../tensor.ts';

/** A tensor, or a number that stands for a tensor of shape []. */
export type TensorLike = Tensor | number;
/** One dim or several; negative ones count from the end. */
export type Dims = number | readonly number[];
/** One number for all spatial dims, or a list of one for each. */
export type Sizes = number | readonly number[];

/**
 * `x` as a tensor. Beside an integer tensor a whole number is an integer: of its kind, or i32 where u8 does not hold
 * it.
 * @throws ArgumentError for anything else
 */
export function asTensor(op: string, x: TensorLike, beside?: Tensor): Tensor {
  if (x instanceof Tensor) return x;
  if (typeof x !== 'number') throw new ArgumentError(`${op}: expected a tensor or a number, got ${typeName(x)}`);
  const dtype = beside && !dtypes[beside.dtype].floating && Number.isInteger(x) ? integerFor(x, beside.dtype) : 'f32';
  return constantFor(beside, x, dtype);
}

/** A constant for an op on `beside`, which lives as long as what is computed from that. */
export function constantFor(
  beside: Tensor | undefined,
  value: number,
  dtype: Dtype = 'f32',
  shape: Shape = [],
): Tensor {
  const made = ops.full({}, { shape, value, dtype });
  if (beside) runtime().arena.join(made.block, beside.block);
  return made;
}

const integerFor = (x: number, dtype: Dtype): Dtype => {
  const [low, high] = dtypes[dtype].range ?? [x, x];
  return x >= low && x <= high ? dtype : 'i32';
};

/** `x` in another dtype, where it has not that one. The gradient goes from f32 to f32 only. */
export const cast = (x: Tensor, dtype: Dtype): Tensor => (x.dtype === dtype ? x : ops.cast({ x }, { dtype }));

/** `x` in f32, as what has a fraction needs it. */
export const asFloat = (x: Tensor): Tensor => cast(x, 'f32');

/** `x` in i32 where it is u8, for ops that have no bytes. */
export const widened = (x: Tensor): Tensor => (x.dtype === 'u8' ? cast(x, 'i32') : x);

/** Both operands as tensors of one dtype: that which holds what both hold. */
export function paired(op: string, x: TensorLike, other: TensorLike): { a: Tensor; b: Tensor } {
  if (x instanceof Tensor && other instanceof Tensor && x.dtype === other.dtype) return { a: x, b: other };
  const beside = x instanceof Tensor ? x : other instanceof Tensor ? other : undefined;
  const a = asTensor(op, x, beside);
  const b = asTensor(op, other, beside);
  if (a.dtype === b.dtype) return { a, b };
  const dtype = promote(a.dtype, b.dtype);
  return { a: cast(a, dtype), b: cast(b, dtype) };
}

/** A list of its own, which does not change with the caller's: tensors in the one dtype that holds those of all. */
export function alike(xs: readonly Tensor[]): readonly Tensor[] {
  const [first] = xs;
  if (!first || xs.every((x) => x.dtype === first.dtype)) return [...xs];
  const dtype = xs.map((x) => x.dtype).reduce(promote);
  return xs.map((x) => cast(x, dtype));
}

/** `value` for each of `spatial` dims. @throws ArgumentError where it is not a whole number >= least */
export function eachDim(op: string, name: string, value: Sizes, spatial: number, least: number): number[] {
  const list = typeof value === 'number' ? new Array<number>(spatial).fill(value) : [...value];
  if (list.length !== spatial || !list.every((n) => Number.isSafeInteger(n) && n >= least))
    throw new ArgumentError(
      `${op}: expected ${name} to be one whole number >= ${least}, or ${spatial}, got ${typeof value === 'object' ? formatShape(value) : value}`,
    );
  return list;
}
