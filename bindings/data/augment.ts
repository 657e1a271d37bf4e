// Images that are changed at random, so that a network sees more of them than there are: batches of shape
// [N, channels, height, width], each image by numbers of its own. They come from the default generator, which
// manualSeed() seeds and checkpoints keep: a run that goes on sees the very same images.
import { withoutTape } from '../autograd.ts';
import { tensor } from '../creation.ts';
import * as fn from '../functional/functions.ts';
import { affineGrid, gridSample } from '../functional/grid.ts';
import { oneHot } from '../functional/one-hot.ts';
import { pad } from '../functional/pad.ts';
import { flip } from '../functional/rearrange.ts';
import { ArgumentError, describe, formatShape, ShapeError } from '../memory/errors.ts';
import { randomWords } from '../random.ts';
import { scope } from '../scope.ts';
import { type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';

/** A range, or one number for that far below and above the neutral one. */
export type Range = number | readonly [low: number, high: number];

/** `count` numbers from 0 to below 1. */
const uniforms = (op: string, count: number): Float64Array =>
  Float64Array.from(randomWords(op, count), (word) => (word >>> 0) / 2 ** 32);

/** @throws ShapeError unless x is a batch of images. @returns its sizes */
function sizesOf(op: string, x: Tensor): readonly [n: number, c: number, h: number, w: number] {
  if (x.ndim !== 4)
    throw new ShapeError(
      `${op}: expected images of shape [N, channels, height, width], got ${formatShape(x.shape)}; of one image, x.unsqueeze(0)`,
    );
  return x.sizes as unknown as readonly [number, number, number, number];
}

function checkProbability(op: string, p: number): void {
  if (!(p >= 0 && p <= 1)) throw new ArgumentError(`${op}: expected p from 0 to 1, got ${p}`);
}

/** What augmentations have in common: no history, and nothing is left but the result. */
const made = <T>(make: () => T): T => withoutTape(() => scope(make));

/** A number for each image, to be broadcast over it. */
const each = (values: ArrayLike<number>): Tensor =>
  fn.reshape(tensor(Float32Array.from(values)), [values.length, 1, 1, 1]);

/** The option of what happens to some images only. */
export interface ChanceOptions {
  /** How likely it is. @defaultValue 0.5; of randomGrayscale 0.1 */
  p?: number;
}

/** x, and where a number drawn is below p, what `change` makes of it. */
function sometimes(op: string, x: Tensor, p: number, change: (x: Tensor) => Tensor): Tensor {
  const [n] = sizesOf(op, x);
  checkProbability(op, p);
  return made(() => {
    const chosen = uniforms(op, n).map((u) => Number(u < p));
    return fn.where(fn.gt(each(chosen), 0), change(x), x);
  });
}

/** Mirrors each image left to right with probability p (torchvision's `RandomHorizontalFlip`). */
export const randomHorizontalFlip = callable<Callable<[x: Tensor], [p: number], ChanceOptions, Tensor>>(
  'randomHorizontalFlip(x: Tensor, p: number = 0.5)',
  (x: Tensor, p: number) => sometimes('randomHorizontalFlip', x, p, (all) => flip(all, [3])),
);

/** Mirrors each image top to bottom with probability p (torchvision's `RandomVerticalFlip`). */
export const randomVerticalFlip = callable<Callable<[x: Tensor], [p: number], ChanceOptions, Tensor>>(
  'randomVerticalFlip(x: Tensor, p: number = 0.5)',
  (x: Tensor, p: number) => sometimes('randomVerticalFlip', x, p, (all) => flip(all, [2])),
);

/** Makes each image grey with probability p, in all its three channels (torchvision's `RandomGrayscale`). */
export const randomGrayscale = callable<Callable<[x: Tensor], [p: number], ChanceOptions, Tensor>>(
  'randomGrayscale(x: Tensor, p: number = 0.1)',
  (x: Tensor, p: number) =>
    sometimes('randomGrayscale', x, p, (all) => fn.expand(greyOf('randomGrayscale', all), all.shape)),
);

/** Options of {@link randomCrop}. */
export interface CropOptions {
  /** Pixels that are added on every side before. @defaultValue 0 */
  padding?: number;
  /** What they are: `'constant'` (0), `'reflect'` or `'replicate'`. @defaultValue 'constant' */
  paddingMode?: 'constant' | 'reflect' | 'replicate';
}

/** A part of each image, of size [height, width] or a square, at a random place (torchvision's `RandomCrop`). */
export const randomCrop = callable<
  (x: Tensor, size: number | readonly [number, number], options?: CropOptions) => Tensor
>(
  "randomCrop(x: Tensor, size: int|int[], *, padding: int = 0, paddingMode: 'constant'|'reflect'|'replicate' = 'constant')",
  (x: Tensor, size: number | readonly number[], padding: number, mode: string) => {
    const [n, , height, width] = sizesOf('randomCrop', x);
    const [h = 0, w = h] = typeof size === 'number' ? [size, size] : size;
    const [down, across] = [height + 2 * padding - h, width + 2 * padding - w];
    if (!(padding >= 0 && h >= 1 && w >= 1 && down >= 0 && across >= 0))
      throw new ArgumentError(
        `randomCrop: expected a size within [${height + 2 * padding}, ${width + 2 * padding}], got ${describe(size)} with padding ${padding}`,
      );
    return made(() => {
      const sides = [padding, padding, padding, padding];
      const padded = padding > 0 ? pad(x, sides, mode as 'constant') : x;
      const drawn = uniforms('randomCrop', 2 * n);
      const parts = Array.from({ length: n }, (_, i) => {
        const top = Math.floor((drawn[2 * i] as number) * (down + 1));
        const left = Math.floor((drawn[2 * i + 1] as number) * (across + 1));
        return fn.narrow(fn.narrow(fn.narrow(padded, 0, i, 1), 2, top, h), 3, left, w);
      });
      return fn.concat(parts, 0);
    });
  },
);

/** Options of {@link randomAffine}. */
export interface AffineOptions {
  /** The most that an image is turned by, either way, in degrees. @defaultValue 0 */
  degrees?: Range;
  /** The most that it is moved by, as a part of its width and height. @defaultValue 0 */
  translate?: number;
  /** By how much it grows. @defaultValue [1, 1] */
  scale?: readonly [low: number, high: number];
  /** The most that its lower edge is moved by against its upper one, in degrees. @defaultValue 0 */
  shear?: Range;
  /** What lies outside of it: `'zeros'`, `'border'` or `'reflection'`. @defaultValue 'zeros' */
  paddingMode?: 'zeros' | 'border' | 'reflection';
}

const RADIANS = Math.PI / 180;

/** A number in a range, which u tells where. */
function within(op: string, name: string, range: Range, u: number): number {
  const [low, high] = typeof range === 'number' ? [-range, range] : range;
  if (!(low <= high)) throw new ArgumentError(`${op}: expected ${name} of [low, high], got ${describe(range)}`);
  return low + u * (high - low);
}

/** Turns, moves, scales and shears each image about its middle, bilinearly (torchvision's `RandomAffine`). */
export const randomAffine = callable<(x: Tensor, options?: AffineOptions) => Tensor>(
  'randomAffine(x: Tensor, *, degrees: number|number[] = 0, translate: number = 0, scale: number[] = [1, 1], ' +
    "shear: number|number[] = 0, paddingMode: 'zeros'|'border'|'reflection' = 'zeros')",
  (
    x: Tensor,
    degrees: Range,
    translate: number,
    scale: readonly [number, number],
    shear: Range,
    paddingMode: string,
  ) => {
    const op = 'randomAffine';
    const [n, , height, width] = sizesOf(op, x);
    const drawn = uniforms(op, 5 * n);
    const matrices = new Float32Array(6 * n);
    for (let i = 0; i < n; i++) {
      const [a, b, c, d, e] = drawn.subarray(5 * i, 5 * i + 5) as unknown as readonly [
        number,
        number,
        number,
        number,
        number,
      ];
      const angle = RADIANS * within(op, 'degrees', degrees, a);
      const factor = within(op, 'scale', scale, b);
      if (!(factor > 0)) throw new ArgumentError(`${op}: expected scale above 0, got ${describe(scale)}`);
      const slope = Math.tan(RADIANS * within(op, 'shear', shear, c));
      // Where a pixel of the result comes from, in units of half an image: the inverse of what is done to it.
      const [cos, sin] = [Math.cos(angle) / factor, Math.sin(angle) / factor];
      const ratio = height / width;
      matrices.set([cos - slope * sin, (sin + slope * cos) * ratio, 0, -sin / ratio, cos, 0], 6 * i);
      matrices[6 * i + 2] = -within(op, 'translate', translate, d) * 2;
      matrices[6 * i + 5] = -within(op, 'translate', translate, e) * 2;
    }
    return made(() => {
      const grid = affineGrid(fn.reshape(tensor(matrices), [n, 2, 3]), x.shape, { alignCorners: false });
      return gridSample(x, grid, { mode: 'bilinear', paddingMode: paddingMode as 'zeros', alignCorners: false });
    });
  },
);

/** Grey of three channels, by ITU-R 601 as torchvision has it, in one. */
function greyOf(op: string, x: Tensor): Tensor {
  const [, channels] = sizesOf(op, x);
  if (channels !== 3) throw new ShapeError(`${op}: expected images of 3 channels, got ${channels}`);
  const weights = fn.reshape(tensor([0.2989, 0.587, 0.114]), [1, 3, 1, 1]);
  return fn.sum(fn.mul(x, weights), 1, { keepdim: true });
}

/** Options of {@link colorJitter}. */
export interface JitterOptions {
  /** How far brightness goes from 1, or from where to where. @defaultValue 0 */
  brightness?: Range;
  /** How far contrast goes from 1, or from where to where. @defaultValue 0 */
  contrast?: Range;
  /** How far saturation goes from 1, or from where to where. @defaultValue 0 */
  saturation?: Range;
}

/** A factor for each image. */
const factors = (name: string, range: Range, n: number): Tensor => {
  const around: Range = typeof range === 'number' ? [Math.max(0, 1 - range), 1 + range] : range;
  return each(uniforms('colorJitter', n).map((u) => within('colorJitter', name, around, u)));
};

/** a·f + b·(1 − f), cut to 0 … 1. */
const blend = (a: Tensor, b: Tensor, f: Tensor): Tensor => fn.clamp(fn.add(b, fn.mul(fn.sub(a, b), f)), 0, 1);

/**
 * Changes brightness, then contrast, then saturation of each image, whose numbers are 0 … 1 (torchvision's
 * `ColorJitter`, which takes them in random order).
 */
export const colorJitter = callable<(x: Tensor, options?: JitterOptions) => Tensor>(
  'colorJitter(x: Tensor, *, brightness: number|number[] = 0, contrast: number|number[] = 0, saturation: number|number[] = 0)',
  (x: Tensor, brightness: Range, contrast: Range, saturation: Range) => {
    const [n] = sizesOf('colorJitter', x);
    return made(() => {
      let y = x;
      if (brightness !== 0) y = fn.clamp(fn.mul(y, factors('brightness', brightness, n)), 0, 1);
      if (contrast !== 0)
        y = blend(y, fn.mean(greyOf('colorJitter', y), [1, 2, 3], { keepdim: true }), factors('contrast', contrast, n));
      if (saturation !== 0) y = blend(y, greyOf('colorJitter', y), factors('saturation', saturation, n));
      return y === x ? fn.clone(x) : y;
    });
  },
);

/** Options of {@link randomErasing}. */
export interface ErasingOptions extends ChanceOptions {
  /** The part of an image that is erased, from where to where. @defaultValue [0.02, 0.33] */
  scale?: readonly [low: number, high: number];
  /** Its width over its height, from where to where. @defaultValue [0.3, 3.3] */
  ratio?: readonly [low: number, high: number];
  /** What is there then. @defaultValue 0 */
  value?: number;
}

/** Erases a random rectangle of each image with probability p (torchvision's `RandomErasing`). */
export const randomErasing = callable<
  Callable<
    [x: Tensor],
    [p: number, scale: readonly [number, number], ratio: readonly [number, number], value: number],
    ErasingOptions,
    Tensor
  >
>(
  'randomErasing(x: Tensor, p: number = 0.5, scale: number[] = [0.02, 0.33], ratio: number[] = [0.3, 3.3], value: number = 0)',
  (x: Tensor, p: number, scale: readonly [number, number], ratio: readonly [number, number], value: number) => {
    const op = 'randomErasing';
    const [n, , height, width] = sizesOf(op, x);
    checkProbability(op, p);
    if (!(scale[0] >= 0 && scale[1] <= 1 && ratio[0] > 0))
      throw new ArgumentError(
        `${op}: expected scale within 0 … 1 and ratio above 0, got ${describe(scale)}, ${describe(ratio)}`,
      );
    const boxes = rectangles(op, n, height, width, p, (u, v) => [
      within(op, 'scale', scale, u),
      Math.exp(within(op, 'ratio', [Math.log(ratio[0]), Math.log(ratio[1])], v)),
    ]);
    return made(() => fn.maskedFill(x, maskOf(boxes, height, width), value));
  },
);

/** A rectangle: rows and columns from … to − 1. */
type Box = readonly [top: number, bottom: number, left: number, right: number];

/** For each image a rectangle of a part of it and a ratio, or an empty one. */
function rectangles(
  op: string,
  n: number,
  height: number,
  width: number,
  p: number,
  shape: (u: number, v: number) => readonly [part: number, ratio: number],
): Box[] {
  const drawn = uniforms(op, 5 * n);
  return Array.from({ length: n }, (_, i): Box => {
    const [chance, u, v, y, z] = drawn.subarray(5 * i, 5 * i + 5) as unknown as readonly [
      number,
      number,
      number,
      number,
      number,
    ];
    const [part, ratio] = shape(u, v);
    const h = Math.min(height, Math.round(Math.sqrt((height * width * part) / ratio)));
    const w = Math.min(width, Math.round(Math.sqrt(height * width * part * ratio)));
    const [top, left] = [Math.floor(y * (height - h + 1)), Math.floor(z * (width - w + 1))];
    return chance < p ? [top, top + h, left, left + w] : [0, 0, 0, 0];
  });
}

/** A mask of the rectangles, of shape [N, 1, height, width]. */
function maskOf(boxes: readonly Box[], height: number, width: number): Tensor {
  const mask = new Uint8Array(boxes.length * height * width);
  for (const [i, [top, bottom, left, right]] of boxes.entries())
    for (let y = top; y < bottom; y++) mask.fill(1, (i * height + y) * width + left, (i * height + y) * width + right);
  return tensor(mask, { shape: [boxes.length, 1, height, width] });
}

/** Subtracts the mean and divides by the deviation of each channel (torchvision's `Normalize`). */
export const normalizeImages = callable<(x: Tensor, mean: readonly number[], std: readonly number[]) => Tensor>(
  'normalizeImages(x: Tensor, mean: number[], std: number[])',
  (x: Tensor, mean: readonly number[], std: readonly number[]) => {
    const [, channels] = sizesOf('normalizeImages', x);
    if (mean.length !== channels || std.length !== channels || std.some((s) => !(s > 0)))
      throw new ArgumentError(
        `normalizeImages: expected a mean and a deviation above 0 for each of ${channels} channels, got ${describe(mean)}, ${describe(std)}`,
      );
    const channel = (values: readonly number[]): Tensor => fn.reshape(tensor([...values]), [1, channels, 1, 1]);
    return scope(() => fn.div(fn.sub(x, channel(mean)), channel(std)));
  },
);

/** Options of {@link mixUp} and {@link cutMix}. */
export interface MixOptions {
  /** Of the Beta(alpha, alpha) that the share of the other image is drawn from. @defaultValue 1 */
  alpha?: number;
}

/** A number of Gamma(alpha, 1) (Marsaglia and Tsang). */
function gamma(op: string, alpha: number): number {
  if (alpha < 1) return gamma(op, alpha + 1) * ((uniforms(op, 1)[0] as number) + 2 ** -33) ** (1 / alpha);
  const d = alpha - 1 / 3;
  for (;;) {
    const [u, v, w] = uniforms(op, 3) as unknown as readonly [number, number, number];
    const z = Math.sqrt(-2 * Math.log(1 - u)) * Math.cos(2 * Math.PI * v);
    const t = (1 + z / Math.sqrt(9 * d)) ** 3;
    if (t > 0 && Math.log(1 - w) < 0.5 * z * z + d - d * t + d * Math.log(t)) return d * t;
  }
}

/** The share that an image keeps, and the targets as shares of classes. */
function mixing(
  op: string,
  x: Tensor,
  y: Tensor,
  numClasses: number | null,
  alpha: number,
): [share: number, targets: Tensor] {
  const [n] = sizesOf(op, x);
  if (!(alpha > 0)) throw new ArgumentError(`${op}: expected alpha above 0, got ${alpha}`);
  if (y.shape[0] !== n)
    throw new ShapeError(`${op}: expected as many targets as images, ${n}, got ${formatShape(y.shape)}`);
  if (y.dtype === 'i32' && numClasses === null)
    throw new ArgumentError(`${op}: expected the number of classes, got none; mixed targets are shares of each`);
  const [a, b] = [gamma(op, alpha), gamma(op, alpha)];
  const targets = y.dtype === 'i32' ? fn.to(oneHot(y, numClasses as number), 'f32') : y;
  return [a / (a + b), targets];
}

const mixed = (a: Tensor, b: Tensor, share: number): Tensor => fn.add(fn.mul(a, share), fn.mul(b, 1 - share));
const others = (x: Tensor): Tensor =>
  fn.concat([fn.narrow(x, 0, (x.shape[0] as number) - 1, 1), fn.narrow(x, 0, 0, (x.shape[0] as number) - 1)], 0);

type Mix = (x: Tensor, y: Tensor, numClasses?: number | null, options?: MixOptions) => [x: Tensor, y: Tensor];

/**
 * Mixes each image and its target with those before it in the batch (torchvision's `MixUp`). The targets, classes or
 * numbers of them, become shares of each class, which crossEntropy takes.
 * @returns the images and targets
 */
export const mixUp = callable<Mix>(
  'mixUp(x: Tensor, y: Tensor, numClasses: int|null = null, *, alpha: number = 1)',
  (x: Tensor, y: Tensor, numClasses: number | null, alpha: number): [Tensor, Tensor] =>
    made((): [Tensor, Tensor] => {
      const [share, targets] = mixing('mixUp', x, y, numClasses, alpha);
      return [mixed(x, others(x), share), mixed(targets, others(targets), share)];
    }),
);

/**
 * Puts a rectangle of the image before it in the batch into each, and mixes the targets by its area (torchvision's
 * `CutMix`).
 * @returns the images and targets
 */
export const cutMix = callable<Mix>(
  'cutMix(x: Tensor, y: Tensor, numClasses: int|null = null, *, alpha: number = 1)',
  (x: Tensor, y: Tensor, numClasses: number | null, alpha: number): [Tensor, Tensor] =>
    made((): [Tensor, Tensor] => {
      const [share, targets] = mixing('cutMix', x, y, numClasses, alpha);
      const [, , height, width] = sizesOf('cutMix', x);
      const [box] = rectangles('cutMix', 1, height, width, 2, () => [1 - share, width / height]) as [Box];
      const [top, bottom, left, right] = box;
      const kept = 1 - ((bottom - top) * (right - left)) / (height * width);
      return [fn.where(maskOf([box], height, width), others(x), x), mixed(targets, others(targets), kept)];
    }),
);
