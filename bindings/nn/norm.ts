// Layers that normalise.
import { ops } from '../autograd.ts';
import * as F from '../functional.ts';
import { ArgumentError, formatShape, ShapeError } from '../runtime/errors.ts';
import { runtime } from '../runtime/wasm.ts';
import type { Tensor } from '../tensor.ts';
import * as init from './init.ts';
import { buffer, checkSizes, Layer, parameter } from './layer.ts';

/** Options of batch and instance normalisation. */
export interface BatchNormOptions {
  eps?: number;
  /** Share of the newest batch in the running statistics. Default 0.1. */
  momentum?: number;
  /** Whether it has a trained weight and bias. Default true for batches, false for instances. */
  affine?: boolean;
  /** Whether it keeps running statistics for evaluation. Default true for batches, false for instances. */
  trackRunningStats?: boolean;
}

/** What normalises channels: a weight and a bias for each, and running statistics. */
abstract class ChannelNorm extends Layer {
  readonly weight: Tensor | null;
  readonly bias: Tensor | null;
  readonly runningMean: Tensor | null;
  readonly runningVar: Tensor | null;
  /** Training batches so far, counted in f32 where PyTorch has i64. */
  readonly numBatchesTracked: Tensor | null;
  readonly eps: number;
  readonly momentum: number;

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

  /** Whether the input's own statistics are used. */
  protected get own(): boolean {
    return this.training || !this.runningMean;
  }
}

/** Batch normalisation of inputs with a number of dims among `ranks`. */
abstract class BatchNorm extends ChannelNorm {
  readonly #ranks: readonly number[];

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
    const y = F.batchNorm(x, runningMean, runningVar, { weight, bias, training: this.own, momentum, eps });
    if (this.training && numBatchesTracked) runtime().kernels.advance_step(numBatchesTracked);
    return y;
  }
}

/** Batch normalisation of [n, features] or [n, features, length] (PyTorch's `nn.BatchNorm1d`). */
export class BatchNorm1d extends BatchNorm {
  constructor(numFeatures: number, options: BatchNormOptions = {}) {
    super(numFeatures, options, [2, 3]);
  }
}

/** Batch normalisation of [n, features, height, width] (PyTorch's `nn.BatchNorm2d`). */
export class BatchNorm2d extends BatchNorm {
  constructor(numFeatures: number, options: BatchNormOptions = {}) {
    super(numFeatures, options, [4]);
  }
}

/** Instance normalisation of channels with `spatial` dims, with or without a batch. */
abstract class InstanceNorm extends ChannelNorm {
  readonly #spatial: number;

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
    const batch = alone ? ops.unsqueeze(x, { dim: 0 }) : x;
    const y = F.instanceNorm(batch, runningMean, runningVar, { weight, bias, useInputStats: this.own, momentum, eps });
    return alone ? ops.squeeze(y, { dim: 0 }) : y;
  }
}

/** Instance normalisation of [n, features, length] or [features, length] (PyTorch's `nn.InstanceNorm1d`). */
export class InstanceNorm1d extends InstanceNorm {
  constructor(numFeatures: number, options: BatchNormOptions = {}) {
    super(numFeatures, options, 1);
  }
}

/** Instance normalisation of [n, features, height, width] or without n (PyTorch's `nn.InstanceNorm2d`). */
export class InstanceNorm2d extends InstanceNorm {
  constructor(numFeatures: number, options: BatchNormOptions = {}) {
    super(numFeatures, options, 2);
  }
}

/** Normalises groups of channels of [n, channels, ...], each sample for itself (PyTorch's `nn.GroupNorm`). */
export class GroupNorm extends Layer {
  readonly weight: Tensor | null;
  readonly bias: Tensor | null;
  readonly numGroups: number;
  readonly eps: number;

  constructor(numGroups: number, numChannels: number, { eps = 1e-5, affine = true } = {}) {
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

/** Normalises the last dims to mean 0 and variance 1 (PyTorch's `nn.LayerNorm`). */
export class LayerNorm extends Layer {
  readonly weight: Tensor | null;
  readonly bias: Tensor | null;
  readonly normalizedShape: readonly number[];
  readonly eps: number;

  constructor(normalizedShape: number | readonly number[], { eps = 1e-5, elementwiseAffine = true } = {}) {
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
