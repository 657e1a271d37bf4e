// Searches in sorted rows, and running extremes.
import { familyOps, ops } from '../autograd.ts';
import { ArgumentError } from '../memory/errors.ts';
import { orderRows } from '../ops/order.ts';
import { expectDtype, normalizeDim } from '../ops/shapes.ts';
import { callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { cast, paired, type TensorLike, widened } from './arguments.ts';
import { gather } from './indexing.ts';
import type { Sorted } from './sort.ts';

const own = familyOps(orderRows);

/** Options of {@link bucketize}. */
export interface BucketizeOptions {
  /** Whether a place is behind equal elements, or else before them. @defaultValue false */
  right?: boolean;
}

/** Options of {@link searchsorted}. */
export interface SearchsortedOptions extends BucketizeOptions {
  /** `'right'` is `right: true`; null: as `right` says. @defaultValue null */
  side?: 'left' | 'right' | null;
  /** The places of the elements of an unsorted sequence in order, i32, as `argsort` gives them. @defaultValue null */
  sorter?: Tensor | null;
}

function search(sequence: Tensor, values: TensorLike, right: boolean): Tensor {
  const { a, b } = paired('searchsorted', sequence, values);
  return own.searchSorted({ x: widened(a), v: widened(b) }, { right });
}

/**
 * Where values would be put into a sorted sequence to keep it sorted, i32 of the shape of the values: before equal
 * elements, or behind them.
 * @param sortedSequence in ascending order along its last dim: a vector, or one for each of the leading dims of the
 *   values
 * @throws ShapeError, ArgumentError
 */
export const searchsorted = callable<
  (sortedSequence: Tensor, values: TensorLike, options?: SearchsortedOptions) => Tensor
>(
  "searchsorted(sortedSequence: Tensor, input: Tensor|number, *, right: bool = false, side: 'left'|'right'|null = null, sorter: Tensor|null = null)",
  (
    sortedSequence: Tensor,
    values: TensorLike,
    right: boolean,
    side: 'left' | 'right' | null,
    sorter: Tensor | null,
  ): Tensor => {
    if (side === 'left' && right)
      throw new ArgumentError("searchsorted: expected side and right to say the same, got 'left' and true");
    if (sorter) expectDtype('searchsorted', sorter, 'i32');
    const sequence = sorter ? gather(sortedSequence, -1, sorter) : sortedSequence;
    return search(sequence, values, right || side === 'right');
  },
);

/**
 * The number of the bucket of each value, i32, between ascending boundaries: i where boundaries[i − 1] < x <=
 * boundaries[i], or, with `right`, boundaries[i − 1] <= x < boundaries[i].
 * @param boundaries in ascending order, of 1 dim
 * @throws ShapeError
 */
export const bucketize = callable<(x: TensorLike, boundaries: Tensor, options?: BucketizeOptions) => Tensor>(
  'bucketize(x: Tensor|number, boundaries: Tensor, *, right: bool = false)',
  (x: TensorLike, boundaries: Tensor, right: boolean): Tensor => {
    if (boundaries.ndim !== 1)
      throw new ArgumentError(`bucketize: expected a vector of boundaries, got one of ${boundaries.ndim} dims`);
    return search(boundaries, x, right);
  },
);

const running = (name: 'cummax' | 'cummin', x: Tensor, dim: number): Sorted => {
  const d = normalizeDim(name, dim, x.ndim);
  const wide = widened(x);
  const lanes = x.ndim === 0 ? ops.reshape({ x: wide }, { shape: [1] }) : wide;
  const index = own.cumulativeArg({ x: lanes }, { dim: d, least: name === 'cummin' });
  const back = (t: Tensor): Tensor => (x.ndim === 0 ? ops.reshape({ x: t }, { shape: [] }) : t);
  return { values: cast(back(ops.gather({ x: lanes, index }, { dim: d })), x.dtype), indices: back(index) };
};

/**
 * The greatest of all elements along `dim` until each, and where it is; of equal ones the last. A NaN is greater than
 * all.
 * @throws ShapeError
 */
export const cummax = callable(
  'cummax(x: Tensor, dim: int)',
  (x: Tensor, dim: number): Sorted => running('cummax', x, dim),
);

/**
 * The least of all elements along `dim` until each, and where it is; of equal ones the last. A NaN is less than all.
 * @throws ShapeError
 */
export const cummin = callable(
  'cummin(x: Tensor, dim: int)',
  (x: Tensor, dim: number): Sorted => running('cummin', x, dim),
);
