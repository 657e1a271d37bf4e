// Records that stay in memory after they were read.

import type { Chunk, Run, Source } from '../pipeline/source.ts';
import { List } from './chunk.ts';
import { Cursor, type Place } from './cursor.ts';
import { getOf } from './run.ts';
import { join } from './table.ts';

/** Where a pass over a cache stands: records given, and where the input stands while it is read. */
type Stand = readonly [given: number, input: Place | null];

/** As many records are cut at once from what is in memory. */
const AT_HAND = 1024;

/**
 * What the first whole pass reads, that of epoch 0, all later ones give. One that goes on in the middle reads its input
 * and keeps nothing; one whose cache is gone reads it again.
 */
export function cache<T>(input: Source<T>): Run<T> {
  let all: Chunk<T> | null = null;
  const found = new Map<number, T>();
  const get = getOf(input);

  const byNumber = async (indices: Int32Array): Promise<Chunk<T>> => {
    if (all) return all.gather(indices);
    const missing = indices.filter((i) => !found.has(i));
    if (missing.length > 0) {
      const chunk = await (get as NonNullable<typeof get>)(missing, 0);
      for (const [place, i] of missing.entries()) found.set(i, chunk.at(place));
    }
    return new List<T>(Array.from(indices, (i) => found.get(i) as T));
  };

  return {
    get: get && byNumber,
    async open(_epoch, state) {
      let [given, place] = (state ?? [0, null]) as Stand;
      const whole = all;
      const cursor = whole ? null : await Cursor.open(input, 0, place);
      /** What was read so far, from the beginning on. */
      const parts: Chunk<T>[] | null = cursor && !place ? [] : null;
      const read = async (wanted: number, most: number): Promise<Chunk<T> | null> => {
        const chunk = (await cursor?.look(wanted, most)) ?? null;
        if (chunk) parts?.push(chunk);
        else if (parts && parts.length > 0) {
          all ??= join(parts);
          found.clear();
        }
        cursor?.drop(chunk?.length ?? 0);
        return chunk;
      };
      const cut = (wanted: number): Chunk<T> | null =>
        whole && given < whole.length
          ? whole.slice(given, Math.min(whole.length, given + Math.max(wanted, AT_HAND)))
          : null;
      if (parts) for (let left = given; left > 0; ) left -= (await read(left, left))?.length ?? left;
      return {
        async next(wanted) {
          const chunk = whole ? cut(wanted) : await read(wanted, Number.POSITIVE_INFINITY);
          given += chunk?.length ?? 0;
          return chunk;
        },
        state: (): Stand => [given, cursor ? cursor.place() : null],
        async close() {
          await cursor?.close();
        },
      };
    },
  };
}
