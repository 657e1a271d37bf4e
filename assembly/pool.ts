// Max and average pooling over the last two axes of x[planes, h, w] into y[planes, outH, outW], contiguous f32, forward
// beside backward. Pooling of one axis has h = 1. `dims` holds the two axes as they lie in Sliding, the rows (h) first.
// Every kernel overwrites its outputs, which may not alias its inputs.
import { loadLanes, madd, select, storeLanes } from "./lanes";
import { Rows, Value } from "./reduceloops";
import {
  AXIS, Adaptive, Apart, FourNeighbours, FourOfSeven, Neighbours, Sliding, countPadding, divisorOf, fixedDivisor, shareOf,
} from "./windows";

/** The window's greatest element, and where it lies in the plane. */
@final @unmanaged
class Largest {
  @inline places(): bool { return true; }
  @inline start(): v128 { return f32x4.splat(-Infinity); }
  /** Where v, which comes after a, takes its place: the first of equals stays, and of NaNs the last one. */
  @inline takes(a: v128, v: v128): v128 { return v128.or(f32x4.gt(v, a), f32x4.ne(v, v)); }
  @inline combine(a: v128, v: v128, taken: v128): v128 { return select(taken, v, a); }
  @inline finish(a: v128, divisor: f32): v128 { return a; }

  /** Where b at i takes the place of a at j, whichever comes first. */
  @inline beats(b: v128, i: v128, a: v128, j: v128): v128 {
    const nan = v128.and(f32x4.ne(b, b), v128.or(f32x4.eq(a, a), i32x4.gt_s(i, j)));
    const tie = v128.and(f32x4.eq(b, a), i32x4.lt_s(i, j));
    return v128.or(v128.or(f32x4.gt(b, a), tie), nan);
  }

  /** The window whose first element is at x: lanes are columns, and are joined at the end. */
  lone<R>(
    y: usize, index: usize, x: usize, r: i32, c: i32, line: usize, width: i32, step: i32, place: i32, divisor: f32,
  ): void {
    const reader = changetype<R>(0), bytes = <usize>step << 2, four = i32x4.splat(step << 2);
    let a = this.start(), at = i32x4.splat(0), row = i32x4.mul(i32x4(0, 1, 2, 3), i32x4.splat(step));
    for (; r > 0; r--, x += line, row = i32x4.add(row, i32x4.splat(width))) {
      let p = x, here = row;
      for (let left = c; left > 0; left -= 4, p += bytes << 2, here = i32x4.add(here, four)) {
        const v: v128 = reader.load(p, bytes, min(left, 4), this.start());
        const taken = this.takes(a, v);
        at = select(taken, here, at);
        a = select(taken, v, a);
      }
    }
    let b = v128.shuffle<i32>(a, a, 2, 3, 0, 1), i = v128.shuffle<i32>(at, at, 2, 3, 0, 1);
    let taken = this.beats(b, i, a, at);
    a = select(taken, b, a); at = select(taken, i, at);
    b = v128.shuffle<i32>(a, a, 1, 0, 3, 2); i = v128.shuffle<i32>(at, at, 1, 0, 3, 2);
    taken = this.beats(b, i, a, at);
    v128.store32_lane(y, select(taken, b, a), 0);
    store<i32>(index, i32x4.extract_lane(select(taken, i, at), 0) + place);
  }
}

/** The window's mean, or its sum over a given divisor. */
@final @unmanaged
class Average {
  @inline places(): bool { return false; }
  @inline start(): v128 { return f32x4.splat(0); }
  @inline takes(a: v128, v: v128): v128 { return v; }
  @inline combine(a: v128, v: v128, taken: v128): v128 { return f32x4.add(a, v); }
  @inline finish(a: v128, divisor: f32): v128 { return f32x4.div(a, f32x4.splat(divisor)); }

  /** The window whose first element is at x. There is no dilation. */
  lone<R>(
    y: usize, index: usize, x: usize, r: i32, c: i32, line: usize, width: i32, step: i32, place: i32, divisor: f32,
  ): void {
    const zero = f32x4.splat(0);
    let sum: f64 = 0;
    for (; r > 0; r--, x += line) sum += Rows.sum<Value>(0, x, 0, 0, c, zero, zero);
    store<f32>(y, <f32>(sum / divisor));
  }
}

/**
 * n windows side by side, each r rows of c columns that all lie on the plane: lanes are windows. `line` bytes and `width`
 * elements lead from row to row, `step` elements from column to column, `stride` from window to window. `place` is the
 * position of the first window's first element.
 */
function across<F, R>(
  y: usize, index: usize, x: usize, n: i32, r: i32, c: i32, line: usize, width: i32, step: i32, stride: i32,
  place: i32, divisor: f32,
): void {
  const f = changetype<F>(0), reader = changetype<R>(0);
  const bytes = <usize>stride << 2, next = <usize>step << 2;
  const lane = i32x4.mul(i32x4(0, 1, 2, 3), i32x4.splat(stride)), one = i32x4.splat(step), below = i32x4.splat(width);
  for (let o = 0; o < n; o += 4) {
    // The last four windows may overlap those before, and come out the same again.
    if (!reader.any() && o + 4 > n) o = n - 4;
    const lanes = min(4, n - o);
    let a: v128 = f.start(), at = i32x4.splat(0), row = at;
    let q = x + <usize>o * bytes;
    for (let i = r; i > 0; i--, q += line, row = i32x4.add(row, below)) {
      let p = q, here = row;
      for (let j = c; j > 0; j--, p += next, here = i32x4.add(here, one)) {
        const v: v128 = reader.load(p, bytes, lanes, f.start()), taken: v128 = f.takes(a, v);
        if (f.places()) at = select(taken, here, at);
        a = f.combine(a, v, taken);
      }
    }
    const to = <usize>o << 2;
    storeLanes(y + to, f.finish(a, divisor), lanes);
    if (f.places()) storeLanes(index + to, i32x4.add(i32x4.add(at, lane), i32x4.splat(place + o * stride)), lanes);
  }
}

/** y, and for F that places its element index, over x with axes of kind A. */
function pool<F, A>(y: usize, index: usize, x: usize, planes: i32, dims: usize): void {
  const f = changetype<F>(0);
  const rows = changetype<A>(dims), cols = changetype<A>(dims + AXIS);
  const pads = countPadding(dims), fixed = fixedDivisor(dims);
  const width = cols.size, windows = cols.windows, from = cols.wholeFrom(), to = cols.wholeTo();
  const kernel = load<i32>(dims, AXIS + 8), stride = load<i32>(dims, AXIS + 12), step = load<i32>(dims, AXIS + 20);
  const below = width * load<i32>(dims, 20), line = <usize>below << 2;
  // A few wide windows are sooner done one by one.
  const side = to - from >= 4 || kernel < 4 ? to - from : 0;
  const plane = (<usize>rows.size * width) << 2;
  for (; planes > 0; planes--, x += plane) {
    for (let i = 0; i < rows.windows; i++) {
      const top = rows.first(i), r = rows.count(i), counted = rows.divisor(i, pads);
      for (let o = 0; o < windows; ) {
        const left = cols.first(o), place = top * width + left, p = x + (<usize>place << 2);
        const divisor = divisorOf(fixed, counted, cols.divisor(o, pads));
        let n = 1;
        if (o == from && side > 0) {
          n = side;
          if (n < 4 || stride > 2) across<F, Apart>(y, index, p, n, r, kernel, line, below, step, stride, place, divisor);
          else if (stride == 1) across<F, FourNeighbours>(y, index, p, n, r, kernel, line, below, step, 1, place, divisor);
          else across<F, FourOfSeven>(y, index, p, n, r, kernel, line, below, step, 2, place, divisor);
        } else {
          let c = cols.count(o), height = r;
          if (c == below && step == 1) {
            // Whole rows, one behind the other.
            c *= height;
            height = 1;
          }
          if (step == 1) f.lone<Neighbours>(y, index, p, height, c, line, below, 1, place, divisor);
          else f.lone<Apart>(y, index, p, height, c, line, below, step, place, divisor);
        }
        o += n;
        y += <usize>n << 2;
        if (f.places()) index += <usize>n << 2;
      }
    }
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
  for (; planes > 0; planes--, dx += plane, g += end, index += end) {
    memory.fill(dx, 0, plane);
    for (let i: usize = 0; i < end; i += 4) {
      const to = dx + (<usize>load<u32>(index + i) << 2);
      store<f32>(to, load<f32>(to) + load<f32>(g + i));
    }
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
// ...: in N = ceil(kernel / stride) of them for t < rest, and in one less from there. So the columns of one q have two
// values, `high` and `low`, and neighbouring q's find theirs in neighbouring lanes of g.

/** The columns of four q's at p: `rest` times high, then low, `stride` in all, lane after lane. */
@inline
function spread(p: usize, high: v128, low: v128, stride: i32, rest: i32): void {
  if (stride == 1) v128.store(p, high);
  else if (stride == 2) {
    const odd = rest == 2 ? high : low;
    v128.store(p, v128.shuffle<i32>(high, odd, 0, 4, 1, 5));
    v128.store(p, v128.shuffle<i32>(high, odd, 2, 6, 3, 7), 16);
  } else {
    const one = <usize>stride << 2, to = <usize>rest << 2;
    fill(p, v128.shuffle<i32>(high, high, 0, 0, 0, 0), rest);
    fill(p + to, v128.shuffle<i32>(low, low, 0, 0, 0, 0), stride - rest);
    fill(p + one, v128.shuffle<i32>(high, high, 1, 1, 1, 1), rest);
    fill(p + one + to, v128.shuffle<i32>(low, low, 1, 1, 1, 1), stride - rest);
    fill(p + 2 * one, v128.shuffle<i32>(high, high, 2, 2, 2, 2), rest);
    fill(p + 2 * one + to, v128.shuffle<i32>(low, low, 2, 2, 2, 2), stride - rest);
    fill(p + 3 * one, v128.shuffle<i32>(high, high, 3, 3, 3, 3), rest);
    fill(p + 3 * one + to, v128.shuffle<i32>(low, low, 3, 3, 3, 3), stride - rest);
  }
}

/** dx = the sum over the windows around an element of g / their divisors: the way back of avg_pool_forward_f32. */
export function avg_pool_backward_f32(dx: usize, g: usize, planes: i32, dims: usize): void {
  const rows = changetype<Sliding>(dims), cols = changetype<Sliding>(dims + AXIS);
  const pads = countPadding(dims), fixed = fixedDivisor(dims);
  const h = rows.size, outH = rows.windows, heightN = (rows.kernel - 1) / rows.stride;
  const w = cols.size, outW = cols.windows, kernel = cols.kernel, stride = cols.stride, padding = cols.padding;
  const n = (kernel - 1) / stride, rest = kernel - n * stride; // n = N - 1
  const line = <usize>outW << 2;
  const wholeRow = rows.wholeFrom(), wholeRowEnd = rows.wholeTo();
  // The q's of a row, and those of them that have whole windows and whole sets of columns only.
  const qEnd = (w - 1 + padding) / stride + 1;
  const from = cols.wholeFrom() + n, to = min(cols.wholeTo(), (w + padding) / stride);
  const usual = shareOf(fixed, rows.kernel, kernel);
  for (; planes > 0; planes--, g += <usize>outH * line) {
    for (let y = 0; y < h; y++, dx += <usize>w << 2) {
      const down = (y + rows.padding) / rows.stride;
      const covers = down * rows.stride + rows.kernel - heightN * rows.stride > y + rows.padding;
      const first = max(down - heightN + i32(!covers), 0), last = min(down, outH - 1);
      const whole = first >= wholeRow && last < wholeRowEnd;
      for (let q = padding / stride; q < qEnd; ) {
        let low = f32x4.splat(0), high = low;
        if (q >= from && to - from >= 4 && q < to) {
          if (q + 4 > to) q = to - 4;
          for (let i = first; i <= last; i++) {
            const scale = f32x4.splat(whole ? usual : shareOf(fixed, rows.divisor(i, pads), kernel));
            let p = g + <usize>i * line + (<usize>q << 2);
            for (let m = n; m > 0; m--, p -= 4) low = madd(v128.load(p), scale, low);
            high = madd(v128.load(p), scale, high);
          }
          spread(dx + (<usize>(q * stride - padding) << 2), f32x4.add(low, high), low, stride, rest);
          q += 4;
          continue;
        }
        for (let i = first; i <= last; i++) {
          const counted = rows.divisor(i, pads);
          const p = g + <usize>i * line;
          for (let o = max(q - n, 0); o <= min(q, outW - 1); o++) {
            const term = f32x4.mul(
              v128.load32_splat(p + (<usize>o << 2)), f32x4.splat(shareOf(fixed, counted, cols.divisor(o, pads))),
            );
            if (o == q - n) high = f32x4.add(high, term);
            else low = f32x4.add(low, term);
          }
        }
        const start = q * stride - padding, turn = min(start + rest, w);
        fill(dx + (<usize>max(start, 0) << 2), f32x4.add(low, high), turn - max(start, 0));
        fill(dx + (<usize>max(turn, 0) << 2), low, min(start + stride, w) - max(turn, 0));
        q++;
      }
    }
  }
}

/** As avg_pool_backward_f32 for adaptive_avg_pool_forward_f32: windows add to their elements in their order. */
export function adaptive_avg_pool_backward_f32(dx: usize, g: usize, planes: i32, dims: usize): void {
  const rows = changetype<Adaptive>(dims), cols = changetype<Adaptive>(dims + AXIS);
  const w = cols.size, line = <usize>w << 2, plane = <usize>rows.size * line;
  for (; planes > 0; planes--, dx += plane) {
    memory.fill(dx, 0, plane);
    for (let i = 0; i < rows.windows; i++) {
      const r = rows.count(i), top = dx + <usize>rows.first(i) * line;
      for (let o = 0; o < cols.windows; o++, g += 4) {
        const c = cols.count(o), v = f32x4.splat(load<f32>(g) / (<f32>r * <f32>c));
        let p = top + (<usize>cols.first(o) << 2);
        for (let j = r; j > 0; j--, p += line) add(p, v, c);
      }
    }
  }
}
