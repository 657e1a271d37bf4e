// The messages of ONNX: what the `onnx` package writes and reads, and each fault of a file.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FormatError } from '../../bindings/memory/errors.ts';
import { ATTRIBUTE, MESSAGES, type Message, type MessageName } from '../../bindings/onnx/messages.ts';
import { decode, encode } from '../../bindings/onnx/proto.ts';

const golden = JSON.parse(readFileSync(new URL('messages.json', import.meta.url), 'utf8'));
const bytes = new Uint8Array(Buffer.from(golden.bytes, 'base64'));

const NAMES = Object.fromEntries(Object.entries(ATTRIBUTE).map(([name, number]) => [number, name]));

/** One value as JSON of protocol buffers has it: numbers of 64 bits as texts, bytes in base64, enumerations by name. */
function plain(type: string, value: unknown, field: string): unknown {
  if (type in MESSAGES) return asJson(type as MessageName, value as object);
  if (type === 'bytes') return Buffer.from(value as Uint8Array).toString('base64');
  if (type === 'int64' || type === 'uint64') return String(value);
  if (field === 'type') return NAMES[value as number];
  return field === 'dataLocation' ? ['DEFAULT', 'EXTERNAL'][value as number] : value;
}

function asJson(name: MessageName, message: object): object {
  const table = MESSAGES[name] as Record<string, string>;
  return Object.fromEntries(
    Object.entries(message).map(([field, value]) => {
      const type = (table[field] as string).split(' ')[1] as string;
      if (!type.endsWith('[]')) return [field, plain(type, value, field)];
      return [field, Array.from(value, (each) => plain(type.slice(0, -2), each, field))];
    }),
  );
}

const varint = (value: number): number[] => (value < 128 ? [value] : [(value % 128) | 128, ...varint(value >> 7)]);
/** A field of bytes: its tag, its length, what is in it. */
const field = (number: number, inner: Iterable<number>): number[] => {
  const content = [...inner];
  return [...varint(number * 8 + 2), ...varint(content.length), ...content];
};
const read = <Name extends MessageName>(name: Name, content: readonly number[]): Message<Name> =>
  decode(name, Uint8Array.from(content));

describe('decode', () => {
  it('reads what the onnx package reads', () => {
    expect(asJson('ModelProto', decode('ModelProto', bytes))).toEqual(golden.read);
  });

  it('gives views of the bytes', () => {
    const raw = decode('ModelProto', bytes).graph?.initializer.find(({ name }) => name === 'raw')?.rawData;
    expect(raw?.buffer).toBe(bytes.buffer);
    expect(raw).toHaveLength(8);
  });

  it('has lists where there is nothing, and none of the rest', () => {
    const node = decode('NodeProto', new Uint8Array());
    expect(node.input).toEqual([]);
    expect(node.name).toBeUndefined();
    expect(Object.keys(node)).toEqual([]);
  });

  it('has bigints only for what doubles cannot hold', () => {
    const values = decode('ModelProto', bytes).graph?.initializer.find(({ name }) => name === 'ints')?.int64Data;
    expect(values).toEqual([1, -1, 2n ** 53n, -(2n ** 63n)]);
  });

  it.each<[what: string, content: number[]]>([
    ['packed', field(1, [2, 172, 2])],
    ['one by one', [8, 2, 8, 172, 2]],
    ['in parts', [8, 2, ...field(1, [172, 2])]],
    ['in packed parts', [...field(1, [2]), ...field(1, [172, 2])]],
  ])('reads whole numbers %s', (_, content) => {
    expect(read('TensorProto', content).dims).toEqual([2, 300]);
  });

  const [one, two] = [
    [0, 0, 128, 63],
    [0, 0, 0, 64],
  ] as const;
  it.each<[what: string, content: number[]]>([
    ['packed', field(4, [...one, ...two])],
    ['one by one', [37, ...one, 37, ...two]],
    ['packed and not', [...field(4, one), 37, ...two]],
    ['not and packed', [37, ...one, ...field(4, two)]],
  ])('reads floats %s', (_, content) => {
    expect(Array.from(read('TensorProto', content).floatData)).toEqual([1, 2]);
  });

  it('skips what it does not know, of each type', () => {
    const unknown = [...[120, 1], ...[121, 0, 0, 0, 0, 0, 0, 0, 0], ...field(15, [1, 2, 3]), ...[125, 0, 0, 0, 0]];
    expect({ ...read('OperatorSetIdProto', [...unknown, 16, 17, ...unknown]) }).toEqual({ version: 17 });
  });

  it('adds to a message that comes in parts, and takes the last of a number', () => {
    const parts = [...field(2, field(1, [8, 1])), ...field(2, [...field(1, [8, 2]), ...field(1, [8, 3])])];
    const sizes = read('TensorType', [8, 1, ...parts, 8, 7]);
    expect(sizes.elemType).toBe(7);
    expect(sizes.shape?.dim.map(({ dimValue }) => dimValue)).toEqual([1, 2, 3]);
  });

  const nested = (depth: number): number[] => (depth === 0 ? [] : field(4, field(1, nested(depth - 1))));
  it.each<[what: string, name: MessageName, content: readonly number[], message: RegExp]>([
    ['a varint without an end', 'ModelProto', [8, 128], /expected 1 bytes at byte 2, got 0/],
    ['a varint too long', 'ModelProto', [8, ...Array(10).fill(255), 1], /at most ten bytes at byte 1/],
    ['bytes beyond the end', 'TensorProto', [74, 5, 1], /expected 5 bytes at byte 2, got 1/],
    [
      'bytes beyond their message',
      'ModelProto',
      [...field(7, [18, 3, 65]), 65, 65],
      /expected 3 bytes at byte 4, got 1/,
    ],
    ['a length that no file has', 'TensorProto', [74, ...Array(9).fill(255), 1], /expected 18446744073709552000 bytes/],
    ['a packed number across the end', 'TensorProto', [...field(1, [128]), 1], /expected 1 bytes at byte 3/],
    ['packed floats cut', 'TensorProto', field(4, [0, 0, 128]), /expected 4 bytes at byte 2, got 3/],
    ['a group', 'ModelProto', [11, 12], /a field of ModelProto at byte 0, got number 1 of type 3/],
    ['a field 0', 'ModelProto', [0, 0], /a field of ModelProto at byte 0, got number 0/],
    ['another type', 'ModelProto', [10, 1, 1], /a number of one to ten bytes in the field irVersion/],
    ['a message as a number', 'ModelProto', [56, 1], /bytes with their length in the field graph/],
    ['messages without an end', 'TypeProto', nested(51), /at most 100 messages within one another/],
  ])('refuses %s', (_, name, content, message) => {
    expect(() => read(name, content)).toThrow(FormatError);
    expect(() => read(name, content)).toThrow(message);
  });

  it('takes messages as deep as protocol buffers allow', () => {
    expect(read('TypeProto', nested(50)).sequenceType).toBeDefined();
  });

  it('reads any beginning of a file, or says that it is none', () => {
    for (let length = 0; length < bytes.length; length++)
      try {
        decode('ModelProto', bytes.subarray(0, length));
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
      }
  });
});

describe('encode', () => {
  it('writes the bytes of the onnx package', () => {
    const model = decode('ModelProto', bytes);
    expect(Buffer.from(encode('ModelProto', model)).toString('base64')).toBe(golden.bytes);
  });

  it('leaves out what is absent, and writes what is empty', () => {
    expect([...encode('NodeProto', { input: [], output: [''], name: '' })]).toEqual([18, 0, 26, 0]);
  });

  it.each([0, 1, 127, 128, 2 ** 31, 2 ** 53 - 1, 2 ** 53, 2n ** 63n - 1n, -1, -(2n ** 63n)])(
    'keeps the number %s',
    (i) => {
      const value = decode('AttributeProto', encode('AttributeProto', { i })).i;
      expect(value).toBe(Number.isSafeInteger(Number(i)) ? Number(i) : BigInt(i));
    },
  );

  it('keeps floats', () => {
    const values = { f: 0.5, floats: [-0, Number.NaN, Number.POSITIVE_INFINITY] };
    const attribute = decode('AttributeProto', encode('AttributeProto', values));
    expect(attribute.f).toBe(0.5);
    expect(Array.from(attribute.floats)).toEqual(values.floats);
  });
});
