// Whole rows by index: sums of them (gradients of embeddings, bags), writes, and what counts them. Rows are `inner`
// f32s and lie `step` elements apart. What an index outside of its rows names is left out.
import { madd } from "../lanes";
import { mapRow } from "../loops";
import { Identity, USES_P, USES_Y } from "../ops";

/** x + y * factor. */
@final
@unmanaged
class AddScaled {
  @inline uses(): i32 {
    return USES_Y | USES_P;
  }
  @inline forward(x: v128, y: v128, factor: v128): v128 {
    return madd(y, factor, x);
  }
}

/** The j-th of a list of indices; j itself where there is none. */
@inline
function indexAt(list: usize, j: i32): i32 {
  return list ? load<i32>(list + ((<usize>j) << 2)) : j;
}

/**
 * y[to[j]] += factor[j] x[from[j]] in the order of j, from y = 0, for y[n, inner], x[rows, inner] and m entries. A
 * `from` or `to` that is 0 is the list 0, 1, 2 …; a factor that is 0 is 1. Entries whose from is `skipFrom`, or whose
 * to is `skipTo`, are left out where there is such a list. Overwrites.
 */
export function sum_rows_f32(
  y: usize,
  x: usize,
  from: usize,
  to: usize,
  factor: usize,
  n: i32,
  rows: i32,
  m: i32,
  inner: i32,
  step: i32,
  skipFrom: i32,
  skipTo: i32,
): void {
  const row = (<usize>step) << 2,
    width = (<usize>inner) << 2;
  if (step == inner) memory.fill(y, 0, <usize>n * row);
  else for (let r = 0; r < n; r++) memory.fill(y + <usize>r * row, 0, width);
  for (let j = 0; j < m; j++) {
    const a = indexAt(from, j),
      b = indexAt(to, j);
    if (<u32>a >= <u32>rows || <u32>b >= <u32>n || (from && a == skipFrom) || (to && b == skipTo)) continue;
    const at = y + <usize>b * row;
    mapRow<AddScaled>(at, at, x + <usize>a * row, 0, 0, inner, factor ? load<f32>(factor + ((<usize>j) << 2)) : 1);
  }
}

/**
 * y[index[j]] = x[j] in the order of j, for y[n, inner], x[m, inner] and index[m]. Of equal indices the last counts.
 */
export function put_rows_f32(y: usize, x: usize, index: usize, n: i32, m: i32, inner: i32): void {
  const row = (<usize>inner) << 2;
  for (let j = 0; j < m; j++, x += row) {
    const at = indexAt(index, j);
    if (<u32>at < <u32>n) mapRow<Identity>(y + <usize>at * row, x, 0, 0, 0, inner);
  }
}

/** counts[i], i32 = how many of index[m] are i, for i below n. Overwrites. */
function countInto(counts: usize, index: usize, n: i32, m: i32): void {
  memory.fill(counts, 0, (<usize>n) << 2);
  for (let j = 0; j < m; j++) {
    const i = indexAt(index, j),
      at = counts + ((<usize>i) << 2);
    if (<u32>i < <u32>n) store<i32>(at, load<i32>(at) + 1);
  }
}

/** share[j] = 1 / (how many of index[m] are index[j]), for indices below n; counts[n] is of use for nothing after. */
export function index_shares_f32(share: usize, counts: usize, index: usize, n: i32, m: i32): void {
  countInto(counts, index, n, m);
  for (let j = 0; j < m; j++, share += 4) {
    const i = indexAt(index, j);
    store<f32>(share, <u32>i < <u32>n ? 1 / <f32>load<i32>(counts + ((<usize>i) << 2)) : 0);
  }
}

/**
 * Numbers the different rows that index[m] names, ascending: row[i], i32 = the i-th of them, -1 behind the last;
 * slot[j] = where index[j] is in it, or -1 where it is `skip` or no row below n. For `order` that puts the index in
 * order, and room for k rows, which are enough. Overwrites.
 */
export function row_slots_i32(
  row: usize,
  slot: usize,
  index: usize,
  order: usize,
  m: i32,
  n: i32,
  k: i32,
  skip: i32,
): void {
  memory.fill(row, 0xff, (<usize>k) << 2);
  let at = -1,
    before = -1;
  for (let i = 0; i < m; i++) {
    const j = indexAt(order, i),
      r = indexAt(index, j),
      counts = <u32>r < <u32>n && r != skip;
    if (counts && r != before && at + 1 < k) {
      before = r;
      at++;
      store<i32>(row + ((<usize>at) << 2), r);
    }
    store<i32>(slot + ((<usize>j) << 2), counts ? at : -1);
  }
}

/** Where bag b of m entries begins: at offsets[b], or all bags are of one length; the last one ends at m. */
@inline
function beginOf(offsets: usize, b: i32, bags: i32, m: i32): i32 {
  if (b >= bags) return m;
  return offsets ? min(max(load<i32>(offsets + ((<usize>b) << 2)), 0), m) : b * (m / bags);
}

/**
 * place[j], i32 = the bag of entry j, -1 where index[j] is `padding` or no bag has it; share[j] = 1 / (how many entries
 * that bag has). Overwrites.
 */
export function bag_places_f32(
  place: usize,
  share: usize,
  index: usize,
  offsets: usize,
  bags: i32,
  m: i32,
  padding: i32,
): void {
  memory.fill(place, 0xff, (<usize>m) << 2);
  memory.fill(share, 0, (<usize>m) << 2);
  for (let b = 0; b < bags; b++) {
    const begin = beginOf(offsets, b, bags, m),
      end = beginOf(offsets, b + 1, bags, m);
    let count: f32 = 0;
    for (let j = begin; j < end; j++) {
      if (indexAt(index, j) == padding) continue;
      store<i32>(place + ((<usize>j) << 2), b);
      count++;
    }
    for (let j = begin; j < end; j++) store<f32>(share + ((<usize>j) << 2), 1 / count);
  }
}

/**
 * row[b, i], i32 = the row of the largest x[index[j], i] among the entries with place[j] = b, the first of equals;
 * filled[b] = 1, or both 0 where there is none. For x[rows, inner], row[bags, inner] and m entries. Overwrites.
 */
export function bag_argmax_f32(
  row: usize,
  filled: usize,
  x: usize,
  index: usize,
  place: usize,
  rows: i32,
  bags: i32,
  m: i32,
  inner: i32,
): void {
  const width = (<usize>inner) << 2;
  memory.fill(row, 0, <usize>bags * width);
  memory.fill(filled, 0, (<usize>bags) << 2);
  for (let j = 0; j < m; j++) {
    const b = indexAt(place, j),
      r = indexAt(index, j);
    if (<u32>b >= <u32>bags || <u32>r >= <u32>rows) continue;
    const flag = filled + ((<usize>b) << 2),
      fresh = load<f32>(flag) == 0;
    for (let i: usize = 0; i < width; i += 4) {
      const at = row + <usize>b * width + i;
      if (fresh || load<f32>(x + <usize>r * width + i) > load<f32>(x + <usize>load<i32>(at) * width + i))
        store<i32>(at, r);
    }
    store<f32>(flag, 1);
  }
}

/** The position of the first of `bags` offsets that is not 0, in front, or below the one before or above m; or -1. */
export function check_offsets_i32(offsets: usize, bags: i32, m: i32): i32 {
  let before = 0;
  for (let b = 0; b < bags; b++) {
    const at = load<i32>(offsets + ((<usize>b) << 2));
    if (at < before || at > m || (b == 0 && at != 0)) return b;
    before = at;
  }
  return -1;
}
