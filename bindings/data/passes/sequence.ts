// Stages that put sources one behind the other, or side by side.

import type { Column } from '../pipeline/columns.ts';
import type { Chunk, Reader, Run, Source, State } from '../pipeline/source.ts';
import { List } from './chunk.ts';
import { getOf, type Index, run, skipped } from './run.ts';
import { join, Table } from './table.ts';

/** Passes one after the other: `nth` says which, and null where there is none. */
function inTurn<T>(
  nth: (i: number, epoch: number) => readonly [Source<T>, number] | null,
  get?: Source<T>['get'],
): Run<T> {
  return {
    get,
    async open(epoch, state = [0, null]) {
      let [i, place] = state as [number, State];
      /** Whether the pass that is under way gave nothing yet. */
      let empty = place === null;
      const begin = async (): Promise<Reader<T> | null> => {
        const pass = nth(i, epoch);
        return pass && (await pass[0].open(pass[1], place ?? undefined));
      };
      let reader = await begin();
      return {
        async next(wanted) {
          const chunk = (await reader?.next(wanted)) ?? null;
          if (chunk || !reader) {
            empty &&= !chunk;
            return chunk;
          }
          // To repeat nothing for ever has no end.
          if (empty && nth(i + 1, epoch)?.[0] === nth(i, epoch)?.[0]) return null;
          await reader.close();
          reader = null;
          place = null;
          empty = true;
          i++;
          reader = await begin();
          // No record yet: a place behind this one has the seeds that the next pass drew.
          return reader && new List<T>([]);
        },
        state: () => [i, reader ? reader.state() : place],
        async close() {
          await reader?.close();
        },
      };
    },
  };
}

/** @param count null: for ever */
export const repeat = <T>(input: Source<T>, count: number | null): Run<T> =>
  inTurn((i, epoch) => (count === null ? [input, epoch + i] : i < count ? [input, epoch * count + i] : null));

export function concat<T>(inputs: readonly Source<T>[]): Run<T> {
  const gets = inputs.map(getOf);
  const starts = inputs.map((_, i) => inputs.slice(0, i).reduce((sum, { length = 0 }) => sum + length, 0));
  const get = async (indices: Int32Array, epoch: number): Promise<Chunk<T>> => {
    const parts: Chunk<T>[] = [];
    const order = new Int32Array(indices.length);
    let at = 0;
    for (const [i, start] of starts.entries()) {
      const end = start + (inputs[i]?.length as number);
      const places = indices.map((_, place) => place).filter((place) => within(indices[place] as number, start, end));
      if (places.length === 0) continue;
      const own = places.map((place) => (indices[place] as number) - start);
      parts.push(await (gets[i] as NonNullable<Source<T>['get']>)(own, epoch));
      for (const place of places) order[place] = at++;
    }
    return join(parts).gather(order);
  };
  return inTurn((i, epoch) => (inputs[i] ? [inputs[i], epoch] : null), get);
}

const within = (i: number, from: number, to: number): boolean => i >= from && i < to;

/** Records that are lists of one of each; columns beside each other where all are lists of values. */
function besides(chunks: readonly Chunk<unknown>[]): Chunk<unknown[]> {
  const [{ length }] = chunks as [Chunk<unknown>];
  if (chunks.every((chunk) => chunk instanceof List))
    return new Table(
      new Map(chunks.map(({ column }, i) => [String(i), column])),
      length,
      true,
    ) as Chunk<unknown> as Chunk<unknown[]>;
  return new List(Array.from({ length }, (_, i) => chunks.map((chunk) => chunk.at(i))));
}

/** As long as the shortest. */
export function zip(inputs: readonly Source<unknown>[]): Run<unknown[]> {
  const gets = inputs.map(getOf);
  return run<unknown, unknown[], object>({
    inputs,
    get: async (indices, epoch) =>
      besides(await Promise.all(gets.map((get) => (get as NonNullable<typeof get>)(indices, epoch)))),
    run: (cursors) => async (wanted) => {
      const chunks: Chunk<unknown>[] = [];
      for (const cursor of cursors) {
        const chunk = await cursor.look(wanted, Number.POSITIVE_INFINITY);
        if (!chunk) return null;
        chunks.push(chunk);
      }
      const n = Math.min(...chunks.map((chunk) => chunk.length));
      for (const cursor of cursors) cursor.drop(n);
      return besides(chunks.map((chunk) => (chunk.length === n ? chunk : chunk.slice(0, n))));
    },
  });
}

/** The whole numbers from `start` on, as small as they fit. */
function numbers(start: number, n: number): Column {
  const column = start + n <= 2 ** 31 ? new Int32Array(n) : new Float64Array(n);
  return column.map((_: number, i: number) => start + i);
}

export function enumerate<T>(input: Source<T>, start: number): Run<[number, T]> {
  const get = getOf(input);
  const numbered = (column: Column, chunk: Chunk<T>) =>
    besides([new List(column), chunk]) as Chunk<unknown> as Chunk<[number, T]>;
  return run({
    inputs: [input],
    get:
      get &&
      (async (indices, epoch) =>
        numbered(
          indices.map((i) => i + start),
          await get(indices, epoch),
        )),
    own: (): Index => ({ index: start }),
    skip: skipped,
    run:
      ([cursor], own) =>
      async (wanted) => {
        const chunk = await cursor.look(wanted, Number.POSITIVE_INFINITY);
        if (!chunk) return null;
        const from = own.index;
        own.index += chunk.length;
        cursor.drop(chunk.length);
        return numbered(numbers(from, chunk.length), chunk);
      },
  });
}

/** Every `count`-th record, from that of number `index` on. */
export function shard<T>(input: Source<T>, count: number, index: number): Run<T> {
  const get = getOf(input);
  return run({
    inputs: [input],
    get:
      get &&
      ((indices, epoch) =>
        get(
          indices.map((i) => i * count + index),
          epoch,
        )),
    // Behind a record are those of the others, which are passed when the next is asked for.
    own: () => ({ before: index }),
    run:
      ([cursor], own) =>
      async () => {
        own.before -= await cursor.pass(own.before);
        const chunk = own.before === 0 ? await cursor.look(1) : null;
        if (!chunk) return null;
        own.before = count - 1;
        cursor.drop(1);
        return chunk;
      },
  });
}
