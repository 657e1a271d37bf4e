// Augmentations: each image becomes one of those that it may become, as often as it should; and the same for a seed.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as data from '../../bindings/data/index.ts';
import {
  ArgumentError,
  backend,
  flip,
  init,
  manualSeed,
  rand,
  ShapeError,
  scope,
  shutdown,
  type Tensor,
  tensor,
} from '../../bindings/index.ts';

beforeAll(async () => void (await init({ simd: 'strict', threads: 1 })));
afterAll(() => shutdown());

const [N, C, H, W] = [400, 3, 6, 5];
const images = (): Tensor => {
  manualSeed(3);
  return rand([N, C, H, W]);
};
/** The numbers of image i. */
const imageOf = (x: Tensor, i: number): number[] => [...x.narrow(0, i, 1).data];
const same = (a: readonly number[], b: readonly number[]): boolean => a.every((value, i) => value === b[i]);

/** How many images of `y` are those of `changed`, where all others are those of x. */
function changes(x: Tensor, y: Tensor, changed: Tensor): number {
  let count = 0;
  for (let i = 0; i < N; i++) {
    const image = imageOf(y, i);
    if (same(image, imageOf(changed, i))) count++;
    else expect(same(image, imageOf(x, i))).toBe(true);
  }
  return count;
}

describe('augmentations', () => {
  it.each([
    ['randomHorizontalFlip', data.randomHorizontalFlip, (x: Tensor) => flip(x, 3)],
    ['randomVerticalFlip', data.randomVerticalFlip, (x: Tensor) => flip(x, 2)],
  ] as const)('%s mirrors some images, each whole', (_, augment, mirrored) => {
    scope(() => {
      const x = images();
      expect(Math.abs(changes(x, augment(x), mirrored(x)) / N - 0.5)).toBeLessThan(0.1);
      expect(changes(x, augment(x, 0.1), mirrored(x)) / N).toBeLessThan(0.2);
      expect(changes(x, augment(x, 1), mirrored(x))).toBe(N);
    });
  });

  it('repeat with the seed, leave their input as it was, and nothing behind', () => {
    const x = images();
    const before = [...x.data];
    const all: [string, (x: Tensor) => Tensor][] = [
      ['randomCrop', (y) => data.randomCrop(y, [4, 3], { padding: 1 })],
      ['randomAffine', (y) => data.randomAffine(y, { degrees: 20, translate: 0.1, scale: [0.8, 1.2], shear: 5 })],
      ['colorJitter', (y) => data.colorJitter(y, { brightness: 0.2, contrast: 0.3, saturation: 0.4 })],
      ['randomErasing', (y) => data.randomErasing(y, { p: 0.7 })],
      ['randomGrayscale', (y) => data.randomGrayscale(y, 0.5)],
      ['randomHorizontalFlip', data.randomHorizontalFlip],
      ['mixUp', (y) => data.mixUp(y, tensor(new Float32Array(N)))[0]],
      ['cutMix', (y) => data.cutMix(y, tensor(new Float32Array(N)))[0]],
    ];
    for (const [name, augment] of all) {
      const run = (seed: number): number[] =>
        scope(() => {
          manualSeed(seed);
          return [...augment(x).data];
        });
      const first = run(1);
      expect(run(1), name).toEqual(first);
      expect(run(2), name).not.toEqual(first);
      const { used } = backend().memory as { used: number };
      run(3);
      expect((backend().memory as { used: number }).used, name).toBe(used);
    }
    expect([...x.data]).toEqual(before);
    x.dispose();
  });

  it('randomCrop cuts every part as often, of images with a border or without', () => {
    scope(() => {
      // Pixels that tell where they were.
      const x = tensor(
        Float32Array.from({ length: N * H * W }, (_, i) => 1 + (i % (H * W))),
        { shape: [N, 1, H, W] },
      );
      const y = data.randomCrop(x, [4, 3], { padding: 1 });
      expect(y.shape).toEqual([N, 1, 4, 3]);
      const pixel = (row: number, column: number): number =>
        row >= 0 && row < H && column >= 0 && column < W ? 1 + row * W + column : 0;
      const crops = new Map<string, number>();
      for (let top = -1; top <= H + 1 - 4; top++)
        for (let left = -1; left <= W + 1 - 3; left++)
          crops.set(String(Array.from({ length: 12 }, (_, k) => pixel(top + Math.floor(k / 3), left + (k % 3)))), 0);
      for (let i = 0; i < N; i++) {
        const crop = String(imageOf(y, i));
        expect(crops.has(crop)).toBe(true);
        crops.set(crop, (crops.get(crop) as number) + 1);
      }
      // 25 places, 16 times each on average.
      expect(Math.min(...crops.values())).toBeGreaterThan(3);
      expect(Math.max(...crops.values())).toBeLessThan(40);
      expect(() => data.randomCrop(x, 9)).toThrow(ArgumentError);
    });
  });

  it('randomAffine by nothing changes nothing, and by half a turn turns', () => {
    scope(() => {
      const x = images();
      const close = (a: Tensor, b: Tensor): void => expect(Math.max(...a.sub(b).abs().data)).toBeLessThan(1e-4);
      close(data.randomAffine(x), x);
      close(data.randomAffine(x, { degrees: [180, 180] }), flip(flip(x, 2), 3));
      const ones = x.mul(0).add(1);
      const grown = data.randomAffine(ones, { scale: [0.5, 0.5] });
      expect(grown.mean().item()).toBeLessThan(0.5);
      expect(Math.min(...data.randomAffine(ones, { degrees: 45, paddingMode: 'border' }).data)).toBeCloseTo(1, 5);
    });
  });

  it('colorJitter does to numbers what torchvision does', () => {
    scope(() => {
      const x = images();
      const grey = (image: readonly number[], p: number): number =>
        0.2989 * (image[p] as number) + 0.587 * (image[p + H * W] as number) + 0.114 * (image[p + 2 * H * W] as number);
      const bright = data.colorJitter(x, { brightness: [1.5, 1.5] });
      const dull = data.colorJitter(x, { saturation: [0, 0] });
      const flat = data.colorJitter(x, { contrast: [0, 0] });
      for (let i = 0; i < 20; i++) {
        const image = imageOf(x, i);
        const mean = Array.from({ length: H * W }, (_, p) => grey(image, p)).reduce((a, b) => a + b, 0) / (H * W);
        for (const [k, value] of image.entries()) {
          expect(imageOf(bright, i)[k]).toBeCloseTo(Math.min(1, 1.5 * value), 5);
          expect(imageOf(dull, i)[k]).toBeCloseTo(grey(image, k % (H * W)), 5);
          expect(imageOf(flat, i)[k]).toBeCloseTo(mean, 5);
        }
      }
    });
  });

  it('randomErasing erases one rectangle in all channels', () => {
    scope(() => {
      const x = images();
      const y = data.randomErasing(x, { p: 1, value: -1, scale: [0.2, 0.2], ratio: [1, 1] });
      for (let i = 0; i < 50; i++) {
        const erased = imageOf(y, i).flatMap((value, k) => (value === -1 ? [k] : []));
        const rows = new Set(erased.map((k) => Math.floor((k % (H * W)) / W)));
        const columns = new Set(erased.map((k) => k % W));
        expect(erased.length).toBe(C * rows.size * columns.size);
        expect(rows.size * columns.size).toBe(4);
      }
    });
  });

  it('mixUp and cutMix mix targets as they mix images', () => {
    scope(() => {
      const x = tensor(
        Float32Array.from({ length: N * H * W }, (_, i) => Math.floor(i / (H * W)) % 2),
        { shape: [N, 1, H, W] },
      );
      const y = tensor(Int32Array.from({ length: N }, (_, i) => i % 2));
      const shares: number[] = [];
      for (let k = 0; k < 200; k++) {
        for (const mix of [data.mixUp, data.cutMix]) {
          const [images, targets] = mix(x, y, 2, { alpha: 0.4 });
          expect(targets.shape).toEqual([N, 2]);
          const share = targets.data[2] as number;
          expect(images.narrow(0, 1, 1).mean().item()).toBeCloseTo(1 - share, 4);
          expect((targets.data[2] as number) + (targets.data[3] as number)).toBeCloseTo(1, 5);
          if (mix === data.mixUp) shares.push(share);
        }
      }
      // Beta(0.4, 0.4): mean a half, variance 1 / (4 · 1.8).
      const mean = shares.reduce((a, b) => a + b, 0) / shares.length;
      const variance = shares.reduce((sum, s) => sum + (s - mean) ** 2, 0) / shares.length;
      expect(mean).toBeCloseTo(0.5, 0);
      expect(Math.abs(variance - 1 / 7.2)).toBeLessThan(0.035);
      expect(() => data.mixUp(x, y)).toThrow(/expected the number of classes/);
      expect(() => data.mixUp(x, y.narrow(0, 0, 3), 2)).toThrow(ShapeError);
    });
  });

  it('normalizeImages is by channel', () => {
    scope(() => {
      const x = images();
      const y = data.normalizeImages(x, [0.1, 0.2, 0.3], [1, 2, 4]);
      expect(y.data[H * W]).toBeCloseTo(((x.data[H * W] as number) - 0.2) / 2, 6);
      expect(() => data.normalizeImages(x, [0], [1])).toThrow(ArgumentError);
      expect(() => data.randomHorizontalFlip(x.narrow(0, 0, 1).squeeze(0))).toThrow(ShapeError);
    });
  });
});
