// Whether an answer is right. References are computed in f64; large answers are held against them in places.
import { positions } from '../../reference/gradcheck.ts';
import type { Check } from '../problems.ts';

export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
}

/** Compares one number; null where it is near enough. */
function differs(actual: number, expected: number, { relative, absolute }: Tolerance): boolean {
  return !(Math.abs(actual - expected) <= relative * Math.abs(expected) + absolute);
}

const report = (i: number, actual: number, expected: number): string =>
  `position ${i}: got ${actual}, expected ${expected}`;

const wrongLength = (answer: Float32Array, n: number): string | null =>
  answer.length === n ? null : `${answer.length} numbers where ${n} were expected`;

/** About as many places as this are looked at in an answer. */
const PLACES = 1 << 16;

/**
 * Every element where they are few, else every so many (a number coprime to vectors and rows), the first and the last.
 */
export function checkElements(
  n: number,
  reference: (i: number) => number,
  tolerance: Tolerance,
  places = PLACES,
): Check {
  const step = n <= places ? 1 : Math.floor(n / places) | 1;
  return (answer) => {
    const length = wrongLength(answer, n);
    if (length) return length;
    const wrong = (i: number): string | null => {
      const [actual, expected] = [answer[i] as number, reference(i)];
      return differs(actual, expected, tolerance) ? report(i, actual, expected) : null;
    };
    for (let i = 0; i < n; i += step) {
      const found = wrong(i);
      if (found) return found;
    }
    return n > 0 ? wrong(n - 1) : null;
  };
}

/** Whole rows of [rows, cols]: all where they are few, else some spread evenly, with the first and the last. */
export function checkRows(
  rows: number,
  cols: number,
  reference: (row: number) => ArrayLike<number>,
  tolerance: Tolerance,
): Check {
  const count = Math.max(2, Math.min(rows, Math.ceil(PLACES / cols)));
  const picked = positions(rows, count);
  return (answer) => {
    const length = wrongLength(answer, rows * cols);
    if (length) return length;
    for (const row of picked) {
      const expected = reference(row);
      for (let j = 0; j < cols; j++) {
        const i = row * cols + j;
        if (differs(answer[i] as number, expected[j] as number, tolerance))
          return report(i, answer[i] as number, expected[j] as number);
      }
    }
    return null;
  };
}

/** A matrix by its elements. */
export interface Matrix {
  readonly rows: number;
  readonly cols: number;
  readonly at: (i: number, j: number) => number;
}

/** Products of more multiply-adds than this are checked in some rows and columns, and by a projection. */
const WHOLE = 1 << 21;
const LINES = 12;

/** C = f(A·B + bias), f by element. Elements of A and B are within ±1. */
export function checkProduct(
  a: Matrix,
  b: Matrix,
  { bias = () => 0, activation }: { bias?: (j: number) => number; activation?: (x: number) => number } = {},
): Check {
  const [m, n, k] = [a.rows, b.cols, a.cols];
  const element = (i: number, j: number): number => {
    let sum = bias(j);
    for (let p = 0; p < k; p++) sum += a.at(i, p) * b.at(p, j);
    return activation ? activation(sum) : sum;
  };
  // The rounding error of a sum of k products of this size is several times smaller.
  const absolute = 1e-6 + 1e-7 * k;
  const whole = m * n * k <= WHOLE;
  const rows = positions(m, whole ? m : LINES);
  const cols = positions(n, whole ? 0 : LINES);
  const project = whole || activation ? null : projection(a, b, bias, absolute);
  return (answer) => {
    const length = wrongLength(answer, m * n);
    if (length) return length;
    const wrong = (i: number, j: number): string | null => {
      const [actual, expected] = [answer[i * n + j] as number, element(i, j)];
      return differs(actual, expected, { relative: 0, absolute })
        ? `C[${i}, ${j}]: got ${actual}, expected ${expected}`
        : null;
    };
    for (const i of rows)
      for (let j = 0; j < n; j++) {
        const found = wrong(i, j);
        if (found) return found;
      }
    for (const j of cols)
      for (let i = 0; i < m; i++) {
        const found = wrong(i, j);
        if (found) return found;
      }
    return project?.(answer) ?? null;
  };
}

/** C·v = A·(B·v) for a vector v of ±1 (Freivalds 1977): sees any one wrong element, without computing C. */
function projection(a: Matrix, b: Matrix, bias: (j: number) => number, absolute: number): Check {
  const sign = (j: number): number => (Math.imul(j + 1, 0x9e3779b1) & 0x10000 ? 1 : -1);
  let shift = 0;
  for (let j = 0; j < b.cols; j++) shift += bias(j) * sign(j);
  const bv = Float64Array.from({ length: b.rows }, (_, p) => {
    let sum = 0;
    for (let j = 0; j < b.cols; j++) sum += b.at(p, j) * sign(j);
    return sum;
  });
  const expected = Float64Array.from({ length: a.rows }, (_, i) => {
    let sum = shift;
    for (let p = 0; p < a.cols; p++) sum += a.at(i, p) * (bv[p] as number);
    return sum;
  });
  const tolerance = { relative: 0, absolute: absolute * Math.sqrt(b.cols) };
  return (answer) => {
    for (let i = 0; i < a.rows; i++) {
      let sum = 0;
      for (let j = 0; j < b.cols; j++) sum += (answer[i * b.cols + j] as number) * sign(j);
      if (differs(sum, expected[i] as number, tolerance)) return `row ${i}: signed sum ${sum}, expected ${expected[i]}`;
    }
    return null;
  };
}
