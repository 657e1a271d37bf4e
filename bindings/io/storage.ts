// Checkpoints and tensors in files, for Node.
import type { Tensor } from '../tensor.ts';
import { type CheckpointParts, checkParts, decodeCheckpoint, encodeCheckpoint } from './checkpoint.ts';
import { promised } from './declare.ts';
import { readFileBytes, writeFileAtomic } from './files.ts';
import { decodeSafetensors, encodeSafetensors, type FileTensor, type StoredTensor } from './safetensors.ts';

/**
 * Writes a checkpoint to `path` so that a crash at any moment leaves the old file or the new one, whole. Node only.
 * @param extra any JSON value of the caller's own
 * @throws what encodeCheckpoint does; the system's error, `path` unchanged; BackendError outside Node
 */
export const saveCheckpoint = promised(
  ['saveCheckpoint(path: path, parts: parts)', 'saveCheckpoint(path: path, parts: parts, extra: any)'],
  (path: string, parts: CheckpointParts, extra: unknown = null): Promise<void> =>
    writeFileAtomic(path, encodeCheckpoint(parts, extra)),
);

/**
 * Restores a checkpoint from `path`; see {@link decodeCheckpoint}. Node only.
 * @returns its `extra`
 * @throws what decodeCheckpoint does; the system's error; BackendError outside Node
 */
export const loadCheckpoint: <T = unknown>(path: string, parts: CheckpointParts) => Promise<T> = promised(
  ['loadCheckpoint(path: path, parts: parts)'],
  async <T>(path: string, parts: CheckpointParts): Promise<T> => {
    checkParts('loadCheckpoint', parts);
    return decodeCheckpoint<T>(await readFileBytes(path), parts);
  },
);

/**
 * Writes tensors, such as a `stateDict()`, to a safetensors file, atomically. Node only.
 * @param metadata free strings, kept in the file's header
 * @throws what encodeSafetensors does; the system's error, `path` unchanged; BackendError outside Node
 */
export const saveSafetensors = promised(
  ['saveSafetensors(path: path, tensors: tensors)', 'saveSafetensors(path: path, tensors: tensors, metadata: texts)'],
  (
    path: string,
    tensors: Record<string, Tensor | StoredTensor>,
    metadata: Record<string, string> = {},
  ): Promise<void> => writeFileAtomic(path, encodeSafetensors(tensors, metadata)),
);

/**
 * Reads a safetensors file; the result can be given to `loadStateDict` of a module. Node only.
 * @throws FormatError; the system's error; BackendError outside Node
 */
export const loadSafetensors = promised(
  ['loadSafetensors(path: path)'],
  async (path: string): Promise<Record<string, FileTensor>> => decodeSafetensors(await readFileBytes(path)).tensors,
);
