// Texts in UTF-16, as Windows writes them, are read as UTF-8: told by the mark of the byte order that they begin with.
import { FormatError } from '../../memory/errors.ts';
import type { ByteSource } from '../sources/byte-source.ts';
import { type ByteInput, openBytes } from './bytes.ts';

type Chunks = AsyncGenerator<Uint8Array, void, undefined>;

/** The encoding that a mark says; null where there is none. */
function wideOf([a, b]: Uint8Array): 'utf-16le' | 'utf-16be' | null {
  if (a === 0xff && b === 0xfe) return 'utf-16le';
  return a === 0xfe && b === 0xff ? 'utf-16be' : null;
}

/** Chunks of which the first has two bytes at least, unless all are fewer. */
async function* begun(chunks: Chunks): Chunks {
  let first = new Uint8Array();
  for await (const chunk of chunks) {
    if (first.length >= 2) {
      yield chunk;
      continue;
    }
    first = Uint8Array.from([...first, ...chunk.subarray(0, 2)]);
    if (first.length < 2) continue;
    const rest = chunk.subarray(2);
    yield first;
    if (rest.length > 0) yield rest;
  }
  if (first.length === 1) yield first;
}

/** @throws FormatError for halves of characters */
async function* narrowed(chunks: Chunks, encoding: string, op: string, name: string): Chunks {
  const [decoder, encoder] = [new TextDecoder(encoding, { fatal: true }), new TextEncoder()];
  try {
    for await (const chunk of chunks) yield encoder.encode(decoder.decode(chunk, { stream: true }));
    yield encoder.encode(decoder.decode());
  } catch (cause) {
    if (cause instanceof TypeError)
      throw new FormatError(`${op}: expected ${name} as UTF-16, as it begins, got other bytes`, { cause });
    throw cause;
  }
}

/** What follows the first `count` bytes. */
async function* behind(chunks: Chunks, count: number): Chunks {
  let left = count;
  for await (const chunk of chunks) {
    if (left < chunk.length) yield left > 0 ? chunk.subarray(left) : chunk;
    left = Math.max(0, left - chunk.length);
  }
}

/** Gets ready to read a text, as openBytes does; one in UTF-16 comes as UTF-8, whose bytes are those that count. */
export async function openText(op: string, source: ByteSource, encoding = 'utf-8'): Promise<ByteInput> {
  const input = await openBytes(op, source);
  if (encoding !== 'utf-8') return input;
  let wide: ReturnType<typeof wideOf> | undefined;
  const whole = async (own: ByteInput): Promise<Chunks> => {
    const chunks = begun(own.stream());
    const { value: first } = await chunks.next();
    wide ??= wideOf(first ?? new Uint8Array());
    const all = (async function* (): Chunks {
      try {
        if (first) yield first;
        yield* chunks;
      } finally {
        await chunks.return();
      }
    })();
    return wide ? narrowed(all, wide, op, input.name) : all;
  };
  return {
    ...input,
    async *stream(from = 0) {
      // What a function makes can be looked at once: the look has one of its own.
      if (from > 0 && wide === undefined && !input.once) await (await whole(await openBytes(op, source))).return();
      if (from > 0 && wide === null) yield* input.stream(from);
      else yield* behind(await whole(input), from);
    },
  };
}
