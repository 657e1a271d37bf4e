// Protocol buffers (https://protobuf.dev/programming-guides/encoding/), as far as ONNX has them: no groups. Bytes are
// views of the file. A file that is cut short, or is none, gives a FormatError that says where.
import { FormatError } from '../memory/errors.ts';
import { type Draft, MESSAGES, type Message, type MessageName, type Scalars } from './messages.ts';

/** Messages within messages: what protobuf's own readers take, and more than any model has. */
const DEPTH = 100;

const VARINT = 0;
const EIGHT_BYTES = 1;
const LENGTH = 2;
const FOUR_BYTES = 5;

/** How the wire has each type; messages are like bytes. */
const WIRE: Readonly<Record<string, number>> = {
  ...{ int32: VARINT, int64: VARINT, uint64: VARINT },
  ...{ float: FOUR_BYTES, double: EIGHT_BYTES },
};

interface Field {
  readonly name: string;
  readonly number: number;
  readonly type: keyof Scalars | MessageName;
  readonly wire: number;
  readonly many: boolean;
  readonly packed: boolean;
}

type Fields = Readonly<Record<string, unknown>>;
type Writable = Record<string, unknown>;

interface Schema {
  readonly byNumber: ReadonlyMap<number, Field>;
  readonly fields: readonly Field[];
  /** What messages inherit: their lists, as long as there is nothing in them. So an empty message is small. */
  readonly empty: object;
}

const NOTHING: readonly unknown[] = Object.freeze([]);
const schemas = new Map<MessageName, Schema>();

function schemaOf(name: MessageName): Schema {
  const known = schemas.get(name);
  if (known) return known;
  const fields = Object.entries(MESSAGES[name] as Record<string, string>).map(([field, text]): Field => {
    const [number, type = '', packed] = text.split(' ');
    const one = type.replace('[]', '') as Field['type'];
    const form = { wire: WIRE[one] ?? LENGTH, many: one !== type, packed: packed !== undefined };
    return { name: field, number: Number(number), type: one, ...form };
  });
  fields.sort((a, b) => a.number - b.number); // as other writers have them
  const schema: Schema = {
    fields,
    byNumber: new Map(fields.map((field) => [field.number, field])),
    empty: Object.fromEntries(fields.filter(({ many }) => many).map(({ name: list }) => [list, NOTHING])),
  };
  schemas.set(name, schema);
  return schema;
}

const bad = (what: string, got: string | number): FormatError =>
  new FormatError(`onnx: expected ${what}, got ${got}; take the file anew, whole and as it was written`);

const utf8 = new TextDecoder();

/** A place in the bytes, which all messages of a file share. */
class Reader {
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Moves on by `count` bytes that have to stand before `end`. @returns where they begin */
  #take(count: number, end: number): number {
    const from = this.at;
    if (count > end - from) throw bad(`${count} bytes at byte ${from}`, end - from);
    this.at = from + count;
    return from;
  }

  varint(end: number): bigint | number {
    const from = this.at;
    let value = 0;
    let scale = 1;
    // Seven times seven bits are exact in a double.
    for (let length = 1; length <= 7; length++) {
      const byte = this.#bytes[this.#take(1, end)] as number;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
    let long = BigInt(value);
    for (let shift = 49n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#take(1, end)] as number;
      long |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, long);
    }
    throw bad(`a number of at most ten bytes at byte ${from}`, 'a longer one');
  }

  /** A length, or the number of a field. */
  count(end: number): number {
    return Number(this.varint(end));
  }

  /** The bytes of a length before them. @returns where they end */
  span(end: number): number {
    const length = this.count(end);
    const from = this.#take(length, end);
    this.at = from;
    return from + length;
  }

  scalar(type: keyof Scalars, end: number): Scalars[keyof Scalars] {
    switch (type) {
      case 'int32':
        return Number(BigInt.asIntN(32, BigInt(this.varint(end))));
      case 'int64':
      case 'uint64': {
        const read = this.varint(end);
        if (typeof read === 'number') return read;
        const value = type === 'int64' ? BigInt.asIntN(64, read) : read;
        const number = Number(value);
        return Number.isSafeInteger(number) ? number : value;
      }
      case 'float':
        return this.#view.getFloat32(this.#take(4, end), true);
      case 'double':
        return this.#view.getFloat64(this.#take(8, end), true);
      default: {
        const to = this.span(end);
        const bytes = this.#bytes.subarray(this.at, to);
        this.at = to;
        return type === 'bytes' ? bytes : utf8.decode(bytes);
      }
    }
  }

  skip(wire: number, end: number): void {
    if (wire === VARINT) this.varint(end);
    else if (wire === LENGTH) this.at = this.span(end);
    else this.#take(wire === FOUR_BYTES ? 4 : 8, end);
  }

  /** Numbers without tags between them, onto those before. Floats alone become an array of their own. */
  packed(field: Field, before: readonly unknown[], end: number): unknown {
    const to = this.span(end);
    const from = this.at;
    const Floats = field.type === 'float' ? Float32Array : Float64Array;
    if (field.wire !== VARINT && before.length === 0 && (to - from) % Floats.BYTES_PER_ELEMENT === 0) {
      this.at = to;
      // A Buffer of Node's has a slice() that is a view.
      return new Floats(Uint8Array.prototype.slice.call(this.#bytes, from, to).buffer);
    }
    // Spread once: a list of its own grows in place from then on.
    const list = Array.isArray(before) && before !== NOTHING ? before : [...before];
    while (this.at < to) list.push(this.scalar(field.type as keyof Scalars, to));
    return list;
  }
}

const WIRES: Readonly<Record<number, string>> = {
  [VARINT]: 'a number of one to ten bytes',
  [EIGHT_BYTES]: 'eight bytes',
  [LENGTH]: 'bytes with their length',
  [FOUR_BYTES]: 'four bytes',
};

function readMessage(reader: Reader, name: MessageName, end: number, depth: number, into?: Writable): Writable {
  if (depth > DEPTH) throw bad(`at most ${DEPTH} messages within one another`, `more at byte ${reader.at}`);
  const schema = schemaOf(name);
  const message = into ?? Object.create(schema.empty);
  while (reader.at < end) {
    const from = reader.at;
    const tag = reader.count(end);
    const wire = tag % 8;
    const number = Math.floor(tag / 8);
    if (!(wire in WIRES) || number === 0)
      throw bad(`a field of ${name} at byte ${from}`, `number ${number} of type ${wire}`);
    const field = schema.byNumber.get(number);
    if (field) readField(reader, message, field, wire, end, depth);
    else reader.skip(wire, end);
  }
  return message;
}

function readField(reader: Reader, message: Writable, field: Field, wire: number, end: number, depth: number): void {
  const { name, type, many } = field;
  const before = message[name];
  if (many && wire === LENGTH && field.wire !== LENGTH) {
    message[name] = reader.packed(field, before as readonly unknown[], end);
    return;
  }
  if (wire !== field.wire)
    throw bad(`${WIRES[field.wire]} in the field ${name} before byte ${reader.at}`, WIRES[wire] as string);
  let value: unknown;
  if (type in MESSAGES) {
    const to = reader.span(end);
    value = readMessage(reader, type as MessageName, to, depth + 1, many ? undefined : (before as Writable));
  } else value = reader.scalar(type as keyof Scalars, end);
  if (!many) message[name] = value;
  else if (Array.isArray(before) && before !== NOTHING) before.push(value);
  else message[name] = [...(before as Iterable<unknown>), value];
}

/**
 * Reads a message. Bytes in it are views of `bytes`, all else are copies.
 * @throws FormatError that says at which byte
 */
export const decode = <Name extends MessageName>(name: Name, bytes: Uint8Array): Message<Name> =>
  readMessage(new Reader(bytes), name, bytes.length, 0) as Message<Name>;

/** Pieces of a message in order, and how long they are together. */
interface Pieces {
  readonly parts: Uint8Array[];
  length: number;
}

const encoder = new TextEncoder();

function writeVarint(value: number | bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  if (typeof rest === 'number' && rest >= 0)
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  else {
    let long = BigInt.asUintN(64, BigInt(rest));
    for (; long >= 128n; long >>= 7n) bytes.push(Number(long & 127n) | 128);
    rest = Number(long);
  }
  bytes.push(rest as number);
  return new Uint8Array(bytes);
}

function writeScalar(type: Field['type'], value: unknown): Uint8Array {
  if (type === 'bytes') return value as Uint8Array;
  if (type === 'string') return encoder.encode(value as string);
  if (type !== 'float' && type !== 'double') return writeVarint(value as number | bigint);
  const bytes = new Uint8Array(WIRE[type] === FOUR_BYTES ? 4 : 8);
  const view = new DataView(bytes.buffer);
  if (type === 'float') view.setFloat32(0, value as number, true);
  else view.setFloat64(0, value as number, true);
  return bytes;
}

function push(to: Pieces, bytes: Uint8Array): void {
  to.parts.push(bytes);
  to.length += bytes.length;
}

/** With its tag and, where it has one, its length. */
function writeField(to: Pieces, { number, type, wire }: Field, value: unknown): void {
  push(to, writeVarint(number * 8 + wire));
  if (type in MESSAGES) {
    const inner = writeMessage(type as MessageName, value as Fields);
    push(to, writeVarint(inner.length));
    for (const part of inner.parts) to.parts.push(part);
    to.length += inner.length;
  } else {
    const bytes = writeScalar(type, value);
    if (wire === LENGTH) push(to, writeVarint(bytes.length));
    push(to, bytes);
  }
}

function writeMessage(name: MessageName, message: Fields): Pieces {
  const written: Pieces = { parts: [], length: 0 };
  for (const field of schemaOf(name).fields) {
    const value = message[field.name];
    if (value === undefined) continue;
    if (!field.many) writeField(written, field, value);
    else if (!field.packed) for (const each of value as Iterable<unknown>) writeField(written, field, each);
    else if ((value as ArrayLike<unknown>).length > 0)
      writeField(
        written,
        { ...field, type: 'bytes', wire: LENGTH },
        packedBytes(field.type, value as Iterable<unknown>),
      );
  }
  return written;
}

function joined({ parts, length }: Pieces): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function packedBytes(type: Field['type'], values: Iterable<unknown>): Uint8Array {
  const pieces: Pieces = { parts: [], length: 0 };
  for (const value of values) push(pieces, writeScalar(type, value));
  return joined(pieces);
}

/** Writes a message, its fields in the order of their numbers. */
export const encode = <Name extends MessageName>(name: Name, message: Draft<Name>): Uint8Array =>
  joined(writeMessage(name, message as Fields));
