// What programs do with memory, as values that never change: writes in place, views, constants, results in two places.
import { afterAll, beforeAll, describe, it } from 'vitest';
import { cat, eye, flip, full, init, ones, randn, shutdown, type Tensor, tensor, zeros } from '../../bindings/index.ts';
import { checksModels } from './checker.ts';
import { holds, Of } from './runtime.ts';

beforeAll(() => init());
afterAll(() => shutdown());

describe('what programs do with memory', () => {
  const x = (): Tensor => randn([2, 3]);
  const cases: Record<string, (this: Of, x: Tensor) => unknown> = {
    'a copy that is added to': (x) => x.clone().add_(1),
    'a part that is written': (x) => {
      const y = x.clone();
      y.narrow(1, 1, 2).copy_(zeros([2, 2]));
      return y;
    },
    'a row in the middle of zeros': (x) => {
      const y = zeros([4, 3]);
      y.narrow(0, 1, 2).copy_(x);
      return y;
    },
    'a view that was there before the write': (x) => {
      const y = x.clone();
      const turned = y.t();
      y.mul_(2);
      return [turned, y];
    },
    'a write through a transpose': (x) => {
      const y = x.clone();
      y.t()
        .narrow(0, 0, 1)
        .copy_(ones([1, 2]));
      return [y, y.view(3, 2), y.unsqueeze(0).squeeze(0)];
    },
    'numbers that are filled in': (x) => {
      const y = x.clone();
      y.select(0, 0).fill_(7);
      return y;
    },
    'memory that is written over': (x) =>
      zeros([2, 3])
        .copy_(x)
        .add(ones([2, 3]).fill_(3)),
    'numbers from JavaScript': (x) =>
      x
        .add(tensor([1, 2, 3]))
        .matmul(eye(3))
        .add(tensor(0.5)),
    'the diagonal of a matrix': (x) => x.matmul(eye(3, 5)),
    'many numbers': () => tensor(Array.from({ length: 20000 }, (_, i) => i / 100)),
    'whole numbers and masks': (x) => [x.gt(0), x.gt(0).sum(), x.gt(0).to('i32'), x.gt(0).logicalNot(), x.to('i32')],
    'masks that are joined': (x) => cat([x.gt(0), x.to('u8')]),
    'masks as numbers': (x) => x.gt(0).to('f32').mul(x.lt(1).to('f32')),
    'an input that is given back': (x) => [x, x, x.view(-1)],
    'a parameter that is given back': function () {
      return [this.weight, this.weight.t(), this.buffer];
    },
    'one result in two places': (x) => {
      const y = x.exp();
      return [y, y];
    },
    'a parameter in two places': function (x) {
      return x
        .mul(this.weight)
        .add(this.weight.narrow(0, 0, 1))
        .matmul(this.weight.t());
    },
    'single numbers': (x) => [x.sum(), x.mean().exp(), full([], 3)],
    'what is detached': (x) => x.detach().add(1),
    'no result that depends on the input': () => ones([2]),
  };
  it.each(Object.entries(cases))('%s', async (_, fn) => {
    await holds(new Of(fn as (this: Of, ...xs: never[]) => unknown), [x()]);
  });

  const dynamic: Record<string, (this: Of, x: Tensor) => unknown> = {
    'zeros for the batch': (x) => zeros([x.shape[0] as number, 2]).add(1),
    'a state that is stretched': function (x) {
      return cat([this.buffer.unsqueeze(0).expand(x.shape[0] as number, 3), x], 1);
    },
    'rows in a batch': (x) => {
      const y = x.clone();
      y.narrow(1, 0, 1).fill_(2);
      return y;
    },
    'the first of a batch': (x) => {
      const y = x.clone();
      y.select(0, 0).fill_(2);
      return y;
    },
    'all but the last': (x) => x.narrow(0, 0, (x.shape[0] as number) - 1),
    'parts of two dims': (x) => [
      x.reshape(-1),
      x.unsqueeze(1).expand(-1, 2, -1).reshape(-1, 3),
      x.t().reshape(3, -1, 1),
    ],
    'a mean of the batch': (x) => [x.mean(), x.mean(0), x.sub(x.mean(0, true)), x.sum(0)],
    'one against the other': (x) => x.matmul(x.t()),
    'each with each': (x) => x.unsqueeze(0).sub(x.unsqueeze(1)).abs().sum(-1),
    'a batch in the second dim': (x) => flip(x.t().contiguous(), [1]),
  };
  it.each(Object.entries(dynamic))('%s, with batches of any size', async (_, fn) => {
    await holds(new Of(fn as (this: Of, ...xs: never[]) => unknown), [x()], [[randn([1, 3])], [randn([5, 3])]]);
  });

  it('a batch in another dim of each input', async () => {
    const model = new Of((a: Tensor, b: Tensor, c: Tensor) => a.t().add(b).add(c));
    const given = (n: number): Tensor[] => [randn([3, n]), randn([n, 3]), randn([3])];
    await holds(model, given(2), [given(5)], { dynamicBatch: [1, 0, -1] });
  });

  it('arguments that are no tensors are a part of the model', async () => {
    const model = new Of((x: Tensor, times: number, more: { y: Tensor }) => x.mul(times).add(more.y));
    await holds(model, [x(), 3, { y: x() }]);
  });
});

checksModels();
