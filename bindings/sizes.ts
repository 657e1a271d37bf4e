// Shapes and strides as plain numbers.
import { ArgumentError, describe, formatShape, ShapeError } from './memory/errors.ts';

/** Sizes, outermost first; `[]` is a single number. */
export type Shape = readonly number[];

/** Number of elements of `shape`. */
export function numelOf(shape: Shape): number {
  let n = 1;
  for (let d = 0; d < shape.length; d++) n *= shape[d] as number;
  return n;
}

/** Whether two lists of sizes, or of strides, are alike. */
export function sameShape(a: Shape, b: Shape): boolean {
  if (a.length !== b.length) return false;
  for (let d = 0; d < a.length; d++) if (a[d] !== b[d]) return false;
  return true;
}

/** Row-major strides of `shape`, in elements. */
export function contiguousStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  for (let d = shape.length - 1, stride = 1; d >= 0; d--) {
    strides[d] = stride;
    stride *= shape[d] as number;
  }
  return strides;
}

/** `numbers` in an array of the caller's own. Literals, since engines make those without a call. */
export function copyOf(numbers: readonly number[]): readonly number[] {
  const [a, b, c, d] = [numbers[0] as number, numbers[1] as number, numbers[2] as number, numbers[3] as number];
  switch (numbers.length) {
    case 0:
      return [];
    case 1:
      return [a];
    case 2:
      return [a, b];
    case 3:
      return [a, b, c];
    case 4:
      return [a, b, c, d];
    default:
      return numbers.slice();
  }
}

/** Most elements of one tensor: kernels count in i32. */
const MAX_ELEMENTS = 2 ** 31 - 1;
/** Most dims of one tensor. */
export const MAX_DIMS = 8;

/** @throws ShapeError unless every size is a whole number ≥ 0, there are at most 8, and the product fits an i32 */
export function checkShape(op: string, shape: Shape): void {
  if (!Array.isArray(shape)) throw new ShapeError(`${op}: expected a shape such as [2, 3], got ${describe(shape)}`);
  if (shape.length > MAX_DIMS)
    throw new ShapeError(
      `${op}: expected at most ${MAX_DIMS} dims, got ${shape.length} in ${formatShape(shape)}; flatten some`,
    );
  for (const size of shape)
    if (!Number.isSafeInteger(size) || size < 0)
      throw new ShapeError(`${op}: expected sizes to be whole numbers from 0, got ${formatShape(shape)}`);
  // A size of 0 must not hide another that is too large for a stride.
  let most = 1;
  for (const size of shape) most *= size || 1;
  if (most > MAX_ELEMENTS)
    throw new ShapeError(`${op}: expected at most ${MAX_ELEMENTS} elements, got ${formatShape(shape)}`);
}

/** The most numbers and tensors that are listed in arrays: engines that have no room for more end the process. */
const MOST_NUMBERS = 2 ** 25;
const MOST_TENSORS = 2 ** 20;

/** @throws ArgumentError where nested arrays of `shape` are too many for an engine */
export function checkListed(op: string, shape: Shape): void {
  let count = 1;
  for (const size of shape) {
    count *= size;
    if (count > MOST_NUMBERS)
      throw new ArgumentError(
        `${op}: expected at most ${MOST_NUMBERS} elements to list, got shape ${formatShape(shape)}; read data, or a part`,
      );
  }
}

/** Nested arrays of `shape` of what `of` says of each position, in row-major order. */
export function nested(shape: Shape, of: (i: number) => unknown): unknown {
  let at = 0;
  const build = (dim: number): unknown =>
    dim === shape.length ? of(at++) : Array.from({ length: shape[dim] as number }, () => build(dim + 1));
  return build(0);
}

/** @throws ArgumentError where a list of `count` tensors is too much for an engine */
export function checkParts(op: string, count: number): void {
  if (count > MOST_TENSORS)
    throw new ArgumentError(`${op}: expected at most ${MOST_TENSORS} parts, got ${count}; take larger ones`);
}
