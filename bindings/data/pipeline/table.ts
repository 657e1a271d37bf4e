// Rows by their columns.

import { isPlain } from '../../kinds.ts';
import { ArgumentError, describe } from '../../memory/errors.ts';
import { type Chunk, List, recordsOf } from './chunk.ts';
import {
  type Column,
  concatColumns,
  countOf,
  gatherColumn,
  isColumn,
  isNdArray,
  sliceColumn,
  valueAt,
} from './columns.ts';

export type { Column } from './columns.ts';

/** A row: a value for each name of a column. */
export type Row = Record<string, unknown>;

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

/** Whether `x` is an object whose values are all columns, and so a table. */
export const isColumns = (x: unknown): x is Record<string, Column> =>
  isPlain(x) && !isNdArray(x) && Object.keys(x).length > 0 && Object.values(x).every(isColumn);

/**
 * What {@link columnsOf} shows as a chunk again. @throws ArgumentError for another value, and for columns of different
 * lengths
 */
export function chunkOf(op: string, value: unknown): Chunk<unknown> {
  if (isColumn(value)) return new List(value);
  if (!isColumns(value))
    throw new ArgumentError(
      `${op}: expected an array, a typed array, or an object of columns that are such arrays, got ${describe(value)}`,
    );
  const columns = new Map(Object.entries(value));
  const lengths = [...columns.values()].map(countOf);
  const [length = 0] = lengths;
  if (lengths.some((other) => other !== length))
    throw new ArgumentError(`${op}: expected columns of one length, got ${lengths.join(', ')}`);
  return new Table(
    columns,
    length,
    [...columns.keys()].every((key, i) => key === String(i)),
  );
}
