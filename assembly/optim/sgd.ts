// Stochastic gradient descent, by the formulas of PyTorch 1.13; hyper.ts says what step and hyper hold.
import { loadLanes, madd, nmadd, storeLanes } from "../lanes";
import { decayed, hyperAt, hyperLanes, LR, signOf, WEIGHT_DECAY } from "./hyper";

/** The step of `lanes` elements from byte `at` on. */
@inline
function sgd(
  p: usize,
  g: usize,
  buffer: usize,
  at: usize,
  lanes: i32,
  nesterov: bool,
  sign: v128,
  decay: v128,
  lr: v128,
  momentum: v128,
  take: v128,
  first: v128,
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

/**
 * torch.optim.SGD: d = ±g + weightDecay * p; buffer = momentum * buffer + (1 - dampening) * d, in the first step d;
 * d = nesterov ? d + momentum * buffer : buffer; p -= lr * d. momentumBuffer may be 0: no momentum.
 */
export function sgd_step_f32(p: usize, g: usize, momentumBuffer: usize, step: usize, hyper: usize, n: i32): void {
  const nesterov = hyperAt(hyper, 5) != 0;
  const sign = signOf(hyper),
    decay = hyperLanes(hyper, WEIGHT_DECAY),
    lr = hyperLanes(hyper, LR),
    momentum = hyperLanes(hyper, 3),
    take = hyperLanes(hyper, 4),
    first = f32x4.splat(load<f32>(step) <= 1 ? 1 : 0);
  const end = (<usize>n) << 2,
    whole = end & ~15;
  let at: usize = 0;
  for (; at < whole; at += 16) sgd(p, g, momentumBuffer, at, 4, nesterov, sign, decay, lr, momentum, take, first);
  if (at < end) sgd(p, g, momentumBuffer, at, n & 3, nesterov, sign, decay, lr, momentum, take, first);
}
