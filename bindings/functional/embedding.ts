// Rows of a table by index.
import { familyOps, ops, withoutTape } from '../autograd.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { embeddingRows } from '../ops/embedding.ts';
import { expectDtype, expectShape } from '../ops/shapes.ts';
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
  /** Whether the gradient of the weight is a {@link SparseTensor} of the rows that were taken. @defaultValue false */
  sparse?: boolean;
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
    [paddingIdx: number | null, maxNorm: number | null, normType: number, scaleGradByFreq: boolean, sparse: boolean],
    EmbeddingOptions,
    Tensor,
    ['x', 'weight']
  >
>(
  'embedding(x: Tensor, weight: Tensor, paddingIdx: int|null = null, maxNorm: number|null = null, normType: number = 2, scaleGradByFreq: bool = false, sparse: bool = false)',
  (
    x: Tensor,
    weight: Tensor,
    paddingIdx: number | null,
    maxNorm: number | null,
    normType: number,
    scaleGradByFreq: boolean,
    sparse: boolean,
  ) => {
    const padding = paddingOf('embedding', paddingIdx, weight);
    if (maxNorm !== null) renormalise(weight, x, maxNorm, normType);
    return embeddingOps.embedding({ weight, index: x }, { padding, byFrequency: scaleGradByFreq, sparse });
  },
);

/** How the rows of a bag become one. */
export type BagMode = 'sum' | 'mean' | 'max';

/** Options of {@link embeddingBag}. */
export interface EmbeddingBagOptions {
  /** i32 [bags]: where each bag begins, for indices in one list; null: bags are rows of indices. @defaultValue null */
  offsets?: Tensor | null;
  /** Rows that are taken and have a larger norm are scaled to it in place, first; null: none. @defaultValue null */
  maxNorm?: number | null;
  /** The order of that norm. @defaultValue 2 */
  normType?: number;
  /** Whether the gradient of a row is divided by how often it is taken. @defaultValue false */
  scaleGradByFreq?: boolean;
  /** How the rows of a bag become one. @defaultValue 'mean' */
  mode?: BagMode;
  /** f32 of the shape of the indices, what rows are multiplied by before the sum; null: 1. @defaultValue null */
  perSampleWeights?: Tensor | null;
  /** Whether the gradient of the weight is a {@link SparseTensor} of the rows that were taken. @defaultValue false */
  sparse?: boolean;
  /** Whether the offsets end with the number of indices. @defaultValue false */
  includeLastOffset?: boolean;
  /** The row that is left out of bags, negative from the end; null: none. @defaultValue null */
  paddingIdx?: number | null;
}

/** The indices in one list, with where their bags begin. @throws ShapeError, ArgumentError */
function bagsOf(op: string, x: Tensor, offsets: Tensor | null, includeLast: boolean) {
  expectDtype(op, x, 'i32');
  const index = ops.reshape({ x }, { shape: [x.size] });
  if (x.ndim === 2) {
    if (offsets)
      throw new ArgumentError(`${op}: expected no offsets for rows of indices, got some; pass a list of indices`);
    return { index, offsets: null, bags: x.sizes[0] as number };
  }
  if (x.ndim !== 1) throw new ShapeError(`${op}: expected indices [n], or [bags, n], got ${formatShape(x.sizes)}`);
  if (!offsets)
    throw new ArgumentError(`${op}: expected offsets for a list of indices, got none; pass rows of indices`);
  if (offsets.ndim !== 1) throw new ShapeError(`${op}: expected offsets [bags], got ${formatShape(offsets.sizes)}`);
  const bags = (offsets.sizes[0] as number) - Number(includeLast);
  if (bags < 0) throw new ShapeError(`${op}: expected at least one offset with includeLastOffset, got none`);
  const begins = includeLast ? ops.slice({ x: offsets }, { dim: 0, start: 0, length: bags, step: 1 }) : offsets;
  return { index, offsets: begins, bags };
}

/**
 * The sums, means or maxima of rows of `weight`, bag by bag, without the rows themselves. An empty bag gives zeros.
 * @param x i32 [bags, n]; or [n] with `offsets`
 * @param weight [rows, width]
 * @returns [bags, width]
 * @throws ArgumentError for an index out of range, weights with another mode than `'sum'`; ShapeError, DtypeError
 */
export const embeddingBag = callable<
  Callable<
    [x: Tensor, weight: Tensor],
    [
      offsets: Tensor | null,
      maxNorm: number | null,
      normType: number,
      scaleGradByFreq: boolean,
      mode: BagMode,
      sparse: boolean,
      perSampleWeights: Tensor | null,
      includeLastOffset: boolean,
      paddingIdx: number | null,
    ],
    EmbeddingBagOptions,
    Tensor,
    ['x', 'weight']
  >
>(
  "embeddingBag(x: Tensor, weight: Tensor, offsets: Tensor|null = null, maxNorm: number|null = null, normType: number = 2, scaleGradByFreq: bool = false, mode: 'sum'|'mean'|'max' = 'mean', sparse: bool = false, perSampleWeights: Tensor|null = null, includeLastOffset: bool = false, paddingIdx: int|null = null)",
  (
    x: Tensor,
    weight: Tensor,
    ...[givenOffsets, maxNorm, normType, byFrequency, mode, sparse, weights, includeLast, paddingIdx]: [
      Tensor | null,
      number | null,
      number,
      boolean,
      BagMode,
      boolean,
      Tensor | null,
      boolean,
      number | null,
    ]
  ) => {
    const op = 'embeddingBag';
    const padding = paddingOf(op, paddingIdx, weight);
    const { index, offsets, bags } = bagsOf(op, x, givenOffsets, includeLast);
    if (weights && mode !== 'sum')
      throw new ArgumentError(`${op}: expected mode 'sum' with perSampleWeights, got '${mode}'`);
    if (weights) expectShape(op, 'perSampleWeights', weights, x.sizes);
    if (mode === 'max' && byFrequency)
      throw new ArgumentError(`${op}: expected mode 'sum' or 'mean' with scaleGradByFreq, got 'max'`);
    if (mode === 'max' && sparse)
      throw new ArgumentError(`${op}: expected mode 'sum' or 'mean' with sparse, got 'max'`);
    const rows = weight.sizes[0] ?? 0;
    if (maxNorm !== null) renormalise(weight, index, maxNorm, normType);
    const { place, share } = embeddingOps.bagPlaces({ index, offsets }, { rows, bags, padding });
    const flat = weights && ops.reshape({ x: weights }, { shape: [index.size] });
    if (mode === 'max') return maximaOf(weight, index, place, bags);
    const attrs = { n: bags, skipFrom: padding, skipTo: -1, sparse };
    const factor = mode === 'mean' ? share : flat;
    if (!byFrequency && !flat?.requiresGrad)
      return embeddingOps.sumRows({ x: weight, from: index, to: place, factor }, attrs);
    // Rows by themselves, of which the gradients are those of an embedding, and of the weights.
    const taken = embeddingOps.embedding({ weight, index }, { padding, byFrequency, sparse });
    const scaled = flat ? ops.mul({ a: taken, b: ops.reshape({ x: flat }, { shape: [index.size, 1] }) }) : taken;
    return embeddingOps.sumRows({ x: scaled, from: null, to: place, factor: flat ? null : factor }, attrs);
  },
);

/** The largest elements of each bag; where it is empty, 0. */
function maximaOf(weight: Tensor, index: Tensor, place: Tensor, bags: number): Tensor {
  const { rows, filled } = embeddingOps.bagMaxima({ weight, index, place }, { bags });
  return ops.mul({ a: ops.gather({ x: weight, index: rows }, { dim: 0 }), b: filled });
}
