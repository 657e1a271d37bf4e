// The namespace `nn.utils`: what models need beside layers.
/** Sequences of different lengths, packed and padded (PyTorch's `torch.nn.utils.rnn`). */

export {
  type ClipGradNormOptions,
  clipGradNorm as clipGradNorm_,
  clipGradsWithNorm_,
  clipGradValue as clipGradValue_,
  getTotalNorm,
} from './clip.ts';
export type { Changes } from './computed.ts';
export { type AnyBatchNorm, type AnyConv, fuseConvBnEval, fuseLinearBnEval } from './fuse.ts';
export { type RemoveOptions, removeSpectralNorm, removeWeightNorm, spectralNorm, weightNorm } from './norms.ts';
/** Parametrizations of weights (PyTorch's `torch.nn.utils.parametrizations`). */
export * as parametrizations from './parametrizations/index.ts';
/** Tensors that are computed of others (PyTorch's `torch.nn.utils.parametrize`). */
export * as parametrize from './parametrize.ts';
export * as rnn from './rnn.ts';
export { parametersToVector, vectorToParameters } from './vector.ts';
