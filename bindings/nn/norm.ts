// Layers that normalise.
import { familyOps, ops } from '../autograd.ts';
import * as F from '../functional/index.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { stepRows } from '../ops/optim.ts';
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import * as init from './init.ts';
import { Layer } from './layer.ts';
import { buffer, checkSizes, parameter } from './parameter.ts';

const stepOps = familyOps(stepRows);

/** Options of batch and instance normalisation. */
export interface BatchNormOptions {
  /** Added to the variance. @defaultValue 1e-5 */
  eps?: number;
  /**
   * The share of the newest batch in the running statistics; null: those of batches are the mean over all batches so
   * far, and those of instances stay. @defaultValue 0.1
   */
  momentum?: number | null;
  /** Whether it has a trained weight and bias. @defaultValue true for batches, false for instances */
  affine?: boolean;
  /** Whether it keeps running statistics for evaluation. @defaultValue true for batches, false for instances */
  trackRunningStats?: boolean;
}

/** Options of {@link GroupNorm}. */
export interface GroupNormOptions {
  /** Added to the variance. @defaultValue 1e-5 */
  eps?: number;
  /** Whether it has a trained weight and bias. @defaultValue true */
  affine?: boolean;
}

/** Options of {@link LayerNorm}. */
export interface LayerNormOptions {
  /** Added to the variance. @defaultValue 1e-5 */
  eps?: number;
  /** Whether it has a trained weight and bias. @defaultValue true */
  elementwiseAffine?: boolean;
}

/** What normalises channels: a weight and a bias for each, and running statistics. */
abstract class ChannelNorm extends Layer {
  /** [numFeatures], ones at first; or null. */
  readonly weight: Tensor | null;
  /** [numFeatures], zeros at first; or null. */
  readonly bias: Tensor | null;
  /** The running mean of each channel, [numFeatures], zeros at first; or null. */
  readonly runningMean: Tensor | null;
  /** The running variance of each channel, [numFeatures], ones at first; or null. */
  readonly runningVar: Tensor | null;
  /** Training batches so far, f32 [] where PyTorch has i64; or null. */
  readonly numBatchesTracked: Tensor | null;
  /** Added to the variance. */
  readonly eps: number;
  /** The share of the newest batch in the running statistics; null: see {@link BatchNormOptions}. */
  readonly momentum: number | null;

  /** @internal */
  constructor(numFeatures: number, options: BatchNormOptions, standard: boolean) {
    super();
    const { eps = 1e-5, momentum = 0.1, affine = standard, trackRunningStats = standard } = options;
    checkSizes(new.target.name, { numFeatures });
    this.eps = eps;
    this.momentum = momentum;
    this.weight = affine ? init.ones_(parameter([numFeatures])) : null;
    this.bias = affine ? init.zeros_(parameter([numFeatures])) : null;
    this.runningMean = trackRunningStats ? buffer([numFeatures], 0) : null;
    this.runningVar = trackRunningStats ? buffer([numFeatures], 1) : null;
    this.numBatchesTracked = trackRunningStats ? buffer([], 0) : null;
    for (const name of ['runningMean', 'runningVar', 'numBatchesTracked']) this.registerBuffer(name);
  }

  /** Whether the input's own statistics are used. @internal */
  protected get own(): boolean {
    return this.training || !this.runningMean;
  }
}

/** Batch normalisation of inputs with a number of dims among `ranks`. */
abstract class BatchNorm extends ChannelNorm {
  readonly #ranks: readonly number[];

  /** @internal */
  constructor(numFeatures: number, options: BatchNormOptions, ranks: readonly number[]) {
    super(numFeatures, options, true);
    this.#ranks = ranks;
  }

  forward(x: Tensor): Tensor {
    const { weight, bias, runningMean, runningVar, momentum, eps, numBatchesTracked } = this;
    if (!this.#ranks.includes(x.ndim))
      throw new ArgumentError(
        `${this.constructor.name}: expected input of ${this.#ranks.join(' or ')} dims, got ${x.ndim}`,
      );
    const counts = this.training ? numBatchesTracked : null;
    const running = counts && momentum === null ? [runningMean as Tensor, runningVar as Tensor] : [];
    const before = running.map((x) => ops.contiguous({ x }));
    const share = counts ? (momentum ?? 1) : 0;
    const y = F.batchNorm(x, runningMean, runningVar, { weight, bias, training: this.own, momentum: share, eps });
    if (counts) stepOps.advanceStep({ step: counts });
    // The running ones are those of this batch now: they go back to where a mean over all batches has them.
    running.forEach((now, i) => {
      const old = before[i] as Tensor;
      scope(() => {
        const change = ops.div({ a: ops.sub({ a: now, b: old }), b: counts as Tensor });
        ops.copy({ y: now, x: ops.add({ a: old, b: change }) });
      });
      old.dispose();
    });
    return y;
  }
}

/**
 * Batch normalisation of [n, features] or [n, features, length]: {@link functional.batchNorm} (PyTorch's
 * `nn.BatchNorm1d`).
 */
export class BatchNorm1d extends BatchNorm {
  /** @param numFeatures the number of channels */
  constructor(numFeatures: number, options: BatchNormOptions = {}) {
    super(numFeatures, options, [2, 3]);
  }
}

/** Batch normalisation of [n, features, height, width]: {@link functional.batchNorm} (PyTorch's `nn.BatchNorm2d`). */
export class BatchNorm2d extends BatchNorm {
  /** @param numFeatures the number of channels */
  constructor(numFeatures: number, options: BatchNormOptions = {}) {
    super(numFeatures, options, [4]);
  }
}

/** Instance normalisation of channels with `spatial` dims, with or without a batch. */
abstract class InstanceNorm extends ChannelNorm {
  readonly #spatial: number;

  /** @internal */
  constructor(numFeatures: number, options: BatchNormOptions, spatial: number) {
    super(numFeatures, options, false);
    this.#spatial = spatial;
  }

  forward(x: Tensor): Tensor {
    const alone = x.ndim === this.#spatial + 1;
    if (!alone && x.ndim !== this.#spatial + 2)
      throw new ShapeError(
        `${this.constructor.name}: expected input of ${this.#spatial + 1} or ${this.#spatial + 2} dims, got ${formatShape(x.shape)}`,
      );
    const { weight, bias, runningMean, runningVar, momentum, eps } = this;
    const batch = alone ? ops.unsqueeze({ x }, { dim: 0 }) : x;
    const y = F.instanceNorm(batch, runningMean, runningVar, {
      weight,
      bias,
      useInputStats: this.own,
      momentum: momentum ?? 0,
      eps,
    });
    return alone ? ops.squeeze({ x: y }, { dim: 0 }) : y;
  }
}

/**
 * Instance normalisation of [n, features, length] or [features, length]: {@link functional.instanceNorm}
 * (PyTorch's `nn.InstanceNorm1d`).
 */
export class InstanceNorm1d extends InstanceNorm {
  /** @param numFeatures the number of channels */
  constructor(numFeatures: number, options: BatchNormOptions = {}) {
    super(numFeatures, options, 1);
  }
}

/**
 * Instance normalisation of [n, features, height, width] or without n: {@link functional.instanceNorm}
 * (PyTorch's `nn.InstanceNorm2d`).
 */
export class InstanceNorm2d extends InstanceNorm {
  /** @param numFeatures the number of channels */
  constructor(numFeatures: number, options: BatchNormOptions = {}) {
    super(numFeatures, options, 2);
  }
}

/**
 * Normalises groups of channels of [n, channels, ...], each sample for itself: {@link functional.groupNorm}
 * (PyTorch's `nn.GroupNorm`).
 */
export class GroupNorm extends Layer {
  /** [numChannels], ones at first; or null. */
  readonly weight: Tensor | null;
  /** [numChannels], zeros at first; or null. */
  readonly bias: Tensor | null;
  /** How many groups the channels are split into. */
  readonly numGroups: number;
  /** Added to the variance. */
  readonly eps: number;

  /**
   * @param numGroups how many groups; it divides the channels
   * @param numChannels channels of inputs
   * @throws ArgumentError
   */
  constructor(numGroups: number, numChannels: number, options: GroupNormOptions = {}) {
    const { eps = 1e-5, affine = true } = options;
    super();
    checkSizes('GroupNorm', { numGroups, numChannels });
    if (numChannels % numGroups !== 0)
      throw new ArgumentError(`GroupNorm: expected numGroups that divides ${numChannels} channels, got ${numGroups}`);
    this.numGroups = numGroups;
    this.eps = eps;
    this.weight = affine ? init.ones_(parameter([numChannels])) : null;
    this.bias = affine ? init.zeros_(parameter([numChannels])) : null;
  }

  forward(x: Tensor): Tensor {
    const { weight, bias, eps } = this;
    return F.groupNorm(x, this.numGroups, { weight, bias, eps });
  }

  protected override describe(): string {
    return `${this.numGroups} groups`;
  }
}

/** Normalises the last dims to mean 0 and variance 1: {@link functional.layerNorm} (PyTorch's `nn.LayerNorm`). */
export class LayerNorm extends Layer {
  /** Of normalizedShape, ones at first; or null. */
  readonly weight: Tensor | null;
  /** Of normalizedShape, zeros at first; or null. */
  readonly bias: Tensor | null;
  /** The sizes of the dims that are normalised together. */
  readonly normalizedShape: readonly number[];
  /** Added to the variance. */
  readonly eps: number;

  /** @param normalizedShape the sizes of the last dims; one number for the last alone */
  constructor(normalizedShape: number | readonly number[], options: LayerNormOptions = {}) {
    const { eps = 1e-5, elementwiseAffine = true } = options;
    super();
    this.normalizedShape = typeof normalizedShape === 'number' ? [normalizedShape] : [...normalizedShape];
    for (const size of this.normalizedShape) checkSizes('LayerNorm', { normalizedShape: size });
    this.eps = eps;
    this.weight = elementwiseAffine ? init.ones_(parameter(this.normalizedShape)) : null;
    this.bias = elementwiseAffine ? init.zeros_(parameter(this.normalizedShape)) : null;
  }

  forward(x: Tensor): Tensor {
    const { weight, bias, eps } = this;
    return F.layerNorm(x, this.normalizedShape, { weight, bias, eps });
  }
}
