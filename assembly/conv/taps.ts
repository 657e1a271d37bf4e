// The inner loops of depthwise convolutions: outputs from a padded band, and the sums of a kernel's gradient.
//
// 3x3 has loops of its own. They are bound by loads: one that neighbours share is a quarter of the time.
import { ACT_RELU } from "../gemm/epilogue";
import { loadPart, madd, storePart } from "../lanes";
import { rowsAny } from "./blocks8";
import { Plane } from "./plane";

/**
 * `rows` rows of four or more outputs of a 3x3 kernel of neighbouring taps, with a stride of 1; `floor` is what the
 * activation lets through at least. Two rows at a time share half of what they read, and all weights stay in registers.
 */
function pairs9(plane: Plane, y: usize, rows: i32, bias: v128, floor: v128): void {
  const n = plane.width().outputs;
  const outBytes = (<usize>n) << 2,
    rowBytes = plane.rowBytes;
  const w0 = v128.load32_splat(plane.weight(0)),
    w1 = v128.load32_splat(plane.weight(1));
  const w2 = v128.load32_splat(plane.weight(2)),
    w3 = v128.load32_splat(plane.weight(3));
  const w4 = v128.load32_splat(plane.weight(4)),
    w5 = v128.load32_splat(plane.weight(5));
  const w6 = v128.load32_splat(plane.weight(6)),
    w7 = v128.load32_splat(plane.weight(7));
  const w8 = v128.load32_splat(plane.weight(8));
  // Tap 0 has no offset and no pointer is 0, but engines do not know it: a way out to the end, for which the
  // sums so far must be ready, keeps them from loading the elements of all taps first and spilling them.
  const never = load<usize>(plane.offset(0));
  let line = plane.band();
  for (; rows > 0; rows -= 2) {
    for (let i: i32 = 0; i < n; i += 4) {
      i = min(i, n - 4);
      const at = (<usize>i) << 2;
      let p = line + at;
      let x = v128.load(p);
      let a = f32x4.mul(w0, x),
        b = f32x4.splat(0);
      do {
        x = v128.load(p, 4);
        a = madd(w1, x, a);
        x = v128.load(p, 8);
        a = madd(w2, x, a);
        if (p == never) break;
        p += rowBytes;
        x = v128.load(p);
        a = madd(w3, x, a);
        b = f32x4.mul(w0, x);
        x = v128.load(p, 4);
        a = madd(w4, x, a);
        b = madd(w1, x, b);
        if (p == never) break;
        x = v128.load(p, 8);
        a = madd(w5, x, a);
        b = madd(w2, x, b);
        p += rowBytes;
        x = v128.load(p);
        a = madd(w6, x, a);
        b = madd(w3, x, b);
        if (p == never) break;
        x = v128.load(p, 4);
        a = madd(w7, x, a);
        b = madd(w4, x, b);
        x = v128.load(p, 8);
        a = madd(w8, x, a);
        b = madd(w5, x, b);
        p += rowBytes;
        if (p == never) break;
        x = v128.load(p);
        b = madd(w6, x, b);
        x = v128.load(p, 4);
        b = madd(w7, x, b);
        x = v128.load(p, 8);
        b = madd(w8, x, b);
      } while (false);
      v128.store(y + at, f32x4.pmax(f32x4.add(a, bias), floor));
      // The second row of the last pair may not exist: what it read was workspace.
      if (rows > 1) v128.store(y + outBytes + at, f32x4.pmax(f32x4.add(b, bias), floor));
    }
    y += outBytes << 1;
    line += rowBytes << 1;
  }
}

/** `rows` rows of fewer than four outputs. */
function rowsFew(plane: Plane, y: usize, rows: i32, bias: v128, floor: v128): void {
  const n = plane.width().outputs;
  const next = <usize>plane.height().scale * plane.rowBytes;
  const end = plane.offset(plane.taps());
  let p = plane.band();
  for (; rows > 0; rows--) {
    let s = f32x4.splat(0);
    for (let t = plane.offset(0); t < end; t += 4)
      s = madd(v128.load32_splat(t, Plane.WEIGHTS), v128.load(p + load<usize>(t)), s);
    storePart(y, f32x4.pmax(f32x4.add(s, bias), floor), n);
    y += (<usize>n) << 2;
    p += next;
  }
}

/** y = act(sum over t of weight[t] x[at(., t)] + bias) for the whole plane. */
export function apply(plane: Plane, y: usize, bias: v128, act: i32): void {
  const h = plane.height(),
    w = plane.width();
  const floor = f32x4.splat(act == ACT_RELU ? 0 : -Infinity);
  const steps = h.scale | w.scale | h.step | w.step;
  const isPlain = h.taps == 3 && w.taps == 3 && steps == 1 && w.outputs >= 4;
  const most = plane.most;
  for (let o: i32 = 0; o < h.outputs; o += most) {
    const rows = min(most, h.outputs - o);
    plane.fill(o, rows);
    if (isPlain) pairs9(plane, y, rows, bias, floor);
    else if (w.outputs >= 4) rowsAny(plane, y, rows, bias, floor);
    else rowsFew(plane, y, rows, bias, floor);
    y += (<usize>(rows * w.outputs)) << 2;
  }
}

// The last outputs of a row that fill no vector. Where there are four before them, they are the last lanes of a vector
// that starts `back` bytes earlier. What other lanes hold is masked on both sides: an infinity must not meet a zero.

@inline
function restBack(n: i32): usize {
  return n >= 4 ? (<usize>(4 - (n & 3))) << 2 : 0;
}
function restMask(n: i32): v128 {
  const lanes = i32x4(0, 1, 2, 3);
  return n >= 4 ? i32x4.ge_s(lanes, i32x4.splat(4 - (n & 3))) : i32x4.lt_s(lanes, i32x4.splat(n));
}
@inline
function restOf(g: usize, n: i32, mask: v128, back: usize): v128 {
  return n >= 4 ? v128.and(v128.load(g - back), mask) : loadPart(g, n);
}

/** sum[t] += g x[at(., t)] for the whole plane, band by band. */
export function collect(plane: Plane, g: usize): void {
  const h = plane.height(),
    w = plane.width();
  const taps = <usize>(h.taps * w.taps);
  const nine = h.taps == 3 && w.taps == 3;
  const most = plane.most;
  for (let o: i32 = 0; o < h.outputs; o += most) {
    const rows = min(most, h.outputs - o);
    plane.fill(o, rows);
    if (nine) collect9(plane, g, rows);
    else {
      let t: usize = 0;
      for (; t + 5 <= taps; t += 5) collect5(plane, g, rows, t);
      for (; t < taps; t++) collectOne(plane, g, rows, t);
    }
    g += (<usize>(rows * w.outputs)) << 2;
  }
}

/** Five taps from t, which read each vector of the gradient once. */
function collect5(plane: Plane, g: usize, rows: i32, t: usize): void {
  const w = plane.width();
  const next = <usize>plane.height().scale * plane.rowBytes;
  const n = w.outputs,
    vectorEnd = n & ~3,
    rest = n & 3;
  const mask = restMask(n),
    back = restBack(n);
  const never = load<usize>(plane.offset(0));
  let line = plane.band() + load<usize>(plane.offset(t));
  const first = load<usize>(plane.offset(t));
  const c1 = load<usize>(plane.offset(t + 1)) - first,
    c2 = load<usize>(plane.offset(t + 2)) - first;
  const c3 = load<usize>(plane.offset(t + 3)) - first,
    c4 = load<usize>(plane.offset(t + 4)) - first;
  let s0 = f32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0,
    s4 = s0;
  for (; rows > 0; rows--) {
    let p = line;
    for (let i: i32 = 0; i < vectorEnd; i += 4) {
      const v = v128.load(g);
      s0 = madd(v, v128.load(p), s0);
      s1 = madd(v, v128.load(p + c1), s1);
      if (p == never) break;
      s2 = madd(v, v128.load(p + c2), s2);
      s3 = madd(v, v128.load(p + c3), s3);
      s4 = madd(v, v128.load(p + c4), s4);
      g += 16;
      p += 16;
    }
    if (rest > 0) {
      const v = restOf(g, n, mask, back);
      p -= back;
      s0 = madd(v, v128.and(v128.load(p), mask), s0);
      s1 = madd(v, v128.and(v128.load(p + c1), mask), s1);
      s2 = madd(v, v128.and(v128.load(p + c2), mask), s2);
      s3 = madd(v, v128.and(v128.load(p + c3), mask), s3);
      s4 = madd(v, v128.and(v128.load(p + c4), mask), s4);
      g += (<usize>rest) << 2;
    }
    line += next;
  }
  addSum(plane, t, s0);
  addSum(plane, t + 1, s1);
  addSum(plane, t + 2, s2);
  addSum(plane, t + 3, s3);
  addSum(plane, t + 4, s4);
}

function collectOne(plane: Plane, g: usize, rows: i32, t: usize): void {
  const next = <usize>plane.height().scale * plane.rowBytes;
  const n = plane.width().outputs,
    vectorEnd = n & ~3,
    rest = n & 3;
  const mask = restMask(n),
    back = restBack(n);
  let line = plane.band() + load<usize>(plane.offset(t));
  let s = f32x4.splat(0);
  for (; rows > 0; rows--) {
    let p = line;
    for (let i: i32 = 0; i < vectorEnd; i += 4) {
      s = madd(v128.load(g), v128.load(p), s);
      g += 16;
      p += 16;
    }
    if (rest > 0) {
      s = madd(restOf(g, n, mask, back), v128.and(v128.load(p - back), mask), s);
      g += (<usize>rest) << 2;
    }
    line += next;
  }
  addSum(plane, t, s);
}

function collect9(plane: Plane, g: usize, rows: i32): void {
  const w = plane.width();
  const next = <usize>plane.height().scale * plane.rowBytes;
  const n = w.outputs,
    vectorEnd = n & ~3,
    rest = n & 3;
  const mask = restMask(n),
    back = restBack(n);
  const c1 = load<usize>(plane.offset(1)),
    c2 = load<usize>(plane.offset(2));
  const r1 = load<usize>(plane.offset(3)),
    r2 = load<usize>(plane.offset(6));
  const never = load<usize>(plane.offset(0));
  let line = plane.band();
  let s0 = f32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0,
    s4 = s0,
    s5 = s0,
    s6 = s0,
    s7 = s0,
    s8 = s0;
  for (; rows > 0; rows--) {
    let p0 = line,
      p1 = line + r1,
      p2 = line + r2;
    for (let i: i32 = 0; i < vectorEnd; i += 4) {
      const v = v128.load(g);
      s0 = madd(v, v128.load(p0), s0);
      s1 = madd(v, v128.load(p0 + c1), s1);
      s2 = madd(v, v128.load(p0 + c2), s2);
      if (p0 == never) break;
      s3 = madd(v, v128.load(p1), s3);
      s4 = madd(v, v128.load(p1 + c1), s4);
      s5 = madd(v, v128.load(p1 + c2), s5);
      if (p1 == never) break;
      s6 = madd(v, v128.load(p2), s6);
      s7 = madd(v, v128.load(p2 + c1), s7);
      s8 = madd(v, v128.load(p2 + c2), s8);
      g += 16;
      p0 += 16;
      p1 += 16;
      p2 += 16;
    }
    if (rest > 0) {
      const v = restOf(g, n, mask, back);
      p0 -= back;
      p1 -= back;
      p2 -= back;
      s0 = madd(v, v128.and(v128.load(p0), mask), s0);
      s1 = madd(v, v128.and(v128.load(p0 + c1), mask), s1);
      s2 = madd(v, v128.and(v128.load(p0 + c2), mask), s2);
      s3 = madd(v, v128.and(v128.load(p1), mask), s3);
      s4 = madd(v, v128.and(v128.load(p1 + c1), mask), s4);
      s5 = madd(v, v128.and(v128.load(p1 + c2), mask), s5);
      s6 = madd(v, v128.and(v128.load(p2), mask), s6);
      s7 = madd(v, v128.and(v128.load(p2 + c1), mask), s7);
      s8 = madd(v, v128.and(v128.load(p2 + c2), mask), s8);
      g += (<usize>rest) << 2;
    }
    line += next;
  }
  addSum(plane, 0, s0);
  addSum(plane, 1, s1);
  addSum(plane, 2, s2);
  addSum(plane, 3, s3);
  addSum(plane, 4, s4);
  addSum(plane, 5, s5);
  addSum(plane, 6, s6);
  addSum(plane, 7, s7);
  addSum(plane, 8, s8);
}

@inline
function addSum(plane: Plane, t: usize, s: v128): void {
  v128.store(plane.sum(t), f32x4.add(v128.load(plane.sum(t)), s));
}
