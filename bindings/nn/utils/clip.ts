// Remedies for exploding gradients.
import { familyOps, ops, withoutTape } from '../../autograd.ts';
import { norm } from '../../functional/reduction.ts';
import { ArgumentError, describe } from '../../memory/errors.ts';
import { clipRows } from '../../ops/optim.ts';
import type { SparseTensor } from '../../ops/sparse-tensor.ts';
import { scope } from '../../scope.ts';
import { type Callable, callable } from '../../signature.ts';
import { checkGradient, Tensor } from '../../tensor.ts';
import { listOf } from './list.ts';

const clipOps = familyOps(clipRows);

/** Options of {@link clipGradNorm}. */
export interface ClipGradNormOptions {
  /** The order of the norm: a number > 0, or Infinity. @defaultValue 2 */
  normType?: number;
  /** Whether a norm that is NaN or infinite throws. @defaultValue false */
  errorIfNonfinite?: boolean;
}

/** Of all elements; the usual order without a detour. */
const normOf = (x: Tensor, order: number): Tensor =>
  order === 2 ? ops.norm({ x }, { dim: 0, end: x.ndim, keepdim: false }) : norm(x, order);

/** The norm of all tensors together. */
function totalOf(op: string, xs: readonly Tensor[], order: number, errorIfNonfinite: boolean): Tensor {
  if (xs.length === 0) return ops.full({}, { shape: [], value: 0 });
  const norms = xs.map((x) => ops.reshape({ x: normOf(x, order) }, { shape: [1] }));
  const total = normOf(ops.concat({ xs: norms }, { dim: 0 }), order);
  if (errorIfNonfinite && !Number.isFinite(total.item()))
    throw new ArgumentError(
      `${op}: expected a finite norm of the gradients, got ${total.item()}; look for NaN with a smaller learning rate`,
    );
  return total;
}

/** Multiplies all by what takes a norm of `total` to at most maxNorm. */
function scaleAll(gradients: readonly Tensor[], total: Tensor, maxNorm: number): void {
  const factor = clipOps.clipCoefficient({ square: ops.square({ x: total }) }, { maxNorm });
  for (const y of gradients) ops.scaleInto({ y, factor });
}

/** The numbers of x that may be other than 0. */
const numbersOf = (x: Tensor): Tensor => (x.isSparse ? (x as SparseTensor).stored : x);

/** The gradients that there are, each fit to be written. @throws before anything is written, where one is not */
function gradientsOf(op: string, parameters: Tensor | Iterable<Tensor>): Tensor[] {
  const list = parameters instanceof Tensor ? [parameters] : listOf(op, parameters);
  return list.flatMap((p) => {
    if (!(p instanceof Tensor))
      throw new ArgumentError(`${op}: expected tensors as parameters, got ${describe(p)}; pass model.parameters()`);
    if (!p.grad) return [];
    checkGradient(op, p, p.grad);
    return [numbersOf(p.grad)];
  });
}

/**
 * Scales all gradients by one factor so that their norm together is at most `maxNorm` (PyTorch's `clip_grad_norm_`;
 * Pascanu et al. 2013). Nothing is read back: the factor is computed where the gradients are.
 * @param maxNorm the largest norm that is left as it is, at least 0
 * @returns the norm before, f32 []
 * @throws ArgumentError with `errorIfNonfinite`, where that norm is NaN or infinite; the gradients are as they were
 */
export const clipGradNorm = callable<
  Callable<
    [parameters: Tensor | Iterable<Tensor>, maxNorm: number],
    [normType: number, errorIfNonfinite: boolean],
    ClipGradNormOptions,
    Tensor,
    ['parameters', 'maxNorm']
  >
>(
  'clipGradNorm(parameters: any, maxNorm: number, normType: number = 2, errorIfNonfinite: bool = false, -foreach: null = null)',
  (parameters: Tensor | Iterable<Tensor>, maxNorm: number, normType: number, errorIfNonfinite: boolean) => {
    if (!(maxNorm >= 0)) throw new ArgumentError(`clipGradNorm: expected maxNorm >= 0, got ${maxNorm}`);
    const gradients = gradientsOf('clipGradNorm', parameters);
    return withoutTape(() =>
      scope(() => {
        const total = totalOf('clipGradNorm', gradients, normType, errorIfNonfinite);
        if (gradients.length > 0) scaleAll(gradients, total, maxNorm);
        return total;
      }),
    );
  },
);

/**
 * Limits every element of every gradient to ±clipValue, at least 0 (PyTorch's `clip_grad_value_`).
 * @throws ArgumentError
 */
export const clipGradValue = callable(
  'clipGradValue(parameters: any, clipValue: number, -foreach: null = null)',
  (parameters: Tensor | Iterable<Tensor>, clipValue: number): void => {
    if (!(clipValue >= 0)) throw new ArgumentError(`clipGradValue: expected clipValue >= 0, got ${clipValue}`);
    const range = { min: -clipValue, max: clipValue };
    const gradients = gradientsOf('clipGradValue', parameters);
    withoutTape(() => {
      for (const y of gradients) ops.clampInto({ y }, range);
    });
  },
);

/**
 * The norm of all elements of all tensors together, such as gradients (PyTorch's `get_total_norm`): f32 [].
 * @throws ArgumentError with `errorIfNonfinite`, where it is NaN or infinite
 */
export const getTotalNorm = callable<
  Callable<
    [tensors: Tensor | Iterable<Tensor>],
    [normType: number, errorIfNonfinite: boolean],
    ClipGradNormOptions,
    Tensor
  >
>(
  'getTotalNorm(tensors: any, normType: number = 2, errorIfNonfinite: bool = false, -foreach: null = null)',
  (tensors: Tensor | Iterable<Tensor>, normType: number, errorIfNonfinite: boolean) => {
    const list = tensors instanceof Tensor ? [tensors] : listOf('getTotalNorm', tensors);
    for (const x of list)
      if (!(x instanceof Tensor)) throw new ArgumentError(`getTotalNorm: expected tensors, got ${describe(x)}`);
    return withoutTape(() => totalOf('getTotalNorm', (list as Tensor[]).map(numbersOf), normType, errorIfNonfinite));
  },
);

/**
 * Scales all gradients by what takes `totalNorm` to at most `maxNorm`, at least 0 (PyTorch's
 * `clip_grads_with_norm_`): {@link getTotalNorm} gives the norm.
 * @throws ArgumentError, ShapeError
 */
export const clipGradsWithNorm_ = callable(
  'clipGradsWithNorm_(parameters: any, maxNorm: number, totalNorm: Tensor, -foreach: null = null)',
  (parameters: Tensor | Iterable<Tensor>, maxNorm: number, totalNorm: Tensor): void => {
    if (!(maxNorm >= 0)) throw new ArgumentError(`clipGradsWithNorm_: expected maxNorm >= 0, got ${maxNorm}`);
    const gradients = gradientsOf('clipGradsWithNorm_', parameters);
    withoutTape(() => scope(() => scaleAll(gradients, totalNorm, maxNorm)));
  },
);
