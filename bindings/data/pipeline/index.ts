// What users have of pipelines.
export type { Batched } from './collate.ts';
export type { Column, NdArray, Numbers } from './columns.ts';
export { type From, from, type ValueOf } from './from.ts';
export type { AnyIterable } from './iterable.ts';
export type { BatchOptions, BucketOptions, InterleaveOptions, ShuffleOptions, WindowOptions } from './options.ts';
export { type PadOptions, padCollate } from './pad.ts';
export { Pipeline } from './pipeline.ts';
export {
  type BalancedSamplerOptions,
  BatchSampler,
  ClassBalancedSampler,
  RandomSampler,
  type RandomSamplerOptions,
  type Sampler,
  type SamplerOptions,
  SequentialSampler,
  type Sized,
  SubsetRandomSampler,
  WeightedRandomSampler,
  type WeightedSamplerOptions,
} from './samplers.ts';
export type { Chunk, MapFunction, PipelineState, Reader, Row, Source, State } from './source.ts';
export {
  type FoldOptions,
  type KFold,
  kFold,
  type RandomSplit,
  randomSplit,
  type SplitOptions,
  Subset,
} from './split.ts';
export { type Batches, TensorLoader, type Tensors, type TensorsOptions } from './tensors.ts';
export { type FromWorkers, fromWorkers, type Setup, type WorkersOptions } from './workers.ts';
