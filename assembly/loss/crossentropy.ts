// Cross-entropy, unreduced, on logits: softmax, logarithm and choice in one. x[rows, classes], target[rows] of i32
// classes; one equal to ignoreIndex gives a loss and a gradient of 0. weight[classes] = 0 means ones. Outputs are
// overwritten.
import { foldRow, mapRow, sumRow } from "../loops";
import { expNegative, logOne, TAIL_SCALE } from "../math";
import { ExpBelow, Identity, MaximumNumber, USES_Q, USES_T, USES_W } from "../ops";
import { classWeight } from "./classes";

/** weight * -log p, by log p = (x - max) - logSum. */
@final
@unmanaged
class WeightedSurprise {
  @inline uses(): i32 {
    return USES_W | USES_Q;
  }
  @inline forward(x: v128, w: v128, max: v128, logSum: v128): v128 {
    return f32x4.mul(w, f32x4.add(f32x4.sub(max, x), logSum));
  }
}

/** p * pull - weight * smooth. */
@final
@unmanaged
class CrossEntropyGradient {
  @inline uses(): i32 {
    return USES_W | USES_T;
  }
  @inline forward(x: v128, w: v128, max: v128, logSum: v128, pull: v128, smooth: v128): v128 {
    const p = expNegative(f32x4.sub(f32x4.sub(x, max), logSum));
    return f32x4.sub(f32x4.mul(p, pull), f32x4.mul(w, smooth));
  }
}

/**
 * losses[rows] = -(1 - smoothing) * weight[t] * log p[t] - smoothing / classes * sum over c of weight[c] * log p[c],
 * for p = softmax(x[rows, classes]) and t = target[row] (torch.nn.functional.cross_entropy).
 * lse[rows] saves the log of the sum of exp(x - max) for backward. The maximum is left out, and backward computes it
 * again: added to a logit of 1e4, the log would keep four digits. weight[classes] = 0 means ones.
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
  const stride = (<usize>classes) << 2;
  for (let i = 0; i < rows; i++, losses += 4, lse += 4, target += 4, x += stride) {
    const max = foldRow<MaximumNumber, f32>(x, classes);
    const logSum = logOne(<f32>(sumRow<ExpBelow>(0, x, 0, 0, classes, max) * TAIL_SCALE));
    store<f32>(lse, logSum);
    const t = load<i32>(target);
    if (t == ignoreIndex) {
      store<f32>(losses, 0);
      continue;
    }
    const surprise = max - load<f32>(x + ((<usize>t) << 2)) + logSum;
    let loss = <f64>(1 - smoothing) * classWeight(weight, t) * surprise;
    if (smoothing != 0) {
      loss += (<f64>smoothing / classes) * sumRow<WeightedSurprise>(0, x, 0, weight, classes, max, logSum);
    }
    store<f32>(losses, <f32>loss);
  }
}

/**
 * Reverses cross_entropy_forward_f32: dx[rows, classes] = g[row] * ((1 - smoothing) * weight[t] * (p - onehot(t)) +
 * smoothing / classes * (W * p - weight)) with W the sum of the weights and lse as cross_entropy_forward_f32 left it.
 * dx may be x.
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
  const stride = (<usize>classes) << 2;
  const spread = <f64>smoothing / classes;
  const total = weight ? sumRow<Identity>(0, weight, 0, 0, classes) : <f64>classes;
  for (let i = 0; i < rows; i++, g += 4, lse += 4, target += 4, x += stride, dx += stride) {
    const t = load<i32>(target);
    if (t == ignoreIndex) {
      memory.fill(dx, 0, stride);
      continue;
    }
    const gradient = <f64>load<f32>(g);
    const chosen = gradient * (1 - smoothing) * classWeight(weight, t);
    const pull = <f32>(chosen + gradient * spread * total),
      smooth = <f32>(gradient * spread);
    const max = foldRow<MaximumNumber, f32>(x, classes);
    mapRow<CrossEntropyGradient>(dx, x, 0, weight, 0, classes, max, load<f32>(lse), pull, smooth);
    const at = dx + ((<usize>t) << 2);
    store<f32>(at, load<f32>(at) - <f32>chosen);
  }
}
