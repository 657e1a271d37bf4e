// Optimizer steps, one fused pass a parameter, by the formulas of PyTorch 1.13. All state is contiguous f32 beside p[n]
// and is updated in place; a buffer whose pointer is 0 is not used. `step` points to one f32, the steps begun so far:
// advance_step comes before the step, so a kernel sees 1 at first. `hyper` points to f32s, read at every call:
//
//            0    1             2          3             4                   5           6
//   SGD      lr   weightDecay   maximize   momentum      1 - dampening       nesterov
//   Adam(W)  lr   weightDecay   maximize   1 - beta1     1 - beta2           eps         decoupled
//   RMSprop  lr   weightDecay   maximize   1 - alpha     eps                 momentum
//   Adagrad  lr   weightDecay   maximize   lrDecay       eps
//
// Flags are 0 or 1. Of a decay b close to 1, 1 - b is kept: as f32 it has all its digits, and b follows from it in f64.
// `decoupled` is AdamW: the weights decay by themselves and not through the gradient.
import { loadLanes, madd, nmadd, storeLanes } from "./lanes";
import { Rows } from "./rowloops";

const LR: i32 = 0;
const WEIGHT_DECAY: i32 = 1;
const MAXIMIZE: i32 = 2;

@inline
function hyperAt(hyper: usize, index: i32): f32 {
  return load<f32>(hyper + ((<usize>index) << 2));
}

/** The gradient as the formulas want it: its sign turned to maximize, weight decay (L2) added. */
@inline
function decayed(g: v128, p: v128, sign: v128, decay: v128): v128 {
  return madd(p, decay, f32x4.mul(g, sign));
}

/**
 * One pass over a parameter. F's step(p, g, a, b, c, at, lanes, flag, k0 to k9) does the vector at byte offset `at` of
 * the parameter p, its gradient g and its state a, b and c; the k are constants.
 */
function pass<F>(
  p: usize,
  g: usize,
  a: usize,
  b: usize,
  c: usize,
  n: i32,
  flag: bool,
  k0: f32,
  k1: f32,
  k2: f32,
  k3: f32,
  k4: f32,
  k5: f32 = 0,
  k6: f32 = 0,
  k7: f32 = 0,
  k8: f32 = 0,
  k9: f32 = 0,
): void {
  const f = changetype<F>(0);
  const v0 = f32x4.splat(k0),
    v1 = f32x4.splat(k1),
    v2 = f32x4.splat(k2),
    v3 = f32x4.splat(k3),
    v4 = f32x4.splat(k4);
  const v5 = f32x4.splat(k5),
    v6 = f32x4.splat(k6),
    v7 = f32x4.splat(k7),
    v8 = f32x4.splat(k8),
    v9 = f32x4.splat(k9);
  const end = (<usize>n) << 2,
    vectorEnd = end & ~15;
  let at: usize = 0;
  for (; at < vectorEnd; at += 16) f.step(p, g, a, b, c, at, 4, flag, v0, v1, v2, v3, v4, v5, v6, v7, v8, v9);
  if (at < end) f.step(p, g, a, b, c, at, n & 3, flag, v0, v1, v2, v3, v4, v5, v6, v7, v8, v9);
}

@final
@unmanaged
class Sgd {
  @inline step(
    p: usize,
    g: usize,
    buffer: usize,
    b: usize,
    c: usize,
    at: usize,
    lanes: i32,
    nesterov: bool,
    sign: v128,
    decay: v128,
    lr: v128,
    momentum: v128,
    take: v128,
    first: v128,
    k6: v128,
    k7: v128,
    k8: v128,
    k9: v128,
  ): void {
    const pv = loadLanes(p + at, lanes);
    let d = decayed(loadLanes(g + at, lanes), pv, sign, decay);
    if (buffer) {
      const mixed = madd(loadLanes(buffer + at, lanes), momentum, f32x4.mul(d, take));
      const m = v128.bitselect(d, mixed, f32x4.ne(first, f32x4.splat(0)));
      storeLanes(buffer + at, m, lanes);
      d = nesterov ? madd(m, momentum, d) : m;
    }
    storeLanes(p + at, nmadd(d, lr, pv), lanes);
  }
}

/**
 * torch.optim.SGD: d = ±g + weightDecay * p; buffer = momentum * buffer + (1 - dampening) * d, in the first step d;
 * d = nesterov ? d + momentum * buffer : buffer; p -= lr * d. momentumBuffer may be 0: no momentum.
 */
export function sgd_step_f32(p: usize, g: usize, momentumBuffer: usize, step: usize, hyper: usize, n: i32): void {
  pass<Sgd>(
    p,
    g,
    momentumBuffer,
    0,
    0,
    n,
    hyperAt(hyper, 5) != 0,
    1 - 2 * hyperAt(hyper, MAXIMIZE),
    hyperAt(hyper, WEIGHT_DECAY),
    hyperAt(hyper, LR),
    hyperAt(hyper, 3),
    hyperAt(hyper, 4),
    load<f32>(step) <= 1 ? 1 : 0,
  );
}

@final
@unmanaged
class Adam {
  @inline step(
    p: usize,
    g: usize,
    m: usize,
    v: usize,
    vmax: usize,
    at: usize,
    lanes: i32,
    flag: bool,
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
  const lr = <f64>hyperAt(hyper, LR),
    decay = hyperAt(hyper, WEIGHT_DECAY),
    decoupled = hyperAt(hyper, 6) != 0;
  const take1 = hyperAt(hyper, 3),
    take2 = hyperAt(hyper, 4);
  const beta1 = 1 - <f64>take1,
    beta2 = 1 - <f64>take2;
  const t = <i32>load<f32>(step);
  pass<Adam>(
    p,
    g,
    m,
    v,
    vmax,
    n,
    false,
    1 - 2 * hyperAt(hyper, MAXIMIZE),
    decoupled ? 0 : decay,
    decoupled ? <f32>(1 - lr * decay) : 1,
    <f32>beta1,
    take1,
    <f32>beta2,
    take2,
    <f32>(lr / (1 - power(beta1, t))),
    <f32>(1 / sqrt(1 - power(beta2, t))),
    hyperAt(hyper, 5),
  );
}

@final
@unmanaged
class RmsProp {
  @inline step(
    p: usize,
    g: usize,
    average: usize,
    mean: usize,
    buffer: usize,
    at: usize,
    lanes: i32,
    flag: bool,
    sign: v128,
    decay: v128,
    lr: v128,
    keep: v128,
    take: v128,
    eps: v128,
    momentum: v128,
    k7: v128,
    k8: v128,
    k9: v128,
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
  const take = hyperAt(hyper, 3);
  pass<RmsProp>(
    p,
    g,
    squareAvg,
    gradAvg,
    momentumBuffer,
    n,
    false,
    1 - 2 * hyperAt(hyper, MAXIMIZE),
    hyperAt(hyper, WEIGHT_DECAY),
    hyperAt(hyper, LR),
    <f32>(1 - <f64>take),
    take,
    hyperAt(hyper, 4),
    hyperAt(hyper, 5),
  );
}

@final
@unmanaged
class Adagrad {
  @inline step(
    p: usize,
    g: usize,
    sum: usize,
    b: usize,
    c: usize,
    at: usize,
    lanes: i32,
    flag: bool,
    sign: v128,
    decay: v128,
    lr: v128,
    eps: v128,
    k4: v128,
    k5: v128,
    k6: v128,
    k7: v128,
    k8: v128,
    k9: v128,
  ): void {
    const pv = loadLanes(p + at, lanes);
    const d = decayed(loadLanes(g + at, lanes), pv, sign, decay);
    const s = madd(d, d, loadLanes(sum + at, lanes));
    storeLanes(sum + at, s, lanes);
    storeLanes(p + at, f32x4.sub(pv, f32x4.div(f32x4.mul(lr, d), f32x4.add(f32x4.sqrt(s), eps))), lanes);
  }
}

/**
 * torch.optim.Adagrad: d = ±g + weightDecay * p; sum += d^2; p -= lr / (1 + (t - 1) * lrDecay) * d / (sqrt(sum) + eps),
 * t the step.
 */
export function adagrad_step_f32(p: usize, g: usize, sum: usize, step: usize, hyper: usize, n: i32): void {
  const lr = hyperAt(hyper, LR) / (1 + (<f64>load<f32>(step) - 1) * hyperAt(hyper, 3));
  pass<Adagrad>(
    p,
    g,
    sum,
    0,
    0,
    n,
    false,
    1 - 2 * hyperAt(hyper, MAXIMIZE),
    hyperAt(hyper, WEIGHT_DECAY),
    <f32>lr,
    hyperAt(hyper, 4),
    0,
  );
}

/** step[0] += 1. */
export function advance_step(step: usize): void {
  store<f32>(step, load<f32>(step) + 1);
}

/**
 * out[0] = min(1, maxNorm / (sqrt(sumOfSquares[0]) + 1e-6)), the factor of torch.nn.utils.clip_grad_norm_: 0 for an
 * infinite norm, NaN for NaN.
 */
export function clip_coefficient_f32(out: usize, sumOfSquares: usize, maxNorm: f32): void {
  store<f32>(out, min<f32>(1, maxNorm / (sqrt<f32>(load<f32>(sumOfSquares)) + 1e-6)));
}

@final
@unmanaged
class Scale {
  @inline uses(): i32 {
    return 0;
  }
  @inline value(x: v128, y: v128, w: v128, b: v128, factor: v128, q: v128, s: v128, t: v128): v128 {
    return f32x4.mul(x, factor);
  }
}

/** x[n] *= factor[0], in place. */
export function scale_by_f32(x: usize, n: i32, factor: usize): void {
  const f = v128.load32_splat(factor);
  Rows.map<Scale>(x, x, 0, 0, 0, n, f, f, f, f);
}
