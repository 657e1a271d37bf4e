// The entry `retrograd/io`: what the namespace `io` of the core has, and the files of other libraries.

export type { Savable, WideOptions } from './arrays.ts';
export * from './core.ts';
export {
  decodeNpy,
  decodeNpz,
  encodeNpy,
  encodeNpz,
  loadNpy,
  loadNpz,
  type NpzOptions,
  type NumpyTensor,
  saveNpy,
  saveNpz,
} from './npy.ts';
export { decodePyTorch, loadPyTorch } from './pytorch.ts';
export { encodePyTorch, savePyTorch } from './pytorch-write.ts';
