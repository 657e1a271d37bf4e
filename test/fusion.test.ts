// Bias and activation become part of a product: fewer commands, the same bits.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as rg from '../bindings/index.ts';
import { compile, scope, type Tensor } from '../bindings/index.ts';
import { kernelsOf } from './support/dump.ts';

const bits = (x: Tensor): number[] => [...new Int32Array(Float32Array.from(x.data).buffer)];

describe.each(['strict', 'relaxed'] as const)('fusion into a product, %s build', (simd) => {
  beforeAll(() => rg.init({ simd }));
  afterAll(() => rg.shutdown());

  it('makes one product of a product, a bias and an activation written one after the other', () => {
    scope(() => {
      const [x, w, b] = [rg.randn([5, 8]), rg.randn([8, 6]), rg.randn([6])];
      const dense = (input: Tensor): Tensor => input.matmul(w).add(b).relu();
      const f = compile(dense);
      expect(bits(f(x))).toEqual(bits(dense(x)));
      expect(kernelsOf(f.dump())).toEqual([['gemm_f32']]);
    });
  });

  it('makes one product of them in a training step too, with the same gradients', () => {
    scope(() => {
      const x = rg.randn([5, 8]);
      const g = rg.randn([5, 6]);
      const [w, b] = [rg.randn([8, 6]).requiresGrad_(), rg.randn([6]).requiresGrad_()];
      const step = (): Tensor => {
        w.clearGrad();
        b.clearGrad();
        const y = x.matmul(w).add(b).relu();
        y.mul(g).sum().backward();
        return y;
      };
      const made = (y: Tensor): number[][] => [y, w.grad, b.grad].map((t) => bits(t as Tensor));
      const eager = made(step());
      const f = compile(step);
      expect(made(f())).toEqual(eager);
      const kernels = kernelsOf(f.dump()).flat();
      expect(kernels).toContain('gemm_f32');
      expect(kernels.filter((name) => /^(add|relu)_forward/.test(name))).toEqual([]);
    });
  });

  it('finds the product of an activation that comes later, but writes nothing that lasts before a check', () => {
    scope(() => {
      const [x, w] = [rg.randn([5, 8]), rg.randn([8, 6])];
      const labels = rg.tensor(Int32Array.from([0, 1, 2, 3, 4]));
      const later =
        (last: (y: Tensor) => Tensor) =>
        (input: Tensor): Tensor[] => {
          const product = input.matmul(w);
          const loss = rg.functional.crossEntropy(input, labels);
          return [last(product.relu()), loss];
        };
      for (const [last, fused] of [
        [(y: Tensor): Tensor => y.exp(), true],
        [(y: Tensor): Tensor => y, false],
      ] as const) {
        const step = later(last);
        const f = compile(step);
        expect(f(x).map(bits)).toEqual(step(x).map(bits));
        expect(kernelsOf(f.dump()).flat().includes('relu_forward_f32')).toBe(!fused);
        f.dispose();
      }
    });
  });

  it('changes no bit where somebody reads the plain product or the sum, or where no row is added', () => {
    scope(() => {
      const [x, w, b] = [rg.randn([5, 8]), rg.randn([8, 6]), rg.randn([6])];
      const [column, whole] = [rg.randn([5, 1]), rg.randn([5, 6])];
      const steps: Record<string, (input: Tensor) => Tensor[]> = {
        'the product': (input) => {
          const y = input.matmul(w);
          return [y.add(b).relu(), y];
        },
        'the sum': (input) => {
          const y = input.matmul(w).add(b);
          return [y.relu(), y.exp()];
        },
        'a column': (input) => [input.matmul(w).add(column).relu()],
        'a matrix': (input) => [input.matmul(w).add(whole).relu()],
        'the other way round': (input) => [b.add(input.matmul(w)).relu()],
        'a difference': (input) => [input.matmul(w).sub(b).relu(), b.sub(input.matmul(w))],
      };
      for (const [name, step] of Object.entries(steps)) {
        const f = compile(step);
        expect(f(x).map(bits), name).toEqual(step(x).map(bits));
        f.dispose();
      }
    });
  });
});
