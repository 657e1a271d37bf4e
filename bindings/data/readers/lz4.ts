// LZ4 in its frames (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md), as Arrow files have it by default.
// Blocks of a frame may point into those before, so a decoder of single blocks won't do.
import { FormatError } from '../../memory/errors.ts';

const bad = (what: string): FormatError =>
  new FormatError(`arrow: expected LZ4 frames, got ${what}; the file is damaged`);

/** Bytes that grow as they are written. */
interface Output {
  bytes: Uint8Array;
  length: number;
}

function room(out: Output, count: number): void {
  const needed = out.length + count;
  if (needed <= out.bytes.length) return;
  const grown = new Uint8Array(Math.max(needed, 2 * out.bytes.length));
  grown.set(out.bytes.subarray(0, out.length));
  out.bytes = grown;
}

/** Unpacks one block onto the end of `out`, in which it may point back. */
function unpackBlock(block: Uint8Array, out: Output): void {
  let at = 0;
  const byte = (): number => {
    if (at >= block.length) throw bad('a block that ends too early');
    return block[at++] as number;
  };
  /** A length of which `first` was in the token; 15 says that more follows. */
  const lengthOf = (first: number): number => {
    let length = first;
    if (first === 15)
      for (let more = 255; more === 255; ) {
        more = byte();
        length += more;
      }
    return length;
  };
  while (at < block.length) {
    const token = byte();
    const literals = lengthOf(token >> 4);
    if (at + literals > block.length) throw bad('a block that ends too early');
    room(out, literals);
    out.bytes.set(block.subarray(at, at + literals), out.length);
    at += literals;
    out.length += literals;
    if (at === block.length) return; // the last sequence has no match
    const distance = byte() | (byte() << 8);
    const count = lengthOf(token & 15) + 4;
    if (distance === 0 || distance > out.length) throw bad('a match that begins before the data');
    room(out, count);
    const { bytes, length } = out;
    if (distance >= count) bytes.copyWithin(length, length - distance, length - distance + count);
    else for (let i = 0; i < count; i++) bytes[length + i] = bytes[length + i - distance] as number;
    out.length += count;
  }
}

/** The content of LZ4 frames. @throws FormatError where they are damaged */
export function unpackLz4(frames: Uint8Array): Uint8Array {
  const view = new DataView(frames.buffer, frames.byteOffset, frames.byteLength);
  const out: Output = { bytes: new Uint8Array(Math.max(64, 4 * frames.length)), length: 0 };
  let at = 0;
  const word = (): number => {
    if (at + 4 > frames.length) throw bad('a frame that ends too early');
    at += 4;
    return view.getUint32(at - 4, true);
  };
  while (at < frames.length) {
    const magic = word();
    if ((magic & 0xfffffff0) === 0x184d2a50) {
      at += word(); // a frame to be skipped
      continue;
    }
    if (magic !== 0x184d2204) throw bad(`0x${magic.toString(16)} where a frame begins`);
    const flags = frames[at] ?? 0;
    at += 2 + (flags & 8 ? 8 : 0) + (flags & 1 ? 4 : 0) + 1;
    for (let size = word(); size !== 0; size = word()) {
      const length = size & 0x7fffffff;
      if (at + length > frames.length) throw bad('a block that ends too early');
      const block = frames.subarray(at, at + length);
      if (size >>> 31 === 0) unpackBlock(block, out);
      else {
        room(out, length);
        out.bytes.set(block, out.length);
        out.length += length;
      }
      at += length + (flags & 16 ? 4 : 0);
    }
    at += flags & 4 ? 4 : 0;
  }
  return out.bytes.subarray(0, out.length);
}
