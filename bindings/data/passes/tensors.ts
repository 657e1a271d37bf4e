// Batches as tensors.
import { tensor } from '../../creation.ts';
import type { Dtype } from '../../dtypes.ts';
import { isPlain } from '../../kinds.ts';
import { Tensor } from '../../tensor.ts';
import { isNdArray, isNumbers, type NdArray, type Numbers } from '../pipeline/columns.ts';

const whole = (numbers: BigInt64Array | BigUint64Array): Float64Array => Float64Array.from(numbers, Number);

/** An array of numbers as a tensor. */
function tensorOf(data: Numbers | readonly number[], shape: readonly number[], dtype: Dtype | undefined): Tensor {
  const wide = data instanceof BigInt64Array || data instanceof BigUint64Array;
  const type = dtype ?? (wide ? 'i32' : undefined);
  return tensor((wide ? whole(data) : data) as never, { shape, ...(type && { dtype: type }) });
}

const isNumbersList = (x: unknown): x is readonly number[] =>
  Array.isArray(x) && x.length > 0 && x.every((item) => typeof item === 'number');

/** The arrays of a batch as tensors, `dtypeOf` their names; what else it has stays. */
export function tensorsOf(
  batch: unknown,
  name: string,
  dtypeOf: (name: string) => Dtype | undefined,
  own: (x: Tensor) => void,
): unknown {
  const inside = (value: unknown, key: string | number): unknown => tensorsOf(value, String(key), dtypeOf, own);
  const nd = isNumbers(batch) || isNumbersList(batch) ? { data: batch, shape: [batch.length] } : batch;
  if (nd instanceof Tensor) return nd;
  if (nd !== batch || isNdArray(nd)) {
    const x = tensorOf((nd as NdArray).data, (nd as NdArray).shape, dtypeOf(name));
    own(x);
    return x;
  }
  if (Array.isArray(batch)) return batch.map(inside);
  if (!isPlain(batch)) return batch;
  return Object.fromEntries(Object.entries(batch).map(([key, value]) => [key, inside(value, key)]));
}
