// Ops against the f64 references.
import { unary } from '../../reference/elementwise.ts';
import { crossEntropyOfRow, softmax } from '../../reference/losses.ts';
import { nd } from '../../reference/nd.ts';
import { byRow, normalized, statistics } from '../../reference/norm.ts';
import { adam, lamb, steps } from '../../reference/optimizers.ts';
import {
  ADAM,
  type Check,
  DROPOUT,
  isStepped,
  LAYER_NORM_EPS,
  type OpProblem,
  type Stepped,
  TOP,
} from '../problems.ts';
import { checkElements, checkRows, type Tolerance } from './elements.ts';

function layerNorm(values: Float32Array, weight: Float32Array, bias: Float32Array): Float64Array {
  const shape = [values.length];
  const [row, groups] = [nd(shape, values), byRow(shape, values.length)];
  return normalized(row, groups, statistics(row, groups, LAYER_NORM_EPS), nd(shape, weight), nd(shape, bias)).data;
}

/** One element after ADAM.steps steps with the gradient g each time. */
function adamElement(x: number, g: number): number {
  const [step, p] = [adam(ADAM, 1), Float64Array.of(x)];
  for (let t = 1; t <= ADAM.steps; t++) step(p, [g], t);
  return p[0] as number;
}

/** As adamElement, of SparseAdam. */
function sparseAdamElement(x: number, g: number): number {
  let state = { p: x, average: 0, square: 0 };
  for (let t = 1; t <= ADAM.steps; t++) state = steps.sparseAdam({ ...ADAM, maximize: false }, state, g, t);
  return state.p;
}

const none = { weightDecay: 0, maximize: false };
const moments = { ...none, lr: 2e-3, betas: [0.9, 0.999] as [number, number], eps: 1e-8, decoupled: false };
/** One step of the elementwise optimizers by their usual settings, and the state that they begin with. */
const RULES: Readonly<
  Record<
    Exclude<Stepped, 'LAMB'>,
    [
      state: Readonly<Record<string, number>>,
      step: (state: never, g: number, t: number) => Readonly<Record<string, number>>,
    ]
  >
> = {
  NAdam: [
    { average: 0, square: 0, product: 1 },
    (state, g, t) => steps.nadam({ ...moments, momentumDecay: 4e-3 }, state, g, t),
  ],
  RAdam: [{ average: 0, square: 0 }, (state, g, t) => steps.radam({ ...moments, lr: 1e-3 }, state, g, t)],
  Adamax: [{ average: 0, norm: 0 }, (state, g, t) => steps.adamax(moments, state, g, t)],
  Adadelta: [{ square: 0, delta: 0 }, (state, g) => steps.adadelta({ ...none, lr: 1, rho: 0.9, eps: 1e-6 }, state, g)],
  ASGD: [
    { average: 0, eta: 1e-2, mu: 1 },
    (state, g, t) => steps.asgd({ ...none, lr: 1e-2, lambd: 1e-4, alpha: 0.75, t0: 1e6 }, state, g, t),
  ],
  Rprop: [
    { previous: 0, size: 1e-2 },
    (state, g) => steps.rprop({ ...none, lr: 1e-2, etas: [0.5, 1.2], stepSizes: [1e-6, 50] }, state, g),
  ],
  Lion: [{ average: 0 }, (state, g) => steps.lion({ ...none, lr: 1e-4, betas: [0.9, 0.99] }, state, g)],
};

/** The parameter after as many steps as Adam's answer has. */
function stepped(op: Stepped, x: Float32Array, g: Float32Array): number[] {
  if (op === 'LAMB') {
    const s = { ...moments, lr: 1e-3, eps: 1e-6, weightDecay: 1e-2, biasCorrection: true };
    let state = { p: Array.from(x), average: Array.from(x, () => 0), square: Array.from(x, () => 0) };
    for (let t = 1; t <= ADAM.steps; t++) state = lamb(s, { ...state, g }, t);
    return state.p;
  }
  const [first, step] = RULES[op];
  return Array.from(x, (p, i) => {
    let state: Readonly<Record<string, number>> = { ...first, p };
    for (let t = 1; t <= ADAM.steps; t++) state = step(state as never, g[i] as number, t);
    return state.p as number;
  });
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

const EXACT: Tolerance = { relative: 0, absolute: 0 };

/** The greatest of all until each. */
function running(values: Float32Array): Float32Array {
  let most = Number.NEGATIVE_INFINITY;
  return values.map((value) => {
    most = Math.max(most, value);
    return most;
  });
}

/** Rows of zeros that have, column by column, the greatest of themselves and of the rows of x that go there. */
function greatest(x: Float32Array, target: Int32Array, cols: number): (i: number) => number {
  const result = new Float32Array(x.length);
  for (const [i, value] of x.entries()) {
    const at = (target[Math.floor(i / cols)] as number) * cols + (i % cols);
    result[at] = Math.max(result[at] as number, value);
  }
  return (i) => result[i] as number;
}

/** The gradient of a table of n numbers, of which rows were taken. */
function sumsOf(taken: Int32Array, g: Float32Array, n: number, cols: number): Float64Array {
  const sums = new Float64Array(n);
  for (const [j, r] of taken.entries())
    for (let c = 0; c < cols; c++) sums[r * cols + c] = (sums[r * cols + c] as number) + (g[j * cols + c] as number);
  return sums;
}

const NEAR: Tolerance = { relative: 2e-6, absolute: 1e-6 };

export function checkOp({ op, rows, cols, x, y, weight, bias, target }: OpProblem): Check {
  const n = rows * cols;
  const row = (i: number): Float32Array => x.subarray(i * cols, (i + 1) * cols);
  const each = (f: (i: number) => number, tolerance = NEAR): Check => checkElements(n, f, tolerance);
  const at = (values: ArrayLike<number> | undefined, i: number): number => (values as ArrayLike<number>)[i] as number;
  if (isStepped(op)) {
    const after = stepped(op, x, y as Float32Array);
    // A root of a square of a small number is as exact as that.
    return each((i) => after[i] as number, { relative: 1e-6, absolute: 2e-6 });
  }
  switch (op) {
    case 'add':
      return each((i) => at(x, i) + at(y, i));
    case 'bias+relu':
      return each((i) => Math.max(0, at(x, i) + at(bias, i % cols)));
    case 'exp':
    case 'tanh':
    case 'sigmoid':
      return each((i) => unary[op].forward(at(x, i)));
    case 'gelu':
      // Not every peer is exact in the tail.
      return each((i) => unary.gelu.forward(at(x, i)), { relative: 1e-5, absolute: 1e-5 });
    case 'embedding': {
      const taken = target as Int32Array;
      return checkElements(
        taken.length * cols,
        (i) => at(x, at(taken, Math.floor(i / cols)) * cols + (i % cols)),
        NEAR,
      );
    }
    case 'embedding gradient': {
      const sums = sumsOf(target as Int32Array, y as Float32Array, x.length, cols);
      return each((i) => at(sums, i));
    }
    case 'embedding, Adam':
    case 'embedding, SparseAdam': {
      const sums = sumsOf(target as Int32Array, y as Float32Array, x.length, cols);
      const element = op === 'embedding, Adam' ? adamElement : sparseAdamElement;
      // Rows that are not taken have no gradient and no averages: both leave them as they are.
      return each((i) => element(at(x, i), at(sums, i)), { relative: 1e-6, absolute: 1e-6 });
    }
    case 'relu gradient':
      return each((i) => (at(x, i) > 0 ? at(y, i) : 0));
    case 'Adam':
      // The step's error is relative to its size, lr, which it nearly is for any gradient.
      return each((i) => adamElement(at(x, i), at(y, i)), { relative: 1e-6, absolute: 1e-6 });
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
    case 'sort':
      return checkRows(rows, cols, (i) => row(i).slice().sort(), EXACT);
    case 'topk':
      return checkRows(rows, TOP, (i) => row(i).slice().sort().reverse().slice(0, TOP), EXACT);
    case 'cummax':
      return checkRows(rows, cols, (i) => running(row(i)), EXACT);
    case 'scatter amax':
      return checkElements(n, greatest(x, target as Int32Array, cols), EXACT);
    case 'crossEntropy': {
      let sum = 0;
      for (let i = 0; i < rows; i++) sum += crossEntropyOfRow(row(i), at(target, i))[0];
      return checkElements(1, () => sum / rows, { relative: 1e-5, absolute: 0 });
    }
    case 'crossEntropy gradient':
      return checkRows(rows, cols, (i) => crossEntropyOfRow(row(i), at(target, i))[1].map((d) => d / rows), {
        relative: 1e-4,
        absolute: 1e-9,
      });
  }
}
