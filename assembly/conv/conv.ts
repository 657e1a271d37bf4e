// Convolutions of NCHW images of one to three axes, forward beside backward, group by group. select.ts has the
// algorithms. Transposed convolutions are the same kernels with the roles of input and output exchanged.
import { KC } from "../gemm/blocked";
import { ACT_NONE } from "../gemm/epilogue";
import { depthwiseBackwardWeight, depthwiseOutputs } from "./depthwise/depthwise";
import { directBackwardInput, directBackwardWeight, directForward } from "./direct/direct";
import { Geometry, readForward } from "./geometry";
import { igemmIn } from "./igemm/igemm";
import { Im2colPixels, Im2colTaps } from "./igemm/im2col";
import { ImageStore, TapStore } from "./igemm/store";
import { Gradient, Weights } from "./igemm/weights";
import { zeros } from "./rows";
import { ConvAlgorithm, ConvDirection, ConvLayout, isPointwise, selectConv } from "./select";
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
 * reaches the other outputs of its tiles of 4x4 or 2x2; with fewer, those of 3x3 taps by tiles of four rows.
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
  product(y, x, w, bias, act, workspace, g, false);
}

/** conv_forward_f32 by a product and, `turned`, conv_backward_input_f32 of a pointwise convolution: to y and to dx. */
function product(
  to: usize,
  from: usize,
  w: usize,
  bias: usize,
  act: i32,
  workspace: usize,
  g: Geometry,
  turned: bool,
): void {
  const inBytes = (<usize>g.inPixels()) << 2,
    pixels = g.outPixels(),
    outBytes = (<usize>pixels) << 2;
  const taps = g.inChannels * g.kernelSize(),
    lineBytes = (<usize>taps) << 2,
    weights = lineBytes * <usize>g.outChannels;
  const rows = turned ? g.inChannels : g.outChannels,
    steps = turned ? g.outChannels : g.inChannels,
    fromImage = turned ? g.outImageBytes() : g.inImageBytes(),
    toImage = turned ? g.inImageBytes() : g.outImageBytes();
  const job = igemmIn<ImageStore, Weights, Im2colPixels>(workspace);
  const a = job.a(),
    b = job.b().im2col();
  a.lineBytes = turned ? 4 : lineBytes;
  a.stepBytes = turned ? lineBytes : 4;
  for (let group: i32 = g.groups; group > 0; group--) {
    readForward(b.window(0), g);
    b.start(from, fromImage, job.lines());
    a.weight = w;
    job.c().dense(to, outBytes, toImage, pixels, bias, act);
    job.setSize(rows, g.batch * pixels, turned ? steps : taps);
    job.run();
    // A pointwise convolution has as many pixels on both sides.
    from += <usize>steps * inBytes;
    to += <usize>rows * outBytes;
    w += weights;
    if (bias != 0) bias += (<usize>rows) << 2;
  }
}

/**
 * dx[n, c, q] = sum over o, p, t with at(p, t) = q of w[o, c, t] g[n, o, p] + bias[c]: reverses
 * y = ... w[o, c, t] x[n, c, at(p, t)] ... of conv_forward_f32 by x.
 *
 * Shapes as there, with dx in the place of x and g in that of y; bias: [groups inChannels] or 0. algorithm as there.
 * Overwrites dx, also where no tap reaches. Slices of images or of groups have the bits of the whole. By a
 * product, each element is a sum over its taps, and K blocks, of sums over o, so that no zero is multiplied.
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
  if (isPointwise(shape)) product(dx, g, w, bias, ACT_NONE, workspace, shape, true);
  else productBackwardInput(dx, g, w, bias, workspace, shape);
}

/** By a product of the weights and g for each group, whose rows, the taps, add up where they reach. */
function productBackwardInput(dx: usize, g: usize, w: usize, bias: usize, workspace: usize, shape: Geometry): void {
  const plane = (<usize>shape.inPixels()) << 2,
    inBytes = plane * <usize>shape.inChannels,
    pixels = shape.outPixels(),
    outBytes = (<usize>(shape.outChannels * pixels)) << 2;
  const rows = shape.inChannels * shape.kernelSize();
  const job = igemmIn<TapStore, Weights, Im2colPixels>(workspace);
  const a = job.a(),
    b = job.b().im2col(),
    images = job.c().images();
  a.lineBytes = 4;
  a.stepBytes = (<usize>rows) << 2;
  job.c().sums = job.sums();
  readForward(images.window(0), shape);
  for (let group: usize = 0; group < <usize>shape.groups; group++) {
    const to = dx + group * inBytes;
    for (let n: usize = 0; n < <usize>shape.batch; n++) {
      let at = to + n * shape.inImageBytes();
      for (let c: usize = 0; c < <usize>shape.inChannels; c++, at += plane)
        zeros(at, at + plane, bias != 0 ? load<f32>(bias + ((group * <usize>shape.inChannels + c) << 2)) : 0);
    }
    images.start(to, shape.inImageBytes(), 0);
    b.window(0).identity(1);
    b.window(1).identity(1);
    b.window(2).identity(pixels);
    b.start(g + group * outBytes, shape.outImageBytes(), job.lines());
    a.weight = w + group * <usize>shape.outChannels * a.stepBytes;
    // To add taps to the images takes a tenth of the time of a product of KC steps.
    job.setSize(rows, shape.batch * pixels, shape.outChannels, pixels, shape.outChannels > KC ? 2 : 1);
    job.run();
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
