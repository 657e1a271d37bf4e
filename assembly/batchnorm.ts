// Batch norm over x[n, c, s], contiguous f32, forward beside backward.
// `stride` is the distance from sample to sample, in elements: c * s;
// more where a kernel does a part of the channels, which get the bits they would have had among the others.
// xhat = (x - mean) * rstd throughout; variances are biased. weight = 0 means ones, bias = 0 zeros. workspace: at least
// 16 KiB, aligned to 16. Every kernel overwrites its outputs unless said; dx may be g, out may be x.

import { Columns, mapLanes } from "./columnloops";
import { loadLanes, madd } from "./lanes";
import { Moments } from "./moments";
import { Rows } from "./rowloops";
import { SquaredDeviation, USES_Y, Value } from "./terms";

/** g * xhat; mean and rstd belong to the column. */
@final
@unmanaged
class Correlation {
  @inline uses(): i32 {
    return USES_Y;
  }
  @inline value(g: v128, x: v128, w: v128, b: v128, mean: v128, rstd: v128, s: v128, t: v128): v128 {
    return f32x4.mul(g, f32x4.mul(f32x4.sub(x, mean), rstd));
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
    Columns.sum<Value>(mean, x, 0, 0, 0, n, c, sample, scale, workspace);
    Columns.sum<SquaredDeviation>(variance, x, 0, mean, 0, n, c, sample, scale, workspace);
    return;
  }
  Moments.ofChannels(mean, variance, x, n, c, s, sample, workspace);
}

@final
@unmanaged
class Interpolate {
  @inline uses(): i32 {
    return USES_Y;
  }
  @inline value(x: v128, y: v128, w: v128, b: v128, keep: v128, take: v128, s: v128, t: v128): v128 {
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
  const zero = f32x4.splat(0),
    keep = f32x4.splat(1 - momentum);
  Rows.map<Interpolate>(runningMean, runningMean, mean, 0, 0, c, keep, f32x4.splat(momentum), zero, zero);
  const take = f32x4.splat(momentum * unbias);
  Rows.map<Interpolate>(runningVar, runningVar, variance, 0, 0, c, keep, take, zero, zero);
}

@final
@unmanaged
class InverseRoot {
  @inline uses(): i32 {
    return 0;
  }
  @inline value(x: v128, y: v128, w: v128, b: v128, eps: v128, q: v128, s: v128, t: v128): v128 {
    return f32x4.div(f32x4.splat(1), f32x4.sqrt(f32x4.add(x, eps)));
  }
}

/** out[n] = 1 / sqrt(variance[n] + eps). out may be variance. */
export function rstd_f32(out: usize, variance: usize, n: i32, eps: f32): void {
  const zero = f32x4.splat(0);
  Rows.map<InverseRoot>(out, variance, 0, 0, 0, n, f32x4.splat(eps), zero, zero, zero);
}

// A channel map is a term with parameters mean, slope, gain and offset, which it makes of what the channel has:
// slope(rstd, weight, dweight / N), gain(rstd, weight) and offset(rstd, weight, bias, dbias / N).

/** (x - mean) * slope + offset. */
@final
@unmanaged
class BatchNorm {
  @inline uses(): i32 {
    return 0;
  }
  @inline slope(rstd: v128, w: v128, dw: v128): v128 {
    return f32x4.mul(rstd, w);
  }
  @inline gain(rstd: v128, w: v128): v128 {
    return rstd;
  }
  @inline offset(rstd: v128, w: v128, b: v128, db: v128): v128 {
    return b;
  }
  @inline value(x: v128, y: v128, w: v128, b: v128, mean: v128, slope: v128, gain: v128, offset: v128): v128 {
    return madd(f32x4.sub(x, mean), slope, offset);
  }
}

/** g * gain + (x - mean) * slope + offset. */
@final
@unmanaged
class BatchNormGradient {
  @inline uses(): i32 {
    return USES_Y;
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
  @inline value(g: v128, x: v128, w: v128, b: v128, mean: v128, slope: v128, gain: v128, offset: v128): v128 {
    return f32x4.add(f32x4.mul(g, gain), madd(f32x4.sub(x, mean), slope, offset));
  }
}

/** g * gain. */
@final
@unmanaged
class BatchNormEvalGradient {
  @inline uses(): i32 {
    return 0;
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
  @inline value(g: v128, y: v128, w: v128, b: v128, mean: v128, slope: v128, gain: v128, offset: v128): v128 {
    return f32x4.mul(g, gain);
  }
}

/** `lanes` channels' parameters at byte `at`, or, for lanes = 0, one in all lanes; `absent` where p is 0. */
@inline
function parameter(p: usize, at: usize, lanes: i32, absent: f32): v128 {
  if (!p) return f32x4.splat(absent);
  return lanes ? loadLanes(p + at, lanes) : v128.load32_splat(p + at);
}

/**
 * What F makes of x and y at channel k: for lanes = 0 a row of s elements of it; for lanes > 0 that many neighbouring
 * channels, one vector a row, `rows` rows with `stride` bytes between.
 */
@inline
function mapChannel<F>(
  out: usize,
  x: usize,
  y: usize,
  mean: usize,
  rstd: usize,
  weight: usize,
  bias: usize,
  dweight: usize,
  dbias: usize,
  k: i32,
  s: i32,
  lanes: i32,
  rows: i32,
  stride: usize,
  inverse: v128,
): void {
  const f = changetype<F>(0),
    at = (<usize>k) << 2;
  const m = parameter(mean, at, lanes, 0),
    r = parameter(rstd, at, lanes, 1),
    w = parameter(weight, at, lanes, 1);
  const slope: v128 = f.slope(r, w, f32x4.mul(parameter(dweight, at, lanes, 0), inverse));
  const gain: v128 = f.gain(r, w);
  const db = f32x4.mul(parameter(dbias, at, lanes, 0), inverse);
  const offset: v128 = f.offset(r, w, parameter(bias, at, lanes, 0), db);
  if (lanes) mapLanes<F>(out, x, y, rows, stride, lanes, m, slope, gain, offset);
  else Rows.map<F>(out, x, y, 0, 0, s, m, slope, gain, offset);
}

// Rows that share what is made of a vector of channels in a [n, c] map. More would share a set of the cache, where c is
// a power of 2.
const SHARING_ROWS: i32 = 4;

/** out[n, c, s] = the channel map F of x and y, samples `stride` elements apart. */
function mapChannels<F>(
  out: usize,
  x: usize,
  y: usize,
  mean: usize,
  rstd: usize,
  weight: usize,
  bias: usize,
  dweight: usize,
  dbias: usize,
  n: i32,
  c: i32,
  s: i32,
  stride: i32,
): void {
  const inverse = f32x4.splat(<f32>(1 / (<f64>n * <f64>s)));
  const skip = (<usize>s) << 2,
    sample = (<usize>stride) << 2;
  const step = s == 1 ? SHARING_ROWS : 1;
  for (let i = 0; i < n; i += step) {
    const rows = min(step, n - i);
    let k = 0,
      at = <usize>i * sample;
    if (s == 1) {
      for (; k + 4 <= c; k += 4, at += 16) {
        mapChannel<F>(
          out + at,
          x + at,
          y + at,
          mean,
          rstd,
          weight,
          bias,
          dweight,
          dbias,
          k,
          1,
          4,
          rows,
          sample,
          inverse,
        );
      }
    }
    const lanes = s == 1 ? 1 : 0;
    for (; k < c; k++, at += skip) {
      mapChannel<F>(
        out + at,
        x + at,
        y + at,
        mean,
        rstd,
        weight,
        bias,
        dweight,
        dbias,
        k,
        s,
        lanes,
        rows,
        sample,
        inverse,
      );
    }
  }
}

/** out[n, c, s] = xhat * weight[c] + bias[c], by mean[c] and rstd[c] (torch.nn.functional.batch_norm). */
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
): void {
  mapChannels<BatchNorm>(out, x, 0, mean, rstd, weight, bias, 0, 0, n, c, s, stride);
}

/** dweight[c] = sum over n and s of g * xhat, dbias[c] = sum over n and s of g; one that is 0 is left out. */
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
    if (dweight) Columns.sum<Correlation>(dweight, g, x, mean, rstd, n, c, sample, 1, workspace);
    if (dbias) Columns.sum<Value>(dbias, g, 0, 0, 0, n, c, sample, 1, workspace);
    return;
  }
  Moments.gradients(dweight, dbias, g, x, mean, rstd, n, 0, 1, s, 0, c, sample, workspace);
}

/**
 * dx = weight * rstd * (g - dbias / N - xhat * dweight / N), N = n * s: the gradient through the batch's own mean and
 * variance, with dweight = sum of g * xhat and dbias = sum of g.
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
): void {
  mapChannels<BatchNormGradient>(dx, g, x, mean, rstd, weight, 0, dweight, dbias, n, c, s, stride);
}

/** dx = g * weight * rstd: the gradient where mean and rstd are constants (eval mode). */
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
  mapChannels<BatchNormEvalGradient>(dx, g, 0, 0, rstd, weight, 0, 0, 0, n, c, s, stride);
}
