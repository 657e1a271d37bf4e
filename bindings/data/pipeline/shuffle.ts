// Random orders of records: of all where they can be asked for by number, else of one window after the other.
import { Shuffle } from '../shuffle.ts';
import type { Chunk } from './chunk.ts';
import { drawSeed, mix } from './random.ts';
import type { Source } from './source.ts';
import { getOf, stage } from './stage.ts';

/** Records of a window, where the source is a stream and nothing else is asked for. */
const WINDOW = 10_000;

/**
 * The order of a window is drawn from the seed, the epoch and the number of the window; the place in it is where the
 * input stood before it, so that going on reads at most a window again.
 */
function windows<T>(input: Source<T>, size: number, seed: number | null): Source<T> {
  return stage({
    ...{ name: 'shuffle', inputs: [input], length: input.length },
    own: () => ({ seed: seed ?? drawSeed('shuffle'), window: 0, given: 0 }),
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
          held = { records: cursor.peek(n), order: new Shuffle(own.seed, mix(epoch, window)).order(n) };
        }
        const part = held.order.subarray(own.given, own.given + wanted);
        own.given += part.length;
        return held.records.gather(part);
      };
    },
  });
}

/** A source that asks another for records by number, in the order that a pass has. */
export function ordered<T>(
  name: string,
  input: Source<T>,
  length: number,
  orderOf: (seed: number, epoch: number) => Int32Array,
  seed: number | null,
): Source<T> {
  const get = getOf(input) as NonNullable<Source<T>['get']>;
  return {
    ...{ name, inputs: [input], length },
    open(epoch, state) {
      const own = {
        ...((state as { seed: number; given: number } | undefined) ?? { seed: seed ?? drawSeed(name), given: 0 }),
      };
      let order: Int32Array | null = null;
      return {
        async next(wanted) {
          order ??= orderOf(own.seed, epoch);
          const part = order.subarray(own.given, own.given + wanted);
          if (part.length === 0) return null;
          const chunk = await get(part, epoch);
          own.given += part.length;
          return chunk;
        },
        state: () => ({ ...own }),
        close() {},
      };
    },
  };
}

export function shuffle<T>(input: Source<T>, bufferSize: number | null, seed: number | null): Source<T> {
  const { length } = input;
  if (!input.get || length === undefined || length > (bufferSize ?? length))
    return windows(input, bufferSize ?? WINDOW, seed);
  return ordered('shuffle', input, length, (drawn, epoch) => new Shuffle(drawn, epoch).order(length), seed);
}
