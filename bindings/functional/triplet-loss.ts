// Losses of an anchor, what is like it, and what is not.
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { pairwiseDistance } from './distance.ts';
import { add, clamp, minimum, sub } from './elementwise.ts';
import { type LossOptions, OLD, REDUCTION, type Reduction, reduce } from './loss-parts.ts';

/** Options of {@link tripletMarginLoss}. */
export interface TripletMarginLossOptions extends LossOptions {
  /** By how much the negative has to be farther away, above 0. @defaultValue 1 */
  margin?: number;
  /** The order of the norm. @defaultValue 2 */
  p?: number;
  /** Is added to each difference. @defaultValue 1e-6 */
  eps?: number;
  /** Whether the distance from positive to negative counts where it is the smaller one. @defaultValue false */
  swap?: boolean;
}

/** A distance of the rows of two tensors. */
export type DistanceFunction = (x1: Tensor, x2: Tensor) => Tensor;

/** Options of {@link tripletMarginWithDistanceLoss}. */
export interface TripletMarginWithDistanceLossOptions extends LossOptions {
  /** The distance; null: {@link pairwiseDistance}. @defaultValue null */
  distanceFunction?: DistanceFunction | null;
  /** By how much the negative has to be farther away, above 0. @defaultValue 1 */
  margin?: number;
  /** Whether the distance from positive to negative counts where it is the smaller one. @defaultValue false */
  swap?: boolean;
}

const TRIPLET = '(anchor: Tensor, positive: Tensor, negative: Tensor, ';

/** max(0, margin + distance(anchor, positive) − distance(anchor, negative)). */
function triplet(
  op: string,
  [anchor, positive, negative]: readonly [Tensor, Tensor, Tensor],
  distance: DistanceFunction,
  { margin, swap, reduction }: { margin: number; swap: boolean; reduction: Reduction },
): Tensor {
  if (!(margin > 0)) throw new ArgumentError(`${op}: expected margin > 0, got ${margin}`);
  if (anchor.ndim !== positive.ndim || anchor.ndim !== negative.ndim)
    throw new ShapeError(
      `${op}: expected anchor, positive and negative of as many dims, got ${[anchor, positive, negative].map((x) => formatShape(x.sizes)).join(', ')}`,
    );
  const near = distance(anchor, positive);
  const far = distance(anchor, negative);
  const apart = swap ? minimum(far, distance(positive, negative)) : far;
  return reduce(clamp(add(sub(near, apart), margin), 0), reduction);
}

/**
 * max(0, margin + ‖anchor − positive‖ − ‖anchor − negative‖), by the p-norm of the last dim.
 * @param anchor [n, width], or [width]
 * @throws ShapeError; ArgumentError for a margin of 0 or less
 */
export const tripletMarginLoss = callable<
  Callable<
    [anchor: Tensor, positive: Tensor, negative: Tensor],
    [margin: number, p: number, eps: number, swap: boolean, sizeAverage: null, reduce: null, reduction: Reduction],
    TripletMarginLossOptions,
    Tensor,
    ['anchor', 'positive', 'negative']
  >
>(
  `tripletMarginLoss${TRIPLET}margin: number = 1, p: number = 2, eps: number = 1e-6, swap: bool = false, ${OLD}${REDUCTION})`,
  (
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    ...[margin, p, eps, swap, , , reduction]: [number, number, number, boolean, null, null, Reduction]
  ) => {
    const distance = (a: Tensor, b: Tensor): Tensor => pairwiseDistance(a, b, p, eps);
    return triplet('tripletMarginLoss', [anchor, positive, negative], distance, { margin, swap, reduction });
  },
);

/**
 * {@link tripletMarginLoss} with a distance of one's own.
 * @throws ShapeError; ArgumentError for a margin of 0 or less
 */
export const tripletMarginWithDistanceLoss = callable<
  Callable<
    [anchor: Tensor, positive: Tensor, negative: Tensor],
    [],
    TripletMarginWithDistanceLossOptions,
    Tensor,
    ['anchor', 'positive', 'negative']
  >
>(
  `tripletMarginWithDistanceLoss${TRIPLET}*, distanceFunction: function|null = null, margin: number = 1, swap: bool = false, ${REDUCTION})`,
  (
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    ...[distance, margin, swap, reduction]: [DistanceFunction | null, number, boolean, Reduction]
  ) =>
    triplet(
      'tripletMarginWithDistanceLoss',
      [anchor, positive, negative],
      distance ?? ((a, b) => pairwiseDistance(a, b)),
      {
        margin,
        swap,
        reduction,
      },
    ),
);
