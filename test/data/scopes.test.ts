// Loops that await, and what runs in between. The scenarios are those that test/platforms runs in pages.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as r from '../../bindings/index.ts';
import { data, type Tensor } from '../../bindings/index.ts';
import { random } from '../../reference/random.ts';
import { runScenarios, scenariosOf } from '../platforms/scopes.js';

beforeEach(() => r.init());
afterEach(() => r.shutdown());

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const loaderOf = (examples: number, batchSize = 1): data.DataLoader<[Tensor]> =>
  new data.DataLoader(new data.TensorDataset(r.arange(examples).reshape([examples, 1]).keep()), { batchSize });

/** A collection of garbage, and time for what is to be finalised. */
const collect = async (): Promise<void> => {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  await sleep(20);
};

it('the scenarios hold in Node', async () => {
  const told = vi.spyOn(console, 'error').mockImplementation(() => {});
  const problems = await runScenarios(r);
  expect(told).toHaveBeenCalledTimes(2); // what was refused as asynchronous, and failed
  told.mockRestore();
  expect(Object.keys(problems)).toEqual(Object.keys(scenariosOf(r)));
  expect(Object.entries(problems).filter(([, problem]) => problem)).toEqual([]);
});

describe('iterators that are dropped', () => {
  it('hold on to nothing while 100,000 steps follow', async () => {
    const loader = loaderOf(10);
    loader[Symbol.iterator]().next();
    loader[Symbol.iterator]().next();
    const steps = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        r.full([16], i).dispose();
        if (i % 1000 === 0) await null;
      }
      await collect();
    };
    await steps(5000);
    const { used, blocks, peak } = r.backend().memory;
    const heap = process.memoryUsage().heapUsed;
    await steps(100_000);
    expect(r.backend().memory).toMatchObject({ peak });
    expect(r.backend().memory.used).toBeLessThanOrEqual(used);
    expect(r.backend().memory.blocks).toBeLessThanOrEqual(blocks);
    // 100,000 blocks would be 12 MB.
    expect(process.memoryUsage().heapUsed - heap).toBeLessThan(6e6);
  });

  it('hold on to nothing while one piece of code goes on for 100,000 steps', async () => {
    loaderOf(10)[Symbol.iterator]().next();
    await collect();
    loaderOf(10)[Symbol.iterator]().next();
    const { peak } = r.backend().memory;
    const heap = process.memoryUsage().heapUsed;
    for (let i = 0; i < 100_000; i++) r.full([16], i).dispose();
    (runInNewContext('gc') as () => void)();
    expect(process.memoryUsage().heapUsed - heap).toBeLessThan(6e6);
    expect(r.backend().memory.peak).toBeLessThan(peak + 1000);
  });

  it('give their batches back, and what was computed from those', async () => {
    const loader = loaderOf(10);
    await collect();
    const { blocks } = r.backend().memory;
    for (let i = 0; i < 500; i++) {
      const iterator = loader[Symbol.iterator]();
      const { value } = iterator.next();
      if (i % 2) await null;
      (value as [Tensor])[0].add(1).mul(2);
      if (i % 3) iterator.next();
    }
    for (let i = 0; i < 100 && r.backend().memory.blocks > blocks + 10; i++) await collect();
    expect(r.backend().memory.blocks).toBeLessThanOrEqual(blocks + 10);
  });
});

describe('a scope that is open for long', () => {
  it('holds on to nothing that was disposed of', () => {
    r.scope(() => {
      (runInNewContext('gc') as () => void)();
      const heap = process.memoryUsage().heapUsed;
      for (let i = 0; i < 100_000; i++) r.full([16], i).dispose();
      (runInNewContext('gc') as () => void)();
      expect(process.memoryUsage().heapUsed - heap).toBeLessThan(6e6);
    });
  });

  it('ends with what it has, however many there are', () => {
    const { blocks } = r.backend().memory;
    const kept = r.scope(() => {
      const all = Array.from({ length: 20_000 }, (_, i) => r.full([1], i));
      for (let i = 0; i < all.length; i += 2) (all[i] as Tensor).dispose();
      return all.filter((_, i) => i % 4 === 1);
    });
    expect(r.backend().memory.blocks).toBe(blocks + 5000);
    expect(kept.map((x) => x.item()).slice(0, 3)).toEqual([1, 5, 9]);
  });
});

describe('what a scope returns', () => {
  it('has its gradient, and gradients of gradients', () => {
    const { blocks } = r.backend().memory;
    const leaf = r.scope(() => {
      const w = r.tensor([1, 2], { requiresGrad: true });
      w.square().sum().backward();
      return w;
    });
    expect(leaf.grad?.toArray()).toEqual([2, 4]);
    leaf.dispose();
    expect(r.backend().memory.blocks).toBe(blocks);
    const kept: Tensor[] = [];
    r.scope(() => {
      const w = r.tensor([1, 2], { requiresGrad: true });
      w.square().sum().backward();
      kept.push(w.keep());
    });
    expect(kept[0]?.grad?.toArray()).toEqual([2, 4]);
    const given = r.scope(() => {
      const w = r.tensor([1, 2], { requiresGrad: true });
      w.grad = r.tensor([5, 6]);
      return { w };
    });
    expect(given.w.grad?.toArray()).toEqual([5, 6]);
  });

  it('may hold itself, Maps, Sets and objects without prototype', () => {
    interface Knot {
      self?: Knot;
      x: Tensor;
    }
    const knot = r.scope(() => {
      const made: Knot = { x: r.tensor([1]) };
      made.self = made;
      return made;
    });
    expect(knot.self?.x.item()).toBe(1);
    const [map, set, bare, deep] = r.scope(() => {
      let nested: unknown = r.tensor([5]);
      for (let i = 0; i < 100_000; i++) nested = [nested];
      return [
        new Map([['x', r.tensor([2])]]),
        new Set([[r.tensor([3])]]),
        Object.assign(Object.create(null), { x: r.tensor([4]) }) as { x: Tensor },
        nested,
      ] as const;
    });
    expect([map.get('x')?.item(), [...set][0]?.[0]?.item(), bare.x.item()]).toEqual([2, 3, 4]);
    let inner = deep;
    while (Array.isArray(inner)) [inner] = inner;
    expect((inner as Tensor).item()).toBe(5);
  });
});

describe('loops that await at random', () => {
  /** Loops over `loader` that compute, wait and start other loops, as `next` says. */
  function loopsOf(loader: data.DataLoader<[Tensor]>, next: () => number): (depth: number) => Promise<void> {
    const below = (n: number): number => Math.floor(next() * n);
    const wait = async (): Promise<void> => {
      const kind = below(4);
      if (kind === 0) await null;
      else if (kind === 1) await Promise.resolve().then(() => null);
      else await sleep(kind - 2);
    };
    /** Computes from a tensor that has to be alive, awaits, or adds a loop that goes on to `others`. */
    const act = async (alive: [Tensor, number][], others: Promise<void>[], depth: number): Promise<void> => {
      const [from, value] = alive[below(alive.length)] as [Tensor, number];
      const kind = next();
      if (kind < 0.35) alive.push([from.mul(2), value * 2]);
      else if (kind < 0.5) alive.push([r.scope(() => from.add(from).mul(2)), value * 4]);
      else if (kind < 0.6) alive.push([r.full([1], 3), 3]);
      else if (kind < 0.8) await wait();
      else if (depth < 3 && next() < 0.5) await loop(depth + 1);
      else if (depth < 3) others.push(loop(depth + 1));
    };
    const loop = async (depth: number): Promise<void> => {
      const others: Promise<void>[] = [];
      for (const [x] of loader) {
        const alive: [Tensor, number][] = [[x, x.sum().item()]];
        for (let i = below(5); i >= 0; i--) {
          await act(alive, others, depth);
          for (const [y, value] of alive) expect(y.sum().item()).toBe(value);
        }
        if (next() < 0.1) break;
      }
      await Promise.all(others);
    };
    return loop;
  }

  it.each([1, 2, 3, 4, 5, 6])('lose nothing and leave nothing, run %i', async (seed) => {
    const loop = loopsOf(loaderOf(6, 2), random(`turns ${seed}`));
    const { blocks } = r.backend().memory;
    for (let i = 0; i < 15; i++) await Promise.all([loop(0), loop(1), loop(2)]);
    for (let i = 0; i < 50 && r.backend().memory.blocks > blocks + 5; i++) await collect();
    expect(r.backend().memory.blocks).toBeLessThanOrEqual(blocks + 5);
  });
});

it('a loop of a backend that was shut down ends without harm to the next', async () => {
  const loader = loaderOf(10);
  const iterator = loader[Symbol.iterator]();
  const [x] = iterator.next().value as [Tensor];
  await null;
  r.shutdown();
  expect(() => x.add(1)).toThrow(r.BackendError);
  await r.init();
  const { blocks } = r.backend().memory;
  expect(() => x.add(1)).toThrow(r.FreedError);
  expect(() => iterator.next()).toThrow(r.FreedError);
  iterator.return();
  expect(r.backend().memory.blocks).toBe(blocks);
});
