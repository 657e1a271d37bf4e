// Steps that turn numbers into other numbers.
import { ArgumentError } from '../../memory/errors.ts';
import { callable } from '../../signature.ts';
import { atLeast } from '../pipeline/checks.ts';
import type { Moments, Sample } from './statistics.ts';
import { plain, type Step, statistics } from './step.ts';
import { numbersOf, type Values } from './values.ts';

/** a·x + b, where a and b are found when the data was seen. */
function affine(
  name: string,
  options: object,
  known: readonly [number, number] | null,
  find: (m: Moments) => [number, number],
): Step {
  let moments: Moments | undefined;
  let [a, b] = known ?? [Number.NaN, 0];
  return {
    ...{ width: 1, codes: false },
    get fitted() {
      return !Number.isNaN(a);
    },
    collect(values) {
      moments ??= statistics().moments();
      moments.add(numbersOf(values));
    },
    finish(where) {
      if (!moments?.count)
        throw new ArgumentError(`${where}: expected numbers for ${name}, got none; leave the column out`);
      [a, b] = find(moments);
    },
    apply: (values) => numbersOf(values).map((x) => a * x + b),
    inverse: (values) => values.map((y) => (y - b) / a),
    state: () => ({ step: name, ...options, fit: [a, b] }),
  };
}

/** What is known of a step that was saved. */
export type Fit = readonly [number, number] | null;

export const standardizeOf = (fit: Fit): Step =>
  affine('standardize', {}, fit, ({ mean, std }) => {
    const scale = 1 / (std || 1);
    return [scale, -mean * scale];
  });

export const minMaxOf = (low: number, high: number, fit: Fit): Step =>
  affine('minMax', { low, high }, fit, ({ min, max }) => {
    const scale = (high - low) / (max - min || 1);
    return [scale, low - min * scale];
  });

/** The natural logarithm of x + offset. */
export const logOf = (offset: number): Step =>
  plain(
    'log',
    { offset },
    (x) => Math.log(x + offset),
    (y) => Math.exp(y) - offset,
  );

export const clipOf = (low: number, high: number): Step =>
  plain('clip', { low, high }, (x) => (x < low ? low : x > high ? high : x));

/** The rank of a value among those of the data, from 0 to 1: linear between `points` of them. */
export function quantileOf(count: number, normal: boolean, fit: readonly number[] | null): Step {
  let sample: Sample | undefined;
  let points = fit;
  const rank = (x: number): number => {
    const at = points as readonly number[];
    const last = at.length - 1;
    if (Number.isNaN(x)) return x;
    if (x <= (at[0] as number)) return 0;
    if (x >= (at[last] as number)) return 1;
    // Values that are often, and so are several points, have the middle of their ranks.
    const [from, to] = [lowest(at, x), lowest(at, x, true)];
    if (to > from) return (from + to - 1) / 2 / last;
    const [a, b] = [at[from - 1] as number, at[from] as number];
    return (from - 1 + (x - a) / (b - a)) / last;
  };
  const value = (p: number): number => {
    const at = points as readonly number[];
    const place = Math.min(1, Math.max(0, p)) * (at.length - 1);
    const i = Math.floor(place);
    return (at[i] as number) + (place - i) * ((at[i + 1] ?? at[i]) as number) - (place - i) * (at[i] as number);
  };
  return {
    ...{ width: 1, codes: false },
    get fitted() {
      return points !== null;
    },
    collect(values) {
      sample ??= statistics().sample();
      sample.add(numbersOf(values));
    },
    finish(where) {
      if (!sample?.size)
        throw new ArgumentError(`${where}: expected numbers for quantile, got none; leave the column out`);
      points = sample.quantiles(count);
    },
    apply: (values) => numbersOf(values).map((x) => (normal ? normalOf(rank(x)) : rank(x))),
    inverse: (values) => values.map((y) => value(normal ? rankOfNormal(y) : y)),
    state: () => ({ step: 'quantile', points: count, normal, fit: points }),
  };
}

/** How many of the sorted numbers are below x, or with `through` not above it. */
function lowest(sorted: readonly number[], x: number, through = false): number {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    const at = sorted[middle] as number;
    if (at < x || (through && at === x)) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** As far as ranks go to normal numbers: scikit-learn's bound. */
const LEAST = 1e-7;

/** The number below which a normal one is with probability p (Acklam's rational approximation, to 1.2e-9). */
function normalOf(rank: number): number {
  const p = Math.min(1 - LEAST, Math.max(LEAST, rank));
  if (p > 0.5) return -normalOf(1 - p);
  const ratio = (over: readonly number[], under: readonly number[], x: number): number =>
    over.reduce((sum, c) => sum * x + c, 0) / under.reduce((sum, c) => sum * x + c, 0);
  if (p < 0.02425)
    return ratio(
      [
        -7.784894002430293e-3, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968,
        2.938163982698783,
      ],
      [7.784695709041462e-3, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1],
      Math.sqrt(-2 * Math.log(p)),
    );
  const q = p - 0.5;
  return (
    q *
    ratio(
      [
        -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716,
        2.506628277459239,
      ],
      [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1],
      q * q,
    )
  );
}

/** How many normal numbers are below z: the reverse of {@link normalOf}, by bisection. */
function rankOfNormal(z: number): number {
  let [from, to] = [LEAST, 1 - LEAST];
  for (let i = 0; i < 50; i++) {
    const middle = (from + to) / 2;
    if (normalOf(middle) < z) from = middle;
    else to = middle;
  }
  return (from + to) / 2;
}

/** What stands in for missing values. */
export type Fill = 'mean' | 'median' | number;

/** Puts a number where one is missing, and with `flag` a second that is 1 there. */
export function fillOf(by: Fill, flag: boolean, fit: number | null): Step {
  let moments: Moments | undefined;
  let sample: Sample | undefined;
  let value = typeof by === 'number' ? by : (fit ?? Number.NaN);
  return {
    ...{ width: flag ? 2 : 1, codes: false, inverse: flag ? null : (values: Float64Array) => values },
    get fitted() {
      return !Number.isNaN(value);
    },
    collect(values) {
      if (by === 'median') sample ??= statistics().sample();
      else moments ??= statistics().moments();
      (sample ?? moments)?.add(numbersOf(values));
    },
    finish(where) {
      if (!(moments?.count || sample?.size))
        throw new ArgumentError(`${where}: expected numbers for fill, got none; give a number`);
      value = (sample?.quantiles(3)[1] ?? moments?.mean) as number;
    },
    apply(values: Values) {
      const x = numbersOf(values);
      if (!flag) return x.map((v) => (Number.isNaN(v) ? value : v));
      const filled = new Float64Array(2 * x.length);
      for (let i = 0; i < x.length; i++) {
        const missing = Number.isNaN(x[i]);
        filled[2 * i] = missing ? value : (x[i] as number);
        filled[2 * i + 1] = Number(missing);
      }
      return filled;
    },
    state: () => ({ step: 'fill', by, flag, fit: value }),
  };
}

/**
 * Subtracts the mean and divides by the standard deviation (scikit-learn's `StandardScaler`). Missing values stay NaN.
 */
export const standardize = callable<() => Step>('standardize()', () => standardizeOf(null));

/** Brings the least value to `low` and the largest to `high` (scikit-learn's `MinMaxScaler`). */
export const minMax = callable<(low?: number, high?: number) => Step>(
  'minMax(low: number = 0, high: number = 1)',
  (low: number, high: number) => {
    if (!(low < high)) throw new ArgumentError(`minMax: expected low < high, got ${low} and ${high}`);
    return minMaxOf(low, high, null);
  },
);

/** Options of {@link quantile}. */
export interface QuantileOptions {
  /** Values of the data between which ranks are linear. @defaultValue 1000 */
  points?: number;
  /** Whether ranks become normal numbers. @defaultValue false */
  normal?: boolean;
}

/**
 * The rank of a value among those of the data, from 0 to 1 (scikit-learn's `QuantileTransformer`): outliers do no harm.
 * Of more than 100,000 values a random sample of so many counts.
 */
export const quantile = callable<(options?: QuantileOptions) => Step>(
  'quantile(*, points: int = 1000, normal: bool = false)',
  (points: number, normal: boolean) => {
    atLeast('quantile', 'points', points, 2);
    return quantileOf(points, normal, null);
  },
);

/** The natural logarithm of x + offset, for what spans magnitudes. @param offset 1 makes 0 of 0; @defaultValue 0 */
export const log = callable<(offset?: number) => Step>('log(offset: number = 0)', logOf);

/** Cuts off what is below `low` or above `high`. */
export const clip = callable<(low: number, high: number) => Step>(
  'clip(low: number, high: number)',
  (low: number, high: number) => {
    if (!(low <= high)) throw new ArgumentError(`clip: expected low <= high, got ${low} and ${high}`);
    return clipOf(low, high);
  },
);

/** Options of {@link fill}. */
export interface FillOptions {
  /** Whether a second number says where one was missing. @defaultValue false */
  flag?: boolean;
}

/** Puts the mean, the median or a number where one is missing (scikit-learn's `SimpleImputer`). */
export const fill = callable<(by?: Fill, options?: FillOptions) => Step>(
  "fill(by: string|number = 'median', *, flag: bool = false)",
  (by: Fill, flag: boolean) => {
    if (typeof by === 'string' && by !== 'mean' && by !== 'median')
      throw new ArgumentError(`fill: expected 'mean', 'median' or a number, got '${by}'`);
    return fillOf(by, flag, null);
  },
);
