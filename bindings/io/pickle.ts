// Reads pickles (PEP 307, 3154, 574) without running anything: the stack machine of Python, whose globals are only
// those of a table. Numbers, strings and containers become JavaScript's own: dicts objects without a prototype, tuples
// and lists arrays, sets Sets.
import { record } from '../lookup.ts';
import { FormatError } from '../memory/errors.ts';

/** What a pickle may name and call. */
export class PickleGlobal {
  readonly name: string;
  /** Calls it with checked or unchecked arguments: it has to look at them itself. */
  readonly call: (args: readonly unknown[]) => unknown;

  constructor(name: string, call: (args: readonly unknown[]) => unknown) {
    this.name = name;
    this.call = call;
  }
}

/** What a pickle may hold beside numbers, strings and containers. */
export interface PickleWorld {
  /** What `module.name` means; undefined: nothing, and the pickle is refused. */
  find(module: string, name: string): PickleGlobal | string | undefined;
  /** What a persistent id stands for. */
  persistent(id: unknown): unknown;
  /** Makes the error. */
  bad(what: string): FormatError;
  /** What to do where a name is refused. */
  cureOf(name: string): string;
}

/** Whether `x` is a dict of a pickle: nothing else that reading makes has no prototype. */
export const isDict = (x: unknown): x is Record<string, unknown> =>
  typeof x === 'object' && x !== null && Object.getPrototypeOf(x) === null;

/** Bytes of the longest integer: two more than the magic number of PyTorch's files. */
const LONGEST = 12;

/** Ops by their codes; those that end or name something are the reader's own. */
const ops: Readonly<Record<number, (m: Unpickler) => void>> = {
  40: (m) => m.mark(), // MARK
  48: (m) => void m.pop(), // POP
  49: (m) => void m.since(), // POP_MARK
  50: (m) => m.push(m.top()), // DUP
  66: (m) => m.push(m.take(m.u32())), // BINBYTES
  67: (m) => m.push(m.take(m.u8())), // SHORT_BINBYTES
  71: (m) => m.push(m.f64()), // BINFLOAT
  74: (m) => m.push(m.i32()), // BININT
  75: (m) => m.push(m.u8()), // BININT1
  77: (m) => m.push(m.u16()), // BININT2
  78: (m) => m.push(null), // NONE
  81: (m) => m.push(m.world.persistent(m.pop())), // BINPERSID
  82: (m) => m.reduce(), // REDUCE
  84: (m) => m.push(m.text(m.u32())), // BINSTRING
  85: (m) => m.push(m.text(m.u8())), // SHORT_BINSTRING
  88: (m) => m.push(m.text(m.u32())), // BINUNICODE
  93: (m) => m.push([]), // EMPTY_LIST
  97: (m) => m.append([m.pop()]), // APPEND
  98: (m) => m.build(), // BUILD
  99: (m) => m.global(m.line(), m.line()), // GLOBAL
  100: (m) => m.push(m.dictOf(m.since())), // DICT
  101: (m) => m.append(m.since()), // APPENDS
  104: (m) => m.get(m.u8()), // BINGET
  106: (m) => m.get(m.u32()), // LONG_BINGET
  108: (m) => m.push(m.since()), // LIST
  113: (m) => m.put(m.u8()), // BINPUT
  114: (m) => m.put(m.u32()), // LONG_BINPUT
  115: (m) => m.setItems(m.popped(2)), // SETITEM
  116: (m) => m.push(m.since()), // TUPLE
  117: (m) => m.setItems(m.since()), // SETITEMS
  41: (m) => m.push([]), // EMPTY_TUPLE
  125: (m) => m.push(record()), // EMPTY_DICT
  128: (m) => m.protocol(m.u8()), // PROTO
  129: (m) => m.reduce(), // NEWOBJ
  133: (m) => m.push(m.popped(1)), // TUPLE1
  134: (m) => m.push(m.popped(2)), // TUPLE2
  135: (m) => m.push(m.popped(3)), // TUPLE3
  136: (m) => m.push(true), // NEWTRUE
  137: (m) => m.push(false), // NEWFALSE
  138: (m) => m.push(m.long(m.u8())), // LONG1
  139: (m) => m.push(m.long(m.u32())), // LONG4
  140: (m) => m.push(m.text(m.u8())), // SHORT_BINUNICODE
  141: (m) => m.push(m.text(m.u64())), // BINUNICODE8
  142: (m) => m.push(m.take(m.u64())), // BINBYTES8
  143: (m) => m.push(new Set()), // EMPTY_SET
  144: (m) => m.addItems(m.since()), // ADDITEMS
  145: (m) => m.push(new Set(m.since())), // FROZENSET
  147: (m) => m.stackGlobal(), // STACK_GLOBAL
  148: (m) => m.put(m.memoized), // MEMOIZE
  149: (m) => void m.u64(), // FRAME
  150: (m) => m.push(m.take(m.u64())), // BYTEARRAY8
};

const STOP = 0x2e;

/** The machine. Its methods are what ops do. */
class Unpickler {
  readonly world: PickleWorld;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at: number;
  #stack: unknown[] = [];
  readonly #below: unknown[][] = [];
  readonly #memo = new Map<number, unknown>();

  constructor(bytes: Uint8Array, from: number, world: PickleWorld) {
    this.world = world;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = from;
  }

  /** Reads one pickle. @returns it, and where it ends */
  run(): { value: unknown; end: number } {
    for (;;) {
      const at = this.#at;
      const code = this.u8();
      if (code === STOP) return { value: this.pop(), end: this.#at };
      const op = ops[code];
      if (!op) throw this.bad(`an op of the pickle protocols 2 to 5, got the byte 0x${code.toString(16)} at ${at}`);
      op(this);
    }
  }

  bad(what: string): FormatError {
    return this.world.bad(what);
  }

  /** Goes over `count` bytes. @returns where they begin */
  #over(count: number): number {
    const at = this.#at;
    if (at + count > this.#bytes.length) throw this.bad(`${count} bytes at ${at} of the pickle, got its end`);
    this.#at = at + count;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.#over(1));
  }
  u16(): number {
    return this.#view.getUint16(this.#over(2), true);
  }
  u32(): number {
    return this.#view.getUint32(this.#over(4), true);
  }
  i32(): number {
    return this.#view.getInt32(this.#over(4), true);
  }
  u64(): number {
    return this.u32() + this.u32() * 2 ** 32;
  }
  f64(): number {
    return this.#view.getFloat64(this.#over(8));
  }

  /** A copy of `count` bytes. */
  take(count: number): Uint8Array {
    const at = this.#over(count);
    return Uint8Array.prototype.slice.call(this.#bytes, at, at + count);
  }

  text(count: number): string {
    const at = this.#at;
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.take(count));
    } catch (error) {
      throw error instanceof FormatError ? error : this.bad(`text in UTF-8 at ${at} of the pickle, got other bytes`);
    }
  }

  /** An integer of `count` bytes, as a bigint where a number is not exact. */
  long(count: number): number | bigint {
    if (count > LONGEST) throw this.bad(`an integer of at most ${LONGEST} bytes, got ${count}`);
    const bytes = this.take(count);
    let value = 0n;
    for (let i = count - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] as number);
    value = BigInt.asIntN(8 * count, value);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  line(): string {
    const end = this.#bytes.indexOf(10, this.#at);
    if (end < 0) throw this.bad('a name that ends, got the end of the pickle');
    const name = this.text(end - this.#at);
    this.#at++;
    return name;
  }

  push(value: unknown): void {
    this.#stack.push(value);
  }
  pop(): unknown {
    return this.popped(1)[0];
  }
  top(): unknown {
    return this.#least(1).at(-1);
  }
  /** The last `count` values, off the stack. */
  popped(count: number): unknown[] {
    return this.#least(count).splice(-count);
  }
  #least(count: number): unknown[] {
    if (this.#stack.length < count)
      throw this.bad(`${count} values on the stack at ${this.#at} of the pickle, got ${this.#stack.length}`);
    return this.#stack;
  }

  mark(): void {
    this.#below.push(this.#stack);
    this.#stack = [];
  }
  /** The values since the last mark, off the stack. */
  since(): unknown[] {
    const below = this.#below.pop();
    if (!below) throw this.bad(`a mark before ${this.#at} of the pickle, got none`);
    const values = this.#stack;
    this.#stack = below;
    return values;
  }

  /** The key that MEMOIZE takes. */
  get memoized(): number {
    return this.#memo.size;
  }
  put(key: number): void {
    this.#memo.set(key, this.top());
  }
  get(key: number): void {
    if (!this.#memo.has(key)) throw this.bad(`a value in the memo for ${key}, got none`);
    this.push(this.#memo.get(key));
  }

  protocol(version: number): void {
    if (version > 5) throw this.bad(`a pickle of protocol 2 to 5, got ${version}`);
  }

  append(values: readonly unknown[]): void {
    const list = this.top();
    if (!Array.isArray(list)) throw this.bad('a list to append to, got another value');
    for (const value of values) list.push(value);
  }
  addItems(values: readonly unknown[]): void {
    const set = this.top();
    if (!(set instanceof Set)) throw this.bad('a set to add to, got another value');
    for (const value of values) set.add(value);
  }
  dictOf(items: readonly unknown[]): Record<string, unknown> {
    const dict = record<unknown>();
    this.#fill(dict, items);
    return dict;
  }
  setItems(items: readonly unknown[]): void {
    const dict = this.top();
    if (!isDict(dict)) throw this.bad('a dict to write to, got another value');
    this.#fill(dict, items);
  }
  #fill(dict: Record<string, unknown>, items: readonly unknown[]): void {
    if (items.length % 2 !== 0) throw this.bad('a value for each key, got one less');
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i];
      if (typeof key !== 'string' && typeof key !== 'number')
        throw this.bad('keys of dicts that are strings or whole numbers, got others');
      if (key in dict) throw this.bad(`each key of a dict once, got ${JSON.stringify(key)} again`);
      dict[key] = items[i + 1];
    }
  }

  global(module: string, name: string): void {
    const found = this.world.find(module, name);
    if (found === undefined)
      throw this.bad(
        `only tensors, numbers, strings and containers of them, got ${JSON.stringify(`${module}.${name}`.slice(0, 100))}; nothing of the file was run, ${this.world.cureOf(name)}`,
      );
    this.push(found);
  }
  stackGlobal(): void {
    const [module, name] = this.popped(2);
    if (typeof module !== 'string' || typeof name !== 'string')
      throw this.bad('the name of a global, got other values');
    this.global(module, name);
  }

  reduce(): void {
    const [callee, args] = this.popped(2);
    if (!(callee instanceof PickleGlobal) || !Array.isArray(args))
      throw this.bad(`a call with a tuple at ${this.#at} of the pickle, got other values`);
    this.push(callee.call(args));
  }

  /** Attributes of a dict, such as `_metadata` of a state, say nothing of its items; nothing else may have some. */
  build(): void {
    const [target, state] = this.popped(2);
    if (!isDict(target) || !isDict(state)) throw this.bad('attributes of dicts only, got those of another value');
    this.push(target);
  }
}

/** Reads one pickle of `bytes`, from a place on. @throws FormatError */
export function unpickle(bytes: Uint8Array, world: PickleWorld, from = 0): { value: unknown; end: number } {
  return new Unpickler(bytes, from, world).run();
}
