// The loop over windows that all poolings share: windows in row-major order, one block of planes at a time. The
// position of a window is computed once for a block and applied to its planes one after the other: planes are often
// small, and the first-level cache holds many.
//
// An op class computes one window: start(), takes(a, v), combine(a, v), place(at, here, taken), finish(a,
// divisor) for lanes that are windows, alone(...) for one window, and places(), whether it has an index beside its
// value.
import { select, storeLanes } from "../lanes";
import { Alternate, Apart, AXIS, countsPadding, divisorOf, fixedDivisor, Sliding, Together } from "./windows";

const BLOCK_BYTES: usize = 16384;

/** How many planes of so many bytes a block has. */
@inline
export function blockOf(planes: i32, bytes: usize): i32 {
  return min(planes, <i32>(BLOCK_BYTES / max<usize>(bytes, 4)) + 1);
}

// The columns of a window: three neighbours, unrolled, or any number in a loop.

@final
@unmanaged
class Three {
  @inline columns(): i32 {
    return 3;
  }
}

@final
@unmanaged
class Any {
  @inline columns(): i32 {
    return 0;
  }
}

/**
 * n windows side by side, each r rows of c columns (those of K) that all lie on the plane: lanes are windows. x is the
 * first element of the first window and `place` its position; `plane` and `out` bytes lead from plane to plane.
 */
// biome-ignore lint/complexity/noExcessiveCognitiveComplexity: most branches are constant, as F, R and K are
function across<F, R, K>(
  y: usize,
  index: usize,
  x: usize,
  planes: i32,
  plane: usize,
  out: usize,
  n: i32,
  r: i32,
  c: i32,
  dims: usize,
  place: i32,
  divisor: f32,
): void {
  const f = changetype<F>(0),
    reader = changetype<R>(0),
    columns = changetype<K>(0).columns();
  const cols = changetype<Sliding>(dims + AXIS);
  const stride = reader.stride() ? reader.stride() : cols.stride,
    step = columns ? 1 : cols.dilation;
  const width = cols.size * changetype<Sliding>(dims).dilation,
    line = (<usize>width) << 2;
  const lane = (<usize>stride) << 2,
    next = (<usize>step) << 2;
  const one = i32x4.splat(step),
    below = i32x4.splat(width);
  const divisors = f32x4.splat(divisor),
    start: v128 = f.start();
  const places = i32x4.add(i32x4.mul(i32x4(0, 1, 2, 3), i32x4.splat(stride)), i32x4.splat(place));
  for (; planes > 0; planes--, x += plane, y += out, index += out) {
    for (let o = 0; o < n; o += 4) {
      // The last four windows may overlap those before, and come out the same again.
      if (!reader.part() && o + 4 > n) o = n - 4;
      const lanes = reader.part() ? min(4, n - o) : 4;
      let a = start,
        at = i32x4.splat(0),
        row = at;
      let p = x + <usize>o * lane,
        i = r;
      for (; i > 0; i--, p += line) {
        let here = row;
        if (columns) {
          let v: v128 = reader.first(p, lane, lanes, start);
          at = f.place(at, here, f.takes(a, v));
          a = f.combine(a, v);
          here = i32x4.add(here, one);
          v = reader.second(p, next, lane, lanes, start);
          at = f.place(at, here, f.takes(a, v));
          a = f.combine(a, v);
          here = i32x4.add(here, one);
          v = reader.one(p + (next << 1), lane, lanes, start);
          at = f.place(at, here, f.takes(a, v));
          a = f.combine(a, v);
        } else {
          for (let j = c, q = p; j > 0; j--, q += next) {
            const v: v128 = reader.one(q, lane, lanes, start);
            at = f.place(at, here, f.takes(a, v));
            a = f.combine(a, v);
            if (f.places()) here = i32x4.add(here, one);
          }
        }
        if (f.places()) row = i32x4.add(row, below);
      }
      const to = (<usize>o) << 2;
      storeLanes(y + to, f.finish(a, divisors), lanes);
      if (f.places()) storeLanes(index + to, i32x4.add(i32x4.add(at, places), i32x4.splat(o * stride)), lanes);
    }
  }
}

/** As across, for m rows of windows of two columns and one or two rows, which lie side by side: those of most nets. */
function pairs<F>(
  y: usize,
  index: usize,
  x: usize,
  planes: i32,
  m: i32,
  n: i32,
  dims: usize,
  place: i32,
  divisor: f32,
): void {
  const f = changetype<F>(0);
  const rows = changetype<Sliding>(dims),
    cols = changetype<Sliding>(dims + AXIS),
    tall = rows.kernel,
    height = rows.stride * cols.size,
    under = (tall - 1) * rows.dilation * cols.size,
    down = (<usize>under) << 2,
    next = (<usize>height) << 2,
    line = (<usize>cols.windows) << 2,
    last = (<usize>(n - 4)) << 2;
  // To the next plane.
  const skip = (<usize>(rows.size * cols.size - m * height)) << 2,
    skipOut = <usize>(rows.windows - m) * line;
  const below = i32x4.splat(under),
    heights = i32x4.splat(height),
    divisors = f32x4.splat(divisor),
    places = i32x4.add(i32x4(0, 2, 4, 6), i32x4.splat(place));
  for (; planes > 0; planes--, x += skip, y += skipOut, index += skipOut) {
    let row = places;
    for (let i = m; i > 0; i--, x += next, y += line, index += line) {
      // The last four windows may overlap those before, and come out the same again.
      for (let to: usize = 0; ; to = min(to + 16, last)) {
        let p = x + (to << 1),
          v = v128.load(p),
          w = v128.load(p, 16);
        let a = v128.shuffle<i32>(v, w, 0, 2, 4, 6),
          b = v128.shuffle<i32>(v, w, 1, 3, 5, 7);
        // The same again where there is one row.
        p += down;
        v = v128.load(p);
        w = v128.load(p, 16);
        let c = v128.shuffle<i32>(v, w, 0, 2, 4, 6);
        const d = v128.shuffle<i32>(v, w, 1, 3, 5, 7);
        if (f.places()) {
          const first = f.takes(a, b),
            second = f.takes(c, d);
          a = select(first, b, a);
          c = select(second, d, c);
          const lower = f.takes(a, c);
          a = select(lower, c, a);
          // A mask is -1.
          const at = i32x4.sub(v128.and(lower, below), select(lower, second, first));
          v128.store(index + to, i32x4.add(i32x4.add(row, i32x4.splat(<i32>(to >> 1))), at));
        } else {
          a = f.combine(a, b);
          if (tall == 2) a = f.combine(f.combine(a, c), d);
        }
        v128.store(y + to, f.finish(a, divisors));
        if (to == last) break;
      }
      row = i32x4.add(row, heights);
    }
  }
}

/** One window of every plane, r rows of c neighbouring columns, `width` elements from row to row. */
function alone<F>(
  y: usize,
  index: usize,
  x: usize,
  planes: i32,
  plane: usize,
  out: usize,
  r: i32,
  c: i32,
  width: i32,
  place: i32,
  divisor: f32,
): void {
  if (c == width) {
    // Whole rows, one behind the other.
    c *= r;
    r = 1;
  }
  for (; planes > 0; planes--, x += plane, y += out, index += out) {
    changetype<F>(0).alone(y, index, x, r, c, width, place, divisor);
  }
}

/**
 * y[planes, outH, outW] = F of the windows of x[planes, h, w], with axes of kind A; for F that places, index beside it.
 */
// biome-ignore lint/complexity/noExcessiveCognitiveComplexity: each branch is a kind of window with its loop
export function scan<F, A>(y: usize, index: usize, x: usize, planes: i32, dims: usize): void {
  const rows = changetype<A>(dims),
    cols = changetype<A>(dims + AXIS);
  const pads = countsPadding(dims),
    fixed = fixedDivisor(dims);
  const windows = cols.windows,
    from = cols.wholeFrom(),
    whole = cols.wholeTo() - from;
  const kernel = changetype<Sliding>(dims + AXIS).kernel,
    stride = changetype<Sliding>(dims + AXIS).stride;
  const step = changetype<Sliding>(dims + AXIS).dilation,
    width = cols.size * changetype<Sliding>(dims).dilation;
  const plane = (<usize>rows.size * cols.size) << 2,
    out = (<usize>rows.windows * windows) << 2;
  // Three windows or two share a vector only where a row of one does not fill it.
  const side = whole >= 4 || kernel < 4 ? whole : 0;
  // Those of two columns go first, in all planes: the rows from upper to before lower.
  const tall = changetype<Sliding>(dims).kernel,
    upper = rows.wholeFrom();
  let lower = upper;
  if (side >= 4 && kernel == 2 && stride == 2 && step == 1 && tall <= 2) {
    lower = rows.wholeTo();
    const at = (<usize>(upper * windows + from)) << 2,
      place = rows.first(upper) * cols.size + cols.first(from);
    const divisor = divisorOf(fixed, tall, 2);
    pairs<F>(y + at, index + at, x + ((<usize>place) << 2), planes, lower - upper, side, dims, place, divisor);
    if (lower - upper == rows.windows && side == windows) return;
  }
  while (planes > 0) {
    const some = blockOf(planes, plane);
    let to = y,
      toIndex = index;
    for (let i = 0; i < rows.windows; i++) {
      const top = rows.first(i) * cols.size,
        r = rows.count(i),
        counted = rows.divisor(i, pads);
      for (let o = 0, n = 1; o < windows; o += n, to += (<usize>n) << 2, toIndex += (<usize>n) << 2) {
        const place = top + cols.first(o),
          p = x + ((<usize>place) << 2),
          c = cols.count(o);
        const divisor = divisorOf(fixed, counted, cols.divisor(o, pads));
        n = o == from && side > 0 ? side : 1;
        if (n >= 4 && stride == 1) {
          if (c == 3 && step == 1)
            across<F, Together, Three>(to, toIndex, p, some, plane, out, n, r, c, dims, place, divisor);
          else across<F, Together, Any>(to, toIndex, p, some, plane, out, n, r, c, dims, place, divisor);
        } else if (n >= 4 && stride == 2 && step == 1) {
          if (i >= upper && i < lower) continue;
          if (c == 3) across<F, Alternate, Three>(to, toIndex, p, some, plane, out, n, r, c, dims, place, divisor);
          else across<F, Alternate, Any>(to, toIndex, p, some, plane, out, n, r, c, dims, place, divisor);
        } else if (n > 1 || step > 1) {
          across<F, Apart, Any>(to, toIndex, p, some, plane, out, n, r, c, dims, place, divisor);
        } else alone<F>(to, toIndex, p, some, plane, out, r, c, width, place, divisor);
      }
    }
    planes -= some;
    x += <usize>some * plane;
    y += <usize>some * out;
    index += <usize>some * out;
  }
}
