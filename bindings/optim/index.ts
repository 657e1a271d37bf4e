// Optimizers and gradient clipping, named as PyTorch's torch.optim and torch.nn.utils.
export * from './algorithms.ts';
export { clipGradNorm, clipGradValue } from './clip.ts';
export { Optimizer, type OptimizerState, type ParamGroup, type Params } from './optimizer.ts';
