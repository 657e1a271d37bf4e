// The entry `retrograd/train`: a Trainer, its metrics and callbacks, and searches for hyperparameters.

export type { Metric } from './metric.ts';
