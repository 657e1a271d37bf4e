// Orders in which examples are asked for, by number: PyTorch's samplers.
import { ArgumentError, describe } from '../../memory/errors.ts';
import { unit } from '../../mix.ts';
import { type Arguments, signature } from '../../signature.ts';
import { Shuffle } from '../shuffle.ts';
import { atLeast } from './checks.ts';
import { Seed } from './random.ts';

/** What has a length. */
export interface Sized {
  /** Number of examples. */
  readonly length?: number | undefined;
}

/** Numbers of examples, in the order of a pass. Each loop over one is a pass of its own. */
export abstract class Sampler implements Iterable<number> {
  /** The seed of its orders. @internal */
  readonly seed: Seed;
  #passes = 0;

  /** @internal */
  protected constructor(op: string, seed: number | null = 0) {
    if (seed !== null) atLeast(op, 'seed', seed, 0);
    this.seed = new Seed(op, seed);
  }

  /** How many numbers a pass has. */
  abstract get length(): number;

  /** The numbers of a pass that has this seed. @internal */
  abstract draw(seed: number, epoch: number): Int32Array;

  /** The numbers of the next pass. */
  *[Symbol.iterator](): Generator<number, void, undefined> {
    yield* this.draw(this.seed.value, this.#passes++);
  }
}

/** Options of samplers that draw. */
export interface SamplerOptions {
  /** Seed of the orders; null: one from the default generator. @defaultValue null */
  seed?: number | null;
}

/** @throws ArgumentError where `source` does not say how many examples it has */
function lengthOf(op: string, source: unknown): number {
  const { length } = source as Sized;
  if (Number.isSafeInteger(length) && (length as number) >= 0) return length as number;
  throw new ArgumentError(`${op}: expected a source that says its length, got ${describe(length)} as length`);
}

/** @throws ArgumentError unless a count is at least 1 */
function countOf(op: string, name: string, count: number): number {
  atLeast(op, name, count, 1);
  return count;
}

const upTo = (n: number): Int32Array => Int32Array.from({ length: n }, (_, i) => i);

const sequential = signature('SequentialSampler(dataSource: object)');
const random = signature(
  'RandomSampler(dataSource: object, replacement: bool = false, numSamples: int|null = null, -generator: null = null, *, seed: int|null = null)',
);
const subsetRandom = signature('SubsetRandomSampler(indices: any, -generator: null = null, *, seed: int|null = null)');
const weighted = signature(
  'WeightedRandomSampler(weights: any, numSamples: int, replacement: bool = true, -generator: null = null, *, seed: int|null = null)',
);
const balanced = signature('ClassBalancedSampler(labels: any, numSamples: int|null = null, *, seed: int|null = null)');
const batch = signature('BatchSampler(sampler: any, batchSize: int, dropLast: bool)');

/** All examples in their order. */
export class SequentialSampler extends Sampler {
  readonly length: number;

  /** @param args what says its length */
  constructor(...args: [dataSource: Sized]) {
    const [source] = sequential.parse(args) as typeof args;
    super('SequentialSampler');
    this.length = lengthOf('SequentialSampler', source);
  }

  /** @internal */
  draw(): Int32Array {
    return upTo(this.length);
  }
}

/** Options of {@link RandomSampler}. */
export interface RandomSamplerOptions extends SamplerOptions {
  /** Whether an example may come again before all have come. @defaultValue false */
  replacement?: boolean;
  /** How many numbers a pass has; null: one for each example. @defaultValue null */
  numSamples?: number | null;
}

/** Examples in random order; each comes as often as the others, give or take one, or as it is drawn. */
export class RandomSampler extends Sampler {
  readonly length: number;
  readonly #of: number;
  readonly #again: boolean;

  /** @throws ArgumentError for what has no length, and unless numSamples ≥ 1 and seed ≥ 0 */
  constructor(
    ...args: Arguments<[dataSource: Sized], [replacement: boolean, numSamples: number | null], RandomSamplerOptions>
  ) {
    const op = 'RandomSampler';
    const [source, again, count, , seed] = random.parse(args) as [Sized, boolean, number | null, null, number | null];
    super(op, seed);
    this.#of = lengthOf(op, source);
    this.#again = again;
    this.length = count === null ? this.#of : countOf(op, 'numSamples', this.#of > 0 ? count : 0);
  }

  /** @internal */
  draw(seed: number, epoch: number): Int32Array {
    const drawn = new Shuffle(seed, epoch);
    if (this.#again) return upTo(this.length).map(() => drawn.below(this.#of));
    const order = new Int32Array(this.length);
    for (let at = 0; at < order.length; at += this.#of)
      order.set(drawn.order(this.#of).subarray(0, order.length - at), at);
    return order;
  }
}

/** Some examples, in random order. */
export class SubsetRandomSampler extends Sampler {
  readonly #indices: Int32Array;

  /** @param args numbers of examples */
  constructor(...args: [indices: ArrayLike<number>, options?: SamplerOptions]) {
    const [indices, , seed] = subsetRandom.parse(args) as [ArrayLike<number>, null, number | null];
    super('SubsetRandomSampler', seed);
    this.#indices = Int32Array.from(numbers('SubsetRandomSampler', 'indices', indices, Number.isInteger));
  }

  get length(): number {
    return this.#indices.length;
  }

  /** @internal */
  draw(seed: number, epoch: number): Int32Array {
    return new Shuffle(seed, epoch).order(this.length).map((i) => this.#indices[i] as number);
  }
}

/** @throws ArgumentError unless `list` has numbers ≥ 0 only, for which `is` holds */
function numbers(op: string, name: string, list: unknown, is: (x: unknown) => boolean = Number.isFinite): Float64Array {
  const given = Array.isArray(list) || ArrayBuffer.isView(list) ? (list as unknown as ArrayLike<unknown>) : null;
  const wrong = given ? Array.prototype.find.call(given, (x) => !(is(x) && x >= 0)) : list;
  if (given && wrong === undefined) return Float64Array.from(given as ArrayLike<number>);
  throw new ArgumentError(`${op}: expected a list of numbers >= 0 as ${name}, got ${describe(wrong)}`);
}

/** Options of {@link WeightedRandomSampler}. */
export interface WeightedSamplerOptions extends SamplerOptions {
  /** Whether an example may come more than once in a pass. @defaultValue true */
  replacement?: boolean;
}

/** Examples as likely as their weights say, whose sum may be any. */
export class WeightedRandomSampler extends Sampler {
  readonly length: number;
  readonly #weights: Float64Array;
  readonly #again: boolean;

  /**
   * @throws ArgumentError for weights < 0, for no more than 0, and for more numSamples than there are without
   *   replacement
   */
  constructor(
    ...args: Arguments<
      [weights: ArrayLike<number>, numSamples: number],
      [replacement: boolean],
      WeightedSamplerOptions,
      ['weights', 'numSamples']
    >
  ) {
    const op = 'WeightedRandomSampler';
    const [weights, count, again, , seed] = weighted.parse(args) as [unknown, number, boolean, null, number | null];
    super(op, seed);
    this.#weights = numbers(op, 'weights', weights);
    this.#again = again;
    const most = again ? Number.POSITIVE_INFINITY : this.#weights.filter((weight) => weight > 0).length;
    if (!this.#weights.some((weight) => weight > 0)) throw new ArgumentError(`${op}: expected a weight > 0, got none`);
    if (count > most)
      throw new ArgumentError(
        `${op}: expected numSamples up to the ${most} weights > 0 without replacement, got ${count}`,
      );
    this.length = countOf(op, 'numSamples', count);
  }

  /** @internal */
  draw(seed: number, epoch: number): Int32Array {
    return this.#again ? this.#drawAgain(seed, epoch) : this.#drawOnce(seed, epoch);
  }

  #drawAgain(seed: number, epoch: number): Int32Array {
    let sum = 0;
    const ends = this.#weights.map((weight) => (sum += weight));
    return upTo(this.length).map((i) => {
      const at = unit(seed, epoch, i) * sum;
      let [low, high] = [0, ends.length - 1];
      while (low < high) {
        const middle = (low + high) >>> 1;
        if ((ends[middle] as number) > at) high = middle;
        else low = middle + 1;
      }
      return low;
    });
  }

  /** The first of all by keys log(u) / weight (Efraimidis and Spirakis 2006), as if drawn one after the other. */
  #drawOnce(seed: number, epoch: number): Int32Array {
    const keys = this.#weights.map((weight, i) => Math.log(1 - unit(seed, epoch, i)) / weight);
    const drawn = upTo(keys.length).filter((i) => (this.#weights[i] as number) > 0);
    return drawn.sort((a, b) => (keys[b] as number) - (keys[a] as number)).slice(0, this.length);
  }
}

/** Options of {@link ClassBalancedSampler}. */
export interface BalancedSamplerOptions extends SamplerOptions {
  /** How many numbers a pass has; null: one for each example. @defaultValue null */
  numSamples?: number | null;
}

/**
 * Draws, with replacement, examples of all classes as often as of each other: a weight is 1 / examples of the class.
 */
export class ClassBalancedSampler extends WeightedRandomSampler {
  /** @param args the class of each example: numbers, strings, whatever is the same for those of one class */
  constructor(...args: Arguments<[labels: ArrayLike<unknown>], [numSamples: number | null], BalancedSamplerOptions>) {
    const [labels, count, seed] = balanced.parse(args) as [ArrayLike<unknown>, number | null, number | null];
    if (!(Array.isArray(labels) || ArrayBuffer.isView(labels)))
      throw new ArgumentError(`ClassBalancedSampler: expected a list of classes as labels, got ${describe(labels)}`);
    const counts = new Map<unknown, number>();
    for (const label of labels as readonly unknown[]) counts.set(label, (counts.get(label) ?? 0) + 1);
    super(
      Array.from(labels as readonly unknown[], (label) => 1 / (counts.get(label) as number)),
      count ?? labels.length,
      { seed },
    );
  }
}

/** Numbers of examples in lists of `batchSize`. */
export class BatchSampler implements Iterable<number[]> {
  /** What it cuts. */
  readonly sampler: Iterable<number> & Sized;
  /** Numbers in a list. */
  readonly batchSize: number;
  /** Whether a last list that is not full is left out. */
  readonly dropLast: boolean;

  /** @throws ArgumentError unless batchSize ≥ 1 */
  constructor(...args: [sampler: Iterable<number> & Sized, batchSize: number, dropLast: boolean]) {
    const [sampler, batchSize, dropLast] = batch.parse(args) as typeof args;
    if (typeof (sampler as Partial<Iterable<number>>)[Symbol.iterator] !== 'function')
      throw new ArgumentError(
        `BatchSampler: expected a sampler or another iterable of numbers, got ${describe(sampler)}`,
      );
    this.sampler = sampler;
    this.batchSize = countOf('BatchSampler', 'batchSize', batchSize);
    this.dropLast = dropLast;
  }

  /** How many lists a pass has. */
  get length(): number {
    const batches = lengthOf('BatchSampler', this.sampler) / this.batchSize;
    return this.dropLast ? Math.floor(batches) : Math.ceil(batches);
  }

  /** The lists of the next pass. */
  *[Symbol.iterator](): Generator<number[], void, undefined> {
    let list: number[] = [];
    for (const i of this.sampler)
      if (list.push(i) === this.batchSize) {
        yield list;
        list = [];
      }
    if (list.length > 0 && !this.dropLast) yield list;
  }
}
