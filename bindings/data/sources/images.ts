// Folders and lists of images, decoded as they are asked for.
import { ArgumentError, BackendError, describe, FormatError, named } from '../../memory/errors.ts';
import { signature } from '../../signature.ts';
import { List } from '../pipeline/chunk.ts';
import type { NdArray } from '../pipeline/columns.ts';
import { Pipeline } from '../pipeline/pipeline.ts';
import type { Source } from '../pipeline/source.ts';
import { allBytes, type ByteSource, sourceKind } from './bytes.ts';
import { checkImageOptions, decodeChecked, type ImageOptions } from './decode-image.ts';

/** Images that are decoded at once: they overlap where decoding waits. */
const AT_ONCE = 16;

/** An image of a list, and what it shows. */
export interface ImageEntry {
  /** Where its bytes come from: a path, a URL, a File … */
  source: ByteSource;
  /** The number of its class; what a network is to say. @defaultValue -1 */
  label?: number;
  /** What errors call it, and what the record has as `name`. @defaultValue the path or URL, if it has one */
  name?: string;
}

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
function sourceOf(
  op: string,
  entries: readonly Known[],
  channels: number,
  size: ImageOptions['size'],
): Source<ImageRecord> {
  const decode = async (i: number): Promise<ImageRecord> => {
    const { source, label, name } = entries[i] as Known;
    try {
      const image = await decodeChecked(await allBytes(op, source), channels, size);
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
      records.push(...(await Promise.all(Array.from(indices.subarray(from, from + AT_ONCE), decode))));
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

const nameOf = (source: ByteSource, i: number): string => {
  if (typeof source === 'string') return source;
  const { href, name } = source as { href?: unknown; name?: unknown };
  return typeof href === 'string'
    ? href
    : typeof name === 'string' && typeof source !== 'function'
      ? name
      : `image ${i}`;
};

const toImages = signature('images(entries: object[], *, channels: int = 3, size: int[]|null = null)');

/**
 * The images of a list, such as the files that a user chose in a page. Batches want them of one `size`.
 * ```ts
 * const pictures = data.images([...input.files].map((source) => ({ source })), { size: [32, 32] });
 * ```
 * @throws ArgumentError; while it is read, FormatError for what is no image and names which
 */
export function images(...args: [entries: readonly ImageEntry[], options?: ImageOptions]): Pipeline<ImageRecord> {
  const [entries, channels, size] = toImages.parse(args) as [ImageEntry[], number, ImageOptions['size']];
  checkImageOptions('images', channels, size ?? null);
  const [isSource, sources] = sourceKind.source;
  const known = entries.map((entry, i) => {
    const { source, label = -1 } = entry;
    if (!isSource(source))
      throw new ArgumentError(`images: expected the source of entry ${i} to be ${sources}, got ${describe(source)}`);
    if (!Number.isSafeInteger(label))
      throw new ArgumentError(`images: expected the label of entry ${i} to be a whole number, got ${describe(label)}`);
    return { source, label, name: entry.name ?? nameOf(source, i) };
  });
  return new Pipeline(sourceOf('images', known, channels, size));
}

const toFolder = signature('imageFolder(path: string, *, channels: int = 3, size: int[]|null = null)');

/** The images of a folder (torchvision's `ImageFolder`). */
export class ImageFolder extends Pipeline<ImageRecord> {
  /** The names of its classes, by their numbers: those of the folders in it, sorted. */
  readonly classes: readonly string[];

  /** @internal */
  constructor(source: Source<ImageRecord>, classes: readonly string[]) {
    super(source);
    this.classes = classes;
  }
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
async function imagesIn(readdir: Listing, folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => EXTENSION.test(entry.name) && !entry.isDirectory());
  return files.map(({ parentPath, name }) => `${parentPath}/${name}`).sort(byCode);
}

/** By code units, and so the same wherever it runs. */
const byCode = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * The images of a folder that has a folder for each class, all PNG and JPEG files in them at any depth; or images
 * without classes, whose label is -1. Node only; in pages see {@link images}.
 * ```ts
 * const folder = await data.imageFolder('flowers', { size: [64, 64] });
 * for await (const { image, label } of folder.shuffle().batch(32)) console.log(image.shape, label.length);
 * ```
 * @throws the system's error where it cannot be read; ArgumentError for a folder without images; BackendError outside
 * Node; while it is read, FormatError for what is no image and names which
 */
export async function imageFolder(...args: [path: string, options?: ImageOptions]): Promise<ImageFolder> {
  const [path, channels, size] = toFolder.parse(args) as [string, number, ImageOptions['size']];
  checkImageOptions('imageFolder', channels, size ?? null);
  const readdir = await listing();
  const folders = (await readdir(path, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const classes = folders.map(({ name }) => name).sort(byCode);
  const lists =
    classes.length > 0 ? classes.map((name) => imagesIn(readdir, `${path}/${name}`)) : [imagesIn(readdir, path)];
  const entries = (await Promise.all(lists)).flatMap((files, label) =>
    files.map((name) => ({ source: name, name, label: classes.length > 0 ? label : -1 })),
  );
  if (entries.length === 0)
    throw new ArgumentError(
      `imageFolder: expected PNG or JPEG files in ${path}, got none; images of other kinds are for pages`,
    );
  return new ImageFolder(sourceOf('imageFolder', entries, channels, size), classes);
}
