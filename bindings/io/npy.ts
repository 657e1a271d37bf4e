// NumPy's .npy: a magic text, a version, a header that Python would read as a dict, then the numbers; and .npz, a zip
// archive of such files.

import { type Bytes, bytesOf } from '../data/bytes.ts';
import { MAGIC, npyHeader } from '../data/readers/npy-header.ts';
import { record } from '../lookup.ts';
import { ArgumentError, FormatError } from '../memory/errors.ts';
import { checkedTensor, countOf, readStored, type Savable, stridesOf, type WideOptions } from './arrays.ts';
import { ofForms, promised } from './declare.ts';
import { readFileBytes, writeFileAtomic } from './files.ts';
import { otherKind } from './others.ts';
import { type FileTensor, READERS, type Reader, type StoredTensor, type WideTensorOf } from './safetensors-dtypes.ts';
import { deflated, writeZip, ZipReader } from './zip.ts';

/** What decoders give that are told to keep wide numbers. */
export type NumpyTensor = FileTensor | WideTensorOf<'f64'> | WideTensorOf<'i64'> | WideTensorOf<'u64'>;

/** What decoders give with the options O. */
export type NumpyOf<O extends WideOptions> = O['wide'] extends true ? NumpyTensor : FileTensor;

/** Options of {@link encodeNpz} and {@link saveNpz}. */
export interface NpzOptions {
  /** Whether the numbers are deflated, as `numpy.savez_compressed` does. @defaultValue false */
  compressed?: boolean;
}

/** NumPy's dtypes by the names of READERS. */
const CODES: Readonly<Record<string, string>> = record([
  ['b1', 'BOOL'],
  ['i1', 'I8'],
  ['i2', 'I16'],
  ['i4', 'I32'],
  ['i8', 'I64'],
  ['u1', 'U8'],
  ['u2', 'U16'],
  ['u4', 'U32'],
  ['u8', 'U64'],
  ['f2', 'F16'],
  ['f4', 'F32'],
  ['f8', 'F64'],
]);
/** What is written of each dtype. */
const WRITTEN: Readonly<Record<StoredTensor['dtype'], string>> = {
  f32: '<f4',
  i32: '<i4',
  u8: '|u1',
  f64: '<f8',
  i64: '<i8',
  u64: '<u8',
  f16: '<f2',
  bf16: '',
};

/** Reads one array. `where` is its name in an archive, for errors. */
function readNpy(op: string, where: string, bytes: Uint8Array, wide: boolean): StoredTensor {
  const bad = (what: string): FormatError => new FormatError(`${op}: expected ${what}${where}`);
  const other = otherKind(bytes);
  if (other && bytes[0] !== 0x93) throw bad(`a file of NumPy, got ${other}`);
  const { order, name, fortran, shape, from } = npyHeader(bytes, bad);
  const code = CODES[name] as string;
  const { size } = READERS.get(code) as Reader;
  const need = countOf(shape) * size;
  const content = bytes.subarray(from);
  if (!Number.isSafeInteger(need)) throw bad(`a shape that fits the file, got [${shape}]`);
  if (content.length !== need) throw bad(`${need} bytes of ${name} [${shape}], got ${content.length}`);
  const strides = stridesOf(shape, fortran);
  return readStored({ bytes: content, code, shape, strides, offset: 0, bigEndian: order === '>' }, wide, (what) =>
    bad(`${what} of ${name} [${shape}]`),
  );
}

/**
 * Reads a `.npy` file of NumPy: any byte order, in C or Fortran order, versions 1 to 3. Numbers become those of tensors
 * as {@link decodeSafetensors} has it, and show the bytes of `source` where they can.
 * @param source the whole file
 * @throws FormatError for a file that is none or is damaged, for records, objects, text, dates and complex numbers,
 * which it names, and for numbers that do not fit
 */
export const decodeNpy = ofForms(['decodeNpy(source: bytes, *, wide: bool = false)'], (source: Bytes, wide: boolean) =>
  readNpy('decodeNpy', '', bytesOf('decodeNpy', source), wide),
) as unknown as <O extends WideOptions>(source: Bytes, options?: O) => NumpyOf<O>;

/**
 * Writes a `.npy` file of NumPy, in C order.
 * @param tensor a tensor, or dtype, shape and data
 * @throws ArgumentError for what is none, and for bf16, which NumPy lacks
 */
export const encodeNpy: (tensor: Savable) => Uint8Array = ofForms(['encodeNpy(tensor: any)'], (tensor: Savable) =>
  written('encodeNpy', '', tensor),
);

function written(op: string, where: string, tensor: unknown): Uint8Array {
  const { dtype, shape, data } = checkedTensor(op, where, tensor);
  const descr = WRITTEN[dtype];
  if (descr === '')
    throw new ArgumentError(`${op}: expected a dtype that NumPy has, got ${dtype}${where}; make it f32 or f16`);
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${sizes}), }`;
  // Spaces and a newline let the numbers begin at a multiple of 64.
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const out = new Uint8Array(10 + length + data.byteLength);
  const head = `${MAGIC}\x01\x00${String.fromCharCode(length & 255, length >> 8)}${text.padEnd(length - 1)}\n`;
  for (let i = 0; i < head.length; i++) out[i] = head.charCodeAt(i);
  out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 10 + length);
  return out;
}

/**
 * Reads a `.npy` file; see {@link decodeNpy}. Node only. @throws what decodeNpy does; the system's error; BackendError
 */
export const loadNpy = promised(['loadNpy(path: path, *, wide: bool = false)'], (async (path: string, wide: boolean) =>
  readNpy('loadNpy', '', await readFileBytes(path), wide)) as never) as unknown as <O extends WideOptions>(
  path: string,
  options?: O,
) => Promise<NumpyOf<O>>;

/**
 * Writes a `.npy` file, atomically; see {@link encodeNpy}. Node only. @throws what encodeNpy does; the system's error
 */
export const saveNpy: (path: string, tensor: Savable) => Promise<void> = promised(
  ['saveNpy(path: path, tensor: any)'],
  (path: string, tensor: Savable): Promise<void> => writeFileAtomic(path, written('saveNpy', '', tensor)),
);

async function readNpz(op: string, bytes: Uint8Array, wide: boolean): Promise<Record<string, StoredTensor>> {
  const zip = new ZipReader(op, bytes);
  const arrays = record<StoredTensor>();
  for (const entry of Object.values(zip.entries)) {
    const name = entry.name.replace(/\.npy$/, '');
    if (name in arrays) throw new FormatError(`${op}: expected each array once, got ${JSON.stringify(name)} again`);
    arrays[name] = readNpy(op, ` in ${JSON.stringify(entry.name)}`, await zip.read(entry), wide);
  }
  return arrays;
}

/**
 * Reads a `.npz` archive of NumPy, deflated or not: its arrays by name; see {@link decodeNpy}.
 * @param source the whole file
 * @returns an object without a prototype
 * @throws FormatError; BackendError where it is deflated and the engine has no streams for that
 */
export const decodeNpz = promised(['decodeNpz(source: bytes, *, wide: bool = false)'], (async (
  source: Bytes,
  wide: boolean,
) => readNpz('decodeNpz', bytesOf('decodeNpz', source), wide)) as never) as unknown as <O extends WideOptions>(
  source: Bytes,
  options?: O,
) => Promise<Record<string, NumpyOf<O>>>;

/** The longest name of a file in an archive. */
const LONGEST_NAME = 60_000;

async function archive(
  op: string,
  tensors: Readonly<Record<string, Savable>>,
  compressed: boolean,
): Promise<Uint8Array> {
  const files = Object.entries(tensors).map(([name, tensor]) => {
    if (name.length > LONGEST_NAME / 3)
      throw new ArgumentError(`${op}: expected names of at most ${LONGEST_NAME / 3} letters, got ${name.length}`);
    return { name: `${name}.npy`, bytes: written(op, ` in ${JSON.stringify(name)}`, tensor) };
  });
  if (!compressed) return writeZip(op, files, 64);
  const packed: { name: string; bytes: Uint8Array; packed: Uint8Array }[] = [];
  for (const each of files) packed.push({ ...each, packed: await deflated(op, each.bytes) });
  return writeZip(op, packed);
}

/**
 * Writes a `.npz` archive of NumPy.
 * @param tensors by name, such as a `stateDict()`
 * @throws ArgumentError where an entry cannot be written, and where it would pass 4 GiB; BackendError where it is to be
 * compressed and the engine has no streams for that
 */
export const encodeNpz: (tensors: Record<string, Savable>, options?: NpzOptions) => Promise<Uint8Array> = promised(
  ['encodeNpz(tensors: tensors, *, compressed: bool = false)'],
  ((tensors: Record<string, Savable>, compressed: boolean) => archive('encodeNpz', tensors, compressed)) as never,
);

/** Reads a `.npz` archive; see {@link decodeNpz}. Node only. @throws what decodeNpz does; the system's error */
export const loadNpz = promised(['loadNpz(path: path, *, wide: bool = false)'], (async (path: string, wide: boolean) =>
  readNpz('loadNpz', await readFileBytes(path), wide)) as never) as unknown as <O extends WideOptions>(
  path: string,
  options?: O,
) => Promise<Record<string, NumpyOf<O>>>;

/**
 * Writes a `.npz` archive, atomically; see {@link encodeNpz}. Node only. @throws what encodeNpz does; the system's
 * error
 */
export const saveNpz: (path: string, tensors: Record<string, Savable>, options?: NpzOptions) => Promise<void> =
  promised(['saveNpz(path: path, tensors: tensors, *, compressed: bool = false)'], (async (
    path: string,
    tensors: Record<string, Savable>,
    compressed: boolean,
  ) => writeFileAtomic(path, await archive('saveNpz', tensors, compressed))) as never);
