// The greatest of each row, and places in rows that are in order.
import { orderKernels } from '../../generated/kernel-calls.ts';
import { sortRoom } from '../../kernels/order.ts';
import type { Info } from '../engine.ts';
import { F, type Family, I, row } from '../row.ts';

/** The code of the order of elements: the least first, or the greatest. */
const orderOf = ({ dtype }: Info, down = false): number => Number(dtype === 'float32') + 2 * Number(down);

export const order: Family = {
  kernels: [orderKernels],
  rows: {
    TopK: row<{ x: number }, { k: number }>(
      { x: F | I },
      (backend, { x }, { k }) => {
        const n = x.shape.at(-1) as number;
        const shape = [...x.shape.slice(0, -1), k];
        const values = backend.make(shape, x.dtype as 'float32');
        const indices = backend.make(shape, 'int32');
        if (values.dataId.size === 0) return [values, indices];
        const { room, width } = sortRoom(n, k);
        const outer = values.dataId.size / k;
        const scratch = backend.temporary(outer * width, 'int32');
        const [data, index] = [backend.at(x), indices.dataId];
        const { kernels } = backend;
        kernels.sort_32({ index, scratch, x: data, outer, n, k, room, width, order: orderOf(x, true) });
        kernels.gather_32({ y: values.dataId, x: data, index, outer, n, m: k, inner: 1 });
        return [values, indices];
      },
      ({ x }, { k }) => x.shape.length > 0 && k <= (x.shape.at(-1) as number),
    ),
    SearchSorted: row<{ sortedSequence: number; values: number }, { side: 'left' | 'right' }>(
      { sortedSequence: F | I, values: F | I },
      (backend, { sortedSequence: x, values: v }, { side }) => {
        const y = backend.make(v.shape, 'int32');
        const [outer, m] = v.shape as [number, number];
        const n = x.shape[1] as number;
        const sizes = { outer, n, m, xRow: n, right: Number(side === 'right'), order: orderOf(x) };
        if (y.dataId.size > 0)
          backend.kernels.search_sorted_32({ y: y.dataId, x: backend.at(x), v: backend.at(v), ...sizes });
        return y;
      },
      ({ sortedSequence: x, values: v }) =>
        x.dtype === v.dtype && x.shape.length === 2 && v.shape.length === 2 && x.shape[0] === v.shape[0],
    ),
  },
};
