// Remedies for exploding gradients.
import { noGrad, ops } from '../autograd.ts';
import * as fn from '../functions/index.ts';
import { ArgumentError } from '../runtime/errors.ts';
import { runtime } from '../runtime/wasm.ts';
import { scope } from '../scope.ts';
import { Tensor } from '../tensor.ts';

const gradientsOf = (parameters: Tensor | readonly Tensor[]): Tensor[] =>
  (parameters instanceof Tensor ? [parameters] : parameters).flatMap((p) => (p.grad ? [p.grad] : []));

/**
 * Scales all gradients by one factor so that their norm together is at most `maxNorm` (PyTorch's `clip_grad_norm_`;
 * Pascanu et al. 2013). Nothing is read back: the factor is computed where the gradients are.
 * @returns the norm before, f32 []
 * @throws ArgumentError with `errorIfNonfinite`, where that norm is NaN or infinite; the gradients are as they were
 */
export function clipGradNorm(
  parameters: Tensor | readonly Tensor[],
  maxNorm: number,
  { normType = 2, errorIfNonfinite = false }: { normType?: number; errorIfNonfinite?: boolean } = {},
): Tensor {
  if (!(maxNorm >= 0)) throw new ArgumentError(`clipGradNorm: expected maxNorm >= 0, got ${maxNorm}`);
  const gradients = gradientsOf(parameters);
  return noGrad(() =>
    scope(() => {
      if (gradients.length === 0) return ops.full({ shape: [], value: 0 });
      const norms = gradients.map((g) => fn.norm(g, undefined, { p: normType }));
      const total = fn.norm(fn.stack(norms), undefined, { p: normType });
      if (errorIfNonfinite && !Number.isFinite(total.item()))
        throw new ArgumentError(
          `clipGradNorm: expected a finite norm of the gradients, got ${total.item()}; look for NaN with a smaller learning rate`,
        );
      const { kernels } = runtime();
      const factor = Tensor.allocate([], 'f32', 'clipGradNorm');
      kernels.clip_coefficient_f32(factor, ops.square(total), maxNorm);
      for (const g of gradients) kernels.scale_by_f32(g, g.size, factor);
      return total;
    }),
  );
}

/** Limits every element of every gradient to ±clipValue (PyTorch's `clip_grad_value_`). */
export function clipGradValue(parameters: Tensor | readonly Tensor[], clipValue: number): void {
  if (!(clipValue >= 0)) throw new ArgumentError(`clipGradValue: expected clipValue >= 0, got ${clipValue}`);
  const { kernels } = runtime();
  for (const g of gradientsOf(parameters)) {
    kernels.clamp_forward_f32(g, g, g.size, -clipValue, clipValue);
  }
}
