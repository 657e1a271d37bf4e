// Scans rows of fields that a character separates, from bytes straight into columns: numbers never become strings.
import { describe } from '../../memory/errors.ts';
import { Table } from '../passes/table.ts';
import type { Column } from '../pipeline/columns.ts';
import type { CsvType } from '../sources/types.ts';
import type { Blocks } from './blocks.ts';
import { behind, dateAt, dateOf, numberAt, numberOf, truthAt, truthOf } from './numbers.ts';
import { BlockText, Texts } from './texts.ts';
import type { WrongLines } from './wrong.ts';

/** How the bytes are written. Characters are codes of ASCII, −1 where there is none. */
export interface Dialect {
  readonly delimiter: number;
  readonly quote: number;
  readonly comment: number;
  readonly encoding: string;
  readonly missing: ReadonlySet<string>;
  /** The most bytes of a row. */
  readonly maxRecord: number;
}

/** A column of the file; of type null it is left out. */
export interface Field {
  readonly name: string;
  readonly type: CsvType | null;
}

/** Rows of a table, where their columns are few. */
const ROWS = 1 << 12;
/** Numbers of a table, and bytes that it is read from, beyond which it gets no more rows. */
const NUMBERS = 1 << 20;
const BYTES = 1 << 19;

const [LF, CR] = [10, 13];

const ARRAYS = {
  f32: Float32Array,
  f64: Float64Array,
  i32: Int32Array,
  u8: Uint8Array,
  bool: Float32Array,
  date: Float64Array,
};

/** Whole numbers that fit 64 bits. */
const WHOLE = /^[+-]?\d{1,19}$/;

/** The values of a column of that type. */
export const arrayOf = (type: CsvType, values: readonly (string | null)[] | ArrayLike<number>): Column =>
  type === 'string'
    ? (values as readonly (string | null)[])
    : type === 'i64'
      ? BigInt64Array.from(values as ArrayLike<number>, BigInt)
      : new ARRAYS[type as 'f32'](values as ArrayLike<number>);

/** Whether a number can be one of a type that has no room for all. */
export const fits: Partial<Record<CsvType, (x: number) => boolean>> = {
  i32: (x) => x === (x | 0),
  u8: (x) => x === (x & 255),
  i64: Number.isSafeInteger,
};

export class Scanner {
  /** Where it stands in the buffer, and in which line. */
  at = 0;
  line = 1;
  readonly #blocks: Blocks;
  readonly #dialect: Dialect;
  readonly #fields: readonly Field[];
  readonly #order: readonly number[];
  readonly #wrong: WrongLines;
  readonly #text: BlockText;
  /** For each byte whether a field ends before it, where it is not quoted. */
  readonly #ends = new Uint8Array(256);
  /** Length of the longest text that stands for no value. */
  readonly #longest: number;
  /** Rows that a table has at most, and those that the next one has so far. */
  readonly most: number;
  #row = 0;
  /** The numbers of all columns, each with room for most; and where those of a field begin. */
  readonly #numbers: Float64Array;
  readonly #starts: Int32Array;
  /** The same memory for numbers of 64 bits. */
  readonly #bigs: BigInt64Array;
  readonly #texts: (string | null)[][];
  readonly #known: Texts[];
  /** What is wrong with the field that was scanned last, null if nothing. */
  #fault: string | null = null;
  /** Line feeds within quotes of this row. */
  #inner = 0;
  /** Whether what follows up to the end of the line is left out. */
  #skips = false;

  /** @param order the fields that a table has, by their places in the file */
  constructor(blocks: Blocks, dialect: Dialect, fields: readonly Field[], order: readonly number[], wrong: WrongLines) {
    this.#blocks = blocks;
    this.#dialect = dialect;
    this.#fields = fields;
    this.#order = order;
    this.#wrong = wrong;
    this.#text = new BlockText(blocks, dialect.encoding);
    this.#longest = Math.max(-1, ...[...dialect.missing].map(({ length }) => length));
    for (const byte of [dialect.delimiter, LF, CR]) this.#ends[byte] = 1;
    this.most = Math.max(1, Math.min(ROWS, Math.floor(NUMBERS / fields.length)));
    let numbers = 0;
    this.#starts = Int32Array.from(fields, ({ type }) => (type && type !== 'string' ? this.most * numbers++ : -1));
    this.#numbers = new Float64Array(numbers * this.most);
    this.#bigs = new BigInt64Array(this.#numbers.buffer);
    this.#texts = fields.map(() => []);
    this.#known = fields.map(() => new Texts());
  }

  /** The next rows, null at the end. */
  async next(): Promise<Table | null> {
    const blocks = this.#blocks;
    const stop = blocks.offset + this.at + BYTES;
    this.#row = 0;
    while (this.#rows(stop - blocks.offset)) {
      // One byte more may be needed to see that a row ends.
      if (blocks.end - this.at > this.#dialect.maxRecord + 1) {
        this.#tooLong(this.at);
        continue;
      }
      await blocks.more(this.at);
      this.at = 0;
      this.#text.reset();
    }
    this.#wrong.report.records += this.#row;
    return this.#row > 0 ? this.#table() : null;
  }

  /** The first rows, at most `count`, of what is in the buffer. */
  some(count: number): Table {
    this.#rows(this.#blocks.end);
    return this.#table().slice(0, Math.min(count, this.#row));
  }

  #table(): Table {
    const columns = new Map<string, Column>();
    for (const c of this.#order) {
      const { name, type } = this.#fields[c] as Field;
      const start = this.#starts[c] as number;
      columns.set(
        name,
        type === 'string'
          ? (this.#texts[c] as (string | null)[]).slice(0, this.#row)
          : type === 'i64'
            ? this.#bigs.slice(start, start + this.#row)
            : new ARRAYS[type as 'f32'](this.#numbers.subarray(start, start + this.#row)),
      );
    }
    return new Table(columns, this.#row);
  }

  /** Scans rows that begin before `stop`. @returns whether more bytes are needed */
  #rows(stop: number): boolean {
    const { buffer, end, final } = this.#blocks;
    const { comment } = this.#dialect;
    while (this.#row < this.most && (this.at < stop || this.#row === 0)) {
      if (this.at >= end) return !final;
      const byte = buffer[this.at];
      if (this.#skips || byte === LF || byte === CR || byte === comment) {
        this.#skips = true;
        if (!this.#skip()) return true;
      } else if (!this.#fieldsOf(this.at)) return true;
    }
    return false;
  }

  /** Goes to the next line. @returns whether its beginning is there */
  #skip(): boolean {
    const { buffer, end, final } = this.#blocks;
    let at = this.at;
    while (buffer[at] !== LF && buffer[at] !== CR) at++;
    this.at = at;
    this.#skips = !this.#newLine(at) && !(final && at >= end);
    return !this.#skips;
  }

  /** Goes behind the line end at `at`. @returns whether it is there as a whole */
  #newLine(at: number): boolean {
    const { buffer, end, final } = this.#blocks;
    const both = buffer[at] === CR && buffer[at + 1] === LF;
    if (!final && (at >= end || (buffer[at] === CR && at + 1 >= end))) return false;
    this.at = Math.min(end, both ? at + 2 : at + 1);
    this.line++;
    return true;
  }

  /** Leaves out the line that begins at `begin`. */
  #giveUp(begin: number, column: string | null, reason: string): true {
    this.#wrong.add(this.line, column, reason);
    this.at = begin;
    this.#skips = true;
    return true;
  }

  #tooLong(begin: number): true {
    const { maxRecord } = this.#dialect;
    const reason = `expected rows of at most ${maxRecord} bytes, got more (a quote that is not closed?)`;
    return this.#giveUp(begin, null, reason);
  }

  /** Scans the row that begins at `begin`. @returns whether it is there as a whole */
  #fieldsOf(begin: number): boolean {
    const { buffer, end, final } = this.#blocks;
    const { delimiter, quote, maxRecord } = this.#dialect;
    const fields = this.#fields;
    const last = fields.length - 1;
    let at = begin;
    this.#fault = null;
    this.#inner = 0;
    for (let c = 0; ; c++) {
      at = buffer[at] === quote ? this.#quoted(c, at) : this.#plain(c, at);
      if (at - begin > maxRecord) return this.#tooLong(begin);
      if (at >= end && !final) return false;
      if (this.#fault) return this.#giveUp(begin, (fields[c] as Field).name, this.#fault);
      const ends = buffer[at] !== delimiter || at >= end;
      if (ends && c < last) return this.#giveUp(begin, null, `expected ${last + 1} fields, got ${c + 1}`);
      if (ends) break;
      if (c === last) return this.#giveUp(begin, null, `expected ${last + 1} fields, got more`);
      at++;
    }
    if (!this.#newLine(at)) return false;
    this.line += this.#inner;
    this.#row++;
    return true;
  }

  /** Scans field `c`, which is not quoted, from `at` on. @returns where it ends */
  #plain(c: number, at: number): number {
    const { buffer } = this.#blocks;
    const ends = this.#ends;
    const { type } = this.#fields[c] as Field;
    if (type === 'f32' || type === 'f64' || type === 'i32') {
      const value = numberAt(buffer, at, type === 'f32');
      const to = behind;
      if (!Number.isNaN(value) && ends[buffer[to] as number] !== 0 && (type !== 'i32' || value === (value | 0))) {
        this.#numbers[(this.#starts[c] as number) + this.#row] = value;
        return to;
      }
    }
    if (type === 'string') return this.#bare(c, at);
    let to = at;
    while (ends[buffer[to] as number] === 0) to++;
    if (type !== null) this.#number(c, type, at, to);
    return to;
  }

  #bare(c: number, from: number): number {
    const { buffer } = this.#blocks;
    const ends = this.#ends;
    let to = from;
    let hash = 0;
    for (let byte = buffer[to] as number; ends[byte] === 0; byte = buffer[++to] as number)
      hash = Math.imul(hash ^ byte, 0x01000193);
    this.#put(c, from, to, hash);
    return to;
  }

  /** Scans the quoted field `c`. @returns where it ends */
  #quoted(c: number, at: number): number {
    const { buffer, end } = this.#blocks;
    const { quote } = this.#dialect;
    const { type } = this.#fields[c] as Field;
    const from = at + 1;
    let to = from;
    let hash = 0;
    let doubled = false;
    for (; to < end; to++) {
      const byte = buffer[to] as number;
      if (byte === quote) {
        if (buffer[to + 1] !== quote || to + 1 >= end) break;
        doubled = true;
        to++;
      } else if (byte === LF || (byte === CR && buffer[to + 1] !== LF)) this.#inner++;
      hash = Math.imul(hash ^ byte, 0x01000193);
    }
    if (to >= end) this.#fault = 'expected a quote at the end of the field, got the end of the file';
    else if (this.#ends[buffer[to + 1] as number] === 0)
      this.#fault = `expected a delimiter after the quote, got '${String.fromCharCode(buffer[to + 1] as number)}'`;
    else if (type === 'string' && !doubled) this.#put(c, from, to, hash);
    else if (type === 'string') (this.#texts[c] as (string | null)[])[this.#row] = this.#undouble(from, to);
    else if (type !== null) this.#number(c, type, from, to);
    return to + 1;
  }

  #undouble(from: number, to: number): string | null {
    const quote = String.fromCharCode(this.#dialect.quote);
    return this.#present(this.#told(this.#text.sliced(from, to)).replaceAll(quote + quote, quote));
  }

  /** Stores the text from … to − 1. */
  #put(c: number, from: number, to: number, hash: number): void {
    const known = this.#known[c] as Texts;
    const make = (): string | null => this.#present(this.#told(this.#text.decode(from, to)));
    (this.#texts[c] as (string | null)[])[this.#row] = known.full
      ? this.#present(this.#told(this.#text.sliced(from, to)))
      : known.get(this.#blocks.buffer, from, to, hash, make);
  }

  #present(text: string): string | null {
    return text.length <= this.#longest && this.#dialect.missing.has(text) ? null : text;
  }

  /** A text that came, or the fault that it is none. */
  #told(text: string | null): string {
    if (text === null) this.#fault = `expected text in ${this.#dialect.encoding}, got other bytes`;
    return text ?? '';
  }

  /** Stores the number, date or truth that the bytes from … to − 1 are. */
  #number(c: number, type: CsvType, from: number, to: number): void {
    const { buffer } = this.#blocks;
    if (type === 'i64') {
      this.#whole(c, from, to);
      return;
    }
    let value = Number.NaN;
    if (type === 'date') value = dateAt(buffer, from, to);
    else if (type === 'bool') value = truthAt(buffer, from, to);
    else {
      value = numberAt(buffer, from, type === 'f32');
      if (behind !== to) value = Number.NaN;
    }
    if (Number.isNaN(value))
      value = this.#parsed(type, from === to ? '' : this.#told(this.#text.decode(from, to)).trim());
    if (fits[type]?.(value) === false)
      this.#fault ??= Number.isNaN(value)
        ? `expected ${type}, got a missing value (f32 has NaN for those)`
        : `expected ${type}, got ${value}`;
    this.#numbers[(this.#starts[c] as number) + this.#row] = value;
  }

  /** Stores a whole number, exactly. */
  #whole(c: number, from: number, to: number): void {
    const value = numberAt(this.#blocks.buffer, from, false);
    const slot = (this.#starts[c] as number) + this.#row;
    if (behind === to && Number.isSafeInteger(value)) {
      this.#bigs[slot] = BigInt(value);
      return;
    }
    const text = from === to ? '' : this.#told(this.#text.decode(from, to)).trim();
    const whole = WHOLE.test(text) ? BigInt(text) : null;
    if (whole !== null && BigInt.asIntN(64, whole) === whole) this.#bigs[slot] = whole;
    else
      this.#fault ??= this.#dialect.missing.has(text)
        ? 'expected i64, got a missing value (f64 has NaN for those)'
        : `expected i64, got ${describe(text)}`;
  }

  #parsed(type: CsvType, text: string): number {
    if (this.#dialect.missing.has(text)) return Number.NaN;
    const value = type === 'date' ? dateOf(text) : type === 'bool' ? truthOf(text) : numberOf(text);
    if (value === undefined) this.#fault ??= `expected ${type}, got ${describe(text)}`;
    return value ?? Number.NaN;
  }
}
