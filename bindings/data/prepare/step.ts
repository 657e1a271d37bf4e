// What a preparation is made of: steps that look at a column once, and then turn its values into numbers.
import { ArgumentError } from '../../memory/errors.ts';
import { type Column, isNumbers, valuesOf } from '../pipeline/columns.ts';

/** The values of a column, of any kind. */
export type Values = ArrayLike<unknown>;

/** What of a step is saved: JSON that has its name as `step`. */
export interface StepState {
  /** Its name. */
  readonly step: string;
  readonly [key: string]: unknown;
}

/**
 * A step of a {@link Preparation}. Steps of numbers come one after the other; a step that makes codes or several
 * columns comes last.
 */
export interface Step {
  /** Whether it knows all that it has to know of the data. */
  readonly fitted: boolean;
  /** How many numbers it gives for a value. */
  readonly width: number;
  /** Whether these are whole numbers that name something. */
  readonly codes: boolean;
  /** Looks at more values. */
  collect(values: ArrayLike<unknown>): void;
  /** Has seen all of them. @param where the column, for messages */
  finish(where: string): void;
  /** What it makes of values: `width` numbers each, row by row. Missing ones are NaN. */
  apply(values: ArrayLike<unknown>): Float64Array;
  /** The values that it makes numbers of, where it is of one number and can go back; else null. */
  readonly inverse: ((values: Float64Array) => Float64Array) | null;
  /** What of it is saved. */
  state(): StepState;
}

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

/** A step that knows all from the start, and gives a number for a number. */
export function plain(
  name: string,
  options: object,
  apply: (x: number) => number,
  inverse: ((y: number) => number) | null = null,
): Step {
  return {
    ...{ fitted: true, width: 1, codes: false, collect() {}, finish() {} },
    apply: (values) => numbersOf(values).map(apply),
    inverse: inverse && ((values) => values.map(inverse)),
    state: () => ({ step: name, ...options }),
  };
}

/** The column of that name. @throws ArgumentError where there is no such column */
export function columnOf(op: string, columns: ReadonlyMap<string, Column>, name: string): Values {
  const column = columns.get(name);
  if (column) return isNumbers(column) ? column : valuesOf(column);
  throw new ArgumentError(`${op}: expected a column '${name}', got ${[...columns.keys()].join(', ')}`);
}
