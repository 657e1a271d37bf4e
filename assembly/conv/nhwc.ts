// Convolutions of channels-last images, forward beside backward: three matrix products with the patches of images, group
// by group. Rows of patches are runs of channels, and a result lies as the product leaves it.
//
// x: [batch, ...sizes, groups inChannels], w: [...kernel, inChannels, groups outChannels] (TensorFlow's HWIO), y: [batch,
// ...outputs, groups outChannels], contiguous. dims: see geometry.ts. Slices of images (not for the weight's gradient), of
// groups, and of the output channels of one group (forward, and the weight's gradient) have the bits of the whole: x, w, y
// and bias, or their gradients, then start at the first channel of the slice, in x, y and the rows of w.
import { chosenTile } from "../gemm/choice";
import { ACT_NONE } from "../gemm/epilogue";
import { gemm_f32 } from "../gemm/gemm";
import { Tile4x8, Tile4x16, Tile6x8, Tile6x16 } from "../gemm/tiles";
import { channelwiseBackwardInput, channelwiseBackwardWeight, channelwiseForward } from "./channelwise";
import { Geometry, Phase } from "./geometry";
import { NHWC_OPERANDS_AT, nhwcProduct, PATCH_LINES_AT, RowLines, RowPlaces, TurnedTaps } from "./nhwcblocks";
import { Patches, PixelLines } from "./patches";
import { PatchRows, PixelRows, TapRows } from "./patchrows";

// Where operands are described in the workspace, and a phase of an axis.
@inline
const FACTOR_AT: usize = NHWC_OPERANDS_AT + 64;
@inline
const PATCHES_AT: usize = FACTOR_AT + 64;
@inline
const PHASE_AT: usize = PATCHES_AT + 128;

/** By the register tile that gemm_set_tile chose. */
function product<A, B>(m: i32, n: i32, k: i32, workspace: usize): void {
  const c = changetype<RowPlaces>(workspace + NHWC_OPERANDS_AT);
  const a = changetype<A>(workspace + PATCHES_AT);
  const b = changetype<B>(workspace + FACTOR_AT);
  switch (chosenTile()) {
    case 1:
      nhwcProduct<Tile6x8, A, B>(c, a, b, m, n, k, workspace);
      break;
    case 2:
      nhwcProduct<Tile4x16, A, B>(c, a, b, m, n, k, workspace);
      break;
    case 3:
      nhwcProduct<Tile6x16, A, B>(c, a, b, m, n, k, workspace);
      break;
    default:
      nhwcProduct<Tile4x8, A, B>(c, a, b, m, n, k, workspace);
  }
}

/** Channels from pixel to pixel of x and of y: those of all groups, also in a slice. */
@inline
function inStride(g: Geometry): i32 {
  return g.inImage / g.inPixels();
}
@inline
function outStride(g: Geometry): i32 {
  return g.outImage / g.outPixels();
}

/** Whether output pixels take one input pixel each, in order: then there are no patches. */
function isPointwise(g: Geometry): bool {
  for (let i = 0; i < 3; i++) {
    const axis = g.axis(i);
    if (axis.kernel != 1 || axis.stride != 1 || axis.padding != 0 || axis.size != axis.outputs) return false;
  }
  return true;
}

@inline
function bytes(elements: i32): usize {
  return (<usize>elements) << 2;
}

/**
 * y[n, p, o] = act(sum over t, c of x[n, at(p, t), c] w[t, c, o] + bias[o]), group by group: a convolution.
 *
 * Shapes as above; bias: [groups outChannels] or 0; y overlaps nothing. act: 0 none, 1 relu. workspace:
 * gemm_workspace_bytes() bytes, aligned to 64. Overwrites y. Each element is summed as in gemm_f32, over taps in the order
 * of w: the same bits for any tile and any batch.
 *
 * Source: TensorFlow's conv2d and depthwise_conv2d.
 */
export function conv_nhwc_forward_f32(
  y: usize,
  x: usize,
  w: usize,
  bias: usize,
  act: i32,
  workspace: usize,
  dims: usize,
): void {
  const g = changetype<Geometry>(dims);
  const m = g.batch * g.outPixels();
  if (m == 0 || g.outChannels == 0) return;
  if (g.isChannelwise()) {
    channelwiseForward(y, x, w, bias, act, workspace, g);
    return;
  }
  const from = g.inPixels() > 0 ? inStride(g) : 0,
    to = outStride(g);
  const k = g.kernelSize() * g.inChannels;
  const pointwise = isPointwise(g);
  const c = changetype<RowPlaces>(workspace + NHWC_OPERANDS_AT);
  const b = changetype<RowLines>(workspace + FACTOR_AT);
  const a = changetype<PatchRows>(workspace + PATCHES_AT);
  for (let group: i32 = 0; group < g.groups; group++) {
    if (pointwise) {
      gemm_f32(y, x, w, bias, m, g.outChannels, k, from, 1, to, 1, to, 0, act, workspace, 0);
    } else {
      b.base = w;
      b.rowBytes = bytes(to);
      c.dense(y, bytes(to), bias, act);
      if (from == 1) {
        // Images of one channel are those of any layout, whose pixels are the longer runs.
        const planes = changetype<Patches>(workspace + PATCHES_AT);
        for (let i = 0; i < 3; i++) planes.reach(i).forward(g.axis(i));
        planes.start(x, g.inImageBytes(), workspace + PATCH_LINES_AT);
        product<PixelLines, RowLines>(m, g.outChannels, k, workspace);
      } else {
        for (let i = 0; i < 3; i++) a.reach(i).forward(g.axis(i));
        a.start(x, g.inImageBytes(), bytes(from), g.inChannels, workspace + PATCH_LINES_AT);
        product<PixelRows, RowLines>(m, g.outChannels, k, workspace);
      }
    }
    x += bytes(g.inChannels);
    w += bytes(g.outChannels);
    y += bytes(g.outChannels);
    if (bias != 0) bias += bytes(g.outChannels);
  }
}

/**
 * dx[n, q, c] = act(sum over t, p with at(p, t) = q, o of g[n, p, o] w[t, c, o] + bias[c]): reverses
 * y = ... x[n, at(p, t), c] w[t, c, o] ... of conv_nhwc_forward_f32 by x.
 *
 * Shapes as there, with dx in the place of x and g in that of y; bias: [groups inChannels] or 0. Overwrites dx, also where
 * no tap reaches. Elements that lie a stride apart are a product of their own, over the taps that reach them, so that no
 * product has a zero that the stride put there.
 *
 * Source: TensorFlow's conv2d_backprop_input and conv2d_transpose.
 */
export function conv_nhwc_backward_input_f32(
  dx: usize,
  g: usize,
  w: usize,
  bias: usize,
  act: i32,
  workspace: usize,
  dims: usize,
): void {
  const shape = changetype<Geometry>(dims);
  const m = shape.batch * shape.inPixels();
  if (m == 0 || shape.inChannels == 0) return;
  if (shape.isChannelwise()) {
    channelwiseBackwardInput(dx, g, w, bias, act, workspace, shape);
    return;
  }
  const to = inStride(shape);
  const from = shape.outPixels() > 0 ? outStride(shape) : 0;
  const pointwise = isPointwise(shape);
  const depth = shape.axis(0),
    height = shape.axis(1),
    width = shape.axis(2);
  for (let group: i32 = 0; group < shape.groups; group++) {
    if (pointwise) {
      gemm_f32(dx, g, w, bias, m, shape.inChannels, shape.outChannels, from, 1, 1, from, to, 0, act, workspace, 0);
    } else {
      for (let pd: i32 = 0; pd < depth.stride; pd++)
        for (let ph: i32 = 0; ph < height.stride; ph++)
          for (let pw: i32 = 0; pw < width.stride; pw++) {
            changetype<RowPlaces>(workspace + NHWC_OPERANDS_AT).dense(dx, bytes(to), bias, act);
            inputPhase(shape, g, w, to, from, pd, ph, pw, workspace);
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
  shape: Geometry,
  g: usize,
  w: usize,
  to: i32,
  from: i32,
  pd: i32,
  ph: i32,
  pw: i32,
  workspace: usize,
): void {
  const a = changetype<PatchRows>(workspace + PATCHES_AT);
  const b = changetype<TurnedTaps>(workspace + FACTOR_AT);
  const c = changetype<RowPlaces>(workspace + NHWC_OPERANDS_AT);
  const phase = changetype<Phase>(workspace + PHASE_AT);
  const depth = shape.axis(0),
    height = shape.axis(1),
    width = shape.axis(2);
  const columnStep = bytes(from) * <usize>shape.inChannels;
  const rowStep = columnStep * <usize>width.kernel;
  const depthStep = rowStep * <usize>height.kernel;
  b.rowBytes = bytes(from);
  b.channels = shape.outChannels;
  phase.backward(a.reach(0), depth, pd);
  b.base = w + <usize>phase.firstTap * depthStep;
  b.depthStep = <usize>phase.tapStep * depthStep;
  phase.backward(a.reach(1), height, ph);
  b.base += <usize>phase.firstTap * rowStep;
  b.rowStep = <usize>phase.tapStep * rowStep;
  b.rowTaps = a.reach(1).taps;
  phase.backward(a.reach(2), width, pw);
  b.base += <usize>phase.firstTap * columnStep;
  b.columnStep = <usize>phase.tapStep * columnStep;
  const columns = a.reach(2);
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
    c.columns = a.reach(2).outputs;
    c.rows = a.reach(1).outputs;
    c.planes = a.reach(0).outputs;
  }
  a.start(g, shape.outImageBytes(), bytes(from), shape.outChannels, workspace + PATCH_LINES_AT);
  product<PixelRows, TurnedTaps>(m, shape.inChannels, a.taps() * shape.outChannels, workspace);
}

/**
 * dw[t, c, o] = sum over n, p of x[n, at(p, t), c] g[n, p, o]: reverses y = ... x[n, at(p, t), c] w[t, c, o] ... of
 * conv_nhwc_forward_f32 by w.
 *
 * Shapes as there, with g in the place of y and dw in that of w. Overwrites dw. Sums run over all images and pixels in
 * order, in K blocks as in gemm_f32.
 *
 * Source: TensorFlow's conv2d_backprop_filter.
 */
export function conv_nhwc_backward_weight_f32(dw: usize, g: usize, x: usize, workspace: usize, dims: usize): void {
  const shape = changetype<Geometry>(dims);
  const m = shape.kernelSize() * shape.inChannels;
  if (m == 0 || shape.outChannels == 0) return;
  if (shape.isChannelwise()) {
    channelwiseBackwardWeight(dw, g, x, workspace, shape);
    return;
  }
  const from = inStride(shape),
    to = outStride(shape);
  const k = shape.batch * shape.outPixels();
  const pointwise = isPointwise(shape);
  const c = changetype<RowPlaces>(workspace + NHWC_OPERANDS_AT);
  const b = changetype<RowLines>(workspace + FACTOR_AT);
  const a = changetype<PatchRows>(workspace + PATCHES_AT);
  for (let i = 0; i < 3; i++) a.reach(i).forward(shape.axis(i));
  for (let group: i32 = 0; group < shape.groups; group++) {
    if (pointwise) {
      gemm_f32(dw, x, g, 0, m, shape.outChannels, k, 1, from, to, 1, to, 0, ACT_NONE, workspace, 0);
    } else {
      a.start(x, shape.inImageBytes(), bytes(from), shape.inChannels, workspace + PATCH_LINES_AT);
      b.base = g;
      b.rowBytes = bytes(to);
      c.dense(dw, bytes(to), 0, ACT_NONE);
      product<TapRows, RowLines>(m, shape.outChannels, k, workspace);
    }
    x += bytes(shape.inChannels);
    g += bytes(shape.outChannels);
    dw += bytes(shape.outChannels);
  }
}
