// A way back where numbers are no numbers any more.
import { ArgumentError } from '../../memory/errors.ts';
import type { StateDict } from '../../nn/state.ts';
import type { OptimizerState } from '../../optim/optimizer.ts';
import { signature } from '../../signature.ts';
import { Tensor } from '../../tensor.ts';
import type { Trainer } from '../trainer.ts';
import type { Callback, Figures } from './callback.ts';
import { scaleRates } from './learning-rates.ts';

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
  #good: Kept | null = null;
  /** The newest, of which the next step will show whether it is good. */
  #latest: Kept | null = null;

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

  onFitStart(run: Trainer): void {
    this.#good = this.#keep(run);
    this.#latest = null;
  }

  #keep({ model, optimizers }: Trainer): Kept {
    return copied({ model: model.stateDict(), optimizers: optimizers.map((each) => each.stateDict()) }) as Kept;
  }

  onStepEnd(run: Trainer, figures: Readonly<Figures>): void {
    if (Object.values(figures).every(Number.isFinite)) {
      this.#good = this.#latest ?? this.#good;
      this.#latest = run.step % this.#every === 0 ? this.#keep(run) : null;
      return;
    }
    this.#latest = null;
    this.#restore(run);
    const wrong = Object.entries(figures).find(([, x]) => !Number.isFinite(x)) as [string, number];
    if (++this.restores > this.#most) run.stop(`${wrong[0]} is ${wrong[1]}, after ${this.#most} lower learning rates`);
    else scaleRates(run, this.#factor);
  }

  /** Takes the good state; learning rates stay, for schedules have gone on. */
  #restore({ model, optimizers }: Trainer): void {
    const good = this.#good as Kept;
    model.loadStateDict(good.model);
    for (const [i, optimizer] of optimizers.entries()) {
      const groups = optimizer.paramGroups.map(({ params: _, ...settings }) => settings);
      optimizer.loadStateDict(good.optimizers[i] as OptimizerState);
      for (const [j, settings] of groups.entries()) Object.assign(optimizer.paramGroups[j] as object, settings);
    }
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
