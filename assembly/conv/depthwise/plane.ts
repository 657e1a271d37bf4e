// Depthwise 3x3 kernels over planes that one zero pads on each side, read where they lie: for small planes a padded
// band (band.ts) takes as long as the sums. Strides are 1, or 2 over even planes.
//
// Four columns at a time go down a plane, so that each row of them is loaded once. What lies beside them is shuffled
// in, and the last four columns may overlap those before: they come out the same again. Each function goes over all
// planes of an image: for small ones a call takes as long as the sums.
import { Geometry } from "../geometry";
import { input2, outputs1, outputs2 } from "./plane-outputs";
import { zeroOf } from "./plane-rows";
import { sums1, sums2 } from "./plane-sums";

/** y of the planes of an image and, `turned`, dx from g. */
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
  const planes = g.groups,
    h = g.axis(1).outputs,
    n = g.axis(2).outputs;
  store<f32>(zeroOf(workspace), 0);
  if (g.axis(2).stride == 1)
    outputs1(to, from, turned ? w + 32 : w, turned ? <usize>-4 : 4, planes, h, n, bias, act, workspace);
  else if (turned) input2(to, from, w, planes, h, n, bias, workspace);
  else outputs2(to, from, w, planes, h, n, bias, act, workspace);
}

/** The gradient of the nine taps of every plane. */
export function planeSums(dw: usize, dy: usize, x: usize, workspace: usize, g: Geometry): void {
  const channels = <usize>g.inChannels,
    planes = max(g.groups, g.outChannels),
    h = g.axis(1).outputs,
    n = g.axis(2).outputs,
    plane = (<usize>g.inPixels()) << 2,
    dwApart: usize = 36 * channels,
    apart: usize = g.outChannels == 1 ? plane : 0;
  memory.fill(zeroOf(workspace), 0, 40);
  memory.fill(dw, 0, <usize>planes * dwApart);
  for (let image: usize = 0; image < <usize>g.batch; image++) {
    if (g.axis(2).stride == 1)
      for (let c: usize = 0; c < channels; c++)
        sums1(dw + 36 * c, dwApart, dy, x + c * plane, apart, planes, h, n, workspace);
    else sums2(dw, dy, x, planes, h, n, workspace);
    dy += g.outImageBytes();
    x += g.inImageBytes();
  }
}
