// Arguments without end, or with more to them than there is room for: each ends at once, in an error that says why, and
// leaves nothing behind.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as r from '../../bindings/index.ts';
import {
  ArgumentError,
  nn,
  OutOfMemoryError,
  RetrogradError,
  ShapeError,
  type Tensor,
  tensor,
} from '../../bindings/index.ts';
import { random } from '../../reference/random.ts';

const MIB = 2 ** 20;
beforeAll(() => r.init({ maxBytes: 64 * MIB, threads: 1 }));
afterAll(() => r.shutdown());

const cyclic: unknown[] = [];
cyclic.push(cyclic);
let deep: unknown = 1;
for (let i = 0; i < 100_000; i++) deep = [deep];
/** 1000 × 1000 × 1000 numbers of a thousand. */
const thousand = new Array(1000).fill(1);
const million = new Array(1000).fill(thousand);
const shared = new Array(1000).fill(million);
const holes = new Array(4_000_000_000);

type Kind = abstract new (...args: never[]) => Error;
const ended: readonly (readonly [title: string, call: () => unknown, error: Kind])[] = [
  ...[
    ['cyclic', cyclic],
    ['nested 100,000 deep', deep],
    ['nested deep behind a number', [1, deep]],
    ['nested deep behind an array', [[1], deep]],
    ['4,000,000,000 holes', holes],
    ['a symbol', [Symbol('x')]],
    ['without prototype', [Object.create(null)]],
  ].map(([title, data]) => [`tensor of an array: ${title}`, () => tensor(data as never), ShapeError] as const),
  ['tensor of arrays that stand for 1e9 numbers', () => tensor(shared), OutOfMemoryError],
  ['tensor of arrays that stand for 1e12 numbers', () => tensor(new Array(1000).fill(shared)), ShapeError],
  ...[cyclic, deep, holes, [Symbol('x')], Object.create(null), Symbol('x'), [2 ** 40, 2 ** 40], [0, 2 ** 40]].flatMap(
    (shape) =>
      [
        (x: never) => r.zeros(x as number[]),
        (x: never) => r.full(x, 1),
        (x: never) => r.rand(x as number[]),
        (x: never) => r.randn(x as number[]),
        (x: never) => r.bernoulli(x, 0.5),
        (x: never) => r.randint(0, 2, x),
        (x: never) => tensor(1, { shape: x }),
      ].map((make, i) => [`shape ${typeof shape} in maker ${i}`, () => make(shape as never), RetrogradError] as const),
  ),
  ['zeros beyond the memory', () => r.zeros([2 ** 31 - 1]), OutOfMemoryError],
  ['arange(3e8)', () => r.arange(3e8), OutOfMemoryError],
  ['arange(1e300)', () => r.arange(1e300), ShapeError],
  ['arange with a tiny step', () => r.arange(0, 1, 1e-300), ShapeError],
  ['arange with a step that overflows', () => r.arange(0, 1e300, 1e-300), ArgumentError],
  ['linspace of too many', () => r.linspace(0, 1, 3e8), OutOfMemoryError],
  ['linspace of far too many', () => r.linspace(0, 1, 1e300), ArgumentError],
  ['eye beyond the memory', () => r.eye(20_000), OutOfMemoryError],
  ['eye beyond the elements', () => r.eye(50_000), ShapeError],
  ['randperm beyond the memory', () => r.randperm(3e8), OutOfMemoryError],
  ['randint beyond 32 bits', () => r.randint(0, 2 ** 40, [2]), ArgumentError],
  ['randint beyond its dtype', () => r.randint(250, 257, [1], { dtype: 'u8' }), ArgumentError],
  ['i32 numbers as u8', () => tensor(Int32Array.of(300, -1), { dtype: 'u8' }), ArgumentError],
  ['numbers of 64 bits as i32', () => tensor(Float64Array.of(2 ** 40), { dtype: 'i32' }), ArgumentError],
  ['unsigned words as i32', () => tensor(Uint32Array.of(2 ** 31)), ArgumentError],
  ['a late fraction as i32', () => r.arange(0, 20_000.5, 0.5, { dtype: 'i32' }), ArgumentError],
  ['truncNormal_ with std Infinity', () => nn.init.truncNormal_(r.zeros([2]), { std: Infinity }), ArgumentError],
  ['truncNormal_ with mean NaN', () => nn.init.truncNormal_(r.zeros([2]), { mean: Number.NaN }), ArgumentError],
  [
    'split into too many',
    () =>
      r
        .zeros([1])
        .expand([2 ** 30])
        .split(1),
    ArgumentError,
  ],
  [
    'unbind into too many',
    () =>
      r
        .zeros([1])
        .expand([2 ** 30])
        .unbind(),
    ArgumentError,
  ],
  [
    'toArray of too many',
    () =>
      r
        .zeros([1])
        .expand([2 ** 30])
        .toArray(),
    ArgumentError,
  ],
  ['toArray of too many empty ones', () => r.zeros([2 ** 30, 0]).toArray(), ArgumentError],
  ['setRngState with no words', () => r.setRngState([1, 2, 3, 0.5]), ArgumentError],
  ['setRngState of nothing', () => r.setRngState(null as never), ArgumentError],
];

/** What a call leaves when it throws: of its own, what the test made for it inside of the scope is gone as well. */
function expectEnds(call: () => unknown, kind: Kind): void {
  const before = r.backend().memory;
  const state = r.getRngState();
  expect(() =>
    r.scope(() => {
      call();
    }),
  ).toThrow(kind);
  expect(r.backend().memory.blocks).toBe(before.blocks);
  expect(r.backend().memory.used).toBe(before.used);
  expect(r.getRngState()).toEqual(state);
}

describe('an argument without end', () => {
  it.each(ended)('%s', (_, call, kind) => expectEnds(call, kind));

  it('of as many dims as there are is none', () => {
    let data: unknown = 7;
    for (let i = 0; i < 8; i++) data = [data];
    expect(tensor(data as never).shape).toEqual(new Array(8).fill(1));
    expect(() => tensor([data] as never)).toThrow(/^tensor: expected arrays at most 8 levels deep/);
  });

  it('leaves no block where the last step has no room', () => {
    const { blocks } = r.backend().memory;
    // The floats fit, twice they do not.
    const calls: (() => Tensor)[] = [
      () => r.rand([9 * MIB], { dtype: 'i32' }),
      () => r.randn([9 * MIB], { dtype: 'i32' }),
      () => r.bernoulli([9 * MIB], 0.5, { dtype: 'i32' }),
      () => r.randint(0, 9, [9 * MIB]),
      () => r.randperm(9 * MIB),
    ];
    for (const call of calls) {
      try {
        call().dispose();
      } catch (error) {
        expect(error).toBeInstanceOf(OutOfMemoryError);
      }
      expect(r.backend().memory.blocks, String(call)).toBe(blocks);
    }
    for (const options of [{ dtype: 'f64' }, { dtype: 'i32', requiresGrad: true }])
      for (const make of [r.rand, r.randn, r.zeros, r.ones]) {
        expect(() => (make as (shape: number[], options: never) => Tensor)([2], options as never)).toThrow();
        expect(r.backend().memory.blocks, `${make.name} ${options.dtype}`).toBe(blocks);
      }
  });
});

describe('many', () => {
  it('tensors are joined, cut and stacked', () => {
    r.scope(() => {
      const xs = Array.from({ length: 200_000 }, (_, i) => r.full([1], i));
      const joined = r.concat(xs);
      expect(joined.shape).toEqual([200_000]);
      expect(joined.data.every((value, i) => value === i)).toBe(true);
      expect(r.stack(xs).shape).toEqual([200_000, 1]);
      const parts = joined.split(1);
      expect(parts).toHaveLength(200_000);
      expect(parts.at(-1)?.item()).toBe(199_999);
    });
  });

  it('numbers go into a tensor in parts', () => {
    const next = random('parts');
    for (const n of [1, 63, 64, 65, 16_383, 16_384, 16_385, 50_000]) {
      const values = Array.from({ length: n }, () => Math.floor(next() * 1000));
      for (const dtype of ['f32', 'i32'] as const)
        r.scope(() => {
          expect([...tensor(values, { dtype }).data]).toEqual(values);
          expect([...tensor([values, values], { dtype }).data]).toEqual([...values, ...values]);
          expect([...r.arange(0, n, 1, { dtype }).data]).toEqual(values.map((_value, i) => i));
        });
      expect(() => tensor([...values, 0.5], { dtype: 'i32' })).toThrow(new RegExp(`got 0.5 at position ${n}$`));
    }
  });

  it('columns are orthonormal', () => {
    r.scope(() => {
      const q = nn.init.orthogonal_(r.zeros([2, 200_000]));
      const [[a, b], [c, d]] = q.matmul(q.t()).toArray() as [[number, number], [number, number]];
      for (const [got, wanted] of [
        [a, 1],
        [b, 0],
        [c, 0],
        [d, 1],
      ] as const)
        expect(got).toBeCloseTo(wanted, 5);
    });
  });
});

describe('truncNormal_', () => {
  it('ends wherever the bounds are, and keeps them', () => {
    const next = random('bounds');
    const magnitude = (): number => (next() - 0.5) * 10 ** (next() * 80 - 40);
    for (let i = 0; i < 300; i++) {
      const mean = magnitude();
      const std = Math.abs(magnitude()) + 1e-45;
      const near = mean + std * (next() - 0.5) * 10;
      const a = [magnitude(), near, -Infinity, Math.fround(near)][i % 4] as number;
      const b = a + ([0, 1e-12, std, std * 1e6, Math.abs(magnitude()), Infinity][i % 6] as number);
      const [low, high] = Number.isNaN(b) ? [-Infinity, Infinity] : [a, b];
      r.scope(() => {
        const { data } = nn.init.truncNormal_(r.zeros([20]), { mean, std, a: low, b: high });
        const text = `mean ${mean}, std ${std}, ${low} … ${high}`;
        for (const value of data) {
          expect(value, text).toBeGreaterThanOrEqual(Math.fround(low));
          expect(value, text).toBeLessThanOrEqual(Math.fround(high));
        }
      });
    }
  });

  it('has the moments of the tail', () => {
    r.scope(() => {
      // The mean of a standard normal number above 3 is φ(3) / (1 − Φ(3)).
      const { data } = nn.init.truncNormal_(r.zeros([50_000]), { a: 3, b: Infinity });
      expect([...data].reduce((sum, value) => sum + value, 0) / data.length).toBeCloseTo(3.2831, 2);
    });
  });
});

describe('the seed', () => {
  it('is another with every start, tells itself, and repeats what was drawn', async () => {
    const seeds = new Set<number>();
    for (let i = 0; i < 5; i++) {
      r.shutdown();
      await r.init({ maxBytes: 64 * MIB, threads: 1 });
      const seed = r.initialSeed();
      const first = r.rand([5]).toArray();
      expect(r.initialSeed()).toBe(seed);
      r.manualSeed(seed);
      expect(r.rand([5]).toArray()).toEqual(first);
      seeds.add(seed);
    }
    expect(seeds.size).toBe(5);
    for (const seed of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1]) {
      r.manualSeed(seed);
      expect(r.initialSeed()).toBe(seed);
    }
  });
});
