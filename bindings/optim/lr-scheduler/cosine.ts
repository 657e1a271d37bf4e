// Schedules along a cosine.

import { ArgumentError } from '../../memory/errors.ts';
import { type Arguments, signature } from '../../signature.ts';
import { type AnyOptimizer, expectCount, kinds, LRScheduler, type ScheduleOptions } from './base.ts';

/** Options of {@link CosineAnnealingLR}. */
export interface CosineAnnealingLROptions extends ScheduleOptions {
  /** The least learning rate. @defaultValue 0 */
  etaMin?: number;
}

const cosineAnnealingLr = signature(
  'CosineAnnealingLR(optimizer: Optimizer, tMax: int, etaMin: number = 0, lastEpoch: int = -1)',
  kinds,
);

/**
 * The learning rate along a cosine, from the initial one down to `etaMin` in `tMax` steps and up again in as many
 * (Loshchilov and Hutter 2017, without restarts).
 */
export class CosineAnnealingLR extends LRScheduler {
  /** @internal */
  protected tMax: number;
  /** @internal */
  protected etaMin: number;
  constructor(
    ...args: Arguments<
      [optimizer: AnyOptimizer, tMax: number],
      [etaMin: number, lastEpoch: number],
      CosineAnnealingLROptions,
      ['optimizer', 'tMax']
    >
  ) {
    const [optimizer, tMax, etaMin, lastEpoch] = cosineAnnealingLr.parse(args) as [
      AnyOptimizer,
      number,
      number,
      number,
    ];
    expectCount('CosineAnnealingLR', 'tMax', tMax);
    super(optimizer, lastEpoch);
    this.tMax = tMax;
    this.etaMin = etaMin;
    this.begin();
  }
  protected getLr(): number[] {
    const { lastEpoch, tMax, etaMin, baseLrs } = this;
    const lrs = this.currentLrs();
    if (this.initial) return lrs;
    if (this.stepCount === 1 && lastEpoch > 0) return this.closedForm();
    if ((lastEpoch - 1 - tMax) % (2 * tMax) === 0)
      return lrs.map((lr, i) => lr + (((baseLrs[i] as number) - etaMin) * (1 - Math.cos(Math.PI / tMax))) / 2);
    const by = (1 + Math.cos((Math.PI * lastEpoch) / tMax)) / (1 + Math.cos((Math.PI * (lastEpoch - 1)) / tMax));
    return lrs.map((lr) => by * (lr - etaMin) + etaMin);
  }
  /** @internal */
  protected override closedForm(): number[] {
    const by = 1 + Math.cos((Math.PI * this.lastEpoch) / this.tMax);
    return this.baseLrs.map((lr) => this.etaMin + ((lr - this.etaMin) * by) / 2);
  }
}

/** Options of {@link CosineAnnealingWarmRestarts}. */
export interface CosineAnnealingWarmRestartsOptions extends CosineAnnealingLROptions {
  /** How many times as long as the one before each turn is. @defaultValue 1 */
  tMult?: number;
}

const warmRestarts = signature(
  'CosineAnnealingWarmRestarts(optimizer: Optimizer, t0: int, tMult: int = 1, etaMin: number = 0, lastEpoch: int = -1)',
  kinds,
);
const restartsStep = signature('CosineAnnealingWarmRestarts.step(epoch: number|null = null)');

/**
 * The learning rate along a cosine from the initial one down to `etaMin`, again and again: `t0` steps the first time,
 * then each `tMult` times as many (Loshchilov and Hutter 2017).
 */
export class CosineAnnealingWarmRestarts extends LRScheduler {
  /** @internal */
  protected t0: number;
  /** @internal */
  protected tMult: number;
  /** @internal */
  protected etaMin: number;
  /** The steps of this turn, and of them those that were made. @internal */
  protected ti: number;
  /** @internal */
  protected tCur: number;
  constructor(
    ...args: Arguments<
      [optimizer: AnyOptimizer, t0: number],
      [tMult: number, etaMin: number, lastEpoch: number],
      CosineAnnealingWarmRestartsOptions,
      ['optimizer', 't0']
    >
  ) {
    type Values = [AnyOptimizer, number, number, number, number];
    const [optimizer, t0, tMult, etaMin, lastEpoch] = warmRestarts.parse(args) as unknown as Values;
    expectCount('CosineAnnealingWarmRestarts', 't0', t0);
    expectCount('CosineAnnealingWarmRestarts', 'tMult', tMult);
    super(optimizer, lastEpoch);
    this.t0 = t0;
    this.ti = t0;
    this.tMult = tMult;
    this.etaMin = etaMin;
    this.tCur = lastEpoch;
    this.begin();
  }
  protected getLr(): number[] {
    const by = 1 + Math.cos((Math.PI * this.tCur) / this.ti);
    return this.baseLrs.map((lr) => this.etaMin + ((lr - this.etaMin) * by) / 2);
  }
  /**
   * Writes the next learning rates.
   * @param epoch jumps there instead; it may be a fraction, as `epoch + batch / batches`
   * @throws ArgumentError for an epoch below 0
   */
  override step(epoch?: number | null | { epoch?: number | null }): void;
  override step(...args: unknown[]): void {
    const [given] = restartsStep.parse(args) as [number | null];
    if (given !== null && !(given >= 0 && given < Number.POSITIVE_INFINITY))
      throw new ArgumentError(`step: expected epoch >= 0, got ${given}`);
    const { tCur, ti, lastEpoch } = this;
    const epoch = given ?? (lastEpoch < 0 ? 0 : null);
    try {
      if (epoch !== null) this.#jump(epoch);
      else if (++this.tCur >= this.ti) {
        this.tCur %= this.ti;
        this.ti *= this.tMult;
      }
      this.lastEpoch = Math.floor(epoch ?? lastEpoch + 1);
      this.write(this.getLr());
    } catch (error) {
      Object.assign(this, { tCur, ti, lastEpoch });
      throw error;
    }
  }
  #jump(epoch: number): void {
    const { t0, tMult } = this;
    if (epoch < t0) [this.ti, this.tCur] = [t0, epoch];
    else if (tMult === 1) this.tCur = epoch % t0;
    else {
      const turns = Math.floor(Math.log((epoch / t0) * (tMult - 1) + 1) / Math.log(tMult));
      this.tCur = epoch - (t0 * (tMult ** turns - 1)) / (tMult - 1);
      this.ti = t0 * tMult ** turns;
    }
  }
}
