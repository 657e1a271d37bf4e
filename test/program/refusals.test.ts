// What compile() cannot record says so, and leaves everything as it was.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import * as rg from '../../bindings/index.ts';
import { compile, scope, type Tensor, tensor } from '../../bindings/index.ts';

describe('what cannot be compiled', () => {
  beforeAll(() => rg.init());
  afterAll(() => rg.shutdown());

  const refused: Record<string, [fn: (x: Tensor) => unknown, message: RegExp]> = {
    'item()': [(x) => (x.sum().item() > 0 ? x : x.neg()), /item: expected no read .*refusals\.test\.ts.*where\(\)/],
    data: [(x) => x.data, /data: expected no read/],
    'maskedSelect()': [(x) => rg.maskedSelect(x, x.gt(1)), /^maskedSelect: expected no read .*refusals\.test\.ts/],
    'indexSelect() of a mask': [
      (x) => x.indexSelect(0, x.gt(1)),
      /^indexSelect: expected no read .*refusals\.test\.ts/,
    ],
    'toArray()': [(x) => x.toArray(), /data: expected no read/],
    'a promise': [async (x) => x, /synchronous/],
  };
  it.each(Object.entries(refused))('%s', (_, [fn, message]) => {
    scope(() => {
      const before = rg.backend().memory.blocks;
      expect(() => compile(fn)(tensor([1, 2]))).toThrow(message);
      expect(() => compile(fn)(tensor([1, 2]))).toThrow(rg.RecordingError);
      expect(rg.backend().memory.blocks).toBe(before + 2);
    });
  });

  it('says so where an argument wants a gradient', () => {
    scope(() => {
      const f = compile((x: Tensor) => x.mul(2));
      expect(() => f(tensor([1], { requiresGrad: true }))).toThrow(rg.GradError);
    });
  });

  it('leaves gradients as they were where recording fails', () => {
    scope(() => {
      const p = tensor([1], { requiresGrad: true });
      p.mul(2).sum().backward();
      const { grad } = p;
      const f = compile(() => {
        p.clearGrad();
        p.mul(3).sum().backward();
        throw new Error('mine');
      });
      expect(() => f()).toThrow('mine');
      expect(p.grad).toBe(grad);
      expect(p.grad?.item()).toBe(2);
    });
  });

  it('leaves a pending backward() and the memory as they were where recording fails', () => {
    scope(() => {
      const p = tensor([1, 2], { requiresGrad: true });
      const pending = p.square().sum();
      let out: Tensor | undefined;
      const f = compile(() => {
        out = p.mul(tensor([1, 2])).keep();
        rg.noGrad(() => p.zero_());
        throw new Error('mine');
      });
      const before = rg.backend().memory.blocks;
      expect(() => f()).toThrow('mine');
      expect(rg.backend().memory.blocks).toBe(before);
      expect(() => out?.toArray()).toThrow(rg.FreedError);
      pending.backward();
      expect(p.grad?.toArray()).toEqual([2, 4]);
    });
  });

  it('notices what a function does differently from call to call', () => {
    scope(() => {
      let calls = 0;
      const f = compile((x: Tensor) => (calls++ % 2 ? x.neg() : x.exp()));
      f(tensor([1]));
      expect(() => f(tensor([1]))).toThrow(
        /neg where it had been exp \(.*refusals\.test\.ts.*make what it depends on an argument/,
      );
      let row = 0;
      const data = tensor([[1], [2]]);
      const h = compile((x: Tensor) => x.mul(data.select(0, row)));
      h(tensor([1]));
      row = 1;
      expect(() => h(tensor([1]))).toThrow(/other attributes of slice \(.*refusals\.test\.ts/);
      let w = tensor([1]);
      const g = compile((x: Tensor) => x.mul(w));
      g(tensor([1]));
      w = tensor([2]);
      expect(() => g(tensor([1]))).toThrow(/another input b of mul \(.*refusals\.test\.ts/);
    });
  });

  it('keeps tensors from outside and arguments alive, and the backend', () => {
    scope(() => {
      const w = tensor([2]);
      const inside: Record<string, [fn: (x: Tensor) => unknown, message: RegExp]> = {
        shutdown: [() => rg.shutdown(), /^shutdown: .*inside of a compiled function/],
        'a tensor from outside': [(x) => [w.dispose(), x.add(1)], /^dispose: .*got one that tensor made/],
        'an argument': [(x) => [x.dispose()], /^dispose: expected arguments/],
        profile: [(x) => rg.profile(() => x.add(1)).result, /^profile: /],
        seeds: [() => rg.manualSeed(1), /^manualSeed: /],
      };
      for (const [name, [fn, message]] of Object.entries(inside)) {
        const f = compile(fn);
        for (let call = 0; call < 2; call++) {
          expect(() => f(w), name).toThrow(message);
          expect(() => f(w), name).toThrow(rg.RecordingError);
        }
      }
      expect(w.item()).toBe(2);
    });
  });

  it('handles the promise of an async function, and tells its error', async () => {
    const told = vi.spyOn(console, 'error').mockImplementation(() => {});
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const mine = async (): Promise<void> => {
      await Promise.resolve();
      throw new Error('mine');
    };
    const refusals: Record<string, () => unknown> = {
      compile: () => compile(mine)(),
      scope: () => scope(mine),
      noGrad: () => rg.noGrad(mine),
      profile: () => rg.profile(mine),
    };
    for (const [name, refuse] of Object.entries(refusals)) {
      let error = new Error('none');
      try {
        refuse();
      } catch (thrown) {
        error = thrown as Error;
      }
      expect(error).toBeInstanceOf(name === 'compile' ? rg.RecordingError : rg.ArgumentError);
      expect(error.message).toMatch(`${name}: expected a synchronous function`);
      await new Promise((resolve) => setTimeout(resolve));
      expect((error.cause as Error).message).toBe('mine');
      expect(told.mock.lastCall?.[0]).toMatch(name);
    }
    expect(unhandled).not.toHaveBeenCalled();
    process.off('unhandledRejection', unhandled);
    told.mockRestore();
  });
});
