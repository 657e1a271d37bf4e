// Images such as those of CIFAR-10, augmented: what a worker of the benchmark makes while the step runs.
import * as data from 'retrograd/data';

/** Images in memory: 12 MB. */
const IMAGES = 4096;
const [SIDE, CHANNELS] = [32, 3];
const PIXELS = SIDE * SIDE * CHANNELS;
/** Pixels that an image is moved by, at most. */
const PAD = 4;

/** An image and its class. */
interface Example {
  readonly image: data.NdArray;
  readonly label: number;
}

/** Flipped, moved and normalised at random, by the numbers of the image and the pass; [height, width, 3] → [3, …]. */
function augmented({ image, label }: Example, index: number, epoch: number): Example {
  const from = image.data as Uint8Array;
  const hash = (Math.imul(index + 1, 0x9e3779b1) ^ Math.imul(epoch + 1, 0x85ebca6b)) >>> 0;
  const [down, right] = [((hash >>> 1) % (2 * PAD + 1)) - PAD, ((hash >>> 8) % (2 * PAD + 1)) - PAD];
  const to = new Float32Array(PIXELS);
  for (let channel = 0; channel < CHANNELS; channel++)
    for (let y = Math.max(0, -down); y < Math.min(SIDE, SIDE - down); y++)
      for (let x = Math.max(0, -right); x < Math.min(SIDE, SIDE - right); x++) {
        const column = (hash & 1 ? SIDE - 1 - x : x) + (hash & 1 ? -right : right);
        const value = from[((y + down) * SIDE + column) * CHANNELS + channel] as number;
        to[(channel * SIDE + y) * SIDE + x] = (value - 120) / 64;
      }
  return { image: { data: to, shape: [CHANNELS, SIDE, SIDE] }, label };
}

/** Batches of them, in a random order. */
export function images(batchSize: number): data.Pipeline<data.Batched<Example>> {
  const bytes = new Uint8Array(IMAGES * PIXELS);
  for (let i = 0, seed = 1; i < bytes.length; i++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    bytes[i] = seed >>> 24;
  }
  const label = Int32Array.from({ length: IMAGES }, (_, i) => i % 10);
  return data
    .from({ image: { data: bytes, shape: [IMAGES, SIDE, SIDE, CHANNELS] }, label })
    .shuffle({ seed: 1 })
    .map(augmented)
    .batch(batchSize, true);
}

/** What a worker has. */
export const setup = (batchSize: number, { index, count }: { index: number; count: number }) =>
  images(batchSize).shard(count, index);
