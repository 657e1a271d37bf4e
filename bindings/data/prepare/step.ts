// What a preparation is made of: steps that look at a column once, and then turn its values into numbers.
import { ArgumentError } from '../../memory/errors.ts';
import type { Counts, Moments, Sample } from './statistics.ts';
import { numbersOf } from './values.ts';

/** What of a step is saved: JSON that has its name as `step`. */
export interface StepState {
  /** Its name. */
  readonly step: string;
  readonly [key: string]: unknown;
}

/**
 * A step of a {@link Preparation}. Steps of numbers come one after the other; a step that makes codes or several
 * columns comes last.
 */
export interface Step {
  /** Whether it knows all that it has to know of the data. */
  readonly fitted: boolean;
  /** How many numbers it gives for a value. */
  readonly width: number;
  /** Whether these are whole numbers that name something. */
  readonly codes: boolean;
  /** Looks at more values. */
  collect(values: ArrayLike<unknown>): void;
  /** Has seen all of them. @param where the column, for messages */
  finish(where: string): void;
  /** What it makes of values: `width` numbers each, row by row. Missing ones are NaN. */
  apply(values: ArrayLike<unknown>): Float64Array;
  /** The values that it makes numbers of, where it is of one number and can go back; else null. */
  readonly inverse: ((values: Float64Array) => Float64Array) | null;
  /** What of it is saved. */
  state(): StepState;
}

/** A step that knows all from the start, and gives a number for a number. */
export function plain(
  name: string,
  options: object,
  apply: (x: number) => number,
  inverse: ((y: number) => number) | null = null,
): Step {
  return {
    ...{ fitted: true, width: 1, codes: false, collect() {}, finish() {} },
    apply: (values) => numbersOf(values).map(apply),
    inverse: inverse && ((values) => values.map(inverse)),
    state: () => ({ step: name, ...options }),
  };
}

/** What finds out about values. */
interface Statistics {
  counts(): Counts;
  moments(): Moments;
  sample(): Sample;
}

let loaded: Statistics | null = null;

/** Has steps find out by these: they come with the first fit(). */
export function findBy(statistics: Statistics): void {
  loaded = statistics;
}

/** @throws ArgumentError before the first fit() */
export function statistics(): Statistics {
  if (loaded) return loaded;
  throw new ArgumentError('collect: expected a step of a Preparation, got one alone; await its fit() instead');
}
