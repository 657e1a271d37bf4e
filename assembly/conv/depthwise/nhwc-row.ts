// The micro-kernels of NHWC depthwise convolutions: a row of pixels, where vectors hold neighbouring channels of a
// pixel.
import { ACT_NONE, ACT_RELU, finish } from "../../gemm/epilogue";
import { Four, One } from "../../gemm/vectors";
import { madd, relu } from "../../lanes";
import { Window } from "../geometry";

/** A row of pixels and the taps that reach it. */
@final
@unmanaged
export class Row {
  /** The first pixel, and bytes from pixel to pixel, there and where they take from. */
  to: usize;
  toPixel: usize;
  fromPixel: usize;
  /** The kernel's first tap in use, and bytes from tap to tap along each axis. */
  weights: usize;
  depthStep: usize;
  rowStep: usize;
  columnStep: usize;
  bias: usize;
  act: i32;
  channels: i32;
  /** How many rows of taps are on the image. */
  count: i32;

  @inline window(i: i32): Window {
    return changetype<Window>(changetype<usize>(this) + offsetof<Row>() + <usize>i * offsetof<Window>());
  }
  /** Row i of taps: the row of the image that it takes from, and its weights. */
  @inline place(i: i32): usize {
    return changetype<usize>(this) + offsetof<Row>() + 3 * offsetof<Window>() + ((<usize>i) << 3);
  }
  @inline source(i: i32): usize {
    return load<usize>(this.place(i));
  }
  @inline weight(i: i32): usize {
    return load<usize>(this.place(i), 4);
  }

  /** Finds the rows of taps that row y of plane z takes from. */
  find(image: usize, z: i32, y: i32): void {
    const d = this.window(0),
      h = this.window(1),
      w = this.window(2);
    let count: i32 = 0;
    for (let tz: i32 = 0; tz < d.taps; tz++) {
      const plane = z * d.scale + d.shift + tz * d.step;
      if (<u32>plane >= <u32>d.size) continue;
      for (let ty: i32 = 0; ty < h.taps; ty++) {
        const row = y * h.scale + h.shift + ty * h.step;
        if (<u32>row >= <u32>h.size) continue;
        const at = image + <usize>((plane * h.size + row) * w.size) * this.fromPixel;
        store<usize>(this.place(count), at);
        store<usize>(this.place(count), this.weights + <usize>tz * this.depthStep + <usize>ty * this.rowStep, 4);
        count++;
      }
    }
    this.count = count;
  }
}

/** acc, with bias and activation. */
@inline
function put<W>(to: usize, acc: v128, bias: v128, act: i32): void {
  const x = f32x4.add(acc, bias);
  changetype<W>(0).store(to, act == ACT_RELU ? relu(x) : x);
}

/** Channels c .. end of the pixels o .. o + 3, which all taps of a row reach. */
// biome-ignore format: a tap in a line.
@inline
function fourPixels<W>(s: Row, o: i32, c: usize, end: usize, bytes: usize): void {
  const v = changetype<W>(0);
  const w = s.window(2);
  const taps = w.taps, count = s.count, act = s.act;
  const pixel = <usize>w.scale * s.fromPixel;
  const step = <usize>w.step * s.fromPixel, step2 = step * 2, step3 = step * 3;
  const next = s.columnStep, next2 = next * 2, next3 = next * 3;
  const first = <usize>(o * w.scale + w.shift) * s.fromPixel;
  const bias = s.bias, toPixel = s.toPixel;
  let to = s.to + <usize>o * toPixel + c;
  for (; c < end; c += bytes) {
    let a0 = f32x4.splat(0), a1 = f32x4.splat(0), a2 = f32x4.splat(0), a3 = f32x4.splat(0);
    let x: v128;
    for (let i: i32 = 0; i < count; i++) {
      let p0 = s.source(i) + first + c, q = s.weight(i) + c;
      let p1 = p0 + pixel, p2 = p1 + pixel, p3 = p2 + pixel;
      let t = taps;
      for (; t >= 3; t -= 3) {
        x = v.load(q);
        a0 = madd(v.load(p0), x, a0); a1 = madd(v.load(p1), x, a1);
        a2 = madd(v.load(p2), x, a2); a3 = madd(v.load(p3), x, a3);
        x = v.load(q + next);
        a0 = madd(v.load(p0 + step), x, a0); a1 = madd(v.load(p1 + step), x, a1);
        a2 = madd(v.load(p2 + step), x, a2); a3 = madd(v.load(p3 + step), x, a3);
        x = v.load(q + next2);
        a0 = madd(v.load(p0 + step2), x, a0); a1 = madd(v.load(p1 + step2), x, a1);
        a2 = madd(v.load(p2 + step2), x, a2); a3 = madd(v.load(p3 + step2), x, a3);
        p0 += step3; p1 += step3; p2 += step3; p3 += step3; q += next3;
      }
      for (; t > 0; t--) {
        x = v.load(q);
        a0 = madd(v.load(p0), x, a0); a1 = madd(v.load(p1), x, a1);
        a2 = madd(v.load(p2), x, a2); a3 = madd(v.load(p3), x, a3);
        p0 += step; p1 += step; p2 += step; p3 += step; q += next;
      }
    }
    // Adding -0 leaves every value as it is.
    const b = bias != 0 ? v.load(bias + c) : f32x4.splat(-0.0);
    put<W>(to, a0, b, act);
    put<W>(to + toPixel, a1, b, act);
    put<W>(to + toPixel * 2, a2, b, act);
    put<W>(to + toPixel * 3, a3, b, act);
    to += bytes;
  }
}

/** Channels c .. end of pixel o, by the taps that reach it. */
@inline
function onePixel<W>(s: Row, o: i32, c: usize, end: usize, bytes: usize): void {
  const v = changetype<W>(0);
  const w = s.window(2);
  // Taps are on the image from one to another.
  let t0: i32 = 0,
    t1 = w.taps;
  const at = o * w.scale + w.shift;
  while (t0 < t1 && <u32>(at + t0 * w.step) >= <u32>w.size) t0++;
  while (t0 < t1 && <u32>(at + (t1 - 1) * w.step) >= <u32>w.size) t1--;
  const first = <usize>(at + t0 * w.step) * s.fromPixel;
  const step = <usize>w.step * s.fromPixel,
    next = s.columnStep;
  const to = s.to + <usize>o * s.toPixel;
  for (; c < end; c += bytes) {
    let a = f32x4.splat(0);
    for (let i: i32 = 0; i < s.count; i++) {
      let p = s.source(i) + first + c,
        q = s.weight(i) + <usize>t0 * next + c;
      for (let t = t0; t < t1; t++) {
        a = madd(v.load(p), v.load(q), a);
        p += step;
        q += next;
      }
    }
    put<W>(to + c, a, s.bias != 0 ? v.load(s.bias + c) : f32x4.splat(-0.0), s.act);
  }
}

/** All channels of the pixels o .. o + 3, or of pixel o. */
function pixels(s: Row, o: i32, four: bool): void {
  const end = (<usize>s.channels) << 2,
    vectorEnd = end & ~15;
  if (four) {
    fourPixels<Four>(s, o, 0, vectorEnd, 16);
    fourPixels<One>(s, o, vectorEnd, end, 4);
  } else {
    onePixel<Four>(s, o, 0, vectorEnd, 16);
    onePixel<One>(s, o, vectorEnd, end, 4);
  }
}

/** Whether the taps are 3x3 neighbours, all rows of them on the image. */
@inline
function isSquare(s: Row): bool {
  const w = s.window(2);
  return s.count == 3 && w.taps == 3 && w.scale == 1 && (w.step == 1 || w.step == -1);
}

/**
 * Channels c .. end of n pixels from o, which all of 3x3 taps reach: the weights stay in registers, and each column of
 * the image is loaded once, for the three pixels that take from it. No bias, no activation.
 */
// biome-ignore format: a column in a line.
@inline
function slide<W>(s: Row, o: i32, n: i32, c: usize, end: usize, bytes: usize): void {
  const v = changetype<W>(0);
  const w = s.window(2);
  const pixel = s.fromPixel, toPixel = s.toPixel;
  // Columns count upwards, also where taps count downwards.
  const first = <usize>(o + w.shift + (w.step < 0 ? -2 : 0)) * pixel;
  const next = w.step < 0 ? -s.columnStep : s.columnStep;
  const left = w.step < 0 ? s.columnStep * 2 : 0;
  const s0 = s.source(0) + first, s1 = s.source(1) + first, s2 = s.source(2) + first;
  const q0 = s.weight(0) + left, q1 = s.weight(1) + left, q2 = s.weight(2) + left;
  const base = s.to + <usize>o * toPixel;
  for (; c < end; c += bytes) {
    const l0 = v.load(q0 + c), m0 = v.load(q0 + c + next), r0 = v.load(q0 + c + next * 2);
    const l1 = v.load(q1 + c), m1 = v.load(q1 + c + next), r1 = v.load(q1 + c + next * 2);
    const l2 = v.load(q2 + c), m2 = v.load(q2 + c + next), r2 = v.load(q2 + c + next * 2);
    let p0 = s0 + c, p1 = s1 + c, p2 = s2 + c, to = base + c;
    let x0 = v.load(p0), x1 = v.load(p1), x2 = v.load(p2);
    // What the columns so far give the next pixel, and the one behind it.
    let a = madd(x2, l2, madd(x1, l1, f32x4.mul(x0, l0)));
    p0 += pixel; p1 += pixel; p2 += pixel;
    x0 = v.load(p0); x1 = v.load(p1); x2 = v.load(p2);
    let b = madd(x2, l2, madd(x1, l1, f32x4.mul(x0, l0)));
    a = madd(x2, m2, madd(x1, m1, madd(x0, m0, a)));
    for (let i = n; i > 0; i--) {
      p0 += pixel; p1 += pixel; p2 += pixel;
      x0 = v.load(p0); x1 = v.load(p1); x2 = v.load(p2);
      v.store(to, madd(x2, r2, madd(x1, r1, madd(x0, r0, a))));
      a = madd(x2, m2, madd(x1, m1, madd(x0, m0, b)));
      b = madd(x2, l2, madd(x1, l1, f32x4.mul(x0, l0)));
      to += toPixel;
    }
  }
}

/** All channels of the pixels `from` .. `to` - 1. */
function slideRow(s: Row, from: i32, to: i32): void {
  const end = (<usize>s.channels) << 2,
    vectorEnd = end & ~15;
  slide<Four>(s, from, to - from, 0, vectorEnd, 16);
  slide<One>(s, from, to - from, vectorEnd, end, 4);
  if (s.bias != 0 || s.act != ACT_NONE)
    finish(s.to + <usize>from * s.toPixel, s.toPixel, to - from, s.channels, s.bias, s.act);
}

/** 16 results at a time of one channel: of pixel o, by taps t0 .. t1, or of it and the next one. */
@inline
function sixteen(s: Row, o: i32, two: bool, t0: i32, t1: i32): void {
  const w = s.window(2);
  const end = (<usize>s.channels) << 2,
    pixel = <usize>w.scale * s.fromPixel,
    step = <usize>w.step * s.fromPixel,
    next = s.columnStep,
    first = <usize>(o * w.scale + w.shift + t0 * w.step) * s.fromPixel;
  const none = f32x4.splat(0);
  for (let c: usize = 0; c < end; c += 64) {
    let a0 = none,
      a1 = none,
      a2 = none,
      a3 = none,
      b0 = none,
      b1 = none,
      b2 = none,
      b3 = none;
    for (let i: i32 = 0; i < s.count; i++) {
      let p = s.source(i) + first,
        q = s.weight(i) + <usize>t0 * next + c;
      for (let t = t0; t < t1; t++, p += step, q += next) {
        const x = v128.load32_splat(p),
          y = two ? v128.load32_splat(p + pixel) : none;
        let v = v128.load(q);
        a0 = madd(x, v, a0);
        if (two) b0 = madd(y, v, b0);
        v = v128.load(q, 16);
        a1 = madd(x, v, a1);
        if (two) b1 = madd(y, v, b1);
        v = v128.load(q, 32);
        a2 = madd(x, v, a2);
        if (two) b2 = madd(y, v, b2);
        v = v128.load(q, 48);
        a3 = madd(x, v, a3);
        if (two) b3 = madd(y, v, b3);
      }
    }
    const to = s.to + <usize>o * s.toPixel + c;
    v128.store(to, a0);
    v128.store(to, a1, 16);
    v128.store(to, a2, 32);
    v128.store(to, a3, 48);
    if (!two) continue;
    const beside = to + s.toPixel;
    v128.store(beside, b0);
    v128.store(beside, b1, 16);
    v128.store(beside, b2, 32);
    v128.store(beside, b3, 48);
  }
}

/** One row of pixels, whose channels, a multiple of 16, are all of the image's only one. */
export function makeResults(s: Row): void {
  const w = s.window(2);
  const end = w.outputs;
  let o: i32 = 0;
  while (o < end) {
    const at = o * w.scale + w.shift;
    let t0: i32 = 0,
      t1 = w.taps;
    while (t0 < t1 && <u32>(at + t0 * w.step) >= <u32>w.size) t0++;
    while (t0 < t1 && <u32>(at + (t1 - 1) * w.step) >= <u32>w.size) t1--;
    // Forward, taps and pixels count upwards: the next pixel has all taps that the last one reaches.
    const last = at + w.scale + (w.taps - 1) * w.step;
    if (t0 == 0 && o + 1 < end && w.taps > 0 && last < w.size) {
      sixteen(s, o, true, 0, w.taps);
      o += 2;
    } else sixteen(s, o++, false, t0, t1);
  }
  if (s.bias != 0 || s.act != ACT_NONE) finish(s.to, s.toPixel, end, s.channels, s.bias, s.act);
}

/** One row of pixels. */
export function makeRow(s: Row): void {
  const w = s.window(2);
  // Between these all taps are on the image; they count up or down.
  const last = w.taps - 1;
  const from = w.taps > 0 ? max(w.first(0), w.first(last)) : 0,
    to = w.taps > 0 ? min(w.end(0), w.end(last)) : w.outputs;
  const slides = isSquare(s) && to > from;
  let o: i32 = 0;
  while (o < w.outputs) {
    if (slides && o == from) {
      slideRow(s, from, to);
      o = to;
      continue;
    }
    const four = o >= from && o + 4 <= to;
    pixels(s, o, four);
    o += four ? 4 : 1;
  }
}
