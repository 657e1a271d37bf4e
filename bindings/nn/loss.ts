// The losses as modules, made of the functions of functional.
import * as F from '../functional/index.ts';
import type { Arguments } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { lossBy } from './loss-base.ts';
import type { Buffer } from './parameter.ts';

const OLD = '-sizeAverage: bool|null = null, -reduce: bool|null = null, ';
const REDUCTION = "reduction: 'mean'|'sum'|'none' = 'mean'";
const WEIGHT = 'weight: Tensor|null = null';

/** What the constructor of a loss with no setting of its own takes. */
export type PlainLossArguments = Arguments<
  [],
  [sizeAverage: null, reduce: null, reduction: F.Reduction],
  F.LossOptions
>;
/** What the constructor of a loss with a margin takes. */
export type MarginLossArguments = Arguments<
  [],
  [margin: number, sizeAverage: null, reduce: null, reduction: F.Reduction],
  F.MarginLossOptions
>;
/** What the constructor of a loss with a weight takes. */
export type WeightedLossArguments = Arguments<
  [],
  [weight: Tensor | null, sizeAverage: null, reduce: null, reduction: F.Reduction],
  F.BceLossOptions
>;

/* @__NO_SIDE_EFFECTS__ */
const plain = (f: typeof F.mseLoss, name: string) => lossBy<PlainLossArguments>(f, `${name}(${OLD}${REDUCTION})`);

/** The squared error: {@link functional.mseLoss} (PyTorch's `nn.MSELoss`). */
export class MSELoss extends plain(F.mseLoss, 'MSELoss') {
  /** How the losses become one. */
  declare reduction: F.Reduction;
}

/** The absolute error: {@link functional.l1Loss} (PyTorch's `nn.L1Loss`). */
export class L1Loss extends plain(F.l1Loss, 'L1Loss') {
  /** How the losses become one. */
  declare reduction: F.Reduction;
}

/** log(1 + exp(−target · x)): {@link functional.softMarginLoss} (PyTorch's `nn.SoftMarginLoss`). */
export class SoftMarginLoss extends plain(F.softMarginLoss, 'SoftMarginLoss') {
  /** How the losses become one. */
  declare reduction: F.Reduction;
}

/** Several classes with margins: {@link functional.multilabelMarginLoss} (PyTorch's `nn.MultiLabelMarginLoss`). */
export class MultiLabelMarginLoss extends plain(F.multilabelMarginLoss, 'MultiLabelMarginLoss') {
  /** How the losses become one. */
  declare reduction: F.Reduction;
}

/** Squared near the target, linear beyond: {@link functional.smoothL1Loss} (PyTorch's `nn.SmoothL1Loss`). */
export class SmoothL1Loss extends lossBy<
  Arguments<[], [sizeAverage: null, reduce: null, reduction: F.Reduction, beta: number], F.SmoothL1LossOptions>
>(F.smoothL1Loss, `SmoothL1Loss(${OLD}${REDUCTION}, beta: number = 1)`) {
  /** How the losses become one. */
  declare reduction: F.Reduction;
  /** The error from which on it is linear. */
  declare beta: number;
}

/** Squared near the target, linear beyond: {@link functional.huberLoss} (PyTorch's `nn.HuberLoss`). */
export class HuberLoss extends lossBy<Arguments<[], [reduction: F.Reduction, delta: number], F.HuberLossOptions>>(
  F.huberLoss,
  `HuberLoss(${REDUCTION}, delta: number = 1)`,
) {
  /** How the losses become one. */
  declare reduction: F.Reduction;
  /** The error from which on it is linear. */
  declare delta: number;
}

/** The binary cross-entropy of probabilities: {@link functional.binaryCrossEntropy} (PyTorch's `nn.BCELoss`). */
export class BCELoss extends lossBy<WeightedLossArguments>(
  F.binaryCrossEntropy,
  `BCELoss(${WEIGHT}, ${OLD}${REDUCTION})`,
) {
  /** What each loss is multiplied by; or null. */
  declare weight: Buffer | null;
  /** How the losses become one. */
  declare reduction: F.Reduction;
}

/**
 * The binary cross-entropy of logits: {@link functional.binaryCrossEntropyWithLogits} (PyTorch's
 * `nn.BCEWithLogitsLoss`).
 */
export class BCEWithLogitsLoss extends lossBy<
  Arguments<
    [],
    [weight: Tensor | null, sizeAverage: null, reduce: null, reduction: F.Reduction, posWeight: Tensor | null],
    F.BceWithLogitsLossOptions
  >
>(F.binaryCrossEntropyWithLogits, `BCEWithLogitsLoss(${WEIGHT}, ${OLD}${REDUCTION}, posWeight: Tensor|null = null)`) {
  /** What each loss is multiplied by; or null. */
  declare weight: Buffer | null;
  /** How the losses become one. */
  declare reduction: F.Reduction;
  /** What the terms of positive targets are multiplied by, one number for each place of the last dim; or null. */
  declare posWeight: Buffer | null;
}

/** The Kullback–Leibler divergence: {@link functional.klDiv} (PyTorch's `nn.KLDivLoss`). */
export class KLDivLoss extends lossBy<
  Arguments<
    [],
    [sizeAverage: null, reduce: null, reduction: F.Reduction | 'batchmean', logTarget: boolean],
    F.KlDivLossOptions
  >
>(F.klDiv, `KLDivLoss(${OLD}reduction: 'mean'|'sum'|'none'|'batchmean' = 'mean', logTarget: bool = false)`) {
  /** How the losses become one. */
  declare reduction: F.Reduction | 'batchmean';
  /** Whether the target is in logarithms, too. */
  declare logTarget: boolean;
}

/** The cross-entropy of logits: {@link functional.crossEntropy} (PyTorch's `nn.CrossEntropyLoss`). */
export class CrossEntropyLoss extends lossBy<
  Arguments<
    [],
    [
      weight: Tensor | null,
      sizeAverage: null,
      ignoreIndex: number,
      reduce: null,
      reduction: F.Reduction,
      labelSmoothing: number,
    ],
    F.CrossEntropyOptions
  >
>(
  F.crossEntropy,
  `CrossEntropyLoss(${WEIGHT}, -sizeAverage: bool|null = null, ignoreIndex: int = -100, -reduce: bool|null = null, ${REDUCTION}, labelSmoothing: number = 0)`,
) {
  /** The weight of each class; or null. */
  declare weight: Buffer | null;
  /** Targets of this class count for nothing. */
  declare ignoreIndex: number;
  /** How the losses become one. */
  declare reduction: F.Reduction;
  /** The share of each target that is spread over all classes. */
  declare labelSmoothing: number;
}

/** The negative log-likelihood of log-probabilities: {@link functional.nllLoss} (PyTorch's `nn.NLLLoss`). */
export class NLLLoss extends lossBy<
  Arguments<
    [],
    [weight: Tensor | null, sizeAverage: null, ignoreIndex: number, reduce: null, reduction: F.Reduction],
    F.ClassLossOptions
  >
>(
  F.nllLoss,
  `NLLLoss(${WEIGHT}, -sizeAverage: bool|null = null, ignoreIndex: int = -100, -reduce: bool|null = null, ${REDUCTION})`,
) {
  /** The weight of each class; or null. */
  declare weight: Buffer | null;
  /** Targets of this class count for nothing. */
  declare ignoreIndex: number;
  /** How the losses become one. */
  declare reduction: F.Reduction;
}

/** The negative log-likelihood of counts: {@link functional.poissonNllLoss} (PyTorch's `nn.PoissonNLLLoss`). */
export class PoissonNLLLoss extends lossBy<
  Arguments<
    [],
    [logInput: boolean, full: boolean, sizeAverage: null, eps: number, reduce: null, reduction: F.Reduction],
    F.PoissonNllLossOptions
  >
>(
  F.poissonNllLoss,
  `PoissonNLLLoss(logInput: bool = true, full: bool = false, -sizeAverage: bool|null = null, eps: number = 1e-8, -reduce: bool|null = null, ${REDUCTION})`,
) {
  /** Whether the input is the logarithm of the rate. */
  declare logInput: boolean;
  /** Whether Stirling's term of the target counts. */
  declare full: boolean;
  /** Is added to the rate where its logarithm is taken. */
  declare eps: number;
  /** How the losses become one. */
  declare reduction: F.Reduction;
}

/** Distances, to be small or large: {@link functional.hingeEmbeddingLoss} (PyTorch's `nn.HingeEmbeddingLoss`). */
export class HingeEmbeddingLoss extends lossBy<MarginLossArguments>(
  F.hingeEmbeddingLoss,
  `HingeEmbeddingLoss(margin: number = 1, ${OLD}${REDUCTION})`,
) {
  /** How large a distance is large enough. */
  declare margin: number;
  /** How the losses become one. */
  declare reduction: F.Reduction;
}

/** One class with a margin: {@link functional.multiMarginLoss} (PyTorch's `nn.MultiMarginLoss`). */
export class MultiMarginLoss extends lossBy<
  Arguments<
    [],
    [p: number, margin: number, weight: Tensor | null, sizeAverage: null, reduce: null, reduction: F.Reduction],
    F.MultiMarginLossOptions
  >
>(F.multiMarginLoss, `MultiMarginLoss(p: number = 1, margin: number = 1, ${WEIGHT}, ${OLD}${REDUCTION})`) {
  /** The power of each term, 1 or 2. */
  declare p: number;
  /** How far the score of the right class has to be above the others. */
  declare margin: number;
  /** The weight of each class; or null. */
  declare weight: Buffer | null;
  /** How the losses become one. */
  declare reduction: F.Reduction;
}

/**
 * Several classes, each or not, on logits: {@link functional.multilabelSoftMarginLoss} (PyTorch's
 * `nn.MultiLabelSoftMarginLoss`).
 */
export class MultiLabelSoftMarginLoss extends lossBy<WeightedLossArguments>(
  F.multilabelSoftMarginLoss,
  `MultiLabelSoftMarginLoss(${WEIGHT}, ${OLD}${REDUCTION})`,
) {
  /** What each term is multiplied by; or null. */
  declare weight: Buffer | null;
  /** How the losses become one. */
  declare reduction: F.Reduction;
}
