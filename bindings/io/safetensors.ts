// The safetensors format (https://github.com/huggingface/safetensors): 8 bytes with the header's length, a JSON header
// that gives every tensor its dtype, shape and byte range, then the bytes. A pure codec: bytes in, bytes out.

import { type Bytes, bytesOf } from '../data/bytes.ts';
import { record, rowOf } from '../lookup.ts';
import { ArgumentError, describe, FormatError, formatShape } from '../memory/errors.ts';
import type { Tensor } from '../tensor.ts';
import { ofForms } from './declare.ts';
import { JsonCursor } from './json.ts';
import { otherKind } from './others.ts';
import { byName, type FileTensor, READERS, type Reader, type StoredTensor, WRITERS } from './safetensors-dtypes.ts';

export type {
  FileArrays,
  FileTensor,
  FileTensorOf,
  StoredTensor,
  WideArrays,
  WideTensor,
  WideTensorOf,
} from './safetensors-dtypes.ts';

/** A decoded file. Both records have no prototype, so that every key in them came from the file. */
export interface Safetensors {
  /** The tensors by name. */
  tensors: Record<string, FileTensor>;
  /** The free strings of the header. */
  metadata: Record<string, string>;
}

/** The reference's limit: a header beyond it is an attack or an accident. */
const MAX_HEADER_BYTES = 100_000_000;
/** PyTorch's and NumPy's limit; no tensor that a program can use has more. */
const MAX_RANK = 64;
const METADATA_KEY = '__metadata__';

/**
 * Writes tensors as one safetensors file, byte for byte as the reference does: widest dtype first, then by name, no
 * holes, the header padded with spaces so that the data starts at a multiple of 8.
 *
 * @param tensors by name, such as a `stateDict()`: tensors, or dtype, shape and data, where data holds shape's product
 * of elements
 * @param metadata free strings, kept under `__metadata__`
 * @throws ArgumentError where an entry cannot be written, or where the header would pass 100 MB
 */
export const encodeSafetensors: (
  tensors: Record<string, Tensor | StoredTensor>,
  metadata?: Record<string, string>,
) => Uint8Array = ofForms(
  ['encodeSafetensors(tensors: tensors)', 'encodeSafetensors(tensors: tensors, metadata: texts)'],
  encode,
);

function encode(tensors: Record<string, Tensor | StoredTensor>, metadata?: Record<string, string>): Uint8Array {
  const entries = Object.entries(tensors).map(([name, tensor]) => entryOf(name, tensor));
  entries.sort((a, b) => b.order - a.order || byName(a.name, b.name));

  const parts: string[] = [];
  if (metadata !== undefined) parts.push(`${JSON.stringify(METADATA_KEY)}:${encodeMetadata(metadata)}`);
  let offset = 0;
  for (const { name, code, shape, bytes } of entries) {
    const end = offset + bytes.length;
    parts.push(
      `${JSON.stringify(name)}:{"dtype":"${code}","shape":[${shape.join(',')}],"data_offsets":[${offset},${end}]}`,
    );
    offset = end;
  }
  const json = new TextEncoder().encode(`{${parts.join(',')}}`);
  const header = Math.ceil(json.length / 8) * 8;
  if (header > MAX_HEADER_BYTES) {
    throw new ArgumentError(
      `encodeSafetensors: expected a header of at most ${MAX_HEADER_BYTES} bytes, got ${header}; use fewer or shorter names and metadata`,
    );
  }

  const file = room(8 + header + offset);
  new DataView(file.buffer).setUint32(0, header, true);
  file.set(json, 8);
  file.fill(0x20, 8 + json.length, 8 + header);
  let at = 8 + header;
  for (const { bytes } of entries) {
    file.set(bytes, at);
    at += bytes.length;
  }
  return file;
}

function room(bytes: number): Uint8Array {
  try {
    return new Uint8Array(bytes);
  } catch (cause) {
    throw new ArgumentError(
      `encodeSafetensors: expected tensors that fit one buffer of this engine, got ${bytes} bytes; write them to several files`,
      { cause },
    );
  }
}

/** What is written of a tensor, its dtype named as the format does. */
interface Written {
  readonly name: string;
  readonly code: string;
  readonly order: number;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** Refuses a tensor that would give a file no reader can take. */
function entryOf(name: string, tensor: Tensor | StoredTensor): Written {
  checkKey(name, 'tensor names');
  const where = `in ${JSON.stringify(name)}`;
  if (tensor === null || typeof tensor !== 'object')
    throw new ArgumentError(`encodeSafetensors: expected a tensor ${where}, got ${describe(tensor)}`);
  const { dtype, shape, data } = tensor;
  const writer = rowOf(WRITERS, dtype);
  const kind = ArrayBuffer.isView(data) ? Object.prototype.toString.call(data).slice(8, -1) : describe(data);
  if (writer === undefined || kind !== writer.array) {
    const [wanted, got] =
      writer === undefined
        ? [
            'a tensor, or { dtype, shape, data } of the dtype f32, i32, u8, f64, i64, u64, f16 or bf16',
            dtype === undefined ? describe(tensor) : `${describe(dtype)} as ${kind}`,
          ]
        : [`data of ${dtype} as ${writer.array}`, `${dtype} as ${kind}`];
    throw new ArgumentError(`encodeSafetensors: expected ${wanted}, got ${got} ${where}`);
  }
  const sizes: number[] = Array.isArray(shape) ? [...shape] : [Number.NaN];
  const count = sizes.every((size) => Number.isSafeInteger(size) && size >= 0) ? sizes.reduce((a, b) => a * b, 1) : -1;
  if (count !== data.length || sizes.length > MAX_RANK) {
    const got = Array.isArray(shape) ? formatShape(sizes) : describe(shape);
    throw new ArgumentError(
      `encodeSafetensors: expected data that fills shape ${got}, got ${data.length} elements ${where}`,
    );
  }
  const { code, order } = writer;
  return { name, code, order, shape: sizes, bytes: bytesOf('encodeSafetensors', data) };
}

function encodeMetadata(metadata: Record<string, string>): string {
  const parts = Object.entries(metadata).map(([key, value]) => {
    checkKey(key, 'metadata keys');
    if (typeof value !== 'string' || isBroken(value)) {
      throw new ArgumentError(
        `encodeSafetensors: expected metadata values to be well-formed strings, got ${typeof value === 'string' ? 'a lone surrogate' : typeof value} in ${JSON.stringify(key)}`,
      );
    }
    return `${JSON.stringify(key)}:${JSON.stringify(value)}`;
  });
  return `{${parts.join(',')}}`;
}

/** Whether a surrogate stands alone. The first look is quick, and mostly the only one. */
const isBroken = (text: string): boolean => /[\ud800-\udfff]/.test(text) && /\p{Surrogate}/u.test(text);

function checkKey(key: string, what: string): void {
  if (key === METADATA_KEY || key === '__proto__' || isBroken(key)) {
    throw new ArgumentError(
      `encodeSafetensors: expected ${what} other than __metadata__ and __proto__, without lone surrogates, got ${JSON.stringify(key)}`,
    );
  }
}

/** One tensor as the header declares it. */
export interface Entry {
  readonly name: string;
  readonly code: string;
  readonly reader: Reader;
  readonly shape: number[];
  readonly begin: number;
  readonly end: number;
}

/**
 * Reads a safetensors file. The header and every range are checked before a tensor is made.
 *
 * F32, I32 and U8 come as views of `source` where their alignment allows, so keep `source` unchanged or copy. Other
 * dtypes are converted: F64, F16 and BF16 to f32, rounded to nearest; I8, I16, I64, U16, U32 and U64 to i32; BOOL to
 * u8. Every value must fit: a finite one is never made infinite, an infinite one stays so.
 *
 * @param source the whole file
 * @throws FormatError saying what is wrong and where, for every file that is not valid, and for dtypes and values
 * without a conversion; ArgumentError for what is no buffer
 */
export const decodeSafetensors: (source: Bytes) => Safetensors = ofForms(['decodeSafetensors(source: bytes)'], decode);

function decode(source: Bytes): Safetensors {
  const bytes = bytesOf('decodeSafetensors', source);
  const header = headerLength(bytes, bytes.length);
  const { entries, metadata } = readHeader(headerText(bytes.subarray(8, 8 + header)), bytes.length - 8 - header);
  const tensors = record<FileTensor>();
  for (const entry of entries) tensors[entry.name] = readEntry(entry, bytes.subarray(8 + header + entry.begin));
  return { tensors, metadata };
}

/** The length that the first 8 bytes of a file of `size` bytes say. */
export function headerLength(start: Uint8Array, size: number): number {
  if (start.length < 8) throw bad(`expected 8 bytes with the header's length, got a file of ${start.length}`);
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const header = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
  if (header <= MAX_HEADER_BYTES && 8 + header <= size) return header;
  const other = otherKind(start);
  if (other) throw bad(`expected a file of safetensors, got ${other}`);
  if (header > MAX_HEADER_BYTES) throw bad(`expected a header of at most ${MAX_HEADER_BYTES} bytes, got ${header}`);
  throw bad(`expected a header of ${header} bytes to end inside the file, got a file of ${size} bytes`);
}

/** The tensor that `entry` declares, whose bytes `bytes` begin with. */
export function readEntry({ name, code, reader, shape, begin, end }: Entry, bytes: Uint8Array): FileTensor {
  const data = reader.read(bytes.buffer, bytes.byteOffset, (end - begin) / reader.size, (index, problem) =>
    bad(`${problem} at element ${index} of ${JSON.stringify(name)} (${code})`),
  );
  return { dtype: reader.dtype, shape, data } as FileTensor;
}

const bad = (what: string): FormatError => new FormatError(`decodeSafetensors: ${what}`);

export function headerText(header: Uint8Array): string {
  // Engines refuse to decode shared memory in place, so the header is copied out. Buffer.slice would not copy.
  const copy = Uint8Array.prototype.slice.call(header);
  if (copy[0] !== 0x7b) throw bad("expected the header to begin with '{'");
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(copy);
  } catch {
    throw bad('expected the header to be valid UTF-8');
  }
}

/**
 * Parses the header: exactly the format's grammar, duplicate keys and unknown fields refused at every level, and every
 * range inside the data.
 */
export function readHeader(text: string, dataBytes: number): { entries: Entry[]; metadata: Record<string, string> } {
  const json = new JsonCursor(text, (what, at) => bad(`${what} at character ${at} of the header`));
  const entries: Entry[] = [];
  const metadata = record<string>();
  json.object((name) => {
    if (name === METADATA_KEY) {
      json.object((key) => {
        metadata[key] = json.string();
      });
    } else {
      entries.push(declaredEntry(json, name));
    }
  });
  json.end();
  checkRanges(entries, dataBytes);
  return { entries, metadata };
}

function declaredEntry(json: JsonCursor, name: string): Entry {
  const at = json.at;
  let code: string | undefined;
  let shape: number[] | undefined;
  let range: number[] | undefined;
  json.object((field) => {
    if (field === 'dtype') code = json.string();
    else if (field === 'shape') shape = json.integers(MAX_RANK);
    else if (field === 'data_offsets') range = json.integers(2);
    else json.fail(`expected only dtype, shape and data_offsets, got the field ${JSON.stringify(field)}`);
  });
  const [begin, end] = range ?? [];
  if (code === undefined || shape === undefined || begin === undefined || end === undefined) {
    return json.fail(`expected dtype, shape and two data_offsets in ${JSON.stringify(name)}`, at);
  }
  const reader = READERS.get(code);
  if (reader === undefined) {
    const known = [...READERS.keys()].join(', ');
    return json.fail(`expected a dtype of ${known}, got ${JSON.stringify(code)} in ${JSON.stringify(name)}`, at);
  }
  return { name, code, reader, shape, begin, end };
}

/**
 * Sorts the entries by place and holds them to cover the data exactly, each by as many bytes as its shape and dtype
 * need.
 */
function checkRanges(entries: Entry[], dataBytes: number): void {
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  for (const { name, code, reader, shape, begin, end } of entries) {
    const where = `in ${JSON.stringify(name)}`;
    let need = reader.size;
    for (const size of shape) {
      need *= size;
      if (!Number.isSafeInteger(need))
        throw bad(`expected a shape that fits the file, got ${formatShape(shape)} ${where}`);
    }
    if (end < begin) throw bad(`expected data_offsets in order, got ${formatShape([begin, end])} ${where}`);
    if (end - begin !== need) {
      throw bad(
        `expected ${need} bytes for ${code} ${formatShape(shape)}, got data_offsets ${formatShape([begin, end])} ${where}`,
      );
    }
    if (begin !== covered) {
      const wrong = begin < covered ? 'overlaps the tensor before it' : 'leaves a hole before it';
      throw bad(`expected data_offsets to go on at ${covered}, got ${begin}, which ${wrong}, ${where}`);
    }
    covered = end;
  }
  if (covered !== dataBytes) {
    const wrong = covered > dataBytes ? 'the file is cut short' : 'bytes are left over';
    throw bad(`expected ${covered} bytes of data, got ${dataBytes} (${wrong})`);
  }
}
