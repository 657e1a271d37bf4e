// The yardstick of the GEMM benchmark.
import { madd } from "../lanes";

// In memory, because engines would compute a constant again inside the loop.
const HALF: usize = memory.data<f32>([0.5, 0.5, 0.5, 0.5], 16);

/**
 * 12 * `iterations` multiply-adds of 4 lanes (96 * `iterations` floating-point operations) without touching memory:
 * the most that one core can do.
 *
 * Each chain is c = c/2 + 1/2, which goes to 1; returns the product of the twelve. Twelve chains hide the latency of a
 * multiplication and an addition on cores that start two of each a cycle.
 */
// biome-ignore format: four chains in a line.
export function madd_limit_f32(iterations: i32): f32 {
  const h = v128.load(HALF);
  let c0 = f32x4.splat(0), c1 = f32x4.splat(0.25), c2 = f32x4.splat(0.5), c3 = f32x4.splat(0.75);
  let c4 = f32x4.splat(1), c5 = f32x4.splat(1.25), c6 = f32x4.splat(1.5), c7 = f32x4.splat(1.75);
  let c8 = f32x4.splat(2), c9 = f32x4.splat(2.25), c10 = f32x4.splat(2.5), c11 = f32x4.splat(2.75);
  for (; iterations > 0; iterations--) {
    c0 = madd(c0, h, h); c1 = madd(c1, h, h); c2 = madd(c2, h, h); c3 = madd(c3, h, h);
    c4 = madd(c4, h, h); c5 = madd(c5, h, h); c6 = madd(c6, h, h); c7 = madd(c7, h, h);
    c8 = madd(c8, h, h); c9 = madd(c9, h, h); c10 = madd(c10, h, h); c11 = madd(c11, h, h);
  }
  c0 = f32x4.mul(f32x4.mul(c0, c1), f32x4.mul(c2, c3));
  c4 = f32x4.mul(f32x4.mul(c4, c5), f32x4.mul(c6, c7));
  c8 = f32x4.mul(f32x4.mul(c8, c9), f32x4.mul(c10, c11));
  return f32x4.extract_lane(f32x4.mul(f32x4.mul(c0, c4), c8), 0);
}
