// The namespace `nn`: layers, named and laid out as PyTorch's torch.nn.

export type { RemovableHandle } from '../functional/hooks.ts';
export {
  Activation,
  LogSoftmax,
  Softmax,
  Softmax2d,
  type SoftmaxOptions,
  Softmin,
  Threshold,
} from './activation.ts';
export * from './adaptive-pooling.ts';
export * from './attention.ts';
export * from './bilinear.ts';
export * from './container.ts';
export {
  Conv1d,
  Conv2d,
  Conv3d,
  type ConvArguments,
  type ConvLayerOptions,
  ConvTranspose1d,
  ConvTranspose2d,
  ConvTranspose3d,
  type ConvTransposeLayerOptions,
  type PaddingMode,
  type TransposeArguments,
} from './conv.ts';
export * from './dropout.ts';
export * from './embedding.ts';
export * from './flatten.ts';
export * from './generated/activations.ts';
export type { BackwardHook, Forward, ForwardHook, ForwardPreHook, Given, Gradients } from './hooks.ts';
/** Initialisers (PyTorch's `torch.nn.init`): each overwrites its tensor, outside of the tape, and returns it. */
export * as init from './init.ts';
export { Layer } from './layer.ts';
export * from './linear.ts';
export * from './lists.ts';
export * from './loss.ts';
export type { Criterion, Loss } from './loss-base.ts';
export { Module } from './module.ts';
export type {
  HookOptions,
  LoadOptions,
  NamedOptions,
  NameOptions,
  RecurseOptions,
  TrainOptions,
} from './module-options.ts';
export {
  BatchNorm1d,
  BatchNorm2d,
  BatchNorm3d,
  type BatchNormArguments,
  type BatchNormOptions,
  GroupNorm,
  type GroupNormOptions,
  InstanceNorm1d,
  InstanceNorm2d,
  InstanceNorm3d,
  LayerNorm,
  type LayerNormOptions,
} from './norm.ts';
export * from './padding.ts';
export * from './pair-loss.ts';
export {
  Buffer,
  type BufferClass,
  type BufferOptions,
  Parameter,
  type ParameterClass,
} from './parameter.ts';
export * from './pool-more.ts';
export * from './pooling.ts';
export * from './prelu.ts';
export * from './response.ts';
export * from './rms-norm.ts';
export {
  GRU,
  LSTM,
  type LSTMOptions,
  type RecurrentOptions,
  type RecurrentSettings,
  type RecurrentSizes,
  RNN,
  type RNNOptions,
} from './rnn.ts';
export {
  type CellArguments,
  GRUCell,
  LSTMCell,
  type LSTMState,
  RNNCell,
  type RNNCellOptions,
} from './rnn-cells.ts';
export type { Nonlinearity } from './rnn-steps.ts';
export * from './shuffle.ts';
export type { LoadResult, SavedTensor, StateDict } from './state.ts';
export * from './summary.ts';
export * from './transformer.ts';
export {
  type DecoderLayerCallOptions,
  type EncoderLayerCallOptions,
  type LayerPositions,
  type TransformerActivation,
  TransformerDecoderLayer,
  TransformerEncoderLayer,
  type TransformerLayerArguments,
  type TransformerLayerOptions,
} from './transformer-layers.ts';
export * from './unpool.ts';
export * from './upsample.ts';
/** What models need beside layers (PyTorch's `torch.nn.utils`). */
export * as utils from './utils/index.ts';
