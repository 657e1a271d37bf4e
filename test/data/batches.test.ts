// Batches: arrays in place of numbers, padding, and tensors for the loop that trains.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as data from '../../bindings/data/index.ts';
import {
  ArgumentError,
  backend,
  FreedError,
  init,
  nn,
  optim,
  shutdown,
  type Tensor,
  tensor,
} from '../../bindings/index.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../bindings/io/index.ts';

beforeAll(() => init());
afterAll(() => shutdown());

const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);

describe('batches', () => {
  it('are of arrays in place of numbers, by what records are', async () => {
    const records = [
      {
        n: 1,
        flag: true,
        big: 3n,
        word: 'a',
        list: [1, 2],
        image: { data: Uint8Array.of(1, 2), shape: [1, 2] },
        gone: null,
        pair: ['x', 1],
        d: new Date(0),
      },
      {
        n: null,
        flag: false,
        big: 4n,
        word: 'b',
        list: [3, 4],
        image: { data: Uint8Array.of(3, 4), shape: [1, 2] },
        gone: undefined,
        pair: ['y', 2],
        d: new Date(1),
      },
    ];
    const [batch] = await data.from(records).batch(2).toArray();
    expect(batch).toEqual({
      n: Float32Array.of(1, Number.NaN),
      flag: Uint8Array.of(1, 0),
      big: Int32Array.of(3, 4),
      word: ['a', 'b'],
      list: { data: Float32Array.of(1, 2, 3, 4), shape: [2, 2] },
      image: { data: Uint8Array.of(1, 2, 3, 4), shape: [2, 1, 2] },
      gone: [null, undefined],
      pair: [['x', 'y'], Float32Array.of(1, 2)],
      d: [new Date(0), new Date(1)],
    });
  });

  it('share no memory with what they were made of', async () => {
    const x = Float32Array.of(1, 2);
    const [batch] = await data.from({ x }).batch(2).toArray();
    (batch as { x: Float32Array }).x.fill(9);
    expect(x).toEqual(Float32Array.of(1, 2));
  });

  it.each<[string, unknown[], RegExp]>([
    [
      'arrays of different shapes',
      [{ a: [1, 2] }, { a: [1] }],
      /one shape in 'a', got \[2\] and \[1\]; pass collate: data.padCollate/,
    ],
    ['an array and a number', [[1, 2], 3], /expected arrays of numbers in records, got 3/],
    ['a number and a word', [{ a: 1 }, { a: 'b' }], /expected numbers in 'a', got 'b' among them/],
    ['a large bigint', [{ a: 2n ** 40n }], /whole numbers of 32 bits in 'a'/],
  ])('refuse %s', async (_, records, message) => {
    await expect(data.from(records).batch(2).toArray()).rejects.toThrow(message);
    await expect(data.from(records).batch(2).toArray()).rejects.toBeInstanceOf(ArgumentError);
  });

  it('pad sequences', async () => {
    const texts = data.from([
      { tokens: Int32Array.of(1, 2, 3), label: 1 },
      { tokens: Int32Array.of(4), label: 0 },
    ]);
    const options = { mask: true, lengths: true, paddingValue: -1, multipleOf: 2 };
    const [right] = await texts.batch(2, { collate: data.padCollate(options) }).toArray();
    expect(right).toEqual({
      tokens: { data: Int32Array.of(1, 2, 3, -1, 4, -1, -1, -1), shape: [2, 4] },
      tokensMask: { data: Uint8Array.of(1, 1, 1, 0, 1, 0, 0, 0), shape: [2, 4] },
      tokensLengths: Int32Array.of(3, 1),
      label: Float32Array.of(1, 0),
    });
    const collate = data.padCollate({ paddingSide: 'left', maxLength: 2, mask: true });
    const [left] = await texts.batch(2, { collate }).toArray();
    expect(left).toMatchObject({
      tokens: { data: Int32Array.of(1, 2, 0, 4), shape: [2, 2] },
      tokensMask: { data: Uint8Array.of(1, 1, 0, 1), shape: [2, 2] },
    });
    const frames = data.from([
      { data: Float32Array.of(1, 2, 3, 4), shape: [2, 2] },
      { data: Float32Array.of(5, 6), shape: [1, 2] },
    ]);
    expect(await frames.batch(2, { collate: data.padCollate() }).toArray()).toEqual([
      { data: Float32Array.of(1, 2, 3, 4, 5, 6, 0, 0), shape: [2, 2, 2] },
    ]);
    await expect(frames.batch(2, { collate: data.padCollate({ mask: true }) }).toArray()).rejects.toThrow(
      /records that are objects/,
    );
  });

  it('of about one length are padded little', async () => {
    const words = data.from(count(300).map((i) => ({ t: new Uint8Array(1 + ((i * 37) % 50)).fill(i) })));
    const batches = words.bucketByLength(({ t }) => t.length, 10, { seed: 1, windowSize: 100 });
    const all = await batches
      .map((b) => b as unknown)
      .toArray()
      .catch((error: Error) => error);
    expect(all).toBeInstanceOf(ArgumentError); // of two lengths, and no padding asked for
    const padded = await words
      .bucketByLength(({ t }) => t.length, 10, {
        seed: 1,
        windowSize: 100,
        collate: data.padCollate({ lengths: true }),
      })
      .map((b) => b as { t: data.NdArray; tLengths: Int32Array })
      .toArray();
    expect(padded.reduce((sum, { tLengths }) => sum + tLengths.length, 0)).toBe(300);
    const filled = padded.reduce((sum, { tLengths }) => sum + tLengths.reduce((a, b) => a + b), 0);
    expect(filled / padded.reduce((sum, { t }) => sum + t.data.length, 0)).toBeGreaterThan(0.85);
    const longest = padded.map(({ t }) => t.shape[1] as number);
    expect(longest).not.toEqual(sorted(longest));
  });
});

describe('tensors()', () => {
  it('are of the dtypes of the arrays, or of those that are asked for', async () => {
    const rows = data.from({
      x: Float64Array.of(1, 2),
      y: BigInt64Array.of(3n, 4n),
      z: Uint8Array.of(5, 6),
      s: ['a', 'b'],
    });
    for await (const { x, y, z, s } of rows.batch(2).tensors()) {
      expect([x.dtype, y.dtype, z.dtype]).toEqual(['f32', 'i32', 'u8']);
      expect([x.toArray(), y.toArray(), z.toArray(), s]).toEqual([
        [1, 2],
        [3, 4],
        [5, 6],
        ['a', 'b'],
      ]);
    }
    for await (const { x, z } of rows.batch(2).tensors({ dtypes: { z: 'f32' } }))
      expect([x.dtype, z.dtype]).toEqual(['f32', 'f32']);
    for await (const { x, z } of rows.batch(2).tensors('i32')) expect([x.dtype, z.dtype]).toEqual(['i32', 'i32']);
    expect(() => rows.batch(2).tensors('f64' as never)).toThrow(/^tensors: expected/);
    expect(() => rows.batch(2).tensors(3 as never)).toThrow(/^tensors: expected/);
  });

  it('free a turn at the next, keep what is kept, and hold memory level over a thousand batches', async () => {
    const w = tensor([0.5], { requiresGrad: true });
    const step = new optim.SGD([w], { lr: 1e-6 });
    const batches = data
      .from({ x: new Float32Array(2000).fill(1) })
      .batch(2)
      .tensors();
    const { blocks } = backend().memory;
    let [before, kept]: (Tensor | undefined)[] = [];
    let most = 0;
    for await (const { x } of batches) {
      if (before) expect(before.block.freed).toBe(true);
      before = x.mul(w);
      before.sum().backward();
      step.step();
      step.zeroGrad();
      kept ??= x.add(1).keep();
      await null;
      most = Math.max(most, backend().memory.blocks - blocks);
    }
    expect(before?.block.freed).toBe(true);
    expect(() => before?.item()).toThrow(FreedError);
    expect(kept?.toArray()).toEqual([2, 2]);
    kept?.dispose();
    expect(most).toBeLessThan(40);
    for await (const { x } of batches) {
      x.add(1);
      break;
    }
    await expect(
      (async () => {
        for await (const { x } of batches) x.reshape([3]);
      })(),
    ).rejects.toThrow(/reshape/);
    expect(backend().memory.blocks).toBeLessThanOrEqual(blocks + 2); // the parameter and its gradient
  });

  it('go into a checkpoint as its loader', async () => {
    const make = () => data.from(count(20)).shuffle({ seed: 4 }).batch(3).tensors();
    const [first, second, whole] = [make(), make(), make()];
    const model = new nn.Linear(1, 1);
    const all: number[][] = [];
    for await (const x of whole) all.push([...x.data]);
    let bytes = new Uint8Array();
    const seen: number[][] = [];
    for await (const x of first) {
      seen.push([...x.data]);
      if (seen.length < 3) continue;
      bytes = encodeCheckpoint({ model, loader: first }) as never;
      break;
    }
    decodeCheckpoint(bytes, { model, loader: second });
    for await (const x of second) seen.push([...x.data]);
    expect(seen).toEqual(all);
    expect(() => decodeCheckpoint(bytes, { loader: data.from([1]) })).toThrow(
      /loadState: expected a state of from, got one of/,
    );
  });
});
