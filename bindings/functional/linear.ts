// The affine map.
import { ops } from '../autograd.ts';
import { ShapeError } from '../memory/errors.ts';
import { type Callable, callable } from '../signature.ts';
import { numelOf, type Tensor } from '../tensor.ts';
import { contiguous, reshape } from './shape.ts';

/** Options of {@link linear}. */
export interface LinearOptions {
  /** What is added to every row, f32 [out]; null: nothing. @defaultValue null */
  bias?: Tensor | null;
}

/**
 * x · weightᵀ + bias.
 * @param x [..., in]
 * @param weight [out, in]
 * @param bias [out], or null for none
 * @returns [..., out]
 * @throws ShapeError, DtypeError
 */
export const linear = callable<Callable<[x: Tensor, weight: Tensor], [bias: Tensor | null], LinearOptions, Tensor>>(
  'linear(x: Tensor, weight: Tensor, bias: Tensor|null = null)',
  (x: Tensor, weight: Tensor, bias: Tensor | null) => {
    const added = bias && contiguous(bias);
    if (x.ndim === 2) return ops.linear({ x, weight, bias: added });
    if (x.ndim === 0) throw new ShapeError('linear: expected input of at least 1 dim, got a single number');
    const lead = x.sizes.slice(0, -1);
    const flat = reshape(x, [numelOf(lead), x.sizes.at(-1) as number]);
    const y = ops.linear({ x: flat, weight, bias: added });
    return ops.reshape({ x: y }, { shape: [...lead, y.sizes[1] as number] });
  },
);
