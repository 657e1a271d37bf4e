// DataParallel: the same model on all ranks, each with batches of its own.
import { isGradEnabled, ops, withoutTape } from '../../autograd.ts';
import { tracing } from '../../execute.ts';
import { ArgumentError, expectSynchronous, formatShape } from '../../memory/errors.ts';
import type { Forward } from '../../nn/hooks.ts';
import { Module } from '../../nn/module.ts';
import { getRngState } from '../../random.ts';
import { type Arguments, signature } from '../../signature.ts';
import { contiguousStrides, Tensor } from '../../tensor.ts';
import { agree } from '../agree.ts';
import type { Communicator } from '../mpi/communicator.ts';
import { together } from '../steps.ts';
import { ranks } from '../world.ts';
import { listen } from './passes.ts';
import { Reducer } from './reducer.ts';
import { Shards } from './shards.ts';

type Settings<M> = [M, boolean, number, boolean, 'any' | 'fixed', number];

/** Options of {@link DataParallel}. */
export interface DataParallelOptions {
  /**
   * Whether buffers, such as the running statistics of batch norm, become those of rank 0 with each forward in
   * training.
   * @defaultValue true
   */
  broadcastBuffers?: boolean;
  /**
   * Bytes of small gradients that are reduced together; what is a quarter of it or more is reduced alone, where it
   * lies.
   * @defaultValue 2 ** 18
   */
  bucketBytes?: number;
  /**
   * Whether parameters may have no part in a backward(): they count as zeros there, also where no rank used them. Else
   * that is an error.
   * @defaultValue false
   */
  findUnusedParameters?: boolean;
  /**
   * `'fixed'`: gradients are computed by {@link DataParallel.inShards} alone, in `shards` parts of the global batch,
   * and added in their order, so that any number of ranks gives the same bits; it needs room for the gradients of all
   * shards of a rank. `'any'` is faster, and the last bits depend on the number of ranks.
   * @defaultValue 'any'
   */
  order?: 'any' | 'fixed';
  /** Of `'fixed'`: parts of the global batch, a multiple of the number of ranks. @defaultValue 1 */
  shards?: number;
}

const declared = signature(
  "DataParallel(module: Module, *, broadcastBuffers: bool = true, bucketBytes: int = 262144, findUnusedParameters: bool = false, order: 'any'|'fixed' = 'any', shards: int = 1)",
);
const noSyncTakes = signature('DataParallel.noSync(fn: function)');
const inShardsTakes = signature('DataParallel.inShards(fn: function, ...batch: Tensor)');
const toDispose = signature('DataParallel.dispose()');

/** Buffers of f32 in one tensor, so that one call gives all of them. */
class Buffers {
  readonly #parts: readonly (readonly [Tensor, Tensor])[];
  readonly #flat: Tensor;

  constructor(buffers: readonly Tensor[]) {
    this.#flat = Tensor.allocate([buffers.reduce((sum, x) => sum + x.size, 0)], 'f32', 'DataParallel').keep();
    let offset = 0;
    this.#parts = buffers.map((x) => {
      const part = this.#flat.alias(x.sizes, contiguousStrides(x.sizes), offset);
      offset += x.size;
      return [x, part];
    });
  }

  broadcast(communicator: Communicator): void {
    withoutTape(() => {
      for (const [x, part] of this.#parts) ops.copy({ y: part, x });
      together(communicator, this.#flat, { what: 'broadcast', call: 'forward', root: 0 });
      if (communicator.rank > 0) for (const [x, part] of this.#parts) ops.copy({ y: x, x: part });
    });
  }

  dispose(): void {
    this.#flat.dispose();
  }
}

/** What the ranks have to have alike, in words. */
function describe(named: readonly (readonly [string, Tensor])[]): string {
  const size = named.reduce((sum, [, x]) => sum + x.size, 0);
  const shapes = named.map(([name, x]) => `${name} ${x.dtype} ${formatShape(x.sizes)}`);
  return `${size} numbers in ${named.length} tensors: ${shapes.join(', ')}`;
}

/**
 * A model that all ranks train together, each on batches of its own (PyTorch's `DistributedDataParallel`). Its weights
 * and buffers become those of rank 0; backward() leaves the means of all ranks in the gradients, so that the same
 * optimizer makes the same step everywhere. Gradients are reduced while backward goes on with the layers before; in a
 * compiled function these are steps of its program. With one rank it only calls the model.
 *
 * States name what is in it `module.…`, as PyTorch does; those of `ddp.module` do not.
 * @example
 * ```ts
 * await distributed.init();
 * const model = new distributed.DataParallel(new nn.Linear(4, 1));
 * const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
 * functional.mseLoss(model.forward(randn([8, 4])), randn([8, 1])).backward(); // gradients of all ranks
 * optimizer.step();
 * ```
 */
export class DataParallel<M extends Module = Module> extends Module {
  /** The model. */
  readonly module: M;
  readonly #reducer: Reducer | null = null;
  readonly #buffers: Buffers | null = null;
  readonly #forget: (() => void) | null = null;
  /** Of a fixed order. */
  readonly #shards: Shards | null = null;

  /**
   * @throws ArgumentError for bucketBytes < 1; DistributedError before `await distributed.init()`, and where the models
   *   of the ranks differ
   */
  constructor(...args: Arguments<[module: M], [], DataParallelOptions>) {
    super();
    const [module, broadcastBuffers, bucketBytes, findUnused, order, shards] = declared.parse(args) as Settings<M>;
    if (bucketBytes < 1) throw new ArgumentError(`DataParallel: expected bucketBytes >= 1, got ${bucketBytes}`);
    this.module = module;
    const communicator = ranks('DataParallel');
    const size = communicator?.size ?? 1;
    if (shards < 1 || (order === 'fixed' && shards % size !== 0))
      throw new ArgumentError(`DataParallel: expected shards to be a multiple of ${size}, got ${shards}`);
    const named = module.namedParameters();
    if (order === 'fixed') this.#shards = new Shards(communicator, shards, module.parameters(), module.buffers());
    if (!communicator || size === 1) return;
    const all = [...named, ...module.namedBuffers()];
    agree(
      communicator,
      'DataParallel',
      `order ${order}, shards ${shards}, ${describe(all)}`,
      'make the same model on all ranks',
    );
    for (const [, x] of all) together(communicator, x.detach(), { what: 'broadcast', call: 'DataParallel', root: 0 });
    if (order === 'fixed') {
      const state = `the generator at ${getRngState().join(' ')}`;
      agree(communicator, 'DataParallel', state, 'call manualSeed with one number on all ranks');
      return;
    }
    const buffers = module.buffers().filter(({ dtype }) => dtype === 'f32');
    if (broadcastBuffers && buffers.length > 0) this.#buffers = new Buffers(buffers);
    this.#reducer = new Reducer(communicator, named, { bucketBytes, findUnused });
    this.#forget = listen(this.#reducer);
  }

  /** Whether inShards() computes gradients. @internal */
  get cuts(): boolean {
    return this.#shards !== null;
  }

  /** Makes buffers those of rank 0, where that is asked for and gradients are reduced. @internal */
  shareBuffers(): void {
    const reducer = this.#reducer;
    if (reducer?.syncs) this.#buffers?.broadcast(reducer.communicator);
  }

  /** Makes what noSync() left in gradients the means of all ranks, where no backward() follows. @internal */
  reduceLeft(): void {
    this.#reducer?.reduceLeft();
  }

  /** What the model gives for a batch of this rank. */
  forward(...args: Parameters<Forward<M>>): ReturnType<Forward<M>> {
    if (this.#shards && !this.#shards.inside && this.training && isGradEnabled())
      throw new ArgumentError(
        "forward: expected a call inside of inShards(), as order is 'fixed', got one outside; train so, and predict in eval()",
      );
    if (this.training) this.shareBuffers();
    return (this.module as unknown as { forward(...args: unknown[]): ReturnType<Forward<M>> }).forward(...args);
  }

  /**
   * Calls `fn`, in which backward() adds up gradients of this rank alone: the next one outside reduces them with its
   * own (PyTorch's `no_sync`), as for batches in several parts.
   * @returns what `fn` does
   * @throws ArgumentError where it is asynchronous
   */
  noSync<T>(...args: [fn: () => T]): T {
    const fn = noSyncTakes.one(args) as () => T;
    const reducer = this.#reducer;
    const before = reducer?.syncs ?? true;
    // Programs depend on what it is outside of them.
    if (reducer) tracing()?.dependOn(reducer, ['syncs']);
    if (reducer) reducer.syncs = false;
    try {
      const result = fn();
      expectSynchronous('noSync', result);
      return result;
    } finally {
      if (reducer) reducer.syncs = before;
    }
  }

  /**
   * Computes the gradients of this rank's batch shard by shard, and leaves the mean of those of all shards of all
   * ranks in `.grad`: with `order: 'fixed'` to the same bits for any number of ranks. Each shard has a stream of random
   * numbers and, in batch norm, statistics of its own; buffers become what the first of all shards made them.
   * @param args what computes the loss of a shard and calls its backward(), and the batch of this rank: tensors whose
   *   rows the shards share
   * @returns what that gives, for each shard of this rank
   * @throws ArgumentError unless order is 'fixed', and where rows cannot be shared
   * @example
   * ```ts
   * await distributed.init();
   * const model = new distributed.DataParallel(new nn.Linear(4, 1), { order: 'fixed', shards: 4 });
   * const losses = model.inShards(
   *   (x, y) => {
   *     const loss = functional.mseLoss(model.forward(x), y);
   *     loss.backward();
   *     return loss;
   *   },
   *   randn([8, 4]),
   *   randn([8, 1]),
   * );
   * console.log(losses.length); // 4 on one rank
   * ```
   */
  inShards<T>(...args: [fn: (...parts: Tensor[]) => T, ...batch: Tensor[]]): T[] {
    const [fn, batch] = inShardsTakes.parse(args) as [(...parts: Tensor[]) => T, Tensor[]];
    if (!this.#shards)
      throw new ArgumentError(
        "inShards: expected a DataParallel of order 'fixed', got 'any'; pass { order: 'fixed', shards: 4 }, or call backward()",
      );
    return this.#shards.run(fn, batch);
  }

  /** Gives the memory of the model back, and that of its gradients on their way. */
  override dispose(...args: []): void {
    toDispose.parse(args);
    this.#forget?.();
    this.#reducer?.dispose();
    this.#buffers?.dispose();
    this.#shards?.dispose();
    super.dispose();
  }
}
