// Steps of a few rows of a parameter, for gradients that name them (torch.optim with sparse gradients). Formulas are
// those of the whole steps; hyper.ts says what step and hyper hold.
import { adagrad_step_f32 } from "./adagrad";
import { moments } from "./adam";
import { fading, hyperAt, LR } from "./hyper";
import { sgd_step_f32 } from "./sgd";

/** Which optimizer steps. */
const SGD: i32 = 0;
const ADAGRAD: i32 = 1;

/**
 * The step of row index[j] of p[n, width] by g[j], for j from 0 to the first index that names no row; or to the last of
 * m. rule: SGD, Adagrad with the sums a, or SparseAdam with the averages a and b:
 * p -= lr * sqrt(1 - beta2^t) / (1 - beta1^t) * a / (sqrt(b) + eps). SGD with momentum a steps all rows, by the last
 * row of g, which is zeros, where the index, which ascends, does not name one. Of a row, `inner` columns are stepped.
 */
export function step_rows_f32(
  p: usize,
  g: usize,
  a: usize,
  b: usize,
  index: usize,
  step: usize,
  hyper: usize,
  n: i32,
  m: i32,
  inner: i32,
  width: i32,
  rule: i32,
): void {
  const row = (<usize>width) << 2,
    none = g + <usize>(m - 1) * row;
  if (rule == SGD && a) {
    for (let r = 0; r < n; r++, p += row, a += row) {
      const named = load<i32>(index) == r;
      sgd_step_f32(p, named ? g : none, a, step, hyper, inner);
      if (named && g < none) {
        g += row;
        index += 4;
      }
    }
    return;
  }
  const size = <f32>((<f64>hyperAt(hyper, LR) * sqrt(1 - fading(hyper, 4, step))) / (1 - fading(hyper, 3, step)));
  for (let j = 0; j < m; j++, g += row, index += 4) {
    const r = load<i32>(index);
    if (<u32>r >= <u32>n) return;
    const at = <usize>r * row;
    if (rule == SGD || !a) sgd_step_f32(p + at, g, 0, step, hyper, inner);
    else if (rule == ADAGRAD || !b) adagrad_step_f32(p + at, g, a + at, step, hyper, inner);
    else moments(p + at, p + at, g, a + at, b + at, 0, hyper, inner, 0, 1, size, 0, 1, hyperAt(hyper, 5));
  }
}
