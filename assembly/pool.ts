// Max and average pooling over the last two axes of x[planes, h, w] into y[planes, outH, outW], contiguous f32, forward
// beside backward. Pooling of one axis has h = 1. `dims` holds the two axes as they lie in Sliding, the rows (h) first.
// Every kernel overwrites its outputs, which may not alias its inputs.
//
// Where a window lies is worked out once for a block of planes, and then they go through it one after the other: planes
// are often small, and a first level of cache holds many.
import { loadLanes, madd, storeLanes } from "./lanes";
import { Part, Rows, Value } from "./reduceloops";
import {
  AXIS, Adaptive, Alternate, Apart, Sliding, Together, countsPadding, divisorOf, fixedDivisor, shareOf,
} from "./windows";

const BLOCK_BYTES: usize = 16384;

/** How many planes of so many bytes a block has. */
@inline
function blockOf(planes: i32, bytes: usize): i32 {
  return min(planes, <i32>(BLOCK_BYTES / max<usize>(bytes, 4)) + 1);
}

/** The window's greatest element, and where it lies in the plane. */
@final @unmanaged
class Largest {
  @inline places(): bool { return true; }
  @inline start(): v128 { return f32x4.splat(-Infinity); }
  /** Where v, which comes after a, takes its place: the first of equals stays, and of NaNs the last one. */
  @inline takes(a: v128, v: v128): v128 { return v128.or(f32x4.gt(v, a), f32x4.ne(v, v)); }
  @inline combine(a: v128, v: v128): v128 { return v128.or(f32x4.pmax(a, v), f32x4.ne(v, v)); }
  /** `here` where it is taken. What comes later has a higher place. */
  @inline place(at: v128, here: v128, taken: v128): v128 { return i32x4.max_s(at, v128.and(here, taken)); }
  @inline finish(a: v128, divisor: v128): v128 { return a; }

  /** Where b at i takes the place of a at j, whichever comes first. */
  @inline beats(b: v128, i: v128, a: v128, j: v128): v128 {
    const nan = v128.and(f32x4.ne(b, b), v128.or(f32x4.eq(a, a), i32x4.gt_s(i, j)));
    const tie = v128.and(f32x4.eq(b, a), i32x4.lt_s(i, j));
    return v128.or(v128.or(f32x4.gt(b, a), tie), nan);
  }

  /** One window: lanes are columns, two vectors of them at a time, and are joined at the end. */
  @inline alone(y: usize, index: usize, x: usize, r: i32, c: i32, line: usize, width: i32, place: i32, divisor: f32): void {
    const four = i32x4.splat(4), below = i32x4.splat(width);
    let a = this.start(), b = a, at = i32x4.splat(0), bt = at, row = i32x4(0, 1, 2, 3);
    for (; r > 0; r--, x += line, row = i32x4.add(row, below)) {
      let p = x, here = row, left = c;
      for (; left >= 8; left -= 8, p += 32) {
        const v = v128.load(p), w = v128.load(p, 16);
        at = this.place(at, here, this.takes(a, v));
        a = this.combine(a, v);
        here = i32x4.add(here, four);
        bt = this.place(bt, here, this.takes(b, w));
        b = this.combine(b, w);
        here = i32x4.add(here, four);
      }
      for (; left > 0; left -= 4, p += 16, here = i32x4.add(here, four)) {
        const v = left >= 4 ? v128.load(p) : Part.load(p, left, this.start());
        at = this.place(at, here, this.takes(a, v));
        a = this.combine(a, v);
      }
    }
    let taken = this.beats(b, bt, a, at);
    a = v128.bitselect(b, a, taken); at = v128.bitselect(bt, at, taken);
    b = v128.shuffle<i32>(a, a, 2, 3, 0, 1); bt = v128.shuffle<i32>(at, at, 2, 3, 0, 1);
    taken = this.beats(b, bt, a, at);
    a = v128.bitselect(b, a, taken); at = v128.bitselect(bt, at, taken);
    b = v128.shuffle<i32>(a, a, 1, 0, 3, 2); bt = v128.shuffle<i32>(at, at, 1, 0, 3, 2);
    taken = this.beats(b, bt, a, at);
    v128.store32_lane(y, v128.bitselect(b, a, taken), 0);
    store<i32>(index, i32x4.extract_lane(v128.bitselect(bt, at, taken), 0) + place);
  }
}

/** The window's mean, or its sum over a given divisor. */
@final @unmanaged
class Average {
  @inline places(): bool { return false; }
  @inline start(): v128 { return f32x4.splat(0); }
  @inline takes(a: v128, v: v128): v128 { return v; }
  @inline combine(a: v128, v: v128): v128 { return f32x4.add(a, v); }
  @inline place(at: v128, here: v128, taken: v128): v128 { return at; }
  @inline finish(a: v128, divisor: v128): v128 { return f32x4.div(a, divisor); }

  @inline alone(y: usize, index: usize, x: usize, r: i32, c: i32, line: usize, width: i32, place: i32, divisor: f32): void {
    const zero = f32x4.splat(0);
    let sum: f64 = 0;
    for (; r > 0; r--, x += line) sum += Rows.sum<Value>(0, x, 0, 0, c, zero, zero);
    store<f32>(y, <f32>(sum / divisor));
  }
}

/**
 * n windows side by side, each r rows of c columns that all lie on the plane: lanes are windows. `line` bytes and `width`
 * elements lead from row to row, `step` elements from column to column, `stride` from window to window, `plane` and `out`
 * bytes from plane to plane. `place` is the position of the first window's first element.
 */
function across<F, R>(
  y: usize, index: usize, x: usize, planes: i32, plane: usize, out: usize, n: i32, r: i32, c: i32,
  line: usize, width: i32, step: i32, stride: i32, place: i32, divisor: f32,
): void {
  const f = changetype<F>(0), reader = changetype<R>(0);
  const lane = <usize>stride << 2, next = <usize>step << 2;
  const one = i32x4.splat(step), below = i32x4.splat(width), divisors = f32x4.splat(divisor);
  const places = i32x4.add(i32x4.mul(i32x4(0, 1, 2, 3), i32x4.splat(stride)), i32x4.splat(place));
  for (; planes > 0; planes--, x += plane, y += out, index += out) {
    for (let o = 0; o < n; o += 4) {
      // The last four windows may overlap those before, and come out the same again.
      if (!reader.part() && o + 4 > n) o = n - 4;
      const lanes = reader.part() ? min(4, n - o) : 4;
      let a: v128 = f.start(), at = i32x4.splat(0), row = at;
      let q = x + <usize>o * lane;
      for (let i = r; i > 0; i--, q += line, row = i32x4.add(row, below)) {
        // Narrow windows are the usual ones, and a loop would cost more than their steps.
        if (c == 1) {
          const v: v128 = reader.one(q, lane, lanes, f.start());
          at = f.place(at, row, f.takes(a, v));
          a = f.combine(a, v);
          continue;
        }
        const v0: v128 = reader.first(q, lane, lanes, f.start()), v1: v128 = reader.second(q, next, lane, lanes, f.start());
        let here = i32x4.add(row, one);
        at = f.place(at, row, f.takes(a, v0));
        a = f.combine(a, v0);
        at = f.place(at, here, f.takes(a, v1));
        a = f.combine(a, v1);
        let p = q + next;
        for (let j = c - 2; j > 0; j--) {
          p += next;
          here = i32x4.add(here, one);
          const v: v128 = reader.one(p, lane, lanes, f.start());
          at = f.place(at, here, f.takes(a, v));
          a = f.combine(a, v);
        }
      }
      const to = <usize>o << 2;
      storeLanes(y + to, f.finish(a, divisors), lanes);
      if (f.places()) storeLanes(index + to, i32x4.add(i32x4.add(at, places), i32x4.splat(o * stride)), lanes);
    }
  }
}

/** One window of every plane, with neighbouring columns. */
function alone<F>(
  y: usize, index: usize, x: usize, planes: i32, plane: usize, out: usize, r: i32, c: i32,
  line: usize, width: i32, place: i32, divisor: f32,
): void {
  if (c == width) {
    // Whole rows, one behind the other.
    c *= r;
    r = 1;
  }
  for (; planes > 0; planes--, x += plane, y += out, index += out) {
    changetype<F>(0).alone(y, index, x, r, c, line, width, place, divisor);
  }
}

/** y, and for F that places its element index, over x with axes of kind A. */
function pool<F, A>(y: usize, index: usize, x: usize, planes: i32, dims: usize): void {
  const rows = changetype<A>(dims), cols = changetype<A>(dims + AXIS);
  const pads = countsPadding(dims), fixed = fixedDivisor(dims);
  const width = cols.size, windows = cols.windows, from = cols.wholeFrom(), whole = cols.wholeTo() - from;
  const kernel = load<i32>(dims, AXIS + 8), stride = load<i32>(dims, AXIS + 12), step = load<i32>(dims, AXIS + 20);
  const below = width * load<i32>(dims, 20), line = <usize>below << 2;
  const plane = (<usize>rows.size * width) << 2, out = (<usize>rows.windows * windows) << 2;
  // Three windows or two share a vector only where a row of one does not fill it.
  const side = whole >= 4 || kernel < 4 ? whole : 0;
  while (planes > 0) {
    const some = blockOf(planes, plane);
    let to = y, toIndex = index;
    for (let i = 0; i < rows.windows; i++) {
      const top = rows.first(i), r = rows.count(i), counted = rows.divisor(i, pads);
      for (let o = 0, n = 1; o < windows; o += n, to += <usize>n << 2, toIndex += <usize>n << 2) {
        const place = top * width + cols.first(o), p = x + (<usize>place << 2), c = cols.count(o);
        const divisor = divisorOf(fixed, counted, cols.divisor(o, pads));
        n = o == from && side > 0 ? side : 1;
        if (n >= 4 && stride == 1) {
          across<F, Together>(to, toIndex, p, some, plane, out, n, r, c, line, below, step, stride, place, divisor);
        } else if (n >= 4 && stride == 2 && step == 1) {
          across<F, Alternate>(to, toIndex, p, some, plane, out, n, r, c, line, below, step, stride, place, divisor);
        } else if (n > 1 || step > 1) {
          across<F, Apart>(to, toIndex, p, some, plane, out, n, r, c, line, below, step, stride, place, divisor);
        } else alone<F>(to, toIndex, p, some, plane, out, r, c, line, below, place, divisor);
      }
    }
    planes -= some;
    x += <usize>some * plane;
    y += <usize>some * out;
    index += <usize>some * out;
  }
}

/**
 * y = the greatest element of each window, index[planes, outH, outW] = where it lies in its plane, the first of equals; a
 * NaN is greater than all (torch.nn.functional.max_pool2d with return_indices).
 */
export function max_pool_forward_f32(y: usize, index: usize, x: usize, planes: i32, dims: usize): void {
  pool<Largest, Sliding>(y, index, x, planes, dims);
}

/** As max_pool_forward_f32 over windows of uneven size (torch.nn.functional.adaptive_max_pool2d). */
export function adaptive_max_pool_forward_f32(y: usize, index: usize, x: usize, planes: i32, dims: usize): void {
  pool<Largest, Adaptive>(y, index, x, planes, dims);
}

/**
 * dx[p, index[p, i]] = the sum over i of g[p, i], in their order, and 0 elsewhere, for dx[planes, size] and g[planes, n]:
 * the way back of both max pools.
 */
export function max_pool_backward_f32(dx: usize, g: usize, index: usize, planes: i32, size: i32, n: i32): void {
  const plane = <usize>size << 2, end = <usize>n << 2;
  while (planes > 0) {
    const some = blockOf(planes, plane);
    memory.fill(dx, 0, <usize>some * plane);
    for (let p = some; p > 0; p--, dx += plane, g += end, index += end) {
      for (let i: usize = 0; i < end; i += 4) {
        const to = dx + (<usize>load<u32>(index + i) << 2);
        store<f32>(to, load<f32>(to) + load<f32>(g + i));
      }
    }
    planes -= some;
  }
}

/** y = the mean of each window (torch.nn.functional.avg_pool2d). */
export function avg_pool_forward_f32(y: usize, x: usize, planes: i32, dims: usize): void {
  pool<Average, Sliding>(y, 0, x, planes, dims);
}

/** As avg_pool_forward_f32 over windows of uneven size (torch.nn.functional.adaptive_avg_pool2d). */
export function adaptive_avg_pool_forward_f32(y: usize, x: usize, planes: i32, dims: usize): void {
  pool<Average, Adaptive>(y, 0, x, planes, dims);
}

/** n elements at p = v, the same in all lanes. */
@inline
function fill(p: usize, v: v128, n: i32): void {
  for (; n >= 4; n -= 4, p += 16) v128.store(p, v);
  if (n > 0) storeLanes(p, v, n);
}

/** n elements at p += v, the same in all lanes. */
@inline
function add(p: usize, v: v128, n: i32): void {
  for (; n > 0; n -= 4, p += 16) {
    const lanes = min(n, 4);
    storeLanes(p, f32x4.add(loadLanes(p, lanes), v), lanes);
  }
}

// The way back of an average gathers. With c + padding = q * stride + t, t < stride, column c lies in the windows q, q - 1,
// ...: for t < rest in 1 + more of them, more = (kernel - 1) / stride, and from there in one less. So the columns of one q
// have two values, `high` and `low`, and neighbouring q's find theirs in neighbouring lanes of g.

/** The columns of four q's at p: `rest` times high, then low, `stride` in all, lane after lane. */
@inline
function spread(p: usize, high: v128, low: v128, stride: i32, rest: i32): void {
  if (stride == 1) v128.store(p, high);
  else if (stride == 2) {
    const odd = rest == 2 ? high : low;
    v128.store(p, v128.shuffle<i32>(high, odd, 0, 4, 1, 5));
    v128.store(p, v128.shuffle<i32>(high, odd, 2, 6, 3, 7), 16);
  } else {
    for (let l = 0; l < 4; l++, p += <usize>stride << 2) {
      fill(p, v128.shuffle<i32>(high, high, 0, 0, 0, 0), rest);
      fill(p + (<usize>rest << 2), v128.shuffle<i32>(low, low, 0, 0, 0, 0), stride - rest);
      high = v128.shuffle<i32>(high, high, 1, 2, 3, 0);
      low = v128.shuffle<i32>(low, low, 1, 2, 3, 0);
    }
  }
}

/**
 * The columns of n q's of a row of dx, from the first of them: windows of all of them have kernel counted columns. `share`
 * is 1 / divisor, or 0 where that differs from row to row.
 */
function gatherAcross(
  dx: usize, g: usize, planes: i32, plane: usize, out: usize, n: i32, first: i32, last: i32, line: usize, dims: usize,
  share: f32,
): void {
  const rows = changetype<Sliding>(dims), cols = changetype<Sliding>(dims + AXIS);
  const pads = countsPadding(dims), fixed = fixedDivisor(dims);
  const kernel = cols.kernel, stride = cols.stride, more = (kernel - 1) / stride, rest = kernel - more * stride;
  for (; planes > 0; planes--, dx += plane, g += out) {
    for (let q = 0; q < n; q += 4) {
      if (q + 4 > n) q = n - 4;
      let low = f32x4.splat(0), high = low, scale = f32x4.splat(share);
      let row = g + (<usize>q << 2);
      for (let i = first; i <= last; i++, row += line) {
        if (share == 0) scale = f32x4.splat(shareOf(fixed, rows.divisor(i, pads), kernel));
        let p = row;
        for (let m = more; m > 0; m--, p -= 4) low = madd(v128.load(p), scale, low);
        high = madd(v128.load(p), scale, high);
      }
      spread(dx + (<usize>(q * stride) << 2), f32x4.add(low, high), low, stride, rest);
    }
  }
}

/** The columns of one q of a row of dx, both from their start. `share` as in gatherAcross, but for all its windows. */
function gatherAlone(
  dx: usize, g: usize, planes: i32, plane: usize, out: usize, q: i32, first: i32, last: i32, line: usize, dims: usize,
  share: f32,
): void {
  const rows = changetype<Sliding>(dims), cols = changetype<Sliding>(dims + AXIS);
  const pads = countsPadding(dims), fixed = fixedDivisor(dims);
  const more = (cols.kernel - 1) / cols.stride, rest = cols.kernel - more * cols.stride;
  const from = max(q - more, 0), to = min(q, cols.windows - 1);
  const start = max(cols.start(q), 0), turn = max(min(cols.start(q) + rest, cols.size), 0);
  const highs = turn - start, lows = min(cols.start(q + 1), cols.size) - turn;
  for (; planes > 0; planes--, dx += plane, g += out) {
    let low: f32 = 0, high: f32 = 0;
    for (let i = first; i <= last; i++) {
      const row = g + <usize>(i - first) * line;
      for (let o = from; o <= to; o++) {
        const v = load<f32>(row + (<usize>o << 2));
        const term = v * (share != 0 ? share : shareOf(fixed, rows.divisor(i, pads), cols.divisor(o, pads)));
        if (o == q - more) high += term;
        else low += term;
      }
    }
    fill(dx + (<usize>start << 2), f32x4.splat(low + high), highs);
    fill(dx + (<usize>turn << 2), f32x4.splat(low), lows);
  }
}

/** dx = the sum over the windows around an element of g / their divisors: the way back of avg_pool_forward_f32. */
export function avg_pool_backward_f32(dx: usize, g: usize, planes: i32, dims: usize): void {
  const rows = changetype<Sliding>(dims), cols = changetype<Sliding>(dims + AXIS);
  const pads = countsPadding(dims), fixed = fixedDivisor(dims);
  const w = cols.size, stride = cols.stride, line = <usize>cols.windows << 2;
  const plane = (<usize>rows.size * w) << 2, out = <usize>rows.windows * line;
  const more = (cols.kernel - 1) / stride, moreRows = (rows.kernel - 1) / rows.stride;
  const share = shareOf(fixed, rows.kernel, cols.kernel);
  const alikeRows = fixed || rows.alike(pads), alikeCols = fixed || cols.alike(pads);
  // The q's that have all their columns, and windows of which all exist and count as many columns.
  const from = (alikeCols ? (cols.padding + stride - 1) / stride : cols.wholeFrom()) + more;
  const n = min(alikeCols ? cols.windows : cols.wholeTo(), (w + cols.padding) / stride) - from;
  const end = (w - 1 + cols.padding) / stride + 1;
  while (planes > 0) {
    const some = blockOf(planes, plane);
    for (let y = 0; y < rows.size; y++) {
      const down = (y + rows.padding) / rows.stride, above = down - moreRows;
      const first = max(rows.start(above) + rows.kernel > y ? above : above + 1, 0), last = min(down, rows.windows - 1);
      const to = dx + ((<usize>y * w) << 2), windows = g + <usize>first * line;
      const whole = alikeRows || (first >= rows.wholeFrom() && last < rows.wholeTo());
      for (let q = cols.padding / stride; q < end; ) {
        if (q == from && n >= 4) {
          gatherAcross(
            to + (<usize>cols.start(q) << 2), windows + (<usize>q << 2), some, plane, out, n, first, last, line, dims,
            whole ? share : 0,
          );
          q += n;
        } else {
          gatherAlone(to, windows, some, plane, out, q, first, last, line, dims, whole && alikeCols ? share : 0);
          q++;
        }
      }
    }
    planes -= some;
    dx += <usize>some * plane;
    g += <usize>some * out;
  }
}

/** As avg_pool_backward_f32 for adaptive_avg_pool_forward_f32: windows add to their elements in their order. */
export function adaptive_avg_pool_backward_f32(dx: usize, g: usize, planes: i32, dims: usize): void {
  const rows = changetype<Adaptive>(dims), cols = changetype<Adaptive>(dims + AXIS);
  const line = <usize>cols.size << 2, plane = <usize>rows.size * line, out = (<usize>rows.windows * cols.windows) << 2;
  while (planes > 0) {
    const some = blockOf(planes, plane);
    memory.fill(dx, 0, <usize>some * plane);
    let from = g;
    for (let i = 0; i < rows.windows; i++) {
      const r = rows.count(i), top = dx + <usize>rows.first(i) * line;
      for (let o = 0; o < cols.windows; o++, from += 4) {
        const c = cols.count(o), share = shareOf(0, r, c);
        let to = top + (<usize>cols.first(o) << 2), at = from;
        for (let k = some; k > 0; k--, to += plane, at += out) {
          const v = f32x4.splat(load<f32>(at) * share);
          for (let j = 0, p = to; j < r; j++, p += line) add(p, v, c);
        }
      }
    }
    planes -= some;
    dx += <usize>some * plane;
    g += <usize>some * out;
  }
}
