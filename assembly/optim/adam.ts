// Adam, AdamW and what steps as they do with other numbers: NAdam, RAdam and LAMB. Formulas are PyTorch's, LAMB's are
// those of You et al. 2020; hyper.ts says what step and hyper hold.
import { loadLanes, madd, storeLanes } from "../lanes";
import { expOne } from "../math";
import { decayed, fading, hyperAt, LR, MAXIMIZE, WEIGHT_DECAY } from "./hyper";

/** The step of `lanes` elements from byte `at` on. */
@inline
function adam(
  out: usize,
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
  mix: v128,
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
  const ratio = f32x4.div(madd(d, mix, f32x4.mul(size, mv)), madd(f32x4.sqrt(vv), root, eps));
  storeLanes(out + at, f32x4.sub(f32x4.mul(pv, shrink), ratio), lanes);
}

/**
 * d = ±g + decay * p; m = beta1 * m + (1 - beta1) * d; v = beta2 * v + (1 - beta2) * d^2; out = p * shrink - (size * m
 * + mix * d) / (sqrt(v) * root + eps). With vmax (else 0) vmax = max(vmax, v) takes the place of v. out may be p.
 */
export function moments(
  out: usize,
  p: usize,
  g: usize,
  m: usize,
  v: usize,
  vmax: usize,
  hyper: usize,
  n: i32,
  decay: f32,
  shrink: f32,
  size: f32,
  mix: f32,
  root: f32,
  eps: f32,
): void {
  const a = hyperAt(hyper, 3),
    b = hyperAt(hyper, 4);
  const sign = f32x4.splat(1 - 2 * hyperAt(hyper, MAXIMIZE)),
    decays = f32x4.splat(decay),
    shrinks = f32x4.splat(shrink),
    keep1 = f32x4.splat(<f32>(1 - <f64>a)),
    take1 = f32x4.splat(a),
    keep2 = f32x4.splat(<f32>(1 - <f64>b)),
    take2 = f32x4.splat(b),
    sizes = f32x4.splat(size),
    mixes = f32x4.splat(mix),
    roots = f32x4.splat(root),
    epses = f32x4.splat(eps);
  const end = (<usize>n) << 2,
    whole = end & ~15;
  let at: usize = 0;
  for (; at < whole; at += 16)
    adam(out, p, g, m, v, vmax, at, 4, sign, decays, shrinks, keep1, take1, keep2, take2, sizes, mixes, roots, epses);
  if (at == end) return;
  n &= 3;
  adam(out, p, g, m, v, vmax, at, n, sign, decays, shrinks, keep1, take1, keep2, take2, sizes, mixes, roots, epses);
}

/** What weight decay adds to the gradient: nothing where it is decoupled. */
@inline
function decayOf(hyper: usize): f32 {
  return hyperAt(hyper, 6) != 0 ? 0 : hyperAt(hyper, WEIGHT_DECAY);
}

/** What decoupled weight decay multiplies the parameter by. */
@inline
function shrinkOf(hyper: usize): f32 {
  if (hyperAt(hyper, 6) == 0) return 1;
  return <f32>(1 - <f64>hyperAt(hyper, LR) * hyperAt(hyper, WEIGHT_DECAY));
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
  const size = <f32>(<f64>hyperAt(hyper, LR) / (1 - fading(hyper, 3, step))),
    root = <f32>(1 / sqrt(1 - fading(hyper, 4, step)));
  moments(p, p, g, m, v, vmax, hyper, n, decayOf(hyper), shrinkOf(hyper), size, 0, root, hyperAt(hyper, 5));
}

/** The momentum of NAdam at step t: beta1 * (1 - 0.96^(t * momentumDecay) / 2). */
function momentumAt(hyper: usize, t: f32): f64 {
  const fall = expOne(t * hyperAt(hyper, 7) * -0.040821995);
  return (1 - <f64>hyperAt(hyper, 3)) * (1 - 0.5 * <f64>fall);
}

/** product *= the momentum of this step, before nadam_step_f32. */
export function nadam_momentum_f32(product: usize, step: usize, hyper: usize): void {
  store<f32>(product, <f32>(load<f32>(product) * momentumAt(hyper, load<f32>(step))));
}

/**
 * torch.optim.NAdam: d, m and v as Adam's; p -= (lr * (1 - mu_t) / (1 - product) * d + lr * mu_(t+1) / (1 - product *
 * mu_(t+1)) * m) / (sqrt(v / (1 - beta2^t)) + eps).
 */
export function nadam_step_f32(
  p: usize,
  g: usize,
  m: usize,
  v: usize,
  product: usize,
  step: usize,
  hyper: usize,
  n: i32,
): void {
  const lr = <f64>hyperAt(hyper, LR),
    t = load<f32>(step),
    now = momentumAt(hyper, t),
    next = momentumAt(hyper, t + 1),
    all = <f64>load<f32>(product);
  const size = <f32>((lr * next) / (1 - all * next)),
    mix = <f32>((lr * (1 - now)) / (1 - all)),
    root = <f32>(1 / sqrt(1 - fading(hyper, 4, step)));
  moments(p, p, g, m, v, 0, hyper, n, decayOf(hyper), shrinkOf(hyper), size, mix, root, hyperAt(hyper, 5));
}

/**
 * torch.optim.RAdam: d, m and v as Adam's; p -= lr / (1 - beta1^t) * m * rect * sqrt(1 - beta2^t) / (sqrt(v) + eps)
 * where the length rho_t of the average v is above 5, and p -= lr / (1 - beta1^t) * m elsewhere.
 */
export function radam_step_f32(p: usize, g: usize, m: usize, v: usize, step: usize, hyper: usize, n: i32): void {
  const fade = fading(hyper, 4, step),
    whole = 2 / <f64>hyperAt(hyper, 4) - 1,
    rho = whole - (2 * <f64>load<f32>(step) * fade) / (1 - fade),
    rectified = rho > 5;
  let size = <f64>hyperAt(hyper, LR) / (1 - fading(hyper, 3, step));
  if (rectified) size *= sqrt((((rho - 4) * (rho - 2) * whole) / ((whole - 4) * (whole - 2) * rho)) * (1 - fade));
  const root: f32 = rectified ? 1 : 0,
    eps: f32 = rectified ? hyperAt(hyper, 5) : 1;
  moments(p, p, g, m, v, 0, hyper, n, decayOf(hyper), shrinkOf(hyper), <f32>size, 0, root, eps);
}

/**
 * The direction of LAMB: m and v as Adam's without weight decay; u = -(m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) +
 * eps) + weightDecay * p), without the divisors where biasCorrection is 0.
 */
export function lamb_direction_f32(
  u: usize,
  p: usize,
  g: usize,
  m: usize,
  v: usize,
  step: usize,
  hyper: usize,
  n: i32,
): void {
  let size: f32 = 1,
    root: f32 = 1;
  if (hyperAt(hyper, 6) != 0) {
    size = <f32>(1 / (1 - fading(hyper, 3, step)));
    root = <f32>(1 / sqrt(1 - fading(hyper, 4, step)));
  }
  moments(u, p, g, m, v, 0, hyper, n, 0, -hyperAt(hyper, WEIGHT_DECAY), size, 0, root, hyperAt(hyper, 5));
}
