// Images as numbers. What decodes them, readers/decode-image.ts, comes with the first.
import { ArgumentError, describe } from '../../memory/errors.ts';
import { signature } from '../../signature.ts';
import { type Bytes, bytesKind, bytesOf } from '../bytes.ts';
import type { NdArray } from '../pipeline/columns.ts';

/** Options of {@link decodeImage}. */
export interface ImageOptions {
  /** 1 (grey, by ITU-R 601 as Pillow makes it), 3 (red, green, blue) or 4 (and alpha). @defaultValue 3 */
  channels?: 1 | 3 | 4;
  /**
   * Height and width to bring it to (bilinear, each source pixel counted as Pillow does); null: its own. @defaultValue
   * null
   */
  size?: readonly [height: number, width: number] | null;
}

/** @throws ArgumentError unless an image can have `channels` and be of `size` */
export function checkImageOptions(op: string, channels: number, size: readonly number[] | null): void {
  if (![1, 3, 4].includes(channels)) throw new ArgumentError(`${op}: expected channels 1, 3 or 4, got ${channels}`);
  if (size && !(size.length === 2 && size.every((n) => n >= 1)))
    throw new ArgumentError(`${op}: expected size [height, width] of whole numbers >= 1, got ${describe(size)}`);
}

const toImage = signature('decodeImage(source: bytes, *, channels: int = 3, size: int[]|null = null)', bytesKind);

/**
 * Decodes a PNG or JPEG file; in pages, whatever the browser shows. Alpha that is not asked for is dropped, as Pillow's
 * `convert('RGB')` does; 16 bits become 8. Outside of pages it needs the package `fast-png` for PNG and `@jsquash/jpeg`
 * for JPEG. In pages, colours below an alpha of 255 may be off by one, since canvases keep them multiplied.
 * @param source the whole file
 * @throws FormatError for other files and broken ones; BackendError where a package is missing; ArgumentError
 */
export async function decodeImage(...args: [source: Bytes, options?: ImageOptions]): Promise<NdArray<Uint8Array>> {
  const [source, channels, size] = toImage.parse(args) as [Bytes, number, ImageOptions['size']];
  checkImageOptions('decodeImage', channels, size ?? null);
  const bytes = bytesOf('decodeImage', source);
  const { decode } = await import('../readers/decode-image.ts');
  return decode(bytes, channels, size);
}
