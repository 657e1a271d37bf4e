// Steps that turn names, and dates, into numbers.
import { ArgumentError } from '../../memory/errors.ts';
import { callable } from '../../signature.ts';
import { atLeast } from '../pipeline/checks.ts';
import type { Counts } from './statistics.ts';
import { type Step, statistics } from './step.ts';
import { keyOf, numbersOf, type Values } from './values.ts';

/** Options of {@link oneHot} and {@link codes}. */
export interface CategoryOptions {
  /** Values that come less often are unknown. @defaultValue 1 */
  minCount?: number;
  /** The most values that are known, the most frequent of all. @defaultValue Infinity */
  max?: number;
}

/** Values and the numbers that stand for them: from 1, 0 for what is unknown or missing. */
class Vocabulary {
  #counts: Counts | null = null;
  #numbers: Map<string, number> | null;

  constructor(known: readonly string[] | null) {
    this.#numbers = known && new Map(known.map((value, i) => [value, i + 1]));
  }

  get fitted(): boolean {
    return this.#numbers !== null;
  }

  /** The known values, in the order of their numbers. */
  get values(): string[] {
    return [...(this.#numbers ?? new Map<string, number>()).keys()];
  }

  add(values: Values): void {
    this.#counts ??= statistics().counts();
    this.#counts.add(values);
  }

  finish(minCount: number, max: number): void {
    const often = (this.#counts?.sorted() ?? []).filter(([, count]) => count >= minCount);
    this.#numbers = new Map(often.slice(0, max).map(([value], i) => [value, i + 1]));
  }

  numberOf(value: unknown): number {
    const key = keyOf(value);
    return key === null ? 0 : (this.#numbers?.get(key) ?? 0);
  }
}

export function codesOf(
  minCount: number,
  max: number,
  fit: readonly string[] | null,
): Step & { readonly values: string[] } {
  const known = new Vocabulary(fit);
  return {
    ...{ width: 1, codes: true, inverse: null },
    get fitted() {
      return known.fitted;
    },
    get values() {
      return known.values;
    },
    collect: (values) => known.add(values),
    finish: () => known.finish(minCount, max),
    apply: (values) => Float64Array.from(values as ArrayLike<number>, (value) => known.numberOf(value)),
    state: () => ({ step: 'codes', minCount, max: Number.isFinite(max) ? max : null, fit: known.values }),
  };
}

export function oneHotOf(
  minCount: number,
  max: number,
  fit: readonly string[] | null,
): Step & { readonly values: string[] } {
  const known = new Vocabulary(fit);
  return {
    ...{ codes: false, inverse: null },
    get fitted() {
      return known.fitted;
    },
    get width() {
      return known.values.length;
    },
    get values() {
      return known.values;
    },
    collect: (values) => known.add(values),
    finish: () => known.finish(minCount, max),
    apply(values) {
      const width = known.values.length;
      const hot = new Float64Array(values.length * width);
      for (let i = 0; i < values.length; i++) {
        const number = known.numberOf(values[i]);
        if (number > 0) hot[i * width + number - 1] = 1;
      }
      return hot;
    },
    state: () => ({ step: 'oneHot', minCount, max: Number.isFinite(max) ? max : null, fit: known.values }),
  };
}

/** FNV-1a over the UTF-16 of a text, mixed so that its low bits are as good as its high ones (Murmur3's last steps). */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

export const hashedOf = (buckets: number): Step => ({
  ...{ fitted: true, width: 1, codes: true, inverse: null, collect() {}, finish() {} },
  apply: (values) =>
    Float64Array.from(values as ArrayLike<number>, (value) => {
      const key = keyOf(value);
      return key === null ? 0 : 1 + (hash(key) % (buckets - 1));
    }),
  state: () => ({ step: 'hashed', buckets }),
});

/** Parts of a date: its period, and the number of it, from 0, in UTC. */
const PARTS: Readonly<Record<DatePart, readonly [period: number, of: (date: Date) => number]>> = {
  year: [0, (date) => date.getUTCFullYear()],
  month: [12, (date) => date.getUTCMonth()],
  day: [31, (date) => date.getUTCDate() - 1],
  weekday: [7, (date) => date.getUTCDay()],
  hour: [24, (date) => date.getUTCHours() + date.getUTCMinutes() / 60],
  minute: [60, (date) => date.getUTCMinutes()],
};

/** A part of a date that {@link dateParts} makes numbers of. */
export type DatePart = 'year' | 'month' | 'day' | 'weekday' | 'hour' | 'minute';

export function datePartsOf(parts: readonly DatePart[]): Step {
  const rows = parts.map((part) => PARTS[part]);
  const width = rows.reduce((sum, [period]) => sum + (period ? 2 : 1), 0);
  return {
    ...{ fitted: true, width, codes: false, inverse: null, collect() {}, finish() {} },
    apply(values) {
      const numbers = new Float64Array(values.length * width);
      const times = numbersOf(Array.from(values, (value) => (typeof value === 'string' ? Date.parse(value) : value)));
      let at = 0;
      for (const time of times) {
        const date = new Date(time);
        for (const [period, of] of rows) {
          const angle = (2 * Math.PI * of(date)) / period;
          if (period) numbers[at++] = Math.sin(angle);
          numbers[at++] = period ? Math.cos(angle) : of(date);
        }
      }
      return numbers;
    },
    state: () => ({ step: 'dateParts', parts }),
  };
}

function checkCategories(op: string, minCount: number, max: number): void {
  if (!(minCount >= 1 && max >= 1))
    throw new ArgumentError(`${op}: expected minCount and max >= 1, got ${minCount} and ${max}`);
}

/**
 * A number for each value of the data, from 1, the most frequent first, for an nn.Embedding; 0 for values that the data
 * did not have and missing ones.
 */
export const codes = callable<(options?: CategoryOptions) => Step>(
  'codes(*, minCount: int = 1, max: number = Infinity)',
  (minCount: number, max: number) => {
    checkCategories('codes', minCount, max);
    return codesOf(minCount, max, null);
  },
);

/** A column for each value of the data, 1 where it is the one; all 0 where it is unknown or missing. */
export const oneHot = callable<(options?: CategoryOptions) => Step>(
  'oneHot(*, minCount: int = 1, max: number = Infinity)',
  (minCount: number, max: number) => {
    checkCategories('oneHot', minCount, max);
    return oneHotOf(minCount, max, null);
  },
);

/**
 * A number from 1 to buckets − 1 for each value, by a hash of its text, 0 where it is missing: for values that are too
 * many to count. Different values may have one number.
 */
export const hashed = callable<(buckets: number) => Step>('hashed(buckets: int)', (buckets: number) => {
  atLeast('hashed', 'buckets', buckets, 2);
  return hashedOf(buckets);
});

/**
 * Parts of dates, which are milliseconds since 1970, Dates, or text that Date.parse() reads, all in UTC: of what comes
 * again a sine and a cosine, so that December is beside January; of years their number.
 */
export const dateParts = callable<(...parts: DatePart[]) => Step>(
  'dateParts(...parts: string)',
  (parts: DatePart[]) => {
    const strange = parts.find((part) => !Object.hasOwn(PARTS, part));
    if (strange !== undefined || parts.length === 0)
      throw new ArgumentError(
        `dateParts: expected some of ${Object.keys(PARTS).join(', ')}, got ${strange === undefined ? 'none' : `'${strange}'`}`,
      );
    return datePartsOf(parts);
  },
);
