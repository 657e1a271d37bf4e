// What event files are made of: protocol buffers, as far as TensorBoard has them, in records of TensorFlow with a
// checksum each.
import { crc32c } from '../../crc.ts';

const encoder = new TextEncoder();

/** All of `parts` in one. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** A whole number from 0 to 2^53, seven bits a byte. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return [...bytes, rest];
}

/** A field that is a whole number from 0, or true or false. */
export const int = (field: number, value: number | boolean): Uint8Array =>
  Uint8Array.from([...varint(field * 8), ...varint(Number(value))]);

/** A field of bytes, a text, or a message. */
export function bytes(field: number, value: Uint8Array | string): Uint8Array {
  const content = typeof value === 'string' ? encoder.encode(value) : value;
  return joined([Uint8Array.from([...varint(field * 8 + 2), ...varint(content.length)]), content]);
}

/** A field that is a message of fields. */
export const message = (field: number, ...fields: readonly Uint8Array[]): Uint8Array => bytes(field, joined(fields));

function fixed(field: number, wire: number, length: number, write: (view: DataView) => void): Uint8Array {
  const content = new Uint8Array(length);
  write(new DataView(content.buffer));
  return joined([Uint8Array.from(varint(field * 8 + wire)), content]);
}

export const double = (field: number, value: number): Uint8Array =>
  fixed(field, 1, 8, (view) => view.setFloat64(0, value, true));

export const float = (field: number, value: number): Uint8Array =>
  fixed(field, 5, 4, (view) => view.setFloat32(0, value, true));

/** A field of doubles one after the other. */
export function doubles(field: number, values: ArrayLike<number>): Uint8Array {
  const content = new Uint8Array(8 * values.length);
  const view = new DataView(content.buffer);
  for (let i = 0; i < values.length; i++) view.setFloat64(8 * i, values[i] as number, true);
  return bytes(field, content);
}

/** The checksum of records: one of checksums would be that of nothing else. */
function masked(content: Uint8Array): number {
  const sum = crc32c(content);
  return (((sum >>> 15) | (sum << 17)) + 0xa282ead8) >>> 0;
}

/** A record: its length, the checksum of that, the content, and its checksum. */
export function record(content: Uint8Array): Uint8Array {
  const out = new Uint8Array(16 + content.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, content.length, true);
  view.setUint32(8, masked(out.subarray(0, 8)), true);
  out.set(content, 12);
  view.setUint32(12 + content.length, masked(content), true);
  return out;
}
