// Reads images of lists and folders, and decodes them.
import { ArgumentError, BackendError, FormatError, named } from '../../memory/errors.ts';
import { List } from '../passes/chunk.ts';
import type { NdArray } from '../pipeline/columns.ts';
import type { Source } from '../pipeline/source.ts';
import type { ByteSource } from '../sources/byte-source.ts';
import { allBytes } from './bytes.ts';
import { decode } from './decode-image.ts';

type Size = readonly [height: number, width: number] | null | undefined;

/** Images that are decoded at once: they overlap where decoding waits. */
const AT_ONCE = 16;

/** An image, decoded. */
export interface ImageRecord {
  /** Bytes of shape [channels, height, width]. */
  image: NdArray<Uint8Array>;
  /** The number of its class. */
  label: number;
  /** Its path or another name. */
  name: string;
}

/** What in a folder is taken for an image: what decodeImage() reads. */
const EXTENSION = /\.(png|jpe?g)$/i;

interface Known {
  readonly source: ByteSource;
  readonly label: number;
  readonly name: string;
}

/** The images of `entries`, for the call `op`. */
export function imagesOf(op: string, entries: readonly Known[], channels: number, size: Size): Source<ImageRecord> {
  const record = async (i: number): Promise<ImageRecord> => {
    const { source, label, name } = entries[i] as Known;
    try {
      const image = await decode(await allBytes(op, source), channels, size);
      return { image, label, name };
    } catch (cause) {
      if (!(cause instanceof FormatError)) throw cause;
      cause.message = `${cause.message}; in ${name}`;
      throw named(cause, op);
    }
  };
  const get = async (indices: Int32Array): Promise<List<ImageRecord>> => {
    const records: ImageRecord[] = [];
    for (let from = 0; from < indices.length; from += AT_ONCE)
      records.push(...(await Promise.all(Array.from(indices.subarray(from, from + AT_ONCE), record))));
    return new List(records);
  };
  return {
    ...{ name: 'images', inputs: [], length: entries.length, get },
    open(_epoch, state = 0) {
      let at = state as number;
      return {
        async next(wanted) {
          const count = Math.min(entries.length - at, Math.max(1, Math.min(wanted, AT_ONCE)));
          if (count <= 0) return null;
          const chunk = await get(Int32Array.from({ length: count }, (_, i) => at + i));
          at += count;
          return chunk;
        },
        skip(n) {
          const from = at;
          at = Math.min(entries.length, at + n);
          return at - from;
        },
        state: () => at,
        close() {},
      };
    },
  };
}

interface Node {
  readonly readdir: typeof import('node:fs/promises').readdir;
}
type Listing = Node['readdir'];

async function listing(): Promise<Listing> {
  try {
    return (await import('node:fs/promises')).readdir;
  } catch {
    throw new BackendError("imageFolder: expected Node's file system, got an engine without it; use images() on files");
  }
}

/** The images anywhere in `folder`, sorted as Python sorts. */
async function filesIn(readdir: Listing, folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => EXTENSION.test(entry.name) && !entry.isDirectory());
  return files.map(({ parentPath, name }) => `${parentPath}/${name}`).sort(byCode);
}

/** By code units, and so the same wherever it runs. */
const byCode = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The images of a folder, and the names of its classes. */
export async function imagesIn(
  path: string,
  channels: number,
  size: Size,
): Promise<{ readonly source: Source<ImageRecord>; readonly classes: readonly string[] }> {
  const readdir = await listing();
  const folders = (await readdir(path, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const classes = folders.map(({ name }) => name).sort(byCode);
  const lists =
    classes.length > 0 ? classes.map((name) => filesIn(readdir, `${path}/${name}`)) : [filesIn(readdir, path)];
  const entries = (await Promise.all(lists)).flatMap((files, label) =>
    files.map((name) => ({ source: name, name, label: classes.length > 0 ? label : -1 })),
  );
  if (entries.length === 0)
    throw new ArgumentError(
      `imageFolder: expected PNG or JPEG files in ${path}, got none; images of other kinds are for pages`,
    );
  return { source: imagesOf('imageFolder', entries, channels, size), classes };
}
