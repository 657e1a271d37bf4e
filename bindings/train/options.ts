// What a trainer is told.

import { bytesKind } from '../data/bytes.ts';
import type { Kind } from '../kinds.ts';
import { ArgumentError } from '../memory/errors.ts';
import type { Module } from '../nn/module.ts';
import type { LRScheduler } from '../optim/lr-scheduler/base.ts';
import { Optimizer } from '../optim/optimizer.ts';
import { type Signature, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import type { Batches } from './feed.ts';
import type { Hyperparameters, Logger } from './loggers/logger.ts';
import type { Metric } from './metric.ts';
import type { ScheduleConfig } from './schedules.ts';
import type { SignalLike } from './signals.ts';

/** Metrics by the names of their figures. */
export type Metrics = Record<string, Metric<unknown>>;

/** What a loss is: a function of the model's output and the target, or a module such as `nn.CrossEntropyLoss`. */
export type Loss =
  | ((output: never, target: never) => Tensor)
  | (Module & {
      /** The loss, one number. */
      forward(output: Tensor, target: Tensor): Tensor;
    });

/** How gradients are clipped before each step. */
export interface ClipOptions {
  /** The largest norm of all gradients together; `gradNorm` is a figure then. @defaultValue null */
  norm?: number | null;
  /** The order of that norm. @defaultValue 2 */
  normType?: number;
  /** The largest absolute value of each number of a gradient. @defaultValue null */
  value?: number | null;
}

/** A strategy by its name, and with options that are its own, such as those of `DataParallel`. */
export interface StrategyConfig {
  /** Its name: `'ddp'` is that of `retrograd/distributed`. */
  name: string;
  /** Options of the strategy. */
  [option: string]: unknown;
}

/** What a trainer is told, but for its callbacks. */
export interface TrainerSettings<B = unknown, X extends Metrics = Metrics> {
  /** What updates the parameters; several each make a step, of gradients of one loss. */
  optimizer: Optimizer<object> | readonly Optimizer<object>[];
  /** The loss of output and target; null where `trainingStep` is overridden. @defaultValue null */
  loss?: Loss | null;
  /** Schedules of learning rates; alone, they make a step an epoch. @defaultValue null */
  schedule?: LRScheduler | ScheduleConfig | readonly (LRScheduler | ScheduleConfig)[] | null;
  /** Figures of output and target over whole epochs, of training and of validation. @defaultValue null */
  metrics?: X | null;
  /** What figures are written to. @defaultValue `[]` */
  loggers?: readonly Logger[];
  /** Every how many steps figures of a step are logged. @defaultValue 50 */
  logEvery?: number;
  /** Settings of the run, for loggers and checkpoints. @defaultValue null */
  hyperparameters?: Hyperparameters | null;
  /**
   * Batches whose gradients are added up for one step, of the mean of their losses. Fewer at the end of an epoch are
   * divided by as many, as Lightning does.
   * @defaultValue 1
   */
  accumulate?: number;
  /** How gradients are clipped. @defaultValue null */
  clip?: ClipOptions | null;
  /** Whether steps run as programs of `compile()`. @defaultValue true */
  compile?: boolean;
  /**
   * Whether Ctrl-C ends `fit()` after the step under way, in Node; a second one ends the process at once.
   * @defaultValue false
   */
  handleInterrupt?: boolean;
  /**
   * Takes a batch apart: the arguments of the model, and the target. null: of a list the last is the target, of
   * `{ x, y }` y; a tensor alone has none.
   * @defaultValue null
   */
  unpack?: ((batch: B) => readonly [inputs: Tensor | readonly unknown[], target?: unknown]) | null;
  /**
   * What becomes of a batch before it is trained on, outside of programs, such as crops at random; what is validated
   * and predicted stays as it is.
   * @defaultValue null
   */
  augment?: ((batch: B) => B) | null;
  /**
   * How processes share the training: `'ddp'`, with `retrograd/distributed` imported, or that with the options of its
   * `DataParallel`, such as `{ name: 'ddp', order: 'fixed', shards: 4 }`. All ranks run the same program then, and
   * call `fit`, `evaluate` and `saveCheckpoint` together. Losses and figures are means over ranks, metrics too, each by
   * its examples; the first rank alone logs and writes.
   * @defaultValue null
   */
  strategy?: 'ddp' | StrategyConfig | null;
}

/** Options of `fit()`. */
export interface FitOptions<B = unknown> {
  /** Epochs in all; those of an earlier `fit()` or of a checkpoint count. @defaultValue 1 */
  epochs?: number;
  /** Ends it after so many steps in all, wherever that is. @defaultValue null */
  steps?: number | null;
  /** Batches that are not trained on, to see the figures of after each epoch. @defaultValue null */
  validation?: Batches<B> | null;
  /** Ends it after the step under way, as `stop()` does. @defaultValue null */
  signal?: SignalLike | null;
}

/**
 * What a step gives: the loss, or that and other numbers to see means of, and, for metrics, what the model gave and
 * should have given.
 */
export type StepOutput = Tensor | StepParts;

/** {@link StepOutput} by names. */
export interface StepParts {
  /** The loss, one number; where several optimizers are called by hand it may be missing. */
  loss?: Tensor;
  /** What the model gave. */
  output?: Tensor;
  /** What it should have given. */
  target?: Tensor;
  /** Further tensors of one number. */
  [figure: string]: Tensor | undefined;
}

/** The figures of an evaluation: means, and the values of metrics X. */
export type Evaluation<X extends Metrics = Metrics> = {
  /** The mean loss. */
  loss: number;
} & { [K in keyof X]: ReturnType<X[K]['compute']> };

const kinds: Readonly<Record<string, Kind>> = {
  Optimizer: [(x) => x instanceof Optimizer, 'an optimizer', 'optimizers'],
};

export const declared = signature(
  'Trainer(model: Module, *, optimizer: Optimizer|Optimizer[]|null = null, loss: function|Module|null = null, schedule: any = null, ' +
    'metrics: object|null = null, callbacks: object[] = [], loggers: object[] = [], logEvery: int = 50, ' +
    'hyperparameters: object|null = null, accumulate: int = 1, clip: object|null = null, compile: bool = true, ' +
    'handleInterrupt: bool = false, unpack: function|null = null, augment: function|null = null, ' +
    'strategy: string|object|null = null)',
  kinds,
);

/** Takes a last argument that may be any object, and so no options. */
const withExtra = (without: Signature, withIt: Signature): Pick<Signature, 'parse'> => ({
  parse: (args) =>
    (args.length <= without.parameters.length || args.at(-1) === undefined ? without : withIt).parse(args),
});

export const takes = {
  fit: signature(
    'Trainer.fit(loader: any, *, epochs: int = 1, steps: int|null = null, validation: any = null, signal: object|null = null)',
  ),
  evaluate: signature('Trainer.evaluate(loader: any)'),
  predict: signature('Trainer.predict(loader: any)'),
  stop: signature("Trainer.stop(reason: string = 'stopped')"),
  log: signature('Trainer.log(record: object)'),
  trainBatch: signature('Trainer.trainBatch(batch: any)'),
  encodeCheckpoint: withExtra(
    signature('Trainer.encodeCheckpoint()'),
    signature('Trainer.encodeCheckpoint(extra: any)'),
  ),
  decodeCheckpoint: signature('Trainer.decodeCheckpoint(source: bytes)', bytesKind),
  saveCheckpoint: withExtra(
    signature('Trainer.saveCheckpoint(path: string)'),
    signature('Trainer.saveCheckpoint(path: string, extra: any)'),
  ),
  loadCheckpoint: signature('Trainer.loadCheckpoint(path: string)'),
  dispose: signature('Trainer.dispose()'),
};

/** @throws ArgumentError for fewer than none */
export function expectAmounts(epochs: number, steps: number | null): void {
  if (epochs < 0 || (steps ?? 0) < 0)
    throw new ArgumentError(`fit: expected epochs and steps of at least 0, got ${epochs} and ${steps}`);
}

/** @throws ArgumentError for a pass without any batches: it would end as if it had trained */
export function expectBatches(n: number): void {
  if (n === 0)
    throw new ArgumentError('fit: expected a loader with batches, got none; an iterator gives them once only');
}
