// The core of the package: all public names but the namespaces, which have entries of their own; see index.ts.
export { enableGrad, isGradEnabled, noGrad, setGradEnabled } from './autograd.ts';
export { type BackwardOptions, backward, type GradOptions, grad } from './backward.ts';
export {
  type ArangeOptions,
  arange,
  type EyeOptions,
  eye,
  full,
  type LikeFunction,
  linspace,
  ones,
  onesLike,
  type ShapeFunction,
  type TensorDataOptions,
  type TensorOptions,
  tensor,
  zeros,
  zerosLike,
} from './creation.ts';
export * from './functional/at.ts';
export * from './functional/compare.ts';
export * from './functional/count.ts';
export * from './functional/draw.ts';
export { einsum, type TensordotOptions, tensordot } from './functional/einsum.ts';
export * from './functional/functions.ts';
export * from './functional/histogram.ts';
export * from './functional/nonzero.ts';
export { type CdistMode, type CdistOptions, cdist } from './functional/pairs.ts';
export * from './functional/parts.ts';
export * from './functional/products.ts';
export * from './functional/rearrange.ts';
export { type MultinomialOptions, multinomial, normal, poisson } from './functional/sampling.ts';
export * from './functional/scatter.ts';
export * from './functional/search.ts';
export * from './functional/sort.ts';
export * from './functional/special.ts';
export * from './functional/statistics.ts';
export * from './functional/sums.ts';
export { unflatten } from './functional/unflatten.ts';
export * from './functional/unique.ts';
export type { TensorMethods } from './generated/tensor-methods.ts';

import './methods.ts';

export type { CompiledModule, Locate, Located, ResponseLike, Simd, UrlLike } from './engine/builds.ts';
export { type Backend, backend, init, type MemoryUsage, shutdown, synchronize } from './engine/engine.ts';
export type { InitOptions } from './engine/options.ts';
export type { Tile } from './engine/tile.ts';
export {
  ArgumentError,
  BackendError,
  DtypeError,
  FormatError,
  FreedError,
  GradError,
  OutOfMemoryError,
  RecordingError,
  RetrogradError,
  ShapeError,
  WorkerError,
} from './memory/errors.ts';
export { SparseTensor } from './ops/sparse-tensor.ts';
export { type Compiled, compile } from './program/compile.ts';
export { type Profile, type ProfileEvent, type ProfileRow, profile } from './program/profile.ts';
export {
  bernoulli,
  getRngState,
  initialSeed,
  manualSeed,
  type RandnOptions,
  type RandOptions,
  rand,
  randint,
  randn,
  randperm,
  setRngState,
} from './random.ts';
export { scope } from './scope.ts';
export type { AfterFirst, Arguments, ByName, Callable, Front, Mixed } from './signature.ts';
export type { RequiresGradOptions } from './takes.ts';
export { type Dtype, type NestedArray, type Shape, Tensor, type TypedArray } from './tensor.ts';
export type { TensorJson } from './text.ts';
