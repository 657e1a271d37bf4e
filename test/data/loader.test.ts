import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  arange,
  backend,
  data,
  FreedError,
  init,
  noGrad,
  ShapeError,
  shutdown,
  type Tensor,
  tensor,
  zeros,
} from '../../bindings/index.ts';

beforeAll(() => init());
afterAll(() => shutdown());

const numbers = (n: number): data.TensorDataset<[Tensor, Tensor]> =>
  new data.TensorDataset(arange(n), tensor(Int32Array.from({ length: n }, (_, i) => i * 10)));
/** The first tensor's numbers, batch by batch. */
const pass = (loader: data.DataLoader<readonly Tensor[]>): number[][] =>
  Array.from(loader, ([x]) => [...(x as Tensor).data]);

describe('DataLoader', () => {
  it('cuts a dataset into batches in order, the last one smaller', () => {
    const loader = new data.DataLoader(numbers(7), { batchSize: 3 });
    expect(loader.length).toBe(3);
    expect(pass(loader)).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
  });

  it('drops the last batch when asked, and has none for an empty dataset', () => {
    const loader = new data.DataLoader(numbers(7), { batchSize: 3, dropLast: true });
    expect(pass(loader)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
    expect(pass(new data.DataLoader(new data.TensorDataset(zeros([0, 2])), { batchSize: 3 }))).toEqual([]);
  });

  it('keeps examples together over all tensors', () => {
    for (const [x, y] of new data.DataLoader(numbers(50), { batchSize: 8, shuffle: true, seed: 3 }))
      expect([...(y as Tensor).data]).toEqual([...(x as Tensor).data].map((v) => v * 10));
  });

  it('shuffles anew each pass, by its seed alone', () => {
    const passes = (seed: number): number[][] => {
      const loader = new data.DataLoader(numbers(100), { batchSize: 100, shuffle: true, seed });
      return [pass(loader).flat(), pass(loader).flat()];
    };
    const [first, second] = passes(1) as [number[], number[]];
    expect(first).not.toEqual(second);
    expect([...first].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(passes(1)).toEqual([first, second]);
    expect(passes(2)[0]).not.toEqual(first);
  });

  it('goes on from a state with the very next batch', () => {
    const options = { batchSize: 4, shuffle: true, seed: 5 };
    const whole = new data.DataLoader(numbers(18), options);
    const expected = [...pass(whole), ...pass(whole)];
    for (const stopAfter of [1, 4, 5, 6]) {
      const loader = new data.DataLoader(numbers(18), options);
      const seen: number[][] = [];
      let state: data.LoaderState | null = null;
      while (!state)
        for (const [x] of loader) {
          seen.push([...(x as Tensor).data]);
          if (seen.length === stopAfter) {
            state = loader.state();
            break;
          }
        }
      const resumed = new data.DataLoader(numbers(18), options);
      resumed.loadState(state);
      while (seen.length < expected.length) seen.push(...pass(resumed));
      expect(seen).toEqual(expected);
    }
  });

  it('frees what a turn made, also on break and throw, but not what is kept', () => {
    const loader = new data.DataLoader(numbers(8), { batchSize: 2 });
    const before = backend().memory.blocks;
    let leaked: Tensor | undefined;
    let kept: Tensor | undefined;
    for (const [x] of loader) {
      leaked = (x as Tensor).add(1);
      kept ??= (x as Tensor).mul(2).keep();
    }
    expect(() => leaked?.item()).toThrow(FreedError);
    expect(kept?.toArray()).toEqual([0, 2]);
    kept?.dispose();
    for (const [x] of loader) {
      (x as Tensor).add(1);
      break;
    }
    expect(() => {
      for (const [x] of loader) noGrad(() => (x as Tensor).reshape([3]));
    }).toThrow(ShapeError);
    expect(backend().memory.blocks).toBe(before);
  });

  it('refuses bad options', () => {
    for (const options of [{ batchSize: 0 }, { batchSize: 1.5 }, { seed: -1 }])
      expect(() => new data.DataLoader(numbers(3), options)).toThrow(/expected/);
    expect(() => new data.TensorDataset(zeros([3]), zeros([4]))).toThrow(/one number of examples/);
    expect(() => new data.DataLoader(numbers(3)).loadState({ epoch: -1, batch: 0 })).toThrow(/state/);
  });
});

describe('Shuffle', () => {
  it('gives every number below n about as often', () => {
    const shuffle = new data.Shuffle(7, 0);
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 20_000; i++) {
      const value = shuffle.below(10);
      counts[value] = (counts[value] as number) + 1;
    }
    // χ² with 9 degrees of freedom: above 33.7 once in 10,000 seeds.
    expect(counts.reduce((sum, count) => sum + (count - 2000) ** 2 / 2000, 0)).toBeLessThan(33.7);
  });
});
