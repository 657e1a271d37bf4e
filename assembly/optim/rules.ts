// Optimizers whose step is a formula of their own: a rule is an op class, and the loop over elements is one. Formulas
// are PyTorch's; hyper.ts says what step and hyper hold.
import { clamp, loadLanes, loadPart, madd, magnitude, nmadd, select, storeLanes, storePart, withSign } from "../lanes";
import { expOne, log1p } from "../math";
import { decayed, fading, hyperAt, hyperLanes, LR, signOf, WEIGHT_DECAY } from "./hyper";

/**
 * Rule.step for all elements, a vector at a time; its last one holds fewer. `a` and `b` are the state, sign turns the
 * gradient to maximize, and c to f are numbers of the rule.
 */
@inline
function each<Rule>(
  p: usize,
  g: usize,
  a: usize,
  b: usize,
  hyper: usize,
  n: i32,
  c: v128,
  d: v128,
  e: v128,
  f: v128,
): void {
  const sign = signOf(hyper),
    decay = hyperLanes(hyper, WEIGHT_DECAY);
  for (; n > 0; n -= 4, p += 16, g += 16, a += 16, b += 16)
    changetype<Rule>(0).step(p, g, a, b, min(n, 4), sign, decay, c, d, e, f);
}

/** 1 - x in all lanes, of a decay that is kept as its distance from 1. */
@inline
function keepOf(hyper: usize, index: i32): v128 {
  return f32x4.splat(<f32>(1 - <f64>hyperAt(hyper, index)));
}

/** ±1 by the sign of x, 0 for 0. */
@inline
function signs(x: v128): v128 {
  return v128.and(withSign(f32x4.splat(1), x), f32x4.ne(x, f32x4.splat(0)));
}

@final
@unmanaged
class Adadelta {
  @inline step(
    p: usize,
    g: usize,
    square: usize,
    delta: usize,
    lanes: i32,
    sign: v128,
    decay: v128,
    lr: v128,
    keep: v128,
    take: v128,
    eps: v128,
  ): void {
    const pv = loadLanes(p, lanes);
    const d = decayed(loadLanes(g, lanes), pv, sign, decay);
    const s = madd(loadLanes(square, lanes), keep, f32x4.mul(f32x4.mul(d, take), d));
    const a = loadLanes(delta, lanes);
    const u = f32x4.mul(f32x4.div(f32x4.sqrt(f32x4.add(a, eps)), f32x4.sqrt(f32x4.add(s, eps))), d);
    storeLanes(square, s, lanes);
    storeLanes(delta, madd(a, keep, f32x4.mul(f32x4.mul(u, take), u)), lanes);
    storeLanes(p, nmadd(u, lr, pv), lanes);
  }
}

/**
 * torch.optim.Adadelta: d = ±g + weightDecay * p; square = rho * square + (1 - rho) * d^2; u = sqrt(delta + eps) /
 * sqrt(square + eps) * d; delta = rho * delta + (1 - rho) * u^2; p -= lr * u. The step is not used.
 */
export function adadelta_step_f32(
  p: usize,
  g: usize,
  square: usize,
  delta: usize,
  step: usize,
  hyper: usize,
  n: i32,
): void {
  each<Adadelta>(
    p,
    g,
    square,
    delta,
    hyper,
    n,
    hyperLanes(hyper, LR),
    keepOf(hyper, 3),
    hyperLanes(hyper, 3),
    hyperLanes(hyper, 4),
  );
}

@final
@unmanaged
class Adamax {
  @inline step(
    p: usize,
    g: usize,
    average: usize,
    norm: usize,
    lanes: i32,
    sign: v128,
    decay: v128,
    take: v128,
    fade: v128,
    eps: v128,
    size: v128,
  ): void {
    const pv = loadLanes(p, lanes);
    const d = decayed(loadLanes(g, lanes), pv, sign, decay);
    const a = loadLanes(average, lanes);
    const m = madd(f32x4.sub(d, a), take, a);
    const u = f32x4.max(f32x4.mul(loadLanes(norm, lanes), fade), f32x4.add(magnitude(d), eps));
    storeLanes(average, m, lanes);
    storeLanes(norm, u, lanes);
    // Lanes that are not there may hold 0 / 0; they are not stored.
    storeLanes(p, f32x4.sub(pv, f32x4.div(f32x4.mul(size, m), u)), lanes);
  }
}

/**
 * torch.optim.Adamax: d = ±g + weightDecay * p; average += (1 - beta1) * (d - average); norm = max(beta2 * norm, |d| +
 * eps); p -= lr / (1 - beta1^t) * average / norm.
 */
export function adamax_step_f32(
  p: usize,
  g: usize,
  average: usize,
  norm: usize,
  step: usize,
  hyper: usize,
  n: i32,
): void {
  const size = f32x4.splat(<f32>(<f64>hyperAt(hyper, LR) / (1 - fading(hyper, 3, step))));
  each<Adamax>(p, g, average, norm, hyper, n, hyperLanes(hyper, 3), keepOf(hyper, 4), hyperLanes(hyper, 5), size);
}

@final
@unmanaged
class Lion {
  @inline step(
    p: usize,
    g: usize,
    average: usize,
    none: usize,
    lanes: i32,
    sign: v128,
    decay: v128,
    take1: v128,
    take2: v128,
    shrink: v128,
    lr: v128,
  ): void {
    const d = f32x4.mul(loadLanes(g, lanes), sign);
    const m = loadLanes(average, lanes);
    const change = f32x4.sub(d, m);
    const u = signs(madd(change, take1, m));
    storeLanes(average, madd(change, take2, m), lanes);
    storeLanes(p, nmadd(u, lr, f32x4.mul(loadLanes(p, lanes), shrink)), lanes);
  }
}

/**
 * Lion (Chen et al. 2023): p *= 1 - lr * weightDecay; p -= lr * sign(beta1 * average + (1 - beta1) * ±g); average =
 * beta2 * average + (1 - beta2) * ±g. The step is not used.
 */
export function lion_step_f32(p: usize, g: usize, average: usize, step: usize, hyper: usize, n: i32): void {
  const shrink = f32x4.splat(<f32>(1 - <f64>hyperAt(hyper, LR) * hyperAt(hyper, WEIGHT_DECAY)));
  each<Lion>(p, g, average, 0, hyper, n, hyperLanes(hyper, 3), hyperLanes(hyper, 4), shrink, hyperLanes(hyper, LR));
}

@final
@unmanaged
class Asgd {
  @inline step(
    p: usize,
    g: usize,
    average: usize,
    none: usize,
    lanes: i32,
    sign: v128,
    decay: v128,
    shrink: v128,
    eta: v128,
    mu: v128,
    first: v128,
  ): void {
    const pv = loadLanes(p, lanes);
    const d = decayed(loadLanes(g, lanes), pv, sign, decay);
    const next = nmadd(d, eta, f32x4.mul(pv, shrink));
    const a = loadLanes(average, lanes);
    storeLanes(p, next, lanes);
    storeLanes(average, select(first, next, madd(f32x4.sub(next, a), mu, a)), lanes);
  }
}

/**
 * torch.optim.ASGD: d = ±g + weightDecay * p; p = p * (1 - lambd * eta) - eta * d; average += mu * (p - average), or p
 * where mu is 1. eta and mu are single numbers, which asgd_rates_f32 moves on afterwards.
 */
export function asgd_step_f32(
  p: usize,
  g: usize,
  average: usize,
  eta: usize,
  mu: usize,
  step: usize,
  hyper: usize,
  n: i32,
): void {
  const shrink = f32x4.splat(<f32>(1 - <f64>hyperAt(hyper, 3) * load<f32>(eta))),
    share = v128.load32_splat(mu);
  each<Asgd>(p, g, average, 0, hyper, n, shrink, v128.load32_splat(eta), share, f32x4.eq(share, f32x4.splat(1)));
}

/** eta = lr / (1 + lambd * lr * t)^alpha; mu = 1 / max(1, t - t0), t the step: those of the next step. */
export function asgd_rates_f32(eta: usize, mu: usize, step: usize, hyper: usize): void {
  const lr = hyperAt(hyper, LR),
    t = load<f32>(step);
  const fall = f32x4.extract_lane(log1p(f32x4.splat(hyperAt(hyper, 3) * lr * t)), 0) * -hyperAt(hyper, 4);
  store<f32>(eta, lr * expOne(fall));
  store<f32>(mu, 1 / max<f32>(1, t - hyperAt(hyper, 5)));
}

@final
@unmanaged
class Rprop {
  @inline step(
    p: usize,
    g: usize,
    previous: usize,
    size: usize,
    lanes: i32,
    sign: v128,
    decay: v128,
    minus: v128,
    plus: v128,
    least: v128,
    largest: v128,
  ): void {
    const zero = f32x4.splat(0);
    const d = f32x4.mul(loadLanes(g, lanes), sign);
    const turn = f32x4.mul(d, loadLanes(previous, lanes));
    const turned = f32x4.lt(turn, zero);
    const factor = select(turned, minus, select(f32x4.gt(turn, zero), plus, f32x4.splat(1)));
    const s = clamp(f32x4.mul(loadLanes(size, lanes), factor), least, largest);
    const u = v128.andnot(d, turned);
    storeLanes(size, s, lanes);
    storeLanes(previous, u, lanes);
    storeLanes(p, nmadd(signs(u), s, loadLanes(p, lanes)), lanes);
  }
}

/**
 * torch.optim.Rprop: size *= plus where ±g and the previous one agree, minus where they do not, within the least and
 * the largest step; where they do not, the gradient counts as 0; p -= sign(gradient) * size. The step is not used.
 */
export function rprop_step_f32(
  p: usize,
  g: usize,
  previous: usize,
  size: usize,
  step: usize,
  hyper: usize,
  n: i32,
): void {
  each<Rprop>(
    p,
    g,
    previous,
    size,
    hyper,
    n,
    hyperLanes(hyper, 3),
    hyperLanes(hyper, 4),
    hyperLanes(hyper, 5),
    hyperLanes(hyper, 6),
  );
}

/**
 * The step of LAMB along u: p += lr * |p| / |u| * u, and lr * u where a norm is 0. `squares` holds |p|^2 and |u|^2.
 */
export function lamb_step_f32(p: usize, u: usize, squares: usize, hyper: usize, n: i32): void {
  const own = load<f32>(squares),
    other = load<f32>(squares, 4);
  let rate = hyperAt(hyper, LR);
  if (own > 0 && other > 0) rate *= sqrt(own / other);
  const rates = f32x4.splat(rate);
  for (; n >= 4; n -= 4, p += 16, u += 16) v128.store(p, madd(v128.load(u), rates, v128.load(p)));
  if (n > 0) storePart(p, madd(loadPart(u, n), rates, loadPart(p, n)), n);
}
