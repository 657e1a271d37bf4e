// Reads files of separated values.
import { meant } from '../../kinds.ts';
import { ArgumentError, describe } from '../../memory/errors.ts';
import type { Reader, Row, Source, State } from '../pipeline/source.ts';
import type { ByteSource } from '../sources/byte-source.ts';
import type { LineReport } from '../sources/report.ts';
import type { CsvType } from '../sources/types.ts';
import { Blocks } from './blocks.ts';
import type { ByteInput } from './bytes.ts';
import { type Beginning, beginningOf, typeOf } from './guess.ts';
import { type Dialect, type Field, Scanner } from './scan.ts';
import { openText } from './wide-text.ts';
import { WrongLines } from './wrong.ts';

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

/** What the options of csv() say; characters are codes of ASCII, −1 where there is none. */
export interface CsvSettings {
  readonly delimiter: number;
  readonly quote: number;
  readonly comment: number;
  readonly header: boolean | readonly string[];
  readonly columns: readonly string[] | null;
  readonly types: Readonly<Record<string, CsvType>> | null;
  readonly missing: readonly string[] | null;
  readonly sample: number;
  readonly onError: string;
  readonly maxRecord: number;
  readonly encoding: string;
}

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

/** A file of separated values. */
export class CsvSource implements Source<Row> {
  readonly name = 'csv';
  readonly inputs = [];
  readonly #source: ByteSource;
  readonly #dialect: Dialect;
  readonly #settings: CsvSettings;
  #known: Known | null = null;
  /** A stream that can be read only once, of which the beginning was looked at. */
  #held: { input: ByteInput; blocks: Blocks } | null = null;
  #wrong = new WrongLines('', '', '');

  constructor(source: ByteSource, settings: CsvSettings) {
    this.#source = source;
    this.#settings = settings;
    this.#dialect = { ...settings, missing: new Set(settings.missing ?? MISSING) };
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
    const input = begun?.input ?? (await openText('csv', this.#source, this.#dialect.encoding));
    const blocks = begun?.blocks ?? new Blocks(input, place?.offset);
    const wrong = new WrongLines('csv', input.name, this.#settings.onError, place?.report);
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
    const input = await openText('csv', this.#source, this.#dialect.encoding);
    const blocks = new Blocks(input);
    try {
      await blocks.more(0);
      if (!this.#known) {
        const bytes = blocks.buffer.subarray(0, blocks.end);
        const beginning = beginningOf(bytes, blocks.textBegin(), input.name, this.#dialect, this.#settings.header);
        this.#known = await this.#guess(blocks, beginning);
      }
      return { input, blocks };
    } catch (error) {
      await blocks.close();
      throw error;
    }
  }

  async #guess(blocks: Blocks, { delimiter, names, from }: Beginning): Promise<Known> {
    const { columns, types, sample } = this.#settings;
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
