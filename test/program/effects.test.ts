// What compiled functions do besides their results: they draw random numbers and write to tensors of the user.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as rg from '../../bindings/index.ts';
import { compile, functional as F, nn, noGrad, scope, type Tensor, tensor } from '../../bindings/index.ts';
import { bits } from '../support/tensors.ts';

/** Calls of a compiled function that returns its only number. */
const numbers = (f: () => Tensor, calls: number): number[] =>
  Array.from({ length: calls }, () => scope(() => f().item()));

describe('a compiled function', () => {
  beforeAll(() => rg.init({ threads: 1, simd: 'strict' }));
  afterAll(() => rg.shutdown());

  it('draws anew with each call', () => {
    const draws: Record<string, () => Tensor> = {
      rand: () => rg.rand([40]),
      randn: () => rg.randn([40]),
      randint: () => rg.randint(0, 1000, [40]),
      'randint of u8': () => rg.randint(0, 256, [40], { dtype: 'u8' }),
      randperm: () => rg.randperm(40),
      bernoulli: () => rg.bernoulli([40], 0.5),
      dropout: () => F.dropout(rg.ones([40])),
    };
    for (const [name, draw] of Object.entries(draws))
      scope(() => {
        const f = compile(draw);
        const calls = (call: () => Tensor): string[] => {
          rg.manualSeed(1);
          return Array.from({ length: 5 }, () => bits(call()));
        };
        const eager = calls(draw);
        expect(calls(f), name).toEqual(eager);
        expect(new Set(eager).size, name).toBe(5);
        expect(f.programs, name).toBe(1);
        f.dispose();
      });
  });

  it('writes to buffers of the user, also numbers from JavaScript, also through views', () => {
    scope(() => {
      const buffer = rg.zeros([2, 3]);
      const linear = new nn.Linear(1, 1);
      const f = compile((x: Tensor) =>
        noGrad(() => {
          buffer.select(0, 1).copy_(x);
          buffer.narrow(1, 0, 1).copy_(buffer.narrow(1, 2, 1));
          linear.loadStateDict({
            weight: { shape: [1, 1], data: Float32Array.of(3) },
            bias: { shape: [1], data: Float32Array.of(x.numel()) },
          });
          return linear.forward(x.sum().reshape([1, 1])).flatten();
        }),
      );
      for (let i = 1; i <= 5; i++) {
        buffer.zero_();
        expect(f(tensor([1, 2, i])).toArray()).toEqual([3 * (3 + i) + 3]);
        expect(buffer.toArray()).toEqual([
          [0, 0, 0],
          [i, 2, i],
        ]);
        noGrad(() => linear.weight.zero_());
      }
      expect(f.programs).toBe(1);
      expect(
        numbers(
          compile(() => tensor(Float32Array.of(4))),
          3,
        ),
      ).toEqual([4, 4, 4]);
    });
  });
});
