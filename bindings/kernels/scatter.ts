// Writes by index that replace what is there, or join it: n positions of y [outer, n, inner], m of them named.
import { optional } from '../lookup.ts';
import { code, elements, i32, indices, inout, input, kernel, output, rowGrain, size } from './descriptor.ts';

const sizes = { outer: size, n: size, m: size, inner: size };
type Numbers = { readonly outer: number; readonly m: number; readonly inner: number };
/** A position may be written more than once: slices must not share any. */
const writes = {
  cut: ({ outer, m, inner }: Numbers) => (outer > 1 ? { along: 'outer' as const, grain: rowGrain(m * inner) } : null),
  cost: ({ outer, m, inner }: Numbers): number => outer * m * inner,
};
export const scatterKernels = optional(() => ({
  scatter_32: kernel(
    {
      y: inout('b32', 'outer', 'n', 'inner'),
      index: indices('n', 'outer', 'm', 'inner'),
      src: input('b32', 'outer', 'm', 'inner'),
      ...sizes,
      how: code(
        ...['set', 'sum', 'prod', 'amax', 'amin'],
        ...['set, i32', 'sum, i32', 'prod, i32', 'amax, i32', 'amin, i32'],
      ),
    },
    writes,
  ),
  index_copy_32: kernel(
    {
      y: inout('b32', 'outer', 'n', 'inner'),
      src: input('b32', 'outer', 'm', 'inner'),
      index: indices('n', 'm'),
      ...sizes,
    },
    writes,
  ),
  coordinate_i32: kernel(
    { y: output('i32', 'n'), x: input('i32', 'n'), n: size, size: i32, stride: i32 },
    elements('n'),
  ),
}));
