// Reads and writes by index: n positions of x [outer, n, inner], m of them picked.
import { indices, inout, input, kernel, output, probe, rowGrain, size } from './descriptor.ts';

const sizes = { outer: size, n: size, m: size, inner: size };
type Numbers = { readonly outer: number; readonly m: number; readonly inner: number };
const cost = ({ outer, m, inner }: Numbers): number => outer * m * inner;
/** Every position that is picked is written once. */
const picks = {
  cut: ({ outer, m, inner }: Numbers) =>
    outer > 1
      ? { along: 'outer' as const, grain: rowGrain(m * inner) }
      : { along: 'm' as const, grain: rowGrain(inner) },
  cost,
};
/** A position may be written more than once: slices must not share any. */
const adds = {
  cut: ({ outer, m, inner }: Numbers) => (outer > 1 ? { along: 'outer' as const, grain: rowGrain(m * inner) } : null),
  cost,
};

const indexSelect = (type: 'b32' | 'u8') =>
  kernel(
    {
      y: output(type, 'outer', 'm', 'inner'),
      x: input(type, 'outer', 'n', 'inner'),
      index: indices('n', 'm'),
      ...sizes,
    },
    picks,
  );
const gather = (type: 'b32' | 'u8') =>
  kernel(
    {
      y: output(type, 'outer', 'm', 'inner'),
      x: input(type, 'outer', 'n', 'inner'),
      index: indices('n', 'outer', 'm', 'inner'),
      ...sizes,
    },
    picks,
  );

export const indexingKernels = {
  index_select_32: indexSelect('b32'),
  index_select_8: indexSelect('u8'),
  index_add_f32: kernel(
    {
      y: inout('f32', 'outer', 'n', 'inner'),
      src: input('f32', 'outer', 'm', 'inner'),
      index: indices('n', 'm'),
      ...sizes,
    },
    adds,
  ),
  gather_32: gather('b32'),
  gather_8: gather('u8'),
  scatter_add_f32: kernel(
    {
      y: inout('f32', 'outer', 'n', 'inner'),
      index: indices('n', 'outer', 'm', 'inner'),
      src: input('f32', 'outer', 'm', 'inner'),
      ...sizes,
    },
    adds,
  ),
  /** The positions of the first `count` bytes of a mask that are not 0, in order. */
  nonzero_u8: kernel({ index: output('i32', 'count'), mask: input('u8', 'n'), n: size, count: size }),
};

export const countProbes = {
  /** −1 where `count` of n bytes are not 0, else how many are. */
  check_nonzero_u8: probe({ mask: input('u8', 'n'), n: size, count: size }),
};
