// The gradients of causal attention in f64: of the first head and of the last, the others by the same code.
import type { AttentionProblem, Check } from '../problems.ts';
import { checkElements } from './elements.ts';

/** dq + dk + dv of one head, row by row. */
function headSums({ length, width, ...problem }: AttentionProblem, head: number): Float64Array {
  const part = (x: Float32Array): Float32Array => x.subarray(head * length * width, (head + 1) * length * width);
  const [q, k, v, g] = [part(problem.q), part(problem.k), part(problem.v), part(problem.g)];
  const sums = new Float64Array(length * width);
  const scale = 1 / Math.sqrt(width);
  const dot = (a: Float32Array, i: number, b: Float32Array, j: number): number => {
    let sum = 0;
    for (let e = 0; e < width; e++) sum += (a[i * width + e] as number) * (b[j * width + e] as number);
    return sum;
  };
  const addRow = (to: number, x: Float32Array, from: number, factor: number): void => {
    for (let e = 0; e < width; e++)
      sums[to * width + e] = (sums[to * width + e] as number) + factor * (x[from * width + e] as number);
  };
  for (let i = 0; i < length; i++) {
    const scores = Array.from({ length: i + 1 }, (_, j) => scale * dot(q, i, k, j));
    const top = Math.max(...scores);
    const total = scores.reduce((sum, score) => sum + Math.exp(score - top), 0);
    const weights = scores.map((score) => Math.exp(score - top) / total);
    const slopes = weights.map((_, j) => dot(g, i, v, j));
    const mean = weights.reduce((sum, weight, j) => sum + weight * (slopes[j] as number), 0);
    for (const [j, weight] of weights.entries()) {
      const slope = scale * weight * ((slopes[j] as number) - mean);
      addRow(i, k, j, slope);
      addRow(j, q, i, slope);
      addRow(j, g, i, weight);
    }
  }
  return sums;
}

/** Of answers dq + dk + dv [heads, length, width]. */
export function checkAttention(problem: AttentionProblem): Check {
  const { heads, length, width } = problem;
  const size = length * width;
  return (answer) => {
    if (answer.length !== heads * size) return `${answer.length} numbers where ${heads * size} were expected`;
    for (const head of new Set([0, heads - 1])) {
      const sums = headSums(problem, head);
      const wrong = checkElements(size, (i) => sums[i] as number, { relative: 1e-4, absolute: 1e-4 })(
        answer.subarray(head * size, (head + 1) * size),
      );
      if (wrong) return `head ${head}: ${wrong}`;
    }
    return null;
  };
}
