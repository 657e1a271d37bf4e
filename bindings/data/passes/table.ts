// Rows by their columns.

import { type Column, isColumn, lengthOf, valueAt } from '../pipeline/columns.ts';
import type { Chunk, Row } from '../pipeline/source.ts';
import { List, recordsOf } from './chunk.ts';
import { concatColumns, gatherColumn, sliceColumn } from './columns.ts';

/** Rows of the same columns. */
export class Table implements Chunk<Row> {
  /** The values by the names of the columns, in their order. All are of one length. */
  readonly columns: ReadonlyMap<string, Column>;
  readonly length: number;
  /** Whether rows are lists of the values, not objects; names are the places then. */
  readonly lists: boolean;

  constructor(columns: ReadonlyMap<string, Column>, length: number, lists = false) {
    this.columns = columns;
    this.length = length;
    this.lists = lists;
  }

  at(i: number): Row {
    const row = (this.lists ? [] : {}) as Row;
    for (const [name, values] of this.columns) row[name] = valueAt(values, i);
    return row;
  }

  gather(indices: Int32Array): Table {
    return this.#each((values) => gatherColumn(values, indices), indices.length);
  }

  slice(from: number, to: number): Table {
    return this.#each((values) => sliceColumn(values, from, to), to - from);
  }

  /** Whether `other` is a table of the same columns. */
  isLike(other: unknown): other is Table {
    return (
      other instanceof Table &&
      this.lists === other.lists &&
      String([...this.columns.keys()]) === String([...other.columns.keys()])
    );
  }

  /** Its rows and then those of `others`, which are like it, in memory of their own. */
  concat(others: readonly Table[]): Table {
    const length = others.reduce((sum, table) => sum + table.length, this.length);
    return this.#each(
      (values, name) => concatColumns([values, ...others.map((table) => table.columns.get(name) as Column)]),
      length,
    );
  }

  #each(make: (values: Column, name: string) => Column, length: number): Table {
    return new Table(
      new Map([...this.columns].map(([name, values]) => [name, make(values, name)])),
      length,
      this.lists,
    );
  }
}

/** The records of `chunks`, one after the other, in memory of their own. Columns stay columns where all have them. */
export function join<T>(chunks: readonly Chunk<T>[]): Chunk<T> {
  const [first, ...rest] = chunks as [Chunk<T>, ...Chunk<T>[]];
  if (first instanceof Table && rest.every((other) => first.isLike(other)))
    return first.concat(rest as unknown[] as Table[]) as Chunk<unknown> as Chunk<T>;
  if (chunks.every((chunk) => chunk instanceof List))
    return new List<T>(concatColumns(chunks.map((chunk) => chunk.column)));
  return new List(chunks.flatMap((chunk) => recordsOf(chunk)));
}

/** A chunk as users see it: an object of its columns (of rows that are lists by their places), or the records. */
export function columnsOf(chunk: Chunk<unknown>): unknown {
  if (chunk instanceof List) return chunk.column;
  return chunk instanceof Table ? Object.fromEntries(chunk.columns) : recordsOf(chunk);
}

/**
 * What {@link columnsOf} shows as a chunk again. @throws ArgumentError for another value, and for columns of different
 * lengths
 */
export function chunkOf(op: string, value: unknown): Chunk<unknown> {
  const length = lengthOf(op, value);
  return isColumn(value) ? new List(value) : tableOf(Object.entries(value as Record<string, Column>), length);
}

/** A table of columns by their names; rows are lists where those count them. */
export const tableOf = (columns: readonly (readonly [string, Column])[], length: number): Chunk<unknown> =>
  new Table(
    new Map(columns),
    length,
    columns.every(([key], i) => key === String(i)),
  );
