// Which examples each rank has in a pass, and where a pass goes on with another number of ranks.
import { beforeAll, describe, expect, it } from 'vitest';
import { from, RandomSampler } from '../../bindings/data/index.ts';
import { DistributedSampler, type DistributedSamplerOptions, init } from '../../bindings/distributed/index.ts';
import { data, type Tensor, tensor } from '../../bindings/index.ts';

beforeAll(() => init());

const N = 21;
const set = () => new data.TensorDataset(tensor(Int32Array.from({ length: N }, (_, i) => i)));
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** A loader of each of so many ranks. */
const loaders = (ranks: number, batchSize: number, options: DistributedSamplerOptions = {}) =>
  upTo(ranks).map((rank) => {
    const dataset = set();
    const sampler = new DistributedSampler(dataset, { numReplicas: ranks, rank, ...options });
    return new data.DataLoader(dataset, { batchSize, sampler });
  });
/** The batches of a pass: a turn's tensors are gone with the next, so that they are read in the loop. */
const read = (loader: Iterable<readonly Tensor[]>): number[][] => {
  const batches: number[][] = [];
  for (const [x] of loader) batches.push([...(x as Tensor).data]);
  return batches;
};

describe('DistributedSampler', () => {
  it.each([1, 2, 3, 4, 5])('gives %i ranks each example once, and the first again where they are uneven', (ranks) => {
    for (const blockSize of [1, 2, 3]) {
      const all = loaders(ranks, 2, { seed: 3, blockSize }).map(read);
      const seen = all.flat(2);
      expect(new Set(seen).size).toBe(N);
      expect(seen.length).toBe(Math.ceil(N / (ranks * blockSize)) * ranks * blockSize);
      expect(new Set(all.map((batches) => batches.length)).size).toBe(1);
      const less = loaders(ranks, 2, { seed: 3, blockSize, dropLast: true }).map(read).flat(2);
      expect(new Set(less).size).toBe(less.length);
      expect(less.length).toBe(Math.floor(N / (ranks * blockSize)) * ranks * blockSize);
    }
  });

  it('goes in another order in each pass, and in that of its seed', () => {
    const [a, b] = [loaders(2, 4, { seed: 1 })[0], loaders(2, 4, { seed: 1 })[0]] as const;
    const [first, second] = [read(a as never), read(a as never)];
    expect(first).not.toEqual(second);
    expect([read(b as never), read(b as never)]).toEqual([first, second]);
    expect(read(loaders(2, 4, { seed: 2 })[0] as never)).not.toEqual(first);
    expect(read(loaders(3, 3, { shuffle: false })[1] as never)).toEqual([[1, 4, 7], [10, 13, 16], [19]]);
  });

  it('has the same global batches on any number of ranks, also from a state on', () => {
    const global = (ranks: number, state?: data.LoaderState): string[] => {
      const all = loaders(ranks, 4 / ranks, { seed: 7, dropLast: true, blockSize: 4 / ranks });
      if (state) for (const loader of all) loader.loadState(state);
      const each = all.map(read);
      return upTo((each[0] as number[][]).length).map((i) => each.flatMap((batches) => batches[i] as number[]).join());
    };
    const whole = global(1);
    expect(whole.length).toBe(5);
    expect([global(2), global(4)]).toEqual([whole, whole]);
    const [loader] = loaders(2, 2, { seed: 7, dropLast: true, blockSize: 2 });
    for (const _ of loader as never as Iterable<unknown>) if (loader?.state().batch === 2) break;
    expect(global(4, loader?.state())).toEqual(whole.slice(2));
  });

  it('is a sampler of pipelines too', async () => {
    const numbers: number[] = [];
    const sampler = new DistributedSampler(set(), { numReplicas: 2, rank: 1, shuffle: false });
    for await (const x of from(upTo(N)).sample(sampler)) numbers.push(x as number);
    expect(numbers).toEqual([1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 0]);
  });

  it('refuses what does not fit', () => {
    expect(() => new DistributedSampler({})).toThrow(
      'DistributedSampler: expected a dataset that says its length, got undefined as length',
    );
    expect(() => new DistributedSampler(set(), { numReplicas: 2, rank: 2 })).toThrow(
      'DistributedSampler: expected a rank below numReplicas 2, got 2',
    );
    expect(() => new DistributedSampler(set(), { blockSize: 0 })).toThrow('expected blockSize >= 1, got 0');
    const sampler = new DistributedSampler(set());
    expect(() => new data.DataLoader(set(), { sampler, shuffle: true })).toThrow(
      'DataLoader: expected a sampler of retrograd/data, without shuffle and seed, got a DistributedSampler; give those to the sampler',
    );
    expect(() => new data.DataLoader(set(), { sampler: [1, 2] as never })).toThrow(
      /expected null or an object as sampler|expected an object or null as sampler/,
    );
  });
});

describe('DataLoader', () => {
  it('takes the samplers of retrograd/data, and goes on in the pass of one without a seed', () => {
    const loader = new data.DataLoader(set(), { batchSize: 5, sampler: new RandomSampler(set()) });
    expect(loader.length).toBe(5);
    const seen: number[][] = [];
    let state = loader.state();
    for (const [x] of loader) {
      seen.push([...x.data]);
      if (seen.length === 2) state = loader.state();
    }
    expect(seen.flat().sort((a, b) => a - b)).toEqual(upTo(N));
    const other = new data.DataLoader(set(), { batchSize: 5, sampler: new RandomSampler(set()) });
    other.loadState(state);
    expect(read(other as never)).toEqual(seen.slice(2));
  });
});
