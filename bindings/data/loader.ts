// Datasets and the loader that cuts them into batches, in a seeded order, one scope a batch.
import { withoutTape } from '../autograd.ts';
import { tensor } from '../creation.ts';
import * as fn from '../functional/functions.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { scoped } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import { Shuffle } from './shuffle.ts';

/** A collection of examples that can be fetched by number, in batches of type B. */
export interface Dataset<B extends readonly Tensor[] = readonly Tensor[]> {
  /** Number of examples. */
  readonly length: number;
  /** The examples at `indices` as one batch: tensors whose first dim is the number of examples. */
  batch(indices: Int32Array): B;
}

/** Examples held in tensors whose first dims agree (PyTorch's `TensorDataset`). */
export class TensorDataset<T extends Tensor[]> implements Dataset<T> {
  /** Number of examples. */
  readonly length: number;
  readonly #tensors: T;

  /**
   * @param tensors their first dims are the examples
   * @throws ArgumentError for none, ShapeError where the numbers of examples differ
   */
  constructor(...tensors: T) {
    const [first] = tensors;
    if (!first || first.ndim === 0)
      throw new ArgumentError('TensorDataset: expected tensors of at least 1 dim, got none');
    for (const x of tensors)
      if (x.shape[0] !== first.shape[0])
        throw new ShapeError(
          `TensorDataset: expected tensors with one number of examples, got ${tensors.map((t) => formatShape(t.shape)).join(', ')}`,
        );
    this.length = first.shape[0] as number;
    this.#tensors = tensors;
  }

  /** Copies of the examples at `indices`, a tensor for each one of the dataset. */
  batch(indices: Int32Array): T {
    const index = tensor(indices);
    try {
      return withoutTape(() => this.#tensors.map((x) => fn.indexSelect(x, 0, index))) as T;
    } finally {
      index.dispose();
    }
  }
}

/** Options of {@link DataLoader}. */
export interface LoaderOptions {
  /** Examples in a batch. @defaultValue 1 */
  batchSize?: number;
  /** Whether each pass goes in a new random order. @defaultValue false */
  shuffle?: boolean;
  /** Seed of the orders; the same seed gives the same orders. @defaultValue 0 */
  seed?: number;
  /** Whether a last batch that is not full is left out. @defaultValue false */
  dropLast?: boolean;
}

/** Where a loader stands: what {@link DataLoader.loadState} needs to go on with the very next batch. */
export interface LoaderState {
  /** Passes begun before the current one. */
  epoch: number;
  /** Batches of the current pass that were given out. */
  batch: number;
}

/**
 * Iterates over a dataset in batches. Each `for … of` loop is one pass; each turn of it is a scope: tensors made in one
 * turn are freed before the next, unless they are kept with keep().
 * @example
 * ```ts
 * const dataset = new data.TensorDataset(randn([1000, 784]), randint(0, 10, [1000]));
 * const loader = new data.DataLoader(dataset, { batchSize: 64, shuffle: true });
 * for (const [images, labels] of loader) console.log(images.shape, labels.shape); // [64, 784], [64]
 * ```
 */
export class DataLoader<B extends readonly Tensor[]> implements Iterable<B> {
  /** What it iterates over. */
  readonly dataset: Dataset<B>;
  /** Examples in a batch. */
  readonly batchSize: number;
  readonly #shuffle: boolean;
  readonly #seed: number;
  readonly #dropLast: boolean;
  #epoch = 0;
  #batch = 0;

  /** @throws ArgumentError unless batchSize ≥ 1 and seed ≥ 0 are whole numbers */
  constructor(dataset: Dataset<B>, options: LoaderOptions = {}) {
    const { batchSize = 1, shuffle = false, seed = 0, dropLast = false } = options;
    if (!(Number.isSafeInteger(batchSize) && batchSize >= 1))
      throw new ArgumentError(`DataLoader: expected batchSize to be a whole number >= 1, got ${batchSize}`);
    if (!(Number.isSafeInteger(seed) && seed >= 0))
      throw new ArgumentError(`DataLoader: expected seed to be a whole number >= 0, got ${seed}`);
    this.dataset = dataset;
    this.batchSize = batchSize;
    this.#shuffle = shuffle;
    this.#seed = seed;
    this.#dropLast = dropLast;
  }

  /** Batches of one pass. */
  get length(): number {
    const batches = this.dataset.length / this.batchSize;
    return this.#dropLast ? Math.floor(batches) : Math.ceil(batches);
  }

  /** Where the loader stands, to be saved in a checkpoint. */
  state(): LoaderState {
    return { epoch: this.#epoch, batch: this.#batch };
  }

  /** Goes on from a state: the next loop starts with the batch that would have come. @throws ArgumentError */
  loadState(state: LoaderState): void {
    const { epoch, batch } = state;
    if (![epoch, batch].every((n) => Number.isSafeInteger(n) && n >= 0))
      throw new ArgumentError(`DataLoader: expected a state of whole numbers >= 0, got epoch ${epoch}, batch ${batch}`);
    this.#epoch = epoch;
    this.#batch = batch;
  }

  /** One pass over the dataset. */
  [Symbol.iterator](): Generator<B, void, undefined> {
    return scoped(this.#batches());
  }

  *#batches(): Generator<B, void, undefined> {
    const { length } = this.dataset;
    const order = this.#shuffle
      ? new Shuffle(this.#seed, this.#epoch).order(length)
      : Int32Array.from({ length }, (_, i) => i);
    try {
      for (let batch = this.#batch; batch < this.length; batch++) {
        this.#batch = batch + 1;
        yield this.dataset.batch(
          order.subarray(batch * this.batchSize, Math.min(length, (batch + 1) * this.batchSize)),
        );
      }
    } finally {
      // A pass that was left early is over as well; a checkpoint inside it took state() before.
      this.#batch = 0;
      this.#epoch++;
    }
  }
}
