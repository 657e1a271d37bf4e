// Batches: many records as one, of arrays in place of numbers (PyTorch's `default_collate`). Memory is the batch's own.
import { isPlain } from '../../kinds.ts';
import { ArgumentError, describe, formatShape } from '../../memory/errors.ts';
import { type Column, isNdArray, isNumbers, type NdArray, type Numbers } from '../pipeline/columns.ts';
import type { Chunk } from '../pipeline/source.ts';
import { List, recordsOf } from './chunk.ts';
import { concatColumns } from './columns.ts';
import { Table } from './table.ts';

/** Puts arrays into one, whose first dim is theirs. @param what what they are, for messages */
export type Stack = (arrays: readonly NdArray[], what: string) => NdArray;

/** The batch of a chunk: each column of a table, each field of objects, each place of lists. */
export function collate(chunk: Chunk<unknown>): unknown {
  if (!(chunk instanceof Table)) return batchOf(chunk instanceof List ? chunk.column : recordsOf(chunk));
  const columns = [...chunk.columns].map(([name, column]) => [name, batchOf(column, stacked, `'${name}'`)] as const);
  return chunk.lists ? columns.map(([, batch]) => batch) : Object.fromEntries(columns);
}

/** Shape of nested arrays of numbers, as far as the first items tell; null where there is anything else. */
function shapeOf(value: unknown): number[] | null {
  if (typeof value === 'number') return [];
  if (!Array.isArray(value)) return null;
  const inner = value.length === 0 ? [] : shapeOf(value[0]);
  return inner && [value.length, ...inner];
}

/** An array of a shape; null where a value is none. */
export function arrayOf(value: unknown): NdArray | null {
  if (isNumbers(value)) return { data: value, shape: [value.length] };
  if (isNdArray(value)) return value;
  const shape = Array.isArray(value) ? shapeOf(value) : null;
  const numbers = shape && (value as unknown[]).flat(Number.POSITIVE_INFINITY);
  const whole = numbers?.every((x) => typeof x === 'number') && numbers.length === shape?.reduce((a, b) => a * b, 1);
  return whole ? { data: Float32Array.from(numbers as number[]), shape: shape as number[] } : null;
}

/** The batch of some values. @param what what they are, for messages */
export function batchOf(column: Column, stack: Stack = stacked, what = 'records'): unknown {
  if (!Array.isArray(column)) return concatColumns([column]);
  const first = column.find((value) => value !== null && value !== undefined);
  switch (typeof first) {
    case 'number':
      return Float32Array.from(column, (x) => (x === null || x === undefined ? Number.NaN : number(x, what)));
    case 'boolean':
      return Uint8Array.from(column, Number);
    case 'bigint':
      return Int32Array.from(column, (x) => whole(x, what));
    case 'object':
      return batchOfObjects(column, first as object, stack, what);
    default:
      return [...column];
  }
}

function number(x: unknown, what: string): number {
  if (typeof x === 'number' || typeof x === 'boolean') return Number(x);
  throw new ArgumentError(`batch: expected numbers in ${what}, got ${describe(x)} among them`);
}

function whole(x: unknown, what: string): number {
  const value = Number(x);
  if (value === (value | 0)) return value;
  throw new ArgumentError(`batch: expected whole numbers of 32 bits in ${what}, got ${describe(x)}`);
}

function batchOfObjects(values: readonly unknown[], first: object, stack: Stack, what: string): unknown {
  if (arrayOf(first)) {
    const arrays = values.map(arrayOf);
    const odd = arrays.indexOf(null);
    if (odd < 0) return stack(arrays as readonly NdArray[], what);
    throw new ArgumentError(`batch: expected arrays of numbers in ${what}, got ${describe(values[odd])} among them`);
  }
  if (Array.isArray(first)) {
    const lists = values as readonly (readonly unknown[])[];
    return first.map((_, place) =>
      batchOf(
        lists.map((list) => list[place]),
        stack,
        `${what}[${place}]`,
      ),
    );
  }
  if (!isPlain(first)) return [...values];
  return Object.fromEntries(
    Object.keys(first).map((key) => [
      key,
      batchOf(
        values.map((value) => (value as Record<string, unknown> | null)?.[key]),
        stack,
        `'${key}'`,
      ),
    ]),
  );
}

function stacked(values: readonly NdArray[], what: string): NdArray {
  const [{ shape }] = values as readonly [NdArray];
  const odd = values.find((value) => String(value.shape) !== String(shape));
  if (odd)
    throw new ArgumentError(
      `batch: expected arrays of one shape in ${what}, got ${formatShape(shape)} and ${formatShape(odd.shape)}; ` +
        'pass collate: data.padCollate() for those of several lengths',
    );
  const data = concatColumns(values.map((value) => value.data)) as Numbers;
  return { data, shape: [values.length, ...shape] };
}
