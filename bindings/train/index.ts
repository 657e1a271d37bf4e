// The entry `retrograd/train`: a Trainer, its metrics and callbacks, and searches for hyperparameters.

export {
  EMAWeightAveraging,
  type EMAWeightAveragingOptions,
  StochasticWeightAveraging,
  type StochasticWeightAveragingOptions,
} from './callbacks/averages.ts';
export type { Callback, Figures, Run } from './callbacks/callback.ts';
export { EarlyStopping, type EarlyStoppingOptions } from './callbacks/early-stopping.ts';
export {
  LearningRateFinder,
  type LearningRateFinderOptions,
  type LearningRateResults,
} from './callbacks/learning-rate-finder.ts';
export { LearningRateMonitor, type LearningRateMonitorOptions } from './callbacks/learning-rates.ts';
export { type CheckpointStorage, ModelCheckpoint, type ModelCheckpointOptions } from './callbacks/model-checkpoint.ts';
export type { Mode } from './callbacks/monitor.ts';
export { NanGuard, type NanGuardOptions } from './callbacks/nan-guard.ts';
export { formatDuration } from './callbacks/pace.ts';
export { ProgressBar, type ProgressBarOptions } from './callbacks/progress-bar.ts';
export type { ElementLike, StreamLike } from './callbacks/progress-views.ts';
export { TimeLimit } from './callbacks/time-limit.ts';

export type { Batches } from './feed.ts';
export { CSVLogger } from './loggers/csv.ts';
export { JsonLinesLogger } from './loggers/json-lines.ts';
export type { WriteLine } from './loggers/lines.ts';
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
  StrategyConfig,
  TrainerSettings,
} from './options.ts';
export type { FitResult } from './position.ts';
export * from './report/index.ts';
export type { ScheduleConfig } from './schedules.ts';
export type { SignalLike } from './signals.ts';
export * from './tensorboard/index.ts';
export { type TrainInWorker, type TrainInWorkerOptions, trainInWorker } from './train-in-worker.ts';
export { Trainer, type TrainerOptions } from './trainer.ts';
export * from './tune/index.ts';
export type { Weights } from './worker/messages.ts';
export type { WorkerResult } from './worker/train.ts';
