// The gradient of the nine taps of one plane: see plane.ts.
//
// A strip is four columns of g, h rows of `line` bytes. Of the last ones those that were counted before are hidden, so
// where one of them meets an infinity of x, which made the sum one already, that becomes NaN. `inside` hides the
// element before a row. The exits are never taken: see generic.ts.
import { isWide } from "../../gemm/tiles";
import { horizontalSum, madd } from "../../lanes";
import { evens, odds } from "./plane-rows";
import { restMask } from "./sums";

@inline
function behind(p: usize, m: v128, isLast: bool): v128 {
  return isLast ? v128.shuffle<i32>(m, f32x4.splat(0), 1, 2, 3, 4) : v128.load(p, 4);
}

@inline
function strip1(
  dw: usize,
  g: usize,
  x: usize,
  h: i32,
  line: usize,
  zero: usize,
  mask: v128,
  inside: v128,
  isLast: bool,
): void {
  let s0 = f32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0,
    s4 = s0,
    s5 = s0,
    s6 = s0,
    s7 = s0,
    s8 = s0;
  let p = zero,
    q = x;
  const never = load<usize>(zero);
  for (; h > 0; h--) {
    x = h > 1 ? q + line : zero;
    let v = v128.load(g),
      m = v128.load(p);
    if (isLast) v = v128.and(v, mask);
    s1 = madd(v, m, s1);
    s0 = madd(v, v128.and(v128.load(p - 4), inside), s0);
    s2 = madd(v, behind(p, m, isLast), s2);
    if (p == never) break;
    m = v128.load(q);
    s4 = madd(v, m, s4);
    s3 = madd(v, v128.and(v128.load(q - 4), inside), s3);
    s5 = madd(v, behind(q, m, isLast), s5);
    if (q == never) break;
    m = v128.load(x);
    s7 = madd(v, m, s7);
    s6 = madd(v, v128.and(v128.load(x - 4), inside), s6);
    s8 = madd(v, behind(x, m, isLast), s8);
    p = q;
    q = x;
    g += line;
  }
  addTo(dw, s0, s1, s2, s3, s4, s5, s6, s7, s8);
}

/**
 * Two strips side by side that have others on both sides, by pairs of vectors, which V8's revectorizer joins; q: where
 * the element before the first is. Their sums go behind the row of zeros, and then to dw one after the other.
 */
function strips(dw: usize, g: usize, q: usize, h: i32, line: usize, zero: usize): void {
  let s0 = f32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0,
    s4 = s0,
    s5 = s0,
    s6 = s0,
    s7 = s0,
    s8 = s0;
  let t0 = s0,
    t1 = s0,
    t2 = s0,
    t3 = s0,
    t4 = s0,
    t5 = s0,
    t6 = s0,
    t7 = s0,
    t8 = s0;
  zero -= 4;
  let p = zero;
  for (; h > 0; h--) {
    const x = h > 1 ? q + line : zero;
    const u = v128.load(g),
      v = v128.load(g, 16);
    s0 = madd(u, v128.load(p), s0);
    t0 = madd(v, v128.load(p, 16), t0);
    s1 = madd(u, v128.load(p, 4), s1);
    t1 = madd(v, v128.load(p, 20), t1);
    s2 = madd(u, v128.load(p, 8), s2);
    t2 = madd(v, v128.load(p, 24), t2);
    s3 = madd(u, v128.load(q), s3);
    t3 = madd(v, v128.load(q, 16), t3);
    s4 = madd(u, v128.load(q, 4), s4);
    t4 = madd(v, v128.load(q, 20), t4);
    s5 = madd(u, v128.load(q, 8), s5);
    t5 = madd(v, v128.load(q, 24), t5);
    s6 = madd(u, v128.load(x), s6);
    t6 = madd(v, v128.load(x, 16), t6);
    s7 = madd(u, v128.load(x, 4), s7);
    t7 = madd(v, v128.load(x, 20), t7);
    s8 = madd(u, v128.load(x, 8), s8);
    t8 = madd(v, v128.load(x, 24), t8);
    p = q;
    q = x;
    g += line;
  }
  const sums = (zero + line + 64) & ~15;
  v128.store(sums, s0);
  v128.store(sums, t0, 16);
  v128.store(sums, s1, 32);
  v128.store(sums, t1, 48);
  v128.store(sums, s2, 64);
  v128.store(sums, t2, 80);
  v128.store(sums, s3, 96);
  v128.store(sums, t3, 112);
  v128.store(sums, s4, 128);
  v128.store(sums, t4, 144);
  v128.store(sums, s5, 160);
  v128.store(sums, t5, 176);
  v128.store(sums, s6, 192);
  v128.store(sums, t6, 208);
  v128.store(sums, s7, 224);
  v128.store(sums, t7, 240);
  v128.store(sums, s8, 256);
  v128.store(sums, t8, 272);
  for (let at = sums; at < sums + 32; at += 16)
    addTo(
      dw,
      v128.load(at),
      v128.load(at, 32),
      v128.load(at, 64),
      v128.load(at, 96),
      v128.load(at, 128),
      v128.load(at, 160),
      v128.load(at, 192),
      v128.load(at, 224),
      v128.load(at, 256),
    );
}

/** Adds to dw. */
@inline
function addTo(
  dw: usize,
  s0: v128,
  s1: v128,
  s2: v128,
  s3: v128,
  s4: v128,
  s5: v128,
  s6: v128,
  s7: v128,
  s8: v128,
): void {
  v128.store(dw, f32x4.add(v128.load(dw), sumsOf(s0, s1, s2, s3)));
  v128.store(dw, f32x4.add(v128.load(dw, 16), sumsOf(s4, s5, s6, s7)), 16);
  store<f32>(dw, load<f32>(dw, 32) + horizontalSum(s8), 32);
}

/** The sums of four vectors' lanes, each as horizontalSum has it. */
@inline
function sumsOf(a: v128, b: v128, c: v128, d: v128): v128 {
  const x = f32x4.add(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  const y = f32x4.add(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<i32>(x, y, 0, 1, 4, 5), v128.shuffle<i32>(x, y, 2, 3, 6, 7));
}

/** Adds a plane to dw, with a stride of 1; g: h rows of n; zero: a row of zeros, and one before it. */
export function sums1(dw: usize, g: usize, x: usize, h: i32, n: i32, zero: usize): void {
  const line = (<usize>n) << 2,
    last = line - 16;
  const mask = n & 3 ? restMask(n) : i32x4.splat(-1);
  let inside = i32x4(0, -1, -1, -1);
  for (let i: usize = 0; i < last; i += 16) {
    // Inside of the plane, where vectors may be joined.
    for (; isWide() && i > 0 && i + 32 <= last; i += 32) strips(dw, g + i, x + i - 4, h, line, zero);
    if (i == last) break;
    strip1(dw, g + i, x + i, h, line, zero, mask, inside, false);
    inside = i32x4.splat(-1);
  }
  strip1(dw, g + last, x + last, h, line, zero, mask, inside, true);
}

/** The elements before every second one from p; odd: those behind these. */
@inline
function before(p: usize, odd: v128, inside: v128): v128 {
  return v128.and(v128.shuffle<i32>(v128.load32_splat(p - 4), odd, 3, 4, 5, 6), inside);
}

/** The same with a stride of 2. */
export function sums2(dw: usize, g: usize, x: usize, h: i32, n: i32, zero: usize): void {
  const line = (<usize>n) << 2,
    last = line - 16,
    twice = line << 1;
  const never = load<usize>(zero);
  let inside = i32x4(0, -1, -1, -1);
  for (let i: usize = 0; ; i = min(i + 16, last)) {
    const lanes = i == last && (n & 3) != 0 ? restMask(n) : i32x4.splat(-1);
    let at = g + i,
      p = zero,
      q = x + (i << 1);
    let s0 = f32x4.splat(0),
      s1 = s0,
      s2 = s0,
      s3 = s0,
      s4 = s0,
      s5 = s0,
      s6 = s0,
      s7 = s0,
      s8 = s0;
    for (let r: i32 = h; r > 0; r--) {
      const v = v128.and(v128.load(at), lanes);
      let odd = odds(p),
        even = evens(p);
      s0 = madd(v, before(p, odd, inside), s0);
      s2 = madd(v, odd, s2);
      s1 = madd(v, even, s1);
      if (p == never) break;
      odd = odds(q);
      even = evens(q);
      s3 = madd(v, before(q, odd, inside), s3);
      s5 = madd(v, odd, s5);
      s4 = madd(v, even, s4);
      p = q + twice;
      if (q == never) break;
      odd = odds(p);
      even = evens(p);
      s6 = madd(v, before(p, odd, inside), s6);
      s8 = madd(v, odd, s8);
      s7 = madd(v, even, s7);
      q = p + twice;
      at += line;
    }
    addTo(dw, s0, s1, s2, s3, s4, s5, s6, s7, s8);
    if (i == last) break;
    inside = i32x4.splat(-1);
  }
}
