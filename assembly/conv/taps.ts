// The inner loops of depthwise convolutions: outputs from a padded band, and the sums of a kernel's gradient.
//
// 3x3 has loops of its own. They are bound by loads: one that neighbours share is a quarter of the time.
import { ACT_RELU } from "../gemm/epilogue";
import { loadLanes, madd, storeLanes } from "../lanes";
import { Plane } from "./plane";

/** `rows` rows of outputs of a 3x3 kernel, eight at a time; `floor` is what the activation lets through at least. */
function rows9(plane: Plane, y: usize, rows: i32, bias: v128, floor: v128): void {
  const n = plane.width().outputs;
  const c1 = load<usize>(plane.offset(1)),
    c2 = load<usize>(plane.offset(2));
  const r1 = load<usize>(plane.offset(3)),
    r2 = load<usize>(plane.offset(6));
  const next = <usize>plane.height().scale * plane.rowBytes;
  const weights = plane.weight(0);
  // Tap 0 has no offset and no pointer is 0, but engines do not know it: a way out to the end, for which the
  // sums so far must be ready, keeps them from loading the elements of all taps first and spilling them.
  const never = load<usize>(plane.offset(0));
  let line = plane.band();
  for (; rows > 0; rows--) {
    let i: i32 = 0;
    for (; n >= 8 && i < n; i += 8) {
      // The last outputs may overlap those before, and come out the same again.
      i = min(i, n - 8);
      const at = (<usize>i) << 2;
      let p = line + at,
        q = p + c1,
        r = p + c2;
      let w = v128.load32_splat(weights);
      let s0 = f32x4.mul(w, v128.load(p)),
        s1 = f32x4.mul(w, v128.load(p, 16));
      do {
        if (p == never) break;
        w = v128.load32_splat(weights, 4);
        s0 = madd(w, v128.load(q), s0);
        s1 = madd(w, v128.load(q, 16), s1);
        if (q == never) break;
        w = v128.load32_splat(weights, 8);
        s0 = madd(w, v128.load(r), s0);
        s1 = madd(w, v128.load(r, 16), s1);
        if (r == never) break;
        p += r1;
        q += r1;
        r += r1;
        w = v128.load32_splat(weights, 12);
        s0 = madd(w, v128.load(p), s0);
        s1 = madd(w, v128.load(p, 16), s1);
        if (p == never) break;
        w = v128.load32_splat(weights, 16);
        s0 = madd(w, v128.load(q), s0);
        s1 = madd(w, v128.load(q, 16), s1);
        if (q == never) break;
        w = v128.load32_splat(weights, 20);
        s0 = madd(w, v128.load(r), s0);
        s1 = madd(w, v128.load(r, 16), s1);
        if (r == never) break;
        p += r2 - r1;
        q += r2 - r1;
        r += r2 - r1;
        w = v128.load32_splat(weights, 24);
        s0 = madd(w, v128.load(p), s0);
        s1 = madd(w, v128.load(p, 16), s1);
        if (p == never) break;
        w = v128.load32_splat(weights, 28);
        s0 = madd(w, v128.load(q), s0);
        s1 = madd(w, v128.load(q, 16), s1);
        if (q == never) break;
        w = v128.load32_splat(weights, 32);
        s0 = madd(w, v128.load(r), s0);
        s1 = madd(w, v128.load(r, 16), s1);
      } while (false);
      v128.store(y + at, f32x4.pmax(f32x4.add(s0, bias), floor));
      v128.store(y + at, f32x4.pmax(f32x4.add(s1, bias), floor), 16);
    }
    if (i < n) outputs(plane, y, line, i, n, 9, bias, floor);
    y += (<usize>n) << 2;
    line += next;
  }
}

/**
 * rows9 for neighbouring taps and a stride of 1: two rows of outputs at a time, which share half of what they read. Four
 * or more outputs a row.
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
  // As in rows9.
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

/** Outputs i .. n - 1 of a row, four at a time. */
@inline
function outputs(plane: Plane, y: usize, line: usize, i: i32, n: i32, taps: usize, bias: v128, floor: v128): void {
  for (; i < n; i += 4) {
    const p = line + ((<usize>i) << 2);
    let s = f32x4.splat(0);
    for (let t: usize = 0; t < taps; t++)
      s = madd(v128.load32_splat(plane.weight(t)), v128.load(p + load<usize>(plane.offset(t))), s);
    storeLanes(y + ((<usize>i) << 2), f32x4.pmax(f32x4.add(s, bias), floor), min(n - i, 4));
  }
}

/** `rows` rows of outputs of any kernel, 16 outputs at a time where there are as many. */
function rowsAny(plane: Plane, y: usize, rows: i32, taps: usize, bias: v128, floor: v128): void {
  const n = plane.width().outputs;
  const next = <usize>plane.height().scale * plane.rowBytes;
  let line = plane.band();
  for (; rows > 0; rows--) {
    let i: i32 = 0;
    for (; n >= 16 && i < n; i += 16) {
      i = min(i, n - 16);
      const p = line + ((<usize>i) << 2),
        to = y + ((<usize>i) << 2);
      let s0 = f32x4.splat(0),
        s1 = s0,
        s2 = s0,
        s3 = s0;
      for (let t: usize = 0; t < taps; t++) {
        const w = v128.load32_splat(plane.weight(t)),
          q = p + load<usize>(plane.offset(t));
        s0 = madd(w, v128.load(q), s0);
        s1 = madd(w, v128.load(q, 16), s1);
        s2 = madd(w, v128.load(q, 32), s2);
        s3 = madd(w, v128.load(q, 48), s3);
      }
      v128.store(to, f32x4.pmax(f32x4.add(s0, bias), floor));
      v128.store(to, f32x4.pmax(f32x4.add(s1, bias), floor), 16);
      v128.store(to, f32x4.pmax(f32x4.add(s2, bias), floor), 32);
      v128.store(to, f32x4.pmax(f32x4.add(s3, bias), floor), 48);
    }
    if (i < n) outputs(plane, y, line, i, n, taps, bias, floor);
    y += (<usize>n) << 2;
    line += next;
  }
}

/** y = act(sum over t of weight[t] x[at(., t)] + bias) for the whole plane. */
export function apply(plane: Plane, y: usize, bias: v128, act: i32): void {
  const h = plane.height(),
    w = plane.width();
  const floor = f32x4.splat(act == ACT_RELU ? 0 : -Infinity);
  const steps = h.scale | w.scale | h.step | w.step;
  const isPlain = h.taps == 3 && w.taps == 3 && steps == 1 && w.outputs >= 4;
  const most = plane.bandRows();
  for (let o: i32 = 0; o < h.outputs; o += most) {
    const rows = min(most, h.outputs - o);
    plane.fill(o, rows);
    if (isPlain) pairs9(plane, y, rows, bias, floor);
    else if (h.taps == 3 && w.taps == 3) rows9(plane, y, rows, bias, floor);
    else rowsAny(plane, y, rows, <usize>(h.taps * w.taps), bias, floor);
    y += (<usize>(rows * w.outputs)) << 2;
  }
}

/** The first `lanes` lanes. */
function maskOf(lanes: i32): v128 {
  return i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(lanes));
}

/** sum[t] += g x[at(., t)] for the whole plane, band by band. */
export function collect(plane: Plane, g: usize): void {
  const h = plane.height(),
    w = plane.width();
  const taps = <usize>(h.taps * w.taps);
  const nine = h.taps == 3 && w.taps == 3;
  const most = plane.bandRows();
  for (let o: i32 = 0; o < h.outputs; o += most) {
    const rows = min(most, h.outputs - o);
    plane.fill(o, rows);
    if (nine) collect9(plane, g, rows);
    else for (let t: usize = 0; t < taps; t++) collectOne(plane, g, rows, t);
    g += (<usize>(rows * w.outputs)) << 2;
  }
}

function collectOne(plane: Plane, g: usize, rows: i32, t: usize): void {
  const w = plane.width();
  const next = <usize>plane.height().scale * plane.rowBytes;
  const vectorEnd = w.outputs & ~3,
    rest = w.outputs & 3;
  const mask = maskOf(rest);
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
      s = madd(loadLanes(g, rest), v128.and(v128.load(p), mask), s);
      g += (<usize>rest) << 2;
    }
    line += next;
  }
  v128.store(plane.sum(t), f32x4.add(v128.load(plane.sum(t)), s));
}

function collect9(plane: Plane, g: usize, rows: i32): void {
  const w = plane.width();
  const next = <usize>plane.height().scale * plane.rowBytes;
  const vectorEnd = w.outputs & ~3,
    rest = w.outputs & 3;
  const mask = maskOf(rest);
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
      // Behind the last output lie elements of other outputs: an infinity there must not meet a zero.
      const v = loadLanes(g, rest);
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
