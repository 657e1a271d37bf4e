// What a pipeline is made of: sources, and stages that are sources over others. Each is opened into a reader, which can
// say where it stands.
import type { Seed } from './random.ts';

/** A row: a value for each name of a column. */
export type Row = Record<string, unknown>;

/** Some records, in their order. Whoever gets a chunk only reads it. */
export interface Chunk<T> {
  /** Number of records. */
  readonly length: number;
  /** Record i, from 0. */
  at(i: number): T;
  /** The records at `indices`, in that order, in memory of their own. */
  gather(indices: Int32Array): Chunk<T>;
  /** The records from … to − 1; they may share memory with this. */
  slice(from: number, to: number): Chunk<T>;
}

/** Any JSON value but undefined: where a reader stands. Only the source that made it knows what it means. */
export type State = unknown;

/** A pass over a source. */
export interface Reader<T> {
  /**
   * The next records; null at the end, and at every call after it. One without records says nothing but that the
   * reader stands elsewhere. Calls do not overlap.
   * @param wanted how many are needed now: what makes records at a cost gives no more than these, and what has them at
   * hand any number
   */
  next(wanted: number): Chunk<T> | null | Promise<Chunk<T> | null>;
  /**
   * Where the pass stands, a value that later calls don't change: open() with it goes on with the record that next()
   * would give first, and all later ones, to the bit. How records are cut into chunks may differ. After the end, too.
   */
  state(): State;
  /**
   * Passes the next n records without making them, where that costs less: later ones are as if they had been read.
   * @returns how many there were
   */
  skip?(n: number): number | Promise<number>;
  /** Lets go of files and workers. Of a reader that was read to its end, too; twice does nothing. */
  close(): void | Promise<void>;
}

/** What can be passed over, as often as one likes. */
export interface Source<T> {
  /** What it is, in a word or two, for errors and for checking that a state is of the same pipeline: `csv`, `map`. */
  readonly name: string;
  /** The sources that it reads from. */
  readonly inputs: readonly Source<unknown>[];
  /** Number of records, where it is known without reading them. */
  readonly length?: number | undefined;
  /** What its random numbers are drawn from. @internal */
  readonly seed?: Seed | undefined;
  /** Whether the memory of its records belongs to who gets them, and to nobody else. @internal */
  readonly fresh?: boolean | undefined;
  /**
   * Begins a pass.
   * @param epoch number of the pass, from 0: what is random differs from pass to pass, and repeats with the number
   * @param state where to go on, of a reader of this source in the same epoch; undefined: at the beginning
   */
  open(epoch: number, state?: State): Reader<T> | Promise<Reader<T>>;
  /**
   * Random access, where the source has it, and then `length` too: the records at `indices`, in that order.
   * @param epoch number of the pass, as in open()
   */
  get?: ((indices: Int32Array, epoch: number) => Chunk<T> | Promise<Chunk<T>>) | undefined;
}

/** What is read of a source. */
export type Run<T> = Pick<Source<T>, 'open' | 'get'>;

/** Where a pass stands: what {@link Pipeline.loadState} needs to go on with the very next record. */
export interface PipelineState {
  /** Passes begun before this one. */
  epoch: number;
  /** The stages, by their names: a state is one of such a pipeline. */
  pipeline: string;
  /** Where the pass stands in its sources, small and of JSON; null at its beginning. */
  place: unknown;
  /** The seeds of stages that were given none. */
  seeds: number[];
}

/** Makes a record of another, or promises one. `index` is its number in the pass, `epoch` that of the pass. */
export type MapFunction<T, U> = (record: T, index: number, epoch: number) => U | PromiseLike<U>;
