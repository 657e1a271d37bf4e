// Distances and similarities of vectors.
import { ops } from '../autograd.ts';
import { broadcastShapes, normalizeDim } from '../ops/shapes.ts';
import { type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { asFloat, type Dims } from './arguments.ts';
import { add, clamp, div, mul, sub } from './elementwise.ts';
import { norm, sum } from './reduction.ts';

/** Options of {@link cosineSimilarity}. */
export interface CosineSimilarityOptions {
  /** The dim of the vectors, which goes. @defaultValue 1 */
  dim?: number;
  /** The least length that a vector is divided by. @defaultValue 1e-8 */
  eps?: number;
}

/** Options of {@link pairwiseDistance}. */
export interface PairwiseDistanceOptions {
  /** The order of the norm. @defaultValue 2 */
  p?: number;
  /** Is added to each difference, so that there is a gradient where both are equal. @defaultValue 1e-6 */
  eps?: number;
  /** Whether the last dim stays, with size 1. @defaultValue false */
  keepdim?: boolean;
}

/** Options of {@link normalize}. */
export interface NormalizeOptions {
  /** The order of the norm. @defaultValue 2 */
  p?: number;
  /** The dim of the vectors, or several. @defaultValue 1 */
  dim?: Dims;
  /** The least length that a vector is divided by. @defaultValue 1e-12 */
  eps?: number;
}

/**
 * x where it is above `least`, else `least`; its gradient is that of x everywhere, as PyTorch's outside of the tape.
 */
export const raised = (x: Tensor, least: number): Tensor => add(x, sub(clamp(x, least), x).detach());

/**
 * The cosine of the angles between vectors along `dim`: x1 · x2 / (max(‖x1‖, eps) max(‖x2‖, eps)).
 * @param x2 broadcast with x1; `dim` counts in the common shape
 * @throws ShapeError
 */
export const cosineSimilarity = callable<
  Callable<[x1: Tensor, x2: Tensor], [dim: number, eps: number], CosineSimilarityOptions, Tensor, ['x1', 'x2']>
>(
  'cosineSimilarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: number = 1e-8)',
  (x1: Tensor, x2: Tensor, dim: number, eps: number) => {
    const shape = broadcastShapes('cosineSimilarity', x1.sizes, x2.sizes);
    const d = normalizeDim('cosineSimilarity', dim, shape.length);
    const [a, b] = [x1, x2].map((x) => {
      const whole = ops.expand({ x: asFloat(x) }, { shape });
      return div(whole, raised(norm(whole, 2, d, true), eps));
    }) as [Tensor, Tensor];
    return sum(mul(a, b), d);
  },
);

/**
 * The p-norm of x1 − x2 + eps along the last dim.
 * @param x2 broadcast with x1
 * @throws ShapeError
 */
export const pairwiseDistance = callable<
  Callable<
    [x1: Tensor, x2: Tensor],
    [p: number, eps: number, keepdim: boolean],
    PairwiseDistanceOptions,
    Tensor,
    ['x1', 'x2']
  >
>(
  'pairwiseDistance(x1: Tensor, x2: Tensor, p: number = 2, eps: number = 1e-6, keepdim: bool = false)',
  (x1: Tensor, x2: Tensor, p: number, eps: number, keepdim: boolean) =>
    norm(add(asFloat(sub(x1, x2)), eps), p, -1, keepdim),
);

/**
 * Vectors along `dim` divided by their p-norms, so that those are 1: x / max(‖x‖, eps).
 * @throws ShapeError
 */
export const normalize = callable<Callable<[x: Tensor], [p: number, dim: Dims, eps: number], NormalizeOptions, Tensor>>(
  'normalize(x: Tensor, p: number = 2, dim: int|int[] = 1, eps: number = 1e-12, -out: any = null)',
  (x: Tensor, p: number, dim: Dims, eps: number) => div(x, clamp(norm(asFloat(x), p, dim, true), eps)),
);
