// How many programs a function has, and what becomes of those that are not used.
import { afterEach, describe, expect, it } from 'vitest';
import * as rg from '../../bindings/index.ts';
import { compile, nn, optim, scope, type Tensor } from '../../bindings/index.ts';

describe('programs of a compiled function', () => {
  afterEach(() => rg.shutdown());

  it('give way to others, and their memory is given back: sentences of 200 lengths', async () => {
    await rg.init({ threads: 1 });
    scope(() => {
      const model = new nn.Sequential(new nn.Linear(4, 6), new nn.Tanh(), new nn.Linear(6, 2));
      const adam = new optim.Adam(model.parameters());
      const fn = (x: Tensor): Tensor => {
        adam.zeroGrad();
        const loss = model.forward(x).square().mean();
        loss.backward();
        adam.step();
        return loss;
      };
      const f = compile(fn);
      const sizes = [...Array(200).keys()].map((i) => 1 + ((i * 37) % 200));
      const blocks: number[] = [];
      for (const round of [0, 1])
        for (const size of sizes.slice(round * 130)) {
          scope(() => expect(Number.isFinite(f(rg.ones([size, 4])).item())).toBe(true));
          if (round === 1) blocks.push(rg.backend().memory.blocks);
        }
      expect(f.programs).toBe(270);
      expect(new Set(blocks).size).toBe(1);
      // The last used ones are still there.
      for (const size of sizes.slice(-60)) scope(() => f(rg.ones([size, 4])));
      expect(f.programs).toBe(270);
      f.dispose();
    });
  });

  it('make room where memory is short', async () => {
    await rg.init({ threads: 1, maxBytes: 2 ** 24 });
    scope(() => {
      const f = compile((x: Tensor) => x.exp().add(x.cumsum(0)).sum());
      // 20 programs need more than there is; one needs a fifth of it.
      for (let i = 0; i < 20; i++)
        scope(() => {
          const size = 400_000 + 1000 * i;
          expect(f(rg.zeros([size])).item()).toBeCloseTo(size, -3);
        });
      expect(f.programs).toBe(20);
      expect(() => scope(() => f(rg.zeros([3_000_000])))).toThrow(rg.OutOfMemoryError);
      expect(scope(() => f(rg.zeros([400_000])).item())).toBeCloseTo(400_000, -3);
      f.dispose();
    });
  });
});
