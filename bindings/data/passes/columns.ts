// Parts of columns, and columns out of parts.
import {
  type Column,
  countOf,
  isNd,
  isNumbers,
  type NdArray,
  type Numbers,
  partOf,
  rowOf,
  valuesOf,
} from '../pipeline/columns.ts';

/** What has the numbers' methods, whichever they are. */
type Some = Float32Array;
type Make = new (n: number) => Some;
const make = (like: Numbers, n: number): Some => new (like.constructor as Make)(n);

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
