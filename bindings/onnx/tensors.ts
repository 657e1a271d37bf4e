// The numbers of a tensor in a file: in the message, as bytes or as a list, or in a file beside it.
import { READERS } from '../io/safetensors-dtypes.ts';
import { FormatError, formatShape } from '../memory/errors.ts';
import { DATA, LOCATION, type TensorProto } from './messages.ts';
import type { ElementType } from './values.ts';

/** Numbers with their type and shape. */
export interface Constant {
  readonly type: ElementType;
  readonly sizes: readonly number[];
  readonly data: ArrayLike<number>;
}

/** Bytes of parts of files beside the model, by {@link placeKey}. */
export type Beside = ReadonlyMap<string, Uint8Array>;

type Numbers = new (buffer: ArrayBuffer, byteOffset: number, count: number) => ArrayLike<number | bigint>;
const ARRAYS: Readonly<Record<number, Numbers & { readonly BYTES_PER_ELEMENT: number }>> = {
  [DATA.FLOAT]: Float32Array,
  [DATA.UINT8]: Uint8Array,
  [DATA.INT8]: Int8Array,
  [DATA.UINT16]: Uint16Array,
  [DATA.INT16]: Int16Array,
  [DATA.INT32]: Int32Array,
  [DATA.INT64]: BigInt64Array,
  [DATA.BOOL]: Uint8Array,
  [DATA.FLOAT16]: Uint16Array,
  [DATA.DOUBLE]: Float64Array,
  [DATA.UINT32]: Uint32Array,
  [DATA.UINT64]: BigUint64Array,
  [DATA.BFLOAT16]: Uint16Array,
};
const HALVES: Readonly<Record<number, string>> = { [DATA.FLOAT16]: 'F16', [DATA.BFLOAT16]: 'BF16' };
/** Types of four bits, two in a byte. */
const NIBBLES: readonly number[] = [DATA.INT4, DATA.UINT4];

const nameOf = (type: number): string => Object.entries(DATA).find(([, value]) => value === type)?.[0] ?? String(type);

export const bad = (what: string): FormatError => new FormatError(`onnx: expected ${what}`);

/** @throws FormatError for sizes that are none, or more than a tensor can have */
export function sizesOf(proto: { readonly dims: Iterable<number | bigint> }, what: string): number[] {
  const sizes = Array.from(proto.dims, Number);
  let count = 1;
  for (const size of sizes) count *= Math.max(size, 1);
  if (!sizes.every((size) => Number.isSafeInteger(size) && size >= 0) || count >= 2 ** 31)
    throw bad(`sizes that a tensor can have in '${what}', got ${formatShape(sizes)}`);
  return sizes;
}

/** Where the bytes are that a model has in another file. */
export function placeOf(proto: TensorProto): { location: string; offset: number; length: number | null } {
  const entries = new Map(proto.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get('location') ?? '';
  if (location === '' || /^[/\\]|^\w+:|(^|[/\\])\.\.([/\\]|$)|\0/.test(location))
    throw bad(`the name of a file beside the model for '${proto.name ?? ''}', got '${location}'`);
  const length = entries.get('length');
  return { location, offset: Number(entries.get('offset') ?? 0), length: length === undefined ? null : Number(length) };
}

/** Whether its numbers are in a file beside the model. */
export const isOutside = ({ dataLocation }: TensorProto): boolean => (dataLocation ?? 0) === LOCATION.EXTERNAL;

/** Tells the places of tensors in other files apart. */
export function placeKey(proto: TensorProto): string {
  const { location, offset, length } = placeOf(proto);
  return `${offset} ${length} ${location}`;
}

function rawOf(proto: TensorProto, beside: Beside | undefined): Uint8Array | undefined {
  if (!isOutside(proto)) return proto.rawData;
  const part = beside?.get(placeKey(proto));
  if (part) return part;
  throw bad(
    `the bytes of '${placeOf(proto).location}', where the model has '${proto.name ?? ''}', got none; give externalData`,
  );
}

function listOf(proto: TensorProto, type: ElementType): ArrayLike<number> {
  const { floatData, doubleData, int64Data, uint64Data, int32Data } = proto;
  if (type === DATA.FLOAT) return floatData;
  if (type === DATA.DOUBLE) return doubleData;
  if (type === DATA.INT64) return int64Data.map(Number);
  if (type === DATA.UINT64 || type === DATA.UINT32) return uint64Data.map(Number);
  return int32Data;
}

const halves = (type: ElementType, bits: Uint16Array): ArrayLike<number> =>
  (READERS.get(HALVES[type] as string) as NonNullable<ReturnType<typeof READERS.get>>).read(
    bits.buffer,
    bits.byteOffset,
    bits.length,
    (_, problem) => bad(problem),
  );

function nibbles(type: ElementType, bytes: ArrayLike<number>, count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const value = ((bytes[i >> 1] as number) >> (4 * (i & 1))) & 15;
    return type === DATA.INT4 && value > 7 ? value - 16 : value;
  });
}

/**
 * The floats that quantised numbers stand for, with one scale for all or one for each part along an axis; null for
 * scales of blocks.
 */
export function dequantised(x: Constant, scale: Constant, zero: Constant | null, axis: number): Constant | null {
  const each = scale.data.length > 1;
  const dim = axis < 0 ? axis + x.sizes.length : axis;
  if (scale.sizes.length > 1 || (each && x.sizes[dim] !== scale.data.length)) return null;
  const inner = x.sizes.slice(dim + 1).reduce((a, b) => a * b, 1);
  const data = Float32Array.from(x.data, (value, i) => {
    const part = each ? Math.floor(i / inner) % scale.data.length : 0;
    return (value - (zero?.data[zero.data.length > 1 ? part : 0] ?? 0)) * (scale.data[part] as number);
  });
  return { type: scale.type, sizes: x.sizes, data };
}

/** Numbers where their bytes are, or in a copy that begins where numbers may. */
function viewOf(Numbers: (typeof ARRAYS)[number], bytes: Uint8Array, count: number): ArrayLike<number | bigint> {
  const fits = bytes.byteOffset % Numbers.BYTES_PER_ELEMENT === 0;
  const { buffer, byteOffset } = fits ? bytes : Uint8Array.from(bytes);
  return new Numbers(buffer as ArrayBuffer, byteOffset, count);
}

/**
 * The numbers of a tensor; those of 64 bits are rounded to doubles.
 * @throws FormatError
 */
export function readTensor(proto: TensorProto, beside?: Beside): Constant {
  const type = proto.dataType ?? 0;
  const name = proto.name ?? '';
  const sizes = sizesOf(proto, name);
  const count = sizes.reduce((a, b) => a * b, 1);
  const Numbers = ARRAYS[type];
  const packed = NIBBLES.includes(type);
  if (!Numbers && !packed) throw bad(`a type of numbers in '${name}', got ${nameOf(type)}`);
  const raw = rawOf(proto, beside);
  const items = packed ? Math.ceil(count / 2) : count;
  let data: ArrayLike<number | bigint>;
  if (raw && (raw.length > 0 || count === 0)) {
    const bytes = items * (Numbers?.BYTES_PER_ELEMENT ?? 1);
    if (raw.length !== bytes) throw bad(`${bytes} bytes for ${formatShape(sizes)} in '${name}', got ${raw.length}`);
    data = Numbers ? viewOf(Numbers, raw, items) : raw;
  } else {
    data = listOf(proto, type);
    if (data.length !== items) throw bad(`${items} numbers for ${formatShape(sizes)} in '${name}', got ${data.length}`);
    if (HALVES[type]) data = Uint16Array.from(data as ArrayLike<number>);
  }
  if (packed) data = nibbles(type, data as ArrayLike<number>, count);
  else if (HALVES[type]) data = halves(type, data as Uint16Array);
  else if (typeof data[0] === 'bigint') data = Array.from(data, Number);
  else if (type === DATA.DOUBLE) data = Float32Array.from(data as ArrayLike<number>);
  return { type, sizes, data: data as ArrayLike<number> };
}
