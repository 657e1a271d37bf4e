// The namespace `io` of the core: files, safetensors and checkpoints. The entry retrograd/io has more.
export type { Bytes } from '../data/bytes.ts';
export { type CheckpointParts, decodeCheckpoint, encodeCheckpoint, type Resumable } from './checkpoint.ts';
export { readFileBytes, writeFileAtomic } from './files.ts';
export {
  decodeSafetensors,
  encodeSafetensors,
  type FileArrays,
  type FileTensor,
  type FileTensorOf,
  type Safetensors,
  type StoredTensor,
  type WideArrays,
  type WideTensor,
  type WideTensorOf,
} from './safetensors.ts';
export { loadCheckpoint, loadSafetensors, saveCheckpoint, saveSafetensors } from './storage.ts';
