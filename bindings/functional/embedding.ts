// Rows of a table by index.
import { familyOps, ops, withoutTape } from '../autograd.ts';
import { ArgumentError } from '../memory/errors.ts';
import { embeddingRows } from '../ops/embedding.ts';
import { scope } from '../scope.ts';
import { type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { norm } from './reduction.ts';

const embeddingOps = familyOps(embeddingRows);

/** Options of {@link embedding}. */
export interface EmbeddingOptions {
  /** The row that gets no gradient, negative from the end; null: none. @defaultValue null */
  paddingIdx?: number | null;
  /** Rows that are taken and have a larger norm are scaled to it in place, first; null: none. @defaultValue null */
  maxNorm?: number | null;
  /** The order of that norm. @defaultValue 2 */
  normType?: number;
  /** Whether the gradient of a row is divided by how often it is taken. @defaultValue false */
  scaleGradByFreq?: boolean;
}

/** The number of the row without a gradient, from 0; −1 for none. @throws ArgumentError */
function paddingOf(op: string, paddingIdx: number | null, weight: Tensor): number {
  if (paddingIdx === null) return -1;
  const rows = weight.sizes[0] ?? 0;
  if (!(paddingIdx >= -rows && paddingIdx < rows))
    throw new ArgumentError(`${op}: expected paddingIdx from ${-rows} to ${rows - 1}, got ${paddingIdx}`);
  return paddingIdx < 0 ? paddingIdx + rows : paddingIdx;
}

/** Scales the rows of `weight` that are taken to a norm of at most `maxNorm`, in place. */
function renormalise(weight: Tensor, index: Tensor, maxNorm: number, normType: number): void {
  withoutTape(() =>
    scope(() => {
      const flat = ops.reshape({ x: index }, { shape: [index.size] });
      const rows = embeddingOps.embedding({ weight, index: flat }, { padding: -1, byFrequency: false });
      const norms = norm(rows, normType, 1, true);
      // As PyTorch does: those that are small enough stay to the bit.
      const factor = norms.add(1e-7).reciprocal().mul(maxNorm);
      const scaled = ops.mul({
        a: rows,
        b: ops.where({ condition: norms.gt(maxNorm), a: factor, b: norms.mul(0).add(1) }),
      });
      embeddingOps.putRows({ y: weight, index: flat, x: scaled });
    }),
  );
}

/**
 * The rows of `weight` at the indices.
 * @param x i32 [...], each from 0 to before rows
 * @param weight [rows, width]
 * @returns [..., width]
 * @throws ArgumentError for an index out of range, ShapeError, DtypeError
 */
export const embedding = callable<
  Callable<
    [x: Tensor, weight: Tensor],
    [paddingIdx: number | null, maxNorm: number | null, normType: number, scaleGradByFreq: boolean],
    EmbeddingOptions,
    Tensor
  >
>(
  'embedding(x: Tensor, weight: Tensor, paddingIdx: int|null = null, maxNorm: number|null = null, normType: number = 2, scaleGradByFreq: bool = false, -sparse: bool = false)',
  (
    x: Tensor,
    weight: Tensor,
    paddingIdx: number | null,
    maxNorm: number | null,
    normType: number,
    scaleGradByFreq: boolean,
  ) => {
    const padding = paddingOf('embedding', paddingIdx, weight);
    if (maxNorm !== null) renormalise(weight, x, maxNorm, normType);
    return embeddingOps.embedding({ weight, index: x }, { padding, byFrequency: scaleGradByFreq });
  },
);
