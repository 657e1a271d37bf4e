// Layers that normalise.
import { ops, withoutTape } from '../autograd.ts';
import { zerosLike } from '../creation.ts';
import * as F from '../functional/index.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { type Arguments, type Signature, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import * as init from './init.ts';
import { OwnLayer } from './layer.ts';
import { COMPUTE } from './names.ts';
import { type Buffer, buffer, checkSizes, describeOptions, type Parameter, parameter } from './parameter.ts';

/** Options of batch and instance normalisation. */
export interface BatchNormOptions {
  /** Added to the variance. @defaultValue 1e-5 */
  eps?: number;
  /**
   * The share of the newest batch in the running statistics; null makes them the mean of all batches.
   * @defaultValue 0.1
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
  /** Whether it has a trained weight and, with `bias`, a bias. @defaultValue true */
  elementwiseAffine?: boolean;
  /** Whether it has a bias beside the weight. @defaultValue true */
  bias?: boolean;
}

/** What the constructors of batch and instance normalisation take. */
export type BatchNormArguments = Arguments<
  [numFeatures: number],
  [eps: number, momentum: number | null, affine: boolean, trackRunningStats: boolean],
  BatchNormOptions,
  ['numFeatures']
>;
/* @__NO_SIDE_EFFECTS__ */
const norm = (name: string, usual: boolean): Signature =>
  signature(
    `${name}(numFeatures: int, eps: number = 1e-5, momentum: number|null = 0.1, affine: bool = ${usual}, trackRunningStats: bool = ${usual}, -device: any = null, -dtype: any = null)`,
  );
const ofBatchNorm1d = norm('BatchNorm1d', true);
const ofBatchNorm2d = norm('BatchNorm2d', true);
const ofBatchNorm3d = norm('BatchNorm3d', true);
const ofInstanceNorm1d = norm('InstanceNorm1d', false);
const ofInstanceNorm2d = norm('InstanceNorm2d', false);
const ofInstanceNorm3d = norm('InstanceNorm3d', false);
const ofGroupNorm = signature(
  'GroupNorm(numGroups: int, numChannels: int, eps: number = 1e-5, affine: bool = true, -device: any = null, -dtype: any = null)',
);
const ofLayerNorm = signature(
  'LayerNorm(normalizedShape: int|int[], eps: number = 1e-5, elementwiseAffine: bool = true, bias: bool = true, -device: any = null, -dtype: any = null)',
);

/** What normalises channels: a weight and a bias for each, and running statistics. */
abstract class ChannelNorm extends OwnLayer {
  /** [numFeatures], ones at first; or null. */
  weight: Parameter | null;
  /** [numFeatures], zeros at first; or null. */
  bias: Parameter | null;
  /** The running mean of each channel, [numFeatures], zeros at first; or null. */
  runningMean: Buffer | null;
  /** The running variance of each channel, [numFeatures], ones at first; or null. */
  runningVar: Buffer | null;
  /** Training batches so far, f32 [] where PyTorch has i64; or null. */
  numBatchesTracked: Buffer | null;
  /** How many channels. */
  readonly numFeatures: number;
  /** Added to the variance. */
  eps: number;
  /** The share of the newest batch in the running statistics; null: they are the mean of all batches. */
  momentum: number | null;
  /** Whether training moves the running statistics of batch norm, and evaluation uses those of instance norm. */
  trackRunningStats: boolean;

  /** @internal */
  constructor(declared: Signature, args: readonly unknown[]) {
    super();
    const [numFeatures, eps, momentum, affine, trackRunningStats] = declared.parse(args) as [
      number,
      number,
      number | null,
      boolean,
      boolean,
    ];
    checkSizes(declared.name, { numFeatures });
    this.eps = eps;
    this.momentum = momentum;
    this.trackRunningStats = trackRunningStats;
    this.weight = this.registerParameter('weight', affine ? init.ones_(parameter([numFeatures])) : null);
    this.bias = this.registerParameter('bias', affine ? init.zeros_(parameter([numFeatures])) : null);
    const running = (name: string, shape: number[], value: number): Buffer | null =>
      this.registerBuffer(name, trackRunningStats ? buffer(shape, value) : null);
    this.runningMean = running('runningMean', [numFeatures], 0);
    this.runningVar = running('runningVar', [numFeatures], 1);
    this.numBatchesTracked = running('numBatchesTracked', [], 0);
    this.numFeatures = numFeatures;
  }

  override extraRepr(): string {
    const { numFeatures, eps, momentum, weight, trackRunningStats } = this;
    return describeOptions({
      numFeatures,
      eps,
      momentum,
      affine: weight !== null,
      trackRunningStats,
    });
  }

  /** Whether the input's own statistics are used. @internal */
  protected get own(): boolean {
    return this.training || !this.runningMean;
  }
}

/** Batch normalisation of inputs with a number of dims among `ranks`. */
export abstract class BatchNorm extends ChannelNorm {
  readonly #ranks: readonly number[];

  /** @internal */
  constructor(declared: Signature, args: readonly unknown[], ranks: readonly number[]) {
    super(declared, args);
    this.#ranks = ranks;
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    const { weight, bias, momentum, eps, numBatchesTracked } = this;
    const moves = this.trackRunningStats || !this.training;
    const [runningMean, runningVar] = moves ? [this.runningMean, this.runningVar] : [null, null];
    if (!this.#ranks.includes(x.ndim))
      throw new ArgumentError(
        `${this.constructor.name}: expected input of ${this.#ranks.join(' or ')} dims, got ${x.ndim}`,
      );
    const options = { weight, bias, training: this.own, eps };
    if (!(this.training && numBatchesTracked && runningMean && runningVar))
      return F.batchNorm(x, runningMean, runningVar, { ...options, momentum: momentum ?? 0 });
    if (momentum !== null) {
      const y = F.batchNorm(x, runningMean, runningVar, { ...options, momentum });
      ops.advanceStep({ step: numBatchesTracked });
      return y;
    }
    // The newest statistics alone, which join the mean of all so far.
    const newest = [zerosLike(runningMean), zerosLike(runningVar)] as const;
    const y = F.batchNorm(x, ...newest, { ...options, momentum: 1 });
    withoutTape(() => {
      ops.advanceStep({ step: numBatchesTracked });
      [runningMean, runningVar].forEach((mean, i) => {
        ops.addInto({ y: mean, x: newest[i]?.sub(mean).div(numBatchesTracked) as Tensor });
      });
    });
    return y;
  }
}

/**
 * Batch normalisation of [n, features] or [n, features, length]: {@link functional.batchNorm} (PyTorch's
 * `nn.BatchNorm1d`).
 */
export class BatchNorm1d extends BatchNorm {
  /** A layer for `numFeatures` channels. @throws ArgumentError */
  constructor(...args: BatchNormArguments) {
    super(ofBatchNorm1d, args, [2, 3]);
  }
}

/** Batch normalisation of [n, features, height, width]: {@link functional.batchNorm} (PyTorch's `nn.BatchNorm2d`). */
export class BatchNorm2d extends BatchNorm {
  /** A layer for `numFeatures` channels. @throws ArgumentError */
  constructor(...args: BatchNormArguments) {
    super(ofBatchNorm2d, args, [4]);
  }
}

/**
 * Batch normalisation of [n, features, depth, height, width]: {@link functional.batchNorm} (PyTorch's
 * `nn.BatchNorm3d`).
 */
export class BatchNorm3d extends BatchNorm {
  /** A layer for `numFeatures` channels. @throws ArgumentError */
  constructor(...args: BatchNormArguments) {
    super(ofBatchNorm3d, args, [5]);
  }
}

/** Instance normalisation of channels with `spatial` dims, with or without a batch. */
abstract class InstanceNorm extends ChannelNorm {
  readonly #spatial: number;

  /** @internal */
  constructor(declared: Signature, args: readonly unknown[], spatial: number) {
    super(declared, args);
    this.#spatial = spatial;
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
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
      useInputStats: this.own || !this.trackRunningStats,
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
  /** A layer for `numFeatures` channels. @throws ArgumentError */
  constructor(...args: BatchNormArguments) {
    super(ofInstanceNorm1d, args, 1);
  }
}

/**
 * Instance normalisation of [n, features, height, width] or without n: {@link functional.instanceNorm}
 * (PyTorch's `nn.InstanceNorm2d`).
 */
export class InstanceNorm2d extends InstanceNorm {
  /** A layer for `numFeatures` channels. @throws ArgumentError */
  constructor(...args: BatchNormArguments) {
    super(ofInstanceNorm2d, args, 2);
  }
}

/**
 * Instance normalisation of [n, features, depth, height, width] or without n: {@link functional.instanceNorm}
 * (PyTorch's `nn.InstanceNorm3d`).
 */
export class InstanceNorm3d extends InstanceNorm {
  /** A layer for `numFeatures` channels. @throws ArgumentError */
  constructor(...args: BatchNormArguments) {
    super(ofInstanceNorm3d, args, 3);
  }
}

/**
 * Normalises groups of channels of [n, channels, ...], each sample for itself: {@link functional.groupNorm}
 * (PyTorch's `nn.GroupNorm`).
 */
export class GroupNorm extends OwnLayer {
  /** [numChannels], ones at first; or null. */
  weight: Parameter | null;
  /** [numChannels], zeros at first; or null. */
  bias: Parameter | null;
  /** How many groups the channels are split into. */
  readonly numGroups: number;
  /** Channels of inputs. */
  readonly numChannels: number;
  /** Added to the variance. */
  eps: number;

  /**
   * A layer for `numChannels` channels in `numGroups` groups.
   * @throws ArgumentError unless the groups divide the channels
   */
  constructor(
    ...args: Arguments<
      [numGroups: number, numChannels: number],
      [eps: number, affine: boolean],
      GroupNormOptions,
      ['numGroups', 'numChannels']
    >
  ) {
    super();
    const [numGroups, numChannels, eps, affine] = ofGroupNorm.parse(args) as [number, number, number, boolean];
    checkSizes('GroupNorm', { numGroups, numChannels });
    if (numChannels % numGroups !== 0)
      throw new ArgumentError(`GroupNorm: expected numGroups that divides ${numChannels} channels, got ${numGroups}`);
    this.numGroups = numGroups;
    this.eps = eps;
    this.numChannels = numChannels;
    this.weight = this.registerParameter('weight', affine ? init.ones_(parameter([numChannels])) : null);
    this.bias = this.registerParameter('bias', affine ? init.zeros_(parameter([numChannels])) : null);
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    const { weight, bias, eps } = this;
    return F.groupNorm(x, this.numGroups, { weight, bias, eps });
  }

  override extraRepr(): string {
    const { numGroups, numChannels, eps, weight } = this;
    return describeOptions({ numGroups, numChannels, eps, affine: weight !== null });
  }
}

/** Normalises the last dims to mean 0 and variance 1: {@link functional.layerNorm} (PyTorch's `nn.LayerNorm`). */
export class LayerNorm extends OwnLayer {
  /** Of normalizedShape, ones at first; or null. */
  weight: Parameter | null;
  /** Of normalizedShape, zeros at first; or null. */
  bias: Parameter | null;
  /** The sizes of the dims that are normalised together. */
  readonly normalizedShape: readonly number[];
  /** Added to the variance. */
  eps: number;

  /** A layer for last dims of `normalizedShape`; one number for the last alone. @throws ArgumentError */
  constructor(
    ...args: Arguments<
      [normalizedShape: number | readonly number[]],
      [eps: number, elementwiseAffine: boolean, bias: boolean],
      LayerNormOptions,
      ['normalizedShape']
    >
  ) {
    super();
    const [normalizedShape, eps, elementwiseAffine, bias] = ofLayerNorm.parse(args) as [
      number | readonly number[],
      number,
      boolean,
      boolean,
    ];
    this.normalizedShape = typeof normalizedShape === 'number' ? [normalizedShape] : [...normalizedShape];
    for (const size of this.normalizedShape) checkSizes('LayerNorm', { normalizedShape: size });
    this.eps = eps;
    const { normalizedShape: shape } = this;
    this.weight = this.registerParameter('weight', elementwiseAffine ? init.ones_(parameter(shape)) : null);
    this.bias = this.registerParameter('bias', elementwiseAffine && bias ? init.zeros_(parameter(shape)) : null);
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    const { weight, bias, eps } = this;
    return F.layerNorm(x, this.normalizedShape, { weight, bias, eps });
  }

  override extraRepr(): string {
    const { normalizedShape, eps, weight, bias } = this;
    return describeOptions({ normalizedShape, eps, elementwiseAffine: weight !== null, bias: bias !== null });
  }
}
