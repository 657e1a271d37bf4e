// The entry `retrograd/doctor`: what is wrong with a training, where, why, and what to change.

export type { Finding } from './finding.ts';
