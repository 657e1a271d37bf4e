// Learning rates: written down as they change, and changed as a whole.
import { isPlain } from '../../kinds.ts';
import { ArgumentError } from '../../memory/errors.ts';
import type { ScheduleState } from '../../optim/lr-scheduler/base.ts';
import { signature } from '../../signature.ts';
import type { Trainer } from '../trainer.ts';
import type { Callback, Figures } from './callback.ts';

/** Options of {@link LearningRateMonitor}. */
export interface LearningRateMonitorOptions {
  /** Every how many steps; null: once an epoch. @defaultValue 50 */
  every?: number | null;
}

const declared = signature('LearningRateMonitor(*, every: int|null = 50)');

/** Has loggers write down the learning rate, `lr`, or `lr0`, `lr1` … of groups (Lightning's `LearningRateMonitor`). */
export class LearningRateMonitor implements Callback<Trainer> {
  readonly name = 'LearningRateMonitor';
  readonly #every: number | null;

  constructor(...args: [options?: LearningRateMonitorOptions]) {
    const [every] = declared.parse(args) as [number | null];
    if (every !== null && every < 1) throw new ArgumentError(`LearningRateMonitor: expected every >= 1, got ${every}`);
    this.#every = every;
  }

  onEpochStart(run: Trainer): void {
    if (this.#every === null || run.step === 0) this.#log(run);
  }

  onStepEnd(run: Trainer): void {
    if (this.#every !== null && run.step % this.#every === 0) this.#log(run);
  }

  #log(run: Trainer): void {
    const { learningRates } = run;
    const record: Figures = {};
    for (const [i, lr] of learningRates.entries()) record[learningRates.length > 1 ? `lr${i}` : 'lr'] = lr;
    run.log(record);
  }
}

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
export function scaleRates({ optimizers, schedules }: Trainer, factor: number): void {
  for (const { paramGroups } of optimizers)
    for (const group of paramGroups as unknown as Record<string, unknown>[])
      for (const name of RATES) if (typeof group[name] === 'number') group[name] = (group[name] as number) * factor;
  for (const { scheduler } of schedules)
    scheduler.loadStateDict(scaled(scheduler.stateDict(), factor) as ScheduleState);
}
