// Pipelines of data: what their stages give, and what they refuse.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as data from '../../bindings/data/index.ts';
import { ArgumentError, arange, backend, init, shutdown, tensor } from '../../bindings/index.ts';

beforeAll(() => init());
afterAll(() => shutdown());

const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const table = (n: number) => data.from({ x: Float32Array.from(count(n)), s: count(n).map(String) });
const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);

describe('from()', () => {
  it.each<[string, () => data.Pipeline<unknown>, unknown[]]>([
    ['an array', () => data.from([1, 'a']), [1, 'a']],
    ['a typed array', () => data.from(Int32Array.of(3, 4)), [3, 4]],
    [
      'columns',
      () => data.from({ a: [1n, 2n], b: Uint8Array.of(5, 6) }),
      [
        { a: 1n, b: 5 },
        { a: 2n, b: 6 },
      ],
    ],
    ['an iterable', () => data.from(new Map([[1, 2]])), [[1, 2]]],
    ['a function', () => data.from(() => new Set([7, 8])), [7, 8]],
    ['a function that promises', () => data.from(async () => [7, 8]), [7, 8]],
    ['a pipeline', () => data.from(data.from([1])), [1]],
    ['nothing', () => data.from([]), []],
    [
      'rows of numbers',
      () => data.from({ data: Float32Array.of(1, 2, 3, 4), shape: [2, 2] }),
      [
        { data: Float32Array.of(1, 2), shape: [2] },
        { data: Float32Array.of(3, 4), shape: [2] },
      ],
    ],
  ])('takes %s, as often as it is asked', async (_, make, records) => {
    const pipeline = make();
    expect(await pipeline.toArray()).toEqual(records);
    expect(await pipeline.toArray()).toEqual(records);
  });

  it('takes a dataset of tensors, and leaves no memory behind', async () => {
    const dataset = new data.TensorDataset(arange(6).reshape([3, 2]), tensor([5, 6, 7], { dtype: 'i32' }));
    const { blocks } = backend().memory;
    const [batch] = await data.from(dataset).shuffle({ seed: 3 }).batch(3).toArray();
    const [x, y] = batch as unknown as [data.NdArray<Float32Array>, Int32Array];
    expect(x.shape).toEqual([3, 2]);
    expect([...y].map((label) => [...x.data.subarray(2 * y.indexOf(label))].slice(0, 2))).toEqual(
      [...y].map((label) => [2 * (label - 5), 2 * (label - 5) + 1]),
    );
    expect(backend().memory.blocks).toBe(blocks);
  });

  it.each<[string, unknown, RegExp]>([
    ['a number', 3, /^from: expected an array/],
    ['columns of two lengths', { a: [1], b: [1, 2] }, /^from: expected columns of one length, got 1, 2/],
    ['a generator, which has one pass', count(3)[Symbol.iterator](), /function that begins one/],
    ['a date', new Date(0), /^from: expected an array/],
  ])('refuses %s', (_, source, message) => {
    expect(() => data.from(source as never)).toThrow(message);
  });

  it('refuses a function that gives no iterable when it is read', async () => {
    await expect(data.from((() => 3) as never).toArray()).rejects.toThrow(/^from: expected a function that gives/);
  });
});

describe('stages', () => {
  const ten = data.from(count(10));
  it.each<[string, () => data.Pipeline<unknown>, unknown]>([
    ['map', () => ten.map((x, i) => x * 10 + i).take(3), [0, 11, 22]],
    ['map asynchronously, in order', () => ten.map(async (x) => x + 1), count(11).slice(1)],
    ['filter', () => ten.filter(async (x) => x % 3 === 0), [0, 3, 6, 9]],
    [
      'mapChunk',
      () => table(3).mapChunk((c: { x: Float32Array }) => ({ y: c.x.map((v) => 2 * v) })),
      [{ y: 0 }, { y: 2 }, { y: 4 }],
    ],
    [
      'filterChunk',
      () =>
        table(4)
          .filterChunk((c: { x: Float32Array }) => c.x.map((v) => v % 2))
          .map(({ s }) => s),
      ['1', '3'],
    ],
    ['skip and take', () => ten.skip(2).take(3), [2, 3, 4]],
    ['take nothing, skip all', () => ten.take(0).concat(ten.skip(10)), []],
    ['concat', () => ten.take(2).concat(ten.skip(8), data.from([0])), [0, 1, 8, 9, 0]],
    [
      'zip',
      () => ten.zip(data.from(['a', 'b'])),
      [
        [0, 'a'],
        [1, 'b'],
      ],
    ],
    [
      'enumerate',
      () => data.from(['a', 'b']).enumerate(5),
      [
        [5, 'a'],
        [6, 'b'],
      ],
    ],
    ['repeat', () => ten.take(2).repeat(2), [0, 1, 0, 1]],
    ['repeat for ever what is empty', () => ten.take(0).repeat(), []],
    ['repeat for ever', () => ten.take(2).repeat().take(5), [0, 1, 0, 1, 0]],
    ['interleave by turns', () => ten.take(4).interleave(data.from(['a', 'b'])), [0, 'a', 1, 'b', 2, 3]],
    ['interleave until the first ends', () => ten.interleave(data.from(['a']), { until: 'first' }), [0, 'a', 1]],
    ['interleave with a weight of 0', () => data.from([1, 2]).interleave(ten, { weights: [1, 0], seed: 1 }), [1, 2]],
    ['window', () => ten.take(4).window(2), [Float32Array.of(0, 1), Float32Array.of(1, 2), Float32Array.of(2, 3)]],
    [
      'window with gaps',
      () => ten.window(2, 4, false),
      [Float32Array.of(0, 1), Float32Array.of(4, 5), Float32Array.of(8, 9)],
    ],
    ['shard', () => ten.batch(2).shard(2, 1), [Float32Array.of(2, 3), Float32Array.of(6, 7)]],
    ['unbatch', () => table(3).batch(2).unbatch().take(1), [{ x: 0, s: '0' }]],
    ['sample', () => ten.sample([3, 3, 1]), [3, 3, 1]],
    ['batch by a sampler', () => ten.sample(new data.BatchSampler([3, 2, 1], 2, true)), [Float32Array.of(3, 2)]],
    ['batch by a function', () => ten.batch(4, { dropLast: true, collate: async (all) => all.length }), [4, 4]],
  ])('%s', async (_, make, expected) => {
    const pipeline = make();
    const records = await pipeline.toArray();
    expect(records).toEqual(expected);
    if (pipeline.length !== undefined) expect(pipeline.length).toBe(records.length);
    expect(await pipeline.prefetch(3).toArray()).toEqual(expected);
  });

  it('say how many records there are, where that is known', () => {
    expect(ten.batch(3).length).toBe(4);
    expect(ten.batch(3, true).length).toBe(3);
    expect(ten.window(3, 2).length).toBe(4);
    expect(ten.concat(ten).repeat(2).skip(1).shard(3, 2).length).toBe(13);
    expect(ten.filter(() => true).length).toBeUndefined();
  });

  it('know records by their numbers through all that keeps them', async () => {
    const stages = (input: data.Pipeline<number>) =>
      input
        .map((x, i) => x + i)
        .concat(input.skip(5))
        .zip(data.from(count(15)))
        .enumerate()
        .shard(2, 1)
        .take(6);
    const stream = data.from(() => count(10));
    const shuffled = await stages(ten).shuffle({ seed: 2 }).toArray();
    expect(sorted(shuffled.map(([i]) => i))).toEqual([1, 3, 5, 7, 9, 11]);
    const inOrder = await stages(stream).toArray();
    for (const [i, record] of shuffled) expect([i, record]).toEqual(inOrder[(i - 1) / 2]);
    expect(stages(stream).source.get).toBeUndefined();
  });

  it('cache what a pass reads, whatever reads it', async () => {
    let calls = 0;
    const counted = (input: data.Pipeline<number>) =>
      input
        .map((x) => {
          calls++;
          return x;
        })
        .cache();
    for (const input of [data.from(count(20)), data.from(() => count(20))])
      for (const shuffles of [false, true]) {
        calls = 0;
        const cached = counted(input);
        const pipeline = shuffles ? cached.shuffle({ seed: 1 }) : cached;
        for (let pass = 0; pass < 3; pass++) expect(sorted(await pipeline.toArray())).toEqual(count(20));
        expect(calls).toBe(20);
      }
  });

  it('pass over what they need not make', async () => {
    let calls = 0;
    const made = ten
      .shuffle({ seed: 1 })
      .map((x) => {
        calls++;
        return x;
      })
      .batch(2);
    const [whole, a, b] = [await made.toArray(), await made.shard(2, 0).toArray(), await made.shard(2, 1).toArray()];
    void whole;
    expect(a.length + b.length).toBe(5);
    expect(calls).toBe(20);
  });

  it('ask for no more than is needed', async () => {
    const asked: number[] = [];
    const slow = ten.map((x) => {
      asked.push(x);
      return x;
    });
    for await (const x of slow.batch(2)) if (x[0] === 2) break;
    expect(asked).toEqual([0, 1, 2, 3]);
  });

  it('close what they opened, whatever ends the pass', async () => {
    let open = 0;
    const counted = () =>
      data.from(function* () {
        open++;
        try {
          yield* count(10);
        } finally {
          open--;
        }
      });
    const make = () =>
      counted()
        .zip(counted().concat(counted()))
        .interleave(counted().repeat(2))
        .batch(2, { collate: (x) => x });
    await make().toArray();
    expect(open).toBe(0);
    for await (const _ of make().prefetch(3)) break;
    expect(open).toBe(0);
    await expect(
      make()
        .map(() => Promise.reject(new Error('mine')))
        .toArray(),
    ).rejects.toThrow('mine');
    expect(open).toBe(0);
    await expect(
      counted()
        .zip(data.from(() => Promise.reject(new Error('late')) as never))
        .toArray(),
    ).rejects.toThrow('late');
    expect(open).toBe(0);
  });
});

describe('shuffle()', () => {
  it('gives another order each pass, by the seed alone', async () => {
    for (const input of [data.from(count(50)), data.from(() => count(50))])
      for (const size of [null, 7]) {
        const passes = async (seed: number) => {
          const pipeline = input.shuffle(size, { seed });
          return [await pipeline.toArray(), await pipeline.toArray()] as const;
        };
        const [first, second] = await passes(1);
        expect(sorted(first)).toEqual(count(50));
        expect(sorted(second)).toEqual(count(50));
        expect(first).not.toEqual(second);
        expect(await passes(1)).toEqual([first, second]);
        expect((await passes(2))[0]).not.toEqual(first);
        if (size) expect(first.every((x, i) => Math.abs(x - i) < size)).toBe(true);
      }
  });

  it('has a position for each loop, and a look at the first record moves no other', async () => {
    const pipeline = data.from(count(4)).shuffle();
    let pairs = 0;
    for await (const _ of pipeline) for await (const __ of pipeline) pairs++;
    expect(pairs).toBe(16);
    for await (const _ of pipeline) break;
    expect((await pipeline.toArray()).length).toBe(4);
    expect(pipeline.state().epoch).toBe(7);
  });
});

it('a state is one of the same stages', () => {
  const pipeline = data.from([1, 2]).batch(1);
  const state = pipeline.state();
  expect(JSON.parse(JSON.stringify(state))).toEqual(state);
  for (const wrong of [
    {},
    { ...state, epoch: -1 },
    { ...state, seeds: [1] },
    { ...state, place: 3 },
    { ...state, pipeline: 'x' },
  ])
    expect(() => pipeline.loadState(wrong as never), JSON.stringify(wrong)).toThrow(/^loadState: expected a state of/);
  expect(pipeline.state()).toEqual(state);
});

describe('arguments', () => {
  const ten = data.from(count(10));
  it.each<[string, () => unknown, RegExp]>([
    ['batch', () => ten.batch(0), /^batch: expected batchSize >= 1, got 0/],
    ['shuffle', () => ten.shuffle(0), /^shuffle: expected bufferSize >= 1/],
    ['shuffle seeds', () => ten.shuffle({ seed: -1 }), /^shuffle: expected seed >= 0/],
    ['shard', () => ten.shard(2, 2), /^shard: expected index from 0 to 1, got 2/],
    ['window', () => ten.window(2, 0), /^window: expected stride >= 1/],
    ['take', () => ten.take(-1), /^take: expected count >= 0/],
    ['skip', () => ten.skip(-1), /^skip: expected count >= 0/],
    ['interleave', () => ten.interleave(ten, { weights: [1] }), /^interleave: expected a weight >= 0 for each of 2/],
    ['sample', () => data.from(() => [1]).sample([0]), /^sample: expected records that can be asked for/],
    ['Pipeline', () => new data.Pipeline({} as never), /^Pipeline: expected/],
  ])('of %s are checked', (_, call, message) => {
    expect(call).toThrow(message);
    expect(call).toThrow(ArgumentError);
  });
});
