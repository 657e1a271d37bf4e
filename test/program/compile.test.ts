// compile(): what is replayed is what eager mode does.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runtime } from '../../bindings/engine/engine.ts';
import { withTracer } from '../../bindings/execute.ts';
import * as rg from '../../bindings/index.ts';
import { compile, functional as F, nn, optim, scope, type Tensor, tensor } from '../../bindings/index.ts';
import type { Block } from '../../bindings/memory/arena.ts';
import { lower } from '../../bindings/program/lower.ts';
import { planMemory } from '../../bindings/program/plan.ts';
import { stepsOf } from '../../bindings/program/steps.ts';
import { Trace } from '../../bindings/program/trace.ts';
import { kernelsOf } from '../support/dump.ts';
import { bits } from '../support/tensors.ts';

describe('compile', () => {
  beforeAll(() => rg.init());
  afterAll(() => rg.shutdown());

  it('computes what a function computes, for every structure of arguments and results', () => {
    scope(() => {
      const f = compile(({ a, list }: { a: Tensor; list: Tensor[] }, factor: number) => ({
        sum: list.reduce((x, y) => x.add(y), a),
        both: [a.mul(factor), a],
        text: 'constant',
      }));
      const a = tensor([1, 2]);
      for (const factor of [2, 3, 2]) {
        const result = f({ a, list: [a, tensor([10, 20])] }, factor);
        expect(result.sum.toArray()).toEqual([12, 24]);
        expect(result.both.map((x) => x.toArray())).toEqual([
          [factor, 2 * factor],
          [1, 2],
        ]);
        expect(result.text).toBe('constant');
      }
      expect(f.programs).toBe(2);
    });
  });

  it('tells arguments apart that were one tensor when it recorded', () => {
    scope(() => {
      const f = compile((a: Tensor, b: Tensor) => a.sub(b));
      const x = tensor([5, 7]);
      expect(f(x, x).toArray()).toEqual([0, 0]);
      expect(f(x, tensor([1, 2])).toArray()).toEqual([4, 5]);
      expect(f.programs).toBe(2);
    });
  });

  it('gives a new tensor with each call', () => {
    scope(() => {
      const f = compile((x: Tensor) => x.add(1));
      const results = [1, 2, 3, 4].map((value) => f(tensor([value])));
      expect(results.map((x) => x.item())).toEqual([2, 3, 4, 5]);
    });
  });

  it('records a program for every shape, dtype and mode', () => {
    scope(() => {
      const dropout = new nn.Dropout(0.5);
      const f = compile((x: Tensor) => dropout.forward(x).mul(1));
      f(rg.ones([4]));
      f(rg.ones([4]));
      expect(f.programs).toBe(1);
      f(rg.ones([2, 2]));
      expect(f.programs).toBe(2);
      dropout.eval();
      expect(f(rg.ones([4])).toArray()).toEqual([1, 1, 1, 1]);
      expect(f.programs).toBe(3);
      dropout.train();
      f(rg.ones([4]));
      expect(f.programs).toBe(3);
      rg.noGrad(() => f(rg.ones([4])));
      expect(f.programs).toBe(4);
    });
  });

  it('takes strided arguments', () => {
    scope(() => {
      const f = compile((x: Tensor) => x.mul(2));
      const x = tensor([
        [1, 2],
        [3, 4],
      ]);
      expect(f(x.transpose(0, 1)).toArray()).toEqual([
        [2, 6],
        [4, 8],
      ]);
      expect(f(x).toArray()).toEqual([
        [2, 4],
        [6, 8],
      ]);
    });
  });

  it('follows a learning rate that changes between calls', () => {
    scope(() => {
      const p = tensor([1], { requiresGrad: true });
      const sgd = new optim.SGD([p], { lr: 1 });
      const step = compile((x: Tensor) => {
        sgd.zeroGrad();
        p.mul(x).sum().backward();
        sgd.step();
      });
      const x = tensor([1]);
      step(x);
      expect(p.item()).toBe(0);
      (sgd.paramGroups[0] as { lr: number }).lr = 0.25;
      step(x);
      expect(p.item()).toBe(-0.25);
      expect(step.programs).toBe(1);
    });
  });

  it('accumulates gradients where nothing clears them, and starts anew where the caller does', () => {
    scope(() => {
      const p = tensor([1], { requiresGrad: true });
      const f = compile((x: Tensor) => p.mul(x).sum().backward());
      const x = tensor([3]);
      for (const expected of [3, 6, 9, 12]) {
        f(x);
        expect(p.grad?.item()).toBe(expected);
      }
      expect(f.programs).toBe(2);
      p.clearGrad();
      for (const expected of [3, 6, 9]) {
        f(x);
        expect(p.grad?.item()).toBe(expected);
      }
    });
  });

  it('returns what it keeps, and a gradient, also after the caller let go of it', () => {
    scope(() => {
      const w = tensor([[1, 2, 3]], { requiresGrad: true });
      const gradient = compile((x: Tensor) => {
        w.clearGrad();
        w.t().mul(x).sum().backward();
        return w.grad as Tensor;
      });
      const kept = compile((x: Tensor) => x.mul(2).keep());
      for (let i = 0; i < 4; i++) {
        const g = gradient(tensor([[i], [1], [2]]));
        expect(g.toArray()).toEqual([[i, 1, 2]]);
        expect(w.grad?.toArray()).toEqual([[i, 1, 2]]);
        w.clearGrad();
        const y = kept(tensor([i]));
        expect(y.toArray()).toEqual([2 * i]);
        y.dispose();
      }
    });
  });

  it('returns a tensor of its own with each call, also where the function keeps it', () => {
    scope(() => {
      let last: Tensor | undefined;
      const fn = (x: Tensor): [Tensor, Tensor, { y: Tensor }] => {
        const y = x.mul(2).keep();
        last = y;
        return [y, y.t(), { y: x.add(1) }];
      };
      const f = compile(fn);
      const results: [Tensor, Tensor, { y: Tensor }][] = [];
      for (let i = 0; i < 5; i++) {
        results.push(scope(() => f(tensor([[i, 1]]))));
        expect(last?.toArray()).toEqual([[2 * i, 2]]);
      }
      results.forEach(([y, turned, { y: other }], i) => {
        expect(y.toArray()).toEqual([[2 * i, 2]]);
        expect(turned.toArray()).toEqual([[2 * i], [2]]);
        expect(turned.block).toBe(y.block);
        expect(other.toArray()).toEqual([[i + 1, 2]]);
        expect(f(y)[0].toArray()).toEqual([[4 * i, 4]]);
        y.dispose();
      });
      f.dispose();
    });
  });

  it('writes what it keeps where the function put it', () => {
    scope(() => {
      let kept = tensor([0]);
      const f = compile((x: Tensor) => {
        kept = x.mul(2).keep();
        return x.neg();
      });
      for (let i = 1; i < 5; i++) {
        expect(f(tensor([i])).item()).toBe(-i);
        expect(kept.item()).toBe(2 * i);
      }
    });
  });

  it('gives the memory of constants back', () => {
    const before = rg.backend().memory.blocks;
    scope(() => {
      const f = compile((x: Tensor) => x.mul(tensor([2, 3])));
      for (let i = 0; i < 3; i++) expect(f(tensor([1, i])).toArray()).toEqual([2, 3 * i]);
      f.dispose();
      expect(f(tensor([1, 1])).toArray()).toEqual([2, 3]);
      f.dispose();
    });
    expect(rg.backend().memory.blocks).toBe(before);
  });

  it('updates what it captured, and reads it as it is', () => {
    scope(() => {
      const w = tensor([1, 2]);
      const f = compile((x: Tensor) => x.mul(w));
      expect(f(tensor([1, 1])).toArray()).toEqual([1, 2]);
      const layer = new nn.Linear(2, 1);
      layer.loadStateDict({ weight: tensor([[1, 1]]), bias: tensor([0]) });
      const g = compile((x: Tensor) => layer.forward(x));
      expect(g(tensor([[1, 2]])).toArray()).toEqual([[3]]);
      layer.loadStateDict({ weight: tensor([[2, 1]]), bias: tensor([0]) });
      expect(g(tensor([[1, 2]])).toArray()).toEqual([[4]]);
      expect(g.programs).toBe(1);
    });
  });

  it('leaves out what nobody reads', () => {
    scope(() => {
      const f = compile((x: Tensor) => {
        x.exp().log();
        return x.add(1);
      });
      f(tensor([1]));
      expect(kernelsOf(f.dump())).toEqual([['add_forward_f32']]);
    });
  });

  it('fuses chains of elementwise ops, and the activation behind a linear layer into its product', () => {
    scope(() => {
      const chain = (x: Tensor): Tensor => x.mul(2).add(1).tanh().square().sub(0.5).abs().sqrt().neg();
      const f = compile(chain);
      const x = rg.randn([3, 20_001]);
      expect(bits(f(x))).toEqual(bits(chain(x)));
      expect(kernelsOf(f.dump()).at(-1)).toEqual(
        ['mul', 'add', 'tanh', 'square', 'sub', 'abs', 'sqrt', 'neg'].map((op) => `${op}_forward_f32`),
      );
      const linear = new nn.Linear(8, 8);
      const g = compile((y: Tensor) => linear.forward(y).relu());
      const y = rg.randn([4, 8]);
      expect(bits(g(y))).toEqual(bits(linear.forward(y).relu()));
      expect(kernelsOf(g.dump())).toEqual([['gemm_f32']]);
    });
  });

  it('does not take the sum of a row and a view of a product for the bias of that product', () => {
    scope(() => {
      const [x, w, b] = [rg.randn([6, 5]), rg.randn([5, 6]), rg.randn([6])] as const;
      const sums: Record<string, (c: Tensor) => Tensor> = {
        transposed: (c) => c.t().add(b),
        stretched: (c) => b.add(c.slice(0, 0, 1).expand([6, 6])),
        reshaped: (c) => c.reshape([2, 3, 6]).add(b),
      };
      for (const [name, sum] of Object.entries(sums)) {
        const f = compile((y: Tensor) => sum(y.matmul(w)));
        expect(bits(f(x)), name).toBe(bits(sum(x.matmul(w))));
        expect(kernelsOf(f.dump()).length, name).toBe(name === 'reshaped' ? 1 : 2);
      }
    });
  });

  it('puts a result in the place of an operand, but of one that is read in another way as well', () => {
    scope(() => {
      const trace = new Trace();
      const x = rg.ones([50_000]);
      const inside = (block: Block): boolean => block.origin === trace;
      const offsets = withTracer(trace, () => {
        const y = x.cumsum(0);
        const alike = y.sub(x);
        const apart = alike.sub(alike.slice(0, 5, 6)); // one element for all: the threads' slices would race for it
        const total = apart.sum();
        const commands = lower(trace.nodes, runtime().lists.select);
        const steps = stepsOf(commands, inside, (block) => block === total.block);
        const plan = planMemory(steps, inside, 0);
        return [y, alike, apart].map(({ block }) => plan.offsets.get(block));
      });
      const [y, alike, apart] = offsets;
      expect(offsets).not.toContain(undefined);
      expect(alike).toBe(y);
      expect(apart).not.toBe(alike);
    });
  });

  it('records constants once, and finds them again', () => {
    scope(() => {
      const f = compile((x: Tensor) => x.add(tensor([1, 2])).mul(3));
      for (let i = 0; i < 3; i++) expect(f(tensor([1, 1])).toArray()).toEqual([6, 9]);
    });
  });

  it('compiles a call inside another as a part of it', () => {
    scope(() => {
      const inner = compile((x: Tensor) => x.mul(2));
      const outer = compile((x: Tensor) => inner(x).add(1));
      expect(outer(tensor([1])).toArray()).toEqual([3]);
      expect([inner.programs, outer.programs]).toEqual([0, 1]);
    });
  });

  it('checks values in each run', () => {
    scope(() => {
      const f = compile((x: Tensor, index: Tensor) => x.mul(2).indexSelect(0, index));
      const x = tensor([1, 2, 3]);
      const at = (...values: number[]): Tensor => tensor(values, { dtype: 'i32' });
      expect(f(x, at(0, 2)).toArray()).toEqual([2, 6]);
      expect(() => f(x, at(0, 3))).toThrow(/indexSelect: expected indices from 0 to 2 .* got 3 at position 1/);
      expect(f(x, at(1, 1)).toArray()).toEqual([4, 4]);
      const g = compile((y: Tensor, t: Tensor) => F.crossEntropy(y, t));
      expect(() => g(rg.zeros([2, 3]), at(0, 5))).toThrow(/got 5 at position 1/);
      expect(g(rg.zeros([2, 3]), at(0, 2)).item()).toBeCloseTo(Math.log(3));
    });
  });

  it('makes a new program where a captured tensor is gone', () => {
    scope(() => {
      let w = tensor([1]);
      const f = compile((x: Tensor) => x.mul(w));
      f(tensor([2]));
      w.dispose();
      expect(() => f(tensor([2]))).toThrow(rg.FreedError);
      w = tensor([5]);
      expect(f(tensor([2])).item()).toBe(10);
    });
  });

  it('knows frozen parameters', () => {
    scope(() => {
      const layer = new nn.Linear(2, 2);
      const f = compile((x: Tensor) => {
        layer.zeroGrad();
        layer.forward(x).sum().backward();
      });
      f(rg.ones([1, 2]));
      f(rg.ones([1, 2]));
      layer.zeroGrad();
      layer.weight.requiresGrad_(false);
      f(rg.ones([1, 2]));
      expect(layer.weight.grad).toBe(null);
      expect(layer.bias?.grad).not.toBe(null);
    });
  });

  it('survives a restart of the backend', async () => {
    const f = compile((x: Tensor) => x.add(1));
    scope(() => f(tensor([1])));
    rg.shutdown();
    await rg.init();
    scope(() => expect(f(tensor([1])).item()).toBe(2));
  });
});
