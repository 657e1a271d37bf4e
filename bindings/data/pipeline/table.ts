// Rows by their columns.
import type { Chunk } from './chunk.ts';

/** The values of one column: numbers in a typed array (NaN where one is missing), or anything in an array. */
export type Column =
  | Float32Array
  | Float64Array
  | Int32Array
  | Uint8Array
  | BigInt64Array
  | readonly (string | null)[]
  | readonly unknown[];

/** A row: a value for each name of a column. */
export type Row = Record<string, unknown>;

/** Rows of the same columns. */
export class Table implements Chunk<Row> {
  /** The values by the names of the columns, in their order. All are of one length. */
  readonly columns: ReadonlyMap<string, Column>;
  readonly length: number;

  constructor(columns: ReadonlyMap<string, Column>, length: number) {
    this.columns = columns;
    this.length = length;
  }

  at(i: number): Row {
    const row: Row = {};
    for (const [name, values] of this.columns) row[name] = values[i];
    return row;
  }

  gather(indices: Int32Array): Table {
    return this.#each((values) => gatherColumn(values, indices), indices.length);
  }

  concat(chunks: readonly Chunk<Row>[]): Table {
    const tables = chunks as readonly Table[];
    const length = tables.reduce((sum, table) => sum + table.length, this.length);
    return this.#each(
      (values, name) => concatColumns([values, ...tables.map((t) => t.columns.get(name) as Column)], length),
      length,
    );
  }

  slice(from: number, to: number): Table {
    return this.#each((values) => values.slice(from, to) as Column, to - from);
  }

  #each(make: (values: Column, name: string) => Column, length: number): Table {
    return new Table(new Map([...this.columns].map(([name, values]) => [name, make(values, name)])), length);
  }
}

function gatherColumn(values: Column, indices: Int32Array): Column {
  if (Array.isArray(values)) return Array.from(indices, (i) => values[i]);
  const from = values as Float32Array;
  const to = new (from.constructor as Float32ArrayConstructor)(indices.length);
  for (let i = 0; i < indices.length; i++) to[i] = from[indices[i] as number] as number;
  return to;
}

function concatColumns(columns: readonly Column[], length: number): Column {
  const [first] = columns as [Column];
  if (Array.isArray(first)) return columns.flatMap((values) => values as unknown[]);
  const all = new ((first as Float32Array).constructor as Float32ArrayConstructor)(length);
  let at = 0;
  for (const values of columns) {
    all.set(values as Float32Array, at);
    at += values.length;
  }
  return all;
}
