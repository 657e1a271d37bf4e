// Complex numbers, text, powers of integers, orders: by rows of ours, as the cpu backend has them, and without leaks.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { init } from '../../bindings/index.ts';
import { listen } from '../../bindings/tfjs/link.ts';
import '../../bindings/tfjs/index.ts';

beforeAll(() => init({ threads: 1 }));
afterAll(() => listen(null));

const numbers = (n: number, from: number): number[] => Array.from({ length: n }, (_, i) => Math.sin(7 * i + from));
const complex = (shape: number[], from = 1): tf.Tensor => {
  const n = shape.reduce((a, b) => a * b, 1);
  return tf.complex(tf.tensor(numbers(n, from), shape), tf.tensor(numbers(n, from + 50), shape));
};
/** Many of them equal. */
const many = numbers(600, 2).map((x) => Math.round(20 * x) / 4);
const words = ['pear', 'fig', '', 'fig', 'größe', 'Apple'];
const text = (shape: number[] = [2, 3]): tf.Tensor => tf.tensor(words, shape, 'string');
const ints = (values: number[], shape: number[]): tf.Tensor => tf.tensor(values, shape, 'int32');

type Parts = [real: tf.Tensor, imag: tf.Tensor];
const partsOf = (x: tf.Tensor): Parts => [tf.real(x), tf.imag(x)];
type Move = (x: tf.Tensor, y: tf.Tensor) => tf.Tensor;
/** By the name of what is called: of complex numbers, and the same of both parts, since cpu has few such kernels. */
const moves: Record<string, Move> = {
  add: (x, y) => tf.add(x, tf.slice(y, [0, 0], [1, 3])),
  sub: (x, y) => tf.sub(tf.slice(x, [0, 0], [2, 1]), y),
  concat: (x, y) => tf.concat([x, y], 1),
  slice: (x) => tf.slice(x, [1, 1], [1, 2]),
  'stridedSlice of all': (x) => tf.stridedSlice(x, [0, 0], [2, 3], [1, 1]),
  gather: (x) => tf.gather(x, ints([2, 0, 2], [3]), 1),
  tile: (x) => tf.tile(x, [2, 1]),
  unstack: (x) => tf.unstack(x, 1)[1] as tf.Tensor,
  zerosLike: (x) => tf.zerosLike(x),
};

/** Results, as the cpu backend has them. */
const cases: Record<string, () => tf.Tensor | tf.Tensor[]> = {
  'complex onesLike': () => tf.onesLike(complex([2, 3])),
  'real and imag': () => [tf.real(complex([5])), tf.imag(complex([5]))],
  'cast of complex': () => [complex([4]).toInt(), complex([4]).toBool(), complex([4]).toFloat()],
  'cast to complex': () => [tf.cast(ints([1, 2], [2]), 'complex64'), tf.cast(complex([2]), 'complex64')],
  'text concat': () => tf.concat([text(), text()], 1),
  'text slice': () => tf.slice(text(), [0, 1], [2, 2]),
  'text stridedSlice': () => tf.stridedSlice(text([6]), [5], [0], [-2]),
  'text tile': () => tf.tile(text(), [2, 1]),
  'text stack': () => tf.stack([text(), text()], 1),
  'text unstack': () => tf.unstack(text(), 1),
  'text fill': () => tf.fill([2, 2], 'größe' as never, 'string'),
  'text of nothing': () => tf.concat([tf.tensor([], [0], 'string'), text([6])]),
  'text compared': () =>
    [tf.equal, tf.notEqual, tf.less, tf.lessEqual, tf.greater, tf.greaterEqual].map((compare) =>
      compare(text([6, 1]), text([6])),
    ),
  'topk of few and of many': () =>
    [1, 5, 40, 300].flatMap((k) =>
      [tf.tensor(many, [2, 300]), tf.tensor(many.map(Math.round), [2, 300], 'int32')].flatMap((x) => {
        const { values, indices } = tf.topk(x, k);
        return [values, indices];
      }),
    ),
  searchSorted: () =>
    (['left', 'right'] as const).flatMap((side) => [
      tf.searchSorted(
        tf.tensor2d([
          [0, 3, 9, 9, 10],
          [1, 2, 3, 4, 5],
        ]),
        tf.tensor2d([
          [4, 9, 11],
          [0, 2, 6],
        ]),
        side,
      ),
      tf.searchSorted(ints([1, 4, 4, 7], [4]), ints([4, 5, 0, 9], [4]), side),
    ]),
  'pow of integers': () =>
    tf.pow(ints([-3, -2, -1, 0, 1, 2, 3, 7, 11], [9, 1]), ints([0, 1, 2, 3, 5, -1, -2, 11], [8])),
};

/** What a case gives, and which calls were not ours. */
async function run(backend: string, make: () => tf.Tensor | tf.Tensor[]) {
  await tf.setBackend(backend);
  const others: string[] = [];
  listen((kernel, own) => own || others.push(kernel));
  const before = [tf.memory().numTensors, tf.memory().numDataBuffers, tf.engine().backend.numDataIds()];
  const list = tf.tidy(make);
  const results = await Promise.all(
    [list].flat().map(async (y) => [y.shape, y.dtype, Array.from((await y.data()) as ArrayLike<unknown>)]),
  );
  tf.dispose(list);
  expect([tf.memory().numTensors, tf.memory().numDataBuffers, tf.engine().backend.numDataIds()]).toEqual(before);
  return { results, others };
}

type Results = Awaited<ReturnType<typeof run>>['results'];
function expectSame(got: Results, want: Results): void {
  expect(got.length).toBe(want.length);
  for (const [i, [shape, dtype, values]] of want.entries()) {
    const [gotShape, gotDtype, gotValues] = got[i] as Results[number];
    expect([gotShape, gotDtype]).toEqual([shape, dtype]);
    for (const [j, value] of (values as unknown[]).entries()) {
      const one = (gotValues as unknown[])[j];
      if (typeof value === 'number') expect(one).toBeCloseTo(value, 5);
      else expect(one).toBe(value);
    }
  }
}

describe('calls that the rows of numbers do not fit', () => {
  it.each(Object.entries(cases))('%s', async (_, make) => {
    const { results: want } = await run('cpu', make);
    const { results, others } = await run('retrograd', make);
    expect(others).toEqual([]);
    expectSame(results, want);
  });

  const both = (): [tf.Tensor, tf.Tensor] => [complex([2, 3]), complex([2, 3], 9)];
  it.each(Object.entries(moves))('complex %s', async (_, move) => {
    const { results: want } = await run('cpu', () => {
      const [[xr, xi], [yr, yi]] = both().map(partsOf) as [Parts, Parts];
      return [move(xr, yr), move(xi, yi)];
    });
    const { results, others } = await run('retrograd', () => partsOf(move(...both())));
    expect(others).toEqual([]);
    expectSame(results, want);
  });

  it('complex mul, which stretches', async () => {
    const row = (x: tf.Tensor): tf.Tensor => tf.slice(x, [1, 0], [1, 3]);
    const { results: want } = await run('cpu', () => {
      const [[a, b], [c, d]] = both()
        .map(partsOf)
        .map(([r, i], at) => (at ? [row(r), row(i)] : [r, i])) as [Parts, Parts];
      return [tf.sub(tf.mul(a, c), tf.mul(b, d)), tf.add(tf.mul(a, d), tf.mul(b, c))];
    });
    const { results, others } = await run('retrograd', () => {
      const [x, y] = both();
      return partsOf(tf.mul(x, row(y)));
    });
    expect(others).toEqual([]);
    expectSame(results, want);
  });
});
