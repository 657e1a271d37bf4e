// How the elements along a dim are put in order, for the functions that need it.
import { familyOps, ops } from '../autograd.ts';
import { ArgumentError } from '../memory/errors.ts';
import { orderRows } from '../ops/order.ts';
import { normalizeDim } from '../ops/shapes.ts';
import type { Tensor } from '../tensor.ts';
import { cast, widened } from './arguments.ts';
import { transpose } from './shape.ts';

const own = familyOps(orderRows);

/** Elements, and where they were along the dim. */
interface Ordered {
  readonly values: Tensor;
  readonly indices: Tensor;
}

/** The first k along `dim` in order; null: all. */
export function ordered(op: string, x: Tensor, dim: number, k: number | null, descending: boolean): Ordered {
  const d = normalizeDim(op, dim, x.ndim);
  const wide = widened(x);
  if (x.ndim === 0) {
    if (k !== null && (k < 0 || k > 1)) throw new ArgumentError(`${op}: expected k from 0 to 1, got ${k}`);
    const one = own.sort({ x: ops.reshape({ x: wide }, { shape: [1] }) }, { k: k ?? 1, descending });
    const back = (t: Tensor): Tensor => (k === 0 ? t : ops.reshape({ x: t }, { shape: [] }));
    return { values: cast(back(one.values), x.dtype), indices: back(one.indices) };
  }
  const size = x.sizes[d] as number;
  if (k !== null && !(k >= 0 && k <= size))
    throw new ArgumentError(`${op}: expected k from 0 to ${size}, the size of dim ${d}, got ${k}`);
  const last = x.ndim - 1;
  const { values, indices } = own.sort(
    { x: d === last ? wide : transpose(wide, d, last) },
    { k: k ?? size, descending },
  );
  const back = (t: Tensor): Tensor => (d === last ? t : ops.contiguous({ x: transpose(t, d, last) }));
  return { values: cast(back(values), x.dtype), indices: back(indices) };
}

/** x without `dim`, which has size 1, or with it. */
export const kept = (x: Tensor, dim: number, keepdim: boolean): Tensor =>
  keepdim || x.ndim === 0 ? x : ops.squeeze({ x }, { dim });
