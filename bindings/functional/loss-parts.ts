// What the losses share.
import { formatShape, ShapeError } from '../memory/errors.ts';
import { sameShape } from '../ops/shapes.ts';
import type { Tensor } from '../tensor.ts';
import { mean, sum } from './reduction.ts';

/** How the losses of a batch become one: their mean, their sum, or not at all. */
export type Reduction = 'mean' | 'sum' | 'none';

/** Options of losses. */
export interface LossOptions {
  /** How the losses become one: their mean, their sum, or `'none'` for all of them. @defaultValue 'mean' */
  reduction?: Reduction;
}

/** How signatures have what all losses take. */
export const PAIR = '(x: Tensor, target: Tensor, ';
export const OLD = '-sizeAverage: bool|null = null, -reduce: bool|null = null, ';
export const REDUCTION = "reduction: 'mean'|'sum'|'none' = 'mean'";
export const WEIGHT = 'weight: Tensor|null = null';

export function reduce(losses: Tensor, reduction: Reduction): Tensor {
  if (reduction === 'none') return losses;
  return reduction === 'mean' ? mean(losses) : sum(losses);
}

export function expectSameShape(op: string, x: Tensor, target: Tensor): void {
  if (!sameShape(x.sizes, target.sizes))
    throw new ShapeError(
      `${op}: expected a target of the prediction's shape ${formatShape(x.sizes)}, got ${formatShape(target.sizes)}; reshape one of them`,
    );
}
