// Convolutions of NCHW images of one to three axes, forward beside backward, group by group. select.ts has the
// algorithms. Transposed convolutions are the same kernels with the roles of input and output exchanged.
import { ACT_NONE } from "../gemm/epilogue";
import { depthwiseBackwardWeight, depthwiseOutputs } from "./depthwise/depthwise";
import { directBackwardInput, directBackwardWeight, directForward } from "./direct/direct";
import { Geometry, readForward } from "./geometry";
import { Igemm, igemmIn } from "./igemm/igemm";
import { Im2colPixels, Im2colTaps } from "./igemm/im2col";
import { finishPixels, ImageStore } from "./igemm/store";
import { Gradient, Weights, WeightsTransposed } from "./igemm/weights";
import { ConvAlgorithm, ConvDirection, ConvLayout, everyPhase, selectConv } from "./select";
import { WinogradWeight } from "./winograd/weight";
import { Winograd } from "./winograd/winograd";

@inline
function isDepthwise(algorithm: i32): bool {
  return algorithm >= ConvAlgorithm.DEPTHWISE && algorithm <= ConvAlgorithm.DEPTHWISE_STRIDE2;
}

/**
 * y[n, o, p] = act(sum over c, t of w[o, c, t] x[n, c, at(p, t)] + bias[o]), group by group: a convolution.
 *
 * x: [batch, groups inChannels, ...sizes], w: [groups outChannels, inChannels, ...kernel], bias: [groups outChannels]
 * or 0, y: [batch, groups outChannels, ...outputs], contiguous; y overlaps nothing. act: 0 none, 1 relu. algorithm: 0
 * selects one for this call; else what conv_select_f32 answered for the convolution that this is, or is a slice of.
 * workspace: gemm_workspace_bytes() bytes, aligned to 64. dims: see geometry.ts. Overwrites y. Slices of images, of
 * groups, or of the output channels of one group have the bits of the whole.
 *
 * Each element is summed as in gemm_f32, over taps in the order of w, or, where very few channels are read or
 * written, three rows of taps at a time: the same bits for any tile and any batch. 3x3 and 5x5 taps without strides,
 * with not too few channels, go by Winograd's algorithm: within 1e-5 of the norm of the result, and a NaN or infinity
 * reaches the other outputs of its tiles of 4x4 or 2x2.
 *
 * Source: PyTorch's conv1d, conv2d and conv3d.
 */
export function conv_forward_f32(
  y: usize,
  x: usize,
  w: usize,
  bias: usize,
  act: i32,
  algorithm: i32,
  workspace: usize,
  dims: usize,
): void {
  const g = changetype<Geometry>(dims);
  const inBytes = (<usize>(g.inChannels * g.inPixels())) << 2;
  const pixels = g.outPixels();
  const outBytes = (<usize>(g.outChannels * pixels)) << 2;
  const taps = g.inChannels * g.kernelSize();
  if (pixels == 0 || g.batch == 0) return;
  if (algorithm == 0) algorithm = selectConv(ConvDirection.FORWARD, ConvLayout.NCHW, g);
  if (isDepthwise(algorithm)) {
    depthwiseOutputs(y, x, w, bias, act, algorithm, workspace, g, false);
    return;
  }
  if (algorithm >= ConvAlgorithm.DIRECT) {
    directForward(y, x, w, bias, act, algorithm, workspace, g);
    return;
  }
  if (algorithm == ConvAlgorithm.WINOGRAD) {
    const s = changetype<Winograd>(workspace);
    s.forward(g, act);
    for (let group: usize = 0; group < <usize>g.groups; group++) {
      const channel = (group * <usize>g.outChannels) << 2;
      s.bands().images = x + group * inBytes;
      s.bands().to = y + group * outBytes;
      s.weights = w + channel * <usize>taps;
      s.bias = bias != 0 ? bias + channel : 0;
      s.run();
    }
    return;
  }
  const job = igemmIn<ImageStore, Weights, Im2colPixels>(workspace);
  const a = job.a(),
    b = job.b().im2col();
  for (let group: usize = 0; group < <usize>g.groups; group++) {
    const channel = (group * <usize>g.outChannels) << 2;
    readForward(b.window(0), g);
    b.start(x + group * inBytes, g.inImageBytes(), job.lines());
    a.lineBytes = (<usize>taps) << 2;
    a.weight = w + channel * <usize>taps;
    const perChannel = bias != 0 ? bias + channel : 0;
    job.c().dense(y + group * outBytes, (<usize>pixels) << 2, g.outImageBytes(), pixels, perChannel, act);
    job.setSize(g.outChannels, g.batch * pixels, taps);
    job.run();
  }
}

/**
 * dx[n, c, q] = sum over o, p, t with at(p, t) = q of w[o, c, t] g[n, o, p] + bias[c]: reverses
 * y = ... w[o, c, t] x[n, c, at(p, t)] ... of conv_forward_f32 by x.
 *
 * Shapes as there, with dx in the place of x and g in that of y; bias: [groups inChannels] or 0. algorithm as there.
 * Overwrites dx, also where no tap reaches. Slices of images or of groups have the bits of the whole. Elements that lie
 * a stride apart are a product of their own, over the taps that reach them, so that no product has a zero that the
 * stride put there.
 *
 * Source: PyTorch's conv_transpose1d and conv_transpose2d, where g is the input.
 */
export function conv_backward_input_f32(
  dx: usize,
  g: usize,
  w: usize,
  bias: usize,
  algorithm: i32,
  workspace: usize,
  dims: usize,
): void {
  const shape = changetype<Geometry>(dims);
  if (shape.inPixels() == 0 || shape.batch == 0) return;
  if (algorithm == 0) algorithm = selectConv(ConvDirection.BACKWARD_INPUT, ConvLayout.NCHW, shape);
  if (isDepthwise(algorithm)) {
    depthwiseOutputs(dx, g, w, bias, ACT_NONE, algorithm, workspace, shape, true);
    return;
  }
  if (algorithm >= ConvAlgorithm.DIRECT) {
    directBackwardInput(dx, g, w, bias, algorithm, workspace, shape);
    return;
  }
  if (algorithm == ConvAlgorithm.WINOGRAD) {
    winogradBackwardInput(dx, g, w, bias, workspace, shape);
    return;
  }
  productBackwardInput(dx, g, w, bias, workspace, shape);
}

/** By products, one for each phase of the axes. */
function productBackwardInput(dx: usize, g: usize, w: usize, bias: usize, workspace: usize, shape: Geometry): void {
  const depth = shape.axis(0),
    height = shape.axis(1),
    width = shape.axis(2);
  const inPixels = shape.inPixels();
  const inBytes = (<usize>(shape.inChannels * inPixels)) << 2;
  const outBytes = (<usize>(shape.outChannels * shape.outPixels())) << 2;
  const isDense = depth.stride == 1 && height.stride == 1 && width.stride == 1;
  const groups = <usize>shape.groups;
  // Phases that no tap reaches are left out below.
  const reached = everyPhase(depth) && everyPhase(height) && everyPhase(width);
  if (!reached || shape.outChannels == 0)
    for (let n: usize = 0; n < <usize>shape.batch; n++) memory.fill(dx + n * shape.inImageBytes(), 0, inBytes * groups);
  const job = igemmIn<ImageStore, WeightsTransposed, Im2colPixels>(workspace);
  for (let group: usize = 0; group < groups; group++) {
    const to = dx + group * inBytes;
    const perChannel = bias != 0 ? bias + ((group * <usize>shape.inChannels) << 2) : 0;
    for (let pd: i32 = 0; pd < depth.stride; pd++)
      for (let ph: i32 = 0; ph < height.stride; ph++)
        for (let pw: i32 = 0; pw < width.stride; pw++) {
          job.c().dense(to, (<usize>inPixels) << 2, shape.inImageBytes(), inPixels, isDense ? perChannel : 0, ACT_NONE);
          runPhase(job, g + group * outBytes, w, shape, group, pd, ph, pw, isDense);
        }
    if (isDense || perChannel == 0) continue;
    for (let n: usize = 0; n < <usize>shape.batch; n++)
      finishPixels(
        to + n * shape.inImageBytes(),
        (<usize>inPixels) << 2,
        shape.inChannels,
        inPixels,
        perChannel,
        ACT_NONE,
      );
  }
}

function winogradBackwardInput(dx: usize, g: usize, w: usize, bias: usize, workspace: usize, shape: Geometry): void {
  const inBytes = (<usize>(shape.inChannels * shape.inPixels())) << 2;
  const outBytes = (<usize>(shape.outChannels * shape.outPixels())) << 2;
  const s = changetype<Winograd>(workspace);
  s.backward(shape);
  for (let group: usize = 0; group < <usize>shape.groups; group++) {
    s.bands().images = g + group * outBytes;
    s.bands().to = dx + group * inBytes;
    s.weights = w + ((group * <usize>(shape.outChannels * shape.inChannels * shape.kernelSize())) << 2);
    s.bias = bias != 0 ? bias + ((group * <usize>shape.inChannels) << 2) : 0;
    s.run();
  }
}

type BackwardInput = Igemm<ImageStore, WeightsTransposed, Im2colPixels>;

/** Sets the windows and the weights' taps of a phase of each axis; returns how many steps its product has. */
function setPhase(job: BackwardInput, w: usize, shape: Geometry, group: usize, depth: i32, row: i32, column: i32): i32 {
  const b = job.b().im2col();
  const a = job.a();
  const taps = job.phaseTaps();
  taps.backward(b.window(0), shape, depth, row, column, 4);
  a.lineBytes = (<usize>shape.kernelSize()) << 2;
  a.channelBytes = a.lineBytes * <usize>shape.inChannels;
  a.weight = w + group * <usize>shape.outChannels * a.channelBytes + taps.first;
  a.depthStep = taps.depthStep;
  a.rowStep = taps.rowStep;
  a.columnStep = taps.columnStep;
  a.depthTaps = b.window(0).taps;
  a.rowTaps = b.window(1).taps;
  a.columnTaps = b.window(2).taps;
  return shape.outChannels * b.taps();
}

/** Makes the result of a phase go to its pixels, which lie a stride apart. */
function storeApart(job: BackwardInput, shape: Geometry, depth: i32, row: i32, column: i32): void {
  const b = job.b().im2col(),
    c = job.c();
  const columns = (<usize>shape.axis(2).size) << 2;
  const plane = columns * <usize>shape.axis(1).size;
  c.isDense = 0;
  c.base += <usize>depth * plane + <usize>row * columns + ((<usize>column) << 2);
  c.depthBytes = <usize>shape.axis(0).stride * plane;
  c.lineBytes = <usize>shape.axis(1).stride * columns;
  c.columnBytes = (<usize>shape.axis(2).stride) << 2;
  c.rows = b.window(1).outputs;
  c.columns = b.window(2).outputs;
}

/** The product of a phase of each axis, if any tap reaches it. g is the gradient of the group. */
function runPhase(
  job: BackwardInput,
  g: usize,
  w: usize,
  shape: Geometry,
  group: usize,
  depth: i32,
  row: i32,
  column: i32,
  isDense: bool,
): void {
  const b = job.b().im2col();
  const steps = setPhase(job, w, shape, group, depth, row, column);
  if (!isDense) storeApart(job, shape, depth, row, column);
  const pixels = b.pixels();
  if (pixels == 0 || steps == 0) return;
  job.c().pixels = pixels;
  b.start(g, shape.outImageBytes(), job.lines());
  job.setSize(shape.inChannels, shape.batch * pixels, steps);
  job.run();
}

/**
 * dw[o, c, t] = sum over n, p of g[n, o, p] x[n, c, at(p, t)]: reverses y = ... w[o, c, t] x[n, c, at(p, t)] ... of
 * conv_forward_f32 by w.
 *
 * Shapes as there, with g in the place of y and dw in that of w. algorithm as there. Overwrites dw. Sums run over all
 * images and pixels in order, in K blocks as in gemm_f32. Slices of groups, or of the output channels of one group,
 * have the bits of the whole.
 *
 * Source: PyTorch's conv2d_weight.
 */
export function conv_backward_weight_f32(
  dw: usize,
  g: usize,
  x: usize,
  algorithm: i32,
  workspace: usize,
  dims: usize,
): void {
  const shape = changetype<Geometry>(dims);
  const inBytes = (<usize>(shape.inChannels * shape.inPixels())) << 2;
  const pixels = shape.outPixels();
  const outBytes = (<usize>(shape.outChannels * pixels)) << 2;
  const taps = shape.inChannels * shape.kernelSize();
  if (taps == 0) return;
  if (algorithm == 0) algorithm = selectConv(ConvDirection.BACKWARD_WEIGHT, ConvLayout.NCHW, shape);
  if (isDepthwise(algorithm)) {
    depthwiseBackwardWeight(dw, g, x, algorithm, workspace, shape);
    return;
  }
  if (algorithm == ConvAlgorithm.DIRECT) {
    directBackwardWeight(dw, g, x, workspace, shape);
    return;
  }
  const groups = <usize>shape.groups;
  if (algorithm == ConvAlgorithm.WINOGRAD) {
    const s = changetype<WinogradWeight>(workspace);
    s.forward(shape);
    for (let group: usize = 0; group < groups; group++) {
      s.bands().images = x + group * inBytes;
      s.bands().to = g + group * outBytes;
      s.result = dw + ((group * <usize>(shape.outChannels * taps)) << 2);
      s.run();
    }
    return;
  }
  const job = igemmIn<ImageStore, Gradient, Im2colTaps>(workspace);
  const a = job.a(),
    b = job.b().im2col();
  for (let group: usize = 0; group < groups; group++) {
    readForward(b.window(0), shape);
    b.start(x + group * inBytes, shape.inImageBytes(), job.lines());
    a.images = g + group * outBytes;
    a.imageBytes = shape.outImageBytes();
    a.pixels = pixels;
    const lineBytes = (<usize>taps) << 2;
    job.c().dense(dw + group * <usize>shape.outChannels * lineBytes, lineBytes, 0, taps, 0, ACT_NONE);
    job.setSize(shape.outChannels, taps, shape.batch * pixels);
    job.run();
  }
}
