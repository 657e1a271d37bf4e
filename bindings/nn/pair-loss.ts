// Losses as modules that take more than an input and a target, and distances.
import * as F from '../functional/index.ts';
import { type Arguments, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import type { MarginLossArguments } from './loss.ts';
import { Criterion } from './loss-base.ts';

const OLD = '-sizeAverage: bool|null = null, -reduce: bool|null = null, ';
const REDUCTION = "reduction: 'mean'|'sum'|'none' = 'mean'";

const ofRanking = signature(`MarginRankingLoss(margin: number = 0, ${OLD}${REDUCTION})`);
const ofRanked = signature('MarginRankingLoss.forward(input1: Tensor, input2: Tensor, target: Tensor)');
const ofCosine = signature(`CosineEmbeddingLoss(margin: number = 0, ${OLD}${REDUCTION})`);
const ofCosines = signature('CosineEmbeddingLoss.forward(input1: Tensor, input2: Tensor, target: Tensor)');
const ofTriplet = signature(
  `TripletMarginLoss(margin: number = 1, p: number = 2, eps: number = 1e-6, swap: bool = false, ${OLD}${REDUCTION})`,
);
const ofTriplets = signature('TripletMarginLoss.forward(anchor: Tensor, positive: Tensor, negative: Tensor)');
const ofDistance = signature(
  `TripletMarginWithDistanceLoss(*, distanceFunction: function|null = null, margin: number = 1, swap: bool = false, ${REDUCTION})`,
);
const ofDistances = signature(
  'TripletMarginWithDistanceLoss.forward(anchor: Tensor, positive: Tensor, negative: Tensor)',
);
const ofGaussian = signature(`GaussianNLLLoss(*, full: bool = false, eps: number = 1e-6, ${REDUCTION})`);
const ofGaussians = signature('GaussianNLLLoss.forward(x: Tensor, target: Tensor, var: Tensor|number)');
const ofCtc = signature(`CTCLoss(blank: int = 0, ${REDUCTION}, zeroInfinity: bool = false)`);
const ofSequences = signature(
  'CTCLoss.forward(logProbs: Tensor, targets: Tensor, inputLengths: Tensor|int[]|int, targetLengths: Tensor|int[]|int)',
);
const ofSimilarity = signature('CosineSimilarity(dim: int = 1, eps: number = 1e-8)');
const ofSimilarities = signature('CosineSimilarity.forward(x1: Tensor, x2: Tensor)');
const ofPairwise = signature('PairwiseDistance(p: number = 2, eps: number = 1e-6, keepdim: bool = false)');
const ofPairs = signature('PairwiseDistance.forward(x1: Tensor, x2: Tensor)');

/** One of two has to be larger: {@link functional.marginRankingLoss} (PyTorch's `nn.MarginRankingLoss`). */
export class MarginRankingLoss extends Criterion {
  /** How much larger. */
  declare margin: number;
  /** How the losses become one. */
  declare reduction: F.Reduction;

  /** A loss with a margin. */
  constructor(...args: MarginLossArguments) {
    super(F.marginRankingLoss, ofRanking, args);
  }

  /** The loss of two inputs for a target of 1 or −1. */
  forward(...args: [input1: Tensor, input2: Tensor, target: Tensor]): Tensor {
    return this.compute(ofRanked, args);
  }
}

/** Angles, to be small or large: {@link functional.cosineEmbeddingLoss} (PyTorch's `nn.CosineEmbeddingLoss`). */
export class CosineEmbeddingLoss extends Criterion {
  /** The cosine above which what is unlike counts. */
  declare margin: number;
  /** How the losses become one. */
  declare reduction: F.Reduction;

  /** A loss with a margin. */
  constructor(...args: MarginLossArguments) {
    super(F.cosineEmbeddingLoss, ofCosine, args);
  }

  /** The loss of two inputs for a target of 1 or −1. */
  forward(...args: [input1: Tensor, input2: Tensor, target: Tensor]): Tensor {
    return this.compute(ofCosines, args);
  }
}

/** What is alike near, what is not far: {@link functional.tripletMarginLoss} (PyTorch's `nn.TripletMarginLoss`). */
export class TripletMarginLoss extends Criterion {
  /** By how much the negative has to be farther away. */
  declare margin: number;
  /** The order of the norm. */
  declare p: number;
  /** Is added to each difference. */
  declare eps: number;
  /** Whether the distance from positive to negative counts where it is the smaller one. */
  declare swap: boolean;
  /** How the losses become one. */
  declare reduction: F.Reduction;

  /** A loss with a margin. */
  constructor(
    ...args: Arguments<
      [],
      [margin: number, p: number, eps: number, swap: boolean, sizeAverage: null, reduce: null, reduction: F.Reduction],
      F.TripletMarginLossOptions
    >
  ) {
    super(F.tripletMarginLoss, ofTriplet, args);
  }

  /** The loss of an anchor, what is like it and what is not. */
  forward(...args: [anchor: Tensor, positive: Tensor, negative: Tensor]): Tensor {
    return this.compute(ofTriplets, args);
  }
}

/**
 * {@link TripletMarginLoss} with a distance of one's own: {@link functional.tripletMarginWithDistanceLoss} (PyTorch's
 * `nn.TripletMarginWithDistanceLoss`).
 */
export class TripletMarginWithDistanceLoss extends Criterion {
  /** The distance; null: {@link functional.pairwiseDistance}. */
  declare distanceFunction: F.DistanceFunction | null;
  /** By how much the negative has to be farther away. */
  declare margin: number;
  /** Whether the distance from positive to negative counts where it is the smaller one. */
  declare swap: boolean;
  /** How the losses become one. */
  declare reduction: F.Reduction;

  /** A loss with a margin and a distance. */
  constructor(...args: Arguments<[], [], F.TripletMarginWithDistanceLossOptions>) {
    super(F.tripletMarginWithDistanceLoss, ofDistance, args);
  }

  /** The loss of an anchor, what is like it and what is not. */
  forward(...args: [anchor: Tensor, positive: Tensor, negative: Tensor]): Tensor {
    return this.compute(ofDistances, args);
  }
}

/**
 * The negative log-likelihood of normal numbers: {@link functional.gaussianNllLoss} (PyTorch's `nn.GaussianNLLLoss`).
 */
export class GaussianNLLLoss extends Criterion {
  /** Whether the constant term counts. */
  declare full: boolean;
  /** The least variance. */
  declare eps: number;
  /** How the losses become one. */
  declare reduction: F.Reduction;

  /** A loss of means and variances. */
  constructor(...args: Arguments<[], [], F.GaussianNllLossOptions>) {
    super(F.gaussianNllLoss, ofGaussian, args);
  }

  /** The loss of means x and variances for a target. */
  forward(...args: [x: Tensor, target: Tensor, variance: Tensor | number]): Tensor {
    return this.compute(ofGaussians, args);
  }
}

/** Targets without places in time: {@link functional.ctcLoss} (PyTorch's `nn.CTCLoss`). */
export class CTCLoss extends Criterion {
  /** The class that stands between labels. */
  declare blank: number;
  /** How the losses become one. */
  declare reduction: F.Reduction;
  /** Whether what has no way has a loss and gradient of 0. */
  declare zeroInfinity: boolean;

  /** A loss of sequences. */
  constructor(
    ...args: Arguments<[], [blank: number, reduction: F.Reduction, zeroInfinity: boolean], F.CtcLossOptions>
  ) {
    super(F.ctcLoss, ofCtc, args);
  }

  /** The loss of log-probabilities [time, n, classes], see {@link functional.ctcLoss}. */
  forward(...args: [logProbs: Tensor, targets: Tensor, inputLengths: F.Lengths, targetLengths: F.Lengths]): Tensor {
    return this.compute(ofSequences, args);
  }
}

/** The cosines of angles: {@link functional.cosineSimilarity} (PyTorch's `nn.CosineSimilarity`). */
export class CosineSimilarity extends Criterion {
  /** The dim of the vectors. */
  declare dim: number;
  /** The least length that a vector is divided by. */
  declare eps: number;

  /** A module for vectors along `dim`. */
  constructor(...args: Arguments<[], [dim: number, eps: number], F.CosineSimilarityOptions>) {
    super(F.cosineSimilarity, ofSimilarity, args);
  }

  /** The cosines of the angles between x1 and x2. */
  forward(...args: [x1: Tensor, x2: Tensor]): Tensor {
    return this.compute(ofSimilarities, args);
  }
}

/** The distances of pairs of vectors: {@link functional.pairwiseDistance} (PyTorch's `nn.PairwiseDistance`). */
export class PairwiseDistance extends Criterion {
  /** The order of the norm. */
  declare p: number;
  /** Is added to each difference. */
  declare eps: number;
  /** Whether the last dim stays. */
  declare keepdim: boolean;

  /** A module for vectors along the last dim. */
  constructor(...args: Arguments<[], [p: number, eps: number, keepdim: boolean], F.PairwiseDistanceOptions>) {
    super(F.pairwiseDistance, ofPairwise, args);
  }

  /** The distances of x1 and x2. */
  forward(...args: [x1: Tensor, x2: Tensor]): Tensor {
    return this.compute(ofPairs, args);
  }
}
