// Connectionist temporal classification (Graves et al. 2006), unreduced, on log-probabilities logp[time, n, classes]:
// the frames of a sample lie `step` elements apart. A target of L labels has the states blank, label 1, blank, label 2
// ... blank, 2 L + 1 of them, of which alpha[n, time, width] has room for the longest. Rows of alpha and beta are kept
// near 0 by their largest value, so that long sequences lose no digits. Samples are independent of each other.
// Outputs are overwritten; alpha beyond a sample's frames and states is not.
import { horizontalSum, lanesMask, loadLanes, storeLanes } from "../lanes";
import { exp, expNegative, log } from "../math";

/** Label i of a sample; blank where there is none. */
@inline
function labelAt(targets: usize, i: i32, length: i32, blank: i32): i32 {
  return <u32>i < <u32>length ? load<i32>(targets + ((<usize>i) << 2)) : blank;
}

/** The log-probabilities of the states blank, first, blank, second in a frame. */
@inline
function emissions(frame: usize, blank: i32, first: i32, second: i32): v128 {
  const rest = v128.load32_splat(frame + ((<usize>blank) << 2));
  const one = f32x4.replace_lane(rest, 1, load<f32>(frame + ((<usize>first) << 2)));
  return f32x4.replace_lane(one, 3, load<f32>(frame + ((<usize>second) << 2)));
}

/** All ones in the lanes of labels that differ from the label beside them: the blank between may be left out. */
@inline
function skips(a: i32, b: i32, c: i32): v128 {
  return i32x4(0, a == b ? 0 : -1, 0, b == c ? 0 : -1);
}

/** log(e^a + e^b + e^c), c only where it may be skipped to. -Inf where all are. */
@inline
function paths(a: v128, b: v128, c: v128, skip: v128): v128 {
  const third = v128.bitselect(c, f32x4.splat(-Infinity), skip);
  const top = f32x4.pmax(f32x4.pmax(f32x4.pmax(f32x4.splat(-1e30), a), b), third);
  const sum = f32x4.add(
    f32x4.add(expNegative(f32x4.sub(a, top)), expNegative(f32x4.sub(b, top))),
    expNegative(f32x4.sub(third, top)),
  );
  return f32x4.add(log(sum), top);
}

/** Lanes of a row of states less `shift`, -Inf beyond its end. */
@inline
function states(p: usize, left: i32, shift: v128): v128 {
  if (left <= 0) return f32x4.splat(-Infinity);
  const lanes = min(4, left);
  return v128.bitselect(f32x4.sub(loadLanes(p, lanes), shift), f32x4.splat(-Infinity), lanesMask(lanes));
}

@inline
function largest(v: v128): f32 {
  const pair = f32x4.pmax(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(f32x4.pmax(pair, v128.shuffle<i32>(pair, pair, 1, 0, 3, 2)), 0);
}

/** What keeps a row near 0: its largest value, 0 where there is none. */
@inline
function shiftOf(top: v128): f32 {
  const value = largest(top);
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
  const none = f32x4.splat(-Infinity);
  for (let sample = 0; sample < n; sample++) {
    const count = load<i32>(frames + ((<usize>sample) << 2)),
      length = load<i32>(lengths + ((<usize>sample) << 2)),
      end = 2 * length + 1;
    const own = targets + ((<usize>sample * labels) << 2);
    let frame = logp + ((<usize>sample * classes) << 2),
      row = alpha + ((<usize>sample * time * width) << 2),
      above = row;
    let offset: f64 = 0,
      shift: f32 = 0;
    for (let t = 0; t < count; t++, frame += (<usize>step) << 2, above = row, row += (<usize>width) << 2) {
      let top = none,
        before = none,
        last = blank;
      for (let s = 0; s < end; s += 4) {
        const at = (<usize>s) << 2,
          i = s >> 1;
        let current = states(above + at, end - s, f32x4.splat(shift));
        if (t == 0) current = s == 0 ? f32x4(0, -Infinity, -Infinity, -Infinity) : none;
        const first = labelAt(own, i, length, blank),
          second = labelAt(own, i + 1, length, blank);
        const y = f32x4.add(
          paths(
            current,
            v128.shuffle<i32>(before, current, 3, 4, 5, 6),
            v128.shuffle<i32>(before, current, 2, 3, 4, 5),
            skips(last, first, second),
          ),
          emissions(frame, blank, first, second),
        );
        const lanes = min(4, end - s);
        storeLanes(row + at, y, lanes);
        top = f32x4.pmax(top, v128.bitselect(y, none, lanesMask(lanes)));
        before = current;
        last = second;
      }
      shift = shiftOf(top);
      offset += shift;
    }
    let loss: f32 = length == 0 ? 0 : Infinity;
    if (count > 0) {
      const ends = above + ((<usize>end) << 2);
      const final = f32x4(load<f32>(ends - 4) - shift, length == 0 ? -Infinity : load<f32>(ends - 8) - shift, 0, 0);
      const ways = f32x4.splat(horizontalSum(v128.and(expNegative(final), i64x2(-1, 0))));
      loss = <f32>-(offset + <f64>f32x4.extract_lane(log(ways), 0));
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
  const none = f32x4.splat(-Infinity),
    stride = (<usize>step) << 2,
    line = (<usize>width) << 2;
  for (let sample = 0; sample < n; sample++, beta += 2 * line) {
    const count = load<i32>(frames + ((<usize>sample) << 2)),
      length = load<i32>(lengths + ((<usize>sample) << 2)),
      end = 2 * length + 1,
      scale = load<f32>(g + ((<usize>sample) << 2));
    const own = targets + ((<usize>sample * labels) << 2),
      column = (<usize>sample * classes) << 2,
      ways = beta + line;
    // A loss that counts for nothing may be infinite.
    const used = scale == 0 ? 0 : count;
    for (let t = used; t < time; t++) memory.fill(dlogp + column + <usize>t * stride, 0, (<usize>classes) << 2);
    let shift: f32 = 0;
    for (let t = used - 1; t >= 0; t--) {
      const frame = logp + column + <usize>t * stride,
        row = alpha + (<usize>sample * time + t) * line;
      let top = none,
        peak = none,
        current = states(beta, end, f32x4.splat(shift)),
        first = labelAt(own, 0, length, blank),
        second = labelAt(own, 1, length, blank);
      for (let s = 0; s < end; s += 4) {
        const at = (<usize>s) << 2,
          lanes = min(4, end - s),
          mask = lanesMask(lanes),
          third = labelAt(own, (s >> 1) + 2, length, blank);
        const next = states(beta + at + 16, end - s - 4, f32x4.splat(shift));
        let after: v128;
        if (t == count - 1) {
          const left = i32x4.sub(i32x4.splat(end - s), i32x4(0, 1, 2, 3));
          after = v128.bitselect(f32x4.splat(0), none, i32x4.le_s(left, i32x4.splat(2)));
        } else {
          after = paths(
            current,
            v128.shuffle<i32>(current, next, 1, 2, 3, 4),
            v128.shuffle<i32>(current, next, 2, 3, 4, 5),
            skips(first, second, third),
          );
        }
        const through = f32x4.add(loadLanes(row + at, lanes), after),
          y = f32x4.add(after, emissions(frame, blank, first, second));
        storeLanes(ways + at, through, lanes);
        storeLanes(beta + at, y, lanes);
        peak = f32x4.pmax(peak, v128.bitselect(through, none, mask));
        top = f32x4.pmax(top, v128.bitselect(y, none, mask));
        current = next;
        first = third;
        second = labelAt(own, (s >> 1) + 3, length, blank);
      }
      shift = shiftOf(top);
      shareOut(dlogp + column + <usize>t * stride, ways, frame, own, largest(peak), scale, length, classes, blank);
    }
  }
}

/** dx[classes] = scale (e^logp - the shares of the classes); ways[2 length + 1] are logarithms, the largest is peak. */
function shareOut(
  dx: usize,
  ways: usize,
  logp: usize,
  targets: usize,
  peak: f32,
  scale: f32,
  length: i32,
  classes: i32,
  blank: i32,
): void {
  let sum = f32x4.splat(0);
  for (let left = 2 * length + 1, p = ways; left > 0; left -= 4, p += 16) {
    const lanes = min(4, left);
    const share = expNegative(f32x4.sub(loadLanes(p, lanes), f32x4.splat(peak)));
    storeLanes(p, share, lanes);
    sum = f32x4.add(sum, v128.and(share, lanesMask(lanes)));
  }
  // Where there is no way, the loss is infinite and has no gradient.
  const whole = f32x4.splat(peak > -Infinity ? scale : NaN),
    part = scale / horizontalSum(sum);
  for (let left = classes, p = dx; left > 0; left -= 4, p += 16, logp += 16) {
    const lanes = min(4, left);
    storeLanes(p, f32x4.mul(exp(loadLanes(logp, lanes)), whole), lanes);
  }
  for (let s = 0; s <= 2 * length; s++, ways += 4) {
    const at = dx + ((<usize>(s & 1 ? labelAt(targets, s >> 1, length, blank) : blank)) << 2);
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
