// Group norm over x[n, groups * c, s], contiguous f32, forward beside backward: the c channels of a group have one mean
// and one rstd, weight and bias belong to the channel. xhat = (x - mean) * rstd; variances are biased and taken in two
// passes. weight = 0 means ones, bias = 0 zeros. Every kernel overwrites its outputs; dx may be g, out may be x.
// Instance norm has groups of one channel, layer norm over everything but n has one group.
import { madd } from "../lanes";
import { mapRow } from "../loops";
import { SHALLOW, USES_B, USES_S, USES_T, USES_W, USES_Y } from "../ops";
import { Moments } from "./moments";

// A group is computed run by run. A run is a channel, whose elements share a weight; or the whole group, with the
// weights as a stream, where channels have one element or there are no weights.

/** (x - mean) * slope * w + (offset + b). */
@final
@unmanaged
class Normalize {
  @inline uses(): i32 {
    return USES_W | USES_B | USES_S;
  }
  @inline forward(x: v128, w: v128, b: v128, mean: v128, slope: v128, offset: v128): v128 {
    return madd(f32x4.mul(f32x4.sub(x, mean), slope), w, f32x4.add(offset, b));
  }
}

/** (x - mean) * slope + offset: Normalize without streams. */
@final
@unmanaged
class NormalizeRun {
  @inline uses(): i32 {
    // V8's revectorizer (Node 24) ends the process over four of these at a time.
    return SHALLOW | USES_S;
  }
  @inline forward(x: v128, mean: v128, slope: v128, offset: v128): v128 {
    return madd(f32x4.sub(x, mean), slope, offset);
  }
}

/** g * gain - ((x - mean) * slope + offset): Gradient without a stream. */
@final
@unmanaged
class GradientRun {
  @inline uses(): i32 {
    return USES_Y | USES_T;
  }
  @inline forward(g: v128, x: v128, mean: v128, gain: v128, slope: v128, offset: v128): v128 {
    return f32x4.sub(f32x4.mul(g, gain), madd(f32x4.sub(x, mean), slope, offset));
  }
}

/** g * w * gain - ((x - mean) * slope + offset). */
@final
@unmanaged
class Gradient {
  @inline uses(): i32 {
    return USES_Y | USES_W | USES_T;
  }
  @inline forward(g: v128, x: v128, w: v128, mean: v128, gain: v128, slope: v128, offset: v128): v128 {
    return f32x4.sub(f32x4.mul(f32x4.mul(g, w), gain), madd(f32x4.sub(x, mean), slope, offset));
  }
}

/** Element i of p, or `absent` where p is 0. */
@inline
function elementOf(p: usize, i: i32, absent: f32): f32 {
  return p ? load<f32>(p + ((<usize>i) << 2)) : absent;
}

/**
 * out = xhat * weight + bias, with mean[n, groups] and rstd[n, groups] saved for backward
 * (torch.nn.functional.group_norm).
 */
export function group_norm_forward_f32(
  out: usize,
  mean: usize,
  rstd: usize,
  x: usize,
  weight: usize,
  bias: usize,
  n: i32,
  groups: i32,
  c: i32,
  s: i32,
  eps: f32,
): void {
  const size = c * s,
    streams = s == 1 || !(weight | bias);
  const run = streams ? size : s,
    runs = streams ? 1 : c,
    bytes = (<usize>run) << 2;
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < groups; k++, mean += 4, rstd += 4) {
      const moments = Moments.of(x, size);
      const m = <f32>f64x2.extract_lane(moments, 0),
        r = <f32>(1 / sqrt(f64x2.extract_lane(moments, 1) + eps));
      store<f32>(mean, m);
      store<f32>(rstd, r);
      for (let j = 0, channel = k * c; j < runs; j++, channel++, out += bytes, x += bytes) {
        const at = (<usize>channel) << 2,
          w = streams && weight ? weight + at : 0,
          b = streams && bias ? bias + at : 0;
        const slope = streams ? r : r * elementOf(weight, channel, 1),
          offset: f32 = streams ? 0 : elementOf(bias, channel, 0);
        if (w | b) mapRow<Normalize>(out, x, 0, w, b, run, m, slope, offset);
        else mapRow<NormalizeRun>(out, x, 0, 0, 0, run, m, slope, offset);
      }
    }
  }
}

/**
 * Reverses group_norm_forward_f32 in x: dx = rstd * (gw - mean of gw - xhat * mean of gw * xhat), gw = g * weight, the
 * means over the group.
 */
export function group_norm_backward_f32(
  dx: usize,
  g: usize,
  x: usize,
  mean: usize,
  rstd: usize,
  weight: usize,
  n: i32,
  groups: i32,
  c: i32,
  s: i32,
): void {
  const size = c * s,
    streams = s == 1 || !weight;
  const run = streams ? size : s,
    runs = streams ? 1 : c,
    bytes = (<usize>run) << 2,
    all = (<usize>size) << 2;
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < groups; k++, mean += 4, rstd += 4, dx += all, g += all, x += all) {
      const m = load<f32>(mean),
        r = load<f32>(rstd),
        own = weight ? weight + ((<usize>k * c) << 2) : 0;
      const stream = streams ? own : 0;
      let sums = f64x2.splat(0);
      for (let j = 0; j < runs; j++) {
        const at = <usize>j * bytes,
          w: f64 = streams ? 1 : load<f32>(own + ((<usize>j) << 2));
        sums = f64x2.add(sums, f64x2.mul(Moments.gradient(g + at, x + at, stream, run, m, r), f64x2.splat(w)));
      }
      const factor = <f64>r / size;
      const offset = <f32>(f64x2.extract_lane(sums, 0) * factor),
        slope = <f32>(f64x2.extract_lane(sums, 1) * factor * r);
      for (let j = 0; j < runs; j++) {
        const at = <usize>j * bytes,
          gain = streams ? r : r * load<f32>(own + ((<usize>j) << 2));
        if (stream) mapRow<Gradient>(dx + at, g + at, x + at, stream, 0, run, m, gain, slope, offset);
        else mapRow<GradientRun>(dx + at, g + at, x + at, 0, 0, run, m, gain, slope, offset);
      }
    }
  }
}

/**
 * Reverses group_norm_forward_f32 in weight and bias: dweight[groups * c] = sum over n and s of g * xhat, dbias[groups
 * * c] = sum over n and s of g. Does `channels` of them from channel `first` on, with the same bits; the pointers are
 * those of the whole, so that only the two numbers differ from slice to slice. workspace: at least 16 KiB, aligned to
 * 16.
 */
export function group_norm_backward_params_f32(
  dweight: usize,
  dbias: usize,
  g: usize,
  x: usize,
  mean: usize,
  rstd: usize,
  n: i32,
  groups: i32,
  c: i32,
  s: i32,
  first: i32,
  channels: i32,
  workspace: usize,
): void {
  const sample = (<usize>groups * c * s) << 2,
    end = first + channels;
  Moments.gradients(dweight, dbias, g, x, mean, rstd, n, groups, c, s, first, end, sample, workspace);
}
