// Texts of any size as pipelines of numbers: characters, or the pieces of a tokenizer.

import { FormatError } from '../../memory/errors.ts';
import { callable } from '../../signature.ts';
import { List } from '../pipeline/chunk.ts';
import { Pipeline } from '../pipeline/pipeline.ts';
import type { Reader, Source, State } from '../pipeline/source.ts';
import { Blocks } from './blocks.ts';
import { type ByteInput, type ByteSource, openBytes, sourceKind } from './bytes.ts';
import { Tokenizer } from './tokenizer.ts';

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
    if (!this.#begun) this.#at = blocks.textBegin(this.#op, this.#input.name);
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

function textOf(name: string, source: ByteSource, cut: Cut, convert: Convert): Pipeline<number> {
  const own: Source<number> = {
    name,
    inputs: [],
    open: async (_epoch, state) =>
      new TextReader(name, await openBytes(name, source), cut, convert, (state ?? 0) as number),
  };
  return new Pipeline(own);
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

/**
 * The characters of a text as their numbers in Unicode, which are those of ASCII up to 127.
 *
 * @param source the path of a file, a URL, a Blob, bytes, a stream; packed by gzip or Zstandard or not
 * @throws FormatError for what is no UTF-8, and damage; the system's error where it cannot be read
 * @example
 * ```ts
 * console.log(await data.characters(new TextEncoder().encode('aé🙂')).toArray()); // [97, 233, 128578]
 * ```
 */
export const characters = callable<(source: ByteSource) => Pipeline<number>>(
  'characters(source: source)',
  (source: ByteSource) => textOf('characters', source, characterAt, codePoints),
  sourceKind,
);

/**
 * The ids of a text by a tokenizer, without special tokens around them. A large text is cut between words, where the
 * tokenizers of English text cut as well.
 *
 * @param source the path of a file, a URL, a Blob, bytes, a stream; packed by gzip or Zstandard or not
 * @param tokenizer what makes ids of text
 * @throws FormatError for what is no UTF-8, and damage; the system's error where it cannot be read
 * @example
 * ```ts
 * const tokenizer = new data.Tokenizer({ model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: ['a b'] } });
 * const ids = data.tokens(new TextEncoder().encode('abba'), tokenizer);
 * console.log(await ids.toArray()); // [2, 1, 0]
 * ```
 */
export const tokens = callable<(source: ByteSource, tokenizer: Tokenizer) => Pipeline<number>>(
  'tokens(source: source, tokenizer: tokenizer)',
  (source: ByteSource, tokenizer: Tokenizer) =>
    textOf('tokens', source, wordAt, (text) => tokenizer.encode(text, { addSpecialTokens: false })),
  { ...sourceKind, tokenizer: [(x) => x instanceof Tokenizer, 'a Tokenizer'] },
);
