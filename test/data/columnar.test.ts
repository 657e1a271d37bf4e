// Parquet and Arrow files of other programs, against what those say is in them.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { int32, list, tableFromArrays, tableToIPC } from '@uwdata/flechette';
import { describe, expect, it } from 'vitest';
import { arrow, type Field, parquet, type TableFile } from '../../bindings/data/index.ts';
import { ArgumentError, FormatError, RetrogradError } from '../../bindings/index.ts';
import { randomNumbers } from '../support/random.ts';

const FOLDER = fileURLToPath(new URL('columnar/', import.meta.url));
const bytesOf = (name: string): Uint8Array => readFileSync(FOLDER + name);
type Values = Record<string, unknown[]>;
const expected: Record<'full' | 'missing', Values> = JSON.parse(readFileSync(`${FOLDER}expected.json`, 'utf8'));
const open = (name: string, ...options: [object?]): TableFile =>
  (name.endsWith('.parquet') ? parquet : arrow)(FOLDER + name, ...(options as [object]));

/** All rows, by columns. */
async function read(file: TableFile): Promise<Values> {
  const all: Values = {};
  for await (const row of file)
    for (const [name, value] of Object.entries(row)) {
      all[name] ??= [];
      all[name].push(value);
    }
  return all;
}

/** A value as the JSON of the other program has it. */
const plain = (value: unknown): unknown =>
  typeof value === 'bigint'
    ? Number(value)
    : Array.isArray(value) || ArrayBuffer.isView(value)
      ? Array.from(value as never, plain)
      : typeof value === 'number' && Number.isNaN(value)
        ? null
        : value;

const files = readdirSync(FOLDER).filter((name) => /\.(parquet|arrows?|feather)$/.test(name));

describe.each(files.filter((name) => !name.startsWith('long')))('%s', (name) => {
  const kind = name.startsWith('full') ? 'full' : 'missing';

  it('has the values that its program wrote, in columns of their types', async () => {
    const file = open(name);
    const schema = await file.schema();
    const values = await read(file);
    expect(Object.keys(values)).toEqual(schema.map((field: Field) => field.name));
    for (const { name: column, type } of schema) {
      const wanted = expected[kind][column] as unknown[];
      const got = (values[column] as unknown[]).map(plain);
      expect(got).toEqual(type === 'bool' ? wanted.map((truth) => (truth === null ? null : Number(truth))) : wanted);
    }
  });

  it('has the columns that are asked for, in that order', async () => {
    const names = (await open(name).schema())
      .map((field) => field.name)
      .reverse()
      .slice(0, 2);
    const values = await read(open(name, { columns: names }));
    expect(Object.keys(values)).toEqual(names);
    await expect(open(name, { columns: ['textt'] }).schema()).rejects.toThrow(
      /expected columns of the file .*did you mean 'text'/,
    );
  });

  it('goes on where a state says, to the value', async () => {
    const whole = await read(open(name));
    const [column] = Object.keys(whole) as [string];
    const length = (whole[column] as unknown[]).length;
    for (const count of [0, 1, 15, 16, 17, length]) {
      const file = open(name);
      let n = 0;
      if (count > 0) for await (const _ of file) if (++n === count) break;
      const rest = open(name);
      if (count > 0) rest.loadState(JSON.parse(JSON.stringify(file.state())));
      expect((await read(rest))[column] ?? []).toEqual((whole[column] as unknown[]).slice(count));
    }
  });

  it('gives typed errors where it is damaged', async () => {
    const bytes = bytesOf(name);
    const random = randomNumbers(7);
    for (let i = 0; i < 60; i++) {
      const broken = bytes.slice(0, i % 3 === 0 ? random(bytes.length) : bytes.length);
      for (let k = 0; k < 4 && i % 3 > 0; k++) broken[random(broken.length)] = random(256);
      const file = name.endsWith('.parquet') ? parquet(broken) : arrow(broken);
      await read(file).catch((error) => expect(error).toBeInstanceOf(RetrogradError));
    }
  });
});

describe('columns', () => {
  it('are of the types that are asked for', async () => {
    const types = { i8: 'f32', i64: 'i64', u8: 'i32', date: 'any' } as const;
    const file = open('full.snappy.parquet', { columns: ['i64', 'u8'], types: { i64: 'i64', u8: 'i32' } });
    expect((await file.schema()).map(({ type }) => type)).toEqual(['i64', 'i32']);
    expect((await read(file)).i64?.[3]).toBe(BigInt((expected.full.i64 as number[])[3] as number));
    expect(types.i8).toBe('f32');
  });

  it('say what a type cannot hold', async () => {
    await expect(read(open('missing.snappy.parquet', { columns: ['i32'], types: { i32: 'i32' } }))).rejects.toThrow(
      /column 'i32' of .*: expected whole numbers that fit, got none in row 3/,
    );
    await expect(read(open('full.arrow', { columns: ['i64'], types: { i64: 'i32' } }))).rejects.toThrow(FormatError);
    expect(() => parquet(FOLDER, { types: { i32: 'i33' as never } })).toThrow(ArgumentError);
  });

  it('may be longer than a window of LZ4', async () => {
    const { n } = await read(open('long.lz4.feather'));
    expect(n).toEqual(Array.from({ length: 30_000 }, (_, i) => (i * i) % 1009));
  });
});

describe('what damage would have readers do without an end', () => {
  /** The bytes of a file, of which one is another. */
  function changed(name: string, at: number, from: number, to: number): Uint8Array {
    const bytes = Uint8Array.from(bytesOf(name));
    expect(bytes[at]).toBe(from);
    bytes[at] = to;
    return bytes;
  }

  it.each([
    // The levels of struct.b begin two bytes later than they are, where a run has 2^20 values and more.
    ['runs of levels', 'missing.v2-pages.parquet', 4646, 0, 4, /a run that is longer than/],
    // Fewer than no children, among which columns of places are looked for.
    ['groups of columns', 'missing.gzip.parquet', 4890, 2, 3, /a schema of less than no columns/],
  ])('%s of Parquet are refused', async (_what, name, at, from, to, message) => {
    const file = parquet(changed(name, at, from, to));
    await expect(read(file)).rejects.toThrow(FormatError);
    await expect(read(file)).rejects.toThrow(message);
  });

  it.each([
    ['that are longer than their child', [0, 1, 2 ** 30]],
    ['that go back', [0, 3, 0]],
  ])('lists of Arrow are refused %s', async (_what, wrong) => {
    const right = [0, 1, 3];
    const table = tableFromArrays({ lists: [[1], [2, 3]] }, { types: { lists: list(int32()) } });
    const bytes = Uint8Array.from(tableToIPC(table, { format: 'stream' }) as Uint8Array);
    expect((await read(arrow(bytes))).lists?.map(plain)).toEqual([[1], [2, 3]]);
    const ints = new Int32Array(bytes.buffer, 0, bytes.length >> 2);
    const places = [...ints.keys()].filter((i) => right.every((offset, k) => ints[i + k] === offset));
    for (const place of places) ints.set(wrong, place);
    await expect(read(arrow(bytes))).rejects.toThrow(/offsets that go back|more items than there are/);
    await expect(read(arrow(bytes))).rejects.toThrow(FormatError);
  });
});

it.each([
  ['parquet', () => parquet(bytesOf('expected.json'))],
  ['arrow', () => arrow(bytesOf('expected.json'))],
])('%s says what is no such file', async (op, make) => {
  await expect(make().schema()).rejects.toThrow(FormatError);
  await expect(make().schema()).rejects.toThrow(`${op}: expected`);
});
