// The loops that a JavaScript programmer writes: Float32Array in, Float32Array out, no library.
import {
  ADAM,
  type ConvProblem,
  DROPOUT,
  type GemmProblem,
  isStepped,
  isTableStep,
  LAYER_NORM_EPS,
  type LinearProblem,
  type OpProblem,
  outputsOf,
  type Run,
  type Side,
} from '../problems.ts';

/** C = A·B in the order of loops that walks memory forwards. */
function multiply({ layout, m, n, k, a, b }: GemmProblem, c: Float32Array): void {
  if (layout === 'NT') {
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let p = 0; p < k; p++) sum += (a[i * k + p] as number) * (b[j * k + p] as number);
        c[i * n + j] = sum;
      }
    return;
  }
  const [row, column] = layout === 'TN' ? [1, m] : [k, 1];
  c.fill(0);
  for (let i = 0; i < m; i++)
    for (let p = 0; p < k; p++) {
      const value = a[i * row + p * column] as number;
      for (let j = 0, at = i * n, from = p * n; j < n; j++, at++, from++)
        c[at] = (c[at] as number) + value * (b[from] as number);
    }
}

function dense({ rows, inner, out, x, weight, bias }: LinearProblem, y: Float32Array): void {
  for (let i = 0; i < rows; i++)
    for (let o = 0; o < out; o++) {
      let sum = bias[o] as number;
      for (let p = 0; p < inner; p++) sum += (x[i * inner + p] as number) * (weight[o * inner + p] as number);
      y[i * out + o] = sum > 0 ? sum : 0;
    }
}

/** All three directions are one nest of loops, which runs along the rows of the result. */
// biome-ignore lint/complexity/noExcessiveCognitiveComplexity: plain loops are what this peer stands for
function convolve(problem: ConvProblem, out: Float32Array): void {
  const { direction, n, channels, height, width, filters, kernel, stride, padding, groups, x, weight, g } = problem;
  const [rows, cols] = outputsOf(problem);
  const [inner, outer] = [channels / groups, filters / groups];
  out.fill(0);
  for (let b = 0; b < n; b++)
    for (let o = 0; o < filters; o++)
      for (let c = 0; c < inner; c++) {
        const image = (b * channels + Math.floor(o / outer) * inner + c) * height;
        for (let ky = 0; ky < kernel; ky++)
          for (let kx = 0; kx < kernel; kx++) {
            const tap = ((o * inner + c) * kernel + ky) * kernel + kx;
            const w = weight[tap] as number;
            // The results for which this tap lies in the image.
            const start = Math.max(0, Math.ceil((padding - kx) / stride));
            const end = Math.min(cols, Math.floor((width - 1 + padding - kx) / stride) + 1);
            let sum = 0;
            for (let p = 0; p < rows; p++) {
              const i = p * stride - padding + ky;
              if (i < 0 || i >= height) continue;
              const to = ((b * filters + o) * rows + p) * cols;
              const from = (image + i) * width - padding + kx;
              if (direction === 'forward')
                for (let q = start; q < end; q++)
                  out[to + q] = (out[to + q] as number) + w * (x[from + q * stride] as number);
              else if (direction === 'dInput')
                for (let q = start; q < end; q++)
                  out[from + q * stride] = (out[from + q * stride] as number) + w * (g[to + q] as number);
              else for (let q = start; q < end; q++) sum += (g[to + q] as number) * (x[from + q * stride] as number);
            }
            if (direction === 'dWeight') out[tap] = (out[tap] as number) + sum;
          }
      }
}

/** Softmax of one row, in place in `y`. */
function softmaxRow(x: Float32Array, y: Float32Array, from: number, cols: number): void {
  let max = Number.NEGATIVE_INFINITY;
  for (let j = from; j < from + cols; j++) max = Math.max(max, x[j] as number);
  let sum = 0;
  for (let j = from; j < from + cols; j++) {
    const e = Math.exp((x[j] as number) - max);
    y[j] = e;
    sum += e;
  }
  for (let j = from; j < from + cols; j++) y[j] = (y[j] as number) / sum;
}

function layerNormRow(x: Float32Array, y: Float32Array, from: number, weight: Float32Array, bias: Float32Array): void {
  const { length } = weight;
  let sum = 0;
  for (let j = 0; j < length; j++) sum += x[from + j] as number;
  const mean = sum / length;
  let squares = 0;
  for (let j = 0; j < length; j++) squares += ((x[from + j] as number) - mean) ** 2;
  const scale = 1 / Math.sqrt(squares / length + LAYER_NORM_EPS);
  for (let j = 0; j < length; j++)
    y[from + j] = ((x[from + j] as number) - mean) * scale * (weight[j] as number) + (bias[j] as number);
}

/** The loss, and its gradient where `dx` is given. */
function crossEntropy({ rows, cols, x, target }: OpProblem, dx: Float32Array | null): number {
  const p = dx ?? new Float32Array(cols);
  let loss = 0;
  for (let i = 0; i < rows; i++) {
    const from = i * cols;
    const at = (target as Int32Array)[i] as number;
    if (dx) softmaxRow(x, p, from, cols);
    else softmaxRow(x.subarray(from, from + cols), p, 0, cols);
    loss -= Math.log(p[dx ? from + at : at] as number);
    if (!dx) continue;
    dx[from + at] = (dx[from + at] as number) - 1;
    for (let j = from; j < from + cols; j++) dx[j] = (dx[j] as number) / rows;
  }
  return loss / rows;
}

/** y[i] = f(i) into an array of its own that is made once. */
function loop(n: number, solve: (y: Float32Array) => void): Run {
  const y = new Float32Array(n);
  return {
    answer: () => {
      solve(y);
      return y.slice();
    },
    run: () => solve(y),
  };
}

function adam({ x, y }: OpProblem): Run {
  const g = y as Float32Array;
  const p = x.slice();
  const [m, v] = [new Float32Array(p.length), new Float32Array(p.length)];
  const [beta1, beta2] = ADAM.betas;
  let t = 0;
  const run = (): void => {
    t++;
    const rate = ADAM.lr / (1 - beta1 ** t);
    const correction = Math.sqrt(1 - beta2 ** t);
    for (let i = 0; i < p.length; i++) {
      const gi = g[i] as number;
      const mi = beta1 * (m[i] as number) + (1 - beta1) * gi;
      const vi = beta2 * (v[i] as number) + (1 - beta2) * gi * gi;
      m[i] = mi;
      v[i] = vi;
      p[i] = (p[i] as number) - (rate * mi) / (Math.sqrt(vi) / correction + ADAM.eps);
    }
  };
  return {
    answer: () => {
      for (let step = 0; step < ADAM.steps; step++) run();
      return p.slice();
    },
    run,
  };
}

function op(problem: OpProblem): Run | null {
  const { rows, cols, x, y: second, weight, bias } = problem;
  const n = rows * cols;
  const other = second as Float32Array;
  if (isStepped(problem.op) || isTableStep(problem.op)) return null;
  switch (problem.op) {
    case 'add':
      return loop(n, (y) => {
        for (let i = 0; i < n; i++) y[i] = (x[i] as number) + (other[i] as number);
      });
    case 'bias+relu':
      return loop(n, (y) => {
        for (let i = 0, at = 0; i < rows; i++)
          for (let j = 0; j < cols; j++, at++)
            y[at] = Math.max(0, (x[at] as number) + ((bias as Float32Array)[j] as number));
      });
    case 'sum':
      return loop(1, (y) => {
        let sum = 0;
        for (let i = 0; i < n; i++) sum += x[i] as number;
        y[0] = sum;
      });
    case 'exp':
      return loop(n, (y) => {
        for (let i = 0; i < n; i++) y[i] = Math.exp(x[i] as number);
      });
    case 'tanh':
      return loop(n, (y) => {
        for (let i = 0; i < n; i++) y[i] = Math.tanh(x[i] as number);
      });
    case 'sigmoid':
      return loop(n, (y) => {
        for (let i = 0; i < n; i++) y[i] = 1 / (1 + Math.exp(-(x[i] as number)));
      });
    case 'softmax':
      return loop(n, (y) => {
        for (let i = 0; i < rows; i++) softmaxRow(x, y, i * cols, cols);
      });
    case 'layerNorm':
      return loop(n, (y) => {
        for (let i = 0; i < rows; i++) layerNormRow(x, y, i * cols, weight as Float32Array, bias as Float32Array);
      });
    case 'dropout':
      return loop(n, (y) => {
        for (let i = 0; i < n; i++) y[i] = Math.random() < DROPOUT ? 0 : (x[i] as number) / (1 - DROPOUT);
      });
    case 'crossEntropy':
      return loop(1, (y) => {
        y[0] = crossEntropy(problem, null);
      });
    case 'crossEntropy gradient':
      return loop(n, (y) => void crossEntropy(problem, y));
    case 'sort':
      return loop(n, (y) => {
        y.set(x);
        for (let i = 0; i < rows; i++) y.subarray(i * cols, (i + 1) * cols).sort();
      });
    case 'topk':
    case 'scatter amax':
      return null;
    case 'cummax':
      return loop(n, (y) => {
        for (let i = 0; i < n; i++)
          y[i] = i % cols === 0 ? (x[i] as number) : Math.max(y[i - 1] as number, x[i] as number);
      });
    case 'relu gradient':
      return loop(n, (y) => {
        for (let i = 0; i < n; i++) y[i] = (x[i] as number) > 0 ? (other[i] as number) : 0;
      });
    case 'embedding': {
      const taken = problem.target as Int32Array;
      return loop(taken.length * cols, (y) => {
        for (const [j, row] of taken.entries()) y.set(x.subarray(row * cols, (row + 1) * cols), j * cols);
      });
    }
    case 'embedding gradient': {
      const taken = problem.target as Int32Array;
      return loop(n, (y) => {
        y.fill(0);
        for (const [j, row] of taken.entries())
          for (let i = 0; i < cols; i++)
            y[row * cols + i] = (y[row * cols + i] as number) + (other[j * cols + i] as number);
      });
    }
    case 'Adam':
      return adam(problem);
    case 'gelu':
      return null; // JavaScript has no erf
  }
}

/** Whose shape the result of a convolution has. */
const RESULT = { forward: 'g', dInput: 'x', dWeight: 'weight' } as const;

export async function load(): Promise<Side> {
  return {
    name: 'plain',
    version: 'loops over Float32Array',
    prepare: (problem) => {
      if (problem.kind === 'gemm') return loop(problem.m * problem.n, (c) => multiply(problem, c));
      if (problem.kind === 'linear') return loop(problem.rows * problem.out, (y) => dense(problem, y));
      if (problem.kind === 'conv')
        return loop(problem[RESULT[problem.direction]].length, (out) => convolve(problem, out));
      return problem.kind === 'op' ? op(problem) : null;
    },
  };
}
