// Connectionist temporal classification (Graves et al. 2006), unreduced, on log-probabilities logp[time, n, classes]:
// the frames of a sample lie `step` elements apart. A target of L labels has the states blank, label 1, blank, label 2
// ... blank, 2 L + 1 of them, of which alpha[n, time, width] has room for the longest. Rows of alpha and beta are kept
// near 0 by their largest value, so that long sequences lose no digits. Samples are independent of each other.
// Outputs are overwritten; alpha beyond a sample's frames and states is not.
import { horizontalSum, lanesMask, loadLanes, madd, storeLanes } from "../lanes";
import { exp, expNegative, logOneAnd } from "../math";

// Beta is alpha of the reversed frames and labels: its rows hold the last state first.

/** Label i of a sample, whose labels lie `stride` bytes apart; blank where there is none. */
@inline
function labelAt(labels: usize, i: i32, stride: i32, length: i32, blank: i32): i32 {
  return <u32>i < <u32>length ? load<i32>(labels + i * stride) : blank;
}

/** The log-probabilities of the states blank, first, blank, second in a frame. */
@inline
function emissions(frame: usize, blank: i32, first: i32, second: i32): v128 {
  const rest = v128.load32_splat(frame + ((<usize>blank) << 2));
  const one = f32x4.replace_lane(rest, 1, load<f32>(frame + ((<usize>first) << 2)));
  return f32x4.replace_lane(one, 3, load<f32>(frame + ((<usize>second) << 2)));
}

/** log(e^a + e^b + e^c): e^0 of the largest is 1. -Inf where all are, NaN where one is. */
function paths(a: v128, b: v128, c: v128): v128 {
  const high = f32x4.pmax(a, b),
    low = f32x4.pmin(b, a);
  const top = f32x4.pmax(high, c),
    middle = f32x4.pmax(low, f32x4.pmin(c, high)),
    least = f32x4.pmin(c, low);
  const from = f32x4.pmax(top, f32x4.splat(-1e30));
  const others = f32x4.add(expNegative(f32x4.sub(middle, from)), expNegative(f32x4.sub(least, from)));
  return f32x4.add(logOneAnd(others), madd(others, f32x4.splat(0), top));
}

/**
 * The row of a frame out of the one before, `above` less `shift`, which may be the same; out of state 0 alone where
 * that is absent (0). to[2 length + 1] is overwritten, and, where it is not absent, bare[2 length + 1] with the row
 * without what the frame itself gives. @returns the largest number of the row, 0 where there is none
 */
function advance(
  to: usize,
  bare: usize,
  above: usize,
  shift: f32,
  frame: usize,
  labels: usize,
  stride: i32,
  length: i32,
  blank: i32,
): f32 {
  const none = f32x4.splat(-Infinity);
  let top = f32x4.splat(-1e30),
    before = none,
    last = blank;
  for (let left = 2 * length + 1, i = 0; left > 0; left -= 4, i += 2, to += 16) {
    const lanes = min(4, left),
      mask = lanesMask(lanes);
    let current = none;
    if (above) {
      current = v128.bitselect(f32x4.sub(loadLanes(above, lanes), f32x4.splat(shift)), none, mask);
      above += 16;
    } else if (i == 0) current = f32x4.replace_lane(none, 0, 0);
    const first = labelAt(labels, i, stride, length, blank),
      second = labelAt(labels, i + 1, stride, length, blank);
    // The blank between labels that differ may be left out.
    const skips = i32x4(0, last == first ? 0 : -1, 0, first == second ? 0 : -1);
    const ways = paths(
      current,
      v128.shuffle<i32>(before, current, 3, 4, 5, 6),
      v128.bitselect(v128.shuffle<i32>(before, current, 2, 3, 4, 5), none, skips),
    );
    if (bare) {
      storeLanes(bare, ways, lanes);
      bare += 16;
    }
    const y = f32x4.add(ways, emissions(frame, blank, first, second));
    storeLanes(to, y, lanes);
    top = f32x4.pmax(top, v128.bitselect(y, none, mask));
    before = current;
    last = second;
  }
  const pair = f32x4.pmax(top, v128.shuffle<i32>(top, top, 2, 3, 0, 1));
  const value = f32x4.extract_lane(f32x4.pmax(pair, v128.shuffle<i32>(pair, pair, 1, 0, 3, 2)), 0);
  return value > -1e30 ? value : 0;
}

/**
 * losses[n] = -log of the probability of all ways to the target; alpha[n, time, width] = the logarithm of that of the
 * ways to each state in each frame, up to one number a frame (torch.nn.functional.ctc_loss).
 */
export function ctc_forward_f32(
  losses: usize,
  alpha: usize,
  logp: usize,
  targets: usize,
  frames: usize,
  lengths: usize,
  n: i32,
  time: i32,
  classes: i32,
  labels: i32,
  width: i32,
  step: i32,
  blank: i32,
): void {
  for (let sample = 0; sample < n; sample++) {
    const count = load<i32>(frames + ((<usize>sample) << 2)),
      length = load<i32>(lengths + ((<usize>sample) << 2));
    const own = targets + ((<usize>sample * labels) << 2);
    let frame = logp + ((<usize>sample * classes) << 2),
      row = alpha + ((<usize>sample * time * width) << 2),
      above: usize = 0;
    let offset: f64 = 0,
      shift: f32 = 0;
    for (let t = 0; t < count; t++, frame += (<usize>step) << 2, row += (<usize>width) << 2) {
      shift = advance(row, 0, above, shift, frame, own, 4, length, blank);
      offset += shift;
      above = row;
    }
    let loss: f32 = length == 0 ? 0 : Infinity;
    if (count > 0) {
      const none = f32x4.splat(-Infinity),
        end = above + ((<usize>length) << 3);
      const ways = paths(
        f32x4.splat(load<f32>(end) - shift),
        length == 0 ? none : f32x4.splat(load<f32>(end - 4) - shift),
        none,
      );
      loss = <f32>-(offset + <f64>f32x4.extract_lane(ways, 0));
    }
    store<f32>(losses + ((<usize>sample) << 2), loss);
  }
}

/**
 * Reverses ctc_forward_f32, for log-probabilities that came out of a log softmax, as PyTorch does: dlogp[t, class] =
 * g (e^logp - the share of the ways that are at the class in frame t), 0 beyond a sample's frames. beta[n, 2, width] is
 * room for two rows.
 */
export function ctc_backward_f32(
  dlogp: usize,
  beta: usize,
  g: usize,
  alpha: usize,
  logp: usize,
  targets: usize,
  frames: usize,
  lengths: usize,
  n: i32,
  time: i32,
  classes: i32,
  labels: i32,
  width: i32,
  step: i32,
  blank: i32,
): void {
  const stride = (<usize>step) << 2,
    line = (<usize>width) << 2;
  for (let sample = 0; sample < n; sample++, beta += 2 * line) {
    const length = load<i32>(lengths + ((<usize>sample) << 2)),
      scale = load<f32>(g + ((<usize>sample) << 2));
    const last = targets + ((<usize>(sample * labels + length - 1)) << 2),
      column = (<usize>sample * classes) << 2,
      ways = beta + line;
    // A loss that counts for nothing may be infinite.
    const used = scale == 0 ? 0 : load<i32>(frames + ((<usize>sample) << 2));
    for (let t = used; t < time; t++) memory.fill(dlogp + column + <usize>t * stride, 0, (<usize>classes) << 2);
    let shift: f32 = 0,
      above: usize = 0;
    for (let t = used - 1; t >= 0; t--) {
      const frame = column + <usize>t * stride,
        row = alpha + (<usize>sample * time + t) * line + ((<usize>length) << 3);
      shift = advance(beta, ways, above, shift, logp + frame, last, -4, length, blank);
      above = beta;
      shareOut(dlogp + frame, ways, row, logp + frame, last, scale, length, classes, blank);
    }
  }
}

/**
 * dx[classes] = scale (e^logp - the shares of the classes); ways[2 length + 1] are logarithms of what follows a state,
 * the last one first, and is overwritten; those of what leads there end at alpha. The last label is at `last`.
 */
function shareOut(
  dx: usize,
  ways: usize,
  alpha: usize,
  logp: usize,
  last: usize,
  scale: f32,
  length: i32,
  classes: i32,
  blank: i32,
): void {
  let peak: f32 = -Infinity,
    p = ways;
  for (let left = 2 * length; left >= 0; left--, p += 4, alpha -= 4) {
    const through = load<f32>(p) + load<f32>(alpha);
    store<f32>(p, through);
    if (through > peak) peak = through;
  }
  p = ways;
  let sum = f32x4.splat(0);
  for (let left = 2 * length + 1; left > 0; left -= 4, p += 16) {
    const lanes = min(4, left);
    const share = expNegative(f32x4.sub(loadLanes(p, lanes), f32x4.splat(peak)));
    storeLanes(p, share, lanes);
    sum = f32x4.add(sum, v128.and(share, lanesMask(lanes)));
  }
  // Where there is no way, the loss is infinite and has no gradient.
  const whole = f32x4.splat(peak > -Infinity ? scale : NaN),
    part = scale / horizontalSum(sum);
  p = dx;
  for (let left = classes; left > 0; left -= 4, p += 16, logp += 16) {
    const lanes = min(4, left);
    storeLanes(p, f32x4.mul(exp(loadLanes(logp, lanes)), whole), lanes);
  }
  for (let s = 0; s <= 2 * length; s++, ways += 4) {
    const at = dx + ((<usize>(s & 1 ? load<i32>(last - ((<usize>(s >> 1)) << 2)) : blank)) << 2);
    store<f32>(at, load<f32>(at) - load<f32>(ways) * part);
  }
}

/**
 * The first of n samples whose frames are not 0 ... time, whose labels are not 0 ... `labels` many, or one of them no
 * class, or -1.
 */
export function check_ctc_i32(
  targets: usize,
  frames: usize,
  lengths: usize,
  n: i32,
  time: i32,
  classes: i32,
  labels: i32,
): i32 {
  for (let sample = 0; sample < n; sample++, frames += 4, lengths += 4, targets += (<usize>labels) << 2) {
    const length = load<i32>(lengths);
    if (<u32>load<i32>(frames) > <u32>time || <u32>length > <u32>labels) return sample;
    for (let i = 0; i < length; i++) if (<u32>load<i32>(targets + ((<usize>i) << 2)) >= <u32>classes) return sample;
  }
  return -1;
}
