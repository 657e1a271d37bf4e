// Average pooling over windows of 3x3 that one zero pads on each side, as most windows that overlap are: with a stride
// of 1, where forward and backward are the same sums, and backward of a stride of 2 over even planes. Four or eight
// columns at a time go down a plane, so that each of its rows is loaded once; the last ones may overlap those before,
// and come out the same again.
import { interleaveHigh, interleaveLow } from "../gemm/vectors";
import { madd } from "../lanes";
import { AXIS, countsPadding, fixedDivisor, Sliding, shareOf } from "./windows";

/** A zero beside the planes. */
const ZERO: usize = memory.data(4);

/** Whether an axis has such windows. */
@inline
function isThirds(axis: Sliding): bool {
  return axis.kernel == 3 && axis.padding == 1 && axis.stride <= 2 && axis.size == axis.windows * axis.stride;
}

/** The stride of such windows along both axes, which all have one divisor, and of which four share a row; else 0. */
export function thirdsStride(dims: usize): i32 {
  const rows = changetype<Sliding>(dims),
    cols = changetype<Sliding>(dims + AXIS);
  if (!isThirds(rows) || !isThirds(cols) || rows.stride != cols.stride || cols.windows < 4) return 0;
  return countsPadding(dims) || fixedDivisor(dims) ? cols.stride : 0;
}

/** The elements before and behind those of m, the first and the last of which are at `left` and `right`. */
@inline
function before(m: v128, left: usize): v128 {
  return v128.shuffle<i32>(v128.load32_splat(left), m, 3, 4, 5, 6);
}
@inline
function behind(m: v128, right: usize): v128 {
  return v128.shuffle<i32>(m, v128.load32_splat(right), 1, 2, 3, 4);
}

/** The sums of each of the first four columns at p and those beside it; of more, `two`, or of all. */
@inline
function first(p: usize, left: usize, right: usize, two: bool): v128 {
  const m = v128.load(p);
  return f32x4.add(f32x4.add(before(m, left), m), two ? v128.load(p, 4) : behind(m, right));
}

/** Likewise of the last four of eight. */
@inline
function second(p: usize, right: usize): v128 {
  const m = v128.load(p, 16);
  return f32x4.add(f32x4.add(v128.load(p, 12), m), behind(m, right));
}

/** thirds1 by four columns at a time or, `two`, by eight. */
@inline
function strips(y: usize, x: usize, planes: i32, h: i32, n: i32, share: f32, two: bool): void {
  const zero = ZERO,
    shares = f32x4.splat(share),
    bytes: usize = two ? 32 : 16,
    line = (<usize>n) << 2,
    last = line - bytes,
    plane = line * <usize>h;
  for (; planes > 0; planes--, y += plane, x += plane) {
    for (let i: usize = 0; ; i = min(i + bytes, last)) {
      const leftLine: usize = i == 0 ? 0 : line,
        rightLine: usize = i == last ? 0 : line;
      let p = x + i,
        left = i == 0 ? zero : p - 4,
        right = i == last ? zero : p + bytes,
        to = y + i;
      // The sums of the last row and of both; b and d behind them.
      let a = first(p, left, right, two),
        b = two ? second(p, right) : a,
        c = a,
        d = b;
      for (let r = h; r > 1; r--) {
        p += line;
        left += leftLine;
        right += rightLine;
        const e = first(p, left, right, two);
        v128.store(to, f32x4.mul(f32x4.add(c, e), shares));
        c = f32x4.add(a, e);
        a = e;
        if (two) {
          const f = second(p, right);
          v128.store(to, f32x4.mul(f32x4.add(d, f), shares), 16);
          d = f32x4.add(b, f);
          b = f;
        }
        to += line;
      }
      v128.store(to, f32x4.mul(c, shares));
      if (two) v128.store(to, f32x4.mul(d, shares), 16);
      if (i == last) break;
    }
  }
}

/** y from x, or dx from g, with a stride of 1. */
export function thirds1(y: usize, x: usize, planes: i32, dims: usize): void {
  const h = changetype<Sliding>(dims).size,
    n = changetype<Sliding>(dims + AXIS).size,
    share = shareOf(fixedDivisor(dims), 3, 3);
  if (n >= 8) strips(y, x, planes, h, n, share, true);
  else strips(y, x, planes, h, n, share, false);
}

/** A strip of dx, out of four columns of g and what is behind them: zero at the right one. */
@inline
function strip2(dx: usize, g: usize, h: i32, out: usize, shares: v128, right: bool): void {
  const line = out << 1;
  let low = i32x4.splat(0),
    high = low;
  for (let r = h; r > 0; r--, g += out) {
    const m = v128.load(g),
      even = f32x4.mul(m, shares),
      odd = madd(right ? behind(m, ZERO) : v128.load(g, 4), shares, even),
      nextLow = interleaveLow(even, odd),
      nextHigh = interleaveHigh(even, odd);
    if (r < h) {
      v128.store(dx, f32x4.add(low, nextLow));
      v128.store(dx, f32x4.add(high, nextHigh), 16);
      dx += line;
    }
    v128.store(dx, nextLow);
    v128.store(dx, nextHigh, 16);
    dx += line;
    low = nextLow;
    high = nextHigh;
  }
  v128.store(dx, low);
  v128.store(dx, high, 16);
}

/** dx from g, with a stride of 2. */
export function thirds2(dx: usize, g: usize, planes: i32, dims: usize): void {
  const h = changetype<Sliding>(dims).windows,
    out = (<usize>changetype<Sliding>(dims + AXIS).windows) << 2,
    plane = out * <usize>h,
    shares = f32x4.splat(shareOf(fixedDivisor(dims), 3, 3)),
    last = out - 16;
  for (; planes > 0; planes--, dx += plane << 2, g += plane) {
    for (let i: usize = 0; i < last; i += 16) strip2(dx + (i << 1), g + i, h, out, shares, false);
    strip2(dx + (last << 1), g + last, h, out, shares, true);
  }
}
