// Sources over what is in memory, and over whatever JavaScript can iterate.
import { ArgumentError, describe, expectSynchronous } from '../../memory/errors.ts';
import { scope } from '../../scope.ts';
import { Tensor } from '../../tensor.ts';
import type { Dataset } from '../loader.ts';
import { type Chunk, List } from './chunk.ts';
import { type Column, isColumn } from './columns.ts';
import type { Reader, Source } from './source.ts';
import { chunkOf, isColumns, Table } from './table.ts';

/** Records that a chunk of what is in memory has at least: to cut it costs little. */
const AT_HAND = 1024;
/** The same of a dataset, which has to copy. */
const COPIED = 64;

/** A source of records that can be asked for by number; `cut` gives those from … to − 1, at least `least` of them. */
function byNumber<T>(
  name: string,
  length: number,
  least: number,
  get: NonNullable<Source<T>['get']>,
  cut: (from: number, to: number) => Chunk<T>,
): Source<T> {
  return {
    ...{ name, inputs: [], length, get },
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

/** A source of the records of a chunk. */
export const inMemory = <T>(name: string, all: Chunk<T>): Source<T> =>
  byNumber(
    name,
    all.length,
    AT_HAND,
    (indices) => all.gather(indices),
    (from, to) => all.slice(from, to),
  );

/** The examples of a dataset, in memory outside of the arena: those of tensors are rows by their places. */
function ofDataset(dataset: Dataset): Source<unknown> {
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
  return byNumber('dataset', dataset.length, COPIED, get, cut);
}

/** The numbers of a tensor: those of one dim as they are. */
const hosted = ({ data, shape }: Tensor): Column => (shape.length === 1 ? data : { data, shape });

/** What can be iterated anew for each pass. */
type Begin = (
  epoch: number,
) => AsyncIterable<unknown> | Iterable<unknown> | Promise<AsyncIterable<unknown> | Iterable<unknown>>;

const isIterable = (x: unknown): x is AsyncIterable<unknown> | Iterable<unknown> => {
  const { [Symbol.iterator]: now, [Symbol.asyncIterator]: later } = (x ?? {}) as Partial<
    Iterable<unknown> & AsyncIterable<unknown>
  >;
  return typeof now === 'function' || typeof later === 'function';
};

/** Of an iterable nobody can ask where it stands: its place is a count, and to go on is to leave out so many. */
function iterated(begin: Begin): Source<unknown> {
  return {
    ...{ name: 'from', inputs: [] },
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

export const isDataset = (x: object): x is Dataset =>
  typeof (x as Dataset).batch === 'function' && Number.isSafeInteger((x as Dataset).length);

/** What {@link from} makes a pipeline of. */
export function sourceOf(op: string, x: unknown): Source<unknown> {
  if (typeof x === 'function') return iterated(x as Begin);
  if (typeof x === 'object' && x !== null) {
    const { source = x } = x as { readonly source?: Partial<Source<unknown>> };
    if (typeof (source as Partial<Source<unknown>>)?.open === 'function') return source as Source<unknown>;
    if (isDataset(x)) return ofDataset(x);
    if (!(x instanceof Tensor) && (isColumn(x) || isColumns(x))) return inMemory('from', chunkOf(op, x));
    if (isIterable(x) && typeof (x as unknown as Iterator<unknown>).next !== 'function') return iterated(() => x);
  }
  throw new ArgumentError(
    `${op}: expected an array, an object of arrays of one length, a dataset, an iterable, or a function that begins one for each pass, got ${describe(x)}`,
  );
}
