// Unpacks streams of bytes that are packed, as their first bytes say: by the engine (gzip) or by a package (Zstandard).
import { isNode } from '../../engine/platform.ts';
import { BackendError, FormatError } from '../../memory/errors.ts';

type Chunks = AsyncGenerator<Uint8Array, void, undefined>;

const GZIP = [0x1f, 0x8b];
const ZSTD = [0x28, 0xb5, 0x2f, 0xfd];

/** Packed bytes given to the unpacker at once: some kinds of blocks unpack to 32,000 times as many. */
const PIECE = 1 << 12;

const begins = (bytes: Uint8Array, magic: readonly number[]): boolean => magic.every((byte, i) => bytes[i] === byte);

/** Whether a file that begins so is packed. */
export const isPacked = (bytes: Uint8Array): boolean => begins(bytes, GZIP) || begins(bytes, ZSTD);

/** The bytes of `chunks`, unpacked where they are packed; and whether they are. */
export async function unpacked(
  op: string,
  name: string,
  chunks: Chunks,
): Promise<{ readonly packed: boolean; readonly chunks: Chunks }> {
  // The first chunks, until there are as many bytes as the longest magic number has.
  let head: Uint8Array = new Uint8Array(0);
  while (head.length < ZSTD.length) {
    const { done, value } = await chunks.next();
    if (done) break;
    head = head.length === 0 ? value : joined(head, value);
  }
  const all = chain(head, chunks);
  const unpack = begins(head, GZIP) ? gunzip : begins(head, ZSTD) ? unzstd : undefined;
  return { packed: unpack !== undefined, chunks: unpack ? told(op, name, unpack(op, all)) : all };
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

async function* chain(head: Uint8Array, chunks: Chunks): Chunks {
  try {
    if (head.length > 0) yield head;
    yield* chunks;
  } finally {
    await chunks.return();
  }
}

/** Errors of unpackers, which name no file, as ours. */
async function* told(op: string, name: string, chunks: Chunks): Chunks {
  try {
    yield* chunks;
  } catch (cause) {
    if (cause instanceof BackendError) throw cause;
    const { message } = cause as Error;
    throw new FormatError(`${op}: expected ${name} to be packed as its first bytes say, got damage: ${message}`, {
      cause,
    });
  }
}

/** What unpacks gzip. That of the web ends at the first of several pieces, which Node's own does not. */
async function gunzipStream(): Promise<{ readonly readable: ReadableStream; readonly writable: WritableStream }> {
  if (!isNode) return new DecompressionStream('gzip');
  const [{ Duplex }, { createGunzip }] = await Promise.all([import('node:stream'), import('node:zlib')]);
  return Duplex.toWeb(createGunzip()) as never;
}

async function* gunzip(_op: string, chunks: Chunks): Chunks {
  const stream = await gunzipStream();
  const [writer, reader] = [stream.writable.getWriter(), stream.readable.getReader()];
  let fault: unknown;
  const write = async (): Promise<void> => {
    try {
      // What is written may be looked at later, when the chunk is not valid any more.
      for await (const chunk of chunks) await writer.write(chunk.slice());
      await writer.close();
    } catch (error) {
      fault ??= error;
      await writer.abort(error).catch(() => {});
    }
  };
  const written = write();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      yield value;
    }
  } catch (error) {
    throw fault ?? error;
  } finally {
    await reader.cancel().catch(() => {});
    await written;
  }
}

/** In a try, by which bundlers know that the package may be missing. */
async function fzstd(op: string): Promise<typeof import('fzstd')> {
  try {
    return await import('fzstd');
  } catch (cause) {
    throw new BackendError(
      `${op}: expected the package fzstd, which unpacks Zstandard, got none; npm install fzstd, or unpack the file before`,
      { cause },
    );
  }
}

async function* unzstd(op: string, chunks: Chunks): Chunks {
  const { Decompress } = await fzstd(op);
  let out: Uint8Array[] = [];
  const stream = new Decompress((chunk) => out.push(chunk));
  for await (const chunk of chunks)
    for (let at = 0; at < chunk.length; at += PIECE) {
      stream.push(chunk.slice(at, at + PIECE));
      yield* out;
      out = [];
    }
  stream.push(new Uint8Array(0), true);
  yield* out;
}
