// Products with one row or one column: a vector times a matrix that is read once, so never packed. The order of
// additions is that of the tiles, and so are the bits.
//
// Output i is the sum over p of x[p] * M[i, p], where M[i, p] is at m + i * lineBytes + p * stepBytes.
import { madd } from "../lanes";
import { KC } from "./blocks";
import { ACT_NONE, cutTile, finish, scaleRows } from "./epilogue";
import { Four, gather, interleaveHigh, interleaveLow, joinHigh, joinLow, One } from "./vectors";

/** Outputs whose sums are kept in the workspace at a time: a multiple of LINES. */
@inline
const STRIP: i32 = 1024;
/** Lines summed at a time where they are not neighbours. */
@inline
const LINES: i32 = 8;

/** Bytes of workspace that gemv needs: a strip of sums. */
@inline
export const GEMV_BYTES: i32 = STRIP * 4;

/** sums += x0 M0, one step for the width W. */
@inline
function addStep<W>(sums: usize, m: usize, x0: v128): void {
  const w = changetype<W>(0);
  w.store(sums, madd(x0, w.load(m), w.load(sums)));
}

/** sums += x0 M0 + x1 M1 + x2 M2 + x3 M3, in this order, for the width W. */
@inline
function addFourSteps<W>(sums: usize, m: usize, stepBytes: usize, x0: v128, x1: v128, x2: v128, x3: v128): void {
  const w = changetype<W>(0);
  const m2 = m + (stepBytes << 1);
  const s = madd(x1, w.load(m + stepBytes), madd(x0, w.load(m), w.load(sums)));
  w.store(sums, madd(x3, w.load(m2 + stepBytes), madd(x2, w.load(m2), s)));
}

/** sums[lines] = x M for neighbouring lines: four steps in one pass over the sums. */
function sumNeighbours(sums: usize, x: usize, xBytes: usize, m: usize, stepBytes: usize, lines: i32, k: i32): void {
  const vectorEnd = (<usize>(lines & ~3)) << 2;
  const end = (<usize>lines) << 2;
  memory.fill(sums, 0, end);
  for (; k >= 4; k -= 4) {
    const x2 = x + (xBytes << 1);
    const v0 = v128.load32_splat(x);
    const v1 = v128.load32_splat(x + xBytes);
    const v2 = v128.load32_splat(x2);
    const v3 = v128.load32_splat(x2 + xBytes);
    let i: usize = 0;
    for (; i < vectorEnd; i += 16) addFourSteps<Four>(sums + i, m + i, stepBytes, v0, v1, v2, v3);
    for (; i < end; i += 4) addFourSteps<One>(sums + i, m + i, stepBytes, v0, v1, v2, v3);
    x += xBytes << 2;
    m += stepBytes << 2;
  }
  for (; k > 0; k--) {
    const v = v128.load32_splat(x);
    let i: usize = 0;
    for (; i < vectorEnd; i += 16) addStep<Four>(sums + i, m + i, v);
    for (; i < end; i += 4) addStep<One>(sums + i, m + i, v);
    x += xBytes;
    m += stepBytes;
  }
}

/** s + x0 M0 + x1 M1 + x2 M2 + x3 M3, in this order, for four lines whose steps are neighbours. */
@inline
function addTransposed(
  s: v128,
  p0: usize,
  p1: usize,
  p2: usize,
  p3: usize,
  x0: v128,
  x1: v128,
  x2: v128,
  x3: v128,
): v128 {
  const m0 = v128.load(p0);
  const m1 = v128.load(p1);
  const m2 = v128.load(p2);
  const m3 = v128.load(p3);
  const low01 = interleaveLow(m0, m1);
  const low23 = interleaveLow(m2, m3);
  s = madd(x1, joinHigh(low01, low23), madd(x0, joinLow(low01, low23), s));
  const high01 = interleaveHigh(m0, m1);
  const high23 = interleaveHigh(m2, m3);
  return madd(x3, joinHigh(high01, high23), madd(x2, joinLow(high01, high23), s));
}

/** sums[8] = x M for lines 0 .. last (at most 7) of M; the last one is repeated for the rest. */
function sumLines(
  sums: usize,
  x: usize,
  xBytes: usize,
  m: usize,
  lineBytes: usize,
  stepBytes: usize,
  last: i32,
  k: i32,
): void {
  let p0 = m;
  let p1 = m + <usize>min(1, last) * lineBytes;
  let p2 = m + <usize>min(2, last) * lineBytes;
  let p3 = m + <usize>min(3, last) * lineBytes;
  let p4 = m + <usize>min(4, last) * lineBytes;
  let p5 = m + <usize>min(5, last) * lineBytes;
  let p6 = m + <usize>min(6, last) * lineBytes;
  let p7 = m + <usize>min(7, last) * lineBytes;
  let s = f32x4.splat(0);
  let t = f32x4.splat(0);
  if (stepBytes == 4) {
    for (; k >= 4; k -= 4) {
      const x2 = x + (xBytes << 1);
      const v0 = v128.load32_splat(x);
      const v1 = v128.load32_splat(x + xBytes);
      const v2 = v128.load32_splat(x2);
      const v3 = v128.load32_splat(x2 + xBytes);
      s = addTransposed(s, p0, p1, p2, p3, v0, v1, v2, v3);
      t = addTransposed(t, p4, p5, p6, p7, v0, v1, v2, v3);
      x += xBytes << 2;
      p0 += 16;
      p1 += 16;
      p2 += 16;
      p3 += 16;
      p4 += 16;
      p5 += 16;
      p6 += 16;
      p7 += 16;
    }
  }
  for (; k > 0; k--) {
    const v = v128.load32_splat(x);
    s = madd(v, gather(p0, p1, p2, p3), s);
    t = madd(v, gather(p4, p5, p6, p7), t);
    x += xBytes;
    p0 += stepBytes;
    p1 += stepBytes;
    p2 += stepBytes;
    p3 += stepBytes;
    p4 += stepBytes;
    p5 += stepBytes;
    p6 += stepBytes;
    p7 += stepBytes;
  }
  v128.store(sums, s);
  v128.store(sums, t, 16);
}

/**
 * y[n] = act(beta * y + M x + bias): y is a row, with a bias for each, when `inRow`; else a column of rows `yBytes`
 * apart, with one bias for all. Strides are in bytes; `sums` is a workspace of GEMV_BYTES.
 */
export function gemv(
  y: usize,
  yBytes: usize,
  inRow: bool,
  x: usize,
  xBytes: usize,
  m: usize,
  lineBytes: usize,
  stepBytes: usize,
  bias: usize,
  n: i32,
  k: i32,
  beta: f32,
  act: i32,
  sums: usize,
): void {
  const biasBytes: usize = inRow && bias != 0 ? 4 : 0;
  for (let i: i32 = 0; i < n; i += STRIP) {
    const lines = min(n - i, STRIP);
    const rows = inRow ? 1 : lines;
    const cols = inRow ? lines : 1;
    const strip = y + <usize>i * (inRow ? 4 : yBytes);
    if (beta != 0 && beta != 1) scaleRows(strip, yBytes, rows, cols, beta);
    let p: i32 = 0;
    do {
      const kb = min(k - p, KC);
      const xb = x + <usize>p * xBytes;
      const mb = m + <usize>i * lineBytes + <usize>p * stepBytes;
      if (lineBytes == 4) {
        sumNeighbours(sums, xb, xBytes, mb, stepBytes, lines, kb);
      } else {
        for (let l: i32 = 0; l < lines; l += LINES) {
          const last = min(lines - l, LINES) - 1;
          sumLines(sums + ((<usize>l) << 2), xb, xBytes, mb + <usize>l * lineBytes, lineBytes, stepBytes, last, kb);
        }
      }
      cutTile(strip, yBytes, sums, 4, rows, cols, p > 0 || beta != 0);
      p += kb;
    } while (p < k);
    if (bias != 0 || act != ACT_NONE) finish(strip, yBytes, rows, cols, bias + <usize>i * biasBytes, act);
  }
}
