// Which algorithm computes a convolution: the only place that decides.
//
//                          NCHW                                          NHWC
//   3x3 and 5x5 taps,      WINOGRAD                                      IGEMM: NHWC has no Winograd path
//   not too few channels
//   one channel a group    DEPTHWISE, DEPTHWISE_PLANE, DEPTHWISE_STRIDE2 DEPTHWISE, which for the gradient of w may
//                          where a padded row fits the workspace         have several results a group, and forward
//                                                                        16 or a multiple of one channel
//   not too many channels  DIRECT, DIRECT_ROWS, where a padded band of all fits       IGEMM
//                          the workspace; of x with strides, and few outputs,
//                          phase by phase; the gradient of w by 3x3 taps padded by
//                          one, of small planes, as that of planes
//                          WINOGRAD_ROWS for 3x3 taps of 32 channels at most
//   1x1, no strides        IGEMM, whose im2col is then the image         POINTWISE, by gemm_f32
//   all others             IGEMM                                         IGEMM
//
// Algorithms differ in their bits, so one choice has to serve a whole convolution and all slices of it: see
// geometry.ts.

import { Band, bandBytes, MOST_TAPS } from "./depthwise/band";
import { DIRECT_BYTES, PHASE_BYTES } from "./direct/plan";
import { Axis, Geometry } from "./geometry";
import { LINES_AT } from "./igemm/igemm";
import { SPAN } from "./winograd/transforms";

/** What a kernel computes: y, the gradient of x, or the gradient of w. */
export enum ConvDirection {
  FORWARD = 0,
  BACKWARD_INPUT = 1,
  BACKWARD_WEIGHT = 2,
}

export enum ConvLayout {
  NCHW = 0,
  NHWC = 1,
}

/** The algorithms of the kernels of convolutions. 0 is no algorithm: it asks a kernel to select. */
export enum ConvAlgorithm {
  /** Implicit GEMM: a product with im2col, which is packed straight from the image and never written down. */
  IGEMM = 1,
  /** Winograd's F(4x4, 3x3) or F(2x2, 5x5), or its transpose for the gradient of w. NCHW only. */
  WINOGRAD = 2,
  /** Each channel has a kernel of its own. */
  DEPTHWISE = 3,
  /** Likewise, by the loops that know 3x3 taps over planes padded by one, with a stride of 1 or 2. NCHW only. */
  DEPTHWISE_PLANE = 4,
  /** The gradient of x of a depthwise convolution with a stride of 2, without the zeros between outputs. NCHW only. */
  DEPTHWISE_STRIDE2 = 5,
  /** A kernel of one tap over images as they lie: one product by gemm_f32. NHWC only. */
  POINTWISE = 6,
  /** Sums in registers over a padded band, where there are few channels on either side. NCHW only. */
  DIRECT = 7,
  /** Likewise, where few channels are read or written: by rows, not channels. NCHW only; not for the gradient of w. */
  DIRECT_ROWS = 8,
  /** Likewise, by Winograd's F(4, 3) down the rows of 3x3 taps. NCHW only; not for the gradient of w. */
  WINOGRAD_ROWS = 9,
}

/** Fewest channels on either side, and fewest outputs along an axis, for which Winograd's algorithm wins. */
@inline
const WINOGRAD_CHANNELS: i32 = 16;
@inline
const WINOGRAD_OUTPUTS: i32 = 4;
/** Kernels of 5x5 taps make it win with fewer channels, but, other than for the gradient of w, of so many pairs. */
@inline
const WINOGRAD_CHANNELS_5: i32 = 8;
@inline
const WINOGRAD_PAIRS_5: i32 = 128;
/** Fewest tiles for which it wins for the gradient of w: to transform the sums back costs the same for any number. */
@inline
const WINOGRAD_TILES: i32 = 4;

/** Most channels that a direct convolution reads, and writes: with more, a product is worth its packing. */
@inline
const DIRECT_READS: i32 = 128;
@inline
const DIRECT_RESULTS: i32 = 64;
/** Most that it reads for dx with strides, where taps are a few of the kernel's; and for two results at most. */
@inline
const PHASE_READS: i32 = 32;
@inline
const PHASE_ROWS_READS: i32 = 4;
/** Most channels that Winograd's algorithm reads down the rows; fewest that it writes, and outputs along an axis. */
@inline
const ROWS_READS: i32 = 32;
@inline
const ROWS_RESULTS: i32 = 2;
@inline
const ROWS_OUTPUTS: i32 = 10;
/** Bytes of weights, and of six lines of each channel, beside which a band and its lines fit the workspace. */
@inline
const ROWS_BYTES: i32 = 131072;
/** Most pixels of planes by which the gradient of w goes, which have to stay near. */
@inline
const SUMS_PIXELS: i32 = 4096;
/** Bytes of sums of the gradient of w, which have to stay near. */
@inline
const DIRECT_SUMS: usize = 400 << 10;

/** Whether the first axis is not there. */
function isFlat(g: Geometry): bool {
  const d = g.axis(0);
  return d.size == 1 && d.outputs == 1 && d.kernel == 1 && d.padding == 0;
}

@inline
function isPlain(axis: Axis, kernel: i32): bool {
  return axis.kernel == kernel && axis.stride == 1 && axis.dilation == 1;
}

/** Whether both axes are, with so many elements and outputs along each. */
function arePlain(g: Geometry, kernel: i32, fewest: i32): bool {
  for (let i = 1; i < 3; i++) {
    const axis = g.axis(i);
    if (!isPlain(axis, kernel) || min(axis.outputs, axis.size) < fewest) return false;
  }
  return true;
}

/** Whether every group is one channel of two axes at most, whose padded rows fit the workspace. */
function fitsDepthwise(g: Geometry): bool {
  const h = g.axis(1),
    w = g.axis(2);
  if (g.inChannels != 1 || g.outChannels != 1 || !isFlat(g)) return false;
  if (<usize>(h.kernel * w.kernel) > MOST_TAPS) return false;
  // Zeros are spread alike over both axes; an axis of one output has none.
  if (h.stride != w.stride && h.outputs != 1) return false;
  return bandBytes(h, w) <= LINES_AT;
}

/** Whether 3x3 taps go over planes padded by one, with a stride, of 2 at most, that divides both axes. */
function isPlane(g: Geometry): bool {
  const stride = g.axis(2).stride;
  for (let i = 1; i < 3; i++) {
    const axis = g.axis(i);
    if (axis.kernel != 3 || axis.padding != 1 || axis.dilation != 1 || axis.stride != stride) return false;
    if (axis.size != axis.outputs * stride || axis.outputs == 0) return false;
  }
  return stride <= 2 && g.axis(2).outputs >= 4;
}

/** Which of the depthwise algorithms. */
function selectDepthwise(direction: i32, g: Geometry): i32 {
  const h = g.axis(1),
    w = g.axis(2);
  if (isPlane(g)) return ConvAlgorithm.DEPTHWISE_PLANE;
  if (direction == ConvDirection.BACKWARD_INPUT && w.stride == 2 && h.stride <= 2)
    return ConvAlgorithm.DEPTHWISE_STRIDE2;
  return ConvAlgorithm.DEPTHWISE;
}

function isWinograd(direction: i32, g: Geometry): bool {
  const h = g.axis(1),
    w = g.axis(2),
    five = w.kernel == 5;
  if (!isFlat(g) || (!five && w.kernel != 3) || !arePlain(g, w.kernel, WINOGRAD_OUTPUTS)) return false;
  const ins = g.inChannels,
    outs = g.outChannels;
  if (min(ins, outs) < (five ? WINOGRAD_CHANNELS_5 : WINOGRAD_CHANNELS)) return false;
  if (direction != ConvDirection.BACKWARD_WEIGHT) return ins * outs >= WINOGRAD_PAIRS_5;
  const size = SPAN + 1 - w.kernel;
  return ((h.outputs + size - 1) / size) * ((w.outputs + size - 1) / size) * g.batch >= WINOGRAD_TILES;
}

/** Whether taps reach the elements of every phase of an axis. */
export function everyPhase(axis: Axis): bool {
  return axis.stride <= axis.kernel && (axis.stride == 1 || axis.dilation == 1);
}

/** Bytes of the workspace for a phase of dx: the band of what is read, the weights, and results that will be apart. */
function phaseBytes(h: Axis, w: Axis, reads: i32, results: i32): usize {
  const stride = <usize>w.stride,
    weights = <usize>(reads * results) * <usize>(h.kernel * w.kernel * 4),
    made = max(w.size * results * 4, PHASE_BYTES);
  return bandBytes(h, w, reads, DIRECT_BYTES * w.stride) / stride + changetype<Band>(0).base() + weights + <usize>made;
}

/** Whether a product wins for y, or for dx whose elements may take taps that lie apart. */
function isMany(reads: i32, results: i32, across: i32, apart: bool): bool {
  if (apart) return reads > (results <= 2 ? PHASE_ROWS_READS : PHASE_READS);
  return results > (across < 7 ? DIRECT_RESULTS >> 1 : DIRECT_RESULTS);
}

/** Whether Winograd's algorithm wins down the rows alone, for y or for dx. */
function isWinogradRows(g: Geometry, reads: i32, results: i32): bool {
  const w = g.axis(2),
    lines = (max(w.outputs, w.size) + 18) * 24;
  if (reads > ROWS_READS || results < ROWS_RESULTS || reads * (lines + 132 * results) > ROWS_BYTES) return false;
  return arePlain(g, 3, ROWS_OUTPUTS);
}

/** Whether the gradient of w goes plane by plane of the outputs' gradient: each is read once a channel. */
function isPlaneSums(g: Geometry): bool {
  return g.groups == 1 && g.inPixels() <= SUMS_PIXELS && g.axis(2).stride == 1 && isPlane(g);
}

/** DIRECT for the gradient of w, plane by plane where it may, or IGEMM where there are too many sums for a band. */
function selectSums(g: Geometry, band: usize): i32 {
  const across = g.axis(2).outputs,
    sums = (<usize>(g.inChannels * g.outChannels * g.kernelSize())) << 4;
  if (g.outChannels > (across < 7 ? 8 : across < 14 ? 16 : across < 28 ? 32 : 64)) return ConvAlgorithm.IGEMM;
  if (isPlaneSums(g)) return ConvAlgorithm.DEPTHWISE_PLANE;
  return sums <= DIRECT_SUMS && band + sums <= LINES_AT ? ConvAlgorithm.DIRECT : ConvAlgorithm.IGEMM;
}

/** A direct algorithm, where that takes less time than a product's packing, and the band fits the workspace. */
function selectDirect(direction: i32, g: Geometry): i32 {
  const h = g.axis(1),
    w = g.axis(2);
  const taps = h.kernel * w.kernel,
    ins = g.inChannels,
    outs = g.outChannels;
  if (!isFlat(g) || <usize>taps > MOST_TAPS || taps == 1 || min(ins, outs) == 0 || g.outPixels() == 0)
    return ConvAlgorithm.IGEMM;
  const isInput = direction == ConvDirection.BACKWARD_INPUT;
  const reads = isInput ? outs : ins;
  if (reads > DIRECT_READS) return ConvAlgorithm.IGEMM;
  const band = bandBytes(h, w, reads, DIRECT_BYTES);
  if (direction == ConvDirection.BACKWARD_WEIGHT) return selectSums(g, band);
  if (isInput && !(everyPhase(h) && everyPhase(w))) return ConvAlgorithm.IGEMM;
  const results = isInput ? ins : outs;
  const across = isInput ? w.size : w.outputs,
    apart = isInput && h.stride * w.stride != 1;
  if (isMany(reads, results, across, apart) || (isInput ? phaseBytes(h, w, reads, results) : band) > LINES_AT)
    return ConvAlgorithm.IGEMM;
  if (isWinogradRows(g, reads, results)) return ConvAlgorithm.WINOGRAD_ROWS;
  // Three rows of taps share what they load, of tiles of eight columns.
  const byRows = results <= 2 || (isPlain(h, 3) && (results == 3 || reads <= 2));
  return byRows && (isInput ? w.size / w.stride : w.outputs) >= 8 ? ConvAlgorithm.DIRECT_ROWS : ConvAlgorithm.DIRECT;
}

/** Whether output pixels take one input pixel each, in order. */
export function isPointwise(g: Geometry): bool {
  for (let i = 0; i < 3; i++) {
    const axis = g.axis(i);
    if (axis.kernel != 1 || axis.stride != 1 || axis.padding != 0 || axis.size != axis.outputs) return false;
  }
  return true;
}

/** The ConvAlgorithm of a whole convolution. */
export function selectConv(direction: i32, layout: i32, g: Geometry): i32 {
  if (layout == ConvLayout.NHWC) {
    // The weight's gradient of one channel has too few rows for a product, and its results are not worth the packing.
    if (g.inChannels == 1) {
      const results = direction == ConvDirection.FORWARD && g.groups == 1 && (g.outChannels & 15) == 0;
      const weights = direction == ConvDirection.BACKWARD_WEIGHT && g.outPixels() > 0;
      if (g.outChannels == 1 || results || weights) return ConvAlgorithm.DEPTHWISE;
    }
    return isPointwise(g) ? ConvAlgorithm.POINTWISE : ConvAlgorithm.IGEMM;
  }
  if (fitsDepthwise(g)) return selectDepthwise(direction, g);
  return isWinograd(direction, g) ? ConvAlgorithm.WINOGRAD : selectDirect(direction, g);
}

/**
 * Answers with the ConvAlgorithm of a kernel for `dims`, those of the whole convolution.
 *
 * direction: 0 conv_forward_f32, 1 conv_backward_input_f32, 2 conv_backward_weight_f32. layout: 0 NCHW, 1 NHWC.
 */
export function conv_select_f32(direction: i32, layout: i32, dims: usize): i32 {
  return selectConv(direction, layout, changetype<Geometry>(dims));
}
