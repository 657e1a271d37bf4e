// The gradient of depthwise kernels: for each tap the sum of products of the outputs' gradient with what the tap read
// of a padded band.
import { loadPart, madd } from "../../lanes";
import { Band } from "./band";

// The last outputs of a row, which do not fill a vector. Where there are four or more outputs, these are the last lanes
// of a vector that starts `back` bytes earlier. The other lanes are masked on both sides: an infinity must not meet a
// zero.

@inline
export function restBack(n: i32): usize {
  return n >= 4 ? (<usize>(4 - (n & 3))) << 2 : 0;
}
export function restMask(n: i32): v128 {
  const lanes = i32x4(0, 1, 2, 3);
  return n >= 4 ? i32x4.ge_s(lanes, i32x4.splat(4 - (n & 3))) : i32x4.lt_s(lanes, i32x4.splat(n));
}
@inline
function restOf(g: usize, n: i32, mask: v128, back: usize): v128 {
  return n >= 4 ? v128.and(v128.load(g - back), mask) : loadPart(g, n);
}

/** sum[t] += g x[at(., t)] for a whole channel, band by band. */
export function addSums(band: Band, g: usize): void {
  const h = band.height(),
    w = band.width();
  const taps = <usize>(h.taps * w.taps);
  const most = band.most;
  for (let o: i32 = 0; o < h.outputs; o += most) {
    const rows = min(most, h.outputs - o);
    band.fill(o, rows);
    for (let t: usize = 0; t < taps; t += 5) sumFive(band, g, rows, t, taps - 1);
    g += (<usize>(rows * w.outputs)) << 2;
  }
}

/**
 * Five taps from t, or as many as there are up to the last, which read each vector of the gradient once. Those that are
 * not there are computed as the last one.
 */
function sumFive(band: Band, g: usize, rows: i32, t: usize, last: usize): void {
  const w = band.width();
  const next = <usize>band.height().scale * band.rowBytes;
  const n = w.outputs,
    vectorEnd = n & ~3,
    rest = n & 3;
  const mask = restMask(n),
    back = restBack(n);
  const never = load<usize>(band.offset(0));
  let line = band.base() + load<usize>(band.offset(t));
  const first = load<usize>(band.offset(t));
  const c1 = load<usize>(band.offset(min(t + 1, last))) - first,
    c2 = load<usize>(band.offset(min(t + 2, last))) - first;
  const c3 = load<usize>(band.offset(min(t + 3, last))) - first,
    c4 = load<usize>(band.offset(min(t + 4, last))) - first;
  let s0 = f32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0,
    s4 = s0;
  for (; rows > 0; rows--) {
    let p = line;
    for (let i: i32 = 0; i < vectorEnd; i += 4) {
      const v = v128.load(g);
      s0 = madd(v, v128.load(p), s0);
      s1 = madd(v, v128.load(p + c1), s1);
      if (p == never) break;
      s2 = madd(v, v128.load(p + c2), s2);
      s3 = madd(v, v128.load(p + c3), s3);
      s4 = madd(v, v128.load(p + c4), s4);
      g += 16;
      p += 16;
    }
    if (rest > 0) {
      const v = restOf(g, n, mask, back);
      p -= back;
      s0 = madd(v, v128.and(v128.load(p), mask), s0);
      s1 = madd(v, v128.and(v128.load(p + c1), mask), s1);
      s2 = madd(v, v128.and(v128.load(p + c2), mask), s2);
      s3 = madd(v, v128.and(v128.load(p + c3), mask), s3);
      s4 = madd(v, v128.and(v128.load(p + c4), mask), s4);
      g += (<usize>rest) << 2;
    }
    line += next;
  }
  addSum(band, t, s0);
  if (t + 1 <= last) addSum(band, t + 1, s1);
  if (t + 2 <= last) addSum(band, t + 2, s2);
  if (t + 3 <= last) addSum(band, t + 3, s3);
  if (t + 4 <= last) addSum(band, t + 4, s4);
}

@inline
function addSum(band: Band, t: usize, s: v128): void {
  v128.store(band.sum(t), f32x4.add(v128.load(band.sum(t)), s));
}
