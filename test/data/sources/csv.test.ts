// Separated values: what pandas reads of the same files, in whatever pieces they come; wrong lines; going on.
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as data from '../../../bindings/data/index.ts';
import { recordsOf } from '../../../bindings/data/passes/chunk.ts';
import type { Row } from '../../../bindings/data/pipeline/source.ts';
import { ArgumentError, FormatError } from '../../../bindings/memory/errors.ts';

interface Golden {
  readonly name: string;
  readonly text: string;
  readonly options: data.CsvOptions;
  readonly columns: Readonly<Record<string, readonly (number | string | null)[]>>;
}
const goldens: Golden[] = JSON.parse(readFileSync(new URL('../../golden/tables.json', import.meta.url), 'utf8'));

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** In UTF-16 with a mark of the byte order. */
function wide(text: string, little: boolean): Uint8Array {
  const units = `\ufeff${text.replace(/^\ufeff/, '')}`;
  const view = new DataView(new ArrayBuffer(2 * units.length));
  for (let i = 0; i < units.length; i++) view.setUint16(2 * i, units.charCodeAt(i), little);
  return new Uint8Array(view.buffer);
}

/** The same bytes in pieces of `size`. */
const pieces = (bytes: Uint8Array, size: number) =>
  async function* () {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  };

async function columnsOf(rows: data.CsvPipeline): Promise<Record<string, unknown[]>> {
  const columns: Record<string, unknown[]> = {};
  for (const { name } of await rows.schema()) columns[name] = [];
  for await (const row of rows) for (const [name, value] of Object.entries(row)) columns[name]?.push(value);
  return columns;
}

/** What the library gives for a value of pandas': numbers as they are asked for, NaN where there is none. */
function expected(type: data.CsvType, value: number | string | null): unknown {
  if (type === 'string') return value;
  const number = value === null ? Number.NaN : Number(value);
  return type === 'f32' ? Math.fround(number) : number;
}

describe('csv reads as pandas does', () => {
  describe.each(goldens)('$name', ({ text, options, columns }) => {
    it.each([
      ['whole', 1 << 20, encode],
      ['byte by byte', 1, encode],
      ['in pieces of 7', 7, encode],
      ['as UTF-16', 1 << 20, (of: string) => wide(of, true)],
      ['as UTF-16, turned, in pieces of 7', 7, (of: string) => wide(of, false)],
    ] as const)('%s', async (_, size, encoded) => {
      const rows = data.csv(pieces(encoded(text), size), options);
      const types = new Map((await rows.schema()).map(({ name, type }) => [name, type]));
      const read = await columnsOf(rows);
      const want = Object.entries(columns).map(([name, values]) => [
        name,
        values.map((value) => expected(types.get(name) as data.CsvType, value)),
      ]);
      expect(read).toEqual(Object.fromEntries(want));
      expect(rows.report()).toEqual({ records: Object.values(columns)[0]?.length, wrong: 0, lines: [] });
    });

    it('in f64, where it has numbers', async () => {
      const numeric = Object.keys(columns).filter((name) => columns[name]?.some((x) => typeof x === 'number'));
      const types = Object.fromEntries(numeric.map((name) => [name, 'f64' as const]));
      const schema = await data.csv(encode(text), options).schema();
      for (const { name, type } of schema) if (type === 'bool' || type === 'date') types[name] = type as 'f64';
      const read = await columnsOf(data.csv(encode(text), { ...options, types, columns: numeric }));
      expect(read).toEqual(
        Object.fromEntries(numeric.map((name) => [name, columns[name]?.map((x) => expected('f64', x))])),
      );
    });
  });
});

describe('csv', () => {
  const text = 'carat,cut,price,when,good\n0.23,Ideal,326,2020-01-01,true\n0.21,,327,2020-01-02,false\n,Good,NA,,\n';

  it('tells types and the share of what is missing', async () => {
    expect(await data.csv(encode(text)).schema()).toEqual([
      { name: 'carat', type: 'f32', missing: 1 / 3 },
      { name: 'cut', type: 'string', missing: 1 / 3 },
      { name: 'price', type: 'f32', missing: 1 / 3 },
      { name: 'when', type: 'date', missing: 1 / 3 },
      { name: 'good', type: 'bool', missing: 1 / 3 },
    ]);
  });

  it.each<[why: string, column: string, type: data.CsvType]>([
    ['whole numbers that f32 cannot hold', '1\n16777217\n', 'f64'],
    ['those that it can', '1\n16777216\n', 'f32'],
    ['those that nothing holds', '1\n9007199254740993\n', 'string'],
    ['large numbers', '1e300\n2\n', 'f64'],
    ['nothing', 'NA\nNA\n', 'string'],
    ['truth in capitals', 'TRUE\nFalse\n', 'bool'],
    ['ones and zeros', '1\n0\n', 'f32'],
    ['dates and times', '2020-01-01\n2020-01-01 10:00\n2020-01-01T10:00:00.25Z\n', 'date'],
    ['days that do not exist', '2021-02-29\n', 'string'],
    ['numbers and words', '1\nx\n', 'string'],
  ])('guesses the type of %s', async (_, column, type) => {
    expect((await data.csv(encode(`x\n${column}`)).schema())[0]?.type).toBe(type);
  });

  it('keeps columns in typed arrays', async () => {
    const types = { price: 'f32', x: 'i32', b: 'u8' } as const;
    const rows = data.csv(encode('x,b,price,d\n-5,255,1.5,2020-01-01\n'), { types });
    const chunk = await (await rows.source.open(0)).next(1);
    expect([...(chunk as unknown as { columns: Map<string, unknown> }).columns]).toEqual([
      ['x', Int32Array.of(-5)],
      ['b', Uint8Array.of(255)],
      ['price', Float32Array.of(1.5)],
      ['d', Float64Array.of(Date.UTC(2020, 0, 1))],
    ]);
  });

  it('takes the columns that are asked for, in that order', async () => {
    expect(
      await data
        .csv(encode(text), { columns: ['price', 'carat'] })
        .take(1)
        .toArray(),
    ).toEqual([{ price: 326, carat: Math.fround(0.23) }]);
  });

  it('reads other encodings', async () => {
    const latin = Uint8Array.from('n\ngr\u00fcn\n"\u00e4"\n', (c) => c.charCodeAt(0));
    expect(await data.csv(latin, { encoding: 'latin1' }).toArray()).toEqual([{ n: 'grün' }, { n: 'ä' }]);
  });

  it('can be read twice, and a stream once, its beginning by schema() included', async () => {
    const rows = data.csv(encode(text));
    expect(await rows.toArray()).toEqual(await rows.toArray());
    const stream = data.csv(new Blob([text]).stream());
    await stream.schema();
    expect(await stream.toArray()).toEqual(await rows.toArray());
    await expect(stream.toArray()).rejects.toThrow(/^csv: expected a source that can be read again/);
  });

  it('keeps many different texts apart', async () => {
    const texts = Array.from({ length: 5000 }, (_, i) => `text ${i % 3000} ${'ä'.repeat(i % 3)}`);
    const read = await data.csv(encode(`t\n${texts.join('\n')}\n`)).toArray();
    expect(read.map(({ t }) => t)).toEqual(texts.map((t) => t));
  });

  it('reads numbers as JavaScript does', async () => {
    const number = fc.oneof(
      fc.double({ noNaN: true }),
      fc.float({ noNaN: true }),
      fc.integer(),
      fc.bigInt().map(Number),
    );
    const written = fc
      .tuple(number, fc.constantFrom('', 'exponential', 'fixed', 'precision'), fc.nat(20))
      .map(([x, how, digits]) =>
        how === 'exponential'
          ? x.toExponential(digits)
          : how === 'fixed'
            ? x.toFixed(digits)
            : how === 'precision'
              ? x.toPrecision(digits + 1)
              : String(x),
      );
    await fc.assert(
      fc.asyncProperty(fc.array(written, { minLength: 1, maxLength: 50 }), async (texts) => {
        const file = encode(`a,b\n${texts.map((x) => `${x},${x}\n`).join('')}`);
        const rows = await data.csv(file, { types: { a: 'f64', b: 'f32' } }).toArray();
        expect(rows).toEqual(texts.map((x) => ({ a: Number(x), b: Math.fround(Number(x)) })));
      }),
      { numRuns: 60 },
    );
  });
});

describe('wrong lines', () => {
  const cases: [name: string, text: string, lines: data.WrongLine[], options?: data.CsvOptions][] = [
    ['too few fields', 'a,b\n1,2\n3\n5,6\n', [{ line: 3, column: null, reason: 'expected 2 fields, got 1' }]],
    ['too many fields', 'a,b\n1,2\n3,4,5\n5,6\n', [{ line: 3, column: null, reason: 'expected 2 fields, got more' }]],
    [
      'no number',
      'a,b\n1,2\n3,x\n5,6\n',
      [{ line: 3, column: 'b', reason: "expected f32, got 'x'" }],
      { types: { b: 'f32' } },
    ],
    [
      'a quoted word',
      'a,b\n1,2\n3,"x"\n5,6\n',
      [{ line: 3, column: 'b', reason: "expected f64, got 'x'" }],
      { types: { b: 'f64' } },
    ],
    [
      'no whole number',
      'a\n1\n3.5\n5\n',
      [{ line: 3, column: 'a', reason: 'expected i32, got 3.5' }],
      { types: { a: 'i32' } },
    ],
    [
      'one out of range',
      'a,b\n1,2\n256,2\n5,6\n',
      [{ line: 3, column: 'a', reason: 'expected u8, got 256' }],
      { types: { a: 'u8' } },
    ],
    [
      'none',
      'a,b\n1,2\n,2\n5,6\n',
      [{ line: 3, column: 'a', reason: 'expected i32, got a missing value (f32 has NaN for those)' }],
      { types: { a: 'i32' } },
    ],
    [
      'no date',
      'a\n2020-01-01\n2020-13-01\n2020-01-02\n',
      [{ line: 3, column: 'a', reason: "expected date, got '2020-13-01'" }],
      { types: { a: 'date' } },
    ],
    [
      'no truth',
      'a\ntrue\nmaybe\nfalse\n',
      [{ line: 3, column: 'a', reason: "expected bool, got 'maybe'" }],
      { types: { a: 'bool' } },
    ],
    [
      'text behind a quote',
      'a,b\n1,2\n"3"4,2\n5,6\n',
      [{ line: 3, column: 'a', reason: "expected a delimiter after the quote, got '4'" }],
    ],
    [
      'lines behind one of several lines',
      'a,b\n"x\ny\r\nz",2\n3\n"5",6\n',
      [{ line: 5, column: null, reason: 'expected 2 fields, got 1' }],
    ],
    [
      'a quote that is not closed',
      'a,b\n1,2\n"3,4\n5,6\n',
      [{ line: 3, column: 'a', reason: 'expected a quote at the end of the field, got the end of the file' }],
    ],
    [
      'one that is not closed for long',
      `a,b\n1,2\n"3,4\n5,6\n${'\n'.repeat(300)}`,
      [{ line: 3, column: null, reason: 'expected rows of at most 200 bytes, got more (a quote that is not closed?)' }],
      { maxRecord: 200 },
    ],
    [
      'bytes that are no text',
      'a,b\n1,2\nx\u00fff,3\n5,6\n',
      [{ line: 3, column: 'a', reason: 'expected text in utf-8, got other bytes' }],
      { types: { a: 'string' } },
    ],
  ];
  const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));

  it.each(cases)('are counted and left out: %s', async (_, text, lines, options) => {
    for (const size of [1 << 20, 1, 7]) {
      const rows = data.csv(pieces(bytesOf(text), size), options);
      expect((await rows.toArray()).length).toBe(2);
      expect(rows.report()).toEqual({ records: 2, wrong: lines.length, lines });
    }
  });

  it.each(cases)('throw where that is asked for: %s', async (_, text, lines, options) => {
    const rows = data.csv(new File([bytesOf(text) as BlobPart], 'some.csv'), { ...options, onError: 'throw' });
    const call = rows.toArray();
    await expect(call).rejects.toThrow(FormatError);
    await expect(call).rejects.toThrow(`csv: ${lines[0]?.reason}`);
    await expect(call).rejects.toThrow(new RegExp(`, in line ${lines[0]?.line} of some.csv; mend the file`));
  });

  it('are kept in the report up to 100, and counted beyond', async () => {
    const rows = data.csv(encode(`a,b\n${'1\n'.repeat(1000)}1,2\n`));
    expect((await rows.toArray()).length).toBe(1);
    expect(rows.report().wrong).toBe(1000);
    expect(rows.report().lines.length).toBe(100);
  });
});

describe('what csv refuses', () => {
  it.each<
    [name: string, source: unknown, options: object, error: typeof ArgumentError | typeof FormatError, message: RegExp]
  >([
    ['a number', 5, {}, ArgumentError, /^csv: expected a path, a URL/],
    [
      'a delimiter of two characters',
      encode('a'),
      { delimiter: '::' },
      ArgumentError,
      /^csv: expected one character of ASCII as delimiter, got '::'/,
    ],
    [
      'a type that is not there',
      encode('a'),
      { types: { a: 'float' } },
      ArgumentError,
      /^csv: expected f32, .* as type of a, got 'float'/,
    ],
    [
      'a column that is not there',
      encode('price,b\n1,2\n'),
      { columns: ['prize'] },
      ArgumentError,
      /^csv: expected names of the header in columns, got 'prize'; did you mean price/,
    ],
    [
      'a type of one',
      encode('a,b\n1,2\n'),
      { types: { c: 'f32' } },
      ArgumentError,
      /^csv: expected names of the header in types, got 'c'/,
    ],
    [
      'an encoding that is not there',
      encode('a'),
      { encoding: 'utf-7' },
      ArgumentError,
      /^csv: expected an encoding such as/,
    ],
    ['a sample of nothing', encode('a'), { sample: 0 }, ArgumentError, /^csv: expected sample/],
    ['an empty file', encode(''), {}, FormatError, /^csv: expected a row in bytes, got an empty file/],
    ['an empty file with a mark', encode('\ufeff\n'), {}, FormatError, /got an empty file/],
    [
      'UTF-16 cut short',
      Uint8Array.of(255, 254, 65, 0, 10),
      {},
      FormatError,
      /^csv: expected bytes as UTF-16, as it begins, got/,
    ],
  ])('%s', async (_, source, options, error, message) => {
    const call = async () => data.csv(source as Uint8Array, options).schema();
    await expect(call()).rejects.toThrow(error);
    await expect(call()).rejects.toThrow(message);
  });
});

describe('a pass of csv', () => {
  const ROWS = 20_000;
  const text = `n,t\n${Array.from({ length: ROWS }, (_, i) => (i % 1000 === 7 ? 'wrong\n' : `${i},"t\n${i % 50}"\n`)).join('')}`;
  const sources: [string, () => data.ByteSource][] = [
    ['bytes', () => encode(text)],
    ['a function', () => pieces(encode(text), 100_000)],
  ];

  it.each(sources)('of %s goes on with the very next row, and with its report', async (_, make) => {
    const whole = data.csv(make());
    const all = await whole.toArray();
    const report = whole.report();
    const reader = await whole.source.open(0);
    let at = 0;
    for (let chunk = await reader.next(1); chunk; chunk = await reader.next(1)) {
      at += chunk.length;
      const state = JSON.parse(JSON.stringify(reader.state()));
      const other = data.csv(make());
      const rest: Row[] = [];
      const resumed = await other.source.open(0, state);
      for (let next = await resumed.next(1); next; next = await resumed.next(1)) rest.push(...recordsOf(next));
      expect(rest).toEqual(all.slice(at));
      expect(other.report()).toEqual(report);
      expect(other.report().lines.map(({ line }) => line)).toEqual(lines());
    }
    expect(at).toBe(all.length);
  });

  /** Numbers of the wrong lines: others take two each. */
  const lines = (): number[] => Array.from({ length: 20 }, (_, k) => 2 + 2 * (1000 * k + 7) - k);

  it('resumes in a pipeline', async () => {
    const make = () => data.csv(encode(text)).batch(64);
    const all = await make().toArray();
    const first = make();
    let n = 0;
    for await (const _ of first) if (++n === 100) break;
    const other = make();
    other.loadState(JSON.parse(JSON.stringify(first.state())));
    expect(await other.toArray()).toEqual(all.slice(100));
  });
});
