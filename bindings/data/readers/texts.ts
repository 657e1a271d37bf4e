// Texts out of bytes: quickly where they are ASCII, and each of a few as one string that all rows share.
import type { Blocks } from './blocks.ts';

/** The texts in a buffer. */
export class BlockText {
  readonly #blocks: Blocks;
  readonly #decoder: TextDecoder;
  /** The buffer as a string; of other texts than ASCII one character a byte. */
  #block: string | null = null;

  constructor(blocks: Blocks, encoding: string) {
    this.#blocks = blocks;
    // Node 20 loses bytes of other encodings with both.
    this.#decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: encoding === 'utf-8' });
  }

  /** Says that the buffer has other bytes now. */
  reset(): void {
    this.#block = null;
  }

  /** The text of from … to − 1, a string of its own; null where the bytes are none. */
  decode(from: number, to: number): string | null {
    try {
      return this.#decoder.decode(this.#blocks.buffer.subarray(from, to));
    } catch {
      return null;
    }
  }

  /** The same as a part of the buffer as one string, which takes a fraction of the time, where it is ASCII. */
  sliced(from: number, to: number): string | null {
    const { buffer, end } = this.#blocks;
    this.#block ??= new TextDecoder('latin1').decode(buffer.subarray(0, end));
    for (let i = from; i < to; i++) if ((buffer[i] as number) > 127) return this.decode(from, to);
    return this.#block.slice(from, to);
  }
}

/** Different texts of a column that are kept; a column of more has a string for each row. */
const KEPT = 1 << 10;
const BYTES = 1 << 16;
const SLOTS = 1 << 12;

/** The texts of one column so far, by their bytes. */
export class Texts {
  /** Whether there are too many. */
  full = false;
  /** For each slot the number of its text, from 1; 0: it is free. */
  readonly #slots = new Int16Array(SLOTS);
  readonly #hashes = [0];
  /** Where the bytes of text i begin; text 0 has none. */
  readonly #starts = [0, 0];
  readonly #values: (string | null)[] = [null];
  #bytes = new Uint8Array(256);

  /** The text of from … to − 1, whose hash that is; made by `make` at the first time. */
  get(bytes: Uint8Array, from: number, to: number, hash: number, make: () => string | null): string | null {
    const slots = this.#slots;
    let slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    for (let i = slots[slot] as number; i !== 0; i = slots[slot] as number) {
      if (this.#hashes[i] === hash && this.#is(i, bytes, from, to)) return this.#values[i] as string | null;
      slot = (slot + 1) & (SLOTS - 1);
    }
    const value = make();
    const start = this.#starts.at(-1) as number;
    const end = start + to - from;
    this.full = this.#values.length === KEPT || end > BYTES;
    if (this.full) return value;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(2 * end);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(bytes.subarray(from, to), start);
    slots[slot] = this.#values.length;
    this.#hashes.push(hash);
    this.#starts.push(end);
    this.#values.push(value);
    return value;
  }

  #is(i: number, bytes: Uint8Array, from: number, to: number): boolean {
    const own = this.#bytes;
    const start = this.#starts[i] as number;
    const length = to - from;
    if ((this.#starts[i + 1] as number) - start !== length) return false;
    for (let j = 0; j < length; j++) if (own[start + j] !== bytes[from + j]) return false;
    return true;
  }
}
