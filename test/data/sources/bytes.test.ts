// Bytes from everywhere: each kind of source gives the same bytes, in order and in any order, packed and not.
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allBytes, openBytes, openRandom } from '../../../bindings/data/readers/bytes.ts';
import type { ByteSource } from '../../../bindings/data/sources/byte-source.ts';
import { ArgumentError, FormatError } from '../../../bindings/memory/errors.ts';

/** More than two blocks, of bytes that differ. */
const BYTES = Uint8Array.from({ length: 600_001 }, (_, i) => (i * 31 + (i >> 8)) & 255);
const GZIPPED = new Uint8Array(gzipSync(BYTES, { level: 1 }));
/** "hello hello hello hello\n" by zstd 1.5, as the tool writes it. */
const ZSTD = Uint8Array.from(
  '28b52ffd04586d00003868656c6c6f200a0100994b11a87c2ea8'.match(/../g)?.map((x) => Number.parseInt(x, 16)) ?? [],
);

let folder: string;
let server: Server;
let address: string;
const requests: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bytes-'));
  await writeFile(join(folder, 'plain'), BYTES);
  await writeFile(join(folder, 'packed.gz'), GZIPPED);
  server = createServer(({ url, method, headers: { range } }, response) => {
    requests.push(`${method} ${url} ${range ?? ''}`.trim());
    const bytes = url === '/packed' ? GZIPPED : BYTES;
    if (url === '/missing') return response.writeHead(404).end();
    if (method === 'HEAD' && url === '/bare') return response.writeHead(405).end();
    const [, from, to] = /bytes=(\d+)-(\d*)/.exec(range ?? '') ?? [];
    if (from === undefined || url === '/no-ranges')
      return response.writeHead(200, { 'content-length': bytes.length }).end(method === 'HEAD' ? undefined : bytes);
    if (+from >= bytes.length) return response.writeHead(416).end();
    response.writeHead(206).end(bytes.subarray(+from, to ? +to + 1 : undefined));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true });
});

async function* pieces(): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < BYTES.length; at += 50_000) yield BYTES.subarray(at, at + 50_000);
}

/** Each kind, and whether it can be read only once. */
const sources: [name: string, make: () => ByteSource, once?: boolean][] = [
  ['a path', () => join(folder, 'plain')],
  ['a path of a packed file', () => join(folder, 'packed.gz')],
  ['the URL of a file', () => pathToFileURL(join(folder, 'plain'))],
  ['the URL of a file as text', () => pathToFileURL(join(folder, 'plain')).href],
  ['a URL', () => new URL(`${address}/plain`)],
  ['a URL as text', () => `${address}/plain`],
  ['a URL of a packed file', () => `${address}/packed`],
  ['a URL without ranges', () => `${address}/no-ranges`],
  ['a Blob', () => new Blob([BYTES])],
  ['a File', () => new File([BYTES.subarray(0, 5), BYTES.subarray(5)], 'some.bin')],
  ['bytes', () => BYTES],
  ['packed bytes', () => GZIPPED],
  ['an ArrayBuffer', () => BYTES.slice().buffer],
  ['a DataView', () => new DataView(BYTES.buffer)],
  ['a ReadableStream', () => new Blob([BYTES]).stream(), true],
  ['a packed ReadableStream', () => new Blob([GZIPPED]).stream(), true],
  ["a stream of Node's", () => createReadStream(join(folder, 'plain')), true],
  ['a generator', () => pieces(), true],
  ['an iterable', () => ({ [Symbol.asyncIterator]: pieces })],
  ['a function', () => () => pieces()],
  ['a function that promises a function', () => async () => () => new Blob([GZIPPED]).stream()],
];

async function read(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const copies: Uint8Array[] = [];
  for await (const chunk of chunks) copies.push(chunk.slice());
  return Buffer.concat(copies);
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

describe.each(sources)('bytes of %s', (_, make, once = false) => {
  it('come in order, whole and from any offset', async () => {
    for (const from of once ? [0] : [0, 1, 262_143, 262_144, 600_000, 600_001]) {
      const input = await openBytes('csv', make());
      expect(input.once).toBe(once);
      expect(same(await read(input.stream(from)), BYTES.subarray(from))).toBe(true);
    }
    expect(same(await allBytes('csv', make()), BYTES)).toBe(true);
  });

  it('may be left early, and read twice unless it is a stream', async () => {
    const source = make();
    for (let pass = 0; pass < 2; pass++) {
      const input = await openBytes('csv', source);
      const first = async () => {
        for await (const chunk of input.stream()) return chunk[0];
        return undefined;
      };
      if (pass === 1 && once) await expect(first()).rejects.toThrow(/^csv: expected a source that can be read again/);
      else expect(await first()).toBe(BYTES[0]);
    }
  });
});

describe.each(sources.filter(([name]) => !name.includes('packed') && !name.includes('promises')))(
  'ranges of %s',
  (_, make) => {
    it('come in any order', async () => {
      const bytes = await openRandom('parquet', make());
      expect(bytes.size).toBe(BYTES.length);
      for (const [from, to] of [
        [600_000, 600_001],
        [0, 4],
        [262_140, 262_150],
        [7, 7],
        [599_990, 700_000],
      ] as const)
        expect(same(await bytes.read(from, to), BYTES.subarray(from, to))).toBe(true);
      await bytes.close();
    });
  },
);

describe('bytes', () => {
  it('of Zstandard are unpacked, by the package for that', async () => {
    expect(new TextDecoder().decode(await allBytes('lines', ZSTD))).toBe('hello hello hello hello\n');
  });

  it('of text come as UTF-8', async () => {
    const source = async function* () {
      yield 'grün\n';
      yield '€';
    };
    expect(new TextDecoder().decode(await allBytes('lines', source()))).toBe('grün\n€');
  });

  it('of several packed pieces one after the other are all there', async () => {
    const twice = Buffer.concat([gzipSync('a\n'), gzipSync('b\n')]);
    expect(new TextDecoder().decode(await allBytes('lines', twice))).toBe('a\nb\n');
  });

  it('of an address go on by a range request, and a server without ranges is asked for the whole once', async () => {
    requests.length = 0;
    const some = await openRandom('parquet', `${address}/no-ranges`);
    await Promise.all([some.read(1, 3), some.read(5, 9)]);
    await some.read(0, 4);
    expect(requests.filter((request) => request.startsWith('GET')).length).toBeLessThanOrEqual(2);
    requests.length = 0;
    const input = await openBytes('csv', `${address}/plain`);
    await read(input.stream(500_000));
    expect(requests.at(-1)).toBe('GET /plain bytes=500000-');
  });

  it.each([
    ['an address that is not there', () => allBytes('csv', `${address}/missing`), /^csv: .*\/missing, got 404/],
    ['ranges of one', () => openRandom('csv', `${address}/missing`), /^csv: .*\/missing, got 404/],
    ['what is no source', () => allBytes('csv', 7 as never), /^csv: expected a path, a URL/],
    [
      'an iterable of numbers',
      () => allBytes('csv', numbers() as never),
      /^csv: expected a stream of bytes, got one with 1/,
    ],
  ])('refuse %s', async (_, call, message) => {
    await expect(call()).rejects.toThrow(ArgumentError);
    await expect(call()).rejects.toThrow(message);
  });

  it('keep the error of the system', async () => {
    await expect(allBytes('csv', join(folder, 'missing'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it.each([
    ['gzip that is cut short', GZIPPED.subarray(0, 1000)],
    ['gzip with a wrong byte', GZIPPED.map((x, i) => (i === 20 ? x ^ 255 : x))],
    ['Zstandard that is cut short', ZSTD.subarray(0, 20)],
    ['Zstandard of a wrong block', ZSTD.map((x, i) => (i === 6 ? 255 : x))],
  ])('name the file with %s', async (_, bytes) => {
    const call = allBytes('csv', new File([bytes], 'some.gz'));
    await expect(call).rejects.toThrow(FormatError);
    await expect(call).rejects.toThrow(/^csv: expected some.gz to be packed/);
  });
});

async function* numbers(): AsyncGenerator<number> {
  yield 1;
}
