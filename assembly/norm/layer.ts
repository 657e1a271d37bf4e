// Layer norm over the columns of x[rows, cols], contiguous f32, forward beside backward. `stride` is the distance
// between rows in elements: cols, or more where a call computes some of the columns, which get the same bits as in a
// call for all. xhat = (x - mean) * rstd throughout; variances are biased. weight = 0 means ones, bias = 0 zeros.
// workspace: at least 16 KiB, aligned to 16. Every kernel overwrites its outputs unless said; dx may be g, out may be
// x.
import { Columns } from "../columns";
import { madd } from "../lanes";
import { mapRow } from "../loops";
import { Identity, ROW_PARAMETERS, USES_B, USES_Q, USES_T, USES_W, USES_Y } from "../ops";
import { Moments, xhat } from "./moments";

/** xhat * weight + bias. */
@final
@unmanaged
class Normalize {
  @inline uses(): i32 {
    return USES_W | USES_B | USES_Q;
  }
  @inline forward(x: v128, w: v128, b: v128, mean: v128, rstd: v128): v128 {
    return madd(f32x4.mul(f32x4.sub(x, mean), rstd), w, b);
  }
}

/** g * xhat; mean and rstd belong to the row. */
@final
@unmanaged
class RowCorrelation {
  @inline uses(): i32 {
    return USES_Y | ROW_PARAMETERS | USES_Q;
  }
  @inline forward(g: v128, x: v128, mean: v128, rstd: v128): v128 {
    return f32x4.mul(g, xhat(x, mean, rstd));
  }
}

/** g * weight * rstd - ((x - mean) * slope + offset). */
@final
@unmanaged
class LayerNormGradient {
  @inline uses(): i32 {
    return USES_Y | USES_W | USES_T;
  }
  @inline forward(g: v128, x: v128, w: v128, mean: v128, rstd: v128, slope: v128, offset: v128): v128 {
    return f32x4.sub(f32x4.mul(f32x4.mul(g, w), rstd), madd(f32x4.sub(x, mean), slope, offset));
  }
}

/**
 * out[rows, cols] = xhat * weight[cols] + bias[cols], with mean[rows] and rstd[rows] = 1 / sqrt(variance + eps) saved
 * for backward (torch.nn.functional.layer_norm). Not centered, the mean counts as 0, also where it is saved, and the
 * variance is the mean of the squares (torch.nn.functional.rms_norm).
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
  centered: i32,
): void {
  const stride = (<usize>cols) << 2;
  for (let i = 0; i < rows; i++, out += stride, x += stride, mean += 4, rstd += 4) {
    const moments = Moments.of(x, cols);
    let center = f64x2.extract_lane(moments, 0),
      variance = f64x2.extract_lane(moments, 1);
    if (!centered) {
      variance += center * center;
      center = 0;
    }
    const m = <f32>center,
      r = <f32>(1 / sqrt(variance + eps));
    store<f32>(mean, m);
    store<f32>(rstd, r);
    mapRow<Normalize>(out, x, 0, weight, bias, cols, m, r);
  }
}

/**
 * Reverses layer_norm_forward_f32 in x: dx = rstd * (gw - mean of gw - xhat * mean of gw * xhat), gw = g * weight, the
 * means over the row. Not centered, the mean of gw counts as 0.
 */
export function layer_norm_backward_f32(
  dx: usize,
  g: usize,
  x: usize,
  mean: usize,
  rstd: usize,
  weight: usize,
  rows: i32,
  cols: i32,
  centered: i32,
): void {
  const stride = (<usize>cols) << 2;
  for (let i = 0; i < rows; i++, dx += stride, g += stride, x += stride, mean += 4, rstd += 4) {
    const m = load<f32>(mean),
      r = load<f32>(rstd),
      factor = <f64>r / cols;
    const sums = Moments.gradient(g, x, weight, cols, m, r);
    const offset = centered ? <f32>(f64x2.extract_lane(sums, 0) * factor) : 0;
    const slope = <f32>(f64x2.extract_lane(sums, 1) * factor * r);
    mapRow<LayerNormGradient>(dx, g, x, weight, 0, cols, m, r, slope, offset);
  }
}

/**
 * Reverses layer_norm_forward_f32 in weight and bias: dweight[cols] = sum over rows of g * xhat, dbias[cols] = sum over
 * rows of g.
 */
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
  Columns.sum<RowCorrelation>(dweight, g, x, mean, rstd, rows, cols, row, 1, workspace);
  Columns.sum<Identity>(dbias, g, 0, 0, 0, rows, cols, row, 1, workspace);
}
