// Pipelines: what users hold in hand of sources and stages.
import { ArgumentError, describe } from '../../memory/errors.ts';
import { type Arguments, methods, signature } from '../../signature.ts';
import { batches, unbatch } from './batches.ts';
import type { Batched } from './collate.ts';
import { Cursor, type Place } from './cursor.ts';
import { sourceOf } from './memory.ts';
import { filter, filterChunk, type MapFunction, map, mapChunk, skip, take } from './records.ts';
import { shuffle } from './shuffle.ts';
import type { Source } from './source.ts';

/** Where a pass stands: what {@link Pipeline.loadState} needs to go on with the very next record. */
export interface PipelineState {
  /** Passes begun before this one. */
  epoch: number;
  /** The stages, by their names: a state is one of such a pipeline. */
  pipeline: string;
  /** Where the pass stands in its sources, small and of JSON; null at its beginning. */
  place: unknown;
}

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

/** Options of {@link Pipeline.shuffle}. */
export interface ShuffleOptions {
  /**
   * Records of a window, which is read whole and given in random order. null: all, where the source has random access,
   * else 10,000.
   * @defaultValue null
   */
  bufferSize?: number | null;
  /** Seed of the orders; null: each pass draws one from the default generator. @defaultValue null */
  seed?: number | null;
}

/** A source and its stages as messages and states name them: `batch(shuffle(csv))`. */
const nameOf = ({ name, inputs }: Source<unknown>): string =>
  inputs.length > 0 ? `${name}(${inputs.map(nameOf).join(', ')})` : name;

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
 * const pipeline = data.from({ x: Float32Array.of(1, 2, 3, 4), y: Int32Array.of(0, 1, 0, 1) }).shuffle({ seed: 1 }).batch(2);
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
    return new Pipeline(take(this.source, count));
  }

  /** All but the first `count` records. */
  skip(count: number): Pipeline<T> {
    return new Pipeline(skip(this.source, count));
  }

  /** Puts `batchSize` records at a time into one. @throws ArgumentError where their shapes differ */
  batch<B = Batched<T>>(...args: Arguments<[batchSize: number], [dropLast: boolean], BatchOptions<T, B>>): Pipeline<B>;
  batch(size: unknown, dropLast?: unknown, collate?: unknown): Pipeline<unknown> {
    atLeast('batch', 'batchSize', size, 1);
    const cut = { size, step: size, dropLast: dropLast as boolean, collate: (collate as never) ?? undefined };
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
    return { epoch, pipeline: nameOf(this.source), place: cursor ? cursor.place() : place };
  }

  /**
   * Goes on from a state: the next loop starts with the record that would have come. A state of the last record, taken
   * before the loop ended, gives a loop of no turns, the rest of that pass.
   * @throws ArgumentError for a state of other stages, and for what is none
   */
  loadState(state: PipelineState): void {
    const { epoch, pipeline, place } = state;
    const own = nameOf(this.source);
    if (!(Number.isSafeInteger(epoch) && epoch >= 0 && (place === null || Array.isArray(place))))
      throw new ArgumentError(
        `loadState: expected a state of a pipeline, got ${describe(state)} with epoch ${describe(epoch)}`,
      );
    if (pipeline !== own)
      throw new ArgumentError(`loadState: expected a state of ${own}, got one of ${describe(pipeline)}`);
    this.#last = { epoch, place: place as Place | null, cursor: null };
    this.#resumes = true;
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
      ...['filterChunk(fn: function)', 'take(count: int)', 'skip(count: int)', 'unbatch()', 'toArray()'],
      'batch(batchSize: int, dropLast: bool = false, *, collate: function|null = null)',
      'shuffle(bufferSize: int|null = null, *, seed: int|null = null)',
      ...['state()', 'loadState(state: object)'],
    );
  }
}

/** @throws ArgumentError unless `value` is at least `low` */
function atLeast(op: string, name: string, value: unknown, low: number): asserts value is number {
  if ((value as number) < low) throw new ArgumentError(`${op}: expected ${name} >= ${low}, got ${value}`);
}
