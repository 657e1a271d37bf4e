// The gradient of the weights of a direct convolution: for four channels of the outputs' gradient and two taps at a
// time the sums of products with what the taps read of the band, a vector each.
import { madd } from "../../lanes";
import { restBack, restMask } from "../depthwise/sums";
import { Direct } from "./plan";

@inline
function addTo(sum: usize, s: v128): void {
  v128.store(sum, f32x4.add(v128.load(sum), s));
}

/**
 * Adds `rows` rows to the sums at `sums` of `lines` channels of g, 1 to 4, and `taps` taps, 1 or 2, of those read from
 * x0 and x1; the sums of a channel lie `line` bytes apart.
 */
function tile(
  d: Direct,
  g: usize,
  x0: usize,
  x1: usize,
  rows: i32,
  sums: usize,
  line: usize,
  lines: i32,
  taps: i32,
): void {
  const band = d.band();
  const n = band.width().outputs,
    vectorEnd = (<usize>(n & ~3)) << 2,
    rest = n & 3;
  const mask = restMask(n),
    back = restBack(n);
  const step = <usize>band.height().scale * band.rowBytes,
    gLine = (<usize>n) << 2;
  let l1: usize = 0;
  if (lines > 1) l1 = d.resultBytes;
  let l2 = l1,
    l3 = l1;
  if (lines > 2) l2 = l3 = l1 << 1;
  if (lines > 3) l3 = l1 + l2;
  let a0 = f32x4.splat(0),
    a1 = a0,
    b0 = a0,
    b1 = a0,
    c0 = a0,
    c1 = a0,
    d0 = a0,
    d1 = a0;
  for (; rows > 0; rows--) {
    for (let i: usize = 0; i < vectorEnd; i += 16) {
      const p0 = v128.load(x0 + i),
        p1 = v128.load(x1 + i);
      let q = v128.load(g + i);
      a0 = madd(p0, q, a0);
      a1 = madd(p1, q, a1);
      q = v128.load(g + l1 + i);
      b0 = madd(p0, q, b0);
      b1 = madd(p1, q, b1);
      q = v128.load(g + l2 + i);
      c0 = madd(p0, q, c0);
      c1 = madd(p1, q, c1);
      q = v128.load(g + l3 + i);
      d0 = madd(p0, q, d0);
      d1 = madd(p1, q, d1);
    }
    if (rest) {
      const i = vectorEnd - back;
      const p0 = v128.and(v128.load(x0 + i), mask),
        p1 = v128.and(v128.load(x1 + i), mask);
      let q = restOf(g + i, n, mask);
      a0 = madd(p0, q, a0);
      a1 = madd(p1, q, a1);
      q = restOf(g + l1 + i, n, mask);
      b0 = madd(p0, q, b0);
      b1 = madd(p1, q, b1);
      q = restOf(g + l2 + i, n, mask);
      c0 = madd(p0, q, c0);
      c1 = madd(p1, q, c1);
      q = restOf(g + l3 + i, n, mask);
      d0 = madd(p0, q, d0);
      d1 = madd(p1, q, d1);
    }
    x0 += step;
    x1 += step;
    g += gLine;
  }
  addLine(sums, a0, a1, taps);
  if (lines > 1) addLine(sums + line, b0, b1, taps);
  if (lines > 2) addLine(sums + 2 * line, c0, c1, taps);
  if (lines > 3) addLine(sums + 3 * line, d0, d1, taps);
}

@inline
function restOf(g: usize, n: i32, mask: v128): v128 {
  if (n >= 4) return v128.and(v128.load(g), mask);
  // By lanes that are replaced: V8's revectorizer takes no loads of a lane.
  let q = f32x4.replace_lane(f32x4.splat(0), 0, load<f32>(g));
  if (n > 1) q = f32x4.replace_lane(q, 1, load<f32>(g, 4));
  if (n > 2) q = f32x4.replace_lane(q, 2, load<f32>(g, 8));
  return q;
}

@inline
function addLine(sums: usize, s0: v128, s1: v128, taps: i32): void {
  if (taps > 1) {
    // Both loaded before both are stored: so V8's revectorizer joins the two taps.
    s0 = f32x4.add(v128.load(sums), s0);
    s1 = f32x4.add(v128.load(sums, 16), s1);
    v128.store(sums, s0);
    v128.store(sums, s1, 16);
  } else addTo(sums, s0);
}

/** Adds `rows` rows of all channels of g, whose first row is there, with the band of the input. */
export function addDirect(d: Direct, g: usize, rows: i32): void {
  const band = d.band();
  const taps = <i32>band.taps(),
    all = d.channels * taps;
  const line = (<usize>all) << 4;
  let sums = d.sums();
  for (let c: i32 = 0; c < d.results; c += 4, g += 4 * d.resultBytes, sums += 4 * line)
    for (let t: i32 = 0; t < all; t += 2)
      tile(
        d,
        g,
        placeOf(d, t, taps),
        placeOf(d, min(t + 1, all - 1), taps),
        rows,
        sums + ((<usize>t) << 4),
        line,
        min(4, d.results - c),
        min(2, all - t),
      );
}

/** Where weight t of an output channel reads, for the first output. */
@inline
function placeOf(d: Direct, t: i32, taps: i32): usize {
  const band = d.band();
  const channel = t / taps;
  return band.base() + <usize>channel * band.plane + load<usize>(band.offset(<usize>(t - channel * taps)));
}
