// The entry `retrograd/doctor`: what is wrong with a training, where, why, and what to change.

export type { Finding } from './finding.ts';
export type { GradientNoise } from './noise.ts';
export type { Batches, LossLike, StepOptions, WatchOptions } from './options.ts';
export { type Doctor, type Report, watch } from './watch.ts';
