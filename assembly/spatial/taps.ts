// Results that are weighed sums of a few elements anywhere in a plane. A table holds for a block of results what each
// takes: byte offsets, tap by tap, i32 [taps, block], and behind these weights, f32 [taps, block]. It lies in the
// workspace of the running thread.
import { loadLanes, madd, storeLanes } from "../lanes";

/** Bytes of a table, unless four results alone take more. */
const TABLE_BYTES: i32 = 1 << 14;

/** How many results a table holds: a multiple of 4. */
@inline
export function blockFor(taps: i32): i32 {
  return max((TABLE_BYTES / (taps << 3)) & ~3, 4);
}

/** From an offset to its weight. */
@inline
export function weightsAt(block: i32, taps: i32): usize {
  return (<usize>taps * block) << 2;
}

/** Makes the lanes behind `count` results take nothing. */
export function closeTable(table: usize, block: i32, taps: i32, count: i32): void {
  const weights = weightsAt(block, taps);
  for (let q = count; q < ((count + 3) & ~3); q++) {
    for (let t = 0; t < taps; t++) {
      const at = table + ((<usize>(t * block + q)) << 2);
      store<i32>(at, 0);
      store<f32>(at + weights, 0);
    }
  }
}

/** The sums of four results, of elements of the plane x; `at` is their first offset. */
@inline
export function gatherFour(x: usize, at: usize, step: usize, weights: usize, taps: i32): v128 {
  let sum = f32x4.splat(0);
  for (; taps > 0; taps--, at += step) {
    let v = v128.load32_zero(x + <usize>load<u32>(at));
    v = v128.load32_lane(x + <usize>load<u32>(at, 4), v, 1);
    v = v128.load32_lane(x + <usize>load<u32>(at, 8), v, 2);
    v = v128.load32_lane(x + <usize>load<u32>(at, 12), v, 3);
    sum = madd(v, v128.load(at + weights), sum);
  }
  return sum;
}

/** y[q] = the sum over taps of weight x[offset], for `count` results. */
export function gatherTaps(y: usize, x: usize, table: usize, block: i32, taps: i32, count: i32): void {
  const weights = weightsAt(block, taps),
    step = (<usize>block) << 2;
  for (; count > 0; count -= 4, y += 16, table += 16) {
    storeLanes(y, gatherFour(x, table, step, weights, taps), min(count, 4));
  }
}

/** Reverses gatherTaps: dx[offset] += weight g[q], in the order of the results. */
export function scatterTaps(dx: usize, g: usize, table: usize, block: i32, taps: i32, count: i32): void {
  const weights = weightsAt(block, taps),
    step = (<usize>block) << 2;
  for (; count > 0; count--, g += 4, table += 4) {
    const v = load<f32>(g);
    for (let t = 0, at = table; t < taps; t++, at += step) {
      const to = dx + <usize>load<u32>(at);
      store<f32>(to, load<f32>(to) + load<f32>(at + weights) * v);
    }
  }
}

/** y[i] = the sum over taps of weight x[offset + i], for a row of n; `at` is the offset of the first tap. */
export function gatherRow(y: usize, x: usize, at: usize, step: usize, weights: usize, taps: i32, n: i32): void {
  for (; n >= 16; n -= 16, x += 64, y += 64) {
    let a0 = f32x4.splat(0),
      a1 = a0,
      a2 = a0,
      a3 = a0;
    for (let t = 0, e = at; t < taps; t++, e += step) {
      const w = v128.load32_splat(e + weights),
        p = x + <usize>load<u32>(e);
      a0 = madd(v128.load(p), w, a0);
      a1 = madd(v128.load(p, 16), w, a1);
      a2 = madd(v128.load(p, 32), w, a2);
      a3 = madd(v128.load(p, 48), w, a3);
    }
    v128.store(y, a0);
    v128.store(y, a1, 16);
    v128.store(y, a2, 32);
    v128.store(y, a3, 48);
  }
  for (; n > 0; n -= 4, x += 16, y += 16) {
    const lanes = min(n, 4);
    let a = f32x4.splat(0);
    for (let t = 0, e = at; t < taps; t++, e += step) {
      a = madd(loadLanes(x + <usize>load<u32>(e), lanes), v128.load32_splat(e + weights), a);
    }
    storeLanes(y, a, lanes);
  }
}

/** Reverses gatherRow: dx[offset + i] += weight g[i], tap by tap. */
export function scatterRow(dx: usize, g: usize, at: usize, step: usize, weights: usize, taps: i32, n: i32): void {
  for (; taps > 0; taps--, at += step) {
    const w = v128.load32_splat(at + weights);
    let to = dx + <usize>load<u32>(at),
      from = g,
      left = n;
    for (; left >= 8; left -= 8, to += 32, from += 32) {
      v128.store(to, madd(v128.load(from), w, v128.load(to)));
      v128.store(to, madd(v128.load(from, 16), w, v128.load(to, 16)), 16);
    }
    for (; left > 0; left -= 4, to += 16, from += 16) {
      const lanes = min(left, 4);
      storeLanes(to, madd(loadLanes(from, lanes), w, loadLanes(to, lanes)), lanes);
    }
  }
}

/**
 * The weight of an element d away from where a cubic convolution looks (Keys 1981): d up to 2, where it ends.
 * @param a −0.75, or −0.5 where it is anti-aliased
 */
@inline
export function cubic(d: f64, a: f64): f64 {
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/** The slope of cubic() at d. */
@inline
export function cubicSlope(d: f64, a: f64): f64 {
  if (d < 1) return (3 * (a + 2) * d - 2 * (a + 3)) * d;
  return d < 2 ? (3 * a * d - 10 * a) * d + 8 * a : 0;
}
