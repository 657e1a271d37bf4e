// The namespace `functional`: functions without state, named as in PyTorch's torch.nn.functional.
export type { ConvLayout } from '../ops/conv.ts';
export * from './activation.ts';
export type { Sizes } from './arguments.ts';
export { type AttentionOptions, scaledDotProductAttention } from './attention.ts';
export * from './class-loss.ts';
export * from './conv.ts';
export * from './ctc.ts';
export {
  type CosineSimilarityOptions,
  cosineSimilarity,
  type NormalizeOptions,
  normalize,
  type PairwiseDistanceOptions,
  pairwiseDistance,
} from './distance.ts';
export * from './dropout.ts';
export { sigmoid, tanh } from './elementwise.ts';
export * from './embedding.ts';
export * from './grid.ts';
export * from './interpolate.ts';
export * from './likelihood-loss.ts';
export * from './linear.ts';
export * from './loss.ts';
export type { LossOptions, Reduction } from './loss-parts.ts';
export * from './margin-loss.ts';
export * from './noise.ts';
export * from './norm.ts';
export * from './one-hot.ts';
export type { InplaceOptions } from './overwrite.ts';
export * from './pad.ts';
export { type PdistOptions, pdist } from './pairs.ts';
export * from './pool.ts';
export * from './pool-more.ts';
export * from './prelu.ts';
export { logSoftmax, softmax } from './reduction.ts';
export * from './response.ts';
export * from './rms-norm.ts';
export * from './shrink.ts';
export * from './shuffle.ts';
export * from './triplet-loss.ts';
export * from './unpool.ts';
export * from './written.ts';
