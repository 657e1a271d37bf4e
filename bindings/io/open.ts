// safetensors files tensor by tensor: the header is read at once, and of the rest what is asked for. Of several files
// their index says what stands where.
import { openRandom, type RandomBytes } from '../data/readers/bytes.ts';
import { type ByteSource, sourceKind } from '../data/sources/byte-source.ts';
import { isPlain } from '../kinds.ts';
import { record } from '../lookup.ts';
import { ArgumentError, describe, FormatError, named } from '../memory/errors.ts';
import { promised } from './declare.ts';
import { type Entry, headerLength, headerText, readEntry, readHeader } from './safetensors.ts';
import type { FileTensor } from './safetensors-dtypes.ts';

/** What is known of a tensor before it is read. */
export interface TensorInfo {
  /** The dtype of the file, by the format's name, such as BF16. */
  dtype: string;
  /** Sizes, outermost first. */
  shape: readonly number[];
  /** Bytes that it takes in the file. */
  bytes: number;
}

/** An open file of tensors, or several. */
export interface SafetensorsFile {
  /** The names of the tensors. */
  keys(): string[];
  /** The free strings of the header; of several files, those of the first. */
  readonly metadata: Readonly<Record<string, string>>;
  /** What is known of a tensor. @throws ArgumentError where there is none of that name */
  getInfo(name: string): TensorInfo;
  /** Reads one tensor. @throws ArgumentError where there is none of that name; FormatError */
  getTensor(name: string): Promise<FileTensor>;
  /** Reads all tensors, one after the other. @throws FormatError */
  tensors(): Promise<Record<string, FileTensor>>;
  /** Lets go of the files. */
  close(): Promise<void>;
}

/** Options of {@link openSafetensors}. */
export interface OpenOptions {
  /**
   * Gives the files that an index names, by their names; null: they stand beside the index.
   * @defaultValue null
   */
  shards?: ((name: string) => ByteSource) | null;
}

const OP = 'openSafetensors';
const bad = (what: string): FormatError => new FormatError(`${OP}: expected ${what}`);
/** An index beyond it is an attack or an accident, as of headers. */
const MAX_INDEX_BYTES = 100_000_000;

/** An open file, and where its data begin. */
interface Open {
  readonly bytes: RandomBytes;
  readonly data: number;
  readonly entries: ReadonlyMap<string, Entry>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Closes what is open where the rest fails. */
async function orClose<T>(open: readonly RandomBytes[], run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    await Promise.all(open.map((each) => each.close()));
    throw error;
  }
}

async function openOne(bytes: RandomBytes): Promise<Open> {
  const length = headerLength(await bytes.read(0, Math.min(8, bytes.size)), bytes.size);
  const { entries, metadata } = readHeader(headerText(await bytes.read(8, 8 + length)), bytes.size - 8 - length);
  return { bytes, data: 8 + length, entries: new Map(entries.map((entry) => [entry.name, entry])), metadata };
}

/** The files that an index names, by the names of tensors. @internal */
export function shardsOf(op: string, name: string, bytes: Uint8Array): Map<string, string> {
  const bad = (what: string): FormatError => new FormatError(`${op}: expected ${what}`);
  let index: unknown;
  try {
    index = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(bytes)));
  } catch (cause) {
    throw new FormatError(`${op}: expected JSON in ${name}, got other text`, { cause });
  }
  const map = isPlain(index) ? index.weight_map : undefined;
  if (!isPlain(map)) throw bad(`an index with a weight_map, got ${describe(index)}`);
  const files = new Map<string, string>();
  for (const [name, file] of Object.entries(map)) {
    // A name that leads to another folder would read files that nobody meant.
    if (typeof file !== 'string' || !/^[^/\\:\0]+$/.test(file) || /^\.+$/.test(file))
      throw bad(`names of files beside the index, got ${describe(file)} for ${JSON.stringify(name)}`);
    files.set(name, file);
  }
  return files;
}

/** What stands beside a path or an address. @internal */
export function besideOf(text: string, name: string): string {
  const [, folder = '', query = ''] = /^([^?#]*[/\\])?[^/\\?#]*([?#].*)?$/.exec(text) ?? [];
  const isUrl = /^\w+:\/\//.test(text);
  return isUrl ? folder + name.split('/').map(encodeURIComponent).join('/') + query : folder + name;
}

/** @throws ArgumentError where nothing stands beside it */
function beside(source: ByteSource): (name: string) => ByteSource {
  const text = typeof source === 'string' ? source : (source as { href?: unknown }).href;
  if (typeof text !== 'string')
    throw new ArgumentError(
      `${OP}: expected shards beside an index without a name, got none; pass { shards: (name) => … }`,
    );
  return (name) => besideOf(text, name);
}

/** Whether it is an index, which is JSON; a file begins with the length of its header, whose 8th byte is 0. */
async function isIndex(bytes: RandomBytes): Promise<boolean> {
  const start = await bytes.read(0, Math.min(8, bytes.size));
  return start.length === 8 && start[7] !== 0 && /^\s*\{/.test(String.fromCharCode(...start));
}

async function openAll(source: ByteSource, shards: ((name: string) => ByteSource) | null): Promise<SafetensorsFile> {
  const first = await openRandom(OP, source);
  return orClose([first], async () => {
    if (!(await isIndex(first))) {
      const file = await openOne(first);
      return fileOf(new Map([...file.entries.keys()].map((name) => [name, file])), [file]);
    }
    if (first.size > MAX_INDEX_BYTES) throw bad(`an index of at most ${MAX_INDEX_BYTES} bytes, got ${first.size}`);
    const places = shardsOf(OP, first.name, await first.read(0, first.size));
    await first.close();
    const find = shards ?? beside(source);
    const files = new Map<string, Open>();
    const open: RandomBytes[] = [];
    return orClose(open, async () => {
      for (const name of new Set(places.values())) {
        const bytes = await openRandom(OP, find(name));
        open.push(bytes);
        files.set(name, await openOne(bytes));
      }
      const tensors = new Map<string, Open>();
      for (const [name, file] of places) {
        const found = files.get(file) as Open;
        if (!found.entries.has(name)) throw bad(`${JSON.stringify(name)} in ${file}, as the index says, got none`);
        tensors.set(name, found);
      }
      return fileOf(tensors, [...files.values()]);
    });
  });
}

function fileOf(tensors: ReadonlyMap<string, Open>, files: readonly Open[]): SafetensorsFile {
  const found = (op: string, name: string): [Open, Entry] => {
    const file = tensors.get(name);
    if (!file)
      throw new ArgumentError(
        `${op}: expected the name of a tensor in the file, got ${describe(name)}; keys() has them`,
      );
    return [file, file.entries.get(name) as Entry];
  };
  const getTensor = async (name: string): Promise<FileTensor> => {
    const [{ bytes, data }, entry] = found('getTensor', name);
    const part = await bytes.read(data + entry.begin, data + entry.end);
    try {
      if (part.length !== entry.end - entry.begin)
        throw bad(`${entry.end - entry.begin} bytes of ${JSON.stringify(name)}, got ${part.length}`);
      return readEntry(entry, part);
    } catch (error) {
      throw named(error, 'getTensor');
    }
  };
  return {
    keys: () => [...tensors.keys()],
    metadata: files[0]?.metadata ?? record(),
    getInfo(name) {
      const [, { code, shape, begin, end }] = found('getInfo', name);
      return { dtype: code, shape: [...shape], bytes: end - begin };
    },
    getTensor,
    async tensors() {
      const all = record<FileTensor>();
      for (const name of tensors.keys()) all[name] = await getTensor(name);
      return all;
    },
    async close() {
      await Promise.all(files.map(({ bytes }) => bytes.close()));
    },
  };
}

/**
 * Opens a safetensors file, or several by their index (`model.safetensors.index.json`), to read one tensor at a time:
 * only the header is read at first, and memory holds what is asked for. Addresses are read by range requests.
 * @param source a path (Node), an address, a Blob or a File, or bytes
 * @throws FormatError where a header or the index is not valid, or they do not fit each other; ArgumentError; the
 * system's error; BackendError
 */
export const openSafetensors: (source: ByteSource, options?: OpenOptions) => Promise<SafetensorsFile> = promised(
  ['openSafetensors(source: source, *, shards: function|null = null)'],
  openAll as never,
  sourceKind,
);
