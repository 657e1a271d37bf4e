// NumPy's files: those that NumPy wrote (test/golden/files.py), what is refused, and those of ours.
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FormatError, init, shutdown, tensor } from '../../bindings/index.ts';
import * as io from '../../bindings/io/index.ts';
import { ArgumentError } from '../../bindings/memory/errors.ts';
import { holders, NO_BYTES } from '../support/bytes.ts';
import { file, written } from '../support/files.ts';
import { fromHex } from '../support/safetensors.ts';

beforeAll(() => init({ simd: 'strict', threads: 1 }));
afterAll(() => shutdown());

const refused: Record<string, string> = JSON.parse(
  readFileSync(new URL('files/refused.json', import.meta.url), 'utf8'),
);
const of = (name: string): Uint8Array => fromHex(refused[name] as string);

describe('decodeNpz', () => {
  it('reads every dtype, order of bytes and layout', async () => {
    const { scalar, empty, ...arrays } = await io.decodeNpz(file('arrays.npz'));
    expect(scalar).toEqual({ dtype: 'f32', shape: [], data: Float32Array.of(2.5) });
    expect(empty).toEqual({ dtype: 'f32', shape: [0, 3], data: new Float32Array() });
    expect(Object.keys(arrays)).toHaveLength(84);
    for (const [name, x] of Object.entries(arrays)) {
      const from = Array.from({ length: 24 }, (_, i) => i);
      const [kind] = name;
      const value =
        kind === 'b'
          ? (i: number) => i % 2
          : kind === 'f'
            ? (i: number) => (i - 4) / 2
            : (i: number) => (kind === 'i' ? i - 2 : i);
      expect([...x.data], name).toEqual(from.map(value));
      expect(x.shape, name).toEqual(name.includes('-1') ? [24] : [2, 3, 4]);
      expect(x.dtype, name).toBe(kind === 'f' ? 'f32' : /^(b1|u1)/.test(name) ? 'u8' : 'i32');
    }
  });

  it('reads what is stored', async () => {
    const { a, b } = await io.decodeNpz(file('stored.npz'));
    expect([...(a?.data ?? []), ...(b?.data ?? [])]).toEqual([0, 1, 2, 1, 0]);
  });

  it('finds a changed bit of a number', async () => {
    const bytes = file('stored.npz');
    const at = Buffer.from(bytes).indexOf(new Uint8Array(Float32Array.of(0, 1, 2).buffer));
    bytes[at + 4] = (bytes[at + 4] as number) ^ 1;
    await expect(io.decodeNpz(bytes)).rejects.toThrow(/with the checksum of "a.npy", got others; the file is damaged/);
  });

  it('refuses what is no archive of arrays', async () => {
    await expect(io.decodeNpz(file('version-1.npy'))).rejects.toThrow(/a zip archive with its directory at the end/);
    await expect(io.decodeNpz(file('state.pt'))).rejects.toThrow(
      /got a pickle; loadPyTorch\(\) reads what torch\.save wrote in "/,
    );
  });
});

describe('decodeNpy', () => {
  it.each([1, 2, 3])('reads version %i', (version) => {
    const x = { dtype: 'f32', shape: [2, 3], data: Float32Array.of(0, 1, 2, 3, 4, 5) };
    const bytes = file(`version-${version}.npy`);
    expect(io.decodeNpy(bytes)).toEqual(x);
    expect(io.decodeNpy(bytes).data.buffer).toBe(bytes.buffer);
    for (const given of Object.values(holders(bytes))) expect(io.decodeNpy(given)).toEqual(x);
  });

  it.each(Object.entries(NO_BYTES))('refuses %s', (_, given) => {
    expect(() => io.decodeNpy(given as Uint8Array)).toThrow(ArgumentError);
  });

  it.each([
    ['structured', /got the dtype structured records \[\('a', '<f4'\), \('b', '<i8'\)\]; save their fields/],
    ['object', /got the dtype \|O, Python objects/],
    ['text', /got the dtype <U3, text/],
    ['bytes', /got the dtype \|S3, text/],
    ['complex', /got the dtype <c8, complex numbers/],
    ['date', /got the dtype <M8\[D\], dates/],
    ['long', /got the dtype <f16, this machine's long floats/],
    ['void', /got the dtype \|V3, bytes without a meaning/],
  ])('refuses %s by name', (name, message) => {
    expect(() => io.decodeNpy(of(name))).toThrow(FormatError);
    expect(() => io.decodeNpy(of(name))).toThrow(message);
  });

  it('keeps wide numbers where it is told to', () => {
    expect(() => io.decodeNpy(of('wide'))).toThrow(/fits i32, got 1099511627776 at element 1; pass \{ wide: true \}/);
    expect(io.decodeNpy(of('wide'), { wide: true })).toEqual({
      dtype: 'i64',
      shape: [2],
      data: BigInt64Array.of(1n, 2n ** 40n),
    });
  });

  /** A file of a header and `bytes` zeros. */
  const made = (header: string, bytes = 0): Uint8Array =>
    Uint8Array.from(
      Buffer.concat([
        Buffer.from([0x93]),
        Buffer.from('NUMPY\x01\x00'),
        Buffer.from([header.length & 255, header.length >> 8]),
        Buffer.from(header),
        Buffer.alloc(bytes),
      ]),
    );
  it.each([
    ['no dict', made('x'), /a header with descr, fortran_order and shape, got "x"/],
    ['a missing key', made("{'descr': '<f4', 'shape': (1,)}", 4), /a header with descr/],
    [
      'another key',
      made("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 'y'}", 4),
      /a header with descr/,
    ],
    [
      'a key twice',
      made("{'descr': '<f4', 'descr': '<f4', 'shape': (1,)}", 4),
      /each key of the header once, got descr/,
    ],
    ['a call', made("{'descr': '<f4', 'fortran_order': False, 'shape': f(1)}", 4), /a header with descr/],
    ['a negative size', made("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", 4), /a header with descr/],
    ['too little', made("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 4), /8 bytes of f4 \[2\], got 4/],
    ['too much', made("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 12), /8 bytes of f4 \[2\], got 12/],
    [
      'a shape that overflows',
      made(`{'descr': '<f4', 'fortran_order': False, 'shape': (${'9999999999999999, '.repeat(4)})}`),
      /a shape that fits/,
    ],
    [
      '65 dims',
      made(`{'descr': '<f4', 'fortran_order': False, 'shape': (${'1, '.repeat(65)})}`, 4),
      /a shape that fits/,
    ],
    ['version 9', Uint8Array.from([0x93, ...Buffer.from('NUMPY'), 9, 0, 0, 0]), /version 1 to 3/],
    ['a header beyond the file', made('x').subarray(0, 10), /a header of 1 bytes inside/],
    ['brackets without end', made(`{'descr': ${'[('.repeat(4000)}`), /a header with descr/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => io.decodeNpy(bytes)).toThrow(FormatError);
    expect(() => io.decodeNpy(bytes)).toThrow(message);
  });
});

const ours = (): Record<string, io.Savable> => ({
  f32: tensor([
    [0, 1, 2],
    [3, 4, 5],
  ]),
  i32: tensor([-1], { dtype: 'i32' }),
  u8: { dtype: 'u8', shape: [0], data: new Uint8Array() },
  i64: { dtype: 'i64', shape: [1], data: BigInt64Array.of(2n ** 40n) },
  u64: { dtype: 'u64', shape: [1], data: BigUint64Array.of(2n ** 63n) },
  f64: { dtype: 'f64', shape: [], data: Float64Array.of(0.1) },
  f16: { dtype: 'f16', shape: [1], data: Uint16Array.of(0x3e00) },
});

describe('encodeNpz', () => {
  it('writes the bytes that NumPy has read (test/golden/files.py)', async () => {
    const bytes = await io.encodeNpz(ours());
    written('ours.npz', bytes);
    expect(Buffer.compare(bytes, file('ours.npz'))).toBe(0);
    const compressed = await io.encodeNpz(ours(), { compressed: true });
    written('ours-compressed.npz', compressed);
    for (const given of [bytes, compressed, file('ours-compressed.npz')]) {
      const back = await io.decodeNpz(given, { wide: true });
      expect(back.f32).toEqual({ dtype: 'f32', shape: [2, 3], data: Float32Array.of(0, 1, 2, 3, 4, 5) });
      expect([...(back.f64?.data ?? []), ...(back.f16?.data ?? []), ...(back.i64?.data ?? [])]).toEqual([
        Math.fround(0.1),
        1.5,
        2n ** 40n,
      ]);
    }
  });

  it('takes less room where it compresses', async () => {
    const x = { dtype: 'f32', shape: [10_000], data: new Float32Array(10_000) } as const;
    expect((await io.encodeNpz({ x }, { compressed: true })).length).toBeLessThan(1000);
  });

  it('refuses what NumPy has not', async () => {
    const x = { dtype: 'bf16', shape: [1], data: new Uint16Array(1) } as const;
    await expect(io.encodeNpz({ x })).rejects.toThrow(/a dtype that NumPy has, got bf16 in "x"; make it f32 or f16/);
    expect(() => io.encodeNpy(3 as never)).toThrow(/expected a tensor, or \{ dtype, shape, data \} .* got 3/);
  });
});

it('files go to and fro', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'npy-'));
  const [a, b, c] = ['a.npy', 'b.npz', 'c.pt'].map((name) => join(folder, name)) as [string, string, string];
  const x = tensor([[1, 2]]);
  await io.saveNpy(a, x);
  await io.saveNpz(b, { x }, { compressed: true });
  await io.savePyTorch(c, { x });
  for (const back of [await io.loadNpy(a), (await io.loadNpz(b)).x, (await io.loadPyTorch(c)).x])
    expect(back).toEqual({ dtype: 'f32', shape: [1, 2], data: Float32Array.of(1, 2) });
  await expect(io.loadNpy(join(folder, 'none'))).rejects.toThrow(/ENOENT/);
  await rm(folder, { recursive: true });
});
