// Schedules made of schedules.
import { ArgumentError } from '../../memory/errors.ts';
import { type Arguments, signature } from '../../signature.ts';
import { expectObject } from '../settings.ts';
import { type AnyOptimizer, kinds, LRScheduler, type ScheduleOptions, type ScheduleState } from './base.ts';
import { ReduceLROnPlateau } from './plateau.ts';

/** What its parts write into the groups. */
abstract class Composed extends LRScheduler {
  /** @internal */
  readonly schedulers: readonly LRScheduler[];

  constructor(op: string, optimizer: AnyOptimizer, schedulers: readonly LRScheduler[], lastEpoch: number) {
    schedulers.forEach((each, i) => {
      if (each instanceof ReduceLROnPlateau)
        throw new ArgumentError(
          `${op}: expected schedules that are stepped without a value, got a ReduceLROnPlateau at ${i}; step it by itself`,
        );
      if (each.optimizer !== optimizer)
        throw new ArgumentError(`${op}: expected schedules of one optimizer, got that of another one at ${i}`);
    });
    super(optimizer, lastEpoch);
    this.schedulers = [...schedulers];
  }

  /** Its parts have the formulas. */
  protected getLr(): number[] {
    return this.currentLrs();
  }

  /** @internal */
  override stateDict(...args: []): ScheduleState {
    return { ...super.stateDict(...args), schedulers: this.schedulers.map((each) => each.stateDict()) };
  }

  /** @internal */
  override prepareState(saved: unknown): () => void {
    expectObject('loadStateDict', 'the state of a schedule', saved);
    const { schedulers, ...own } = saved;
    const list = Array.isArray(schedulers) ? schedulers : [];
    if (list.length !== this.schedulers.length)
      throw new ArgumentError(
        `loadStateDict: expected the states of ${this.schedulers.length} schedules, got ${list.length}`,
      );
    const all = [super.prepareState(own), ...this.schedulers.map((each, i) => each.prepareState(list[i]))];
    return () => {
      for (const load of all) load();
    };
  }
}

/** Those that are no compositions, each a step back. */
function undo(schedule: LRScheduler): void {
  if (schedule instanceof Composed) for (const each of schedule.schedulers) undo(each);
  else schedule.lastEpoch--;
}

/** How many of the sorted `points` are at or before `x`. */
const passed = (points: readonly number[], x: number): number => points.filter((point) => point <= x).length;

const sequentialLr = signature(
  'SequentialLR(optimizer: Optimizer, schedulers: LRScheduler[], milestones: int[], lastEpoch: int = -1)',
  kinds,
);
const sequentialStep = signature('SequentialLR.step()');

/** One schedule after another: at each milestone the next one begins. */
export class SequentialLR extends Composed {
  /** @internal */
  protected milestones: number[];
  constructor(
    ...args: Arguments<
      [optimizer: AnyOptimizer, schedulers: readonly LRScheduler[], milestones: readonly number[]],
      [lastEpoch: number],
      ScheduleOptions,
      ['optimizer', 'schedulers', 'milestones']
    >
  ) {
    const [optimizer, schedulers, milestones, lastEpoch] = sequentialLr.parse(args) as [
      AnyOptimizer,
      LRScheduler[],
      number[],
      number,
    ];
    const op = 'SequentialLR';
    if (schedulers.length === 0) throw new ArgumentError(`${op}: expected at least one schedule, got none`);
    if (milestones.length !== schedulers.length - 1)
      throw new ArgumentError(
        `${op}: expected ${schedulers.length - 1} milestones for ${schedulers.length} schedules, got ${milestones.length}`,
      );
    const nested = schedulers.findIndex((each, i) => i > 0 && each instanceof Composed);
    if (nested > 0)
      throw new ArgumentError(
        `${op}: expected a plain schedule after a milestone, got a ${schedulers[nested]?.constructor.name} at ${nested}`,
      );
    super(op, optimizer, schedulers, lastEpoch + 1);
    this.milestones = [...milestones];
    for (const group of this.groups) group.lr = group.initialLr as number;
    undo(this);
    const first = this.schedulers[passed(this.milestones, 0)] as LRScheduler;
    first.beginAgain();
    this.lastLr = first.getLastLr();
  }
  /** Writes the next learning rates. */
  override step(): void;
  override step(...args: unknown[]): void {
    sequentialStep.parse(args);
    const next = this.lastEpoch + 1;
    const i = passed(this.milestones, next);
    const schedule = this.schedulers[i] as LRScheduler;
    if (i > 0 && this.milestones[i - 1] === next) schedule.moveTo(0);
    else schedule.step();
    this.lastEpoch = next;
    this.lastLr = schedule.getLastLr();
  }
}

/** Options of {@link ChainedScheduler}. */
export interface ChainedSchedulerOptions {
  /** The optimizer of all of them; null: that of the first. @defaultValue null */
  optimizer?: AnyOptimizer | null;
}

const chained = signature('ChainedScheduler(schedulers: LRScheduler[], optimizer: Optimizer|null = null)', kinds);
const chainedStep = signature('ChainedScheduler.step()');

/** Schedules that are stepped together, each from what the one before left. */
export class ChainedScheduler extends Composed {
  constructor(
    ...args: Arguments<[schedulers: readonly LRScheduler[]], [optimizer: AnyOptimizer | null], ChainedSchedulerOptions>
  ) {
    const [schedulers, optimizer] = chained.parse(args) as [LRScheduler[], AnyOptimizer | null];
    const [first] = schedulers;
    if (!first) throw new ArgumentError('ChainedScheduler: expected at least one schedule, got none');
    super('ChainedScheduler', optimizer ?? first.optimizer, schedulers, 0);
    this.lastLr = this.currentLrs();
  }
  /** Steps all of them. */
  override step(): void;
  override step(...args: unknown[]): void {
    chainedStep.parse(args);
    for (const each of this.schedulers) each.step();
    this.lastEpoch++;
    this.lastLr = this.currentLrs();
  }
}
