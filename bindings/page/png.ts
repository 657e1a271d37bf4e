// Pictures of pixels as PNG (ISO 15948): one strip of scanlines, each by the filter that suits it, packed where the
// engine packs.
import { crc32 } from '../crc.ts';
import { ArgumentError } from '../memory/errors.ts';

/** How PNG calls pixels of 1 (gray), 2 (gray, alpha), 3 (RGB) and 4 (RGB, alpha) numbers. */
const COLOUR_TYPES = [0, 4, 2, 6];
const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Bytes of a stored block of deflate. */
const STORED = 65535;

const NONE = 0;
const SUB = 1;
const UP = 2;

/** A scanline less what stands `back` bytes before it, or above it; and how far that is from nothing. */
function filtered(line: Uint8Array, other: (i: number) => number): { bytes: Uint8Array; cost: number } {
  let cost = 0;
  const bytes = line.map((byte, i) => (byte - other(i)) & 255);
  for (const byte of bytes) cost += byte < 128 ? byte : 256 - byte;
  return { bytes, cost };
}

/** The scanlines with the filter of each in front: the one that leaves the least, as PNG's authors advise. */
function scanlines(pixels: Uint8Array, rows: number, width: number, channels: number): Uint8Array {
  const out = new Uint8Array(rows * (width + 1));
  let above = new Uint8Array(width);
  for (let row = 0; row < rows; row++) {
    const line = pixels.slice(row * width, (row + 1) * width);
    const up = above;
    const choices = [
      { filter: NONE, ...filtered(line, () => 0) },
      { filter: SUB, ...filtered(line, (i) => (i < channels ? 0 : (line[i - channels] as number))) },
      { filter: UP, ...filtered(line, (i) => up[i] as number) },
    ];
    const { filter, bytes } = choices.reduce((best, each) => (each.cost < best.cost ? each : best));
    out[row * (width + 1)] = filter;
    out.set(bytes, row * (width + 1) + 1);
    above = line;
  }
  return out;
}

function adler32(bytes: Uint8Array): number {
  let [a, b] = [1, 0];
  for (const byte of bytes) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return ((b << 16) | a) >>> 0;
}

/** `bytes` as a stream of zlib that packs nothing. */
function stored(bytes: Uint8Array): Uint8Array {
  const blocks = Math.max(1, Math.ceil(bytes.length / STORED));
  const out = new Uint8Array(2 + bytes.length + 5 * blocks + 4);
  const view = new DataView(out.buffer);
  out.set([0x78, 1]);
  let at = 2;
  for (let block = 0; block < blocks; block++) {
    const part = bytes.subarray(block * STORED, (block + 1) * STORED);
    out[at] = Number(block === blocks - 1);
    view.setUint16(at + 1, part.length, true);
    view.setUint16(at + 3, ~part.length & 0xffff, true);
    out.set(part, at + 5);
    at += 5 + part.length;
  }
  view.setUint32(at, adler32(bytes));
  return out;
}

/** `bytes` by zlib, where the engine has that. */
async function packed(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  if (typeof CompressionStream === 'undefined') return stored(bytes);
  const { readable, writable } = new CompressionStream('deflate');
  const writer = writable.getWriter();
  const written = writer.write(bytes).then(() => writer.close());
  const out = new Uint8Array(await new Response(readable as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer());
  await written;
  return out;
}

/** The whole file, around scanlines by zlib. */
function fileOf(data: Uint8Array, width: number, height: number, channels: number): Uint8Array {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, COLOUR_TYPES[channels - 1] as number], 8);
  const chunks = [
    ['IHDR', header],
    ['IDAT', data],
    ['IEND', new Uint8Array(0)],
  ] as const;
  const out = new Uint8Array(SIGNATURE.length + chunks.reduce((sum, [, { length }]) => sum + 12 + length, 0));
  const words = new DataView(out.buffer);
  out.set(SIGNATURE);
  let at = SIGNATURE.length;
  for (const [name, bytes] of chunks) {
    words.setUint32(at, bytes.length);
    out.set(
      [...name].map((letter) => letter.charCodeAt(0)),
      at + 4,
    );
    out.set(bytes, at + 8);
    words.setUint32(at + 8 + bytes.length, crc32(out.subarray(at + 4, at + 8 + bytes.length)));
    at += 12 + bytes.length;
  }
  return out;
}

function checked(pixels: Uint8Array, width: number, height: number, channels: number): Uint8Array {
  if (!(width >= 1 && height >= 1) || !(channels >= 1 && channels <= 4))
    throw new ArgumentError(
      `encodePng: expected at least 1 × 1 pixels of 1 to 4 channels, got ${width} × ${height} of ${channels}`,
    );
  if (pixels.length !== width * height * channels)
    throw new ArgumentError(
      `encodePng: expected ${width * height * channels} bytes for ${width} × ${height} × ${channels}, got ${pixels.length}`,
    );
  return scanlines(pixels, height, width * channels, channels);
}

/**
 * A picture as the bytes of a PNG file.
 * @param pixels height × width × channels bytes: gray, gray and alpha, RGB, or RGB and alpha
 * @throws ArgumentError
 */
export async function encodePng(
  pixels: Uint8Array,
  width: number,
  height: number,
  channels: number,
): Promise<Uint8Array> {
  const lines = checked(pixels, width, height, channels) as Uint8Array<ArrayBuffer>;
  return fileOf(await packed(lines), width, height, channels);
}

/** {@link encodePng} at once, and larger: nothing is packed. */
export const encodePngNow = (pixels: Uint8Array, width: number, height: number, channels: number): Uint8Array =>
  fileOf(stored(checked(pixels, width, height, channels)), width, height, channels);

/** Bytes as the address of a picture in a page. */
export function pngUrl(png: Uint8Array): string {
  let text = '';
  for (let at = 0; at < png.length; at += 8192) text += String.fromCharCode(...png.subarray(at, at + 8192));
  return `data:image/png;base64,${btoa(text)}`;
}
