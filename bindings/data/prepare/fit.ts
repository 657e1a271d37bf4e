// Finds what steps have to know, in passes over the training data.
import { isPlain } from '../../kinds.ts';
import { ArgumentError, describe } from '../../memory/errors.ts';
import { Cursor } from '../passes/cursor.ts';
import { Table } from '../passes/table.ts';
import type { Column } from '../pipeline/columns.ts';
import type { Chunk, Row, Source } from '../pipeline/source.ts';
import { Counts, Moments, Sample } from './statistics.ts';
import { findBy, type Step } from './step.ts';
import { columnOf, type Values } from './values.ts';

/** The steps of one column, and what messages call it. */
interface Steps {
  readonly column: string;
  readonly where: string;
  readonly steps: readonly Step[];
  /** The first step that has not seen the data. */
  readonly unfitted: Step | undefined;
}

/** Shows values to the first step that has not seen them, as those before it make them. */
function collect(steps: readonly Step[], values: Values): void {
  let now = values;
  for (const step of steps) {
    if (!step.fitted) {
      step.collect(now);
      return;
    }
    now = step.apply(now);
  }
}

/** The columns of a chunk. @throws ArgumentError where its records are no rows */
function tableOf(chunk: Chunk<unknown>): ReadonlyMap<string, Column> {
  if (chunk instanceof Table) return chunk.columns;
  const records = Array.from({ length: chunk.length }, (_, i) => chunk.at(i));
  const [first] = records;
  if (!isPlain(first))
    throw new ArgumentError(`fit: expected rows, objects of values by names, got ${describe(first)}`);
  return new Map(Object.keys(first).map((name) => [name, records.map((row) => (row as Row)[name])]));
}

/** As many passes over a source as a column has steps that have to know something. */
export async function fitAll(source: Source<Row>, chains: readonly Steps[]): Promise<void> {
  findBy({ counts: () => new Counts(), moments: () => new Moments(), sample: () => new Sample() });
  for (;;) {
    const open = chains.filter(({ unfitted }) => unfitted);
    if (open.length === 0) return;
    const cursor = await Cursor.open(source, 0, null);
    try {
      for (
        let chunk = await cursor.look(1, Number.POSITIVE_INFINITY);
        chunk;
        chunk = await cursor.look(1, Number.POSITIVE_INFINITY)
      ) {
        const columns = tableOf(chunk);
        for (const { steps, column } of open) collect(steps, columnOf('fit', columns, column));
        cursor.drop(chunk.length);
      }
    } finally {
      await cursor.close();
    }
    for (const { unfitted, where } of open) unfitted?.finish(where);
  }
}
