// The namespace `nn`: layers, named and laid out as PyTorch's torch.nn.
export { Activation, LogSoftmax, Softmax, type SoftmaxOptions } from './activation.ts';
export * from './container.ts';
export * from './conv.ts';
export * from './dropout.ts';
export * from './flatten.ts';
export * from './generated/activations.ts';
/** Initialisers (PyTorch's `torch.nn.init`): each overwrites its tensor, outside of the tape, and returns it. */
export * as init from './init.ts';
export { Layer } from './layer.ts';
export * from './linear.ts';
export { type LoadOptions, type LoadResult, Module, type SavedTensor, type StateDict } from './module.ts';
export * from './norm.ts';
export * from './pooling.ts';
export * from './rnn.ts';
