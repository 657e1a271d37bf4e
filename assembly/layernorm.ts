// Layer norm over the columns of x[rows, cols], contiguous f32, forward beside backward.
// `stride` is the distance from sample to sample, in elements: cols;
// more where a kernel does a part of the columns, which get the bits they would have had among the others.
// xhat = (x - mean) * rstd throughout; variances are biased. weight = 0 means ones, bias = 0 zeros. workspace: at least
// 16 KiB, aligned to 16. Every kernel overwrites its outputs unless said; dx may be g, out may be x.

import { Columns } from "./columnloops";
import { madd } from "./lanes";
import { Moments } from "./moments";
import { Rows } from "./rowloops";
import { ROW_PARAMETERS, USES_B, USES_W, USES_Y, Value } from "./terms";

/** xhat * weight + bias. */
@final
@unmanaged
class Normalize {
  @inline uses(): i32 {
    return USES_W | USES_B;
  }
  @inline value(x: v128, y: v128, w: v128, b: v128, mean: v128, rstd: v128, s: v128, t: v128): v128 {
    return madd(f32x4.mul(f32x4.sub(x, mean), rstd), w, b);
  }
}

/** g * xhat; mean and rstd belong to the row. */
@final
@unmanaged
class RowCorrelation {
  @inline uses(): i32 {
    return USES_Y | ROW_PARAMETERS;
  }
  @inline value(g: v128, x: v128, w: v128, b: v128, mean: v128, rstd: v128, s: v128, t: v128): v128 {
    return f32x4.mul(g, f32x4.mul(f32x4.sub(x, mean), rstd));
  }
}

/** g * weight * rstd - ((x - mean) * slope + offset). */
@final
@unmanaged
class LayerNormGradient {
  @inline uses(): i32 {
    return USES_Y | USES_W;
  }
  @inline value(g: v128, x: v128, w: v128, b: v128, mean: v128, rstd: v128, slope: v128, offset: v128): v128 {
    return f32x4.sub(f32x4.mul(f32x4.mul(g, w), rstd), madd(f32x4.sub(x, mean), slope, offset));
  }
}

/**
 * out[rows, cols] = xhat * weight[cols] + bias[cols], with mean[rows] and rstd[rows] = 1 / sqrt(variance + eps) kept
 * for the way back (torch.nn.functional.layer_norm).
 */
export function layer_norm_forward_f32(
  out: usize,
  mean: usize,
  rstd: usize,
  x: usize,
  weight: usize,
  bias: usize,
  rows: i32,
  cols: i32,
  eps: f32,
): void {
  const zero = f32x4.splat(0),
    stride = (<usize>cols) << 2;
  for (let i = 0; i < rows; i++, out += stride, x += stride, mean += 4, rstd += 4) {
    const moments = Moments.of(x, cols);
    const m = <f32>f64x2.extract_lane(moments, 0),
      r = <f32>(1 / sqrt(f64x2.extract_lane(moments, 1) + eps));
    store<f32>(mean, m);
    store<f32>(rstd, r);
    Rows.map<Normalize>(out, x, 0, weight, bias, cols, f32x4.splat(m), f32x4.splat(r), zero, zero);
  }
}

/** dx = rstd * (gw - mean of gw - xhat * mean of gw * xhat), gw = g * weight, the means over the row. */
export function layer_norm_backward_f32(
  dx: usize,
  g: usize,
  x: usize,
  mean: usize,
  rstd: usize,
  weight: usize,
  rows: i32,
  cols: i32,
): void {
  const stride = (<usize>cols) << 2;
  for (let i = 0; i < rows; i++, dx += stride, g += stride, x += stride, mean += 4, rstd += 4) {
    const m = v128.load32_splat(mean),
      r = v128.load32_splat(rstd);
    const factor = <f64>load<f32>(rstd) / cols;
    const sums = Moments.gradient(g, x, weight, cols, m, r);
    const offset = <f32>(f64x2.extract_lane(sums, 0) * factor);
    const slope = <f32>(f64x2.extract_lane(sums, 1) * factor * load<f32>(rstd));
    Rows.map<LayerNormGradient>(dx, g, x, weight, 0, cols, m, r, f32x4.splat(slope), f32x4.splat(offset));
  }
}

/** dweight[cols] = sum over rows of g * xhat, dbias[cols] = sum over rows of g; one that is 0 is left out. */
export function layer_norm_backward_params_f32(
  dweight: usize,
  dbias: usize,
  g: usize,
  x: usize,
  mean: usize,
  rstd: usize,
  rows: i32,
  cols: i32,
  stride: i32,
  workspace: usize,
): void {
  const row = (<usize>stride) << 2;
  if (dweight) Columns.sum<RowCorrelation>(dweight, g, x, mean, rstd, rows, cols, row, 1, workspace);
  if (dbias) Columns.sum<Value>(dbias, g, 0, 0, 0, rows, cols, row, 1, workspace);
}
