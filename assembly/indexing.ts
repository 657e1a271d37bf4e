// Reading and writing by index along the middle axis of [outer, n, inner]. The elements are any 4 bytes where the name
// ends in 32. Indices are i32, lie within [0, n) and are checked before (check_index_i32).
import { Rows } from "./rowloops";
import { USES_Y, Value } from "./terms";

@final
@unmanaged
class Sum {
  @inline uses(): i32 {
    return USES_Y;
  }
  @inline value(x: v128, y: v128, w: v128, b: v128, p: v128, q: v128, s: v128, t: v128): v128 {
    return f32x4.add(x, y);
  }
}

/** out[o, j, i] = x[o, index[j], i], x[outer, n, inner], index[m] (torch.index_select, an embedding). Overwrites. */
export function index_select_32(out: usize, x: usize, index: usize, outer: i32, n: i32, m: i32, inner: i32): void {
  const zero = f32x4.splat(0),
    row = (<usize>inner) << 2,
    slab = <usize>n * row;
  for (let o = 0; o < outer; o++, x += slab) {
    for (let j = 0; j < m; j++, out += row) {
      const from = x + <usize>load<i32>(index + ((<usize>j) << 2)) * row;
      if (inner == 1) store<u32>(out, load<u32>(from));
      else Rows.map<Value>(out, from, 0, 0, 0, inner, zero, zero, zero, zero);
    }
  }
}

/**
 * dx[o, index[j], i] += g[o, j, i] in the order of j, for dx[outer, n, inner], index[m], g[outer, m, inner]
 * (torch.index_add): the way back of index_select. Accumulates.
 */
export function index_add_f32(dx: usize, g: usize, index: usize, outer: i32, n: i32, m: i32, inner: i32): void {
  const zero = f32x4.splat(0),
    row = (<usize>inner) << 2,
    slab = <usize>n * row;
  for (let o = 0; o < outer; o++, dx += slab) {
    for (let j = 0; j < m; j++, g += row) {
      const to = dx + <usize>load<i32>(index + ((<usize>j) << 2)) * row;
      if (inner == 1) store<f32>(to, load<f32>(to) + load<f32>(g));
      else Rows.map<Sum>(to, to, g, 0, 0, inner, zero, zero, zero, zero);
    }
  }
}

/** out[o, j, i] = x[o, index[o, j, i], i], index[outer, m, inner], x[outer, n, inner] (torch.gather). Overwrites. */
export function gather_32(out: usize, x: usize, index: usize, outer: i32, n: i32, m: i32, inner: i32): void {
  const row = (<usize>inner) << 2,
    slab = <usize>n * row;
  for (let o = 0; o < outer; o++, x += slab) {
    for (let j = 0; j < m; j++) {
      for (let at: usize = 0; at < row; at += 4, out += 4, index += 4) {
        store<u32>(out, load<u32>(x + <usize>load<i32>(index) * row + at));
      }
    }
  }
}

/**
 * out[o, index[o, j, i], i] += src[o, j, i] in the order of j, out[outer, n, inner], index and src [outer, m, inner]
 * (torch.scatter_add): the way back of gather. Accumulates.
 */
export function scatter_add_f32(out: usize, index: usize, src: usize, outer: i32, n: i32, m: i32, inner: i32): void {
  const row = (<usize>inner) << 2,
    slab = <usize>n * row;
  for (let o = 0; o < outer; o++, out += slab) {
    for (let j = 0; j < m; j++) {
      for (let at: usize = 0; at < row; at += 4, src += 4, index += 4) {
        const to = out + <usize>load<i32>(index) * row + at;
        store<f32>(to, load<f32>(to) + load<f32>(src));
      }
    }
  }
}

/** The position of the first of `count` indices outside [0, n), or -1. */
export function check_index_i32(index: usize, count: i32, n: i32): i32 {
  const limit = i32x4.splat(n);
  let j = 0;
  // Unsigned, so that a negative index is too large.
  for (; j + 4 <= count; j += 4) {
    const bad = i32x4.ge_u(v128.load(index + ((<usize>j) << 2)), limit);
    if (v128.any_true(bad)) return j + ctz(i32x4.bitmask(bad));
  }
  for (; j < count; j++) {
    if (load<u32>(index + ((<usize>j) << 2)) >= <u32>n) return j;
  }
  return -1;
}
