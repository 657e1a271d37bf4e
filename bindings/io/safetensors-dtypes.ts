// The dtypes of safetensors: what the library writes, and how each dtype that may be read becomes one of its own three.
import { fromFloat16 } from '../data/half.ts';

/** The dtypes that are written, and the arrays that hold them. */
export interface FileArrays {
  /** Floats of 32 bits. */
  f32: Float32Array;
  /** Signed integers of 32 bits. */
  i32: Int32Array;
  /** Bytes. */
  u8: Uint8Array;
}

/** A tensor in a file, of dtype K. */
export interface FileTensorOf<K extends keyof FileArrays> {
  /** The element type. */
  dtype: K;
  /** Sizes, outermost first. */
  shape: readonly number[];
  /** One element for each position of `shape`, the last axis running fastest. */
  data: FileArrays[K];
}

/** A tensor in a file: which of the arrays `data` is, `dtype` tells. */
export type FileTensor = { [K in keyof FileArrays]: FileTensorOf<K> }[keyof FileArrays];

/** The dtypes that files have beside those of tensors, and the arrays that hold them. */
export interface WideArrays {
  /** Floats of 64 bits. */
  f64: Float64Array;
  /** Signed integers of 64 bits. */
  i64: BigInt64Array;
  /** Unsigned integers of 64 bits. */
  u64: BigUint64Array;
  /** The bits of floats of 16 bits (IEEE 754 binary16). */
  f16: Uint16Array;
  /** The bits of bfloat16: the upper halves of f32. */
  bf16: Uint16Array;
}

/** A tensor in a file, of a dtype that no tensor here has. */
export interface WideTensorOf<K extends keyof WideArrays> {
  /** The element type. */
  dtype: K;
  /** Sizes, outermost first. */
  shape: readonly number[];
  /** One element for each position of `shape`, the last axis running fastest. */
  data: WideArrays[K];
}

/** A tensor in a file, of a dtype that no tensor here has: which of the arrays `data` is, `dtype` tells. */
export type WideTensor = { [K in keyof WideArrays]: WideTensorOf<K> }[keyof WideArrays];
/** A tensor in a file, of any dtype that is written. */
export type StoredTensor = FileTensor | WideTensor;

type Dtype = FileTensor['dtype'];
type Data = FileTensor['data'];

/** How a dtype is written. */
export interface Writer {
  readonly code: string;
  readonly order: number;
  /** The name of the array that holds it; classes differ between a page and its frames. */
  readonly array: string;
}

/** `order` is the reference's order of alignment: the widest dtype stands first in a file. */
export const WRITERS: Readonly<Record<StoredTensor['dtype'], Writer>> = {
  f32: { code: 'F32', order: 4, array: 'Float32Array' },
  i32: { code: 'I32', order: 3, array: 'Int32Array' },
  u8: { code: 'U8', order: 0, array: 'Uint8Array' },
  f64: { code: 'F64', order: 5, array: 'Float64Array' },
  i64: { code: 'I64', order: 6, array: 'BigInt64Array' },
  u64: { code: 'U64', order: 7, array: 'BigUint64Array' },
  f16: { code: 'F16', order: 1, array: 'Uint16Array' },
  bf16: { code: 'BF16', order: 2, array: 'Uint16Array' },
};

/** Makes the error for an element that has no place in the library's dtype. */
type Refuse = (index: number, problem: string) => Error;

/** How one dtype of the format is read. */
export interface Reader {
  /** Bytes an element takes in the file. */
  readonly size: number;
  /** What it becomes. */
  readonly dtype: Dtype;
  /** Reads `count` elements at byte `offset` of `buffer`; the range is inside it. */
  readonly read: (buffer: ArrayBufferLike, offset: number, count: number, refuse: Refuse) => Data;
}

type ViewClass<T> = {
  new (buffer: ArrayBufferLike, offset: number, count: number): T;
  readonly BYTES_PER_ELEMENT: number;
};

/**
 * A view where the alignment allows one, else of a copy. Engines with WebAssembly SIMD are little endian, as the format
 * is.
 */
export function view<T>(Class: ViewClass<T>, buffer: ArrayBufferLike, offset: number, count: number): T {
  if (offset % Class.BYTES_PER_ELEMENT === 0) return new Class(buffer, offset, count);
  return new Class(buffer.slice(offset, offset + count * Class.BYTES_PER_ELEMENT), 0, count);
}

/** Read as it stands. */
function same(dtype: Dtype, Class: ViewClass<Data>): Reader {
  return { size: Class.BYTES_PER_ELEMENT, dtype, read: (buffer, offset, count) => view(Class, buffer, offset, count) };
}

/** Converted element by element to f32. */
function toFloat<T extends ArrayLike<number>>(
  Class: ViewClass<T>,
  convert: (source: T, refuse: Refuse) => Float32Array,
): Reader {
  return {
    size: Class.BYTES_PER_ELEMENT,
    dtype: 'f32',
    read: (buffer, offset, count, refuse) => convert(view(Class, buffer, offset, count), refuse),
  };
}

/** Rounded to nearest. What was infinite stays so; what would become so is refused. */
function fromFloat64(source: Float64Array, refuse: Refuse): Float32Array {
  const out = new Float32Array(source.length);
  for (let i = 0; i < source.length; i++) {
    const value = source[i] as number;
    out[i] = value;
    if (Number.isFinite(value) && !Number.isFinite(out[i]))
      throw refuse(i, `expected a value that fits f32, got ${value}`);
  }
  return out;
}

/** Converted to i32, where every value must fit. */
function toInt(Class: ViewClass<ArrayLike<number | bigint>>): Reader {
  return {
    size: Class.BYTES_PER_ELEMENT,
    dtype: 'i32',
    read: (buffer, offset, count, refuse) => {
      const source = view(Class, buffer, offset, count);
      const out = new Int32Array(count);
      for (let i = 0; i < count; i++) {
        const value = source[i] as number | bigint;
        if (value < -(2 ** 31) || value >= 2 ** 31) throw refuse(i, `expected a value that fits i32, got ${value}`);
        out[i] = Number(value);
      }
      return out;
    },
  };
}

const bool: Reader = {
  size: 1,
  dtype: 'u8',
  read: (buffer, offset, count, refuse) => {
    const data = new Uint8Array(buffer, offset, count);
    const index = data.findIndex((byte) => byte > 1);
    if (index >= 0) throw refuse(index, `expected 0 or 1, got ${data[index]}`);
    return data;
  },
};

/** bfloat16 is the upper half of f32. */
function fromBfloat16(source: Uint16Array): Float32Array {
  const bits = new Uint32Array(source.length);
  for (let i = 0; i < source.length; i++) bits[i] = (source[i] as number) << 16;
  return new Float32Array(bits.buffer);
}

/** Every dtype that can be read, by the name the format gives it. */
export const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['F32', same('f32', Float32Array)],
  ['I32', same('i32', Int32Array)],
  ['U8', same('u8', Uint8Array)],
  ['F64', toFloat(Float64Array, fromFloat64)],
  ['F16', toFloat(Uint16Array, fromFloat16)],
  ['BF16', toFloat(Uint16Array, fromBfloat16)],
  ['I8', toInt(Int8Array)],
  ['I16', toInt(Int16Array)],
  ['I64', toInt(BigInt64Array)],
  ['U16', toInt(Uint16Array)],
  ['U32', toInt(Uint32Array)],
  ['U64', toInt(BigUint64Array)],
  ['BOOL', bool],
]);

/** The reference sorts names by their UTF-8 bytes, which is the order of code points, not of UTF-16 units. */
export function byName(a: string, b: string): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const x = a.codePointAt(i) as number;
    const y = b.codePointAt(i) as number;
    if (x !== y) return x - y;
  }
  return a.length - b.length;
}
