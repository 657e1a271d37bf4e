// The entry `retrograd/train`: a Trainer, its metrics and callbacks, and searches for hyperparameters.

export type { Callback, Figures, Run } from './callbacks/callback.ts';
export type { Batches } from './feed.ts';
export type { Hyperparameters, Logger } from './loggers/logger.ts';
export type { Metric } from './metric.ts';
export * from './metrics/index.ts';
export type {
  ClipOptions,
  Evaluation,
  FitOptions,
  Loss,
  Metrics,
  StepOutput,
  StepParts,
  TrainerSettings,
} from './options.ts';
export type { ScheduleConfig } from './schedules.ts';
export type { SignalLike } from './signals.ts';
export * from './tensorboard/index.ts';
export { type FitResult, Trainer, type TrainerOptions } from './trainer.ts';
