// The namespace `optim.lrScheduler`: schedules of learning rates, named as PyTorch's torch.optim.lr_scheduler.
export { type AnyOptimizer, LRScheduler, type Scheduled, type ScheduleOptions, type ScheduleState } from './base.ts';
export { ChainedScheduler, type ChainedSchedulerOptions, SequentialLR } from './composed.ts';
export {
  CosineAnnealingLR,
  type CosineAnnealingLROptions,
  CosineAnnealingWarmRestarts,
  type CosineAnnealingWarmRestartsOptions,
} from './cosine.ts';
export { CyclicLR, type CyclicLROptions, type Each, OneCycleLR, type OneCycleLROptions } from './cycle.ts';
export { ReduceLROnPlateau, type ReduceLROnPlateauOptions } from './plateau.ts';
export {
  ConstantLR,
  type ConstantLROptions,
  ExponentialLR,
  type Factor,
  LambdaLR,
  LinearLR,
  type LinearLROptions,
  MultiplicativeLR,
  MultiStepLR,
  PolynomialLR,
  type PolynomialLROptions,
  StepLR,
  type StepLROptions,
} from './simple.ts';
