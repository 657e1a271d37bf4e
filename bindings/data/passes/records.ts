// Stages that take records one by one, or leave some out.
import { ArgumentError, describe } from '../../memory/errors.ts';
import type { Chunk, MapFunction, Run, Source } from '../pipeline/source.ts';
import { List } from './chunk.ts';
import { getOf, type Index, run, skipped } from './run.ts';
import { chunkOf, columnsOf } from './table.ts';

/** Records that are made at once: so many asynchronous calls are under way, and so many results wait to be used. */
const AT_ONCE = 64;

const isPromise = (x: unknown): x is PromiseLike<unknown> =>
  typeof (x as PromiseLike<unknown> | null | undefined)?.then === 'function';

/** Where a worker notes which record a function is called with, for whoever finds it dead. */
export const progress: { words: Int32Array | null } = { words: null };

/** What was wrong with which record. */
const failures = new WeakMap<object, string>();

/** The record at which an error was thrown, in words; '' where that is not known. */
export const failureOf = (error: unknown): string => (Object(error) === error && failures.get(error as object)) || '';

/** Notes the record at which `error` was thrown, and the file that it names, and throws it. */
function fail(error: unknown, record: unknown, index: number): never {
  const { file, path, url, name: own } = Object(record) as Readonly<Record<string, unknown>>;
  const name = [file, path, url, own].find((x) => typeof x === 'string');
  if (Object(error) === error && !failures.has(error as object))
    failures.set(error as object, `record ${index}${name === undefined ? '' : ` (${name})`}`);
  throw error;
}

/** What `fn` gives for the records of a chunk. */
function each<T, U>(chunk: Chunk<T>, fn: MapFunction<T, U>, indexOf: (i: number) => number, epoch: number) {
  const results = Array.from({ length: chunk.length }, (_, i) => {
    const [record, index] = [chunk.at(i), indexOf(i)];
    if (progress.words) Atomics.store(progress.words, 0, index);
    try {
      const result = fn(record, index, epoch);
      return isPromise(result) ? result.then(undefined, (error: unknown) => fail(error, record, index)) : result;
    } catch (error) {
      return fail(error, record, index);
    }
  });
  return results.some(isPromise) ? Promise.all(results) : (results as U[]);
}

export function map<T, U>(input: Source<T>, fn: MapFunction<T, U>): Run<U> {
  const get = getOf(input);
  return run({
    inputs: [input],
    get:
      get &&
      (async (indices, epoch) =>
        new List(await each(await get(indices, epoch), fn, (i) => indices[i] as number, epoch))),
    own: (): Index => ({ index: 0 }),
    skip: skipped,
    run:
      ([cursor], own, epoch) =>
      async (wanted) => {
        const chunk = await cursor.look(Math.min(wanted, AT_ONCE));
        if (!chunk) return null;
        const results = await each(chunk, fn, (i) => own.index + i, epoch);
        own.index += chunk.length;
        cursor.drop(chunk.length);
        return new List(results);
      },
  });
}

/** Chunks of columns by a function of theirs: no record is made. */
export function mapChunk(
  input: Source<unknown>,
  fn: (columns: unknown, index: number, epoch: number) => unknown,
): Run<unknown> {
  const made = async (chunk: Chunk<unknown>, index: number, epoch: number): Promise<Chunk<unknown>> => {
    const result = chunkOf('mapChunk', await fn(columnsOf(chunk), index, epoch));
    if (result.length === chunk.length) return result;
    throw new ArgumentError(
      `mapChunk: expected a function that gives as many records as it gets, ${chunk.length}, got ${result.length}`,
    );
  };
  return run({
    inputs: [input],
    own: () => ({ index: 0 }),
    run:
      ([cursor], own, epoch) =>
      async (wanted) => {
        const chunk = await cursor.look(wanted, Number.POSITIVE_INFINITY);
        if (!chunk) return null;
        const result = await made(chunk, own.index, epoch);
        own.index += chunk.length;
        cursor.drop(chunk.length);
        return result;
      },
  });
}

/** Which records stay, of a chunk: one value a record. */
type Sieve<T> = (chunk: Chunk<T>, index: number, epoch: number) => ArrayLike<unknown> | Promise<ArrayLike<unknown>>;

/** Leaves out records by their chunks. */
export function sieved<T>(input: Source<T>, sieve: Sieve<T>): Run<T> {
  return run({
    inputs: [input],
    own: () => ({ index: 0 }),
    run:
      ([cursor], own, epoch) =>
      async (wanted) => {
        for (;;) {
          const chunk = await cursor.look(Math.max(wanted, AT_ONCE));
          if (!chunk) return null;
          const stays = await sieve(chunk, own.index, epoch);
          const left = Int32Array.from({ length: chunk.length }, (_, i) => i).filter((i) => stays[i]);
          own.index += chunk.length;
          cursor.drop(chunk.length);
          if (left.length > 0) return left.length === chunk.length ? chunk : chunk.gather(left);
        }
      },
  });
}

export const filter = <T>(input: Source<T>, fn: MapFunction<T, unknown>): Run<T> =>
  sieved(input, (chunk, index, epoch) => each(chunk, fn, (i) => index + i, epoch));

export const filterChunk = <T>(
  input: Source<T>,
  fn: (columns: unknown, index: number, epoch: number) => unknown,
): Run<T> =>
  sieved(input, async (chunk, index, epoch) => {
    const stays = await fn(columnsOf(chunk), index, epoch);
    const { length } = (stays ?? {}) as Partial<ArrayLike<unknown>>;
    if (length === chunk.length) return stays as ArrayLike<unknown>;
    throw new ArgumentError(
      `filterChunk: expected a function that gives an array of one value a record, ${chunk.length}, got ${describe(stays)}`,
    );
  });

export const take = <T>(input: Source<T>, count: number): Run<T> =>
  run({
    ...{ inputs: [input], get: getOf(input) },
    own: () => ({ given: 0 }),
    run:
      ([cursor], own) =>
      async (wanted) => {
        const left = count - own.given;
        const chunk = left > 0 ? await cursor.look(wanted, left) : null;
        if (!chunk) return null;
        own.given += chunk.length;
        cursor.drop(chunk.length);
        return chunk;
      },
  });

export function skip<T>(input: Source<T>, count: number): Run<T> {
  const get = getOf(input);
  return run({
    inputs: [input],
    get:
      get &&
      ((indices, epoch) =>
        get(
          indices.map((i) => i + count),
          epoch,
        )),
    own: () => ({ skipped: 0 }),
    run:
      ([cursor], own) =>
      async (wanted) => {
        own.skipped += await cursor.pass(count - own.skipped);
        const chunk = await cursor.look(wanted, Number.POSITIVE_INFINITY);
        cursor.drop(chunk?.length ?? 0);
        return chunk;
      },
  });
}
