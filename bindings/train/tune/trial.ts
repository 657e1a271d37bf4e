// What a search knows of its trials.
import type { Distribution } from './distributions.ts';

/** A hyperparameter: drawn, given, or by a function of those before it; undefined is none. */
export type Hyperparameter = Distribution<unknown> | ((config: never) => unknown) | string | number | boolean | null;

/** Hyperparameters by name, in the order in which they are drawn. */
export type Space = Readonly<Record<string, Hyperparameter>>;

/** What is drawn of a hyperparameter. */
export type Drawn<H> = H extends Distribution<infer T> ? T : H;

/** Hyperparameters of a trial. */
export type ConfigOf<S extends Space> = {
  readonly [K in keyof S]: S[K] extends (config: never) => infer H ? Drawn<H> : Drawn<S[K]>;
};

/** What a trial gets besides its hyperparameters. */
export interface Trial {
  /** Its number, from 0. */
  readonly id: number;
  /**
   * Tells how it stands, such as after each epoch.
   * @param step from 1: epochs, or what else is spent
   * @param value what is to become least, or most
   * @returns whether it is worth going on; where it is not, `run` returns
   */
  report(step: number, value: number): Promise<boolean>;
}

/** A trial that has ended. */
export interface TrialRecord<C = Readonly<Record<string, unknown>>> {
  /** Its number, from 0. */
  readonly trial: number;
  /** Its hyperparameters. */
  readonly config: C;
  /** What it reported: steps and values. */
  readonly reports: readonly (readonly [step: number, value: number])[];
  /** What came of it: what `run` gave, or reported last; null for a failure. */
  readonly value: number | null;
  /** `'stopped'`: by the scheduler. */
  readonly state: 'finished' | 'stopped' | 'failed';
  /** Why it failed. */
  readonly error?: string;
  /** How long it took. */
  readonly seconds: number;
}

/** What a search found. */
export interface TuneResult<C = Readonly<Record<string, unknown>>> {
  /** The best that finished, or was stopped where none did; null where all failed. */
  readonly best: TrialRecord<C> | null;
  /** All, by their numbers. */
  readonly trials: readonly TrialRecord<C>[];
  /** A table of the best, for a terminal. */
  toString(): string;
  /** All trials as lines through their hyperparameters, a picture of SVG. */
  toSvg(): string;
  /** A page with that picture and a table. */
  toHtml(): string;
}

/** Options of {@link tune}. */
export interface TuneOptions<C = Readonly<Record<string, unknown>>> {
  /** How many there are in all, with those of the file. @defaultValue 20 */
  trials?: number;
  /** `'tpe'`: like those that were good, by tree-structured Parzen estimators; `'random'`. @defaultValue 'tpe' */
  sampler?: 'tpe' | 'random';
  /**
   * `'asha'`: of all that reach a rung, steps times `reductionFactor`, only the best go on; `'hyperband'`: the same
   * with several first rungs; null: all go on.
   * @defaultValue null
   */
  scheduler?: 'asha' | 'hyperband' | null;
  /** Whether the least value is best, or the greatest. @defaultValue 'min' */
  direction?: 'min' | 'max';
  /** From this and the trials before, all is drawn. @defaultValue 0 */
  seed?: number;
  /** The step of the first rung. @defaultValue 1 */
  minResource?: number;
  /** The step from which nothing is stopped. @defaultValue 27 */
  maxResource?: number;
  /** One of so many goes on. @defaultValue 3 */
  reductionFactor?: number;
  /**
   * A file of JSON lines, to which each trial is written when it ends; those that are there are not run again.
   * @defaultValue null
   */
  file?: string | null;
  /** How many worker threads run trials at once, where `run` is a module. @defaultValue 1 */
  workers?: number;
  /** Is called when a trial has ended. @defaultValue null */
  onTrial?: ((trial: TrialRecord<C>) => void) | null;
}
