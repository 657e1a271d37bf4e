// Functions that write their tensor in place, named as PyTorch names them: with an underscore. overwrite.ts has those
// that follow from the functions without it.
import { notes, ops } from '../autograd.ts';
import { checkValues } from '../dtypes.ts';
import { callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { cast } from './arguments.ts';

/**
 * Overwrites x with `src`, stretched to its shape and cast to its dtype, and returns x (PyTorch's `copy_`). Where `src`
 * is another view of x's memory, x gets what it held before. Outside of noGrad() the write becomes a part of the
 * history of x, and of what x is a view of.
 * @throws ShapeError; GradError where x is a leaf that requires a gradient, or a view of one, outside of noGrad()
 */
export const copy_ = callable(
  'copy_(x: Tensor, src: Tensor, -nonBlocking: bool = false)',
  (x: Tensor, src: Tensor): Tensor => {
    const given = cast(src, x.dtype);
    try {
      return ops.copy({ y: x, x: given });
    } finally {
      if (given !== src) given.dispose();
    }
  },
);

/**
 * Overwrites every element of x with `value` and returns x (PyTorch's `fill_`).
 * @throws ArgumentError where x's dtype cannot hold the number; GradError where x is a leaf that requires a gradient,
 *   outside of noGrad()
 */
export const fill_ = callable('fill_(x: Tensor, value: number)', (x: Tensor, value: number): Tensor => {
  checkValues('fill_', [value], x.dtype);
  if (x.isContiguous() && !(notes() && x.requiresGrad)) {
    ops.fillInto({ y: x }, { value });
    return x;
  }
  const constant = ops.full({}, { shape: [], value, dtype: x.dtype });
  try {
    return ops.copy({ y: x, x: constant });
  } finally {
    constant.dispose();
  }
});

/** Overwrites every element of x with 0 and returns x (PyTorch's `zero_`). @throws GradError as {@link fill_} */
export const zero_ = callable('zero_(x: Tensor)', (x: Tensor): Tensor => fill_(x, 0));
