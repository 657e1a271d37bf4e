// Kernels that trade space for batch or channels, and others that only move elements.
import { ShapeError } from '../../memory/errors.ts';
import { contiguousStrides, numelOf, type Shape } from '../../sizes.ts';
import type { Backend } from '../backend.ts';
import type { NumberDtype } from '../data.ts';
import type { Info } from '../engine.ts';
import { B, F, type Family, I, row } from '../row.ts';
import { copy, fill } from './layout.ts';
import { box, gathered, pad } from './shape.ts';

const NUMBERS = F | I | B;

/** x seen as `view`, its dims in another order, and the result seen as `shape`. */
function rearranged(backend: Backend, x: Info, view: Shape, order: readonly number[], shape: Shape): Info {
  const steps = contiguousStrides(view);
  const y = gathered(
    backend,
    x,
    0,
    order.map((d) => view[d] as number),
    order.map((d) => steps[d] as number),
  );
  return { ...y, shape };
}

/** Batches become blocks of space, of which the borders are cut off. */
function batchToSpace(backend: Backend, x: Info, blocks: Shape, crops: readonly (readonly [number, number])[]): Info {
  const [n, ...rest] = x.shape as [number, ...number[]];
  const m = blocks.length;
  const batch = n / numelOf(blocks);
  // [blocks, batch, space, channels] -> [batch, (space, block)…, channels]
  const order = [m, ...blocks.flatMap((_, i) => [m + 1 + i, i]), ...rest.slice(m).map((_, i) => 2 * m + 1 + i)];
  const whole = [batch, ...blocks.map((b, i) => b * (rest[i] as number)), ...rest.slice(m)];
  const y = rearranged(backend, x, [...blocks, batch, ...rest], order, whole);
  const begin = whole.map((_, d) => crops[d - 1]?.[0] ?? 0);
  const size = whole.map((length, d) => length - (crops[d - 1]?.[0] ?? 0) - (crops[d - 1]?.[1] ?? 0));
  return size.every((length, d) => length === whole[d]) ? y : box(backend, y, begin, size, null);
}

/** Blocks of space, with borders of zeros, become batches. */
function spaceToBatch(
  backend: Backend,
  x: Info,
  blocks: Shape,
  paddings: readonly (readonly [number, number])[],
): Info {
  const m = blocks.length;
  const padded = pad(backend, x, [[0, 0], ...paddings, ...x.shape.slice(m + 1).map((): [number, number] => [0, 0])], 0);
  const [n, ...rest] = padded.shape as [number, ...number[]];
  const channels = rest.slice(m);
  const space = blocks.map((b, i) => (rest[i] as number) / b);
  // [batch, (space, block)…, channels] -> [blocks, batch, space, channels]
  const view = [n, ...blocks.flatMap((b, i) => [space[i] as number, b]), ...channels];
  const order = [
    ...blocks.map((_, i) => 2 * i + 2),
    0,
    ...blocks.map((_, i) => 2 * i + 1),
    ...channels.map((_, i) => 2 * m + 1 + i),
  ];
  return rearranged(backend, padded, view, order, [n * numelOf(blocks), ...space, ...channels]);
}

interface Blocks {
  readonly blockShape: readonly number[];
}
type Borders = readonly (readonly [number, number])[];

export const blocks: Family = {
  kernels: [],
  rows: {
    BatchToSpaceND: row<{ x: number }, Blocks & { crops: Borders }>(
      { x: NUMBERS },
      (backend, { x }, { blockShape, crops }) => backend.keepingOnly(() => batchToSpace(backend, x, blockShape, crops)),
      ({ x }, { blockShape }) =>
        x.shape.length > blockShape.length && (x.shape[0] as number) % numelOf(blockShape) === 0,
    ),
    SpaceToBatchND: row<{ x: number }, Blocks & { paddings: Borders }>(
      { x: NUMBERS },
      (backend, { x }, { blockShape, paddings }) =>
        backend.keepingOnly(() => spaceToBatch(backend, x, blockShape, paddings)),
      ({ x }, { blockShape, paddings }) =>
        x.shape.length > blockShape.length &&
        blockShape.every((b, i) => {
          const [before, after] = paddings[i] ?? [0, 0];
          return ((x.shape[i + 1] as number) + before + after) % b === 0;
        }),
    ),
    DepthToSpace: row<{ x: number }, { blockSize: number; dataFormat: string }>(
      { x: NUMBERS },
      (backend, { x }, { blockSize, dataFormat }) => {
        if (dataFormat !== 'NHWC')
          throw new ShapeError(`depthToSpace: Only NHWC dataFormat supported, got ${dataFormat}; transpose first`);
        const [n, h, w, c] = x.shape as [number, number, number, number];
        const channels = c / blockSize ** 2;
        const view = [n, h, w, blockSize, blockSize, channels];
        return rearranged(backend, x, view, [0, 1, 3, 2, 4, 5], [n, h * blockSize, w * blockSize, channels]);
      },
      ({ x }, { blockSize }) => x.shape.length === 4 && (x.shape[3] as number) % blockSize ** 2 === 0,
    ),
    FlipLeftRight: row(
      { image: NUMBERS },
      (backend, { image }) => {
        const [, , width] = image.shape as [number, number, number, number];
        return box(backend, image, [0, 0, Math.max(0, width - 1), 0], image.shape, [1, 1, -1, 1]);
      },
      ({ image }) => image.shape.length === 4,
    ),
    Diag: row({ x: NUMBERS }, (backend, { x }) => {
      const dtype = x.dtype as NumberDtype;
      const n = numelOf(x.shape);
      const y = backend.make([...x.shape, ...x.shape], dtype);
      fill(backend.kernels, dtype, y.dataId, n * n, 0);
      copy(backend.kernels, dtype, y.dataId, backend.at(x), [n], [n + 1], [1]);
      return y;
    }),
  },
};
