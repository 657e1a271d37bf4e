// Dims and positions, as the functions that move elements need them.
import { familyOps, ops, withoutTape } from '../autograd.ts';
import { tracing } from '../execute.ts';
import { formatShape, ShapeError } from '../memory/errors.ts';
import { scatterRows } from '../ops/scatter.ts';
import { normalizeDim } from '../ops/shapes.ts';
import { contiguousStrides, host, type Shape, type Tensor } from '../tensor.ts';
import { constantFor } from './arguments.ts';

const own = familyOps(scatterRows);

/** `dims` counted from the front, each once. @throws ShapeError */
export function eachOnce(op: string, dims: readonly number[], ndim: number): number[] {
  const list = dims.map((dim) => normalizeDim(op, dim, ndim));
  if (new Set(list).size !== list.length)
    throw new ShapeError(`${op}: expected each dim once, got ${formatShape(dims)}`);
  return list;
}

/** 0 … n − 1 as i32 [n], made without a look at memory. @param beside a tensor of the same life */
export function iota(n: number, beside?: Tensor): Tensor {
  const ones = constantFor(beside, 1, 'i32', [n]);
  return ops.sub({ a: ops.cumsum({ x: ones }, { dim: 0 }), b: constantFor(beside, 1, 'i32') });
}

/** Indices of which negative ones count from the end, as indices from 0. @throws ArgumentError out of range */
export function wrapped(index: Tensor, size: number, dim: number): Tensor {
  const negative = ops.lt({ a: index, b: constantFor(index, 0, 'i32') });
  const fromEnd = ops.add({ a: index, b: constantFor(index, size, 'i32') });
  return own.checkedIndex({ x: ops.where({ condition: negative, a: fromEnd, b: index }) }, { size, dim });
}

/** Where x is not 0, as u8. */
export const nonzeroMask = (x: Tensor): Tensor =>
  x.dtype === 'u8' ? x : ops.ne({ a: x, b: constantFor(x, 0, x.dtype) });

const OUTSIDE = 'how many there are depends on values: call it outside of the compiled function';

/**
 * The flat positions where x is not 0, i32 [count]. How many they are is read.
 * @param cure what to do instead inside of compile(), where it is refused
 */
export function positionsIn(op: string, x: Tensor, cure = OUTSIDE): Tensor {
  tracing()?.refuse(op, cure);
  const mask = ops.reshape({ x: nonzeroMask(x) }, { shape: [x.size] });
  const truth = ops.ne({ a: mask, b: constantFor(mask, 0, 'u8') });
  const total = withoutTape(() => ops.sum({ x: truth }, { dim: 0, end: 1, keepdim: false }));
  return ops.maskPositions({ mask }, { count: host.download(total, op)[0] as number });
}

/** Flat positions in a tensor of `shape` as one list of indices for each dim. */
export const coordinatesOf = (positions: Tensor, shape: Shape): Tensor[] =>
  contiguousStrides(shape).map((stride, d) =>
    own.coordinate({ x: positions }, { size: shape[d] as number, stride: Math.max(1, stride) }),
  );
