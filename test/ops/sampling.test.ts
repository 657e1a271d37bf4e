// What draws from further distributions: statistics of fixed seeds, the same bits for any number of threads and for
// compiled functions, which draw anew at each call, and what is refused.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as rg from '../../bindings/index.ts';
import { ArgumentError, compile, DtypeError, scope, type Tensor, tensor, zeros } from '../../bindings/index.ts';
import { ERRORS } from '../support/distributions.ts';
import { bits } from '../support/tensors.ts';

const N = 20_000;
const rates = (rate: number): Tensor => rg.full([N], rate);
const weights = (): Tensor => tensor([0.5, 0, 3, 1, 0.5]);

/** How a draw of N numbers is made, and the probability of what is below or at each of some places. */
type Row = readonly [name: string, draw: () => Tensor, below: readonly (readonly [x: number, p: number])[]];
const poissonBelow = (rate: number, ...ks: number[]): (readonly [number, number])[] =>
  ks.map((k) => {
    let [sum, term] = [0, Math.exp(-rate)];
    for (let j = 0; j <= k; sum += term, term *= rate / ++j);
    return [k, sum];
  });
const rows: readonly Row[] = [
  [
    'uniform_',
    () => rg.uniform_(zeros([N]), -1, 3),
    [
      [-1.001, 0],
      [0, 0.25],
      [2, 0.75],
      [3, 1],
    ],
  ],
  [
    'normal_',
    () => rg.normal_(zeros([N]), 1, 2),
    [
      [1, 0.5],
      [3, 0.8413447],
      [-3, 0.0227501],
    ],
  ],
  [
    'logNormal_',
    () => rg.logNormal_(zeros([N]), 0, 0.5),
    [
      [0, 0],
      [1, 0.5],
      [Math.exp(0.5), 0.8413447],
    ],
  ],
  [
    'exponential_',
    () => rg.exponential_(zeros([N]), 2),
    [
      [0, 0],
      [0.5, 1 - Math.exp(-1)],
      [2, 1 - Math.exp(-4)],
    ],
  ],
  [
    'cauchy_',
    () => rg.cauchy_(zeros([N]), 1, 2),
    [
      [1, 0.5],
      [3, 0.75],
      [-1, 0.25],
      [1 + 2 * Math.tan(0.45 * Math.PI), 0.95],
    ],
  ],
  [
    'geometric_',
    () => rg.geometric_(zeros([N]), 0.3),
    [
      [0, 0],
      [1, 0.3],
      [2, 0.51],
      [5, 1 - 0.7 ** 5],
    ],
  ],
  [
    'geometric_ of i32',
    () => rg.geometric_(zeros([N], { dtype: 'i32' }), 0.75),
    [
      [0, 0],
      [1, 0.75],
      [2, 0.9375],
    ],
  ],
  [
    'bernoulli_',
    () => rg.bernoulli_(zeros([N]), 0.3),
    [
      [-0.1, 0],
      [0, 0.7],
      [1, 1],
    ],
  ],
  [
    'bernoulli_ of a tensor',
    () => rg.bernoulli_(zeros([N]), tensor([0.2])),
    [
      [0, 0.8],
      [1, 1],
    ],
  ],
  [
    'random_',
    () => rg.random_(zeros([N], { dtype: 'u8' })),
    [
      [-1, 0],
      [63, 0.25],
      [127, 0.5],
      [255, 1],
    ],
  ],
  [
    'random_ of bounds',
    () => rg.random_(zeros([N]), -2, 2),
    [
      [-3, 0],
      [-2, 0.25],
      [0, 0.75],
      [1, 1],
    ],
  ],
  [
    'randLike',
    () => rg.randLike(zeros([N])),
    [
      [0.25, 0.25],
      [1, 1],
    ],
  ],
  [
    'randnLike',
    () => rg.randnLike(zeros([N])),
    [
      [0, 0.5],
      [1, 0.8413447],
    ],
  ],
  [
    'randintLike',
    () => rg.randintLike(zeros([N]), 1, 5),
    [
      [0, 0],
      [1, 0.25],
      [4, 1],
    ],
  ],
  [
    'normal',
    () => rg.normal(rates(2), 3),
    [
      [2, 0.5],
      [5, 0.8413447],
    ],
  ],
  [
    'normal of tensors',
    () => rg.normal(rates(2), rates(0.5)),
    [
      [2, 0.5],
      [2.5, 0.8413447],
    ],
  ],
  [
    'normal of a number and a tensor',
    () => rg.normal(-1, rates(2)),
    [
      [-1, 0.5],
      [1, 0.8413447],
    ],
  ],
  [
    'normal of numbers',
    () => rg.normal(-1, 2, [N]),
    [
      [-1, 0.5],
      [1, 0.8413447],
    ],
  ],
  [
    'poisson of 0',
    () => rg.poisson(rates(0)),
    [
      [-1, 0],
      [0, 1],
    ],
  ],
  ['poisson of 0.7', () => rg.poisson(rates(0.7)), poissonBelow(0.7, 0, 1, 3)],
  ['poisson of 9.9', () => rg.poisson(rates(9.9)), poissonBelow(9.9, 3, 7, 10, 15)],
  ['poisson of 10', () => rg.poisson(rates(10)), poissonBelow(10, 3, 7, 10, 15)],
  ['poisson of 250', () => rg.poisson(rates(250)), poissonBelow(250, 220, 240, 250, 270, 290)],
  [
    'multinomial',
    () => rg.multinomial(weights(), N, true),
    [
      [-1, 0],
      [0, 0.1],
      [1, 0.1],
      [2, 0.7],
      [3, 0.9],
      [4, 1],
    ],
  ],
  [
    'multinomial without replacement',
    () => rg.multinomial(weights().expand(N, 5), 1),
    [
      [0, 0.1],
      [1, 0.1],
      [2, 0.7],
      [3, 0.9],
    ],
  ],
];
const drawn = (draw: () => Tensor): Tensor => {
  rg.manualSeed(17);
  return draw();
};

describe.each(['strict', 'relaxed'] as const)('draws, %s build', (simd) => {
  beforeAll(() => rg.init({ simd, threads: 1 }));
  afterAll(() => rg.shutdown());

  it.each(rows)('%s has its distribution', (_, draw, below) => {
    scope(() => {
      const { data } = drawn(draw);
      expect(data).toHaveLength(N);
      for (const [x, p] of below) {
        const share = Array.from(data).reduce((n, value) => n + Number(value <= x), 0) / N;
        expect(Math.abs(share - p), `P(x <= ${x}) = ${share}, not ${p}`).toBeLessThanOrEqual(
          ERRORS * Math.sqrt((p * (1 - p)) / N) + 1e-12,
        );
      }
    });
  });
});

it('draws the same bits on any number of threads, and compiled, each call anew', async () => {
  const all = new Map<string, string[]>();
  for (const threads of [1, 3]) {
    await rg.init({ simd: 'strict', threads });
    for (const [name, draw] of rows)
      scope(() => {
        const eager = bits(drawn(draw));
        const again = bits(draw());
        expect(again === eager, `${name} draws anew`).toBe(name === 'poisson of 0');
        const program = compile(draw);
        all.set(name, [...(all.get(name) ?? []), eager, bits(drawn(program))]);
        expect(bits(program()), `${name}, compiled, draws anew`).toBe(again);
        program.dispose();
      });
    await rg.shutdown();
  }
  for (const [name, texts] of all) expect(new Set(texts).size, name).toBe(1);
});

describe('draws', () => {
  beforeAll(() => rg.init({ simd: 'strict', threads: 1 }));
  afterAll(() => rg.shutdown());

  it('multinomial without replacement takes each class once, in the order of Plackett and Luce', () => {
    scope(() => {
      rg.manualSeed(3);
      const p = [0.5, 2, 1, 0.25, 1.25];
      const draws = rg.multinomial(tensor(p).expand(N, 5), 3).toArray() as number[][];
      let pairs = 0;
      for (const draw of draws) {
        expect(new Set(draw).size).toBe(3);
        pairs += Number(draw[0] === 1 && draw[1] === 4);
      }
      const expected = (2 / 5) * (1.25 / 3);
      expect(Math.abs(pairs / N - expected)).toBeLessThan(ERRORS * Math.sqrt((expected * (1 - expected)) / N));
      const all = rg.multinomial(rg.rand([257]).add(0.1), 257);
      expect([...all.data].sort((a, b) => a - b)).toEqual(Array.from({ length: 257 }, (_, i) => i));
    });
  });

  it('write into views, and cut off what was there from its history', () => {
    scope(() => {
      const x = zeros([4, 6]);
      rg.uniform_(x.t().slice(0, 1, 3), 1, 2);
      expect((x.toArray() as number[][]).map((row) => row.map((value) => Number(value >= 1)))).toEqual(
        new Array(4).fill([0, 1, 1, 0, 0, 0]),
      );
      const w = rg.ones([3], { requiresGrad: true });
      expect(() => rg.normal_(w)).toThrow(rg.GradError);
      rg.noGrad(() => rg.normal_(w));
      rg.exponential_(w.mul(2)).sum().backward();
      expect(w.grad).toBeNull();
    });
  });

  it('are like another tensor', () => {
    scope(() => {
      const x = zeros([2, 3], { dtype: 'i32' });
      expect([rg.fullLike(x, 7).dtype, rg.fullLike(x, 7).toArray()]).toEqual([
        'i32',
        [
          [7, 7, 7],
          [7, 7, 7],
        ],
      ]);
      expect([rg.emptyLike(x).shape, rg.randintLike(x, 3).dtype]).toEqual([[2, 3], 'i32']);
      expect(rg.randLike(x, { dtype: 'f32', requiresGrad: true }).requiresGrad).toBe(true);
    });
  });

  it('say what they expect', () => {
    scope(() => {
      const refused = (draw: () => unknown, kind: new (...args: never[]) => Error, says: RegExp): void => {
        expect(draw).toThrow(kind);
        expect(draw).toThrow(says);
      };
      const x = zeros([2]);
      refused(
        () => rg.bernoulli(tensor([0.5, 1.5])),
        ArgumentError,
        /^bernoulli: expected probabilities from 0 to 1, got 1.5 at position 1/,
      );
      refused(
        () => rg.bernoulli_(x, tensor([-1])),
        ArgumentError,
        /^bernoulli_: expected probabilities from 0 to 1, got -1/,
      );
      refused(() => rg.uniform_(x, 2, 1), ArgumentError, /^uniform_: expected finite numbers from <= to, got 2 and 1/);
      refused(
        () => rg.normal_(zeros([2], { dtype: 'i32' })),
        DtypeError,
        /^normal_: expected a tensor of f32, got i32/,
      );
      refused(
        () => rg.normal(0, tensor([1, -1])),
        ArgumentError,
        /^normal: expected standard deviations of at least 0, got -1/,
      );
      refused(() => rg.normal(0, -1, [2]), ArgumentError, /^normal: expected std >= 0, got -1/);
      refused(() => rg.exponential_(x, 0), ArgumentError, /^exponential_: expected lambd > 0, got 0/);
      refused(() => rg.cauchy_(x, 0, 0), ArgumentError, /^cauchy_: expected sigma > 0, got 0/);
      refused(() => rg.geometric_(x, 1), ArgumentError, /^geometric_: expected p between 0 and 1, got 1/);
      refused(() => rg.poisson(tensor([-1])), ArgumentError, /^poisson: expected rates of at least 0, got -1/);
      refused(
        () => rg.multinomial(tensor([1, 0]), 2),
        ArgumentError,
        /^multinomial: expected finite weights of at least 0, 2 of them above 0, in each row, got others in row 0/,
      );
      refused(
        () => rg.multinomial(tensor([1, 1]), 3),
        ArgumentError,
        /^multinomial: expected at most 2 samples of 2 classes, got 3; draw with replacement: true/,
      );
      refused(
        () =>
          rg.multinomial(
            tensor([
              [1, 1],
              [0, 0],
            ]),
            1,
            true,
          ),
        ArgumentError,
        /got others in row 1/,
      );
      refused(
        () => rg.multinomial(zeros([1, 1, 1]), 1),
        rg.ShapeError,
        /^multinomial: expected weights \[n, classes\] or \[classes\]/,
      );
      refused(
        () => rg.randnLike(zeros([2], { dtype: 'u8' })),
        DtypeError,
        /^randnLike: expected a tensor of f32, got u8/,
      );
      const step = compile(() => rg.bernoulli(tensor([2])));
      refused(() => step(), ArgumentError, /expected probabilities from 0 to 1/);
    });
  });
});
