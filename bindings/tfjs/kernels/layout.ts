// What several families need: layouts of contiguous data, and parts of it as operands.
import type { Operand } from '../../kernels/descriptor.ts';
import type { Kernels } from '../../kernels/table.ts';
import { ShapeError } from '../../memory/errors.ts';
import { broadcastTo, loopDims } from '../../ops/shapes.ts';
import { contiguousStrides, numelOf, type Shape, sameShape } from '../../sizes.ts';
import type { Backend } from '../backend.ts';
import { bytesOf, type Data, type NumberDtype } from '../data.ts';
import type { Info } from '../engine.ts';

/** The data from element `from` on. */
export const part = (data: Data, from: number): Operand =>
  from === 0 ? data : { block: data.block, byteOffset: from * bytesOf(data.dtype) };

/** The dims that two shapes stretch to. @throws ShapeError */
export function stretch(kernel: string, a: Shape, b: Shape): Shape {
  if (b.length === 0 || sameShape(a, b)) return a;
  if (a.length === 0) return b;
  const ndim = Math.max(a.length, b.length);
  const out = new Array<number>(ndim);
  for (let d = 1; d <= ndim; d++) {
    const x = a[a.length - d] ?? 1;
    const y = b[b.length - d] ?? 1;
    if (x !== y && x !== 1 && y !== 1)
      throw new ShapeError(
        `${kernel}: Operands could not be broadcast together with shapes ${a} and ${b}; sizes must be equal, or 1`,
      );
    out[ndim - d] = x === 1 ? y : x;
  }
  return out;
}

/** The `dims` of a kernel with a contiguous result of shape `out` and inputs that stretch to it. */
export function stretchedDims(out: Shape, a: Shape, b: Shape): number[] {
  const [n, na, nb] = [numelOf(out), numelOf(a), numelOf(b)];
  if (na === n && nb === n) return [1, n, 1, 1];
  if (na === n && nb === 1) return [1, n, 1, 0];
  if (nb === n && na === 1) return [1, n, 0, 1];
  return loopDims(out, ...[a, b].map((shape) => broadcastTo(shape, contiguousStrides(shape), out)));
}

/** Copies elements of any dtype between strided layouts of one shape. */
export function copy(
  k: Kernels,
  dtype: NumberDtype,
  y: Operand,
  x: Operand,
  shape: Shape,
  to: readonly number[],
  from: readonly number[],
): void {
  if (numelOf(shape) === 0) return;
  const call = { y, x, dims: loopDims(shape, to, from) };
  if (dtype === 'bool') k.copy_8(call);
  else k.copy_32(call);
}

/** Overwrites n elements. */
export function fill(k: Kernels, dtype: NumberDtype, y: Operand, n: number, value: number): void {
  if (dtype === 'float32') k.fill_f32({ y, n, value });
  else if (dtype === 'int32') k.fill_32({ y, n, value: Math.trunc(value) });
  else k.fill_u8({ y, n, value });
}

/** One number, as an operand that stretches. */
export function constant(backend: Backend, dtype: NumberDtype, value: number): Data {
  const y = backend.temporary(1, dtype);
  fill(backend.kernels, dtype, y, 1, value);
  return y;
}

/** The data of x stretched to a shape, each element in a place of its own. */
export function stretched(backend: Backend, x: Info, shape: Shape): Data {
  const data = backend.at(x);
  const n = numelOf(shape);
  if (numelOf(x.shape) === n) return data;
  const dtype = x.dtype as NumberDtype;
  const y = backend.temporary(n, dtype);
  const from = broadcastTo(x.shape, contiguousStrides(x.shape), shape);
  copy(backend.kernels, dtype, y, data, shape, contiguousStrides(shape), from);
  return y;
}

/** What a cast is called by. */
const names = { float32: 'f32', int32: 'i32', bool: 'u8' } as const;

/** Converts n elements to another dtype: to int32 towards zero, to bool as 0 and 1. */
export function cast(backend: Backend, from: NumberDtype, to: NumberDtype, y: Data, x: Data, n: number): void {
  const { kernels } = backend;
  if (to === 'bool') {
    const call = { y, a: x, b: constant(backend, from, 0), dims: [1, n, 1, 0] };
    if (from === 'float32') kernels.ne_f32(call);
    else kernels.ne_i32(call);
    return;
  }
  kernels[`cast_${names[from]}_${names[to]}` as 'cast_f32_i32']({ y, x, n });
}

/** The data of x as f32, converted where it is of another dtype. */
export function asFloat(backend: Backend, x: Info): Data {
  const data = backend.at(x);
  if (x.dtype === 'float32') return data;
  const y = backend.temporary(data.size, 'float32');
  cast(backend, x.dtype as NumberDtype, 'float32', y, data, data.size);
  return y;
}

/** A dim counted from the front. @throws ShapeError */
export function axisOf(kernel: string, axis: number, ndim: number): number {
  if (!Number.isInteger(axis) || axis < -ndim || axis >= ndim)
    throw new ShapeError(`${kernel}: expected an axis from ${-ndim} to ${ndim - 1}, got ${axis}`);
  return axis < 0 ? axis + ndim : axis;
}
