// Adagrad, by the formulas of PyTorch 1.13; hyper.ts says what step and hyper hold.
import { loadLanes, madd, storeLanes } from "../lanes";
import { decayed, hyperAt, hyperLanes, LR, signOf, WEIGHT_DECAY } from "./hyper";

/** The step of `lanes` elements from byte `at` on. */
@inline
function adagrad(
  p: usize,
  g: usize,
  sum: usize,
  at: usize,
  lanes: i32,
  sign: v128,
  decay: v128,
  lr: v128,
  eps: v128,
): void {
  const pv = loadLanes(p + at, lanes);
  const d = decayed(loadLanes(g + at, lanes), pv, sign, decay);
  const s = madd(d, d, loadLanes(sum + at, lanes));
  storeLanes(sum + at, s, lanes);
  storeLanes(p + at, f32x4.sub(pv, f32x4.div(f32x4.mul(lr, d), f32x4.add(f32x4.sqrt(s), eps))), lanes);
}

/**
 * torch.optim.Adagrad: d = ±g + weightDecay * p; sum += d^2; p -= lr / (1 + (t - 1) * lrDecay) * d / (sqrt(sum) + eps),
 * t the step.
 */
export function adagrad_step_f32(p: usize, g: usize, sum: usize, step: usize, hyper: usize, n: i32): void {
  const rate = hyperAt(hyper, LR) / (1 + (<f64>load<f32>(step) - 1) * hyperAt(hyper, 3));
  const sign = signOf(hyper),
    decay = hyperLanes(hyper, WEIGHT_DECAY),
    lr = f32x4.splat(<f32>rate),
    eps = hyperLanes(hyper, 4);
  const end = (<usize>n) << 2,
    whole = end & ~15;
  let at: usize = 0;
  for (; at < whole; at += 16) adagrad(p, g, sum, at, 4, sign, decay, lr, eps);
  if (at < end) adagrad(p, g, sum, at, n & 3, sign, decay, lr, eps);
}
