// Figures of whole epochs, a batch at a time.
export type { Average, Averaged } from './averages.ts';
export * from './classes.ts';
export * from './confusion.ts';
export * from './curves.ts';
export type { ClassOptions, Task, ThresholdOptions } from './labels.ts';
export * from './mean.ts';
export * from './probabilities.ts';
export * from './regression.ts';
export type { MetricState, SavedRows, SavedSums, StreamingMetric } from './streaming.ts';
export {
  CharErrorRate,
  EditDistance,
  type EditOptions,
  type TextMetric,
  type TextState,
  WordErrorRate,
} from './text.ts';
