// Depthwise 3x3 kernels over planes that one zero pads on each side, read where they lie: for small planes a padded
// band (band.ts) takes as long as the sums. Strides are 1, or 2 over even planes.
//
// Four columns at a time go down a plane, so that each row of them is loaded once. What lies beside them is shuffled
// in, and the last four columns may overlap those before: they come out the same again.
import { Geometry } from "../geometry";
import { input2, outputs1, outputs2 } from "./plane-outputs";
import { Beside } from "./plane-rows";
import { sums1, sums2 } from "./plane-sums";

/** y of a plane and, `turned`, dx from g. */
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
    n = g.axis(2).outputs;
  const beside = changetype<Beside>(workspace);
  if (g.axis(2).stride == 1) outputs1(to, from, turned ? w + 32 : w, turned ? <usize>-4 : 4, h, n, bias, act, beside);
  else if (turned) input2(to, from, w, h, n, bias, beside);
  else outputs2(to, from, w, h, n, bias, act, beside);
}

/** Before planeSums: a row of zeros in the workspace. */
export function clearRow(workspace: usize, g: Geometry): void {
  memory.fill(changetype<Beside>(workspace).row() - 16, 0, ((<usize>g.axis(2).size) << 2) + 16);
}

/** Adds the gradient of the nine taps by a plane to dw. */
export function planeSums(dw: usize, dy: usize, x: usize, workspace: usize, g: Geometry): void {
  const zero = changetype<Beside>(workspace).row();
  if (g.axis(2).stride == 1) sums1(dw, dy, x, g.axis(1).outputs, g.axis(2).outputs, zero);
  else sums2(dw, dy, x, g.axis(1).outputs, g.axis(2).outputs, zero);
}
