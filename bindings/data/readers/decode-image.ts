// Decodes images. Pages have a decoder of their own; elsewhere PNG and JPEG are read by packages that are optional.
import { BackendError, describe, FormatError } from '../../memory/errors.ts';
import type { NdArray } from '../pipeline/columns.ts';

/** Pixels as decoders give them: rows of `channels` numbers a pixel. */
interface Pixels {
  readonly width: number;
  readonly height: number;
  /** 1 grey, 2 grey and alpha, 3 colours, 4 colours and alpha. */
  readonly channels: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

const startsWith = (bytes: Uint8Array, ...head: number[]): boolean => head.every((byte, i) => bytes[i] === byte);
const isPng = (bytes: Uint8Array): boolean => startsWith(bytes, 0x89, 0x50, 0x4e, 0x47);
const isJpeg = (bytes: Uint8Array): boolean => startsWith(bytes, 0xff, 0xd8, 0xff);

const missing = (name: string, format: string, cause: unknown): BackendError =>
  new BackendError(
    `decodeImage: expected the package ${name}, which decodes ${format} outside of pages, got none; npm install ${name}`,
    { cause },
  );

/** Numbers of a pixel by PNG's types of colours; and how many bytes a packed one may become. */
const [NUMBERS, MOST_PACKED] = [[1, 0, 3, 1, 2, 0, 4], 1032];

/** @throws Error where a PNG file says that it is more than its bytes can be, which the decoder would believe */
function checkPng(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [width, height, depth] = [view.getUint32(16), view.getUint32(20), view.getUint8(24)];
  const bits = width * height * depth * (NUMBERS[view.getUint8(25)] ?? 0);
  if (bits > 8 * MOST_PACKED * bytes.length) throw new Error(`${width} × ${height} pixels in ${bytes.length} bytes`);
}

async function decodePng(bytes: Uint8Array): Promise<Pixels> {
  let png: typeof import('fast-png');
  try {
    png = await import('fast-png');
  } catch (cause) {
    throw missing('fast-png', 'PNG', cause);
  }
  checkPng(bytes);
  const image = png.decode(bytes);
  const { width, height, depth, palette } = image;
  if (palette) {
    const data = png.convertIndexedToRgb(image);
    return { width, height, channels: data.length / (width * height), data };
  }
  const { channels } = image;
  if (depth === 16) return { width, height, channels, data: Uint8Array.from(image.data, (value) => value >> 8) };
  if (depth === 8) return { width, height, channels, data: image.data as Uint8Array };
  return { width, height, channels: 1, data: unpackGrey(image.data as Uint8Array, width, height, depth) };
}

/** Grey of 1, 2 or 4 bits, of which rows begin at a byte. */
function unpackGrey(packed: Uint8Array, width: number, height: number, depth: number): Uint8Array {
  const grey = new Uint8Array(width * height);
  const stride = Math.ceil((width * depth) / 8);
  const most = 2 ** depth - 1;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const bit = x * depth;
      const byte = packed[y * stride + (bit >> 3)] as number;
      grey[y * width + x] = (((byte >> (8 - depth - (bit & 7))) & most) * 255) / most;
    }
  return grey;
}

/** JPEG's decoder, made ready once: it is WebAssembly, which it would fetch by a URL. */
let jpeg: Promise<(bytes: Uint8Array) => Promise<Pixels>> | undefined;

async function openJpeg(): Promise<(bytes: Uint8Array) => Promise<Pixels>> {
  let decoder: typeof import('@jsquash/jpeg/decode.js');
  try {
    decoder = await import('@jsquash/jpeg/decode.js');
  } catch (cause) {
    throw missing('@jsquash/jpeg', 'JPEG', cause);
  }
  const [{ createRequire }, { readFile }] = await Promise.all([import('node:module'), import('node:fs/promises')]);
  const file = createRequire(import.meta.url).resolve('@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm');
  const init = decoder.init as unknown as (module: WebAssembly.Module, options: object) => Promise<void>;
  // What is wrong with a file is told by an error, not on the console.
  await init(await WebAssembly.compile(await readFile(file)), { printErr: () => {} });
  return async (bytes) => {
    const { buffer } = bytes.slice();
    const { width, height, data } = await withImageData(() => decoder.default(buffer));
    return { width, height, channels: 4, data };
  };
}

/** The most pixels of a JPEG file: so many, and what its bytes may hold, of which blocks take bits; and its scans. */
const [MOST_PIXELS, MOST_OF_BYTE, MOST_SCANS] = [2 ** 22, 512, 256];

/** @throws Error where a JPEG file says that it is more than its bytes can be, which the decoder would believe */
function checkJpeg(bytes: Uint8Array): void {
  const word = (at: number): number => ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  let scans = 0;
  for (let at = 2; at >= 2 && at + 4 < bytes.length; at = bytes.indexOf(255, at)) {
    const mark = bytes[at + 1] as number;
    // Heights and widths are in frames: all marks of 0xc0 to 0xcf but those of tables.
    const area = mark >> 4 === 12 && ![0xc4, 0xc8, 0xcc].includes(mark) ? word(at + 5) * word(at + 7) : 0;
    if (mark === 0xda) scans++;
    if (area > MOST_PIXELS + MOST_OF_BYTE * bytes.length || scans > MOST_SCANS)
      throw new Error(`${area} pixels and ${scans} scans in ${bytes.length} bytes`);
    at += mark === 255 ? 1 : mark < 2 || (mark >= 0xd0 && mark < 0xda) ? 2 : 2 + word(at + 2);
  }
}

/** Calls what answers with an ImageData, a class that only pages have. */
async function withImageData<T>(call: () => Promise<T>): Promise<T> {
  if ('ImageData' in globalThis) return call();
  const Pixels = class {
    constructor(
      readonly data: Uint8ClampedArray,
      readonly width: number,
      readonly height: number,
    ) {}
  };
  Object.defineProperty(globalThis, 'ImageData', { value: Pixels, configurable: true });
  try {
    return await call();
  } finally {
    Reflect.deleteProperty(globalThis, 'ImageData');
  }
}

/** Decodes by what pages and their workers have. */
async function decodeInPage(bytes: Uint8Array): Promise<Pixels> {
  const bitmap = await createImageBitmap(new Blob([bytes as Uint8Array<ArrayBuffer>]), {
    colorSpaceConversion: 'none',
    premultiplyAlpha: 'none',
  });
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (!context) throw new BackendError('decodeImage: expected a canvas to read pixels from, got none in this page');
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { width, height, channels: 4, data: context.getImageData(0, 0, width, height).data };
}

async function pixelsOf(bytes: Uint8Array): Promise<Pixels> {
  try {
    if (typeof createImageBitmap === 'function' && typeof OffscreenCanvas === 'function')
      return await decodeInPage(bytes);
    if (isPng(bytes)) return await decodePng(bytes);
    if (isJpeg(bytes)) {
      checkJpeg(bytes);
      jpeg ??= openJpeg();
      try {
        return await (await jpeg)(bytes);
      } catch (cause) {
        // It ends its program by an error, whose memory is what it was then: what follows might never end.
        jpeg = undefined;
        throw cause;
      }
    }
  } catch (cause) {
    if (cause instanceof BackendError) throw cause;
    const why = (cause as Error | undefined)?.message ?? String(cause);
    throw new FormatError(`decodeImage: expected an image that can be decoded, got an error: ${why}`, { cause });
  }
  throw new FormatError(
    `decodeImage: expected a PNG or JPEG file, got ${bytes.length} bytes that begin with ${describe([...bytes.subarray(0, 4)])}`,
  );
}

/** The planes of `channels` that pixels give. */
function planes(pixels: Pixels, channels: number): NdArray<Uint8Array> {
  const { width, height, data, channels: has } = pixels;
  const area = width * height;
  const planes = new Uint8Array(channels * area);
  const grey = has < 3;
  for (let c = 0; c < channels; c++) {
    const alpha = c === 3;
    const from = alpha ? has - 1 : grey ? 0 : c;
    const plane = planes.subarray(c * area, (c + 1) * area);
    if (alpha && has % 2 === 1) plane.fill(255);
    else if (channels === 1 && !grey) luma(plane, data, has);
    else for (let i = 0, at = from; i < area; i++, at += has) plane[i] = data[at] as number;
  }
  return { shape: [channels, height, width], data: planes };
}

/** Pillow's grey: 299/1000 of red, 587 of green, 114 of blue, in 16 bits. */
function luma(plane: Uint8Array, data: Pixels['data'], stride: number): void {
  for (let i = 0, at = 0; i < plane.length; i++, at += stride)
    plane[i] =
      ((data[at] as number) * 19595 + (data[at + 1] as number) * 38470 + (data[at + 2] as number) * 7471 + 0x8000) >>
      16;
}

/** For each place of a row of `to` pixels, where its weights begin and how many of `from` pixels they are for. */
function triangle(from: number, to: number): { readonly first: Int32Array; readonly weights: Float64Array[] } {
  const scale = from / to;
  const support = Math.max(1, scale);
  const first = new Int32Array(to);
  const weights = Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const begin = Math.max(0, Math.floor(centre - support + 0.5));
    const end = Math.min(from, Math.floor(centre + support + 0.5));
    const row = Float64Array.from({ length: end - begin }, (_w, k) =>
      Math.max(0, 1 - Math.abs((begin + k + 0.5 - centre) / support)),
    );
    const sum = row.reduce((a, b) => a + b, 0);
    first[i] = begin;
    return row.map((weight) => weight / sum);
  });
  return { first, weights };
}

/** Brings an image to another size: a triangle as wide as a pixel of the smaller side, along the rows, then down. */
function resized(image: NdArray<Uint8Array>, size: readonly [number, number]): NdArray<Uint8Array> {
  const [channels, height, width] = image.shape as readonly [number, number, number];
  const [h, w] = size;
  if (h === height && w === width) return image;
  const across = resample(image.data, channels * height, width, 1, triangle(width, w));
  const data = resample(across, channels, height, w, triangle(height, h));
  return { shape: [channels, h, w], data };
}

/** Resamples the middle one of the dims [outer, length, inner]. */
function resample(
  x: Uint8Array,
  outer: number,
  length: number,
  inner: number,
  { first, weights }: ReturnType<typeof triangle>,
): Uint8Array {
  const to = weights.length;
  const y = new Uint8Array(outer * to * inner);
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < to; i++) {
      const row = weights[i] as Float64Array;
      const from = (o * length + (first[i] as number)) * inner;
      const at = (o * to + i) * inner;
      for (let k = 0; k < inner; k++) {
        let sum = 0.5;
        for (let j = 0; j < row.length; j++) sum += (row[j] as number) * (x[from + j * inner + k] as number);
        y[at + k] = sum;
      }
    }
  return y;
}

/** The image of a file, of `channels` and, unless it is null, of [height, width]. */
export async function decode(
  bytes: Uint8Array,
  channels: number,
  size: readonly [number, number] | null | undefined,
): Promise<NdArray<Uint8Array>> {
  const image = planes(await pixelsOf(bytes), channels);
  return size ? resized(image, size) : image;
}
