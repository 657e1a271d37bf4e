// Leaves inside of compiled functions: gradient penalties, physics-informed losses, saliency maps.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as rg from '../../bindings/index.ts';
import { compile, functional as F, grad, nn, optim, scope, type Tensor, tensor } from '../../bindings/index.ts';
import { bits } from '../support/tensors.ts';

type Model = nn.Sequential;
type Step = (x: Tensor) => Tensor[];

/** Each step as a user would write it, with what it leaves in `.grad`. */
const steps: Record<string, (model: Model, step: () => void) => Step> = {
  'a gradient penalty, by grad()': (model, step) => (x) => {
    const leaf = x.detach().requiresGrad_();
    const [g] = grad(model.forward(leaf).sum(), [leaf], { createGraph: true }) as [Tensor];
    const penalty = g.square().sum().sqrt().sub(1).square();
    penalty.backward();
    step();
    return [penalty];
  },
  'a gradient penalty, by backward()': (model, step) => (x) => {
    const leaf = x.clone().requiresGrad_();
    model.forward(leaf).sum().backward(undefined, { createGraph: true });
    const penalty = (leaf.grad as Tensor).square().sum();
    penalty.backward();
    step();
    return [penalty.detach()];
  },
  'a physics-informed loss, by its argument': (model, step) => (x) => {
    x.requiresGrad_();
    const [du] = grad(model.forward(x).sum(), [x], { createGraph: true }) as [Tensor];
    const loss = F.mseLoss(du, x.detach());
    loss.backward();
    step();
    return [loss.detach()];
  },
  'a saliency map, of a leaf that is made inside': (model) => (x) => {
    const leaf = x.add(0).requiresGrad_();
    model.forward(leaf).sum().backward();
    return [leaf.grad as Tensor, (leaf.grad as Tensor).abs().max()];
  },
  'a saliency map, of an inner value': (model) => (x) => {
    const leaf = x.add(0).requiresGrad_();
    const inner = leaf.mul(2).retainGrad();
    model.forward(inner).sum().backward();
    return [inner.grad as Tensor];
  },
  'a leaf that is returned with its gradient': (model) => (x) => {
    const leaf = x.add(0).requiresGrad_();
    model.forward(leaf).sum().backward();
    return [leaf, leaf.grad as Tensor];
  },
  'a leaf that lasts': (model) => {
    const leaf = rg.zeros([3, 2]).requiresGrad_();
    return (x) => {
      rg.noGrad(() => leaf.copy_(x));
      leaf.clearGrad();
      model.forward(leaf).sum().backward();
      return [(leaf.grad as Tensor).clone()];
    };
  },
};

function run(make: (model: Model, step: () => void) => Step, wrap: (step: Step) => Step): string[] {
  return scope(() => {
    rg.manualSeed(2);
    const model = new nn.Sequential(new nn.Linear(2, 8), new nn.Tanh(), new nn.Linear(8, 1));
    const adam = new optim.Adam(model.parameters());
    const step = wrap(
      make(model, () => {
        adam.step();
        adam.zeroGrad();
      }),
    );
    const left: string[] = [];
    const fixed = rg.randn([3, 2]);
    for (let i = 0; i < 20; i++)
      scope(() => {
        // Every other call is about a tensor that has been there before.
        const x = i % 2 ? fixed : rg.randn([3, 2]);
        for (const y of [...step(x), x])
          left.push(`${bits(y.detach())} ${y.isLeaf && y.requiresGrad} ${y.grad ? bits(y.grad) : 'none'}`);
        model.zeroGrad();
      });
    left.push(...model.parameters().map(bits));
    adam.dispose();
    model.dispose();
    return left;
  });
}

describe('leaves inside of compiled functions', () => {
  beforeAll(() => rg.init({ threads: 1, simd: 'strict' }));
  afterAll(() => rg.shutdown());

  it.each(Object.entries(steps))('%s', (_, make) => {
    const before = rg.backend().memory.blocks;
    const compiled: { programs: number; dispose(): void }[] = [];
    const replayed = run(make, (step) => {
      const f = compile(step);
      compiled.push(f);
      return f;
    });
    expect(replayed).toEqual(run(make, (step) => step));
    // One more for an argument that wanted a gradient before the call, and one for one that has one.
    expect(compiled[0]?.programs).toBeLessThanOrEqual(3);
    compiled[0]?.dispose();
    expect(rg.backend().memory.blocks - before, 'blocks left').toBe(0);
  });

  it('accumulate the gradient of an argument as eager mode does', () => {
    scope(() => {
      const fn = (x: Tensor): void => x.requiresGrad_().square().sum().backward();
      const f = compile(fn);
      const [a, b] = [tensor([1, 2]), tensor([1, 2])];
      for (let i = 1; i <= 6; i++) {
        fn(a);
        f(b);
        expect(b.grad?.toArray()).toEqual(a.grad?.toArray());
        if (i % 3 === 0) for (const x of [a, b]) x.clearGrad();
      }
      expect(f.programs).toBe(3);
    });
  });

  it('refuse arguments whose history would be lost', () => {
    scope(() => {
      const w = tensor([1], { requiresGrad: true });
      const f = compile((x: Tensor) => x.mul(2));
      expect(() => f(w.mul(2))).toThrow(/^compile: expected arguments without history, got one of shape \[1\]/);
      expect(() => f(w)).toThrow(/^compile: expected arguments without requiresGrad where results have a history/);
      expect(() => f(w)).toThrow(rg.GradError);
    });
  });
});
