// Records of several sources by turns.

import { unit } from '../../mix.ts';
import type { Seed } from '../pipeline/random.ts';
import type { Chunk, Run, Source } from '../pipeline/source.ts';
import type { Cursor } from './cursor.ts';
import { run } from './run.ts';
import { join } from './table.ts';

/** How sources take turns. */
export interface Turns {
  /** How likely each one is; null: one after the other. */
  readonly weights: readonly number[] | null;
  /** What they are drawn from. */
  readonly seed: Seed;
  /** Whether the first that ends ends all. */
  readonly untilFirst: boolean;
}

interface Own {
  /** Records that were given. */
  step: number;
  /** Whose turn it is. */
  turn: number;
  /** Those that have no more. */
  ended: readonly number[];
}

/** The picks of the steps from here: whose turn each is, of those that have more. */
function* picks(
  { step, turn, ended }: Own,
  count: number,
  weights: Turns['weights'],
  seed: number,
  epoch: number,
): Generator<number> {
  const alive = Array.from({ length: count }, (_, i) => i).filter((i) => !ended.includes(i) && weights?.[i] !== 0);
  const all = alive.reduce((sum, i) => sum + (weights?.[i] as number), 0);
  let next = turn;
  for (let i = step; ; i++) {
    if (weights) {
      const at = unit(seed, epoch, i) * all;
      let end = 0;
      next =
        alive.find((j) => {
          end += weights[j] as number;
          return at < end;
        }) ?? (alive.at(-1) as number);
    } else while (ended.includes(next)) next = (next + 1) % count;
    yield next;
    next = (next + 1) % count;
  }
}

/** Picks that are made at once. */
const AT_ONCE = 256;

export function interleave<T>(inputs: readonly Source<T>[], { weights, untilFirst, seed }: Turns): Run<T> {
  const count = inputs.length;
  const done = ({ ended }: Own): boolean =>
    inputs.every((_, i) => ended.includes(i) || weights?.[i] === 0) || (untilFirst && ended.length > 0);
  /** As many of the next picks as their sources have records for: whose they are. */
  const next = async (cursors: readonly Cursor<T>[], own: Own, most: number, epoch: number): Promise<number[]> => {
    const wished: number[] = [];
    for (const pick of picks(own, count, weights, seed.value, epoch)) if (wished.push(pick) === most) break;
    const left = new Int32Array(count);
    for (const [i, cursor] of cursors.entries())
      left[i] = await cursor.fill(wished.filter((pick) => pick === i).length);
    const short = wished.findIndex((pick) => {
      left[pick] = (left[pick] as number) - 1;
      return (left[pick] as number) < 0;
    });
    if (short >= 0) own.ended = [...own.ended, wished[short] as number];
    const whose = short < 0 ? wished : wished.slice(0, short);
    own.turn = ((whose.at(-1) ?? own.turn - 1) + 1) % count;
    return whose;
  };
  return run({
    inputs,
    own: (): Own => ({ step: 0, turn: 0, ended: [] }),
    run: (cursors, own, epoch) => async (wanted) => {
      let whose: number[] = [];
      while (whose.length === 0) {
        if (done(own)) return null;
        whose = await next(cursors, own, Math.min(wanted, AT_ONCE), epoch);
      }
      own.step += whose.length;
      return merged(cursors, whose);
    },
  });
}

/** Takes a record for each pick, in the order of the picks. */
function merged<T>(cursors: readonly Cursor<T>[], whose: readonly number[]): Chunk<T> {
  const parts: Chunk<T>[] = [];
  const order = new Int32Array(whose.length);
  let at = 0;
  for (const [i, cursor] of cursors.entries()) {
    const from = at;
    for (const [place, pick] of whose.entries()) if (pick === i) order[place] = at++;
    if (at === from) continue;
    parts.push(cursor.peek(at - from));
    cursor.drop(at - from);
  }
  return parts.length === 1 ? (parts[0] as Chunk<T>) : join(parts).gather(order);
}
