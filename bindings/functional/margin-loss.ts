// Losses that ask for a margin.
import { familyOps, ops } from '../autograd.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { softplusRows } from '../ops/activation.ts';
import { logitRows } from '../ops/loss.ts';
import { sameShape } from '../ops/shapes.ts';
import { type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { cast, constantFor } from './arguments.ts';
import { add, clamp, div, eq, lt, mul, ne, sub, where } from './elementwise.ts';
import { gather, indexSelect, scatterAdd } from './indexing.ts';
import type { LossFunction } from './loss.ts';
import {
  expectSameShape,
  type LossOptions,
  OLD,
  PAIR,
  REDUCTION,
  type Reduction,
  reduce,
  WEIGHT,
} from './loss-parts.ts';
import { cumsum, sum } from './reduction.ts';
import { reshape, unsqueeze } from './shape.ts';

const softplusOps = familyOps(softplusRows);
const logitOps = familyOps(logitRows);

/** Options of the losses with a margin. */
export interface MarginLossOptions extends LossOptions {
  /** How far apart the two sides have to be. @defaultValue 1 for `hingeEmbeddingLoss`, else 0 */
  margin?: number;
}

/** Options of {@link multiMarginLoss}. */
export interface MultiMarginLossOptions extends LossOptions {
  /** The power of each term, 1 or 2. @defaultValue 1 */
  p?: number;
  /** How far the score of the right class has to be above the others. @defaultValue 1 */
  margin?: number;
  /** The weight of each class, f32 [classes]; null: 1. @defaultValue null */
  weight?: Tensor | null;
}

/** Options of {@link multilabelSoftMarginLoss}. */
export interface MultilabelSoftMarginLossOptions extends LossOptions {
  /** What each term is multiplied by, broadcast; null: 1. @defaultValue null */
  weight?: Tensor | null;
}

/** max(0, alpha x + beta). */
const hinge = (x: Tensor, alpha: number, beta: number): Tensor => clamp(ops.scale({ x }, { alpha, beta }), 0);

/**
 * x where the target is 1, max(0, margin − x) where it is −1, x being a distance.
 * @param target 1 or −1, broadcast with x
 * @throws ShapeError
 */
export const hingeEmbeddingLoss = callable<
  Callable<
    [x: Tensor, target: Tensor],
    [margin: number, sizeAverage: null, reduce: null, reduction: Reduction],
    MarginLossOptions,
    Tensor,
    ['x', 'target']
  >
>(
  `hingeEmbeddingLoss${PAIR}margin: number = 1, ${OLD}${REDUCTION})`,
  (x: Tensor, target: Tensor, margin: number, _average: null, _reduce: null, reduction: Reduction) =>
    reduce(add(where(ne(target, 1), hinge(x, -1, margin), 0), where(ne(target, -1), x, 0)), reduction),
);

/** A loss of two inputs and a target, which has a margin. */
export type PairedLossFunction = Callable<
  [input1: Tensor, input2: Tensor, target: Tensor],
  [margin: number, sizeAverage: null, reduce: null, reduction: Reduction],
  MarginLossOptions,
  Tensor,
  ['input1', 'input2', 'target']
>;
const TWO = `(input1: Tensor, input2: Tensor, target: Tensor, margin: number = 0, ${OLD}${REDUCTION})`;

/**
 * max(0, margin − target (input1 − input2)): input1 has to be above input2 where the target is 1, below it where it is
 * −1.
 * @param target 1 or −1, of as many dims as the inputs
 * @throws ShapeError
 */
export const marginRankingLoss = callable<PairedLossFunction>(
  `marginRankingLoss${TWO}`,
  (a: Tensor, b: Tensor, target: Tensor, margin: number, _average: null, _reduce: null, reduction: Reduction) => {
    if (a.ndim !== b.ndim || a.ndim !== target.ndim)
      throw new ShapeError(
        `marginRankingLoss: expected three tensors of as many dims, got ${[a, b, target].map((x) => formatShape(x.sizes)).join(', ')}`,
      );
    return reduce(hinge(mul(sub(a, b), target), -1, margin), reduction);
  },
);

/**
 * 1 − cos(input1, input2) where the target is 1, max(0, cos − margin) where it is −1.
 * @param input1 [n, width], or [width]
 * @param target 1 or −1, [n], or []
 * @throws ShapeError
 */
export const cosineEmbeddingLoss = callable<PairedLossFunction>(
  `cosineEmbeddingLoss${TWO}`,
  (a: Tensor, b: Tensor, target: Tensor, margin: number, _average: null, _reduce: null, reduction: Reduction) => {
    const { ndim } = target;
    if (ndim > 1 || a.ndim !== ndim + 1 || b.ndim !== ndim + 1)
      throw new ShapeError(
        `cosineEmbeddingLoss: expected inputs [n, width] and a target [n], or [width] and [], got ${[a, b, target].map((x) => formatShape(x.sizes)).join(', ')}`,
      );
    const squares = (x: Tensor): Tensor => add(sum(mul(x, x), -1), 1e-12);
    const cosine = div(sum(mul(a, b), -1), ops.sqrt({ x: mul(squares(a), squares(b)) }));
    const apart = where(eq(target, -1), hinge(cosine, 1, -margin), 0);
    return reduce(add(where(eq(target, 1), ops.scale({ x: cosine }, { alpha: -1, beta: 1 }), 0), apart), reduction);
  },
);

/**
 * log(1 + exp(−target · x)).
 * @param target 1 or −1, of x's shape
 * @throws ShapeError
 */
export const softMarginLoss = callable<LossFunction>(
  `softMarginLoss${PAIR}${OLD}${REDUCTION})`,
  (x: Tensor, target: Tensor, _average: null, _reduce: null, reduction: Reduction) => {
    expectSameShape('softMarginLoss', x, target);
    const product = ops.neg({ x: mul(x, target) });
    return reduce(softplusOps.softplus({ x: product }, { beta: 1, threshold: 20 }), reduction);
  },
);

/** x as rows [n, classes]. @throws ShapeError unless the targets fit */
function rowsOf(op: string, x: Tensor, target: Tensor, targets: (n: number, classes: number) => number[]): Tensor {
  const [n, classes] = (x.ndim === 1 ? [1, x.size] : x.sizes) as [number, number];
  const expected = x.ndim === 1 ? targets(n, classes).slice(1) : targets(n, classes);
  if (x.ndim < 1 || x.ndim > 2 || !sameShape(target.sizes, expected))
    throw new ShapeError(
      `${op}: expected an input [n, classes] or [classes] and targets that fit, got ${formatShape(x.sizes)} and ${formatShape(target.sizes)}`,
    );
  return reshape(x, [n, classes]);
}

/** One number for each row, in the shape of a batch, or of none. */
const perRow = (losses: Tensor, x: Tensor): Tensor => (x.ndim === 1 ? reshape(losses, []) : losses);

/** 1 in the columns that each row of `index` names, `value` of it where that is given, else 0. */
const marked = (x: Tensor, index: Tensor, value = constantFor(x, 1, 'f32', index.sizes)): Tensor =>
  scatterAdd(constantFor(x, 0, 'f32', x.sizes), 1, index, value);

/**
 * Σ max(0, margin − x[target] + x[i])ᵖ over the wrong classes i, over the number of classes.
 * @param x scores [n, classes], or [classes]
 * @param target i32 classes [n], or []
 * @throws ShapeError; ArgumentError for a class out of range, or p other than 1 and 2
 */
export const multiMarginLoss = callable<
  Callable<
    [x: Tensor, target: Tensor],
    [p: number, margin: number, weight: Tensor | null, sizeAverage: null, reduce: null, reduction: Reduction],
    MultiMarginLossOptions,
    Tensor,
    ['x', 'target']
  >
>(
  `multiMarginLoss${PAIR}p: number = 1, margin: number = 1, ${WEIGHT}, ${OLD}${REDUCTION})`,
  (
    x: Tensor,
    target: Tensor,
    ...[p, margin, weight, , , reduction]: [number, number, Tensor | null, null, null, Reduction]
  ) => {
    if (p !== 1 && p !== 2) throw new ArgumentError(`multiMarginLoss: expected p of 1 or 2, got ${p}`);
    const rows = rowsOf('multiMarginLoss', x, target, (n) => [n]);
    const [n, classes] = rows.sizes as [number, number];
    const flat = reshape(target, [n]);
    const index = unsqueeze(flat, 1);
    const over = hinge(sub(rows, gather(rows, 1, index)), 1, margin);
    let terms = mul(
      p === 2 ? ops.square({ x: over }) : over,
      ops.scale({ x: marked(rows, index) }, { alpha: -1, beta: 1 }),
    );
    if (weight) terms = mul(terms, unsqueeze(indexSelect(weight, 0, flat), 1));
    return reduce(perRow(ops.scale({ x: sum(terms, 1) }, { alpha: 1 / classes, beta: 0 }), x), reduction);
  },
);

/**
 * Σ max(0, 1 − (x[j] − x[i])) over the classes j that are targets and the i that are none, over the number of classes.
 * @param x scores [n, classes], or [classes]
 * @param target i32 of x's shape: the classes of each row, then −1 where there are fewer than all
 * @throws ShapeError; ArgumentError for a class out of range
 */
export const multilabelMarginLoss = callable<LossFunction>(
  `multilabelMarginLoss${PAIR}${OLD}${REDUCTION})`,
  (x: Tensor, target: Tensor, _average: null, _reduce: null, reduction: Reduction) => {
    const rows = rowsOf('multilabelMarginLoss', x, target, (n, classes) => [n, classes]);
    const classes = rows.sizes[1] as number;
    const listed = reshape(target, rows.sizes);
    const counts = eq(cumsum(lt(listed, 0), 1), 0); // up to the first that is no class
    const index = where(counts, listed, 0);
    const valid = cast(counts, 'f32');
    const wrong = cast(eq(marked(rows, index, valid), 0), 'f32');
    const over = hinge(sub(unsqueeze(gather(rows, 1, index), 2), unsqueeze(rows, 1)), -1, 1);
    const terms = mul(mul(over, unsqueeze(valid, 2)), unsqueeze(wrong, 1));
    return reduce(perRow(ops.scale({ x: sum(terms, [1, 2]) }, { alpha: 1 / classes, beta: 0 }), x), reduction);
  },
);

/**
 * The mean over the classes of −(target log σ(x) + (1 − target) log(1 − σ(x))), on logits.
 * @param x [..., classes]
 * @param target of x's shape, from 0 to 1
 * @throws ShapeError
 */
export const multilabelSoftMarginLoss = callable<
  Callable<
    [x: Tensor, target: Tensor],
    [weight: Tensor | null, sizeAverage: null, reduce: null, reduction: Reduction],
    MultilabelSoftMarginLossOptions,
    Tensor,
    ['x', 'target']
  >
>(
  `multilabelSoftMarginLoss${PAIR}${WEIGHT}, ${OLD}${REDUCTION})`,
  (x: Tensor, target: Tensor, weight: Tensor | null, _average: null, _reduce: null, reduction: Reduction) => {
    const losses = logitOps.bceWithLogits({ x, target: cast(target, 'f32'), posWeight: null });
    const weighed = weight ? mul(losses, weight) : losses;
    return reduce(ops.scale({ x: sum(weighed, -1) }, { alpha: 1 / (x.sizes.at(-1) ?? 1), beta: 0 }), reduction);
  },
);
