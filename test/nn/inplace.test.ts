// inplace: true, on every function and every layer that has it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  compile,
  functional,
  GradError,
  init,
  manualSeed,
  nn,
  scope,
  shutdown,
  type Tensor,
  tensor,
} from '../../bindings/index.ts';
import { type Signature, signatures } from '../../bindings/signature.ts';

beforeAll(() => init({ simd: 'strict' }));
afterAll(() => shutdown());

type Fn = (x: Tensor, ...rest: unknown[]) => Tensor;
const having = signatures.filter(({ parameters }) => parameters.some(({ name }) => name === 'inplace'));
const required = ({ parameters }: Signature): number[] =>
  parameters.flatMap(({ required, kind }) => (required && kind !== 'Tensor' ? [0.25] : []));

const input = (shape = [1, 2, 3]): Tensor => tensor([-3, -0.75, -0.5, 0.125, 0.75, 7], { shape, requiresGrad: true });
const shapeOf = (path: string): number[] => (path.endsWith('3d') ? [1, 2, 3, 1] : [1, 2, 3]);
/** What `f` gives of a result, its gradient, and whether it wrote over it. */
function outcome(path: string, f: (x: Tensor) => Tensor): { values: unknown; gradient: unknown; wrote: boolean } {
  const x = input(shapeOf(path));
  const middle = x.mul(1);
  manualSeed(3);
  const y = f(middle);
  y.mul(y).sum().backward();
  return { values: y.toArray(), gradient: x.grad?.toArray(), wrote: y === middle };
}

const calls = having.map(({ path }) => path);
it('is there', () => {
  expect(calls).toEqual(expect.arrayContaining(['relu', 'dropout2d', 'threshold', 'ReLU', 'Dropout', 'RReLU']));
});

describe('functions', () => {
  const functions = having.filter(({ path }) => path in functional);

  it.each(functions.map((each) => [each.path, each] as const))('%s', (path, declared) => {
    scope(() => {
      const fn = (functional as unknown as Record<string, Fn>)[path] as Fn;
      const training = declared.parameters.some(({ name }) => name === 'training') ? { training: true } : {};
      const call = (inplace: boolean) => (x: Tensor) => fn(x, ...required(declared), { ...training, inplace });
      const [fresh, over] = [outcome(path, call(false)), outcome(path, call(true))];
      expect([fresh.wrote, over.wrote]).toEqual([false, true]);
      expect(over).toEqual({ ...fresh, wrote: true });
      expect(() => call(true)(input(shapeOf(path)))).toThrow(GradError);
      const saved = input(shapeOf(path)).mul(1);
      const later = saved.square();
      call(true)(saved);
      expect(() => later.sum().backward()).toThrow(GradError);
    });
  });

  it('leave what is not dropped as it is, a leaf too', () => {
    scope(() => {
      for (const training of [true, false]) {
        const x = input();
        expect(functional.dropout(x, training ? 0 : 0.5, training, true)).toBe(x);
        expect(functional.dropout3d(x.unsqueeze(0), { p: 0.5, training: false, inplace: true }).shape).toEqual([
          1, 1, 2, 3,
        ]);
      }
    });
  });
});

describe('layers', () => {
  const layers = having.filter(({ path }) => path in nn);

  it.each(layers.map((each) => [each.path, each] as const))('%s', (path, declared) => {
    scope(() => {
      const type = nn[path as 'ReLU'] as unknown as new (...args: unknown[]) => nn.ReLU;
      const layer = new type(...required(declared), { inplace: true });
      const fresh = outcome(path, (x) => new type(...required(declared)).forward(x));
      const over = outcome(path, (x) => layer.forward(x));
      expect(over).toEqual({ ...fresh, wrote: true });
      expect(String(layer)).toContain('inplace');
      layer.eval();
      const compiled = compile((x: Tensor) => layer.forward(x.mul(1)));
      const x = input(shapeOf(path)).detach();
      expect(compiled(x).toArray()).toEqual(layer.forward(x.clone()).toArray());
      compiled.dispose();
    });
  });
});
