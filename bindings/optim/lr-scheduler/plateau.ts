// The schedule that looks at what is trained.
import { ArgumentError } from '../../memory/errors.ts';
import { type Arguments, signature } from '../../signature.ts';
import { Tensor } from '../../tensor.ts';
import { type AnyOptimizer, forGroups, kinds, LRScheduler } from './base.ts';

/** Options of {@link ReduceLROnPlateau}. */
export interface ReduceLROnPlateauOptions {
  /** Whether less is better, or more. @defaultValue 'min' */
  mode?: 'min' | 'max';
  /** What the learning rate is multiplied by, below 1. @defaultValue 0.1 */
  factor?: number;
  /** Steps without improvement that are let pass. @defaultValue 10 */
  patience?: number;
  /** What counts as an improvement. @defaultValue 1e-4 */
  threshold?: number;
  /** Whether the threshold is a share of the best value, or a difference. @defaultValue 'rel' */
  thresholdMode?: 'rel' | 'abs';
  /** Steps after a reduction in which nothing is counted. @defaultValue 0 */
  cooldown?: number;
  /** The least learning rate, or one a group. @defaultValue 0 */
  minLr?: number | readonly number[];
  /** Smaller changes of the learning rate are not made. @defaultValue 1e-8 */
  eps?: number;
}

const declared = signature(
  "ReduceLROnPlateau(optimizer: Optimizer, mode: 'min'|'max' = 'min', factor: number = 0.1, patience: int = 10, threshold: number = 1e-4, thresholdMode: 'rel'|'abs' = 'rel', cooldown: int = 0, minLr: number|number[] = 0, eps: number = 1e-8)",
  kinds,
);
const takesStep = signature('ReduceLROnPlateau.step(metrics: number|Tensor, epoch: int|null = null)');

/** Multiplies the learning rate by a factor when what is measured has stopped to improve. */
export class ReduceLROnPlateau extends LRScheduler {
  /** @internal */
  protected mode: string;
  /** @internal */
  protected factor: number;
  /** @internal */
  protected patience: number;
  /** @internal */
  protected threshold: number;
  /** @internal */
  protected thresholdMode: string;
  /** @internal */
  protected cooldown: number;
  /** @internal */
  protected minLrs: number[];
  /** @internal */
  protected eps: number;
  /** The best value so far; null: none yet. @internal */
  protected best: number | null = null;
  /** @internal */
  protected cooldownCounter = 0;
  /** @internal */
  protected numBadEpochs = 0;

  constructor(
    ...args: Arguments<
      [optimizer: AnyOptimizer],
      [
        mode: 'min' | 'max',
        factor: number,
        patience: number,
        threshold: number,
        thresholdMode: 'rel' | 'abs',
        cooldown: number,
        minLr: number | readonly number[],
        eps: number,
      ],
      ReduceLROnPlateauOptions
    >
  ) {
    type Values = [AnyOptimizer, string, number, number, number, string, number, number | number[], number];
    const values = declared.parse(args) as unknown as Values;
    const [optimizer, mode, factor, patience, threshold, thresholdMode, cooldown, minLr, eps] = values;
    if (!(factor < 1)) throw new ArgumentError(`ReduceLROnPlateau: expected factor < 1, got ${factor}`);
    const minLrs = forGroups('ReduceLROnPlateau', 'minLr', optimizer, minLr);
    super(optimizer, 0);
    this.mode = mode;
    this.factor = factor;
    this.patience = patience;
    this.threshold = threshold;
    this.thresholdMode = thresholdMode;
    this.cooldown = cooldown;
    this.minLrs = minLrs;
    this.eps = eps;
    this.lastLr = this.currentLrs();
  }

  #isBetter(value: number): boolean {
    const { mode, threshold } = this;
    const best = this.best ?? (mode === 'min' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY);
    const by = mode === 'min' ? -threshold : threshold;
    const bound = this.thresholdMode === 'rel' ? best * (1 + by) : best + by;
    return mode === 'min' ? value < bound : value > bound;
  }

  /** The learning rates, reduced. @throws ArgumentError where there are other groups than at first */
  protected getLr(): number[] {
    const lrs = this.currentLrs();
    if (lrs.length !== this.minLrs.length)
      throw new ArgumentError(
        `ReduceLROnPlateau: expected ${this.minLrs.length} groups, got ${lrs.length}; add groups before the schedule is made`,
      );
    return lrs.map((lr, i) => {
      const next = Math.max(lr * this.factor, this.minLrs[i] as number);
      return lr - next > this.eps ? next : lr;
    });
  }

  /**
   * Looks at a value, and reduces the learning rate where it has not improved for more than `patience` steps.
   * @param metrics what is measured, such as the validation loss: a number, or a tensor of one
   * @param epoch the number of this step, in place of the next
   */
  override step(metrics?: unknown, epoch?: number | null | { epoch?: number | null }): void;
  override step(...args: unknown[]): void {
    const [metrics, epoch] = takesStep.parse(args) as [number | Tensor, number | null];
    const value = metrics instanceof Tensor ? metrics.item() : metrics;
    const better = this.#isBetter(value);
    const cooling = this.cooldownCounter > 0;
    const bad = better || cooling ? 0 : this.numBadEpochs + 1;
    const reduces = bad > this.patience;
    const lrs = reduces ? this.getLr() : this.currentLrs();
    if (better) this.best = value;
    if (cooling) this.cooldownCounter--;
    if (reduces) this.cooldownCounter = this.cooldown;
    this.numBadEpochs = reduces ? 0 : bad;
    this.lastEpoch = epoch ?? this.lastEpoch + 1;
    this.write(lrs);
  }
}
