// Losses, unreduced, forward beside backward: cross-entropy and NLL on i32 class targets, BCE with and without logits,
// smooth L1 and Huber. Contiguous f32. Every kernel overwrites its outputs; gradients g are of the unreduced losses.
// Class targets are checked before (check_targets_i32); one equal to ignoreIndex gives a loss and a gradient of 0.
import { clamp, expNegative, log, log1p, log1pUnit, madd, sigmoid, TAIL_SCALE } from "./lanes";
import { Rows } from "./rowloops";
import { ExpBelow, MaximumNumber, USES_B, USES_W, USES_Y, Value } from "./terms";

@inline
function classWeight(weight: usize, target: i32): f32 {
  return weight ? load<f32>(weight + ((<usize>target) << 2)) : 1;
}

// --- cross-entropy: softmax, logarithm and choice in one, on logits

/** weight * -log p, by log p = (x - max) - logSum. */
@final
@unmanaged
class WeightedSurprise {
  @inline uses(): i32 {
    return USES_W;
  }
  @inline value(x: v128, y: v128, w: v128, b: v128, max: v128, logSum: v128, s: v128, t: v128): v128 {
    return f32x4.mul(w, f32x4.add(f32x4.sub(max, x), logSum));
  }
}

/** p * pull - weight * smooth. */
@final
@unmanaged
class CrossEntropyGradient {
  @inline uses(): i32 {
    return USES_W;
  }
  @inline value(x: v128, y: v128, w: v128, b: v128, max: v128, logSum: v128, pull: v128, smooth: v128): v128 {
    const p = expNegative(f32x4.sub(f32x4.sub(x, max), logSum));
    return f32x4.sub(f32x4.mul(p, pull), f32x4.mul(w, smooth));
  }
}

/**
 * losses[rows] = -(1 - smoothing) * weight[t] * log p[t] - smoothing / classes * sum over c of weight[c] * log p[c],
 * for p = softmax(x[rows, classes]) and t = target[row] (torch.nn.functional.cross_entropy).
 * lse[rows] keeps, for the way back, the log of the sum of exp(x - max). The maximum is not in it, and the way back
 * finds it again: beside a logit of 1e4 the rest would keep four digits. weight[classes] = 0 means ones.
 */
export function cross_entropy_forward_f32(
  losses: usize,
  lse: usize,
  x: usize,
  target: usize,
  weight: usize,
  rows: i32,
  classes: i32,
  ignoreIndex: i32,
  smoothing: f32,
): void {
  const zero = f32x4.splat(0),
    stride = (<usize>classes) << 2;
  for (let i = 0; i < rows; i++, losses += 4, lse += 4, target += 4, x += stride) {
    const max = Rows.fold<MaximumNumber>(x, classes),
      maxV = f32x4.splat(max);
    const sum = Rows.sum<ExpBelow>(0, x, 0, 0, classes, maxV, zero) * TAIL_SCALE;
    const logSumV = log(f32x4.splat(<f32>sum));
    const logSum = f32x4.extract_lane(logSumV, 0);
    store<f32>(lse, logSum);
    const t = load<i32>(target);
    if (t == ignoreIndex) {
      store<f32>(losses, 0);
      continue;
    }
    const surprise = max - load<f32>(x + ((<usize>t) << 2)) + logSum;
    let loss = <f64>(1 - smoothing) * classWeight(weight, t) * surprise;
    if (smoothing != 0) {
      loss += (<f64>smoothing / classes) * Rows.sum<WeightedSurprise>(0, x, 0, weight, classes, maxV, logSumV);
    }
    store<f32>(losses, <f32>loss);
  }
}

/**
 * dx[rows, classes] = g[row] * ((1 - smoothing) * weight[t] * (p - onehot(t)) + smoothing / classes * (W * p - weight))
 * with W the sum of the weights and lse as cross_entropy_forward_f32 left it. dx may be x.
 */
export function cross_entropy_backward_f32(
  dx: usize,
  g: usize,
  x: usize,
  lse: usize,
  target: usize,
  weight: usize,
  rows: i32,
  classes: i32,
  ignoreIndex: i32,
  smoothing: f32,
): void {
  const zero = f32x4.splat(0),
    stride = (<usize>classes) << 2;
  const spread = <f64>smoothing / classes;
  const total = weight ? Rows.sum<Value>(0, weight, 0, 0, classes, zero, zero) : <f64>classes;
  for (let i = 0; i < rows; i++, g += 4, lse += 4, target += 4, x += stride, dx += stride) {
    const t = load<i32>(target);
    if (t == ignoreIndex) {
      memory.fill(dx, 0, stride);
      continue;
    }
    const gradient = <f64>load<f32>(g);
    const chosen = gradient * (1 - smoothing) * classWeight(weight, t);
    const pull = f32x4.splat(<f32>(chosen + gradient * spread * total));
    const smooth = f32x4.splat(<f32>(gradient * spread));
    const max = f32x4.splat(Rows.fold<MaximumNumber>(x, classes));
    Rows.map<CrossEntropyGradient>(dx, x, 0, weight, 0, classes, max, v128.load32_splat(lse), pull, smooth);
    const at = dx + ((<usize>t) << 2);
    store<f32>(at, load<f32>(at) - <f32>chosen);
  }
}

// --- negative log likelihood, on log-probabilities

/** losses[rows, inner] = -weight[t] * logp[row, t, i], t = target[row, i] (torch.nn.functional.nll_loss). */
export function nll_forward_f32(
  losses: usize,
  logp: usize,
  target: usize,
  weight: usize,
  rows: i32,
  classes: i32,
  inner: i32,
  ignoreIndex: i32,
): void {
  const slab = (<usize>classes * <usize>inner) << 2;
  for (let row = 0; row < rows; row++, logp += slab) {
    for (let i = 0; i < inner; i++, losses += 4, target += 4) {
      const t = load<i32>(target);
      if (t == ignoreIndex) store<f32>(losses, 0);
      else store<f32>(losses, -classWeight(weight, t) * load<f32>(logp + ((<usize>t * <usize>inner + i) << 2)));
    }
  }
}

/** dx[row, t, i] = -weight[t] * g[row, i], t = target[row, i], and 0 elsewhere. */
export function nll_backward_f32(
  dx: usize,
  g: usize,
  target: usize,
  weight: usize,
  rows: i32,
  classes: i32,
  inner: i32,
  ignoreIndex: i32,
): void {
  const slab = (<usize>classes * <usize>inner) << 2;
  memory.fill(dx, 0, <usize>rows * slab);
  for (let row = 0; row < rows; row++, dx += slab) {
    for (let i = 0; i < inner; i++, g += 4, target += 4) {
      const t = load<i32>(target);
      if (t == ignoreIndex) continue;
      store<f32>(dx + ((<usize>t * <usize>inner + i) << 2), -classWeight(weight, t) * load<f32>(g));
    }
  }
}

/**
 * out[rows] = weight[target[row]], 0 where ignored; weight[classes] = 0 means ones. Their sum is the denominator of
 * PyTorch's weighted mean.
 */
export function class_weights_f32(
  out: usize,
  target: usize,
  weight: usize,
  rows: i32,
  classes: i32,
  ignoreIndex: i32,
): void {
  for (let i = 0; i < rows; i++, out += 4, target += 4) {
    const t = load<i32>(target);
    store<f32>(out, t == ignoreIndex ? 0 : classWeight(weight, t));
  }
}

/** The index of the first of n targets that is neither ignoreIndex nor within [0, classes), or -1. */
export function check_targets_i32(target: usize, n: i32, classes: i32, ignoreIndex: i32): i32 {
  for (let i = 0; i < n; i++, target += 4) {
    const t = load<i32>(target);
    if (t != ignoreIndex && <u32>t >= <u32>classes) return i;
  }
  return -1;
}

// --- binary cross-entropy

/** (1 - t) * x + (1 + (weight - 1) * t) * log(1 + exp(-x)). */
@final
@unmanaged
class BceWithLogits {
  @inline uses(): i32 {
    return USES_Y | USES_W;
  }
  @inline value(x: v128, t: v128, w: v128, b: v128, factor: v128, q: v128, s: v128, u: v128): v128 {
    const one = f32x4.splat(1);
    const weight = madd(f32x4.sub(f32x4.mul(w, factor), one), t, one);
    const small = log1pUnit(expNegative(f32x4.neg(f32x4.abs(x))));
    const softplus = f32x4.add(small, f32x4.max(f32x4.neg(x), f32x4.splat(0)));
    return f32x4.add(f32x4.mul(f32x4.sub(one, t), x), f32x4.mul(weight, softplus));
  }
}

/** g * ((1 + (weight - 1) * t) * sigmoid(x) - weight * t); g comes as the stream b. */
@final
@unmanaged
class BceWithLogitsGradient {
  @inline uses(): i32 {
    return USES_Y | USES_W | USES_B;
  }
  @inline value(x: v128, t: v128, w: v128, g: v128, factor: v128, q: v128, s: v128, u: v128): v128 {
    const one = f32x4.splat(1),
      positive = f32x4.mul(f32x4.mul(w, factor), t);
    const weight = f32x4.add(positive, f32x4.sub(one, t));
    return f32x4.mul(g, f32x4.sub(f32x4.mul(weight, sigmoid(x)), positive));
  }
}

/** out[n] = F(x[n], t[n], posWeight[inner], g[n]), posWeight repeating along the last axis, or 0 for ones. */
function alongLastAxis<F>(out: usize, x: usize, t: usize, posWeight: usize, g: usize, n: i32, inner: i32): void {
  const one = f32x4.splat(1);
  if (!posWeight || inner == 1) {
    const factor = posWeight ? v128.load32_splat(posWeight) : one;
    Rows.map<F>(out, x, t, 0, g, n, factor, one, one, one);
    return;
  }
  for (let i = 0; i < n; i += inner) {
    const at = (<usize>i) << 2;
    Rows.map<F>(out + at, x + at, t + at, posWeight, g + at, inner, one, one, one, one);
  }
}

/**
 * out[n] = (1 - t) * x + (1 + (posWeight - 1) * t) * log(1 + exp(-x)), without overflow
 * (torch.nn.functional.binary_cross_entropy_with_logits). posWeight[inner] runs along the last axis; 0: ones.
 */
export function bce_with_logits_forward_f32(
  out: usize,
  x: usize,
  t: usize,
  posWeight: usize,
  n: i32,
  inner: i32,
): void {
  alongLastAxis<BceWithLogits>(out, x, t, posWeight, 0, n, inner);
}

/** dx[n] = g * ((1 + (posWeight - 1) * t) * sigmoid(x) - posWeight * t). dx may be any input. */
export function bce_with_logits_backward_f32(
  dx: usize,
  g: usize,
  x: usize,
  t: usize,
  posWeight: usize,
  n: i32,
  inner: i32,
): void {
  alongLastAxis<BceWithLogitsGradient>(dx, x, t, posWeight, g, n, inner);
}

@final
@unmanaged
class Bce {
  @inline uses(): i32 {
    return USES_Y;
  }
  @inline value(p: v128, t: v128, w: v128, b: v128, floor: v128, q: v128, s: v128, u: v128): v128 {
    const off = f32x4.mul(f32x4.sub(t, f32x4.splat(1)), f32x4.max(log1p(f32x4.neg(p)), floor));
    return f32x4.sub(off, f32x4.mul(t, f32x4.max(log(p), floor)));
  }
}

@final
@unmanaged
class BceGradient {
  @inline uses(): i32 {
    return USES_Y | USES_B;
  }
  @inline value(p: v128, t: v128, w: v128, g: v128, floor: v128, q: v128, s: v128, u: v128): v128 {
    const variance = f32x4.mul(f32x4.sub(f32x4.splat(1), p), p);
    return f32x4.div(f32x4.mul(g, f32x4.sub(p, t)), f32x4.max(variance, floor));
  }
}

/** out[n] = -t * log p - (1 - t) * log(1 - p), no log below -100 (torch.nn.functional.binary_cross_entropy). */
export function bce_forward_f32(out: usize, p: usize, t: usize, n: i32): void {
  const floor = f32x4.splat(-100);
  Rows.map<Bce>(out, p, t, 0, 0, n, floor, floor, floor, floor);
}

/** dp[n] = g * (p - t) / max((1 - p) * p, 1e-12). dp may be any input. */
export function bce_backward_f32(dp: usize, g: usize, p: usize, t: usize, n: i32): void {
  const floor = f32x4.splat(1e-12);
  Rows.map<BceGradient>(dp, p, t, 0, g, n, floor, floor, floor, floor);
}

// --- smooth L1 and Huber, of d = x - t

@final
@unmanaged
class SmoothL1 {
  @inline uses(): i32 {
    return USES_Y;
  }
  @inline value(x: v128, y: v128, w: v128, b: v128, beta: v128, half: v128, s: v128, t: v128): v128 {
    const d = f32x4.abs(f32x4.sub(x, y));
    const square = f32x4.div(f32x4.mul(f32x4.mul(half, d), d), beta);
    return v128.bitselect(square, f32x4.sub(d, f32x4.mul(half, beta)), f32x4.lt(d, beta));
  }
}

@final
@unmanaged
class SmoothL1Gradient {
  @inline uses(): i32 {
    return USES_Y | USES_B;
  }
  @inline value(x: v128, y: v128, w: v128, g: v128, beta: v128, one: v128, s: v128, t: v128): v128 {
    const d = f32x4.sub(x, y),
      slope = clamp(f32x4.div(d, beta), f32x4.neg(one), one);
    // 0 / 0 for beta = 0, where the gradient of |d| at 0 is 0.
    return f32x4.mul(g, v128.bitselect(d, slope, f32x4.eq(d, f32x4.splat(0))));
  }
}

/** out[n] = d^2 / (2 beta) where |d| < beta, else |d| - beta / 2 (torch.nn.functional.smooth_l1_loss); beta >= 0. */
export function smooth_l1_forward_f32(out: usize, x: usize, t: usize, n: i32, beta: f32): void {
  const half = f32x4.splat(0.5);
  Rows.map<SmoothL1>(out, x, t, 0, 0, n, f32x4.splat(beta), half, half, half);
}

/** dx[n] = g * clamp(d / beta, -1, 1), g * sign(d) for beta = 0. dx may be any input. */
export function smooth_l1_backward_f32(dx: usize, g: usize, x: usize, t: usize, n: i32, beta: f32): void {
  const one = f32x4.splat(1);
  Rows.map<SmoothL1Gradient>(dx, x, t, 0, g, n, f32x4.splat(beta), one, one, one);
}

@final
@unmanaged
class Huber {
  @inline uses(): i32 {
    return USES_Y;
  }
  @inline value(x: v128, y: v128, w: v128, b: v128, delta: v128, half: v128, s: v128, t: v128): v128 {
    const d = f32x4.abs(f32x4.sub(x, y));
    const line = f32x4.mul(delta, f32x4.sub(d, f32x4.mul(half, delta)));
    return v128.bitselect(f32x4.mul(f32x4.mul(half, d), d), line, f32x4.le(d, delta));
  }
}

@final
@unmanaged
class HuberGradient {
  @inline uses(): i32 {
    return USES_Y | USES_B;
  }
  @inline value(x: v128, y: v128, w: v128, g: v128, delta: v128, q: v128, s: v128, t: v128): v128 {
    return f32x4.mul(g, clamp(f32x4.sub(x, y), f32x4.neg(delta), delta));
  }
}

/** out[n] = d^2 / 2 where |d| <= delta, else delta * (|d| - delta / 2) (torch.nn.functional.huber_loss). */
export function huber_forward_f32(out: usize, x: usize, t: usize, n: i32, delta: f32): void {
  const half = f32x4.splat(0.5);
  Rows.map<Huber>(out, x, t, 0, 0, n, f32x4.splat(delta), half, half, half);
}

/** dx[n] = g * clamp(d, -delta, delta). dx may be any input. */
export function huber_backward_f32(dx: usize, g: usize, x: usize, t: usize, n: i32, delta: f32): void {
  const limit = f32x4.splat(delta);
  Rows.map<HuberGradient>(dx, x, t, 0, g, n, limit, limit, limit, limit);
}
