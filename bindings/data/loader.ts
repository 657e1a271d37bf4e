// Datasets and the loader that cuts them into batches, in a seeded order, one scope a batch.
import { withoutTape } from '../autograd.ts';
import { tensor } from '../creation.ts';
import * as fn from '../functional/functions.ts';
import {
  ArgumentError,
  describe,
  expectSynchronous,
  formatShape,
  named,
  outside,
  ShapeError,
} from '../memory/errors.ts';
import { randomWords } from '../random.ts';
import { scope, scoped } from '../scope.ts';
import { type Arguments, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { Shuffle } from './shuffle.ts';

/** A collection of examples that can be fetched by number, in batches of type B. */
export interface Dataset<B extends readonly Tensor[] = readonly Tensor[]> {
  /** Number of examples. */
  readonly length: number;
  /** The examples at `indices` as one batch: tensors whose first dim is the number of examples. */
  batch(indices: Int32Array): B;
}

const tensorDataset = signature('TensorDataset(...tensors: Tensor)');
const toBatch = signature('TensorDataset.batch(indices: places)', {
  places: [(x) => x instanceof Int32Array, 'an Int32Array'],
});

/** Examples held in tensors whose first dims agree (PyTorch's `TensorDataset`). */
export class TensorDataset<T extends Tensor[]> implements Dataset<T> {
  /** Number of examples. */
  readonly length: number;
  readonly #tensors: T;

  /**
   * @param args tensors whose first dims are the examples
   * @throws ArgumentError for none, ShapeError where the numbers of examples differ
   */
  constructor(...args: T) {
    const [tensors] = tensorDataset.parse(args) as [T];
    const [first] = tensors;
    if (Array.isArray(args[0]))
      throw new ArgumentError(
        'TensorDataset: expected tensors, got a list; pass each on its own: new TensorDataset(x, y)',
      );
    if (!first || tensors.some(({ ndim }) => ndim === 0))
      throw new ArgumentError(
        `TensorDataset: expected tensors of at least 1 dim, got ${first ? 'a single number' : 'none'}`,
      );
    for (const x of tensors)
      if (x.shape[0] !== first.shape[0])
        throw new ShapeError(
          `TensorDataset: expected tensors with one number of examples, got ${tensors.map((t) => formatShape(t.shape)).join(', ')}`,
        );
    this.length = first.shape[0] as number;
    this.#tensors = tensors;
  }

  /** Copies of the examples at `indices`, a tensor for each one of the dataset. */
  batch(...args: [indices: Int32Array]): T {
    const [indices] = toBatch.parse(args) as typeof args;
    const index = tensor(indices);
    try {
      return withoutTape(() => this.#tensors.map((x) => fn.indexSelect(x, 0, index))) as T;
    } catch (error) {
      throw named(error, 'batch');
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
  /**
   * Which examples a pass has, and in which order, such as a `RandomSampler` or a `DistributedSampler`; it takes the
   * place of `shuffle` and `seed`.
   * @defaultValue null
   */
  sampler?: LoaderSampler | null;
  /** Whether a last batch that is not full is left out. @defaultValue false */
  dropLast?: boolean;
  /**
   * Seed of the orders, a whole number from 0; the same seed gives the same orders. null: each pass draws one from the
   * default generator, which `manualSeed` seeds.
   * @defaultValue null
   */
  seed?: number | null;
}

/** What a loader asks for the examples of a pass: the samplers of `retrograd/data` are such. */
export interface LoaderSampler {
  /** How many examples a pass has. */
  readonly length: number;
  /** Of its orders. @internal */
  readonly seed: { readonly value: number };
  /** Their numbers, for the seed and the number of a pass. @internal */
  draw(seed: number, epoch: number): Int32Array;
}

/** Where a pass stands: what {@link DataLoader.loadState} needs to go on with the very next batch. */
export interface LoaderState {
  /** Passes begun before this one. */
  epoch: number;
  /** Batches of this pass that were given out. */
  batch: number;
  /** The seed that this pass drew, where the loader has none of its own and shuffles; that of its sampler. */
  seed?: number;
}

/** @throws ArgumentError unless `state` is one of a loader */
function checkState(state: LoaderState): LoaderState {
  const { epoch, batch, seed = 0 } = state;
  if (![epoch, batch, seed].every((n) => Number.isSafeInteger(n) && n >= 0))
    throw new ArgumentError(
      `loadState: expected a state of whole numbers >= 0, got epoch ${describe(epoch)}, batch ${describe(batch)}` +
        (seed === 0 ? '' : `, seed ${describe(seed)}`),
    );
  return state.seed === undefined ? { epoch, batch } : { epoch, batch, seed };
}

/** @throws ArgumentError unless `dataset` can be asked for its length and for batches. @returns the length */
function lengthOf(dataset: Dataset): number {
  const { length, batch } = dataset;
  if (!(Number.isSafeInteger(length) && length >= 0))
    throw new ArgumentError(
      `DataLoader: expected a dataset whose length is a whole number >= 0, got ${describe(length)} as length`,
    );
  if (length >= 2 ** 31)
    throw new ArgumentError(`DataLoader: expected a dataset of less than 2 ** 31 examples, got ${length}`);
  if (typeof batch !== 'function')
    throw new ArgumentError(
      `DataLoader: expected a dataset with a method batch(indices), got ${describe(batch)} as batch; see data.Dataset`,
    );
  return length;
}

const dataLoader = signature(
  'DataLoader(dataset: object, batchSize: int = 1, shuffle: bool|null = null, sampler: object|null = null, -batchSampler: null = null, ' +
    '-numWorkers: int = 0, -collateFn: null = null, -pinMemory: bool = false, dropLast: bool = false, -timeout: number = 0, ' +
    '-workerInitFn: null = null, -multiprocessingContext: null = null, -generator: null = null, *, seed: int|null = null)',
);
const toState = signature('DataLoader.state()');
const toLoad = signature('DataLoader.loadState(state: object)');

/**
 * Iterates over a dataset in batches. Each `for … of` loop is one pass, with a position of its own: loops may nest, and
 * a look at the first batch disturbs no other. Each turn of a loop is a scope: tensors made in it are freed before the
 * next, unless they are kept with keep(). A turn may `await`; then its batch and what was computed from it are freed
 * before the next, and what else it made when it is garbage.
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
  readonly #seed: number | null;
  readonly #sampler: LoaderSampler | null;
  readonly #dropLast: boolean;
  /** Where the pass that was begun last stands; before the first, where that will begin. */
  #last: LoaderState = { epoch: 0, batch: 0 };
  /** Whether the next pass goes on from there. */
  #resumes = true;
  #passes = 0;

  /**
   * @param dataset has `length` and `batch(indices)`
   * @throws ArgumentError unless it has, batchSize ≥ 1 and seed ≥ 0
   */
  constructor(
    ...args: Arguments<
      [dataset: Dataset<B>],
      [batchSize: number, shuffle: boolean, sampler: LoaderSampler | null],
      LoaderOptions
    >
  ) {
    const values = dataLoader.parse(args);
    const [dataset, batchSize, shuffle, sampler] = values as [Dataset<B>, number, boolean, LoaderSampler | null];
    const [dropLast, seed] = [values[8] as boolean, values[13] as number | null];
    lengthOf(dataset);
    if (batchSize < 1) throw new ArgumentError(`DataLoader: expected batchSize >= 1, got ${batchSize}`);
    if (seed !== null && seed < 0) throw new ArgumentError(`DataLoader: expected seed >= 0, got ${seed}`);
    if (sampler && (shuffle || seed !== null || typeof sampler.draw !== 'function'))
      throw new ArgumentError(
        `DataLoader: expected a sampler of retrograd/data, without shuffle and seed, got ${describe(sampler)}; give those to the sampler`,
      );
    this.dataset = dataset;
    this.#sampler = sampler;
    this.batchSize = batchSize;
    this.#shuffle = shuffle ?? false;
    this.#seed = seed;
    this.#dropLast = dropLast;
  }

  /** What chooses its examples, where that is one of its own. @internal */
  get sampler(): LoaderSampler | null {
    return this.#sampler;
  }

  /** Batches of one pass. */
  get length(): number {
    const batches = (this.#sampler?.length ?? lengthOf(this.dataset)) / this.batchSize;
    return this.#dropLast ? Math.floor(batches) : Math.ceil(batches);
  }

  /**
   * Where the pass that was begun last stands, to be saved in a checkpoint: in the loop and after `break` how many of
   * its batches were given out, after its end the next pass. Before the first pass, where that will begin.
   */
  state(...args: []): LoaderState {
    toState.parse(args);
    return { ...this.#last };
  }

  /**
   * Goes on from a state: the next loop starts with the batch that would have come. A state of the last batch, taken
   * before the loop ended, gives a loop of no turns, the rest of that pass.
   * @throws ArgumentError
   */
  loadState(...args: [state: LoaderState]): void {
    this.#last = checkState(toLoad.parse(args)[0] as LoaderState);
    this.#resumes = true;
  }

  /** A pass over the dataset, from its first batch, or after loadState() from where that says. */
  [Symbol.iterator](): Generator<B, void, undefined> {
    const place = this.#resumes ? { ...this.#last } : { epoch: this.#passes, batch: 0 };
    this.#resumes = false;
    this.#passes = place.epoch + 1;
    this.#last = place;
    return scoped(this.#batches(place));
  }

  /** The order of the pass at `place`. */
  #order(place: LoaderState, length: number): Int32Array | null {
    const sampler = this.#sampler;
    if (sampler) {
      place.seed ??= sampler.seed.value;
      return sampler.draw(place.seed, place.epoch);
    }
    if (!this.#shuffle) return null;
    if (this.#seed === null) place.seed ??= drawSeed();
    return new Shuffle(this.#seed ?? (place.seed as number), place.epoch).order(length);
  }

  *#batches(place: LoaderState): Generator<B, void, undefined> {
    const { dataset, batchSize, length: batches } = this;
    const order = this.#order(place, lengthOf(dataset));
    const count = order?.length ?? dataset.length;
    while (place.batch < batches) {
      const from = place.batch++ * batchSize;
      const to = Math.min(count, from + batchSize);
      const indices = order?.subarray(from, to) ?? range(from, to);
      // What a dataset makes beside the batch goes at once: a turn that awaits would leave it to be collected.
      yield scope(() => {
        const batch = dataset.batch(indices);
        expectSynchronous('DataLoader: dataset.batch', batch);
        return batch;
      });
    }
    place.epoch++;
    place.batch = 0;
    delete place.seed;
  }
}

/** The numbers from … to − 1. */
function range(from: number, to: number): Int32Array {
  const numbers = outside(4 * (to - from), () => new Int32Array(to - from));
  for (let i = 0; i < numbers.length; i++) numbers[i] = from + i;
  return numbers;
}

/** A seed from the default generator. */
function drawSeed(): number {
  const [low = 0, high = 0] = randomWords('DataLoader', 2);
  return (high >>> 11) * 2 ** 32 + low;
}
