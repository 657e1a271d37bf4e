// Rows of the family `ops` for what few programs spend their time in: special functions, contractions by a text,
// distances, writes by index, draws, CTC, and the optimizers that have products or a search.
import { unary } from '../../reference/elementwise.ts';
import { erfinv } from '../../reference/special.ts';
import { checkElements, type Tolerance } from '../checks/elements.ts';
import {
  type Case,
  type Check,
  classes,
  RARE,
  type RareOp,
  type RareProblem,
  uniform,
  type Work,
} from '../problems.ts';

const NEAR: Tolerance = { relative: 1e-5, absolute: 1e-5 };

/** rows × cols of x. */
const SIZES: Readonly<Record<RareOp, { readonly quick: [number, number]; readonly full: [number, number] }>> = {
  sin: { quick: [3, 50], full: [256, 1024] },
  atan: { quick: [3, 50], full: [256, 1024] },
  erf: { quick: [3, 50], full: [256, 1024] },
  erfinv: { quick: [3, 50], full: [256, 1024] },
  einsum: { quick: [8, 5], full: [512, 64] },
  cdist: { quick: [9, 4], full: [512, 64] },
  indexPut: { quick: [8, 5], full: [4096, 128] },
  multinomial: { quick: [100, 7], full: [1024, 256] },
  ctc: { quick: [12, 5], full: [128, 32] },
  Muon: { quick: [6, 4], full: [128, 256] },
  LBFGS: { quick: [3, 5], full: [64, 256] },
};

type Numbers = ArrayLike<number>;
const at = (x: Numbers | undefined, i: number): number => (x as Numbers)[i] as number;
const dot = (n: number, a: (k: number) => number, b: (k: number) => number): number => {
  let sum = 0;
  for (let k = 0; k < n; k++) sum += a(k) * b(k);
  return sum;
};

/** Draws are right where they are classes, and as large in the mean as chance allows: six standard deviations. */
function checkDraws({ rows, cols, x }: RareProblem): Check {
  return (answer) => {
    const count = rows * RARE.draws;
    if (answer.length !== count) return `${answer.length} draws where ${count} were expected`;
    const wrong = answer.findIndex((v) => !(Number.isInteger(v) && v >= 0 && v < cols));
    if (wrong >= 0) return `draw ${wrong}: got ${answer[wrong]}, expected a class below ${cols}`;
    let [mean, variance] = [0, 0];
    for (let i = 0; i < rows; i++) {
      const weights = x.subarray(i * cols, (i + 1) * cols);
      const total = weights.reduce((a, b) => a + b, 0);
      const moment = (f: (c: number) => number): number => weights.reduce((sum, w, c) => sum + (w / total) * f(c), 0);
      const own = moment((c) => c);
      mean += own * RARE.draws;
      variance += moment((c) => (c - own) ** 2) * RARE.draws;
    }
    const off = Math.abs(answer.reduce((a, b) => a + b, 0) - mean) / Math.sqrt(variance);
    return off > 6 ? `draws are ${off.toFixed(1)} standard deviations off` : null;
  };
}

const addLogs = (...values: number[]): number => {
  const most = Math.max(...values);
  return most === Number.NEGATIVE_INFINITY ? most : most + Math.log(values.reduce((s, v) => s + Math.exp(v - most), 0));
};

/** The mean over the texts of the loss by the letter (Graves et al. 2006): x [time, texts, letters]. */
function ctc({ rows: time, cols: letters, x, target }: RareProblem): number {
  const { texts } = RARE;
  const length = (target as Int32Array).length / texts;
  let loss = 0;
  for (let n = 0; n < texts; n++) {
    const label = (s: number): number => (s % 2 === 0 ? 0 : at(target, n * length + (s >> 1)));
    const score = (t: number, s: number): number => {
      const from = (t * texts + n) * letters;
      return at(x, from + label(s)) - addLogs(...x.subarray(from, from + letters));
    };
    let alpha = Array.from({ length: 2 * length + 1 }, (_, s) => (s < 2 ? score(0, s) : Number.NEGATIVE_INFINITY));
    for (let t = 1; t < time; t++)
      alpha = alpha.map((own, s) => {
        const skips = s > 1 && label(s) !== 0 && label(s) !== label(s - 2);
        const before = [own, ...(s > 0 ? [at(alpha, s - 1)] : []), ...(skips ? [at(alpha, s - 2)] : [])];
        return addLogs(...before) + score(t, s);
      });
    loss -= addLogs(at(alpha, 2 * length), at(alpha, 2 * length - 1)) / length / texts;
  }
  return loss;
}

/** One step of Muon by its usual settings from an average of 0, [rows, cols] with rows ≤ cols or not. */
function muon({ rows, cols, x, y }: RareProblem): Float64Array {
  const [m, n] = [Math.min(rows, cols), Math.max(rows, cols)];
  // The average is (1 - 0.95) g, and what looks ahead a multiple of g: only its direction counts.
  let u = Float64Array.from({ length: m * n }, (_, i) =>
    rows <= cols ? at(y, i) : at(y, (i % n) * cols + Math.floor(i / n)),
  );
  const norm = Math.hypot(...u);
  u = u.map((v) => v / norm);
  for (let step = 0; step < 5; step++) {
    const gram = Float64Array.from({ length: m * m }, (_, i) =>
      dot(
        n,
        (k) => at(u, Math.floor(i / m) * n + k),
        (k) => at(u, (i % m) * n + k),
      ),
    );
    const mix = gram.map(
      (v, i) =>
        -4.775 * v +
        2.0315 *
          dot(
            m,
            (k) => at(gram, Math.floor(i / m) * m + k),
            (k) => at(gram, k * m + (i % m)),
          ),
    );
    u = u.map(
      (v, i) =>
        3.4445 * v +
        dot(
          m,
          (k) => at(mix, Math.floor(i / n) * m + k),
          (k) => at(u, k * n + (i % n)),
        ),
    );
  }
  const factor = 1e-3 * Math.sqrt(Math.max(1, rows / cols));
  return Float64Array.from(
    x,
    (p, i) => p * (1 - 1e-4) - factor * at(u, rows <= cols ? i : (i % cols) * n + Math.floor(i / cols)),
  );
}

function checkRare(p: RareProblem): Check {
  const { op, rows, cols, x, y, target } = p;
  const n = rows * cols;
  switch (op) {
    case 'sin':
    case 'erf':
      return checkElements(n, (i) => unary[op].forward(at(x, i)), NEAR);
    case 'atan':
      return checkElements(n, (i) => Math.atan(at(x, i)), NEAR);
    case 'erfinv':
      return checkElements(n, (i) => erfinv(at(x, i)), NEAR);
    case 'einsum': {
      const inner = rows / RARE.batch;
      const row = (b: number, i: number): number => (b * inner + i) * cols;
      return checkElements(
        rows * inner,
        (o) => {
          const [b, i, k] = [Math.floor(o / inner / inner), Math.floor(o / inner) % inner, o % inner];
          return dot(
            cols,
            (j) => at(x, row(b, i) + j),
            (j) => at(y, row(b, k) + j),
          );
        },
        { relative: 1e-4, absolute: 1e-5 },
      );
    }
    case 'cdist':
      return checkElements(
        rows * rows,
        (o) => {
          const difference = (k: number): number =>
            at(x, Math.floor(o / rows) * cols + k) - at(y, (o % rows) * cols + k);
          return Math.sqrt(dot(cols, difference, difference));
        },
        { relative: 1e-4, absolute: 1e-4 },
      );
    case 'indexPut': {
      const sums = Float64Array.from(x);
      for (const [j, r] of (target as Int32Array).entries())
        for (let c = 0; c < cols; c++) sums[r * cols + c] = at(sums, r * cols + c) + at(y, j * cols + c);
      return checkElements(n, (i) => at(sums, i), NEAR);
    }
    case 'multinomial':
      return checkDraws(p);
    case 'ctc':
      return checkElements(1, () => ctc(p), { relative: 1e-4, absolute: 0 });
    case 'Muon': {
      const after = muon(p);
      // PyTorch's products are in bf16, a hundredth of a step of up to 1e-4.
      return checkElements(n, (i) => at(after, i), { relative: 1e-6, absolute: 5e-6 });
    }
    case 'LBFGS':
      return checkElements(n, (i) => at(y, i), { relative: 0, absolute: 1e-3 });
  }
}

function problemOf(op: RareOp, rows: number, cols: number): RareProblem {
  const n = rows * cols;
  const problem = { kind: 'rare', op, rows, cols } as const;
  switch (op) {
    case 'multinomial':
      return { ...problem, x: uniform(n, 1, 0, 1) };
    case 'indexPut':
      return { ...problem, x: uniform(n, 1), y: uniform(n / 2, 2), target: classes(rows / 2, rows, 3) };
    case 'ctc': {
      const letters = classes((RARE.texts * rows) / 4, cols - 1, 2).map((letter) => letter + 1);
      return { ...problem, x: uniform(n * RARE.texts, 1, -3, 3), target: letters };
    }
    case 'einsum':
    case 'cdist':
    case 'Muon':
    case 'LBFGS':
      return { ...problem, x: uniform(n, 1), y: uniform(n, 2) };
    default:
      return { ...problem, x: uniform(n, 1, -0.99, 0.99) };
  }
}

/** What is done at least: products where there are some, or else what is read and written. */
function workOf(op: RareOp, rows: number, cols: number): Work {
  const n = rows * cols;
  const products: Partial<Record<RareOp, number>> = {
    einsum: (rows * rows * cols) / RARE.batch,
    cdist: rows * rows * cols,
    Muon: 5 * (2 * n * Math.min(rows, cols) + Math.min(rows, cols) ** 3),
  };
  if (products[op]) return { flops: 2 * (products[op] as number), unit: 'GFLOP/s' };
  return { bytes: (op === 'ctc' ? 8 * RARE.texts : 8) * n, unit: 'GB/s' };
}

export const rareCases = (quick: boolean): Case[] =>
  (Object.keys(SIZES) as RareOp[]).map((op) => {
    const [rows, cols] = SIZES[op][quick ? 'quick' : 'full'];
    return {
      name: `${op} ${rows}×${cols}`,
      work: workOf(op, rows, cols),
      make: () => {
        const problem = problemOf(op, rows, cols);
        return { problem, check: checkRare(problem) };
      },
    };
  });
