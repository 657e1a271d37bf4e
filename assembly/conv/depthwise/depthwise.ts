// Depthwise convolutions of NCHW images: each channel has a kernel of its own, so they are no products of matrices, and
// their time is that of memory. Where the gradient of x puts zeros between the outputs, for a stride above 2, these are
// multiplied like other elements; stride2.ts is for a stride of 2, and plane.ts for most kernels of 3x3.

import { ACT_NONE } from "../../gemm/epilogue";
import { horizontalSum } from "../../lanes";
import { beat } from "../../program/threads";
import { Geometry } from "../geometry";
import { Band } from "./band";
import { storeOutputs } from "./outputs";
import { addSums } from "./sums";

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
  const band = changetype<Band>(workspace);
  band.height().forward(g.axis(1));
  band.width().forward(g.axis(2));
  band.spread = 1;
  band.layOut();
  eachChannel(band, y, x, w, bias, act, g, false);
}

/** conv_backward_input_f32 for depthwise convolutions. */
export function depthwiseBackwardInput(
  dx: usize,
  dy: usize,
  w: usize,
  bias: usize,
  workspace: usize,
  g: Geometry,
): void {
  const band = changetype<Band>(workspace);
  band.height().backward(g.axis(1));
  band.width().backward(g.axis(2));
  band.spread = g.axis(2).stride;
  band.layOut();
  eachChannel(band, dx, dy, w, bias, ACT_NONE, g, true);
}

/** All channels of all images; `turned` for the gradient, from y to x. */
function eachChannel(
  band: Band,
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
        store<f32>(band.weight(t), load<f32>(weights + ((turned ? taps - 1 - t : t) << 2)));
      band.image = from;
      storeOutputs(band, to, bias != 0 ? bias + (c << 2) : 0, act);
      to += toBytes;
      from += fromBytes;
    }
    to += toRest;
    from += fromRest;
  }
}

/** conv_backward_weight_f32 for depthwise convolutions. */
export function depthwiseBackwardWeight(dw: usize, dy: usize, x: usize, workspace: usize, g: Geometry): void {
  const band = changetype<Band>(workspace);
  band.height().forward(g.axis(1));
  band.width().forward(g.axis(2));
  band.spread = 1;
  band.layOut();
  const taps = <usize>g.kernelSize(),
    channels = <usize>g.groups;
  const inBytes = (<usize>g.inPixels()) << 2,
    outBytes = (<usize>g.outPixels()) << 2;
  for (let c: usize = 0; c < channels; c++) {
    beat();
    memory.fill(band.sum(0), 0, taps << 4);
    for (let n: usize = 0; n < <usize>g.batch; n++) {
      band.image = x + n * g.inImageBytes() + c * inBytes;
      addSums(band, dy + n * g.outImageBytes() + c * outBytes);
    }
    for (let t: usize = 0; t < taps; t++) {
      store<f32>(dw, horizontalSum(v128.load(band.sum(t))));
      dw += 4;
    }
  }
}
