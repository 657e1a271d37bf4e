// The namespace `data`: datasets, loaders and file formats of data.
export { type IdxArray, type IdxArrays, type IdxOf, readIdx } from './idx.ts';
export { DataLoader, type Dataset, type LoaderOptions, type LoaderState, TensorDataset } from './loader.ts';
export { Shuffle } from './shuffle.ts';
