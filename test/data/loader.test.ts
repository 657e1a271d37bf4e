import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  arange,
  backend,
  data,
  FreedError,
  getRngState,
  init,
  manualSeed,
  noGrad,
  randint,
  ShapeError,
  setRngState,
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

  it('gives the examples that are asked for, and says what is wrong', () => {
    const dataset = numbers(5);
    expect(dataset.batch(Int32Array.of(4, 0)).map((x) => [...x.data])).toEqual([
      [4, 0],
      [40, 0],
    ]);
    for (const indices of [[1, 2], 3, null, Float32Array.of(1), Int32Array.of(5), Int32Array.of(-1)])
      expect(() => dataset.batch(indices as never), String(indices)).toThrow(/^batch: expected/);
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

  describe('has a position for each loop', () => {
    const options = { batchSize: 2, shuffle: true, seed: 4 };

    it('that nested ones share with nobody: n² pairs', () => {
      const loader = new data.DataLoader(numbers(6), { batchSize: 2 });
      const pairs: string[] = [];
      const { blocks } = backend().memory;
      for (const [x] of loader)
        for (const [y] of loader) {
          pairs.push(`${x.data}|${y.data}`);
          expect(x.add(y).size).toBe(2);
        }
      expect(new Set(pairs).size).toBe(9);
      expect(pairs).toHaveLength(9);
      expect(backend().memory.blocks).toBe(blocks);
      const shuffled = new data.DataLoader(numbers(6), options);
      let turns = 0;
      for (const _ of shuffled) for (const __ of shuffled) turns++;
      expect(turns).toBe(9);
    });

    it('that a look at the first batch does not move', () => {
      for (const kind of [{ batchSize: 2 }, options, { batchSize: 2, shuffle: true }]) {
        const loader = new data.DataLoader(numbers(6), kind);
        const look = (): readonly Tensor[] | undefined => {
          const iterator = loader[Symbol.iterator]();
          const first = iterator.next().value as readonly Tensor[];
          iterator.return();
          return first;
        };
        look();
        const [first] = loader;
        expect(first).toBeDefined();
        loader[Symbol.iterator](); // never asked
        loader[Symbol.iterator]().next(); // never ended
        expect(pass(loader).flat().sort()).toEqual([0, 1, 2, 3, 4, 5]);
      }
    });

    it('of which state() tells the last one', () => {
      const loader = new data.DataLoader(numbers(6), { batchSize: 2 });
      expect(loader.state()).toEqual({ epoch: 0, batch: 0 });
      const states: data.LoaderState[] = [];
      for (const _ of loader) states.push(loader.state());
      expect(states).toEqual([1, 2, 3].map((batch) => ({ epoch: 0, batch })));
      expect(loader.state()).toEqual({ epoch: 1, batch: 0 });
      for (const _ of loader) break;
      expect(loader.state()).toEqual({ epoch: 1, batch: 1 });
      const outer = loader[Symbol.iterator]();
      outer.next();
      for (const _ of loader) break;
      outer.next();
      expect(loader.state()).toEqual({ epoch: 3, batch: 1 });
      outer.return();
      expect(loader.state()).toEqual({ epoch: 3, batch: 1 });
      const state = loader.state();
      state.batch = 77; // a copy
      expect(loader.state()).toEqual({ epoch: 3, batch: 1 });
    });

    it.each([null, 9])('and after break goes on with the very next batch, with seed %s', (seed) => {
      const make = (): data.DataLoader<[Tensor, Tensor]> =>
        new data.DataLoader(numbers(18), { batchSize: 4, shuffle: true, seed });
      /** The batches until `stop` of them are seen, in as many passes as that takes. */
      const until = (loader: data.DataLoader<[Tensor, Tensor]>, stop: number): number[][] => {
        const seen: number[][] = [];
        while (seen.length < stop)
          for (const [x] of loader) {
            seen.push([...x.data]);
            if (seen.length === stop) break;
          }
        return seen;
      };
      manualSeed(1);
      const expected = until(make(), 15);
      for (let stop = 1; stop <= 10; stop++) {
        manualSeed(1);
        const loader = make();
        const seen = until(loader, stop);
        // As a checkpoint does, in another process.
        const saved = JSON.parse(JSON.stringify({ state: loader.state(), random: [...getRngState()] }));
        manualSeed(2);
        const resumed = make();
        resumed.loadState(saved.state);
        setRngState(saved.random);
        expect(resumed.state()).toEqual(saved.state);
        expect([...seen, ...until(resumed, 15 - stop)]).toEqual(expected);
      }
    });
  });

  it('shuffles by the default generator where it has no seed', () => {
    const passes = (): number[][] => {
      const loader = new data.DataLoader(numbers(50), { batchSize: 50, shuffle: true });
      return [pass(loader).flat(), pass(loader).flat()];
    };
    manualSeed(11);
    const [first, second] = passes();
    expect(second).not.toEqual(first);
    expect(passes()).not.toEqual([first, second]);
    manualSeed(11);
    expect(passes()).toEqual([first, second]);
    // In order it draws none; a seed of its own leaves the generator alone.
    manualSeed(11);
    const state = getRngState();
    pass(new data.DataLoader(numbers(50)));
    pass(new data.DataLoader(numbers(50), { shuffle: true, seed: 1 }));
    expect(getRngState()).toEqual(state);
  });

  it('passes on what a dataset throws, and leaves nothing of the turn', () => {
    const { blocks } = backend().memory;
    const failing = (batch: (indices: Int32Array) => [Tensor]): data.DataLoader<[Tensor]> =>
      new data.DataLoader({ length: 4, batch }, { batchSize: 2 });
    const own = new Error('from the disk');
    const loader = failing((indices) => {
      const x = tensor(indices);
      if (indices[0] === 2) throw own;
      return [x];
    });
    let turns = 0;
    expect(() => {
      for (const _ of loader) turns++;
    }).toThrow(own);
    expect(turns).toBe(1);
    expect(backend().memory.blocks).toBe(blocks);
    const asynchronous = failing((async () => [zeros([1])]) as never);
    expect(() => pass(asynchronous)).toThrow(/dataset.batch: expected a synchronous function/);
    let length = 4;
    const changing = new data.DataLoader({
      get length(): number {
        if (length < 0) throw own;
        return length;
      },
      batch: (indices: Int32Array) => [tensor(indices)],
    });
    length = -1;
    expect(() => pass(changing)).toThrow(own);
    length = Number.NaN;
    expect(() => pass(changing)).toThrow(ArgumentError);
    expect(backend().memory.blocks).toBe(blocks);
  });

  it('takes the options of PyTorch, in its places and by name', () => {
    const all = [numbers(7), 3, false, null, null, 0, null, false, true, 0, null, null, null];
    const loader = new data.DataLoader(...(all as unknown as [data.TensorDataset<[Tensor, Tensor]>]));
    expect([loader.batchSize, loader.length]).toEqual([3, 2]);
    expect(new data.DataLoader(numbers(7), 3, { dropLast: true }).length).toBe(2);
    expect(pass(new data.DataLoader(numbers(7), 7, true)).flat()).not.toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it('refuses bad options and what is no dataset', () => {
    const make =
      (...args: unknown[]) =>
      () =>
        new data.DataLoader(...(args as [never]));
    for (const options of [{ batchSize: 0 }, { batchSize: 1.5 }, { seed: -1 }, { batch_size: 3 }, { numWorkers: 2 }])
      expect(make(numbers(3), options), JSON.stringify(options)).toThrow(ArgumentError);
    expect(make(numbers(3), { batch_size: 3 })).toThrow(/did you mean batchSize\?$/);
    const batch = (): [] => [];
    for (const dataset of [
      undefined,
      null,
      7,
      [1, 2],
      zeros([3]),
      {},
      { batch },
      { length: 3 },
      { length: 3, batch: 7 },
      { length: '3', batch },
      { length: -1, batch },
      { length: 2.5, batch },
      { length: 2 ** 40, batch },
    ])
      expect(make(dataset), String(dataset)).toThrow(/^DataLoader: expected .*dataset/);
    expect(() => new data.TensorDataset(zeros([3]), zeros([4]))).toThrow(/one number of examples/);
    for (const tensors of [
      [],
      [[zeros([3]), zeros([3])]],
      [zeros([3]), [zeros([3])]],
      [zeros([])],
      [7],
      [null],
      [zeros([3]), { x: 1 }],
    ])
      expect(() => new data.TensorDataset(...(tensors as never[])), String(tensors)).toThrow(
        /^TensorDataset: expected/,
      );
    const loader = new data.DataLoader(numbers(3));
    for (const state of [
      { epoch: -1, batch: 0 },
      { epoch: 0 },
      { epoch: 0, batch: 0, seed: -1 },
      { epoch: 0, batch: 0.5 },
      { epoch: '0', batch: 0 },
      {},
    ])
      expect(() => loader.loadState(state as never), JSON.stringify(state)).toThrow(/^loadState: expected a state/);
    for (const state of [null, undefined, 7, 'epoch'])
      expect(() => loader.loadState(state as never), String(state)).toThrow(ArgumentError);
    expect(loader.state()).toEqual({ epoch: 0, batch: 0 });
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

  it('ends for every number, and refuses those below which there is none', () => {
    const shuffle = new data.Shuffle(1, 2);
    for (const n of [1, 2, 2 ** 31, 2 ** 32 - 1, 2 ** 32]) expect(shuffle.below(n)).toBeLessThan(n);
    for (const n of [0, -1, 0.5, 2 ** 32 + 1, Number.NaN, Infinity, '3', undefined, null])
      expect(() => shuffle.below(n as never), String(n)).toThrow(/^below: expected/);
    for (const n of [-1, 0.5, 2 ** 40, Number.NaN, '3'])
      expect(() => shuffle.order(n as never), String(n)).toThrow(/^order: expected/);
    expect(shuffle.order(0)).toEqual(new Int32Array(0));
    for (const seeds of [[-1, 0], [0, -1], [0.5, 0], [0]])
      expect(() => new data.Shuffle(...(seeds as [number, number]))).toThrow(ArgumentError);
  });
});

it('draws a seed of 53 bits from two numbers of the generator', () => {
  const order = (options: object): number[] => {
    const found: number[] = [];
    for (const [x] of new data.DataLoader(numbers(50), { batchSize: 50, shuffle: true, ...options }))
      found.push(...x.data);
    return found;
  };
  manualSeed(3);
  const drawn = order({});
  manualSeed(3);
  const words = Uint32Array.from(randint(-(2 ** 31), 2 ** 31, [2]).data, (word) => word + 2 ** 31);
  const [low, high] = words as unknown as [number, number];
  expect(order({ seed: (high >>> 11) * 2 ** 32 + low })).toEqual(drawn);
  expect(order({ seed: low })).not.toEqual(drawn);
});
