// grad(), derivatives of derivatives, and the lifetimes of gradients.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as r from '../../bindings/index.ts';
import { functional as F, FreedError, type Tensor, tensor } from '../../bindings/index.ts';
import { write } from '../support/tensors.ts';

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

describe('freed tensors', () => {
  test('no walk starts from one', () => {
    const x = leaf([1, 2]);
    const loss = x.sum();
    loss.dispose();
    expect(() => loss.backward()).toThrow(FreedError);
    expect(() => r.grad(loss, [x])).toThrow(FreedError);
    expect(x.grad).toBeNull();
  });

  test('none gets a gradient', () => {
    const y = leaf([1]);
    const loss = r.scope(() => leaf([1]).add(y).sum()); // add saves nothing, and its first input is gone
    const { blocks } = r.backend().memory;
    expect(() => loss.backward()).toThrow(FreedError);
    expect(y.grad).toBeNull();
    expect(r.backend().memory.blocks).toBe(blocks);
  });
});

describe('grad', () => {
  test('answers without touching .grad', () => {
    const x = leaf([1, 2]);
    const y = leaf([3, 4]);
    const [gx, gy] = r.grad(x.mul(y).sum(), [x, y]);
    expect(gx?.toArray()).toEqual([3, 4]);
    expect(gy?.toArray()).toEqual([1, 2]);
    expect(x.grad).toBeNull();
  });

  test('of intermediates, of several outputs, with given gradients', () => {
    const x = leaf([1, 2]);
    const y = x.mul(3);
    const z = y.mul(y);
    expect(r.grad(z.sum(), [y], { retainGraph: true })[0]?.toArray()).toEqual([6, 12]);
    expect(r.grad([z, y], [x], { gradOutputs: [tensor([1, 0]), tensor([0, 1])] })[0]?.toArray()).toEqual([18, 3]);
  });

  test('of what does not take part', () => {
    const x = leaf([1]);
    const y = leaf([2]);
    const z = x.mul(2).sum();
    expect(() => r.grad(z, [x, y])).toThrow(
      /grad: expected input 1 of shape \[1\] to take part in the outputs.*allowUnused/,
    );
    const w = x.mul(2).sum();
    const [gx, gy] = r.grad(w, [x, y], { allowUnused: true });
    expect(gx?.toArray()).toEqual([2]);
    expect(gy).toBeNull();
  });

  test('of a gradient: derivatives of any order', () => {
    const x = leaf([2]);
    let y: Tensor = x.pow(5).sum();
    const orders: number[] = [];
    for (let i = 0; i < 5; i++) {
      y = (r.grad(y, [x], { createGraph: true })[0] as Tensor).sum();
      orders.push(Math.round(y.item() * 100) / 100);
    }
    expect(orders).toEqual([80, 160, 240, 240, 120]);
  });

  test('a gradient penalty trains through backward with createGraph', () => {
    const x = leaf([[1, 2]]);
    const w = leaf([[0.5], [-0.25]]);
    const y = x.matmul(w).tanh().sum();
    const [gx] = r.grad(y, [x], { createGraph: true }) as [Tensor];
    gx.square().sum().backward();
    // d/dw Σ (w (1 − tanh² u))² with u = x · w = 0: 2 w (1 − t²)², and no change of t² at 0.
    expect((w.grad as Tensor).reshape([2]).toArray()).toEqual([1, -0.5]);
  });

  test('backward with createGraph leaves gradients that can be differentiated', () => {
    const x = leaf([3]);
    x.mul(x).mul(x).sum().backward(undefined, { createGraph: true });
    const g = x.grad as Tensor;
    expect(g.toArray()).toEqual([27]);
    expect(r.grad(g.sum(), [x])[0]?.toArray()).toEqual([18]);
  });
});

describe('lifetimes of gradients', () => {
  test('a gradient lives as long as its leaf, and goes with it', () => {
    const x = leaf([1, 2]).keep();
    const { blocks } = r.backend().memory;
    r.scope(() => x.mul(2).sum().backward());
    expect(gradOf(x)).toEqual([2, 2]);
    expect(r.backend().memory.blocks).toBe(blocks + 1);
    r.scope(() => x.mul(2).sum().backward());
    expect(r.backend().memory.blocks).toBe(blocks + 1);
    x.dispose();
    expect(r.backend().memory.blocks).toBe(blocks - 1);
  });

  test('ten thousand small steps end with the bytes they began with', () => {
    const w = leaf([[0.5, -0.5]]).keep();
    const step = (): void => {
      r.scope(() => {
        const x = tensor([
          [1, 2],
          [3, 4],
        ]);
        F.mseLoss(F.linear(x, w), tensor([[1], [2]])).backward();
        write(
          w,
          w.data.map((v, i) => v - 0.001 * ((w.grad as Tensor).data[i] as number)),
        );
        write(w.grad as Tensor, [0, 0]);
      });
    };
    step();
    const { used, blocks, peak } = r.backend().memory;
    for (let i = 0; i < 10000; i++) step();
    const after = r.backend().memory;
    expect([after.used, after.blocks, after.peak]).toEqual([used, blocks, peak]);
    w.dispose();
  });
});
