// Folders and lists of images, decoded as they are asked for. What reads them, readers/images.ts, comes with the first.
import { ArgumentError, describe } from '../../memory/errors.ts';
import { signature } from '../../signature.ts';
import { Later, laterSource } from '../pipeline/later.ts';
import { Pipeline } from '../pipeline/pipeline.ts';
import type { Source } from '../pipeline/source.ts';
import type { ImageRecord } from '../readers/images.ts';
import { type ByteSource, sourceKind } from './byte-source.ts';
import { checkImageOptions, type ImageOptions } from './decode-image.ts';

export type { ImageRecord } from '../readers/images.ts';

const readers = () => import('../readers/images.ts');

/** An image of a list, and what it shows. */
export interface ImageEntry {
  /** Where its bytes come from: a path, a URL, a File … */
  source: ByteSource;
  /** The number of its class; what a network is to say. @defaultValue -1 */
  label?: number;
  /** What errors call it, and what the record has as `name`. @defaultValue the path or URL, if it has one */
  name?: string;
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
  const own = new Later(readers, ({ imagesOf }) => imagesOf('images', known, channels, size));
  return new Pipeline(laterSource<ImageRecord>('images', own, { length: known.length, get: true }));
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
  const { imagesIn } = await readers();
  const { source, classes } = await imagesIn(path, channels, size);
  return new ImageFolder(source, classes);
}
