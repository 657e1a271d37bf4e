// What answers are held against: plain loops in f64, written from the definitions and not for speed.
import { checkElements, checkRows, type Tolerance } from './check.ts';
import { ADAM, type Check, DROPOUT, LAYER_NORM_EPS, type OpProblem } from './problems.ts';

/** erf by its Taylor series near 0, and by the continued fraction of erfc beyond (Abramowitz and Stegun 7.1.5, 7.1.14). */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a < 3) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = a;
  for (let n = 60; n >= 1; n--) fraction = a + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * fraction));
}

/** Softmax of one row. */
export function softmax(row: ArrayLike<number>): Float64Array {
  const { length } = row;
  let max = Number.NEGATIVE_INFINITY;
  for (let j = 0; j < length; j++) max = Math.max(max, row[j] as number);
  const y = Float64Array.from({ length }, (_, j) => Math.exp((row[j] as number) - max));
  const sum = y.reduce((a, b) => a + b, 0);
  return y.map((value) => value / sum);
}

function layerNorm(row: ArrayLike<number>, weight: Float32Array, bias: Float32Array): Float64Array {
  const values = Float64Array.from(row);
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
  const scale = 1 / Math.sqrt(variance + LAYER_NORM_EPS);
  return values.map((x, j) => (x - mean) * scale * (weight[j] as number) + (bias[j] as number));
}

/** One element after ADAM.steps steps with the gradient g each time. */
function adam(x: number, g: number): number {
  const [beta1, beta2] = ADAM.betas;
  let [p, m, v] = [x, 0, 0];
  for (let t = 1; t <= ADAM.steps; t++) {
    m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * g * g;
    p -= (ADAM.lr * (m / (1 - beta1 ** t))) / (Math.sqrt(v / (1 - beta2 ** t)) + ADAM.eps);
  }
  return p;
}

/** Every element 0 or x / (1 - p), and as many zeros as chance allows: six standard deviations. */
function checkDropout(x: Float32Array): Check {
  return (answer) => {
    if (answer.length !== x.length) return `${answer.length} numbers where ${x.length} were expected`;
    let dropped = 0;
    for (let i = 0; i < x.length; i++) {
      const kept = (x[i] as number) / (1 - DROPOUT);
      if (answer[i] === 0) dropped++;
      else if (!(Math.abs((answer[i] as number) - kept) <= 1e-6 * Math.abs(kept)))
        return `position ${i}: got ${answer[i]}, expected 0 or ${kept}`;
    }
    const off = Math.abs(dropped - x.length * DROPOUT) / Math.sqrt(x.length * DROPOUT * (1 - DROPOUT));
    return off > 6 ? `${dropped} of ${x.length} dropped, where ${x.length * DROPOUT} were expected` : null;
  };
}

const NEAR: Tolerance = { relative: 2e-6, absolute: 1e-6 };

export function checkOp({ op, rows, cols, x, y, weight, bias, target }: OpProblem): Check {
  const n = rows * cols;
  const row = (i: number): Float32Array => x.subarray(i * cols, (i + 1) * cols);
  const each = (f: (i: number) => number, tolerance = NEAR): Check => checkElements(n, f, tolerance);
  const at = (values: ArrayLike<number> | undefined, i: number): number => (values as ArrayLike<number>)[i] as number;
  const logProbability = (i: number): number => Math.log(softmax(row(i))[at(target, i)] as number);
  switch (op) {
    case 'add':
      return each((i) => at(x, i) + at(y, i));
    case 'bias+relu':
      return each((i) => Math.max(0, at(x, i) + at(bias, i % cols)));
    case 'exp':
      return each((i) => Math.exp(at(x, i)));
    case 'tanh':
      return each((i) => Math.tanh(at(x, i)));
    case 'sigmoid':
      return each((i) => 1 / (1 + Math.exp(-at(x, i))));
    case 'gelu':
      // Not every peer is exact in the tail.
      return each((i) => (at(x, i) / 2) * (1 + erf(at(x, i) / Math.SQRT2)), { relative: 1e-5, absolute: 1e-5 });
    case 'relu gradient':
      return each((i) => (at(x, i) > 0 ? at(y, i) : 0));
    case 'Adam':
      // The step's error is relative to its size, lr, which it nearly is for any gradient.
      return each((i) => adam(at(x, i), at(y, i)), { relative: 1e-6, absolute: 1e-6 });
    case 'dropout':
      return checkDropout(x);
    case 'sum': {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += at(x, i);
      // Some peers add one element after the other in f32.
      return checkElements(1, () => sum, { relative: 1e-3, absolute: 0 });
    }
    case 'softmax':
      return checkRows(rows, cols, (i) => softmax(row(i)), { relative: 1e-5, absolute: 1e-7 });
    case 'layerNorm':
      return checkRows(rows, cols, (i) => layerNorm(row(i), weight as Float32Array, bias as Float32Array), {
        relative: 1e-5,
        absolute: 1e-5,
      });
    case 'crossEntropy': {
      let sum = 0;
      for (let i = 0; i < rows; i++) sum -= logProbability(i);
      return checkElements(1, () => sum / rows, { relative: 1e-5, absolute: 0 });
    }
    case 'crossEntropy gradient':
      return checkRows(rows, cols, (i) => softmax(row(i)).map((p, j) => (p - (j === at(target, i) ? 1 : 0)) / rows), {
        relative: 1e-4,
        absolute: 1e-9,
      });
  }
}
