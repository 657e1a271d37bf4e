// Reductions and scans of the middle axis of x[outer, r, inner], contiguous f32. stride is inner, and 1 means a row,
// summed along the vector; otherwise neighbouring columns share one. Of a single matrix (outer = 1) a kernel also does
// some columns: inner of them, beside each other, out of rows of `stride` elements; they get the bits they would have
// had among the others. workspace: at least 16 KiB, aligned to 16. Every kernel overwrites its outputs, which may not alias x unless said. Sizes may be 0: an
// empty sum is 0, an empty product 1, an empty maximum -Infinity.

import { Columns } from "./columnloops";
import { demotePair, exp, loadLanes, log, promoteHigh, storeLanes } from "./lanes";
import { Rows } from "./rowloops";
import { MaximumNumber, SquaredDeviation, Value } from "./terms";

@final
@unmanaged
class Square {
  @inline uses(): i32 {
    return 0;
  }
  @inline value(x: v128, y: v128, w: v128, b: v128, p: v128, q: v128, s: v128, t: v128): v128 {
    return f32x4.mul(x, x);
  }
}

/** exp(x - base), where x may be +Infinity. */
@final
@unmanaged
class ExpAbove {
  @inline uses(): i32 {
    return 0;
  }
  @inline value(x: v128, y: v128, w: v128, b: v128, base: v128, q: v128, s: v128, t: v128): v128 {
    return exp(f32x4.sub(x, base));
  }
}

// A NaN a stays, for pmax and pmin give a where they cannot compare; a NaN b sets all bits, which is a NaN. f32x4.max
// does the same in twice the instructions.

@final
@unmanaged
class Maximum {
  @inline identity(): v128 {
    return f32x4.splat(-Infinity);
  }
  @inline combine(a: v128, b: v128): v128 {
    return v128.or(f32x4.pmax(a, b), f32x4.ne(b, b));
  }
  /** Where x takes the place of the best so far: it is greater, or the first NaN. */
  @inline beats(x: v128, best: v128): v128 {
    return v128.andnot(f32x4.eq(best, best), f32x4.le(x, best));
  }
}

@final
@unmanaged
class Minimum {
  @inline identity(): v128 {
    return f32x4.splat(Infinity);
  }
  @inline combine(a: v128, b: v128): v128 {
    return v128.or(f32x4.pmin(a, b), f32x4.ne(b, b));
  }
  @inline beats(x: v128, best: v128): v128 {
    return v128.andnot(f32x4.eq(best, best), f32x4.ge(x, best));
  }
}

@final
@unmanaged
class Times {
  @inline identity(): v128 {
    return f32x4.splat(1);
  }
  @inline combine(a: v128, b: v128): v128 {
    return f32x4.mul(a, b);
  }
}

@inline
function bytes(r: i32, stride: i32): usize {
  return (<usize>r * <usize>stride) << 2;
}

/** out[o, i] = scale * sum over j of value(x[o, j, i], p[o, i]); p is 0 where the term takes no parameter. */
function sums<F>(
  out: usize,
  x: usize,
  p: usize,
  outer: i32,
  r: i32,
  inner: i32,
  stride: i32,
  scale: f64,
  workspace: usize,
): void {
  const zero = f32x4.splat(0),
    slab = bytes(r, stride),
    row = bytes(1, stride);
  for (let o = 0; o < outer; o++) {
    if (stride == 1) {
      const pv = p ? v128.load32_splat(p) : zero;
      store<f32>(out, <f32>(Rows.sum<F>(0, x, 0, 0, r, pv, zero) * scale));
    } else {
      Columns.sum<F>(out, x, 0, p, 0, r, inner, row, scale, workspace);
    }
    out += row;
    x += slab;
    if (p) p += row;
  }
}

/** out[o, i] = the fold over j of x[o, j, i]. */
function folds<F>(out: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  const slab = bytes(r, stride),
    row = bytes(1, stride);
  for (let o = 0; o < outer; o++, out += row, x += slab) {
    if (stride == 1) store<f32>(out, Rows.fold<F>(x, r));
    else Columns.fold<F>(out, x, r, inner, row);
  }
}

/** out[outer, inner] = scale * sum over r of x (torch.sum; torch.mean with scale 1 / r). */
export function sum_f32(
  out: usize,
  x: usize,
  outer: i32,
  r: i32,
  inner: i32,
  stride: i32,
  scale: f32,
  workspace: usize,
): void {
  sums<Value>(out, x, 0, outer, r, inner, stride, scale, workspace);
}

/** out[outer, inner] = sum over r of x * x. */
export function sum_squares_f32(
  out: usize,
  x: usize,
  outer: i32,
  r: i32,
  inner: i32,
  stride: i32,
  workspace: usize,
): void {
  sums<Square>(out, x, 0, outer, r, inner, stride, 1, workspace);
}

/** out[outer, inner] = max over r of x, NaN if any is (torch.amax). */
export function max_f32(out: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  folds<Maximum>(out, x, outer, r, inner, stride);
}

/** out[outer, inner] = min over r of x, NaN if any is (torch.amin). */
export function min_f32(out: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  folds<Minimum>(out, x, outer, r, inner, stride);
}

/** out[outer, inner] = product over r of x (torch.prod). */
export function prod_f32(out: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  folds<Times>(out, x, outer, r, inner, stride);
}

/**
 * mean[outer, inner] = sum over r of x / r, out[outer, inner] = sum over r of (x - mean)^2 / max(0, r - correction)
 * (torch.var_mean), in two passes. Where nothing is left to divide by: NaN, or Infinity as torch has it.
 */
export function variance_f32(
  out: usize,
  mean: usize,
  x: usize,
  outer: i32,
  r: i32,
  inner: i32,
  stride: i32,
  correction: f32,
  workspace: usize,
): void {
  sums<Value>(mean, x, 0, outer, r, inner, stride, 1 / <f64>r, workspace);
  sums<SquaredDeviation>(out, x, mean, outer, r, inner, stride, 1 / max<f64>(0, <f64>r - correction), workspace);
}

/** max where it is finite, else 0: subtracting an infinite maximum would make NaN of what has a limit. */
@inline
function finite(max: v128): v128 {
  return v128.and(max, f32x4.lt(f32x4.abs(max), f32x4.splat(Infinity)));
}

/** out[outer, inner] = log of the sum over r of exp(x) (torch.logsumexp), without overflow. */
export function logsumexp_f32(out: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  const zero = f32x4.splat(0),
    row = bytes(1, stride),
    slab = bytes(r, stride);
  for (let o = 0; o < outer; o++, out += row, x += slab) {
    for (let i = 0; i < inner; i += 4) {
      const lanes = min(4, inner - i),
        at = (<usize>i) << 2;
      let base: v128, sum: v128;
      if (stride == 1) {
        base = finite(f32x4.splat(Rows.fold<MaximumNumber>(x, r)));
        sum = f32x4.splat(<f32>Rows.sum<ExpAbove>(0, x, 0, 0, r, base, zero));
      } else {
        base = finite(Columns.fold4<MaximumNumber>(x + at, r, row, lanes));
        sum = Columns.sum4<ExpAbove>(0, x + at, 0, 0, 0, base, zero, r, row, lanes, 1);
      }
      storeLanes(out + at, f32x4.add(base, log(sum)), lanes);
    }
  }
}

/** The index of the first element of the row that is the best, or of the first NaN if there is one. */
function argRow<F>(x: usize, r: i32): i32 {
  const best = f32x4.splat(Rows.fold<F>(x, r));
  const unordered = f32x4.ne(best, best);
  let j = 0;
  for (; j + 4 <= r; j += 4) {
    const v = v128.load(x + ((<usize>j) << 2));
    const hit = v128.or(f32x4.eq(v, best), v128.and(unordered, f32x4.ne(v, v)));
    if (v128.any_true(hit)) return j + ctz(i32x4.bitmask(hit));
  }
  // The best is among the last elements, and the fold has found it.
  const last = f32x4.extract_lane(best, 0);
  for (; j + 1 < r; j++) {
    const v = load<f32>(x + ((<usize>j) << 2));
    if (v == last || (v != v && last != last)) break;
  }
  return j;
}

/** The indices of the best in each of the first `lanes` columns. */
@inline
function argLanes<F>(out: usize, x: usize, r: i32, stride: usize, lanes: i32): void {
  const f = changetype<F>(0);
  let best: v128 = f.identity();
  let index = i32x4.splat(0);
  for (let j = 0; j < r; j++, x += stride) {
    const v = loadLanes(x, lanes),
      beats = f.beats(v, best);
    best = v128.bitselect(v, best, beats);
    index = v128.bitselect(i32x4.splat(j), index, beats);
  }
  storeLanes(out, index, lanes);
}

function args<F>(out: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  const slab = bytes(r, stride),
    row = bytes(1, stride);
  for (let o = 0; o < outer; o++, out += row, x += slab) {
    if (stride == 1) {
      store<i32>(out, argRow<F>(x, r));
      continue;
    }
    let i = 0,
      at: usize = 0;
    for (; i + 4 <= inner; i += 4, at += 16) argLanes<F>(out + at, x + at, r, row, 4);
    if (i < inner) argLanes<F>(out + at, x + at, r, row, inner - i);
  }
}

/** out[outer, inner], i32 = index along r of the first maximum; NaN counts as one (torch.argmax). r must not be 0. */
export function argmax_f32(out: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  args<Maximum>(out, x, outer, r, inner, stride);
}

/** out[outer, inner], i32 = index along r of the first minimum; NaN counts as one (torch.argmin). r must not be 0. */
export function argmin_f32(out: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  args<Minimum>(out, x, outer, r, inner, stride);
}

@inline
function reversed(v: v128): v128 {
  return v128.shuffle<i32>(v, v, 3, 2, 1, 0);
}

/** The running sums of a row from its front, or from its back, carried in f64. */
function scanRow(out: usize, x: usize, r: i32, backward: bool): void {
  const zero = f64x2.splat(0);
  let carry = zero;
  let left = r;
  for (; left >= 4; left -= 4) {
    const at = (<usize>(backward ? left - 4 : r - left)) << 2;
    let v = v128.load(x + at);
    if (backward) v = reversed(v);
    let low = f64x2.promote_low_f32x4(v),
      high = promoteHigh(v);
    low = f64x2.add(low, v128.shuffle<i64>(zero, low, 0, 2));
    high = f64x2.add(high, v128.shuffle<i64>(zero, high, 0, 2));
    high = f64x2.add(high, v128.shuffle<i64>(low, low, 1, 1));
    let sums = demotePair(f64x2.add(low, carry), f64x2.add(high, carry));
    carry = f64x2.add(carry, v128.shuffle<i64>(high, high, 1, 1));
    if (backward) sums = reversed(sums);
    v128.store(out + at, sums);
  }
  let sum = f64x2.extract_lane(carry, 0);
  for (; left > 0; left--) {
    const at = (<usize>(backward ? left - 1 : r - left)) << 2;
    sum += load<f32>(x + at);
    store<f32>(out + at, <f32>sum);
  }
}

/** The running sums down the first `lanes` columns, or up, carried in f64. */
@inline
function scanLanes(out: usize, x: usize, r: i32, stride: usize, lanes: i32, backward: bool): void {
  let low = f64x2.splat(0),
    high = f64x2.splat(0);
  let at: usize = backward ? <usize>(r - 1) * stride : 0;
  const step: usize = backward ? <usize>0 - stride : stride;
  for (let j = 0; j < r; j++, at += step) {
    const v = loadLanes(x + at, lanes);
    low = f64x2.add(low, f64x2.promote_low_f32x4(v));
    high = f64x2.add(high, promoteHigh(v));
    storeLanes(out + at, demotePair(low, high), lanes);
  }
}

function scans(out: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32, backward: bool): void {
  const slab = bytes(r, stride),
    row = bytes(1, stride);
  for (let o = 0; o < outer; o++, out += slab, x += slab) {
    if (stride == 1) {
      scanRow(out, x, r, backward);
      continue;
    }
    let i = 0,
      at: usize = 0;
    for (; i + 4 <= inner; i += 4, at += 16) scanLanes(out + at, x + at, r, row, 4, backward);
    if (i < inner) scanLanes(out + at, x + at, r, row, inner - i, backward);
  }
}

/** out[o, j, i] = x[o, 0, i] + ... + x[o, j, i] (torch.cumsum). out may be x. */
export function cumsum_forward_f32(out: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  scans(out, x, outer, r, inner, stride, false);
}

/** dx[o, j, i] = g[o, j, i] + ... + g[o, r - 1, i], the gradient of cumsum. dx may be g. Overwrites. */
export function cumsum_backward_f32(dx: usize, g: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  scans(dx, g, outer, r, inner, stride, true);
}

/**
 * Reverses prod_f32: dx[o, j, i] = g[o, i] * the product of all x[o, :, i] but x[o, j, i]. A zero among them makes the
 * others' gradients 0 and is left out of its own, so that nothing is divided by it. Overwrites dx.
 */
export function prod_backward_f32(dx: usize, g: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  const slab = bytes(r, stride),
    row = bytes(1, stride);
  for (let o = 0; o < outer; o++, x += slab, dx += slab) {
    for (let i = 0; i < inner; i++, g += 4) {
      const at = x + ((<usize>i) << 2),
        to = dx + ((<usize>i) << 2);
      let zeros = 0,
        rest: f64 = 1;
      for (let j: usize = 0; j < slab; j += row) {
        const value = load<f32>(at + j);
        if (value == 0) zeros++;
        else rest *= value;
      }
      const whole = rest * load<f32>(g);
      for (let j: usize = 0; j < slab; j += row) {
        const value = load<f32>(at + j);
        store<f32>(to + j, zeros > 1 ? 0 : zeros == 1 ? (value == 0 ? <f32>whole : 0) : <f32>(whole / value));
      }
    }
  }
}
