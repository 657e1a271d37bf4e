// Where the bytes of a file come from: a path, a URL, a Blob, a buffer, a stream.
import { type Bytes, isBytes } from '../bytes.ts';

/** A Blob or a File, as the DOM has it. */
export interface BlobLike {
  /** Bytes in all. */
  readonly size: number;
  /** The bytes from `start` to `end` − 1. */
  slice(start?: number, end?: number): BlobLike;
  /** The bytes themselves. */
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** An address, as a URL has it. */
export interface Addressed {
  /** The whole of it. */
  readonly href: string;
}

/** What gives the chunks of a {@link ReadableBytes}. */
export interface BytesReader {
  /** The next chunk. */
  read(): Promise<BytesRead>;
  /** Ends it early. */
  cancel(reason?: unknown): Promise<void>;
}

/** What a {@link BytesReader} gives. */
export interface BytesRead {
  /** Whether it has ended. */
  done: boolean;
  /** A chunk, where it has not. */
  value?: Uint8Array | undefined;
}

/** A ReadableStream of bytes, as the DOM has it. */
export interface ReadableBytes {
  /** What reads it, chunk by chunk. */
  getReader(): BytesReader;
}

/**
 * Where bytes come from: the path of a file (Node), a URL as text or as a URL, a Blob or a File, bytes, a
 * ReadableStream or an async iterable of bytes. gzip and Zstandard (by the package `fzstd`) are told by their first
 * bytes and unpacked. A stream can be read once: for several passes give a function that makes one, as
 * `() => fetch(url).then((r) => r.body)`.
 */
export type ByteSource =
  | string
  | Addressed
  | BlobLike
  | Bytes
  | ReadableBytes
  | AsyncIterable<Uint8Array | string>
  | (() => ByteSource | Promise<ByteSource>);

export const isBlob = (x: unknown): x is BlobLike =>
  typeof (x as BlobLike).arrayBuffer === 'function' && 'slice' in Object(x);
export const isStream = (x: unknown): x is ReadableBytes => typeof (x as ReadableBytes).getReader === 'function';
const isIterable = (x: unknown): x is AsyncIterable<Uint8Array | string> =>
  typeof (x as AsyncIterable<unknown>)[Symbol.asyncIterator] === 'function';

/** The kind of arguments that bytes come from. */
export const sourceKind = {
  source: [
    (x: unknown) =>
      (typeof x === 'string' && x !== '' && !x.includes('\0')) ||
      typeof x === 'function' ||
      (typeof x === 'object' &&
        x !== null &&
        (typeof (x as { href?: unknown }).href === 'string' ||
          isBytes(x) ||
          isBlob(x) ||
          isStream(x) ||
          isIterable(x))),
    'a path, a URL, a Blob, bytes, a stream of bytes or a function that gives one (of text, new TextEncoder().encode(text))',
  ],
} as const;
