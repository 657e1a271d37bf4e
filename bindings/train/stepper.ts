// What is done with a batch: a step of training, of validation or of prediction, and what is measured of it.
import { withoutTape } from '../autograd.ts';
import { cat } from '../functional/functions.ts';
import type { Module } from '../nn/module.ts';
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import { Breath } from './breath.ts';
import type { Figures } from './callbacks/callback.ts';
import { type Feed, settled, sizeOf } from './feed.ts';
import { Means, type MeansState } from './means.ts';
import type { Metrics, StepOutput, StepParts } from './options.ts';
import { finish, type Optimization, optimize, partsOf, Step } from './steps.ts';
import { joined } from './unpack.ts';

/** What users say a step is. */
export interface Steps {
  readonly model: Module;
  readonly metrics: Metrics;
  readonly automaticOptimization: boolean;
  trainingStep(batch: unknown): StepOutput;
  validationStep(batch: unknown): StepOutput;
  predictStep(batch: unknown): unknown;
}

/** Means and metrics of an epoch so far. */
export interface Measured {
  readonly means: MeansState;
  readonly metrics: Readonly<Record<string, unknown>>;
}

export class Stepper {
  readonly #steps: Steps;
  readonly #optimization: Optimization;
  readonly #means = new Means();
  /** Of the batches that one step of the optimizer is made of. */
  readonly #group = new Means();
  #pending = 0;
  readonly #train: Step<[unknown, boolean, boolean], StepParts>;
  readonly #validate: Step<[unknown], StepParts>;
  readonly #predict: Step<[unknown], unknown>;

  constructor(steps: Steps, optimization: Optimization, compiles: boolean) {
    this.#steps = steps;
    this.#optimization = optimization;
    this.#train = new Step('trainingStep', (...args) => this.#trainingStep(...args), compiles);
    this.#validate = new Step(
      'validationStep',
      (batch) => this.#wanted(partsOf('validationStep', steps.validationStep(batch), false)),
      compiles,
    );
    this.#predict = new Step('predictStep', (batch) => steps.predictStep(batch), compiles);
  }

  #trainingStep(batch: unknown, first: boolean, last: boolean): StepParts {
    const { automaticOptimization: automatic } = this.#steps;
    const forward = (part: unknown): StepParts => partsOf('trainingStep', this.#steps.trainingStep(part), automatic);
    return this.#wanted(automatic ? optimize(this.#optimization, forward, batch, first, last) : forward(batch));
  }

  /** Without what nobody reads. */
  #wanted({ output, target, ...figures }: StepParts): StepParts {
    return (this.#metrics.length > 0 ? { ...figures, output, target } : figures) as StepParts;
  }

  get #metrics(): Metrics[string][] {
    return Object.values(this.#steps.metrics);
  }

  /** Forgets the means and metrics of an epoch. */
  begin(): void {
    this.restart();
    this.#means.reset();
    for (const metric of this.#metrics) metric.reset();
  }

  /** Forgets the gradients that were added up. */
  restart(): void {
    this.#pending = 0;
    this.#group.reset();
  }

  /** The means over ranks of the numbers in what a step of training gave. */
  #readTraining(parts: StepParts, size: number): [figures: Figures, size: number] {
    const { figures, weight } = this.#optimization.sharing.means(this.#read(parts), size);
    this.#means.add(figures, weight);
    return [figures, weight];
  }

  /** The numbers in what a step gave; metrics look at the rest. */
  #read({ output, target, ...numbers }: StepParts): Figures {
    const figures: Figures = {};
    for (const name in numbers) {
      const x = numbers[name];
      if (x) figures[name] = x.item();
    }
    if (output && target)
      withoutTape(() => {
        for (const metric of this.#metrics) metric.update(output.detach(), target);
      });
    return figures;
  }

  /** Trains on a batch. @returns the figures of the step; null where the step is still to come */
  train(batch: unknown): Figures | null {
    const { accumulate, augment } = this.#optimization;
    const [first, last] = [this.#pending === 0, this.#pending + 1 >= accumulate];
    const seen = (): unknown => (augment ? augment(batch) : batch);
    const [figures, size] = scope(() => this.#readTraining(this.#train.run(seen(), first, last), sizeOf(batch)));
    if (accumulate === 1) return figures;
    this.#group.add(figures, size);
    this.#pending++;
    return last ? this.#grouped() : null;
  }

  /** The step of fewer batches, at the end of an epoch. @returns its figures; null where none is due */
  finish(): Figures | null {
    if (this.#pending === 0) return null;
    const [figures] = scope(() => this.#readTraining(finish(this.#optimization), 1));
    this.#group.add(figures, 1);
    return this.#grouped();
  }

  #grouped(): Figures {
    const figures = this.#group.values();
    this.restart();
    return figures;
  }

  /** The means so far, and the values of metrics. */
  values(means: Means = this.#means): Record<string, unknown> {
    const values: Record<string, unknown> = means.values();
    for (const [name, metric] of Object.entries(this.#steps.metrics)) values[name] = metric.compute();
    return values;
  }

  /** The values of all ranks, at the end of a pass over `samples` examples of this one: those of metrics are means. */
  sharedValues(samples: number, means: Means = this.#means): Record<string, unknown> {
    const values = this.values(means);
    const own = Object.entries(values).filter(([name, x]) => name in this.#steps.metrics && typeof x === 'number');
    return { ...values, ...this.#optimization.sharing.means(Object.fromEntries(own) as Figures, samples).figures };
  }

  state(): Measured {
    const metrics = Object.entries(this.#steps.metrics).map(([name, metric]) => [name, metric.state?.() ?? null]);
    return { means: this.#means.state(), metrics: Object.fromEntries(metrics) };
  }

  loadState({ means, metrics }: Measured): void {
    this.#means.loadState(means);
    for (const [name, metric] of Object.entries(this.#steps.metrics)) {
      metric.reset();
      const state = metrics[name];
      if (state !== null && state !== undefined) metric.loadState?.(state as never);
    }
  }

  /** The values of a pass over validation data. Metrics of an epoch under way go on after it, if they have a state. */
  async validate(feed: Feed): Promise<Record<string, unknown>> {
    const before = this.state();
    const means = new Means();
    let samples = 0;
    for (const metric of this.#metrics) metric.reset();
    try {
      await this.#look(feed, (batch) => {
        const size = sizeOf(batch);
        means.add(this.#read(this.#validate.run(batch)), size);
        samples += size;
      });
      const { sharing } = this.#optimization;
      const own = means.state();
      means.loadState({ sums: sharing.sums(own.sums), weights: sharing.sums(own.weights) });
      return this.sharedValues(samples, means);
    } finally {
      this.loadState(before);
    }
  }

  /** What the model gives for all batches. */
  async predict(feed: Feed): Promise<unknown> {
    const parts: unknown[] = [];
    let result: unknown = null;
    try {
      await this.#look(feed, (batch) => {
        parts.push(kept(this.#predict.run(batch)));
      });
      result = joined(parts, (tensors) => (tensors.length === 1 ? (tensors[0] as Tensor) : cat(tensors).keep()));
      return result;
    } finally {
      // Also where a batch, or joining them, failed.
      if (result === null || (parts.length > 1 && result !== parts)) for (const part of parts) joined([part], freed);
    }
  }

  /** Calls `visit` with each batch, in evaluation mode and without a tape. Modes are as before then. */
  async #look(feed: Feed, visit: (batch: unknown) => void): Promise<void> {
    const modes = this.#steps.model.modules().map((module) => [module, module.training] as const);
    const breath = new Breath();
    this.#steps.model.eval();
    try {
      await feed.visit((batch) => {
        withoutTape(() => scope(() => visit(batch)));
        return settled(breath.take(), () => true);
      });
    } finally {
      for (const [module, mode] of modes) module.training = mode;
    }
  }

  dispose(): void {
    for (const step of [this.#train, this.#validate, this.#predict]) step.dispose();
  }
}

/** Lets the tensors in a value outlive the scope. */
function kept(value: unknown): unknown {
  joined([value], ([x]) => (x as Tensor).keep());
  return value;
}

/** Gives back the memory of tensors that were joined. */
function freed(tensors: Tensor[]): Tensor {
  for (const x of tensors) x.dispose();
  return tensors[0] as Tensor;
}
