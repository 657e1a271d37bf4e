// Losses.
import { familyOps, ops } from '../autograd.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { crossEntropyRows, logitRows, nllRows, pointwiseLossRows } from '../ops/loss.ts';
import { sameShape } from '../ops/shapes.ts';
import { numelOf, type Tensor } from '../tensor.ts';
import { constantFor } from './arguments.ts';
import { mean, sum } from './reduction.ts';
import { reshape, transpose } from './shape.ts';

const crossEntropyOps = familyOps(crossEntropyRows);
const nllOps = familyOps(nllRows);
const logitOps = familyOps(logitRows);
const pointwiseOps = familyOps(pointwiseLossRows);

/** How the losses of a batch become one: their mean, their sum, or not at all. */
export type Reduction = 'mean' | 'sum' | 'none';

/** Options of losses. */
export interface LossOptions {
  /** How the losses become one: their mean, their sum, or `'none'` for all of them. @defaultValue 'mean' */
  reduction?: Reduction;
}

/** Options of {@link smoothL1Loss}. */
export interface SmoothL1LossOptions extends LossOptions {
  /** The error from which on the loss is linear. @defaultValue 1 */
  beta?: number;
}

/** Options of {@link huberLoss}. */
export interface HuberLossOptions extends LossOptions {
  /** The error from which on the loss is linear. @defaultValue 1 */
  delta?: number;
}

/** Options of {@link bceLoss}. */
export interface BceLossOptions extends LossOptions {
  /** What each loss is multiplied by, broadcast; null: 1. @defaultValue null */
  weight?: Tensor | null;
}

/** Options of {@link bceWithLogitsLoss}. */
export interface BceWithLogitsLossOptions extends BceLossOptions {
  /**
   * What the terms of positive targets are multiplied by, one number for each place of the last dim.
   * @defaultValue null
   */
  posWeight?: Tensor | null;
}

/** Options of {@link klDivLoss}. */
export interface KlDivLossOptions {
  /**
   * As in {@link LossOptions}; `'batchmean'` divides the sum by the first size, which is the mathematical definition.
   * @defaultValue 'mean'
   */
  reduction?: Reduction | 'batchmean';
  /** Whether the target is in logarithms, too. @defaultValue false */
  logTarget?: boolean;
}

/** Options of {@link nllLoss}. */
export interface ClassLossOptions extends LossOptions {
  /** The weight of each class, f32 [classes]; null: 1. @defaultValue null */
  weight?: Tensor | null;
  /** Targets of this class count for nothing. @defaultValue -100 */
  ignoreIndex?: number;
}

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions extends ClassLossOptions {
  /**
   * The share from 0 to 1 of each target that is spread evenly over all classes (Szegedy et al. 2016).
   * @defaultValue 0
   */
  labelSmoothing?: number;
}

function reduce(op: string, losses: Tensor, reduction: Reduction): Tensor {
  if (reduction === 'mean') return mean(losses);
  if (reduction === 'sum') return sum(losses);
  if (reduction === 'none') return losses;
  throw new ArgumentError(`${op}: expected reduction 'mean', 'sum' or 'none', got '${reduction}'`);
}

function expectSameShape(op: string, x: Tensor, target: Tensor): void {
  if (!sameShape(x.shape, target.shape))
    throw new ShapeError(
      `${op}: expected a target of the prediction's shape ${formatShape(x.shape)}, got ${formatShape(target.shape)}; reshape one of them`,
    );
}

/** The squared error (x − target)². @param target of x's shape @throws ShapeError */
export function mseLoss(x: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  const { reduction = 'mean' } = options;
  expectSameShape('mseLoss', x, target);
  return reduce('mseLoss', ops.square({ x: ops.sub({ a: x, b: target }) }), reduction);
}

/** The absolute error |x − target|. @param target of x's shape @throws ShapeError */
export function l1Loss(x: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  const { reduction = 'mean' } = options;
  expectSameShape('l1Loss', x, target);
  return reduce('l1Loss', ops.abs({ x: ops.sub({ a: x, b: target }) }), reduction);
}

/**
 * (x − target)² / (2 beta) where |x − target| < beta, |x − target| − beta / 2 beyond (Girshick 2015).
 * @param target of x's shape
 */
export function smoothL1Loss(x: Tensor, target: Tensor, options: SmoothL1LossOptions = {}): Tensor {
  const { reduction = 'mean', beta = 1 } = options;
  return reduce('smoothL1Loss', pointwiseOps.smoothL1({ x, target }, { beta }), reduction);
}

/**
 * (x − target)² / 2 where |x − target| < delta, delta (|x − target| − delta / 2) beyond (Huber 1964).
 * @param target of x's shape
 */
export function huberLoss(x: Tensor, target: Tensor, options: HuberLossOptions = {}): Tensor {
  const { reduction = 'mean', delta = 1 } = options;
  return reduce('huberLoss', pointwiseOps.huber({ x, target }, { delta }), reduction);
}

/**
 * The binary cross-entropy −(target log x + (1 − target) log(1 − x)). Its logarithms are cut off at −100, as PyTorch's;
 * {@link bceWithLogitsLoss} loses no digits and is to be preferred.
 * @param x probabilities from 0 to 1
 * @param target of x's shape, from 0 to 1
 * @throws ShapeError, DtypeError; ArgumentError where x is outside of 0 … 1
 */
export function bceLoss(x: Tensor, target: Tensor, options: BceLossOptions = {}): Tensor {
  const { reduction = 'mean', weight = null } = options;
  const losses = pointwiseOps.bce({ x, target });
  return reduce('bceLoss', weight ? ops.mul({ a: losses, b: weight }) : losses, reduction);
}

/**
 * The binary cross-entropy of sigmoid(x) and the target, on logits: finite for all of them.
 * @param target of x's shape, from 0 to 1
 * @throws ShapeError, DtypeError
 */
export function bceWithLogitsLoss(x: Tensor, target: Tensor, options: BceWithLogitsLossOptions = {}): Tensor {
  const { reduction = 'mean', weight = null, posWeight = null } = options;
  const losses = logitOps.bceWithLogits({ x, target, posWeight });
  return reduce('bceWithLogitsLoss', weight ? ops.mul({ a: losses, b: weight }) : losses, reduction);
}

/**
 * The Kullback–Leibler divergence target · (log target − x).
 * @param x log-probabilities
 * @param target probabilities of x's shape; with `logTarget` their logarithms
 * @throws ShapeError
 */
export function klDivLoss(x: Tensor, target: Tensor, options: KlDivLossOptions = {}): Tensor {
  const { reduction = 'mean', logTarget = false } = options;
  expectSameShape('klDivLoss', x, target);
  let losses: Tensor;
  if (logTarget) losses = ops.mul({ a: ops.exp({ x: target }), b: ops.sub({ a: target, b: x }) });
  else {
    // 0 log 0 is 0: the logarithm is taken of 1 there.
    const zero = constantFor(target, 0);
    const one = constantFor(target, 1);
    const positive = ops.gt({ a: target, b: zero });
    losses = ops.sub({
      a: ops.mul({ a: target, b: ops.log({ x: ops.where({ condition: positive, a: target, b: one }) }) }),
      b: ops.mul({ a: target, b: x }),
    });
  }
  if (reduction !== 'batchmean') return reduce('klDivLoss', losses, reduction);
  return ops.scale({ x: sum(losses) }, { alpha: 1 / (x.shape[0] ?? 1), beta: 0 });
}

/** Weighted mean: the sum of the losses over the sum of their targets' weights. */
function reduceWeighted(op: string, losses: Tensor, reduction: Reduction, weights: () => Tensor): Tensor {
  if (reduction !== 'mean') return reduce(op, losses, reduction);
  return ops.div({ a: sum(losses), b: sum(weights()) });
}

/** x [n, classes, ...] as [n, classes, inner], and the shape of its targets. */
function classLayout(op: string, x: Tensor): { n: number; classes: number; inner: number; targets: number[] } {
  const [n, classes] = x.ndim === 1 ? [1, x.shape[0] as number] : (x.shape as unknown as [number, number]);
  if (x.ndim === 0) throw new ShapeError(`${op}: expected input [n, classes, ...], got a single number`);
  const targets = x.ndim === 1 ? [] : [n, ...x.shape.slice(2)];
  return { n, classes, inner: numelOf(x.shape.slice(2)), targets };
}

function expectTargets(op: string, target: Tensor, shape: readonly number[]): void {
  if (!sameShape(target.shape, shape))
    throw new ShapeError(
      `${op}: expected class targets of shape ${formatShape(shape)}, got ${formatShape(target.shape)}`,
    );
}

/**
 * The negative log-likelihood −weight[target] · x[target]. The mean is weighted: it divides by the targets' weights.
 * @param x log-probabilities [n, classes, ...] or [classes]
 * @param target i32 classes [n, ...] or []
 * @throws ShapeError, DtypeError; ArgumentError for a class out of range
 */
export function nllLoss(x: Tensor, target: Tensor, options: ClassLossOptions = {}): Tensor {
  const { reduction = 'mean', weight = null, ignoreIndex = -100 } = options;
  const { n, classes, inner, targets } = classLayout('nllLoss', x);
  expectTargets('nllLoss', target, targets);
  const flat = reshape(target, [n, inner]);
  const losses = nllOps.nll({ logp: reshape(x, [n, classes, inner]), target: flat, weight }, { ignoreIndex });
  const shaped = ops.reshape({ x: losses }, { shape: targets });
  return reduceWeighted('nllLoss', shaped, reduction, () =>
    nllOps.classWeights({ target: flat, weight }, { classes, ignoreIndex }),
  );
}

/**
 * The cross-entropy −Σ target · log softmax(x) over the classes, on logits. With classes as targets the mean is
 * weighted: it divides by the targets' weights.
 * @param x [n, classes, ...] or [classes]
 * @param target i32 classes [n, ...] or [], or f32 probabilities of x's shape
 * @throws ShapeError, DtypeError; ArgumentError for a class out of range
 */
export function crossEntropy(x: Tensor, target: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { reduction = 'mean', weight = null, ignoreIndex = -100, labelSmoothing = 0 } = options;
  const { n, classes, inner, targets } = classLayout('crossEntropy', x);
  if (target.dtype === 'f32') return probabilityCrossEntropy(x, target, { reduction, weight, labelSmoothing, n });
  expectTargets('crossEntropy', target, targets);
  // Classes last: [n, inner, classes] as rows.
  const logits =
    inner === 1
      ? reshape(x, [n, classes])
      : reshape(transpose(reshape(x, [n, classes, inner]), 1, 2), [n * inner, classes]);
  const flat = reshape(target, [n * inner]);
  const losses = crossEntropyOps.crossEntropy({ x: logits, target: flat, weight }, { ignoreIndex, labelSmoothing });
  const shaped = reduction === 'none' ? ops.reshape({ x: losses }, { shape: targets }) : losses;
  return reduceWeighted('crossEntropy', shaped, reduction, () =>
    crossEntropyOps.classWeights({ target: flat, weight }, { classes, ignoreIndex }),
  );
}

function probabilityCrossEntropy(
  x: Tensor,
  target: Tensor,
  {
    reduction,
    weight,
    labelSmoothing,
    n,
  }: { reduction: Reduction; weight: Tensor | null; labelSmoothing: number; n: number },
): Tensor {
  expectSameShape('crossEntropy', x, target);
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
    throw new ArgumentError(`crossEntropy: expected labelSmoothing from 0 to 1, got ${labelSmoothing}`);
  const dim = x.ndim === 1 ? 0 : 1;
  const classes = x.shape[dim] as number;
  const smooth =
    labelSmoothing > 0
      ? ops.scale({ x: target }, { alpha: 1 - labelSmoothing, beta: labelSmoothing / classes })
      : target;
  let terms = ops.mul({ a: ops.logSoftmax({ x }, { dim }), b: smooth });
  if (weight) {
    const shape = x.shape.map((size, d) => (d === dim ? size : 1));
    terms = ops.mul({ a: terms, b: reshape(weight, shape) });
  }
  const losses = ops.neg({ x: sum(terms, dim) });
  if (reduction !== 'mean') return reduce('crossEntropy', losses, reduction);
  // PyTorch divides by the number of targets, not by their weights.
  return ops.scale({ x: sum(losses) }, { alpha: 1 / (n * numelOf(x.shape.slice(2))), beta: 0 });
}
