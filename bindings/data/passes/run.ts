// What every stage has in common: it reads its inputs by cursors, and beside their places has a few numbers of its own.

import type { Chunk, Reader, Run, Source } from '../pipeline/source.ts';
import { Cursor, type Place } from './cursor.ts';

/** Gives the next records, about as many as are wanted; null at the end. */
export type Next<T> = (wanted: number) => Promise<Chunk<T> | null>;

/** One for each input, of which there is at least one. */
type Cursors<In> = readonly [Cursor<In>, ...Cursor<In>[]];

/** The number of a record: what stages that count have of their own. */
export interface Index {
  index: number;
}

/** The skip() of a stage that counts its records, and makes one of each. */
export const skipped = async ([cursor]: Cursors<unknown>, own: Index, n: number): Promise<number> => {
  const passed = await cursor.pass(n);
  own.index += passed;
  return passed;
};

/** What a stage is. */
export interface Plan<In, Out, Own extends object> {
  readonly inputs: readonly Source<In>[];
  /** What a pass has beside the places of its inputs, at its beginning: flat, and of JSON. */
  own?(epoch: number): Own;
  /** Begins a pass, or goes on with one. */
  run(cursors: Cursors<In>, own: Own, epoch: number): Next<Out>;
  /** As that of a reader; undefined: it makes them. */
  readonly skip?: (cursors: Cursors<In>, own: Own, n: number) => Promise<number>;
  readonly get?: Source<Out>['get'];
}

/** Closes all, whatever fails. */
export async function closeAll(all: readonly { close(): void | Promise<void> }[]): Promise<void> {
  const failed = (await Promise.allSettled(all.map((each) => each.close()))).find(
    ({ status }) => status === 'rejected',
  );
  if (failed) throw (failed as PromiseRejectedResult).reason;
}

async function openAll<T>(
  inputs: readonly Source<T>[],
  epoch: number,
  places?: readonly Place[],
): Promise<Cursor<T>[]> {
  const cursors: Cursor<T>[] = [];
  try {
    for (const [i, input] of inputs.entries()) cursors.push(await Cursor.open(input, epoch, places?.[i]));
  } catch (error) {
    await closeAll(cursors);
    throw error;
  }
  return cursors;
}

/** The random access of a source, where it has some. */
export const getOf = <T>(source: Source<T>): Source<T>['get'] => source.get?.bind(source);

/** What a stage does. What a reader does between two chunks is done by when next() has given the first. */
export function run<In, Out, Own extends object>(plan: Plan<In, Out, Own>): Run<Out> {
  const { inputs, get, skip } = plan;
  const open = async (epoch: number, state?: unknown): Promise<Reader<Out>> => {
    const [places, saved] = (state ?? []) as [Place[]?, Own?];
    const cursors = (await openAll(inputs, epoch, places)) as readonly Cursor<In>[] as Cursors<In>;
    const own = saved ? { ...saved } : (plan.own?.(epoch) ?? ({} as Own));
    return {
      next: plan.run(cursors, own, epoch),
      state: () => [cursors.map((cursor) => cursor.place()), { ...own }],
      close: () => closeAll(cursors),
      ...(skip && { skip: (n: number) => skip(cursors, own, n) }),
    };
  };
  return { open, get };
}
