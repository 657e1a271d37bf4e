// Schedules that move the learning rate and, against it, the momentum.
import { ArgumentError } from '../../memory/errors.ts';
import { type Arguments, signature } from '../../signature.ts';
import {
  type AnyOptimizer,
  expectCount,
  expectWithin,
  forGroups,
  kinds,
  LRScheduler,
  type Scheduled,
  type ScheduleOptions,
} from './base.ts';

/** A number for all groups of an optimizer, or one for each. */
export type Each = number | readonly number[];

/** Writes the momentum, which of Adam and the like is the first of the betas. */
function setMomentum(group: Scheduled, momentum: number): void {
  if (group.betas) group.betas = [momentum, ...group.betas.slice(1)];
  else group.momentum = momentum;
}

/** @throws ArgumentError where the optimizer has no momentum */
function expectMomentum(op: string, optimizer: AnyOptimizer): void {
  const group = optimizer.paramGroups[0] as object;
  if (!('momentum' in group || 'betas' in group))
    throw new ArgumentError(
      `${op}: expected an optimizer with momentum or betas, got ${optimizer.constructor.name}; choose cycleMomentum: false`,
    );
}

/** Writes the momentum that a schedule begins with into the groups, and its bounds beside it. */
function beginMomentum(optimizer: AnyOptimizer, base: readonly number[], max: readonly number[]): void {
  (optimizer.paramGroups as unknown as Scheduled[]).forEach((group, i) => {
    setMomentum(group, max[i] as number);
    group.maxMomentum = max[i] as number;
    group.baseMomentum = base[i] as number;
  });
}

/** Options of {@link CyclicLR}. */
export interface CyclicLROptions extends ScheduleOptions {
  /** Steps from `baseLr` to `maxLr`. @defaultValue 2000 */
  stepSizeUp?: number;
  /** Steps from `maxLr` to `baseLr`; null: as many. @defaultValue null */
  stepSizeDown?: number | null;
  /**
   * How high the cycles are: all alike, each half as high, or gamma to the power of the step.
   * @defaultValue 'triangular'
   */
  mode?: 'triangular' | 'triangular2' | 'expRange';
  /** The base of 'expRange'. @defaultValue 1 */
  gamma?: number;
  /** How high the cycles are, in place of `mode`. @defaultValue null */
  scaleFn?: ((x: number) => number) | null;
  /** Whether `scaleFn` gets the number of the cycle, from 1, or of the step. @defaultValue 'cycle' */
  scaleMode?: 'cycle' | 'iterations';
  /** Whether momentum falls as the learning rate rises. @defaultValue true */
  cycleMomentum?: boolean;
  /** The least momentum, or one a group. @defaultValue 0.8 */
  baseMomentum?: Each;
  /** The greatest momentum, or one a group. @defaultValue 0.9 */
  maxMomentum?: Each;
}

const cyclicLr = signature(
  "CyclicLR(optimizer: Optimizer, baseLr: number|number[], maxLr: number|number[], stepSizeUp: int = 2000, stepSizeDown: int|null = null, mode: 'triangular'|'triangular2'|'expRange' = 'triangular', gamma: number = 1, scaleFn: function|null = null, scaleMode: 'cycle'|'iterations' = 'cycle', cycleMomentum: bool = true, baseMomentum: number|number[] = 0.8, maxMomentum: number|number[] = 0.9, lastEpoch: int = -1)",
  kinds,
);

/** The learning rate up and down between `baseLr` and `maxLr`, and momentum down and up (Smith 2017). */
export class CyclicLR extends LRScheduler {
  /** @internal */
  protected maxLrs: number[];
  /** @internal */
  protected totalSize: number;
  /** @internal */
  protected stepRatio: number;
  /** @internal */
  protected mode: string;
  /** @internal */
  protected gamma: number;
  /** @internal */
  protected scaleMode: string;
  /** @internal */
  protected cycleMomentum: boolean;
  /** @internal */
  protected baseMomentums: number[] = [];
  /** @internal */
  protected maxMomentums: number[] = [];
  readonly #scale: ((x: number) => number) | null;

  /**
   * @param baseLr the least learning rate, or one a group
   * @param maxLr the greatest learning rate, or one a group
   */
  constructor(
    ...args: Arguments<
      [optimizer: AnyOptimizer, baseLr: Each, maxLr: Each],
      [
        stepSizeUp: number,
        stepSizeDown: number | null,
        mode: 'triangular' | 'triangular2' | 'expRange',
        gamma: number,
        scaleFn: ((x: number) => number) | null,
        scaleMode: 'cycle' | 'iterations',
        cycleMomentum: boolean,
        baseMomentum: Each,
        maxMomentum: Each,
        lastEpoch: number,
      ],
      CyclicLROptions,
      ['optimizer', 'baseLr', 'maxLr']
    >
  ) {
    type Values = [AnyOptimizer, Each, Each, number, number | null, string, number, ((x: number) => number) | null];
    type Rest = [string, boolean, Each, Each, number];
    const values = cyclicLr.parse(args);
    const [optimizer, baseLr, maxLr, up, down, mode, gamma, scale] = values as unknown as Values;
    const [scaleMode, cycleMomentum, baseMomentum, maxMomentum, lastEpoch] = values.slice(8) as unknown as Rest;
    const op = 'CyclicLR';
    expectCount(op, 'stepSizeUp', up);
    if (down !== null) expectCount(op, 'stepSizeDown', down);
    const baseLrs = forGroups(op, 'baseLr', optimizer, baseLr);
    const maxLrs = forGroups(op, 'maxLr', optimizer, maxLr);
    const [base, max] = [
      forGroups(op, 'baseMomentum', optimizer, baseMomentum),
      forGroups(op, 'maxMomentum', optimizer, maxMomentum),
    ];
    if (cycleMomentum) expectMomentum(op, optimizer);
    super(optimizer, lastEpoch);
    this.maxLrs = maxLrs;
    this.totalSize = up + (down ?? up);
    this.stepRatio = up / this.totalSize;
    this.mode = mode;
    this.gamma = gamma;
    this.#scale = scale;
    this.scaleMode = scale ? scaleMode : mode === 'expRange' ? 'iterations' : 'cycle';
    this.cycleMomentum = cycleMomentum;
    if (cycleMomentum) [this.baseMomentums, this.maxMomentums] = [base, max];
    if (lastEpoch === -1) {
      this.groups.forEach((group, i) => {
        group.lr = baseLrs[i] as number;
      });
      if (cycleMomentum) beginMomentum(optimizer, base, max);
    }
    this.begin();
    this.baseLrs = baseLrs;
  }

  #height(x: number): number {
    if (this.#scale) return this.#scale(x);
    if (this.mode === 'triangular') return 1;
    return this.mode === 'triangular2' ? 1 / 2 ** (x - 1) : this.gamma ** x;
  }

  protected getLr(): number[] {
    const { lastEpoch, totalSize, stepRatio } = this;
    const cycle = Math.floor(1 + lastEpoch / totalSize);
    const x = 1 + lastEpoch / totalSize - cycle;
    const at = x <= stepRatio ? x / stepRatio : (x - 1) / (stepRatio - 1);
    const height = this.#height(this.scaleMode === 'cycle' ? cycle : lastEpoch);
    const lrs = this.baseLrs.map((base, i) => base + ((this.maxLrs[i] as number) - base) * at * height);
    if (this.cycleMomentum)
      this.groups.forEach((group, i) => {
        const [low, high] = [this.baseMomentums[i] as number, this.maxMomentums[i] as number];
        setMomentum(group, high - (high - low) * at * height);
      });
    return lrs;
  }
}

/** Options of {@link OneCycleLR}. */
export interface OneCycleLROptions extends ScheduleOptions {
  /** The steps of the cycle; null: `epochs` times `stepsPerEpoch`. @defaultValue null */
  totalSteps?: number | null;
  /** Epochs of the cycle, instead of `totalSteps`. @defaultValue null */
  epochs?: number | null;
  /** Steps of an epoch. @defaultValue null */
  stepsPerEpoch?: number | null;
  /** The share of the steps in which the learning rate rises. @defaultValue 0.3 */
  pctStart?: number;
  /** Along a cosine or a line. @defaultValue 'cos' */
  annealStrategy?: 'cos' | 'linear';
  /** Whether momentum falls as the learning rate rises. @defaultValue true */
  cycleMomentum?: boolean;
  /** The least momentum, or one a group. @defaultValue 0.85 */
  baseMomentum?: Each;
  /** The greatest momentum, or one a group. @defaultValue 0.95 */
  maxMomentum?: Each;
  /** What `maxLr` is divided by for the first learning rate. @defaultValue 25 */
  divFactor?: number;
  /** What the first learning rate is divided by for the last. @defaultValue 1e4 */
  finalDivFactor?: number;
  /** Whether the learning rate goes back to the first before it falls to the last. @defaultValue false */
  threePhase?: boolean;
}

const oneCycleLr = signature(
  "OneCycleLR(optimizer: Optimizer, maxLr: number|number[], totalSteps: int|null = null, epochs: int|null = null, stepsPerEpoch: int|null = null, pctStart: number = 0.3, annealStrategy: 'cos'|'linear' = 'cos', cycleMomentum: bool = true, baseMomentum: number|number[] = 0.85, maxMomentum: number|number[] = 0.95, divFactor: number = 25, finalDivFactor: number = 1e4, threePhase: bool = false, lastEpoch: int = -1)",
  kinds,
);

/** A part of the cycle: up to a step, between the settings of a group of these names. */
interface Phase {
  readonly end: number;
  readonly lrs: readonly ('initialLr' | 'maxLr' | 'minLr')[];
  readonly momenta: readonly ('baseMomentum' | 'maxMomentum')[];
}

const DOWN = ['maxMomentum', 'baseMomentum'] as const;
const UP = ['baseMomentum', 'maxMomentum'] as const;
const LEVEL = ['maxMomentum', 'maxMomentum'] as const;

function phasesOf(steps: number, pctStart: number, threePhase: boolean): readonly Phase[] {
  const rise: Phase = { end: pctStart * steps - 1, lrs: ['initialLr', 'maxLr'], momenta: DOWN };
  if (!threePhase) return [rise, { end: steps - 1, lrs: ['maxLr', 'minLr'], momenta: UP }];
  return [
    rise,
    { end: 2 * pctStart * steps - 2, lrs: ['maxLr', 'initialLr'], momenta: UP },
    { end: steps - 1, lrs: ['initialLr', 'minLr'], momenta: LEVEL },
  ];
}

/** How many steps a cycle has. @throws ArgumentError where it does not follow */
function stepsOf(totalSteps: number | null, epochs: number | null, stepsPerEpoch: number | null): number {
  if (totalSteps !== null) {
    expectCount('OneCycleLR', 'totalSteps', totalSteps);
    return totalSteps;
  }
  if (epochs === null || stepsPerEpoch === null)
    throw new ArgumentError('OneCycleLR: expected totalSteps, or epochs and stepsPerEpoch, got neither');
  expectCount('OneCycleLR', 'epochs', epochs);
  expectCount('OneCycleLR', 'stepsPerEpoch', stepsPerEpoch);
  return epochs * stepsPerEpoch;
}

/**
 * One cycle of the learning rate: from `maxLr / divFactor` up to `maxLr` and far down, and momentum down and up (Smith
 * and Topin 2019). It is stepped after each batch, at most `totalSteps` times.
 */
export class OneCycleLR extends LRScheduler {
  /** @internal */
  protected totalSteps: number;
  /** @internal */
  protected pctStart: number;
  /** @internal */
  protected threePhase: boolean;
  /** @internal */
  protected annealStrategy: string;
  /** @internal */
  protected cycleMomentum: boolean;

  /** @param maxLr the greatest learning rate, or one a group */
  constructor(
    ...args: Arguments<
      [optimizer: AnyOptimizer, maxLr: Each],
      [
        totalSteps: number | null,
        epochs: number | null,
        stepsPerEpoch: number | null,
        pctStart: number,
        annealStrategy: 'cos' | 'linear',
        cycleMomentum: boolean,
        baseMomentum: Each,
        maxMomentum: Each,
        divFactor: number,
        finalDivFactor: number,
        threePhase: boolean,
        lastEpoch: number,
      ],
      OneCycleLROptions,
      ['optimizer', 'maxLr']
    >
  ) {
    type Values = [AnyOptimizer, Each, number | null, number | null, number | null, number, string, boolean];
    type Rest = [Each, Each, number, number, boolean, number];
    const values = oneCycleLr.parse(args);
    const [optimizer, maxLr, total, epochs, stepsPerEpoch, pctStart, strategy, cycles] = values as unknown as Values;
    const [baseMomentum, maxMomentum, div, finalDiv, threePhase, lastEpoch] = values.slice(8) as unknown as Rest;
    const op = 'OneCycleLR';
    const totalSteps = stepsOf(total, epochs, stepsPerEpoch);
    expectWithin(op, 'pctStart', pctStart, 0, 1);
    const maxLrs = forGroups(op, 'maxLr', optimizer, maxLr);
    const [base, max] = [
      forGroups(op, 'baseMomentum', optimizer, baseMomentum),
      forGroups(op, 'maxMomentum', optimizer, maxMomentum),
    ];
    if (cycles) expectMomentum(op, optimizer);
    super(optimizer, lastEpoch);
    this.totalSteps = totalSteps;
    this.pctStart = pctStart;
    this.threePhase = threePhase;
    this.annealStrategy = strategy;
    this.cycleMomentum = cycles;
    if (lastEpoch === -1) {
      this.groups.forEach((group, i) => {
        group.maxLr = maxLrs[i] as number;
        group.initialLr = group.maxLr / div;
        group.minLr = group.initialLr / finalDiv;
      });
      if (cycles) beginMomentum(optimizer, base, max);
    }
    this.begin();
  }

  #between(from: number, to: number, at: number): number {
    if (this.annealStrategy === 'linear') return (to - from) * at + from;
    return to + ((from - to) / 2) * (Math.cos(Math.PI * at) + 1);
  }

  /** @throws ArgumentError after the last step */
  protected getLr(): number[] {
    const { lastEpoch, totalSteps } = this;
    if (lastEpoch > totalSteps)
      throw new ArgumentError(`OneCycleLR: expected at most totalSteps ${totalSteps} steps, got ${lastEpoch}`);
    const phases = phasesOf(totalSteps, this.pctStart, this.threePhase);
    const found = phases.findIndex(({ end }) => lastEpoch <= end);
    const i = found < 0 ? phases.length - 1 : found;
    const { end, lrs, momenta } = phases[i] as Phase;
    const start = i === 0 ? 0 : (phases[i - 1] as Phase).end;
    const at = (lastEpoch - start) / (end - start);
    const between = (group: Scheduled, [from, to]: readonly (keyof Scheduled)[]): number =>
      this.#between(group[from as 'lr'], group[to as 'lr'], at);
    if (this.cycleMomentum) for (const group of this.groups) setMomentum(group, between(group, momenta));
    return this.groups.map((group) => between(group, lrs));
  }
}
