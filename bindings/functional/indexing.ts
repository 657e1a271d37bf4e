// Functions that pick or add by i32 indices, or pick by u8 masks.
import { ops, withoutTape } from '../autograd.ts';
import { formatShape, ShapeError } from '../memory/errors.ts';
import { broadcastShapes, expectDtype, expectSameDtype, expectShape, normalizeDim, sameShape } from '../ops/shapes.ts';
import { callable } from '../signature.ts';
import { host, type Tensor } from '../tensor.ts';
import { asTensor, constantFor } from './arguments.ts';

/** x cut to the size of `index` in every dim but `dim`; −1: in all. */
function narrowTo(op: string, x: Tensor, index: Tensor, dim: number): Tensor {
  if (index.ndim !== x.ndim)
    throw new ShapeError(`${op}: expected an index of ${x.ndim} dims, got ${formatShape(index.sizes)}`);
  return x.sizes.reduce((y, size, d) => {
    const length = index.sizes[d] as number;
    return d === dim || length >= size ? y : ops.slice({ x: y }, { dim: d, start: 0, length, step: 1 });
  }, x);
}

/** Where a flat u8 mask is not 0. It reads how many that are, so it cannot be a part of a compiled function. */
function positionsOf(op: string, mask: Tensor): Tensor {
  const any = ops.ne({ a: mask, b: constantFor(mask, 0, 'u8') });
  const count = host.download(
    withoutTape(() => ops.sum({ x: any }, { dim: 0, end: 1, keepdim: false })),
    op,
  )[0] as number;
  return ops.maskPositions({ mask }, { count });
}

/**
 * The parts of x at the listed places along `dim`: out[.., i, ..] = x[.., index[i], ..]. A u8 index is a mask of the
 * places to take.
 * @param index i32 [m], each from 0 to before the size of `dim`; or a u8 mask of that size
 * @returns x's shape with m along `dim`
 * @throws ArgumentError for an index out of range, ShapeError for a mask of another size, RecordingError for a mask
 *   inside of compile()
 */
export const indexSelect = callable(
  'indexSelect(x: Tensor, dim: int, index: Tensor)',
  (x: Tensor, dim: number, index: Tensor): Tensor => {
    const d = normalizeDim('indexSelect', dim, x.ndim);
    if (index.dtype === 'u8') expectShape('indexSelect', 'a mask', index, [x.sizes[d] ?? 1]);
    return ops.indexSelect({ x, index: index.dtype === 'u8' ? positionsOf('indexSelect', index) : index }, { dim: d });
  },
);

/**
 * The elements of x where the mask is not 0, in row-major order (PyTorch's `masked_select`).
 * @param mask u8, stretched to the shape of x
 * @returns [how many there are]
 * @throws ShapeError, DtypeError; RecordingError inside of compile()
 */
export const maskedSelect = callable('maskedSelect(x: Tensor, mask: Tensor)', (x: Tensor, mask: Tensor): Tensor => {
  expectDtype('maskedSelect', mask, 'u8');
  if (!sameShape(broadcastShapes('maskedSelect', x.sizes, mask.sizes), x.sizes))
    throw new ShapeError(
      `maskedSelect: expected a mask that stretches to ${formatShape(x.sizes)}, got ${formatShape(mask.sizes)}`,
    );
  const flat = [x.size];
  const places = ops.reshape({ x: ops.expand({ x: mask }, { shape: x.sizes }) }, { shape: flat });
  return ops.indexSelect(
    { x: ops.reshape({ x }, { shape: flat }), index: positionsOf('maskedSelect', places) },
    { dim: 0 },
  );
});

/**
 * A copy of x with `value` where the mask is not 0 (PyTorch's `masked_fill`).
 * @param mask u8, broadcast with x
 */
export const maskedFill = callable(
  'maskedFill(x: Tensor, mask: Tensor, value: number)',
  (x: Tensor, mask: Tensor, value: number): Tensor => {
    const fill = asTensor('maskedFill', value, x);
    expectDtype('maskedFill', mask, 'u8');
    expectSameDtype('maskedFill', fill, x);
    return ops.where({ condition: mask, a: fill, b: x });
  },
);

/**
 * One element of x for each index: out[.., i, ..] = x[.., index[.., i, ..], ..].
 * @param index i32 of x's number of dims; in dims other than `dim` it may be smaller than x
 * @returns f32 of index's shape
 * @throws ArgumentError for an index out of range
 */
export const gather = callable(
  'gather(x: Tensor, dim: int, index: Tensor)',
  (x: Tensor, dim: number, index: Tensor): Tensor => {
    const d = normalizeDim('gather', dim, x.ndim);
    expectDtype('gather', index, 'i32');
    return ops.gather({ x: narrowTo('gather', x, index, d), index }, { dim: d });
  },
);

/**
 * A copy of x with `src` added at the index along `dim`: out[.., index[.., i, ..], ..] += src[.., i, ..].
 * @param index i32 of x's number of dims; no larger than src, nor, in other dims than `dim`, than x
 * @throws ArgumentError for an index out of range, ShapeError
 */
export const scatterAdd = callable(
  'scatterAdd(x: Tensor, dim: int, index: Tensor, src: Tensor)',
  (x: Tensor, dim: number, index: Tensor, src: Tensor): Tensor => {
    const d = normalizeDim('scatterAdd', dim, x.ndim);
    const part = narrowTo('scatterAdd', x, index, d);
    const added = ops.scatterAdd({ x: part, index, src: narrowTo('scatterAdd', src, index, -1) }, { dim: d });
    if (part === x) return added;
    const y = ops.contiguous({ x });
    ops.copy({ y: narrowTo('scatterAdd', y, index, d), x: added });
    return y;
  },
);
