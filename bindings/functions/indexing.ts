// Functions that pick or add by i32 indices.
import { ops } from '../autograd.ts';
import { expectDtype, normalizeDim } from '../ops/shapes.ts';
import { formatShape, ShapeError } from '../runtime/errors.ts';
import type { Tensor } from '../tensor.ts';

/** x cut to the size of `index` in every dim but `dim`. */
function narrowTo(op: string, x: Tensor, index: Tensor, dim: number): Tensor {
  if (index.ndim !== x.ndim)
    throw new ShapeError(`${op}: expected an index of ${x.ndim} dims, got ${formatShape(index.shape)}`);
  return x.shape.reduce((y, size, d) => {
    const length = index.shape[d] as number;
    return d === dim || length >= size ? y : ops.slice(y, { dim: d, start: 0, length, step: 1 });
  }, x);
}

/** out[.., i, ..] = x[.., index[i], ..]; index is i32 [m]. */
export const indexSelect = (x: Tensor, dim: number, index: Tensor): Tensor =>
  ops.indexSelect(x, index, { dim: normalizeDim('indexSelect', dim, x.ndim) });

/** out[.., i, ..] = x[.., index[.., i, ..], ..]; index is i32 and may be smaller than x. */
export const gather = (x: Tensor, dim: number, index: Tensor): Tensor => {
  const d = normalizeDim('gather', dim, x.ndim);
  expectDtype('gather', index, 'i32');
  return ops.gather(narrowTo('gather', x, index, d), index, { dim: d });
};

/** A copy of x with src added at the index along `dim`. */
export const scatterAdd = (x: Tensor, dim: number, index: Tensor, src: Tensor): Tensor =>
  ops.scatterAdd(x, index, src, { dim: normalizeDim('scatterAdd', dim, x.ndim) });
