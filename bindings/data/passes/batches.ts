// Stages that make one record of several, and several of one.
import { ArgumentError, describe } from '../../memory/errors.ts';
import type { Cut } from '../pipeline/collate.ts';
import { isColumn, isColumns } from '../pipeline/columns.ts';
import type { Chunk, Run, Source } from '../pipeline/source.ts';
import { List, recordsOf } from './chunk.ts';
import { collate } from './collate.ts';
import { run } from './run.ts';
import { chunkOf } from './table.ts';

export function batches(input: Source<unknown>, cut: Cut): Run<unknown> {
  const { size, step, dropLast, collate: own } = cut;
  return run<unknown, unknown, object>({
    inputs: [input],
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

export const unbatch = (input: Source<unknown>): Run<unknown> =>
  run({
    inputs: [input],
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
