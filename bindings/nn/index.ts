// Layers, named and laid out as PyTorch's torch.nn.
export * from './conv.ts';
export * as init from './init.ts';
export * from './layers.ts';
export { Module, type StateDict } from './module.ts';
export * from './norm.ts';
export * from './pooling.ts';
