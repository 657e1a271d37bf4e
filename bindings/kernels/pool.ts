// Pooling of planes, each for itself.

import { optional } from '../lookup.ts';
import { indices, input, kernel, list, maybe, output, size, workspace } from './descriptor.ts';

const axis = [25, 12, 2, 2, 0, 1];

/** [size, windows, kernel, stride, padding, dilation] of rows and of columns, then how a mean divides. */
const windows = optional(() =>
  list(
    [],
    (dims) => ({
      plane: (dims[0] as number) * (dims[6] as number),
      windows: (dims[1] as number) * (dims[7] as number),
    }),
    [
      [...axis, ...axis, 0, 0],
      [9, 5, 3, 2, 1, 1, 11, 5, 2, 2, 0, 1, 1, 0],
    ],
  ),
);

const byPlane = {
  // Threads should not write to the same cache line.
  cut: ({ windows: count }: { readonly windows: number }) => ({
    along: 'planes' as const,
    grain: Math.ceil(16 / Math.max(1, count)),
  }),
  cost: ({ planes, dims }: { readonly planes: number; readonly dims: readonly number[] }): number =>
    planes * (dims[0] as number) * (dims[6] as number),
};

const max = () =>
  kernel(
    {
      y: output('f32', 'planes', 'windows'),
      index: output('i32', 'planes', 'windows'),
      x: input('f32', 'planes', 'plane'),
      planes: size,
      dims: windows,
    },
    byPlane,
  );
const average = () =>
  kernel(
    { y: output('f32', 'planes', 'windows'), x: input('f32', 'planes', 'plane'), planes: size, dims: windows },
    byPlane,
  );
export const poolKernels = optional(() => ({
  max_pool_forward_f32: max(),
  adaptive_max_pool_forward_f32: max(),
  max_pool_backward_f32: kernel(
    {
      dx: output('f32', 'planes', 'plane'),
      g: input('f32', 'planes', 'windows'),
      index: indices('plane', 'planes', 'windows'),
      planes: size,
      plane: size,
      windows: size,
    },
    {
      cut: ({ windows: count }) => ({ along: 'planes', grain: Math.ceil(16 / Math.max(1, count)) }),
      cost: ({ planes, plane }) => planes * plane,
    },
  ),
  avg_pool_forward_f32: average(),
  avg_pool_backward_f32: kernel(
    {
      dx: output('f32', 'planes', 'plane'),
      g: input('f32', 'planes', 'windows'),
      planes: size,
      workspace,
      dims: windows,
    },
    byPlane,
  ),
  adaptive_avg_pool_forward_f32: average(),
  adaptive_avg_pool_backward_f32: kernel(
    { dx: output('f32', 'planes', 'plane'), g: input('f32', 'planes', 'windows'), planes: size, dims: windows },
    byPlane,
  ),
}));

export const unpoolKernels = optional(() => ({
  max_unpool_f32: kernel(
    {
      y: output('f32', 'planes', 'plane'),
      x: input('f32', 'planes', 'windows'),
      index: indices('plane', 'planes', 'windows'),
      planes: size,
      plane: size,
      windows: size,
    },
    {
      cut: ({ plane }) => ({ along: 'planes', grain: Math.ceil(16 / Math.max(1, plane)) }),
      cost: ({ planes, plane }) => planes * plane,
    },
  ),
}));

/** [batch, channels, three axes, volume]: see assembly/pool/last.ts. */
const lastWindows = optional(() =>
  list(
    ['batch', 'channels'],
    (dims) => {
      const along = (word: number): number =>
        (dims[word] as number) * (dims[word + 6] as number) * (dims[word + 12] as number);
      return { plane: along(2), windows: along(3) };
    },
    [
      [3, 16, 1, 1, 1, 1, 0, 1, ...axis, ...axis, 0],
      [5, 7, 4, 3, 2, 1, 0, 1, 9, 5, 3, 2, 1, 1, 11, 5, 2, 2, 0, 1, 1],
    ],
  ),
);
const lastImage = () => input('f32', 'batch', 'plane', 'channels');
const lastResult = () => input('f32', 'batch', 'windows', 'channels');
const byImage = {
  cut: () => ({ along: 'batch' as const, grain: 1 }),
  cost: ({ dims }: { readonly dims: readonly number[] }): number =>
    (dims[0] as number) * (dims[1] as number) * (dims[2] as number) * (dims[8] as number) * (dims[14] as number) * 0.5,
};
/** The same range of memory, written. */
const written = <T extends ReturnType<typeof input>>(spec: T): T => ({ ...spec, reads: false, writes: true });

/** Of channels-last images and volumes, as TensorFlow.js pools. */
export const poolLastKernels = optional(() => ({
  max_pool_last_forward_f32: kernel(
    {
      y: written(lastResult()),
      index: maybe(output('i32', 'batch', 'windows', 'channels')),
      x: lastImage(),
      workspace,
      dims: lastWindows,
    },
    byImage,
  ),
  avg_pool_last_forward_f32: kernel(
    { y: written(lastResult()), x: lastImage(), workspace, dims: lastWindows },
    byImage,
  ),
  avg_pool_last_backward_f32: kernel(
    { dx: written(lastImage()), g: lastResult(), workspace, dims: lastWindows },
    byImage,
  ),
}));
