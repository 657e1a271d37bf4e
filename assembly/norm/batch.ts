// Batch norm over x[n, c, s], contiguous f32, forward beside backward. `stride` is the distance between samples in
// elements: c * s, or more where a call computes some of the channels, which get the same bits as in a call for all.
// xhat = (x - mean) * rstd throughout; variances are biased. weight = 0 means ones, bias = 0 zeros. workspace: at least
// 16 KiB, aligned to 16. Every kernel overwrites its outputs unless said; dx may be g, out may be x.
import { Columns } from "../columns";
import { ACT_RELU } from "../gemm/epilogue";
import { madd } from "../lanes";
import { mapRow } from "../loops";
import { Identity, SquaredDeviation, USES_P, USES_Q, USES_S, USES_T, USES_Y } from "../ops";
import { mapChannels } from "./channelmap";
import { Moments, xhat } from "./moments";

/** g * xhat; mean and rstd belong to the column. */
@final
@unmanaged
class Correlation {
  @inline uses(): i32 {
    return USES_Y | USES_Q;
  }
  @inline forward(g: v128, x: v128, mean: v128, rstd: v128): v128 {
    return f32x4.mul(g, xhat(x, mean, rstd));
  }
}

/** mean[c] and biased variance[c] of x[n, c, s] over n and s. */
export function batch_norm_stats_f32(
  mean: usize,
  variance: usize,
  x: usize,
  n: i32,
  c: i32,
  s: i32,
  stride: i32,
  workspace: usize,
): void {
  const sample = (<usize>stride) << 2;
  const scale = 1 / (<f64>n * <f64>s);
  if (s == 1) {
    Columns.sum<Identity>(mean, x, 0, 0, 0, n, c, sample, scale, workspace);
    Columns.sum<SquaredDeviation>(variance, x, 0, mean, 0, n, c, sample, scale, workspace);
    return;
  }
  Moments.ofChannels(mean, variance, x, n, c, s, sample, workspace);
}

@final
@unmanaged
class Interpolate {
  @inline uses(): i32 {
    return USES_Y | USES_Q;
  }
  @inline forward(x: v128, y: v128, keep: v128, take: v128): v128 {
    return f32x4.add(f32x4.mul(x, keep), f32x4.mul(y, take));
  }
}

/**
 * runningMean[c] = (1 - momentum) * runningMean + momentum * mean, and likewise runningVar with variance * unbias,
 * where unbias = N / (N - 1) for N values a channel. In place.
 */
export function batch_norm_update_f32(
  runningMean: usize,
  runningVar: usize,
  mean: usize,
  variance: usize,
  c: i32,
  momentum: f32,
  unbias: f32,
): void {
  const keep: f32 = 1 - momentum;
  mapRow<Interpolate>(runningMean, runningMean, mean, 0, 0, c, keep, momentum);
  mapRow<Interpolate>(runningVar, runningVar, variance, 0, 0, c, keep, momentum * unbias);
}

@final
@unmanaged
class InverseRoot {
  @inline uses(): i32 {
    return USES_P;
  }
  @inline forward(x: v128, eps: v128): v128 {
    return f32x4.div(f32x4.splat(1), f32x4.sqrt(f32x4.add(x, eps)));
  }
}

/** out[n] = 1 / sqrt(variance[n] + eps). out may be variance. */
export function rstd_f32(out: usize, variance: usize, n: i32, eps: f32): void {
  mapRow<InverseRoot>(out, variance, 0, 0, 0, n, eps);
}

// Channel maps (channelmap.ts).

/** What the results of BatchNorm are at least: 0 for relu. */
let least: f32 = -Infinity;

/** (x - mean) * slope + offset, at least `gain`; NaN stays NaN, and -0 stays -0. */
@final
@unmanaged
class BatchNorm {
  @inline uses(): i32 {
    return USES_T;
  }
  @inline slope(rstd: v128, w: v128, dw: v128): v128 {
    return f32x4.mul(rstd, w);
  }
  @inline gain(rstd: v128, w: v128): v128 {
    return f32x4.splat(least);
  }
  @inline offset(rstd: v128, w: v128, b: v128, db: v128): v128 {
    return b;
  }
  @inline forward(x: v128, mean: v128, slope: v128, gain: v128, offset: v128): v128 {
    return f32x4.pmax(madd(f32x4.sub(x, mean), slope, offset), gain);
  }
}

/** g * gain + (x - mean) * slope + offset. */
@final
@unmanaged
class BatchNormGradient {
  @inline uses(): i32 {
    return USES_Y | USES_T;
  }
  @inline slope(rstd: v128, w: v128, dw: v128): v128 {
    return f32x4.neg(f32x4.mul(f32x4.mul(rstd, w), f32x4.mul(rstd, dw)));
  }
  @inline gain(rstd: v128, w: v128): v128 {
    return f32x4.mul(rstd, w);
  }
  @inline offset(rstd: v128, w: v128, b: v128, db: v128): v128 {
    return f32x4.neg(f32x4.mul(f32x4.mul(rstd, w), db));
  }
  @inline forward(g: v128, x: v128, mean: v128, slope: v128, gain: v128, offset: v128): v128 {
    return f32x4.add(f32x4.mul(g, gain), madd(f32x4.sub(x, mean), slope, offset));
  }
}

/** g * gain. */
@final
@unmanaged
class BatchNormEvalGradient {
  @inline uses(): i32 {
    return USES_S;
  }
  @inline slope(rstd: v128, w: v128, dw: v128): v128 {
    return rstd;
  }
  @inline gain(rstd: v128, w: v128): v128 {
    return f32x4.mul(rstd, w);
  }
  @inline offset(rstd: v128, w: v128, b: v128, db: v128): v128 {
    return rstd;
  }
  @inline forward(g: v128, mean: v128, slope: v128, gain: v128): v128 {
    return f32x4.mul(g, gain);
  }
}

/**
 * out[n, c, s] = act(xhat * weight[c] + bias[c]), by mean[c] and rstd[c] (torch.nn.functional.batch_norm). act: 0 none,
 * 1 relu.
 */
export function batch_norm_forward_f32(
  out: usize,
  x: usize,
  mean: usize,
  rstd: usize,
  weight: usize,
  bias: usize,
  n: i32,
  c: i32,
  s: i32,
  stride: i32,
  act: i32,
): void {
  least = act == ACT_RELU ? 0 : -Infinity;
  mapChannels<BatchNorm>(out, x, 0, mean, rstd, weight, bias, 0, 0, n, c, s, stride, 1);
}

/**
 * Reverses batch_norm_forward_f32 in weight and bias: dweight[c] = sum over n and s of g * xhat, dbias[c] = sum over n
 * and s of g.
 */
export function batch_norm_backward_params_f32(
  dweight: usize,
  dbias: usize,
  g: usize,
  x: usize,
  mean: usize,
  rstd: usize,
  n: i32,
  c: i32,
  s: i32,
  stride: i32,
  workspace: usize,
): void {
  const sample = (<usize>stride) << 2;
  if (s == 1) {
    Columns.sum<Correlation>(dweight, g, x, mean, rstd, n, c, sample, 1, workspace);
    Columns.sum<Identity>(dbias, g, 0, 0, 0, n, c, sample, 1, workspace);
    return;
  }
  Moments.gradients(dweight, dbias, g, x, mean, rstd, n, 0, 1, s, 0, c, sample, workspace);
}

/**
 * Reverses batch_norm_forward_f32 in x: dx = weight * rstd * (g - dbias / N - xhat * dweight / N), N = count, n * s
 * of the whole batch: the gradient through the batch's own mean and variance, with dweight = sum of g * xhat and
 * dbias = sum of g.
 */
export function batch_norm_backward_f32(
  dx: usize,
  g: usize,
  x: usize,
  mean: usize,
  rstd: usize,
  weight: usize,
  dweight: usize,
  dbias: usize,
  n: i32,
  c: i32,
  s: i32,
  stride: i32,
  count: i32,
): void {
  mapChannels<BatchNormGradient>(dx, g, x, mean, rstd, weight, 0, dweight, dbias, n, c, s, stride, count);
}

/**
 * Reverses batch_norm_forward_f32 in x: dx = g * weight * rstd, the gradient where mean and rstd are constants (eval
 * mode).
 */
export function batch_norm_backward_eval_f32(
  dx: usize,
  g: usize,
  rstd: usize,
  weight: usize,
  n: i32,
  c: i32,
  s: i32,
  stride: i32,
): void {
  mapChannels<BatchNormEvalGradient>(dx, g, 0, 0, rstd, weight, 0, 0, 0, n, c, s, stride, 1);
}
