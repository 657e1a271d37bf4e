// Schedules with a formula for each step, as PyTorch's: chainable, from the learning rate of the step before.
import { ArgumentError, describe } from '../../memory/errors.ts';
import { type Arguments, type Signature, signature } from '../../signature.ts';
import {
  type AnyOptimizer,
  expectCount,
  expectWithin,
  forGroups,
  kinds,
  LRScheduler,
  type ScheduleOptions,
} from './base.ts';

/** A factor by the number of the step. */
export type Factor = (epoch: number) => number;

/* @__NO_SIDE_EFFECTS__ */
const lambda = (name: string): Signature =>
  signature(`${name}(optimizer: Optimizer, lrLambda: function|function[], lastEpoch: int = -1)`, kinds);
const lambdaLr = lambda('LambdaLR');
const multiplicativeLr = lambda('MultiplicativeLR');

/** A schedule by functions of the user's. */
abstract class ByFunctions extends LRScheduler {
  readonly #factors: readonly Factor[];
  constructor(optimizer: AnyOptimizer, factors: Factor | readonly Factor[], lastEpoch: number, op: string) {
    super(optimizer, lastEpoch);
    this.#factors = forGroups(op, 'lrLambda', optimizer, factors);
    this.begin();
  }
  /** The factors of all groups. @throws ArgumentError unless they are numbers @internal */
  protected factors(): number[] {
    return this.#factors.map((fn) => {
      const factor: unknown = fn(this.lastEpoch);
      if (typeof factor !== 'number')
        throw new ArgumentError(
          `${this.constructor.name}: expected lrLambda to give a number, got ${describe(factor)}`,
        );
      return factor;
    });
  }
}

/** The initial learning rate times a function of the number of the step. */
export class LambdaLR extends ByFunctions {
  /** @param lrLambda the function, or one for each group */
  constructor(
    ...args: Arguments<
      [optimizer: AnyOptimizer, lrLambda: Factor | readonly Factor[]],
      [lastEpoch: number],
      ScheduleOptions,
      ['optimizer', 'lrLambda']
    >
  ) {
    const [optimizer, factors, lastEpoch] = lambdaLr.parse(args) as [AnyOptimizer, Factor, number];
    super(optimizer, factors, lastEpoch, 'LambdaLR');
  }
  protected getLr(): number[] {
    return this.factors().map((factor, i) => (this.baseLrs[i] as number) * factor);
  }
}

/** The learning rate of the step before times a function of the number of the step. */
export class MultiplicativeLR extends ByFunctions {
  /** @param lrLambda the function, or one for each group */
  constructor(
    ...args: Arguments<
      [optimizer: AnyOptimizer, lrLambda: Factor | readonly Factor[]],
      [lastEpoch: number],
      ScheduleOptions,
      ['optimizer', 'lrLambda']
    >
  ) {
    const [optimizer, factors, lastEpoch] = multiplicativeLr.parse(args) as [AnyOptimizer, Factor, number];
    super(optimizer, factors, lastEpoch, 'MultiplicativeLR');
  }
  protected getLr(): number[] {
    const lrs = this.currentLrs();
    return this.initial ? lrs : this.factors().map((factor, i) => (lrs[i] as number) * factor);
  }
}

/** Options of {@link StepLR} and {@link MultiStepLR}. */
export interface StepLROptions extends ScheduleOptions {
  /** What the learning rate is multiplied by. @defaultValue 0.1 */
  gamma?: number;
}

const stepLr = signature(
  'StepLR(optimizer: Optimizer, stepSize: int, gamma: number = 0.1, lastEpoch: int = -1)',
  kinds,
);

/** The learning rate times gamma every `stepSize` steps. */
export class StepLR extends LRScheduler {
  /** @internal */
  protected stepSize: number;
  /** @internal */
  protected gamma: number;
  constructor(
    ...args: Arguments<
      [optimizer: AnyOptimizer, stepSize: number],
      [gamma: number, lastEpoch: number],
      StepLROptions,
      ['optimizer', 'stepSize']
    >
  ) {
    const [optimizer, stepSize, gamma, lastEpoch] = stepLr.parse(args) as [AnyOptimizer, number, number, number];
    expectCount('StepLR', 'stepSize', stepSize);
    super(optimizer, lastEpoch);
    this.stepSize = stepSize;
    this.gamma = gamma;
    this.begin();
  }
  protected getLr(): number[] {
    const still = this.lastEpoch === 0 || this.lastEpoch % this.stepSize !== 0;
    return this.currentLrs().map((lr) => (still ? lr : lr * this.gamma));
  }
  /** @internal */
  protected override closedForm(): number[] {
    return this.baseLrs.map((lr) => lr * this.gamma ** Math.floor(this.lastEpoch / this.stepSize));
  }
}

const multiStepLr = signature(
  'MultiStepLR(optimizer: Optimizer, milestones: int[], gamma: number = 0.1, lastEpoch: int = -1)',
  kinds,
);

/** The learning rate times gamma at each milestone. */
export class MultiStepLR extends LRScheduler {
  /** @internal */
  protected milestones: number[];
  /** @internal */
  protected gamma: number;
  constructor(
    ...args: Arguments<
      [optimizer: AnyOptimizer, milestones: readonly number[]],
      [gamma: number, lastEpoch: number],
      StepLROptions,
      ['optimizer', 'milestones']
    >
  ) {
    const [optimizer, milestones, gamma, lastEpoch] = multiStepLr.parse(args) as [
      AnyOptimizer,
      number[],
      number,
      number,
    ];
    super(optimizer, lastEpoch);
    this.milestones = [...milestones].sort((a, b) => a - b);
    this.gamma = gamma;
    this.begin();
  }
  protected getLr(): number[] {
    const times = this.milestones.filter((at) => at === this.lastEpoch).length;
    return this.currentLrs().map((lr) => (times > 0 ? lr * this.gamma ** times : lr));
  }
  /** @internal */
  protected override closedForm(): number[] {
    const times = this.milestones.filter((at) => at <= this.lastEpoch).length;
    return this.baseLrs.map((lr) => lr * this.gamma ** times);
  }
}

/** Options of {@link ConstantLR}. */
export interface ConstantLROptions extends ScheduleOptions {
  /** What the learning rate is multiplied by at first, from 0 to 1. @defaultValue 0.3333333333333333 */
  factor?: number;
  /** For how many steps. @defaultValue 5 */
  totalIters?: number;
}

const constantLr = signature(
  'ConstantLR(optimizer: Optimizer, factor: number = 0.3333333333333333, totalIters: int = 5, lastEpoch: int = -1)',
  kinds,
);

/** The learning rate times a factor for some steps, and then the initial one. */
export class ConstantLR extends LRScheduler {
  /** @internal */
  protected factor: number;
  /** @internal */
  protected totalIters: number;
  constructor(
    ...args: Arguments<
      [optimizer: AnyOptimizer],
      [factor: number, totalIters: number, lastEpoch: number],
      ConstantLROptions
    >
  ) {
    const [optimizer, factor, totalIters, lastEpoch] = constantLr.parse(args) as [AnyOptimizer, number, number, number];
    expectWithin('ConstantLR', 'factor', factor, 0, 1);
    super(optimizer, lastEpoch);
    this.factor = factor;
    this.totalIters = totalIters;
    this.begin();
  }
  protected getLr(): number[] {
    const { lastEpoch, totalIters, factor } = this;
    const by = lastEpoch === 0 ? factor : lastEpoch === totalIters ? 1 / factor : 1;
    return this.currentLrs().map((lr) => lr * by);
  }
  /** @internal */
  protected override closedForm(): number[] {
    const by = this.factor + (this.lastEpoch >= this.totalIters ? 1 - this.factor : 0);
    return this.baseLrs.map((lr) => lr * by);
  }
}

/** Options of {@link LinearLR}. */
export interface LinearLROptions extends ScheduleOptions {
  /** What the learning rate is multiplied by at first, above 0 and up to 1. @defaultValue 0.3333333333333333 */
  startFactor?: number;
  /** What it is multiplied by in the end, from 0 to 1. @defaultValue 1 */
  endFactor?: number;
  /** In how many steps. @defaultValue 5 */
  totalIters?: number;
}

const linearLr = signature(
  'LinearLR(optimizer: Optimizer, startFactor: number = 0.3333333333333333, endFactor: number = 1, totalIters: int = 5, lastEpoch: int = -1)',
  kinds,
);

/** The learning rate times a factor that goes from `startFactor` to `endFactor` in equal steps: a warm-up. */
export class LinearLR extends LRScheduler {
  /** @internal */
  protected startFactor: number;
  /** @internal */
  protected endFactor: number;
  /** @internal */
  protected totalIters: number;
  constructor(
    ...args: Arguments<
      [optimizer: AnyOptimizer],
      [startFactor: number, endFactor: number, totalIters: number, lastEpoch: number],
      LinearLROptions
    >
  ) {
    type Values = [AnyOptimizer, number, number, number, number];
    const [optimizer, startFactor, endFactor, totalIters, lastEpoch] = linearLr.parse(args) as unknown as Values;
    if (!(startFactor > 0 && startFactor <= 1))
      throw new ArgumentError(`LinearLR: expected startFactor above 0 and up to 1, got ${startFactor}`);
    expectWithin('LinearLR', 'endFactor', endFactor, 0, 1);
    super(optimizer, lastEpoch);
    this.startFactor = startFactor;
    this.endFactor = endFactor;
    this.totalIters = totalIters;
    this.begin();
  }
  protected getLr(): number[] {
    const { lastEpoch, startFactor, endFactor, totalIters } = this;
    const lrs = this.currentLrs();
    if (lastEpoch === 0) return lrs.map((lr) => lr * startFactor);
    if (this.initial || lastEpoch > totalIters) return lrs;
    const rise = endFactor - startFactor;
    return lrs.map((lr) => lr * (1 + rise / (totalIters * startFactor + (lastEpoch - 1) * rise)));
  }
  /** @internal */
  protected override closedForm(): number[] {
    const { startFactor, endFactor, totalIters } = this;
    const at = Math.min(totalIters, this.lastEpoch);
    return this.baseLrs.map((lr) => lr * (startFactor + ((endFactor - startFactor) * at) / totalIters));
  }
}

const exponentialLr = signature('ExponentialLR(optimizer: Optimizer, gamma: number, lastEpoch: int = -1)', kinds);

/** The learning rate times gamma at each step. */
export class ExponentialLR extends LRScheduler {
  /** @internal */
  protected gamma: number;
  constructor(
    ...args: Arguments<
      [optimizer: AnyOptimizer, gamma: number],
      [lastEpoch: number],
      ScheduleOptions,
      ['optimizer', 'gamma']
    >
  ) {
    const [optimizer, gamma, lastEpoch] = exponentialLr.parse(args) as [AnyOptimizer, number, number];
    super(optimizer, lastEpoch);
    this.gamma = gamma;
    this.begin();
  }
  protected getLr(): number[] {
    return this.currentLrs().map((lr) => (this.initial ? lr : lr * this.gamma));
  }
  /** @internal */
  protected override closedForm(): number[] {
    return this.baseLrs.map((lr) => lr * this.gamma ** this.lastEpoch);
  }
}

/** Options of {@link PolynomialLR}. */
export interface PolynomialLROptions extends ScheduleOptions {
  /** In how many steps the learning rate falls to 0. @defaultValue 5 */
  totalIters?: number;
  /** The power of the polynomial. @defaultValue 1 */
  power?: number;
}

const polynomialLr = signature(
  'PolynomialLR(optimizer: Optimizer, totalIters: int = 5, power: number = 1, lastEpoch: int = -1)',
  kinds,
);

/** The initial learning rate times (1 − step / totalIters) to a power. */
export class PolynomialLR extends LRScheduler {
  /** @internal */
  protected totalIters: number;
  /** @internal */
  protected power: number;
  constructor(
    ...args: Arguments<
      [optimizer: AnyOptimizer],
      [totalIters: number, power: number, lastEpoch: number],
      PolynomialLROptions
    >
  ) {
    const [optimizer, totalIters, power, lastEpoch] = polynomialLr.parse(args) as [
      AnyOptimizer,
      number,
      number,
      number,
    ];
    super(optimizer, lastEpoch);
    this.totalIters = totalIters;
    this.power = power;
    this.begin();
  }
  protected getLr(): number[] {
    const { lastEpoch, totalIters } = this;
    if (this.initial || lastEpoch > totalIters) return this.currentLrs();
    const by = ((1 - lastEpoch / totalIters) / (1 - (lastEpoch - 1) / totalIters)) ** this.power;
    return this.currentLrs().map((lr) => lr * by);
  }
  /** @internal */
  protected override closedForm(): number[] {
    const by = (1 - Math.min(this.totalIters, this.lastEpoch) / this.totalIters) ** this.power;
    return this.baseLrs.map((lr) => lr * by);
  }
}
