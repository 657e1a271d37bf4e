// Functions that draw random numbers: what they leave, that seeds repeat them, and that compiled they draw the same.
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  ArgumentError,
  compile,
  functional as F,
  init,
  manualSeed,
  ones,
  randn,
  ShapeError,
  scope,
  shutdown,
  type Tensor,
} from '../../bindings/index.ts';
import { bits } from '../support/tensors.ts';

beforeAll(() => init({ simd: 'strict' }));
afterAll(() => shutdown());

const list = (x: Tensor): number[] => Array.from(x.data);

it.each([
  ['dropout1d', [50, 20, 3], 2],
  ['dropout1d', [50, 3], 1],
  ['dropout2d', [50, 20, 3, 1], 2],
  ['dropout2d', [50, 20, 3], 2],
  ['dropout3d', [50, 20, 1, 3, 1], 2],
  ['dropout3d', [50, 1, 3, 1], 1],
] as const)('%s of %j drops whole channels', (name, shape, dims) => {
  scope(() => {
    const y = list(F[name](ones(shape), { p: 0.25 }));
    const channels = (shape as readonly number[]).slice(0, dims).reduce((a, b) => a * b, 1);
    let dropped = 0;
    for (let c = 0; c < channels; c++) {
      const channel = new Set(y.slice(3 * c, 3 * c + 3));
      expect(channel.size).toBe(1);
      if (channel.has(0)) dropped++;
      else expect([...channel][0]).toBeCloseTo(4 / 3, 6);
    }
    const off = Math.abs(dropped - channels / 4) / Math.sqrt((channels * 3) / 16);
    expect(off).toBeLessThan(5);
  });
});

it('alphaDropout keeps mean and variance, and drops to one value', () => {
  scope(() => {
    const y = F.alphaDropout(randn([40000]), { p: 0.3, training: true });
    expect(Math.abs(y.mean().item())).toBeLessThan(0.03);
    expect(Math.abs(y.std().item() - 1)).toBeLessThan(0.03);
    const a = 1 / Math.sqrt((1.7580993408473766 ** 2 * 0.3 + 1) * 0.7);
    const dropped = -1.7580993408473766 * a * 0.7;
    const share = list(y).filter((v) => Math.abs(v - dropped) < 1e-5).length / y.size;
    expect(Math.abs(share - 0.3)).toBeLessThan(0.02);
    const channels = list(F.featureAlphaDropout(ones([100, 10, 4]), { p: 0.5, training: true }));
    expect(new Set(channels.map((v) => v.toFixed(4))).size).toBe(2);
    for (let c = 0; c < 1000; c++) expect(new Set(channels.slice(4 * c, 4 * c + 4)).size).toBe(1);
    expect(F.alphaDropout(ones([3]), { p: 1, training: true }).toArray()).toEqual([0, 0, 0]);
  });
});

it('rrelu draws slopes from lower to upper in training', () => {
  scope(() => {
    const x = ones([10000]).mul(-1);
    const slopes = list(F.rrelu(x, { lower: 0.1, upper: 0.5, training: true })).map((v) => -v);
    expect(Math.min(...slopes)).toBeGreaterThanOrEqual(0.1);
    expect(Math.max(...slopes)).toBeLessThanOrEqual(0.5);
    expect(Math.abs(slopes.reduce((a, b) => a + b, 0) / 10000 - 0.3)).toBeLessThan(0.01);
  });
});

it('gumbelSoftmax draws classes by their probabilities, with the gradient of the soft one', () => {
  scope(() => {
    const logits = ones([5000, 1])
      .matmul(ones([1, 3]))
      .mul(F.softmax(randn([3]), 0))
      .requiresGrad_();
    manualSeed(3);
    const hard = F.gumbelSoftmax(logits, { hard: true, tau: 0.5 });
    const weights = randn([5000, 3]);
    manualSeed(3);
    const soft = F.gumbelSoftmax(logits, { tau: 0.5 });
    expect(list(hard.sum(1)).every((v) => Math.abs(v - 1) < 1e-6)).toBe(true);
    expect(list(hard.max(1).values).every((v) => Math.abs(v - 1) < 1e-6)).toBe(true);
    const share = hard.mean(0).sub(F.softmax(logits, 1).select(0, 0)).abs().max().item();
    expect(share).toBeLessThan(0.04);
    hard.mul(weights).sum().backward();
    const first = logits.grad?.data as Float32Array;
    logits.clearGrad();
    soft.mul(weights).sum().backward();
    expect(logits.grad?.data).toEqual(first);
  });
});

const draws: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  dropout1d: (x) => F.dropout1d(x),
  dropout2d: (x) => F.dropout2d(x),
  alphaDropout: (x) => F.alphaDropout(x, { training: true }),
  featureAlphaDropout: (x) => F.featureAlphaDropout(x, { training: true }),
  rrelu: (x) => F.rrelu(x, { training: true }),
  gumbelSoftmax: (x) => F.gumbelSoftmax(x),
  'gumbelSoftmax, hard': (x) => F.gumbelSoftmax(x, { hard: true }),
};

it.each(Object.entries(draws))('%s repeats by its seed, compiled too, and anew each time', (_, draw) => {
  scope(() => {
    const x = randn([2, 3, 4]);
    const twice = (fn: (x: Tensor) => Tensor): string[] => {
      manualSeed(5);
      return [bits(fn(x)), bits(fn(x))];
    };
    const eager = twice(draw);
    expect(twice(draw)).toEqual(eager);
    expect(eager[0]).not.toBe(eager[1]);
    const compiled = compile(draw);
    twice(compiled);
    expect(twice(compiled)).toEqual(eager);
    compiled.dispose();
  });
});

it('refuses what they cannot take, by name', () => {
  scope(() => {
    expect(() => F.dropout2d(ones([2, 2]))).toThrow(/^dropout2d: expected input of 3 or 4 dims, got \[2, 2\]/);
    expect(() => F.dropout1d(ones([2, 2]), { p: 2 })).toThrow(/^dropout1d: expected p from 0 to 1, got 2/);
    expect(() => F.alphaDropout(ones([2]), { p: -1 })).toThrow(ArgumentError);
    expect(() => F.rrelu(ones([2]), { lower: 1 })).toThrow(/^rrelu: expected lower <= upper, got 1/);
    expect(() => F.gumbelSoftmax(ones([2]), { tau: 0 })).toThrow(/^gumbelSoftmax: expected tau > 0, got 0/);
    expect(() => F.glu(ones([3]))).toThrow(ShapeError);
    expect(() => F.softshrink(ones([3]), { lambd: -1 })).toThrow(/^softshrink: expected lambd >= 0, got -1/);
    expect(() => F.celu(ones([3]), { alpha: 0 })).toThrow(/^celu: expected alpha > 0, got 0/);
    expect(() => F.prelu(ones([2, 3]), ones([2]))).toThrow(/^prelu: expected a weight for each of 3 channels/);
    expect(() => F.localResponseNorm(ones([2, 3]), 2)).toThrow(/^localResponseNorm: expected input of at least 3/);
    expect(() => F.bilinear(ones([2, 3]), ones([2, 2]), ones([4, 3, 3]))).toThrow(/^bilinear: expected inputs/);
  });
});
