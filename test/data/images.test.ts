// Images against what Pillow makes of them.
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { decodeImage, type ImageRecord, imageFolder, images, type NdArray } from '../../bindings/data/index.ts';
import { ArgumentError, FormatError } from '../../bindings/index.ts';

const FOLDER = fileURLToPath(new URL('images/', import.meta.url));
type Kind = 'rgb' | 'grey' | 'small' | 'large';
const expected: Record<string, Record<Kind, number[]>> = JSON.parse(readFileSync(`${FOLDER}expected.json`, 'utf8'));

/** The largest difference of two lists of numbers. */
const apart = (a: ArrayLike<number>, b: readonly number[]): number =>
  a.length === b.length
    ? b.reduce((most, value, i) => Math.max(most, Math.abs((a[i] as number) - value)), 0)
    : Infinity;

describe.each(Object.entries(expected))('%s', (name, of) => {
  // Decoders of JPEG round as they like.
  const tolerance = name.includes('.jp') ? 3 : 0;

  it.each([
    ['rgb', { channels: 3 }, [3, 7, 10], 0],
    ['grey', { channels: 1 }, [1, 7, 10], 0],
    ['small', { size: [3, 4] }, [3, 3, 4], 1],
    ['large', { channels: 1, size: [9, 13] }, [1, 9, 13], 1],
  ] as const)('is decoded as Pillow does: %s', async (kind, options, shape, more) => {
    const image = await decodeImage(readFileSync(FOLDER + name), options);
    expect(image.shape).toEqual(shape);
    expect(apart(image.data, of[kind])).toBeLessThanOrEqual(tolerance + more);
  });

  it('is refused where it is damaged', async () => {
    const bytes = readFileSync(FOLDER + name);
    await expect(decodeImage(bytes.subarray(0, 20))).rejects.toThrow(FormatError);
  });
});

describe('damaged images', () => {
  it.each([
    ['cats/palette.png', 16, /4294967295 × \d+ pixels in/],
    ['dogs/photo.jpg', -1, /4294836225 pixels and 0 scans in/],
    ['dogs/grey.jpeg', -1, /4294836225 pixels and 0 scans in/],
  ])('%s is refused where its head says more pixels than its bytes can be', async (name, at, message) => {
    const bytes = Uint8Array.from(readFileSync(FOLDER + name));
    // The height and the width of JPEG lie five bytes behind the mark of its frame.
    const place =
      at < 0 ? bytes.findIndex((byte, i) => byte === 255 && [0xc0, 0xc2].includes(bytes[i + 1] ?? 0)) + 5 : at;
    bytes.fill(255, place, place + 4);
    await expect(decodeImage(bytes)).rejects.toThrow(message);
    await expect(decodeImage(bytes)).rejects.toThrow(FormatError);
  });

  it('leave the decoder of JPEG as it was', async () => {
    const bytes = Uint8Array.from(readFileSync(`${FOLDER}dogs/grey.jpeg`));
    const right = await decodeImage(bytes);
    const broken = bytes.slice();
    broken[142] = 88; // a code of the table of Huffman that 130 values would have
    for (let i = 0; i < 20; i++) await expect(decodeImage(broken)).rejects.toThrow(FormatError);
    expect(await decodeImage(bytes)).toEqual(right);
  });
});

describe('a folder of images', () => {
  it('has a class for each folder, and pixels in batches', async () => {
    const folder = await imageFolder(FOLDER, { size: [8, 8] });
    expect(folder.classes).toEqual(['cats', 'dogs']);
    expect(folder.length).toBe(Object.keys(expected).length);
    const names = Object.keys(expected).sort();
    const labels: number[] = [];
    const found: string[] = [];
    for await (const { image, label, name } of folder.batch<{ image: NdArray; label: Int32Array; name: string[] }>(4)) {
      expect(image.shape.slice(1)).toEqual([3, 8, 8]);
      labels.push(...label);
      found.push(...name.map((path) => path.slice(FOLDER.length).replace(/^\//, '')));
    }
    expect(found).toEqual(names);
    expect(labels).toEqual(names.map((name) => (name.startsWith('cats') ? 0 : 1)));
  });

  it('is read in any order', async () => {
    const folder = await imageFolder(FOLDER);
    const seen: string[] = [];
    for await (const { name } of folder.shuffle({ seed: 3 })) seen.push(name);
    expect(new Set(seen).size).toBe(folder.length);
    expect(seen).not.toEqual([...seen].sort());
  });

  it('names the file that is none, and says where there are no images', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'images-'));
    await expect(imageFolder(folder)).rejects.toThrow(ArgumentError);
    await writeFile(join(folder, 'a.png'), 'no image');
    const broken = await imageFolder(folder);
    await expect(broken[Symbol.asyncIterator]().next()).rejects.toThrow(/expected a PNG or JPEG file, .*a\.png/);
    await rm(folder, { recursive: true });
    await expect(imageFolder(folder)).rejects.toThrow(/ENOENT/);
  });
});

it('lists of images have labels and names', async () => {
  const bytes = readFileSync(`${FOLDER}dogs/grey.png`);
  const list = images(
    [
      { source: bytes, label: 4 },
      { source: new Blob([bytes]), name: 'second' },
    ],
    { channels: 1 },
  );
  const records: ImageRecord[] = [];
  for await (const record of list) records.push(record);
  expect(records.map(({ label, name }) => [label, name])).toEqual([
    [4, 'image 0'],
    [-1, 'second'],
  ]);
  expect(records[1]?.image.data).toEqual(records[0]?.image.data);
  expect(() => images([{ label: 1 } as never])).toThrow(ArgumentError);
});
