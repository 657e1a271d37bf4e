// What makes one record of several.
import type { NdArray, Numbers } from './columns.ts';

/** Makes a batch of records, or promises one. */
export type Collate = (records: readonly unknown[]) => unknown;

/** What a batch has in the place of a value T of a record. */
export type Batched<T> = T extends number | null | undefined
  ? Float32Array | Numbers
  : T extends boolean | null
    ? Uint8Array
    : T extends bigint | null
      ? Int32Array | Numbers
      : T extends string | null
        ? T[]
        : T extends Numbers | readonly number[]
          ? NdArray
          : T extends NdArray<infer A>
            ? NdArray<A>
            : T extends readonly unknown[]
              ? { -readonly [K in keyof T]: Batched<T[K]> }
              : T extends Record<string, unknown>
                ? { -readonly [K in keyof T]: Batched<T[K]> }
                : unknown;

/** Functions whose batches share memory with nothing, as those of the default. */
export const copying = new WeakSet<object>();

/** How records are put together. */
export interface Cut {
  /** Records of a batch. */
  readonly size: number;
  /** How far the first record of a batch is from that of the one before. */
  readonly step: number;
  /** Whether a batch that is not full is left out. */
  readonly dropLast: boolean;
  /** null: the default, which needs no records but columns. */
  readonly collate: Collate | null;
}

/** Number of batches of so many records. */
export function batchesOf(length: number, { size, step, dropLast }: Cut): number {
  if (dropLast) return length < size ? 0 : Math.floor((length - size) / step) + 1;
  return Math.ceil(length / step);
}
