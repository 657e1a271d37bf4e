// What the loops of reductions, and of the maps beside them, are made of. There are loops along a row (rowloops.ts:
// contiguous, `n` elements) and down columns (columnloops.ts: `r` rows, `stride` bytes apart; neighbouring columns share
// a vector). What a loop computes is an op class, used as `changetype<F>(0).method(...)`, which leaves no call.
//
// A fold has identity() and combine(a, b): maximum, minimum, product.
// A term has uses() and value(x, y, w, b, p, q, s, t): one element of a sum or of a map. x and y are streams that
// advance with the element; w and b are streams that may be absent, and then read as 1 and 0; p, q, s and t are
// parameters. uses() is a constant made of the flags below, so that what a term does not use costs nothing.
//
// Sums go by a fixed tree: short chains in f32 (8 additions a lane along a row, 16 rows down a column), joined in
// f64. So the error does not grow with the length, and the value depends neither on how many rows there are nor on
// their alignment.
//
// The loops are static methods because asc warns of every exported function that takes a v128.

import { expTail, loadLanes, storeLanes } from "./lanes";

/** The term reads y. */
@inline export const USES_Y: i32 = 1;
/** The term reads w, 1 where the pointer is 0. */
@inline export const USES_W: i32 = 2;
/** The term reads b, 0 where the pointer is 0. */
@inline export const USES_B: i32 = 4;
/** A sum stores every term as well. */
@inline export const KEEPS: i32 = 8;
/** Down columns, p and q differ from row to row (and not from column to column). */
@inline export const ROW_PARAMETERS: i32 = 16;
/** A map takes one vector at a time. */
@inline export const SHALLOW: i32 = 32;

/** All bits set in the first `lanes` lanes, none in the others. */
@inline
export function lanesMask(lanes: i32): v128 {
  return i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(lanes));
}

/** The fold that gives a stable exponential its base. It passes over NaN, which shows in the sum that follows. */
@final
@unmanaged
export class MaximumNumber {
  @inline identity(): v128 {
    return f32x4.splat(-Infinity);
  }
  @inline combine(a: v128, b: v128): v128 {
    return f32x4.pmax(a, b);
  }
}

/** The term x. */
@final
@unmanaged
export class Value {
  @inline uses(): i32 {
    return 0;
  }
  @inline value(x: v128, y: v128, w: v128, b: v128, p: v128, q: v128, s: v128, t: v128): v128 {
    return x;
  }
}

/** The term x * y. */
@final
@unmanaged
export class Product {
  @inline uses(): i32 {
    return USES_Y;
  }
  @inline value(x: v128, y: v128, w: v128, b: v128, p: v128, q: v128, s: v128, t: v128): v128 {
    return f32x4.mul(x, y);
  }
}

/** The term (x - mean)^2. */
@final
@unmanaged
export class SquaredDeviation {
  @inline uses(): i32 {
    return 0;
  }
  @inline value(x: v128, y: v128, w: v128, b: v128, mean: v128, q: v128, s: v128, t: v128): v128 {
    const d = f32x4.sub(x, mean);
    return f32x4.mul(d, d);
  }
}

/** The term exp(x - max) 2^64, for max >= x; a sum of them is multiplied by TAIL_SCALE once. */
@final
@unmanaged
export class ExpBelow {
  @inline uses(): i32 {
    return 0;
  }
  @inline value(x: v128, y: v128, w: v128, b: v128, max: v128, q: v128, s: v128, t: v128): v128 {
    return expTail(f32x4.sub(x, max));
  }
}

/**
 * The term of the vectors at x, y, w and b, which read w where hasW and b where hasB. Lanes that are not there hold
 * nothing of meaning.
 */
@inline
export function vectorOf<F>(
  x: usize,
  y: usize,
  w: usize,
  b: usize,
  hasW: bool,
  hasB: bool,
  lanes: i32,
  p: v128,
  q: v128,
  s: v128,
  t: v128,
): v128 {
  const f = changetype<F>(0);
  let yv = f32x4.splat(0),
    wv = f32x4.splat(1),
    bv = f32x4.splat(0);
  if (f.uses() & USES_Y) yv = loadLanes(y, lanes);
  if (f.uses() & USES_W) if (hasW) wv = loadLanes(w, lanes);
  if (f.uses() & USES_B) if (hasB) bv = loadLanes(b, lanes);
  return f.value(loadLanes(x, lanes), yv, wv, bv, p, q, s, t);
}

/** The term at the pointers; one that KEEPS is stored in out. */
@inline
export function termOf<F>(out: usize, x: usize, y: usize, w: usize, hasW: bool, lanes: i32, p: v128, q: v128): v128 {
  const v = vectorOf<F>(x, y, w, 0, hasW, false, lanes, p, q, p, q);
  if (changetype<F>(0).uses() & KEEPS) storeLanes(out, v, lanes);
  return v;
}
