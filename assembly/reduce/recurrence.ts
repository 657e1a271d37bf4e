// First-order recurrences along the middle axis of [outer, r, inner].
import { loadLanes, madd, storeLanes } from "../lanes";

/**
 * y[o, j, i] = a[o, j, i] y[o, j - 1, i] + b[o, j, i], forward, or backward from y[o, j + 1, i]; what is before the
 * first is `start`. b may be absent, and reads as 0. y may be a or b. Overwrites y.
 */
export function recurrence_f32(
  y: usize,
  a: usize,
  b: usize,
  outer: i32,
  r: i32,
  inner: i32,
  start: f32,
  backward: i32,
): void {
  const row = (<usize>inner) << 2,
    slab = <usize>r * row;
  const step = backward ? <usize>0 - row : row;
  for (let o = 0; o < outer; o++, y += slab, a += slab) {
    for (let i = 0; i < inner; i += 4) {
      const lanes = min(inner - i, 4);
      let v = f32x4.splat(start),
        at = ((<usize>i) << 2) + (backward ? <usize>(r - 1) * row : 0);
      for (let j = 0; j < r; j++, at += step) {
        v = madd(v, loadLanes(a + at, lanes), b ? loadLanes(b + at, lanes) : f32x4.splat(0));
        storeLanes(y + at, v, lanes);
      }
    }
    if (b) b += slab;
  }
}
