// What backward() and grad() promise beyond the derivatives of single ops.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import * as r from '../../bindings/index.ts';
import { functional as F, FreedError, GradError, ShapeError, type Tensor, tensor } from '../../bindings/index.ts';
import { table } from '../../bindings/ops/table.ts';
import { ops } from '../support/ops.ts';
import { bits } from '../support/tensors.ts';

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

describe('accumulation', () => {
  test('through a list that grows after it was joined', () => {
    const x = leaf([1, 2]);
    const features = [x.mul(2)];
    features.push(r.cat(features).mul(3)); // as a DenseNet does
    features.push(r.stack([r.cat(features)], { dim: 1 }).flatten());
    r.cat(features).sum().backward();
    expect(gradOf(x)).toEqual([16, 16]);
  });
  test('into .grad until it is cleared', () => {
    const x = leaf([1, 2]);
    x.mul(3).sum().backward();
    expect(gradOf(x)).toEqual([3, 3]);
    const { grad } = x;
    x.mul(x).sum().backward();
    expect(gradOf(x)).toEqual([5, 7]);
    expect(x.grad).toBe(grad); // in place
    x.grad = null;
    x.sum().backward();
    expect(gradOf(x)).toEqual([1, 1]);
  });

  test('of a leaf used twice, of shared subexpressions, and of both', () => {
    const x = leaf([2]);
    x.mul(x)
      .add(x)
      .backward(tensor([1]));
    expect(gradOf(x)).toEqual([5]);
    const y = leaf([3]);
    const shared = y.mul(2); // used three times
    shared
      .mul(shared)
      .add(shared)
      .backward(tensor([1]));
    expect(gradOf(y)).toEqual([26]);
  });

  test('of a sum whose gradient both terms share, where one term has another use', () => {
    // d/dp of 2(p + q) + 3(p + q) + 5p, and by q: the two must not be added into the same memory.
    const p = leaf([1]);
    const q = leaf([1]);
    const early = p.mul(5);
    const x = p.add(q);
    const late = x.mul(2).add(x.mul(3));
    late.add(early).backward(tensor([1]));
    expect(gradOf(p)).toEqual([10]);
    expect(gradOf(q)).toEqual([5]);
  });

  test('of an intermediate that keeps its gradient while its terms have other uses', () => {
    const p = leaf([1, 1]);
    const early = p.mul(5);
    const x = p.reshape([2, 1]).retainGrad();
    x.mul(2).add(x.mul(3)).sum().add(early.sum()).backward();
    expect(gradOf(x)).toEqual([[5], [5]]);
    expect(gradOf(p)).toEqual([10, 10]);
  });

  test('through views of one leaf', () => {
    const x = leaf([1, 2, 3, 4]);
    const [a, b] = x.reshape([2, 2]).split(1) as [Tensor, Tensor];
    a.mul(b).sum().backward();
    expect(gradOf(x)).toEqual([3, 4, 1, 2]);
    const y = leaf([[1, 2]]);
    y.expand([3, 2]).sum().backward();
    expect(gradOf(y)).toEqual([[3, 3]]);
  });

  test('gradients have memory of their own', () => {
    const x = leaf([1, 2]);
    const y = leaf([1, 2]);
    const given = tensor([1, 1]);
    x.add(y).backward(given);
    const blocks = new Set([x.grad?.block, y.grad?.block, given.block]);
    expect(blocks.size).toBe(3);
  });

  test('many uses, deep and wide', () => {
    const x = leaf([1]);
    let y: Tensor = x;
    for (let i = 0; i < 3000; i++) y = y.add(x);
    y.sum().backward();
    expect(gradOf(x)).toEqual([3001]);
  });
});

describe('what is recorded', () => {
  test('nothing in noGrad, which ends with a throw as well', () => {
    const x = leaf([1]);
    const y = r.noGrad(() => {
      expect(r.isGradEnabled()).toBe(false);
      return x.mul(2);
    });
    expect(y.requiresGrad).toBe(false);
    expect(y.isLeaf).toBe(true);
    expect(() =>
      r.noGrad(() => {
        throw new Error('inside');
      }),
    ).toThrow('inside');
    expect(r.isGradEnabled()).toBe(true);
    expect(() => y.backward(tensor([1]))).toThrow(GradError);
  });

  test('only what depends on a leaf that asks', () => {
    const x = leaf([1]);
    const c = tensor([2]);
    const y = x.mul(c);
    y.sum().backward();
    expect(c.grad).toBeNull();
    expect(y.grad).toBeNull();
    expect(y.isLeaf).toBe(false);
    expect(c.mul(c).requiresGrad).toBe(false);
    expect(() => y.requiresGrad_(false)).toThrow(/use detach\(\)/);
  });

  test('detach cuts, and shares memory', () => {
    const x = leaf([3]);
    const y = x.mul(2);
    expect(y.detach().requiresGrad).toBe(false);
    expect(y.detach().block).toBe(y.block);
    x.mul(y.detach()).sum().backward();
    expect(gradOf(x)).toEqual([6]);
  });

  test('retainGrad keeps the gradient of an intermediate', () => {
    const x = leaf([1, 2]);
    const y = x.mul(2).retainGrad();
    y.mul(y).sum().backward();
    expect(gradOf(y)).toEqual([4, 8]);
    expect(gradOf(x)).toEqual([8, 16]);
  });

  test('no gradient reaches or starts from integers', () => {
    const x = leaf([1.5, -2]);
    expect(x.to('i32').requiresGrad).toBe(false);
    expect(x.gt(0).requiresGrad).toBe(false);
    expect(x.argmax().requiresGrad).toBe(false);
    expect(() => tensor([1], { dtype: 'i32' }).requiresGrad_()).toThrow(r.DtypeError);
    expect(() => x.to('i32').backward()).toThrow(GradError);
  });
});

describe('the graph', () => {
  test('is walked once, or as often as retainGraph says', () => {
    const x = leaf([2]);
    const y = x.mul(x).sum();
    y.backward(undefined, { retainGraph: true });
    y.backward();
    expect(gradOf(x)).toEqual([8]);
    expect(() => y.backward()).toThrow(
      /got a graph that was walked already; pass \{ retainGraph: true \} the first time/,
    );
    expect(gradOf(x)).toEqual([8]);
  });

  test('frees what ops saved when it is done', () => {
    const x = leaf([
      [1, 2, 3],
      [4, 5, 7],
    ]);
    const held = (): number => r.backend().memory.blocks;
    const before = held();
    const y = F.layerNorm(x, [3]); // saves mean and 1/σ
    expect(held()).toBe(before + 3);
    const loss = y.sum();
    loss.backward();
    expect(held()).toBe(before + 3); // y, loss and the gradient
  });

  test('holds what no gradient is asked of for as little as that', () => {
    const before = r.backend().memory.blocks;
    F.layerNorm(
      tensor([
        [1, 2],
        [3, 4],
      ]),
      [2],
    );
    expect(r.backend().memory.blocks).toBe(before + 2);
  });

  test('backward of what is no single number needs a gradient, of the right shape', () => {
    const x = leaf([1, 2]);
    const y = x.mul(2);
    expect(() => y.backward()).toThrow(
      /backward: expected a single number, got shape \[2\]; reduce it with sum\(\) or mean\(\), or pass its gradient/,
    );
    expect(() => y.backward(tensor([1]))).toThrow(ShapeError);
    expect(() => tensor(1).backward()).toThrow(/expected a result that depends on a tensor with requiresGrad/);
    expect(x.grad).toBeNull();
    y.backward(tensor([1, 10]));
    expect(gradOf(x)).toEqual([2, 20]);
  });

  test('of a leaf itself is 1', () => {
    const x = leaf(5);
    x.backward();
    expect(gradOf(x)).toBe(1);
    expect(r.grad(x, [x])[0]?.item()).toBe(1);
  });

  test('notices a value that was changed since', () => {
    const x = leaf([1, 2]);
    const w = leaf([3, 4]);
    const y = x.mul(w).sum();
    r.noGrad(() => ops.fillInto({ y: w }, { value: 0 })); // as an optimizer's step does
    expect(() => y.backward()).toThrow(
      /backward: expected the values that mul saved, got a tensor of shape \[2\] that was written since/,
    );
    expect(x.grad).toBeNull();
    expect(w.grad).toBeNull();
    // What is not needed may change: add saves nothing.
    const z = x.add(w).sum();
    r.noGrad(() => ops.fillInto({ y: w }, { value: 1 }));
    z.backward();
    expect(gradOf(x)).toEqual([1, 1]);
  });

  test('notices a saved output that was changed, also through a view', () => {
    const x = leaf([1, 2]);
    const y = x.exp();
    ops.fillInto({ y: y.reshape([2, 1]).detach() }, { value: 0 });
    expect(() => y.sum().backward()).toThrow(GradError);
  });

  test('fails whole where a saved value is gone', () => {
    const x = leaf([1, 2]);
    const w = tensor([3, 4]);
    const y = x.mul(w).add(x).sum();
    w.dispose();
    expect(() => y.backward()).toThrow(FreedError);
    expect(x.grad).toBeNull();
    expect(bits(x)).toBe(bits(tensor([1, 2])));
  });
});

describe('ops of several results', () => {
  const { rules } = table.lstmCell;
  const calls: Record<string, Tensor | null>[] = [];
  const call = (): { cell: Tensor; h: Tensor; c: Tensor } => {
    const [a, b] = [tensor([[0, 0, 0, 0]]), tensor([[0, 0, 0, 0]])];
    const cell = leaf([[2]]);
    return { cell, ...ops.lstmCell({ a, b, cell }) };
  };
  /** What the gates let through of a cell state of 2: h = tanh(2 / 2) / 2, c = 2 / 2. */
  const slopeOfH = (1 - Math.tanh(1) ** 2) / 4;
  const watched = (name: string, body: () => void): void =>
    test(name, () => {
      calls.length = 0;
      const own = rules.backward as NonNullable<typeof rules.backward>;
      const spy = vi.spyOn(rules as Required<typeof rules>, 'backward').mockImplementation((o, g, ...rest) => {
        calls.push(g);
        return own(o, g, ...rest);
      });
      try {
        body();
      } finally {
        spy.mockRestore();
      }
    });

  watched('give null for the gradient of a result that nobody used', () => {
    const { cell, c } = call();
    c.backward(tensor([[5]]));
    expect(calls.map(({ h, c: used }) => [h, used?.shape])).toEqual([[null, [1, 1]]]);
    expect(cell.grad?.item()).toBeCloseTo(2.5, 6);
  });

  watched('are visited once, with the gradients of all that were used', () => {
    const { cell, h, c } = call();
    h.mul(2).add(c.mul(3)).sum().backward();
    expect(calls.length).toBe(1);
    expect(cell.grad?.item()).toBeCloseTo(2 * slopeOfH + 3 / 2, 6);
    const again = call();
    r.grad([again.h, again.c], [again.cell], { gradOutputs: [tensor([[1]]), tensor([[10]])] });
    expect(calls.length).toBe(2);
  });

  test('record what is differentiable only', () => {
    const x = leaf([
      [
        [1, 4],
        [3, 2],
      ],
    ]);
    const { y, index } = ops.maxPoolWithIndices(
      { x },
      { kernelSize: [2, 2], stride: [2, 2], padding: [0, 0], dilation: [1, 1], ceilMode: false },
    );
    expect([y.requiresGrad, index.requiresGrad, index.node]).toEqual([true, false, null]);
    y.sum().backward();
    expect(gradOf(x)).toEqual([
      [
        [0, 1],
        [0, 0],
      ],
    ]);
  });
});
