// Lines of sums, by which average pooling goes back where windows slide.
//
// Every element of dx sums the gradients of its windows, first down and then across. With c + padding = q * stride
// + t, t < stride, column c lies in the windows q, q - 1, ...: for t < rest in 1 + more of them, more = (kernel - 1) /
// stride, and from there in one less. So the columns of one q have two values, `high` and `low`, and neighbouring q's
// find theirs in neighbouring lanes of a line of sums down.
import { loadPart, madd, storeLanes, storePart } from "../lanes";
import { Sliding } from "./windows";

/** n elements at p = v. */
@inline
export function fill(p: usize, v: f32, n: i32): void {
  for (; n >= 4; n -= 4, p += 16) v128.store(p, f32x4.splat(v));
  for (; n > 0; n--, p += 4) store<f32>(p, v);
}

/** q's of a line of sums, and bytes of the lines of some planes, that stand in the workspace at once. */
@inline const MOST_QS: i32 = 1024;
@inline export const LINES_BYTES: usize = 16384;
/** Most windows of one element along an axis: what has more goes element by element. */
@inline export const MOST_WINDOWS: i32 = 1024;

/** Lines of sums down, one a plane, and what all planes share, in the workspace. */
@final
@unmanaged
export class Lines {
  /** Elements from plane to plane, in bytes: of dx and of g. */
  plane: usize;
  out: usize;
  /** Bytes of a line, which starts with the windows of q `from` and ends before those of q `end`. */
  line: usize;
  from: i32;
  end: i32;
  /** The columns of dx from the first of these q's to behind the last. */
  column: i32;
  behind: i32;
  /** Where the first window that exists stands in a line, which it is, and how many there are. */
  offset: usize;
  first: i32;
  windows: i32;
  /** Whether columns of windows have shares of their own. */
  hasShares: bool;

  /** Shares of rows of windows, and of columns, and the lines. */
  @inline rowShares(): usize {
    return changetype<usize>(this) + 64;
  }
  @inline shares(): usize {
    return this.rowShares() + ((<usize>MOST_WINDOWS) << 2);
  }
  @inline sums(): usize {
    return this.shares() + ((<usize>(MOST_QS + MOST_WINDOWS)) << 2);
  }

  /** For the q's from `from` on, up to so many. */
  start(from: i32, all: i32, cols: Sliding, pads: bool): void {
    const more = (cols.kernel - 1) / cols.stride,
      stride = cols.stride,
      padding = cols.padding,
      end = min(from + MOST_QS, all);
    this.from = from;
    this.end = end;
    this.line = (<usize>(end - from + more + 4)) << 2;
    this.column = max(from * stride - padding, 0);
    this.behind = min(end * stride - padding, cols.size);
    const first = max(from - more, 0);
    this.first = first;
    this.windows = min(end, cols.windows) - first;
    this.offset = (<usize>(first - from + more)) << 2;
    if (!this.hasShares) return;
    for (let o = 0; o < this.windows; o++)
      store<f32>(this.shares() + ((<usize>o) << 2), 1 / <f32>cols.divisor(first + o, pads));
  }

  /** The lines of `planes` planes: sums of `rows` rows of windows from g on, `step` bytes apart. */
  down(g: usize, planes: i32, rows: i32, step: usize): void {
    const n = this.windows,
      shares = this.shares(),
      end = this.rowShares() + ((<usize>rows) << 2);
    let to = this.sums() + this.offset;
    g += (<usize>this.first) << 2;
    // Columns behind the last window: their lines stay cleared.
    if (n <= 0) return;
    if (n < 4) {
      for (; planes > 0; planes--, g += this.out, to += this.line) {
        let sum = f32x4.splat(0),
          p = g;
        for (let r = this.rowShares(); r < end; r += 4, p += step)
          sum = madd(loadPart(p, n), v128.load32_splat(r), sum);
        if (this.hasShares) sum = f32x4.mul(sum, loadPart(shares, n));
        storePart(to, sum, n);
      }
      return;
    }
    if (rows == 3) this.downAs(to, g, planes, 3, step);
    else if (rows == 2) this.downAs(to, g, planes, 2, step);
    else this.downAs(to, g, planes, rows, step);
  }

  /** Where there are four windows or more. */
  @inline private downAs(to: usize, g: usize, planes: i32, rows: i32, step: usize): void {
    const last = (<usize>(this.windows - 4)) << 2,
      shares = this.hasShares ? this.shares() : 0,
      first = this.rowShares(),
      line = this.line,
      out = this.out;
    const s0 = v128.load32_splat(first),
      s1 = v128.load32_splat(first, 4),
      s2 = v128.load32_splat(first, 8);
    for (; planes > 0; planes--, g += out, to += line) {
      for (let at: usize = 0; ; at = min(at + 16, last)) {
        let p = g + at,
          sum = f32x4.mul(v128.load(p), s0);
        if (rows > 1) sum = madd(v128.load(p + step), s1, sum);
        if (rows > 2) sum = madd(v128.load(p + 2 * step), s2, sum);
        if (rows > 3) {
          p += 3 * step;
          for (let r: i32 = 3; r < rows; r++, p += step)
            sum = madd(v128.load(p), v128.load32_splat(first + ((<usize>r) << 2)), sum);
        }
        if (shares != 0) sum = f32x4.mul(sum, v128.load(shares + at));
        v128.store(to + at, sum);
        if (at == last) break;
      }
    }
  }
}

/** The n sums at p and before it, of four columns. */
@inline
function fourOf(p: usize, n: i32): v128 {
  if (n == 0) return f32x4.splat(0);
  let sum = v128.load(p);
  if (n > 1) sum = f32x4.add(sum, v128.load(p - 4));
  if (n > 2) sum = f32x4.add(sum, v128.load(p - 8));
  for (let i: usize = 3; i < <usize>n; i++) sum = f32x4.add(sum, v128.load(p - (i << 2)));
  return sum;
}

/** A row of dx in each of `planes` planes, with a stride of 1. */
@inline
function across1(dx: usize, planes: i32, lines: Lines, kernel: i32): void {
  const n = lines.behind - lines.column;
  let sums = lines.sums() + ((<usize>(kernel - 1)) << 2);
  dx += (<usize>lines.column) << 2;
  const plane = lines.plane,
    line = lines.line,
    last = (<usize>(n - 4)) << 2;
  for (; planes > 0; planes--, dx += plane, sums += line) {
    if (n < 4) storePart(dx, fourOf(sums, kernel), n);
    else {
      for (let at: usize = 0; ; at = min(at + 16, last)) {
        v128.store(dx + at, fourOf(sums + at, kernel));
        if (at == last) break;
      }
    }
  }
}

/** With a stride of 2: columns 2m and 2m + 1 find theirs in neighbouring lanes for neighbouring m. */
@inline
function across2(dx: usize, planes: i32, lines: Lines, kernel: i32, shift: i32): void {
  const more = (kernel - 1) >> 1,
    rest = kernel - 2 * more,
    evens = shift < rest ? more + 1 : more,
    odds = 1 - shift < rest ? more + 1 : more;
  const n = lines.behind - lines.column,
    next = (<usize>shift) << 2;
  // The first column is that of q `from`, or of its second one.
  let sums = lines.sums() + ((<usize>more) << 2);
  dx += (<usize>lines.column) << 2;
  const plane = lines.plane,
    line = lines.line;
  for (; planes > 0; planes--, dx += plane, sums += line) {
    let p = sums,
      to = dx;
    for (let left = n; left > 0; left -= 8, p += 16, to += 32) {
      const even = fourOf(p, evens),
        odd = fourOf(p + next, odds);
      const low = v128.shuffle<i32>(even, odd, 0, 4, 1, 5),
        high = v128.shuffle<i32>(even, odd, 2, 6, 3, 7);
      if (left >= 8) {
        v128.store(to, low);
        v128.store(to, high, 16);
      } else {
        storeLanes(to, low, min(left, 4));
        if (left > 4) storeLanes(to + 16, high, left - 4);
      }
    }
  }
}

/** With any stride. */
function acrossAny(dx: usize, planes: i32, lines: Lines, cols: Sliding): void {
  const stride = cols.stride,
    more = (<usize>((cols.kernel - 1) / stride)) << 2,
    rest = cols.kernel - <i32>(more >> 2) * stride,
    start = lines.from * stride - cols.padding,
    behind = lines.behind;
  let sums = lines.sums() + more;
  for (; planes > 0; planes--, dx += lines.plane, sums += lines.line) {
    let p = sums;
    for (let c = start; c < behind; c += stride, p += 4) {
      let low: f32 = 0;
      for (let o: usize = 0; o < more; o += 4) low += load<f32>(p - o);
      const high = low + load<f32>(p - more);
      const turn = min(c + rest, behind),
        end = min(c + stride, behind);
      let at = max(c, 0);
      for (; at + 4 <= turn; at += 4) v128.store(dx + ((<usize>at) << 2), f32x4.splat(high));
      for (; at < turn; at++) store<f32>(dx + ((<usize>at) << 2), high);
      for (; at < end; at++) store<f32>(dx + ((<usize>at) << 2), low);
    }
  }
}

/** A row of dx in each of `planes` planes, with the kernels and strides that are common known when it is compiled. */
export function across(dx: usize, planes: i32, lines: Lines, cols: Sliding): void {
  const kernel = cols.kernel,
    shift = (lines.column + cols.padding) & 1;
  if (cols.stride == 1) {
    if (kernel == 3) across1(dx, planes, lines, 3);
    else across1(dx, planes, lines, kernel);
  } else if (cols.stride == 2) {
    if (kernel == 2 && shift == 0) across2(dx, planes, lines, 2, 0);
    else if (kernel == 3 && shift == 1) across2(dx, planes, lines, 3, 1);
    else across2(dx, planes, lines, kernel, shift);
  } else acrossAny(dx, planes, lines, cols);
}
