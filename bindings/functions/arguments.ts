// What the functions take where an op takes tensors and dims.
import { ops } from '../autograd.ts';
import { ArgumentError } from '../runtime/errors.ts';
import { Tensor } from '../tensor.ts';

/** A tensor, or a number that stands for a tensor of shape []. */
export type TensorLike = Tensor | number;
/** One dim or several; negative ones count from the end. */
export type Dims = number | readonly number[];

/** `x` as a tensor. @throws ArgumentError for anything else */
export function asTensor(op: string, x: TensorLike, beside?: Tensor): Tensor {
  if (x instanceof Tensor) return x;
  if (typeof x !== 'number')
    throw new ArgumentError(`${op}: expected a tensor or a number, got ${x === null ? 'null' : typeof x}`);
  // Beside an integer tensor a whole number is an integer.
  if (beside?.dtype === 'i32' && Number.isInteger(x)) return integer(op, x);
  return ops.full({ shape: [], value: x });
}

/** The i32 tensor of shape [] that holds `x`. */
function integer(op: string, x: number): Tensor {
  if (x !== (x | 0))
    throw new ArgumentError(`${op}: expected a whole number of 32 bits beside an i32 tensor, got ${x}`);
  const small = (value: number): Tensor => ops.cast(ops.full({ shape: [], value }), { dtype: 'i32' });
  if (Math.abs(x) <= 2 ** 24) return small(x);
  // f32 holds only 24 bits exactly: the number is put together from two halves.
  return ops.add(ops.mul(small(x >> 16), small(2 ** 16)), small(x & 0xffff));
}
