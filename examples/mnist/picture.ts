// Many small gray images in one picture: a PNG file, which is its size, its rows behind a filter byte each, deflated,
// and a checksum for each of these parts.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { deflateSync } from 'node:zlib';
import type { Tensor } from 'retrograd';

/** Pixels between two images, in the gray of 0 to 255. */
const [GAP, GAP_GRAY] = [2, 64];

/** Each pixel of an image becomes so many, each way. */
const SCALE = 2;

/**
 * Writes images f32 [n, …, rows, cols], of 0 for black to 1 for white, as a PNG with `columns` of them side by side.
 * @returns the path
 */
export function savePicture(path: string, images: Tensor, columns: number): string {
  const [rows, cols] = images.shape.slice(-2) as [number, number];
  const count = images.size / (rows * cols);
  const values = images.data;
  const width = columns * (cols + GAP) + GAP;
  const height = Math.ceil(count / columns) * (rows + GAP) + GAP;
  const picture = new Uint8Array(width * height).fill(GAP_GRAY);
  for (let i = 0; i < count; i++) {
    const left = GAP + (i % columns) * (cols + GAP);
    const top = GAP + Math.floor(i / columns) * (rows + GAP);
    for (let y = 0; y < rows; y++)
      for (let x = 0; x < cols; x++) {
        const value = values[(i * rows + y) * cols + x] as number;
        picture[(top + y) * width + left + x] = Math.round(255 * Math.min(1, Math.max(0, value)));
      }
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, encodePng(picture, width, height));
  return path;
}

/** A gray PNG, SCALE times as large. */
function encodePng(picture: Uint8Array, width: number, height: number): Uint8Array {
  const [wide, high] = [width * SCALE, height * SCALE];
  const lines = Buffer.alloc(high * (wide + 1));
  for (let y = 0; y < high; y++)
    for (let x = 0; x < wide; x++)
      lines[y * (wide + 1) + 1 + x] = picture[Math.floor(y / SCALE) * width + Math.floor(x / SCALE)] as number;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(wide, 0);
  header.writeUInt32BE(high, 4);
  header[8] = 8; // bits of a pixel; the zeros behind it: gray, deflated, the usual filters, top to bottom
  const magic = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([magic, part('IHDR', header), part('IDAT', deflateSync(lines)), part('IEND', Buffer.alloc(0))]);
}

/** A part of a PNG: length, name, content, checksum. */
function part(name: string, content: Uint8Array): Uint8Array {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), content]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(content.length);
  sum.writeUInt32BE(checksum(body));
  return Buffer.concat([length, body, sum]);
}

/** CRC-32 (Node's own is younger than the oldest Node that runs this). */
function checksum(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
