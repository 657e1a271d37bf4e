// A dim cut into several.
import { ops } from '../autograd.ts';
import { formatShape, ShapeError } from '../memory/errors.ts';
import { normalizeDim } from '../ops/shapes.ts';
import { callable } from '../signature.ts';
import { numelOf, type Shape, type Tensor } from '../tensor.ts';

/**
 * The dim `dim` as several: a view where x is contiguous, else a copy.
 * @param sizes of the dims in its place; one may be -1 and is worked out
 * @throws ShapeError unless their product is the size of the dim
 */
export const unflatten = callable(
  'unflatten(x: Tensor, dim: int, sizes: int[])',
  (x: Tensor, dim: number, sizes: Shape): Tensor => {
    const at = normalizeDim('unflatten', dim, x.ndim);
    const whole = x.sizes[at] ?? 1;
    const open = sizes.indexOf(-1);
    const rest = numelOf(sizes.filter((_, d) => d !== open));
    const parts = open < 0 ? sizes : sizes.with(open, whole / rest);
    if (parts.length === 0 || !parts.every((n) => Number.isSafeInteger(n) && n >= 0) || numelOf(parts) !== whole)
      throw new ShapeError(
        `unflatten: expected sizes of ${whole} elements, one of them -1 at most, for dim ${dim} of ${formatShape(x.sizes)}, got ${formatShape(sizes)}`,
      );
    return ops.reshape({ x }, { shape: [...x.sizes.slice(0, at), ...parts, ...x.sizes.slice(at + 1)] });
  },
);
