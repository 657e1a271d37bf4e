// Convolutions of one to three axes, forward beside backward: three matrix products with the patches of images, group by
// group. Transposed convolutions are the same kernels with the roles of input and output exchanged.
import { chosenTile } from "../gemm/choice";
import { ACT_NONE } from "../gemm/epilogue";
import { Tile4x8, Tile4x16, Tile6x8, Tile6x16 } from "../gemm/tiles";
import { convProduct, LINES_AT, OPERANDS_AT } from "./blocks";
import { depthwiseBackwardInput, depthwiseBackwardWeight, depthwiseForward, isDepthwise } from "./depthwise";
import { MapLines, WeightLines, WeightTaps } from "./factors";
import { Axis, Geometry, Phase } from "./geometry";
import { Patches, PixelLines, TapLines } from "./patches";
import { finishPixels, RESULT_BYTES, Result } from "./result";
import { isWinograd, Winograd } from "./winograd";
import { isWinogradWeight, WinogradWeight } from "./winogradweight";

// Where operands are described in the workspace.
@inline
const FACTOR_AT: usize = OPERANDS_AT + RESULT_BYTES;
@inline
const PATCHES_AT: usize = FACTOR_AT + 128;

/** By the register tile that gemm_set_tile chose. */
function product<A, B>(m: i32, n: i32, k: i32, workspace: usize): void {
  const c = changetype<Result>(workspace + OPERANDS_AT);
  const a = changetype<A>(workspace + FACTOR_AT);
  const b = changetype<B>(workspace + PATCHES_AT);
  switch (chosenTile()) {
    case 1:
      convProduct<Tile6x8, A, B>(c, a, b, m, n, k, workspace);
      break;
    case 2:
      convProduct<Tile4x16, A, B>(c, a, b, m, n, k, workspace);
      break;
    case 3:
      convProduct<Tile6x16, A, B>(c, a, b, m, n, k, workspace);
      break;
    default:
      convProduct<Tile4x8, A, B>(c, a, b, m, n, k, workspace);
  }
}

/** By the register tile that gemm_set_tile chose. */
function winograd<S>(s: S): void {
  switch (chosenTile()) {
    case 1:
      s.run<Tile6x8>();
      break;
    case 2:
      s.run<Tile4x16>();
      break;
    case 3:
      s.run<Tile6x16>();
      break;
    default:
      s.run<Tile4x8>();
  }
}

/**
 * y[n, o, p] = act(sum over c, t of w[o, c, t] x[n, c, at(p, t)] + bias[o]), group by group: a convolution.
 *
 * x: [batch, groups inChannels, ...sizes], w: [groups outChannels, inChannels, ...kernel], bias: [groups outChannels] or
 * 0, y: [batch, groups outChannels, ...outputs], contiguous; y overlaps nothing. dims: see geometry.ts. act: 0 none, 1
 * relu. workspace: gemm_workspace_bytes() bytes, aligned to 64. Overwrites y. Slices of images, of groups, or of the
 * output channels of one group have the bits of the whole.
 *
 * Each element is summed as in gemm_f32, over taps in the order of w: the same bits for any tile and any batch. 3x3 taps
 * without strides, with many channels, go by Winograd's algorithm (winograd.ts): within 1e-5 of the norm of the result,
 * and a NaN or infinity reaches the other outputs of its tiles of 4x4.
 *
 * Source: PyTorch's conv1d, conv2d and conv3d.
 */
export function conv_forward_f32(
  y: usize,
  x: usize,
  w: usize,
  bias: usize,
  act: i32,
  workspace: usize,
  dims: usize,
): void {
  const g = changetype<Geometry>(dims);
  const inBytes = (<usize>(g.inChannels * g.inPixels())) << 2;
  const pixels = g.outPixels();
  const outBytes = (<usize>(g.outChannels * pixels)) << 2;
  const taps = g.inChannels * g.kernelSize();
  if (pixels == 0 || g.batch == 0) return;
  if (isDepthwise(g, LINES_AT)) {
    depthwiseForward(y, x, w, bias, act, workspace, g);
    return;
  }
  if (isWinograd(g)) {
    const s = changetype<Winograd>(workspace);
    s.forward(g, act);
    for (let group: usize = 0; group < <usize>g.groups; group++) {
      const channel = (group * <usize>g.outChannels) << 2;
      s.bands().images = x + group * inBytes;
      s.bands().to = y + group * outBytes;
      s.weights = w + channel * <usize>taps;
      s.bias = bias != 0 ? bias + channel : 0;
      winograd<Winograd>(s);
    }
    return;
  }
  const c = changetype<Result>(workspace + OPERANDS_AT);
  const a = changetype<WeightLines>(workspace + FACTOR_AT);
  const b = changetype<Patches>(workspace + PATCHES_AT);
  for (let group: usize = 0; group < <usize>g.groups; group++) {
    const channel = (group * <usize>g.outChannels) << 2;
    for (let i = 0; i < 3; i++) b.reach(i).forward(g.axis(i));
    b.start(x + group * inBytes, g.inImageBytes(), workspace + LINES_AT);
    a.lineBytes = (<usize>taps) << 2;
    a.weight = w + channel * <usize>taps;
    const perChannel = bias != 0 ? bias + channel : 0;
    c.dense(y + group * outBytes, (<usize>pixels) << 2, g.outImageBytes(), pixels, perChannel, act);
    product<WeightLines, PixelLines>(g.outChannels, g.batch * pixels, taps, workspace);
  }
}

/**
 * dx[n, c, q] = act(sum over o, p, t with at(p, t) = q of w[o, c, t] g[n, o, p] + bias[c]): reverses
 * y = ... w[o, c, t] x[n, c, at(p, t)] ... of conv_forward_f32 by x.
 *
 * Shapes as there, with dx in the place of x and g in that of y; bias: [groups inChannels] or 0. Overwrites dx, also where
 * no tap reaches. Slices of images or of groups have the bits of the whole. Elements that lie a stride apart are a product of their own, over the taps that reach them, so that no
 * product has a zero that the stride put there.
 *
 * Source: PyTorch's conv_transpose1d and conv_transpose2d, where g is the input.
 */
export function conv_backward_input_f32(
  dx: usize,
  g: usize,
  w: usize,
  bias: usize,
  act: i32,
  workspace: usize,
  dims: usize,
): void {
  const shape = changetype<Geometry>(dims);
  const depth = shape.axis(0),
    height = shape.axis(1),
    width = shape.axis(2);
  const inPixels = shape.inPixels();
  if (inPixels == 0 || shape.batch == 0) return;
  if (isDepthwise(shape, LINES_AT)) {
    depthwiseBackwardInput(dx, g, w, bias, act, workspace, shape);
    return;
  }
  const inBytes = (<usize>(shape.inChannels * inPixels)) << 2;
  const outBytes = (<usize>(shape.outChannels * shape.outPixels())) << 2;
  if (isWinograd(shape)) {
    const s = changetype<Winograd>(workspace);
    s.backward(shape, act);
    for (let group: usize = 0; group < <usize>shape.groups; group++) {
      s.bands().images = g + group * outBytes;
      s.bands().to = dx + group * inBytes;
      s.weights = w + ((group * <usize>(shape.outChannels * shape.inChannels)) << 2) * 9;
      s.bias = bias != 0 ? bias + ((group * <usize>shape.inChannels) << 2) : 0;
      winograd<Winograd>(s);
    }
    return;
  }
  const isDense = depth.stride == 1 && height.stride == 1 && width.stride == 1;
  const groups = <usize>shape.groups;
  // Phases that no tap reaches are left out below.
  const reached = everyPhase(depth) && everyPhase(height) && everyPhase(width);
  if (!reached || shape.outChannels == 0)
    for (let n: usize = 0; n < <usize>shape.batch; n++) memory.fill(dx + n * shape.inImageBytes(), 0, inBytes * groups);
  for (let group: usize = 0; group < groups; group++) {
    const to = dx + group * inBytes;
    const perChannel = bias != 0 ? bias + ((group * <usize>shape.inChannels) << 2) : 0;
    for (let pd: i32 = 0; pd < depth.stride; pd++) {
      for (let ph: i32 = 0; ph < height.stride; ph++) {
        for (let pw: i32 = 0; pw < width.stride; pw++) {
          const c = changetype<Result>(workspace + OPERANDS_AT);
          const b = changetype<Patches>(workspace + PATCHES_AT);
          c.dense(
            to,
            (<usize>inPixels) << 2,
            shape.inImageBytes(),
            inPixels,
            isDense ? perChannel : 0,
            isDense ? act : 0,
          );
          const from = weightTaps(w, shape, group, pd, ph, pw, workspace);
          if (!isDense) apart(c, b, shape, pd, ph, pw);
          const pixels = b.pixels();
          if (pixels == 0 || from == 0) continue;
          c.pixels = pixels;
          b.start(g + group * outBytes, shape.outImageBytes(), workspace + LINES_AT);
          product<WeightTaps, PixelLines>(shape.inChannels, shape.batch * pixels, from, workspace);
        }
      }
    }
    if (isDense || (perChannel == 0 && act == ACT_NONE)) continue;
    for (let n: usize = 0; n < <usize>shape.batch; n++)
      finishPixels(to + n * shape.inImageBytes(), (<usize>inPixels) << 2, shape.inChannels, inPixels, perChannel, act);
  }
}

/** Whether taps reach the elements of every phase of an axis. */
function everyPhase(axis: Axis): bool {
  return axis.stride <= axis.kernel && (axis.stride == 1 || axis.dilation == 1);
}

/** Sets the reaches and the weights' taps of a phase; returns how many steps its product has. */
function weightTaps(w: usize, shape: Geometry, group: usize, depth: i32, row: i32, column: i32, workspace: usize): i32 {
  const b = changetype<Patches>(workspace + PATCHES_AT);
  const a = changetype<WeightTaps>(workspace + FACTOR_AT);
  const phase = changetype<Phase>(workspace);
  const kernel = (<usize>shape.kernelSize()) << 2;
  const rowBytes = (<usize>shape.axis(2).kernel) << 2;
  const planeBytes = rowBytes * <usize>shape.axis(1).kernel;
  a.lineBytes = kernel;
  a.channelBytes = kernel * <usize>shape.inChannels;
  a.weight = w + group * <usize>shape.outChannels * a.channelBytes;

  phase.backward(b.reach(0), shape.axis(0), depth);
  a.weight += <usize>phase.firstTap * planeBytes;
  a.depthBytes = <usize>phase.tapStep * planeBytes;
  a.depthTaps = b.reach(0).taps;
  phase.backward(b.reach(1), shape.axis(1), row);
  a.weight += <usize>phase.firstTap * rowBytes;
  a.rowBytes = <usize>phase.tapStep * rowBytes;
  a.rowTaps = b.reach(1).taps;
  phase.backward(b.reach(2), shape.axis(2), column);
  a.weight += (<usize>phase.firstTap) << 2;
  a.columnBytes = (<usize>phase.tapStep) << 2;
  a.columnTaps = b.reach(2).taps;
  return shape.outChannels * b.taps();
}

/** Makes a result go to the pixels of a phase. */
function apart(c: Result, b: Patches, shape: Geometry, depth: i32, row: i32, column: i32): void {
  const columns = (<usize>shape.axis(2).size) << 2;
  const plane = columns * <usize>shape.axis(1).size;
  c.isDense = 0;
  c.base += <usize>depth * plane + <usize>row * columns + ((<usize>column) << 2);
  c.depthBytes = <usize>shape.axis(0).stride * plane;
  c.lineBytes = <usize>shape.axis(1).stride * columns;
  c.columnBytes = (<usize>shape.axis(2).stride) << 2;
  c.rows = b.reach(1).outputs;
  c.columns = b.reach(2).outputs;
}

/**
 * dw[o, c, t] = sum over n, p of g[n, o, p] x[n, c, at(p, t)]: reverses y = ... w[o, c, t] x[n, c, at(p, t)] ... of
 * conv_forward_f32 by w.
 *
 * Shapes as there, with g in the place of y and dw in that of w. Overwrites dw. Sums run over all images and pixels in
 * order, in K blocks as in gemm_f32. Slices of groups, or of the output channels of one group, have the bits of the whole.
 *
 * Source: PyTorch's conv2d_weight.
 */
export function conv_backward_weight_f32(dw: usize, g: usize, x: usize, workspace: usize, dims: usize): void {
  const shape = changetype<Geometry>(dims);
  const inBytes = (<usize>(shape.inChannels * shape.inPixels())) << 2;
  const pixels = shape.outPixels();
  const outBytes = (<usize>(shape.outChannels * pixels)) << 2;
  const taps = shape.inChannels * shape.kernelSize();
  if (taps == 0) return;
  if (isDepthwise(shape, LINES_AT)) {
    depthwiseBackwardWeight(dw, g, x, workspace, shape);
    return;
  }
  const groups = <usize>shape.groups;
  if (isWinogradWeight(shape)) {
    const s = changetype<WinogradWeight>(workspace);
    s.forward(shape);
    for (let group: usize = 0; group < groups; group++) {
      s.bands().images = x + group * inBytes;
      s.bands().to = g + group * outBytes;
      s.result = dw + ((group * <usize>(shape.outChannels * taps)) << 2);
      winograd<WinogradWeight>(s);
    }
    return;
  }
  const c = changetype<Result>(workspace + OPERANDS_AT);
  const a = changetype<MapLines>(workspace + FACTOR_AT);
  const b = changetype<Patches>(workspace + PATCHES_AT);
  for (let group: usize = 0; group < groups; group++) {
    for (let i = 0; i < 3; i++) b.reach(i).forward(shape.axis(i));
    b.start(x + group * inBytes, shape.inImageBytes(), workspace + LINES_AT);
    a.maps = g + group * outBytes;
    a.imageBytes = shape.outImageBytes();
    a.pixels = pixels;
    const lineBytes = (<usize>taps) << 2;
    c.dense(dw + group * <usize>shape.outChannels * lineBytes, lineBytes, 0, taps, 0, ACT_NONE);
    product<MapLines, TapLines>(shape.outChannels, taps, shape.batch * pixels, workspace);
  }
}
