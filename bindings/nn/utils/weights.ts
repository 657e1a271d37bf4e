// What parametrizations of weights compute: weight norm and spectral norm, which have two forms each.
import { withoutTape } from '../../autograd.ts';
import { copy_ } from '../../functional/inplace.ts';
import { matmul } from '../../functional/matmul.ts';
import { norm } from '../../functional/reduction.ts';
import { permute, reshape } from '../../functional/shape.ts';
import { ArgumentError, formatShape } from '../../memory/errors.ts';
import { randn } from '../../random.ts';
import type { Tensor } from '../../tensor.ts';

/** The norm over all dims but `dim`, which stays; −1: over all, a single number. */
export function normExcept(v: Tensor, dim: number): Tensor {
  if (dim === -1) return norm(v);
  const others = v.sizes.flatMap((_, d) => (d === dim ? [] : [d]));
  return others.length === 0 ? v.abs() : norm(v, 2, others, true);
}

/** g v / |v| with the norm over all dims but `dim`. */
export const weighed = (g: Tensor, v: Tensor, dim: number): Tensor => v.mul(g.div(normExcept(v, dim)));

/** A dim of `weight`, counted from the front, −1 for null. @throws ArgumentError */
export function dimOf(op: string, weight: Tensor, dim: number | null): number {
  if (dim === null || dim === -1) return -1;
  if (!(dim >= -weight.ndim && dim < weight.ndim))
    throw new ArgumentError(`${op}: expected a dim of a weight ${formatShape(weight.shape)}, or null, got ${dim}`);
  return dim < 0 ? dim + weight.ndim : dim;
}

/** `weight` with the dim `dim` in front, and all others as one. */
export function matrixOf(weight: Tensor, dim: number): Tensor {
  const order = [dim, ...weight.sizes.flatMap((_, d) => (d === dim ? [] : [d]))];
  const turned = dim === 0 ? weight : permute(weight, order);
  return reshape(turned, [weight.sizes[dim] as number, -1]);
}

/** A vector of length 1, and at least `eps` before. */
export const normalised = (x: Tensor, eps: number): Tensor => x.div(norm(x).clamp({ min: eps }));

/** A random vector of length 1. */
export const randomVector = (size: number, eps: number): Tensor => withoutTape(() => normalised(randn([size]), eps));

/**
 * Steps of the power iteration, which moves `u` and `v` towards the vectors of the largest singular value, in place.
 * @param leftFirst whether u moves first
 * @returns u and v, for use in the graph
 */
export function powerIteration(
  matrix: Tensor,
  u: Tensor,
  v: Tensor,
  { steps, eps, leftFirst }: { readonly steps: number; readonly eps: number; readonly leftFirst: boolean },
): [u: Tensor, v: Tensor] {
  return withoutTape(() => {
    let [left, right] = [u.clone(), v.clone()];
    for (let i = 0; i < steps; i++) {
      if (leftFirst) left = normalised(matmul(matrix, right), eps);
      right = normalised(matmul(matrix.t(), left), eps);
      if (!leftFirst) left = normalised(matmul(matrix, right), eps);
    }
    copy_(u, left);
    copy_(v, right);
    return [left, right];
  });
}

/** weight / σ with σ = u · W v, the largest singular value as the iteration has it. */
export const divided = (weight: Tensor, matrix: Tensor, u: Tensor, v: Tensor): Tensor =>
  weight.div(matmul(u, matmul(matrix, v)));
