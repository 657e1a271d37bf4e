// Sorts rows, or finds the first k of each, by pairs of a key (high) and a position (low): no two pairs are equal, so
// that every way to sort them is stable.
import { keyOf, keysAt } from "./key";

/** Below this many pairs, putting each in its place is faster than counting digits. */
const FEW: i32 = 48;
/** Bytes of the counts of four digits. */
const COUNTS: usize = 4096;

/** Puts a pair in its place among those from a to `at`, which are in order; they move up. */
function insert(a: usize, at: usize, pair: u64): void {
  for (; at > a && load<u64>(at - 8) > pair; at -= 8) store<u64>(at, load<u64>(at - 8));
  store<u64>(at, pair);
}

/** Puts each pair in its place among those before it. */
function insertionSort(a: usize, count: i32): void {
  for (let at = a, end = a + ((<usize>count) << 3); at < end; at += 8) insert(a, at, load<u64>(at));
}

/** Sorts `count` pairs at a by the four digits of their keys, the last first, by way of b. counts: COUNTS bytes. */
function radixSort(a: usize, b: usize, count: i32, counts: usize): void {
  memory.fill(counts, 0, COUNTS);
  const end = a + ((<usize>count) << 3);
  for (let p = a; p < end; p += 8) {
    const key = load<u32>(p, 4);
    for (let digit: u32 = 0; digit < 4; digit++) {
      const at = counts + ((<usize>digit) << 10) + <usize>(((key >> (digit << 3)) & 255) << 2);
      store<i32>(at, load<i32>(at) + 1);
    }
  }
  let from = a,
    to = b;
  for (let digit: u32 = 0; digit < 4; digit++, counts += 1024) {
    const shift = digit << 3;
    // A digit that all keys share moves nothing.
    if (load<i32>(counts + <usize>(((load<u32>(from, 4) >> shift) & 255) << 2)) == count) continue;
    let place = 0;
    for (let i: usize = 0; i < 1024; i += 4) {
      const n = load<i32>(counts + i);
      store<i32>(counts + i, place);
      place += n;
    }
    const last = from + ((<usize>count) << 3);
    for (let p = from; p < last; p += 8) {
      const at = counts + <usize>(((load<u32>(p, 4) >> shift) & 255) << 2);
      const n = load<i32>(at);
      store<i32>(at, n + 1);
      store<u64>(to + ((<usize>n) << 3), load<u64>(p));
    }
    const other = from;
    from = to;
    to = other;
  }
  if (from != a) memory.copy(a, from, (<usize>count) << 3);
}

function sortPairs(a: usize, b: usize, count: i32, counts: usize): void {
  if (count < FEW) insertionSort(a, count);
  else radixSort(a, b, count, counts);
}

/**
 * index[o, i] = the position in row o of x [outer, n] of its i-th element, for the first k of the row in order: the
 * least first, or the greatest; of equal ones the first (torch.sort, torch.topk). Overwrites.
 *
 * Up to `room` >= k candidates are kept at a time, n of them where k is n; where room is k < n, in order. scratch:
 * width = 4 room i32 a row, or width 0, where room pairs, twice, and their counts fit the workspace.
 */
export function sort_32(
  index: usize,
  scratch: usize,
  x: usize,
  outer: i32,
  n: i32,
  k: i32,
  room: i32,
  width: i32,
  order: i32,
  workspace: usize,
): void {
  if (k == 0) return;
  for (; outer > 0; outer--, x += (<usize>n) << 2, scratch += (<usize>width) << 2) {
    const a = width ? scratch : workspace + COUNTS,
      b = a + ((<usize>room) << 3),
      last = a + ((<usize>(k - 1)) << 3);
    let filled = 0;
    // What does not come before it is none of the first k.
    let least: u64 = u64.MAX_VALUE;
    for (let i = 0; i < n; i += 4) {
      const lanes = min(n - i, 4);
      const keys = v128.xor(keysAt(x + ((<usize>i) << 2), lanes, order), i32x4.splat(i32.MIN_VALUE));
      if (least == u64.MAX_VALUE && lanes == 4 && filled + 4 <= room) {
        const to = a + ((<usize>filled) << 3),
          at = i32x4.add(i32x4.splat(i), i32x4(0, 1, 2, 3));
        v128.store(to, v128.shuffle<i32>(at, keys, 0, 4, 1, 5));
        v128.store(to, v128.shuffle<i32>(at, keys, 2, 6, 3, 7), 16);
        filled += 4;
        continue;
      }
      let better = i32x4.bitmask(i32x4.le_u(keys, i32x4.splat(<i32>(least >> 32)))) & ((1 << lanes) - 1);
      for (; better; better &= better - 1) {
        const position = i + ctz(better);
        const pair = ((<u64>keyOf(load<i32>(x + ((<usize>position) << 2)), order)) << 32) | <u64>position;
        if (pair >= least) continue;
        if (filled == room && (least == u64.MAX_VALUE || room > k)) {
          sortPairs(a, b, room, workspace);
          filled = k;
          least = load<u64>(last);
          if (pair >= least) continue;
        }
        if (filled < room) {
          store<u64>(a + ((<usize>filled) << 3), pair);
          filled++;
        } else {
          insert(a, last, pair);
          least = load<u64>(last);
        }
      }
    }
    sortPairs(a, b, filled, workspace);
    for (let i = 0; i < k; i++, index += 4) store<i32>(index, <i32>load<u64>(a + ((<usize>i) << 3)));
  }
}
