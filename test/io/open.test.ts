// safetensors tensor by tensor: of paths, addresses, Blobs and bytes, of one file and of several.

import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FormatError, init, shutdown, tensor } from '../../bindings/index.ts';
import * as io from '../../bindings/io/index.ts';
import { ArgumentError } from '../../bindings/memory/errors.ts';
import { file } from '../support/files.ts';

beforeAll(() => init({ simd: 'strict', threads: 1 }));
afterAll(() => shutdown());

const path = (name: string): string => fileURLToPath(new URL(`files/${name}`, import.meta.url));
const INDEX = 'sharded/model.safetensors.index.json';

/** Serves test/io/files, and counts the bytes that go out. */
async function served<T>(run: (url: string, sent: () => number) => Promise<T>, ranges = true): Promise<T> {
  let sent = 0;
  const server = createServer(async ({ url, method, headers }, response) => {
    const bytes = await readFile(path(decodeURIComponent((url as string).slice(1).replace(/\?.*/, '')))).catch(
      () => null,
    );
    if (!bytes) return void response.writeHead(404).end();
    const [, from = 0, to = bytes.length - 1] = (ranges && /bytes=(\d+)-(\d+)/.exec(headers.range ?? '')) || [];
    const part = bytes.subarray(+from, +to + 1);
    response.writeHead(part.length < bytes.length ? 206 : 200, {
      'content-length': part.length,
      'content-range': `bytes ${from}-${to}/${bytes.length}`,
    });
    if (method !== 'HEAD') sent += part.length;
    response.end(method === 'HEAD' ? undefined : part);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  try {
    return await run(`http://127.0.0.1:${port}/`, () => sent);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function checkDtypes(source: io.ByteSource): Promise<void> {
  const opened = await io.openSafetensors(source);
  const { tensors } = io.decodeSafetensors(file('dtypes.safetensors'));
  expect(opened.keys().sort()).toEqual(Object.keys(tensors).sort());
  for (const [name, x] of Object.entries(tensors)) expect(await opened.getTensor(name)).toEqual(x);
  expect({ ...(await opened.tensors()) }).toEqual({ ...tensors });
  expect(opened.getInfo('bfloat16')).toEqual({ dtype: 'BF16', shape: [2, 3], bytes: 12 });
  await opened.close();
}

async function checkShards(source: io.ByteSource, options?: io.OpenOptions): Promise<void> {
  const opened = await io.openSafetensors(source, options);
  expect(opened.keys()).toEqual(['a.weight', 'b.weight', 'c.bias']);
  expect({ ...opened.metadata }).toEqual({ format: 'pt' });
  expect([...(await opened.getTensor('c.bias')).data]).toEqual([18, 18.5, 19, 19.5]);
  expect(Object.keys(await opened.tensors())).toHaveLength(3);
  await opened.close();
}

describe('openSafetensors', () => {
  it('reads paths, URLs of files, Blobs and bytes', async () => {
    await checkDtypes(path('dtypes.safetensors'));
    await checkDtypes(new URL('files/dtypes.safetensors', import.meta.url));
    await checkDtypes(new Blob([file('dtypes.safetensors')]));
    await checkDtypes(file('dtypes.safetensors'));
  });

  it('reads addresses by ranges', () =>
    served(async (url, sent) => {
      await checkDtypes(`${url}dtypes.safetensors?download=true`);
      const before = sent();
      const opened = await io.openSafetensors(`${url}dtypes.safetensors`);
      await opened.getTensor('bfloat16');
      const { size } = await stat(path('dtypes.safetensors'));
      const data = opened.keys().reduce((sum, name) => sum + opened.getInfo(name).bytes, 0);
      // The start of the header, twice since an index would begin otherwise, the header, and the tensor.
      expect(sent() - before).toBe(size - data + 8 + 12);
    }));

  it('reads addresses of servers without ranges', () =>
    served((url) => checkDtypes(`${url}dtypes.safetensors`), false));

  it('reads several files by their index', async () => {
    await checkShards(path(INDEX));
    await checkShards(new URL(`files/${INDEX}`, import.meta.url));
    await served((url) => checkShards(`${url}${INDEX}?x=1`));
    await checkShards(file(INDEX), { shards: (name) => new Blob([file(`sharded/${name}`)]) });
  });

  it('says what is wrong', async () => {
    const opened = await io.openSafetensors(file('dtypes.safetensors'));
    await expect(opened.getTensor('none')).rejects.toThrow(
      /getTensor: expected the name of a tensor in the file, got 'none'/,
    );
    expect(() => opened.getInfo('none')).toThrow(ArgumentError);
    await expect(io.openSafetensors(path('none'))).rejects.toThrow(/ENOENT/);
    await served((url) => expect(io.openSafetensors(`${url}none`)).rejects.toThrow(ArgumentError));
    await expect(io.openSafetensors(file(INDEX))).rejects.toThrow(/pass \{ shards: \(name\) => … \}/);
  });

  const text = (x: unknown) => new TextEncoder().encode(typeof x === 'string' ? x : JSON.stringify(x));
  const shards = () => file('sharded/model-00001-of-00002.safetensors');
  const wrong: [string, Uint8Array, RegExp][] = [
    ['cut short', file('dtypes.safetensors').slice(0, -1), /the file is cut short/],
    ['nothing', new Uint8Array(), /8 bytes with the header's length/],
    ['no JSON', text('{ weight_map'), /expected JSON in bytes, got other text/],
    ['no map', text({ metadata: {} }), /an index with a weight_map/],
    ['a map of numbers', text({ weight_map: { a: 3 } }), /names of files beside the index, got 3 for "a"/],
    ...['../x', '/etc/passwd', 'a\\b', 'c:x', '..', ''].map(
      (name) =>
        [`the file ${name}`, text({ weight_map: { 'a.weight': name } }), /names of files beside the index/] as [
          string,
          Uint8Array,
          RegExp,
        ],
    ),
    [
      'a tensor that is elsewhere',
      text({ weight_map: { 'b.weight': 'x' } }),
      /"b\.weight" in x, as the index says, got none/,
    ],
  ];
  it.each(wrong)('refuses %s', async (_, bytes, message) => {
    await expect(io.openSafetensors(bytes, { shards })).rejects.toThrow(FormatError);
    await expect(io.openSafetensors(bytes, { shards })).rejects.toThrow(message);
  });
});

describe('saveShardedSafetensors', () => {
  const tensors = () => ({ a: tensor([1, 2]), b: tensor([[3, 4, 5]]), c: tensor([6], { dtype: 'i32' }) });

  it('writes what is read again, in one file or several', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'shards-'));
    await io.saveShardedSafetensors(folder, tensors());
    expect(await readdir(folder)).toEqual(['model.safetensors']);
    await io.saveShardedSafetensors(folder, tensors(), { maxShardBytes: 12 });
    expect((await readdir(folder)).sort()).toEqual([
      ...[1, 2, 3].map((i) => `model-0000${i}-of-00003.safetensors`),
      ...['model.safetensors', 'model.safetensors.index.json'],
    ]);
    for (const name of ['model.safetensors', 'model.safetensors.index.json']) {
      const opened = await io.openSafetensors(join(folder, name));
      const back = await opened.tensors();
      expect(Object.fromEntries(Object.entries(back).map(([key, x]) => [key, [x.dtype, ...x.data]]))).toEqual({
        a: ['f32', 1, 2],
        b: ['f32', 3, 4, 5],
        c: ['i32', 6],
      });
      await opened.close();
    }
    await expect(io.saveShardedSafetensors(folder, tensors(), { maxShardBytes: 0 })).rejects.toThrow(/above 0, got 0/);
    await rm(folder, { recursive: true });
  });
});

describe('castTensors', () => {
  const floats = (bits: Uint32Array) => ({
    x: { dtype: 'f32', shape: [bits.length], data: new Float32Array(bits.buffer) } as const,
  });
  const words = (dtype: 'f16' | 'bf16', bits: Uint32Array): Uint16Array =>
    io.castTensors(floats(bits), dtype).x?.data as Uint16Array;

  it('rounds to the nearest float of 16 bits, ties to even', () => {
    for (const dtype of ['f16', 'bf16'] as const) {
      // Each of 16 bits, by what reading makes of it.
      const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
      const { x } = io.decodeSafetensors(io.encodeSafetensors({ x: { dtype, shape: [65536], data: all } })).tensors;
      const values = x?.data as Float32Array;
      const back = io.castTensors({ x: x as io.FileTensor }, dtype).x?.data as Uint16Array;
      expect(all.filter((i) => !Number.isNaN(values[i]) && back[i] !== i)).toEqual(new Uint16Array());
      // Between two neighbours: the half goes to the even one, what is beside it to the nearer.
      const top = dtype === 'f16' ? 0x7bff : 0x7f7f;
      for (let i = 0; i < top; i += 61) {
        const middle = ((values[i] as number) + (values[i + 1] as number)) / 2;
        const bits = new Uint32Array(Float32Array.of(middle, middle, middle).buffer);
        bits[0] = (bits[1] as number) - 1;
        bits[2] = (bits[1] as number) + 1;
        expect([...words(dtype, bits)], `${dtype} ${i}`).toEqual([i, i + (i % 2), i + 1]);
      }
    }
  });

  it('keeps what is no number, and makes infinite what is beyond', () => {
    const special = Uint32Array.of(0x7fc00000, 0x7f800001, 0xff800000, 0x7f7fffff, 0x80000000, 1);
    expect([...words('f16', special)]).toEqual([0x7e00, 0x7e00, 0xfc00, 0x7c00, 0x8000, 0]);
    expect([...words('bf16', special)]).toEqual([0x7fc0, 0x7fc0, 0xff80, 0x7f80, 0x8000, 0]);
  });

  it('leaves other dtypes, and writes files that others read', async () => {
    const cast = io.castTensors({ x: tensor([1, -2]), i: tensor([3], { dtype: 'i32' }) }, 'bf16');
    expect([cast.x?.dtype, cast.i?.dtype]).toEqual(['bf16', 'i32']);
    const { tensors } = io.decodeSafetensors(io.encodeSafetensors(cast));
    expect([...(tensors.x?.data ?? [])]).toEqual([1, -2]);
    expect(await io.decodePyTorch(io.encodePyTorch(cast))).toEqual({ ...tensors });
  });

  it('writes every dtype as the reference does', () => {
    const six = [0, 1, 2, 3, 4, 5];
    const half = (i: number) => (i - 4) / 2;
    const f32 = { dtype: 'f32', shape: [2, 3], data: Float32Array.from(six, half) } as const;
    const bytes = io.encodeSafetensors({
      float32: f32,
      float64: { dtype: 'f64', shape: [2, 3], data: Float64Array.from(six, half) },
      float16: io.castTensors({ f32 }, 'f16').f32 as io.WideTensor,
      bfloat16: io.castTensors({ f32 }, 'bf16').f32 as io.WideTensor,
      int64: { dtype: 'i64', shape: [2, 3], data: BigInt64Array.from(six, (i) => BigInt(i - 2)) },
      int32: { dtype: 'i32', shape: [2, 3], data: Int32Array.from(six, (i) => i - 2) },
      uint8: { dtype: 'u8', shape: [2, 3], data: Uint8Array.from(six) },
      uint64: { dtype: 'u64', shape: [2, 3], data: BigUint64Array.from(six, BigInt) },
    });
    expect(new TextDecoder().decode(bytes)).toBe(new TextDecoder().decode(file('dtypes.safetensors')));
  });
});
