// What columns of files may hold, and texts be written in; and what options say of it.
import { ArgumentError, describe } from '../../memory/errors.ts';

/**
 * What a column holds. `bool` is 1 and 0 in f32, `date` milliseconds since 1970 in f64, `string` texts or null, `i64` a
 * BigInt64Array, `any` whatever the file has (lists, objects, bytes), null where there is nothing. Numbers that are
 * missing are NaN, which integers do not have.
 */
export type ColumnType = 'f32' | 'f64' | 'i32' | 'u8' | 'i64' | 'bool' | 'date' | 'string' | 'any';

export const COLUMN_TYPES: readonly ColumnType[] = ['f32', 'f64', 'i32', 'u8', 'i64', 'bool', 'date', 'string', 'any'];

/** A column of a file. */
export interface Field {
  /** Its name. */
  readonly name: string;
  /** What its values are. */
  readonly type: ColumnType;
  /** Whether values may be missing. */
  readonly nullable: boolean;
}

/** What a column becomes: see {@link CsvOptions.types}. */
export type CsvType = Exclude<ColumnType, 'any'>;

const CSV_TYPES: readonly CsvType[] = ['f32', 'f64', 'i32', 'u8', 'i64', 'bool', 'date', 'string'];

/** @throws ArgumentError unless all are types of columns */
export function checkCsvTypes(op: string, types: Readonly<Record<string, CsvType>> | null): void {
  for (const [name, type] of Object.entries(types ?? {}))
    if (!CSV_TYPES.includes(type))
      throw new ArgumentError(`${op}: expected ${CSV_TYPES.join(', ')} as type of ${name}, got ${describe(type)}`);
}

/** The encoding's own name. @throws ArgumentError for one that is not there, or whose ASCII is not bytes */
export function encodingOf(op: string, name: string): string {
  try {
    const { encoding } = new TextDecoder(name);
    if (!encoding.startsWith('utf-16')) return encoding;
  } catch {}
  throw new ArgumentError(`${op}: expected an encoding such as 'utf-8' or 'latin1', got ${describe(name)}`);
}
