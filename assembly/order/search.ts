// Running extremes, and searches in sorted rows.
import { DESCENDING, FLOATING, keyOf } from "./key";

/** As keyOf, but a NaN comes last in both directions. */
@inline
function rankOf(bits: i32, order: i32): u32 {
  if (order & FLOATING && (<u32>bits & 0x7fffffff) > 0x7f800000) return u32.MAX_VALUE;
  return keyOf(bits, order);
}

/**
 * index[o, j, i] = where the greatest of x[o, 0 .. j, i] lies, or with `order` DESCENDING the least; of equal ones the
 * last; a NaN is better than all (torch.cummax, cummin). x[outer, r, inner]. Overwrites.
 */
export function cumulative_arg_32(index: usize, x: usize, outer: i32, r: i32, inner: i32, order: i32): void {
  const row = (<usize>inner) << 2;
  for (let o = 0; o < outer; o++) {
    const first = x;
    for (let j = 0; j < r; j++) {
      for (let i: usize = 0; i < row; i += 4, x += 4, index += 4) {
        let best = j;
        if (j > 0) {
          const before = load<i32>(index - row);
          const beaten = rankOf(load<i32>(first + <usize>before * row + i), order);
          if (rankOf(load<i32>(x), order) < beaten) best = before;
        }
        store<i32>(index, best);
      }
    }
  }
}

/**
 * y[o, j] = how many of the sorted row o of x [outer, n] are less than v[o, j], v [outer, m]; with `right`, how many
 * are not greater (torch.searchsorted). The rows of x lie xRow apart, 0 for one that all share. Overwrites.
 */
export function search_sorted_32(
  y: usize,
  x: usize,
  v: usize,
  outer: i32,
  n: i32,
  m: i32,
  xRow: i32,
  right: i32,
  order: i32,
): void {
  order &= ~DESCENDING;
  for (let o = 0; o < outer; o++, x += (<usize>xRow) << 2) {
    for (let j = 0; j < m; j++, y += 4, v += 4) {
      const key = keyOf(load<i32>(v), order);
      let low = 0,
        high = n;
      while (low < high) {
        const middle = (low + high) >>> 1;
        const other = keyOf(load<i32>(x + ((<usize>middle) << 2)), order);
        if (other < key || (right && other == key)) low = middle + 1;
        else high = middle;
      }
      store<i32>(y, low);
    }
  }
}
