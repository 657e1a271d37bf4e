// The loop that trains: epochs, steps, validation; what listens to it; and how it goes on where it stopped.
import type { Bytes } from '../data/bytes.ts';
import { readFileBytes, writeFileAtomic } from '../io/files.ts';
import { ArgumentError } from '../memory/errors.ts';
import type { Module } from '../nn/module.ts';
import type { Optimizer } from '../optim/optimizer.ts';
import { Breath } from './breath.ts';
import type { Callback, Figures, Run } from './callbacks/callback.ts';
import { decodeState, encodeState } from './checkpoint.ts';
import { expectMethods } from './expect.ts';
import { type Batches, Feed, settled, sizeOf } from './feed.ts';
import { type Event, Listeners } from './listeners.ts';
import { closeAll, type Hyperparameters, type Logger, openAll } from './loggers/logger.ts';
import {
  declared,
  type Evaluation,
  expectAmounts,
  expectBatches,
  type FitOptions,
  type Metrics,
  type StepOutput,
  type TrainerSettings,
  takes,
} from './options.ts';
import { type FitResult, Position } from './position.ts';
import { type Schedule, schedulesOf, stepSchedules } from './schedules.ts';
import { expectSignal, hear, type SignalLike } from './signals.ts';
import { savedOf, takeOver } from './state.ts';
import { Stepper, type Steps } from './stepper.ts';
import { clipOf } from './steps.ts';
import { type Sharing, sharingOf } from './strategy.ts';
import { type Unpacked, unpackBy, unpackUsual } from './unpack.ts';
import type { Port, Setup } from './worker/messages.ts';

/** Options of {@link Trainer}. */
export interface TrainerOptions<B = unknown, X extends Metrics = Metrics> extends TrainerSettings<B, X> {
  /** What is called as the training goes on. @defaultValue `[]` */
  callbacks?: readonly Callback<Trainer>[];
}

type AnyFunction = (...args: unknown[]) => unknown;
type Clip = Parameters<typeof clipOf>[0];

/** A figure of validation by its name: `loss` is `valLoss`. */
const ofValidation = (name: string): string => `val${name[0]?.toUpperCase()}${name.slice(1)}`;

/** Those of values that are numbers. */
const numbersIn = (values: Readonly<Record<string, unknown>>, named = (name: string): string => name): Figures =>
  Object.fromEntries(Object.entries(values).flatMap(([name, x]) => (typeof x === 'number' ? [[named(name), x]] : [])));

/** What stands for a loss: a function, or the forward of a module. */
function lossOf(loss: unknown): AnyFunction | null {
  const { forward } = Object(loss) as { forward?: AnyFunction };
  return typeof loss === 'object' && forward ? forward.bind(loss) : (loss as AnyFunction | null);
}

/**
 * Trains a model: epochs of steps, with validation after each, as one would write the loop by hand, and what belongs to
 * it. Steps run as programs of `compile()`. It can be stopped after any step, saved, and gone on with to the same bits.
 *
 * For another step than the usual one, extend it and override `trainingStep` and `validationStep`.
 * @example
 * ```ts
 * const model = new nn.Linear(4, 1);
 * const trainer = new train.Trainer(model, {
 *   loss: functional.mseLoss,
 *   optimizer: new optim.SGD(model.parameters(), { lr: 0.1 }),
 * });
 * const loader = new data.DataLoader(new data.TensorDataset(randn([64, 4]), randn([64, 1])), { batchSize: 16 });
 * const { history } = await trainer.fit(loader, { epochs: 2 });
 * console.log(history[1]?.loss);
 * ```
 */
export class Trainer<M extends Module = Module, B = unknown, X extends Metrics = Metrics> implements Run {
  /** What is trained. */
  readonly model: M;
  /** What updates its parameters. */
  readonly optimizers: readonly Optimizer<object>[];
  /** The metrics by name. */
  readonly metrics: X;
  /** The settings of the run. */
  readonly hyperparameters: Hyperparameters | null;
  /**
   * Whether the trainer calls `zeroGrad`, `backward` and `step` with the loss of `trainingStep`. Where a class of your
   * own sets it to false, its `trainingStep` does.
   */
  readonly automaticOptimization: boolean = true;
  /** Schedules of learning rates. @internal */
  readonly schedules: readonly Schedule[];
  /** Whether they make steps: a callback may take their place for a time. @internal */
  scheduling = true;
  /** With whom it trains. @internal */
  readonly sharing: Sharing;
  /** What it does with a batch. @internal */
  readonly stepper: Stepper;
  /** What a batch is made of. @internal */
  readonly unpack: (batch: unknown) => Unpacked;
  readonly #loss: AnyFunction | null;
  /** Who is told. @internal */
  readonly listeners: Listeners;
  readonly #loggers: readonly Logger[];
  readonly #logEvery: number;
  readonly #interrupts: boolean;
  /** Whether options ask for what only automatic optimization does. */
  readonly #needsAutomatic: boolean;

  /** Where it stands. @internal */
  readonly at = new Position();
  /** Over all epochs: one may be shorter than the time between two turns. */
  readonly #breath = new Breath();
  #running = false;
  #epochs = 0;
  #steps = Number.POSITIVE_INFINITY;
  #stopped: string | null = null;
  #evaluation: Evaluation<X> | null = null;

  /** @throws ArgumentError for options that are wrong or contradict each other */
  constructor(...args: [model: M, options: TrainerOptions<B, X>]) {
    const values = declared.parse(args);
    const [model, optimizer, loss, schedule, metrics, callbacks, loggers, logEvery] = values;
    const [hyperparameters, accumulate, clip, compiles, handleInterrupt, unpack, augment, strategy] = values.slice(8);
    for (const [name, count] of Object.entries({ logEvery, accumulate }))
      if ((count as number) < 1) throw new ArgumentError(`Trainer: expected ${name} >= 1, got ${count}`);
    const optimizers = [optimizer ?? []].flat() as Optimizer<object>[];
    if (optimizers.length === 0)
      throw new ArgumentError(
        'Trainer: expected an optimizer, got none; optimizer: new optim.Adam(model.parameters())',
      );
    expectMethods('Trainer', 'metrics', Object.values(Object(metrics)), ['reset', 'update', 'compute']);
    expectMethods('Trainer', 'loggers', loggers as object[], ['logScalars', 'logHyperparameters', 'close']);
    this.model = model as M;
    this.optimizers = optimizers;
    this.metrics = (metrics ?? {}) as X;
    this.hyperparameters = hyperparameters as Hyperparameters | null;
    this.schedules = schedulesOf(schedule);
    this.#loss = lossOf(loss);
    this.unpack = unpack ? unpackBy(unpack as never) : unpackUsual;
    this.sharing = sharingOf(this.model, strategy);
    this.listeners = new Listeners(callbacks as Callback[], this.sharing.first);
    this.#loggers = this.sharing.first ? (loggers as Logger[]) : [];
    this.#logEvery = logEvery as number;
    this.#interrupts = handleInterrupt as boolean;
    this.#needsAutomatic = (accumulate as number) > 1 || clip !== null || this.sharing.cuts;
    const optimization = {
      ...{ optimizers, accumulate: accumulate as number, clip: clipOf(clip as Clip) },
      augment: augment as ((batch: unknown) => unknown) | null,
      sharing: this.sharing,
    };
    this.stepper = new Stepper(this as unknown as Steps, optimization, compiles as boolean);
  }

  /** The first of the optimizers. */
  get optimizer(): Optimizer<object> {
    return this.optimizers[0] as Optimizer<object>;
  }
  get epoch(): number {
    return this.at.epoch;
  }
  get epochs(): number {
    return this.#epochs;
  }
  get step(): number {
    return this.at.step;
  }
  get batch(): number {
    return this.at.batch;
  }
  get batches(): number | undefined {
    return this.at.feed?.length;
  }
  get samples(): number {
    return this.at.samples;
  }
  get stopped(): string | null {
    return this.#stopped;
  }
  get learningRates(): number[] {
    return this.optimizers.flatMap(({ paramGroups }) => paramGroups.map((group) => (group as { lr?: number }).lr ?? 0));
  }
  get figures(): Figures {
    return { ...(this.at.trained ? this.at.figures : numbersIn(this.stepper.values())), ...this.at.valFigures };
  }
  /** What validation gave last, in `fit()` or `evaluate()`; null before the first. */
  get evaluation(): Evaluation<X> | null {
    return this.#evaluation;
  }

  /**
   * What a step computes of a batch: the loss, or that and what metrics and figures are made of. It runs as a program:
   * see `compile()` for what that allows.
   */
  trainingStep(batch: B): StepOutput {
    const [inputs, target] = this.unpack(batch);
    const output = this.#forward(inputs);
    const loss = this.#loss;
    if (!loss) throw new ArgumentError('Trainer: expected a loss, got none; give one, or override trainingStep(batch)');
    return { loss: loss(output, target), output, target } as StepOutput;
  }

  /** What validation computes of a batch: the same as `trainingStep`, unless it is overridden. */
  validationStep(batch: B): StepOutput {
    if (!this.automaticOptimization)
      throw new ArgumentError(
        'Trainer: expected a validationStep(batch), got none; override it as trainingStep(batch) is',
      );
    return this.trainingStep(batch);
  }

  /** What `predict()` gives for a batch. */
  predictStep(batch: B): unknown {
    return this.#forward(this.unpack(batch)[0]);
  }

  #forward(inputs: readonly unknown[]): unknown {
    return (this.model as unknown as { forward: AnyFunction }).forward(...inputs);
  }

  /**
   * Trains until `epochs` are done in all. What was stopped, and what a checkpoint was loaded into, goes on where it
   * stood.
   * @param loader a `DataLoader`, a pipeline, a list of batches, or whatever can be iterated over
   * @throws ArgumentError for a loader without batches; what a step or a callback throws, after all callbacks know
   */
  async fit(...args: [loader: Batches<B>, options?: FitOptions<B>]): Promise<FitResult> {
    const [loader, epochs, steps, validation, signal] = takes.fit.parse(args);
    this.#expectIdle('fit');
    expectSignal('fit', signal);
    expectAmounts(epochs as number, steps as number | null);
    if (this.#needsAutomatic && !this.automaticOptimization)
      throw new ArgumentError(
        'fit: expected automaticOptimization with accumulate, clip or shards, got a class without it; do so in trainingStep',
      );
    const feed = new Feed('fit', loader);
    const test = validation ? new Feed('fit', validation) : null;
    this.at.feed = feed;
    // Where a callback threw at the end of an epoch.
    if (this.at.ended) this.#begin();
    this.#epochs = epochs as number;
    this.#steps = (steps as number | null) ?? Number.POSITIVE_INFINITY;
    this.#stopped = null;
    const letGo = hear(signal as SignalLike | null, this.#interrupts, (reason) => this.stop(reason));
    this.#running = true;
    let lost = false;
    try {
      await openAll(this.#loggers, this.at.step, this.hyperparameters);
      await this.#tell('onFitStart');
      if (!this.model.training) this.model.train();
      while (this.at.epoch < this.#epochs && this.#goesOn()) await this.#runEpoch(feed, test);
      await this.#tell('onFitEnd');
      this.sharing.barrier();
    } catch (error) {
      lost = true;
      await this.listeners.tellError(this, error);
      throw error;
    } finally {
      letGo();
      this.#running = false;
      await closeAll(this.#loggers, lost);
    }
    return { epochs: this.at.epoch, steps: this.at.step, stopped: this.#stopped, history: this.at.history };
  }

  #expectIdle(op: string): void {
    if (this.#running)
      throw new ArgumentError(`${op}: expected a trainer that is not in fit(), got one that is; await that first`);
  }

  /** The same on all ranks, of which one may have been told to stop. */
  #goesOn(): boolean {
    this.#stopped = this.sharing.agreeOn(this.#stopped);
    return this.#stopped === null && this.at.step < this.#steps;
  }

  stop(...args: [reason?: string]): void {
    const [reason] = takes.stop.parse(args) as [string];
    this.#stopped ??= reason;
  }

  /** Writes figures to the loggers. */
  log(...args: [record: Readonly<Figures>]): void {
    const [record] = takes.log.parse(args) as [Figures];
    for (const logger of this.#loggers) logger.logScalars(this.at.step, record);
  }

  /** Calls the callbacks. @returns a promise where one of them is asynchronous */
  #tell(event: Event, figures?: Readonly<Figures>): void | PromiseLike<void> {
    return this.listeners.tell(event, this, figures);
  }

  async #runEpoch(feed: Feed, test: Feed | null): Promise<void> {
    if (!this.at.trained && !(await this.#runBatches(feed))) return;
    if (test) {
      await this.#tell('onValidationStart');
      this.#evaluation = (await this.stepper.validate(test)) as Evaluation<X>;
      this.at.valFigures = numbersIn(this.#evaluation, ofValidation);
      await this.#tell('onValidationEnd', this.at.valFigures);
    }
    const { figures } = this;
    if (this.scheduling) stepSchedules(this.schedules, 'epoch', this.at.epoch + 1, figures);
    this.log(figures);
    this.at.history = [...this.at.history, figures];
    this.at.ended = true;
    await this.#tell('onEpochEnd', figures);
    this.#begin();
  }

  /** Makes all ready for an epoch. */
  #begin(): void {
    this.at.begin();
    this.stepper.begin();
  }

  /** @returns whether the batches of the epoch are done */
  async #runBatches(feed: Feed): Promise<boolean> {
    const skip = this.at.resume ? feed.goTo(this.at.resume) : 0;
    this.at.resume = null;
    this.stepper.restart();
    if (this.at.batch === 0) {
      this.#begin();
      await this.#tell('onEpochStart');
    }
    let ended = false;
    try {
      if (this.#goesOn()) {
        this.sharing.begin(feed.loader, feed.length);
        ended = await feed.visit(this.#visitor(), skip);
        if (ended) {
          expectBatches(this.at.batch);
          this.sharing.turn(false, this.at.batch + 1);
        }
      }
    } finally {
      if (!ended) this.at.resume = { loader: feed.state(), batch: this.at.batch };
    }
    const figures = ended ? this.stepper.finish() : null;
    if (figures) this.at.step++;
    this.sharing.settle();
    this.at.figures = numbersIn(ended ? this.stepper.sharedValues(this.at.samples) : this.stepper.values());
    this.at.trained = ended;
    // Those who hear of the last step may save, or throw: its batches are over.
    if (figures) await this.#stepEnd(figures);
    return ended;
  }

  /**
   * Trains on a batch, tells it, and lets others have their turn; gives whether to go on. It does within a step of
   * several batches: their gradients are kept nowhere.
   */
  #visitor(): (batch: unknown) => boolean | PromiseLike<boolean> {
    return (batch) => {
      this.sharing.turn(true, this.at.batch + 1);
      const figures = this.trainBatch(batch as B);
      const goesOn = (): boolean => figures === null || this.#goesOn();
      const rest = (): boolean | PromiseLike<boolean> => settled(this.#breath.take(), goesOn);
      return figures ? settled(this.#stepEnd(figures), rest) : rest();
    };
  }

  /**
   * Trains on one batch, without callbacks, loggers and schedules: for a loop of your own.
   * @returns the figures of the step; null where the batch only added to the gradients, as `accumulate` asks for
   */
  trainBatch(...args: [batch: B]): Figures | null {
    const [batch] = takes.trainBatch.parse(args) as [B];
    const figures = this.stepper.train(batch);
    this.at.batch++;
    this.at.samples += sizeOf(batch);
    if (figures) this.at.step++;
    return figures;
  }

  /** What follows a step of the optimizer. */
  #stepEnd(figures: Figures): void | PromiseLike<void> {
    if (this.scheduling) stepSchedules(this.schedules, 'step', this.at.step, figures);
    if (this.at.step % this.#logEvery === 0) this.log(figures);
    return this.#tell('onStepEnd', figures);
  }

  /**
   * The means and metrics over all batches, in evaluation mode.
   * @returns `loss`, further figures of `validationStep`, and the values of the metrics by name
   */
  async evaluate(...args: [loader: Batches<B>]): Promise<Evaluation<X>> {
    const [loader] = takes.evaluate.parse(args);
    this.#evaluation = (await this.stepper.validate(new Feed('evaluate', loader))) as Evaluation<X>;
    return this.#evaluation;
  }

  /**
   * What the model gives for all batches, in evaluation mode: tensors joined along the first dim, also in lists and
   * objects. They last until they are disposed of.
   */
  async predict(...args: [loader: Batches<B>]): Promise<unknown> {
    const [loader] = takes.predict.parse(args);
    return this.stepper.predict(new Feed('predict', loader));
  }

  /**
   * All that the next step depends on, as bytes: model, optimizers, schedules, random numbers, the place in the data,
   * metrics and callbacks. Any time will do, but for within a step.
   * @param extra any JSON value of the caller's own; without one the hyperparameters
   * @throws ArgumentError for an extra, or a state of a callback or metric, that JSON cannot keep
   */
  encodeCheckpoint(...args: [extra?: unknown]): Uint8Array {
    const [extra = this.hyperparameters] = takes.encodeCheckpoint.parse(args);
    const saved = savedOf(this, this.sharing.first ? this.listeners.state() : {});
    return encodeState(saved, extra);
  }

  /**
   * Has the next `fit()` go on where {@link Trainer.encodeCheckpoint} was called, with the same kinds of callbacks.
   * @returns its `extra`
   * @throws FormatError where the bytes are no checkpoint of a trainer or are damaged; ShapeError, ArgumentError where
   * it is of another model, optimizer or schedule, or has the state of a callback that is not here
   */
  decodeCheckpoint(...args: [source: Bytes]): unknown {
    const [source] = takes.decodeCheckpoint.parse(args) as [Bytes];
    this.#expectIdle('decodeCheckpoint');
    const { state, extra } = decodeState(source);
    takeOver(this, state);
    return extra;
  }

  /**
   * Writes a checkpoint to `path` so that a crash at any moment leaves the old file or the new one, whole. Of ranks
   * that train together all call it, the first writes, and all wait for that. Node only.
   * @param extra any JSON value of the caller's own
   * @throws what encodeCheckpoint does; the system's error, `path` unchanged; BackendError outside Node
   */
  async saveCheckpoint(...args: [path: string, extra?: unknown]): Promise<void> {
    const [path, extra] = takes.saveCheckpoint.parse(args) as [string, unknown];
    const bytes = this.encodeCheckpoint(extra);
    if (this.sharing.first) await writeFileAtomic(path, bytes);
    this.sharing.barrier();
  }

  /**
   * Goes on from the checkpoint at `path`; see {@link Trainer.decodeCheckpoint}. Node only.
   * @returns its `extra`
   * @throws what decodeCheckpoint does; the system's error; BackendError outside Node
   */
  async loadCheckpoint(...args: [path: string]): Promise<unknown> {
    const [path] = takes.loadCheckpoint.parse(args) as [string];
    return this.decodeCheckpoint(await readFileBytes(path));
  }

  /** Trains in a worker, for a page. @internal */
  async serve(made: Setup, port: Port): Promise<void> {
    const { serve } = await import('./worker/serve.ts');
    await serve(this, made, port);
  }

  /** Gives back the memory of its programs; the next step traces anew. Model and optimizers stay. */
  dispose(...args: []): void {
    takes.dispose.parse(args);
    this.stepper.dispose();
  }
}
