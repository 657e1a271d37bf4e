// A way back where numbers are no numbers any more.
import { ArgumentError } from '../../memory/errors.ts';
import { signature } from '../../signature.ts';
import type { Trainer } from '../trainer.ts';
import type { Callback, Figures } from './callback.ts';
import type { GoodStates } from './steering.ts';

/** Options of {@link NanGuard}. */
export interface NanGuardOptions {
  /** Every how many steps the state is kept. @defaultValue 100 */
  every?: number;
  /** What the learning rate is multiplied by when that state is taken again. @defaultValue 0.5 */
  factor?: number;
  /** How often it is, before the training is stopped. @defaultValue 3 */
  maxRestores?: number;
}

const declared = signature('NanGuard(*, every: int = 100, factor: number = 0.5, maxRestores: int = 3)');

/**
 * Where a figure of a step is NaN or infinite, takes the last good state of model and optimizers again, lowers the
 * learning rate, and goes on with the next batch; after some times it stops the training.
 */
export class NanGuard implements Callback<Trainer> {
  readonly name = 'NanGuard';
  /** How often a state was taken again. */
  restores = 0;
  readonly #every: number;
  readonly #factor: number;
  readonly #most: number;
  #states: GoodStates | null = null;

  constructor(...args: [options?: NanGuardOptions]) {
    const [every, factor, most] = declared.parse(args) as [number, number, number];
    if (every < 1 || most < 0 || !(factor > 0 && factor <= 1))
      throw new ArgumentError(
        `NanGuard: expected every >= 1, maxRestores >= 0 and factor in (0, 1], got ${every}, ${most} and ${factor}`,
      );
    this.#every = every;
    this.#factor = factor;
    this.#most = most;
  }

  async onFitStart(run: Trainer): Promise<void> {
    const { GoodStates } = await import('./steering.ts');
    this.#states = new GoodStates(run);
  }

  onStepEnd(run: Trainer, figures: Readonly<Figures>): void {
    const states = this.#states as GoodStates;
    const wrong = Object.entries(figures).find(([, x]) => !Number.isFinite(x));
    if (!wrong) {
      states.wasGood(run.step % this.#every === 0);
      return;
    }
    const lowers = ++this.restores <= this.#most;
    states.restore(lowers ? this.#factor : null);
    if (!lowers) run.stop(`${wrong[0]} is ${wrong[1]}, after ${this.#most} lower learning rates`);
  }

  /** @internal */
  state(): object {
    return { restores: this.restores };
  }

  /** @internal */
  loadState({ restores }: { restores: number }): void {
    this.restores = restores;
  }
}
