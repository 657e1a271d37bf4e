// A whole training run as bytes: weights, optimizer state, random state, place in the data. A run that continues from
// it computes the same bits as one that was never stopped.
import type { Bytes } from '../data/bytes.ts';
import { tracing } from '../execute.ts';
import { isPlain } from '../kinds.ts';
import { record, rowOf } from '../lookup.ts';
import { ArgumentError, DtypeError, describe, FormatError, formatShape, RetrogradError } from '../memory/errors.ts';
import { Module } from '../nn/module.ts';
import { Optimizer, type OptimizerState } from '../optim/optimizer.ts';
import { getRngState, setRngState } from '../random.ts';
import type { Tensor } from '../tensor.ts';
import { checksum } from './checksum.ts';
import { ofForms } from './declare.ts';
import { jsonFault } from './plain.ts';
import { decodeSafetensors, encodeSafetensors, type FileTensor, type Safetensors } from './safetensors.ts';

const FORMAT = 'retrograd checkpoint 2';

/** What takes part in a checkpoint; parts left out are neither saved nor restored. At least one has to be there. */
export interface CheckpointParts {
  /** Its parameters and buffers. */
  model?: Module;
  /** Its state and options. */
  optimizer?: Optimizer<object>;
  /** Its place in the data. */
  loader?: Resumable;
}

/** What says where it stands, as a DataLoader does. */
export interface Resumable {
  /** Where it stands, in plain JSON. */
  state(): unknown;
  /** Goes on from there; throws, and stays where it is, for a state that is none. */
  loadState(state: never): void;
}

/** What each part has to be. */
const PARTS: Readonly<Record<keyof CheckpointParts, [what: string, fits: (part: unknown) => boolean]>> = {
  model: ['an nn.Module', (part) => part instanceof Module],
  optimizer: ['an optimizer', (part) => part instanceof Optimizer],
  loader: [
    'a DataLoader, or what has state() and loadState()',
    (part) =>
      ['state', 'loadState'].every((name) => typeof (part as Record<string, unknown> | null)?.[name] === 'function'),
  ],
};

/** @throws ArgumentError unless `parts` are what they are called, and hold something */
export function checkParts(op: string, parts: CheckpointParts): void {
  const { model } = parts;
  const given = Object.keys(parts).filter((key) => parts[key as keyof CheckpointParts] !== undefined);
  const strange = given.find((key) => !rowOf(PARTS, key));
  if (strange !== undefined || given.length === 0)
    throw new ArgumentError(
      `${op}: expected one or more of the parts ${Object.keys(PARTS).join(', ')}, got ${strange === undefined ? 'none' : describe(strange)}; what else is to be saved goes into extra`,
    );
  for (const key of given as (keyof CheckpointParts)[]) {
    const [what, fits] = PARTS[key];
    if (!fits(parts[key])) throw new ArgumentError(`${op}: expected ${key} to be ${what}, got ${describe(parts[key])}`);
  }
  if (model && Object.keys(model.stateDict()).length === 0)
    throw new ArgumentError(
      `${op}: expected a model that has parameters or buffers, got ${describe(model)} without any; layers have to be in its fields`,
    );
}

/** @throws ArgumentError for what JSON would lose */
function toJson(op: string, name: string, value: unknown): string {
  const fault = jsonFault(value, name);
  if (fault) throw new ArgumentError(`${op}: expected in ${name} ${fault}; store it in another form`);
  return JSON.stringify(value);
}

/**
 * A checkpoint as bytes.
 * @param extra any JSON value of the caller's own
 * @throws ArgumentError for other parts, for none, and for an extra that JSON cannot keep; FreedError
 */
export const encodeCheckpoint: (parts: CheckpointParts, extra?: unknown) => Uint8Array = ofForms(
  ['encodeCheckpoint(parts: parts)', 'encodeCheckpoint(parts: parts, extra: any)'],
  encode,
);

function encode(parts: CheckpointParts, extra: unknown = null): Uint8Array {
  const op = 'encodeCheckpoint';
  checkParts(op, parts);
  const { model, optimizer, loader } = parts;
  const tensors = record<FileTensor>();
  const put = (prefix: string, from: Readonly<Record<string, unknown>>): void => {
    for (const [key, x] of Object.entries(from) as [string, Tensor][]) {
      const { dtype, shape, data } = x;
      tensors[`${prefix}.${key}`] = { dtype, shape, data } as FileTensor;
    }
  };
  const metadata = record<string>([
    ['format', FORMAT],
    ['random', JSON.stringify([...getRngState()])],
    ['extra', toJson(op, 'extra', extra)],
  ]);
  if (model) put('model', model.stateDict());
  if (optimizer) {
    const { state, paramGroups } = optimizer.stateDict();
    for (const [number, own] of Object.entries(state)) put(`optimizer.${number}`, own);
    metadata.optimizer = toJson(op, 'the optimizer', paramGroups);
  }
  if (loader) metadata.loader = toJson(op, 'the state of the loader', loader.state());
  metadata.checksum = checksum(tensors, metadata);
  return encodeSafetensors(tensors, metadata);
}

const bad = (what: string, cause?: unknown): FormatError =>
  new FormatError(`decodeCheckpoint: expected ${what}`, cause === undefined ? {} : { cause });

/** The JSON value that the file keeps as `name`. */
function fromJson({ metadata }: Safetensors, name: string): unknown {
  const text = metadata[name];
  if (text === undefined) throw bad(`metadata '${name}', got none; the file was saved without it`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw bad(`JSON in metadata '${name}', got ${describe(text)}`, cause);
  }
  const fault = jsonFault(value, name);
  if (fault) throw bad(`in metadata ${fault}`);
  return value;
}

function randomOf(file: Safetensors): number[] {
  const words = fromJson(file, 'random');
  if (!Array.isArray(words) || words.length !== 4 || !words.every((word) => word === (word | 0)))
    throw bad(`four words of 32 bits as the random state, got ${file.metadata.random?.slice(0, 60)}`);
  return words;
}

/** The tensors whose names begin with `prefix`, by the rest of their names. */
const under = ({ tensors }: Safetensors, prefix: string): Record<string, FileTensor> =>
  record(
    Object.entries(tensors).flatMap(([key, x]) =>
      key.startsWith(prefix) ? [[key.slice(prefix.length), x] as const] : [],
    ),
  );

/** The state of an optimizer in the file, in the form of stateDict(); the optimizer knows whether it is its own. */
function optimizerOf(file: Safetensors): OptimizerState {
  const groups = fromJson(file, 'optimizer');
  if (!Array.isArray(groups) || !groups.every(isPlain)) throw bad('groups of the optimizer, got another value');
  const state = record<Record<string, FileTensor>>();
  for (const [key, x] of Object.entries(under(file, 'optimizer.'))) {
    const [, number = '', name = ''] = /^(0|[1-9]\d*)\.(\w+)$/.exec(key) ?? [];
    if (name === '' || x.dtype !== 'f32')
      throw bad(`f32 state of a parameter, got ${x.dtype} in ${JSON.stringify(`optimizer.${key}`)}`);
    state[number] ??= record();
    (state[number] as Record<string, FileTensor>)[name] = x;
  }
  return { state, paramGroups: groups as OptimizerState['paramGroups'] };
}

/** The tensors of `model` in the file, which can be written to those that it has. */
function modelOf(file: Safetensors, model: Module): Record<string, FileTensor> {
  const saved = under(file, 'model.');
  if (Object.keys(saved).length === 0) throw bad('the tensors of a model, got none; the file was saved without it');
  for (const [key, own] of Object.entries(model.stateDict())) {
    own.checkAlive();
    if (!own.isContiguous())
      throw new ArgumentError(
        `decodeCheckpoint: expected contiguous tensors in the model, got ${key} of shape ${formatShape(own.shape)} with strides ${formatShape(own.strides)}; make it contiguous()`,
      );
    const x = saved[key];
    if (x && x.dtype !== own.dtype)
      throw new DtypeError(
        `decodeCheckpoint: expected ${key} of dtype ${own.dtype}, got ${x.dtype}; it is of another model`,
      );
  }
  return saved;
}

/**
 * Calls what takes a part of the file, and knows what it means.
 * @param whole whether it has to fit whatever takes it; otherwise typed errors are those of another model
 */
function taken<T>(what: string, take: () => T, whole = false): T {
  try {
    return take();
  } catch (cause) {
    if (cause instanceof RetrogradError && !whole) throw cause;
    throw bad(
      `${what} that can be taken over, got one that fails: ${String((cause as Error | undefined)?.message)}`,
      cause,
    );
  }
}

/**
 * Restores what {@link encodeCheckpoint} saved. Everything is checked before anything changes.
 * @param source the whole file
 * @returns its `extra`
 * @throws FormatError where the file is no checkpoint, is damaged or lacks a part; ShapeError, DtypeError,
 * ArgumentError where it is of another model or optimizer; ArgumentError for other parts, and for none
 */
export const decodeCheckpoint: <T = unknown>(source: Bytes, parts: CheckpointParts) => T = ofForms(
  ['decodeCheckpoint(source: bytes, parts: parts)'],
  decode,
);

function decode<T>(source: Bytes, parts: CheckpointParts): T {
  checkParts('decodeCheckpoint', parts);
  tracing()?.refuse('decodeCheckpoint', 'load outside of the compiled function');
  const { model, optimizer, loader } = parts;
  const file = decodeSafetensors(source);
  const { tensors, metadata } = file;
  if (metadata.format !== FORMAT) throw bad(`a file of format '${FORMAT}', got ${describe(metadata.format)}`);
  if (metadata.checksum !== checksum(tensors, metadata))
    throw bad(
      `a file with the checksum ${checksum(tensors, metadata)}, got ${describe(metadata.checksum)}; it is damaged`,
    );
  for (const name of Object.keys(tensors))
    if (!/^(model|optimizer)\./.test(name)) throw bad(`tensors of a model or optimizer, got ${describe(name)}`);
  const random = randomOf(file);
  const extra = fromJson(file, 'extra');
  const place = loader && fromJson(file, 'loader');
  const saved = optimizer && optimizerOf(file);
  const weights = model && modelOf(file, model);
  // All checks before the first change, so that a file of another run leaves everything as it was.
  const commitModel = weights && taken('a model', () => (model as Module).prepareStateDict(weights));
  const commitOptimizer =
    saved && taken('an optimizer', () => (optimizer as Optimizer<object>).prepareStateDict(saved));
  // The loader checks and takes its state in one: it is the first to change.
  if (loader) taken('a place in the data', () => loader.loadState(place as never), true);
  commitModel?.();
  commitOptimizer?.();
  setRngState(random);
  return extra as T;
}
