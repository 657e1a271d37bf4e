// Batches of sequences of several lengths. What makes them, passes/pad.ts, comes with the first.
import { ArgumentError } from '../../memory/errors.ts';
import { callable } from '../../signature.ts';
import { copying } from './collate.ts';

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
export const padCollate = callable<(options?: PadOptions) => (records: readonly unknown[]) => Promise<unknown>>(
  "padCollate(*, paddingValue: number = 0, paddingSide: 'right'|'left' = 'right', multipleOf: int = 1, maxLength: int|null = null, mask: bool = false, lengths: bool = false)",
  (value: number, side: string, multiple: number, most: number | null, mask: boolean, lengths: boolean) => {
    if (multiple < 1 || (most ?? 1) < 1)
      throw new ArgumentError(`padCollate: expected multipleOf and maxLength >= 1, got ${multiple} and ${most}`);
    const collate = async (records: readonly unknown[]): Promise<unknown> => {
      const { pad } = await import('../passes/pad.ts');
      return pad(records, { value, left: side === 'left', multiple, most, mask, lengths });
    };
    copying.add(collate);
    return collate;
  },
);
