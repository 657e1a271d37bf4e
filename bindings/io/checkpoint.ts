// A whole training run in one file: weights, optimizer state, random state, place in the data. A run that continues
// from it computes the same bits as one that was never stopped.

import type { LoaderState } from '../data/loader.ts';
import { FormatError } from '../memory/errors.ts';
import type { Module } from '../nn/module.ts';
import type { Optimizer, OptimizerState } from '../optim/optimizer.ts';
import { getRngState, setRngState } from '../random.ts';
import type { Tensor } from '../tensor.ts';
import { readFileBytes, writeFileAtomic } from './files.ts';
import { decodeSafetensors, encodeSafetensors, type FileTensor } from './safetensors.ts';

const FORMAT = 'retrograd checkpoint 1';

/** What takes part in a checkpoint; parts left out are neither saved nor restored. */
export interface CheckpointParts {
  /** Its parameters and buffers. */
  model?: Module;
  /** Its state and options. */
  optimizer?: Optimizer<object>;
  /** Its place in the data. */
  loader?: Resumable;
}

/** What has the state of a DataLoader. */
export interface Resumable {
  /** Where it stands. */
  state(): LoaderState;
  /** Goes on from there. */
  loadState(state: LoaderState): void;
}

/** The numbers of a tensor with its shape, copied out of the arena. @internal */
export function toFileTensor(x: Tensor): FileTensor {
  return { dtype: x.dtype, shape: x.shape, data: x.data } as FileTensor;
}

const filed = (prefix: string, tensors: Record<string, Tensor>): [string, FileTensor][] =>
  Object.entries(tensors).map(([key, x]) => [`${prefix}.${key}`, toFileTensor(x)]);

/** A checkpoint as bytes. @param extra any JSON value of the caller's own */
export function encodeCheckpoint(parts: CheckpointParts, extra: unknown = null): Uint8Array {
  const { model, optimizer, loader } = parts;
  const tensors: [string, FileTensor][] = model ? filed('model', model.stateDict()) : [];
  const metadata: Record<string, string> = {
    format: FORMAT,
    random: JSON.stringify([...getRngState()]),
    extra: JSON.stringify(extra),
  };
  if (optimizer) {
    const { state, paramGroups } = optimizer.stateDict();
    for (const [number, own] of Object.entries(state))
      tensors.push(...filed(`optimizer.${number}`, own as Record<string, Tensor>));
    metadata.optimizer = JSON.stringify(paramGroups);
  }
  if (loader) metadata.loader = JSON.stringify(loader.state());
  return encodeSafetensors(Object.fromEntries(tensors), metadata);
}

function parse(metadata: Record<string, string>, name: string): unknown {
  const text = metadata[name];
  if (text === undefined)
    throw new FormatError(`checkpoint: expected metadata '${name}', got none; the file was saved without it`);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FormatError(`checkpoint: expected JSON in metadata '${name}', got ${text.slice(0, 40)}`, { cause });
  }
}

/**
 * Restores what {@link encodeCheckpoint} saved. Everything is checked before anything changes.
 * @returns its `extra`
 * @throws FormatError where the file is no checkpoint or lacks a part; ShapeError, ArgumentError where it is of another
 * model
 */
export function decodeCheckpoint(bytes: Uint8Array, parts: CheckpointParts): unknown {
  const { model, optimizer, loader } = parts;
  const { tensors, metadata } = decodeSafetensors(bytes);
  if (metadata.format !== FORMAT)
    throw new FormatError(`checkpoint: expected a file of format '${FORMAT}', got '${metadata.format ?? 'none'}'`);
  const under = (prefix: string): Record<string, FileTensor> =>
    Object.fromEntries(
      Object.entries(tensors).flatMap(([key, x]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), x]] : [])),
    );
  const random = parse(metadata, 'random') as number[];
  const extra = parse(metadata, 'extra');
  const place = loader ? (parse(metadata, 'loader') as LoaderState) : null;
  const paramGroups = optimizer ? (parse(metadata, 'optimizer') as OptimizerState['paramGroups']) : [];
  const state: OptimizerState['state'] = {};
  for (const [key, x] of Object.entries(under('optimizer.'))) {
    const [number = '', name = ''] = key.split('.');
    state[number] ??= {};
    (state[number] as Record<string, FileTensor>)[name] = x;
  }
  // All checks before the first change, so that a file of another run leaves everything as it was.
  const commitModel = model?.prepareStateDict(under('model.'));
  const commitOptimizer = optimizer?.prepareStateDict({ state, paramGroups });
  commitModel?.();
  commitOptimizer?.();
  if (place) loader?.loadState(place);
  setRngState(random);
  return extra;
}

/**
 * Writes a checkpoint to `path` so that a crash at any moment leaves the old file or the new one, whole. Node only.
 * @param extra any JSON value of the caller's own
 * @throws the system's error, `path` unchanged; BackendError outside Node
 */
export async function saveCheckpoint(path: string, parts: CheckpointParts, extra: unknown = null): Promise<void> {
  await writeFileAtomic(path, encodeCheckpoint(parts, extra));
}

/**
 * Restores a checkpoint from `path`; see {@link decodeCheckpoint}. Node only.
 * @returns its `extra`
 * @throws what decodeCheckpoint does; the system's error; BackendError outside Node
 */
export async function loadCheckpoint(path: string, parts: CheckpointParts): Promise<unknown> {
  return decodeCheckpoint(await readFileBytes(path), parts);
}

/**
 * Writes tensors, such as a `stateDict()`, to a safetensors file, atomically. Node only.
 * @param metadata free strings, kept in the file's header
 * @throws the system's error, `path` unchanged; BackendError outside Node
 */
export async function saveSafetensors(
  path: string,
  tensors: Record<string, Tensor>,
  metadata: Record<string, string> = {},
): Promise<void> {
  const entries = Object.entries(tensors).map(([key, x]) => [key, toFileTensor(x)] as const);
  await writeFileAtomic(path, encodeSafetensors(Object.fromEntries(entries), metadata));
}

/**
 * Reads a safetensors file; the result can be given to {@link nn.Module.loadStateDict}. Node only.
 * @throws FormatError; the system's error; BackendError outside Node
 */
export async function loadSafetensors(path: string): Promise<Record<string, FileTensor>> {
  return decodeSafetensors(await readFileBytes(path)).tensors;
}
