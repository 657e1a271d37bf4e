// Makes sequences of several lengths as long as the longest of them.
import { ArgumentError, formatShape } from '../../memory/errors.ts';
import type { NdArray, Numbers } from '../pipeline/columns.ts';
import { batchOf } from './collate.ts';

/** What the options of padCollate() say. */
interface Padding {
  readonly value: number;
  readonly left: boolean;
  readonly multiple: number;
  readonly most: number | null;
  readonly mask: boolean;
  readonly lengths: boolean;
}

/** Copies each array into its row. */
function padded(arrays: readonly NdArray[], length: number, value: number, left: boolean, what: string): NdArray {
  const [first] = arrays as readonly [NdArray];
  const [, ...inner] = first.shape;
  const odd = arrays.find(({ shape: [, ...other] }) => String(other) !== String(inner));
  if (odd)
    throw new ArgumentError(
      `padCollate: expected arrays that differ in their first dim only in ${what}, got ${formatShape(first.shape)} and ${formatShape(odd.shape)}`,
    );
  const step = inner.reduce((a, b) => a * b, 1);
  const make = first.data.constructor as new (n: number) => Float32Array;
  const data = new make(arrays.length * length * step);
  if (value !== 0) data.fill(value);
  for (const [row, array] of arrays.entries()) {
    const numbers = (array.data as Float32Array).subarray(0, Math.min(length, array.shape[0] as number) * step);
    data.set(numbers, row * length * step + (left ? length * step - numbers.length : 0));
  }
  return { data: data as Numbers, shape: [arrays.length, length, ...inner] };
}

function maskOf(lengths: readonly number[], length: number, left: boolean): NdArray<Uint8Array> {
  const data = new Uint8Array(lengths.length * length);
  for (const [row, n] of lengths.entries()) {
    const from = row * length + (left ? length - n : 0);
    data.fill(1, from, from + n);
  }
  return { data, shape: [lengths.length, length] };
}

/** The batch of records, whose sequences are padded. */
export function pad(records: readonly unknown[], padding: Padding): unknown {
  const { value, left, multiple, most, mask, lengths: withLengths } = padding;
  const cut = (length: number): number => Math.min(length, most ?? length);
  const target = (lengths: readonly number[]): number => Math.ceil(Math.max(...lengths) / multiple) * multiple;
  const beside: [string, unknown][] = [];
  const batch = batchOf(records, (arrays, what) => {
    const lengths = arrays.map(({ shape }) => cut(shape[0] as number));
    const length = target(lengths);
    const key = /^'(.*)'$/.exec(what)?.[1];
    if (key !== undefined && mask) beside.push([`${key}Mask`, maskOf(lengths, length, left)]);
    if (key !== undefined && withLengths) beside.push([`${key}Lengths`, Int32Array.from(lengths)]);
    return padded(arrays, length, value, left, what);
  });
  if (beside.length === 0 && (mask || withLengths))
    throw new ArgumentError(
      'padCollate: expected records that are objects with sequences, to put masks and lengths beside them, got none',
    );
  return beside.length > 0 ? { ...(batch as object), ...Object.fromEntries(beside) } : batch;
}
