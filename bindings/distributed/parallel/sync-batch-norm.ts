// Batch norm by the statistics of the batches of all ranks.
import { GradFunction } from '../../autograd/function.ts';
import { ops, withoutTape } from '../../autograd.ts';
import * as fn from '../../functional/functions.ts';
import { ArgumentError, formatShape } from '../../memory/errors.ts';
import type { Module } from '../../nn/module.ts';
import { COMPUTE } from '../../nn/names.ts';
import { BatchNorm, type BatchNormArguments } from '../../nn/norm.ts';
import { signature } from '../../signature.ts';
import type { Tensor } from '../../tensor.ts';
import type { Communicator } from '../mpi/communicator.ts';
import { together } from '../steps.ts';
import { ranks } from '../world.ts';

const declared = signature(
  'SyncBatchNorm(numFeatures: int, eps: number = 1e-5, momentum: number|null = 0.1, affine: bool = true, trackRunningStats: bool = true, -processGroup: any = null, -device: any = null, -dtype: any = null)',
);
const toConvert = signature('SyncBatchNorm.convertSyncBatchnorm(module: Module)');

/** The sum of x over all ranks; its gradient is that of the gradients. */
class RankSum extends GradFunction {
  static forward(_: unknown, x: Tensor): Tensor {
    const y = fn.clone(x);
    together(ranks('SyncBatchNorm') as Communicator, y, { what: 'allReduce', call: 'SyncBatchNorm', operation: 'sum' });
    return y;
  }
  static backward(_: unknown, g: Tensor): Tensor {
    return RankSum.apply(g);
  }
}

/** Moves the running statistics of a layer towards those of this batch. No method: layers become of the class later. */
function moveStatistics(layer: BatchNorm, mean: Tensor, variance: Tensor, n: Tensor): void {
  const { runningMean, runningVar, numBatchesTracked, momentum } = layer;
  if (!(layer.training && layer.trackRunningStats && runningMean && runningVar && numBatchesTracked)) return;
  ops.advanceStep({ step: numBatchesTracked });
  const unbiased = variance.mul(n.div(n.sub(1)));
  for (const [y, newest] of [
    [runningMean, mean],
    [runningVar, unbiased],
  ] as const) {
    const step = newest.sub(y);
    ops.addInto({ y, x: momentum === null ? step.div(numBatchesTracked) : step.mul(momentum) });
  }
}

/** Inputs: [batch, channels] or [batch, channels, …]. */
const DIMS = [2, 3, 4, 5];

/**
 * Batch norm that takes its statistics of the batches of all ranks (PyTorch's `nn.SyncBatchNorm`), which may be of
 * several sizes; of inputs [batch, channels, …]. Alone, and in evaluation, it is as `BatchNorm`.
 * @example
 * ```ts
 * await distributed.init();
 * const net = new nn.Sequential(new nn.Linear(4, 8), new nn.BatchNorm1d(8), new nn.ReLU());
 * const model = new distributed.DataParallel(distributed.SyncBatchNorm.convertSyncBatchnorm(net));
 * console.log(model.forward(randn([16, 4])).shape);
 * ```
 */
export class SyncBatchNorm extends BatchNorm {
  /** @throws ArgumentError for sizes below 1 */
  constructor(...args: BatchNormArguments) {
    super(declared, args, DIMS);
  }

  /** @internal */
  override [COMPUTE](x: Tensor): Tensor {
    const communicator = this.own ? ranks('SyncBatchNorm') : null;
    if (!communicator) return super[COMPUTE](x);
    if (!DIMS.includes(x.ndim) || x.sizes[1] !== this.numFeatures)
      throw new ArgumentError(
        `SyncBatchNorm: expected input [batch, ${this.numFeatures}, …], got shape ${formatShape(x.sizes)}`,
      );
    const channels = this.numFeatures;
    const dims = x.sizes.flatMap((_, d) => (d === 1 ? [] : [d]));
    const wide = x.sizes.map((_, d) => (d === 1 ? channels : 1));
    const count = ops.full({}, { shape: [1], value: x.size / channels });
    const sums = RankSum.apply(fn.cat([fn.sum(x, dims), count], 0));
    const n = fn.narrow(sums, 0, channels, 1);
    const mean = fn.narrow(sums, 0, 0, channels).div(n);
    const centred = x.sub(mean.reshape(wide));
    const variance = RankSum.apply(fn.sum(centred.square(), dims)).div(n);
    withoutTape(() => moveStatistics(this, mean, variance, n));
    const y = centred.mul(variance.add(this.eps).rsqrt().reshape(wide));
    const { weight, bias } = this;
    return weight && bias ? y.mul(weight.reshape(wide)).add(bias.reshape(wide)) : y;
  }

  /**
   * Makes all batch norms of a model ones of all ranks, where they are, with their weights and statistics (PyTorch's
   * `convert_sync_batchnorm`).
   * @returns the model
   */
  static convertSyncBatchnorm<M extends Module>(...args: [module: M]): M {
    const [module] = toConvert.parse(args) as [M];
    // They hold all that this class needs; so hooks and places of theirs stay.
    for (const each of module.modules())
      if (each instanceof BatchNorm) Object.setPrototypeOf(each, SyncBatchNorm.prototype);
    return module;
  }
}
