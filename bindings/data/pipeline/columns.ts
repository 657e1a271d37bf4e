// Columns: the values that records have in common, as memory holds them best. Numbers stand in typed arrays, numbers of
// several dims in one typed array with a shape, all else in arrays.
import { isPlain } from '../../kinds.ts';
import { ArgumentError, describe } from '../../memory/errors.ts';

/** Numbers in a typed array. */
export type Numbers =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

/** Numbers of a shape, outside of the arena: an image, or a column of them. What {@link readIdx} gives is one. */
export interface NdArray<A extends Numbers = Numbers> {
  /** The numbers, the last axis running fastest. */
  readonly data: A;
  /** Sizes, outermost first. */
  readonly shape: readonly number[];
}

/**
 * The values of one column: numbers in a typed array (NaN where one is missing), an {@link NdArray} whose first dim is
 * the rows, or anything in an array.
 */
export type Column = Numbers | NdArray | readonly unknown[];

export const isNumbers = (x: unknown): x is Numbers => ArrayBuffer.isView(x) && !(x instanceof DataView);

export const isNdArray = (x: unknown): x is NdArray => {
  if (typeof x !== 'object' || x === null || ArrayBuffer.isView(x) || Array.isArray(x)) return false;
  const { shape, data } = x as Partial<NdArray>;
  return Array.isArray(shape) && isNumbers(data);
};

export const isColumn = (x: unknown): x is Column => Array.isArray(x) || isNumbers(x) || isNdArray(x);

export const isNd = (column: Column): column is NdArray => !(Array.isArray(column) || ArrayBuffer.isView(column));

/** Numbers of one row, and their shape. */
export const rowOf = ({ shape: [, ...shape] }: NdArray): [size: number, shape: number[]] => [
  shape.reduce((a, b) => a * b, 1),
  shape,
];

export const partOf = (data: Numbers, from: number, to: number): Numbers =>
  (data as Float32Array).subarray(from, to) as Numbers;

/** How many values a column has. */
export const countOf = (column: Column): number => (isNd(column) ? (column.shape[0] ?? 0) : column.length);

/** Value i; of an NdArray a view. */
export function valueAt(column: Column, i: number): unknown {
  if (!isNd(column)) return column[i];
  const [size, shape] = rowOf(column);
  return shape.length === 0 ? column.data[i] : { data: partOf(column.data, i * size, (i + 1) * size), shape };
}

/** The values, each on its own. */
export const valuesOf = (column: Column): readonly unknown[] =>
  Array.isArray(column) ? column : Array.from({ length: countOf(column) }, (_, i) => valueAt(column, i));

/** Whether `x` is an object whose values are all columns, and so a table. */
export const isColumns = (x: unknown): x is Record<string, Column> =>
  isPlain(x) && !isNdArray(x) && Object.keys(x).length > 0 && Object.values(x).every(isColumn);

/**
 * How many records columns have, or a single one. @throws ArgumentError for another value, and for columns of different
 * lengths
 */
export function lengthOf(op: string, value: unknown): number {
  if (isColumn(value)) return countOf(value);
  if (!isColumns(value))
    throw new ArgumentError(
      `${op}: expected an array, a typed array, or an object of columns that are such arrays, got ${describe(value)}`,
    );
  const lengths = Object.values(value).map(countOf);
  const [length = 0] = lengths;
  if (lengths.some((other) => other !== length))
    throw new ArgumentError(`${op}: expected columns of one length, got ${lengths.join(', ')}`);
  return length;
}
