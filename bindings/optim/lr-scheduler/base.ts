// What all learning-rate schedules share: where they stand, what they write into groups of parameters, their state.

import type { Kind } from '../../kinds.ts';
import { ArgumentError, describe } from '../../memory/errors.ts';
import { type Arguments, signature } from '../../signature.ts';
import { Optimizer } from '../optimizer.ts';
import { expectObject } from '../settings.ts';
import { fieldsCopy, fieldsFault } from './state.ts';

/** Any optimizer. */
export type AnyOptimizer = Optimizer<object>;
/** What {@link LRScheduler.stateDict} gives: numbers, words, null, and lists and objects of them, as JSON has them. */
export type ScheduleState = Record<string, unknown>;

/** Options that most schedules have. */
export interface ScheduleOptions {
  /**
   * How many steps were made before; −1 starts anew. Otherwise groups have to have `initialLr`, as a loaded state has.
   * @defaultValue -1
   */
  lastEpoch?: number;
}

/** What schedules read and write in a group of parameters. */
export interface Scheduled {
  /** The learning rate. */
  lr: number;
  /** The momentum, of optimizers that have it. */
  momentum?: number;
  /** The decays of averages, of optimizers that have them; the first is the momentum. */
  betas?: readonly number[];
  /** The learning rate that schedules began with. */
  initialLr?: number;
  /** The greatest one of OneCycleLR. */
  maxLr?: number;
  /** The last one of OneCycleLR. */
  minLr?: number;
  /** The least momentum of cycles. */
  baseMomentum?: number;
  /** The greatest momentum of cycles. */
  maxMomentum?: number;
  /** The last one of SWALR. */
  swaLr?: number;
}

/** The kinds of arguments of schedules. */
export const kinds: Readonly<Record<string, Kind>> = {
  Optimizer: [(x) => x instanceof Optimizer, 'an optimizer', 'optimizers'],
  LRScheduler: [(x) => x instanceof LRScheduler, 'a schedule', 'schedules'],
};

const declared = signature('LRScheduler(optimizer: Optimizer, lastEpoch: int = -1)', kinds);
const takes = {
  step: signature('LRScheduler.step(epoch: number|null = null)'),
  getLastLr: signature('LRScheduler.getLastLr()'),
  stateDict: signature('LRScheduler.stateDict()'),
  loadStateDict: signature('LRScheduler.loadStateDict(stateDict: object)'),
};

/** The groups of an optimizer, as schedules see them. */
export const groupsOf = (optimizer: AnyOptimizer): readonly Scheduled[] =>
  optimizer.paramGroups as unknown as readonly Scheduled[];

/** One value for each group. @throws ArgumentError for a list of another length */
export function forGroups<T>(op: string, name: string, optimizer: AnyOptimizer, value: T | readonly T[]): T[] {
  const { length } = optimizer.paramGroups;
  if (!Array.isArray(value)) return new Array<T>(length).fill(value as T);
  if (value.length !== length)
    throw new ArgumentError(`${op}: expected ${length} values as ${name}, one a group, got ${value.length}`);
  return [...value];
}

/** @throws ArgumentError unless `value` is within [low, high] */
export function expectWithin(op: string, name: string, value: number, low: number, high: number): void {
  if (!(value >= low && value <= high))
    throw new ArgumentError(`${op}: expected ${name} from ${low} to ${high}, got ${value}`);
}

/** @throws ArgumentError unless `value` is a whole number >= low */
export function expectCount(op: string, name: string, value: number, low = 1): void {
  if (!(Number.isSafeInteger(value) && value >= low))
    throw new ArgumentError(`${op}: expected ${name} to be a whole number >= ${low}, got ${value}`);
}

/**
 * Base class of the schedules (PyTorch's `lr_scheduler.LRScheduler`): each `step()`, after the optimizer's, writes the
 * next learning rate into every group of parameters. Compiled steps read it there, without a new trace.
 *
 * A schedule of your own extends it and computes the learning rates in `getLr()`, one a group, from `lastEpoch`,
 * `baseLrs` and the groups; its constructor ends with `this.begin()`.
 * @example
 * ```ts
 * const optimizer = new optim.SGD(new nn.Linear(4, 1).parameters(), { lr: 0.1 });
 * const schedule = new optim.lrScheduler.StepLR(optimizer, 30, { gamma: 0.1 });
 * for (let epoch = 0; epoch < 100; epoch++) {
 *   // … an epoch of optimizer.step()
 *   schedule.step();
 * }
 * console.log(schedule.getLastLr()); // 0.0001 by now
 * ```
 */
export abstract class LRScheduler {
  /** The optimizer whose groups it writes into. */
  readonly optimizer: AnyOptimizer;
  /** How many steps were made, from 0. */
  lastEpoch: number;
  /** The learning rates that it began with, one a group. */
  protected baseLrs: number[] = [];
  /** @internal */
  protected lastLr: number[] = [];
  /** @internal */
  protected stepCount = 0;
  /** Whether this is the step that `begin()` makes. */
  #initial = false;

  constructor(...args: Arguments<[optimizer: AnyOptimizer], [lastEpoch: number], ScheduleOptions>) {
    const [optimizer, lastEpoch] = declared.parse(args) as [AnyOptimizer, number];
    this.optimizer = optimizer;
    this.lastEpoch = lastEpoch;
  }

  /** The groups that it writes into. */
  protected get groups(): readonly Scheduled[] {
    return groupsOf(this.optimizer);
  }

  /** @internal */
  protected get initial(): boolean {
    return this.#initial;
  }

  /** The learning rates of all groups as they are. */
  protected currentLrs(): number[] {
    return this.groups.map(({ lr }) => lr);
  }

  /** The learning rates at `lastEpoch`, one a group, from those of the step before. */
  protected abstract getLr(): number[];

  /** The learning rates at `lastEpoch` without those of the step before, where there is such a formula. @internal */
  protected closedForm(): number[] {
    return this.getLr();
  }

  /** Writes the first learning rates; the last that a constructor does. */
  protected begin(): void {
    const op = this.constructor.name;
    const missing = this.groups.findIndex(({ initialLr }) => initialLr === undefined);
    if (this.lastEpoch !== -1 && missing >= 0)
      throw new ArgumentError(
        `${op}: expected initialLr in each group with lastEpoch ${this.lastEpoch}, got none in group ${missing}; load the state of the optimizer first`,
      );
    for (const group of this.groups) group.initialLr ??= group.lr;
    this.baseLrs = this.groups.map(({ initialLr }) => initialLr as number);
    this.beginAgain();
  }

  /** @internal */
  beginAgain(): void {
    this.stepCount = 0;
    this.#initial = true;
    try {
      this.step();
    } finally {
      this.#initial = false;
    }
  }

  /**
   * Writes the next learning rates; or none, where it throws.
   * @param epoch jumps there instead (deprecated in PyTorch)
   */
  step(epoch?: number | null | { epoch?: number | null }): void;
  step(...args: unknown[]): void {
    const [epoch] = takes.step.parse(args) as [number | null];
    const { stepCount } = this;
    this.stepCount++;
    try {
      this.moveTo(epoch);
    } catch (error) {
      this.stepCount = stepCount;
      throw error;
    }
  }

  /** @internal */
  moveTo(epoch: number | null): void {
    const { lastEpoch } = this;
    this.lastEpoch = epoch ?? lastEpoch + 1;
    try {
      this.write(epoch === null ? this.getLr() : this.closedForm());
    } catch (error) {
      this.lastEpoch = lastEpoch;
      throw error;
    }
  }

  /** Writes learning rates into the groups. @throws ArgumentError unless there is one for each, a number @internal */
  protected write(lrs: readonly number[]): void {
    const op = this.constructor.name;
    const { groups } = this;
    if (lrs.length !== groups.length)
      throw new ArgumentError(
        `${op}: expected ${groups.length} learning rates, one a group, got ${lrs.length}; add groups before the schedule is made`,
      );
    const bad = lrs.find((lr) => typeof lr !== 'number');
    if (bad !== undefined) throw new ArgumentError(`${op}: expected numbers as learning rates, got ${describe(bad)}`);
    groups.forEach((group, i) => {
      group.lr = lrs[i] as number;
    });
    this.lastLr = [...lrs];
  }

  /** The learning rates that were written last, one a group. */
  getLastLr(): number[];
  getLastLr(...args: unknown[]): number[] {
    takes.getLastLr.parse(args);
    return [...this.lastLr];
  }

  /** Where it stands and its settings, but no functions and not the optimizer, whose own state has the groups. */
  stateDict(): ScheduleState;
  stateDict(...args: unknown[]): ScheduleState {
    takes.stateDict.parse(args);
    return this.state();
  }

  /** @internal */
  protected state(): ScheduleState {
    const own = Object.entries(this).filter(([name]) => name !== 'optimizer' && name !== 'schedulers');
    return fieldsCopy(Object.fromEntries(own));
  }

  /**
   * Goes on where `stateDict` was. Everything is checked before anything changes. The learning rates are in the groups:
   * load the state of the optimizer as well.
   * @throws ArgumentError where it is the state of another schedule
   */
  loadStateDict(stateDict: ScheduleState): void;
  loadStateDict(...args: unknown[]): void {
    const [state] = takes.loadStateDict.parse(args) as [ScheduleState];
    this.prepareState(state)();
  }

  /** The checks of loadStateDict(); what it gives takes over and cannot fail. @internal */
  prepareState(saved: unknown): () => void {
    const op = 'loadStateDict';
    expectObject(op, 'the state of a schedule', saved);
    const fault = fieldsFault(saved, this.state());
    if (fault) throw new ArgumentError(`${op}: expected the state of a ${this.constructor.name}, got ${fault}`);
    const copy = fieldsCopy(saved);
    return () => {
      Object.assign(this, copy);
    };
  }
}
