// Depthwise convolutions of NCHW images: each channel has a kernel of its own, so they are no products of matrices, and
// their time is that of memory. Where the gradient of x puts zeros between the outputs, for a stride above 2, these are
// multiplied like other elements; stride2.ts is for a stride of 2, and plane.ts for most kernels of 3x3.

import { horizontalSum } from "../../lanes";
import { beat } from "../../program/threads";
import { Geometry, readForward } from "../geometry";
import { ConvAlgorithm } from "../select";
import { Band } from "./band";
import { storeOutputs } from "./outputs";
import { planeOutputs, planeSums } from "./plane";
import { inputStride2, prepareStride2 } from "./stride2";
import { addSums } from "./sums";

/** Lays the band out for the taps of forward or, `turned`, of backward. */
function prepare(band: Band, g: Geometry, turned: bool): void {
  if (turned) {
    band.height().backward(g.axis(1));
    band.width().backward(g.axis(2));
  } else readForward(band.height(), g, 1);
  band.spread = turned ? g.axis(2).stride : 1;
  band.layOut();
}

/** conv_forward_f32 and, `turned`, conv_backward_input_f32 for depthwise convolutions: to y and to dx. */
export function depthwiseOutputs(
  to: usize,
  from: usize,
  w: usize,
  bias: usize,
  act: i32,
  algorithm: i32,
  workspace: usize,
  g: Geometry,
  turned: bool,
): void {
  const band = changetype<Band>(workspace);
  if (algorithm == ConvAlgorithm.DEPTHWISE_STRIDE2) prepareStride2(band, g);
  else if (algorithm == ConvAlgorithm.DEPTHWISE) prepare(band, g, turned);
  const taps = <usize>g.kernelSize();
  const inBytes = (<usize>g.inPixels()) << 2,
    outBytes = (<usize>g.outPixels()) << 2;
  const toBytes = turned ? inBytes : outBytes,
    fromBytes = turned ? outBytes : inBytes;
  // Behind the channels of a slice lie those of the others.
  const toRest = (turned ? g.inImageBytes() : g.outImageBytes()) - toBytes * <usize>g.groups;
  const fromRest = (turned ? g.outImageBytes() : g.inImageBytes()) - fromBytes * <usize>g.groups;
  for (let n: i32 = 0; n < g.batch; n++) {
    if (algorithm == ConvAlgorithm.DEPTHWISE_PLANE) {
      planeOutputs(to, from, w, bias, act, workspace, g, turned);
      to += turned ? g.inImageBytes() : g.outImageBytes();
      from += turned ? g.outImageBytes() : g.inImageBytes();
      continue;
    }
    for (let c: usize = 0; c < <usize>g.groups; c++) {
      beat();
      const weights = w + ((c * taps) << 2),
        one = bias != 0 ? bias + (c << 2) : 0;
      band.image = from;
      if (algorithm == ConvAlgorithm.DEPTHWISE_STRIDE2) inputStride2(band, to, weights, one, g);
      else {
        for (let t: usize = 0; t < taps; t++)
          store<f32>(band.weight(t), load<f32>(weights + ((turned ? taps - 1 - t : t) << 2)));
        storeOutputs(band, to, one, act);
      }
      to += toBytes;
      from += fromBytes;
    }
    to += toRest;
    from += fromRest;
  }
}

/** conv_backward_weight_f32 for depthwise convolutions. */
export function depthwiseBackwardWeight(
  dw: usize,
  dy: usize,
  x: usize,
  algorithm: i32,
  workspace: usize,
  g: Geometry,
): void {
  if (algorithm == ConvAlgorithm.DEPTHWISE_PLANE) {
    planeSums(dw, dy, x, workspace, g);
    return;
  }
  const band = changetype<Band>(workspace);
  prepare(band, g, false);
  const taps = <usize>g.kernelSize();
  const inBytes = (<usize>g.inPixels()) << 2,
    outBytes = (<usize>g.outPixels()) << 2;
  for (let c: usize = 0; c < <usize>g.groups; c++) {
    beat();
    memory.fill(band.sum(0), 0, taps << 4);
    for (let n: usize = 0; n < <usize>g.batch; n++) {
      band.image = x + n * g.inImageBytes() + c * inBytes;
      addSums(band, dy + n * g.outImageBytes() + c * outBytes);
    }
    for (let t: usize = 0; t < taps; t++) store<f32>(dw + (t << 2), horizontalSum(v128.load(band.sum(t))));
    dw += taps << 2;
  }
}
