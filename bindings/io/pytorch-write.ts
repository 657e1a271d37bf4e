// Writes files as PyTorch's torch.save does: a pickle of protocol 2, which is all that its restricted reader takes, and
// a storage for each tensor, in a zip archive.
import { isPlain } from '../kinds.ts';
import { ArgumentError, describe } from '../memory/errors.ts';
import { Tensor } from '../tensor.ts';
import { checkedTensor, isTensorLike, stridesOf } from './arrays.ts';
import { ofForms, promised } from './declare.ts';
import { writeFileAtomic } from './files.ts';
import type { StoredTensor } from './safetensors-dtypes.ts';
import { writeZip, type ZipFile } from './zip.ts';

const OP = 'encodePyTorch';
/** Where PyTorch has storages begin. */
const ALIGNMENT = 64;
/** Nesting beyond it is a cycle. */
const MOST_DEEP = 500;

/** The storages of dtypes; those of u64 have none, and tensors of it are rebuilt by their dtype. */
const STORAGES: Readonly<Record<StoredTensor['dtype'], string>> = {
  f32: 'FloatStorage',
  i32: 'IntStorage',
  u8: 'ByteStorage',
  f64: 'DoubleStorage',
  i64: 'LongStorage',
  u64: 'UntypedStorage',
  f16: 'HalfStorage',
  bf16: 'BFloat16Storage',
};

const at32 = (value: number): number[] => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];

/** A pickle that grows. */
class Pickler {
  readonly storages: Uint8Array[] = [];
  readonly #chunks: (readonly number[] | Uint8Array)[] = [[0x80, 2]];
  readonly #memo = new Map<object, number>();
  /** Where values are, for errors. */
  readonly #path: string[] = [];

  #op(...bytes: number[]): void {
    this.#chunks.push(bytes);
  }

  #fail(what: string, got: unknown): never {
    throw new ArgumentError(
      `${OP}: expected ${what}, got ${describe(got)} at ${this.#path.join('.').slice(0, 100) || 'the top'}`,
    );
  }

  /** All of it, ended. */
  finish(): Uint8Array {
    this.#op(0x2e);
    const out = new Uint8Array(this.#chunks.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const chunk of this.#chunks) {
      out.set(chunk, at);
      at += chunk.length;
    }
    return out;
  }

  value(x: unknown): void {
    if (x === null) this.#op(0x4e);
    else if (typeof x === 'boolean') this.#op(x ? 0x88 : 0x89);
    else if (typeof x === 'number') this.#number(x);
    else if (typeof x === 'bigint') this.#long(x);
    else if (typeof x === 'string') this.#text(x);
    else if (typeof x === 'object') this.#object(x);
    else this.#fail('tensors and plain values', x);
  }

  #number(x: number): void {
    if (!Number.isSafeInteger(x) || Object.is(x, -0)) {
      const bytes = new Uint8Array(9);
      bytes[0] = 0x47;
      new DataView(bytes.buffer).setFloat64(1, x);
      this.#chunks.push(bytes);
    } else if (x === (x | 0)) this.#op(0x4a, ...at32(x));
    else this.#long(BigInt(x));
  }

  #long(x: bigint): void {
    const bytes: number[] = [];
    let rest = x;
    // Until what is left is the sign that the last byte has.
    for (; bytes.length === 0 || rest !== ((bytes.at(-1) as number) & 128 ? -1n : 0n); rest >>= 8n)
      bytes.push(Number(rest & 255n));
    if (bytes.length > 12) this.#fail('integers of at most 12 bytes', x);
    this.#op(0x8a, bytes.length, ...bytes);
  }

  #text(x: string): void {
    const bytes = new TextEncoder().encode(x);
    this.#op(0x58, ...at32(bytes.length));
    this.#chunks.push(bytes);
  }

  #global(module: string, name: string): void {
    this.#chunks.push(new TextEncoder().encode(`c${module}\n${name}\n`));
  }

  #object(x: object): void {
    const known = this.#memo.get(x);
    // The same twice is one.
    if (known !== undefined) {
      this.#op(0x6a, ...at32(known));
      return;
    }
    if (this.#path.length > MOST_DEEP) this.#fail(`values at most ${MOST_DEEP} levels deep`, x);
    if (x instanceof Tensor || isTensorLike(x)) this.#tensor(x);
    else if (Array.isArray(x)) this.#list(x, 0x5d);
    else if (x instanceof Set) this.#call('__builtin__', 'set', [[...x]]);
    else if (x instanceof Map) this.#dict([...x]);
    else if (x instanceof Uint8Array) this.#call('_codecs', 'encode', [String.fromCharCode(...x), 'latin1']);
    else if (isPlain(x)) this.#dict(entriesOf(x));
    else this.#fail('tensors, arrays, plain objects, Maps and Sets (of a module, its stateDict())', x);
    this.#op(0x72, ...at32(this.#memo.size));
    this.#memo.set(x, this.#memo.size);
  }

  #inside(key: unknown, x: unknown): void {
    this.#path.push(String(key));
    this.value(x);
    this.#path.pop();
  }

  #list(items: readonly unknown[], empty: number): void {
    this.#op(empty, 0x28);
    for (const [i, item] of items.entries()) this.#inside(i, item);
    this.#op(0x65);
  }

  #tuple(items: readonly unknown[]): void {
    this.#op(0x28);
    for (const item of items) this.value(item);
    this.#op(0x74);
  }

  #dict(entries: readonly (readonly [unknown, unknown])[]): void {
    this.#op(0x7d, 0x28);
    for (const [key, x] of entries) {
      if (x === undefined) continue;
      if (typeof key !== 'string' && !Number.isSafeInteger(key))
        this.#fail('keys that are strings or whole numbers', key);
      this.value(key);
      this.#inside(key, x);
    }
    this.#op(0x75);
  }

  #call(module: string, name: string, args: readonly unknown[]): void {
    this.#global(module, name);
    this.#tuple(args);
    this.#op(0x52);
  }

  #tensor(x: object): void {
    const { dtype, shape, data } = checkedTensor(OP, ` at ${this.#path.join('.').slice(0, 100) || 'the top'}`, x);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const untyped = STORAGES[dtype] === 'UntypedStorage';
    this.#global('torch._utils', untyped ? '_rebuild_tensor_v3' : '_rebuild_tensor_v2');
    this.#op(0x28, 0x28);
    this.value('storage');
    this.#global(untyped ? 'torch.storage' : 'torch', STORAGES[dtype]);
    for (const part of [String(this.storages.length), 'cpu', untyped ? bytes.length : data.length]) this.value(part);
    this.#op(0x74, 0x51);
    this.value(0);
    this.#tuple(shape);
    this.#tuple(stridesOf(shape));
    this.value(false);
    this.#call('collections', 'OrderedDict', []);
    if (untyped) this.#global('torch', 'uint64');
    this.#op(0x74, 0x52);
    this.storages.push(bytes);
  }
}

/** Whole numbers are keys that Python has as numbers, as in states of optimizers; those of tensors are names. */
function entriesOf(x: Readonly<Record<string, unknown>>): (readonly [string | number, unknown])[] {
  const entries = Object.entries(x);
  const numbered = entries.every(
    ([key, value]) =>
      /^(0|[1-9]\d{0,14})$/.test(key) && !(typeof value === 'object' && value !== null && isTensorLike(value)),
  );
  return numbered ? entries.map(([key, value]) => [Number(key), value]) : entries;
}

/**
 * Writes a file that PyTorch's `torch.load` reads, also with `weights_only=True`: a `stateDict()`, or tensors, numbers,
 * text, null, arrays, plain objects, Maps and Sets, however nested. Arrays become lists and objects dicts, whose keys
 * are ints where all are whole numbers and none is of a tensor; a Map keeps its own. What is there twice is one in
 * PyTorch, too. Of optimizers, give what `optim.pytorchStateDict` makes.
 * @throws ArgumentError for other values, and where it would pass 4 GiB
 */
export const encodePyTorch: (value: unknown) => Uint8Array = ofForms(['encodePyTorch(value: any)'], encode);

function encode(value: unknown): Uint8Array {
  const pickler = new Pickler();
  pickler.value(value);
  const text = (x: string): Uint8Array => new TextEncoder().encode(x);
  const files: ZipFile[] = [
    { name: 'archive/data.pkl', bytes: pickler.finish() },
    { name: 'archive/byteorder', bytes: text('little') },
    ...pickler.storages.map((bytes, i) => ({ name: `archive/data/${i}`, bytes })),
    { name: 'archive/version', bytes: text('3\n') },
  ];
  return writeZip(OP, files, ALIGNMENT);
}

/**
 * Writes a file that PyTorch's `torch.load` reads, atomically; see {@link encodePyTorch}. Node only.
 * @throws what encodePyTorch does; the system's error, `path` unchanged; BackendError outside Node
 */
export const savePyTorch: (path: string, value: unknown) => Promise<void> = promised(
  ['savePyTorch(path: path, value: any)'],
  (path: string, value: unknown): Promise<void> => writeFileAtomic(path, encode(value)),
);
