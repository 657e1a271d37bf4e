// The namespace `optim`: optimizers and gradient clipping, named as PyTorch's torch.optim and torch.nn.utils.

export { type ClipGradNormOptions, clipGradNorm, clipGradValue } from '../nn/utils/clip.ts';
export * from './adafactor.ts';
export * from './adams.ts';
export * from './algorithms.ts';
export * from './lbfgs.ts';
/** Schedules of learning rates (PyTorch's `torch.optim.lr_scheduler`). */
export * as lrScheduler from './lr-scheduler/index.ts';
export * from './muon.ts';
export {
  type GroupParams,
  type NewGroup,
  Optimizer,
  type OptimizerState,
  type ParamGroup,
  type Params,
  type Settings,
} from './optimizer.ts';
export * from './pytorch.ts';
export * from './rules.ts';
export * from './sparse-adam.ts';
/** Averages of weights (PyTorch's `torch.optim.swa_utils`). */
export * as swaUtils from './swa-utils/index.ts';
