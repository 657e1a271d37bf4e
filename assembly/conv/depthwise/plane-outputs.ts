// Outputs of one plane by 3x3 taps, and the gradient of its elements: see plane.ts.
import { isWide } from "../../gemm/tiles";
import { interleaveHigh, interleaveLow } from "../../gemm/vectors";
import { madd } from "../../lanes";
import { biasOf, floorOf } from "./generic";
import { Beside, evens, odds } from "./plane-rows";

/**
 * y = act(conv(x) + bias) of a plane of h rows of n, with a stride of 1; the weights lie `step` bytes apart. Each row
 * of x ends a row of sums, adds to the next and begins another; what ends before the first goes to `spare`.
 */
export function outputs1(
  y: usize,
  x: usize,
  w: usize,
  step: usize,
  h: i32,
  n: i32,
  biasAt: usize,
  act: i32,
  beside: Beside,
): void {
  const bias = biasOf(biasAt),
    floor = floorOf(act);
  const line = (<usize>n) << 2,
    last = line - 16,
    spare = beside.spare();
  const w0 = v128.load32_splat(w),
    w1 = v128.load32_splat(w + step),
    w2 = v128.load32_splat(w + 2 * step);
  const w3 = v128.load32_splat(w + 3 * step),
    w4 = v128.load32_splat(w + 4 * step),
    w5 = v128.load32_splat(w + 5 * step);
  const w6 = v128.load32_splat(w + 6 * step),
    w7 = v128.load32_splat(w + 7 * step),
    w8 = v128.load32_splat(w + 8 * step);
  for (let i: usize = 0; ; i = min(i + 16, last)) {
    // Inside of the plane, where vectors may be joined.
    for (; isWide() && i > 0 && i + 20 <= last; i = min(i + 32, last))
      eight(y + i, x + i, w, step, h, line, biasAt, act, spare);
    beside.columns(x, i, last, 16, line);
    const leftLine = beside.leftLine,
      rightLine = beside.rightLine;
    let left = beside.left,
      right = beside.right,
      p = x + i,
      next = y + i,
      to = spare;
    let a = bias,
      b = a;
    for (let r: i32 = h; r > 0; r--) {
      const m = v128.load(p),
        k = v128.shuffle<i32>(v128.load32_splat(left), m, 3, 4, 5, 6),
        o = v128.shuffle<i32>(m, v128.load32_splat(right), 1, 2, 3, 4);
      a = madd(w8, o, madd(w7, m, madd(w6, k, a)));
      v128.store(to, f32x4.pmax(a, floor));
      a = madd(w5, o, madd(w4, m, madd(w3, k, b)));
      b = madd(w2, o, madd(w1, m, madd(w0, k, bias)));
      to = next;
      next += line;
      p += line;
      left += leftLine;
      right += rightLine;
    }
    v128.store(to, f32x4.pmax(a, floor));
    if (i == last) break;
  }
}

/**
 * The same for eight columns that have others on both sides, which are loaded: pairs of vectors, which V8's
 * revectorizer joins.
 */
function eight(
  y: usize,
  x: usize,
  w: usize,
  step: usize,
  h: i32,
  line: usize,
  biasAt: usize,
  act: i32,
  spare: usize,
): void {
  const bias = biasOf(biasAt),
    floor = floorOf(act);
  const w0 = v128.load32_splat(w),
    w1 = v128.load32_splat(w + step),
    w2 = v128.load32_splat(w + 2 * step);
  const w3 = v128.load32_splat(w + 3 * step),
    w4 = v128.load32_splat(w + 4 * step),
    w5 = v128.load32_splat(w + 5 * step);
  const w6 = v128.load32_splat(w + 6 * step),
    w7 = v128.load32_splat(w + 7 * step),
    w8 = v128.load32_splat(w + 8 * step);
  let p = x - 4,
    to = spare;
  let a = bias,
    b = a,
    c = a,
    d = a;
  for (; h > 0; h--) {
    const k = v128.load(p),
      l = v128.load(p, 16),
      m = v128.load(p, 4),
      n = v128.load(p, 20),
      o = v128.load(p, 8),
      q = v128.load(p, 24);
    a = madd(w8, o, madd(w7, m, madd(w6, k, a)));
    c = madd(w8, q, madd(w7, n, madd(w6, l, c)));
    v128.store(to, f32x4.pmax(a, floor));
    v128.store(to, f32x4.pmax(c, floor), 16);
    a = madd(w5, o, madd(w4, m, madd(w3, k, b)));
    c = madd(w5, q, madd(w4, n, madd(w3, l, d)));
    b = madd(w2, o, madd(w1, m, madd(w0, k, bias)));
    d = madd(w2, q, madd(w1, n, madd(w0, l, bias)));
    to = y;
    y += line;
    p += line;
  }
  v128.store(to, f32x4.pmax(a, floor));
  v128.store(to, f32x4.pmax(c, floor), 16);
}

/** The same with a stride of 2: h rows of n outputs, of twice as many of twice as many elements. */
export function outputs2(y: usize, x: usize, w: usize, h: i32, n: i32, biasAt: usize, act: i32, beside: Beside): void {
  const bias = biasOf(biasAt),
    floor = floorOf(act);
  const out = (<usize>n) << 2,
    last = out - 16,
    line = out << 1;
  const w0 = v128.load32_splat(w),
    w1 = v128.load32_splat(w, 4),
    w2 = v128.load32_splat(w, 8);
  const w3 = v128.load32_splat(w, 12),
    w4 = v128.load32_splat(w, 16),
    w5 = v128.load32_splat(w, 20);
  const w6 = v128.load32_splat(w, 24),
    w7 = v128.load32_splat(w, 28),
    w8 = v128.load32_splat(w, 32);
  for (let i: usize = 0; ; i = min(i + 16, last)) {
    beside.columns(x, i << 1, last << 1, 32, line);
    const leftLine = beside.leftLine;
    let left = beside.left,
      p = x + (i << 1),
      to = y + i;
    let a = bias;
    for (let r: i32 = h; r > 0; r--) {
      let odd = odds(p),
        even = evens(p),
        k = v128.shuffle<i32>(v128.load32_splat(left), odd, 3, 4, 5, 6);
      a = madd(w5, odd, madd(w4, even, madd(w3, k, a)));
      p += line;
      left += leftLine;
      odd = odds(p);
      even = evens(p);
      k = v128.shuffle<i32>(v128.load32_splat(left), odd, 3, 4, 5, 6);
      a = madd(w8, odd, madd(w7, even, madd(w6, k, a)));
      v128.store(to, f32x4.pmax(a, floor));
      a = madd(w2, odd, madd(w1, even, madd(w0, k, bias)));
      p += line;
      left += leftLine;
      to += out;
    }
    if (i == last) break;
  }
}

/** dx of a plane by g, h rows of n, with a stride of 2: eight columns out of four of g and what is behind them. */
export function input2(dx: usize, g: usize, w: usize, h: i32, n: i32, biasAt: usize, beside: Beside): void {
  const bias = biasOf(biasAt);
  const out = (<usize>n) << 2,
    last = out - 16,
    line = out << 1;
  const w0 = v128.load32_splat(w),
    w1 = v128.load32_splat(w, 4),
    w2 = v128.load32_splat(w, 8);
  const w3 = v128.load32_splat(w, 12),
    w4 = v128.load32_splat(w, 16),
    w5 = v128.load32_splat(w, 20);
  const w6 = v128.load32_splat(w, 24),
    w7 = v128.load32_splat(w, 28),
    w8 = v128.load32_splat(w, 32);
  for (let i: usize = 0; ; i = min(i + 16, last)) {
    beside.columns(g, i, last, 16, out);
    const rightLine = beside.rightLine;
    let right = beside.right,
      p = g + i,
      to = dx + (i << 1);
    let m = v128.load(p),
      o = v128.shuffle<i32>(m, v128.load32_splat(right), 1, 2, 3, 4);
    for (let r: i32 = h; r > 0; r--) {
      let even = madd(w4, m, bias),
        odd = madd(w5, m, madd(w3, o, bias));
      v128.store(to, interleaveLow(even, odd));
      v128.store(to, interleaveHigh(even, odd), 16);
      to += line;
      even = madd(w7, m, bias);
      odd = madd(w8, m, madd(w6, o, bias));
      m = o = f32x4.splat(0);
      if (r > 1) {
        p += out;
        right += rightLine;
        m = v128.load(p);
        o = v128.shuffle<i32>(m, v128.load32_splat(right), 1, 2, 3, 4);
      }
      even = madd(w1, m, even);
      odd = madd(w2, m, madd(w0, o, odd));
      v128.store(to, interleaveLow(even, odd));
      v128.store(to, interleaveHigh(even, odd), 16);
      to += line;
    }
    if (i == last) break;
  }
}
