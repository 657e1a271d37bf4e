// Smooth L1 and Huber losses, unreduced, of d = x - t, n contiguous elements. Outputs are overwritten; g is the
// gradient of the unreduced losses.
import { clamp } from "../lanes";
import { mapRow } from "../loops";
import { USES_B, USES_P, USES_Y } from "../ops";

@final
@unmanaged
class SmoothL1 {
  @inline uses(): i32 {
    return USES_Y | USES_P;
  }
  @inline forward(x: v128, y: v128, beta: v128): v128 {
    const d = f32x4.abs(f32x4.sub(x, y)),
      half = f32x4.splat(0.5);
    const square = f32x4.div(f32x4.mul(f32x4.mul(half, d), d), beta);
    return v128.bitselect(square, f32x4.sub(d, f32x4.mul(half, beta)), f32x4.lt(d, beta));
  }
}

@final
@unmanaged
class SmoothL1Gradient {
  @inline uses(): i32 {
    return USES_Y | USES_B | USES_P;
  }
  @inline forward(x: v128, y: v128, g: v128, beta: v128): v128 {
    const d = f32x4.sub(x, y),
      one = f32x4.splat(1),
      slope = clamp(f32x4.div(d, beta), f32x4.neg(one), one);
    // 0 / 0 for beta = 0, where the gradient of |d| at 0 is 0.
    return f32x4.mul(g, v128.bitselect(d, slope, f32x4.eq(d, f32x4.splat(0))));
  }
}

/** out[n] = d^2 / (2 beta) where |d| < beta, else |d| - beta / 2 (torch.nn.functional.smooth_l1_loss); beta >= 0. */
export function smooth_l1_forward_f32(out: usize, x: usize, t: usize, n: i32, beta: f32): void {
  mapRow<SmoothL1>(out, x, t, 0, 0, n, beta);
}

/**
 * Reverses smooth_l1_forward_f32: dx[n] = g * clamp(d / beta, -1, 1), g * sign(d) for beta = 0. dx may be any input.
 */
export function smooth_l1_backward_f32(dx: usize, g: usize, x: usize, t: usize, n: i32, beta: f32): void {
  mapRow<SmoothL1Gradient>(dx, x, t, 0, g, n, beta);
}

@final
@unmanaged
class Huber {
  @inline uses(): i32 {
    return USES_Y | USES_P;
  }
  @inline forward(x: v128, y: v128, delta: v128): v128 {
    const d = f32x4.abs(f32x4.sub(x, y)),
      half = f32x4.splat(0.5);
    const line = f32x4.mul(delta, f32x4.sub(d, f32x4.mul(half, delta)));
    return v128.bitselect(f32x4.mul(f32x4.mul(half, d), d), line, f32x4.le(d, delta));
  }
}

@final
@unmanaged
class HuberGradient {
  @inline uses(): i32 {
    return USES_Y | USES_B | USES_P;
  }
  @inline forward(x: v128, y: v128, g: v128, delta: v128): v128 {
    return f32x4.mul(g, clamp(f32x4.sub(x, y), f32x4.neg(delta), delta));
  }
}

/** out[n] = d^2 / 2 where |d| <= delta, else delta * (|d| - delta / 2) (torch.nn.functional.huber_loss). */
export function huber_forward_f32(out: usize, x: usize, t: usize, n: i32, delta: f32): void {
  mapRow<Huber>(out, x, t, 0, 0, n, delta);
}

/** Reverses huber_forward_f32: dx[n] = g * clamp(d, -delta, delta). dx may be any input. */
export function huber_backward_f32(dx: usize, g: usize, x: usize, t: usize, n: i32, delta: f32): void {
  mapRow<HuberGradient>(dx, x, t, 0, g, n, delta);
}
