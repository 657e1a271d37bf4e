// The range test of learning rates (Smith 2017).
import { ArgumentError } from '../../memory/errors.ts';
import { signature } from '../../signature.ts';
import { rehearse } from '../state.ts';
import type { Trainer } from '../trainer.ts';
import type { Callback } from './callback.ts';

/** Options of {@link LearningRateFinder}. */
export interface LearningRateFinderOptions {
  /** The first learning rate. @defaultValue 1e-8 */
  minLr?: number;
  /** The last learning rate. @defaultValue 1 */
  maxLr?: number;
  /** Steps in between. @defaultValue 100 */
  numTrainingSteps?: number;
  /** Whether it grows by a factor or by a difference. @defaultValue `'exponential'` */
  mode?: 'exponential' | 'linear';
  /** The test ends where the loss is so many times the best; null: never. @defaultValue 4 */
  earlyStopThreshold?: number | null;
  /** Whether the training begins with the learning rate that it suggests. @defaultValue true */
  update?: boolean;
}

/** What a test of learning rates gave. */
export interface LearningRateResults {
  /** The learning rates that were tried. */
  readonly lr: number[];
  /** The smoothed loss after a step with each. */
  readonly loss: number[];
}

const declared = signature(
  "LearningRateFinder(*, minLr: number = 1e-8, maxLr: number = 1, numTrainingSteps: int = 100, mode: 'exponential'|'linear' = 'exponential', " +
    'earlyStopThreshold: number|null = 4, update: bool = true)',
);
const takes = {
  suggestion: signature('LearningRateFinder.suggestion(*, skipBegin: int = 10, skipEnd: int = 1)'),
  plot: signature('LearningRateFinder.plot()'),
};

/**
 * Before the first step of a training, trains on some batches with ever larger learning rates, puts everything back,
 * and begins with the one where the loss falls fastest (Lightning's `LearningRateFinder`).
 */
export class LearningRateFinder implements Callback<Trainer> {
  readonly name = 'LearningRateFinder';
  /** The learning rates that were tried, and the smoothed loss after each. */
  readonly results: LearningRateResults = { lr: [], loss: [] };
  readonly #options: Required<LearningRateFinderOptions>;

  /** @throws ArgumentError unless 0 < minLr < maxLr and numTrainingSteps ≥ 2 */
  constructor(...args: [options?: LearningRateFinderOptions]) {
    const [minLr, maxLr, numTrainingSteps, mode, earlyStopThreshold, update] = declared.parse(args);
    const options = { minLr, maxLr, numTrainingSteps, mode, earlyStopThreshold, update };
    this.#options = options as Required<LearningRateFinderOptions>;
    if (!((minLr as number) > 0 && (minLr as number) < (maxLr as number) && (numTrainingSteps as number) > 1))
      throw new ArgumentError(
        `LearningRateFinder: expected 0 < minLr < maxLr and numTrainingSteps > 1, got ${minLr}, ${maxLr} and ${numTrainingSteps}`,
      );
  }

  async onFitStart(run: Trainer): Promise<void> {
    if (run.step > 0) return;
    const { beginWith, trial } = await import('./steering.ts');
    await rehearse(run, trial(run, this.#options, this.results));
    const lr = this.#options.update ? this.suggestion() : null;
    if (lr !== null) beginWith(run, lr);
  }

  /**
   * The learning rate at which the loss falls fastest; null where there is none.
   * @param options how many of the first and last results are left out
   */
  suggestion(...args: [options?: { skipBegin?: number; skipEnd?: number }]): number | null {
    const [begin, end] = takes.suggestion.parse(args) as [number, number];
    const { lr, loss } = this.results;
    let [steepest, found] = [0, null as number | null];
    for (let i = begin + 1; i < loss.length - end - 1; i++) {
      const slope = ((loss[i + 1] as number) - (loss[i - 1] as number)) / 2;
      if (slope < steepest) [steepest, found] = [slope, lr[i] as number];
    }
    return found;
  }

  /** The results as SVG, with the suggestion marked, in the colours of the page that it stands in. */
  async plot(...args: []): Promise<string> {
    takes.plot.parse(args);
    if (this.results.lr.length === 0)
      throw new ArgumentError('plot: expected results, got none; let a training with this callback begin first');
    const { plotOf } = await import('./learning-rate-plot.ts');
    return plotOf(this.results, this.suggestion(), this.#options.mode === 'exponential');
  }
}
