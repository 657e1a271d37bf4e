// Another number of elements along an axis, and images looked at where a grid says.

import { optional } from '../lookup.ts';
import { f32, input, kernel, list, output, rowGrain, size, workspace } from './descriptor.ts';

/** How results along an axis are made, by their numbers in `dims`: see assembly/spatial/resample.ts. */
export const samplings = ['nearest', 'nearest-exact', 'linear', 'cubic', 'smooth linear', 'smooth cubic'] as const;
export type Sampling = (typeof samplings)[number];

/** [n, m, mode, taps, align]; align 2 is TensorFlow.js's alone. */
const axis = list(['n', 'm'], () => ({}), [
  [5, 9, 0, 1, 0],
  [7, 4, 1, 1, 0],
  [5, 9, 2, 2, 1],
  [6, 11, 3, 4, 0],
  [9, 4, 4, 3, 0],
  [9, 4, 5, 5, 0],
  [5, 9, 2, 2, 2],
  [9, 5, 0, 1, 1],
]);
const byOuter = {
  cut: ({ inner, n, m }: { readonly inner: number; readonly n: number; readonly m: number }) => ({
    along: 'outer' as const,
    grain: rowGrain(Math.min(n, m) * inner),
  }),
  cost: ({
    outer,
    inner,
    dims,
  }: {
    readonly outer: number;
    readonly inner: number;
    readonly dims: readonly number[];
  }) => outer * inner * (dims[1] as number) * (dims[3] as number) * (inner === 1 ? 1 : 0.3),
};

export const resampleKernels = optional(() => ({
  resample_forward_f32: kernel(
    {
      y: output('f32', 'outer', 'm', 'inner'),
      x: input('f32', 'outer', 'n', 'inner'),
      outer: size,
      inner: size,
      scale: f32,
      workspace,
      dims: axis,
    },
    byOuter,
  ),
  resample_backward_f32: kernel(
    {
      dx: output('f32', 'outer', 'n', 'inner'),
      g: input('f32', 'outer', 'm', 'inner'),
      outer: size,
      inner: size,
      scale: f32,
      workspace,
      dims: axis,
    },
    byOuter,
  ),
}));

export const gridModes = ['bilinear', 'nearest', 'bicubic'] as const;
export const gridPaddings = ['zeros', 'border', 'reflection'] as const;

/** See assembly/spatial/grid.ts. */
const sampling = list(
  ['batch', 'channels', 'inImage', 'outImage', 'points', 'axes'],
  (dims) => ({ inPlane: (dims[9] as number) * (dims[10] as number) * (dims[11] as number) }),
  [
    [1, 3, 60, 21, 7, 2, 0, 0, 0, 1, 4, 5],
    [3, 2, 40, 20, 9, 2, 1, 2, 1, 1, 4, 5],
    [2, 2, 40, 20, 6, 2, 2, 1, 0, 1, 4, 5],
    [2, 2, 120, 20, 7, 3, 0, 2, 0, 3, 4, 5],
  ],
);
const points = () => ({
  cost: ({ dims }: { readonly dims: readonly number[] }): number =>
    (dims[0] as number) * (dims[1] as number) * (dims[4] as number) * 4,
});
const byImage = {
  ...points(),
  cut: ({
    batch,
    points: count,
    inPlane,
  }: {
    readonly batch: number;
    readonly points: number;
    readonly inPlane: number;
  }) =>
    batch > 1
      ? { along: 'batch' as const, grain: 1 }
      : { along: 'channels' as const, grain: Math.ceil(16 / Math.max(1, Math.min(count, inPlane))) },
};
const x = () => input('f32', ['batch', 'inImage'], 'channels', 'inPlane');
const y = () => input('f32', ['batch', 'outImage'], 'channels', 'points');
const grid = () => input('f32', 'batch', 'points', 'axes');
/** The same range of memory, written. */
const written = <T extends ReturnType<typeof input>>(spec: T): T => ({ ...spec, reads: false, writes: true });

export const gridKernels = optional(() => ({
  grid_sample_forward_f32: kernel({ y: written(y()), x: x(), grid: grid(), workspace, dims: sampling }, byImage),
  grid_sample_backward_input_f32: kernel(
    { dx: written(x()), g: y(), grid: grid(), workspace, dims: sampling },
    byImage,
  ),
  grid_sample_backward_grid_f32: kernel(
    { dgrid: written(grid()), g: y(), x: x(), grid: grid(), workspace, dims: sampling },
    { ...points(), cut: ({ batch }) => (batch > 1 ? { along: 'batch', grain: 1 } : null) },
  ),
}));
