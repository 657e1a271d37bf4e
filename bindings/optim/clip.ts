// Remedies for exploding gradients.
import { familyOps, noGrad, ops } from '../autograd.ts';
import * as fn from '../functional/functions.ts';
import { ArgumentError } from '../memory/errors.ts';
import { clipRows } from '../ops/optim.ts';
import { scope } from '../scope.ts';
import { Tensor } from '../tensor.ts';

const clipOps = familyOps(clipRows);

/** Options of {@link clipGradNorm}. */
export interface ClipGradNormOptions {
  /** The order of the norm: a number > 0, or Infinity. @defaultValue 2 */
  normType?: number;
  /** Whether a norm that is NaN or infinite throws. @defaultValue false */
  errorIfNonfinite?: boolean;
}

const gradientsOf = (parameters: Tensor | readonly Tensor[]): Tensor[] =>
  (parameters instanceof Tensor ? [parameters] : parameters).flatMap((p) => (p.grad ? [p.grad] : []));

/**
 * Scales all gradients by one factor so that their norm together is at most `maxNorm` (PyTorch's `clip_grad_norm_`;
 * Pascanu et al. 2013). Nothing is read back: the factor is computed where the gradients are.
 * @param maxNorm the largest norm that is left as it is, at least 0
 * @returns the norm before, f32 []
 * @throws ArgumentError with `errorIfNonfinite`, where that norm is NaN or infinite; the gradients are as they were
 */
export function clipGradNorm(
  parameters: Tensor | readonly Tensor[],
  maxNorm: number,
  options: ClipGradNormOptions = {},
): Tensor {
  const { normType = 2, errorIfNonfinite = false } = options;
  if (!(maxNorm >= 0)) throw new ArgumentError(`clipGradNorm: expected maxNorm >= 0, got ${maxNorm}`);
  const gradients = gradientsOf(parameters);
  return noGrad(() =>
    scope(() => {
      if (gradients.length === 0) return ops.full({}, { shape: [], value: 0 });
      const norms = gradients.map((g) => fn.norm(g, normType));
      const total = fn.norm(fn.stack(norms), normType);
      if (errorIfNonfinite && !Number.isFinite(total.item()))
        throw new ArgumentError(
          `clipGradNorm: expected a finite norm of the gradients, got ${total.item()}; look for NaN with a smaller learning rate`,
        );
      const factor = clipOps.clipCoefficient({ square: ops.square({ x: total }) }, { maxNorm });
      for (const y of gradients) ops.scaleInto({ y, factor });
      return total;
    }),
  );
}

/**
 * Limits every element of every gradient to ±clipValue, at least 0 (PyTorch's `clip_grad_value_`).
 * @throws ArgumentError
 */
export function clipGradValue(parameters: Tensor | readonly Tensor[], clipValue: number): void {
  if (!(clipValue >= 0)) throw new ArgumentError(`clipGradValue: expected clipValue >= 0, got ${clipValue}`);
  const range = { min: -clipValue, max: clipValue };
  noGrad(() => {
    for (const y of gradientsOf(parameters)) ops.clampInto({ y }, range);
  });
}
