// Normalisation by the channels beside.
import { ops } from '../autograd.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { constantFor } from './arguments.ts';

/** Options of {@link localResponseNorm}. */
export interface LocalResponseNormOptions {
  /** What the mean of the squares is multiplied by. @defaultValue 1e-4 */
  alpha?: number;
  /** The exponent. @defaultValue 0.75 */
  beta?: number;
  /** What is added to it first. @defaultValue 1 */
  k?: number;
}

/**
 * x / (k + alpha · mean)^beta with the mean of the squares of `size` channels around each one, of which those beyond
 * the first and the last count as 0 (Krizhevsky et al. 2012).
 * @param x [n, channels, ...]
 * @throws ShapeError, ArgumentError
 */
export const localResponseNorm = callable<
  Callable<
    [x: Tensor, size: number],
    [alpha: number, beta: number, k: number],
    LocalResponseNormOptions,
    Tensor,
    ['x', 'size']
  >
>(
  'localResponseNorm(x: Tensor, size: int, alpha: number = 1e-4, beta: number = 0.75, k: number = 1)',
  (x: Tensor, size: number, ...[alpha, beta, k]: [number, number, number]) => {
    if (x.ndim < 3)
      throw new ShapeError(`localResponseNorm: expected input of at least 3 dims, got ${formatShape(x.sizes)}`);
    if (size < 1) throw new ArgumentError(`localResponseNorm: expected size >= 1, got ${size}`);
    const [n, channels, ...rest] = x.sizes as [number, number, ...number[]];
    const zeros = (count: number): Tensor[] => (count > 0 ? [constantFor(x, 0, 'f32', [n, count, ...rest])] : []);
    const before = Math.floor(size / 2);
    const xs = [...zeros(before), ops.square({ x }), ...zeros(size - 1 - before)];
    const squares = xs.length > 1 ? ops.concat({ xs }, { dim: 1 }) : (xs[0] as Tensor);
    let sum: Tensor | null = null;
    for (let start = 0; start < size; start++) {
      const part = ops.slice({ x: squares }, { dim: 1, start, length: channels, step: 1 });
      sum = sum ? ops.add({ a: sum, b: part }) : part;
    }
    const base = ops.scale({ x: sum as Tensor }, { alpha: alpha / size, beta: k });
    return ops.div({ a: x, b: ops.pow({ a: base, b: constantFor(x, beta) }) });
  },
);
