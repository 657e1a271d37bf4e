// The schedule of stochastic weight averaging.
import { type Arguments, signature } from '../../signature.ts';
import {
  type AnyOptimizer,
  expectCount,
  forGroups,
  kinds,
  LRScheduler,
  type ScheduleOptions,
} from '../lr-scheduler/base.ts';

/** Options of {@link SWALR}. */
export interface SWALROptions extends ScheduleOptions {
  /** In how many steps. @defaultValue 10 */
  annealEpochs?: number;
  /** Along a cosine or a line. @defaultValue 'cos' */
  annealStrategy?: 'cos' | 'linear';
}

const swalr = signature(
  "SWALR(optimizer: Optimizer, swaLr: number|number[], annealEpochs: int = 10, annealStrategy: 'cos'|'linear' = 'cos', lastEpoch: int = -1)",
  kinds,
);

/** From the learning rate that there is to a constant one, with which weights are averaged (Izmailov et al. 2018). */
export class SWALR extends LRScheduler {
  /** @internal */
  protected annealEpochs: number;
  /** @internal */
  protected annealStrategy: string;
  /** @param swaLr the learning rate in the end, or one a group */
  constructor(
    ...args: Arguments<
      [optimizer: AnyOptimizer, swaLr: number | readonly number[]],
      [annealEpochs: number, annealStrategy: 'cos' | 'linear', lastEpoch: number],
      SWALROptions,
      ['optimizer', 'swaLr']
    >
  ) {
    type Values = [AnyOptimizer, number | number[], number, string, number];
    const [optimizer, swaLr, annealEpochs, annealStrategy, lastEpoch] = swalr.parse(args) as unknown as Values;
    const swaLrs = forGroups('SWALR', 'swaLr', optimizer, swaLr);
    expectCount('SWALR', 'annealEpochs', annealEpochs, 0);
    super(optimizer, lastEpoch);
    this.groups.forEach((group, i) => {
      group.swaLr = swaLrs[i] as number;
    });
    this.annealEpochs = annealEpochs;
    this.annealStrategy = annealStrategy;
    this.begin();
  }
  /** How far `step` is from the first learning rate to the last. */
  #share(step: number): number {
    const t = Math.max(0, Math.min(1, step / Math.max(1, this.annealEpochs)));
    return this.annealStrategy === 'linear' ? t : (1 - Math.cos(Math.PI * t)) / 2;
  }
  protected getLr(): number[] {
    const step = Math.max(this.annealEpochs === 0 ? 1 : 0, this.stepCount - 1);
    const [before, now] = [this.#share(step - 1), this.#share(step)];
    return this.groups.map(({ lr, swaLr = lr }) => {
      const first = before === 1 ? swaLr : (lr - before * swaLr) / (1 - before);
      return swaLr * now + first * (1 - now);
    });
  }
}
