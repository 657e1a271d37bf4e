// The values of columns, as steps see them.
import { ArgumentError } from '../../memory/errors.ts';
import { type Column, isNumbers, valuesOf } from '../pipeline/columns.ts';

/** The values of a column, of any kind. */
export type Values = ArrayLike<unknown>;

/**
 * What a value is as a number; NaN where it is none, or missing. Text is not parsed: a column of text has no numbers.
 */
export function numberOf(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint' || typeof value === 'boolean') return Number(value);
  return value instanceof Date ? value.getTime() : Number.NaN;
}

/** Values as numbers. */
export function numbersOf(values: Values): Float64Array {
  if (values instanceof Float64Array) return values;
  if (isNumbers(values) && !(values instanceof BigInt64Array || values instanceof BigUint64Array))
    return Float64Array.from(values as Float32Array);
  return Float64Array.from(values as ArrayLike<number>, numberOf);
}

/** What a value is told by; null where it is missing. */
export function keyOf(value: unknown): string | null {
  if (value === null || value === undefined || (typeof value === 'number' && Number.isNaN(value))) return null;
  return value instanceof Date ? value.toISOString() : String(value);
}

/** The column of that name. @throws ArgumentError where there is no such column */
export function columnOf(op: string, columns: ReadonlyMap<string, Column>, name: string): Values {
  const column = columns.get(name);
  if (column) return isNumbers(column) ? column : valuesOf(column);
  throw new ArgumentError(`${op}: expected a column '${name}', got ${[...columns.keys()].join(', ')}`);
}
