// What decoders read: bytes, in whatever buffer they came.

import { describe } from '../kinds.ts';
import { ArgumentError } from '../memory/errors.ts';

/** A buffer, shared or not, or any view of one: a Uint8Array, a Buffer of Node's, a DataView. */
export type Bytes = ArrayBuffer | SharedArrayBuffer | ArrayBufferView;

/**
 * The bytes of `source` where they are, without a copy.
 * @throws ArgumentError for what is no buffer, and for one whose memory was given away
 */
export function bytesOf(op: string, source: Bytes): Uint8Array {
  try {
    if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
    // By its tag, since buffers of another realm are no instances of this one's class.
    if (/^\[object (Shared)?ArrayBuffer\]$/.test(Object.prototype.toString.call(source))) return new Uint8Array(source);
  } catch (cause) {
    throw new ArgumentError(
      `${op}: expected bytes, got a buffer that was transferred or cut short; keep one of your own`,
      { cause },
    );
  }
  throw new ArgumentError(
    `${op}: expected bytes in an ArrayBuffer or a view of one, such as a Uint8Array, got ${describe(source)}; of a Response, await its arrayBuffer()`,
  );
}
