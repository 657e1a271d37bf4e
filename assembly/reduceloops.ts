// The loop shapes of reductions and of the maps beside them, each written once: along a row (contiguous, `n` elements)
// and down columns (`r` rows, `stride` bytes apart; neighbouring columns share a vector). What a loop computes is an
// op class, used as `changetype<F>(0).method(...)`, which leaves no call.
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

import { demotePair, expTail, loadLanes, loadPart, promoteHigh, storeLanes, storePart } from "./lanes";

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

/** Elements of a row that are summed in f32 before they join in f64. */
@inline export const ROW_BLOCK: i32 = 128;
const COLUMN_BLOCK_ROWS: i32 = 16;
/** Columns whose sums the workspace holds at a time: 16 KiB. */
const COLUMNS_AT_ONCE: i32 = 2048;

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
function valueOf<F>(
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

/** The term at byte offset `at` of its streams. */
@inline
function valueAt<F>(
  x: usize,
  y: usize,
  w: usize,
  b: usize,
  at: usize,
  lanes: i32,
  p: v128,
  q: v128,
  s: v128,
  t: v128,
): v128 {
  return valueOf<F>(x + at, y + at, w + at, b + at, w != 0, b != 0, lanes, p, q, s, t);
}

/** As valueAt; a term that KEEPS is stored in out. */
@inline
function termAt<F>(out: usize, x: usize, y: usize, w: usize, at: usize, lanes: i32, p: v128, q: v128): v128 {
  const v = valueAt<F>(x, y, w, 0, at, lanes, p, q, p, q);
  if (changetype<F>(0).uses() & KEEPS) storeLanes(out + at, v, lanes);
  return v;
}

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
      const v0 = valueOf<F>(x, y, w, b, hasW, hasB, 4, p, q, s, t),
        v1 = valueOf<F>(x + 16, y + 16, w + 16, b + 16, hasW, hasB, 4, p, q, s, t),
        v2 = valueOf<F>(x + 32, y + 32, w + 32, b + 32, hasW, hasB, 4, p, q, s, t),
        v3 = valueOf<F>(x + 48, y + 48, w + 48, b + 48, hasW, hasB, 4, p, q, s, t);
      v128.store(out, v0);
      v128.store(out, v1, 16);
      v128.store(out, v2, 32);
      v128.store(out, v3, 48);
    }
  }
  for (; n >= 4; n -= 4, out += 16, x += 16, y += 16, w += 16, b += 16) {
    v128.store(out, valueOf<F>(x, y, w, b, hasW, hasB, 4, p, q, s, t));
  }
  if (n > 0) storePart(out, valueOf<F>(x, y, w, b, hasW, hasB, n, p, q, s, t), n);
}

/** The term at the pointers; one that KEEPS is stored in out. */
@inline
function termOf<F>(out: usize, x: usize, y: usize, w: usize, hasW: bool, lanes: i32, p: v128, q: v128): v128 {
  const v = valueOf<F>(x, y, w, 0, hasW, false, lanes, p, q, p, q);
  if (changetype<F>(0).uses() & KEEPS) storeLanes(out, v, lanes);
  return v;
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
      const t0 = valueOf<F>(x, y, w, 0, hasW, false, 4, p, q, p, q),
        t1 = valueOf<F>(x + 16, y + 16, w + 16, 0, hasW, false, 4, p, q, p, q),
        t2 = valueOf<F>(x + 32, y + 32, w + 32, 0, hasW, false, 4, p, q, p, q),
        t3 = valueOf<F>(x + 48, y + 48, w + 48, 0, hasW, false, 4, p, q, p, q);
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
      mapRow<F>(out, x, y, w, b, true, true, true, n, p, q, s, t);
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

// The loops below are compiled for four lanes and again for any number of them: a loop that may call loadPart keeps
// nothing in registers.

/** As Columns.map4, inline, for lanes = 4 as a constant. */
@inline
export function mapLanes<F>(
  out: usize,
  x: usize,
  y: usize,
  r: i32,
  stride: usize,
  lanes: i32,
  p: v128,
  q: v128,
  s: v128,
  t: v128,
): void {
  let at: usize = 0;
  for (let j = 0; j < r; j++, at += stride) {
    storeLanes(out + at, valueAt<F>(x, y, 0, 0, at, lanes, p, q, s, t), lanes);
  }
}

@inline
function sumLanes<F>(
  out: usize,
  x: usize,
  y: usize,
  rowP: usize,
  rowQ: usize,
  p: v128,
  q: v128,
  r: i32,
  stride: usize,
  lanes: i32,
  scale: f64,
): v128 {
  const f = changetype<F>(0);
  let low = f64x2.splat(0),
    high = f64x2.splat(0);
  let at: usize = 0;
  for (let j = 0; j < r; ) {
    const blockEnd = min(j + COLUMN_BLOCK_ROWS, r);
    let a = f32x4.splat(0);
    for (; j < blockEnd; j++, at += stride) {
      if (f.uses() & ROW_PARAMETERS) {
        p = v128.load32_splat(rowP + ((<usize>j) << 2));
        q = v128.load32_splat(rowQ + ((<usize>j) << 2));
      }
      a = f32x4.add(a, termAt<F>(out, x, y, 0, at, lanes, p, q));
    }
    low = f64x2.add(low, f64x2.promote_low_f32x4(a));
    high = f64x2.add(high, promoteHigh(a));
  }
  const factor = f64x2.splat(scale);
  return demotePair(f64x2.mul(low, factor), f64x2.mul(high, factor));
}

/** The vector at p + at, or zeros where p is 0. */
@inline
function vectorAt(p: usize, at: usize): v128 {
  return p ? v128.load(p + at) : f32x4.splat(0);
}

/** Adds v to four sums in f64. */
@inline
function addPromoted(sums: usize, v: v128): void {
  v128.store(sums, f64x2.add(v128.load(sums), f64x2.promote_low_f32x4(v)));
  v128.store(sums, f64x2.add(v128.load(sums, 16), promoteHigh(v)), 16);
}

@inline
function foldLanes<F>(x: usize, r: i32, stride: usize, lanes: i32): v128 {
  const f = changetype<F>(0);
  let a: v128 = f.identity();
  for (let j = 0; j < r; j++, x += stride) a = f.combine(a, loadLanes(x, lanes));
  return a;
}

/** Loops down columns. Names with a 4 do at most one vector of columns, whose first element is at the pointer. */
export class Columns {
  /** out[j] = value(x[j], y[j], _, _, p, q, s, t) in the first `lanes` (1 to 4) columns. out may be x or y. */
  static map4<F>(
    out: usize,
    x: usize,
    y: usize,
    r: i32,
    stride: usize,
    lanes: i32,
    p: v128,
    q: v128,
    s: v128,
    t: v128,
  ): void {
    if (lanes == 4) mapLanes<F>(out, x, y, r, stride, 4, p, q, s, t);
    else mapLanes<F>(out, x, y, r, stride, lanes, p, q, s, t);
  }

  /**
   * scale times the sum over j of value(x[j], y[j], _, _, p, q) in the first `lanes` (1 to 4) columns. A term with
   * ROW_PARAMETERS has rowP[j] and rowQ[j] for p and q. A term that KEEPS goes to out, which may be x.
   */
  static sum4<F>(
    out: usize,
    x: usize,
    y: usize,
    rowP: usize,
    rowQ: usize,
    p: v128,
    q: v128,
    r: i32,
    stride: usize,
    lanes: i32,
    scale: f64,
  ): v128 {
    if (lanes == 4) return sumLanes<F>(out, x, y, rowP, rowQ, p, q, r, stride, 4, scale);
    return sumLanes<F>(out, x, y, rowP, rowQ, p, q, r, stride, lanes, scale);
  }

  /** Adds r rows of sixteen columns, whole cache lines, to their sums; p and q point to parameters or are 0. */
  private static add16<F>(sums: usize, x: usize, y: usize, p: usize, q: usize, r: i32, stride: usize): void {
    const perRow = (changetype<F>(0).uses() & ROW_PARAMETERS) != 0;
    let p0 = vectorAt(perRow ? 0 : p, 0),
      p1 = vectorAt(perRow ? 0 : p, 16),
      p2 = vectorAt(perRow ? 0 : p, 32),
      p3 = vectorAt(perRow ? 0 : p, 48),
      q0 = vectorAt(perRow ? 0 : q, 0),
      q1 = vectorAt(perRow ? 0 : q, 16),
      q2 = vectorAt(perRow ? 0 : q, 32),
      q3 = vectorAt(perRow ? 0 : q, 48);
    let a0 = f32x4.splat(0),
      a1 = a0,
      a2 = a0,
      a3 = a0;
    for (; r > 0; r--, x += stride, y += stride) {
      if (perRow) {
        p0 = p1 = p2 = p3 = v128.load32_splat(p);
        q0 = q1 = q2 = q3 = v128.load32_splat(q);
        p += 4;
        q += 4;
      }
      a0 = f32x4.add(a0, valueOf<F>(x, y, 0, 0, false, false, 4, p0, q0, p0, q0));
      a1 = f32x4.add(a1, valueOf<F>(x + 16, y + 16, 0, 0, false, false, 4, p1, q1, p1, q1));
      a2 = f32x4.add(a2, valueOf<F>(x + 32, y + 32, 0, 0, false, false, 4, p2, q2, p2, q2));
      a3 = f32x4.add(a3, valueOf<F>(x + 48, y + 48, 0, 0, false, false, 4, p3, q3, p3, q3));
    }
    addPromoted(sums, a0);
    addPromoted(sums + 32, a1);
    addPromoted(sums + 64, a2);
    addPromoted(sums + 96, a3);
  }

  /** As add16 for the first `lanes` (1 to 4) columns. */
  private static add4<F>(sums: usize, x: usize, y: usize, p: usize, q: usize, r: i32, stride: usize, lanes: i32): void {
    const perRow = (changetype<F>(0).uses() & ROW_PARAMETERS) != 0;
    let pv = f32x4.splat(0),
      qv = pv,
      a = pv;
    if (!perRow) {
      if (p) pv = loadLanes(p, lanes);
      if (q) qv = loadLanes(q, lanes);
    }
    for (; r > 0; r--, x += stride, y += stride) {
      if (perRow) {
        pv = v128.load32_splat(p);
        qv = v128.load32_splat(q);
        p += 4;
        q += 4;
      }
      a = f32x4.add(a, valueOf<F>(x, y, 0, 0, false, false, lanes, pv, qv, pv, qv));
    }
    addPromoted(sums, a);
  }

  /**
   * out[i] = scale times the sum over j of value(x[j, i], y[j, i], _, _, p, q), for r rows of inner columns, `stride`
   * bytes apart. p and q point to r parameters where the term has ROW_PARAMETERS, else to inner of them, or are 0. The
   * order of a column's additions, and so its bits, depends on r alone. The workspace holds the columns' sums in f64, so
   * that x is walked once, row block by row block: whole columns, one after the other, would take a tall x from
   * memory line by line.
   */
  static sum<F>(
    out: usize,
    x: usize,
    y: usize,
    p: usize,
    q: usize,
    r: i32,
    inner: i32,
    stride: usize,
    scale: f64,
    workspace: usize,
  ): void {
    const perRow = (changetype<F>(0).uses() & ROW_PARAMETERS) != 0;
    const factor = f64x2.splat(scale);
    for (let left = inner; left > 0; left -= COLUMNS_AT_ONCE) {
      const n = min(left, COLUMNS_AT_ONCE),
        width = (<usize>n) << 2;
      memory.fill(workspace, 0, ((<usize>n + 3) & ~3) << 3);
      let from = x,
        beside = y,
        pRow = p,
        qRow = q;
      for (let j = 0; j < r; j += COLUMN_BLOCK_ROWS) {
        const rows = min(COLUMN_BLOCK_ROWS, r - j);
        for (let at: usize = 0; at < width; ) {
          const pAt = perRow || !p ? pRow : p + at,
            qAt = perRow || !q ? qRow : q + at;
          if (at + 64 <= width) {
            Columns.add16<F>(workspace + 2 * at, from + at, beside + at, pAt, qAt, rows, stride);
            at += 64;
          } else {
            const lanes = min(4, <i32>((width - at) >> 2));
            Columns.add4<F>(workspace + 2 * at, from + at, beside + at, pAt, qAt, rows, stride, lanes);
            at += 16;
          }
        }
        from += <usize>rows * stride;
        beside += <usize>rows * stride;
        if (perRow) {
          pRow += (<usize>rows) << 2;
          qRow += (<usize>rows) << 2;
        }
      }
      for (let at: usize = 0; at < width; at += 16) {
        const low = f64x2.mul(v128.load(workspace + 2 * at), factor),
          high = f64x2.mul(v128.load(workspace + 2 * at, 16), factor);
        storeLanes(out + at, demotePair(low, high), min(4, <i32>((width - at) >> 2)));
      }
      out += width;
      x += width;
      y += width;
      if (!perRow) {
        if (p) p += width;
        if (q) q += width;
      }
    }
  }

  /** The fold of each of the first `lanes` (1 to 4) columns. */
  static fold4<F>(x: usize, r: i32, stride: usize, lanes: i32): v128 {
    if (lanes == 4) return foldLanes<F>(x, r, stride, 4);
    return foldLanes<F>(x, r, stride, lanes);
  }

  /** Folds r rows of sixteen columns into out. */
  private static fold16<F>(out: usize, x: usize, r: i32, stride: usize): void {
    const f = changetype<F>(0);
    let a0 = v128.load(out),
      a1 = v128.load(out, 16),
      a2 = v128.load(out, 32),
      a3 = v128.load(out, 48);
    for (; r > 0; r--, x += stride) {
      a0 = f.combine(a0, v128.load(x));
      a1 = f.combine(a1, v128.load(x, 16));
      a2 = f.combine(a2, v128.load(x, 32));
      a3 = f.combine(a3, v128.load(x, 48));
    }
    v128.store(out, a0);
    v128.store(out, a1, 16);
    v128.store(out, a2, 32);
    v128.store(out, a3, 48);
  }

  /** out[i] = the fold over j of x[j, i], for r rows of inner columns, `stride` bytes apart; row block by row block. */
  static fold<F>(out: usize, x: usize, r: i32, inner: i32, stride: usize): void {
    const identity: v128 = changetype<F>(0).identity();
    const whole = (<usize>inner & ~15) << 2;
    for (let at: usize = 0; at < whole; at += 16) v128.store(out + at, identity);
    for (let j = 0, from = x; j < r; j += COLUMN_BLOCK_ROWS, from += <usize>COLUMN_BLOCK_ROWS * stride) {
      const rows = min(COLUMN_BLOCK_ROWS, r - j);
      for (let at: usize = 0; at < whole; at += 64) Columns.fold16<F>(out + at, from + at, rows, stride);
    }
    for (let i = inner & ~15; i < inner; i += 4) {
      const at = (<usize>i) << 2,
        lanes = min(4, inner - i);
      storeLanes(out + at, Columns.fold4<F>(x + at, r, stride, lanes), lanes);
    }
  }
}
