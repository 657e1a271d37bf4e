// Softmax and its logarithm over the middle axis of [outer, r, inner], contiguous f32, forward beside backward. stride
// is inner, and 1 means a row; of a single matrix (outer = 1) a kernel also does `inner` columns beside each other out
// of rows of `stride` elements, in all its operands alike. The maximum is taken off first, so that no logit overflows:
// exp of what is left lies in [0, 1]. A row of nothing but -Infinity, or with a NaN or +Infinity in it, is NaN
// throughout, as PyTorch has it.
import { Columns } from "../columns";
import { foldRow, mapRow, sumRow } from "../loops";
import { expNegative, log, logOne, TAIL_SCALE } from "../math";
import { ExpBelow, Identity, MaximumNumber, Mul, Scale, USES_P, USES_Q, USES_Y } from "../ops";

@final
@unmanaged
class SoftmaxGradient {
  @inline uses(): i32 {
    return USES_Y | USES_P;
  }
  @inline forward(g: v128, y: v128, dot: v128): v128 {
    return f32x4.mul(y, f32x4.sub(g, dot));
  }
}

@final
@unmanaged
class LogProbability {
  @inline uses(): i32 {
    return USES_Q;
  }
  @inline forward(x: v128, max: v128, logSum: v128): v128 {
    return f32x4.sub(f32x4.sub(x, max), logSum);
  }
}

@final
@unmanaged
class LogSoftmaxGradient {
  @inline uses(): i32 {
    return USES_Y | USES_P;
  }
  @inline forward(g: v128, y: v128, sum: v128): v128 {
    return f32x4.sub(g, f32x4.mul(expNegative(y), sum));
  }
}

@inline
function inverse(v: v128): v128 {
  return f32x4.div(f32x4.splat(1), v);
}

/** out = exp(x) / sum over r of exp(x) (torch.softmax). Overwrites; out may be x. */
export function softmax_forward_f32(out: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  const zero = f32x4.splat(0),
    row = (<usize>stride) << 2,
    skip = <usize>r * row;
  for (let o = 0; o < outer; o++, out += skip, x += skip) {
    if (stride == 1) {
      const max = foldRow<MaximumNumber, f32>(x, r);
      const sum = <f32>sumRow<ExpBelow>(out, x, 0, 0, r, max);
      mapRow<Scale>(out, out, 0, 0, 0, r, 1 / sum);
      continue;
    }
    for (let i = 0; i < inner; i += 4) {
      const lanes = min(4, inner - i),
        xi = x + ((<usize>i) << 2),
        oi = out + ((<usize>i) << 2);
      const max = Columns.fold4<MaximumNumber>(xi, r, row, lanes);
      const sum = Columns.sum4<ExpBelow>(oi, xi, 0, 0, 0, max, zero, r, row, lanes, 1);
      Columns.map4<Scale>(oi, oi, 0, r, row, lanes, inverse(sum), zero, zero, zero);
    }
  }
}

/**
 * Reverses softmax_forward_f32: dx = y * (g - sum over r of g * y), for y = softmax(x). Overwrites; dx may be g or y.
 */
export function softmax_backward_f32(dx: usize, g: usize, y: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  backward<Mul, SoftmaxGradient>(dx, g, y, outer, r, inner, stride);
}

/** out = x - log of the sum over r of exp(x) (torch.log_softmax). Overwrites; out may be x. */
export function log_softmax_forward_f32(out: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  const zero = f32x4.splat(0),
    row = (<usize>stride) << 2,
    skip = <usize>r * row;
  for (let o = 0; o < outer; o++, out += skip, x += skip) {
    if (stride == 1) {
      const max = foldRow<MaximumNumber, f32>(x, r);
      const sum = <f32>(sumRow<ExpBelow>(0, x, 0, 0, r, max) * TAIL_SCALE);
      mapRow<LogProbability>(out, x, 0, 0, 0, r, max, logOne(sum));
      continue;
    }
    for (let i = 0; i < inner; i += 4) {
      const lanes = min(4, inner - i),
        xi = x + ((<usize>i) << 2),
        oi = out + ((<usize>i) << 2);
      const max = Columns.fold4<MaximumNumber>(xi, r, row, lanes);
      const sum = Columns.sum4<ExpBelow>(0, xi, 0, 0, 0, max, zero, r, row, lanes, TAIL_SCALE);
      Columns.map4<LogProbability>(oi, xi, 0, r, row, lanes, max, log(sum), zero, zero);
    }
  }
}

/**
 * Reverses log_softmax_forward_f32: dx = g - exp(y) * sum over r of g, for y = log_softmax(x). Overwrites; dx may be g
 * or y.
 */
export function log_softmax_backward_f32(
  dx: usize,
  g: usize,
  y: usize,
  outer: i32,
  r: i32,
  inner: i32,
  stride: i32,
): void {
  backward<Identity, LogSoftmaxGradient>(dx, g, y, outer, r, inner, stride);
}

/** dx = Gradient(g, y, sum over r of Term(g, y)). */
function backward<Term, Gradient>(dx: usize, g: usize, y: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  const zero = f32x4.splat(0),
    row = (<usize>stride) << 2,
    skip = <usize>r * row;
  for (let o = 0; o < outer; o++, dx += skip, g += skip, y += skip) {
    if (stride == 1) {
      const sum = <f32>sumRow<Term>(0, g, y, 0, r);
      mapRow<Gradient>(dx, g, y, 0, 0, r, sum);
      continue;
    }
    for (let i = 0; i < inner; i += 4) {
      const at = (<usize>i) << 2,
        lanes = min(4, inner - i);
      const sum = Columns.sum4<Term>(0, g + at, y + at, 0, 0, zero, zero, r, row, lanes, 1);
      Columns.map4<Gradient>(dx + at, g + at, y + at, r, row, lanes, sum, zero, zero, zero);
    }
  }
}
