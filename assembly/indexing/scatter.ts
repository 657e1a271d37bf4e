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
function joined(a: v128, b: v128, how: i32): v128 {
  if (how == SET || how == INTEGERS) return b;
  if (how == SUM) return f32x4.add(a, b);
  if (how == PRODUCT) return f32x4.mul(a, b);
  if (how == INTEGERS + SUM) return i32x4.add(a, b);
  if (how == INTEGERS + PRODUCT) return i32x4.mul(a, b);
  if (how >= INTEGERS) return how == INTEGERS + GREATEST ? i32x4.max_s(a, b) : i32x4.min_s(a, b);
  // A NaN that is there stays, and one that comes sets all bits, which is a NaN. Nothing else may stand between what is
  // there and what comes: processors take the next place for the same, and wait.
  const best = how == GREATEST ? f32x4.pmax(a, b) : f32x4.pmin(a, b);
  return v128.or(best, f32x4.ne(b, b));
}

/** Joins `count` elements of src to rows of y, each to the column that is `step` bytes behind that before. */
function joinFew(y: usize, index: usize, src: usize, count: i32, row: usize, step: usize, how: i32): void {
  for (; count > 0; count--, y += step, index += 4, src += 4) {
    const to = y + <usize>load<i32>(index) * row;
    v128.store32_lane(to, joined(v128.load32_zero(to), v128.load32_zero(src), how), 0);
  }
}

/**
 * y[o, index[o, j, i], i] = itself and src[o, j, i], joined in the order of j: replaced, summed, multiplied, or the
 * greatest or least of them; from INTEGERS on, i32, which wrap. y[outer, n, inner], index and src [outer, m, inner]
 * (torch.scatter_reduce). Accumulates.
 */
export function scatter_32(y: usize, index: usize, src: usize, outer: i32, n: i32, m: i32, inner: i32, how: i32): void {
  const row = (<usize>inner) << 2,
    slab = <usize>n * row;
  for (; outer > 0; outer--, y += slab) {
    if (inner == 1) {
      joinFew(y, index, src, m, 4, 0, how);
      index += (<usize>m) << 2;
      src += (<usize>m) << 2;
      continue;
    }
    for (let j = 0; j < m; j++, index += row, src += row) joinFew(y, index, src, inner, row, 4, how);
  }
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
