// Convolutions of few channels on one side, of NCHW images: a product with im2col would have too few rows, or too few
// steps, to be worth its packing. All channels that are read lie padded in a band; sums stay in registers.
import { ACT_NONE } from "../../gemm/epilogue";
import { horizontalSum } from "../../lanes";
import { beat } from "../../program/threads";
import { Geometry, Phase, readForward, Window } from "../geometry";
import { ConvAlgorithm } from "../select";
import { storeDirect } from "./outputs";
import { Direct, PHASE_BYTES } from "./plan";
import { addDirect } from "./sums";
import { storeWinograd, transformWeights } from "./winograd";

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
  const isWinograd = d.algorithm == ConvAlgorithm.WINOGRAD_ROWS;
  if (d.algorithm != ConvAlgorithm.DIRECT && band.most > 4) band.most &= ~3; // rows come in fours
  if (isWinograd) transformWeights(d, w);
  for (; n > 0; n--, to += toImage, from += fromImage) {
    beat();
    for (let o: i32 = 0; o < h.outputs; o += band.most) {
      let rows = min(band.most, h.outputs - o);
      if (isWinograd && rows < 4) {
        // Four at least.
        o -= 4 - rows;
        rows = 4;
      }
      d.read(from, fromBytes, o, rows);
      if (isWinograd) storeWinograd(d, to + <usize>o * line, rows, bias);
      else if (d.apart == 0) storeDirect(d, to + <usize>o * line, rows, w, bias);
      else {
        storeDirect(d, d.together(), rows, w, bias);
        spread(d, to + <usize>o * d.rowApart, rows);
      }
    }
  }
}

/** Takes `rows` rows of all results to their places, which lie apart. */
function spread(d: Direct, to: usize, rows: i32): void {
  const n = d.band().width().outputs;
  for (let c: usize = 0; c < <usize>d.results; c++, to += d.planeApart) {
    let from = d.together() + c * d.resultBytes;
    for (let r: usize = 0; r < <usize>rows; r++) {
      let at = to + r * d.rowApart;
      for (let i: i32 = 0; i < n; i++, at += d.apart, from += 4) store<f32>(at, load<f32>(from));
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
  const inBytes = (<usize>g.inPixels()) << 2,
    results = <usize>g.outChannels;
  d.channels = g.inChannels;
  d.results = g.outChannels;
  d.resultBytes = (<usize>g.outPixels()) << 2;
  d.act = act;
  d.apart = 0;
  d.algorithm = algorithm;
  readForward(band.height(), g, 1);
  band.spread = 1;
  d.layOut();
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

/** conv_backward_input_f32, phase by phase of the strides. */
export function directBackwardInput(
  dx: usize,
  dy: usize,
  w: usize,
  bias: usize,
  algorithm: i32,
  workspace: usize,
  g: Geometry,
): void {
  const d = changetype<Direct>(workspace);
  const height = g.axis(1),
    width = g.axis(2);
  const outBytes = (<usize>g.outPixels()) << 2,
    lineBytes = (<usize>width.size) << 2,
    results = <usize>g.inChannels,
    weights = (<usize>(g.outChannels * g.inChannels * g.kernelSize())) << 2;
  d.channels = g.outChannels;
  d.results = g.inChannels;
  d.planeApart = lineBytes * <usize>height.size;
  d.act = ACT_NONE;
  d.algorithm = algorithm;
  d.band().spread = 1;
  for (let row: i32 = 0; row < height.stride; row++)
    for (let column: i32 = 0; column < width.stride; column++) {
      if (row >= height.size || column >= width.size) continue;
      const first = layOutPhase(d, g, row, column);
      for (let group: usize = 0; group < <usize>g.groups; group++) {
        packPhase(d, g, w + group * weights + first);
        writeImages(
          d,
          dx + group * results * d.planeApart + <usize>row * lineBytes + ((<usize>column) << 2),
          g.inImageBytes(),
          dy + group * <usize>g.outChannels * outBytes,
          g.outImageBytes(),
          outBytes,
          d.sums(),
          bias != 0 ? bias + ((group * results) << 2) : 0,
          g.batch,
        );
      }
    }
}

/** Lays out the elements of a phase of both axes; answers where the first tap is that reaches them, from the left. */
function layOutPhase(d: Direct, g: Geometry, row: i32, column: i32): usize {
  const band = d.band(),
    h = band.height(),
    w = band.width();
  const height = g.axis(1),
    width = g.axis(2);
  const phase = changetype<Phase>(band.scratch());
  phase.backward(h, height, row);
  let first = turn(h, phase) * width.kernel;
  phase.backward(w, width, column);
  first += turn(w, phase);
  d.layOut();
  d.apart = 0;
  d.resultBytes = d.planeApart;
  if (height.stride != 1 || width.stride != 1) {
    d.apart = (<usize>width.stride) << 2;
    d.rowApart = (<usize>(height.stride * width.size)) << 2;
    band.most = min(band.most, max(PHASE_BYTES / ((w.outputs * g.inChannels) << 2), 1));
    d.resultBytes = (<usize>(band.most * w.outputs)) << 2;
  }
  return (<usize>first) << 2;
}

/** Turns the taps of a window around, so that they count upwards; answers with the first of them in the kernel. */
function turn(window: Window, phase: Phase): i32 {
  const last = window.taps - 1;
  window.shift += last * window.step;
  window.step = -window.step;
  return phase.firstTap + last * phase.tapStep;
}

/** Takes the weights of a phase together, from the first one on downwards. */
function packPhase(d: Direct, g: Geometry, first: usize): void {
  const h = d.band().height(),
    w = d.band().width();
  const kernel = (<usize>g.kernelSize()) << 2,
    step = (<usize>g.axis(2).stride) << 2,
    rowStep = (<usize>(g.axis(1).stride * g.axis(2).kernel)) << 2;
  let to = d.sums();
  for (let i: i32 = 0; i < d.results; i++)
    for (let c: i32 = 0; c < d.channels; c++) {
      let row = first + <usize>(c * d.results + i) * kernel;
      for (let r = h.taps; r > 0; r--, row -= rowStep) {
        let at = row;
        for (let t = w.taps; t > 0; t--, at -= step, to += 4) store<f32>(to, load<f32>(at));
      }
    }
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
  readForward(h, g, 1);
  band.spread = 1;
  d.layOut();
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
