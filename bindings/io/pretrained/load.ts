// Loads and saves models in folders: config.json says what they are, safetensors files what they have learned.
import { allBytes } from '../../data/readers/bytes.ts';
import type { ByteSource } from '../../data/sources/byte-source.ts';
import { upload } from '../../execute.ts';
import { ArgumentError, BackendError, FormatError, formatShape } from '../../memory/errors.ts';
import type { Module } from '../../nn/module.ts';
import type { Tensor } from '../../tensor.ts';
import { writeFileAtomic } from '../files.ts';
import { openSafetensors } from '../open.ts';
import type { FileTensor } from '../safetensors-dtypes.ts';
import { saveShardedSafetensors } from '../sharded.ts';
import type { Pretrained } from './layers.ts';
import { makeModel } from './models.ts';

/** The address of a folder, as a URL has it. */
export interface FolderAddress {
  /** The whole of it. */
  readonly href: string;
}

/**
 * Where the files of a model are: a folder's path (Node) or address, or what gives a file by its name; null: it lacks
 * it.
 */
export type ModelFolder = string | FolderAddress | ((name: string) => ByteSource | null);

const OP = 'loadPretrained';
/** How many numbers a model may have beside twice as many as its files, for the error that names what differs. */
const SLACK = 1 << 14;
/** And with a new head. */
const NEW_HEAD = 1 << 20;

/** Gives the files of a folder. */
function filesOf(folder: ModelFolder): (name: string) => ByteSource | null {
  if (typeof folder === 'function') return folder;
  const [, path = '', query = ''] =
    /^([^?#]*?)\/*([?#].*)?$/.exec(typeof folder === 'string' ? folder : folder.href) ?? [];
  return (name) => `${path}/${name}${query}`;
}

/** What `read` makes of a file; null where there is none. */
async function ifThere<T>(source: ByteSource | null, read: (source: ByteSource) => Promise<T>): Promise<T | null> {
  if (source === null || source === undefined) return null;
  try {
    return await read(source);
  } catch (error) {
    if (
      (error as NodeJS.ErrnoException).code === 'ENOENT' ||
      (error instanceof ArgumentError && /got 404\b/.test(error.message))
    )
      return null;
    throw error;
  }
}

/** The weights of a folder, one by one. */
interface Weights {
  keys(): string[];
  getShape(name: string): readonly number[];
  getTensor(name: string): Promise<FileTensor> | FileTensor;
  close(): Promise<void>;
}

const BIN_INDEX = 'pytorch_model.bin.index.json';

async function weightsOf(files: (name: string) => ByteSource | null): Promise<Weights> {
  const shards = (name: string): ByteSource => {
    const source = files(name);
    if (source === null) throw new FormatError(`${OP}: expected the file ${name}, which the index names, got none`);
    return source;
  };
  for (const name of ['model.safetensors', 'model.safetensors.index.json']) {
    const opened = await ifThere(files(name), (source) => openSafetensors(source, { shards }));
    if (opened) return { ...opened, getShape: (key) => opened.getInfo(key).shape };
  }
  const bytesOf = (source: ByteSource): Promise<Uint8Array> => allBytes(OP, source);
  const bytes = await ifThere(files('pytorch_model.bin'), bytesOf);
  const index = bytes ? null : await ifThere(files(BIN_INDEX), bytesOf);
  if (!bytes && !index)
    throw new FormatError(
      `${OP}: expected model.safetensors, an index of several or pytorch_model.bin in the folder, got none`,
    );
  const [{ decode }, { joinPyTorch }] = await Promise.all([import('../pytorch.ts'), import('../pytorch-shards.ts')]);
  const state = bytes
    ? ((await decode(bytes, false)) as Record<string, FileTensor>)
    : await joinPyTorch(OP, { name: BIN_INDEX, bytes: index as Uint8Array }, (name) => bytesOf(shards(name)));
  return {
    keys: () => Object.keys(state),
    getShape: (key) => (state[key] as FileTensor).shape,
    getTensor: (key) => state[key] as FileTensor,
    close: async () => {},
  };
}

/** The name in the model of a tensor in a file: bases have no prefix, models with heads have one, and files either. */
function nameIn(own: ReadonlyMap<string, Tensor>, key: string, base: string): string | undefined {
  const plain = key
    .replace(/(LayerNorm|layer_norm)\.gamma$/, '$1.weight')
    .replace(/(LayerNorm|layer_norm)\.beta$/, '$1.bias');
  const names = [plain, `${base}.${plain}`, plain.startsWith(`${base}.`) ? plain.slice(base.length + 1) : plain];
  return names.find((name) => own.has(name));
}

/** Which tensor of the files goes where. @throws FormatError where one does not fit, or is missing and may not be */
function match(model: Pretrained, base: string, weights: Weights, newHead: boolean): Map<string, Tensor> {
  const own = new Map(Object.entries(model.stateDict()));
  const headed = [...own.keys()].some((name) => name.startsWith(`${base}.`));
  const isHead = (name: string): boolean =>
    newHead && (/(^|\.)pooler\./.test(name) || (headed && !name.startsWith(`${base}.`)));
  const found = new Map<string, Tensor>();
  const filled = new Set<Tensor>();
  const { missingKeys, unexpectedKeys } = model.loading;
  for (const key of weights.keys()) {
    const name = nameIn(own, key, base);
    const x = name === undefined ? undefined : (own.get(name) as Tensor);
    if (name === undefined || !x) {
      unexpectedKeys.push(key);
      continue;
    }
    const shape = weights.getShape(key);
    if (formatShape(shape) === formatShape(x.shape)) {
      // A tensor that has two names is the same by either.
      if (!filled.has(x)) found.set(key, x);
      filled.add(x);
    } else if (!isHead(name))
      throw new FormatError(
        `${OP}: expected ${name} of shape ${formatShape(x.shape)}, as config.json has it, got ${formatShape(shape)}`,
      );
  }
  for (const [name, x] of own) if (!filled.has(x)) missingKeys.push(name);
  const lost = missingKeys.find((name) => !isHead(name));
  if (lost !== undefined)
    throw new FormatError(
      `${OP}: expected ${lost} in the files, got none; they are of another model, or pass { architecture }`,
    );
  return found;
}

/** What loadPretrained does. */
export async function load(
  folder: ModelFolder,
  architecture: string | null,
  numLabels: number | null,
): Promise<Pretrained> {
  const files = filesOf(folder);
  const config = await ifThere(files('config.json'), (source) => allBytes(OP, source));
  if (!config) throw new FormatError(`${OP}: expected config.json in the folder, got none`);
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(config));
  } catch (cause) {
    throw new FormatError(`${OP}: expected JSON in config.json, got other text`, { cause });
  }
  const weights = await weightsOf(files);
  let model: Pretrained | undefined;
  try {
    const total = weights.keys().reduce((sum, key) => sum + weights.getShape(key).reduce((a, b) => a * b, 1), 0);
    const newHead = architecture !== null || numLabels !== null;
    const made = makeModel(json, architecture, numLabels, 2 * total + (newHead ? NEW_HEAD : SLACK));
    model = made.model;
    const places = match(model, made.base, weights, newHead);
    // One after the other: memory holds the model and one tensor of the files.
    for (const [key, x] of places) {
      const { dtype, data } = await weights.getTensor(key);
      if (dtype !== x.dtype)
        throw new FormatError(`${OP}: expected ${key} in f32 or a float of 16 or 64 bits, got ${dtype}`);
      upload(x, data);
    }
    return model.eval();
  } catch (error) {
    model?.dispose();
    throw error;
  } finally {
    await weights.close();
  }
}

/** What savePretrained does. */
export async function save(folder: string, model: Module): Promise<void> {
  const { config } = model as Pretrained;
  if (typeof config !== 'object' || config === null)
    throw new ArgumentError(
      'savePretrained: expected a model of loadPretrained, got one without a config; saveSafetensors saves others',
    );
  const seen = new Set<Tensor>();
  const state: Record<string, Tensor> = {};
  for (const [name, x] of Object.entries(model.stateDict())) {
    if (seen.has(x)) continue; // tied, and tied again when it is loaded
    seen.add(x);
    state[name] = x;
  }
  let path: typeof import('node:path');
  try {
    path = await import('node:path');
  } catch {
    throw new BackendError('savePretrained: expected Node, got an engine without files; encodeSafetensors gives bytes');
  }
  await saveShardedSafetensors(folder, state);
  const text = new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`);
  await writeFileAtomic(path.join(folder, 'config.json'), text);
}
