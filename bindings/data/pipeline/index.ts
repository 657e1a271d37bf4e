// What users have of pipelines.
export type { Chunk } from './chunk.ts';
export type { Batched } from './collate.ts';
export type { Column, NdArray, Numbers } from './columns.ts';
export { type AnyIterable, type From, from, type ValueOf } from './from.ts';
export { type PadOptions, padCollate } from './pad.ts';
export {
  type BatchOptions,
  type BucketOptions,
  type InterleaveOptions,
  Pipeline,
  type ShuffleOptions,
  type WindowOptions,
} from './pipeline.ts';
export type { MapFunction } from './records.ts';
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
export type { PipelineState, Reader, Source, State } from './source.ts';
export {
  type FoldOptions,
  type KFold,
  kFold,
  type RandomSplit,
  randomSplit,
  type SplitOptions,
  Subset,
} from './split.ts';
export type { Row } from './table.ts';
export { type Batches, TensorLoader, type Tensors, type TensorsOptions } from './tensors.ts';
export { type FromWorkers, fromWorkers, type Setup, type WorkersOptions } from './workers.ts';
