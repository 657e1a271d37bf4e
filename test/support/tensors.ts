// The ways between the plain arrays of reference/ and tensors.
import { type Dtype, dtypes } from '../../bindings/dtypes.ts';
import { runtime } from '../../bindings/engine/engine.ts';
import { SparseTensor } from '../../bindings/ops/sparse-tensor.ts';
import { contiguousStrides, numelOf, Tensor } from '../../bindings/tensor.ts';
import { forEachIndex, type Nd, nd } from '../../reference/nd.ts';

export const toNd = (x: Tensor): Nd => nd(x.shape, x.data);

/** A contiguous tensor; integer dtypes truncate. */
export function toTensor(x: Nd, dtype: Dtype = 'f32'): Tensor {
  const result = Tensor.allocate([...x.shape], dtype, 'test');
  write(result, x.data);
  return result;
}

/** Puts `values` into a tensor of any strides, behind the back of the tape. */
export function write(x: Tensor, values: ArrayLike<number>): void {
  const { arena } = runtime();
  const memory = arena[x.dtype];
  const from = (x.block.ptr + x.byteOffset) / dtypes[x.dtype].bytes;
  let at = 0;
  forEachIndex(x.shape, (index) => {
    memory[from + index.reduce((sum, i, d) => sum + i * (x.strides[d] as number), 0)] = values[at++] as number;
  });
}

/**
 * A leaf with the values of `x` in another layout: the dims backwards in memory (`transposed`), or every second element
 * of a larger block, not from its start (`stepped`). The gaps hold NaN, so that reading one shows.
 */
export function inLayout(x: Nd, dtype: Dtype, layout: 'transposed' | 'stepped'): Tensor {
  const { shape } = x;
  const order = layout === 'transposed' ? [...shape].reverse() : shape;
  const step = layout === 'stepped' ? 2 : 1;
  const plain = contiguousStrides(order).map((stride) => stride * step);
  const offset = layout === 'stepped' ? 3 : 0;
  const whole = Tensor.allocate([numelOf(shape) * step + offset], dtype, 'test');
  write(whole, new Float64Array(whole.size).fill(dtype === 'f32' ? Number.NaN : 77));
  const result = whole.alias(shape, layout === 'transposed' ? plain.reverse() : plain, offset);
  write(result, x.data);
  return result;
}

/**
 * The first place where `actual` is farther from `expected` than relative · |expected| + absolute, in words; or null.
 */
export function difference(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { relative, absolute = 0 }: { relative: number; absolute?: number },
): string | null {
  if (actual.length !== expected.length) return `${actual.length} values where ${expected.length} were expected`;
  for (let i = 0; i < actual.length; i++) {
    const [a, e] = [actual[i] as number, expected[i] as number];
    if (Object.is(a, e) || a === e || (Number.isNaN(a) && Number.isNaN(e))) continue;
    // What rounds to infinity in f32 is infinity.
    if (!Number.isFinite(Math.fround(e)) && a === Math.fround(e)) continue;
    if (!(Math.abs(a - e) <= relative * Math.abs(e) + absolute))
      return `at position ${i} of ${actual.length}: got ${a}, expected ${e}, difference ${Math.abs(a - e)}`;
  }
  return null;
}

/** @throws Error that names `what` and the first {@link difference} */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: { relative: number; absolute?: number },
  what: string,
): void {
  const problem = difference(actual, expected, tolerance);
  if (problem) throw new Error(`${what} ${problem}`);
}

/** The bits of the elements, to compare exactly: NaN equals itself and -0 differs from 0. */
export function bits(x: Tensor): string {
  const { data } = x instanceof SparseTensor ? x.toDense() : x;
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64');
}
