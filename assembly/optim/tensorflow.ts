// Steps of optimizers by the formulas of TensorFlow.js, where they are not PyTorch's: its epsilon stands inside of the
// roots. `hyper` points to f32s:
//
//   0 lr   1 keep   2 take, which is 1 - keep   3 eps   4 fade
import { loadLanes, madd, magnitude, nmadd, storeLanes } from "../lanes";
import { hyperLanes, LR } from "./hyper";

/** Which formula: words of the operand `rule`. */
@inline const ADADELTA: i32 = 1;
@inline const ADAMAX: i32 = 2;

/**
 * p -= lr * u and the state a, by rule: a = keep * a + take * g^2, which is the formula of
 *   0 rmsprop   u = g / sqrt(a + eps); with c (else 0) c = keep * c + take * g, u = g / sqrt(a - c^2 + eps); with b
 *               (else 0) b = fade * b + lr * u and p -= b. Adagrad is that with 1 as keep and take
 *   1 adadelta  u = sqrt(b + eps) / sqrt(a before + eps) * g; b = keep * b + take * u^2
 *   2 adamax    a = keep * a + take * g; b = max(fade * b, |g|); u = a / (b + eps)
 */
export function tensorflow_step_f32(
  p: usize,
  g: usize,
  a: usize,
  b: usize,
  c: usize,
  hyper: usize,
  n: i32,
  rule: i32,
): void {
  const lr = hyperLanes(hyper, LR),
    keep = hyperLanes(hyper, 1),
    take = hyperLanes(hyper, 2),
    eps = hyperLanes(hyper, 3),
    fade = hyperLanes(hyper, 4);
  for (let at: usize = 0; n > 0; n -= 4, at += 16) {
    const lanes = min(n, 4),
      d = loadLanes(g + at, lanes),
      before = loadLanes(a + at, lanes);
    let u = d,
      divisor = before,
      moved = lr;
    const mean = madd(before, keep, f32x4.mul(rule == ADAMAX ? d : f32x4.mul(d, d), take));
    storeLanes(a + at, mean, lanes);
    if (b) moved = loadLanes(b + at, lanes);
    if (rule == ADAMAX) {
      u = mean;
      moved = f32x4.max(f32x4.mul(moved, fade), magnitude(d));
      divisor = f32x4.add(moved, eps);
    } else {
      if (rule == ADADELTA) u = f32x4.mul(f32x4.sqrt(f32x4.add(moved, eps)), d);
      else divisor = mean;
      if (c) {
        const average = madd(loadLanes(c + at, lanes), keep, f32x4.mul(d, take));
        storeLanes(c + at, average, lanes);
        divisor = nmadd(average, average, divisor);
      }
      divisor = f32x4.sqrt(f32x4.add(divisor, eps));
    }
    u = f32x4.div(u, divisor);
    if (rule == ADADELTA) moved = madd(moved, keep, f32x4.mul(f32x4.mul(u, u), take));
    u = f32x4.mul(u, lr);
    if (b) {
      // Momentum is in the units of p.
      if (rule == 0) u = moved = madd(moved, fade, u);
      storeLanes(b + at, moved, lanes);
    }
    storeLanes(p + at, f32x4.sub(loadLanes(p + at, lanes), u), lanes);
  }
}
