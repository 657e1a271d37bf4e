// Depthwise convolutions: each channel has a kernel of its own, so that there is no product of matrices in them and what
// counts is the way through memory. The zeros of a stride above 2 between the
// elements of a gradient are multiplied like others.

import { horizontalSum } from "../lanes";
import { beat } from "../program/team";
import { depthwiseInput2, isHalving } from "./depthwise2";
import { Axis, Geometry, Reach } from "./geometry";
import { BAND_BYTES, Plane, TAPS } from "./plane";
import { apply, collect } from "./taps";

/** Sets `reach` to the whole input axis as the gradient of all outputs, with zeros between them, sends it back. */
function backward(reach: Reach, axis: Axis): void {
  reach.size = (axis.outputs - 1) * axis.stride + 1;
  reach.outputs = axis.size;
  reach.taps = axis.kernel;
  reach.scale = 1;
  // The kernel is turned around, so that taps count upwards.
  reach.shift = axis.padding - (axis.kernel - 1) * axis.dilation;
  reach.step = axis.dilation;
}

/** Whether each group is one channel of images of two axes, and its rows fit the `bytes` of workspace. */
export function isDepthwise(g: Geometry, bytes: usize): bool {
  const d = g.axis(0),
    h = g.axis(1),
    w = g.axis(2);
  if (!g.isChannelwise()) return false;
  if (d.size != 1 || d.outputs != 1 || d.kernel != 1 || d.padding != 0) return false;
  // One spread serves both axes: that of one output has none.
  if (<usize>(h.kernel * w.kernel) > TAPS || (h.stride != w.stride && h.outputs != 1)) return false;
  // The longer of the padded rows of both directions, as often as a row of outputs needs.
  const row = <usize>max(w.outputs, w.size) + <usize>((w.kernel + 2) * w.dilation) + 8;
  const rows = <usize>((h.kernel - 1) * h.dilation + 1);
  return changetype<Plane>(0).band() + max<usize>(row * <usize>w.stride * rows * 4, BAND_BYTES) <= bytes;
}

/** conv_forward_f32 for depthwise convolutions. */
export function depthwiseForward(
  y: usize,
  x: usize,
  w: usize,
  bias: usize,
  act: i32,
  workspace: usize,
  g: Geometry,
): void {
  const plane = changetype<Plane>(workspace);
  plane.height().forward(g.axis(1));
  plane.width().forward(g.axis(2));
  plane.spread = 1;
  plane.start();
  planes(plane, y, x, w, bias, act, g, false);
}

/** conv_backward_input_f32 for depthwise convolutions. */
export function depthwiseBackwardInput(
  dx: usize,
  dy: usize,
  w: usize,
  bias: usize,
  act: i32,
  workspace: usize,
  g: Geometry,
): void {
  if (isHalving(g)) {
    depthwiseInput2(dx, dy, w, bias, act, workspace, g);
    return;
  }
  const plane = changetype<Plane>(workspace);
  backward(plane.height(), g.axis(1));
  backward(plane.width(), g.axis(2));
  plane.spread = g.axis(2).stride;
  plane.start();
  planes(plane, dx, dy, w, bias, act, g, true);
}

/** All planes; `turned` for the gradient, from y to x. */
function planes(
  plane: Plane,
  to: usize,
  from: usize,
  w: usize,
  bias: usize,
  act: i32,
  g: Geometry,
  turned: bool,
): void {
  const taps = <usize>g.kernelSize();
  const inBytes = (<usize>g.inPixels()) << 2,
    outBytes = (<usize>g.outPixels()) << 2;
  const toBytes = turned ? inBytes : outBytes,
    fromBytes = turned ? outBytes : inBytes;
  // Behind the channels of a slice lie those of the others.
  const toRest = (turned ? g.inImageBytes() : g.outImageBytes()) - toBytes * <usize>g.groups;
  const fromRest = (turned ? g.outImageBytes() : g.inImageBytes()) - fromBytes * <usize>g.groups;
  for (let n: i32 = 0; n < g.batch; n++) {
    for (let c: usize = 0; c < <usize>g.groups; c++) {
      beat();
      const weights = w + ((c * taps) << 2);
      for (let t: usize = 0; t < taps; t++)
        store<f32>(plane.weight(t), load<f32>(weights + ((turned ? taps - 1 - t : t) << 2)));
      plane.image = from;
      apply(plane, to, bias != 0 ? v128.load32_splat(bias + (c << 2)) : f32x4.splat(-0.0), act);
      to += toBytes;
      from += fromBytes;
    }
    to += toRest;
    from += fromRest;
  }
}

/** conv_backward_weight_f32 for depthwise convolutions. */
export function depthwiseBackwardWeight(dw: usize, dy: usize, x: usize, workspace: usize, g: Geometry): void {
  const plane = changetype<Plane>(workspace);
  plane.height().forward(g.axis(1));
  plane.width().forward(g.axis(2));
  plane.spread = 1;
  plane.start();
  const taps = <usize>g.kernelSize(),
    channels = <usize>g.groups;
  const inBytes = (<usize>g.inPixels()) << 2,
    outBytes = (<usize>g.outPixels()) << 2;
  for (let c: usize = 0; c < channels; c++) {
    beat();
    memory.fill(plane.sum(0), 0, taps << 4);
    for (let n: usize = 0; n < <usize>g.batch; n++) {
      plane.image = x + n * g.inImageBytes() + c * inBytes;
      collect(plane, dy + n * g.outImageBytes() + c * outBytes);
    }
    for (let t: usize = 0; t < taps; t++) {
      store<f32>(dw, horizontalSum(v128.load(plane.sum(t))));
      dw += 4;
    }
  }
}
