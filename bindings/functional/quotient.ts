// Quotients of integers, which several functions are made of.
import { familyOps, ops } from '../autograd.ts';
import { broadcastShapes, sameShape } from '../ops/shapes.ts';
import { specialRows } from '../ops/special.ts';
import type { Tensor } from '../tensor.ts';

const own = familyOps(specialRows);

/** Both stretched to the shape that they have together. */
export function stretched(op: string, a: Tensor, b: Tensor): { a: Tensor; b: Tensor } {
  const shape = broadcastShapes(op, a.sizes, b.sizes);
  const whole = (x: Tensor): Tensor => (sameShape(x.sizes, shape) ? x : ops.expand({ x }, { shape }));
  return { a: whole(a), b: whole(b) };
}

/** u8 as i32, which holds all of them and their signs. */
export const wide = (x: Tensor): Tensor => (x.dtype === 'u8' ? ops.cast({ x }, { dtype: 'i32' }) : x);

/** ⌊a / b⌋ of integers. */
export const wholeQuotient = (a: Tensor, b: Tensor): Tensor =>
  own.floorDivide(stretched('floorDivide', wide(a), wide(b)));
