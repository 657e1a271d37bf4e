// Records out of lines of JSON: the values, or rows of typed columns.
import { isPlain } from '../../kinds.ts';
import { describe } from '../../memory/errors.ts';
import { List } from '../passes/chunk.ts';
import { Table } from '../passes/table.ts';
import type { Chunk, Row } from '../pipeline/source.ts';
import type { CsvType } from '../sources/types.ts';
import { dateOf, truthOf } from './numbers.ts';
import { arrayOf, fits } from './scan.ts';

/** Makes records of lines. */
export interface Collector<T> {
  /** Takes the record of a line. @returns what is wrong with it, and in which column; null if nothing */
  add(line: string): Fault | null;
  /** The records that were taken since. */
  take(): Chunk<T>;
}

type Fault = readonly [column: string | null, reason: string];

/** The value of a line. */
function parsed(line: string): readonly [value: unknown] | Fault {
  try {
    return [JSON.parse(line)];
  } catch {
    return [null, `expected JSON, got ${describe(line)}`];
  }
}

/** The values of lines. */
export class Values implements Collector<unknown> {
  #values: unknown[] = [];

  add(line: string): Fault | null {
    const found = parsed(line);
    if (found.length === 2) return found;
    this.#values.push(found[0]);
    return null;
  }

  take(): Chunk<unknown> {
    const values = this.#values;
    this.#values = [];
    return new List<unknown>(values);
  }
}

/** A value as one of a column; undefined where it is none. */
function cellOf(type: CsvType, value: unknown): string | number | null | undefined {
  const missing = value === undefined || value === null;
  if (type === 'string') return missing ? null : typeof value === 'string' ? value : undefined;
  if (missing) return Number.NaN;
  if (typeof value === 'string' && type === 'date') return dateOf(value);
  if (type === 'bool')
    return typeof value === 'boolean' || typeof value === 'number' ? truthOf(String(value)) : undefined;
  return typeof value === 'number' ? value : undefined;
}

/** Rows of the objects of lines. */
export class Columns implements Collector<Row> {
  readonly #types: readonly [name: string, type: CsvType][];
  #columns: (string | number | null)[][];

  constructor(types: Readonly<Record<string, CsvType>>) {
    this.#types = Object.entries(types);
    this.#columns = this.#types.map(() => []);
  }

  add(line: string): Fault | null {
    const found = parsed(line);
    if (found.length === 2) return found;
    const [object] = found;
    if (!isPlain(object)) return [null, `expected an object, got ${describe(object)}`];
    const row: (string | number | null)[] = [];
    for (const [name, type] of this.#types) {
      const own = Object.hasOwn(object, name) ? object[name] : undefined;
      const value = cellOf(type, own);
      if (value === undefined || fits[type]?.(value as number) === false)
        return [
          name,
          `expected ${type}, got ${own === undefined || own === null ? 'a missing value (f32 has NaN for those)' : describe(own)}`,
        ];
      row.push(value);
    }
    for (const [c, value] of row.entries()) this.#columns[c]?.push(value);
    return null;
  }

  take(): Table {
    const columns = this.#columns;
    this.#columns = this.#types.map(() => []);
    const made = this.#types.map(([name, type], c) => [name, arrayOf(type, columns[c] as never)] as const);
    return new Table(new Map(made), columns[0]?.length ?? 0);
  }
}
