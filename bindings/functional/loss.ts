// Losses of predictions and targets of one shape.
import { familyOps, ops } from '../autograd.ts';
import { logitRows, pointwiseLossRows } from '../ops/loss.ts';
import { type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { constantFor } from './arguments.ts';
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
import { sum } from './reduction.ts';

const logitOps = familyOps(logitRows);
const pointwiseOps = familyOps(pointwiseLossRows);

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

/** Options of {@link binaryCrossEntropy}. */
export interface BceLossOptions extends LossOptions {
  /** What each loss is multiplied by, broadcast; null: 1. @defaultValue null */
  weight?: Tensor | null;
}

/** Options of {@link binaryCrossEntropyWithLogits}. */
export interface BceWithLogitsLossOptions extends BceLossOptions {
  /**
   * What the terms of positive targets are multiplied by, one number for each place of the last dim.
   * @defaultValue null
   */
  posWeight?: Tensor | null;
}

/** Options of {@link klDiv}. */
export interface KlDivLossOptions {
  /**
   * As in {@link LossOptions}; `'batchmean'` divides the sum by the first size, which is the mathematical definition.
   * @defaultValue 'mean'
   */
  reduction?: Reduction | 'batchmean';
  /** Whether the target is in logarithms, too. @defaultValue false */
  logTarget?: boolean;
}

/** A loss without a setting. */
export type LossFunction = Callable<
  [x: Tensor, target: Tensor],
  [sizeAverage: null, reduce: null, reduction: Reduction],
  LossOptions,
  Tensor,
  ['x', 'target']
>;
/* @__NO_SIDE_EFFECTS__ */
const difference = (op: string, of: 'square' | 'abs') =>
  callable<LossFunction>(
    `${op}${PAIR}${OLD}${REDUCTION}, -${WEIGHT})`,
    (x: Tensor, target: Tensor, _average: null, _reduce: null, reduction: Reduction) => {
      expectSameShape(op, x, target);
      return reduce(ops[of]({ x: ops.sub({ a: x, b: target }) }), reduction);
    },
  );

/** The squared error (x − target)². @param target of x's shape @throws ShapeError */
export const mseLoss: LossFunction = difference('mseLoss', 'square');

/** The absolute error |x − target|. @param target of x's shape @throws ShapeError */
export const l1Loss: LossFunction = difference('l1Loss', 'abs');

/**
 * (x − target)² / (2 beta) where |x − target| < beta, |x − target| − beta / 2 beyond (Girshick 2015).
 * @param target of x's shape
 */
export const smoothL1Loss = callable<
  Callable<
    [x: Tensor, target: Tensor],
    [sizeAverage: null, reduce: null, reduction: Reduction, beta: number],
    SmoothL1LossOptions,
    Tensor,
    ['x', 'target']
  >
>(
  `smoothL1Loss${PAIR}${OLD}${REDUCTION}, beta: number = 1)`,
  (x: Tensor, target: Tensor, _average: null, _reduce: null, reduction: Reduction, beta: number) =>
    reduce(pointwiseOps.smoothL1({ x, target }, { beta }), reduction),
);

/**
 * (x − target)² / 2 where |x − target| < delta, delta (|x − target| − delta / 2) beyond (Huber 1964).
 * @param target of x's shape
 */
export const huberLoss = callable<
  Callable<
    [x: Tensor, target: Tensor],
    [reduction: Reduction, delta: number],
    HuberLossOptions,
    Tensor,
    ['x', 'target']
  >
>(
  `huberLoss${PAIR}${REDUCTION}, delta: number = 1, -${WEIGHT})`,
  (x: Tensor, target: Tensor, reduction: Reduction, delta: number) =>
    reduce(pointwiseOps.huber({ x, target }, { delta }), reduction),
);

/** A loss of probabilities. */
export type BceFunction = Callable<
  [x: Tensor, target: Tensor],
  [weight: Tensor | null, sizeAverage: null, reduce: null, reduction: Reduction],
  BceLossOptions,
  Tensor,
  ['x', 'target']
>;

/* @__NO_SIDE_EFFECTS__ */
const bce = (op: string): BceFunction =>
  callable<BceFunction>(
    `${op}${PAIR}${WEIGHT}, ${OLD}${REDUCTION})`,
    (x: Tensor, target: Tensor, weight: Tensor | null, _average: null, _reduce: null, reduction: Reduction) => {
      const losses = pointwiseOps.bce({ x, target });
      return reduce(weight ? ops.mul({ a: losses, b: weight }) : losses, reduction);
    },
  );

/**
 * −(target log x + (1 − target) log(1 − x)). Its logarithms are cut off at −100, as PyTorch's;
 * {@link binaryCrossEntropyWithLogits} loses no digits and is to be preferred.
 * @param x probabilities from 0 to 1
 * @param target of x's shape, from 0 to 1
 * @throws ShapeError, DtypeError; ArgumentError where x is outside of 0 … 1
 */
export const binaryCrossEntropy: BceFunction = bce('binaryCrossEntropy');

/** {@link binaryCrossEntropy} by a shorter name, that of PyTorch's layer. */
export const bceLoss: BceFunction = bce('bceLoss');

/** A loss of logits. */
export type BceWithLogitsFunction = Callable<
  [x: Tensor, target: Tensor],
  [weight: Tensor | null, sizeAverage: null, reduce: null, reduction: Reduction, posWeight: Tensor | null],
  BceWithLogitsLossOptions,
  Tensor,
  ['x', 'target']
>;

/* @__NO_SIDE_EFFECTS__ */
const bceWithLogits = (op: string): BceWithLogitsFunction =>
  callable<BceWithLogitsFunction>(
    `${op}${PAIR}${WEIGHT}, ${OLD}${REDUCTION}, posWeight: Tensor|null = null)`,
    (
      x: Tensor,
      target: Tensor,
      weight: Tensor | null,
      _average: null,
      _reduce: null,
      reduction: Reduction,
      posWeight: Tensor | null,
    ) => {
      const losses = logitOps.bceWithLogits({ x, target, posWeight });
      return reduce(weight ? ops.mul({ a: losses, b: weight }) : losses, reduction);
    },
  );

/**
 * The binary cross-entropy of sigmoid(x) and the target, on logits: finite for all of them.
 * @param target of x's shape, from 0 to 1
 * @throws ShapeError, DtypeError
 */
export const binaryCrossEntropyWithLogits: BceWithLogitsFunction = bceWithLogits('binaryCrossEntropyWithLogits');

/** {@link binaryCrossEntropyWithLogits} by a shorter name, that of PyTorch's layer. */
export const bceWithLogitsLoss: BceWithLogitsFunction = bceWithLogits('bceWithLogitsLoss');

/** A divergence. */
export type KlDivFunction = Callable<
  [x: Tensor, target: Tensor],
  [sizeAverage: null, reduce: null, reduction: Reduction | 'batchmean', logTarget: boolean],
  KlDivLossOptions,
  Tensor,
  ['x', 'target']
>;

/* @__NO_SIDE_EFFECTS__ */
const divergence = (op: string): KlDivFunction =>
  callable<KlDivFunction>(
    `${op}${PAIR}${OLD}reduction: 'mean'|'sum'|'none'|'batchmean' = 'mean', logTarget: bool = false)`,
    (
      x: Tensor,
      target: Tensor,
      _average: null,
      _reduce: null,
      reduction: Reduction | 'batchmean',
      logTarget: boolean,
    ) => {
      expectSameShape(op, x, target);
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
      if (reduction !== 'batchmean') return reduce(losses, reduction);
      return ops.scale({ x: sum(losses) }, { alpha: 1 / (x.sizes[0] ?? 1), beta: 0 });
    },
  );

/**
 * The Kullback–Leibler divergence target · (log target − x).
 * @param x log-probabilities
 * @param target probabilities of x's shape; with `logTarget` their logarithms
 * @throws ShapeError
 */
export const klDiv: KlDivFunction = divergence('klDiv');

/** {@link klDiv} by the name of PyTorch's layer. */
export const klDivLoss: KlDivFunction = divergence('klDivLoss');
