// Convolutions of few channels on one side, of NCHW images: a product with im2col would have too few rows, or too few
// steps, to be worth its packing. All channels that are read lie padded in a band; sums stay in registers.
import { ACT_NONE } from "../../gemm/epilogue";
import { horizontalSum } from "../../lanes";
import { beat } from "../../program/threads";
import { Geometry } from "../geometry";
import { ConvAlgorithm } from "../select";
import { storeDirect } from "./outputs";
import { DIRECT_BYTES, Direct } from "./plan";
import { addDirect } from "./sums";

/** Writes all images: reads `from` by channels of fromBytes. bias: one value a result, or 0. */
function writeImages(
  d: Direct,
  to: usize,
  toImage: usize,
  from: usize,
  fromImage: usize,
  fromBytes: usize,
  w: usize,
  bias: usize,
  n: i32,
): void {
  const band = d.band();
  const h = band.height(),
    line = (<usize>band.width().outputs) << 2;
  if (d.byRows && band.most > 4) band.most &= ~3; // rows come in fours
  for (; n > 0; n--, to += toImage, from += fromImage) {
    beat();
    for (let o: i32 = 0; o < h.outputs; o += band.most) {
      const rows = min(band.most, h.outputs - o);
      d.read(from, fromBytes, o, rows);
      storeDirect(d, to + <usize>o * line, rows, w, bias);
    }
  }
}

/** conv_forward_f32. */
export function directForward(
  y: usize,
  x: usize,
  w: usize,
  bias: usize,
  act: i32,
  algorithm: i32,
  workspace: usize,
  g: Geometry,
): void {
  const d = changetype<Direct>(workspace),
    band = d.band();
  const taps = <usize>g.kernelSize();
  const inBytes = (<usize>g.inPixels()) << 2,
    results = <usize>g.outChannels;
  d.channels = g.inChannels;
  d.results = g.outChannels;
  d.resultBytes = (<usize>g.outPixels()) << 2;
  d.weightTap = 4;
  d.weightChannel = taps << 2;
  d.weightResult = <usize>g.inChannels * d.weightChannel;
  d.act = act;
  d.byRows = algorithm == ConvAlgorithm.DIRECT_ROWS;
  band.height().forward(g.axis(1));
  band.width().forward(g.axis(2));
  band.spread = 1;
  band.layOut(g.inChannels, DIRECT_BYTES);
  for (let group: usize = 0; group < <usize>g.groups; group++) {
    const channel = group * results;
    writeImages(
      d,
      y + channel * d.resultBytes,
      g.outImageBytes(),
      x + group * <usize>g.inChannels * inBytes,
      g.inImageBytes(),
      inBytes,
      w + channel * d.weightResult,
      bias != 0 ? bias + (channel << 2) : 0,
      g.batch,
    );
  }
}

/** conv_backward_input_f32 without strides. */
export function directBackwardInput(
  dx: usize,
  dy: usize,
  w: usize,
  bias: usize,
  algorithm: i32,
  workspace: usize,
  g: Geometry,
): void {
  const d = changetype<Direct>(workspace),
    band = d.band();
  const taps = <usize>g.kernelSize();
  const outBytes = (<usize>g.outPixels()) << 2,
    results = <usize>g.inChannels;
  d.channels = g.outChannels;
  d.results = g.inChannels;
  d.resultBytes = (<usize>g.inPixels()) << 2;
  // Taps count downwards, as the kernel is turned around.
  d.weightTap = <usize>-4;
  d.weightResult = taps << 2;
  d.weightChannel = results * d.weightResult;
  d.act = ACT_NONE;
  d.byRows = algorithm == ConvAlgorithm.DIRECT_ROWS;
  band.height().backward(g.axis(1));
  band.width().backward(g.axis(2));
  band.spread = 1;
  band.layOut(g.outChannels, DIRECT_BYTES);
  for (let group: usize = 0; group < <usize>g.groups; group++)
    writeImages(
      d,
      dx + group * results * d.resultBytes,
      g.inImageBytes(),
      dy + group * <usize>g.outChannels * outBytes,
      g.outImageBytes(),
      outBytes,
      w + group * <usize>g.outChannels * d.weightChannel + ((taps - 1) << 2),
      bias != 0 ? bias + ((group * results) << 2) : 0,
      g.batch,
    );
}

/** conv_backward_weight_f32. */
export function directBackwardWeight(dw: usize, dy: usize, x: usize, workspace: usize, g: Geometry): void {
  const d = changetype<Direct>(workspace),
    band = d.band();
  const inBytes = (<usize>g.inPixels()) << 2;
  const h = band.height(),
    w = band.width();
  d.channels = g.inChannels;
  d.results = g.outChannels;
  d.resultBytes = (<usize>g.outPixels()) << 2;
  h.forward(g.axis(1));
  w.forward(g.axis(2));
  band.spread = 1;
  band.layOut(g.inChannels, DIRECT_BYTES);
  const weights = <usize>g.outChannels * <usize>g.inChannels * <usize>g.kernelSize();
  for (let group: usize = 0; group < <usize>g.groups; group++) {
    memory.fill(d.sums(), 0, weights << 4);
    let from = x + group * <usize>g.inChannels * inBytes,
      to = dy + group * <usize>g.outChannels * d.resultBytes;
    for (let n: i32 = 0; n < g.batch; n++, from += g.inImageBytes(), to += g.outImageBytes()) {
      beat();
      for (let o: i32 = 0; o < h.outputs; o += band.most) {
        const rows = min(band.most, h.outputs - o);
        d.read(from, inBytes, o, rows);
        addDirect(d, to + ((<usize>(o * w.outputs)) << 2), rows);
      }
    }
    for (let i: usize = 0; i < weights; i++, dw += 4) store<f32>(dw, horizontalSum(v128.load(d.sums() + (i << 4))));
  }
}
