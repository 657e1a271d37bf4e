// Eager kernels that run on other threads while JavaScript goes on: in the order of their calls, whatever becomes of
// the memory meanwhile; and who looks at memory waits.
import { afterEach, describe, expect, it } from 'vitest';
import { runtime } from '../bindings/engine/engine.ts';
import * as rg from '../bindings/index.ts';
import { backend, functional as F, init, profile, scope, shutdown, type Tensor, tensor } from '../bindings/index.ts';

afterEach(() => shutdown());

/** Costs enough to be worth the time of several threads, and takes a while. */
const LARGE = [192, 192];

const numbers = (n: number, seed: number): Float32Array =>
  Float32Array.from({ length: n }, (_, i) => Math.sin(seed + i));

/** Memory is written by JavaScript, by small kernels and by large ones, given back, and given out again. */
function turns(count: number): number[] {
  const seen: number[] = [];
  const weight = rg.full(LARGE, 1 / 192);
  let x = tensor(numbers(192 * 192, 1), { shape: LARGE });
  for (let turn = 0; turn < count; turn++) {
    const next = scope(() => {
      let y = x.matmul(weight).add(turn % 7);
      // As large as what is given back: its memory is the first to be given out again.
      y.matmul(weight).dispose();
      const ones = rg.ones(LARGE);
      y = y.add(ones).mul(tensor(numbers(192, turn)));
      if (turn % 5 === 0) seen.push(y.sum().item());
      return F.tanh(y.sub(x));
    });
    x.dispose();
    x = next;
  }
  seen.push(...x.data);
  return seen;
}

describe('kernels that are under way', () => {
  it.each([
    { what: 'whatever becomes of the memory', teams: [1, 2, 3], count: 60 },
    // As many as MOST_PARTS of assembly/program/threads.ts, and more.
    { what: 'where there are more threads than parts', teams: [1, 24, 27], count: 3 },
  ])('give the bits of one thread, $what', async ({ teams, count }) => {
    const results: number[][] = [];
    for (const threads of teams) {
      await init({ threads });
      results.push(turns(count));
      shutdown();
    }
    for (const result of results) expect(result).toEqual(results[0]);
  });

  it('are more than there is room for', async () => {
    await init({ threads: 2 });
    const weight = rg.full(LARGE, 1 / 192);
    const x = rg.ones(LARGE);
    const y = scope(() => {
      const count = rg.zeros([3]);
      for (let i = 0; i < 6000; i++) {
        if (i % 1000 === 0) x.matmul(weight);
        count.add_(1);
      }
      return count;
    });
    expect([...y.data]).toEqual([6000, 6000, 6000]);
  });

  it('are done before what is long and in one piece, which no worker runs', async () => {
    await init({ threads: 2 });
    const { arena } = runtime();
    const rows = rg.ones([1, 2 ** 23]);
    const x = rg.ones(LARGE);
    for (const long of [() => rows.softmax(1), () => rg.randperm(2 ** 16)]) {
      x.matmul(x);
      expect(arena.underWay).not.toBe(null);
      long();
      expect(arena.underWay).toBe(null);
    }
  });

  it('are done where memory is looked at', async () => {
    await init({ threads: 2 });
    const { arena } = runtime();
    const x = rg.ones(LARGE);
    const looks: Readonly<Record<string, (y: Tensor) => unknown>> = {
      synchronize: () => rg.synchronize(),
      data: (y) => y.data,
      item: (y) => y.sum().item(),
      print: (y) => String(y),
      profile: () => profile(() => x.matmul(x)),
      compiled: (y) => rg.compile((z: Tensor) => z.add(1))(y),
      probe: (y) => F.crossEntropy(y, rg.zeros([192], { dtype: 'i32' })),
    };
    for (const [name, look] of Object.entries(looks)) {
      const y = x.matmul(x);
      expect(arena.underWay, name).not.toBe(null);
      look(y);
      if (name !== 'probe') expect(arena.underWay, name).toBe(null);
      expect(y.data[0], name).toBe(192);
    }
  });

  it('end with shutdown()', async () => {
    await init({ threads: 2 });
    const x = rg.ones([1500, 1500]);
    x.matmul(x).matmul(x);
    shutdown();
    await init({ threads: 2 });
    expect(rg.ones(LARGE).matmul(rg.ones(LARGE)).sum().item()).toBe(192 ** 3);
    expect(backend().threads).toBe(2);
  });
});
