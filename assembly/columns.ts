// The loops down columns, over the op classes of ops.ts: `r` rows, `stride` bytes apart; neighbouring columns share a
// vector. Sums go by a fixed tree: 16 rows in f32, joined in f64, so that a column's bits do not depend on how many
// columns there are. Static methods, because asc warns of exported functions that take a v128 (AS112).
import { demotePair, loadLanes, promoteHigh, storeLanes } from "./lanes";
import { ROW_PARAMETERS, termOf, USES_Y, usesOf, vectorOf } from "./ops";

const COLUMN_BLOCK_ROWS: i32 = 16;
/** Columns whose sums the workspace holds at a time: 16 KiB. */
const COLUMNS_AT_ONCE: i32 = 2048;
const SHORT_ROW_BYTES: usize = 1024;

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
    storeLanes(out + at, vectorOf<F>(x + at, y + at, 0, 0, false, false, lanes, p, q, s, t), lanes);
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
  const keeps = out != 0;
  let low = f64x2.splat(0),
    high = f64x2.splat(0);
  let at: usize = 0;
  for (let j = 0; j < r; ) {
    const blockEnd = min(j + COLUMN_BLOCK_ROWS, r);
    let a = f32x4.splat(0);
    for (; j < blockEnd; j++, at += stride) {
      if (usesOf<F>() & ROW_PARAMETERS) {
        p = v128.load32_splat(rowP + ((<usize>j) << 2));
        q = v128.load32_splat(rowQ + ((<usize>j) << 2));
      }
      a = f32x4.add(a, termOf<F>(out + at, x + at, y + at, 0, keeps, false, lanes, p, q));
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
  /** out[j] = F(x[j], y[j], p, q, s, t) in the first `lanes` (1 to 4) columns. out may be x or y. */
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
   * scale times the sum over j of F(x[j], y[j], p, q) in the first `lanes` (1 to 4) columns. A term with
   * ROW_PARAMETERS has rowP[j] and rowQ[j] for p and q. A term that KEEPS goes to out, which may be x, or 0.
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
  private static add16<F>(
    sums: usize,
    x: usize,
    y: usize,
    p: usize,
    q: usize,
    r: i32,
    stride: usize,
    ahead: usize,
  ): void {
    const perRow = (usesOf<F>() & ROW_PARAMETERS) != 0;
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
      if (ahead) {
        v128.load32_zero(x + ahead);
        if (usesOf<F>() & USES_Y) v128.load32_zero(y + ahead);
        ahead += 64 - stride;
      }
      if (perRow) {
        p0 = p1 = p2 = p3 = v128.load32_splat(p);
        q0 = q1 = q2 = q3 = v128.load32_splat(q);
        p += 4;
        q += 4;
      }
      a0 = f32x4.add(a0, vectorOf<F>(x, y, 0, 0, false, false, 4, p0, q0, p0, q0));
      a1 = f32x4.add(a1, vectorOf<F>(x + 16, y + 16, 0, 0, false, false, 4, p1, q1, p1, q1));
      a2 = f32x4.add(a2, vectorOf<F>(x + 32, y + 32, 0, 0, false, false, 4, p2, q2, p2, q2));
      a3 = f32x4.add(a3, vectorOf<F>(x + 48, y + 48, 0, 0, false, false, 4, p3, q3, p3, q3));
    }
    addPromoted(sums, a0);
    addPromoted(sums + 32, a1);
    addPromoted(sums + 64, a2);
    addPromoted(sums + 96, a3);
  }

  /** As add16 for the first `lanes` (1 to 4) columns. */
  private static add4<F>(sums: usize, x: usize, y: usize, p: usize, q: usize, r: i32, stride: usize, lanes: i32): void {
    const perRow = (usesOf<F>() & ROW_PARAMETERS) != 0;
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
      a = f32x4.add(a, vectorOf<F>(x, y, 0, 0, false, false, lanes, pv, qv, pv, qv));
    }
    addPromoted(sums, a);
  }

  /**
   * out[i] = scale times the sum over j of F(x[j, i], y[j, i], p, q), for r rows of inner columns, `stride` bytes
   * apart. p and q point to r parameters where the term has ROW_PARAMETERS, else to inner of them, or are 0. The order
   * of a column's additions, and so its bits, depends on r alone. The workspace holds the columns' sums in f64, so that
   * x is walked once, row block by row block: whole columns, one after the other, would take a tall x from memory line
   * by line.
   */
  // biome-ignore lint/complexity/noExcessiveCognitiveComplexity: one walk over x, with the tail of each block
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
    const perRow = (usesOf<F>() & ROW_PARAMETERS) != 0;
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
        // Short rows are fetched a block ahead, in their order; tiles alone would hop. Long ones are fetched well as it
        // is.
        const near = stride == width && width <= SHORT_ROW_BYTES && j + 2 * COLUMN_BLOCK_ROWS <= r;
        const next = near ? <usize>COLUMN_BLOCK_ROWS * stride : 0;
        for (let at: usize = 0; at < width; ) {
          const pAt = perRow || !p ? pRow : p + at,
            qAt = perRow || !q ? qRow : q + at;
          if (at + 64 <= width) {
            const to = next ? next + <usize>COLUMN_BLOCK_ROWS * at - at : 0;
            Columns.add16<F>(workspace + 2 * at, from + at, beside + at, pAt, qAt, rows, stride, to);
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
