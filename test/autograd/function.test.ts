// Functions with gradients of their own.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as r from '../../bindings/index.ts';
import { autograd, GradError, type Tensor, tensor } from '../../bindings/index.ts';

beforeAll(() => r.init());
afterAll(() => r.shutdown());

type Context = autograd.FunctionContext;
const test = (name: string, body: () => void): void => it(name, () => r.scope(body));
const leaf = (values: Parameters<typeof tensor>[0]): Tensor => tensor(values, { requiresGrad: true });

/** exp by its result, whose derivative flows through what was saved. */
class Exp extends autograd.Function {
  static forward(ctx: Context, x: Tensor): Tensor {
    const y = x.exp();
    ctx.saveForBackward(y);
    return y;
  }
  static backward(ctx: Context, grad: Tensor): Tensor {
    return grad.mul(ctx.savedTensors[0] as Tensor);
  }
}

/** x · y · factor and x + y, with a result that is an integer and one that is not differentiated. */
class Several extends autograd.Function {
  static forward(ctx: Context, x: Tensor, factor: number, y: Tensor): Tensor[] {
    ctx.saveForBackward(x, y);
    ctx.factor = factor;
    const steps = x.sign();
    ctx.markNonDifferentiable(steps);
    return [x.mul(y).mul(factor), x.add(y), steps, x.to('i32')];
  }
  static backward(ctx: Context, product: Tensor, sum: Tensor, steps: Tensor, integer: Tensor): (Tensor | null)[] {
    expect([steps, integer].map((g) => g.sum().item())).toEqual([0, 0]);
    const [x, y] = ctx.savedTensors as [Tensor, Tensor];
    const [wantsX, wantsFactor, wantsY] = ctx.needsInputGrad;
    expect(wantsFactor).toBe(false);
    const g = product.mul(ctx.factor as number);
    return [wantsX ? g.mul(y).add(sum) : null, null, wantsY ? g.mul(x).add(sum) : null];
  }
}

/** Several and Exp as one, in the form in which forward takes no context. */
class SetUp extends autograd.Function {
  static forward(x: Tensor, factor: number): [Tensor, Tensor] {
    return [x.exp(), x.mul(factor)];
  }
  static setupContext(ctx: Context, [x, factor]: [x: Tensor, factor: number], [y]: [Tensor, Tensor]): void {
    ctx.saveForBackward(x, y);
    ctx.factor = factor;
  }
  static backward(ctx: Context, first: Tensor, second: Tensor): [Tensor, null] {
    const [x, y] = ctx.savedTensors as [Tensor, Tensor];
    expect(x.sizes).toEqual(y.sizes);
    return [first.mul(y).add(second.mul(ctx.factor as number)), null];
  }
}

describe('autograd.Function', () => {
  test('takes what backward needs from setupContext', () => {
    const x = leaf([0, 1]);
    const [y, z] = SetUp.apply(x, 3);
    const [first] = r.grad(y.add(z).sum(), [x], { createGraph: true }) as [Tensor];
    const [second] = r.grad(first.sum(), [x]) as [Tensor];
    for (const [i, v] of [1, Math.E].entries()) {
      expect(first.data[i]).toBeCloseTo(v + 3, 5);
      expect(second.data[i]).toBeCloseTo(v, 5);
    }
    expect(autograd.gradgradcheck((t: Tensor) => SetUp.apply(t, 2), [leaf([0.5, -0.25])])).toBe(true);
    const compiled = r.compile((t: Tensor) => r.grad(SetUp.apply(t.requiresGrad_(), 2)[0].sum(), [t])[0] as Tensor);
    expect(compiled(tensor([0])).toArray()).toEqual([1]);
    compiled.dispose();
  });

  test('has the derivatives that it says, of any order', () => {
    const x = leaf([0, 1]);
    const y = Exp.apply(x);
    expect(y.isLeaf).toBe(false);
    const [first] = r.grad(y.sum(), [x], { createGraph: true }) as [Tensor];
    const [second] = r.grad(first.sum(), [x], { createGraph: true }) as [Tensor];
    const [third] = r.grad(second.sum(), [x]) as [Tensor];
    for (const g of [y, first, second, third])
      for (const [i, v] of [1, Math.E].entries()) expect(g.data[i]).toBeCloseTo(v, 5);
    expect(r.noGrad(() => Exp.apply(x)).requiresGrad).toBe(false);
    expect(Exp.apply(tensor([1])).requiresGrad).toBe(false);
  });

  test('takes and gives several, stretched ones too, and null for what nobody used', () => {
    const [x, y] = [
      leaf([
        [1, -2],
        [3, 4],
      ]),
      leaf([10, 20]),
    ];
    const [product, sum, steps, integer] = Several.apply(x, 0.5, y) as [Tensor, Tensor, Tensor, Tensor];
    expect([product, sum, steps, integer].map((z) => z.requiresGrad)).toEqual([true, true, false, false]);
    product.sum().backward({ retainGraph: true });
    expect([x, y].map((z) => z.grad?.toArray())).toEqual([
      [
        [5, 10],
        [5, 10],
      ],
      [2, 1],
    ]);
    const [dx, dy] = r.grad(sum.mul(2).sum(), [x, y]) as [Tensor, Tensor];
    expect([dx.sum().item(), dy.toArray()]).toEqual([8, [4, 4]]);
  });

  test('gives null where it asks for no zeros', () => {
    const seen: unknown[] = [];
    class Two extends autograd.Function {
      static forward(ctx: Context, x: Tensor): [Tensor, Tensor] {
        ctx.setMaterializeGrads(false);
        return [x.mul(2), x.mul(3)];
      }
      static backward(_: Context, a: Tensor | null, b: Tensor | null): Tensor | null {
        seen.push(a?.toArray(), b);
        return a ? a.mul(2) : null;
      }
    }
    const x = leaf([1]);
    Two.apply(x)[0].backward();
    expect([seen, x.grad?.toArray()]).toEqual([[[1], null], [2]]);
  });

  test('writes its argument where it says so', () => {
    class Double extends autograd.Function {
      static forward(ctx: Context, x: Tensor): Tensor {
        ctx.markDirty(x);
        return x.mul_(2);
      }
      static backward(_: Context, grad: Tensor): Tensor {
        return grad.mul(2);
      }
    }
    const w = leaf([1, 2]);
    const y = w.mul(3);
    const view = y.narrow(0, 0, 1);
    expect(Double.apply(y)).toBe(y);
    y.sum().add(view.sum()).backward();
    expect([y.toArray(), w.grad?.toArray()]).toEqual([
      [6, 12],
      [12, 6],
    ]);
    expect(() => Double.apply(w)).toThrow(/^markDirty: expected no leaf that requires a gradient/);
    expect(() => Double.apply(w.mul(1).narrow(0, 0, 1))).toThrow(/^markDirty: expected no view/);
  });

  test('is refused where what it saved was written, or is what does not fit', () => {
    const [x, y] = [leaf([1, 2]), leaf([3, 4])];
    const [a, b] = [x.mul(1), y.mul(1)];
    const [product] = Several.apply(a, 1, b) as Tensor[];
    a.add_(1);
    expect(() => product?.sum().backward()).toThrow(/expected the values that Several saved, got .* written since/);
    const wrong = (give: unknown, forward: unknown = null): (() => void) => {
      class Wrong extends autograd.Function {
        static forward(_: Context, z: Tensor, _number: number): Tensor {
          return (forward ?? z.mul(2)) as Tensor;
        }
        static backward(): Tensor {
          return give as Tensor;
        }
      }
      return () =>
        Wrong.apply(leaf([1, 2]), 3)
          .sum()
          .backward();
    };
    expect(wrong(tensor([1, 1]))).toThrow(/^Wrong\.backward: expected 2 gradients, one for each .*, got 1/);
    expect(wrong([tensor([1, 1]), null, tensor([1])])).toThrow(/^Wrong\.backward: expected 2 gradients/);
    expect(wrong([tensor([1, 1]), tensor([1])])).toThrow(/expected null, as it is no tensor, as the gradient of arg/);
    expect(wrong([1, null])).toThrow(/expected an f32 tensor or null, as the gradient of argument 0, got 1/);
    expect(wrong([tensor([1, 1, 1]), null])).toThrow(/expected a gradient of shape \[2\] for argument 0, got \[3\]/);
    expect(wrong([tensor([1, 1]), null], 5)).toThrow(/^Wrong\.forward: expected a tensor or a list, got 5/);
    expect(() => (autograd.Function as unknown as typeof Exp).apply(x)).toThrow(/expected a class with static forward/);
    expect(() => Exp.apply(leaf([1])).backward({ retainGraph: true })).not.toThrow();
    const once = Exp.apply(x).sum();
    once.backward();
    expect(() => once.backward()).toThrow(GradError);
  });

  test('is a part of compiled functions', () => {
    const w = leaf([0.5, -1]);
    const run = (x: Tensor): Tensor => {
      w.clearGrad();
      const [first] = r.grad(Exp.apply(w.mul(x)).sum(), [w], { createGraph: true }) as [Tensor];
      first.square().sum().backward();
      return first.detach();
    };
    const step = r.compile(run);
    for (let i = 1; i < 4; i++) {
      const eager = run(tensor([i, 2]));
      const gradient = w.grad?.toArray();
      expect(step(tensor([i, 2])).toArray()).toEqual(eager.toArray());
      expect(w.grad?.toArray()).toEqual(gradient);
    }
    step.dispose();
  });
});
