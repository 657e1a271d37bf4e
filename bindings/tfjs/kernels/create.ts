// Kernels that make tensors of numbers, or of another dtype.
import { numelOf } from '../../sizes.ts';
import type { Backend } from '../backend.ts';
import { type Data, isNumber, type NumberDtype } from '../data.ts';
import type { TfDtype } from '../engine.ts';
import { B, F, type Family, I, row } from '../row.ts';
import { cast, fill } from './layout.ts';

/** start, start + step … as n integers. */
function count({ kernels }: Backend, y: Data, n: number, start: number, step: number): void {
  if (n === 0) return;
  fill(kernels, 'int32', y, n, step);
  fill(kernels, 'int32', y, 1, start);
  kernels.cumsum_forward_i32({ y, x: y, outer: 1, r: n, inner: 1, stride: 1 });
}

/** 0, 1, 2 … as n integers. */
export function range(backend: Backend, n: number): Data {
  const y = backend.temporary(n, 'int32');
  count(backend, y, n, 0, 1);
  return y;
}

/** start, start + step … as n floats. */
function steps(backend: Backend, y: Data, n: number, start: number, step: number): void {
  cast(backend, 'int32', 'float32', y, range(backend, n), n);
  backend.kernels.scale_f32({ y, x: y, n, alpha: step, beta: start });
}

interface Range {
  readonly start: number;
  readonly stop: number;
  readonly step: number;
  readonly dtype: TfDtype;
}

/**
 * How many numbers a range has, and how far they lie apart: as tfjs has it, which turns a step of 1 where it has to.
 */
function rangeOf({ start, stop, step }: Range): { n: number; step: number } {
  const none = start === stop || (start < stop && step < 0) || (stop < start && step > 1);
  return { n: none ? 0 : Math.abs(Math.ceil((stop - start) / step)), step: stop < start && step === 1 ? -1 : step };
}

interface Filled {
  readonly shape: readonly number[];
  readonly value: unknown;
  readonly dtype?: TfDtype;
}
/** Without a dtype, that of the value. */
const filledDtype = ({ value, dtype }: Filled): TfDtype => dtype ?? (typeof value === 'boolean' ? 'bool' : 'float32');

export const create: Family = {
  kernels: [],
  rows: {
    Cast: row<{ x: number }, { dtype: TfDtype }>(
      { x: F | I | B },
      (backend, { x }, attrs) => {
        const dtype = attrs.dtype as NumberDtype;
        if (dtype === x.dtype) return backend.share(x, x.shape);
        const y = backend.make(x.shape, dtype);
        cast(backend, x.dtype as NumberDtype, dtype, y.dataId, backend.at(x), y.dataId.size);
        return y;
      },
      (_, { dtype }) => isNumber(dtype),
    ),
    Fill: row<Record<never, never>, Filled>(
      {},
      (backend, _, attrs) => {
        const dtype = filledDtype(attrs) as NumberDtype;
        const y = backend.make(attrs.shape, dtype);
        fill(backend.kernels, dtype, y.dataId, numelOf(attrs.shape), Number(attrs.value));
        return y;
      },
      (_, attrs) => typeof attrs.value !== 'string' && isNumber(filledDtype(attrs)),
    ),
    Range: row<Record<never, never>, Range>(
      {},
      (backend, _, attrs) => {
        const { n, step } = rangeOf(attrs);
        const dtype = attrs.dtype as 'float32' | 'int32';
        const y = backend.make([n], dtype);
        (dtype === 'int32' ? count : steps)(backend, y.dataId, n, attrs.start, step);
        return y;
      },
      (_, { dtype, start, step }) =>
        dtype === 'float32' || (dtype === 'int32' && Number.isInteger(start) && Number.isInteger(step)),
    ),
    LinSpace: row<Record<never, never>, { start: number; stop: number; num: number }>(
      {},
      (backend, _, { start, stop, num }) => {
        const y = backend.make([num], 'float32');
        steps(backend, y.dataId, num, start, (stop - start) / Math.max(1, num - 1));
        return y;
      },
    ),
  },
};
