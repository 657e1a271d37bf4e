// Padding along the middle axis of x[outer, n, inner] by elements of the axis itself, forward beside backward.
// `dims` = [n, m, before, mode]: y[outer, m, inner] begins `before` positions ahead of x, or that many behind where it
// is negative. No position lies further outside than the mode reaches; the bindings see to that.
import { copyRow } from "../indexing/indexing";
import { mapRow } from "../loops";
import { Add } from "../ops";

const REPLICATE: i32 = 1;
const CIRCULAR: i32 = 2;

/** The position of x that stands at j, which may be outside of [0, n): mirrored, that of the edge, or the next turn. */
@inline
function sourceOf(j: i32, n: i32, mode: i32): i32 {
  if (mode == REPLICATE) return max(min(j, n - 1), 0);
  if (mode == CIRCULAR) return j < 0 ? j + n : j >= n ? j - n : j;
  return j < 0 ? -j : j >= n ? 2 * (n - 1) - j : j;
}

/** y[o, j, i] = x[o, source(j - before), i] (torch.nn.functional.pad), of any 4 bytes. Overwrites. */
export function pad_edge_forward_32(y: usize, x: usize, outer: i32, inner: i32, dims: usize): void {
  const n = load<i32>(dims),
    m = load<i32>(dims, 4),
    before = load<i32>(dims, 8),
    mode = load<i32>(dims, 12);
  const row = (<usize>inner) << 2,
    from = max(before, 0),
    to = min(before + n, m);
  for (; outer > 0; outer--, x += <usize>n * row) {
    for (let j = 0; j < m; ) {
      const some = j == from ? max(to - from, 1) : 1;
      copyRow<u32>(y, x + <usize>sourceOf(j - before, n, mode) * row, some * inner);
      j += some;
      y += <usize>some * row;
    }
  }
}

/** Reverses pad_edge_forward_32: dx[o, source(j - before), i] is the sum of g[o, j, i]. Overwrites. */
export function pad_edge_backward_f32(dx: usize, g: usize, outer: i32, inner: i32, dims: usize): void {
  const n = load<i32>(dims),
    m = load<i32>(dims, 4),
    before = load<i32>(dims, 8),
    mode = load<i32>(dims, 12);
  const row = (<usize>inner) << 2,
    slab = <usize>n * row;
  const from = max(before, 0),
    some = max(min(before + n, m) - from, 0);
  for (; outer > 0; outer--, dx += slab) {
    if (some < n) memory.fill(dx, 0, slab);
    if (some > 0) copyRow<u32>(dx + <usize>(from - before) * row, g + <usize>from * row, some * inner);
    for (let j = 0; j < m; j++, g += row) {
      if (j == from) {
        j += some;
        g += <usize>some * row;
        if (j == m) break;
      }
      const to = dx + <usize>sourceOf(j - before, n, mode) * row;
      if (inner == 1) store<f32>(to, load<f32>(to) + load<f32>(g));
      else mapRow<Add>(to, to, g, 0, 0, inner);
    }
  }
}
