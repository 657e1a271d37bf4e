// Hooks: what is called when, with what, and what becomes of what they return.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as rg from '../../bindings/index.ts';
import { ArgumentError, functional as F, nn, ones, randn, type Tensor } from '../../bindings/index.ts';
import { bits } from '../support/tensors.ts';

/** Of two arguments and two results, by name. */
class Two extends nn.Module {
  forward(a: Tensor, b: Tensor, by: number): { sum: Tensor; product: Tensor } {
    return { sum: a.add(b), product: a.mul(b).mul(by) };
  }
}
const leaf = (...shape: number[]): Tensor => randn(shape, { requiresGrad: true });
const list = (x: Tensor | null | undefined): unknown => x?.toArray() ?? null;

describe.each([1, 2])('hooks, %i threads', (threads) => {
  beforeAll(() => rg.init({ simd: 'strict', threads }));
  afterAll(() => rg.shutdown());

  it('are called around forward in order, and go when they are taken off', () => {
    const layer = new nn.Linear(2, 2);
    const calls: string[] = [];
    const handles = [
      layer.registerForwardHook(() => void calls.push('after 1')),
      layer.registerForwardPreHook(() => void calls.push('before 1')),
      layer.registerForwardHook(() => void calls.push('after 0'), { prepend: true }),
      layer.registerForwardPreHook(() => void calls.push('before 0'), { prepend: true }),
    ];
    const x = ones([1, 2]);
    layer.forward(x);
    expect(calls).toEqual(['before 0', 'before 1', 'after 0', 'after 1']);
    handles[0]?.remove();
    handles[0]?.remove();
    layer.forward(x);
    expect(calls.slice(4)).toEqual(['before 0', 'before 1', 'after 0']);
    for (const handle of handles) handle.remove();
    layer.forward(x);
    expect(calls).toHaveLength(7);
    const twice = (): void => void calls.push('twice');
    const [one, other] = [layer.registerForwardHook(twice), layer.registerForwardHook(twice)];
    one.remove();
    layer.forward(x);
    expect(calls.slice(7)).toEqual(['twice']);
    other.remove();
  });

  it('replace arguments and results with what they return', () => {
    const two = new Two();
    const handle = two.registerForwardPreHook((_, [a, b]) => [b, a, 10]);
    two.registerForwardHook((_, [, , by], { sum }) => ({ sum, product: sum.mul(by) }));
    const [a, b] = [ones([2]), ones([2]).mul(3)];
    expect(list(two.forward(a, b, 1).product)).toEqual([40, 40]);
    handle.remove();
    expect(list(two.forward(a, b, 1).product)).toEqual([4, 4]);
    const layer = new nn.ReLU();
    layer.registerForwardPreHook((_, [x]) => x.mul(2)); // one value for the only argument
    layer.registerForwardHook(() => null); // nothing
    expect(list(layer.forward(ones([2])))).toEqual([2, 2]);
  });

  it('of backward get the gradients of arguments and results, and give others', () => {
    const two = new Two();
    const [a, b] = [leaf(3), leaf(3)];
    const plain = (): (Tensor | null)[] => {
      const { sum, product } = two.forward(a, b, 2);
      return rg.grad(sum.mul(3).sum().add(product.sum()), [a, b]);
    };
    const expected = plain().map(list);
    const seen: unknown[] = [];
    const handle = two.registerFullBackwardHook((module, gradInput, gradOutput) => {
      seen.push(module === two, gradInput.map(list), gradOutput.map(list));
    });
    expect(plain().map(list)).toEqual(expected);
    expect(seen).toEqual([
      true,
      [...expected, null],
      [
        [3, 3, 3],
        [1, 1, 1],
      ],
    ]);
    handle.remove();
    two.registerFullBackwardHook((_, [ga, gb]) => [ga?.mul(2) ?? null, gb ?? null, null]);
    expect(plain().map(list)).toEqual([(expected[0] as number[]).map((g) => g * 2), expected[1]]);
  });

  it('of backward are called where no argument wants a gradient, and not where no result does', () => {
    const layer = new nn.Linear(2, 1);
    const seen: unknown[] = [];
    layer.registerFullBackwardHook((_, gradInput, gradOutput) => void seen.push([gradInput, gradOutput.map(list)]));
    layer
      .forward(ones([1, 2]))
      .sum()
      .backward();
    expect(seen).toEqual([[[null], [[[1]]]]]);
    expect(layer.weight.grad?.toArray()).toEqual([[1, 1]]);
    rg.noGrad(() => layer.forward(ones([1, 2])));
    expect(seen).toHaveLength(1);
  });

  it('of backward see a model through: the gradient of every layer, once', () => {
    const model = new nn.Sequential(new nn.Linear(3, 4), new nn.Tanh(), new nn.Linear(4, 2));
    const x = leaf(5, 3);
    const loss = (): Tensor => model.forward(x).square().mean();
    loss().backward();
    const before = [x, ...model.parameters()].map((p) => bits(p.grad as Tensor));
    const order: string[] = [];
    for (const [path, module] of model.namedModules())
      module.registerFullBackwardHook((_, [gradInput], [gradOutput]) => {
        order.push(`${path}: ${gradInput?.shape} ${gradOutput?.shape}`);
      });
    for (const p of [x, ...model.parameters()]) p.grad = null;
    loss().backward();
    expect([x, ...model.parameters()].map((p) => bits(p.grad as Tensor))).toEqual(before);
    expect(order).toEqual(['2: 5,4 5,2', '1: 5,4 5,4', '0: 5,3 5,4', ': 5,3 5,2']);
  });

  it('of backward differentiate again', () => {
    const layer = new nn.Tanh();
    layer.registerFullBackwardHook((_, [g]) => g?.mul(4) ?? null);
    const x = leaf(3);
    const [g] = rg.grad(layer.forward(x).sum(), [x], { createGraph: true });
    const [gg] = rg.grad((g as Tensor).sum(), [x]);
    const [plain] = rg.grad(rg.grad(x.tanh().sum(), [x], { createGraph: true })[0]?.sum() as Tensor, [x]);
    // Once, as in PyTorch: the second walk comes to the argument without having come through the result.
    expect(list(gg)).toEqual(list(plain?.mul(4)));
  });

  it('keep what they keep', () => {
    const layer = new nn.Linear(2, 2);
    const kept: Tensor[] = [];
    layer.registerFullBackwardHook((_, __, [g]) => void kept.push((g as Tensor).keep()));
    for (let i = 0; i < 3; i++) rg.scope(() => layer.forward(leaf(4, 2)).mul(i).sum().backward());
    expect(kept.map((g) => g.toArray())).toEqual([0, 1, 2].map((i) => Array.from({ length: 4 }, () => [i, i])));
  });

  it('that return what does not fit are named, and change nothing', () => {
    const layer = new nn.Linear(2, 2);
    const x = leaf(1, 2);
    for (const wrong of [[], 'x', [null], [ones([1, 2], { dtype: 'i32' })], ones([2, 2]), [1]]) {
      const handle = layer.registerFullBackwardHook(() => wrong);
      const loss = layer.forward(x).sum();
      expect(() => loss.backward()).toThrow(ArgumentError);
      expect(() => loss.backward()).toThrow(/Linear: a backward hook: expected/);
      expect([x.grad, layer.weight.grad]).toEqual([null, null]);
      handle.remove();
    }
  });

  it('are a part of programs, which are traced anew where they change', () => {
    const model = new nn.Sequential(new nn.Linear(3, 3), new nn.Tanh());
    let traced = 0;
    const add = (by: number): nn.RemovableHandle => {
      const handles = [
        model[0]?.registerForwardHook((_, __, y) => {
          traced++;
          return y.add(by);
        }),
        model[1]?.registerFullBackwardHook((_, [g]) => g?.mul(by) ?? null),
      ];
      return {
        remove: () => {
          for (const handle of handles) handle?.remove();
        },
      };
    };
    const x = randn([2, 3]);
    const eager = (): Tensor => {
      model.zeroGrad();
      const loss = model.forward(x).sum();
      loss.backward();
      return loss;
    };
    const step = rg.compile(eager);
    const outcome = (run: () => Tensor): string[] => [
      bits(run()),
      ...model.parameters().map((p) => bits(p.grad as Tensor)),
    ];
    for (const by of [1, 2]) {
      const handle = add(by);
      const expected = outcome(eager);
      // compile() looks again at the second and fourth call.
      for (let i = 0; i < 4; i++) expect(outcome(step)).toEqual(expected);
      const count = traced;
      step();
      expect(traced).toBe(count);
      handle.remove();
    }
    expect(outcome(step)).toEqual(outcome(eager));
  });

  it('stand between layers that share what they compute with', () => {
    const layer = new nn.Identity();
    layer.registerFullBackwardHook((_, [g]) => g?.mul(2) ?? null);
    const x = leaf(2, 2);
    const y = layer.forward(layer.forward(x));
    F.mseLoss(y, rg.zeros([2, 2]), { reduction: 'sum' }).backward();
    expect(list(x.grad)).toEqual(list(x.detach().mul(8)));
  });
});
