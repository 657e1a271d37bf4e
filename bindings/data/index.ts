// The entry `retrograd/data`: what the namespace `data` of the core has, and files and pipelines for data of any size.
export * from './core.ts';
export * from './pipeline/index.ts';
export type { BlobLike, ByteSource, ReadableBytes } from './sources/bytes.ts';
