// What compile() cannot record says so, and leaves everything as it was.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
    'randperm()': [() => rg.randperm(3), /^randperm: expected no read .*refusals\.test\.ts/],
    'randint()': [() => rg.randint(0, 3, [2]), /^randint: expected no read .*refusals\.test\.ts/],
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

  it('says so where every call is another kind', () => {
    scope(() => {
      const f = compile((x: Tensor, n: number) => x.mul(n));
      expect(() => {
        for (let n = 0; n < 100; n++) f(tensor([1]), n);
      }).toThrow(/at most 64 kinds of calls/);
      f.dispose();
    });
  });
});
