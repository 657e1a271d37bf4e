// What workers of the tests set up, by what they are told.
import { from, type Pipeline } from '../../bindings/data/index.ts';

/** What a test wants of its workers. */
export interface Wish {
  readonly rows: number;
  readonly batch: number;
  /** The record at which something happens. */
  readonly at?: number;
  /** Counts the records that were made. */
  readonly made?: Int32Array;
  readonly what?: 'throws' | 'rejects' | 'exits' | 'breaks';
}

const happen: Record<NonNullable<Wish['what']>, () => unknown> = {
  throws: () => {
    throw new TypeError('mine');
  },
  rejects: () => Promise.reject(new RangeError('late')),
  exits: () => process.exit(3),
  breaks: () => {
    setTimeout(() => {
      throw new Error('loose');
    });
  },
};

/** Rows { x, image } in random order, in batches, of which the worker gives its share. */
export function whole({ rows, batch, at, what, made }: Wish): Pipeline<unknown> {
  return from(Int32Array.from({ length: rows }, (_, i) => i))
    .shuffle()
    .map((x, i, epoch) => {
      if (made) Atomics.add(made, 0, 1);
      const happened = x === at && what ? happen[what]() : undefined;
      if (happened) return happened;
      return { x, epoch, i, file: `${x}.png`, image: { data: new Float32Array(64).fill(x), shape: [8, 8] } };
    })
    .batch(batch);
}

export const setup = (wish: Wish, { index, count }: { index: number; count: number }): Pipeline<unknown> =>
  whole(wish).shard(count, index);
