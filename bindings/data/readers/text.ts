// Reads texts piece by piece, and makes numbers of them.
import { FormatError } from '../../memory/errors.ts';
import { List } from '../passes/chunk.ts';
import type { Reader, Source, State } from '../pipeline/source.ts';
import type { ByteSource } from '../sources/byte-source.ts';
import { Blocks } from './blocks.ts';
import type { ByteInput } from './bytes.ts';
import { openText } from './wide-text.ts';

/** Bytes of a piece that is worked on at once; and the most, where it can be cut nowhere before. */
const PIECE = 1 << 16;
const MOST = 1 << 20;

const isLetter = (byte: number): boolean => ((byte | 32) - 97) >>> 0 < 26;

/** The last place from `least` to `most` where a character begins. */
function characterAt(bytes: Uint8Array, most: number): number {
  let at = most;
  while (at > 0 && ((bytes[at] as number) & 0xc0) === 0x80 && most - at < 4) at--;
  return at;
}

/** The last place up to `most` between two words, where all tokenizers cut; 0 where there is none. */
function wordAt(bytes: Uint8Array, most: number): number {
  let at = most - 1;
  while (at > 0 && !(bytes[at] === 32 && isLetter(bytes[at - 1] as number) && isLetter(bytes[at + 1] as number))) at--;
  return Math.max(0, at);
}

type Cut = (bytes: Uint8Array, most: number) => number;
type Convert = (text: string) => Int32Array;

class TextReader implements Reader<number> {
  readonly #op: string;
  readonly #input: ByteInput;
  readonly #blocks: Blocks;
  readonly #cut: Cut;
  readonly #convert: Convert;
  #at = 0;
  #begun: boolean;

  constructor(op: string, input: ByteInput, cut: Cut, convert: Convert, offset: number) {
    this.#op = op;
    this.#input = input;
    this.#blocks = new Blocks(input, offset);
    this.#cut = cut;
    this.#convert = convert;
    this.#begun = offset > 0;
  }

  async next(): Promise<List<number> | null> {
    for (;;) {
      const text = await this.#text();
      if (text === null) return null;
      const ids = this.#convert(text);
      if (ids.length > 0) return new List<number>(ids);
    }
  }

  /** The next piece of the text, null at the end. */
  async #text(): Promise<string | null> {
    const blocks = this.#blocks;
    if (blocks.end - this.#at < PIECE && !blocks.final) {
      await blocks.more(this.#at);
      this.#at = 0;
    }
    if (!this.#begun) this.#at = blocks.textBegin();
    this.#begun = true;
    const from = this.#at;
    if (from === blocks.end) return null;
    for (let size = PIECE; ; size *= 2) {
      const rest = blocks.buffer.subarray(from, blocks.end);
      if (rest.length <= size && blocks.final) return this.#decode(blocks.end);
      if (rest.length <= size) {
        await blocks.more(from);
        this.#at = 0;
        return this.#text();
      }
      const to = this.#cut(rest, size) || (size >= MOST ? characterAt(rest, size) : 0);
      if (to > 0) return this.#decode(from + to);
    }
  }

  #decode(to: number): string {
    const blocks = this.#blocks;
    const from = this.#at;
    try {
      const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(blocks.buffer.subarray(from, to));
      this.#at = to;
      return text;
    } catch (cause) {
      throw new FormatError(
        `${this.#op}: expected UTF-8 in ${this.#input.name}, got other bytes between ${blocks.offset + from} and ${blocks.offset + to}; write it as UTF-8`,
        { cause },
      );
    }
  }

  state(): State {
    return this.#blocks.offset + this.#at;
  }

  close(): Promise<void> {
    return this.#blocks.close();
  }
}

function codePoints(text: string): Int32Array {
  const codes = new Int32Array(text.length);
  let n = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.codePointAt(i) as number;
    if (code > 0xffff) i++;
    codes[n++] = code;
  }
  return codes.subarray(0, n);
}

/** What makes ids of a text. */
interface Encoder {
  encode(text: string, options: { readonly addSpecialTokens: boolean }): Int32Array;
}

/** The numbers of a text, as a tokenizer has them; null: its characters. */
export const textOf = (name: string, source: ByteSource, tokenizer: Encoder | null): Source<number> => ({
  ...{ name, inputs: [] },
  async open(_epoch, state) {
    const input = await openText(name, source);
    const from = (state ?? 0) as number;
    if (!tokenizer) return new TextReader(name, input, characterAt, codePoints, from);
    const convert = (text: string): Int32Array => tokenizer.encode(text, { addSpecialTokens: false });
    return new TextReader(name, input, wordAt, convert, from);
  },
});
