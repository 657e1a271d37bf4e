// Depthwise convolutions of NHWC images, of any kernel and up to three axes: each channel has a kernel of its own, so a
// vector holds neighbouring channels of a pixel.
import { ACT_NONE } from "../../gemm/epilogue";
import { Four, One } from "../../gemm/vectors";
import { madd } from "../../lanes";
import { beat } from "../../program/threads";
import { Geometry, PhaseTaps, readForward } from "../geometry";
import { makeResults, makeRow, Row } from "./nhwc-row";

/** All rows: images `images` to `to`, whose planes and rows are as many bytes apart. */
function makeRows(
  s: Row,
  to: usize,
  toImage: usize,
  toPlane: usize,
  toLine: usize,
  images: usize,
  imageBytes: usize,
  batch: i32,
): void {
  const planes = s.window(0).outputs,
    rows = s.window(1).outputs;
  for (let n: usize = 0; n < <usize>batch; n++) {
    beat();
    for (let z: i32 = 0; z < planes; z++)
      for (let y: i32 = 0; y < rows; y++) {
        s.find(images + n * imageBytes, z, y);
        s.to = to + n * toImage + <usize>z * toPlane + <usize>y * toLine;
        makeRow(s);
      }
  }
}

/** From tap to tap, and the first one. */
function kernel(s: Row, w: usize, g: Geometry, bytes: usize): void {
  s.weights = w;
  s.columnStep = bytes;
  s.rowStep = bytes * <usize>g.axis(2).kernel;
  s.depthStep = s.rowStep * <usize>g.axis(1).kernel;
}

/** Bytes from pixel to pixel, of x and y alike: those of all channels. */
@inline
function pixelBytes(g: Geometry): usize {
  return (<usize>(g.outImage / g.outPixels())) << 2;
}

/** conv_nhwc_forward_f32 for depthwise convolutions, and for one channel with a multiple of 16 results. */
export function nhwcForward(
  y: usize,
  x: usize,
  w: usize,
  bias: usize,
  first: i32,
  lines: i32,
  act: i32,
  workspace: usize,
  g: Geometry,
): void {
  const s = changetype<Row>(workspace);
  const bytes = pixelBytes(g);
  readForward(s.window(0), g);
  kernel(s, w, g, bytes);
  s.toPixel = bytes;
  s.fromPixel = g.inPixels() > 0 ? (<usize>(g.inImage / g.inPixels())) << 2 : 0;
  s.bias = bias;
  s.act = act;
  s.channels = g.groups * g.outChannels;
  const line = bytes * <usize>g.axis(2).outputs;
  const rows = g.axis(1).outputs,
    planes = g.axis(0).outputs;
  for (let i = first; i < first + lines; i++) {
    beat();
    const plane = i / rows,
      image = plane / planes;
    s.find(x + <usize>image * g.inImageBytes(), plane - image * planes, i - plane * rows);
    s.to = y;
    if (g.outChannels == 1) makeRow(s);
    else makeResults(s);
    y += line;
  }
}

/** conv_nhwc_backward_input_f32 for depthwise convolutions: pixels a stride apart take the same taps. */
export function nhwcBackwardInput(dx: usize, dy: usize, w: usize, bias: usize, workspace: usize, g: Geometry): void {
  const taps = changetype<PhaseTaps>(workspace);
  const s = changetype<Row>(workspace + 64);
  const d = g.axis(0),
    h = g.axis(1),
    width = g.axis(2);
  const bytes = pixelBytes(g);
  const line = bytes * <usize>width.size,
    plane = line * <usize>h.size;
  s.fromPixel = bytes;
  s.bias = bias;
  s.act = ACT_NONE;
  s.channels = g.groups;
  for (let pd: i32 = 0; pd < d.stride; pd++)
    for (let ph: i32 = 0; ph < h.stride; ph++)
      for (let pw: i32 = 0; pw < width.stride; pw++) {
        taps.backward(s.window(0), g, pd, ph, pw, bytes);
        s.weights = w + taps.first;
        s.depthStep = taps.depthStep;
        s.rowStep = taps.rowStep;
        s.columnStep = taps.columnStep;
        s.toPixel = bytes * <usize>width.stride;
        makeRows(
          s,
          dx + <usize>pd * plane + <usize>ph * line + <usize>pw * bytes,
          g.inImageBytes(),
          plane * <usize>d.stride,
          line * <usize>h.stride,
          dy,
          g.outImageBytes(),
          g.batch,
        );
      }
}

/** dw += the sum over n pixels, from p and q, of their products: one tap, some channels. */
@inline
function addPixels<W>(dw: usize, p: usize, pStep: usize, q: usize, qStep: usize, n: i32): void {
  const v = changetype<W>(0);
  let a = f32x4.splat(0);
  for (; n > 0; n--) {
    a = madd(v.load(p), v.load(q), a);
    p += pStep;
    q += qStep;
  }
  v.store(dw, f32x4.add(v.load(dw), a));
}

/** Likewise for 16 channels. */
@inline
function addSixteen(dw: usize, p: usize, pStep: usize, q: usize, qStep: usize, n: i32): void {
  let a0 = f32x4.splat(0),
    a1 = f32x4.splat(0),
    a2 = f32x4.splat(0),
    a3 = f32x4.splat(0);
  for (; n > 0; n--) {
    a0 = madd(v128.load(p), v128.load(q), a0);
    a1 = madd(v128.load(p, 16), v128.load(q, 16), a1);
    a2 = madd(v128.load(p, 32), v128.load(q, 32), a2);
    a3 = madd(v128.load(p, 48), v128.load(q, 48), a3);
    p += pStep;
    q += qStep;
  }
  v128.store(dw, f32x4.add(v128.load(dw), a0));
  v128.store(dw, f32x4.add(v128.load(dw, 16), a1), 16);
  v128.store(dw, f32x4.add(v128.load(dw, 32), a2), 32);
  v128.store(dw, f32x4.add(v128.load(dw, 48), a3), 48);
}

/** dw += the sum over n pixels of the products of one channel of x and 16 of its results; or of as many as W has. */
@inline
function addResults<W>(dw: usize, p: usize, pStep: usize, q: usize, qStep: usize, n: i32): void {
  const v = changetype<W>(0);
  let a = f32x4.splat(0);
  for (; n > 0; n--) {
    a = madd(v128.load32_splat(p), v.load(q), a);
    p += pStep;
    q += qStep;
  }
  v.store(dw, f32x4.add(v.load(dw), a));
}

@inline
function addSixteenResults(dw: usize, p: usize, pStep: usize, q: usize, qStep: usize, n: i32): void {
  let a0 = f32x4.splat(0),
    a1 = f32x4.splat(0),
    a2 = f32x4.splat(0),
    a3 = f32x4.splat(0);
  for (; n > 0; n--) {
    const x = v128.load32_splat(p);
    a0 = madd(x, v128.load(q), a0);
    a1 = madd(x, v128.load(q, 16), a1);
    a2 = madd(x, v128.load(q, 32), a2);
    a3 = madd(x, v128.load(q, 48), a3);
    p += pStep;
    q += qStep;
  }
  v128.store(dw, f32x4.add(v128.load(dw), a0));
  v128.store(dw, f32x4.add(v128.load(dw, 16), a1), 16);
  v128.store(dw, f32x4.add(v128.load(dw, 32), a2), 32);
  v128.store(dw, f32x4.add(v128.load(dw, 48), a3), 48);
}

/**
 * dw += what the row of gradients at `dy` gives channels with `results` results each, tap by tap of those in the
 * `size` bytes at dw.
 */
function collectResults(s: Row, dy: usize, results: i32, dw: usize, size: usize): void {
  const w = s.window(2);
  const end = (<usize>results) << 2;
  const xStep = <usize>w.scale * s.fromPixel,
    yStep = s.toPixel;
  for (let i: i32 = 0; i < s.count; i++)
    for (let t: i32 = 0; t < w.taps; t++) {
      const o = w.first(t);
      const n = w.end(t) - o;
      let p = s.source(i) + <usize>(o * w.scale + w.shift + t * w.step) * s.fromPixel,
        q = dy + <usize>o * yStep,
        to = s.weight(i) + <usize>t * s.columnStep;
      if (to - dw >= size) continue;
      for (let group = s.channels; group > 0; group--, p += 4) {
        let rest = end;
        for (; rest >= 64; rest -= 64, q += 64, to += 64) addSixteenResults(to, p, xStep, q, yStep, n);
        for (; rest >= 16; rest -= 16, q += 16, to += 16) addResults<Four>(to, p, xStep, q, yStep, n);
        for (; rest > 0; rest -= 4, q += 4, to += 4) addResults<One>(to, p, xStep, q, yStep, n);
      }
    }
}

/** dw += what the row of gradients at `dy` gives, tap by tap of those in the `size` bytes at dw. */
function collectRow(s: Row, dy: usize, dw: usize, size: usize): void {
  const w = s.window(2);
  const end = (<usize>s.channels) << 2;
  const xStep = <usize>w.scale * s.fromPixel,
    yStep = s.toPixel;
  let c: usize = 0;
  while (c < end) {
    const rest = end - c;
    for (let i: i32 = 0; i < s.count; i++) {
      let to = s.weight(i) + c;
      for (let t: i32 = 0; t < w.taps; t++, to += s.columnStep) {
        if (to - dw >= size) continue;
        const o = w.first(t);
        const n = w.end(t) - o;
        const p = s.source(i) + <usize>(o * w.scale + w.shift + t * w.step) * s.fromPixel + c,
          q = dy + <usize>o * yStep + c;
        if (rest >= 64) addSixteen(to, p, xStep, q, yStep, n);
        else if (rest >= 16) addPixels<Four>(to, p, xStep, q, yStep, n);
        else addPixels<One>(to, p, xStep, q, yStep, n);
      }
    }
    c += rest >= 64 ? 64 : rest >= 16 ? 16 : 4;
  }
}

/**
 * conv_nhwc_backward_weight_f32 for groups of one channel, which may have several results: sums of rows of pixels,
 * added in order.
 */
export function nhwcBackwardWeight(
  dw: usize,
  dy: usize,
  x: usize,
  first: i32,
  taps: i32,
  workspace: usize,
  g: Geometry,
): void {
  const s = changetype<Row>(workspace);
  const bytes = pixelBytes(g);
  readForward(s.window(0), g);
  kernel(s, dw - <usize>first * bytes, g, bytes);
  s.toPixel = bytes;
  s.fromPixel = g.inPixels() > 0 ? (<usize>(g.inImage / g.inPixels())) << 2 : 0;
  s.channels = g.groups;
  const results = g.outChannels;
  const size = <usize>taps * bytes;
  for (let t: usize = 0; t < <usize>taps; t++) memory.fill(dw + t * bytes, 0, (<usize>(g.groups * results)) << 2);
  const planes = g.axis(0).outputs,
    rows = g.axis(1).outputs;
  const line = bytes * <usize>g.axis(2).outputs;
  for (let n: usize = 0; n < <usize>g.batch; n++) {
    beat();
    let from = dy + n * g.outImageBytes();
    for (let z: i32 = 0; z < planes; z++)
      for (let y: i32 = 0; y < rows; y++) {
        s.find(x + n * g.inImageBytes(), z, y);
        if (results == 1) collectRow(s, from, dw, size);
        else collectResults(s, from, results, dw, size);
        from += line;
      }
  }
}
