// The entry `retrograd/io`: what the namespace `io` of the core has, and the files of other libraries.

export type { WideOptions } from './arrays.ts';
export * from './core.ts';
export { decodePyTorch, loadPyTorch } from './pytorch.ts';
export { encodePyTorch, savePyTorch } from './pytorch-write.ts';
