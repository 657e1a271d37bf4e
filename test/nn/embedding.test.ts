// Embeddings beyond what goldens hold: given tables, bags in programs, and what they refuse.
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  compile,
  functional as F,
  init,
  nn,
  ones,
  scope,
  shutdown,
  type Tensor,
  tensor,
} from '../../bindings/index.ts';

beforeAll(() => init({ simd: 'strict' }));
afterAll(() => shutdown());
it('bags in programs, given tables, and wrong indices', () =>
  scope(() => {
    const bag = new nn.EmbeddingBag(9, 3, { mode: 'max' });
    const x = tensor([1, 2, 3, 4, 5], { dtype: 'i32' });
    const o = tensor([0, 2, 2], { dtype: 'i32' });
    const f = compile((x: Tensor, o: Tensor) => bag.forward(x, o));
    expect(f(x, o).toArray()).toEqual(bag.forward(x, o).toArray());
    expect(f(x, o).toArray()).toEqual(bag.forward(x, o).toArray());
    expect(() => f(x, tensor([1, 2, 2], { dtype: 'i32' }))).toThrow(/offsets that begin with 0/);
    expect(() => bag.forward(tensor([9], { dtype: 'i32' }), tensor([0], { dtype: 'i32' }))).toThrow(
      /EmbeddingBag: expected indices from 0 to 8/,
    );
    expect(() => F.embedding(tensor([-1], { dtype: 'i32' }), bag.weight)).toThrow(/embedding: expected indices/);
    const e = nn.Embedding.fromPretrained(ones([4, 2]), { paddingIdx: -1 });
    expect([e.weight.requiresGrad, e.paddingIdx]).toEqual([false, 3]);
    const b = nn.EmbeddingBag.fromPretrained(ones([4, 2]), { freeze: false, mode: 'sum', paddingIdx: 0 });
    b.forward(tensor([[0, 1, 2]], { dtype: 'i32' }))
      .sum()
      .backward();
    expect(b.weight.grad?.toArray()).toEqual([
      [0, 0],
      [1, 1],
      [1, 1],
      [0, 0],
    ]);
  }));
