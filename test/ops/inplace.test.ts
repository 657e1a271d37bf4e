// Writes in place and the tape: what is written becomes part of the history, or the write is refused.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as r from '../../bindings/index.ts';
import { GradError, ShapeError, type Tensor, tensor } from '../../bindings/index.ts';
import { ops } from '../support/ops.ts';

beforeAll(() => r.init());
afterAll(() => r.shutdown());

function test(name: string, body: () => void): void {
  it(name, () => {
    const before = r.backend().memory;
    r.scope(() => {
      body();
    });
    expect(r.backend().memory.used).toBe(before.used);
    expect(r.backend().memory.blocks).toBe(before.blocks);
  });
}

const leaf = (values: Parameters<typeof tensor>[0]): Tensor => tensor(values, { requiresGrad: true });
const gradOf = (x: Tensor): unknown => x.grad?.toArray() ?? null;

describe('copy', () => {
  test('to a plain tensor gives it the history of the source', () => {
    const b = leaf([3, 4]);
    const y = tensor([0, 0]);
    expect(ops.copy({ y, x: b.mul(2) })).toBe(y);
    expect(y.toArray()).toEqual([6, 8]);
    expect([y.requiresGrad, y.isLeaf]).toEqual([true, false]);
    y.mul(y).sum().backward();
    expect(gradOf(b)).toEqual([24, 32]);
  });

  test('to a recorded result takes its place, and nothing flows to what it was', () => {
    const [a, b] = [leaf([1, 2]), leaf([3, 4])];
    const y = a.mul(5);
    ops.copy({ y, x: b.mul(2) });
    y.mul(tensor([1, 10]))
      .sum()
      .backward();
    expect(gradOf(b)).toEqual([2, 20]);
    expect(gradOf(a)).toBeNull();
  });

  test('leaves the gradients of what was computed from the result before', () => {
    const [a, b] = [leaf([1, 2]), leaf([3, 4])];
    const y = a.mul(5);
    const early = y.add(tensor([1, 1])); // saves nothing, so it may still be differentiated
    ops.copy({ y, x: b.mul(2) });
    const late = y.mul(tensor([1, 10]));
    early.add(late).sum().backward();
    expect(gradOf(a)).toEqual([5, 5]);
    expect(gradOf(b)).toEqual([2, 20]);
  });

  test('again and again, with uses in between', () => {
    const [a, b, c] = [leaf([1]), leaf([2]), leaf([3])];
    const y = a.mul(2);
    const uses = [y.add(tensor([0]))];
    ops.copy({ y, x: b.mul(3) });
    uses.push(y.add(tensor([0])).mul(tensor([10])));
    ops.copy({ y, x: c.mul(4) });
    uses.push(y.mul(tensor([100])));
    uses
      .reduce((sum, x) => sum.add(x))
      .sum()
      .backward();
    expect([a, b, c].map(gradOf)).toEqual([[2], [30], [400]]);
  });

  test('stretches the source, whose gradient is summed', () => {
    const b = leaf([[1], [2]]);
    const y = tensor([
      [0, 0, 0],
      [0, 0, 0],
    ]);
    ops.copy({ y, x: b });
    expect(y.toArray()).toEqual([
      [1, 1, 1],
      [2, 2, 2],
    ]);
    y.mul(tensor([1, 2, 3]))
      .sum()
      .backward();
    expect(gradOf(b)).toEqual([[6], [6]]);
  });

  test('of plain values to a recorded result cuts its history', () => {
    const a = leaf([1, 2]);
    const y = a.mul(5);
    ops.copy({ y, x: tensor([7, 8]) });
    y.mul(a).sum().backward();
    expect(gradOf(a)).toEqual([7, 8]);
  });

  test('has derivatives of derivatives', () => {
    const b = leaf([3]);
    const y = tensor([0]);
    ops.copy({ y, x: b.mul(b).mul(b) });
    const [first] = r.grad(y.sum(), [b], { createGraph: true }) as [Tensor];
    expect(first.toArray()).toEqual([27]);
    expect(r.grad(first.sum(), [b])[0]?.toArray()).toEqual([18]);
  });

  test('is noticed where the old value was saved', () => {
    const a = leaf([1, 2]);
    const y = a.mul(5);
    const square = y.mul(y);
    ops.copy({ y, x: tensor([7, 8]) });
    expect(() => square.sum().backward()).toThrow(/expected the values that mul saved, got a tensor .* written since/);
    expect(a.grad).toBeNull();
  });

  test('of a result, or a view of it, to itself leaves its gradient', () => {
    for (const same of [(x: Tensor) => x, (x: Tensor) => x.reshape([2, 2]).reshape([4])]) {
      const a = leaf([1, 2, 3, 4]);
      const y = a.mul(2);
      y.copy_(same(y)).sum().backward();
      expect(y.toArray()).toEqual([2, 4, 6, 8]);
      expect(gradOf(a)).toEqual([2, 2, 2, 2]);
    }
    const a = leaf([1, 2, 3, 4]);
    const y = a.mul(2);
    y.copy_(y.select(0, 3)).sum().backward();
    expect(gradOf(a)).toEqual([0, 0, 0, 8]);
  });

  test('is known to older views that are used after it, and not where they were used before', () => {
    const [a, b] = [leaf([1, 2]), leaf([3, 4])];
    const y = a.mul(5);
    const view = y.reshape([2, 1]).t();
    const early = view.add(1);
    ops.copy({ y, x: b.mul(2) });
    view.backward(tensor([[1, 10]]), { retainGraph: true });
    expect([a, b].map(gradOf)).toEqual([null, [2, 20]]);
    early
      .sum()
      .add(y.reshape([2, 1]).sum())
      .backward();
    expect([a, b].map(gradOf)).toEqual([
      [5, 5],
      [4, 22],
    ]);
  });

  test('that fails leaves the history as it was', () => {
    const [a, b] = [leaf([1, 2]), leaf([3, 4, 5])];
    const y = a.mul(5);
    expect(() => ops.copy({ y, x: b })).toThrow(ShapeError);
    y.sum().backward();
    expect(gradOf(a)).toEqual([5, 5]);
    expect(b.grad).toBeNull();
  });

  test('to a view writes its base, in noGrad without a history', () => {
    const b = leaf([3, 4]);
    const base = tensor([0, 0, 0, 0]);
    r.noGrad(() => ops.copy({ y: base.reshape([2, 2]).select(0, 1), x: b }));
    expect([base.toArray(), base.requiresGrad]).toEqual([[0, 0, 3, 4], false]);
    ops.copy({ y: base.reshape([2, 2]).select(0, 1), x: b.mul(2) });
    expect([base.toArray(), base.requiresGrad]).toEqual([[0, 0, 6, 8], true]);
    base.mul(r.arange(4)).sum().backward();
    expect(gradOf(b)).toEqual([4, 6]);
  });
});

describe('a write without a gradient', () => {
  test('refuses what has a history, and writes it in noGrad', () => {
    const a = leaf([1, 2]);
    const y = a.mul(5);
    expect(() => ops.fillInto({ y }, { value: 1 })).toThrow(
      /^fill_: expected y not to have a history, since this write has no gradient, got a recorded result; write inside noGrad/,
    );
    expect(y.toArray()).toEqual([5, 10]);
    r.noGrad(() => ops.fillInto({ y }, { value: 1 }));
    expect(y.toArray()).toEqual([1, 1]);
    y.sum().backward();
    expect(gradOf(a)).toEqual([5, 5]);
  });

  test('refuses a source that wants a gradient, which would be lost', () => {
    const a = leaf([1, 2]);
    const y = tensor([1, 1]);
    expect(() => ops.addInto({ y, x: a })).toThrow(
      /^addInto: expected x not to want a gradient, which this write does not have, got one that wants it; write inside noGrad/,
    );
    expect(() => ops.addInto({ y, x: a.mul(2) })).toThrow(GradError);
    expect(y.toArray()).toEqual([1, 1]);
    r.noGrad(() => ops.addInto({ y, x: a }));
    expect(y.toArray()).toEqual([2, 3]);
  });

  test('refuses running statistics with a history', () => {
    const a = leaf([1, 2]);
    const inputs = {
      x: leaf([
        [1, 2],
        [3, 5],
      ]),
      weight: null,
      bias: null,
      runningVariance: tensor([1, 1]),
    };
    const attrs = { training: true, momentum: 0.1, eps: 1e-5 };
    expect(() => ops.batchNorm({ ...inputs, runningMean: a.mul(2) }, attrs)).toThrow(
      /^batchNorm: expected runningMean not to have a history/,
    );
    // Views are fine where they get no history.
    const mean = tensor([
      [0, 0],
      [0, 0],
    ]);
    ops
      .batchNorm({ ...inputs, runningMean: mean.select(0, 1) }, attrs)
      .sum()
      .backward();
    expect(mean.select(0, 0).toArray()).toEqual([0, 0]);
    expect(mean.select(0, 1).select(0, 0).item()).toBeCloseTo(0.2);
  });
});

describe('the public functions', () => {
  test('write and return their tensor', () => {
    const y = tensor([1, 2, 3]);
    expect(y.copy_(tensor(5))).toBe(y);
    expect(y.toArray()).toEqual([5, 5, 5]);
    expect(y.fill_(-2)).toBe(y);
    expect(y.toArray()).toEqual([-2, -2, -2]);
    expect(y.zero_().toArray()).toEqual([0, 0, 0]);
    const mask = tensor([0, 1], { dtype: 'u8' });
    expect(mask.fill_(255).toArray()).toEqual([255, 255]);
  });

  test('copy from another view of the same memory what it held before', () => {
    const copies = (): number[][] => {
      const square = tensor([
        [1, 2],
        [3, 4],
      ]);
      const line = r.arange(6);
      square.copy_(square.t());
      line.slice(0, 1, 6).copy_(line.slice(0, 0, 5));
      line.copy_(line);
      return [square, line].map((x) => [...x.data]);
    };
    expect(copies()).toEqual([
      [1, 3, 2, 4],
      [0, 0, 1, 2, 3, 4],
    ]);
    const f = r.compile((x: Tensor) => {
      x.slice(0, 1, 6).copy_(x.slice(0, 0, 5));
      return x.add(0);
    });
    for (let i = 0; i < 3; i++) expect(f(r.arange(6)).toArray()).toEqual([0, 0, 1, 2, 3, 4]);
    f.dispose();
    const a = leaf([
      [1, 2],
      [3, 4],
    ]);
    const y = a.mul(10);
    y.copy_(y.t())
      .mul(tensor([1, 2]))
      .sum()
      .backward();
    expect(gradOf(a)).toEqual([
      [10, 10],
      [20, 20],
    ]);
  });

  test('are known to views that were made before: they have the gradient of the write', () => {
    const w = leaf([1, 2, 3]);
    const base = r.zeros([3]);
    const early = base.narrow(0, 0, 2);
    const used = early.mul(2); // of zeros: no gradient goes there
    base.copy_(w.mul(3));
    expect([used.requiresGrad, early.requiresGrad, early.isLeaf]).toEqual([false, true, false]);
    early.retainGrad();
    early
      .reshape([2, 1])
      .mul(tensor([[2], [5]]))
      .sum()
      .add(used.sum())
      .backward();
    expect(gradOf(w)).toEqual([6, 15, 0]);
    expect(gradOf(early)).toEqual([2, 5]);
    expect(r.noGrad(() => base.narrow(0, 0, 2)).requiresGrad).toBe(false);
    expect(base.detach().narrow(0, 0, 2).requiresGrad).toBe(false);
  });

  test('refuse views that cannot tell what the write means for them', () => {
    const w = leaf([1, 2, 3, 4]);
    for (const view of [w.narrow(0, 0, 2), w.reshape([2, 2]).t().select(0, 1)]) {
      const words =
        /^(mul_|zero_|copy_): expected y not to be a view of a leaf that requires a gradient, .*; write inside/;
      expect(() => view.mul_(2)).toThrow(words);
      expect(() => view.zero_()).toThrow(words);
      expect(() => view.copy_(tensor([5, 6]))).toThrow(words);
    }
    expect(w.toArray()).toEqual([1, 2, 3, 4]);
    const y = w.mul(2);
    const untracked = r.noGrad(() => y.narrow(0, 0, 2));
    expect(() => untracked.add_(1)).toThrow(/^add_: expected y to be a view made outside of noGrad\(\)/);
    expect(() => r.noGrad(() => w.narrow(0, 0, 2)).add_(1)).toThrow(/^add_: expected y not to be a view of a leaf/);
    expect(untracked.add(1).requiresGrad).toBe(false);
    y.mul_(2);
    for (let i = 0; i < 2; i++)
      expect(() => untracked.add(1)).toThrow(
        /^add: expected a view made outside of noGrad\(\), as its whole is written with/,
      );
    const wide = tensor([1, 2]).expand([2, 2]).detach();
    expect(() => wide.select(0, 0).copy_(w.narrow(0, 0, 2))).toThrow(
      /^copy_: expected y not to be a view of an expanded tensor/,
    );
    expect(wide.toArray()).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });

  test('in compile() leave the tensors from outside as they were but for the values', () => {
    const w = leaf([1, 2]);
    const [buffer, result] = [r.zeros([3]), w.mul(2)];
    const view = buffer.narrow(0, 1, 2);
    const write = r.compile((scale: Tensor) => {
      view.copy_(w.mul(scale));
      buffer
        .mul(tensor([1, 10, 100]))
        .sum()
        .backward();
    });
    for (let i = 1; i <= 3; i++) {
      write(tensor([i, 2]));
      expect(buffer.toArray()).toEqual([0, i, 4]);
      expect([buffer, view].map((x) => [x.requiresGrad, x.isLeaf])).toEqual([
        [false, true],
        [false, true],
      ]);
    }
    expect(gradOf(w)).toEqual([60, 600]);
    w.clearGrad();
    write.dispose();
    const bad = r.compile((x: Tensor) => result.mul_(x));
    expect(() => bad(tensor([3, 4]))).toThrow(
      /expected writes to tensors without history, got one to a result of shape \[2\] from outside/,
    );
    result.sum().backward();
    expect(gradOf(w)).toEqual([2, 2]);
    bad.dispose();
  });

  test('refuse what would lose a gradient, and what the dtype cannot hold', () => {
    const weight = leaf([1, 2]);
    expect(() => weight.zero_()).toThrow(/^zero_: expected y not to be a leaf that requires a gradient/);
    r.noGrad(() => weight.zero_());
    expect(weight.toArray()).toEqual([0, 0]);
    expect(() => tensor([1], { dtype: 'i32' }).fill_(0.5)).toThrow(/^fill_: expected whole numbers/);
    expect(() => tensor([1]).copy_(tensor([1, 2]))).toThrow(ShapeError);
    expect(() => tensor([1]).copy_(5 as never)).toThrow(/^copy_: expected a tensor as src, got 5/);
    expect(r.zeros([2, 3]).t().fill_(1).sum().item()).toBe(6);
    expect(() => r.zeros([1, 3]).expand([2, 3]).fill_(1)).toThrow(/^fill_: expected a tensor to write as y whose/);
  });
});
