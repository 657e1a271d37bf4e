// RMS normalisation.
import { familyOps } from '../autograd.ts';
import { rmsNormRows } from '../ops/rmsnorm.ts';
import { type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';

const rmsNormOps = familyOps(rmsNormRows);

/** The distance from 1 to the next f32: the eps that null stands for. */
const EPSILON = 2 ** -23;

/** Options of {@link rmsNorm}. */
export interface RmsNormOptions {
  /** What the normalised values are multiplied by, of the normalised shape; null: 1. @defaultValue null */
  weight?: Tensor | null;
  /** Added to the mean of the squares; null: 2⁻²³, the epsilon of f32. @defaultValue null */
  eps?: number | null;
}

/**
 * Divides the last dims by the root of the mean of their squares, weight · x / √(mean x² + eps) (Zhang and Sennrich
 * 2019).
 * @param x [..., ...normalizedShape]
 * @throws ShapeError, DtypeError
 */
export const rmsNorm = callable<
  Callable<
    [x: Tensor, normalizedShape: readonly number[]],
    [weight: Tensor | null, eps: number | null],
    RmsNormOptions,
    Tensor,
    ['x', 'normalizedShape']
  >
>(
  'rmsNorm(x: Tensor, normalizedShape: int[], weight: Tensor|null = null, eps: number|null = null)',
  (x: Tensor, normalizedShape: readonly number[], weight: Tensor | null, eps: number | null) =>
    rmsNormOps.rmsNorm({ x, weight }, { normalizedShape, eps: eps ?? EPSILON }),
);
