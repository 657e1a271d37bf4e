// What a file of separated fields is, guessed from how it begins: its delimiter, its header, the types of its columns.
import { FormatError } from '../../memory/errors.ts';
import type { CsvType } from '../sources/types.ts';
import { dateOf, numberOf } from './numbers.ts';
import type { Dialect } from './scan.ts';

/** A row as its fields' places in the bytes, and where the next one begins. */
interface RawRow {
  readonly fields: readonly (readonly [from: number, to: number])[];
  readonly next: number;
}

/** What may separate fields, the usual first. */
const DELIMITERS = [',', '\t', ';', '|'];

const escaped = (code: number): string => `\\x${code.toString(16).padStart(2, '0')}`;

/** The first rows from character `from` on, of a text with a character a byte; without comments and empty lines. */
function firstRows(text: string, from: number, dialect: Dialect, delimiter: string, count: number): RawRow[] {
  const [d, q] = [escaped(delimiter.charCodeAt(0)), dialect.quote < 0 ? '' : escaped(dialect.quote)];
  const quoted = !q ? '(?!)()|' : `${q}([^${q}]*(?:${q}${q}[^${q}]*)*)${q}(?=${d}|[\\r\\n]|$)|`;
  const field = new RegExp(`(?:${quoted}([^${d}\\r\\n]*))(${d}|\\r\\n?|\\n|$)`, 'y');
  const comment = dialect.comment < 0 ? '' : `|${escaped(dialect.comment)}[^\\r\\n]*(?:[\\r\\n]|$)`;
  const empty = new RegExp(`(?:[\\r\\n]${comment})*`, 'y');
  const rows: RawRow[] = [];
  let at = from;
  while (rows.length < count) {
    empty.lastIndex = at;
    empty.exec(text);
    at = Math.max(at, empty.lastIndex);
    if (at >= text.length) break;
    const fields: [number, number][] = [];
    for (let more = true; more; ) {
      field.lastIndex = at;
      const [all, inner, bare] = field.exec(text) as unknown as [string, string?, string?];
      const end = all.at(-1) === delimiter;
      const start = inner === undefined || bare !== undefined ? at : at + 1;
      fields.push([start, start + (bare ?? inner ?? '').length]);
      at += all.length;
      more = end;
    }
    rows.push({ fields, next: at });
  }
  return rows;
}

/** Where the data begin, and what separates and names the fields. */
export interface Beginning {
  readonly delimiter: number;
  readonly names: readonly string[];
  readonly from: number;
}

/**
 * Reads the first row of a file that begins with `bytes`, its text with byte `from`.
 * @throws FormatError for an empty file
 */
export function beginningOf(
  bytes: Uint8Array,
  from: number,
  name: string,
  dialect: Dialect,
  header: boolean | readonly string[],
): Beginning {
  const text = new TextDecoder('latin1').decode(bytes);
  const rowsBy = (delimiter: string): RawRow[] => firstRows(text, from, dialect, delimiter, 5);
  const delimiter = dialect.delimiter < 0 ? guess(rowsBy) : String.fromCharCode(dialect.delimiter);
  const [first] = rowsBy(delimiter);
  if (!first) throw new FormatError(`csv: expected a row in ${name}, got an empty file`);
  const decoder = new TextDecoder(dialect.encoding);
  const quote = String.fromCharCode(dialect.quote);
  const texts = first.fields.map(([a, b]) => decoder.decode(bytes.subarray(a, b)).replaceAll(quote + quote, quote));
  const names =
    header === true ? texts.map((text, i) => text.trim() || String(i)) : first.fields.map((_, i) => String(i));
  return {
    delimiter: delimiter.charCodeAt(0),
    names: distinct(typeof header === 'boolean' ? names : header),
    from: header === true ? first.next : from,
  };
}

/** The delimiter by which the first rows have the most fields, and all as many. */
function guess(rowsBy: (delimiter: string) => RawRow[]): string {
  const counts = DELIMITERS.map((delimiter) => {
    const rows = rowsBy(delimiter)
      .slice(0, -1)
      .map(({ fields }) => fields.length);
    const [n = rowsBy(delimiter)[0]?.fields.length ?? 0] = rows;
    return rows.every((other) => other === n) ? n : 1 + n / 1000;
  });
  return DELIMITERS[counts.indexOf(Math.max(...counts))] as string;
}

/** Names that differ: of equal ones the later get `.1`, `.2`, as pandas has it. */
function distinct(names: readonly string[]): string[] {
  const seen = new Set<string>();
  return names.map((name) => {
    let own = name;
    for (let i = 1; seen.has(own); i++) own = `${name}.${i}`;
    seen.add(own);
    return own;
  });
}

/** Whole numbers up to this are exact in f32. */
const EXACT = 2 ** 24;

/** The type of a column with these texts, null where one is missing. */
export function typeOf(texts: readonly (string | null)[]): CsvType {
  const found = texts.filter((text) => text !== null);
  if (found.length === 0) return 'string';
  const numbers = found.map(numberOf);
  if (numbers.every((x) => x !== undefined)) {
    const whole = numbers.filter(Number.isInteger);
    if (!whole.every(Number.isSafeInteger))
      return found.every((text) => /^[+-]?\d+$/.test(text.trim())) ? 'string' : 'f64';
    return whole.some((x) => Math.abs(x) > EXACT) ? 'f64' : 'f32';
  }
  if (found.every((text) => /^(true|false)$/i.test(text.trim()))) return 'bool';
  return found.every((text) => dateOf(text) !== undefined) ? 'date' : 'string';
}
