// What hyperparameters may be: each value has a place from 0 to 1, in which those alike lie close together.
import { jsonFault } from '../../io/plain.ts';
import { ArgumentError } from '../../memory/errors.ts';
import { callable } from '../../signature.ts';

/** Where a hyperparameter is drawn from. */
export interface Distribution<T> {
  /** Whether it is one of several that have no order. */
  readonly kind: 'range' | 'choice';
  /** As a file of trials has it. */
  readonly text: string;
  /** Choices, in their order; none of ranges. */
  readonly options: readonly T[];
  /** The value at a place from 0 up to 1. */
  at(place: number): T;
  /** The place of a value, in its middle. */
  placeOf(value: T): number;
}

/** Options of {@link int}. */
export interface IntOptions {
  /** Whether small numbers are as likely as all that are twice as large. @defaultValue false */
  log?: boolean;
}

function range(text: string, low: number, high: number, log: boolean): Distribution<number> {
  const [from, to] = log ? [Math.log(low), Math.log(high)] : [low, high];
  return {
    ...{ kind: 'range', text, options: [] },
    at: (place) => {
      const x = from + place * (to - from);
      return Math.min(high, Math.max(low, log ? Math.exp(x) : x));
    },
    placeOf: (value) => (from === to ? 0.5 : ((log ? Math.log(value) : value) - from) / (to - from)),
  };
}

function checkEnds(op: string, low: number, high: number, least: number): void {
  if (!(low < high && low > least && Number.isFinite(high)))
    throw new ArgumentError(
      `${op}: expected finite low < high${least === 0 ? ', both above 0' : ''}, got ${low} and ${high}`,
    );
}

/** Any number from `low` to `high`, all equally likely. @throws ArgumentError */
export const uniform = callable(
  'uniform(low: number, high: number)',
  (low: number, high: number): Distribution<number> => {
    checkEnds('uniform', low, high, Number.NEGATIVE_INFINITY);
    return range(`uniform ${low} ${high}`, low, high, false);
  },
);

/** Any number from `low` to `high`, equally likely from each to its double: learning rates. @throws ArgumentError */
export const logUniform = callable(
  'logUniform(low: number, high: number)',
  (low: number, high: number): Distribution<number> => {
    checkEnds('logUniform', low, high, 0);
    return range(`logUniform ${low} ${high}`, low, high, true);
  },
);

/** A whole number from `low` to `high`, both included. @throws ArgumentError */
export const int = callable<(low: number, high: number, options?: IntOptions) => Distribution<number>>(
  'int(low: int, high: int, *, log: bool = false)',
  (low: number, high: number, log: boolean): Distribution<number> => {
    if (low > high || (log && low < 1))
      throw new ArgumentError(`int: expected low <= high${log ? ' from 1' : ''}, got ${low} and ${high}`);
    // Each number has as much room as the others.
    const real = range(`int ${low} ${high} ${log}`, low - 0.5, high + 0.5, log);
    return { ...real, at: (place) => Math.min(high, Math.max(low, Math.round(real.at(place)))) };
  },
);

/** One of several values of JSON, which have no order. @throws ArgumentError for none, and for others */
export const choice = callable<<T>(options: readonly T[]) => Distribution<T>>(
  'choice(options: any[])',
  (options: readonly unknown[]): Distribution<never> => {
    if (options.length === 0) throw new ArgumentError('choice: expected at least one option, got none');
    const fault = jsonFault(options, 'options');
    if (fault)
      throw new ArgumentError(
        `choice: expected options of JSON, got others: ${fault}; choose among names, and look them up`,
      );
    const all = [...options] as never[];
    return {
      ...{ kind: 'choice', text: `choice ${JSON.stringify(all)}`, options: all },
      at: (place) => all[Math.min(all.length - 1, Math.floor(place * all.length))] as never,
      placeOf: (value) => (all.findIndex((each) => JSON.stringify(each) === JSON.stringify(value)) + 0.5) / all.length,
    };
  },
);
