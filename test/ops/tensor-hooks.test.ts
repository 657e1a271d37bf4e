// Hooks on the gradients of tensors.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as r from '../../bindings/index.ts';
import { GradError, RecordingError, type Tensor, tensor } from '../../bindings/index.ts';

beforeAll(() => r.init());
afterAll(() => r.shutdown());

const test = (name: string, body: () => void): void => it(name, () => r.scope(body));
const leaf = (values: number[]): Tensor => tensor(values, { requiresGrad: true });

describe('registerHook', () => {
  test('sees the whole gradient once, and may replace it, of leaves and of results', () => {
    const w = leaf([1, 2]);
    const seen: unknown[] = [];
    w.registerHook((grad) => void seen.push(grad.toArray()));
    const twice = w.registerHook((grad) => grad.mul(2));
    const y = w.mul(3);
    y.registerHook((grad) => {
      seen.push(grad.toArray());
      return grad.add(1);
    });
    y.retainGrad();
    y.sum()
      .add(y.mul(tensor([10, 20])).sum())
      .backward({ retainGraph: true });
    expect(seen).toEqual([
      [11, 21],
      [36, 66],
    ]);
    expect(w.grad?.toArray()).toEqual([72, 132]);
    expect(y.grad?.toArray()).toEqual([12, 22]); // as in PyTorch, what is retained is what the hooks left
    twice.remove();
    twice.remove();
    expect(r.grad(y.sum(), [w])[0]?.toArray()).toEqual([6, 6]);
    expect(seen.length).toBe(4);
  });

  test('has derivatives of what it does', () => {
    const w = leaf([3]);
    const y = w.square();
    y.registerHook((grad) => grad.mul(w));
    const [first] = r.grad(y.sum(), [w], { createGraph: true }) as [Tensor];
    expect(first.toArray()).toEqual([18]); // 2w · w
    expect(r.grad(first.sum(), [w])[0]?.toArray()).toEqual([12]);
  });

  test('is of what its tensor was before a write in place', () => {
    const w = leaf([1, 2]);
    const y = w.mul(2);
    const seen: unknown[] = [];
    y.registerHook((grad) => void seen.push(grad.toArray()));
    y.mul_(3);
    y.sum().backward();
    expect(seen).toEqual([[3, 3]]);
  });

  test('refuses what has no gradient, and hooks that give no gradient', () => {
    expect(() => tensor([1]).registerHook(() => null)).toThrow(GradError);
    const w = leaf([1, 2]);
    for (const wrong of [1, tensor([1]), tensor([1, 2], { dtype: 'i32' })]) {
      const handle = w.registerHook(() => wrong);
      expect(() => w.sum().backward()).toThrow(/^registerHook: expected a .*gradient/);
      expect(w.grad).toBeNull();
      handle.remove();
    }
    w.sum().backward();
    expect(w.grad?.toArray()).toEqual([1, 1]);
  });

  test('is part of a compiled function, until it is taken off', () => {
    const w = leaf([1, 2]);
    const step = r.compile((x: Tensor) => {
      w.clearGrad();
      const y = w.mul(x);
      y.registerHook((grad) => grad.mul(10));
      y.sum().backward();
    });
    const run = (): unknown => {
      step(tensor([1, 3]));
      return w.grad?.toArray();
    };
    expect([run(), run()]).toEqual([
      [10, 30],
      [10, 30],
    ]);
    const handle = w.registerHook((grad) => grad.neg());
    expect([run(), run()]).toEqual([
      [-10, -30],
      [-10, -30],
    ]);
    handle.remove();
    expect([run(), run()]).toEqual([
      [10, 30],
      [10, 30],
    ]);
    step.dispose();
    const bad = r.compile((x: Tensor) => {
      w.registerHook(() => null);
      return x.add(1);
    });
    expect(() => bad(tensor([1]))).toThrow(RecordingError);
    bad.dispose();
  });
});

describe('registerPostAccumulateGradHook', () => {
  const weights = (): Tensor[] => [leaf([1, 2]), leaf([3])];
  const loss = ([a, b]: Tensor[], x: Tensor): Tensor =>
    (a as Tensor)
      .mul(x)
      .sum()
      .mul((b as Tensor).square().sum());
  const update = (param: Tensor): void => {
    r.noGrad(() => param.sub_((param.grad as Tensor).mul(0.01)));
    param.clearGrad();
  };

  test('steps in backward, eager and compiled', () => {
    const [plain, hooked, traced] = [weights(), weights(), weights()];
    for (const w of [...hooked, ...traced]) w.registerPostAccumulateGradHook(update);
    const step = r.compile((x: Tensor) => loss(traced, x).backward());
    for (let i = 0; i < 3; i++) {
      const x = tensor([1, i]);
      loss(plain, x).backward();
      for (const w of plain) update(w);
      loss(hooked, x).backward();
      step(x);
      for (const [k, w] of plain.entries()) {
        expect(hooked[k]?.toArray()).toEqual(w.toArray());
        expect(traced[k]?.toArray()).toEqual(w.toArray());
        expect([hooked[k]?.grad, traced[k]?.grad]).toEqual([null, null]);
      }
    }
    step.dispose();
  });

  test('is for leaves', () => {
    expect(() => leaf([1]).mul(2).registerPostAccumulateGradHook(update)).toThrow(
      /^registerPostAccumulateGradHook: expected a leaf that requires a gradient, got another one/,
    );
  });
});
