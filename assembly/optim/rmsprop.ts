// RMSprop, by the formulas of PyTorch 1.13; hyper.ts says what step and hyper hold.
import { loadLanes, madd, nmadd, storeLanes } from "../lanes";
import { decayed, hyperAt, hyperLanes, LR, signOf, WEIGHT_DECAY } from "./hyper";

/** The step of `lanes` elements from byte `at` on. */
@inline
function rmsprop(
  p: usize,
  g: usize,
  average: usize,
  mean: usize,
  buffer: usize,
  at: usize,
  lanes: i32,
  sign: v128,
  decay: v128,
  lr: v128,
  keep: v128,
  take: v128,
  eps: v128,
  momentum: v128,
): void {
  const pv = loadLanes(p + at, lanes);
  const d = decayed(loadLanes(g + at, lanes), pv, sign, decay);
  let square = madd(loadLanes(average + at, lanes), keep, f32x4.mul(f32x4.mul(d, take), d));
  storeLanes(average + at, square, lanes);
  if (mean) {
    const m = madd(loadLanes(mean + at, lanes), keep, f32x4.mul(d, take));
    storeLanes(mean + at, m, lanes);
    // A variance, but for its rounding, of which the root would be NaN.
    square = f32x4.max(nmadd(m, m, square), f32x4.splat(0));
  }
  const root = f32x4.add(f32x4.sqrt(square), eps);
  if (buffer) {
    const moved = madd(loadLanes(buffer + at, lanes), momentum, f32x4.div(d, root));
    storeLanes(buffer + at, moved, lanes);
    storeLanes(p + at, nmadd(moved, lr, pv), lanes);
  } else {
    storeLanes(p + at, f32x4.sub(pv, f32x4.div(f32x4.mul(lr, d), root)), lanes);
  }
}

/**
 * torch.optim.RMSprop: d = ±g + weightDecay * p; squareAvg = alpha * squareAvg + (1 - alpha) * d^2; centered, gradAvg =
 * alpha * gradAvg + (1 - alpha) * d; u = d / (sqrt(squareAvg - gradAvg^2) + eps); with a buffer, buffer = momentum *
 * buffer + u in place of u; p -= lr * u. gradAvg = 0: not centered. The step is not used.
 */
export function rmsprop_step_f32(
  p: usize,
  g: usize,
  squareAvg: usize,
  gradAvg: usize,
  momentumBuffer: usize,
  step: usize,
  hyper: usize,
  n: i32,
): void {
  const sign = signOf(hyper),
    decay = hyperLanes(hyper, WEIGHT_DECAY),
    lr = hyperLanes(hyper, LR),
    keep = f32x4.splat(<f32>(1 - <f64>hyperAt(hyper, 3))),
    take = hyperLanes(hyper, 3),
    eps = hyperLanes(hyper, 4),
    momentum = hyperLanes(hyper, 5);
  const end = (<usize>n) << 2,
    whole = end & ~15;
  let at: usize = 0;
  for (; at < whole; at += 16)
    rmsprop(p, g, squareAvg, gradAvg, momentumBuffer, at, 4, sign, decay, lr, keep, take, eps, momentum);
  if (at < end)
    rmsprop(p, g, squareAvg, gradAvg, momentumBuffer, at, n & 3, sign, decay, lr, keep, take, eps, momentum);
}
