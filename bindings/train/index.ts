// The entry `retrograd/train`: a Trainer, its metrics and callbacks, and searches for hyperparameters.

export type { Callback, Figures, Run } from './callbacks/callback.ts';
export type { Hyperparameters, Logger } from './loggers/logger.ts';
export type { Metric } from './metric.ts';
