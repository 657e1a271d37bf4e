// Depthwise 3x3 kernels over planes that one zero pads on each side, read where they lie: for small planes a padded
// band (band.ts) takes as long as the sums. Strides are 1, or 2 over even planes.
//
// Four columns at a time go down a plane, so that each row of them is loaded once. What lies beside them is shuffled
// in, and the last four columns may overlap those before: they come out the same again.
import { beat } from "../../program/threads";
import { Geometry } from "../geometry";
import { input2, outputs1, outputs2 } from "./plane-outputs";
import { Beside } from "./plane-rows";
import { sums1, sums2 } from "./plane-sums";

/** conv_forward_f32 and, `turned`, conv_backward_input_f32, to y and to dx. */
export function planeOutputs(
  to: usize,
  from: usize,
  w: usize,
  bias: usize,
  act: i32,
  workspace: usize,
  g: Geometry,
  turned: bool,
): void {
  const h = g.axis(1).outputs,
    n = g.axis(2).outputs,
    isUnit = g.axis(2).stride == 1;
  const beside = changetype<Beside>(workspace);
  const inBytes = (<usize>g.inPixels()) << 2,
    outBytes = (<usize>g.outPixels()) << 2;
  const toBytes = turned ? inBytes : outBytes,
    fromBytes = turned ? outBytes : inBytes;
  // Behind the channels of a slice lie those of the others.
  const toRest = (turned ? g.inImageBytes() : g.outImageBytes()) - toBytes * <usize>g.groups;
  const fromRest = (turned ? g.outImageBytes() : g.inImageBytes()) - fromBytes * <usize>g.groups;
  for (let image: i32 = 0; image < g.batch; image++) {
    for (let c: usize = 0; c < <usize>g.groups; c++) {
      beat();
      const weights = w + 36 * c,
        one = bias != 0 ? bias + (c << 2) : 0;
      if (isUnit) outputs1(to, from, turned ? weights + 32 : weights, turned ? <usize>-4 : 4, h, n, one, act, beside);
      else if (turned) input2(to, from, weights, h, n, one, beside);
      else outputs2(to, from, weights, h, n, one, act, beside);
      to += toBytes;
      from += fromBytes;
    }
    to += toRest;
    from += fromRest;
  }
}

/** conv_backward_weight_f32. */
export function planeWeights(dw: usize, dy: usize, x: usize, workspace: usize, g: Geometry): void {
  const h = g.axis(1).outputs,
    n = g.axis(2).outputs,
    isUnit = g.axis(2).stride == 1;
  const beside = changetype<Beside>(workspace);
  const inBytes = (<usize>g.inPixels()) << 2,
    outBytes = (<usize>g.outPixels()) << 2;
  const zero = beside.row();
  memory.fill(zero - 16, 0, ((<usize>g.axis(2).size) << 2) + 16);
  for (let c: usize = 0; c < <usize>g.groups; c++) {
    beat();
    v128.store(dw, f32x4.splat(0));
    v128.store(dw, f32x4.splat(0), 16);
    store<f32>(dw, 0, 32);
    for (let image: usize = 0; image < <usize>g.batch; image++) {
      const from = x + image * g.inImageBytes() + c * inBytes,
        at = dy + image * g.outImageBytes() + c * outBytes;
      if (isUnit) sums1(dw, at, from, h, n, zero);
      else sums2(dw, at, from, h, n, zero);
    }
    dw += 36;
  }
}
