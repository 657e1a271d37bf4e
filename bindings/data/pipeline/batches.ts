// Stages that make one record of several, and several of one.
import { ArgumentError, describe } from '../../memory/errors.ts';
import { type Chunk, List, recordsOf } from './chunk.ts';
import { collate, copying } from './collate.ts';
import { isColumn } from './columns.ts';
import type { Source } from './source.ts';
import { stage } from './stage.ts';
import { chunkOf, isColumns } from './table.ts';

/** Makes a batch of records, or promises one. */
export type Collate = (records: readonly unknown[]) => unknown;

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
function countOf(length: number, { size, step, dropLast }: Cut): number {
  if (dropLast) return length < size ? 0 : Math.floor((length - size) / step) + 1;
  return Math.ceil(length / step);
}

export function batches(name: string, input: Source<unknown>, cut: Cut): Source<unknown> {
  const { size, step, dropLast, collate: own } = cut;
  const { length } = input;
  return stage<unknown, unknown, object>({
    ...{ name, inputs: [input], length: length === undefined ? length : countOf(length, cut) },
    fresh: own === null || copying.has(own),
    ...(size === step && {
      skip: async ([cursor], _own, n) => {
        const records = (await cursor.pass(n * size)) / size;
        return dropLast ? Math.floor(records) : Math.ceil(records);
      },
    }),
    run:
      ([cursor]) =>
      async () => {
        const n = await cursor.fill(size);
        if (n === 0 || (dropLast && n < size)) return null;
        const chunk = cursor.peek(n);
        const batch = own ? await own(recordsOf(chunk)) : collate(chunk);
        cursor.drop(Math.min(step, n));
        if (step > n) await cursor.pass(step - n);
        return new List([batch]);
      },
  });
}

/** @throws ArgumentError unless `batch` is a list of records, or columns of them */
function recordsIn(batch: unknown): Chunk<unknown> {
  if (isColumn(batch) || isColumns(batch)) return chunkOf('unbatch', batch);
  throw new ArgumentError(
    `unbatch: expected batches: arrays, typed arrays, or objects of such columns, got ${describe(batch)}`,
  );
}

export const unbatch = (input: Source<unknown>): Source<unknown> =>
  stage({
    ...{ name: 'unbatch', inputs: [input] },
    run:
      ([cursor]) =>
      async () => {
        for (;;) {
          const chunk = await cursor.look(1);
          if (!chunk) return null;
          const records = recordsIn(chunk.at(0));
          cursor.drop(1);
          if (records.length > 0) return records;
        }
      },
  });
