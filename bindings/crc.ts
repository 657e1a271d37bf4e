// Checksums of 32 bits, eight bytes at a time (M. Kounavis and F. Berry, 2005): CRC-32 (ISO 3309) is that of zip files
// and PNG, CRC-32C (Castagnoli) that of records of TensorFlow.
import { optional } from './lookup.ts';

/** Table k: the sum of each byte with k bytes of zeros behind it. */
function tablesOf(polynomial: number): Int32Array {
  const words = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let sum = byte;
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ polynomial : sum >>> 1;
    words[byte] = sum;
  }
  for (let i = 256; i < words.length; i++) {
    const before = words[i - 256] as number;
    words[i] = (before >>> 8) ^ (words[before & 255] as number);
  }
  return words;
}

/** The sum of `bytes`. */
function sumOf(t: Int32Array, bytes: Uint8Array): number {
  const at = (table: number, byte: number): number => t[(table << 8) | byte] as number;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let sum = -1;
  let i = 0;
  for (const end = bytes.length - 7; i < end; i += 8) {
    const low = sum ^ view.getInt32(i, true);
    const high = view.getInt32(i + 4, true);
    sum =
      at(7, low & 255) ^
      at(6, (low >>> 8) & 255) ^
      at(5, (low >>> 16) & 255) ^
      at(4, low >>> 24) ^
      at(3, high & 255) ^
      at(2, (high >>> 8) & 255) ^
      at(1, (high >>> 16) & 255) ^
      at(0, high >>> 24);
  }
  for (; i < bytes.length; i++) sum = (sum >>> 8) ^ at(0, (sum ^ (bytes[i] as number)) & 255);
  return ~sum >>> 0;
}

const tables = optional(() => tablesOf(0xedb88320));
const tablesC = optional(() => tablesOf(0x82f63b78));

/** The CRC-32 of `bytes`. */
export const crc32 = (bytes: Uint8Array): number => sumOf(tables, bytes);

/** The CRC-32C of `bytes`. */
export const crc32c = (bytes: Uint8Array): number => sumOf(tablesC, bytes);
