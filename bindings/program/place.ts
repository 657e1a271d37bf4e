// Where buffers lie that are not all alive at the same time: dynamic storage allocation with known live ranges.
//
// The largest first, each in the smallest gap that is free for as long as it lives (best fit). The training steps
// measured need no more than what is alive at once; sweeps along time, which cannot know what comes, up to 5 % more,
// and stacking without a look at gaps up to 5 times as much.
// What makes it fast is how the gaps are found: a segment tree over time holds in each node which bytes are taken
// there, as a union of intervals. Packing leaves few gaps, so these unions are short, however many buffers they stand
// for.

/** A buffer, alive from step `first` to step `last`, both included. */
export interface LiveRange {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

export interface Placement {
  /** Bytes from the start of the memory, for each range; multiples of 64. */
  readonly offsets: Float64Array;
  /** Bytes of the memory. */
  readonly bytes: number;
}

const ALIGN = 64;

/** A union of intervals: start, end, start, end, …, ascending, with a gap between any two. */
type Union = number[];

/** Adds an interval to a union, by binary search. @returns whether that changed it */
function add(union: Union, start: number, end: number): boolean {
  let low = 0;
  let high = union.length >> 1;
  // The first interval that reaches `start`.
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((union[2 * middle + 1] as number) < start) low = middle + 1;
    else high = middle;
  }
  const at = 2 * low;
  if (at === union.length) {
    union.push(start, end);
    return true;
  }
  const next = union[at] as number;
  if (next > end) {
    union.splice(at, 0, start, end);
    return true;
  }
  if (next <= start && end <= (union[at + 1] as number)) return false;
  let to = at;
  let furthest = end;
  for (; to < union.length && (union[to] as number) <= end; to += 2)
    furthest = Math.max(furthest, union[to + 1] as number);
  union[at] = Math.min(next, start);
  union[at + 1] = furthest;
  if (to > at + 2) union.splice(at + 2, to - at - 2);
  return true;
}

function addTo(unions: (Union | undefined)[], at: number, start: number, end: number): boolean {
  const union = unions[at];
  if (union) return add(union, start, end);
  unions[at] = [start, end];
  return true;
}

/** Writes the union of two unions into `result`, in O(both). */
function unite(a: Union, b: Union, result: Union): void {
  let length = 0;
  let end = -1;
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    const fromA = j === b.length || (i < a.length && (a[i] as number) <= (b[j] as number));
    const start = (fromA ? a[i++] : b[j++]) as number;
    const to = (fromA ? a[i++] : b[j++]) as number;
    if (start > end) {
      result[length] = start;
      length += 2;
      end = to;
    } else end = Math.max(end, to);
    result[length - 1] = end;
  }
  result.length = length;
}

/** The start of the smallest gap of at least `bytes`; the end of the union where there is none. */
function bestFit(union: Union, bytes: number): number {
  let best = -1;
  let smallest = Number.POSITIVE_INFINITY;
  let end = 0;
  for (let i = 0; i < union.length; i += 2) {
    const gap = (union[i] as number) - end;
    if (gap >= bytes && gap < smallest) {
      best = end;
      smallest = gap;
    }
    end = union[i + 1] as number;
  }
  return best >= 0 ? best : end;
}

/** Intervals that are added one by one to a union rather than by going through both. */
const FEW = 4;

/**
 * Which bytes are taken when. A node stands for 2^k steps; node i has the children 2i and 2i + 1, the leaves are steps.
 */
class Timeline {
  readonly #leaves: number;
  /** What is taken during all of a node's steps, where it is not noted in a node above it; none for leaves. */
  readonly #throughout: (Union | undefined)[];
  /** What is taken during any of a node's steps, where it is not in `throughout` of a node above it. */
  readonly #sometime: (Union | undefined)[];
  #taken: Union = [];
  #other: Union = [];

  constructor(steps: number) {
    this.#leaves = 2 ** Math.ceil(Math.log2(Math.max(1, steps)));
    this.#throughout = new Array<undefined>(this.#leaves).fill(undefined);
    this.#sometime = new Array<undefined>(2 * this.#leaves).fill(undefined);
  }

  #include(union: Union | undefined): void {
    if (union === undefined) return;
    if (union.length > 2 * FEW) {
      unite(this.#taken, union, this.#other);
      [this.#taken, this.#other] = [this.#other, this.#taken];
    } else for (let i = 0; i < union.length; i += 2) add(this.#taken, union[i] as number, union[i + 1] as number);
  }

  /** All that is taken at any step from `first` to `last`; valid until the next call. */
  taken(first: number, last: number): Union {
    this.#taken.length = 0;
    let left = first + this.#leaves;
    let right = last + this.#leaves;
    // What is noted in nodes above the ends lasts for a part of the range at least.
    for (let a = left >> 1, b = right >> 1; a > 0; a >>= 1, b >>= 1) {
      this.#include(this.#throughout[a]);
      if (b !== a) this.#include(this.#throughout[b]);
    }
    for (right++; left < right; left >>= 1, right >>= 1) {
      if (left & 1) this.#include(this.#sometime[left++]);
      if (right & 1) this.#include(this.#sometime[--right]);
    }
    return this.#taken;
  }

  #takeNode(node: number, start: number, end: number): void {
    if (node < this.#leaves) addTo(this.#throughout, node, start, end);
    // A node has all that its children have: what is no news to one is none above it.
    for (let above = node; above > 0 && addTo(this.#sometime, above, start, end); ) above >>= 1;
  }

  take(first: number, last: number, start: number, end: number): void {
    let left = first + this.#leaves;
    let right = last + this.#leaves + 1;
    for (; left < right; left >>= 1, right >>= 1) {
      if (left & 1) this.#takeNode(left++, start, end);
      if (right & 1) this.#takeNode(--right, start, end);
    }
  }
}

/**
 * Gives each live range a place, so that those which are alive at the same step do not overlap. Of n ranges over s
 * steps, O(n log s) unions are looked at; a union is as long as there are gaps in use at once, which is a few in
 * programs.
 */
export function place(ranges: readonly LiveRange[]): Placement {
  const offsets = new Float64Array(ranges.length);
  let steps = 0;
  for (const { last } of ranges) steps = Math.max(steps, last + 1);
  const timeline = new Timeline(steps);
  const bySize = new Map<number, number[]>();
  ranges.forEach(({ bytes }, i) => {
    const alike = bySize.get(bytes);
    if (alike) alike.push(i);
    else bySize.set(bytes, [i]);
  });
  const sizes = [...bySize.keys()].sort((a, b) => b - a);
  let total = 0;
  for (const bytes of sizes) {
    if (bytes === 0) break; // needs no memory
    const size = Math.ceil(bytes / ALIGN) * ALIGN;
    for (const i of bySize.get(bytes) as number[]) {
      const { first, last } = ranges[i] as LiveRange;
      const offset = bestFit(timeline.taken(first, last), size);
      timeline.take(first, last, offset, offset + size);
      offsets[i] = offset;
      total = Math.max(total, offset + bytes);
    }
  }
  return { offsets, bytes: total };
}
