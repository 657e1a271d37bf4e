// Pipelines: what users hold in hand of sources and stages.
import type { Dtype } from '../../dtypes.ts';
import { kinds } from '../../kinds.ts';
import { ArgumentError, describe } from '../../memory/errors.ts';
import { type Arguments, methods, signature } from '../../signature.ts';
import { batches, type Collate, unbatch } from './batches.ts';
import { cache } from './cache.ts';
import type { Batched } from './collate.ts';
import { Cursor, type Place } from './cursor.ts';
import { interleave } from './interleave.ts';
import { sourceOf } from './memory.ts';
import { prefetch } from './prefetch.ts';
import { mix, Seed } from './random.ts';
import { filter, filterChunk, type MapFunction, map, mapChunk, skip, take } from './records.ts';
import type { BatchSampler, Sampler } from './samplers.ts';
import { concat, enumerate, repeat, shard, zip } from './sequence.ts';
import type { Job, Port } from './serve.ts';
import { buckets, ordered, shuffle } from './shuffle.ts';
import type { PipelineState, Source } from './source.ts';
import { TensorLoader, type Tensors, type TensorsOptions } from './tensors.ts';

/** Options of {@link Pipeline.batch}. */
export interface BatchOptions<T = unknown, B = unknown> {
  /** Whether a last batch that is not full is left out. @defaultValue false */
  dropLast?: boolean;
  /**
   * Makes the batch of its records, or promises it. null: numbers become typed arrays, arrays of one shape an
   * {@link NdArray}, strings a list, objects and lists are batched by keys and places.
   * @defaultValue null
   */
  collate?: ((records: readonly T[]) => B | PromiseLike<B>) | null;
}

/** Options of {@link Pipeline.window}. */
export interface WindowOptions<T = unknown, B = unknown> extends BatchOptions<T, B> {
  /** How far the first record of a window is from that of the one before. @defaultValue 1 */
  stride?: number;
  /** Whether the last windows, which are not full, are left out. @defaultValue true */
  dropLast?: boolean;
}

/** Options of {@link Pipeline.bucketByLength}. */
export interface BucketOptions<T = unknown, B = unknown> extends BatchOptions<T, B> {
  /** Records that are sorted at a time. null: 100 batches. @defaultValue null */
  windowSize?: number | null;
  /** Seed of the order of batches; null: one from the default generator. @defaultValue null */
  seed?: number | null;
}

/** Options of {@link Pipeline.interleave}. */
export interface InterleaveOptions {
  /** How likely each is the next, this pipeline first, in any unit; null: they take turns. @defaultValue null */
  weights?: readonly number[] | null;
  /** Seed of the choices; null: one from the default generator. @defaultValue null */
  seed?: number | null;
  /** Whether it ends with the first that ends, or with the last. @defaultValue `'all'` */
  until?: 'first' | 'all';
}

/** Options of {@link Pipeline.shuffle}. */
export interface ShuffleOptions {
  /**
   * Records of a window, which is read whole and given in random order. null: all, where the source has random access,
   * else 10,000.
   * @defaultValue null
   */
  bufferSize?: number | null;
  /** Seed of the orders; null: one from the default generator. @defaultValue null */
  seed?: number | null;
}

/** A source and its stages as messages and states name them: `batch(shuffle(csv))`. */
const nameOf = ({ name, inputs }: Source<unknown>): string =>
  inputs.length > 0 ? `${name}(${inputs.map(nameOf).join(', ')})` : name;

/** The seeds of a source and of those that it reads that nobody gave, in order. */
const openSeeds = ({ seed, inputs }: Source<unknown>): Seed[] => [
  ...(seed?.open ? [seed] : []),
  ...inputs.flatMap(openSeeds),
];

const isSampler = (x: unknown): x is Sampler => typeof (x as Partial<Sampler> | null)?.draw === 'function';

/** A pass that is under way. */
interface Pass {
  epoch: number;
  place: Place | null;
  cursor: Cursor<unknown> | null;
}

const pipeline = signature('Pipeline(source: object)');

/**
 * Records that come one after the other, from memory, files or functions, and stages that change them. It reads when
 * it is iterated over, and as much as it needs. Each `for await … of` loop is one pass, with a position of its own.
 * @example
 * ```ts
 * const columns = { x: Float32Array.of(1, 2, 3, 4), y: Int32Array.of(0, 1, 0, 1) };
 * const pipeline = data.from(columns).shuffle({ seed: 1 }).batch(2);
 * for await (const { x, y } of pipeline) console.log(x, y); // a Float32Array and an Int32Array, of 2 numbers each
 * ```
 */
export class Pipeline<T> implements AsyncIterable<T> {
  /** What it reads. @internal */
  readonly source: Source<T>;
  /** The pass that was begun last, or the next one. */
  #last: Pass = { epoch: 0, place: null, cursor: null };
  /** Whether the next pass goes on from there. */
  #resumes = true;
  #passes = 0;

  /** @param source where records come from; {@link from} makes one of arrays, iterables and functions */
  constructor(...args: [source: Source<T>]) {
    const [source] = pipeline.parse(args) as typeof args;
    this.source = sourceOf('Pipeline', source) as Source<T>;
  }

  /** Number of records of a pass, where it is known without reading them. */
  get length(): number | undefined {
    return this.source.length;
  }

  /** Makes of each record another one, in order. Of asynchronous functions up to 64 calls are under way. */
  map<U>(fn: MapFunction<T, U>): Pipeline<U> {
    return new Pipeline(map(this.source, fn));
  }

  /**
   * Makes of columns others, or promises them: of rows an object of columns, of other records an array. How many rows a
   * call gets is for the source to say.
   */
  mapChunk<U = unknown>(fn: MapFunction<never, unknown>): Pipeline<U> {
    return new Pipeline(mapChunk(this.source, fn as never) as Source<U>);
  }

  /** Leaves out the records for which `fn` gives, or promises, nothing true. */
  filter(fn: MapFunction<T, unknown>): Pipeline<T> {
    return new Pipeline(filter(this.source, fn));
  }

  /** The same of columns: `fn` gives an array that has a true value for each row that stays. */
  filterChunk(fn: MapFunction<never, ArrayLike<unknown>>): Pipeline<T> {
    return new Pipeline(filterChunk(this.source, fn as never));
  }

  /** Only the first `count` records. */
  take(count: number): Pipeline<T> {
    atLeast('take', 'count', count, 0);
    return new Pipeline(take(this.source, count));
  }

  /** All but the first `count` records. */
  skip(count: number): Pipeline<T> {
    atLeast('skip', 'count', count, 0);
    return new Pipeline(skip(this.source, count));
  }

  /** Puts `batchSize` records at a time into one. @throws ArgumentError where their shapes differ */
  batch<B = Batched<T>>(...args: Arguments<[batchSize: number], [dropLast: boolean], BatchOptions<T, B>>): Pipeline<B>;
  batch(size: unknown, dropLast?: unknown, collate?: unknown): Pipeline<unknown> {
    atLeast('batch', 'batchSize', size, 1);
    const cut = { size, step: size, dropLast: dropLast as boolean, collate: collate as Collate | null };
    return new Pipeline(batches('batch', this.source, cut));
  }

  /** The records of batches again, each on its own; of an array or typed array its items. */
  unbatch<U = unknown>(): Pipeline<U> {
    return new Pipeline(unbatch(this.source) as Source<U>);
  }

  /** Gives records in a random order, another one each pass. */
  shuffle(...args: Arguments<[], [bufferSize: number | null], ShuffleOptions>): Pipeline<T>;
  shuffle(bufferSize?: unknown, seed?: unknown): Pipeline<T> {
    if (bufferSize !== null) atLeast('shuffle', 'bufferSize', bufferSize, 1);
    if (seed !== null) atLeast('shuffle', 'seed', seed, 0);
    return new Pipeline(shuffle(this.source, bufferSize as number | null, seed as number | null));
  }

  /** All records, so many times; null: for ever. Each time is a pass of its own to stages before this one. */
  repeat(count: number | null = null): Pipeline<T> {
    if (count !== null) atLeast('repeat', 'count', count, 0);
    return new Pipeline(repeat(this.source, count));
  }

  /** The records of this and then those of the others. */
  concat<U = T>(...others: Pipeline<U>[] | [others: readonly Pipeline<U>[]]): Pipeline<T | U>;
  concat(...[others]: readonly unknown[]): Pipeline<unknown> {
    return new Pipeline(concat(this.#with(others)));
  }

  /** Lists of one record of each, until the first has no more. */
  zip<U extends readonly unknown[]>(...others: { [K in keyof U]: Pipeline<U[K]> }): Pipeline<[T, ...U]>;
  zip(...[others]: readonly unknown[]): Pipeline<unknown> {
    return new Pipeline(zip(this.#with(others)));
  }

  /** Records of this and the others by turns, or as likely as weights say. */
  interleave<U = T>(...args: [...others: Pipeline<U>[], options: InterleaveOptions] | Pipeline<U>[]): Pipeline<T | U>;
  interleave(...[others, weights, seed, until]: readonly unknown[]): Pipeline<unknown> {
    const inputs = this.#with(others);
    const given = weights as readonly number[] | null;
    if (given && !(given.length === inputs.length && given.every((w) => w >= 0) && given.some((w) => w > 0)))
      throw new ArgumentError(
        `interleave: expected a weight >= 0 for each of ${inputs.length} pipelines, got ${describe(given)}`,
      );
    if (seed !== null) atLeast('interleave', 'seed', seed, 0);
    return new Pipeline(
      interleave(inputs, { weights: given, seed: seed as number | null, untilFirst: until === 'first' }),
    );
  }

  #with(others: unknown): Source<unknown>[] {
    return [this.source, ...(others as readonly Pipeline<unknown>[]).map(({ source }) => source)];
  }

  /** Lists of the number of a record and the record. */
  enumerate(start: number = 0): Pipeline<[number, T]> {
    return new Pipeline(enumerate(this.source, start));
  }

  /**
   * Each `count`-th record, from number `index` on: the share of one of so many workers. Behind `batch()` it gives that
   * worker's batches, and what comes before makes no others where it need not.
   */
  shard(count: number, index: number): Pipeline<T> {
    atLeast('shard', 'count', count, 1);
    if (!(index >= 0 && index < count))
      throw new ArgumentError(`shard: expected index from 0 to ${count - 1}, got ${index}`);
    return new Pipeline(shard(this.source, count, index));
  }

  /** Keeps in memory what a first whole pass reads; later ones give the same. */
  cache(): Pipeline<T> {
    return new Pipeline(cache(this.source));
  }

  /** Windows of `size` records that follow each other, made as batches are. */
  window<B = Batched<T>>(
    ...args: Arguments<[size: number], [stride: number, dropLast: boolean], WindowOptions<T, B>>
  ): Pipeline<B>;
  window(size: unknown, stride?: unknown, dropLast?: unknown, collate?: unknown): Pipeline<unknown> {
    atLeast('window', 'size', size, 1);
    atLeast('window', 'stride', stride, 1);
    const cut = { size, step: stride, dropLast: dropLast as boolean, collate: collate as Collate | null };
    return new Pipeline(batches('window', this.source, cut));
  }

  /** Batches of records of about one length, which padding makes little longer; they come in a random order. */
  bucketByLength<B = Batched<T>>(
    ...args: Arguments<[lengthOf: (record: T) => number, batchSize: number], [], BucketOptions<T, B>>
  ): Pipeline<B>;
  bucketByLength(lengthOf: unknown, size: unknown, ...rest: unknown[]): Pipeline<unknown> {
    const [dropLast, collate, windowSize, seed] = rest as [boolean, Collate | null, number | null, number | null];
    atLeast('bucketByLength', 'batchSize', size, 1);
    if (windowSize !== null) atLeast('bucketByLength', 'windowSize', windowSize, 1);
    if (seed !== null) atLeast('bucketByLength', 'seed', seed, 0);
    const cut = { size, dropLast, collate, windowSize: windowSize ?? 100 * size, seed };
    return new Pipeline(buckets(this.source, lengthOf as (record: T) => number, cut));
  }

  /**
   * Records in the order that a sampler has, or any iterable of their numbers; of a `BatchSampler` batches.
   * @throws ArgumentError where records cannot be asked for by number
   */
  sample<U = T>(sampler: Iterable<number> | BatchSampler): Pipeline<U>;
  sample(sampler: unknown): Pipeline<unknown> {
    // By what they have, so that who calls no sampler has none in the bundle.
    const { sampler: inner, batchSize, dropLast } = Object(sampler) as Partial<BatchSampler>;
    if (inner && batchSize !== undefined) {
      return this.sample(inner).batch(batchSize, !!dropLast);
    }
    const { source } = this;
    if (!source.get)
      throw new ArgumentError(
        `sample: expected records that can be asked for by number, got ${nameOf(source)}, a stream`,
      );
    if (isSampler(sampler))
      return new Pipeline(
        ordered('sample', source, sampler.length, (seed, epoch) => sampler.draw(seed, epoch), sampler.seed),
      );
    const numbers = sampler as Iterable<number>;
    if (typeof numbers[Symbol.iterator] !== 'function')
      throw new ArgumentError(`sample: expected a sampler or an iterable of numbers, got ${describe(sampler)}`);
    return new Pipeline(ordered('sample', source, undefined, () => Int32Array.from(numbers), new Seed('sample', 0)));
  }

  /**
   * Reads `count` records ahead, batches behind `batch()`: files and functions that wait do so while the program
   * computes.
   */
  prefetch(count: number = 2): Pipeline<T> {
    atLeast('prefetch', 'count', count, 1);
    return new Pipeline(prefetch(this.source, count));
  }

  /**
   * Its batches as tensors, the last stage: typed arrays and NdArrays become tensors, all else stays. Each turn of a
   * loop frees the batch of the one before, and what was computed from it.
   * @example
   * ```ts
   * const rows = data.from({ x: new Float32Array(6), y: Int32Array.of(0, 1, 0, 1, 1, 0) });
   * const loader = rows.shuffle({ seed: 0 }).batch(2).tensors();
   * for await (const { x, y } of loader) console.log(x.shape, y.dtype); // [2], i32
   * ```
   */
  tensors(...args: Arguments<[], [dtype: Dtype | null], TensorsOptions>): TensorLoader<Tensors<T>>;
  tensors(dtype?: unknown, dtypes?: unknown): TensorLoader<Tensors<T>> {
    return new TensorLoader(this, { dtype, dtypes } as TensorsOptions);
  }

  /** All records of a pass. */
  async toArray(): Promise<T[]> {
    const records: T[] = [];
    for await (const record of this) records.push(record);
    return records;
  }

  /**
   * Where the pass that was begun last stands, to be saved in a checkpoint: in the loop and after `break` behind the
   * record that was given last, after its end the next pass. Before the first pass, where that will begin.
   */
  state(): PipelineState {
    const { epoch, place, cursor } = this.#last;
    const seeds = openSeeds(this.source).map(({ value }) => value);
    return { epoch, pipeline: nameOf(this.source), place: cursor ? cursor.place() : place, seeds };
  }

  /**
   * Goes on from a state: the next loop starts with the record that would have come. A state of the last record, taken
   * before the loop ended, gives a loop of no turns, the rest of that pass.
   * @throws ArgumentError for a state of other stages, and for what is none
   */
  loadState(state: PipelineState): void {
    const { epoch, pipeline, place, seeds } = state;
    const [own, open] = [nameOf(this.source), openSeeds(this.source)];
    const isCount = (x: unknown): boolean => Number.isSafeInteger(x) && (x as number) >= 0;
    if (!(isCount(epoch) && (place === null || Array.isArray(place)) && Array.isArray(seeds) && seeds.every(isCount)))
      throw new ArgumentError(
        `loadState: expected a state of a pipeline, got ${describe(state)} with epoch ${describe(epoch)}`,
      );
    if (pipeline !== own || seeds.length !== open.length)
      throw new ArgumentError(`loadState: expected a state of ${own}, got one of ${describe(pipeline)}`);
    this.#last = { epoch, place: place as Place | null, cursor: null };
    this.#resumes = true;
    for (const [i, seed] of open.entries()) seed.value = seeds[i] as number;
  }

  /** Has the next pass be that of a worker. @internal */
  begin({ epoch, seed, state }: Job): void {
    for (const [i, each] of openSeeds(this.source).entries()) each.value = mix(seed, i);
    this.loadState(state ?? { ...this.state(), epoch, place: null });
  }

  /** Gives the records of a pass to another thread. @internal */
  async serve(job: Job, port: Port): Promise<void> {
    const { serve } = await import('./serve.ts');
    return serve(this, !!this.source.fresh, job, port);
  }

  /** A pass over the records, from the first, or after loadState() from where that says. */
  [Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    const { epoch, place } = this.#resumes ? this.#last : { epoch: this.#passes, place: null };
    const pass: Pass = { epoch, place, cursor: null };
    this.#resumes = false;
    this.#passes = epoch + 1;
    this.#last = pass;
    return this.#records(pass);
  }

  async *#records(pass: Pass): AsyncGenerator<T, void, undefined> {
    const cursor = await Cursor.open(this.source, pass.epoch, pass.place);
    pass.cursor = cursor;
    let ended = false;
    try {
      for (let chunk = await cursor.look(1, Number.POSITIVE_INFINITY); chunk; ) {
        for (let i = 0; i < chunk.length; i++) {
          const record = chunk.at(i);
          cursor.drop(1);
          yield record;
        }
        chunk = await cursor.look(1, Number.POSITIVE_INFINITY);
      }
      ended = true;
    } finally {
      // The place of a reader that is closed nobody has to give.
      pass.place = ended ? null : cursor.place();
      pass.cursor = null;
      if (ended) pass.epoch++;
      await cursor.close();
    }
  }

  static {
    methods(
      ...([Pipeline, 'Pipeline', 'map(fn: function)', 'mapChunk(fn: function)', 'filter(fn: function)'] as const),
      ...['filterChunk(fn: function)', 'take(count: int)', 'skip(count: int)', 'unbatch()', 'toArray()', 'cache()'],
      ...['repeat(count: int|null = null)', 'concat(...others: Pipeline)', 'zip(...others: Pipeline)'],
      "interleave(...others: Pipeline, *, weights: number[]|null = null, seed: int|null = null, until: 'first'|'all' = 'all')",
      ...['enumerate(start: int = 0)', 'shard(count: int, index: int)', 'sample(sampler: any)'],
      'batch(batchSize: int, dropLast: bool = false, *, collate: function|null = null)',
      'window(size: int, stride: int = 1, dropLast: bool = true, *, collate: function|null = null)',
      'bucketByLength(lengthOf: function, batchSize: int, *, dropLast: bool = false, collate: function|null = null, windowSize: int|null = null, seed: int|null = null)',
      'shuffle(bufferSize: int|null = null, *, seed: int|null = null)',
      ...[
        'prefetch(count: int = 2)',
        'tensors(dtype: dtype|null = null, *, dtypes: object|null = null)',
        'state()',
        'loadState(state: object)',
      ],
    );
  }
}

kinds.Pipeline = [(x) => x instanceof Pipeline, 'a pipeline', 'pipelines'];

/** @throws ArgumentError unless `value` is at least `low` */
function atLeast(op: string, name: string, value: unknown, low: number): asserts value is number {
  if ((value as number) < low) throw new ArgumentError(`${op}: expected ${name} >= ${low}, got ${value}`);
}
