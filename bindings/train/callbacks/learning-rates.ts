// Learning rates, written down as they change.
import { ArgumentError } from '../../memory/errors.ts';
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
