// Whole numbers in tensors that say where, or how often: one that cannot be is an ArgumentError that names the call
// and the number, never another place.
import { afterAll, expect, it } from 'vitest';
import * as rg from '../../bindings/index.ts';
import { ArgumentError, functional as F, init, shutdown, type Tensor, tensor } from '../../bindings/index.ts';

await init({ simd: 'strict' });
afterAll(() => shutdown());

const i32 = (...values: number[]): Tensor => tensor(Int32Array.from(values));
const x = rg.arange(12).view(4, 3);

/** Calls of `at`, a number that is none of theirs. */
const calls: Readonly<Record<string, (at: number) => unknown>> = {
  at: (at) => rg.at(x, i32(at)),
  bincount: (at) => rg.bincount(i32(2, at)),
  embedding: (at) => F.embedding(i32(at), x),
  embeddingBag: (at) => F.embeddingBag(i32(at), x, i32(0)),
  gather: (at) => x.gather(0, i32(at).view(1, 1)),
  indexAdd: (at) => rg.indexAdd(x, 0, i32(at), rg.ones([1, 3])),
  indexCopy: (at) => rg.indexCopy(x, 0, i32(at), rg.ones([1, 3])),
  indexFill: (at) => rg.indexFill(x, 0, i32(at), 1),
  indexReduce: (at) => rg.indexReduce(x, 0, i32(at), rg.ones([1, 3]), 'prod'),
  indexSelect: (at) => x.indexSelect(0, i32(at)),
  nllLoss: (at) => F.nllLoss(x, i32(0, 0, 0, at)),
  crossEntropy: (at) => F.crossEntropy(x, i32(0, 0, 0, at)),
  oneHot: (at) => F.oneHot(i32(at), 4),
  repeatInterleave: (at) => rg.repeatInterleave(x, i32(3, 1, 1, at), 0),
  scatter: (at) => rg.scatter(x, 0, i32(at).view(1, 1), rg.ones([1, 1])),
  scatterAdd: (at) => x.scatterAdd(0, i32(at).view(1, 1), rg.ones([1, 1])),
  scatterReduce: (at) => rg.scatterReduce(x, 0, i32(at).view(1, 1), rg.ones([1, 1]), 'sum'),
  take: (at) => rg.take(x, i32(at)),
  takeAlongDim: (at) => rg.takeAlongDim(x, i32(at).view(1, 1), 0),
};

it.each(Object.entries(calls))('%s refuses what is no place', (name, call) => {
  const says = new RegExp(`^${name}: expected .*got .*-99`);
  expect(() => call(-99)).toThrow(ArgumentError);
  expect(() => call(-99)).toThrow(says);
});
it('repeatInterleave reads repeats beside an outputSize too', () => {
  expect(() => rg.repeatInterleave(x, i32(3, 1, 1, -1), 0, { outputSize: 4 })).toThrow(/expected repeats >= 0, got -1/);
});
