// Parts that are computed again in backward: the same numbers, and less memory.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as r from '../../bindings/index.ts';
import { autograd, functional as F, GradError, nn, type Tensor, tensor } from '../../bindings/index.ts';
import { expectClose } from '../support/tensors.ts';

beforeAll(() => r.init());
afterAll(() => r.shutdown());
const test = (name: string, body: () => void): void =>
  it(name, () => {
    const { blocks } = r.backend().memory;
    r.scope(body);
    expect(r.backend().memory.blocks, 'nothing stays').toBe(blocks);
  });

const WIDTH = 64;
const layers = (count: number): nn.Sequential[] =>
  Array.from(
    { length: count },
    () => new nn.Sequential(new nn.Linear(WIDTH, WIDTH), new nn.Tanh(), new nn.Dropout(0.2)),
  );
type Call = (block: nn.Sequential, x: Tensor) => Tensor;
const plain: Call = (block, x) => block.forward(x);
const again: Call = (block, x) => autograd.checkpoint((h: Tensor) => block.forward(h), x);

/** The most bytes that were in use while `fn` ran, beyond those before. */
function peakOf(fn: (look: () => void) => void): number {
  const before = r.backend().memory.used;
  let most = 0;
  r.scope(() =>
    fn(() => {
      most = Math.max(most, r.backend().memory.used - before);
    }),
  );
  return most;
}

describe('checkpoint', () => {
  const parameters = (blocks: readonly nn.Sequential[]): Tensor[] => blocks.flatMap((block) => [...block.parameters()]);

  test('gives the same bits, dropout included, eager and compiled', () => {
    const blocks = layers(3);
    const all = parameters(blocks);
    const x = r.randn([5, WIDTH]).requiresGrad_();
    const step = (call: Call) => (): Tensor => {
      for (const p of [...all, x]) p.clearGrad();
      const loss = blocks
        .reduce((h, block) => call(block, h), x.mul(1))
        .square()
        .mean();
      loss.backward();
      return loss.detach();
    };
    const result = (run: () => Tensor): unknown => {
      r.manualSeed(5);
      const losses = [run(), run()].map((loss) => loss.item());
      return { losses, grads: [...all, x].map((p) => p.grad?.toArray()), state: [...r.getRngState()] };
    };
    const expected = result(step(plain));
    expect(result(step(again))).toEqual(expected);
    const compiled = r.compile(step(again));
    expect(result(compiled)).toEqual(expected);
    compiled.dispose();
    for (const p of all) p.dispose();
  });

  test('keeps the results of its parts only, and the gradients go where they always do', () => {
    const blocks = layers(6);
    const x = r.randn([256, WIDTH]);
    const kept = (call: Call): number =>
      peakOf((look) => {
        blocks.reduce((h, block) => call(block, h), x).sum();
        look();
      });
    const [all, few] = [kept(plain), kept(again)];
    const one = 4 * 256 * WIDTH;
    // Of each of 6 parts: the product with its bias, tanh and dropout; and the result alone.
    expect(few).toBeLessThan(6 * one * 1.05 + 4096);
    expect(all).toBeGreaterThan(2.9 * 6 * one);
    const whole = (call: Call): number =>
      peakOf((look) => {
        // The hook of a part comes when the part before it, on the way back, is done.
        const out = blocks.reduce((h, block) => {
          const y = call(block, h);
          y.registerHook(() => look());
          return y;
        }, x);
        out.sum().backward();
        look();
      });
    for (const p of parameters(blocks)) p.clearGrad();
    expect(whole(again)).toBeLessThan(whole(plain));
    for (const p of parameters(blocks)) p.dispose();
  });

  test('takes several arguments, gives several results, and may stand in another', () => {
    const [a, b, c] = [tensor([1, 2]), tensor([3, 4]), tensor(2)].map((x) => x.requiresGrad_()) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const inner = (x: Tensor, factor: number): Tensor =>
      autograd.checkpoint((y: Tensor) => y.exp().mul(c).mul(factor), x);
    const fn = (x: Tensor, y: Tensor, factor: number): { sum: Tensor; list: Tensor[] } => ({
      sum: inner(x, factor).mul(y).sum(),
      list: [x.mul(y).tanh()],
    });
    const grads = (call: typeof fn): unknown => {
      const { sum, list } = call(a, b, 0.5);
      return r.grad(sum.add((list[0] as Tensor).sum()), [a, b, c]).map((g) => g?.toArray());
    };
    expect(grads((...args) => autograd.checkpoint(fn, ...args))).toEqual(grads(fn));
  });

  test('has derivatives of derivatives: nested, with random numbers, compiled', () => {
    const net = new nn.Sequential(new nn.Linear(3, 4), new nn.Tanh(), new nn.Dropout(0.5), new nn.Linear(4, 1));
    const x = r.randn([5, 3]).requiresGrad_();
    const plain = (h: Tensor): Tensor => net.forward(h);
    const once = (h: Tensor): Tensor => autograd.checkpoint(plain, h);
    const nested = (h: Tensor): Tensor => autograd.checkpoint((g: Tensor) => once(g.sin()), h.exp());
    const all = (f: (h: Tensor) => Tensor): Tensor[] => {
      const y = f(x).square().sum();
      const [first] = r.grad(y, [x], { createGraph: true }) as [Tensor];
      const [second] = r.grad(first.square().sum().add(y), [x], { createGraph: true }) as [Tensor];
      const wanted = [x, ...net.parameters()];
      return [first, second, ...(r.grad(second.square().sum(), wanted, { materializeGrads: true }) as Tensor[])];
    };
    const numbers = (f: (h: Tensor) => Tensor, run = all): number[] => {
      r.manualSeed(4);
      const before = r.backend().memory.blocks;
      const found = r.scope(() => run(f).flatMap((t) => [...t.data]));
      expect(r.backend().memory.blocks).toBe(before);
      return found;
    };
    const compiled = r.compile(() => all(once));
    compiled();
    for (const [f, like, run] of [
      [once, plain, all],
      [nested, (h: Tensor) => plain(h.exp().sin()), all],
      [once, plain, () => compiled()],
    ] as const)
      expectClose(numbers(f, run), numbers(like), { relative: 1e-4, absolute: 1e-5 }, 'derivatives');
    compiled.dispose();
    net.dispose();
  });

  test('differentiates twice from one graph', () => {
    const w = tensor([1, 2], { requiresGrad: true });
    const y = autograd.checkpoint((x: Tensor) => x.exp().sin(), w).sum();
    const first = r.grad(y, [w], { retainGraph: true })[0]?.toArray();
    expect(r.grad(y, [w], { retainGraph: true })[0]?.toArray()).toEqual(first);
    expect(r.grad(y, [w], { createGraph: true })[0]?.toArray()).toEqual(first);
    y.backward();
    expect(w.grad?.toArray()).toEqual(first);
    expect(() => y.backward()).toThrow(GradError);
  });

  test('notices what was written since, and a function that does something else', () => {
    const w = tensor([1, 2], { requiresGrad: true });
    const [x, outside] = [w.mul(1), w.mul(2)];
    const fn = (h: Tensor): Tensor => h.exp().mul(outside);
    const [one, two] = [autograd.checkpoint(fn, x).sum(), autograd.checkpoint(fn, w).sum()];
    x.add_(1);
    expect(() => one.backward()).toThrow(/expected what the function reads as it was, got a tensor of shape \[2\]/);
    r.noGrad(() => outside.add_(1));
    expect(() => two.backward()).toThrow(/expected what the function reads as it was, got a tensor of shape \[2\]/);
    let calls = 0;
    const other = autograd.checkpoint((h: Tensor) => (calls++ ? h.exp().exp() : h.exp()), w).sum();
    expect(() => other.backward()).toThrow(/expected the function to do the same each time, got 2 ops after 1/);
    expect(w.grad).toBeNull();
  });

  test('draws other numbers where it is told to', () => {
    const w = r.ones([1000]).requiresGrad_();
    r.manualSeed(1);
    autograd
      .checkpoint((x: Tensor) => F.dropout(x, 0.5).exp(), w, { preserveRngState: true })
      .sum()
      .backward();
    const same = w.grad?.toArray();
    r.manualSeed(1);
    F.dropout(w, 0.5).exp().sum().backward();
    expect(w.grad?.toArray()).toEqual((same as number[]).map((v) => 2 * v));
    w.clearGrad();
    r.manualSeed(1);
    autograd
      .checkpoint((x: Tensor) => F.dropout(x, 0.5).exp(), w, { preserveRngState: false })
      .sum()
      .backward();
    expect(w.grad?.toArray()).not.toEqual(same);
  });

  test('of a Sequential in segments', () => {
    const model = new nn.Sequential(...layers(2).flatMap((block) => [...block]), new nn.Linear(WIDTH, 1));
    model.eval();
    const x = r.randn([3, WIDTH]).requiresGrad_();
    const loss = model.forward(x).sum();
    loss.backward();
    const expected = [...model.parameters(), x].map((p) => p.grad?.toArray());
    for (const segments of [1, 3, 7]) {
      for (const p of [...model.parameters(), x]) p.clearGrad();
      const y = autograd.checkpointSequential(model, segments, x).sum();
      expect(y.item()).toBe(loss.item());
      y.backward();
      expect([...model.parameters(), x].map((p) => p.grad?.toArray())).toEqual(expected);
    }
    expect(() => autograd.checkpointSequential([5 as never], 1, x)).toThrow(/expected a Sequential, or modules/);
    const steps = [(y: Tensor) => y.exp(), (y: Tensor) => y.sum()];
    expect(autograd.checkpointSequential(steps, 2, x).item()).toBe(x.exp().sum().item());
    expect(() => autograd.checkpointSequential(model, 8, x)).toThrow(/expected 1 … 7 segments, got 8/);
    model.dispose();
  });
});
