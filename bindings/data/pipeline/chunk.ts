// Records that come together. A pipeline moves chunks, not records: a source that reads columns hands columns on, and
// nobody makes an object a row unless a stage asks for one.

/** Some records, in their order. Whoever gets a chunk only reads it. */
export interface Chunk<T> {
  /** Number of records. */
  readonly length: number;
  /** Record i, from 0. */
  at(i: number): T;
  /** The records at `indices`, in that order. */
  gather(indices: Int32Array): Chunk<T>;
  /** The records of `chunks`, one after the other; they are of this one's kind, of which the pipeline takes care. */
  concat(chunks: readonly Chunk<T>[]): Chunk<T>;
  /** The records from … to − 1. */
  slice(from: number, to: number): Chunk<T>;
}

/** Records in an array. */
export class List<T> implements Chunk<T> {
  readonly #records: readonly T[];

  constructor(records: readonly T[]) {
    this.#records = records;
  }

  get length(): number {
    return this.#records.length;
  }

  at(i: number): T {
    return this.#records[i] as T;
  }

  gather(indices: Int32Array): List<T> {
    return new List(Array.from(indices, (i) => this.#records[i] as T));
  }

  concat(chunks: readonly Chunk<T>[]): List<T> {
    return new List([this, ...chunks].flatMap((chunk) => recordsOf(chunk)));
  }

  slice(from: number, to: number): List<T> {
    return new List(this.#records.slice(from, to));
  }

  /** The records themselves. */
  get records(): readonly T[] {
    return this.#records;
  }
}

/** The records of a chunk, each on its own. */
export function recordsOf<T>(chunk: Chunk<T>): readonly T[] {
  return chunk instanceof List ? (chunk.records as readonly T[]) : Array.from(chunk, (_, i) => chunk.at(i));
}
