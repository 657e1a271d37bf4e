// Functions that put the elements along a dim in order. NaN is greater than all numbers; equal ones keep their order.
import { ops } from '../autograd.ts';
import { ArgumentError } from '../memory/errors.ts';
import { normalizeDim } from '../ops/shapes.ts';
import { type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { kept, ordered } from './ordered.ts';

/** What {@link sort} and its like give: elements, and where they were along the dim. */
export interface Sorted {
  /** The elements. Gradients flow to where they were. */
  values: Tensor;
  /** Their places along the dim, i32. */
  indices: Tensor;
}

/** Options of {@link sort} and {@link argsort}. */
export interface SortOptions {
  /** The dim. @defaultValue -1 */
  dim?: number;
  /** Whether the greatest come first. @defaultValue false */
  descending?: boolean;
  /** Whether equal elements keep their order; they always do. @defaultValue false */
  stable?: boolean;
}

/**
 * The elements along `dim` in order, and where they were. Equal ones keep their order; a NaN is greater than all.
 * @throws ShapeError
 */
export const sort = callable<Callable<[x: Tensor], [dim: number, descending: boolean], SortOptions, Sorted>>(
  'sort(x: Tensor, dim: int = -1, descending: bool = false, *, stable: bool = false)',
  (x: Tensor, dim: number, descending: boolean) => ordered('sort', x, dim, null, descending),
);

/** The places of the elements along `dim` in order, i32: `indices` of {@link sort}. @throws ShapeError */
export const argsort = callable<Callable<[x: Tensor], [dim: number, descending: boolean], SortOptions, Tensor>>(
  'argsort(x: Tensor, dim: int = -1, descending: bool = false, *, stable: bool = false)',
  (x: Tensor, dim: number, descending: boolean) => ordered('argsort', x, dim, null, descending).indices,
);

/** The elements along dim 0 in order. @throws ShapeError */
export const msort = callable('msort(x: Tensor)', (x: Tensor): Tensor => ordered('msort', x, 0, null, false).values);

/** Options of {@link topk}. */
export interface TopkOptions {
  /** The dim. @defaultValue -1 */
  dim?: number;
  /** Whether the greatest are taken, or else the least. @defaultValue true */
  largest?: boolean;
  /** Whether they come in order; they always do. @defaultValue true */
  sorted?: boolean;
}

/**
 * The k greatest elements along `dim`, or the least, in order, and where they were. @throws ArgumentError, ShapeError
 */
export const topk = callable<
  Callable<[x: Tensor, k: number], [dim: number, largest: boolean, sorted: boolean], TopkOptions, Sorted, ['x', 'k']>
>(
  'topk(x: Tensor, k: int, dim: int = -1, largest: bool = true, sorted: bool = true)',
  (x: Tensor, k: number, dim: number, largest: boolean) => ordered('topk', x, dim, k, largest),
);

/** Options of functions that take one element along a dim. */
export interface AlongOptions {
  /** The dim. @defaultValue -1 */
  dim?: number;
  /** Whether the dim stays, with size 1. @defaultValue false */
  keepdim?: boolean;
}

/** The k-th least element along `dim`, counted from 1, and where it was. @throws ArgumentError, ShapeError */
export const kthvalue = callable<
  Callable<[x: Tensor, k: number], [dim: number, keepdim: boolean], AlongOptions, Sorted, ['x', 'k']>
>(
  'kthvalue(x: Tensor, k: int, dim: int = -1, keepdim: bool = false)',
  (x: Tensor, k: number, dim: number, keepdim: boolean) => {
    if (k < 1) throw new ArgumentError(`kthvalue: expected k >= 1, got ${k}`);
    const d = normalizeDim('kthvalue', dim, x.ndim);
    const { values, indices } = ordered('kthvalue', x, d, k, false);
    const last = (t: Tensor): Tensor =>
      t.ndim === 0 ? t : kept(ops.slice({ x: t }, { dim: d, start: k - 1, length: 1, step: 1 }), d, keepdim);
    return { values: last(values), indices: last(indices) };
  },
);
