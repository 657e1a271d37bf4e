// Running extremes, and searches in sorted rows.
import { storeLanes } from "../lanes";
import { DESCENDING, keyOf, keysAt, RANKED } from "./key";

/** The greatest of each lane and those before it, and of all that came before the vector, in every lane of `before`. */
@inline
function runningMax(v: v128, before: v128): v128 {
  const two = i32x4.max_s(v, v128.shuffle<i32>(v, v, 0, 0, 1, 2));
  return i32x4.max_s(before, i32x4.max_s(two, v128.shuffle<i32>(two, two, 0, 1, 0, 1)));
}

/** A row: an element counts where it is the greatest until there, and then until the next that does. */
function argRow(index: usize, x: usize, r: i32, order: i32): void {
  let best = i32x4.splat(i32.MIN_VALUE),
    place = i32x4.splat(0),
    here = i32x4(0, 1, 2, 3);
  for (; r > 0; r -= 4, x += 16, index += 16) {
    const lanes = min(r, 4),
      ranks = keysAt(x, lanes, order),
      until = runningMax(ranks, best),
      places = runningMax(v128.and(here, i32x4.eq(ranks, until)), place);
    storeLanes(index, places, lanes);
    best = v128.shuffle<i32>(until, until, 3, 3, 3, 3);
    place = v128.shuffle<i32>(places, places, 3, 3, 3, 3);
    here = i32x4.add(here, i32x4.splat(4));
  }
}

/**
 * index[o, j, i] = where the greatest of x[o, 0 .. j, i] lies, or with `order` DESCENDING the least; of equal ones the
 * last; a NaN is better than all (torch.cummax, cummin). x[outer, r, inner]. Overwrites.
 */
export function cumulative_arg_32(index: usize, x: usize, outer: i32, r: i32, inner: i32, order: i32): void {
  const row = (<usize>inner) << 2,
    slab = <usize>r * row;
  order |= RANKED;
  for (; outer > 0; outer--, x += slab, index += slab) {
    if (inner == 1) {
      argRow(index, x, r, order);
      continue;
    }
    for (let i = 0; i < inner; i += 4) {
      const lanes = min(inner - i, 4);
      let best = i32x4.splat(i32.MIN_VALUE),
        place = i32x4.splat(0),
        at = (<usize>i) << 2;
      for (let j = 0; j < r; j++, at += row) {
        const ranks = keysAt(x + at, lanes, order),
          beats = i32x4.ge_s(ranks, best);
        best = i32x4.max_s(ranks, best);
        place = v128.bitselect(i32x4.splat(j), place, beats);
        storeLanes(index + at, place, lanes);
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
