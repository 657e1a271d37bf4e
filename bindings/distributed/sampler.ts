// Which examples each rank has in a pass.
import { Sampler, type Sized } from '../data/pipeline/samplers.ts';
import { Shuffle } from '../data/shuffle.ts';
import { ArgumentError, describe } from '../memory/errors.ts';
import { type Arguments, signature } from '../signature.ts';
import { agree } from './agree.ts';
import { ranks } from './world.ts';

/** Options of {@link DistributedSampler}. */
export interface DistributedSamplerOptions {
  /** How many share the examples; null: the number of ranks. @defaultValue null */
  numReplicas?: number | null;
  /** Which of them this is; null: this rank. @defaultValue null */
  rank?: number | null;
  /** Whether each pass goes in a new random order. @defaultValue true */
  shuffle?: boolean;
  /** Seed of the orders, the same on all ranks. @defaultValue 0 */
  seed?: number;
  /**
   * Whether examples at the end are left out where ranks cannot share them evenly; else the first ones come again.
   * @defaultValue false
   */
  dropLast?: boolean;
  /**
   * How many examples in a row a rank gets before the next one does. Of the size of its batches, each of its batches is
   * one piece of the global batch, as a fixed order of shards needs it.
   * @defaultValue 1
   */
  blockSize?: number;
}

const declared = signature(
  'DistributedSampler(dataset: object, numReplicas: int|null = null, rank: int|null = null, shuffle: bool = true, seed: int = 0, dropLast: bool = false, *, blockSize: int = 1)',
);

/** @throws ArgumentError where `value` is below `least` */
function atLeast(name: string, value: number, least: number): number {
  if (value >= least) return value;
  throw new ArgumentError(`DistributedSampler: expected ${name} >= ${least}, got ${value}`);
}

/**
 * The examples of one rank: in each pass all ranks together have each example once, in an order that the seed and the
 * number of the pass give (PyTorch's `DistributedSampler`, without `set_epoch`: loaders know the pass). All ranks have
 * as many. The n-th global batch is the same for any number of ranks that divides it, so that a checkpoint goes on with
 * another number of them.
 * @example
 * ```ts
 * await distributed.init();
 * const set = new data.TensorDataset(randn([100, 4]), randn([100, 1]));
 * const loader = new data.DataLoader(set, { batchSize: 8, sampler: new distributed.DistributedSampler(set) });
 * for (const [x, y] of loader) console.log(x.shape, y.shape);
 * ```
 */
export class DistributedSampler extends Sampler {
  readonly length: number;
  readonly #count: number;
  readonly #replicas: number;
  readonly #rank: number;
  readonly #shuffle: boolean;
  readonly #block: number;

  /**
   * @throws ArgumentError where the dataset does not say its length, or an option is out of range; DistributedError
   *   where ranks have other seeds, examples or options
   */
  constructor(
    ...args: Arguments<
      [dataset: Sized],
      [numReplicas: number | null, rank: number | null, shuffle: boolean, seed: number, dropLast: boolean],
      DistributedSamplerOptions
    >
  ) {
    const [dataset, numReplicas, rank, shuffle, seed, dropLast, blockSize] = declared.parse(args) as [
      ...[Sized, number | null, number | null, boolean, number, boolean, number],
    ];
    super('DistributedSampler', atLeast('seed', seed, 0));
    const { length } = dataset;
    if (!(Number.isSafeInteger(length) && (length as number) >= 0))
      throw new ArgumentError(
        `DistributedSampler: expected a dataset that says its length, got ${describe(length)} as length`,
      );
    const communicator = ranks('DistributedSampler');
    this.#count = length as number;
    this.#replicas = atLeast('numReplicas', numReplicas ?? communicator?.size ?? 1, 1);
    this.#rank = atLeast('rank', rank ?? communicator?.rank ?? 0, 0);
    if (this.#rank >= this.#replicas)
      throw new ArgumentError(
        `DistributedSampler: expected a rank below numReplicas ${this.#replicas}, got ${this.#rank}`,
      );
    this.#shuffle = shuffle;
    this.#block = atLeast('blockSize', blockSize, 1);
    const turns = this.#count / (this.#replicas * this.#block);
    this.length = (dropLast ? Math.floor(turns) : Math.ceil(turns)) * this.#block;
    if (!communicator || numReplicas !== null || rank !== null) return;
    const text = `${length} examples, seed ${seed}, shuffle ${shuffle}, dropLast ${dropLast}, blockSize ${blockSize}`;
    agree(communicator, 'DistributedSampler', text, 'give one dataset and one seed on all ranks');
  }

  /** @internal */
  draw(seed: number, epoch: number): Int32Array {
    const order = this.#shuffle ? new Shuffle(seed, epoch).order(this.#count) : null;
    return Int32Array.from({ length: this.length }, (_, i) => {
      const turn = Math.floor(i / this.#block);
      const at = (turn * this.#replicas + this.#rank) * this.#block + (i % this.#block);
      const place = at % this.#count;
      return order ? (order[place] as number) : place;
    });
  }
}
