// Records that come together. A pipeline moves chunks, not records: a source that reads columns hands columns on, and
// nobody makes an object a row unless a stage asks for one.
import { type Column, countOf, gatherColumn, sliceColumn, valueAt, valuesOf } from './columns.ts';

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

/** Records in an array, or numbers in a column. */
export class List<T> implements Chunk<T> {
  /** The records themselves. */
  readonly column: Column;
  readonly length: number;

  constructor(records: readonly T[] | Column) {
    this.column = records;
    this.length = countOf(records);
  }

  at(i: number): T {
    return valueAt(this.column, i) as T;
  }

  gather(indices: Int32Array): List<T> {
    return new List<T>(gatherColumn(this.column, indices));
  }

  slice(from: number, to: number): List<T> {
    return new List<T>(sliceColumn(this.column, from, to));
  }
}

/** The records of a chunk, each on its own. */
export function recordsOf<T>(chunk: Chunk<T>): readonly T[] {
  return (
    chunk instanceof List ? valuesOf(chunk.column) : Array.from({ length: chunk.length }, (_, i) => chunk.at(i))
  ) as readonly T[];
}
