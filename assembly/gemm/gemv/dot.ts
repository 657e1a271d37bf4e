// GEMV in dot form: a few sums at a time, kept in registers over all steps. See gemv.ts for the names.
import { madd } from "../../lanes";
import { packPanels } from "../pack";
import { interleaveHigh, interleaveLow, joinHigh, joinLow } from "../vectors";

/** Vectors that the registers hold at a time, and lines summed with them. */
@inline
const GROUP: i32 = 4;
@inline
const LINES: i32 = 8;

/** Four rows of sums from four lines of them. */
@inline
function putTransposed(sums: usize, next: usize, s0: v128, s1: v128, s2: v128, s3: v128): void {
  const low01 = interleaveLow(s0, s1);
  const low23 = interleaveLow(s2, s3);
  const high01 = interleaveHigh(s0, s1);
  const high23 = interleaveHigh(s2, s3);
  v128.store(sums, joinLow(low01, low23));
  v128.store(sums + next, joinHigh(low01, low23));
  v128.store(sums + next * 2, joinLow(high01, high23));
  v128.store(sums + next * 3, joinHigh(high01, high23));
}

/** s + x0 M0 + x1 M1 + x2 M2 + x3 M3, in this order, for four lines whose steps are neighbours. */
// biome-ignore format: the vectors in a line.
@inline
function addTransposed(
  s: v128, p0: usize, p1: usize, p2: usize, p3: usize, x0: v128, x1: v128, x2: v128, x3: v128,
): v128 {
  const m0 = v128.load(p0), m1 = v128.load(p1), m2 = v128.load(p2), m3 = v128.load(p3);
  const low01 = interleaveLow(m0, m1), low23 = interleaveLow(m2, m3);
  s = madd(x1, joinHigh(low01, low23), madd(x0, joinLow(low01, low23), s));
  const high01 = interleaveHigh(m0, m1), high23 = interleaveHigh(m2, m3);
  return madd(x3, joinHigh(high01, high23), madd(x2, joinLow(high01, high23), s));
}

/** sums[16] = x M for 16 lines of neighbouring steps, or sums[8] for 8; k is a multiple of 4. */
@inline
function dotTransposed(sixteen: bool, sums: usize, x: usize, xStep: usize, m: usize, lineBytes: usize, k: i32): void {
  let p0 = m;
  let p1 = p0 + lineBytes;
  let p2 = p1 + lineBytes;
  let p3 = p2 + lineBytes;
  const quad = lineBytes << 2;
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  for (; k > 0; k -= 4) {
    const x2 = x + (xStep << 1);
    const v0 = v128.load32_splat(x);
    const v1 = v128.load32_splat(x + xStep);
    const v2 = v128.load32_splat(x2);
    const v3 = v128.load32_splat(x2 + xStep);
    s0 = addTransposed(s0, p0, p1, p2, p3, v0, v1, v2, v3);
    let q = quad;
    s1 = addTransposed(s1, p0 + q, p1 + q, p2 + q, p3 + q, v0, v1, v2, v3);
    if (sixteen) {
      q += quad;
      s2 = addTransposed(s2, p0 + q, p1 + q, p2 + q, p3 + q, v0, v1, v2, v3);
      q += quad;
      s3 = addTransposed(s3, p0 + q, p1 + q, p2 + q, p3 + q, v0, v1, v2, v3);
    }
    x += xStep << 2;
    p0 += 16;
    p1 += 16;
    p2 += 16;
    p3 += 16;
  }
  v128.store(sums, s0);
  v128.store(sums, s1, 16);
  if (sixteen) {
    v128.store(sums, s2, 32);
    v128.store(sums, s3, 48);
  }
}

/** Four chains of additions, which hide their latency. */
function dotSixteen(sums: usize, x: usize, xStep: usize, m: usize, lineBytes: usize, k: i32): void {
  dotTransposed(true, sums, x, xStep, m, lineBytes, k);
}

function dotEight(sums: usize, x: usize, xStep: usize, m: usize, lineBytes: usize, k: i32): void {
  dotTransposed(false, sums, x, xStep, m, lineBytes, k);
}

/** sums[4, 8] = X M for lines 0 .. last (at most 7) of M, the last one repeated, and a packed group of vectors. */
function dotLines(
  sums: usize,
  sumsNext: usize,
  x: usize,
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
  let s0 = f32x4.splat(0),
    s1 = f32x4.splat(0),
    s2 = f32x4.splat(0),
    s3 = f32x4.splat(0);
  let s4 = f32x4.splat(0),
    s5 = f32x4.splat(0),
    s6 = f32x4.splat(0),
    s7 = f32x4.splat(0);
  for (; k > 0; k--) {
    const v = v128.load(x);
    s0 = madd(v128.load32_splat(p0), v, s0);
    s1 = madd(v128.load32_splat(p1), v, s1);
    s2 = madd(v128.load32_splat(p2), v, s2);
    s3 = madd(v128.load32_splat(p3), v, s3);
    s4 = madd(v128.load32_splat(p4), v, s4);
    s5 = madd(v128.load32_splat(p5), v, s5);
    s6 = madd(v128.load32_splat(p6), v, s6);
    s7 = madd(v128.load32_splat(p7), v, s7);
    x += 16;
    p0 += stepBytes;
    p1 += stepBytes;
    p2 += stepBytes;
    p3 += stepBytes;
    p4 += stepBytes;
    p5 += stepBytes;
    p6 += stepBytes;
    p7 += stepBytes;
  }
  putTransposed(sums, sumsNext, s0, s1, s2, s3);
  putTransposed(sums + 16, sumsNext, s4, s5, s6, s7);
}

/**
 * sums[vectors, lines] = X M, in rows `sumsNext` bytes apart, for at most 2 GROUP vectors; `packed` has room for k
 * steps of them.
 */
export function dotSums(
  sums: usize,
  sumsNext: usize,
  x: usize,
  xNext: usize,
  xStep: usize,
  vectors: i32,
  m: usize,
  lineBytes: usize,
  stepBytes: usize,
  lines: i32,
  k: i32,
  packed: usize,
): void {
  let l: i32 = 0;
  if (vectors == 1 && stepBytes == 4 && k % 4 == 0) {
    // The first cache holds 8 lines a multiple of 4 KiB apart, and no more.
    const group = (lineBytes & 4095) == 0 ? 8 : 16;
    for (; l + group <= lines; l += group) {
      const to = sums + ((<usize>l) << 2);
      const lineAt = m + <usize>l * lineBytes;
      if (group == 8) dotEight(to, x, xStep, lineAt, lineBytes, k);
      else dotSixteen(to, x, xStep, lineAt, lineBytes, k);
    }
  }
  if (l < lines) packPanels(packed, x, vectors, GROUP, k, xNext, xStep);
  for (; l < lines; l += LINES) {
    const last = min(lines - l, LINES) - 1;
    const to = sums + ((<usize>l) << 2);
    const lineAt = m + <usize>l * lineBytes;
    dotLines(to, sumsNext, packed, lineAt, lineBytes, stepBytes, last, k);
    if (vectors > GROUP) {
      const behind = packed + ((<usize>(k * GROUP)) << 2);
      dotLines(to + sumsNext * <usize>GROUP, sumsNext, behind, lineAt, lineBytes, stepBytes, last, k);
    }
  }
}
