// The public names.
export { type BackwardOptions, backward, grad, isGradEnabled, noGrad } from './autograd.ts';
export { type Compiled, compile } from './compile.ts';
export {
  arange,
  bernoulli,
  eye,
  full,
  getRngState,
  linspace,
  manualSeed,
  ones,
  onesLike,
  rand,
  randint,
  randn,
  randperm,
  setRngState,
  type TensorOptions,
  tensor,
  zeros,
  zerosLike,
} from './creation.ts';
export * as data from './data/index.ts';
export * as functional from './functional.ts';
export * from './functions/index.ts';
export * as io from './io/index.ts';

import './methods.ts';

export * as nn from './nn/index.ts';
export * as optim from './optim/index.ts';
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
} from './runtime/errors.ts';
export { type Backend, backend, type InitOptions, init, shutdown } from './runtime/wasm.ts';
export { scope } from './scope.ts';
export { type Dtype, type NestedArray, type Shape, Tensor, type TypedArray } from './tensor.ts';
