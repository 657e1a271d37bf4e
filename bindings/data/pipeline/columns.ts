// Columns: the values that records have in common, as memory holds them best. Numbers stand in typed arrays, numbers of
// several dims in one typed array with a shape, all else in arrays.

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

const isNd = (column: Column): column is NdArray => !(Array.isArray(column) || ArrayBuffer.isView(column));

/** Numbers of one row, and their shape. */
const rowOf = ({ shape: [, ...shape] }: NdArray): [size: number, shape: number[]] => [
  shape.reduce((a, b) => a * b, 1),
  shape,
];

/** What has the numbers' methods, whichever they are. */
type Some = Float32Array;
type Make = new (n: number) => Some;
const make = (like: Numbers, n: number): Some => new (like.constructor as Make)(n);
const partOf = (data: Numbers, from: number, to: number): Numbers => (data as Some).subarray(from, to) as Numbers;

/** How many values a column has. */
export const countOf = (column: Column): number => (isNd(column) ? (column.shape[0] ?? 0) : column.length);

/** Value i; of an NdArray a view. */
export function valueAt(column: Column, i: number): unknown {
  if (!isNd(column)) return column[i];
  const [size, shape] = rowOf(column);
  return shape.length === 0 ? column.data[i] : { data: partOf(column.data, i * size, (i + 1) * size), shape };
}

/** The values from … to − 1, without a copy of numbers. */
export function sliceColumn(column: Column, from: number, to: number): Column {
  if (Array.isArray(column)) return column.slice(from, to);
  if (!isNd(column)) return partOf(column as Numbers, from, to);
  const [size, shape] = rowOf(column);
  return { data: partOf(column.data, from * size, to * size), shape: [to - from, ...shape] };
}

/** The values at `indices`, in memory of their own. */
export function gatherColumn(column: Column, indices: Int32Array): Column {
  const n = indices.length;
  if (Array.isArray(column)) return Array.from(indices, (i) => column[i]);
  if (!isNd(column)) {
    const from = column as Some;
    const to = make(from, n);
    for (let i = 0; i < n; i++) to[i] = from[indices[i] as number] as number;
    return to;
  }
  const [size, shape] = rowOf(column);
  const from = column.data as Some;
  const to = make(from, n * size);
  for (let i = 0; i < n; i++) {
    const at = (indices[i] as number) * size;
    to.set(from.subarray(at, at + size), i * size);
  }
  return { data: to, shape: [n, ...shape] };
}

/** All values one after the other, in memory of their own. Kinds of numbers that differ become f64, others an array. */
export function concatColumns(columns: readonly Column[]): Column {
  const [first] = columns as [Column];
  if (isNumbers(first)) {
    const all = joinNumbers(columns);
    if (all) return all;
  } else if (isNd(first)) {
    const [, shape] = rowOf(first);
    const alike = columns.every((other) => isNd(other) && String(rowOf(other)[1]) === String(shape));
    const all = alike && joinNumbers(columns.map((column) => (column as NdArray).data));
    const rows = columns.reduce((sum, column) => sum + countOf(column), 0);
    if (all) return { data: all, shape: [rows, ...shape] };
  }
  return columns.flatMap((column) => valuesOf(column));
}

function joinNumbers(parts: readonly Column[]): Numbers | null {
  const [first] = parts as [Numbers];
  const same = parts.every((part) => part.constructor === first.constructor);
  const float = (part: Column): boolean => isNumbers(part) && typeof part[0] !== 'bigint';
  if (!same && !parts.every(float)) return null;
  const n = parts.reduce((sum, part) => sum + countOf(part), 0);
  const all = same ? make(first, n) : new Float64Array(n);
  let at = 0;
  for (const part of parts as readonly Some[]) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The values, each on its own. */
export const valuesOf = (column: Column): readonly unknown[] =>
  Array.isArray(column) ? column : Array.from({ length: countOf(column) }, (_, i) => valueAt(column, i));
