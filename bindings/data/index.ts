// The entry `retrograd/data`: what the namespace `data` of the core has, and files and pipelines for data of any size.

export {
  type AffineOptions,
  type ChanceOptions,
  type CropOptions,
  colorJitter,
  cutMix,
  type ErasingOptions,
  type JitterOptions,
  type MixOptions,
  mixUp,
  normalizeImages,
  type Range,
  randomAffine,
  randomCrop,
  randomErasing,
  randomGrayscale,
  randomHorizontalFlip,
  randomVerticalFlip,
} from './augment.ts';
export * from './core.ts';
export { type DescribeOptions, describe } from './describe/describe.ts';
export type { ColumnSummary, Description, Found, NumberSummary } from './describe/summary.ts';
export * from './pipeline/index.ts';
export * from './prepare/index.ts';
export { idx, npy } from './sources/arrays.ts';
export type { Addressed, BlobLike, ByteSource, BytesRead, BytesReader, ReadableBytes } from './sources/byte-source.ts';
export { type ColumnSchema, type CsvOptions, type CsvPipeline, csv } from './sources/csv.ts';
export { decodeImage, type ImageOptions } from './sources/decode-image.ts';
export { type ImageEntry, type ImageFolder, type ImageRecord, imageFolder, images } from './sources/images.ts';
export { type JsonLinesOptions, jsonLines, type LinesOptions, type LinesPipeline, lines } from './sources/lines.ts';
export type { LineReport, WrongLine } from './sources/report.ts';
export { arrow, parquet, type TableFile, type TableOptions } from './sources/table-file.ts';
export { characters, tokens } from './sources/text.ts';
export { type DecodeOptions, type EncodeOptions, Tokenizer } from './sources/tokenizer.ts';
export type { ColumnType, CsvType, Field } from './sources/types.ts';
