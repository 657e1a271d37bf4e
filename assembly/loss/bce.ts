// Binary cross-entropy, unreduced, with and without logits, of n contiguous elements. Outputs are overwritten; g is the
// gradient of the unreduced losses.
import { madd } from "../lanes";
import { mapRow } from "../loops";
import { expNegative, log, log1p, log1pUnit, sigmoid } from "../math";
import { SHALLOW, USES_B, USES_P, USES_W, USES_Y } from "../ops";

// With logits: four vectors at once would serve rows of weights alone, which are rare, and cost 0.7 kB.

/** (1 - t) * x + (1 + (weight - 1) * t) * log(1 + exp(-x)). */
@final
@unmanaged
class BceWithLogits {
  @inline uses(): i32 {
    return USES_Y | USES_W | USES_P | SHALLOW;
  }
  @inline forward(x: v128, t: v128, w: v128, factor: v128): v128 {
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
    return USES_Y | USES_W | USES_B | USES_P | SHALLOW;
  }
  @inline forward(x: v128, t: v128, w: v128, g: v128, factor: v128): v128 {
    const one = f32x4.splat(1),
      positive = f32x4.mul(f32x4.mul(w, factor), t);
    const weight = f32x4.add(positive, f32x4.sub(one, t));
    return f32x4.mul(g, f32x4.sub(f32x4.mul(weight, sigmoid(x)), positive));
  }
}

/** out[n] = F(x[n], t[n], posWeight[inner], g[n]), posWeight repeating along the last axis, or 0 for ones. */
function alongLastAxis<F>(out: usize, x: usize, t: usize, posWeight: usize, g: usize, n: i32, inner: i32): void {
  if (!posWeight || inner == 1) {
    mapRow<F>(out, x, t, 0, g, n, posWeight ? load<f32>(posWeight) : 1);
    return;
  }
  for (let i = 0; i < n; i += inner) {
    const at = (<usize>i) << 2;
    mapRow<F>(out + at, x + at, t + at, posWeight, g + at, inner, 1);
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

/**
 * Reverses bce_with_logits_forward_f32: dx[n] = g * ((1 + (posWeight - 1) * t) * sigmoid(x) - posWeight * t). dx may be
 * any input.
 */
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
    return USES_Y | USES_P;
  }
  @inline forward(p: v128, t: v128, floor: v128): v128 {
    const off = f32x4.mul(f32x4.sub(t, f32x4.splat(1)), f32x4.max(log1p(f32x4.neg(p)), floor));
    return f32x4.sub(off, f32x4.mul(t, f32x4.max(log(p), floor)));
  }
}

@final
@unmanaged
class BceGradient {
  @inline uses(): i32 {
    return USES_Y | USES_B | USES_P;
  }
  @inline forward(p: v128, t: v128, g: v128, floor: v128): v128 {
    const variance = f32x4.mul(f32x4.sub(f32x4.splat(1), p), p);
    return f32x4.div(f32x4.mul(g, f32x4.sub(p, t)), f32x4.max(variance, floor));
  }
}

/** out[n] = -t * log p - (1 - t) * log(1 - p), no log below -100 (torch.nn.functional.binary_cross_entropy). */
export function bce_forward_f32(out: usize, p: usize, t: usize, n: i32): void {
  mapRow<Bce>(out, p, t, 0, 0, n, -100);
}

/** Reverses bce_forward_f32: dp[n] = g * (p - t) / max((1 - p) * p, 1e-12). dp may be any input. */
export function bce_backward_f32(dp: usize, g: usize, p: usize, t: usize, n: i32): void {
  mapRow<BceGradient>(dp, p, t, 0, g, n, 1e-12);
}

/** The first of x[n] that is not within low … high, which NaN is not; -1 if all are. */
export function check_range_f32(x: usize, n: i32, low: f32, high: f32): i32 {
  const least = f32x4.splat(low),
    most = f32x4.splat(high);
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const v = v128.load(x + ((<usize>i) << 2));
    if (!i32x4.all_true(v128.and(f32x4.ge(v, least), f32x4.le(v, most)))) break;
  }
  for (; i < n; i++) {
    const v = load<f32>(x + ((<usize>i) << 2));
    if (!(v >= low && v <= high)) return i;
  }
  return -1;
}
