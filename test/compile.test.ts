// compile(): what is replayed is what eager mode does, to the bit; and what cannot be recorded says so.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import * as rg from '../bindings/index.ts';
import { type Compiled, compile, functional as F, nn, optim, scope, type Tensor, tensor } from '../bindings/index.ts';
import type { Block } from '../bindings/runtime/arena.ts';
import { optimize } from '../bindings/runtime/passes.ts';
import { planMemory } from '../bindings/runtime/plan.ts';
import { Recorder } from '../bindings/runtime/recorder.ts';
import { record } from '../bindings/runtime/wasm.ts';

type Step = (x: Tensor, y: Tensor) => Tensor;
type AnyOptimizer = { zeroGrad(): void; step(): void; stateDict(): optim.OptimizerState; dispose(): void };

const bits = (x: Tensor): number[] => [...new Int32Array(Float32Array.from(x.data).buffer)];

/** All that a training run leaves: the losses, every tensor of the model, and of the optimizer. */
interface Outcome {
  readonly losses: number[];
  readonly state: Record<string, number[]>;
  readonly gradients: number[][];
  readonly random: number[];
}

function outcome(losses: Tensor[], module: nn.Module, optimizer: { stateDict(): optim.OptimizerState }): Outcome {
  const state = Object.fromEntries(Object.entries(module.stateDict()).map(([key, x]) => [key, bits(x)]));
  for (const [i, own] of Object.entries(optimizer.stateDict().state))
    for (const [name, x] of Object.entries(own)) state[`${i}.${name}`] = bits(x as Tensor);
  const gradients = module.parameters().map(({ grad }) => (grad ? bits(grad) : []));
  return { losses: losses.flatMap(bits), state, gradients, random: [...rg.getRngState()] };
}

/** Trains for `steps` steps, eager or compiled, from the same start. */
function train(
  make: () => nn.Module,
  optimizerOf: (parameters: Tensor[]) => AnyOptimizer,
  shape: readonly number[],
  steps: number,
  wrap: (step: Step) => Step,
  lossOf: (y: Tensor, target: Tensor) => Tensor = F.mseLoss,
): Outcome {
  return scope(() => {
    rg.manualSeed(7);
    const module = make();
    const optimizer = optimizerOf(module.parameters());
    const batches = [0, 1, 2].map(() => rg.randn(shape));
    const targets = batches.map((x) => scope(() => rg.noGrad(() => (module.forward(x) as Tensor).mul(0).add(0.5))));
    const step = wrap((x, y) => {
      optimizer.zeroGrad();
      const loss = lossOf(module.forward(x) as Tensor, y);
      loss.backward();
      optimizer.step();
      return loss;
    });
    const losses: Tensor[] = [];
    for (let i = 0; i < steps; i++) losses.push(scope(() => step(batches[i % 3] as Tensor, targets[i % 3] as Tensor)));
    const result = outcome(losses, module, optimizer);
    module.dispose();
    optimizer.dispose();
    return result;
  });
}

const STEPS = 200;
const image = [4, 4, 6, 6];
const modules: Record<string, [make: () => nn.Module, shape: readonly number[]]> = {
  Linear: [() => new nn.Linear(5, 3), [4, 5]],
  'Linear of many rows': [
    () => new nn.Sequential(new nn.Linear(70, 130), new nn.ReLU(), new nn.Linear(130, 9)),
    [96, 70],
  ],
  Conv1d: [() => new nn.Sequential(new nn.Conv1d(3, 4, 3, { padding: 1 }), new nn.ReLU()), [2, 3, 9]],
  Conv2d: [
    () => new nn.Sequential(new nn.Conv2d(4, 6, 3), new nn.ReLU(), new nn.Conv2d(6, 2, 3, { stride: 2 })),
    image,
  ],
  'Conv2d, depthwise': [() => new nn.Conv2d(4, 4, 3, { groups: 4, padding: 1 }), image],
  ConvTranspose2d: [() => new nn.ConvTranspose2d(4, 3, 3, { stride: 2 }), image],
  MaxPool2d: [() => new nn.Sequential(new nn.Conv2d(4, 4, 3), new nn.MaxPool2d(2)), image],
  AvgPool2d: [() => new nn.Sequential(new nn.Conv2d(4, 4, 3), new nn.AvgPool2d(2), new nn.Flatten()), image],
  BatchNorm1d: [() => new nn.Sequential(new nn.Linear(5, 6), new nn.BatchNorm1d(6), new nn.Tanh()), [8, 5]],
  BatchNorm2d: [() => new nn.Sequential(new nn.Conv2d(4, 4, 3), new nn.BatchNorm2d(4), new nn.ReLU()), image],
  InstanceNorm2d: [
    () => new nn.Sequential(new nn.Conv2d(4, 4, 3), new nn.InstanceNorm2d(4, { trackRunningStats: true })),
    image,
  ],
  GroupNorm: [() => new nn.Sequential(new nn.Conv2d(4, 4, 3), new nn.GroupNorm(2, 4)), image],
  LayerNorm: [() => new nn.Sequential(new nn.Linear(5, 6), new nn.LayerNorm(6)), [8, 5]],
  Dropout: [() => new nn.Sequential(new nn.Linear(5, 40), new nn.Dropout(0.4), new nn.Linear(40, 2)), [8, 5]],
  activations: [
    () =>
      new nn.Sequential(
        ...[
          new nn.Sigmoid(),
          new nn.GELU(),
          new nn.SiLU(),
          new nn.LeakyReLU(),
          new nn.ELU(),
          new nn.Softplus(),
        ].flatMap((activation) => [new nn.Linear(7, 7), activation]),
        new nn.Softmax({ dim: 1 }),
      ),
    [8, 7],
  ],
};
const optimizers: Record<string, (parameters: Tensor[]) => AnyOptimizer> = {
  SGD: (p) => new optim.SGD(p, { lr: 0.05 }),
  'SGD with momentum': (p) => new optim.SGD(p, { lr: 0.05, momentum: 0.9, nesterov: true, weightDecay: 0.01 }),
  Adam: (p) => new optim.Adam(p, { lr: 0.01 }),
  'Adam, amsgrad': (p) => new optim.Adam(p, { lr: 0.01, amsgrad: true, weightDecay: 0.01 }),
  AdamW: (p) => new optim.AdamW(p, { lr: 0.01 }),
  RMSprop: (p) => new optim.RMSprop(p, { lr: 0.001, momentum: 0.9, centered: true }),
  Adagrad: (p) => new optim.Adagrad(p, { lr: 0.01 }),
};

describe.each(['strict', 'relaxed'] as const)('compile, %s build', (simd) => {
  beforeAll(() => rg.init({ simd }));
  afterAll(() => rg.shutdown());
  let compiled: Compiled<[Tensor, Tensor], Tensor> | undefined;
  const wrap = (step: Step): Step => {
    compiled = compile(step);
    return compiled;
  };
  afterEach(() => {
    compiled?.dispose();
    compiled = undefined;
  });

  it.each(Object.entries(modules))('%s: 200 steps as in eager mode', (_, [make, shape]) => {
    const eager = train(make, optimizers.SGD as (p: Tensor[]) => AnyOptimizer, shape, STEPS, (step) => step);
    expect(train(make, optimizers.SGD as (p: Tensor[]) => AnyOptimizer, shape, STEPS, wrap)).toEqual(eager);
    expect(compiled?.programs).toBe(1);
  });

  it.each(Object.entries(optimizers))('%s: 200 steps as in eager mode', (_, make) => {
    const model = (): nn.Module => new nn.Sequential(new nn.Linear(5, 8), new nn.Tanh(), new nn.Linear(8, 1));
    const eager = train(model, make, [8, 5], STEPS, (step) => step);
    expect(train(model, make, [8, 5], STEPS, wrap)).toEqual(eager);
    expect(compiled?.programs).toBe(1);
  });

  it('gives the memory back that it took', () => {
    const before = rg.backend().memory;
    train(modules.Conv2d?.[0] as () => nn.Module, optimizers.Adam as (p: Tensor[]) => AnyOptimizer, image, 5, wrap);
    compiled?.dispose();
    expect(rg.backend().memory.blocks).toBe(before.blocks);
  });
});

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
      expect(f.programs).toBe(1);
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
      expect(f.dump()).not.toMatch(/exp|log/);
    });
  });

  it('fuses chains of elementwise ops, and bias and activation into a product', () => {
    scope(() => {
      const chain = (x: Tensor): Tensor => x.mul(2).add(1).tanh().square().sub(0.5).abs().sqrt().neg();
      const f = compile(chain);
      const x = rg.randn([3, 20_001]);
      expect(bits(f(x))).toEqual(bits(chain(x)));
      expect(f.dump()).toMatch(/loop/);
      const linear = new nn.Linear(8, 8);
      const g = compile((y: Tensor) => linear.forward(y).relu());
      const y = rg.randn([4, 8]);
      expect(bits(g(y))).toEqual(bits(linear.forward(y).relu()));
      expect(g.dump()).not.toMatch(/relu_/);
    });
  });

  it('puts a result in the place of an operand, but of one that is read in another way as well', () => {
    scope(() => {
      const recorder = new Recorder();
      const x = rg.ones([50_000]);
      const inside = (block: Block): boolean => block.origin === recorder;
      const offsets = record(recorder, () => {
        const y = x.cumsum(0);
        const alike = y.sub(x);
        const apart = alike.sub(alike.slice(0, 5, 6)); // one element for all: the threads' slices would race for it
        const total = apart.sum();
        const steps = optimize(recorder.commands, inside, (block) => block === total.block);
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

describe('what cannot be compiled', () => {
  beforeAll(() => rg.init());
  afterAll(() => rg.shutdown());

  const refused: Record<string, [fn: (x: Tensor) => unknown, message: RegExp]> = {
    'item()': [(x) => (x.sum().item() > 0 ? x : x.neg()), /item: expected no read .*compile\.test\.ts.*where\(\)/],
    data: [(x) => x.data, /data: expected no read/],
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

  it('notices what a function does differently from call to call', () => {
    scope(() => {
      let calls = 0;
      const f = compile((x: Tensor) => (calls++ % 2 ? x.neg() : x.exp()));
      f(tensor([1]));
      expect(() => f(tensor([1]))).toThrow(
        /neg_forward_f32 where it had been exp_forward_f32 \(.*compile\.test\.ts.*make what it depends on an argument/,
      );
      let row = 0;
      const data = tensor([[1], [2]]);
      const h = compile((x: Tensor) => x.mul(data.select(0, row)));
      h(tensor([1]));
      row = 1;
      expect(() => h(tensor([1]))).toThrow(/another argument 3 of mul_forward_f32/);
      let w = tensor([1]);
      const g = compile((x: Tensor) => x.mul(w));
      g(tensor([1]));
      w = tensor([2]);
      expect(() => g(tensor([1]))).toThrow(/another argument 3 of mul_forward_f32 \(.*compile\.test\.ts/);
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
