// The greatest and the least over the middle axis of x[outer, r, inner], contiguous f32 or i32, and where they lie
// (shape.ts says how it is cut and what stride means). Every kernel overwrites out, which may not alias x. The greatest
// of nothing is -Infinity or the least i32.
import { loadLanes, storeLanes } from "../lanes";
import { foldRow } from "../loops";
import { folds } from "./fold";
import { bytesOf } from "./shape";

/** Where x is best, or NaN if best is, which `unordered` says. */
@inline
function sameNumber(x: v128, best: v128, unordered: v128): v128 {
  return v128.or(f32x4.eq(x, best), v128.and(unordered, f32x4.ne(x, x)));
}

// A NaN a stays, for pmax and pmin give a where they cannot compare; a NaN b sets all bits, which is a NaN. f32x4.max
// does the same in twice the instructions.

@final
@unmanaged
class Maximum {
  @inline identity(): v128 {
    return f32x4.splat(-Infinity);
  }
  @inline combine(a: v128, b: v128): v128 {
    return v128.or(f32x4.pmax(a, b), f32x4.ne(b, b));
  }
  /** Where x takes the place of the best so far: it is greater, or the first NaN. */
  @inline beats(x: v128, best: v128): v128 {
    return v128.andnot(f32x4.eq(best, best), f32x4.le(x, best));
  }
  @inline same(x: v128, best: v128, unordered: v128): v128 {
    return sameNumber(x, best, unordered);
  }
}

@final
@unmanaged
class Minimum {
  @inline identity(): v128 {
    return f32x4.splat(Infinity);
  }
  @inline combine(a: v128, b: v128): v128 {
    return v128.or(f32x4.pmin(a, b), f32x4.ne(b, b));
  }
  @inline beats(x: v128, best: v128): v128 {
    return v128.andnot(f32x4.eq(best, best), f32x4.ge(x, best));
  }
  @inline same(x: v128, best: v128, unordered: v128): v128 {
    return sameNumber(x, best, unordered);
  }
}

@final
@unmanaged
class MaximumInt {
  @inline identity(): v128 {
    return i32x4.splat(i32.MIN_VALUE);
  }
  @inline combine(a: v128, b: v128): v128 {
    return i32x4.max_s(a, b);
  }
  @inline beats(x: v128, best: v128): v128 {
    return i32x4.gt_s(x, best);
  }
  @inline same(x: v128, best: v128, unordered: v128): v128 {
    return i32x4.eq(x, best);
  }
}

@final
@unmanaged
class MinimumInt {
  @inline identity(): v128 {
    return i32x4.splat(i32.MAX_VALUE);
  }
  @inline combine(a: v128, b: v128): v128 {
    return i32x4.min_s(a, b);
  }
  @inline beats(x: v128, best: v128): v128 {
    return i32x4.lt_s(x, best);
  }
  @inline same(x: v128, best: v128, unordered: v128): v128 {
    return i32x4.eq(x, best);
  }
}

/** The index of the first element of the row that is the best, or of the first NaN if there is one. */
function argRow<F, T>(x: usize, r: i32): i32 {
  const f = changetype<F>(0),
    last = foldRow<F, T>(x, r),
    best = v128.splat<T>(last),
    unordered = f32x4.ne(best, best);
  let j = 0;
  for (; j + 4 <= r; j += 4) {
    const hit: v128 = f.same(v128.load(x + ((<usize>j) << 2)), best, unordered);
    if (v128.any_true(hit)) return j + ctz(i32x4.bitmask(hit));
  }
  // The best is among the last elements, for the fold has found it.
  for (; j + 1 < r; j++) {
    const v = load<T>(x + ((<usize>j) << 2));
    if (v == last || (v != v && last != last)) break;
  }
  return j;
}

/** The indices of the best in each of the first `lanes` columns. */
@inline
function argLanes<F>(out: usize, x: usize, r: i32, stride: usize, lanes: i32): void {
  const f = changetype<F>(0);
  let best: v128 = f.identity();
  let index = i32x4.splat(0);
  for (let j = 0; j < r; j++, x += stride) {
    const v = loadLanes(x, lanes),
      beats = f.beats(v, best);
    best = v128.bitselect(v, best, beats);
    index = v128.bitselect(i32x4.splat(j), index, beats);
  }
  storeLanes(out, index, lanes);
}

function args<F, T>(out: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  const slab = bytesOf(r, stride),
    row = bytesOf(1, stride);
  for (let o = 0; o < outer; o++, out += row, x += slab) {
    if (stride == 1) {
      store<i32>(out, argRow<F, T>(x, r));
      continue;
    }
    let i = 0,
      at: usize = 0;
    for (; i + 4 <= inner; i += 4, at += 16) argLanes<F>(out + at, x + at, r, row, 4);
    if (i < inner) argLanes<F>(out + at, x + at, r, row, inner - i);
  }
}

/** out[outer, inner] = max over r of x, NaN if any is (torch.amax). */
export function max_f32(out: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  folds<Maximum, f32>(out, x, outer, r, inner, stride);
}

/** out[outer, inner] = min over r of x, NaN if any is (torch.amin). */
export function min_f32(out: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  folds<Minimum, f32>(out, x, outer, r, inner, stride);
}

/** out[outer, inner], i32 = index along r of the first maximum; NaN counts as one (torch.argmax). r must not be 0. */
export function argmax_f32(out: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  args<Maximum, f32>(out, x, outer, r, inner, stride);
}

/** out[outer, inner], i32 = index along r of the first minimum; NaN counts as one (torch.argmin). r must not be 0. */
export function argmin_f32(out: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  args<Minimum, f32>(out, x, outer, r, inner, stride);
}

/** out[outer, inner] = the greatest over r of x (torch.amax), of i32. */
export function max_i32(out: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  folds<MaximumInt, i32>(out, x, outer, r, inner, stride);
}

/** out[outer, inner] = the least over r of x (torch.amin), of i32. */
export function min_i32(out: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  folds<MinimumInt, i32>(out, x, outer, r, inner, stride);
}

/** out[outer, inner], i32 = index along r of the first of the greatest of x (torch.argmax), of i32. r must not be 0. */
export function argmax_i32(out: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  args<MaximumInt, i32>(out, x, outer, r, inner, stride);
}

/** out[outer, inner], i32 = index along r of the first of the least of x (torch.argmin), of i32. r must not be 0. */
export function argmin_i32(out: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  args<MinimumInt, i32>(out, x, outer, r, inner, stride);
}
