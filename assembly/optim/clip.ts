// Clipping gradients by their norm.
import { mapRow } from "../loops";
import { Scale } from "../ops";

/**
 * out[0] = min(1, maxNorm / (sqrt(sumOfSquares[0]) + 1e-6)), the factor of torch.nn.utils.clip_grad_norm_: 0 for an
 * infinite norm, NaN for NaN.
 */
export function clip_coefficient_f32(out: usize, sumOfSquares: usize, maxNorm: f32): void {
  store<f32>(out, min<f32>(1, maxNorm / (sqrt<f32>(load<f32>(sumOfSquares)) + 1e-6)));
}

/** x[n] *= factor[0], in place. */
export function scale_by_f32(x: usize, n: i32, factor: usize): void {
  mapRow<Scale>(x, x, 0, 0, 0, n, load<f32>(factor));
}
