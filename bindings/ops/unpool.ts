// What a max pool took, put back where it stood.
import { unpoolKernels } from '../generated/kernel-calls.ts';
import { optional } from '../lookup.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { numelOf, type Shape, type Tensor } from '../tensor.ts';
import { attrs, calling, f32, family, grad, i32, row, signature } from './core.ts';
import { expectShape, sameShape } from './shapes.ts';

const s = optional(() => ({
  /**
   * Zeros of `shape`, with x at `index`: positions in planes of the last `pooled` dims; of equal ones the last counts.
   */
  maxUnpool: signature(
    { x: f32, index: i32 },
    { y: grad },
    attrs<{ readonly shape: Shape; readonly pooled: number }>(),
  ),
}));
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

/** Planes, and the sizes of those of the result and of x. */
function sizesOf(shape: Shape, pooled: number, x: Tensor): { planes: number; plane: number; windows: number } {
  const planes = numelOf(shape.slice(0, shape.length - pooled));
  return { planes, plane: numelOf(shape.slice(-pooled)), windows: planes > 0 ? x.size / planes : 0 };
}

export const unpoolRows = family(calling(unpoolKernels, s), () => ({
  maxUnpool: row(s.maxUnpool, {
    outputs: (make, { x, index }, { shape, pooled }, op) => {
      expectShape(op, 'indices', index, x.sizes);
      const lead = shape.length - pooled;
      if (x.ndim !== shape.length || lead < 0 || !sameShape(x.sizes.slice(0, lead), shape.slice(0, lead)))
        throw new ShapeError(
          `${op}: expected a result that begins as ${formatShape(x.sizes)} does, got ${formatShape(shape)}`,
        );
      return { y: make(shape, 'f32') };
    },
    check: (probes, { x, index }, { shape, pooled }, op) => {
      const { plane } = sizesOf(shape, pooled, x);
      const bad = probes.check_index_i32({ index, n: index.size, bound: plane });
      if (bad >= 0)
        throw new ArgumentError(
          `${op}: expected indices from 0 to ${plane - 1} for a result of ${formatShape(shape)}, got ${index.data[bad]} at position ${bad}`,
        );
    },
    forward: (k, { y }, { x, index }, { shape, pooled }) =>
      k.max_unpool_f32({ y, x, index, ...sizesOf(shape, pooled, x) }),
    saves: ['index'],
    backward: (o, { y: g }, { index }, { shape, pooled }, { shapes }) => {
      const { planes, plane, windows } = sizesOf(shape, pooled, index);
      const picked = o.gather(
        {
          x: o.reshape({ x: g }, { shape: [planes, plane] }),
          index: o.reshape({ x: index }, { shape: [planes, windows] }),
        },
        { dim: 1 },
      );
      return { x: o.reshape({ x: picked }, { shape: shapes.x }) };
    },
  }),
}));
