// Loops along one row of contiguous elements, over the op classes of terms.ts.
import { loadPart, promoteHigh, storePart } from "./lanes";
import { KEEPS, lanesMask, SHALLOW, termOf, USES_B, USES_W, vectorOf } from "./terms";

/** Elements of a row that are summed in f32 before they join in f64. */
@inline export const ROW_BLOCK: i32 = 128;

/** Rows.map, for w and b that are there or not; four vectors at a time where `deep`, worked out before they are stored. */
@inline
function mapRow<F>(
  out: usize,
  x: usize,
  y: usize,
  w: usize,
  b: usize,
  hasW: bool,
  hasB: bool,
  deep: bool,
  n: i32,
  p: v128,
  q: v128,
  s: v128,
  t: v128,
): void {
  if (deep) {
    for (; n >= 16; n -= 16, out += 64, x += 64, y += 64, w += 64, b += 64) {
      const v0 = vectorOf<F>(x, y, w, b, hasW, hasB, 4, p, q, s, t),
        v1 = vectorOf<F>(x + 16, y + 16, w + 16, b + 16, hasW, hasB, 4, p, q, s, t),
        v2 = vectorOf<F>(x + 32, y + 32, w + 32, b + 32, hasW, hasB, 4, p, q, s, t),
        v3 = vectorOf<F>(x + 48, y + 48, w + 48, b + 48, hasW, hasB, 4, p, q, s, t);
      v128.store(out, v0);
      v128.store(out, v1, 16);
      v128.store(out, v2, 32);
      v128.store(out, v3, 48);
    }
  }
  for (; n >= 4; n -= 4, out += 16, x += 16, y += 16, w += 16, b += 16) {
    v128.store(out, vectorOf<F>(x, y, w, b, hasW, hasB, 4, p, q, s, t));
  }
  if (n > 0) storePart(out, vectorOf<F>(x, y, w, b, hasW, hasB, n, p, q, s, t), n);
}

/** Rows.sum, for a w that is there or not. */
@inline
function sumRow<F>(out: usize, x: usize, y: usize, w: usize, hasW: bool, n: i32, p: v128, q: v128): f64 {
  let low = f64x2.splat(0),
    high = f64x2.splat(0);
  while (n > 0) {
    let left = min(n, ROW_BLOCK);
    n -= left;
    let a0 = f32x4.splat(0),
      a1 = a0,
      a2 = a0,
      a3 = a0;
    for (; left >= 16; left -= 16, out += 64, x += 64, y += 64, w += 64) {
      const t0 = vectorOf<F>(x, y, w, 0, hasW, false, 4, p, q, p, q),
        t1 = vectorOf<F>(x + 16, y + 16, w + 16, 0, hasW, false, 4, p, q, p, q),
        t2 = vectorOf<F>(x + 32, y + 32, w + 32, 0, hasW, false, 4, p, q, p, q),
        t3 = vectorOf<F>(x + 48, y + 48, w + 48, 0, hasW, false, 4, p, q, p, q);
      if (changetype<F>(0).uses() & KEEPS) {
        v128.store(out, t0);
        v128.store(out, t1, 16);
        v128.store(out, t2, 32);
        v128.store(out, t3, 48);
      }
      a0 = f32x4.add(a0, t0);
      a1 = f32x4.add(a1, t1);
      a2 = f32x4.add(a2, t2);
      a3 = f32x4.add(a3, t3);
    }
    for (; left >= 4; left -= 4, out += 16, x += 16, y += 16, w += 16) {
      a0 = f32x4.add(a0, termOf<F>(out, x, y, w, hasW, 4, p, q));
    }
    if (left > 0) a1 = f32x4.add(a1, v128.and(termOf<F>(out, x, y, w, hasW, left, p, q), lanesMask(left)));
    a0 = f32x4.add(f32x4.add(a0, a1), f32x4.add(a2, a3));
    low = f64x2.add(low, f64x2.promote_low_f32x4(a0));
    high = f64x2.add(high, promoteHigh(a0));
  }
  low = f64x2.add(low, high);
  return f64x2.extract_lane(low, 0) + f64x2.extract_lane(low, 1);
}

/** Loops along one row of n elements. */
export class Rows {
  /** out[i] = value(x[i], y[i], w[i], b[i], p, q, s, t). out may be any of the streams. */
  static map<F>(out: usize, x: usize, y: usize, w: usize, b: usize, n: i32, p: v128, q: v128, s: v128, t: v128): void {
    const uses = changetype<F>(0).uses();
    // What is there need not be asked for at every vector.
    if ((!(uses & USES_W) || w != 0) && (!(uses & USES_B) || b != 0)) {
      mapRow<F>(out, x, y, w, b, true, true, !(uses & SHALLOW), n, p, q, s, t);
    } else mapRow<F>(out, x, y, w, b, w != 0, b != 0, false, n, p, q, s, t);
  }

  /** The sum over i of value(x[i], y[i], w[i], _, p, q), 0 for n = 0. A term that KEEPS goes to out, which may be x. */
  static sum<F>(out: usize, x: usize, y: usize, w: usize, n: i32, p: v128, q: v128): f64 {
    if (changetype<F>(0).uses() & USES_W && w != 0) return sumRow<F>(out, x, y, w, true, n, p, q);
    return sumRow<F>(out, x, y, w, false, n, p, q);
  }

  /** The fold of a row, identity() for n = 0. */
  static fold<F>(x: usize, n: i32): f32 {
    const f = changetype<F>(0);
    let a0: v128 = f.identity(),
      a1 = a0,
      a2 = a0,
      a3 = a0;
    const end = (<usize>n) << 2;
    let at: usize = 0;
    for (; at + 64 <= end; at += 64) {
      a0 = f.combine(a0, v128.load(x + at));
      a1 = f.combine(a1, v128.load(x + at, 16));
      a2 = f.combine(a2, v128.load(x + at, 32));
      a3 = f.combine(a3, v128.load(x + at, 48));
    }
    for (; at + 16 <= end; at += 16) a0 = f.combine(a0, v128.load(x + at));
    if (at < end) {
      a1 = f.combine(a1, v128.bitselect(loadPart(x + at, n & 3), f.identity(), lanesMask(n & 3)));
    }
    a0 = f.combine(f.combine(a0, a1), f.combine(a2, a3));
    a0 = f.combine(a0, v128.shuffle<i32>(a0, a0, 2, 3, 0, 1));
    a0 = f.combine(a0, v128.shuffle<i32>(a0, a0, 1, 0, 3, 2));
    return f32x4.extract_lane(a0, 0);
  }
}
