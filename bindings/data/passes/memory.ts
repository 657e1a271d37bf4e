// Reads what is in memory, and whatever JavaScript can iterate.
import { ArgumentError, describe, expectSynchronous } from '../../memory/errors.ts';
import { scope } from '../../scope.ts';
import type { Tensor } from '../../tensor.ts';
import type { Dataset } from '../loader.ts';
import type { Column } from '../pipeline/columns.ts';
import { type Begin, isIterable } from '../pipeline/iterable.ts';
import type { Chunk, Reader, Run, Source } from '../pipeline/source.ts';
import { List } from './chunk.ts';
import { Table, tableOf } from './table.ts';

/** Records that a chunk of what is in memory has at least: to cut it costs little. */
const AT_HAND = 1024;
/** The same of a dataset, which has to copy. */
const COPIED = 64;

/** A source of records that can be asked for by number; `cut` gives those from … to − 1, at least `least` of them. */
function byNumber<T>(
  length: number,
  least: number,
  get: NonNullable<Source<T>['get']>,
  cut: (from: number, to: number) => Chunk<T>,
): Run<T> {
  return {
    get,
    open(_epoch, state = 0) {
      let at = state as number;
      return {
        next(wanted) {
          const to = Math.min(length, at + Math.max(wanted, least));
          const chunk = at < to ? cut(at, to) : null;
          at = to;
          return chunk;
        },
        skip(n) {
          const from = at;
          at = Math.min(length, at + n);
          return at - from;
        },
        state: () => at,
        close() {},
      };
    },
  };
}

/** Columns, or a single one, of so many records. */
export function inMemory(columns: Column | ReadonlyMap<string, Column>, length: number): Run<unknown> {
  const all = columns instanceof Map ? tableOf([...columns], length) : new List(columns as Column);
  return byNumber(
    length,
    AT_HAND,
    (indices) => all.gather(indices),
    (from, to) => all.slice(from, to),
  );
}

/** The examples of a dataset, in memory outside of the arena: those of tensors are rows by their places. */
export function ofDataset(dataset: Dataset, length: number): Run<unknown> {
  const get = (indices: Int32Array): Chunk<unknown> => {
    const columns = scope(() => {
      const batch = dataset.batch(indices);
      expectSynchronous('from: dataset.batch', batch);
      return batch.map(hosted);
    });
    return new Table(new Map(columns.map((column, i) => [String(i), column])), indices.length, true) as Chunk<unknown>;
  };
  const cut = (from: number, to: number): Chunk<unknown> =>
    get(Int32Array.from({ length: to - from }, (_, i) => from + i));
  return byNumber(length, COPIED, get, cut);
}

/** The numbers of a tensor: those of one dim as they are. */
const hosted = ({ data, shape }: Tensor): Column => (shape.length === 1 ? data : { data, shape });

/** Of an iterable nobody can ask where it stands: its place is a count, and to go on is to leave out so many. */
export function iterated(begin: Begin): Run<unknown> {
  return {
    async open(epoch, state = 0): Promise<Reader<unknown>> {
      const iterable = await begin(epoch);
      if (!isIterable(iterable))
        throw new ArgumentError(`from: expected a function that gives an iterable, got ${describe(iterable)} from it`);
      const iterator =
        Symbol.asyncIterator in iterable ? iterable[Symbol.asyncIterator]() : iterable[Symbol.iterator]();
      let at = 0;
      let ended = false;
      const more = async (n: number): Promise<unknown[]> => {
        const records: unknown[] = [];
        while (records.length < n && !ended) {
          const step = iterator.next();
          const { done, value } = step instanceof Promise ? await step : step;
          if (done) ended = true;
          else records.push(value);
        }
        at += records.length;
        return records;
      };
      for (let left = state as number; left > 0 && !ended; left -= AT_HAND) await more(Math.min(left, AT_HAND));
      return {
        async next(wanted) {
          const records = await more(wanted);
          return records.length > 0 ? new List(records) : null;
        },
        state: () => at,
        async close() {
          if (!ended) await iterator.return?.();
          ended = true;
        },
      };
    },
  };
}
