// Views, and what joins and fills tensors.
import { TYPES, type Value } from '../graph.ts';
import { sameSizes } from '../sizes.ts';
import type { Writers } from '../writers.ts';

/** Beyond what any dim has. */
const END = 2 ** 31 - 1;

export const shapeWriters = {
  reshape: (g, { x }, _, call) => g.reshape(x, call.list('shape'), x.sizes),
  view: (g, { x }, _, call) => g.reshape(x, call.list('shape'), x.sizes),
  permute: (g, { x }, { dims }) => g.transpose(x, dims),
  expand: (g, { x }, _, call) => g.expand(x, call.list('shape')),
  unsqueeze: (g, { x }, { dim }) => g.unsqueeze(x, [dim]),
  squeeze: (g, { x }, { dim }) => g.squeeze(x, [dim]),
  slice: (g, { x }, { dim, step }, call) => g.slice(x, dim, call.size('start'), call.size('length'), step),
  contiguous: (_, { x }) => x,
  concat: (g, { xs }, { dim }) => {
    const parts = g.alike(xs);
    return parts.length === 1 ? (parts[0] as Value) : g.node('Concat', parts, { axis: dim });
  },
  full: (g, _, { value, dtype = 'f32' }, call) => g.filled(call.list('shape'), value, TYPES[dtype]),
  flip: (g, { x }, { dims }) => {
    const all = (value: number): Value => g.ints(dims.map(() => value));
    return dims.length === 0 ? x : g.node('Slice', [x, all(-1), all(-END), g.ints(dims), all(-1)]);
  },
  // In place: another value.
  copy: (g, inputs, _, { sizes }) => {
    const { x } = inputs;
    return { y: sameSizes(x.sizes, sizes) ? x : g.expand(x, sizes) };
  },
  addInto: (g, { y, x }) => ({ y: g.add(y, x) }),
  scaleInto: (g, { y, factor }) => ({ y: g.mul(y, factor) }),
  sumInto: (g, { x }, { factor }) => ({ y: g.scale(g.reduce('ReduceSum', x, [0], false), factor) }),
  fillInto: (g, _, { value }, { given }) => {
    const { sizes, type } = given.y as NonNullable<typeof given.y>;
    return { y: g.filled(sizes, value, type) };
  },
  clampInto: (g, { y }, { min, max }) => ({ y: g.node('Clip', [y, g.scalar(min), g.scalar(max)]) }),
} satisfies Writers;
