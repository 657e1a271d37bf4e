// Functions that write their tensor in place, named as PyTorch names them: with an underscore.
import { ops } from '../autograd.ts';
import { sameShape } from '../ops/shapes.ts';
import { callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';

/** Whether a write to `x`, element by element, could overwrite what of `src` it has yet to read. */
const overlaps = (x: Tensor, src: Tensor): boolean =>
  x.block === src.block && !(x.offset === src.offset && sameShape(x.sizes, src.sizes) && sameShape(x.steps, src.steps));

/**
 * Overwrites x with `src`, stretched to its shape, and returns x (PyTorch's `copy_`). Where `src` is another view of
 * x's memory, x gets what it held before. Outside of noGrad() the write becomes a part of the history of x.
 * @param src of x's dtype
 * @throws ShapeError, DtypeError; GradError where x is a leaf that requires a gradient, or a view, outside of noGrad()
 */
export const copy_ = callable(
  'copy_(x: Tensor, src: Tensor, -nonBlocking: bool = false)',
  (x: Tensor, src: Tensor): Tensor => ops.copy({ y: x, x: overlaps(x, src) ? ops.contiguous({ x: src }) : src }),
);

/**
 * Overwrites every element of x with `value` and returns x (PyTorch's `fill_`).
 * @throws ArgumentError where x's dtype cannot hold the number; GradError where x requires a gradient, outside of
 *   noGrad()
 */
export const fill_ = callable('fill_(x: Tensor, value: number)', (x: Tensor, value: number): Tensor => {
  ops.fillInto({ y: x }, { value });
  return x;
});

/** Overwrites every element of x with 0 and returns x (PyTorch's `zero_`). @throws GradError as {@link fill_} */
export const zero_ = callable('zero_(x: Tensor)', (x: Tensor): Tensor => fill_(x, 0));
