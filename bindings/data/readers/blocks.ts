// A stream of bytes as one buffer that moves along it, for scanners that need records whole.
import type { ByteInput } from './bytes.ts';

/** Bytes that are there before a scanner goes on, unless the stream ends. */
const ENOUGH = 1 << 18;

export class Blocks {
  /** Bytes 0 … end − 1 are the stream's; behind them stands a line feed, at which every scan ends. */
  buffer: Uint8Array<ArrayBuffer> = new Uint8Array(2 * ENOUGH);
  end = 0;
  /** Where the buffer's first byte stands in the stream. */
  offset: number;
  /** Whether the stream ends with the buffer. */
  final = false;
  readonly #chunks: AsyncGenerator<Uint8Array, void, undefined>;

  constructor(input: ByteInput, from = 0) {
    this.offset = from;
    this.#chunks = input.stream(from);
    this.buffer[0] = 10;
  }

  /** Drops the first `used` bytes and reads on. */
  async more(used: number): Promise<void> {
    this.buffer.copyWithin(0, used, this.end);
    this.offset += used;
    this.end -= used;
    const before = this.end;
    while (!this.final && this.end - before < ENOUGH) {
      const { value } = await this.#chunks.next();
      if (!value) this.final = true;
      else this.#append(value);
    }
    this.buffer[this.end] = 10;
  }

  #append(chunk: Uint8Array): void {
    const size = this.end + chunk.length;
    if (size >= this.buffer.length) {
      const larger = new Uint8Array(Math.max(size + 1, 2 * this.buffer.length));
      larger.set(this.buffer.subarray(0, this.end));
      this.buffer = larger;
    }
    this.buffer.set(chunk, this.end);
    this.end = size;
  }

  /** Where a text begins, behind a mark of the byte order. */
  textBegin(): number {
    const [a, b, c] = this.buffer.subarray(0, this.end);
    return a === 0xef && b === 0xbb && c === 0xbf ? 3 : 0;
  }

  async close(): Promise<void> {
    await this.#chunks.return();
  }
}
