// The namespace `data` of the core: datasets, loaders and the format of MNIST. The entry retrograd/data has more.
export { type IdxArray, type IdxArrays, type IdxOf, readIdx } from './idx.ts';
export {
  DataLoader,
  type Dataset,
  type LoaderOptions,
  type LoaderSampler,
  type LoaderState,
  TensorDataset,
} from './loader.ts';
export { Shuffle } from './shuffle.ts';
