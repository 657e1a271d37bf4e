// The loops along a row of n contiguous elements, each written once, over the op classes of ops.ts. They go four
// vectors at a time, then one, then the last one to three elements in one partial vector, so that no size has a cliff
// and no element has a scalar twin.
//
// Sums go by a fixed tree: short chains in f32 (8 additions a lane), joined in f64. So the error does not grow with the
// length, and the value does not depend on the alignment. Parameters are numbers and not vectors: V8's revectorizer
// (Node 26) ends the process over a pair of vector arguments of a call.
import {
  lanesMask,
  loadBytes,
  loadLanes,
  loadPart,
  narrowed,
  promoteHigh,
  storeBytes,
  storeLanes,
  storePart,
  widened,
} from "./lanes";
import {
  Backward,
  KEEPS,
  LongBackward,
  PROMPT,
  SHALLOW,
  termOf,
  USES_B,
  USES_W,
  USES_Y,
  usesOf,
  vectorOf,
} from "./ops";

/** Elements of a row that are summed in f32 before they join in f64. */
@inline export const ROW_BLOCK: i32 = 128;

/**
 * out[i] = F of the streams at i, for w and b that are there or not. Where `deep`, four vectors are worked out before
 * the first is stored: of ops that wait for themselves this doubles the speed.
 */
@inline
function mapVectors<F>(
  out: usize,
  x: usize,
  y: usize,
  w: usize,
  b: usize,
  hasW: bool,
  hasB: bool,
  deep: bool,
  n: i32,
  p: v128,
  q: v128,
  s: v128,
  t: v128,
): void {
  const uses = usesOf<F>();
  if (deep) {
    for (; n >= 16; n -= 16, out += 64, x += 64) {
      // Prompt ones in pairs, which V8's revectorizer joins.
      const v0 = vectorOf<F>(x, y, w, b, hasW, hasB, 4, p, q, s, t);
      const v1 = vectorOf<F>(x + 16, y + 16, w + 16, b + 16, hasW, hasB, 4, p, q, s, t);
      if (uses & PROMPT) {
        v128.store(out, v0);
        v128.store(out, v1, 16);
      }
      const v2 = vectorOf<F>(x + 32, y + 32, w + 32, b + 32, hasW, hasB, 4, p, q, s, t);
      const v3 = vectorOf<F>(x + 48, y + 48, w + 48, b + 48, hasW, hasB, 4, p, q, s, t);
      if (!(uses & PROMPT)) {
        v128.store(out, v0);
        v128.store(out, v1, 16);
      }
      v128.store(out, v2, 32);
      v128.store(out, v3, 48);
      if (uses & USES_Y) y += 64;
      if (uses & USES_W) w += 64;
      if (uses & USES_B) b += 64;
    }
  }
  for (; n >= 4; n -= 4, out += 16, x += 16) {
    v128.store(out, vectorOf<F>(x, y, w, b, hasW, hasB, 4, p, q, s, t));
    if (uses & USES_Y) y += 16;
    if (uses & USES_W) w += 16;
    if (uses & USES_B) b += 16;
  }
  if (n > 0) storePart(out, vectorOf<F>(x, y, w, b, hasW, hasB, n, p, q, s, t), n);
}

/** out[i] = F.forward(x[i], p, q), inline. out may be x. */
@inline
export function map<F>(out: usize, x: usize, n: i32, p: f32 = 0, q: f32 = 0): void {
  const pv = f32x4.splat(p),
    qv = f32x4.splat(q);
  mapVectors<F>(out, x, 0, 0, 0, false, false, true, n, pv, qv, qv, qv);
}

@inline
function map2<F>(out: usize, x: usize, y: usize, n: i32, p: f32, q: f32): void {
  const pv = f32x4.splat(p),
    qv = f32x4.splat(q);
  mapVectors<F>(out, x, y, 0, 0, false, false, !(usesOf<F>() & SHALLOW), n, pv, qv, qv, qv);
}

/** dx[i] = F.backward(g[i], saved[i], p, q), inline, for ops of a few instructions. dx may be g or saved. */
@inline
export function grad<F>(dx: usize, g: usize, saved: usize, n: i32, p: f32 = 0, q: f32 = 0): void {
  map2<Backward<F>>(dx, g, saved, n, p, q);
}

/** As grad, for long ops. */
@inline
export function gradLong<F>(dx: usize, g: usize, saved: usize, n: i32, p: f32 = 0, q: f32 = 0): void {
  map2<LongBackward<F>>(dx, g, saved, n, p, q);
}

/** out[i] = F of the streams at i and of the parameters. out may be any of the streams. */
export function mapRow<F>(
  out: usize,
  x: usize,
  y: usize,
  w: usize,
  b: usize,
  n: i32,
  p: f32 = 0,
  q: f32 = 0,
  s: f32 = 0,
  t: f32 = 0,
): void {
  const uses = usesOf<F>();
  const pv = f32x4.splat(p),
    qv = f32x4.splat(q),
    sv = f32x4.splat(s),
    tv = f32x4.splat(t);
  // Loops for streams that are there; the other loop tests w and b at every vector.
  if ((!(uses & USES_W) || w != 0) && (!(uses & USES_B) || b != 0)) {
    mapVectors<F>(out, x, y, w, b, true, true, !(uses & SHALLOW), n, pv, qv, sv, tv);
  } else mapVectors<F>(out, x, y, w, b, w != 0, b != 0, false, n, pv, qv, sv, tv);
}

/** sumRow, for a w that is there or not. */
@inline
function sumVectors<F>(out: usize, x: usize, y: usize, w: usize, hasW: bool, n: i32, p: v128, q: v128): f64 {
  const keeps = out != 0;
  let low = f64x2.splat(0),
    high = f64x2.splat(0);
  while (n > 0) {
    let left = min(n, ROW_BLOCK);
    n -= left;
    let a0 = f32x4.splat(0),
      a1 = a0,
      a2 = a0,
      a3 = a0;
    for (; left >= 16; left -= 16, out += 64, x += 64, y += 64, w += 64) {
      const t0 = vectorOf<F>(x, y, w, 0, hasW, false, 4, p, q, p, q),
        t1 = vectorOf<F>(x + 16, y + 16, w + 16, 0, hasW, false, 4, p, q, p, q),
        t2 = vectorOf<F>(x + 32, y + 32, w + 32, 0, hasW, false, 4, p, q, p, q),
        t3 = vectorOf<F>(x + 48, y + 48, w + 48, 0, hasW, false, 4, p, q, p, q);
      if (usesOf<F>() & KEEPS) {
        if (keeps) {
          v128.store(out, t0);
          v128.store(out, t1, 16);
          v128.store(out, t2, 32);
          v128.store(out, t3, 48);
        }
      }
      a0 = f32x4.add(a0, t0);
      a1 = f32x4.add(a1, t1);
      a2 = f32x4.add(a2, t2);
      a3 = f32x4.add(a3, t3);
    }
    for (; left >= 4; left -= 4, out += 16, x += 16, y += 16, w += 16) {
      a0 = f32x4.add(a0, termOf<F>(out, x, y, w, keeps, hasW, 4, p, q));
    }
    if (left > 0) a1 = f32x4.add(a1, v128.and(termOf<F>(out, x, y, w, keeps, hasW, left, p, q), lanesMask(left)));
    a0 = f32x4.add(f32x4.add(a0, a1), f32x4.add(a2, a3));
    low = f64x2.add(low, f64x2.promote_low_f32x4(a0));
    high = f64x2.add(high, promoteHigh(a0));
  }
  low = f64x2.add(low, high);
  return f64x2.extract_lane(low, 0) + f64x2.extract_lane(low, 1);
}

/** The sum over i of F(x[i], y[i], w[i], p, q), 0 for n = 0. A term that KEEPS goes to out, which may be x, or 0. */
export function sumRow<F>(out: usize, x: usize, y: usize, w: usize, n: i32, p: f32 = 0, q: f32 = 0): f64 {
  const pv = f32x4.splat(p),
    qv = f32x4.splat(q);
  if (usesOf<F>() & USES_W && w != 0) return sumVectors<F>(out, x, y, w, true, n, pv, qv);
  return sumVectors<F>(out, x, y, w, false, n, pv, qv);
}

/** The fold of a row of f32 or i32, identity() for n = 0. */
export function foldRow<F, T>(x: usize, n: i32): T {
  const f = changetype<F>(0);
  let a0: v128 = f.identity(),
    a1 = a0,
    a2 = a0,
    a3 = a0;
  const end = (<usize>n) << 2;
  let at: usize = 0;
  for (; at + 64 <= end; at += 64) {
    a0 = f.combine(a0, v128.load(x + at));
    a1 = f.combine(a1, v128.load(x + at, 16));
    a2 = f.combine(a2, v128.load(x + at, 32));
    a3 = f.combine(a3, v128.load(x + at, 48));
  }
  for (; at + 16 <= end; at += 16) a0 = f.combine(a0, v128.load(x + at));
  if (at < end) {
    a1 = f.combine(a1, v128.bitselect(loadPart(x + at, n & 3), f.identity(), lanesMask(n & 3)));
  }
  a0 = f.combine(f.combine(a0, a1), f.combine(a2, a3));
  a0 = f.combine(a0, v128.shuffle<i32>(a0, a0, 2, 3, 0, 1));
  a0 = f.combine(a0, v128.shuffle<i32>(a0, a0, 1, 0, 3, 2));
  return v128.extract_lane<T>(a0, 0);
}

/** out[i] = F.forward(x[i]) for n bytes, sixteen at a time. out may be x. */
@inline
export function mapBytes<F>(out: usize, x: usize, n: i32): void {
  const f = changetype<F>(0);
  for (; n >= 16; n -= 16, out += 16, x += 16) v128.store(out, f.forward(v128.load(x)));
  if (n > 0) storeBytes(out, f.forward(loadBytes(x, n)), n);
}

/** out[i] = F.forward(x[i]), an i32 brought within 0 and 255, as a byte. */
@inline
export function mapToBytes<F>(out: usize, x: usize, n: i32): void {
  const f = changetype<F>(0);
  for (; n >= 16; n -= 16, out += 16, x += 64) {
    const a = f.forward(v128.load(x)),
      b = f.forward(v128.load(x, 16));
    v128.store(out, narrowed(a, b, f.forward(v128.load(x, 32)), f.forward(v128.load(x, 48))));
  }
  for (; n > 0; n -= 4, out += 4, x += 16) {
    const lanes = min(n, 4);
    const v = f.forward(loadLanes(x, lanes));
    storeBytes(out, narrowed(v, v, v, v), lanes);
  }
}

/** out[i] = F.forward(x[i]), for bytes x, given as i32s. */
@inline
export function mapFromBytes<F>(out: usize, x: usize, n: i32): void {
  const f = changetype<F>(0);
  for (; n >= 16; n -= 16, out += 64, x += 16) {
    v128.store(out, f.forward(widened(v128.load32_zero(x))));
    v128.store(out, f.forward(widened(v128.load32_zero(x, 4))), 16);
    v128.store(out, f.forward(widened(v128.load32_zero(x, 8))), 32);
    v128.store(out, f.forward(widened(v128.load32_zero(x, 12))), 48);
  }
  for (; n > 0; n -= 4, out += 16, x += 4) {
    const lanes = min(n, 4);
    storeLanes(out, f.forward(widened(loadBytes(x, lanes))), lanes);
  }
}
