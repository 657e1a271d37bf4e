// Shape rules that several families share: broadcasting, axes, and the layouts that kernels take.
import type { Dtype } from '../dtypes.ts';
import { DtypeError, formatShape, ShapeError } from '../memory/errors.ts';
import { sameShape } from '../sizes.ts';
import type { Shape, Tensor } from '../tensor.ts';

// biome-ignore lint/performance/noBarrelFile: who checks shapes finds it beside the other checks
export { sameShape } from '../sizes.ts';

/** @throws DtypeError unless both tensors have one dtype */
export function expectSameDtype(op: string, a: Tensor, b: Tensor): void {
  if (a.dtype !== b.dtype)
    throw new DtypeError(
      `${op}: expected both of one dtype, got ${a.dtype} and ${b.dtype}; convert one with .to('${a.dtype}')`,
    );
}

/** @throws DtypeError unless `x` has one of the dtypes */
export function expectDtype(op: string, x: Tensor, ...dtypes: Dtype[]): void {
  if (!dtypes.includes(x.dtype))
    throw new DtypeError(
      `${op}: expected dtype ${dtypes.join(' or ')}, got ${x.dtype}; convert with .to('${dtypes[0]}')`,
    );
}

export function expectShape(op: string, what: string, x: { readonly sizes: Shape }, shape: Shape): void {
  if (!sameShape(x.sizes, shape))
    throw new ShapeError(`${op}: expected ${what} of shape ${formatShape(shape)}, got ${formatShape(x.sizes)}`);
}

/** The common shape by NumPy's rules: aligned at the last dim, a size of 1 stretches. @throws ShapeError */
export function broadcastShapes(op: string, ...shapes: readonly Shape[]): Shape {
  let first: Shape = [];
  let same = true;
  let ndim = 0;
  for (const shape of shapes) {
    if (shape.length === 0) continue; // a number fits any
    if (ndim === 0) first = shape;
    same &&= sameShape(shape, first);
    ndim = Math.max(ndim, shape.length);
  }
  if (same) return first;
  const out = new Array<number>(ndim).fill(1);
  for (const shape of shapes)
    for (let d = 0; d < shape.length; d++) {
      const size = shape[d] as number;
      const at = ndim - shape.length + d;
      if (size === 1) continue;
      if (out[at] !== 1 && out[at] !== size)
        throw new ShapeError(
          `${op}: expected shapes that broadcast together, got ${shapes.map(formatShape).join(' and ')}; ` +
            `sizes at dim ${at} are ${out[at]} and ${size}, and neither is 1`,
        );
      out[at] = size;
    }
  return out;
}

/** Strides of a tensor of shape `from` stretched to `shape`: 0 along every dim that is stretched or new. */
export function broadcastTo(from: Shape, strides: readonly number[], shape: Shape): number[] {
  const lead = shape.length - from.length;
  return shape.map((size, d) => (d < lead || (from[d - lead] === 1 && size !== 1) ? 0 : (strides[d - lead] as number)));
}

/** Strides of `x` as a tensor of the larger `shape`. */
export const broadcastStrides = (x: Tensor, shape: Shape): number[] => broadcastTo(x.sizes, x.steps, shape);

/**
 * The `dims` operand of a strided kernel: `[rank, sizes…, strides of the first operand…, of the second…]` in elements,
 * with neighbouring dims joined wherever all operands allow it, so that inner loops are long.
 */
export function loopDims(shape: Shape, ...operands: readonly (readonly number[])[]): number[] {
  const ends = new Array<number>(shape.length); // the last dim of each joined run
  const sizes = new Array<number>(shape.length);
  let rank = 0;
  for (let d = 0; d < shape.length; d++) {
    const size = shape[d] as number;
    if (size === 1) continue;
    const last = rank - 1;
    let joins = last >= 0;
    for (let i = 0; joins && i < operands.length; i++) {
      const strides = operands[i] as readonly number[];
      joins = strides[ends[last] as number] === size * (strides[d] as number);
    }
    if (joins) {
      sizes[last] = (sizes[last] as number) * size;
      ends[last] = d;
    } else {
      sizes[rank] = size;
      ends[rank++] = d;
    }
  }
  const dims = new Array<number>(1 + rank * (1 + operands.length));
  dims[0] = rank;
  for (let i = 0; i < rank; i++) dims[1 + i] = sizes[i] as number;
  for (let o = 0, at = 1 + rank; o < operands.length; o++)
    for (let i = 0; i < rank; i++) dims[at++] = (operands[o] as readonly number[])[ends[i] as number] as number;
  return dims;
}

/** loopDims() of an elementwise op: `out` is contiguous, the inputs stretch to its shape. */
export function elementwiseDims(out: Tensor, ...inputs: readonly Tensor[]): number[] {
  const { sizes, size } = out;
  const dims = [1, size];
  let plain = true;
  for (const x of inputs) {
    dims.push(x.size === size ? 1 : 0);
    plain &&= x.size === 1 || (x.size === size && x.isContiguous());
  }
  if (plain) return dims;
  return loopDims(sizes, ...inputs.map((x) => broadcastStrides(x, sizes)));
}

/** `dim` counted from the front. @throws ShapeError outside -ndim … ndim - 1 */
export function normalizeDim(op: string, dim: number, ndim: number): number {
  const range = Math.max(ndim, 1);
  if (!Number.isInteger(dim) || dim < -range || dim >= range)
    throw new ShapeError(`${op}: expected dim from ${-range} to ${range - 1}, got ${dim}`);
  return dim < 0 ? dim + range : dim;
}

/** A contiguous tensor around the dims `start … end - 1`: [outer, r, inner] with r their product. */
export function split3(shape: Shape, start: number, end = start + 1): [outer: number, r: number, inner: number] {
  let outer = 1;
  let r = 1;
  let inner = 1;
  shape.forEach((size, d) => {
    if (d < start) outer *= size;
    else if (d < end) r *= size;
    else inner *= size;
  });
  return [outer, r, inner];
}

/** A dim, counted from the front, and its size. @throws ShapeError where there is none */
export function sizeAt(op: string, x: Tensor, dim: number): [dim: number, size: number] {
  const d = normalizeDim(op, dim, x.ndim);
  const size = x.sizes[d];
  if (size === undefined) throw new ShapeError(`${op}: expected a tensor of at least 1 dim, got a single number`);
  return [d, size];
}
