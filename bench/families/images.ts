// What resizes, pads, unfolds and samples images, and what pools and convolves volumes.
import { checkElements } from '../checks/elements.ts';
import {
  type Case,
  type Check,
  type Family,
  IMAGE_OPS,
  type ImageOp,
  type ImageProblem,
  uniform,
} from '../problems.ts';

/** [n, channels, ...size] */
const SIZES = {
  quick: { plane: [1, 2, 6, 7], volume: [1, 2, 4, 5, 6] },
  full: { plane: [8, 32, 56, 56], volume: [2, 16, 16, 28, 28] },
} as const;
const isVolume = (op: ImageOp): boolean => op.endsWith('3d');
const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

/** Element at `index` of x, 0 outside. */
function pixel({ x, shape }: ImageProblem, index: readonly number[]): number {
  let position = 0;
  for (const [d, size] of shape.entries()) {
    const i = index[d] as number;
    if (i < 0 || i >= size) return 0;
    position = position * size + i;
  }
  return x[position] as number;
}

/** Position i of `shape` as an index. */
function indexOf(i: number, shape: readonly number[]): number[] {
  const index: number[] = [];
  let rest = i;
  for (const size of shape.toReversed()) {
    index.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return index;
}

/** The value between the four pixels around a place, which may be moved inside. */
function between(p: ImageProblem, lead: readonly number[], y: number, x: number): number {
  const [top, left] = [Math.floor(y), Math.floor(x)];
  let sum = 0;
  for (const i of [top, top + 1])
    for (const j of [left, left + 1]) sum += (1 - Math.abs(y - i)) * (1 - Math.abs(x - j)) * pixel(p, [...lead, i, j]);
  return sum;
}

const TOLERANCE = { relative: 1e-4, absolute: 1e-4 };

/** The shape of the result of each, and its element at an index. */
const REFERENCES: Readonly<
  Record<ImageOp, (p: ImageProblem) => readonly [shape: number[], at: (i: number[]) => number]>
> = {
  interpolate: (p) => {
    const [n, c, h, w] = p.shape as [number, number, number, number];
    const source = (o: number, size: number): number => Math.min(Math.max((o + 0.5) / 2 - 0.5, 0), size - 1);
    return [
      [n, c, 2 * h, 2 * w],
      ([a, b, i, j]) => between(p, [a as number, b as number], source(i as number, h), source(j as number, w)),
    ];
  },
  gridSample: (p) => {
    const [, , h, w] = p.shape as [number, number, number, number];
    const place = (v: number, size: number): number => ((v + 1) * size - 1) / 2;
    return [
      [...p.shape],
      ([a, b, i, j]) => {
        const at = 2 * (((a as number) * h + (i as number)) * w + (j as number));
        const [x, y] = [p.y?.[at], p.y?.[at + 1]] as [number, number];
        return between(p, [a as number, b as number], place(y, h), place(x, w));
      },
    ];
  },
  pad: (p) => {
    const mirrored = (i: number, size: number): number => (i < 0 ? -i : i >= size ? 2 * (size - 1) - i : i);
    const shape = p.shape.map((size, d) => (d < 2 ? size : size + 4));
    return [
      shape,
      (index) =>
        pixel(
          p,
          index.map((i, d) => (d < 2 ? i : mirrored(i - 2, p.shape[d] as number))),
        ),
    ];
  },
  unfold: (p) => {
    const [n, c, h, w] = p.shape as [number, number, number, number];
    return [
      [n, c, 3, 3, h, w],
      ([a, b, i, j, y, x]) =>
        pixel(p, [a as number, b as number, (y as number) + (i as number) - 1, (x as number) + (j as number) - 1]),
    ];
  },
  maxPool3d: (p) => [
    p.shape.map((size, d) => (d < 2 ? size : size >> 1)),
    (index) => {
      let most = Number.NEGATIVE_INFINITY;
      for (let tap = 0; tap < 8; tap++)
        most = Math.max(
          most,
          pixel(
            p,
            index.map((i, d) => (d < 2 ? i : 2 * i + ((tap >> (4 - d)) & 1))),
          ),
        );
      return most;
    },
  ],
  convTranspose3d: (p) => {
    const c = p.shape[1] as number;
    return [
      p.shape.map((size, d) => (d < 2 ? size : 2 * size)),
      (index) => {
        const tap = index.slice(2).reduce((sum, i) => 2 * sum + (i & 1), 0);
        let sum = 0;
        for (let k = 0; k < c; k++)
          sum +=
            pixel(
              p,
              index.map((i, d) => (d === 1 ? k : d < 2 ? i : i >> 1)),
            ) * (p.y?.[(k * c + (index[1] as number)) * 8 + tap] as number);
        return sum;
      },
    ];
  },
};

function checkImage(p: ImageProblem): Check {
  const [shape, at] = REFERENCES[p.op](p);
  return checkElements(product(shape), (i) => at(indexOf(i, shape)), TOLERANCE);
}

function imageCase(op: ImageOp, shape: readonly number[]): Case {
  const size = product(shape);
  const channels = shape[1] as number;
  const second = op === 'gridSample' ? (2 * size) / channels : op === 'convTranspose3d' ? 8 * channels * channels : 0;
  const make = (): ImageProblem => ({
    ...{ kind: 'image', op, shape, x: uniform(size, 1) },
    ...(second > 0 && { y: uniform(second, 2) }),
  });
  const written = product(REFERENCES[op]({ kind: 'image', op, shape, x: new Float32Array() })[0]);
  const flops = 2 * 8 * channels * size;
  return {
    name: `${op} ${shape.join('×')}`,
    work:
      op === 'convTranspose3d' ? { flops, unit: 'GFLOP/s' } : { bytes: 4 * (size + second + written), unit: 'GB/s' },
    make: () => {
      const problem = make();
      return { problem, check: checkImage(problem) };
    },
  };
}

/** @param quick small images */
export function imagesFamily(quick: boolean): Family {
  const sizes = quick ? SIZES.quick : SIZES.full;
  return {
    name: 'images',
    cases: IMAGE_OPS.map((op) => imageCase(op, isVolume(op) ? sizes.volume : sizes.plane)),
    skipped: [],
  };
}
