// Where a stage stands in its input. Chunks end where they like; so a place is that of the reader before a chunk, and
// how many records of it are done with. That is small, whatever is held in memory, and good for a checkpoint.
import type { Chunk, Reader, Source, State } from '../pipeline/source.ts';
import { join } from './table.ts';

/** The place of a cursor. */
export type Place = readonly [reader: State, taken: number];

/** A chunk, and where the reader stood before it. */
interface Held<T> {
  readonly chunk: Chunk<T>;
  readonly before: State;
}

export class Cursor<T> {
  readonly #reader: Reader<T>;
  /** Chunks that are read and not done with. */
  readonly #held: Held<T>[] = [];
  /** Records of the first that are done with. */
  #taken = 0;
  #count = 0;
  #ended = false;

  private constructor(reader: Reader<T>) {
    this.#reader = reader;
  }

  /** Opens `source`, at a place that another cursor over it had, or at its beginning. */
  static async open<T>(source: Source<T>, epoch: number, place?: Place | null): Promise<Cursor<T>> {
    const cursor = new Cursor(await source.open(epoch, place?.[0]));
    try {
      if (place) await cursor.pass(place[1]);
    } catch (error) {
      await cursor.close();
      throw error;
    }
    return cursor;
  }

  /** Where the first record that is not done with stands. */
  place(): Place {
    const [first] = this.#held;
    return first ? [first.before, this.#taken] : [this.#reader.state(), 0];
  }

  /** Reads a chunk, of about as many records as are wanted. @returns whether there was one */
  async #read(wanted: number): Promise<boolean> {
    if (this.#ended) return false;
    const before = this.#reader.state();
    const chunk = await this.#reader.next(wanted);
    if (!chunk) this.#ended = true;
    else if (chunk.length > 0) {
      this.#held.push({ chunk, before });
      this.#count += chunk.length;
    }
    return !this.#ended;
  }

  /** Reads until n records are held, or all that there are. @returns how many of the n there are */
  async fill(n: number): Promise<number> {
    while (this.#count < n && (await this.#read(n - this.#count)));
    return Math.min(n, this.#count);
  }

  /** The first n records that are held, as one chunk; they stay. */
  peek(n: number): Chunk<T> {
    const parts: Chunk<T>[] = [];
    let from = this.#taken;
    for (let i = 0; n > 0; i++) {
      const { chunk } = this.#held[i] as Held<T>;
      const to = Math.min(chunk.length, from + n);
      parts.push(from === 0 && to === chunk.length ? chunk : chunk.slice(from, to));
      n -= to - from;
      from = 0;
    }
    return parts.length === 1 ? (parts[0] as Chunk<T>) : join(parts);
  }

  /** The next records, as they came, at most so many; null at the end. They stay. */
  async look(wanted: number, most: number = wanted): Promise<Chunk<T> | null> {
    while (this.#count === 0) if (!(await this.#read(Math.min(wanted, most)))) return null;
    const [first] = this.#held as [Held<T>];
    return this.peek(Math.min(most, first.chunk.length - this.#taken));
  }

  /** Is done with n of the records that are held. */
  drop(n: number): void {
    this.#count -= n;
    this.#taken += n;
    for (let first = this.#held[0]; first && first.chunk.length <= this.#taken; first = this.#held[0]) {
      this.#taken -= first.chunk.length;
      this.#held.shift();
    }
  }

  /** The same of n records that need not be held; fewer where there are no more. @returns how many */
  async pass(n: number): Promise<number> {
    let left = n;
    while (left > 0) {
      const reader = this.#reader;
      const skips = this.#count === 0 && !this.#ended && reader.skip;
      const passed = skips ? await reader.skip?.(left) : (await this.look(left))?.length;
      if (!passed) break;
      if (!skips) this.drop(passed);
      left -= passed;
    }
    return n - left;
  }

  async close(): Promise<void> {
    await this.#reader.close();
  }
}
