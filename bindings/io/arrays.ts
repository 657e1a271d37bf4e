// The numbers of other libraries' files: in any dtype, byte order and layout; and what tensors make of them.
import { record, rowOf } from '../lookup.ts';
import { ArgumentError, describe, type FormatError, formatShape } from '../memory/errors.ts';
import type { Tensor } from '../tensor.ts';
import { type FileTensor, READERS, type Reader, type StoredTensor, view, WRITERS } from './safetensors-dtypes.ts';

/** How files of other libraries are read. */
export interface WideOptions {
  /**
   * Whether tensors with a number that f32 or i32 cannot hold come as they are, of the dtype f64, i64 or u64; else
   * they are refused.
   * @defaultValue false
   */
  wide?: boolean;
}

type Data = StoredTensor['data'];

/** Where the numbers of a tensor stand. */
export interface Stored {
  /** The bytes that hold them, among others. */
  readonly bytes: Uint8Array;
  /** A name of READERS. */
  readonly code: string;
  readonly shape: readonly number[];
  /** Elements from one to the next along each dim. */
  readonly strides: readonly number[];
  /** Elements in front of the first. */
  readonly offset: number;
  readonly bigEndian: boolean;
}

/** What wide numbers stay where they do not fit. */
const WIDE: Readonly<Record<string, (bytes: Uint8Array, count: number) => StoredTensor>> = record<
  (bytes: Uint8Array, count: number) => StoredTensor
>([
  ['F64', (b, n) => ({ dtype: 'f64', shape: [n], data: view(Float64Array, b.buffer, b.byteOffset, n) })],
  ['I64', (b, n) => ({ dtype: 'i64', shape: [n], data: view(BigInt64Array, b.buffer, b.byteOffset, n) })],
  ['U64', (b, n) => ({ dtype: 'u64', shape: [n], data: view(BigUint64Array, b.buffer, b.byteOffset, n) })],
  [
    'U32',
    (b, n) => ({ dtype: 'f64', shape: [n], data: Float64Array.from(view(Uint32Array, b.buffer, b.byteOffset, n)) }),
  ],
]);

/** Thrown by readers for a number that does not fit. */
class Unfit extends Error {}

/** A copy with the bytes of each element the other way round. */
export function swapped(bytes: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i += size)
    for (let j = 0; j < size; j++) out[i + j] = bytes[i + size - 1 - j] as number;
  return out;
}

/** The strides of elements in row-major order, or with the first dim running fastest. */
export function stridesOf(shape: readonly number[], fortran = false): number[] {
  const strides: number[] = new Array(shape.length);
  let step = 1;
  for (let i = 0; i < shape.length; i++) {
    const d = fortran ? i : shape.length - 1 - i;
    strides[d] = step;
    step *= shape[d] as number;
  }
  return strides;
}

/** How many elements a shape has; NaN where that is no safe number, even of a part of its dims. */
export const countOf = (shape: readonly number[]): number =>
  shape.reduce((count, size) => {
    const next = count * size;
    return Number.isSafeInteger(next) && Number.isSafeInteger(size) && size >= 0 ? next : Number.NaN;
  }, 1);

/** How many elements lie from the first of a layout to its last. */
export const extentOf = (shape: readonly number[], strides: readonly number[]): number =>
  shape.includes(0) ? 0 : shape.reduce((last, size, d) => last + (size - 1) * (strides[d] as number), 1);

const isRowMajor = (shape: readonly number[], strides: readonly number[]): boolean => {
  const plain = stridesOf(shape);
  return shape.includes(0) || shape.every((size, d) => size === 1 || strides[d] === plain[d]);
};

/** Copies a strided layout into row-major order. */
function gather<A extends Data>(source: A, shape: readonly number[], strides: readonly number[]): A {
  const out = new (source.constructor as new (count: number) => A)(countOf(shape));
  const [width = 1, step = 1] = [shape.at(-1), strides.at(-1)];
  const places = new Array<number>(Math.max(0, shape.length - 1)).fill(0);
  let row = 0;
  for (let to = 0; to < out.length; to += width) {
    for (let i = 0, from = row; i < width; i++, from += step) out[to + i] = source[from] as never;
    for (let d = places.length - 1; d >= 0; d--) {
      row += strides[d] as number;
      if (++(places[d] as number) < (shape[d] as number)) break;
      row -= (shape[d] as number) * (strides[d] as number);
      places[d] = 0;
    }
  }
  return out;
}

/**
 * Reads a tensor, as a view of the bytes where dtype, layout and alignment allow. The caller knows that it lies in
 * them.
 * @param bad makes the error for numbers that no dtype here holds
 */
export function readStored(stored: Stored, wide: boolean, bad: (what: string) => FormatError): StoredTensor {
  const { code, shape, strides, offset, bigEndian } = stored;
  const { size } = READERS.get(code) as Reader;
  const count = extentOf(shape, strides);
  const from = offset * size;
  let bytes = stored.bytes.subarray(from, from + count * size);
  if (bigEndian && size > 1) bytes = swapped(bytes, size);
  const { dtype, data } = readElements(code, bytes, count, wide, bad);
  return {
    dtype,
    shape: [...shape],
    data: isRowMajor(shape, strides) ? data : gather(data, shape, strides),
  } as FileTensor;
}

function readElements(
  code: string,
  bytes: Uint8Array,
  count: number,
  wide: boolean,
  bad: (what: string) => FormatError,
): StoredTensor {
  const { dtype, read } = READERS.get(code) as Reader;
  try {
    const data = read(bytes.buffer, bytes.byteOffset, count, (at, problem) => new Unfit(`${problem} at element ${at}`));
    return { dtype, shape: [count], data } as StoredTensor;
  } catch (error) {
    if (!(error instanceof Unfit)) throw error;
    const keep = WIDE[code];
    if (wide && keep) return keep(bytes, count);
    throw bad(error.message + (keep ? '; pass { wide: true } to keep it' : ''));
  }
}

/** A tensor of the caller's as what is written of it. @throws ArgumentError unless it is one */
export function checkedTensor(op: string, where: string, tensor: unknown): StoredTensor {
  const { dtype, shape, data } = (tensor ?? {}) as Partial<StoredTensor>;
  const writer = rowOf(WRITERS, dtype);
  const kind = ArrayBuffer.isView(data) ? Object.prototype.toString.call(data).slice(8, -1) : describe(data);
  if (writer === undefined || kind !== writer.array || !Array.isArray(shape))
    throw new ArgumentError(
      `${op}: expected a tensor, or { dtype, shape, data } of the dtype ${Object.keys(WRITERS).join(', ')}${where}, got ${writer ? `${dtype} as ${kind}` : describe(tensor)}`,
    );
  if (countOf(shape) !== (data as Data).length)
    throw new ArgumentError(
      `${op}: expected data that fills shape ${formatShape(shape)}${where}, got ${(data as Data).length} elements`,
    );
  return { dtype, shape, data } as StoredTensor;
}

/** What files are made of. */
export type Savable = Tensor | StoredTensor;

/** Whether `x` has the fields of a tensor. */
export const isTensorLike = (x: object): boolean => 'dtype' in x && 'shape' in x && 'data' in x;
