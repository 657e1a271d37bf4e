// Padding along one axis by what stands on the axis.

import { optional } from '../lookup.ts';
import { input, kernel, list, output, rowGrain, size } from './descriptor.ts';

/** What stands outside of an axis, by its number in `dims`: see assembly/spatial/pad.ts. */
export const edges = ['reflect', 'replicate', 'circular'] as const;
export type Edge = (typeof edges)[number];

const axis = list(['n', 'm'], () => ({}), [
  [5, 9, 3, 0],
  [5, 9, 1, 1],
  [5, 13, 4, 2],
  [7, 8, -2, 0],
]);
type Numbers = { readonly outer: number; readonly inner: number; readonly m: number };
const byOuter = {
  cut: ({ inner, m }: Numbers) => ({ along: 'outer' as const, grain: rowGrain(m * inner) }),
  cost: ({
    outer,
    inner,
    dims,
  }: {
    readonly outer: number;
    readonly inner: number;
    readonly dims: readonly number[];
  }) => outer * inner * (dims[1] as number) * 0.5,
};

export const padKernels = optional(() => ({
  pad_edge_forward_32: kernel(
    {
      y: output('b32', 'outer', 'm', 'inner'),
      x: input('b32', 'outer', 'n', 'inner'),
      outer: size,
      inner: size,
      dims: axis,
    },
    byOuter,
  ),
  pad_edge_backward_f32: kernel(
    {
      dx: output('f32', 'outer', 'n', 'inner'),
      g: input('f32', 'outer', 'm', 'inner'),
      outer: size,
      inner: size,
      dims: axis,
    },
    byOuter,
  ),
}));
