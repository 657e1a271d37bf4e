// Averages of weights: exponential ones, and those of the last epochs.
import { withoutTape } from '../../autograd.ts';
import { clone } from '../../functional/functions.ts';
import { copy_, fill_ } from '../../functional/inplace.ts';
import { ArgumentError } from '../../memory/errors.ts';
import type { Module } from '../../nn/module.ts';
import { BatchNorm } from '../../nn/norm.ts';
import type { StateDict } from '../../nn/state.ts';
import type { ScheduleState } from '../../optim/lr-scheduler/base.ts';
import { AveragedModel } from '../../optim/swa-utils/averaged.ts';
import { getEmaMultiAvgFn } from '../../optim/swa-utils/averages.ts';
import { SWALR } from '../../optim/swa-utils/swalr.ts';
import { scope } from '../../scope.ts';
import { type Arguments, signature } from '../../signature.ts';
import type { Tensor } from '../../tensor.ts';
import { lookOver } from '../state.ts';
import { Step } from '../steps.ts';
import type { Trainer } from '../trainer.ts';
import type { Callback } from './callback.ts';

/** What a checkpoint keeps of averages. */
interface AveragesState {
  readonly averaged: StateDict;
  /** Whether the model has the averages, and `averaged` the weights that are trained. */
  readonly swapped: boolean;
}

/** Averages of the weights of a model, which can change places with them. */
class Averages {
  readonly #model: Module;
  readonly #averaged: AveragedModel;
  readonly #pairs: () => (readonly [Tensor, Tensor])[];
  readonly #update: Step<[], void>;
  swapped = false;

  constructor(model: Module, options: ConstructorParameters<typeof AveragedModel>[1], swapsBuffers: boolean) {
    const averaged = new AveragedModel(model, options as object);
    this.#model = model;
    this.#averaged = averaged;
    const tensors = (of: Module): Tensor[] => [...of.parameters(), ...(swapsBuffers ? of.buffers() : [])];
    this.#pairs = () => {
      const theirs = tensors(averaged.module);
      return tensors(model).map((x, i) => [x.detach(), (theirs[i] as Tensor).detach()] as const);
    };
    this.#update = new Step('the average of weights', () => averaged.updateParameters(model), true);
  }

  update(): void {
    this.#update.run();
  }

  /** Has the model and the averages change places. */
  swap(): void {
    withoutTape(() =>
      scope(() => {
        for (const [x, y] of this.#pairs()) {
          const before = clone(x);
          copy_(x, y);
          copy_(y, before);
        }
      }),
    );
    this.swapped = !this.swapped;
  }

  state(): AveragesState {
    return { averaged: this.#averaged.stateDict(), swapped: this.swapped };
  }

  loadState({ averaged, swapped }: AveragesState): void {
    this.#averaged.loadStateDict(averaged);
    this.swapped = swapped;
  }

  dispose(): void {
    this.#update.dispose();
    for (const x of [...this.#averaged.parameters(), ...this.#averaged.buffers()]) x.dispose();
  }

  /** Whether these are of that model. */
  isOf(model: Module): boolean {
    return model === this.#model;
  }
}

/** Options of {@link EMAWeightAveraging}. */
export interface EMAWeightAveragingOptions {
  /** The share of the average in the next one. @defaultValue 0.999 */
  decay?: number;
  /** Every how many steps the weights are taken into it. @defaultValue 1 */
  every?: number;
  /** The step from which on they are. @defaultValue 0 */
  from?: number;
  /** Whether buffers are averaged as well; else the model keeps its own. @defaultValue true */
  useBuffers?: boolean;
}

const emaTakes = signature(
  'EMAWeightAveraging(*, decay: number = 0.999, every: int = 1, from: int = 0, useBuffers: bool = true)',
);

/**
 * Keeps the exponential average of the weights, validates with it, and leaves it in the model when the training ends;
 * another `fit()` goes on with the weights themselves (Lightning's `EMAWeightAveraging`).
 */
export class EMAWeightAveraging implements Callback<Trainer> {
  readonly name = 'EMAWeightAveraging';
  readonly #options: Required<EMAWeightAveragingOptions>;
  #averages: Averages | null = null;
  /** Of a checkpoint, until the model is known. */
  #saved: AveragesState | null = null;

  /** @throws ArgumentError unless decay is from 0 to 1 and every ≥ 1 */
  constructor(...args: [options?: EMAWeightAveragingOptions]) {
    const [decay, every, from, useBuffers] = emaTakes.parse(args) as [number, number, number, boolean];
    if (!(decay >= 0 && decay <= 1 && every >= 1))
      throw new ArgumentError(
        `EMAWeightAveraging: expected decay from 0 to 1 and every >= 1, got ${decay} and ${every}`,
      );
    this.#options = { decay, every, from, useBuffers };
  }

  onFitStart(run: Trainer): void {
    const { model } = run;
    const { decay, useBuffers } = this.#options;
    if (!this.#averages?.isOf(model)) {
      this.#averages?.dispose();
      this.#averages = new Averages(model, { multiAvgFn: getEmaMultiAvgFn(decay), useBuffers }, useBuffers);
    }
    if (this.#saved) this.#averages.loadState(this.#saved);
    this.#saved = null;
    this.#back();
  }

  onStepEnd(run: Trainer): void {
    const { step } = run;
    const { every, from } = this.#options;
    if (step >= from && step % every === 0) this.#averages?.update();
  }

  onValidationStart(): void {
    this.#averages?.swap();
  }

  onValidationEnd(): void {
    this.#back();
  }

  onFitEnd(): void {
    this.#averages?.swap();
  }

  onError(): void {
    this.#back();
  }

  #back(): void {
    if (this.#averages?.swapped) this.#averages.swap();
  }

  /** @internal */
  state(): unknown {
    return this.#averages?.state() ?? this.#saved;
  }

  /** @internal */
  loadState(saved: AveragesState | null): void {
    // Averages of here are of weights that the model no longer has.
    this.#averages?.dispose();
    this.#averages = null;
    this.#saved = saved;
  }
}

/** Options of {@link StochasticWeightAveraging}. */
export interface StochasticWeightAveragingOptions {
  /** The epoch from which on weights are averaged: below 1 a share of all, else its number. @defaultValue 0.8 */
  swaEpochStart?: number;
  /** Epochs in which the learning rate goes to the constant one. @defaultValue 10 */
  annealingEpochs?: number;
  /** Along a cosine or a line. @defaultValue `'cos'` */
  annealingStrategy?: 'cos' | 'linear';
}

const swaTakes = signature(
  "StochasticWeightAveraging(swaLrs: number|number[], *, swaEpochStart: number = 0.8, annealingEpochs: int = 10, annealingStrategy: 'cos'|'linear' = 'cos')",
);

interface SwaState {
  readonly averages: AveragesState | null;
  readonly schedules: readonly ScheduleState[];
}

/**
 * Averages the weights that each of the last epochs ends with, at a constant learning rate, and leaves the mean in the
 * model, with the running statistics of its batch norms computed anew (Izmailov et al. 2018; Lightning's
 * `StochasticWeightAveraging`).
 */
export class StochasticWeightAveraging implements Callback<Trainer> {
  readonly name = 'StochasticWeightAveraging';
  readonly #lrs: number | readonly number[];
  readonly #options: Required<StochasticWeightAveragingOptions>;
  #averages: Averages | null = null;
  #schedules: readonly SWALR[] = [];
  #saved: SwaState | null = null;

  /** @param swaLrs the constant learning rate, or one a group */
  constructor(
    ...args: Arguments<[swaLrs: number | readonly number[]], [], StochasticWeightAveragingOptions, ['swaLrs']>
  ) {
    const [lrs, swaEpochStart, annealingEpochs, annealingStrategy] = swaTakes.parse(args);
    if (!((swaEpochStart as number) >= 0))
      throw new ArgumentError(`StochasticWeightAveraging: expected swaEpochStart >= 0, got ${swaEpochStart}`);
    this.#lrs = lrs as number | number[];
    const options = { swaEpochStart, annealingEpochs, annealingStrategy };
    this.#options = options as Required<StochasticWeightAveragingOptions>;
  }

  onFitStart(run: Trainer): void {
    const saved = this.#saved;
    this.#saved = null;
    if (saved?.averages) {
      this.#begin(run);
      this.#averages?.loadState(saved.averages);
      for (const [i, each] of this.#schedules.entries()) each.loadStateDict(saved.schedules[i] as ScheduleState);
    }
    if (this.#averages?.swapped) this.#averages.swap();
  }

  /** The learning rates of the groups stay as they are. */
  #begin({ model, optimizers }: Trainer): void {
    const { annealingEpochs, annealingStrategy } = this.#options;
    // Buffers too: the statistics of batch norms are others in the end.
    this.#averages = new Averages(model, {}, true);
    this.#schedules = optimizers.map((optimizer) => {
      const groups = optimizer.paramGroups as unknown as { lr: number; initialLr?: number }[];
      const before = groups.map(({ lr }) => lr);
      for (const group of groups) group.initialLr = group.lr;
      const schedule = new SWALR(optimizer, this.#lrs, {
        annealEpochs: annealingEpochs,
        annealStrategy: annealingStrategy,
      });
      for (const [i, group] of groups.entries()) group.lr = before[i] as number;
      return schedule;
    });
  }

  onEpochStart(run: Trainer): void {
    const { swaEpochStart } = this.#options;
    const start = swaEpochStart < 1 ? Math.floor(swaEpochStart * run.epochs) : swaEpochStart;
    if (this.#averages || run.epoch < start) return;
    this.#begin(run);
    run.scheduling = false;
  }

  onEpochEnd(): void {
    this.#averages?.update();
    for (const schedule of this.#schedules) schedule.step();
  }

  async onFitEnd(run: Trainer): Promise<void> {
    if (!this.#averages) return;
    this.#averages.swap();
    await updateNorms(run);
  }

  /** @internal */
  state(): unknown {
    const own = {
      averages: this.#averages?.state() ?? null,
      schedules: this.#schedules.map((each) => each.stateDict()),
    };
    return this.#saved ?? own;
  }

  /** @internal */
  loadState(saved: SwaState): void {
    this.#averages?.dispose();
    this.#averages = null;
    this.#schedules = [];
    this.#saved = saved;
  }
}

/** Computes the running statistics of batch norms anew, as the means of those of all batches. */
async function updateNorms(run: Trainer): Promise<void> {
  const norms = run.model.modules().filter((module): module is BatchNorm => module instanceof BatchNorm);
  if (norms.length === 0) return;
  const momenta = norms.map(({ momentum }) => momentum);
  withoutTape(() => {
    for (const norm of norms) {
      norm.momentum = null;
      for (const [name, x] of norm.namedBuffers()) fill_(x, name === 'running_var' ? 1 : 0);
    }
  });
  try {
    await lookOver(run, (batch) => withoutTape(() => scope(() => void run.predictStep(batch))));
  } finally {
    for (const [i, norm] of norms.entries()) norm.momentum = momenta[i] as number | null;
  }
}
