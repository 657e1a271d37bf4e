// Values of other formats as columns: typed arrays where they are numbers, so that nobody makes an object a value.
import { meant } from '../../kinds.ts';
import { ArgumentError, FormatError, RetrogradError } from '../../memory/errors.ts';
import type { Column } from '../pipeline/columns.ts';
import type { ColumnType, Field } from '../sources/types.ts';

/**
 * The columns of `fields` that are asked for, in the order in which they are, with the types that are.
 * @param op the user's call
 * @param columns their names; null: all
 * @throws ArgumentError for columns that the file lacks
 */
export function pick(
  op: string,
  fields: readonly Field[],
  columns: readonly string[] | null,
  types: Readonly<Record<string, ColumnType>>,
): Field[] {
  const names = fields.map(({ name }) => name);
  for (const name of [...(columns ?? []), ...Object.keys(types)])
    if (!names.includes(name)) {
      const near = meant(name, names);
      throw new ArgumentError(
        `${op}: expected columns of the file (${names.join(', ')}), got '${name}'${near ? `; did you mean '${near}'?` : ''}`,
      );
    }
  const wanted = columns ? columns.map((name) => fields.find((field) => field.name === name) as Field) : fields;
  return wanted.map((field) => ({
    ...field,
    type: (Object.hasOwn(types, field.name) && types[field.name]) || field.type,
  }));
}

const ARRAYS = {
  f32: Float32Array,
  bool: Float32Array,
  f64: Float64Array,
  date: Float64Array,
  i32: Int32Array,
  u8: Uint8Array,
} as const;

/** A list of values of any length that can be read by number. */
export type Values = ArrayLike<unknown>;

const isMissing = (value: unknown): boolean => value === null || value === undefined;

/**
 * Values as a column of `type`.
 * @param where the call, the file and the column, for messages
 * @throws FormatError for values that the type cannot hold
 */
export function toColumn(values: Values, type: ColumnType, where: string): Column {
  if (type === 'any' || type === 'string') return withNulls(values);
  if (type === 'i64') return values instanceof BigInt64Array ? values : bigints(values, where);
  const Type = ARRAYS[type];
  if (values instanceof Type) return values;
  const column = new Type(values.length);
  // Integers of 64 bits come as bigint, truth as boolean.
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    column[i] = typeof value === 'number' ? value : isMissing(value) ? Number.NaN : Number(value);
  }
  if (type === 'i32' || type === 'u8') checkWhole(column, values, where);
  return column;
}

/** The values themselves, where none is undefined: they are the reader's, which keeps none. */
function withNulls(values: Values): readonly unknown[] {
  if (Array.isArray(values) && !values.includes(undefined)) return values;
  return Array.from(values, (value) => value ?? null);
}

/** @throws FormatError where a column of integers lost what its values were */
function checkWhole(
  column: Int32Array | Uint8Array | Float32Array | Float64Array,
  values: Values,
  where: string,
): void {
  for (let i = 0; i < column.length; i++) {
    const value = values[i];
    if (isMissing(value) || column[i] !== Number(value))
      throw new FormatError(
        `${where}: expected whole numbers that fit, got ${isMissing(value) ? 'none' : String(value)} in row ${i} of its batch; read it as f64`,
      );
  }
}

function bigints(values: Values, where: string): BigInt64Array {
  const column = new BigInt64Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (typeof value === 'bigint') column[i] = value;
    else if (Number.isSafeInteger(value)) column[i] = BigInt(value as number);
    else
      throw new FormatError(
        `${where}: expected whole numbers, got ${isMissing(value) ? 'none' : String(value)} in row ${i} of its batch; read it as f64`,
      );
  }
  return column;
}

/**
 * Calls the reader of a format, whose errors have no type.
 * @param name the file
 * @throws FormatError; typed errors and the system's as they are
 */
export async function reading<T>(op: 'arrow' | 'parquet', name: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof RetrogradError || (cause as NodeJS.ErrnoException).syscall) throw cause;
    const format = op === 'arrow' ? 'Arrow IPC' : 'a Parquet file';
    throw new FormatError(
      `${op}: expected ${format} in ${name}, got an error of its reader: ${(cause as Error | undefined)?.message}`,
      { cause },
    );
  }
}
