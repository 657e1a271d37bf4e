// Reading and writing by index along the middle axis of [outer, n, inner]. The elements are any 4 bytes where the name
// ends in 32, any byte where it ends in 8. Indices are i32, lie within [0, n) and are checked before (check_index_i32).
import { loadBytes } from "../lanes";
import { mapBytes, mapRow } from "../loops";
import { Add, Identity } from "../ops";

/** Copies n elements of type T. */
@inline
export function copyRow<T>(out: usize, x: usize, n: i32): void {
  if (n == 1) store<T>(out, load<T>(x));
  else if (sizeof<T>() == 1) mapBytes<Identity>(out, x, n);
  else mapRow<Identity>(out, x, 0, 0, 0, n);
}

@inline
function indexSelect<T>(out: usize, x: usize, index: usize, outer: i32, n: i32, m: i32, inner: i32): void {
  const row = <usize>inner * sizeof<T>(),
    slab = <usize>n * row;
  for (let o = 0; o < outer; o++, x += slab) {
    for (let j = 0; j < m; j++, out += row) {
      copyRow<T>(out, x + <usize>load<i32>(index + ((<usize>j) << 2)) * row, inner);
    }
  }
}

/** out[o, j, i] = x[o, index[j], i], x[outer, n, inner], index[m] (torch.index_select, an embedding). Overwrites. */
export function index_select_32(out: usize, x: usize, index: usize, outer: i32, n: i32, m: i32, inner: i32): void {
  indexSelect<u32>(out, x, index, outer, n, m, inner);
}

/** As index_select_32, for elements of one byte. */
export function index_select_8(out: usize, x: usize, index: usize, outer: i32, n: i32, m: i32, inner: i32): void {
  indexSelect<u8>(out, x, index, outer, n, m, inner);
}

/**
 * dx[o, index[j], i] += g[o, j, i] in the order of j, for dx[outer, n, inner], index[m], g[outer, m, inner]
 * (torch.index_add): reverses index_select_32. Accumulates.
 */
export function index_add_f32(dx: usize, g: usize, index: usize, outer: i32, n: i32, m: i32, inner: i32): void {
  const row = (<usize>inner) << 2,
    slab = <usize>n * row;
  for (let o = 0; o < outer; o++, dx += slab) {
    for (let j = 0; j < m; j++, g += row) {
      const to = dx + <usize>load<i32>(index + ((<usize>j) << 2)) * row;
      if (inner == 1) store<f32>(to, load<f32>(to) + load<f32>(g));
      else mapRow<Add>(to, to, g, 0, 0, inner);
    }
  }
}

@inline
function gather<T>(out: usize, x: usize, index: usize, outer: i32, n: i32, m: i32, inner: i32): void {
  const row = <usize>inner * sizeof<T>(),
    slab = <usize>n * row;
  for (let o = 0; o < outer; o++, x += slab) {
    for (let j = 0; j < m; j++) {
      for (let at: usize = 0; at < row; at += sizeof<T>(), out += sizeof<T>(), index += 4) {
        store<T>(out, load<T>(x + <usize>load<i32>(index) * row + at));
      }
    }
  }
}

/** out[o, j, i] = x[o, index[o, j, i], i], index[outer, m, inner], x[outer, n, inner] (torch.gather). Overwrites. */
export function gather_32(out: usize, x: usize, index: usize, outer: i32, n: i32, m: i32, inner: i32): void {
  gather<u32>(out, x, index, outer, n, m, inner);
}

/** As gather_32, for elements of one byte. */
export function gather_8(out: usize, x: usize, index: usize, outer: i32, n: i32, m: i32, inner: i32): void {
  gather<u8>(out, x, index, outer, n, m, inner);
}

/**
 * out[o, index[o, j, i], i] += src[o, j, i] in the order of j, out[outer, n, inner], index and src [outer, m, inner]
 * (torch.scatter_add): reverses gather_32. Accumulates.
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

/** Bit i is whether byte i of the first `lanes` (1 to 16) at mask is not 0. */
@inline
function trueBits(mask: usize, lanes: i32): i32 {
  const bytes = lanes == 16 ? v128.load(mask) : loadBytes(mask, lanes);
  return i8x16.bitmask(i8x16.ne(bytes, i8x16.splat(0)));
}

/** How many of the n bytes of mask are not 0. */
function countTrue(mask: usize, n: i32): i32 {
  let count = 0;
  for (; n >= 16; n -= 16, mask += 16) count += popcnt(trueBits(mask, 16));
  return n > 0 ? count + popcnt(trueBits(mask, n)) : count;
}

/**
 * index[k], i32 = where the k-th of the n bytes of mask that are not 0 lies (torch.nonzero of a flat mask), in order,
 * for `count` of them, which check_nonzero_u8 says before. Overwrites.
 */
export function nonzero_u8(index: usize, mask: usize, n: i32, count: i32): void {
  const end = index + ((<usize>count) << 2);
  for (let at = 0; at < n; at += 16) {
    for (let bits = trueBits(mask + at, min(16, n - at)); bits && index < end; bits &= bits - 1, index += 4) {
      store<i32>(index, at + ctz(bits));
    }
  }
}

/** -1 where `count` of the n bytes of mask are not 0, else how many are: nonzero_u8 writes as many. A probe. */
export function check_nonzero_u8(mask: usize, n: i32, count: i32): i32 {
  const found = countTrue(mask, n);
  return found == count ? -1 : found;
}
