// Reads the bytes of a file from wherever they come: in order, from any offset; or in any order, by whoever needs only
// pieces.
import { isNode } from '../../engine/platform.ts';
import { ArgumentError, BackendError, describe, FormatError } from '../../memory/errors.ts';
import { bytesOf, isBytes } from '../bytes.ts';
import {
  type Addressed,
  type BlobLike,
  type ByteSource,
  isBlob,
  isStream,
  type ReadableBytes,
  sourceKind,
} from '../sources/byte-source.ts';
import { unpacked } from './unpack.ts';

/** Bytes to be read in order. */
export interface ByteInput {
  /** What messages call it. */
  readonly name: string;
  /** Whether it can be read only once. */
  readonly once: boolean;
  /** Its chunks from byte `from` on, unpacked. One is valid until the next is asked for. */
  stream(from?: number): AsyncGenerator<Uint8Array, void, undefined>;
}

/** Bytes to be read in any order. */
export interface RandomBytes {
  /** What messages call it. */
  readonly name: string;
  /** Bytes in all. */
  readonly size: number;
  /** The bytes from `from` to `to` − 1, in memory of their own or in that of the source: to be read only. */
  read(from: number, to: number): Promise<Uint8Array>;
  /** Whether close() has to be called: an open file has no end of its own. */
  readonly holds: boolean;
  /** Lets go of the file. */
  close(): Promise<void>;
}

type Chunks = AsyncGenerator<Uint8Array, void, undefined>;

/** Bytes asked for at once: far more than a call costs, and few beside a model. */
const BLOCK = 1 << 18;

/** Streams of which a pass has begun. */
const begun = new WeakSet<object>();

/** Marks a stream as read. @throws ArgumentError where it was */
function begin(op: string, stream: object): void {
  if (begun.has(stream) || (stream as { locked?: boolean }).locked)
    throw new ArgumentError(
      `${op}: expected a source that can be read again, got a stream that was read before; give a function that makes one: () => …`,
    );
  begun.add(stream);
}

/** @throws ArgumentError unless the answer is one with bytes */
export function expectFound(op: string, url: string, { ok, status, statusText }: Response): void {
  if (!ok) throw new ArgumentError(`${op}: expected bytes at ${url}, got ${status} ${statusText}; check the address`);
}

const hasRange = (response: Response): boolean => response.status === 206 && !response.headers.get('content-encoding');

/** Whether a text is the address of something to fetch; elsewhere than in Node everything is. */
const isAddress = (text: string): boolean => !isNode || /^(https?|data|blob):/i.test(text);

/** The path of a file, or the address of what has to be fetched. */
export function placeOf(source: string | Addressed): { name: string; path?: string | URL; url?: string } {
  const name = typeof source === 'string' ? source : source.href;
  if (isAddress(name)) return { name, url: name };
  return { name, path: /^file:/i.test(name) ? new URL(name) : name };
}

async function open(op: string, path: string | URL) {
  try {
    const { open } = await import('node:fs/promises');
    return await open(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall) throw error;
    throw new BackendError(`${op}: expected Node's file system, got an engine without it; give a URL, a Blob or bytes`);
  }
}

/** Chunks of a file, of which the next is read while one is worked on. */
async function* chunksOfFile(op: string, path: string | URL, from: number): Chunks {
  const file = await open(op, path);
  let [here, there] = [new Uint8Array(BLOCK), new Uint8Array(BLOCK)];
  let at = from;
  // Pipes have no places to read from.
  const read = () => file.read(here, 0, BLOCK, from > 0 ? at : null);
  let ahead = read();
  try {
    for (;;) {
      const { bytesRead } = await ahead;
      if (bytesRead === 0) return;
      const chunk = here.subarray(0, bytesRead);
      [here, there] = [there, here];
      at += bytesRead;
      ahead = read();
      ahead.catch(() => {}); // told when it is waited for
      yield chunk;
    }
  } finally {
    await ahead.catch(() => {});
    await file.close();
  }
}

async function* chunksOfStream(op: string, stream: ReadableBytes): Chunks {
  const reader = stream.getReader();
  let done = false;
  try {
    for (;;) {
      const next = await reader.read();
      done = next.done;
      if (done) return;
      yield toBytes(op, next.value);
    }
  } finally {
    if (!done) await reader.cancel().catch(() => {});
  }
}

async function* chunksOfIterable(op: string, chunks: AsyncIterable<unknown>): Chunks {
  for await (const chunk of chunks) yield toBytes(op, chunk);
}

function toBytes(op: string, chunk: unknown): Uint8Array {
  if (typeof chunk === 'string') return new TextEncoder().encode(chunk);
  if (!isBytes(chunk)) throw new ArgumentError(`${op}: expected a stream of bytes, got one with ${describe(chunk)}`);
  return bytesOf(op, chunk);
}

async function* chunksOfBytes(bytes: Uint8Array, from: number): Chunks {
  for (let at = from; at < bytes.length; at += BLOCK) yield bytes.subarray(at, at + BLOCK);
}

async function* chunksOfBlob(blob: BlobLike, from: number): Chunks {
  for (let at = from; at < blob.size; at += BLOCK) yield bytesOfBlob(blob, at, at + BLOCK);
}

const bytesOfBlob = async (blob: BlobLike, from: number, to: number): Promise<Uint8Array> =>
  new Uint8Array(await blob.slice(from, to).arrayBuffer());

/** Chunks of an address, from byte `from` on where the server can do that. */
async function* chunksOfUrl(op: string, url: string, from: number): Chunks {
  let response = await fetch(url, from > 0 ? { headers: { range: `bytes=${from}-` } } : {});
  if (from > 0 && response.status === 416) return; // it ends there
  if (from > 0 && response.status === 206 && !hasRange(response)) response = await fetch(url);
  expectFound(op, url, response);
  if (!response.body) return;
  yield* skip(chunksOfStream(op, response.body), response.status === 206 ? 0 : from);
}

/** What follows the first `count` bytes. */
async function* skip(chunks: Chunks, count: number): Chunks {
  let left = count;
  for await (const chunk of chunks) {
    if (left < chunk.length) yield left > 0 ? chunk.subarray(left) : chunk;
    left = Math.max(0, left - chunk.length);
  }
}

type Found = Exclude<ByteSource, () => unknown>;

/** What the functions among sources give. @throws ArgumentError where that is no source */
async function resolve(op: string, source: ByteSource): Promise<Found> {
  let found = await source;
  while (typeof found === 'function') found = await found();
  if (!sourceKind.source[0](found))
    throw new ArgumentError(`${op}: expected ${sourceKind.source[1]}, got ${describe(found)}`);
  return found;
}

interface RawInput {
  readonly name: string;
  readonly once?: boolean;
  readonly chunks: (from: number) => Chunks;
}

/** As it lies there, packed or not. */
function rawInput(op: string, source: Found): RawInput {
  if (typeof source === 'string' || 'href' in source) {
    const { name, path, url } = placeOf(source);
    return { name, chunks: (from) => (path ? chunksOfFile(op, path, from) : chunksOfUrl(op, url as string, from)) };
  }
  if (isBytes(source)) {
    const bytes = bytesOf(op, source);
    return { name: 'bytes', chunks: (from) => chunksOfBytes(bytes, from) };
  }
  if (isBlob(source)) {
    const { name = 'a Blob' } = source as BlobLike & { name?: string };
    return { name, chunks: (from) => chunksOfBlob(source, from) };
  }
  const stream = isStream(source) ? source : undefined;
  const iterable = source as AsyncIterable<Uint8Array | string>;
  // An iterable that is not its own iterator begins anew each time; streams of Node's do not.
  const once = !!stream || 'pipe' in iterable || iterable[Symbol.asyncIterator]() === (iterable as unknown);
  const chunks = (from: number): Chunks => {
    if (once) begin(op, source);
    return skip(stream ? chunksOfStream(op, stream) : chunksOfIterable(op, iterable), from);
  };
  return { name: 'a stream', once, chunks };
}

/** Gets ready to read `source` in order, for the function `op`. Nothing is opened before stream() is read. */
export async function openBytes(op: string, source: ByteSource): Promise<ByteInput> {
  const { name, once = false, chunks } = rawInput(op, await resolve(op, source));
  // A packed file has to be unpacked from its beginning, and whether it is, only that says.
  let packed: boolean | undefined;
  return {
    name,
    once: once && typeof source !== 'function',
    async *stream(from = 0) {
      if (from > 0 && packed === undefined && !once) {
        const start = chunks(0);
        packed = (await unpacked(op, name, start)).packed;
        await start.return();
      }
      if (from > 0 && packed === false) return yield* chunks(from);
      const whole = await unpacked(op, name, chunks(0));
      packed = whole.packed;
      yield* skip(whole.chunks, from);
    },
  };
}

/** All bytes of `source`, unpacked. */
export async function allBytes(op: string, source: ByteSource): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (await openBytes(op, source)).stream()) {
    chunks.push(chunk.slice());
    size += chunk.length;
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

const inMemory = (name: string, bytes: Uint8Array): RandomBytes => ({
  name,
  size: bytes.length,
  holds: false,
  read: async (from, to) => bytes.subarray(from, to),
  close: async () => {},
});

/** Opens `source` for reading in any order, as it lies there. What has no ranges, such as a stream, is read whole. */
export async function openRandom(op: string, source: ByteSource): Promise<RandomBytes> {
  const found = await resolve(op, source);
  const { name } = rawInput(op, found);
  if (typeof found === 'string' || 'href' in found) {
    const { path, url } = placeOf(found);
    return path ? randomFile(op, name, path) : randomUrl(op, url as string);
  }
  if (isBytes(found)) return inMemory(name, bytesOf(op, found));
  if (!isBlob(found)) return inMemory(name, await allBytes(op, found));
  return {
    name,
    size: found.size,
    holds: false,
    read: (from, to) => bytesOfBlob(found, from, to),
    close: async () => {},
  };
}

async function randomFile(op: string, name: string, path: string | URL): Promise<RandomBytes> {
  const file = await open(op, path);
  const { size } = await file.stat();
  return {
    name,
    size,
    holds: true,
    async read(from, to) {
      const bytes = new Uint8Array(Math.max(0, Math.min(to, size) - from));
      let at = 0;
      while (at < bytes.length) {
        const { bytesRead } = await file.read(bytes, at, bytes.length - at, from + at);
        if (bytesRead === 0)
          throw new FormatError(
            `${op}: expected ${size} bytes in ${name}, got an end at ${from + at}; it was cut short`,
          );
        at += bytesRead;
      }
      return bytes;
    },
    close: () => file.close(),
  };
}

/** By range requests; where the server does not answer them, the whole comes and is kept. */
async function randomUrl(op: string, url: string): Promise<RandomBytes> {
  const whole = async (response: Response): Promise<RandomBytes> => {
    expectFound(op, url, response);
    return inMemory(url, new Uint8Array(await response.arrayBuffer()));
  };
  const head = /^http/i.test(url) ? await fetch(url, { method: 'HEAD' }) : undefined;
  const size = Number(head?.ok && !head.headers.get('content-encoding') && head.headers.get('content-length'));
  if (!size) return whole(await fetch(url));
  let kept: Promise<RandomBytes> | undefined;
  return {
    name: url,
    size,
    holds: false,
    async read(from, to) {
      if (from >= Math.min(to, size)) return new Uint8Array(0);
      if (kept) return (await kept).read(from, to);
      const response = await fetch(url, { headers: { range: `bytes=${from}-${Math.min(to, size) - 1}` } });
      if (hasRange(response)) return new Uint8Array(await response.arrayBuffer());
      kept ??= whole(response);
      return (await kept).read(from, to);
    },
    close: async () => {},
  };
}
