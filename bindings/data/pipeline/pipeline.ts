// Pipelines: what users hold in hand of sources and stages. What stages do, passes/, comes with the first pass.
import type { Dtype } from '../../dtypes.ts';
import { kinds } from '../../kinds.ts';
import { ArgumentError, describe } from '../../memory/errors.ts';
import { mix } from '../../mix.ts';
import { type Arguments, methods, signature } from '../../signature.ts';
import type { Cursor, Place } from '../passes/cursor.ts';
import type { Job, Port } from '../passes/serve.ts';
import { atLeast } from './checks.ts';
import { type Batched, batchesOf, type Collate, copying } from './collate.ts';
import { type Known, type Stages, stage, stages } from './later.ts';
import { sourceOf } from './memory.ts';
import type { BatchOptions, BucketOptions, InterleaveOptions, ShuffleOptions, WindowOptions } from './options.ts';
import { Seed } from './random.ts';
import type { BatchSampler, Sampler } from './samplers.ts';
import type { MapFunction, PipelineState, Run, Source } from './source.ts';
import { TensorLoader, type Tensors, type TensorsOptions } from './tensors.ts';

/** A source and its stages as messages and states name them: `batch(shuffle(csv))`. */
const nameOf = ({ name, inputs }: Source<unknown>): string =>
  inputs.length > 0 ? `${name}(${inputs.map(nameOf).join(', ')})` : name;

/** The seeds of a source and of those that it reads that nobody gave, in order. */
const openSeeds = ({ seed, inputs }: Source<unknown>): Seed[] => [
  ...(seed?.open ? [seed] : []),
  ...inputs.flatMap(openSeeds),
];

/** A length that was computed of others; undefined where one of them is not known, and so NaN. */
const known = (length: number): number | undefined => (Number.isNaN(length) ? undefined : length);

const lengthsOf = (inputs: readonly Source<unknown>[]): number[] => inputs.map(({ length }) => length ?? Number.NaN);

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

  /** A stage behind this one. */
  #then<U>(name: string, make: (stages: Stages, source: Source<T>) => Run<U>, own?: Known): Pipeline<U> {
    const { source } = this;
    return new Pipeline(stage(name, [source], (stages) => make(stages, source), own));
  }

  /** What a stage knows that gives a record for each. */
  get #like(): Known {
    const { length, get } = this.source;
    return { length, get };
  }

  /** What a stage knows that hands some records on. */
  #some(length: number): Known {
    const { get, fresh } = this.source;
    return { length: known(length), get, fresh };
  }

  get #count(): number {
    return this.length ?? Number.NaN;
  }

  /** Makes of each record another one, in order. Of asynchronous functions up to 64 calls are under way. */
  map<U>(fn: MapFunction<T, U>): Pipeline<U> {
    return this.#then('map', (stages, source) => stages.map(source, fn), this.#like);
  }

  /**
   * Makes of columns others, or promises them: of rows an object of columns, of other records an array. How many rows a
   * call gets is for the source to say.
   */
  mapChunk<U = unknown>(fn: MapFunction<never, unknown>): Pipeline<U> {
    const make = (stages: Stages, source: Source<T>) => stages.mapChunk(source, fn as never) as Run<U>;
    return this.#then('mapChunk', make, { length: this.length });
  }

  /** Leaves out the records for which `fn` gives, or promises, nothing true. */
  filter(fn: MapFunction<T, unknown>): Pipeline<T> {
    return this.#then('filter', (stages, source) => stages.filter(source, fn));
  }

  /** The same of columns: `fn` gives an array that has a true value for each row that stays. */
  filterChunk(fn: MapFunction<never, ArrayLike<unknown>>): Pipeline<T> {
    return this.#then('filterChunk', (stages, source) => stages.filterChunk(source, fn as never));
  }

  /** Only the first `count` records. */
  take(count: number): Pipeline<T> {
    atLeast('take', 'count', count, 0);
    const some = this.#some(Math.min(this.#count, count));
    return this.#then('take', (stages, source) => stages.take(source, count), some);
  }

  /** All but the first `count` records. */
  skip(count: number): Pipeline<T> {
    atLeast('skip', 'count', count, 0);
    const some = this.#some(Math.max(0, this.#count - count));
    return this.#then('skip', (stages, source) => stages.skip(source, count), some);
  }

  /** Puts `batchSize` records at a time into one. @throws ArgumentError where their shapes differ */
  batch<B = Batched<T>>(
    ...args: Arguments<[batchSize: number], [dropLast: boolean], BatchOptions<T, B>, ['batchSize']>
  ): Pipeline<B>;
  batch(size: unknown, dropLast?: unknown, collate?: unknown): Pipeline<unknown> {
    atLeast('batch', 'batchSize', size, 1);
    return this.#batches('batch', size, size, dropLast, collate);
  }

  #batches(name: string, size: number, step: number, dropLast: unknown, own: unknown): Pipeline<unknown> {
    const collate = own as Collate | null;
    const cut = { size, step, dropLast: dropLast as boolean, collate };
    const length = known(batchesOf(this.#count, cut));
    const fresh = collate === null || copying.has(collate);
    return this.#then(name, (stages, source) => stages.batches(source, cut), { length, fresh });
  }

  /** The records of batches again, each on its own; of an array or typed array its items. */
  unbatch<U = unknown>(): Pipeline<U> {
    return this.#then('unbatch', (stages, source) => stages.unbatch(source) as Run<U>);
  }

  /** Gives records in a random order, another one each pass. */
  shuffle(...args: Arguments<[], [bufferSize: number | null], ShuffleOptions>): Pipeline<T>;
  shuffle(bufferSize?: unknown, seed?: unknown): Pipeline<T> {
    if (bufferSize !== null) atLeast('shuffle', 'bufferSize', bufferSize, 1);
    if (seed !== null) atLeast('shuffle', 'seed', seed, 0);
    const own = new Seed('shuffle', seed as number | null);
    const make = (stages: Stages, source: Source<T>) => stages.shuffle(source, bufferSize as number | null, own);
    return this.#then('shuffle', make, { length: this.length, seed: own });
  }

  /** All records, so many times; null: for ever. Each time is a pass of its own to stages before this one. */
  repeat(count: number | null = null): Pipeline<T> {
    if (count !== null) atLeast('repeat', 'count', count, 0);
    const length = known(this.#count * (count ?? Number.NaN));
    return this.#then('repeat', (stages, source) => stages.repeat(source, count), { length });
  }

  /** The records of this and then those of the others. */
  concat<U = T>(...others: Pipeline<U>[] | [others: readonly Pipeline<U>[]]): Pipeline<T | U>;
  concat(...[others]: readonly unknown[]): Pipeline<unknown> {
    const inputs = this.#with(others);
    const length = known(lengthsOf(inputs).reduce((a, b) => a + b));
    const get = length !== undefined && inputs.every(({ get }) => get);
    return new Pipeline(stage('concat', inputs, (stages) => stages.concat(inputs), { length, get }));
  }

  /** Lists of one record of each, until the first has no more. */
  zip<U extends readonly unknown[]>(...others: { [K in keyof U]: Pipeline<U[K]> }): Pipeline<[T, ...U]>;
  zip(...[others]: readonly unknown[]): Pipeline<unknown> {
    const inputs = this.#with(others);
    const length = known(Math.min(...lengthsOf(inputs)));
    const get = inputs.every(({ get }) => get);
    return new Pipeline(stage('zip', inputs, (stages) => stages.zip(inputs), { length, get }));
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
    // Who takes turns draws nothing.
    const own = new Seed('interleave', given ? (seed as number | null) : 0);
    const turns = { weights: given, seed: own, untilFirst: until === 'first' };
    return new Pipeline(stage('interleave', inputs, (stages) => stages.interleave(inputs, turns), { seed: own }));
  }

  #with(others: unknown): Source<unknown>[] {
    return [this.source, ...(others as readonly Pipeline<unknown>[]).map(({ source }) => source)];
  }

  /** Lists of the number of a record and the record. */
  enumerate(start: number = 0): Pipeline<[number, T]> {
    return this.#then('enumerate', (stages, source) => stages.enumerate(source, start), this.#like);
  }

  /**
   * Each `count`-th record, from number `index` on: the share of one of so many workers. Behind `batch()` it gives that
   * worker's batches, and what comes before makes no others where it need not.
   */
  shard(count: number, index: number): Pipeline<T> {
    atLeast('shard', 'count', count, 1);
    if (!(index >= 0 && index < count))
      throw new ArgumentError(`shard: expected index from 0 to ${count - 1}, got ${index}`);
    const some = this.#some(Math.ceil(Math.max(0, this.#count - index) / count));
    return this.#then('shard', (stages, source) => stages.shard(source, count, index), some);
  }

  /** Keeps in memory what a first whole pass reads; later ones give the same. */
  cache(): Pipeline<T> {
    return this.#then('cache', (stages, source) => stages.cache(source), this.#like);
  }

  /** Windows of `size` records that follow each other, made as batches are. */
  window<B = Batched<T>>(
    ...args: Arguments<[size: number], [stride: number, dropLast: boolean], WindowOptions<T, B>, ['size']>
  ): Pipeline<B>;
  window(size: unknown, stride?: unknown, dropLast?: unknown, collate?: unknown): Pipeline<unknown> {
    atLeast('window', 'size', size, 1);
    atLeast('window', 'stride', stride, 1);
    return this.#batches('window', size, stride, dropLast, collate);
  }

  /** Batches of records of about one length, which padding makes little longer; they come in a random order. */
  bucketByLength<B = Batched<T>>(
    ...args: Arguments<
      [lengthOf: (record: T) => number, batchSize: number],
      [],
      BucketOptions<T, B>,
      ['lengthOf', 'batchSize']
    >
  ): Pipeline<B>;
  bucketByLength(lengthOf?: unknown, size?: unknown, ...rest: unknown[]): Pipeline<unknown> {
    const [dropLast, collate, windowSize, seed] = rest as [boolean, Collate | null, number | null, number | null];
    atLeast('bucketByLength', 'batchSize', size, 1);
    if (windowSize !== null) atLeast('bucketByLength', 'windowSize', windowSize, 1);
    if (seed !== null) atLeast('bucketByLength', 'seed', seed, 0);
    const own = new Seed('bucketByLength', seed);
    const cut = { size, dropLast, collate, windowSize: windowSize ?? 100 * size, seed: own };
    const make = (stages: Stages, source: Source<T>) => stages.buckets(source, lengthOf as (record: T) => number, cut);
    return this.#then('bucketByLength', make, { seed: own });
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
    const numbers = sampler as Sampler | (Iterable<number> & { readonly draw?: never });
    if (!isSampler(numbers) && typeof numbers[Symbol.iterator] !== 'function')
      throw new ArgumentError(`sample: expected a sampler or an iterable of numbers, got ${describe(sampler)}`);
    const { length, seed } = isSampler(numbers) ? numbers : { length: undefined, seed: new Seed('sample', 0) };
    const order = (drawn: number, epoch: number): Int32Array =>
      numbers.draw ? numbers.draw(drawn, epoch) : Int32Array.from(numbers);
    return this.#then('sample', (stages) => stages.ordered(source, order, seed), { length, seed });
  }

  /**
   * Reads `count` records ahead, batches behind `batch()`: files and functions that wait do so while the program
   * computes.
   */
  prefetch(count: number = 2): Pipeline<T> {
    atLeast('prefetch', 'count', count, 1);
    const { length, fresh } = this.source;
    return this.#then('prefetch', (stages, source) => stages.prefetch(source, count), { length, fresh });
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
    const { serve } = await import('../passes/serve.ts');
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
    const { Cursor } = await stages();
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
