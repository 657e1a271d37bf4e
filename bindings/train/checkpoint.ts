// States as bytes: JSON, and beside it the tensors and arrays that it names, in the format of safetensors.
import type { Bytes } from '../data/bytes.ts';
import { checksum } from '../io/checksum.ts';
import { jsonFault } from '../io/plain.ts';
import { decodeSafetensors, encodeSafetensors, type FileTensor } from '../io/safetensors.ts';
import { isPlain } from '../kinds.ts';
import { record, rowOf } from '../lookup.ts';
import { ArgumentError, describe, FormatError } from '../memory/errors.ts';
import { Tensor } from '../tensor.ts';

const FORMAT = 'retrograd trainer 1';

/** The arrays that a state may hold. */
const ARRAYS = {
  Float32Array,
  Float64Array,
  Int8Array,
  Uint8Array,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
} as const;

/** The key, alone in its object, of what stands in the JSON for what that cannot hold, told by a list. */
const MARK = '$';
/** A tensor or an array, by its path; a number that is not finite. */
type Stand = readonly ['tensor', string] | readonly ['number', string] | readonly [keyof typeof ARRAYS, string];
const stand = (...what: Stand): Record<string, Stand> => ({ [MARK]: what });

/** The JSON of a state. @param tensors gets the tensors and arrays in it, by their paths */
function frozen(value: unknown, path: string, tensors: Record<string, FileTensor>): unknown {
  if (value instanceof Tensor) {
    const { dtype, shape, data } = value;
    tensors[path] = { dtype, shape, data } as FileTensor;
    return stand('tensor', path);
  }
  if (ArrayBuffer.isView(value)) {
    const name = value.constructor.name as keyof typeof ARRAYS;
    if (!(name in ARRAYS))
      throw new ArgumentError(
        `checkpoint: expected numbers of up to 32 bits or f64, got ${describe(value)} at ${path}`,
      );
    const data = new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice();
    tensors[path] = { dtype: 'u8', shape: [data.length], data };
    return stand(name, path);
  }
  if (typeof value === 'number' && !Number.isFinite(value)) return stand('number', String(value));
  const below = (key: string | number, item: unknown): unknown =>
    frozen(item, path ? `${path}.${key}` : `${key}`, tensors);
  if (Array.isArray(value)) return value.map((item, i) => below(i, item));
  if (!isPlain(value)) return value;
  const fields = Object.entries(value).filter(([, item]) => item !== undefined);
  const strange = fields.find(([key]) => key === MARK);
  if (strange)
    throw new ArgumentError(`checkpoint: expected names other than '$', got ${describe(strange[0])} at ${path}`);
  return record(fields.map(([key, item]) => [key, below(key, item)]));
}

const bad = (what: string, cause?: unknown): FormatError =>
  new FormatError(`decodeCheckpoint: expected ${what}`, cause === undefined ? {} : { cause });

/** The state of which `frozen` made JSON. */
function thawed(value: unknown, tensors: Readonly<Record<string, FileTensor>>): unknown {
  if (Array.isArray(value)) return value.map((item) => thawed(item, tensors));
  if (!isPlain(value)) return value;
  const mark = value[MARK] as Stand | undefined;
  if (!mark) return record(Object.entries(value).map(([key, item]) => [key, thawed(item, tensors)]));
  const [what, path] = mark;
  if (what === 'number') return Number(path);
  const found = Object.hasOwn(tensors, path) ? tensors[path] : undefined;
  if (!found) throw bad(`numbers for ${path}, got none; the file is damaged`);
  if (what === 'tensor') return found;
  const Type = rowOf(ARRAYS, what);
  if (!Type) throw bad(`an array of numbers at ${path}, got ${describe(what)}`);
  return new Type(found.data.slice().buffer as ArrayBuffer);
}

/** @throws ArgumentError for what JSON would lose */
function toJson(name: string, value: unknown): string {
  const fault = jsonFault(value, name);
  if (fault) throw new ArgumentError(`encodeCheckpoint: expected in ${name} ${fault}; store it in another form`);
  return JSON.stringify(value);
}

/** A state and what users add, as bytes. @throws ArgumentError for what cannot be kept; FreedError */
export function encodeState(state: unknown, extra: unknown): Uint8Array {
  const tensors = record<FileTensor>();
  const json = toJson('the state', frozen(state, '', tensors));
  const metadata = record<string>([
    ['format', FORMAT],
    ['state', json],
    ['extra', toJson('extra', extra)],
  ]);
  metadata.checksum = checksum(tensors, metadata);
  return encodeSafetensors(tensors, metadata);
}

/** The state and the extra of `encodeState`; tensors are numbers with a shape. @throws FormatError */
export function decodeState(bytes: Bytes): { readonly state: unknown; readonly extra: unknown } {
  const { tensors, metadata } = decodeSafetensors(bytes);
  if (metadata.format !== FORMAT) throw bad(`a file of format '${FORMAT}', got ${describe(metadata.format)}`);
  const sum = checksum(tensors, metadata);
  if (metadata.checksum !== sum)
    throw bad(`a file with the checksum ${sum}, got ${describe(metadata.checksum)}; it is damaged`);
  const read = (name: string): unknown => {
    try {
      return JSON.parse(metadata[name] as string);
    } catch (cause) {
      throw bad(`JSON in metadata '${name}', got ${describe(metadata[name])}`, cause);
    }
  };
  return { state: thawed(read('state'), tensors), extra: read('extra') };
}
