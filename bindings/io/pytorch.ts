// Files of PyTorch's torch.save: a pickle of nested values whose tensors refer to storages, in a zip archive beside
// them or, before PyTorch 1.6, one after the other in the file.

import { type Bytes, bytesOf } from '../data/bytes.ts';
import { record } from '../lookup.ts';
import { describe, type FormatError, FormatError as Wrong } from '../memory/errors.ts';
import { countOf, extentOf, readStored } from './arrays.ts';
import { otherKind } from './others.ts';
import { isDict, PickleGlobal, type PickleWorld, unpickle } from './pickle.ts';
import { type FileTensor, READERS, type Reader } from './safetensors-dtypes.ts';
import { ZipReader } from './zip.ts';

const OP = 'decodePyTorch';
const bad = (what: string): FormatError => new Wrong(`${OP}: expected ${what}`);
/** PyTorch's limit. */
const MAX_RANK = 64;
/** Bytes that copies of numbers may take for each byte of the file, and beside: views may show one number often. */
const MOST_COPIED = 16;
const MOST_COPIED_FREE = 1 << 20;

/** Storages of PyTorch and dtypes of tensors, by the names of READERS. */
const STORAGES: Readonly<Record<string, string>> = record([
  ['FloatStorage', 'F32'],
  ['DoubleStorage', 'F64'],
  ['HalfStorage', 'F16'],
  ['BFloat16Storage', 'BF16'],
  ['LongStorage', 'I64'],
  ['IntStorage', 'I32'],
  ['ShortStorage', 'I16'],
  ['CharStorage', 'I8'],
  ['ByteStorage', 'U8'],
  ['BoolStorage', 'BOOL'],
  ['UntypedStorage', 'U8'],
  ['QInt8Storage', 'I8'],
  ['QUInt8Storage', 'U8'],
  ['QInt32Storage', 'I32'],
]);
/** How quantised tensors say what their numbers stand for. */
const SCHEMES = /^per_(tensor_affine|channel_affine(_float_qparams)?)$/;
const DTYPES: Readonly<Record<string, string>> = record([
  ['float32', 'F32'],
  ['float', 'F32'],
  ['float64', 'F64'],
  ['double', 'F64'],
  ['float16', 'F16'],
  ['half', 'F16'],
  ['bfloat16', 'BF16'],
  ['int64', 'I64'],
  ['long', 'I64'],
  ['int32', 'I32'],
  ['int', 'I32'],
  ['int16', 'I16'],
  ['short', 'I16'],
  ['int8', 'I8'],
  ['uint8', 'U8'],
  ['uint16', 'U16'],
  ['uint32', 'U32'],
  ['uint64', 'U64'],
  ['bool', 'BOOL'],
]);

/** A storage that a pickle refers to: a part of one in the file. */
class Storage {
  readonly key: string;
  readonly code: string;
  /** Elements of it. */
  readonly count: number;
  /** Elements of the file's storage in front of it. */
  readonly offset: number;

  constructor(key: string, code: string, count: number, offset = 0) {
    this.key = key;
    this.code = code;
    this.count = count;
    this.offset = offset;
  }
}

/** A tensor whose numbers are still to be read: it is in its place among the values already. */
interface Pending {
  readonly tensor: FileTensor;
  readonly storage: Storage;
  readonly code: string;
  readonly offset: number;
  readonly strides: readonly number[];
  /** Of quantised numbers. */
  readonly scale?: Scale;
}

/** A number q stands for (q − zero) · scale: the same for all, or each part along an axis has its own. */
interface Scale {
  readonly scales: FileTensor;
  readonly zeros: FileTensor;
  readonly axis: number;
}

const single = (x: unknown): FileTensor => ({ dtype: 'f32', shape: [], data: Float32Array.of(Number(x)) });

function dequantised({ shape, data }: FileTensor, { scales, zeros, axis }: Scale): FileTensor {
  const inner = countOf(shape.slice(axis + 1));
  const count = scales.data.length;
  const parts = Float32Array.from(data as ArrayLike<number>, (q, i) => {
    const part = Math.floor(i / inner) % count;
    return (Number(q) - Number(zeros.data[part])) * Number(scales.data[part]);
  });
  return { dtype: 'f32', shape, data: parts };
}

const isCount = (x: unknown): x is number => Number.isSafeInteger(x) && (x as number) >= 0;
const areCounts = (x: unknown): x is number[] => Array.isArray(x) && x.every(isCount);

/** What a file's pickles may name, and the tensors that they made. */
class World implements PickleWorld {
  readonly pending: Pending[] = [];
  readonly #made = new Set<unknown>();
  readonly #counts = new Map<string, number>();

  bad(what: string): FormatError {
    return bad(what);
  }

  /** `(storage, offset, size, stride, …)`, and for storages without a type the dtype at `dtypeAt`. */
  #tensor(args: readonly unknown[], dtypeAt: number): FileTensor {
    const [storage, offset, shape, strides] = args;
    if (!(storage instanceof Storage) || !isCount(offset) || !areCounts(shape) || !areCounts(strides))
      throw bad('a storage, an offset, sizes and strides of a tensor, got other values');
    const named = args[dtypeAt];
    const code = typeof named === 'string' ? DTYPES[named.replace('torch.', '')] : storage.code;
    if (code === undefined || shape.length > MAX_RANK || shape.length !== strides.length)
      throw bad(
        `a tensor of at most ${MAX_RANK} dims and a dtype that is known, got [${shape.slice(0, MAX_RANK)}] of ${describe(named)}`,
      );
    const [from, to] = [(READERS.get(storage.code) as Reader).size, (READERS.get(code) as Reader).size];
    const room = Math.floor((storage.count * from) / to);
    const extent = extentOf(shape, strides);
    if (!(Number.isSafeInteger(countOf(shape)) && offset + extent <= room))
      throw bad(
        `a tensor inside its storage of ${room} elements, got [${shape}] with strides [${strides}] from ${offset}`,
      );
    const tensor = { dtype: 'f32', shape: [...shape], data: new Float32Array() } as FileTensor;
    this.#made.add(tensor);
    this.pending.push({ tensor, storage, code, offset: offset + (storage.offset * from) / to, strides: [...strides] });
    return tensor;
  }

  /** Its numbers become floats once they are there, those of their scales before them. */
  #quantised([storage, offset, shape, strides, way]: readonly unknown[]): FileTensor {
    const tensor = this.#tensor([storage, offset, shape, strides], -1);
    const [scheme, scales, zeros, axis] = Array.isArray(way) ? way : [];
    const whole = scheme === 'torch.per_tensor_affine';
    const own = whole ? [single(scales), single(zeros)] : [scales, zeros].filter((x) => this.#made.has(x));
    const [first, second] = own as FileTensor[];
    const count = whole ? 1 : tensor.shape[axis as number];
    if (!first || !second || [first, second].some((x) => countOf(x.shape) !== count))
      throw bad(`scales and zero points of a quantised tensor of shape [${tensor.shape}], got other values`);
    const last = this.pending.pop() as Pending;
    this.pending.push({ ...last, scale: { scales: first, zeros: second, axis: whole ? -1 : (axis as number) } });
    return tensor;
  }

  /** The first of the arguments, which is a tensor that was made before. */
  #parameter([tensor]: readonly unknown[]): unknown {
    if (!this.#made.has(tensor)) throw bad('a tensor as a parameter, got another value');
    return tensor;
  }

  /** `(function, type, args, state)`: a subclass of tensors, of which only PyTorch's own are known. */
  #fromType([call, type, args]: readonly unknown[]): unknown {
    if (!(call instanceof PickleGlobal) || !(type instanceof PickleGlobal) || !Array.isArray(args))
      throw bad('a tensor of a known class, got other values');
    return call.call(args);
  }

  readonly #calls: Readonly<Record<string, (args: readonly unknown[]) => unknown>> = record<
    (args: readonly unknown[]) => unknown
  >([
    ['torch._utils._rebuild_tensor', (args) => this.#tensor(args, -1)],
    ['torch._utils._rebuild_tensor_v2', (args) => this.#tensor(args, -1)],
    ['torch._utils._rebuild_tensor_v3', (args) => this.#tensor(args, 6)],
    ['torch._utils._rebuild_qtensor', (args) => this.#quantised(args)],
    ['torch._utils._rebuild_parameter', (args) => this.#parameter(args)],
    ['torch._utils._rebuild_parameter_with_state', (args) => this.#parameter(args)],
    ['torch._tensor._rebuild_from_type_v2', (args) => this.#fromType(args)],
    ['torch.Tensor', never],
    ['torch.nn.parameter.Parameter', never],
    ['torch.nn.parameter.Buffer', never],
    ['torch.Size', ([sizes]) => (areCounts(sizes) ? [...sizes] : never())],
    ['torch.device', (args) => (args.every((x) => typeof x === 'string' || isCount(x)) ? args.join(':') : never())],
    ['collections.OrderedDict', ([pairs]) => dictOf(pairs)],
    [
      'collections.Counter',
      ([items]) => (isDict(items) || items === undefined ? Object.assign(record(), items) : never()),
    ],
    ['builtins.set', ([items]) => new Set(Array.isArray(items) ? items : never())],
    ['builtins.frozenset', ([items]) => new Set(Array.isArray(items) ? items : never())],
    ['builtins.bytearray', ([text]) => (text instanceof Uint8Array ? text : latin(text))],
    ['_codecs.encode', ([text]) => latin(text)],
  ]);

  find(module: string, name: string): PickleGlobal | string | undefined {
    const path = `${module === '__builtin__' ? 'builtins' : module}.${name}`;
    const call = this.#calls[path];
    if (call) return new PickleGlobal(path, call);
    if (module === 'torch' && (DTYPES[name] || SCHEMES.test(name))) return path;
    const code = module === 'torch' || module === 'torch.storage' ? STORAGES[name] : undefined;
    return code && new PickleGlobal(code, never);
  }

  cureOf(name: string): string {
    if (name.includes('sparse')) return 'save x.to_dense()';
    return name.startsWith('Complex') ? 'save torch.view_as_real(x)' : 'save the state_dict() or plain values';
  }

  /** `('storage', type, key, location, count, view)` */
  persistent(id: unknown): Storage {
    const [word, type, key, , count, part] = Array.isArray(id) ? id : [];
    if (
      word !== 'storage' ||
      !(type instanceof PickleGlobal) ||
      !READERS.has(type.name) ||
      typeof key !== 'string' ||
      !isCount(count)
    )
      throw bad('a reference to a storage, got other values');
    // Of two types one is wrong, and the bytes would be read as what they are not.
    const bytes = count * (READERS.get(type.name) as Reader).size;
    if ((this.#counts.get(key) ?? bytes) !== bytes) throw bad(`storage ${JSON.stringify(key)} with one size, got two`);
    this.#counts.set(key, bytes);
    if (!Array.isArray(part)) return new Storage(key, type.name, count);
    const [, offset, size] = part;
    if (!isCount(offset) || !isCount(size) || offset + size > count)
      throw bad('a part of a storage inside it, got another');
    return new Storage(key, type.name, size, offset);
  }

  /** The bytes of each storage that is in use. */
  get sizes(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /**
   * Reads the numbers of all tensors.
   * @param storages the bytes of each storage
   * @param size bytes of the file, which bound what is read of it
   */
  fill(storages: ReadonlyMap<string, Uint8Array>, bigEndian: boolean, wide: boolean, size: number): void {
    let copied = 0;
    for (const { tensor, storage, code, offset, strides, scale } of this.pending) {
      const bytes = storages.get(storage.key) as Uint8Array;
      const { shape } = tensor;
      copied += 8 * Math.max(countOf(shape), extentOf(shape, strides));
      if (copied > MOST_COPIED * size + MOST_COPIED_FREE)
        throw bad(
          `tensors whose numbers are in the file, got views that show them more than ${MOST_COPIED} times; save clones of them`,
        );
      const read = readStored({ bytes, code, shape, strides, offset, bigEndian }, wide, (what) =>
        bad(`${what} of a tensor of shape [${shape}] (${code})`),
      );
      if (read.data.buffer === bytes.buffer) copied -= 8 * countOf(shape);
      Object.assign(tensor, scale ? dequantised(read as FileTensor, scale) : read);
    }
  }
}

function never(): never {
  throw bad('a class that has no use here but its name, got a call of it');
}

/** Text that stands for bytes. */
function latin(text: unknown): Uint8Array {
  if (typeof text !== 'string') throw bad('text that stands for bytes, got another value');
  return Uint8Array.from(text, (letter) => letter.codePointAt(0) as number);
}

function dictOf(pairs: unknown): Record<string, unknown> {
  if (pairs === undefined) return record();
  if (
    !Array.isArray(pairs) ||
    !pairs.every((pair) => Array.isArray(pair) && pair.length === 2 && typeof pair[0] === 'string')
  )
    throw bad('pairs of keys and values, got other values');
  return record(pairs);
}

/** Holds that no value is a name or a storage, which mean something to tensors alone. */
function checkPlain(root: unknown): void {
  const seen = new Set<unknown>();
  const todo = [root];
  while (todo.length > 0) {
    const value = todo.pop();
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || seen.has(value)) continue;
    seen.add(value);
    if (value instanceof PickleGlobal || value instanceof Storage)
      throw bad(
        `tensors and plain values, got ${value instanceof Storage ? 'a storage alone' : `the class ${value.name}`}`,
      );
    for (const inner of Array.isArray(value) || value instanceof Set ? value : Object.values(value)) todo.push(inner);
  }
}

/** The archive of PyTorch 1.6 and later. */
async function fromZip(bytes: Uint8Array, wide: boolean): Promise<unknown> {
  const zip = new ZipReader(OP, bytes);
  const names = Object.keys(zip.entries);
  const [main, other] = names.filter((name) => /^([^/]*\/)?data\.pkl$/.test(name));
  if (main === undefined || other !== undefined) throw bad('an archive of torch.save with one data.pkl, got another');
  const folder = main.slice(0, -'data.pkl'.length);
  if (names.includes(`${folder}constants.pkl`))
    throw bad('a file of torch.save, got a program of TorchScript; save its state_dict()');
  const read = async (name: string): Promise<Uint8Array | undefined> => {
    const entry = zip.entries[folder + name];
    return entry && zip.read(entry);
  };
  const order = await read('byteorder');
  const bigEndian = order !== undefined && String.fromCharCode(...order.subarray(0, 3)) === 'big';
  const world = new World();
  const { value } = unpickle((await read('data.pkl')) as Uint8Array, world);
  const storages = new Map<string, Uint8Array>();
  for (const [key, size] of world.sizes) {
    const entry = zip.entries[`${folder}data/${key}`];
    // Numbers are not held against their checksum, which would take longer than to read them.
    const content = entry && (await zip.read(entry, false));
    if (content?.length !== size)
      throw bad(`${size} bytes of the storage ${JSON.stringify(key)}, got ${content?.length ?? 'none'}`);
    storages.set(key, content as Uint8Array);
  }
  checkPlain(value);
  world.fill(storages, bigEndian, wide, bytes.length);
  return value;
}

/** The number that older files begin with. */
const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;

/** Pickles of a number, a version, the system, the values and the keys of the storages; then the storages. */
function fromLegacy(bytes: Uint8Array, wide: boolean): unknown {
  const world = new World();
  let at = 0;
  const next = (): unknown => {
    const { value, end } = unpickle(bytes, world, at);
    at = end;
    return value;
  };
  if (bytes[0] !== 0x80 || next() !== MAGIC) throw bad('a file of torch.save, got one that begins otherwise');
  const version = next();
  if (version !== PROTOCOL) throw bad(`the version ${PROTOCOL} of the format, got ${describe(version)}`);
  next();
  const value = next();
  const keys = next();
  if (!Array.isArray(keys) || new Set(keys).size !== keys.length)
    throw bad('a list of storages, each once, got another value');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const storages = new Map<string, Uint8Array>();
  for (const key of keys) {
    const size = world.sizes.get(key);
    if (size === undefined) throw bad(`storages of tensors only, got ${describe(key)}`);
    // In front of it stands how many elements it has, which its tensors have said.
    if (at + 8 + size > bytes.length || view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32 > size)
      throw bad(`${size} bytes of the storage ${JSON.stringify(key)} at ${at}, got the end of the file`);
    storages.set(key, bytes.subarray(at + 8, at + 8 + size));
    at += 8 + size;
  }
  for (const key of world.sizes.keys())
    if (!storages.has(key)) throw bad(`the storage ${JSON.stringify(key)}, got none`);
  checkPlain(value);
  world.fill(storages, false, wide, bytes.length);
  return value;
}

/** What decodePyTorch does. @internal */
export async function decode(source: Bytes, wide: boolean): Promise<unknown> {
  const bytes = bytesOf(OP, source);
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) return fromZip(bytes, wide);
  const other = otherKind(bytes);
  if (other && !/^a pickle/.test(other)) throw bad(`a file of torch.save, got ${other}`);
  return fromLegacy(bytes, wide);
}
