// What decoders read: bytes, in whatever buffer they came.
import type { Kind } from '../kinds.ts';
import { ArgumentError } from '../memory/errors.ts';

/** A buffer, shared or not, or any view of one: a Uint8Array, a Buffer of Node's, a DataView. */
export type Bytes = ArrayBuffer | SharedArrayBuffer | ArrayBufferView;

/** By its tag, since buffers of another realm are no instances of this one's class. */
export const isBytes = (x: unknown): x is Bytes =>
  ArrayBuffer.isView(x) || /^\[object (Shared)?ArrayBuffer\]$/.test(Object.prototype.toString.call(x));

/** The kind of arguments that are bytes. */
export const bytesKind: { readonly bytes: Kind } = {
  bytes: [isBytes, 'bytes (an ArrayBuffer or a view of one; of a Response, await its arrayBuffer())'],
};

/** The bytes of `source` where they are, without a copy. @throws ArgumentError where its memory was given away */
export function bytesOf(op: string, source: Bytes): Uint8Array {
  try {
    if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
    return new Uint8Array(source);
  } catch (cause) {
    throw new ArgumentError(
      `${op}: expected bytes, got a buffer that was transferred or cut short; keep one of your own`,
      { cause },
    );
  }
}
