// Distributions, and whether numbers were drawn from them.
import { expect } from 'vitest';
import { normalCdf, normalPdf } from '../../reference/special.ts';

export interface Distribution {
  readonly low: number;
  readonly high: number;
  readonly mean: number;
  readonly std: number;
  /** E (x − mean)⁴ / std⁴. */
  readonly kurtosis: number;
  cdf(x: number): number;
}

export const uniform = (low: number, high: number): Distribution => ({
  ...{ low, high, mean: (low + high) / 2, std: (high - low) / Math.sqrt(12), kurtosis: 1.8 },
  cdf: (x) => (x - low) / (high - low),
});
export const normal = (mean: number, std: number): Distribution => ({
  ...{ low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY, mean, std, kurtosis: 3 },
  cdf: (x) => normalCdf((x - mean) / std),
});
/** The normal distribution of this mean and std, cut to [low, high]; moments by Simpson's rule. */
export function truncated(mean: number, std: number, low: number, high: number): Distribution {
  const z = (x: number): number => (x - mean) / std;
  const mass = normalCdf(z(high)) - normalCdf(z(low));
  const steps = 2000;
  const h = (high - low) / steps;
  const expectation = (f: (x: number) => number): number => {
    let sum = 0;
    for (let i = 0; i <= steps; i++) {
      const x = low + i * h;
      const weight = i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2;
      sum += (weight * f(x) * normalPdf(z(x))) / std / mass;
    }
    return (sum * h) / 3;
  };
  const center = expectation((x) => x);
  const variance = expectation((x) => (x - center) ** 2);
  return {
    ...{ low, high, mean: center, std: Math.sqrt(variance) },
    kurtosis: expectation((x) => (x - center) ** 4) / variance ** 2,
    cdf: (x) => (normalCdf(z(x)) - normalCdf(z(low))) / mass,
  };
}

/** Standard errors that a statistic may be off by: seeds are fixed, and one in a hundred million would fail. */
export const ERRORS = 6;
/** The same for √n · the Kolmogorov–Smirnov distance: 2 e^(−2 · 3²). */
const DISTANCE = 3;

export function expectDistributed(numbers: ArrayLike<number>, expected: Distribution): void {
  const values = Float64Array.from(numbers).sort();
  const n = values.length;
  const mean = values.reduce((a, b) => a + b, 0) / n;
  const std = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / n);
  // What is rounded to f32 may be half a unit outside.
  const slack = 2 ** -23 * Math.max(Math.abs(expected.low), Math.abs(expected.high));
  if (Number.isFinite(slack)) {
    expect(values[0]).toBeGreaterThanOrEqual(expected.low - slack);
    expect(values[n - 1]).toBeLessThanOrEqual(expected.high + slack);
  }
  expect(Math.abs(mean - expected.mean), `mean ${mean}`).toBeLessThan((ERRORS * expected.std) / Math.sqrt(n));
  expect(Math.abs(std / expected.std - 1), `std ${std}, not ${expected.std}`).toBeLessThan(
    ERRORS * Math.sqrt((expected.kurtosis - 1) / (4 * n)),
  );
  const distance = values.reduce((worst, value, i) => {
    const p = expected.cdf(value);
    return Math.max(worst, p - i / n, (i + 1) / n - p);
  }, 0);
  expect(distance * Math.sqrt(n), 'Kolmogorov–Smirnov distance').toBeLessThan(DISTANCE);
}
