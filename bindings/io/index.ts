// The entry `retrograd/io`: what the namespace `io` of the core has, and the files of other libraries.

export type { ByteSource } from '../data/sources/byte-source.ts';
export type { Savable, WideOptions } from './arrays.ts';
export * from './core.ts';
export { castTensors } from './half.ts';
export {
  decodeNpy,
  decodeNpz,
  encodeNpy,
  encodeNpz,
  loadNpy,
  loadNpz,
  type NpzOptions,
  type NumpyOf,
  type NumpyTensor,
  saveNpy,
  saveNpz,
} from './npy.ts';
export { type OpenOptions, openSafetensors, type SafetensorsFile, type TensorInfo } from './open.ts';
export {
  type FolderAddress,
  loadPretrained,
  type ModelFolder,
  type Pretrained,
  type PretrainedInputs,
  type PretrainedOptions,
  type PretrainedOutput,
  savePretrained,
} from './pretrained.ts';
export { decodePyTorch, loadPyTorch } from './pytorch-files.ts';
export { encodePyTorch, savePyTorch } from './pytorch-write.ts';
export { type ShardOptions, saveShardedSafetensors } from './sharded.ts';
