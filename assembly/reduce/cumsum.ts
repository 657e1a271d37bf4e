// Running sums along the middle axis of x[outer, r, inner], contiguous, forward beside backward; shape.ts says how it
// is cut and what stride means. Every kernel overwrites its output, which may be its input. Those of f32 are carried in
// f64.
import { demotePair, loadLanes, promoteHigh, storeLanes } from "../lanes";
import { bytesOf } from "./shape";

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
  const slab = bytesOf(r, stride),
    row = bytesOf(1, stride);
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

/** Reverses cumsum_forward_f32: dx[o, j, i] = g[o, j, i] + ... + g[o, r - 1, i]. dx may be g. */
export function cumsum_backward_f32(dx: usize, g: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  scans(dx, g, outer, r, inner, stride, true);
}

/** The running sums of a row of i32. */
function scanRowInt(out: usize, x: usize, r: i32): void {
  const zero = i32x4.splat(0);
  let carry = zero;
  for (; r > 0; r -= 4, out += 16, x += 16) {
    const lanes = min(r, 4);
    let v = loadLanes(x, lanes);
    v = i32x4.add(v, v128.shuffle<i32>(zero, v, 0, 4, 5, 6));
    v = i32x4.add(v, v128.shuffle<i32>(zero, v, 0, 1, 4, 5));
    v = i32x4.add(v, carry);
    storeLanes(out, v, lanes);
    carry = v128.shuffle<i32>(v, v, 3, 3, 3, 3);
  }
}

/** The running sums down the first `lanes` columns of i32. */
@inline
function scanLanesInt(out: usize, x: usize, r: i32, stride: usize, lanes: i32): void {
  let sum = i32x4.splat(0);
  for (let at: usize = 0; r > 0; r--, at += stride) {
    sum = i32x4.add(sum, loadLanes(x + at, lanes));
    storeLanes(out + at, sum, lanes);
  }
}

/** out[o, j, i] = x[o, 0, i] + ... + x[o, j, i] (torch.cumsum), of i32, wrapping. out may be x. */
export function cumsum_forward_i32(out: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  const slab = bytesOf(r, stride),
    row = bytesOf(1, stride);
  for (let o = 0; o < outer; o++, out += slab, x += slab) {
    if (stride == 1) {
      scanRowInt(out, x, r);
      continue;
    }
    let i = 0,
      at: usize = 0;
    for (; i + 4 <= inner; i += 4, at += 16) scanLanesInt(out + at, x + at, r, row, 4);
    if (i < inner) scanLanesInt(out + at, x + at, r, row, inner - i);
  }
}
