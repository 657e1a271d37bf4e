// Rows between JavaScript's numbers and tensors. They are the only way in and out of the arena.
import type { TypedArray } from '../dtypes.ts';
import { ShapeError } from '../memory/errors.ts';
import type { Tensor } from '../tensor.ts';
import { any, attrs, family, inout, row, signature, strided } from './core.ts';

const s = {
  /** y = values, in row-major order. */
  upload: signature({ y: inout(strided(any)) }, {}, attrs<{ readonly values: ArrayLike<number> }>()),
  /** into = the numbers of x, in row-major order. */
  download: signature({ x: strided(any) }, {}, attrs<{ readonly into: TypedArray; readonly reader: string }>()),
};
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

/** Calls `visit` with the place in memory of each element of x, in row-major order. */
function eachElement({ sizes: shape, steps: strides }: Tensor, visit: (position: number) => void): void {
  const walk = (dim: number, position: number): void => {
    if (dim === shape.length) visit(position);
    else for (let i = 0; i < (shape[dim] as number); i++) walk(dim + 1, position + i * (strides[dim] as number));
  };
  walk(0, 0);
}

export const hostRows = family(s, () => ({
  upload: row(s.upload, {
    host: (memory, { y }, { values }) => {
      if (values.length !== y.size) throw new ShapeError(`upload: expected ${y.size} numbers, got ${values.length}`);
      y.block.version++;
      const to = memory(y);
      let at = 0;
      if (y.isContiguous()) to.set(values);
      else
        eachElement(y, (position) => {
          to[position] = values[at++] as number;
        });
    },
  }),
  download: row(s.download, {
    host: (memory, { x }, { into }) => {
      if (into.length !== x.size)
        throw new ShapeError(`download: expected room for ${x.size} numbers, got an array of ${into.length}`);
      const from = memory(x);
      let at = 0;
      if (x.isContiguous()) into.set(from);
      else
        eachElement(x, (position) => {
          into[at++] = from[position] as number;
        });
    },
  }),
}));
