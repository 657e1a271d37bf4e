// Convolution and its gradients by their definitions, in f64, one element at a time.
import { checkElements } from './check.ts';
import { type Check, type ConvProblem, outputsOf } from './problems.ts';

/** The places of an index in row-major [.., a, b, c]. */
const unravel = (i: number, a: number, b: number, c: number): [number, number, number, number] => [
  Math.floor(i / (a * b * c)),
  Math.floor(i / (b * c)) % a,
  Math.floor(i / c) % b,
  i % c,
];

/** Multiply-adds that a check may take. */
const EFFORT = 3e7;

export function checkConv(problem: ConvProblem): Check {
  const { direction, n, channels, height, width, filters, kernel, stride, padding, groups, x, weight, g } = problem;
  const [rows, cols] = outputsOf(problem);
  const [inner, outer] = [channels / groups, filters / groups];
  const nhwc = problem.kind === 'conv nhwc';
  const xAt = (b: number, c: number, i: number, j: number): number => {
    if (i < 0 || j < 0 || i >= height || j >= width) return 0;
    return x[
      nhwc ? ((b * height + i) * width + j) * channels + c : ((b * channels + c) * height + i) * width + j
    ] as number;
  };
  const wAt = (o: number, c: number, ky: number, kx: number): number =>
    weight[
      nhwc ? ((ky * kernel + kx) * inner + c) * filters + o : ((o * inner + c) * kernel + ky) * kernel + kx
    ] as number;
  const gAt = (b: number, o: number, p: number, q: number): number => {
    if (p < 0 || q < 0 || p >= rows || q >= cols) return 0;
    return g[nhwc ? ((b * rows + p) * cols + q) * filters + o : ((b * filters + o) * rows + p) * cols + q] as number;
  };
  /** Image, channel, row and column. */
  const place = (at: number, depth: number, high: number, wide: number): [number, number, number, number] => {
    if (!nhwc) return unravel(at, depth, high, wide);
    const [b, i, j, c] = unravel(at, high, wide, depth);
    return [b, c, i, j];
  };
  const from = (p: number, tap: number): number => p * stride - padding + tap;
  const taps = Array.from({ length: kernel * kernel }, (_, t) => [Math.floor(t / kernel), t % kernel] as const);

  const forward = (at: number): number => {
    const [b, o, p, q] = place(at, filters, rows, cols);
    const first = Math.floor(o / outer) * inner;
    let sum = 0;
    for (let c = 0; c < inner; c++)
      for (const [ky, kx] of taps) sum += wAt(o, c, ky, kx) * xAt(b, first + c, from(p, ky), from(q, kx));
    return sum;
  };
  // x[i] took part in y[p] with the tap i - p·stride + padding, so that p = (i + padding - tap) / stride.
  const dInput = (at: number): number => {
    const [b, c, i, j] = place(at, channels, height, width);
    const first = Math.floor(c / inner) * outer;
    let sum = 0;
    for (const [ky, kx] of taps) {
      const [p, q] = [(i + padding - ky) / stride, (j + padding - kx) / stride];
      if (!Number.isInteger(p) || !Number.isInteger(q)) continue;
      for (let o = first; o < first + outer; o++) sum += gAt(b, o, p, q) * wAt(o, c % inner, ky, kx);
    }
    return sum;
  };
  const weightPlace = (at: number): [number, number, number, number] => {
    if (!nhwc) return unravel(at, inner, kernel, kernel);
    const [ky, kx, c, o] = unravel(at, kernel, inner, filters);
    return [o, c, ky, kx];
  };
  const dWeight = (at: number): number => {
    const [o, c, ky, kx] = weightPlace(at);
    const channel = Math.floor(o / outer) * inner + c;
    let sum = 0;
    for (let b = 0; b < n; b++)
      for (let p = 0; p < rows; p++)
        for (let q = 0; q < cols; q++) sum += gAt(b, o, p, q) * xAt(b, channel, from(p, ky), from(q, kx));
    return sum;
  };

  const [element, size, terms] = {
    forward: [forward, n * filters * rows * cols, inner * taps.length],
    dInput: [dInput, x.length, outer * taps.length],
    dWeight: [dWeight, weight.length, n * rows * cols],
  }[direction] as [(at: number) => number, number, number];
  // Reduced arithmetic (Winograd) may lose some digits; 1e-4 of the size that such a sum has.
  const tolerance = { relative: 1e-4, absolute: 1e-4 * Math.sqrt(terms) + 1e-6 };
  return checkElements(size, element, tolerance, Math.ceil(EFFORT / terms));
}
