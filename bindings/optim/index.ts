// The namespace `optim`: optimizers and gradient clipping, named as PyTorch's torch.optim and torch.nn.utils.
export * from './algorithms.ts';
export { type ClipGradNormOptions, clipGradNorm, clipGradValue } from './clip.ts';
export {
  type GroupParams,
  type NewGroup,
  Optimizer,
  type OptimizerState,
  type ParamGroup,
  type Params,
  type Settings,
} from './optimizer.ts';
