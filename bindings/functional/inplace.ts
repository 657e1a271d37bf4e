// Functions that write their tensor in place, named as PyTorch names them: with an underscore.
import { ops } from '../autograd.ts';
import type { Tensor } from '../tensor.ts';

/**
 * Overwrites x with `src`, stretched to its shape, and returns x (PyTorch's `copy_`). Outside of noGrad() the write
 * becomes a part of the history of x.
 * @param src of x's dtype
 * @throws ShapeError, DtypeError; GradError where x is a leaf that requires a gradient, or a view, outside of noGrad()
 */
export const copy_ = (x: Tensor, src: Tensor): Tensor => ops.copy({ y: x, x: src });

/**
 * Overwrites every element of x with `value` and returns x (PyTorch's `fill_`).
 * @throws ArgumentError where x's dtype cannot hold the number; GradError where x requires a gradient, outside of
 *   noGrad()
 */
export function fill_(x: Tensor, value: number): Tensor {
  ops.fillInto({ y: x }, { value });
  return x;
}

/** Overwrites every element of x with 0 and returns x (PyTorch's `zero_`). @throws GradError as {@link fill_} */
export const zero_ = (x: Tensor): Tensor => fill_(x, 0);
