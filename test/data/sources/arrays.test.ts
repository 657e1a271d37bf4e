// Rows of arrays in files: IDX and .npy, in order and in any order.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as data from '../../../bindings/data/index.ts';
import { FormatError } from '../../../bindings/memory/errors.ts';

const N = 3000;

/** An IDX file of `N` rows of these numbers, big endian. */
function idxFile(
  code: number,
  size: number,
  row: number[],
  put: (view: DataView, at: number, i: number) => void,
): Uint8Array {
  const count = N * row.reduce((a, b) => a * b, 1);
  const bytes = new Uint8Array(8 + 4 * row.length + count * size);
  const view = new DataView(bytes.buffer);
  bytes.set([0, 0, code, 1 + row.length]);
  [N, ...row].forEach((n, i) => {
    view.setUint32(4 + 4 * i, n);
  });
  for (let i = 0; i < count; i++) put(view, 8 + 4 * row.length + i * size, i);
  return bytes;
}

/** A .npy file with that header. */
function npyFile(descr: string, shape: string, content: Uint8Array, fortran = 'False'): Uint8Array {
  const text = `{'descr': ${descr}, 'fortran_order': ${fortran}, 'shape': ${shape}, }`.padEnd(117);
  const head = Uint8Array.from(`\x93NUMPY\x01\x00${String.fromCharCode(118, 0)}${text}\n`, (c) => c.charCodeAt(0));
  return Uint8Array.from([...head, ...content]);
}

const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const swapped = (bytes: Uint8Array, size: number): Uint8Array =>
  bytes.map((_, i) => bytes[i - (i % size) + size - 1 - (i % size)] as number);
const bytesOf = (array: ArrayBufferView): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

const floats = Float32Array.from(count(N * 6), (i) => i / 3);
const bigs = BigInt64Array.from(count(N), (i) => -(BigInt(i) ** 5n));

const files: [
  name: string,
  bytes: Uint8Array,
  open: (source: data.ByteSource) => Promise<data.Pipeline<unknown>>,
  row: (i: number) => unknown,
][] = [
  [
    'images of MNIST',
    idxFile(8, 1, [4, 3], (view, at, i) => view.setUint8(at, i & 255)),
    data.idx,
    (i) => ({ data: Uint8Array.from(count(12), (j) => 12 * i + j), shape: [4, 3] }),
  ],
  ['labels of MNIST', idxFile(8, 1, [], (view, at, i) => view.setUint8(at, i % 10)), data.idx, (i) => i % 10],
  [
    'IDX of f32',
    idxFile(13, 4, [2], (view, at, i) => view.setFloat32(at, i / 2)),
    data.idx,
    (i) => ({ data: Float32Array.of(i, i + 0.5), shape: [2] }),
  ],
  [
    'npy of f32',
    npyFile("'<f4'", `(${N}, 2, 3)`, bytesOf(floats)),
    data.npy,
    (i) => ({ data: floats.slice(6 * i, 6 * i + 6), shape: [2, 3] }),
  ],
  [
    'npy of f32, turned',
    npyFile("'>f4'", `(${N}, 6)`, swapped(bytesOf(floats), 4)),
    data.npy,
    (i) => ({ data: floats.slice(6 * i, 6 * i + 6), shape: [6] }),
  ],
  [
    'npy of f16, turned',
    npyFile("'>f2'", `(${N}, 2)`, swapped(bytesOf(Uint16Array.from(count(2 * N), (i) => 0x3c00 + (i % 1024))), 2)),
    data.npy,
    (i) => ({ data: Float32Array.of(1 + ((2 * i) % 1024) / 1024, 1 + ((2 * i + 1) % 1024) / 1024), shape: [2] }),
  ],
  [
    'npy of f32 in Fortran order',
    npyFile(
      "'<f4'",
      `(${N}, 2, 3)`,
      // Number [i, j, k] is at i + N (j + 2 k) there.
      bytesOf(
        Float32Array.from(
          count(N * 6),
          (at) => floats[6 * (at % N) + 3 * (Math.floor(at / N) % 2) + Math.floor(at / N / 2)] as number,
        ),
      ),
      'True',
    ),
    data.npy,
    (i) => ({ data: floats.slice(6 * i, 6 * i + 6), shape: [2, 3] }),
  ],
  ['npy of i64', npyFile("'<i8'", `(${N},)`, bytesOf(bigs)), data.npy, (i) => bigs[i]],
];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'arrays-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe.each(files)('%s', (name, bytes, open, row) => {
  const sources: [string, () => data.ByteSource | Promise<data.ByteSource>][] = [
    ['bytes', () => bytes],
    ['packed bytes', () => gzipSync(bytes)],
    ['a stream', () => new Blob([bytes as BlobPart]).stream()],
    ['a Blob', () => new Blob([bytes as BlobPart])],
    [
      'a file',
      async () => {
        const path = join(folder, name);
        await writeFile(path, bytes);
        return path;
      },
    ],
  ];

  it.each(sources)('from %s, in order, in any order, and again', async (_, make) => {
    const rows = await open(await make());
    expect(rows.length).toBe(N);
    const all = await rows.toArray();
    expect(all).toEqual(count(N).map(row));
    const some = Int32Array.of(2999, 5, 6, 7, 0, 5);
    const got = await rows.source.get?.(some, 0);
    expect(Array.from(some, (_, i) => got?.at(i))).toEqual(Array.from(some, row));
    const shuffled = await rows.shuffle({ seed: 1 }).take(4).toArray();
    for (const record of shuffled) expect(all).toContainEqual(record);
    let n = 0;
    for await (const _ of rows) if (++n === 1234) break;
    const other = await open(await make());
    other.loadState(JSON.parse(JSON.stringify(rows.state())));
    expect((await other.toArray()).slice(0, 3)).toEqual(count(3).map((i) => row(1234 + i)));
  });
});

describe('rows refuse', () => {
  const two = Uint8Array.of(0, 0, 128, 63, 0, 0, 0, 64);
  it.each<[name: string, call: () => Promise<unknown>, message: RegExp]>([
    ['what is no IDX file', () => data.idx(Uint8Array.of(1, 2, 3, 4)), /^idx: expected an IDX file to begin with/],
    [
      'one that is cut short',
      () => data.idx((files[0] as (typeof files)[0])[1].subarray(0, 500)),
      /^idx: .*the file is cut short/,
    ],
    [
      'what is no .npy',
      () => data.npy(new File(['no numbers in here'], 'x.npy')),
      /^npy: expected a file of NumPy.* in x.npy/,
    ],
    ['one number', () => data.npy(npyFile("'<f8'", '()', two)), /^npy: expected an array with rows, got one number/],
    ['another size', () => data.npy(npyFile("'<f4'", '(3,)', two)), /^npy: expected 12 bytes of f4 \[3\], got 8/],
    ['text', () => data.npy(npyFile("'<U1'", '(2,)', two)), /^npy: .*text/],
  ])('%s', async (_, call, message) => {
    await expect(call()).rejects.toThrow(FormatError);
    await expect(call()).rejects.toThrow(message);
  });
});
