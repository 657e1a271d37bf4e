// Windows as columns, and back.

import { optional } from '../lookup.ts';
import { input, kernel, list, output, size } from './descriptor.ts';

/** [size, windows, kernel, stride, padding, dilation] of rows and of columns. */
const windows = list(
  [],
  (dims) => ({
    plane: (dims[0] as number) * (dims[6] as number),
    columns: [1, 2, 7, 8].reduce((product, word) => product * (dims[word] as number), 1),
  }),
  [
    [9, 5, 3, 2, 1, 1, 11, 9, 3, 1, 1, 2],
    [5, 2, 2, 2, 0, 3, 7, 4, 2, 2, 1, 1],
  ],
);
const byPlane = {
  // Threads should not write to the same cache line.
  cut: ({ plane, columns }: { readonly plane: number; readonly columns: number }) => ({
    along: 'planes' as const,
    grain: Math.ceil(16 / Math.max(1, Math.min(plane, columns))),
  }),
  cost: ({ planes, dims }: { readonly planes: number; readonly dims: readonly number[] }): number =>
    [1, 2, 7, 8].reduce((product, word) => product * (dims[word] as number), planes),
};

export const columnKernels = optional(() => ({
  im2col_f32: kernel(
    { y: output('f32', 'planes', 'columns'), x: input('f32', 'planes', 'plane'), planes: size, dims: windows },
    byPlane,
  ),
  col2im_f32: kernel(
    { x: output('f32', 'planes', 'plane'), y: input('f32', 'planes', 'columns'), planes: size, dims: windows },
    byPlane,
  ),
}));
