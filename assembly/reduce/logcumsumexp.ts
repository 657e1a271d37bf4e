// The logarithm of running sums of exponentials along the middle axis of x[outer, r, inner], contiguous; shape.ts says
// how it is cut and what stride means. Lanes are columns, or rows side by side, and never meet: the bits are the same
// however a call is cut. Every kernel overwrites its output, which may be x.
import { loadLanes, negative, select, storeLanes } from "../lanes";
import { expNegative, log } from "../math";
import { bytesOf } from "./shape";

/** The elements at p, p + apart .., `lanes` of them. */
@inline
function gather(p: usize, apart: usize, lanes: i32): v128 {
  if (apart == 4) return loadLanes(p, lanes);
  let v = v128.load32_zero(p);
  if (lanes > 1) v = v128.load32_lane(p + apart, v, 1);
  if (lanes > 2) v = v128.load32_lane(p + 2 * apart, v, 2);
  return lanes > 3 ? v128.load32_lane(p + 3 * apart, v, 3) : v;
}

@inline
function scatter(p: usize, v: v128, apart: usize, lanes: i32): void {
  if (apart == 4) {
    storeLanes(p, v, lanes);
    return;
  }
  v128.store32_lane(p, v, 0);
  if (lanes > 1) v128.store32_lane(p + apart, v, 1);
  if (lanes > 2) v128.store32_lane(p + 2 * apart, v, 2);
  if (lanes > 3) v128.store32_lane(p + 3 * apart, v, 3);
}

/** e^-|a - b|; 1 where they are equal, infinities too. */
@inline
function decay(a: v128, b: v128): v128 {
  return select(f32x4.eq(a, b), f32x4.splat(1), expNegative(negative(f32x4.sub(a, b))));
}

/** Of `lanes` lanes, `apart` bytes from each other, whose r elements are `step` bytes apart. */
@inline
function forwardLanes(y: usize, x: usize, r: i32, step: usize, apart: usize, lanes: i32): void {
  // The sum so far is e^top times `sum`, so that nothing overflows.
  let top = f32x4.splat(-Infinity),
    sum = f32x4.splat(0);
  for (; r > 0; r--, x += step, y += step) {
    const v = gather(x, apart, lanes),
      e = decay(v, top),
      grows = f32x4.gt(v, top);
    // NaN is not greater: it comes to the sum by e.
    sum = f32x4.add(select(grows, f32x4.mul(sum, e), sum), select(grows, f32x4.splat(1), e));
    top = f32x4.max(top, v);
    scatter(y, f32x4.add(top, log(sum)), apart, lanes);
  }
}

/**
 * dx_i = e^(x_i - y_i) t_i, where t_i = g_i + e^(y_i - y_(i+1)) t_(i+1): y never falls, so no exponent is above 0. What
 * adds nothing to any sum (-Inf) gets 0.
 */
@inline
function backwardLanes(dx: usize, g: usize, x: usize, y: usize, r: i32, step: usize, apart: usize, lanes: i32): void {
  let t = f32x4.splat(0),
    after = f32x4.splat(0);
  for (let at = <usize>(r - 1) * step; r > 0; r--, at -= step) {
    const v = gather(x + at, apart, lanes),
      now = gather(y + at, apart, lanes);
    t = f32x4.add(gather(g + at, apart, lanes), f32x4.mul(decay(now, after), t));
    after = now;
    const weight = v128.andnot(decay(v, now), f32x4.eq(v, f32x4.splat(-Infinity)));
    scatter(dx + at, f32x4.mul(weight, t), apart, lanes);
  }
}

/** Rows in fours, or columns in fours. @returns bytes from one lane to the next */
@inline
function lanesApart(r: i32, stride: i32): usize {
  return stride == 1 ? bytesOf(r, 1) : 4;
}

/** y = log of the running sums of e^x (torch.logcumsumexp). */
export function logcumsumexp_forward_f32(y: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  const slab = bytesOf(r, stride),
    step = bytesOf(1, stride),
    apart = lanesApart(r, stride),
    lanes = stride == 1 ? outer : inner;
  if (stride == 1) outer = 1;
  for (let o = 0; o < outer; o++, y += slab, x += slab) {
    for (let lane = 0; lane < lanes; lane += 4) {
      const at = <usize>lane * apart;
      forwardLanes(y + at, x + at, r, step, apart, min(4, lanes - lane));
    }
  }
}

/** Reverses logcumsumexp_forward_f32, from x and what it gave. dx may be g, x or y. */
export function logcumsumexp_backward_f32(
  dx: usize,
  g: usize,
  x: usize,
  y: usize,
  outer: i32,
  r: i32,
  inner: i32,
  stride: i32,
): void {
  const slab = bytesOf(r, stride),
    step = bytesOf(1, stride),
    apart = lanesApart(r, stride),
    lanes = stride == 1 ? outer : inner;
  if (stride == 1) outer = 1;
  for (let o = 0; o < outer; o++, dx += slab, g += slab, x += slab, y += slab) {
    for (let lane = 0; lane < lanes; lane += 4) {
      const at = <usize>lane * apart;
      backwardLanes(dx + at, g + at, x + at, y + at, r, step, apart, min(4, lanes - lane));
    }
  }
}
