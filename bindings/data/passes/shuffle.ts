// Random orders of records: of all where they can be asked for by number, else of one window after the other.

import { mix } from '../../mix.ts';
import type { Collate } from '../pipeline/collate.ts';
import type { Seed } from '../pipeline/random.ts';
import type { Chunk, Run, Source } from '../pipeline/source.ts';
import { Shuffle } from '../shuffle.ts';
import { List, recordsOf } from './chunk.ts';
import { collate } from './collate.ts';
import { getOf, run } from './run.ts';

/** Records of a window, where the source is a stream and nothing else is asked for. */
const WINDOW = 10_000;

/**
 * The order of a window is drawn from the seed, the epoch and the number of the window; the place in it is where the
 * input stood before it, so that going on reads at most a window again.
 */
function windows<T>(input: Source<T>, size: number, seed: Seed): Run<T> {
  return run({
    inputs: [input],
    own: () => ({ window: 0, given: 0 }),
    run: ([cursor], own, epoch) => {
      let held: { readonly records: Chunk<T>; readonly order: Int32Array } | null = null;
      return async (wanted) => {
        if (held && own.given === held.order.length) {
          cursor.drop(own.given);
          own.window++;
          own.given = 0;
          held = null;
        }
        if (!held) {
          const n = await cursor.fill(size);
          if (n === 0) return null;
          const { window } = own;
          held = { records: cursor.peek(n), order: new Shuffle(seed.value, mix(epoch, window)).order(n) };
        }
        const part = held.order.subarray(own.given, own.given + wanted);
        own.given += part.length;
        return held.records.gather(part);
      };
    },
  });
}

/** A source that asks another for records by number, in the order that a pass has. */
export function ordered<T>(input: Source<T>, orderOf: (seed: number, epoch: number) => Int32Array, seed: Seed): Run<T> {
  const get = getOf(input) as NonNullable<Source<T>['get']>;
  return {
    open(epoch, state = 0) {
      let given = state as number;
      let order: Int32Array | null = null;
      /** The next n of the order. */
      const part = (n: number): Int32Array => {
        order ??= orderOf(seed.value, epoch);
        return order.subarray(given, given + n);
      };
      return {
        async next(wanted) {
          const indices = part(wanted);
          if (indices.length === 0) return null;
          const chunk = await get(indices, epoch);
          given += indices.length;
          return chunk;
        },
        skip(n) {
          const { length: passed } = part(n);
          given += passed;
          return passed;
        },
        state: () => given,
        close() {},
      };
    },
  };
}

export function shuffle<T>(input: Source<T>, bufferSize: number | null, seed: Seed): Run<T> {
  const { length } = input;
  if (!input.get || length === undefined || length > (bufferSize ?? length))
    return windows(input, bufferSize ?? WINDOW, seed);
  const orderOf = (drawn: number, epoch: number): Int32Array => new Shuffle(drawn, epoch).order(length);
  return ordered(input, orderOf, seed);
}

/** Batches of records of about one length: those of a window, sorted and cut, come in a random order. */
export function buckets<T>(
  input: Source<T>,
  lengthOf: (record: T) => number,
  { size, dropLast, collate: own, windowSize, seed }: Buckets,
): Run<unknown> {
  return run({
    inputs: [input],
    own: () => ({ window: 0, given: 0 }),
    run: ([cursor], stand, epoch) => {
      let cuts: readonly Int32Array[] | null = null;
      let records: Chunk<T> | null = null;
      return async () => {
        for (;;) {
          if (!cuts || !records) {
            const n = await cursor.fill(windowSize);
            if (n === 0) return null;
            records = cursor.peek(n);
            cuts = cutsOf(
              recordsOf(records).map(lengthOf),
              size,
              dropLast,
              new Shuffle(seed.value, mix(epoch, stand.window)),
            );
          }
          const cut = cuts[stand.given];
          if (cut) {
            const chunk = records.gather(cut);
            const batch = own ? await own(recordsOf(chunk)) : collate(chunk);
            stand.given++;
            return new List([batch]);
          }
          cursor.drop(records.length);
          stand.window++;
          stand.given = 0;
          cuts = null;
        }
      };
    },
  });
}

/** How buckets are cut. */
export interface Buckets {
  readonly size: number;
  readonly dropLast: boolean;
  readonly collate: Collate | null;
  readonly windowSize: number;
  readonly seed: Seed;
}

/** The numbers of records in each batch. */
function cutsOf(lengths: readonly number[], size: number, dropLast: boolean, shuffle: Shuffle): Int32Array[] {
  const sorted = Int32Array.from(lengths.keys()).sort(
    (a, b) => (lengths[a] as number) - (lengths[b] as number) || a - b,
  );
  const count = dropLast ? Math.floor(lengths.length / size) : Math.ceil(lengths.length / size);
  return Array.from(shuffle.order(count), (i) => sorted.slice(i * size, (i + 1) * size));
}

/** The records of a source at `indices`, in that order. */
export function subset<T>(input: Source<T>, indices: Int32Array, seed: Seed): Run<T> {
  const get = getOf(input) as NonNullable<Source<T>['get']>;
  return {
    ...ordered(input, () => indices, seed),
    get: (places, epoch) =>
      get(
        places.map((i) => indices[i] as number),
        epoch,
      ),
  };
}
