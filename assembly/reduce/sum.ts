// Sums over the middle axis of x[outer, r, inner], contiguous f32 (shape.ts says how it is cut and what stride means),
// and what follows from them. workspace: at least 16 KiB, aligned to 16. Every kernel overwrites its outputs, which may
// not alias x. Sizes may be 0: an empty sum is 0.
import { Columns } from "../columns";
import { storeLanes } from "../lanes";
import { foldRow, sumRow } from "../loops";
import { exp, log } from "../math";
import { Identity, MaximumNumber, Square, SquaredDeviation, USES_P } from "../ops";
import { bytesOf } from "./shape";

/** exp(x - base), where x may be +Infinity. */
@final
@unmanaged
class ExpAbove {
  @inline uses(): i32 {
    return USES_P;
  }
  @inline forward(x: v128, base: v128): v128 {
    return exp(f32x4.sub(x, base));
  }
}

/** out[o, i] = scale * sum over j of F(x[o, j, i], p[o, i]); p is 0 where the term takes no parameter. */
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
  const slab = bytesOf(r, stride),
    row = bytesOf(1, stride);
  for (let o = 0; o < outer; o++) {
    if (stride == 1) {
      store<f32>(out, <f32>(sumRow<F>(0, x, 0, 0, r, p ? load<f32>(p) : 0) * scale));
    } else {
      Columns.sum<F>(out, x, 0, p, 0, r, inner, row, scale, workspace);
    }
    out += row;
    x += slab;
    if (p) p += row;
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
  sums<Identity>(out, x, 0, outer, r, inner, stride, scale, workspace);
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
  sums<Identity>(mean, x, 0, outer, r, inner, stride, 1 / <f64>r, workspace);
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
    row = bytesOf(1, stride),
    slab = bytesOf(r, stride);
  for (let o = 0; o < outer; o++, out += row, x += slab) {
    for (let i = 0; i < inner; i += 4) {
      const lanes = min(4, inner - i),
        at = (<usize>i) << 2;
      let base: v128, sum: v128;
      if (stride == 1) {
        base = finite(f32x4.splat(foldRow<MaximumNumber, f32>(x, r)));
        sum = f32x4.splat(<f32>sumRow<ExpAbove>(0, x, 0, 0, r, f32x4.extract_lane(base, 0)));
      } else {
        base = finite(Columns.fold4<MaximumNumber>(x + at, r, row, lanes));
        sum = Columns.sum4<ExpAbove>(0, x + at, 0, 0, 0, base, zero, r, row, lanes, 1);
      }
      storeLanes(out + at, f32x4.add(base, log(sum)), lanes);
    }
  }
}
