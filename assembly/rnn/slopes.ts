// Slopes of what gates are made of, by their values.

/** s (1 - s), of a sigmoid. */
@inline
export function sigmoidSlope(s: v128): v128 {
  return f32x4.mul(f32x4.sub(f32x4.splat(1), s), s);
}

/** (1 - t)(1 + t), which keeps what 1 - t^2 would round away near ±1. */
@inline
export function tanhSlope(t: v128): v128 {
  const one = f32x4.splat(1);
  return f32x4.mul(f32x4.sub(one, t), f32x4.add(one, t));
}
