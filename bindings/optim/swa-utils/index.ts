// The namespace `optim.swaUtils`: averages of weights, named as PyTorch's torch.optim.swa_utils.
export { SWALR, type SWALROptions } from './swalr.ts';
