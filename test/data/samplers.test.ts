// Orders and parts of datasets.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as data from '../../bindings/data/index.ts';
import { ArgumentError, arange, init, scope, shutdown } from '../../bindings/index.ts';

beforeAll(() => init());
afterAll(() => shutdown());

const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const sorted = (numbers: Iterable<number>): number[] => [...numbers].sort((a, b) => a - b);
/** How often each of n numbers comes. */
const counts = (numbers: Iterable<number>, n: number): number[] => {
  const found = new Array<number>(n).fill(0);
  for (const i of numbers) found[i] = (found[i] as number) + 1;
  return found;
};

describe('samplers', () => {
  const ten = { length: 10 };
  it('are in order, or random, another order each pass', () => {
    expect([...new data.SequentialSampler(ten)]).toEqual(count(10));
    const random = new data.RandomSampler(ten, { seed: 1 });
    const [first, second] = [[...random], [...random]];
    expect(sorted(first)).toEqual(count(10));
    expect(first).not.toEqual(second);
    expect([...new data.RandomSampler(ten, { seed: 1 })]).toEqual(first);
    expect(counts(new data.RandomSampler(ten, { numSamples: 25 }), 10).every((n) => n === 2 || n === 3)).toBe(true);
    expect(
      counts(new data.RandomSampler(ten, { replacement: true, numSamples: 5000, seed: 2 }), 10).every(
        (n) => Math.abs(n - 500) < 100,
      ),
    ).toBe(true);
    expect(sorted(new data.SubsetRandomSampler([3, 5, 9]))).toEqual([3, 5, 9]);
    expect([...new data.BatchSampler(new data.SequentialSampler(ten), 4, false)]).toEqual([
      count(4),
      [4, 5, 6, 7],
      [8, 9],
    ]);
    expect(new data.BatchSampler(new data.SequentialSampler(ten), 4, true).length).toBe(2);
  });

  it('draw as weights say', () => {
    const drawn = counts(new data.WeightedRandomSampler([1, 0, 3], 8000, { seed: 3 }), 3);
    expect(drawn[1]).toBe(0);
    expect((drawn[2] as number) / (drawn[0] as number)).toBeGreaterThan(2.7);
    expect((drawn[2] as number) / (drawn[0] as number)).toBeLessThan(3.3);
    // Without replacement the first of two is the heavier one in 3 of 4 passes, and all come.
    const once = new data.WeightedRandomSampler([1, 0, 3], 2, { replacement: false, seed: 4 });
    let heavy = 0;
    for (let pass = 0; pass < 2000; pass++) {
      const order = [...once];
      expect(sorted(order)).toEqual([0, 2]);
      heavy += Number(order[0] === 2);
    }
    expect(Math.abs(heavy / 2000 - 0.75)).toBeLessThan(0.04);
    const labels = [...new Array<string>(90).fill('a'), ...new Array<string>(10).fill('b')];
    const classes = [...new data.ClassBalancedSampler(labels, { numSamples: 2000, seed: 5 })].map((i) => labels[i]);
    expect(Math.abs(classes.filter((label) => label === 'b').length - 1000)).toBeLessThan(100);
  });

  it('give a pipeline its order, which goes on from a state', async () => {
    const make = () => data.from(count(10)).sample<number>(new data.RandomSampler(ten, { seed: 6 }));
    const [a, b] = [make(), make()];
    const seen: number[] = [];
    for await (const x of a) if (seen.push(x) === 4) break;
    b.loadState(JSON.parse(JSON.stringify(a.state())));
    expect([...seen, ...(await b.toArray())]).toEqual(await make().toArray());
  });

  it.each<[string, () => unknown, RegExp]>([
    ['no length', () => new data.SequentialSampler({}), /^SequentialSampler: expected a source that says its length/],
    [
      'a negative weight',
      () => new data.WeightedRandomSampler([-1], 1),
      /^WeightedRandomSampler: expected a list of numbers >= 0 as weights, got -1/,
    ],
    ['no weight', () => new data.WeightedRandomSampler([0], 1), /^WeightedRandomSampler: expected a weight > 0/],
    ['too many', () => new data.WeightedRandomSampler([1], 2, false), /numSamples up to the 1 weights/],
    ['none', () => new data.RandomSampler(ten, { numSamples: 0 }), /numSamples >= 1/],
    ['a fraction', () => new data.SubsetRandomSampler([0.5]), /^SubsetRandomSampler: .*got 0.5/],
    ['no sampler', () => new data.BatchSampler({} as never, 1, true), /^BatchSampler: expected a sampler/],
    ['no labels', () => new data.ClassBalancedSampler(3 as never), /^ClassBalancedSampler: expected a list of classes/],
  ])('refuse %s', (_, call, message) => {
    expect(call).toThrow(message);
    expect(call).toThrow(ArgumentError);
  });
});

describe('parts', () => {
  const wholes = { 'random access': data.from(count(40)), stream: data.from(() => count(40)) };
  it.each(Object.entries(wholes))('make up the whole, of %s', async (_, whole) => {
    const parts = data.randomSplit(whole, [0.5, 0.3, 0.2], { seed: 1 });
    const records = await Promise.all(parts.map((part) => part.toArray()));
    expect(sorted(records.flat())).toEqual(count(40));
    expect(await parts[0]?.toArray()).toEqual(records[0]);
    for (const shuffle of [false, true]) {
      const folds = data.kFold(whole, 3, { shuffle, seed: 2 });
      const tests = await Promise.all(folds.map(([, test]) => test.toArray()));
      expect(sorted(tests.flat())).toEqual(count(40));
      for (const [i, [train]] of folds.entries())
        expect(sorted([...(await train.toArray()), ...(tests[i] as number[])])).toEqual(count(40));
    }
  });

  it('are exact of random access, as PyTorch and scikit-learn cut them', async () => {
    const lengths = (parts: readonly { length: number | undefined }[]) => parts.map(({ length }) => length);
    expect(lengths(data.randomSplit(wholes['random access'], [0.33, 0.33, 0.34]))).toEqual([14, 13, 13]);
    expect(lengths(data.randomSplit(wholes['random access'], [30, 10]))).toEqual([30, 10]);
    const folds = data.kFold(data.from(count(10)), 3);
    expect(await folds[0]?.[1].toArray()).toEqual([0, 1, 2, 3]);
    expect(await folds[2]?.[1].toArray()).toEqual([7, 8, 9]);
  });

  it('of a dataset are subsets of it', () => {
    scope(() => {
      const dataset = new data.TensorDataset(arange(10));
      const [train, test] = data.randomSplit(dataset, [8, 2], { seed: 1 }) as data.Subset[] as [
        data.Subset,
        data.Subset,
      ];
      expect([train.length, test.length]).toEqual([8, 2]);
      const seen = [train, test].flatMap((part) => [...new data.DataLoader(part, 3)].length);
      expect(seen).toEqual([3, 1]);
      const subset = new data.Subset(dataset, [7, 3]);
      expect(subset.batch(Int32Array.of(1, 0))[0]?.toArray()).toEqual([3, 7]);
      expect(() => subset.batch(Int32Array.of(2))).toThrow(/^batch: expected indices from 0 to 1, got 2/);
      expect(() => new data.Subset(dataset, [10])).toThrow(/^Subset: expected indices from 0 to 9, got 10/);
      expect(() => new data.Subset({} as never, [])).toThrow(/^Subset: expected a dataset/);
    });
  });

  it.each<[string, () => unknown, RegExp]>([
    [
      'too few',
      () => data.randomSplit(wholes['random access'], [1, 2]),
      /^randomSplit: expected lengths whose sum is 40, got 3/,
    ],
    ['counts of a stream', () => data.randomSplit(wholes.stream, [20, 20]), /^randomSplit: expected fractions/],
    ['negative ones', () => data.randomSplit(wholes.stream, [-1, 2]), /^randomSplit: expected lengths >= 0/],
    ['one fold', () => data.kFold(wholes.stream, 1), /^kFold: expected k from 2/],
    ['too many folds', () => data.kFold(wholes['random access'], 41), /^kFold: expected k from 2 to 40/],
    ['what has no records', () => data.kFold({} as never), /^kFold: expected a pipeline, or a dataset/],
  ])('refuse %s', (_, call, message) => {
    expect(call).toThrow(message);
    expect(call).toThrow(ArgumentError);
  });
});
