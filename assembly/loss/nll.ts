// Negative log likelihood, unreduced, on log-probabilities: logp[rows, classes, inner], target[rows, inner] of i32
// classes. A target equal to ignoreIndex gives a loss and a gradient of 0. weight[classes] = 0 means ones. Outputs are
// overwritten.
import { classWeight } from "./classes";

/** losses[rows, inner] = -weight[t] * logp[row, t, i], t = target[row, i] (torch.nn.functional.nll_loss). */
export function nll_forward_f32(
  losses: usize,
  logp: usize,
  target: usize,
  weight: usize,
  rows: i32,
  classes: i32,
  inner: i32,
  ignoreIndex: i32,
): void {
  const slab = (<usize>classes * <usize>inner) << 2;
  for (let row = 0; row < rows; row++, logp += slab) {
    for (let i = 0; i < inner; i++, losses += 4, target += 4) {
      const t = load<i32>(target);
      if (t == ignoreIndex) store<f32>(losses, 0);
      else store<f32>(losses, -classWeight(weight, t) * load<f32>(logp + ((<usize>t * <usize>inner + i) << 2)));
    }
  }
}

/** Reverses nll_forward_f32: dx[row, t, i] = -weight[t] * g[row, i], t = target[row, i], and 0 elsewhere. */
export function nll_backward_f32(
  dx: usize,
  g: usize,
  target: usize,
  weight: usize,
  rows: i32,
  classes: i32,
  inner: i32,
  ignoreIndex: i32,
): void {
  const slab = (<usize>classes * <usize>inner) << 2;
  memory.fill(dx, 0, <usize>rows * slab);
  for (let row = 0; row < rows; row++, dx += slab) {
    for (let i = 0; i < inner; i++, g += 4, target += 4) {
      const t = load<i32>(target);
      if (t == ignoreIndex) continue;
      store<f32>(dx + ((<usize>t * <usize>inner + i) << 2), -classWeight(weight, t) * load<f32>(g));
    }
  }
}
