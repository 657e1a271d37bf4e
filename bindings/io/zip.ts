// Zip archives (APPNOTE 6.3): .npz and PyTorch's files are some. Names come from the directory at the end, as readers
// do that trust nobody; what it says is held against the file before a byte is read.

import { crc32 } from '../crc.ts';
import { record } from '../lookup.ts';
import { ArgumentError, BackendError, FormatError } from '../memory/errors.ts';
import { otherKind } from './others.ts';

/** A file in an archive. */
export interface ZipEntry {
  readonly name: string;
  /** 0: as it is; 8: by deflate. */
  readonly method: number;
  readonly crc: number;
  /** Bytes that it takes in the archive. */
  readonly packed: number;
  /** Bytes that it has. */
  readonly size: number;
  /** Where its own header stands. */
  readonly header: number;
}

const END = 0x06054b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const SIZES_64 = 0xffffffff;
/** Deflate makes at most so many bytes of one. */
const MOST_PACKED = 1032;

/** Reads an archive that is whole in memory. */
export class ZipReader {
  /** Its files by name. */
  readonly entries: Readonly<Record<string, ZipEntry>>;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #op: string;

  /** @throws FormatError where it is no archive, or its directory does not fit it */
  constructor(op: string, bytes: Uint8Array) {
    this.#op = op;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.entries = this.#directory();
  }

  #bad(what: string): FormatError {
    return new FormatError(`${this.#op}: expected ${what}`);
  }

  /** A number of 64 bits. Those beyond 2^53 lie outside of every file, as what they become does. */
  #long(at: number): number {
    return this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 2 ** 32;
  }

  /** Where the directory's end stands. A comment of up to 65535 bytes may follow it. */
  #end(): number {
    const { length } = this.#bytes;
    for (let at = length - 22; at >= Math.max(0, length - 22 - 65535); at--)
      if (this.#view.getUint32(at, true) === END && at + 22 + this.#view.getUint16(at + 20, true) <= length) return at;
    const other = otherKind(this.#bytes);
    throw this.#bad(
      `a zip archive with its directory at the end, got ${other ?? 'a file without one; it is none, or cut short'}`,
    );
  }

  #directory(): Record<string, ZipEntry> {
    const view = this.#view;
    const end = this.#end();
    let [count, size, start] = [
      view.getUint16(end + 10, true),
      view.getUint32(end + 12, true),
      view.getUint32(end + 16, true),
    ];
    if (end >= 20 && view.getUint32(end - 20, true) === LOCATOR64) {
      const at = this.#long(end - 12);
      if (at > end - 56 || view.getUint32(at, true) !== END64)
        throw this.#bad(`the end of a zip64 directory at ${at}, got other bytes`);
      [count, size, start] = [this.#long(at + 32), this.#long(at + 40), this.#long(at + 48)];
    }
    if (start + size > end || count * 46 > size)
      throw this.#bad(`a directory of ${count} files inside the archive, got ${size} bytes from ${start}`);
    const entries = record<ZipEntry>();
    let at = start;
    let packed = 0;
    for (let i = 0; i < count; i++) {
      if (at + 46 > start + size || view.getUint32(at, true) !== ENTRY)
        throw this.#bad(`file ${i} of the directory at ${at}, got other bytes`);
      const entry = this.#entry(at, start + size);
      if (entry.name in entries) throw this.#bad(`each file once, got ${JSON.stringify(entry.name)} again`);
      entries[entry.name] = entry;
      packed += entry.packed;
      at += 46 + view.getUint16(at + 28, true) + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    }
    // Files that share bytes could be far more than the archive when they are unpacked.
    if (packed > this.#bytes.length)
      throw this.#bad(`files that fit the archive, got ${packed} bytes of them in ${this.#bytes.length}`);
    return entries;
  }

  #entry(at: number, end: number): ZipEntry {
    const view = this.#view;
    const [flags, method, crc] = [
      view.getUint16(at + 8, true),
      view.getUint16(at + 10, true),
      view.getUint32(at + 16, true),
    ];
    let [packed, size, header] = [
      view.getUint32(at + 20, true),
      view.getUint32(at + 24, true),
      view.getUint32(at + 42, true),
    ];
    const [names, extra] = [view.getUint16(at + 28, true), view.getUint16(at + 30, true)];
    const from = at + 46 + names;
    if (from + extra > end) throw this.#bad(`the name of a file inside the directory, got ${names} bytes at ${at}`);
    const name = text(this.#bytes, at + 46, names);
    for (let field = from; field + 4 <= from + extra; field += 4 + view.getUint16(field + 2, true)) {
      if (view.getUint16(field, true) !== 1) continue;
      let next = field + 4;
      const wide = (value: number): number => {
        if (value !== SIZES_64) return value;
        next += 8;
        if (next > from + extra) throw this.#bad(`sizes of ${JSON.stringify(name)} in 64 bits, got none`);
        return this.#long(next - 8);
      };
      size = wide(size);
      packed = wide(packed);
      header = wide(header);
      break;
    }
    const where = `in ${JSON.stringify(name)}`;
    if (flags & 1) throw this.#bad(`files that are not encrypted, got one ${where}`);
    if (method !== 0 && method !== 8)
      throw this.#bad(`files that are stored or deflated, got method ${method} ${where}`);
    if (method === 0 ? packed !== size : size > MOST_PACKED * packed)
      throw this.#bad(`sizes that fit each other, got ${packed} and ${size} ${where}`);
    return { name, method, crc, packed, size, header };
  }

  /** The bytes of a file as the archive has them. */
  #packed({ name, packed, header }: ZipEntry): Uint8Array {
    const view = this.#view;
    const { length } = this.#bytes;
    if (header + 30 > length || view.getUint32(header, true) !== LOCAL)
      throw this.#bad(`the header of ${JSON.stringify(name)} at ${header}, got other bytes`);
    const from = header + 30 + view.getUint16(header + 26, true) + view.getUint16(header + 28, true);
    if (from + packed > length)
      throw this.#bad(
        `${packed} bytes of ${JSON.stringify(name)} inside the archive, got ${Math.max(0, length - from)}`,
      );
    return this.#bytes.subarray(from, from + packed);
  }

  /**
   * The bytes of a file: where they are, if they are stored; else unpacked.
   * @param check whether they are held against their checksum, too
   */
  async read(entry: ZipEntry, check = true): Promise<Uint8Array> {
    const packed = this.#packed(entry);
    const bytes = entry.method === 0 ? packed : await this.#inflated(entry, packed);
    if (check && crc32(bytes) !== entry.crc)
      throw this.#bad(`bytes with the checksum of ${JSON.stringify(entry.name)}, got others; the file is damaged`);
    return bytes;
  }

  async #inflated({ name, size }: ZipEntry, packed: Uint8Array): Promise<Uint8Array> {
    const out = new Uint8Array(size);
    let at = 0;
    try {
      for await (const chunk of streamed(packed, decompressor(this.#op))) {
        if (at + chunk.length > size) throw new RangeError('too long');
        out.set(chunk, at);
        at += chunk.length;
      }
    } catch (cause) {
      if (cause instanceof BackendError) throw cause;
      throw new FormatError(
        `${this.#op}: expected ${size} deflated bytes in ${JSON.stringify(name)}, got others; the file is damaged`,
        { cause },
      );
    }
    if (at !== size) throw this.#bad(`${size} deflated bytes in ${JSON.stringify(name)}, got ${at}`);
    return out;
  }
}

/** A name in UTF-8, or in what older programs had. */
function text(bytes: Uint8Array, from: number, length: number): string {
  const copy = Uint8Array.prototype.slice.call(bytes, from, from + length);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(copy);
  } catch {
    return String.fromCharCode(...copy);
  }
}

/** What has both ends of a stream of bytes. */
interface Transform {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array<ArrayBuffer>>;
}

function transform(op: string, make: () => unknown): Transform {
  try {
    return make() as Transform;
  } catch (cause) {
    throw new BackendError(
      `${op}: expected an engine with deflate-raw streams, got one without; take files that are stored, or Node 20.12 and later`,
      { cause },
    );
  }
}
const decompressor = (op: string): Transform => transform(op, () => new DecompressionStream('deflate-raw'));

/** Bytes written at once: streams that refuse a chunk keep no more of it. */
const CHUNK = 1 << 16;

/** What comes of `bytes` through a stream. */
async function* streamed(bytes: Uint8Array, { readable, writable }: Transform): AsyncGenerator<Uint8Array> {
  const writer = writable.getWriter();
  const reader = readable.getReader();
  const feed = async (): Promise<void> => {
    for (let at = 0; at < bytes.length; at += CHUNK)
      await writer.write(Uint8Array.from(bytes.subarray(at, at + CHUNK)));
    await writer.close();
  };
  const fed = feed().catch(() => undefined); // the reader fails of the same
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    await reader.cancel().catch(() => undefined);
    await fed;
  }
}

/** `bytes` by deflate. */
export async function deflated(op: string, bytes: Uint8Array): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of streamed(
    bytes,
    transform(op, () => new CompressionStream('deflate-raw')),
  ))
    chunks.push(chunk);
  return joined(chunks);
}

/** All of `chunks` in one. */
export function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}

/** A file to write. */
export interface ZipFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** The bytes by deflate, if they are to be. */
  readonly packed?: Uint8Array | undefined;
}

/** 1980-01-01, the first day that zip knows: the same files give the same bytes. */
const DATE = 0x21;

/** The header of a file, alone or in the directory. */
function headerOf(
  name: Uint8Array,
  { bytes, packed }: ZipFile,
  crc: number,
  at: number | null,
  padding: number,
): Uint8Array {
  const fixed = at === null ? 30 : 46;
  const out = new Uint8Array(fixed + name.length + padding);
  const view = new DataView(out.buffer);
  const common = at === null ? 4 : 6;
  view.setUint32(0, at === null ? LOCAL : ENTRY, true);
  if (at !== null) view.setUint16(4, 20, true);
  view.setUint16(common, 20, true);
  view.setUint16(common + 2, 0x0800, true); // names are UTF-8
  view.setUint16(common + 4, packed ? 8 : 0, true);
  view.setUint16(common + 8, DATE, true);
  view.setUint32(common + 10, crc, true);
  view.setUint32(common + 14, (packed ?? bytes).length, true);
  view.setUint32(common + 18, bytes.length, true);
  view.setUint16(common + 22, name.length, true);
  view.setUint16(common + 24, padding, true);
  if (at !== null) view.setUint32(42, at, true);
  out.set(name, fixed);
  // An extra field of zeros, whose kind nobody knows and all skip; PyTorch calls its own 'FB'.
  if (padding > 0) view.setUint32(fixed + name.length, 0x4246 | ((padding - 4) << 16), true);
  return out;
}

/**
 * Writes an archive.
 * @param align where the bytes of files begin: at multiples of it
 * @throws ArgumentError where it would pass 4 GiB
 */
export function writeZip(op: string, files: readonly ZipFile[], align = 1): Uint8Array {
  const chunks: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const file of files) {
    const name = new TextEncoder().encode(file.name);
    const content = file.packed ?? file.bytes;
    const crc = crc32(file.bytes);
    const beyond = (at + 30 + name.length) % align;
    // A field of padding takes 4 bytes at least.
    const padding = beyond === 0 ? 0 : align - beyond + (align - beyond < 4 ? align : 0);
    directory.push(headerOf(name, file, crc, at, 0));
    chunks.push(headerOf(name, file, crc, null, padding), content);
    at += 30 + name.length + padding + content.length;
    if (at >= SIZES_64)
      throw new ArgumentError(`${op}: expected files of at most 4 GiB together, got more; write several`);
  }
  const size = directory.reduce((sum, { length }) => sum + length, 0);
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, END, true);
  end.setUint16(8, files.length, true);
  end.setUint16(10, files.length, true);
  end.setUint32(12, size, true);
  end.setUint32(16, at, true);
  if (files.length >= 0xffff)
    throw new ArgumentError(`${op}: expected at most 65534 files, got ${files.length}; join some`);
  return joined([...chunks, ...directory, new Uint8Array(end.buffer)]);
}
