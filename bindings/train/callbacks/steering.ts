// How callbacks steer a training: by other learning rates, and by states that are taken again.
import { isPlain } from '../../kinds.ts';
import { ArgumentError } from '../../memory/errors.ts';
import type { StateDict } from '../../nn/state.ts';
import type { ScheduleState } from '../../optim/lr-scheduler/base.ts';
import type { OptimizerState } from '../../optim/optimizer.ts';
import { Tensor } from '../../tensor.ts';
import type { Trainer } from '../trainer.ts';

/** What in groups and schedules is a learning rate. */
const RATES = ['lr', 'initialLr', 'maxLr', 'minLr', 'swaLr'];
const LISTS = ['baseLrs', 'maxLrs'];

/** The state of a schedule with learning rates that are `factor` times as large. */
function scaled(state: unknown, factor: number): unknown {
  if (Array.isArray(state)) return state.map((item) => scaled(item, factor));
  if (!isPlain(state)) return state;
  return Object.fromEntries(
    Object.entries(state).map(([name, value]) => [
      name,
      LISTS.includes(name) && Array.isArray(value) ? value.map((lr) => lr * factor) : scaled(value, factor),
    ]),
  );
}

/** Makes all learning rates `factor` times as large, those that schedules go by as well. */
function scaleRates({ optimizers, schedules }: Trainer, factor: number): void {
  for (const { paramGroups } of optimizers)
    for (const group of paramGroups as unknown as Record<string, unknown>[])
      for (const name of RATES) if (typeof group[name] === 'number') group[name] = (group[name] as number) * factor;
  for (const { scheduler } of schedules)
    scheduler.loadStateDict(scaled(scheduler.stateDict(), factor) as ScheduleState);
}

/** From where to where rates go, and when that ends. */
interface Range {
  readonly minLr: number;
  readonly maxLr: number;
  readonly numTrainingSteps: number;
  readonly mode: 'exponential' | 'linear';
  readonly earlyStopThreshold: number | null;
}

/** How much of the newest loss is in the smoothed one. */
const SHARE = 0.02;

/**
 * Trains on a batch with the next rate each time that it is called, and gives whether to go on. It fills lists of the
 * rates and the smoothed loss after a step with each.
 */
export function trial(
  run: Trainer,
  { minLr, maxLr, numTrainingSteps, mode, earlyStopThreshold }: Range,
  { lr, loss }: { readonly lr: number[]; readonly loss: number[] },
): (batch: unknown) => boolean {
  const rate = (i: number): number => {
    const share = i / (numTrainingSteps - 1);
    return mode === 'linear' ? minLr + share * (maxLr - minLr) : minLr * (maxLr / minLr) ** share;
  };
  lr.length = 0;
  loss.length = 0;
  let [mean, best] = [0, Number.POSITIVE_INFINITY];
  const set = (rate: number): void => {
    for (const { paramGroups } of run.optimizers) for (const group of paramGroups) (group as { lr?: number }).lr = rate;
  };
  return (batch) => {
    set(rate(loss.length));
    const figures = run.trainBatch(batch);
    if (!figures) return true;
    if (figures.loss === undefined)
      throw new ArgumentError(
        `LearningRateFinder: expected a loss among the figures of a step, got ${Object.keys(figures).join(', ')}`,
      );
    mean += SHARE * (figures.loss - mean);
    const smoothed = mean / (1 - (1 - SHARE) ** (loss.length + 1));
    lr.push(rate(loss.length));
    loss.push(smoothed);
    best = Math.min(best, smoothed);
    const diverged = earlyStopThreshold !== null && loss.length > 1 && !(smoothed <= earlyStopThreshold * best);
    return !diverged && loss.length < numTrainingSteps;
  };
}

/** Has the training begin with a learning rate; where a schedule begins with none, that is the one it goes by. */
export function beginWith(run: Trainer, lr: number): void {
  const groups = run.optimizers.flatMap(({ paramGroups }) => paramGroups as { lr?: number; initialLr?: number }[]);
  const before = groups[0]?.lr || groups[0]?.initialLr;
  if (before) scaleRates(run, lr / before);
  else for (const group of groups) group.lr = lr;
}

/** What is taken again. */
interface Kept {
  readonly model: StateDict;
  readonly optimizers: readonly OptimizerState[];
}

/** Tensors as their numbers, in lists and objects. */
function copied(value: unknown): unknown {
  if (value instanceof Tensor) return { shape: value.shape, data: value.data };
  if (Array.isArray(value)) return value.map(copied);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copied(item)]));
}

export class GoodStates {
  readonly #run: Trainer;
  #good: Kept;
  /** The newest, of which the next step will show whether it is good. */
  #latest: Kept | null = null;

  constructor(run: Trainer) {
    this.#run = run;
    this.#good = this.#now();
  }

  #now(): Kept {
    const { model, optimizers } = this.#run;
    return copied({ model: model.stateDict(), optimizers: optimizers.map((each) => each.stateDict()) }) as Kept;
  }

  /** A step was good. @param keeps whether the state after it is a candidate */
  wasGood(keeps: boolean): void {
    this.#good = this.#latest ?? this.#good;
    this.#latest = keeps ? this.#now() : null;
  }

  /**
   * Takes the good state; learning rates stay, for schedules have gone on.
   * @param factor what they are multiplied by; null: nothing
   */
  restore(factor: number | null): void {
    const { model, optimizers } = this.#run;
    this.#latest = null;
    model.loadStateDict(this.#good.model);
    for (const [i, optimizer] of optimizers.entries()) {
      const groups = optimizer.paramGroups.map(({ params: _, ...settings }) => settings);
      optimizer.loadStateDict(this.#good.optimizers[i] as OptimizerState);
      for (const [j, settings] of groups.entries()) Object.assign(optimizer.paramGroups[j] as object, settings);
    }
    if (factor !== null) scaleRates(this.#run, factor);
  }
}
