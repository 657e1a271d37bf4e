// The namespace `io`: files, safetensors and checkpoints.
export {
  type CheckpointParts,
  decodeCheckpoint,
  encodeCheckpoint,
  loadCheckpoint,
  loadSafetensors,
  type Resumable,
  saveCheckpoint,
  saveSafetensors,
} from './checkpoint.ts';
export { readFileBytes, writeFileAtomic } from './files.ts';
export {
  decodeSafetensors,
  encodeSafetensors,
  type FileArrays,
  type FileTensor,
  type FileTensorOf,
  type Safetensors,
} from './safetensors.ts';
