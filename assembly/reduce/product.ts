// Products over the middle axis of x[outer, r, inner], contiguous f32, forward beside backward; shape.ts says how it is
// cut and what stride means. Every kernel overwrites its output, which may not alias x. An empty product is 1.
import { folds } from "./fold";
import { bytesOf } from "./shape";

@final
@unmanaged
class Times {
  @inline identity(): v128 {
    return f32x4.splat(1);
  }
  @inline combine(a: v128, b: v128): v128 {
    return f32x4.mul(a, b);
  }
}

/** out[outer, inner] = product over r of x (torch.prod). */
export function prod_f32(out: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  folds<Times, f32>(out, x, outer, r, inner, stride);
}

/**
 * Reverses prod_f32: dx[o, j, i] = g[o, i] * the product of all x[o, :, i] but x[o, j, i]. A zero among them makes the
 * others' gradients 0 and is left out of its own, so that nothing is divided by it. Overwrites dx.
 */
export function prod_backward_f32(dx: usize, g: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  const slab = bytesOf(r, stride),
    row = bytesOf(1, stride);
  for (let o = 0; o < outer; o++, x += slab, dx += slab) {
    for (let i = 0; i < inner; i++, g += 4) {
      const at = x + ((<usize>i) << 2),
        to = dx + ((<usize>i) << 2);
      let zeros = 0,
        rest: f64 = 1;
      for (let j: usize = 0; j < slab; j += row) {
        const value = load<f32>(at + j);
        if (value == 0) zeros++;
        else rest *= value;
      }
      const whole = rest * load<f32>(g);
      for (let j: usize = 0; j < slab; j += row) {
        const value = load<f32>(at + j);
        store<f32>(to + j, zeros > 1 ? 0 : zeros == 1 ? (value == 0 ? <f32>whole : 0) : <f32>(whole / value));
      }
    }
  }
}
