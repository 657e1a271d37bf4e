// What users have of pipelines.
export type { Chunk } from './chunk.ts';
export type { Batched } from './collate.ts';
export type { Column, NdArray, Numbers } from './columns.ts';
export { type AnyIterable, type From, from, type ValueOf } from './from.ts';
export { type BatchOptions, Pipeline, type PipelineState, type ShuffleOptions } from './pipeline.ts';
export type { MapFunction } from './records.ts';
export type { Reader, Source, State } from './source.ts';
export type { Row } from './table.ts';
