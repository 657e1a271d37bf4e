// Reads and writes by index.
import { ArgumentError, ShapeError } from '../../memory/errors.ts';
import { split3 } from '../../ops/shapes.ts';
import { numelOf } from '../../sizes.ts';
import type { Backend } from '../backend.ts';
import type { NumberDtype } from '../data.ts';
import type { Info } from '../engine.ts';
import { B, F, type Family, I, row } from '../row.ts';
import { range } from './create.ts';
import { axisOf, fill, part } from './layout.ts';

/** The first of the indices that is not below `bound`, or −1. */
const outside = (backend: Backend, indices: Info, bound: number): number =>
  backend.probes.check_index_i32({ index: backend.at(indices), n: numelOf(indices.shape), bound });

interface Gather {
  readonly axis: number;
  readonly batchDims?: number;
}

interface OneHot {
  readonly depth: number;
  readonly onValue: number;
  readonly offValue: number;
  readonly dtype?: NumberDtype;
}

/** How many dims both share; counted from behind where it is negative. @throws ShapeError, in the words of tfjs */
function batchOf(x: Info, indices: Info, d: number, given = 0): number {
  const { length } = indices.shape;
  const n = given < 0 ? given + length : given;
  const at = x.shape.findIndex((size, i) => i < n && size !== indices.shape[i]);
  const wrong =
    n < 0 || n > length
      ? `Expect batchDims in the range of [-${length}, ${length}], but got ${given}`
      : n > d
        ? `batchDims (${n}) must be less than or equal to axis (${d})`
        : at >= 0
          ? `x.shape[${at}]: ${x.shape[at]} should be equal to indices.shape[${at}]: ${indices.shape[at]}`
          : '';
  if (wrong) throw new ShapeError(`gather: ${wrong}`);
  return n;
}

/** Picks slices of x along an axis, batch by batch. @throws ArgumentError for an index that there is not */
function gather(backend: Backend, x: Info, indices: Info, { axis, batchDims: given }: Gather): Info {
  const d = axisOf('gather', axis, x.shape.length);
  const batchDims = batchOf(x, indices, d, given);
  const n = x.shape[d] as number;
  const wrong = outside(backend, indices, n);
  if (wrong >= 0)
    throw new ArgumentError(
      `GatherV2: the index value ${backend.at(indices).look()[wrong]} is not in [0, ${n - 1}]; expected indices of axis ${d}`,
    );
  const batch = x.shape.slice(0, batchDims);
  const y = backend.make(
    [...x.shape.slice(0, d), ...indices.shape.slice(batchDims), ...x.shape.slice(d + 1)],
    x.dtype as NumberDtype,
  );
  const batches = numelOf(batch);
  const m = numelOf(indices.shape.slice(batchDims));
  const [outer, , inner] = split3(x.shape.slice(batchDims), d - batchDims);
  if (y.dataId.size === 0) return y;
  const { kernels } = backend;
  const [from, at] = [backend.at(x), backend.at(indices)];
  for (let b = 0; b < batches; b++) {
    const index = part(at, b * m);
    const call = { y: part(y.dataId, b * outer * m * inner), x: part(from, b * outer * n * inner), index };
    const sizes = { outer, n, m, inner };
    if (x.dtype === 'bool') kernels.index_select_8({ ...call, ...sizes });
    else kernels.index_select_32({ ...call, ...sizes });
  }
  return y;
}

export const indexing: Family = {
  kernels: [],
  rows: {
    GatherV2: row<{ x: number; indices: number }, Gather>(
      { x: F | I | B, indices: I },
      (backend, { x, indices }, attrs) => gather(backend, x, indices, attrs),
    ),
    OneHot: row<{ indices: number }, OneHot>(
      { indices: I },
      (backend, { indices }, { depth, onValue, offValue, dtype = 'float32' }) => {
        const n = numelOf(indices.shape);
        const y = backend.make([...indices.shape, depth], dtype);
        if (y.dataId.size === 0) return y;
        const { kernels } = backend;
        const hit = backend.temporary(n * depth, 'bool');
        kernels.eq_i32({ y: hit, a: backend.at(indices), b: range(backend, depth), dims: [2, n, depth, 1, 0, 0, 1] });
        const [on, off] = [backend.temporary(1, dtype), backend.temporary(1, dtype)];
        fill(kernels, dtype, on, 1, onValue);
        fill(kernels, dtype, off, 1, offValue);
        const call = { y: y.dataId, condition: hit, a: on, b: off, dims: [1, n * depth, 1, 0, 0] };
        if (dtype === 'bool') kernels.where_u8(call);
        else kernels.where_f32(call);
        return y;
      },
      (_, { dtype = 'float32' }) => ['float32', 'int32', 'bool'].includes(dtype),
    ),
  },
};
