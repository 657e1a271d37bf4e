// Files of separated values as pipelines of rows.
import { isPlain, meant } from '../../kinds.ts';
import { ArgumentError, describe } from '../../memory/errors.ts';
import { callable } from '../../signature.ts';
import { Pipeline } from '../pipeline/pipeline.ts';
import type { Reader, Source, State } from '../pipeline/source.ts';
import type { Row } from '../pipeline/table.ts';
import { Blocks } from './blocks.ts';
import { type ByteInput, type ByteSource, openBytes, sourceKind } from './bytes.ts';
import { type Beginning, beginningOf, typeOf } from './guess.ts';
import { type CsvType, type Dialect, type Field, Scanner, TYPES } from './scan.ts';
import { encodingOf } from './texts.ts';
import { type LineReport, WrongLines } from './wrong.ts';

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
   * where one is missing; `i32` and `u8` whole numbers, of which none may be missing; `bool` is 1 for `true`, 0 for
   * `false`, NaN for none, in f32; `date` (ISO 8601) milliseconds since 1970 in f64; `string` is text, null where it is
   * missing.
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
   * How text is written, as TextDecoder names it; one in which the characters of ASCII are bytes.
   * @defaultValue 'utf-8'
   */
  encoding?: string;
}

/** What a column is. */
export interface ColumnSchema {
  /** Its name in the header. */
  name: string;
  /** What its values become, see {@link CsvOptions.types}. */
  type: CsvType;
  /** Share of the sample in which it has no value. */
  missing: number;
}

/** What pandas takes for no value. */
const MISSING =
  '|#N/A|#N/A N/A|#NA|-1.#IND|-1.#QNAN|-NaN|-nan|1.#IND|1.#QNAN|<NA>|N/A|NA|NULL|NaN|None|n/a|nan|null'.split('|');

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

/** What is known of a file once its beginning was looked at. */
interface Known {
  readonly dialect: Dialect;
  readonly fields: readonly Field[];
  readonly order: readonly number[];
  readonly from: number;
  readonly schema: readonly ColumnSchema[];
}

interface Place {
  readonly offset: number;
  readonly line: number;
  readonly report: LineReport;
}

/** The code of a character. @throws ArgumentError unless it is one of ASCII, and no end of a line */
function codeOf(name: string, character: string | null): number {
  if (character === null) return -1;
  const code = character.charCodeAt(0);
  if (character.length !== 1 || code > 127 || code === 10 || code === 13)
    throw new ArgumentError(`csv: expected one character of ASCII as ${name}, got ${describe(character)}`);
  return code;
}

class CsvSource implements Source<Row> {
  readonly name = 'csv';
  readonly inputs = [];
  readonly #source: ByteSource;
  readonly #dialect: Dialect;
  readonly #values: Values;
  #known: Known | null = null;
  /** A stream that can be read only once, of which the beginning was looked at. */
  #held: { input: ByteInput; blocks: Blocks } | null = null;
  #wrong = new WrongLines('', '', '');

  constructor(values: Values) {
    const [source, delimiter, , , types, quote, comment, missing, sample, , maxRecord, encoding] = values;
    for (const [name, type] of Object.entries(types ?? {}))
      if (!TYPES.includes(type))
        throw new ArgumentError(`csv: expected ${TYPES.join(', ')} as type of ${name}, got ${describe(type)}`);
    if (sample < 1 || maxRecord < 1)
      throw new ArgumentError(`csv: expected sample and maxRecord >= 1, got ${sample} and ${maxRecord}`);
    this.#source = source;
    this.#values = values;
    this.#dialect = {
      delimiter: codeOf('delimiter', delimiter),
      quote: codeOf('quote', quote),
      comment: codeOf('comment', comment),
      missing: new Set(missing ?? MISSING),
      maxRecord,
      encoding: encodingOf('csv', encoding),
    };
  }

  get report(): LineReport {
    return this.#wrong.copy();
  }

  async schema(): Promise<ColumnSchema[]> {
    if (!this.#known) {
      const begun = await this.#begin();
      if (begun.input.once) this.#held = begun;
      else await begun.blocks.close();
    }
    return (this.#known as unknown as Known).schema.map((column) => ({ ...column }));
  }

  async open(_epoch: number, state?: State): Promise<Reader<Row>> {
    const place = state as Place | undefined;
    let begun = this.#held;
    this.#held = null;
    if (!begun && !(place && this.#known)) begun = await this.#begin();
    const { dialect, fields, order, from } = this.#known as unknown as Known;
    if (place && begun) {
      // It was opened only to see what it is.
      if (begun.input.once) throw onlyOnce();
      await begun.blocks.close();
      begun = null;
    }
    const input = begun?.input ?? (await openBytes('csv', this.#source));
    const blocks = begun?.blocks ?? new Blocks(input, place?.offset);
    const wrong = new WrongLines('csv', input.name, this.#values[9], place?.report);
    this.#wrong = wrong;
    const scanner = new Scanner(blocks, dialect, fields, order, wrong);
    scanner.at = place ? 0 : from;
    scanner.line = place?.line ?? this.#firstLine(blocks, from);
    const stateNow = (): Place => ({ offset: blocks.offset + scanner.at, line: scanner.line, report: this.report });
    return { next: () => scanner.next(), state: stateNow, close: () => blocks.close() };
  }

  /** The number of the line in which the data begin, behind the header. */
  #firstLine({ buffer }: Blocks, from: number): number {
    let line = 1;
    for (let i = 0; i < from; i++) if (buffer[i] === 10 || (buffer[i] === 13 && buffer[i + 1] !== 10)) line++;
    return line;
  }

  /** Opens it and looks at its beginning. */
  async #begin(): Promise<{ input: ByteInput; blocks: Blocks }> {
    const input = await openBytes('csv', this.#source);
    const blocks = new Blocks(input);
    try {
      await blocks.more(0);
      if (!this.#known) {
        const bytes = blocks.buffer.subarray(0, blocks.end);
        const beginning = beginningOf(
          bytes,
          blocks.textBegin('csv', input.name),
          input.name,
          this.#dialect,
          this.#values[2],
        );
        this.#known = await this.#guess(blocks, beginning);
      }
      return { input, blocks };
    } catch (error) {
      await blocks.close();
      throw error;
    }
  }

  async #guess(blocks: Blocks, { delimiter, names, from }: Beginning): Promise<Known> {
    const [, , , columns, types, , , , sample] = this.#values;
    const order = (columns ?? names).map((name) => placeOf(name, names, 'columns'));
    for (const name of Object.keys(types ?? {})) placeOf(name, names, 'types');
    const dialect = { ...this.#dialect, delimiter };
    const kept = names.map((name, c) => ({ name, type: order.includes(c) ? ('string' as const) : null }));
    let texts: ReadonlyMap<string, readonly unknown[]>;
    for (;;) {
      const scanner = new Scanner(blocks, dialect, kept, order, new WrongLines('csv', '', 'report'));
      scanner.at = from;
      const table = scanner.some(sample);
      texts = table.columns as ReadonlyMap<string, readonly unknown[]>;
      if (table.length >= Math.min(sample, scanner.most) || blocks.final || blocks.end > dialect.maxRecord) break;
      await blocks.more(0);
    }
    const schema = order.map((c) => {
      const name = names[c] as string;
      const values = texts.get(name) as (string | null)[];
      const missing = values.length && values.filter((value) => value === null).length / values.length;
      return { name, type: types?.[name] ?? typeOf(values), missing };
    });
    const typeOfPlace = new Map(order.map((c, i) => [c, (schema[i] as ColumnSchema).type]));
    const fields = names.map((name, c) => ({ name, type: typeOfPlace.get(c) ?? null }));
    return { dialect, fields, order, from, schema };
  }
}

const onlyOnce = (): ArgumentError =>
  new ArgumentError(
    'csv: expected a source that can be read from any place, got a stream; give a function that makes one',
  );

function placeOf(name: string, names: readonly string[], option: string): number {
  const place = names.indexOf(name);
  if (place >= 0) return place;
  const near = meant(name, names);
  throw new ArgumentError(
    `csv: expected names of the header in ${option}, got ${describe(name)}; ` +
      (near ? `did you mean ${near}?` : `it has ${names.slice(0, 20).join(', ')}`),
  );
}

/** Rows of a file of separated values: what {@link csv} gives. */
export interface CsvPipeline extends Pipeline<Row> {
  /** What its columns are: as options say, and else as the first rows are. */
  schema(): Promise<ColumnSchema[]>;
  /** What the pass that was begun last has read and left out. */
  report(): LineReport;
}

function csvOf(values: Values): CsvPipeline {
  const source = new CsvSource(values);
  return Object.assign(new Pipeline(source), { schema: () => source.schema(), report: () => source.report });
}

/**
 * Rows of a file of comma-separated values, or of another delimiter: read in pieces, in memory that does not grow with
 * the file. Rows are objects by the names of the header, and stay columns, in typed arrays, as long as stages can do
 * with those. Fields may be in quotes, with delimiters, quotes and ends of lines in them; a mark of the byte order,
 * CRLF and empty lines are understood.
 *
 * @param source the path of a file, a URL, a Blob, bytes, a stream; packed by gzip or Zstandard or not
 * @throws ArgumentError for options that don't fit the file; FormatError where it is empty, is UTF-16 or damaged, and
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
  (...values: never[]) => csvOf(values as unknown as Values),
  { ...sourceKind, types: [isPlain, 'an object of types by the names of columns'] },
);
