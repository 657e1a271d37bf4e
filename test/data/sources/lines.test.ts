// Files of lines, of texts and of JSON: in whatever pieces they come; wrong ones; going on.
import { describe, expect, it } from 'vitest';
import * as data from '../../../bindings/data/index.ts';
import { ArgumentError, FormatError } from '../../../bindings/memory/errors.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const pieces = (bytes: Uint8Array, size: number) =>
  async function* () {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  };

describe('lines', () => {
  it.each<[name: string, text: string, lines: string[]]>([
    ['LF', 'one\ntwo\n', ['one', 'two']],
    ['CRLF', 'one\r\n\r\ntwo\r\n', ['one', '', 'two']],
    ['no end of the last', 'one\ntwo', ['one', 'two']],
    ['a mark and other letters', '\ufeffgrün\n日本\n', ['grün', '日本']],
    ['nothing', '', []],
  ])('of %s', async (_, text, want) => {
    for (const size of [1, 3, 1000]) expect(await data.lines(pieces(encode(text), size)).toArray()).toEqual(want);
  });

  it('that are too long or no text are left out and told', async () => {
    const bytes = Uint8Array.from(`a\n${'b'.repeat(50)}\nc\n\u00ff\nd`, (c) => c.charCodeAt(0));
    for (const size of [1, 7, 1000]) {
      const lines = data.lines(pieces(bytes, size), { maxRecord: 10 });
      expect(await lines.toArray()).toEqual(['a', 'c', 'd']);
      expect(lines.report()).toEqual({
        records: 3,
        wrong: 2,
        lines: [
          { line: 2, column: null, reason: 'expected lines of at most 10 bytes, got more' },
          { line: 4, column: null, reason: 'expected text in utf-8, got other bytes' },
        ],
      });
    }
    expect(await data.lines(bytes.subarray(-4), { encoding: 'latin1' }).toArray()).toEqual(['', 'ÿ', 'd']);
  });

  it('go on with the very next one', async () => {
    const text = Array.from({ length: 10_000 }, (_, i) => `line ${i}`).join('\n');
    const first = data.lines(encode(text));
    let n = 0;
    for await (const _ of first) if (++n === 5001) break;
    const other = data.lines(encode(text));
    other.loadState(JSON.parse(JSON.stringify(first.state())));
    expect(await other.toArray()).toEqual(text.split('\n').slice(5001));
  });
});

describe('jsonLines', () => {
  const text = '{"x": 1, "s": "a"}\n\n  \n{"x": null, "extra": [1]}\r\n{"x": 2.5, "s": "ü"}';

  it('gives values as they are', async () => {
    expect(await data.jsonLines(encode(text)).toArray()).toEqual([
      { x: 1, s: 'a' },
      { x: null, extra: [1] },
      { x: 2.5, s: 'ü' },
    ]);
    expect(await data.jsonLines<unknown>(encode('1\n"a"\n[2]\nnull\n')).toArray()).toEqual([1, 'a', [2], null]);
  });

  it('gives typed columns', async () => {
    const rows = data.jsonLines(encode(text), { types: { s: 'string', x: 'f32' } });
    const chunk = await (await rows.source.open(0)).next(1);
    expect([...(chunk as unknown as { columns: Map<string, unknown> }).columns]).toEqual([
      ['s', ['a', null, 'ü']],
      ['x', Float32Array.of(1, Number.NaN, 2.5)],
    ]);
    const types = { d: 'date', b: 'bool', i: 'i32', u: 'u8' } as const;
    const values = '{"d": "2020-01-01", "b": true, "i": -7, "u": 255}\n{"d": 5, "b": false, "i": 1, "u": 0}\n';
    expect(await data.jsonLines(encode(values), { types }).toArray()).toEqual([
      { d: Date.UTC(2020, 0, 1), b: 1, i: -7, u: 255 },
      { d: 5, b: 0, i: 1, u: 0 },
    ]);
  });

  const wrong: [line: string, column: string | null, reason: string, types?: Record<string, data.CsvType>][] = [
    ['{"x": 1', null, `expected JSON, got '{"x": 1'`],
    ['[1]', null, 'expected an object, got [1]', { x: 'f32' }],
    ['{"x": "1"}', 'x', "expected f32, got '1'", { x: 'f32' }],
    ['{"x": 1.5}', 'x', 'expected i32, got 1.5', { x: 'i32' }],
    ['{"y": 1}', 'x', 'expected u8, got a missing value (f32 has NaN for those)', { x: 'u8' }],
    ['{"x": "yesterday"}', 'x', "expected date, got 'yesterday'", { x: 'date' }],
    ['{"x": 5}', 'x', 'expected string, got 5', { x: 'string' }],
    ['{"x": "no"}', 'x', "expected bool, got 'no'", { x: 'bool' }],
  ];
  it.each(wrong)('leaves out and tells %s', async (line, column, reason, types) => {
    const good = types?.x === 'string' ? '{"x": "a"}' : types?.x === 'date' ? '{"x": 7}' : '{"x": 1}';
    const file = encode(`${good}\n${line}\n${good}\n`);
    const rows = data.jsonLines(file, { types: types ?? null });
    expect((await rows.toArray()).length).toBe(2);
    expect(rows.report()).toEqual({ records: 2, wrong: 1, lines: [{ line: 2, column, reason }] });
    const call = data.jsonLines(file, { types: types ?? null, onError: 'throw' }).toArray();
    await expect(call).rejects.toThrow(FormatError);
    await expect(call).rejects.toThrow(`jsonLines: ${reason}${column ? ' as x' : ''}, in line 2 of bytes`);
  });

  it.each<[object, RegExp]>([
    [{ types: { x: 'float' } }, /^jsonLines: expected f32, .* as type of x, got 'float'/],
    [{ types: {} }, /^jsonLines: expected types of one column or more/],
    [{ encoding: 'utf-16' }, /^jsonLines: expected an encoding/],
  ])('refuses %j', (options, message) => {
    expect(() => data.jsonLines(encode(text), options)).toThrow(ArgumentError);
    expect(() => data.jsonLines(encode(text), options)).toThrow(message);
  });
});
