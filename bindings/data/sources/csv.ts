// Files of separated values as pipelines of rows. What reads them, readers/csv.ts, comes with the first pass.
import { isPlain } from '../../kinds.ts';
import { ArgumentError, describe } from '../../memory/errors.ts';
import { callable } from '../../signature.ts';
import { Later, laterSource } from '../pipeline/later.ts';
import { Pipeline } from '../pipeline/pipeline.ts';
import type { Row } from '../pipeline/source.ts';
import type { ColumnSchema } from '../readers/csv.ts';
import { type ByteSource, sourceKind } from './byte-source.ts';
import { type LineReport, nothingYet } from './report.ts';
import { type CsvType, checkCsvTypes, encodingOf } from './types.ts';

export type { ColumnSchema } from '../readers/csv.ts';

/** Options of {@link csv}. */
export interface CsvOptions {
  /**
   * The character between fields; null: of comma, tab, semicolon and `|` the one that fits the first rows.
   * @defaultValue null
   */
  delimiter?: string | null;
  /** Whether the first row has the names; or the names, of a file without them. @defaultValue true */
  header?: boolean | readonly string[];
  /** The columns that rows have, in that order; null: all. What is not named is not converted. @defaultValue null */
  columns?: readonly string[] | null;
  /**
   * Types by the names of columns; those of the others are guessed from a sample. `f32` and `f64` are numbers, NaN
   * where one is missing; `i32`, `u8` and `i64` (a BigInt64Array) whole numbers, of which none may be missing; `bool`
   * is 1 for `true`, 0 for `false`, NaN for none, in f32; `date` (ISO 8601) milliseconds since 1970 in f64; `string` is
   * text, null where it is missing.
   * @defaultValue \{\}
   */
  types?: Readonly<Record<string, CsvType>> | null;
  /**
   * The character around fields that hold delimiters or ends of lines, doubled inside; null: there is none.
   * @defaultValue '"'
   */
  quote?: string | null;
  /** The character with which lines begin that are left out. @defaultValue null */
  comment?: string | null;
  /**
   * The texts that stand for no value; null: those of pandas, such as nothing, `NA`, `null` and `NaN`.
   * @defaultValue null
   */
  missing?: readonly string[] | null;
  /** Rows from which types are guessed, at most 4096. @defaultValue 1000 */
  sample?: number;
  /** Whether wrong lines are left out and counted in the report, or throw a FormatError. @defaultValue 'report' */
  onError?: 'report' | 'throw';
  /** The most bytes of a row: what a quote that is not closed costs at most. @defaultValue 4194304 */
  maxRecord?: number;
  /**
   * How text is written, as TextDecoder names it; one in which the characters of ASCII are bytes. UTF-8
   * may be UTF-16 with a mark of the byte order as well.
   * @defaultValue 'utf-8'
   */
  encoding?: string;
}

type Values = readonly [
  source: ByteSource,
  delimiter: string | null,
  header: boolean | readonly string[],
  columns: readonly string[] | null,
  types: Readonly<Record<string, CsvType>> | null,
  quote: string | null,
  comment: string | null,
  missing: readonly string[] | null,
  sample: number,
  onError: string,
  maxRecord: number,
  encoding: string,
];

/** The code of a character. @throws ArgumentError unless it is one of ASCII, and no end of a line */
function codeOf(name: string, character: string | null): number {
  if (character === null) return -1;
  const code = character.charCodeAt(0);
  if (character.length !== 1 || code > 127 || code === 10 || code === 13)
    throw new ArgumentError(`csv: expected one character of ASCII as ${name}, got ${describe(character)}`);
  return code;
}

/** Rows of a file of separated values: what {@link csv} gives. */
export interface CsvPipeline extends Pipeline<Row> {
  /** What its columns are: as options say, and else as the first rows are. */
  schema(): Promise<ColumnSchema[]>;
  /** What the pass that was begun last has read and left out. */
  report(): LineReport;
}

/**
 * Rows of a file of comma-separated values, or of another delimiter: read in pieces, in memory that does not grow with
 * the file. Rows are objects by the names of the header, and stay columns, in typed arrays, as long as stages can do
 * with those. Fields may be in quotes, with delimiters, quotes and ends of lines in them; a mark of the byte order,
 * CRLF and empty lines are understood.
 *
 * @param source the path of a file, a URL, a Blob, bytes, a stream; packed by gzip or Zstandard or not
 * @throws ArgumentError for options that don't fit the file; FormatError where it is empty or damaged, and
 * for wrong lines where onError is 'throw'; the system's error where it cannot be read
 * @example
 * ```ts
 * const text = 'carat,cut,price\n0.23,Ideal,326\n0.21,"Very Good",n/a\n0.29,Fair\n';
 * const rows = data.csv(new TextEncoder().encode(text));
 * console.log(await rows.schema()); // carat: f32, cut: string, price: f32 of which half is missing
 * for await (const row of rows) console.log(row); // { carat: 0.23…, cut: 'Ideal', price: 326 } …
 * console.log(rows.report().lines); // [{ line: 4, column: null, reason: 'expected 3 fields, got 2' }]
 * ```
 */
export const csv = callable<(source: ByteSource, options?: CsvOptions) => CsvPipeline>(
  'csv(source: source, *, delimiter: string|null = null, header: bool|string[] = true, columns: string[]|null = null, ' +
    "types: types|null = null, quote: string|null = '\\\"', comment: string|null = null, missing: string[]|null = null, " +
    "sample: int = 1000, onError: 'report'|'throw' = 'report', maxRecord: int = 4194304, encoding: string = 'utf-8')",
  (...values: never[]) => {
    const [source, delimiter, header, columns, types, quote, comment, missing, sample, ...rest] =
      values as unknown as Values;
    const [onError, maxRecord, encoding] = rest;
    checkCsvTypes('csv', types);
    if (sample < 1 || maxRecord < 1)
      throw new ArgumentError(`csv: expected sample and maxRecord >= 1, got ${sample} and ${maxRecord}`);
    const settings = {
      ...{ header, columns, types, missing, sample, onError, maxRecord },
      delimiter: codeOf('delimiter', delimiter),
      quote: codeOf('quote', quote),
      comment: codeOf('comment', comment),
      encoding: encodingOf('csv', encoding),
    };
    const own = new Later(
      () => import('../readers/csv.ts'),
      ({ CsvSource }) => new CsvSource(source, settings),
    );
    const pipeline = new Pipeline(laterSource<Row>('csv', own));
    return Object.assign(pipeline, {
      schema: async () => (await own.get()).schema(),
      report: () => own.made?.report ?? nothingYet(),
    });
  },
  { ...sourceKind, types: [isPlain, 'an object of types by the names of columns'] },
);
