// Writes by index along the middle axis of [outer, n, inner] that go beside what is there, or over it. Indices are i32,
// lie within [0, n) and are checked before (check_index_i32).
import { copyRow } from "./indexing";

/** How an element joins what is there. */
const SET: i32 = 0;
const SUM: i32 = 1;
const PRODUCT: i32 = 2;
const GREATEST: i32 = 3;
const INTEGERS: i32 = 5;

@inline
function joined<T>(a: T, b: T, how: i32): T {
  if (how == SET) return b;
  if (how == SUM) return <T>(a + b);
  if (how == PRODUCT) return <T>(a * b);
  // A NaN that is there stays, one that comes is taken.
  if (a != a || b != b) return a != a ? a : b;
  return how == GREATEST ? max<T>(a, b) : min<T>(a, b);
}

@inline
function scatter<T>(y: usize, index: usize, src: usize, outer: i32, n: i32, m: i32, inner: i32, how: i32): void {
  const row = (<usize>inner) << 2,
    slab = <usize>n * row;
  for (let o = 0; o < outer; o++, y += slab) {
    for (let j = 0; j < m; j++) {
      for (let at: usize = 0; at < row; at += 4, src += 4, index += 4) {
        const to = y + <usize>load<i32>(index) * row + at;
        store<T>(to, joined<T>(load<T>(to), load<T>(src), how));
      }
    }
  }
}

/**
 * y[o, index[o, j, i], i] = itself and src[o, j, i], joined in the order of j: replaced, summed, multiplied, or the
 * greatest or least of them; from INTEGERS on, i32, which wrap. y[outer, n, inner], index and src [outer, m, inner]
 * (torch.scatter_reduce). Accumulates.
 */
export function scatter_32(y: usize, index: usize, src: usize, outer: i32, n: i32, m: i32, inner: i32, how: i32): void {
  if (how < INTEGERS) scatter<f32>(y, index, src, outer, n, m, inner, how);
  else scatter<i32>(y, index, src, outer, n, m, inner, how - INTEGERS);
}

/**
 * y[o, index[j], i] = src[o, j, i] in the order of j, for y[outer, n, inner], index[m] and src[outer, m, inner]
 * (torch.index_copy). Overwrites what is named.
 */
export function index_copy_32(y: usize, src: usize, index: usize, outer: i32, n: i32, m: i32, inner: i32): void {
  const row = (<usize>inner) << 2,
    slab = <usize>n * row;
  for (let o = 0; o < outer; o++, y += slab) {
    for (let j = 0; j < m; j++, src += row) {
      copyRow<u32>(y + <usize>load<i32>(index + ((<usize>j) << 2)) * row, src, inner);
    }
  }
}

/** y[i] = x[i] / stride % size: where the flat position x[i] lies along an axis. */
export function coordinate_i32(y: usize, x: usize, n: i32, size: i32, stride: i32): void {
  for (const end = x + ((<usize>n) << 2); x < end; x += 4, y += 4) {
    store<i32>(y, (load<i32>(x) / stride) % size);
  }
}
