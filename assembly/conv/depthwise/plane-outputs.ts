// Outputs of planes by 3x3 taps, and the gradient of their elements: see plane.ts. Weights are loaded for each strip of
// columns: engines spill what has to be held for longer.
import { isWide } from "../../gemm/tiles";
import { interleaveHigh, interleaveLow } from "../../gemm/vectors";
import { madd } from "../../lanes";
import { beat } from "../../program/threads";
import { biasOf, floorOf } from "./generic";
import { evens, odds, zeroOf } from "./plane-rows";

/**
 * y = act(conv(x) + bias) of planes of h rows of n, with a stride of 1; the weights lie `step` bytes apart. Each row
 * of x ends a row of sums, adds to the next and begins another.
 */
export function outputs1(
  y: usize,
  x: usize,
  w: usize,
  step: usize,
  planes: i32,
  h: i32,
  n: i32,
  biasAt: usize,
  act: i32,
  workspace: usize,
): void {
  const floor = floorOf(act),
    none = zeroOf(workspace);
  const line = (<usize>n) << 2,
    last = line - 16;
  for (; planes > 0; planes--) {
    beat();
    // Inside of the plane, where vectors may be joined.
    let joined: usize = 0;
    if (isWide())
      for (let i: usize = 16; i + 20 <= last; i = min(i + 32, last)) {
        eight(y + i, x + i, w, step, h, line, biasAt, act, workspace);
        joined = min(i + 32, last);
      }
    for (let i: usize = 0; ; i = i == 0 && joined != 0 ? joined : min(i + 16, last)) {
      const w0 = v128.load32_splat(w),
        w1 = v128.load32_splat(w + step),
        w2 = v128.load32_splat(w + 2 * step);
      const w3 = v128.load32_splat(w + 3 * step),
        w4 = v128.load32_splat(w + 4 * step),
        w5 = v128.load32_splat(w + 5 * step);
      const w6 = v128.load32_splat(w + 6 * step),
        w7 = v128.load32_splat(w + 7 * step),
        w8 = v128.load32_splat(w + 8 * step);
      const bias = biasOf(biasAt),
        leftLine: usize = i == 0 ? 0 : line,
        rightLine: usize = i == last ? 0 : line;
      let left = i == 0 ? none : x + i - 4,
        right = i == last ? none : x + i + 16,
        p = x + i,
        to = y + i;
      let m = v128.load(p),
        k = v128.shuffle<i32>(v128.load32_splat(left), m, 3, 4, 5, 6),
        o = v128.shuffle<i32>(m, v128.load32_splat(right), 1, 2, 3, 4);
      let a = madd(w5, o, madd(w4, m, madd(w3, k, bias))),
        b = madd(w2, o, madd(w1, m, madd(w0, k, bias)));
      for (let r = h; r > 1; r--) {
        p += line;
        left += leftLine;
        right += rightLine;
        m = v128.load(p);
        k = v128.shuffle<i32>(v128.load32_splat(left), m, 3, 4, 5, 6);
        o = v128.shuffle<i32>(m, v128.load32_splat(right), 1, 2, 3, 4);
        a = madd(w8, o, madd(w7, m, madd(w6, k, a)));
        v128.store(to, f32x4.pmax(a, floor));
        a = madd(w5, o, madd(w4, m, madd(w3, k, b)));
        b = madd(w2, o, madd(w1, m, madd(w0, k, bias)));
        to += line;
      }
      v128.store(to, f32x4.pmax(a, floor));
      if (i == last) break;
    }
    const plane = line * <usize>h;
    y += plane;
    x += plane;
    w += 36;
    if (biasAt != 0) biasAt += 4;
  }
}

/**
 * The same for eight columns of a plane that have others on both sides, which are loaded: pairs of vectors, which V8's
 * revectorizer joins. What ends before the first row of sums goes to `spare`.
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

/**
 * The same with a stride of 2: h rows of n outputs, of twice as many of twice as many elements. An exit is never taken:
 * see generic.ts.
 */
export function outputs2(
  y: usize,
  x: usize,
  w: usize,
  planes: i32,
  h: i32,
  n: i32,
  biasAt: usize,
  act: i32,
  workspace: usize,
): void {
  const floor = floorOf(act),
    none = zeroOf(workspace),
    never = load<usize>(none);
  const out = (<usize>n) << 2,
    last = out - 16,
    line = out << 1;
  for (; planes > 0; planes--) {
    beat();
    for (let i: usize = 0; ; i = min(i + 16, last)) {
      const w0 = v128.load32_splat(w),
        w1 = v128.load32_splat(w, 4),
        w2 = v128.load32_splat(w, 8);
      const w3 = v128.load32_splat(w, 12),
        w4 = v128.load32_splat(w, 16),
        w5 = v128.load32_splat(w, 20);
      const w6 = v128.load32_splat(w, 24),
        w7 = v128.load32_splat(w, 28),
        w8 = v128.load32_splat(w, 32);
      const bias = biasOf(biasAt),
        leftLine: usize = i == 0 ? 0 : line;
      let p = x + (i << 1),
        left = i == 0 ? none : p - 4,
        to = y + i;
      let a = bias;
      for (let r = h; ; r--) {
        let odd = odds(p),
          even = evens(p),
          k = v128.shuffle<i32>(v128.load32_splat(left), odd, 3, 4, 5, 6);
        a = madd(w5, odd, madd(w4, even, madd(w3, k, a)));
        if (p == never) break;
        p += line;
        left += leftLine;
        odd = odds(p);
        even = evens(p);
        k = v128.shuffle<i32>(v128.load32_splat(left), odd, 3, 4, 5, 6);
        a = madd(w8, odd, madd(w7, even, madd(w6, k, a)));
        if (r == 1) break;
        v128.store(to, f32x4.pmax(a, floor));
        a = madd(w2, odd, madd(w1, even, madd(w0, k, bias)));
        p += line;
        left += leftLine;
        to += out;
      }
      v128.store(to, f32x4.pmax(a, floor));
      if (i == last) break;
    }
    const plane = out * <usize>h;
    y += plane;
    x += plane << 2;
    w += 36;
    if (biasAt != 0) biasAt += 4;
  }
}

/** dx of planes by g, h rows of n, with a stride of 2: eight columns out of four of g and what is behind them. */
export function input2(
  dx: usize,
  g: usize,
  w: usize,
  planes: i32,
  h: i32,
  n: i32,
  biasAt: usize,
  workspace: usize,
): void {
  const none = zeroOf(workspace);
  const out = (<usize>n) << 2,
    last = out - 16,
    line = out << 1;
  for (; planes > 0; planes--) {
    beat();
    for (let i: usize = 0; ; i = min(i + 16, last)) {
      const w0 = v128.load32_splat(w),
        w1 = v128.load32_splat(w, 4),
        w2 = v128.load32_splat(w, 8);
      const w3 = v128.load32_splat(w, 12),
        w4 = v128.load32_splat(w, 16),
        w5 = v128.load32_splat(w, 20);
      const w6 = v128.load32_splat(w, 24),
        w7 = v128.load32_splat(w, 28),
        w8 = v128.load32_splat(w, 32);
      const bias = biasOf(biasAt),
        rightLine: usize = i == last ? 0 : out;
      let p = g + i,
        right = i == last ? none : p + 16,
        to = dx + (i << 1);
      let m = v128.load(p),
        o = v128.shuffle<i32>(m, v128.load32_splat(right), 1, 2, 3, 4);
      for (let r = h; ; r--) {
        let even = madd(w4, m, bias),
          odd = madd(w5, m, madd(w3, o, bias));
        v128.store(to, interleaveLow(even, odd));
        v128.store(to, interleaveHigh(even, odd), 16);
        to += line;
        even = madd(w7, m, bias);
        odd = madd(w8, m, madd(w6, o, bias));
        if (r > 1) {
          p += out;
          right += rightLine;
          m = v128.load(p);
          o = v128.shuffle<i32>(m, v128.load32_splat(right), 1, 2, 3, 4);
          even = madd(w1, m, even);
          odd = madd(w2, m, madd(w0, o, odd));
        }
        v128.store(to, interleaveLow(even, odd));
        v128.store(to, interleaveHigh(even, odd), 16);
        to += line;
        if (r == 1) break;
      }
      if (i == last) break;
    }
    const plane = out * <usize>h;
    dx += plane << 2;
    g += plane;
    w += 36;
    if (biasAt != 0) biasAt += 4;
  }
}
