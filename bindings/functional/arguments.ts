// What the functions take where an op takes tensors, dims and sizes.
import { ops } from '../autograd.ts';
import { checkValues, type Dtype, dtypes } from '../dtypes.ts';
import { runtime } from '../engine/engine.ts';
import { ArgumentError, formatShape } from '../memory/errors.ts';
import { type Shape, Tensor } from '../tensor.ts';

/** A tensor, or a number that stands for a tensor of shape []. */
export type TensorLike = Tensor | number;
/** One dim or several; negative ones count from the end. */
export type Dims = number | readonly number[];
/** One number for all spatial dims, or a list of one for each. */
export type Sizes = number | readonly number[];

/** `x` as a tensor. @throws ArgumentError for anything else */
export function asTensor(op: string, x: TensorLike, beside?: Tensor): Tensor {
  if (x instanceof Tensor) return x;
  if (typeof x !== 'number')
    throw new ArgumentError(`${op}: expected a tensor or a number, got ${x === null ? 'null' : typeof x}`);
  // Beside an integer tensor a whole number is an integer of its kind.
  const dtype = beside && !dtypes[beside.dtype].floating && Number.isInteger(x) ? beside.dtype : 'f32';
  checkValues(op, [x], dtype);
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

/** `x` in f32, as what has a fraction needs it. */
export const asFloat = (x: Tensor): Tensor => (dtypes[x.dtype].floating ? x : ops.cast({ x }, { dtype: 'f32' }));

/** `value` for each of `spatial` dims. @throws ArgumentError where it is not a whole number >= least */
export function eachDim(op: string, name: string, value: Sizes, spatial: number, least: number): number[] {
  const list = typeof value === 'number' ? new Array<number>(spatial).fill(value) : [...value];
  if (list.length !== spatial || !list.every((n) => Number.isSafeInteger(n) && n >= least))
    throw new ArgumentError(
      `${op}: expected ${name} to be one whole number >= ${least}, or ${spatial}, got ${typeof value === 'object' ? formatShape(value) : value}`,
    );
  return list;
}
