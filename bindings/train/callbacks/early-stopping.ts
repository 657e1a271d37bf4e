// An end where nothing improves any more.
import type { Arguments } from '../../signature.ts';
import { signature } from '../../signature.ts';
import type { Callback, Figures, Run } from './callback.ts';
import { isBetter, type Mode, monitored } from './monitor.ts';

/** Options of {@link EarlyStopping}. */
export interface EarlyStoppingOptions {
  /** How much better a figure has to be to count. @defaultValue 0 */
  minDelta?: number;
  /** Epochs without improvement after which it ends. @defaultValue 3 */
  patience?: number;
  /** Whether less is better, or more. @defaultValue `'min'` */
  mode?: Mode;
  /** Whether a figure that is NaN or infinite ends it. @defaultValue true */
  checkFinite?: boolean;
  /** A figure that is good enough. @defaultValue null */
  stoppingThreshold?: number | null;
  /** A figure that is so bad that it will not recover. @defaultValue null */
  divergenceThreshold?: number | null;
}

const declared = signature(
  "EarlyStopping(monitor: string = 'valLoss', *, minDelta: number = 0, patience: int = 3, mode: 'min'|'max' = 'min', " +
    'checkFinite: bool = true, stoppingThreshold: number|null = null, divergenceThreshold: number|null = null)',
);

/** Ends a training where a figure has not improved for a while (Lightning's `EarlyStopping`). */
export class EarlyStopping implements Callback<Run> {
  readonly name = 'EarlyStopping';
  /** The best figure so far; null before the first. */
  best: number | null = null;
  /** Epochs since then. */
  waited = 0;
  readonly #monitor: string;
  readonly #options: Required<EarlyStoppingOptions>;

  /** @param monitor the name of the figure */
  constructor(...args: Arguments<[], [monitor: string], EarlyStoppingOptions>) {
    const [monitor, minDelta, patience, mode, checkFinite, stoppingThreshold, divergenceThreshold] =
      declared.parse(args);
    const options = { minDelta, patience, mode, checkFinite, stoppingThreshold, divergenceThreshold };
    this.#monitor = monitor as string;
    this.#options = options as Required<EarlyStoppingOptions>;
  }

  onEpochEnd(run: Run, figures: Readonly<Figures>): void {
    const { minDelta, patience, mode, checkFinite, stoppingThreshold, divergenceThreshold } = this.#options;
    const value = monitored('EarlyStopping', this.#monitor, figures);
    const better = Number.isFinite(value) && isBetter(mode, value, this.best ?? Number.NaN, Math.abs(minDelta));
    this.waited = better ? 0 : this.waited + 1;
    if (better) this.best = value;
    const is = `${this.#monitor} is ${value}`;
    if (checkFinite && !Number.isFinite(value)) run.stop(is);
    else if (stoppingThreshold !== null && isBetter(mode, value, stoppingThreshold)) run.stop(`${is}, which is enough`);
    else if (divergenceThreshold !== null && isBetter(mode, divergenceThreshold, value))
      run.stop(`${is}, which will not recover`);
    else if (this.waited >= patience) run.stop(`${this.#monitor} has not improved for ${this.waited} epochs`);
  }

  /** @internal */
  state(): object {
    return { best: this.best, waited: this.waited };
  }

  /** @internal */
  loadState({ best, waited }: { best: number | null; waited: number }): void {
    this.best = best;
    this.waited = waited;
  }
}
