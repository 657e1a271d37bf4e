// Records that come together. A pipeline moves chunks, not records: a source that reads columns hands columns on, and
// nobody makes an object a row unless a stage asks for one.
import { type Column, countOf, valueAt, valuesOf } from '../pipeline/columns.ts';
import type { Chunk } from '../pipeline/source.ts';
import { gatherColumn, sliceColumn } from './columns.ts';

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
