// Padding by what stands on the axes themselves.

import { optional } from '../lookup.ts';
import { input, kernel, list, output, rowGrain, size } from './descriptor.ts';

/** What stands outside of an axis, by its number in `dims`: see assembly/spatial/pad.ts. */
export const edges = ['reflect', 'replicate', 'circular'] as const;
/** Mirrored with the edge itself, as TensorFlow.js may pad. */
export const SYMMETRIC = edges.length;
export type Edge = (typeof edges)[number];

const axes = list(['n', 'm'], () => ({}), [
  [5, 9, 0, 2, 1, 1, 0, 5, 9, 5, 9, 3, 1, 1],
  [5, 9, 1, 2, 1, 1, 0, 5, 9, 5, 9, 1, 1, 1],
  [10, 26, 2, 2, 1, 1, 0, 10, 26, 5, 13, 4, 2, 2],
  [7, 8, 0, 2, 1, 1, 0, 7, 8, 7, 8, -2, 1, 1],
  [6, 20, 0, 2, 2, 4, 1, 3, 5, 3, 5, 1, 1, 1],
  [6, 60, 2, 3, 1, 3, 1, 6, 20, 2, 4, 1, 3, 5, 3, 5, 0, 1, 1],
  [5, 11, 3, 2, 1, 1, 0, 5, 11, 5, 11, 3, 1, 1],
]);
const byOuter = {
  cut: ({ m }: { readonly m: number }) => ({ along: 'outer' as const, grain: rowGrain(m) }),
  cost: ({ outer, dims }: { readonly outer: number; readonly dims: readonly number[] }) =>
    outer * (dims[1] as number) * 0.5,
};

export const padKernels = optional(() => ({
  pad_edge_forward_32: kernel(
    { y: output('b32', 'outer', 'm'), x: input('b32', 'outer', 'n'), outer: size, dims: axes },
    byOuter,
  ),
  pad_edge_backward_f32: kernel(
    { dx: output('f32', 'outer', 'n'), g: input('f32', 'outer', 'm'), outer: size, dims: axes },
    byOuter,
  ),
}));
