// JSON lines: a value a line, as objects or as typed columns.
import { isPlain } from '../../kinds.ts';
import { ArgumentError, describe } from '../../memory/errors.ts';
import { callable } from '../../signature.ts';
import { type Chunk, List } from '../pipeline/chunk.ts';
import { type Row, Table } from '../pipeline/table.ts';
import { type ByteSource, sourceKind } from './bytes.ts';
import { type Collector, type LinesOptions, type LinesPipeline, linesOf } from './lines.ts';
import { dateOf, truthOf } from './numbers.ts';
import { arrayOf, type CsvType, fits, TYPES } from './scan.ts';

/** Options of {@link jsonLines}. */
export interface JsonLinesOptions extends LinesOptions {
  /**
   * The columns that are taken of objects, and their types, as {@link CsvOptions.types} has it: records are rows of
   * these then, and stay in typed arrays. A key that is not there is a missing value. null: values are as they are.
   * @defaultValue null
   */
  types?: Readonly<Record<string, CsvType>> | null;
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

class Values implements Collector<unknown> {
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

class Columns implements Collector<Row> {
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

/**
 * The values of a file of JSON lines (NDJSON), one a line: as they are, or as rows of typed columns. Empty lines are
 * left out.
 *
 * @param source the path of a file, a URL, a Blob, bytes, a stream; packed by gzip or Zstandard or not
 * @throws ArgumentError for types that are none; FormatError for UTF-16, damage, and for wrong lines where onError is
 * 'throw'; the system's error where it cannot be read
 * @example
 * ```ts
 * const text = '{"x": 1, "label": "a"}\n{"x": null}\n';
 * const rows = data.jsonLines(new TextEncoder().encode(text), { types: { x: 'f32', label: 'string' } });
 * for await (const row of rows) console.log(row); // { x: 1, label: 'a' }, { x: NaN, label: null }
 * ```
 */
export const jsonLines = callable<<T = Row>(source: ByteSource, options?: JsonLinesOptions) => LinesPipeline<T>>(
  "jsonLines(source: source, *, types: types|null = null, onError: 'report'|'throw' = 'report', maxRecord: int = 4194304, " +
    "encoding: string = 'utf-8')",
  (source: ByteSource, types: Record<string, CsvType> | null, onError: string, maxRecord: number, encoding: string) => {
    for (const [name, type] of Object.entries(types ?? {}))
      if (!TYPES.includes(type))
        throw new ArgumentError(`jsonLines: expected ${TYPES.join(', ')} as type of ${name}, got ${describe(type)}`);
    if (types && Object.keys(types).length === 0)
      throw new ArgumentError('jsonLines: expected types of one column or more, got none; leave it out for objects');
    const collector = (): Collector<unknown> => (types ? new Columns(types) : new Values());
    return linesOf('jsonLines', source, { onError, maxRecord, encoding, skipsEmpty: true }, collector) as never;
  },
  { ...sourceKind, types: [isPlain, 'an object of types by the names of columns'] },
);
