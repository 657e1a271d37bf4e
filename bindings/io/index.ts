// Files: safetensors and checkpoints.
export {
  type CheckpointParts,
  decodeCheckpoint,
  encodeCheckpoint,
  loadCheckpoint,
  loadSafetensors,
  saveCheckpoint,
  saveSafetensors,
} from './checkpoint.ts';
export { readFileBytes, writeFileAtomic } from './files.ts';
export { decodeSafetensors, encodeSafetensors, type FileTensor, type Safetensors } from './safetensors.ts';
