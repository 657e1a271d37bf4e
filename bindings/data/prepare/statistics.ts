// What one pass over numbers tells of them, in chunks of any size.
import { Shuffle } from '../shuffle.ts';
import { keyOf } from './values.ts';

/** Count, mean, standard deviation, least and largest, of all that are no NaN. */
export class Moments {
  count = 0;
  mean = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  #squares = 0;

  /** Adds numbers (Chan's update, chunk by chunk, which does not lose digits where the mean is large). */
  add(values: Float64Array): void {
    let [n, sum] = [0, 0];
    for (const x of values)
      if (!Number.isNaN(x)) {
        n++;
        sum += x;
        if (x < this.min) this.min = x;
        if (x > this.max) this.max = x;
      }
    if (n === 0) return;
    const mean = sum / n;
    let squares = 0;
    for (const x of values) if (!Number.isNaN(x)) squares += (x - mean) ** 2;
    const all = this.count + n;
    const apart = mean - this.mean;
    this.#squares += squares + (apart * apart * this.count * n) / all;
    this.mean += (apart * n) / all;
    this.count = all;
  }

  /** The standard deviation of these as a whole (divided by their count). */
  get std(): number {
    return Math.sqrt(this.#squares / Math.max(1, this.count));
  }
}

/** Values that a sample keeps. */
const KEPT = 100_000;

/** Numbers drawn from all, each as likely as another; all of them where they are few. The same ones every time. */
export class Sample {
  readonly #kept: number[] = [];
  readonly #random = new Shuffle(0, 0);
  #count = 0;

  /** How many it has. */
  get size(): number {
    return this.#kept.length;
  }

  add(values: Float64Array): void {
    for (const x of values) {
      if (Number.isNaN(x)) continue;
      this.#count++;
      if (this.#kept.length < KEPT) this.#kept.push(x);
      else {
        const place = this.#random.below(this.#count);
        if (place < KEPT) this.#kept[place] = x;
      }
    }
  }

  /** How many lie in each of `bins` even ranges from `min` to `max`. */
  histogram(min: number, max: number, bins: number): number[] {
    const counts = new Array<number>(bins).fill(0);
    const scale = bins / (max - min || 1);
    for (const x of this.#kept) {
      const bin = Math.min(bins - 1, Math.floor((x - min) * scale));
      if (bin >= 0) counts[bin] = (counts[bin] as number) + 1;
    }
    return counts;
  }

  /** The least, the largest, and those between in even ranks, `count` in all. */
  quantiles(count: number): number[] {
    const sorted = Float64Array.from(this.#kept).sort();
    return Array.from({ length: count }, (_, i) => {
      const place = (i / (count - 1)) * (sorted.length - 1);
      const [from, rest] = [Math.floor(place), place % 1];
      const low = sorted[from] as number;
      return rest === 0 ? low : low + rest * ((sorted[from + 1] as number) - low);
    });
  }
}

/** Distinct values that are counted; those that come later are not told apart. */
const DISTINCT = 1_000_000;

/** How often each value comes. */
export class Counts {
  readonly counts = new Map<string, number>();
  missing = 0;
  /** Whether there were more values than it can tell apart. */
  full = false;
  readonly #most: number;

  constructor(most = DISTINCT) {
    this.#most = most;
  }

  add(values: ArrayLike<unknown>): void {
    for (let i = 0; i < values.length; i++) {
      const key = keyOf(values[i]);
      if (key === null) this.missing++;
      else {
        const count = this.counts.get(key);
        if (count === undefined && this.counts.size >= this.#most) this.full = true;
        else this.counts.set(key, (count ?? 0) + 1);
      }
    }
  }

  /** The values, the most frequent first; of those that are as frequent the first by their characters. */
  sorted(): [value: string, count: number][] {
    return [...this.counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  }
}
