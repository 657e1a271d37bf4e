// Convolutions of channels-last images (NHWC), forward beside backward, group by group. Rows of im2col are runs of
// channels, and a result lies as the product leaves it. select.ts has the algorithms: there is no Winograd path for
// NHWC.
//
// x: [batch, ...sizes, groups inChannels], w: [...kernel, inChannels, groups outChannels] (TensorFlow's HWIO), y:
// [batch, ...outputs, groups outChannels], contiguous. dims: see geometry.ts. Slices of lines (forward), of
// images (the input's gradient), of groups, and of the output channels of one group (not for the input's gradient) have
// the bits of the whole: x, w, y and bias, or their gradients, then start at the first channel of the slice, in x,
// y and the rows of w.
import { ACT_NONE } from "../gemm/epilogue";
import { gemm_f32 } from "../gemm/gemm";
import { nhwcBackwardInput, nhwcBackwardWeight, nhwcForward } from "./depthwise/nhwc";
import { Geometry, readForward } from "./geometry";
import { Igemm, igemmIn } from "./igemm/igemm";
import { Im2colPixels } from "./igemm/im2col";
import { Im2colNhwcPixels, Im2colNhwcTaps } from "./igemm/im2col-nhwc";
import { PixelStore } from "./igemm/store-nhwc";
import { MatrixNhwc, WeightsTransposedNhwc } from "./igemm/weights";
import { ConvAlgorithm, ConvDirection, ConvLayout, selectConv } from "./select";

/** Channels from pixel to pixel of x and of y: those of all groups, also in a slice. */
@inline
function inStride(g: Geometry): i32 {
  return g.inImage / g.inPixels();
}
@inline
function outStride(g: Geometry): i32 {
  return g.outImage / g.outPixels();
}

@inline
function bytes(elements: i32): usize {
  return (<usize>elements) << 2;
}

/** C[m, n] = act(im2col[m, k] B[k, n] + bias): rows of B and of C are `rowBytes` apart. The im2col is set. */
function multiply<A>(
  job: Igemm<PixelStore, A, MatrixNhwc>,
  c: usize,
  b: usize,
  rowBytes: usize,
  bias: usize,
  act: i32,
  m: i32,
  n: i32,
  k: i32,
): void {
  job.b().base = b;
  job.b().rowBytes = rowBytes;
  job.c().dense(c, rowBytes, bias, act);
  job.setSize(m, n, k);
  job.run();
}

/**
 * y[n, p, o] = act(sum over t, c of x[n, at(p, t), c] w[t, c, o] + bias[o]), group by group: a convolution.
 *
 * Shapes as above; bias: [groups outChannels] or 0; y overlaps nothing. A line is a row of outputs, of a plane of an
 * image: the call makes `lines` of them, all without a slice, from number `first` on, and y begins at that one. act: 0
 * none, 1 relu. algorithm: 0 selects one for this call; else what conv_select_f32 answered for the convolution that
 * this is, or is a slice of. workspace: gemm_workspace_bytes() bytes, aligned to 64. Overwrites y. Each element is
 * summed as in gemm_f32, over taps in the order of w: the same bits for any tile, any batch and any slice of lines.
 *
 * Source: TensorFlow's conv2d and depthwise_conv2d.
 */
export function conv_nhwc_forward_f32(
  y: usize,
  x: usize,
  w: usize,
  bias: usize,
  first: i32,
  lines: i32,
  act: i32,
  algorithm: i32,
  workspace: usize,
  dims: usize,
): void {
  const g = changetype<Geometry>(dims);
  const columns = g.axis(2).outputs;
  const m = lines * columns;
  if (m == 0 || g.outChannels == 0) return;
  if (algorithm == 0) algorithm = selectConv(ConvDirection.FORWARD, ConvLayout.NHWC, g);
  if (algorithm == ConvAlgorithm.DEPTHWISE) {
    nhwcForward(y, x, w, bias, first, lines, act, workspace, g);
    return;
  }
  const from = g.inPixels() > 0 ? inStride(g) : 0,
    to = outStride(g);
  const k = g.kernelSize() * g.inChannels;
  for (let group: i32 = 0; group < g.groups; group++) {
    if (algorithm == ConvAlgorithm.POINTWISE) {
      const start = x + bytes(first * columns * from);
      gemm_f32(y, start, w, bias, m, g.outChannels, k, from, 1, to, 1, to, act, 0, workspace, 0);
    } else if (from == 1) {
      // Images of one channel are those of any layout, and the im2col of NCHW copies longer runs of them.
      const job = igemmIn<PixelStore, Im2colPixels, MatrixNhwc>(workspace);
      const a = job.a().im2col();
      readForward(a.window(0), g);
      a.start(x, g.inImageBytes(), job.lines(), first);
      multiply(job, y, w, bytes(to), bias, act, m, g.outChannels, k);
    } else {
      const job = igemmIn<PixelStore, Im2colNhwcPixels, MatrixNhwc>(workspace);
      const a = job.a().im2col();
      readForward(a.window(0), g);
      a.start(x, g.inImageBytes(), bytes(from), g.inChannels, job.lines(), first);
      multiply(job, y, w, bytes(to), bias, act, m, g.outChannels, k);
    }
    x += bytes(g.inChannels);
    w += bytes(g.outChannels);
    y += bytes(g.outChannels);
    if (bias != 0) bias += bytes(g.outChannels);
  }
}

/**
 * dx[n, q, c] = sum over t, p with at(p, t) = q, o of g[n, p, o] w[t, c, o] + bias[c]: reverses
 * y = ... x[n, at(p, t), c] w[t, c, o] ... of conv_nhwc_forward_f32 by x.
 *
 * Shapes as there, with dx in the place of x and g in that of y; bias: [groups inChannels] or 0. algorithm as there.
 * Overwrites dx, also where no tap reaches. Elements that lie a stride apart are a product of their own, over the taps
 * that reach them, so that no product has a zero that the stride put there.
 *
 * Source: TensorFlow's conv2d_backprop_input and conv2d_transpose.
 */
export function conv_nhwc_backward_input_f32(
  dx: usize,
  g: usize,
  w: usize,
  bias: usize,
  algorithm: i32,
  workspace: usize,
  dims: usize,
): void {
  const shape = changetype<Geometry>(dims);
  const m = shape.batch * shape.inPixels();
  if (m == 0 || shape.inChannels == 0) return;
  if (algorithm == 0) algorithm = selectConv(ConvDirection.BACKWARD_INPUT, ConvLayout.NHWC, shape);
  if (algorithm == ConvAlgorithm.DEPTHWISE) {
    nhwcBackwardInput(dx, g, w, bias, workspace, shape);
    return;
  }
  const to = inStride(shape);
  const from = shape.outPixels() > 0 ? outStride(shape) : 0;
  const depth = shape.axis(0),
    height = shape.axis(1),
    width = shape.axis(2);
  const job = igemmIn<PixelStore, Im2colNhwcPixels, WeightsTransposedNhwc>(workspace);
  for (let group: i32 = 0; group < shape.groups; group++) {
    if (algorithm == ConvAlgorithm.POINTWISE) {
      gemm_f32(dx, g, w, bias, m, shape.inChannels, shape.outChannels, from, 1, 1, from, to, ACT_NONE, 0, workspace, 0);
    } else {
      for (let pd: i32 = 0; pd < depth.stride; pd++)
        for (let ph: i32 = 0; ph < height.stride; ph++)
          for (let pw: i32 = 0; pw < width.stride; pw++) {
            job.c().dense(dx, bytes(to), bias, ACT_NONE);
            inputPhase(job, shape, g, w, to, from, pd, ph, pw);
          }
    }
    dx += bytes(shape.inChannels);
    w += bytes(shape.outChannels);
    g += bytes(shape.outChannels);
    if (bias != 0) bias += bytes(shape.inChannels);
  }
}

/** The product of the elements of dx in one phase of each axis. */
function inputPhase(
  job: Igemm<PixelStore, Im2colNhwcPixels, WeightsTransposedNhwc>,
  shape: Geometry,
  g: usize,
  w: usize,
  to: i32,
  from: i32,
  pd: i32,
  ph: i32,
  pw: i32,
): void {
  const a = job.a().im2col(),
    b = job.b(),
    c = job.c();
  const taps = job.phaseTaps();
  const depth = shape.axis(0),
    height = shape.axis(1),
    width = shape.axis(2);
  taps.backward(a.window(0), shape, pd, ph, pw, bytes(from) * <usize>shape.inChannels);
  b.base = w + taps.first;
  b.rowBytes = bytes(from);
  b.channels = shape.outChannels;
  b.depthStep = taps.depthStep;
  b.rowStep = taps.rowStep;
  b.columnStep = taps.columnStep;
  b.rowTaps = a.window(1).taps;
  const columns = a.window(2);
  b.columnTaps = columns.taps;
  // Upwards, so that a row of taps is one run of g.
  if (columns.step < 0 && columns.taps > 0) {
    columns.shift += (columns.taps - 1) * columns.step;
    columns.step = -columns.step;
    b.base += <usize>(columns.taps - 1) * b.columnStep;
    b.columnStep = -b.columnStep;
  }
  const m = shape.batch * a.pixels();
  if (m == 0) return;
  if (depth.stride != 1 || height.stride != 1 || width.stride != 1) {
    const pixel = bytes(to);
    const line = pixel * <usize>width.size,
      plane = line * <usize>height.size;
    c.base += <usize>pd * plane + <usize>ph * line + <usize>pw * pixel;
    c.rowBytes = <usize>width.stride * pixel;
    c.lineBytes = <usize>height.stride * line;
    c.depthBytes = <usize>depth.stride * plane;
    c.imageBytes = shape.inImageBytes();
    c.columns = a.window(2).outputs;
    c.rows = a.window(1).outputs;
    c.planes = a.window(0).outputs;
  }
  a.start(g, shape.outImageBytes(), bytes(from), shape.outChannels, job.lines());
  job.setSize(m, shape.inChannels, a.taps() * shape.outChannels);
  job.run();
}

/**
 * dw[t, c, o] = sum over n, p of x[n, at(p, t), c] g[n, p, o]: reverses y = ... x[n, at(p, t), c] w[t, c, o] ... of
 * conv_nhwc_forward_f32 by w.
 *
 * Shapes as there, with g in the place of y and dw in that of w. algorithm as there. Overwrites dw. Sums run over all
 * images and pixels in order, in K blocks as in gemm_f32. A call makes all taps; where groups have one channel of x, it
 * may be told to make `taps` of them, from number `first` on, and dw begins at that one.
 *
 * Source: TensorFlow's conv2d_backprop_filter.
 */
export function conv_nhwc_backward_weight_f32(
  dw: usize,
  g: usize,
  x: usize,
  first: i32,
  taps: i32,
  algorithm: i32,
  workspace: usize,
  dims: usize,
): void {
  const shape = changetype<Geometry>(dims);
  const m = shape.kernelSize() * shape.inChannels;
  if (m == 0 || shape.outChannels == 0) return;
  if (algorithm == 0) algorithm = selectConv(ConvDirection.BACKWARD_WEIGHT, ConvLayout.NHWC, shape);
  if (algorithm == ConvAlgorithm.DEPTHWISE) {
    nhwcBackwardWeight(dw, g, x, first, taps, workspace, shape);
    return;
  }
  const from = inStride(shape),
    to = outStride(shape);
  const k = shape.batch * shape.outPixels();
  const job = igemmIn<PixelStore, Im2colNhwcTaps, MatrixNhwc>(workspace);
  const a = job.a().im2col();
  readForward(a.window(0), shape);
  for (let group: i32 = 0; group < shape.groups; group++) {
    if (algorithm == ConvAlgorithm.POINTWISE) {
      gemm_f32(dw, x, g, 0, m, shape.outChannels, k, 1, from, to, 1, to, ACT_NONE, 0, workspace, 0);
    } else {
      a.start(x, shape.inImageBytes(), bytes(from), shape.inChannels, job.lines());
      multiply(job, dw, g, bytes(to), 0, ACT_NONE, m, shape.outChannels, k);
    }
    x += bytes(shape.inChannels);
    g += bytes(shape.outChannels);
    dw += bytes(shape.outChannels);
  }
}
