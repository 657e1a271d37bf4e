// The IDX format of MNIST: a magic number that names element type and rank, the sizes, then the elements; all big
// endian.
import { FormatError, formatShape } from '../memory/errors.ts';
import { callable } from '../signature.ts';
import { type Bytes, bytesKind, bytesOf } from './bytes.ts';

/** The element types of IDX and the arrays that hold them. */
export interface IdxArrays {
  /** Unsigned bytes. */
  u8: Uint8Array;
  /** Signed bytes. */
  i8: Int8Array;
  /** Integers of 16 bits. */
  i16: Int16Array;
  /** Integers of 32 bits. */
  i32: Int32Array;
  /** Floats of 32 bits. */
  f32: Float32Array;
  /** Floats of 64 bits. */
  f64: Float64Array;
}

/** The content of an IDX file with elements of type K. */
export interface IdxOf<K extends keyof IdxArrays> {
  /** The element type. */
  dtype: K;
  /** Sizes, outermost first. */
  shape: number[];
  /** One element for each position of `shape`, the last axis running fastest. */
  data: IdxArrays[K];
}

/** The content of an IDX file: which of the types `data` has, `dtype` tells. */
export type IdxArray = { [K in keyof IdxArrays]: IdxOf<K> }[keyof IdxArrays];

export interface IdxType {
  readonly dtype: IdxArray['dtype'];
  readonly size: number;
  readonly read: (bytes: DataView, count: number) => IdxArray['data'];
}

/** Fills `out` from big-endian elements of `size` bytes. */
function unpack<T extends Int16Array | Int32Array | Float32Array | Float64Array>(
  out: T,
  size: number,
  get: (offset: number) => number,
): T {
  for (let i = 0; i < out.length; i++) out[i] = get(i * size);
  return out;
}

const TYPES: ReadonlyMap<number, IdxType> = new Map<number, IdxType>([
  [0x08, { dtype: 'u8', size: 1, read: (v, n) => new Uint8Array(v.buffer, v.byteOffset, n) }],
  [0x09, { dtype: 'i8', size: 1, read: (v, n) => new Int8Array(v.buffer, v.byteOffset, n) }],
  [0x0b, { dtype: 'i16', size: 2, read: (v, n) => unpack(new Int16Array(n), 2, (at) => v.getInt16(at)) }],
  [0x0c, { dtype: 'i32', size: 4, read: (v, n) => unpack(new Int32Array(n), 4, (at) => v.getInt32(at)) }],
  [0x0d, { dtype: 'f32', size: 4, read: (v, n) => unpack(new Float32Array(n), 4, (at) => v.getFloat32(at)) }],
  [0x0e, { dtype: 'f64', size: 8, read: (v, n) => unpack(new Float64Array(n), 8, (at) => v.getFloat64(at)) }],
]);

const hex = (byte: number): string => `0x${byte.toString(16).padStart(2, '0')}`;

/**
 * What the header says of a file of `total` bytes that begins with `bytes`, of which at most 1024 are needed.
 * @throws FormatError where it is none, and where the file is of another size
 */
export function idxHeader(
  op: string,
  bytes: Uint8Array,
  total: number,
): { type: IdxType; shape: number[]; from: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 4) {
    throw new FormatError(`${op}: expected a magic number of 4 bytes, got a file of ${total}`);
  }
  if (view.getUint16(0) !== 0) {
    const gzip = view.getUint16(0) === 0x1f8b ? ' (this is a gzip file; unpack it first)' : '';
    throw new FormatError(
      `${op}: expected an IDX file to begin with 0x00 0x00, got ${hex(view.getUint8(0))} ${hex(view.getUint8(1))}${gzip}`,
    );
  }
  const type = TYPES.get(view.getUint8(2));
  if (type === undefined) {
    const known = [...TYPES.keys()].map(hex).join(', ');
    throw new FormatError(`${op}: expected one of the type codes ${known} at byte 2, got ${hex(view.getUint8(2))}`);
  }
  const rank = view.getUint8(3);
  const header = 4 + 4 * rank;
  if (rank === 0) throw new FormatError(`${op}: expected a rank of at least 1 at byte 3, got 0`);
  if (bytes.length < header) {
    throw new FormatError(`${op}: expected ${header} bytes of header for rank ${rank}, got a file of ${total}`);
  }

  const shape: number[] = [];
  let count = 1;
  for (let axis = 0; axis < rank; axis++) {
    const size = view.getUint32(4 + 4 * axis);
    shape.push(size);
    count *= size;
    if (!Number.isSafeInteger(count * type.size)) {
      throw new FormatError(
        `${op}: expected sizes that fit the file, got an overflow at axis ${axis} of ${formatShape(shape)}`,
      );
    }
  }
  const expected = header + count * type.size;
  if (total !== expected) {
    const wrong = total < expected ? 'the file is cut short' : 'bytes are left over';
    throw new FormatError(
      `${op}: expected ${expected} bytes for ${type.dtype} ${formatShape(shape)}, got ${total} (${wrong})`,
    );
  }
  return { type, shape, from: header };
}

function readBytes(source: Bytes): IdxArray {
  const bytes = bytesOf('readIdx', source);
  const { type, shape, from } = idxHeader('readIdx', bytes, bytes.length);
  const count = shape.reduce((a, b) => a * b, 1);
  const payload = new DataView(bytes.buffer, bytes.byteOffset + from, count * type.size);
  return { dtype: type.dtype, shape, data: type.read(payload, count) } as IdxArray;
}

/**
 * Reads an IDX file (http://yann.lecun.com/exdb/mnist, "the IDX file format"): rank 1 to 255, any of its six types.
 *
 * One-byte elements are a view of `source` and are not copied; wider ones are converted from big endian into an array
 * of their own. Nothing is allocated before the sizes agree with the number of bytes.
 *
 * @param source the whole file, unpacked
 * @throws ArgumentError for what is no buffer; FormatError for a bad magic number, sizes that overflow, missing or
 * trailing bytes
 */
export const readIdx: (source: Bytes) => IdxArray = callable('readIdx(source: bytes)', readBytes, bytesKind);
