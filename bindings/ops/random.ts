// Constants and random numbers. The generator's state lies in the arena and kernels read it there: element i always comes
// from counter + (i >> 2), whoever computes it, and the counter moves on by a command of its own.
import type { Operand } from '../runtime/commands.ts';
import { ArgumentError } from '../runtime/errors.ts';
import { checkShape, type Shape } from '../tensor.ts';
import { expectDtype, expectShape, like } from './shapes.ts';
import type { KernelRow, Rows, Tensor } from './types.ts';

type State = { readonly state: Operand };

export interface RandomOps {
  full(attrs: { readonly shape: Shape; readonly value: number }): Tensor;
  uniform(attrs: State & { readonly shape: Shape; readonly low: number; readonly high: number }): Tensor;
  normal(attrs: State & { readonly shape: Shape; readonly mean: number; readonly std: number }): Tensor;
  bernoulli(attrs: State & { readonly shape: Shape; readonly p: number }): Tensor;
  /** Zero with probability p, else x / (1 − p). */
  dropout(x: Tensor, attrs: State & { readonly p: number }): Tensor;
  dropoutBackward(g: Tensor, mask: Tensor, attrs: { readonly p: number }): Tensor;
}

function checkProbability(op: string, p: number): void {
  if (!(p >= 0 && p <= 1)) throw new ArgumentError(`${op}: expected p from 0 to 1, got ${p}`);
}

function source<A extends { readonly shape: Shape }>(
  op: string,
  forward: KernelRow<[], A>['forward'],
  checkAttrs?: (attrs: A) => void,
): KernelRow<[], A> {
  return {
    infer: (_, attrs) => {
      checkShape(op, attrs.shape);
      checkAttrs?.(attrs);
      return [{ shape: attrs.shape, dtype: 'f32' }];
    },
    forward,
    saves: 'none',
  };
}

export const randomRows: Rows<RandomOps> = {
  full: source('full', (k, [y], _, { value }) => k.fill_f32(y as Tensor, (y as Tensor).size, value)),
  uniform: source('uniform', (k, [out], _, { low, high, state }) => {
    const y = out as Tensor;
    k.uniform_f32(y, y.size, 0, low, high, state);
    k.random_advance(state, y.size);
  }),
  normal: source(
    'normal',
    (k, [out], _, { mean, std, state }) => {
      const y = out as Tensor;
      k.normal_f32(y, y.size, 0, mean, std, state);
      k.random_advance(state, y.size);
    },
    ({ std }) => {
      if (!(std >= 0)) throw new ArgumentError(`normal: expected std >= 0, got ${std}`);
    },
  ),
  bernoulli: source(
    'bernoulli',
    (k, [out], _, { p, state }) => {
      const y = out as Tensor;
      k.bernoulli_f32(y, y.size, 0, p, state);
      k.random_advance(state, y.size);
    },
    ({ p }) => checkProbability('bernoulli', p),
  ),
  dropout: {
    infer: ([x], { p }) => {
      expectDtype('dropout', x, 'f32');
      checkProbability('dropout', p);
      return [like(x), like(x, 'u8')]; // the result and which elements were kept
    },
    forward: (k, [y, mask], [x], { p, state }) => {
      k.dropout_forward_f32(y as Tensor, mask as Tensor, x, x.size, 0, p, state);
      k.random_advance(state, x.size);
    },
    saves: 'output',
    backward: (o, g, { outputs: [, mask], attrs: { p } }) => [o.dropoutBackward(g, mask as Tensor, { p })],
  },
  dropoutBackward: {
    infer: ([g, mask]) => {
      expectDtype('dropoutBackward', g, 'f32');
      expectDtype('dropoutBackward', mask, 'u8');
      expectShape('dropoutBackward', 'the mask', mask, g.shape);
      return [like(g)];
    },
    forward: (k, [dx], [g, mask], { p }) => k.dropout_backward_f32(dx as Tensor, g, mask, g.size, p),
    saves: 'inputs',
    // Linear in g, so its derivative is itself.
    backward: (o, h, { inputs: [, mask], attrs }) => [o.dropoutBackward(h, mask, attrs), null],
  },
};
