// Activations with required or learned settings.
import { ops } from '../autograd.ts';
import { ShapeError } from '../memory/errors.ts';
import { type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { asTensor } from './arguments.ts';
import { type InplaceOptions, writing } from './overwrite.ts';
import { softmax } from './reduction.ts';
import { reshape } from './shape.ts';

/**
 * x where x > 0, else weight · x (He et al. 2015).
 * @param x [n, channels, ...]
 * @param weight f32, one number for all, or [channels]
 * @throws ShapeError, DtypeError
 */
export const prelu = callable('prelu(x: Tensor, weight: Tensor)', (x: Tensor, weight: Tensor): Tensor => {
  const channels = x.ndim < 2 ? 1 : (x.sizes[1] as number);
  if (weight.ndim > 1 || (weight.size !== 1 && weight.size !== channels))
    throw new ShapeError(`prelu: expected a weight for each of ${channels} channels, or one, got ${weight.size}`);
  const slope = weight.size === 1 ? reshape(weight, []) : reshape(weight, [channels, ...x.sizes.slice(2).map(() => 1)]);
  const positive = ops.gt({ a: x.detach(), b: asTensor('prelu', 0, x) });
  return ops.where({ condition: positive, a: x, b: ops.mul({ a: x, b: slope }) });
});

/** x where x > threshold, else `value`. */
export const threshold = writing<
  Callable<
    [x: Tensor, threshold: number, value: number],
    [inplace: boolean],
    InplaceOptions,
    Tensor,
    ['x', 'threshold', 'value']
  >
>(
  'threshold(x: Tensor, threshold: number, value: number, inplace: bool = false)',
  (x: Tensor, limit: number, value: number) => {
    const below = ops.le({ a: x.detach(), b: asTensor('threshold', limit, x) });
    return ops.where({ condition: below, a: asTensor('threshold', value, x), b: x });
  },
);

/** e⁻ˣ / Σ e⁻ˣ along `dim`. */
export const softmin = callable<Callable<[x: Tensor, dim: number], [], object, Tensor, ['x', 'dim']>>(
  'softmin(x: Tensor, dim: int)',
  (x: Tensor, dim: number) => softmax(ops.neg({ x }), dim),
);
