// Derivatives of functions and gradients of single samples, against PyTorch and by hand.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as r from '../../bindings/index.ts';
import { ArgumentError, autograd, GradError, nn, type Tensor, tensor } from '../../bindings/index.ts';
import { read } from '../golden/golden.ts';

type Nested = number | readonly Nested[];
interface File {
  readonly inputs: readonly (readonly number[])[];
  readonly results: Readonly<Record<string, Nested>>;
  readonly model: Readonly<Record<string, readonly number[]>>;
  readonly images: readonly number[];
  readonly labels: readonly number[];
  readonly samples: Readonly<Record<string, Nested>>;
}
const file = read('derivatives') as File;

beforeAll(() => r.init());
afterAll(() => r.shutdown());
const test = (name: string, body: () => void): void =>
  it(name, () => {
    const { blocks } = r.backend().memory;
    r.scope(body);
    expect(r.backend().memory.blocks, 'nothing stays').toBe(blocks);
  });

type Results = Tensor | readonly Results[];
const flat = (x: Nested | Results): number[] =>
  x instanceof r.Tensor ? [...x.data] : typeof x === 'number' ? [x] : x.flatMap((item) => flat(item));

function near(actual: Results, expected: Nested): void {
  const [a, b] = [flat(actual), flat(expected)];
  expect(a.length).toBe(b.length);
  const largest = Math.max(...b.map(Math.abs));
  expect(Math.max(...b.map((v, i) => Math.abs(v - (a[i] as number)))) / largest).toBeLessThan(1e-4);
}

const several = (x: Tensor, y: Tensor): Tensor[] => [
  x.exp().mul(y.sum()),
  x
    .reshape([1, 3])
    .matmul(y.reshape([3, 2]))
    .tanh(),
];
const single = (x: Tensor, y: Tensor): Tensor =>
  x
    .sin()
    .mul(y.reshape([3, 2]).sum(1))
    .sum()
    .square()
    .add(y.pow(3).sum());
const inputs = (): Tensor[] =>
  file.inputs.map((values, i) => tensor(values, { shape: i === 5 ? [1, 2] : [values.length] }));
type Run = (x: Tensor, y: Tensor, vx: Tensor, vy: Tensor, wide: Tensor, narrow: Tensor) => Results;
const runs: Record<string, Run> = {
  jacobian: (x, y) => autograd.jacobian(several, [x, y]),
  hessian: (x, y) => autograd.hessian(single, [x, y]),
  vjp: (x, y, _, __, wide, narrow) => autograd.vjp(several, [x, y], [wide, narrow])[1],
  jvp: (x, y, vx, vy) => autograd.jvp(several, [x, y], [vx, vy])[1],
  hvp: (x, y, vx, vy) => autograd.hvp(single, [x, y], [vx, vy])[1],
  vhp: (x, y, vx, vy) => autograd.vhp(single, [x, y], [vx, vy])[1],
};

describe('derivatives of functions', () => {
  for (const [name, run] of Object.entries(runs))
    test(`${name} is PyTorch's, eager and compiled`, () => {
      const given = inputs();
      near(run(...(given as Parameters<Run>)), file.results[name] as Nested);
      const compiled = r.compile((...all: Tensor[]) => run(...(all as Parameters<Run>)));
      for (let i = 0; i < 2; i++) near(compiled(...given), file.results[name] as Nested);
      compiled.dispose();
    });

  test('have the shapes of outputs and inputs, and zeros for what takes no part', () => {
    const x = tensor([[1, 2, 3]]);
    const j = autograd.jacobian((a: Tensor) => a.square().sum(1), x);
    expect([j.shape, j.toArray(), j.requiresGrad]).toEqual([[1, 1, 3], [[[2, 4, 6]]], false]);
    const [to, none] = autograd.jacobian((a: Tensor, _: Tensor) => a.mul(2), [tensor([1]), tensor([5, 6])]) as Tensor[];
    expect([to?.toArray(), none?.toArray()]).toEqual([[[2]], [[0, 0]]]);
    expect(autograd.jacobian(() => r.ones([2]), tensor([1])).toArray()).toEqual([[0], [0]]);
    expect(() => autograd.jacobian(() => r.ones([2]), tensor([1]), { strict: true })).toThrow(GradError);
    expect(autograd.hessian((a: Tensor) => a.mul(3).sum(), tensor([1, 2])).toArray()).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(autograd.jvp((a: Tensor) => a.mul(0).detach(), tensor([1]), tensor([1]))[1].toArray()).toEqual([0]);
    expect(autograd.vjp((a: Tensor) => a.square().sum(), tensor([3]))[1].toArray()).toEqual([6]);
    expect(x.grad).toBeNull();
  });

  test('are differentiated with createGraph', () => {
    const x = tensor([1, 2], { requiresGrad: true });
    const cube = (a: Tensor): Tensor => a.pow(3);
    autograd.jacobian(cube, x, { createGraph: true }).sum().backward();
    expect(x.grad?.toArray()).toEqual([6, 12]);
    const [y, product] = autograd.hvp((a: Tensor) => a.pow(4).sum(), x, r.ones([2]), true);
    expect(y.item()).toBe(17);
    const [third] = r.grad(product.sum(), [x]) as [Tensor];
    expect(third.toArray()).toEqual([24, 48]);
  });

  test('refuse what they cannot take', () => {
    const x = tensor([1, 2]);
    expect(() => autograd.hessian(several as never, [x, x])).toThrow(/^(hessian|reshape|exp|matmul): /);
    expect(() => autograd.hessian((a: Tensor) => a.mul(2), x)).toThrow(/^hessian: expected func to give one number/);
    expect(() => autograd.vjp((a: Tensor) => a.mul(2), x)).toThrow(/^vjp: expected v, as func what it gives is more/);
    expect(() => autograd.jvp((a: Tensor) => a.mul(2), x, tensor([1]))).toThrow(/^jvp: expected v of the shape \[2\]/);
    expect(() => autograd.jacobian((() => 5) as never, x)).toThrow(
      /^jacobian: expected func to give a tensor or a list/,
    );
    expect(() => autograd.jacobian(several, [x], { vectorize: true } as never)).toThrow(ArgumentError);
  });
});

describe('vmap', () => {
  const model = (): nn.Sequential => {
    const made = new nn.Sequential(new nn.Linear(3, 4), new nn.Tanh(), new nn.Linear(4, 2));
    for (const [name, p] of made.namedParameters())
      r.noGrad(() => p.copy_(tensor(file.model[name] as number[], { shape: p.shape })));
    return made;
  };

  test("gives the gradients of single samples, as PyTorch's", () => {
    const net = model();
    const names = net.namedParameters().map(([name]) => name);
    const own = net.parameters();
    const [images, labels] = [tensor(file.images, { shape: [5, 3] }), tensor(file.labels, { shape: [5, 2] })];
    const byWeights = (image: Tensor, label: Tensor): Tensor[] =>
      r.grad(net.forward(image).sub(label).square().mean(), own) as Tensor[];
    const byCall = (image: Tensor, label: Tensor): Tensor[] => {
      const weights = own.map((p) => p.detach().requiresGrad_());
      const given = Object.fromEntries(names.map((name, i) => [name, weights[i] as Tensor]));
      return r.grad(autograd.functionalCall(net, given, image).sub(label).square().mean(), weights) as Tensor[];
    };
    const check = (samples: readonly Tensor[]): void => {
      names.forEach((name, i) => {
        near(samples[i] as Tensor, file.samples[name] as Nested);
      });
    };
    for (const perSample of [byWeights, byCall]) {
      const all = autograd.vmap(perSample);
      check(all(images, labels));
      let traces = 0;
      const compiled = r.compile((x: Tensor, y: Tensor) => {
        traces++;
        return all(x, y);
      });
      for (let i = 0; i < 3; i++) check(compiled(images, labels));
      expect(traces, perSample.name).toBe(2); // and the look at call 2
      compiled.dispose();
    }
    expect(net.parameters()).toEqual(own);
    net.dispose();
  });

  test('takes and gives nested tensors, and dims of each', () => {
    const x = r.arange(6).reshape([2, 3]);
    const dot = autograd.vmap((a: Tensor, b: Tensor) => a.mul(b).sum(), [1, null]);
    expect(dot(x, tensor([1, 10])).toArray()).toEqual([30, 41, 52]);
    const nested = autograd.vmap(
      ({ a, list }: { a: Tensor; list: [Tensor, number] }) => ({ sum: a.add(list[0]), pair: [list[0].mul(list[1])] }),
      { inDims: [{ a: 0, list: [0, null] }], outDims: -1 },
    );
    const { sum, pair } = nested({ a: x, list: [tensor([10, 20]), 3] });
    expect(sum.toArray()).toEqual([
      [10, 23],
      [11, 24],
      [12, 25],
    ]);
    expect(pair[0]?.toArray()).toEqual([30, 60]);
    const twice = autograd.vmap(
      autograd.vmap((a: Tensor, b: Tensor) => a.mul(b), [0, null]),
      [null, 0],
    );
    expect(twice(tensor([1, 2]), tensor([3, 4])).toArray()).toEqual([
      [3, 6],
      [4, 8],
    ]);
    const w = tensor([1, 2, 3], { requiresGrad: true });
    autograd
      .vmap((a: Tensor) => a.mul(w).sum())(x)
      .mul(tensor([1, 10]))
      .sum()
      .backward();
    expect(w.grad?.toArray()).toEqual([30, 41, 52]);
  });

  test('draws as it is told, eager and compiled', () => {
    const x = r.ones([3, 8]);
    const noisy = (a: Tensor): Tensor => r.functional.dropout(a, 0.5);
    expect(() => autograd.vmap(noisy)(x)).toThrow(/^vmap: expected a function without random numbers/);
    const rows = (y: Tensor): string[] => y.unbind().map((row) => String(row.toArray()));
    for (const wrap of [<F>(fn: F): F => fn, r.compile as unknown as <F>(fn: F) => F]) {
      const [same, different] = (['same', 'different'] as const).map((randomness) =>
        wrap(autograd.vmap(noisy, { randomness })),
      ) as [typeof noisy, typeof noisy];
      for (let i = 0; i < 2; i++) {
        expect(new Set(rows(same(x))).size).toBe(1);
        expect(new Set(rows(different(x))).size).toBeGreaterThan(1);
      }
      r.manualSeed(3);
      const [first] = rows(same(x));
      r.manualSeed(3);
      expect(String(noisy(r.ones([8])).toArray())).toBe(first);
      for (const fn of [same, different]) if ('dispose' in fn) (fn as unknown as { dispose(): void }).dispose();
    }
  });

  test('refuses what has no batch', () => {
    const id = autograd.vmap((a: Tensor, _b?: unknown) => a.mul(1));
    const own: unknown[] = [0];
    own.push(own);
    expect(() => autograd.vmap((b: Tensor) => b, own as never)).toThrow(ArgumentError);
    expect(() => id(tensor(1))).toThrow(/^vmap: expected a tensor with dim 0, got one of 0 dims/);
    expect(() => id(r.ones([2]), r.ones([3]))).toThrow(
      /^vmap: expected tensors with one number of samples, .* 2 and 3/,
    );
    expect(() => id(5 as never)).toThrow(/^vmap: expected tensors with one number of samples/);
    const number = autograd.vmap((() => 5) as unknown as (x: Tensor) => Tensor);
    expect(() => number(r.ones([2]))).toThrow(/^vmap: expected func to give/);
    expect(() => autograd.vmap((a: Tensor) => a, [0, 0])(r.ones([2]))).toThrow(/^vmap: expected inDims for 1 arg/);
    expect(() => autograd.vmap((a: Tensor) => a, { randomness: 'some' } as never)).toThrow(ArgumentError);
  });
});

describe('functionalCall', () => {
  test('puts tensors into lists and dictionaries of parameters, eager and compiled', () => {
    class Held extends nn.Module {
      readonly list = new nn.ParameterList([tensor([2]), tensor([3])]);
      readonly dict = new nn.ParameterDict({ a: tensor([5]), b: tensor([7]) });
      forward(x: Tensor): Tensor {
        const [first, second] = this.list;
        return x
          .mul(first as Tensor)
          .add(second as Tensor)
          .mul(this.dict.get('a') as Tensor)
          .add(this.dict.get('b') as Tensor);
      }
    }
    const model = new Held();
    const [x, a, first] = [tensor([1]), tensor([10], { requiresGrad: true }), tensor([-1], { requiresGrad: true })];
    const call = (): Tensor => autograd.functionalCall(model, { 'dict.a': a, 'list.0': first }, x);
    const y = call();
    expect(y.item()).toBe((-1 + 3) * 10 + 7);
    const gradients = r.grad(y, [a, first]) as Tensor[];
    expect(gradients.map((g) => g.item())).toEqual([2, 10]);
    expect(model.forward(x).item()).toBe((2 + 3) * 5 + 7);
    const compiled = r.compile(call);
    for (let i = 0; i < 3; i++) expect(compiled().item()).toBe(27);
    expect(model.forward(x).item()).toBe(32);
    compiled.dispose();
    model.dispose();
  });

  test('puts tensors in the place of parameters and buffers, and takes them out', () => {
    class Tied extends nn.Module {
      readonly layers = [new nn.Linear(2, 2, { bias: false })];
      readonly again = this.layers[0]?.weight as nn.Parameter;
      readonly scale = this.registerBuffer('scale', tensor([2]));
      forward(x: Tensor, y: Tensor): Tensor {
        return (this.layers[0] as nn.Linear).forward(x).add(y.matmul(this.again)).mul(this.scale);
      }
    }
    const model = new Tied();
    const before = [...model.namedParameters(), ...model.namedBuffers()];
    const weight = r.eye(2).requiresGrad_();
    const [x, y] = [tensor([[1, 2]]), tensor([[3, 4]])];
    const call = (given: object, options = {}): Tensor =>
      autograd.functionalCall(model, given as never, [x, y], options) as Tensor;
    expect(call({ 'layers.0.weight': weight, scale: tensor([10]) }).toArray()).toEqual([[40, 60]]);
    call({ again: weight }).sum().backward();
    expect(weight.grad?.sum().item()).toBe(2 * 2 * 10);
    const untied = call({ again: r.zeros([2, 2]) }, { tieWeights: false });
    expect(untied.toArray()).toEqual(model.layers[0]?.forward(x).mul(2).toArray());
    expect([...model.namedParameters(), ...model.namedBuffers()]).toEqual(before);
    expect(() => call({ nothing: weight })).toThrow(
      /^functionalCall: expected tensors by the names of .*, got 'nothing'/,
    );
    expect(() => call({ scale: r.ones([2]) })).toThrow(/^functionalCall: expected f32 of shape \[1\] as 'scale'/);
    expect(() => call({ scale: r.ones([1]) }, { strict: true })).toThrow(
      /expected all tensors of the module, got none/,
    );
    expect(() => autograd.functionalCall(model, { again: weight }, [x, x.sum(0)])).not.toThrow();
    model.dispose();
  });
});

describe('gradcheck and gradgradcheck', () => {
  class Wrong extends autograd.Function {
    static forward(ctx: autograd.FunctionContext, x: Tensor): Tensor {
      ctx.saveForBackward(x);
      return x.pow(3);
    }
    static backward(ctx: autograd.FunctionContext, grad: Tensor): Tensor {
      return (ctx.savedTensors[0] as Tensor)
        .square()
        .mul(grad)
        .mul(ctx.wrong === true ? 2 : 3)
        .detach();
    }
  }

  test('hold where derivatives are right, and say where they are not', () => {
    r.manualSeed(0);
    const [x, w] = [r.randn([2, 3], { requiresGrad: true }), r.randn([3, 2], { requiresGrad: true })];
    const fn = (a: Tensor, b: Tensor): Tensor[] => [a.matmul(b).tanh(), a.softmax(1).log()];
    expect(autograd.gradcheck(fn, [x, w])).toBe(true);
    expect(autograd.gradgradcheck(fn, [x, w])).toBe(true);
    expect(autograd.gradcheck((a: Tensor) => r.functional.dropout(a, 0.5), x)).toBe(true);
    expect(autograd.gradcheck((a: Tensor, b: Tensor) => a.mul(b), [x, x.detach()])).toBe(true);
    // Its first derivatives are right; they are cut off from the second.
    const cube = (a: Tensor): Tensor => Wrong.apply(a);
    expect(autograd.gradcheck(cube, x)).toBe(true);
    expect(autograd.gradgradcheck(cube, x, { raiseException: false })).toBe(false);
    expect(() => autograd.gradgradcheck(cube, x)).toThrow(/^gradgradcheck: expected .* as the derivative of number \d/);
    expect(() => autograd.gradcheck((a: Tensor) => a.mul(a.detach()), x)).toThrow(/^gradcheck: expected .*, got/);
    let calls = 0;
    expect(() => autograd.gradcheck((a: Tensor) => a.mul(calls++), x)).toThrow(/the same from each call/);
    expect(() => autograd.gradcheck(cube, x.detach())).toThrow(ArgumentError);
    expect(x.grad).toBeNull();
  });
});
