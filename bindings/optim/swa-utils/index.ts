// The namespace `optim.swaUtils`: averages of weights, named as PyTorch's torch.optim.swa_utils.
export { AveragedModel, type AveragedModelOptions } from './averaged.ts';
export {
  type AvgFn,
  type EmaOptions,
  getEmaAvgFn,
  getEmaMultiAvgFn,
  getSwaAvgFn,
  getSwaMultiAvgFn,
  type MultiAvgFn,
} from './averages.ts';
export { SWALR, type SWALROptions } from './swalr.ts';
export { updateBn } from './update-bn.ts';
