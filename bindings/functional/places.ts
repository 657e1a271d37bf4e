// Dims and positions, as the functions that move elements need them.
import { ops } from '../autograd.ts';
import { formatShape, ShapeError } from '../memory/errors.ts';
import { normalizeDim } from '../ops/shapes.ts';
import type { Tensor } from '../tensor.ts';
import { constantFor } from './arguments.ts';

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
