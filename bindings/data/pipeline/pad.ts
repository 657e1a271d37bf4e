// Batches of sequences of several lengths.
import { ArgumentError, formatShape } from '../../memory/errors.ts';
import { callable } from '../../signature.ts';
import { batchOf, copying } from './collate.ts';
import type { NdArray, Numbers } from './columns.ts';

/** Options of {@link padCollate}. */
export interface PadOptions {
  /** What stands where a sequence has ended. @defaultValue 0 */
  paddingValue?: number;
  /** Where it is put. @defaultValue `'right'` */
  paddingSide?: 'right' | 'left';
  /** Lengths of batches are multiples of this. @defaultValue 1 */
  multipleOf?: number;
  /** The longest, of which what is beyond is cut off; null: any. @defaultValue null */
  maxLength?: number | null;
  /**
   * Whether batches of objects have a field `…Mask` beside each that was padded: u8 [batch, length], 1 where it is not.
   * @defaultValue false
   */
  mask?: boolean;
  /** Whether they have a field `…Lengths`: an Int32Array. @defaultValue false */
  lengths?: boolean;
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

/**
 * A `collate` for `batch()` that makes sequences of several lengths as long as the longest of them: typed arrays, lists
 * of numbers, and NdArrays that differ in their first dim. All else is batched as usual.
 * @throws ArgumentError unless multipleOf and maxLength ≥ 1
 * @example
 * ```ts
 * const texts = data.from([{ tokens: [5, 6, 7] }, { tokens: [8] }]);
 * const [batch] = await texts.batch(2, { collate: data.padCollate({ mask: true }) }).toArray();
 * console.log(batch); // tokens [[5, 6, 7], [8, 0, 0]], tokensMask [[1, 1, 1], [1, 0, 0]]
 * ```
 */
export const padCollate = callable<(options?: PadOptions) => (records: readonly unknown[]) => unknown>(
  "padCollate(*, paddingValue: number = 0, paddingSide: 'right'|'left' = 'right', multipleOf: int = 1, maxLength: int|null = null, mask: bool = false, lengths: bool = false)",
  (value: number, side: string, multiple: number, most: number | null, mask: boolean, withLengths: boolean) => {
    if (multiple < 1 || (most ?? 1) < 1)
      throw new ArgumentError(`padCollate: expected multipleOf and maxLength >= 1, got ${multiple} and ${most}`);
    const cut = (length: number): number => Math.min(length, most ?? length);
    const target = (lengths: readonly number[]): number => Math.ceil(Math.max(...lengths) / multiple) * multiple;
    const left = side === 'left';
    const collate = (records: readonly unknown[]): unknown => {
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
    };
    copying.add(collate);
    return collate;
  },
);

function maskOf(lengths: readonly number[], length: number, left: boolean): NdArray<Uint8Array> {
  const data = new Uint8Array(lengths.length * length);
  for (const [row, n] of lengths.entries()) {
    const from = row * length + (left ? length - n : 0);
    data.fill(1, from, from + n);
  }
  return { data, shape: [lengths.length, length] };
}
