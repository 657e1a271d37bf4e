// The gradient of the nine taps of planes: see plane.ts.
//
// A strip is four columns of g, h rows of `line` bytes. A row of x is loaded once, for the three rows of g that it
// meets, and the sums stay in registers for all strips of a plane: with what a step loads these are all that there are,
// so the mask of g is in memory, and exits that are never taken end each part of a step (see generic.ts).
//
// Of the last columns those that were counted before are hidden, so where one of them meets an infinity of x, which
// made the sum one already, that becomes NaN.
import { isWide } from "../../gemm/tiles";
import { horizontalSum, madd } from "../../lanes";
import { beat } from "../../program/threads";
import { evens, odds, zeroOf } from "./plane-rows";
import { restMask } from "./sums";

/**
 * Columns from which on the sums of each strip go to dw at once: strips may be joined then, which must not change the
 * order of additions, and no lane adds up too many.
 */
@inline const MANY_COLUMNS: i32 = 16;

/**
 * Two strips side by side that have others on both sides, by pairs of vectors, which V8's revectorizer joins; q: where
 * the element before the first is; zero: ten zeros. Their sums go behind these, and then to dw one after the other.
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
  const sums = zero + 48;
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

/** The strips behind the first one that may be joined; answers with where the others are. */
function inner(dw: usize, g: usize, x: usize, h: i32, line: usize, zero: usize): usize {
  let i: usize = 16;
  if (isWide()) for (; i + 48 <= line; i += 32) strips(dw, g + i, x + i - 4, h, line, zero);
  return i;
}

/** Stores what hides the columns of the last strip of n that others have counted. */
@inline
function storeMask(to: usize, n: i32, isLast: bool): void {
  v128.store(to, isLast && (n & 3) != 0 ? restMask(n) : i32x4.splat(-1));
}

/** Adds a plane to dw, with a stride of 1; g: h rows of n. */
@inline
function planeSums1(dw: usize, g: usize, x: usize, h: i32, n: i32, workspace: usize, zero: usize, never: usize): void {
  const line = (<usize>n) << 2,
    last = line - 16;
  let next = min(16, last);
  let s0 = f32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0,
    s4 = s0,
    s5 = s0,
    s6 = s0,
    s7 = s0,
    s8 = s0;
  for (let i: usize = 0; ; i = next, next = min(next + 16, last)) {
    storeMask(workspace, n, i == last);
    const leftLine: usize = i == 0 ? 0 : line,
      rightLine: usize = i == last ? 0 : line;
    let p = x + i,
      left = i == 0 ? zero : p - 4,
      right = i == last ? zero : p + 16,
      at = g + i;
    let v = v128.and(v128.load(at), v128.load(workspace)),
      u = v;
    for (let r = h; at != never; r--) {
      const m = v128.load(p),
        k = v128.shuffle<i32>(v128.load32_splat(left), m, 3, 4, 5, 6),
        o = v128.shuffle<i32>(m, v128.load32_splat(right), 1, 2, 3, 4);
      if (r < h) {
        s6 = madd(u, k, s6);
        s7 = madd(u, m, s7);
        s8 = madd(u, o, s8);
      }
      s3 = madd(v, k, s3);
      s4 = madd(v, m, s4);
      s5 = madd(v, o, s5);
      if (r == 1) break;
      at += line;
      u = v;
      v = v128.and(v128.load(at), v128.load(workspace));
      s0 = madd(v, k, s0);
      s1 = madd(v, m, s1);
      s2 = madd(v, o, s2);
      p += line;
      left += leftLine;
      right += rightLine;
    }
    if (i == last || n >= MANY_COLUMNS) {
      addTo(dw, s0, s1, s2, s3, s4, s5, s6, s7, s8);
      if (i == last) break;
      if (i == 0) next = inner(dw, g, x, h, line, zero);
      s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = f32x4.splat(0);
    }
  }
}

/** Adds planes to dw, with a stride of 1. The planes of x lie `apart`: 0 where one plane is for all. */
export function sums1(
  dw: usize,
  dwApart: usize,
  g: usize,
  x: usize,
  apart: usize,
  planes: i32,
  h: i32,
  n: i32,
  workspace: usize,
): void {
  const plane = ((<usize>n) << 2) * <usize>h,
    zero = zeroOf(workspace),
    never = load<usize>(zero);
  for (; planes > 0; planes--) {
    beat();
    planeSums1(dw, g, x, h, n, workspace, zero, never);
    g += plane;
    x += apart;
    dw += dwApart;
  }
}

/** The same with a stride of 2. */
export function sums2(dw: usize, g: usize, x: usize, planes: i32, h: i32, n: i32, workspace: usize): void {
  const out = (<usize>n) << 2,
    last = out - 16,
    line = out << 1,
    zero = zeroOf(workspace),
    never = load<usize>(zero);
  for (; planes > 0; planes--) {
    beat();
    let s0 = f32x4.splat(0),
      s1 = s0,
      s2 = s0,
      s3 = s0,
      s4 = s0,
      s5 = s0,
      s6 = s0,
      s7 = s0,
      s8 = s0;
    for (let i: usize = 0; ; i = min(i + 16, last)) {
      storeMask(workspace, n, i == last);
      const leftLine: usize = i == 0 ? 0 : line;
      let p = x + (i << 1),
        left = i == 0 ? zero : p - 4,
        at = g + i;
      let v = v128.and(v128.load(at), v128.load(workspace));
      for (let r = h; at != never; r--) {
        let odd = odds(p),
          even = evens(p),
          k = v128.shuffle<i32>(v128.load32_splat(left), odd, 3, 4, 5, 6);
        s3 = madd(v, k, s3);
        s4 = madd(v, even, s4);
        s5 = madd(v, odd, s5);
        if (p == never) break;
        p += line;
        left += leftLine;
        odd = odds(p);
        even = evens(p);
        k = v128.shuffle<i32>(v128.load32_splat(left), odd, 3, 4, 5, 6);
        s6 = madd(v, k, s6);
        s7 = madd(v, even, s7);
        s8 = madd(v, odd, s8);
        if (r == 1) break;
        at += out;
        v = v128.and(v128.load(at), v128.load(workspace));
        s0 = madd(v, k, s0);
        s1 = madd(v, even, s1);
        s2 = madd(v, odd, s2);
        p += line;
        left += leftLine;
      }
      if (i == last || n >= MANY_COLUMNS) {
        addTo(dw, s0, s1, s2, s3, s4, s5, s6, s7, s8);
        if (i == last) break;
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = f32x4.splat(0);
      }
    }
    const plane = out * <usize>h;
    g += plane;
    x += plane << 2;
    dw += 36;
  }
}
