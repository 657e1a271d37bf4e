// Numbers beside tensors: what a function gives is, to the bit, what it gives for the tensor of that number, whatever
// stands for it. The functions are those whose declaration takes either.
import { afterAll, beforeAll, expect, it } from 'vitest';
import * as rg from '../../bindings/index.ts';
import { signatures } from '../../bindings/signature.ts';

beforeAll(() => rg.init());
afterAll(() => rg.shutdown());

type Binary = (x: rg.Tensor, other: rg.Tensor | number, options?: object) => rg.Tensor;
/** Those that make a tensor of floats. */
const binary = signatures.filter(
  ({ text, name }) => /\(x: Tensor, other: Tensor\|number/.test(text) && !/^bitwise|_$/.test(name),
);

const NUMBERS = [0, -0, 1, -1, 2, -3, 0.1, 2 ** 24 + 1, 1e-45, 1e39, Number.POSITIVE_INFINITY, Number.NaN];
const ELEMENTS = [0, -0, 1, -1, 0.3, 1e-45, -1e-40, 3.4e38, -7, Number.NEGATIVE_INFINITY, Number.NaN, 2.5];

/** One tensor in each layout. */
const layouts = (): Record<string, rg.Tensor> => {
  const x = rg.tensor(ELEMENTS).reshape([3, 4]);
  return { dense: x, turned: x.permute(1, 0), stretched: rg.tensor(ELEMENTS).reshape([12, 1]).expand(12, 2) };
};

const outcome = (fn: () => rg.Tensor): unknown => {
  try {
    const y = fn();
    return { shape: y.shape, dtype: y.dtype, values: [...y.data] };
  } catch (error) {
    return (error as Error).message;
  }
};

it('mean what tensors of one number mean', () => {
  expect(binary.map(({ name }) => name)).toEqual(expect.arrayContaining(['add', 'sub', 'mul', 'div', 'pow', 'gt']));
  for (const { fn, name, text } of binary)
    for (const options of text.includes('alpha') ? [{}, { alpha: -0.7 }] : [{}])
      rg.scope(() => {
        for (const [layout, x] of Object.entries(layouts()))
          for (const number of NUMBERS) {
            const of = (other: rg.Tensor | number) => outcome(() => (fn as Binary)(x, other, options));
            const beside = 'alpha' in options ? number * (options.alpha as number) : number;
            const expected = outcome(() => (fn as Binary)(x, rg.tensor(beside)));
            expect(of(number), `${name} of ${layout} and ${number}`).toEqual(expected);
          }
      });
});

it('have the gradients of tensors of one number', () => {
  const x = rg.tensor([0.5, -2, 3], { requiresGrad: true });
  const slopes = (y: rg.Tensor): number[] => [...(rg.grad(y.sum(), [x])[0] as rg.Tensor).data];
  rg.scope(() => {
    for (const { fn, name } of binary) {
      const [y, expected] = [3, rg.tensor(3)].map((other) => (fn as Binary)(x, other)) as [rg.Tensor, rg.Tensor];
      expect(y.requiresGrad, name).toBe(expected.requiresGrad);
      if (y.requiresGrad) expect(slopes(y), name).toEqual(slopes(expected));
    }
  });
});
