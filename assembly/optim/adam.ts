// Adam and AdamW, by the formulas of PyTorch 1.13; hyper.ts says what step and hyper hold.
import { loadLanes, madd, storeLanes } from "../lanes";
import { decayed, hyperAt, hyperLanes, LR, signOf, WEIGHT_DECAY } from "./hyper";

/** The step of `lanes` elements from byte `at` on. */
@inline
function adam(
  p: usize,
  g: usize,
  m: usize,
  v: usize,
  vmax: usize,
  at: usize,
  lanes: i32,
  sign: v128,
  decay: v128,
  shrink: v128,
  keep1: v128,
  take1: v128,
  keep2: v128,
  take2: v128,
  size: v128,
  root: v128,
  eps: v128,
): void {
  let pv = loadLanes(p + at, lanes);
  const d = decayed(loadLanes(g + at, lanes), pv, sign, decay);
  const mv = madd(loadLanes(m + at, lanes), keep1, f32x4.mul(d, take1));
  let vv = madd(loadLanes(v + at, lanes), keep2, f32x4.mul(f32x4.mul(d, take2), d));
  storeLanes(m + at, mv, lanes);
  storeLanes(v + at, vv, lanes);
  if (vmax) {
    vv = f32x4.max(loadLanes(vmax + at, lanes), vv);
    storeLanes(vmax + at, vv, lanes);
  }
  const ratio = f32x4.div(f32x4.mul(size, mv), madd(f32x4.sqrt(vv), root, eps));
  storeLanes(p + at, f32x4.sub(f32x4.mul(pv, shrink), ratio), lanes);
}

/** base^n for n >= 0. */
function power(base: f64, n: i32): f64 {
  let result: f64 = 1;
  for (; n > 0; n >>= 1, base *= base) if (n & 1) result *= base;
  return result;
}

/**
 * torch.optim.Adam and, decoupled, AdamW: p *= 1 - lr * weightDecay (AdamW) or d = ±g + weightDecay * p (Adam);
 * m = beta1 * m + (1 - beta1) * d; v = beta2 * v + (1 - beta2) * d^2; p -= lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 -
 * beta2^t) + eps), t the step. With vmax (AMSGrad, else 0) vmax = max(vmax, v) takes the place of v in the root.
 */
export function adam_step_f32(
  p: usize,
  g: usize,
  m: usize,
  v: usize,
  vmax: usize,
  step: usize,
  hyper: usize,
  n: i32,
): void {
  const rate = <f64>hyperAt(hyper, LR),
    weightDecay = hyperAt(hyper, WEIGHT_DECAY),
    decoupled = hyperAt(hyper, 6) != 0;
  const beta1 = 1 - <f64>hyperAt(hyper, 3),
    beta2 = 1 - <f64>hyperAt(hyper, 4),
    t = <i32>load<f32>(step);
  const sign = signOf(hyper),
    decay = f32x4.splat(decoupled ? 0 : weightDecay),
    shrink = f32x4.splat(decoupled ? <f32>(1 - rate * weightDecay) : 1),
    keep1 = f32x4.splat(<f32>beta1),
    take1 = hyperLanes(hyper, 3),
    keep2 = f32x4.splat(<f32>beta2),
    take2 = hyperLanes(hyper, 4),
    size = f32x4.splat(<f32>(rate / (1 - power(beta1, t)))),
    root = f32x4.splat(<f32>(1 / sqrt(1 - power(beta2, t)))),
    eps = hyperLanes(hyper, 5);
  const end = (<usize>n) << 2,
    whole = end & ~15;
  let at: usize = 0;
  for (; at < whole; at += 16)
    adam(p, g, m, v, vmax, at, 4, sign, decay, shrink, keep1, take1, keep2, take2, size, root, eps);
  if (at < end) adam(p, g, m, v, vmax, at, n & 3, sign, decay, shrink, keep1, take1, keep2, take2, size, root, eps);
}
