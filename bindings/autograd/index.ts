// The namespace `autograd`: derivatives of functions, functions with gradients of their own, and what helps with both
// (PyTorch's torch.autograd, torch.autograd.functional, torch.func and torch.utils.checkpoint).
export { detectAnomaly, setDetectAnomaly } from './anomaly.ts';
export {
  type CheckpointLayer,
  type CheckpointOptions,
  type CheckpointStep,
  checkpoint,
  checkpointSequential,
} from './checkpoint.ts';
export * from './derivatives.ts';
export {
  type FunctionContext,
  type FunctionDefinition,
  type FunctionGradients,
  type FunctionResult,
  type FunctionWithSetup,
  GradFunction as Function,
} from './function.ts';
export { type FunctionalCallOptions, functionalCall } from './functional-call.ts';
export { type GradcheckOptions, type GradgradcheckOptions, gradcheck, gradgradcheck } from './gradcheck.ts';
export type { Alike, FunctionOf, Tensors } from './lists.ts';
export { type BatchDims, type VmapOptions, vmap } from './vmap.ts';
