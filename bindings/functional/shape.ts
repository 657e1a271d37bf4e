// Functions that look at, cut or join tensors. All but clone, concat and stack (and reshape of strided ones) share
// memory.
import { ops } from '../autograd.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { normalizeDim, sameShape } from '../ops/shapes.ts';
import { numelOf, type Shape, type Tensor } from '../tensor.ts';

/** `shape` with its one -1 replaced by what is left. */
function inferSize(op: string, x: Tensor, shape: Shape): Shape {
  const at = shape.indexOf(-1);
  if (at < 0) return shape;
  const rest = numelOf(shape.filter((_, d) => d !== at));
  if (shape.lastIndexOf(-1) !== at || rest === 0 || x.size % rest !== 0)
    throw new ShapeError(
      `${op}: expected a shape of ${x.size} elements with at most one -1, got ${formatShape(shape)}`,
    );
  return shape.map((size, d) => (d === at ? x.size / rest : size));
}

function sliceOnce(x: Tensor, dim: number, start: number, end: number, step: number): Tensor {
  const d = normalizeDim('slice', dim, x.ndim);
  const size = x.shape[d];
  if (size === undefined) throw new ShapeError('slice: expected a tensor of at least 1 dim, got a single number');
  if (!(Number.isInteger(step) && step >= 1)) throw new ArgumentError(`slice: expected step >= 1, got ${step}`);
  const clip = (i: number): number => Math.min(size, Math.max(0, i < 0 ? i + size : i));
  const from = clip(start);
  return ops.slice({ x }, { dim: d, start: from, length: Math.max(0, Math.ceil((clip(end) - from) / step)), step });
}

/**
 * The same elements in another shape; a view where x is contiguous, else a copy.
 * @param shape as many elements as x has; one size may be -1 and is worked out
 * @throws ShapeError for another number of elements
 */
export const reshape = (x: Tensor, shape: Shape): Tensor =>
  ops.reshape({ x }, { shape: [...inferSize('reshape', x, shape)] });

/**
 * The same memory in another shape (PyTorch's `view`): what is written to one is seen in the other.
 * @param shape as many elements as x has; one size may be -1 and is worked out
 * @throws ShapeError for another number of elements, or where the strides of x need a copy, which reshape() makes
 */
export function view(x: Tensor, shape: Shape): Tensor;
/** The same memory in another shape, given as its sizes; one of them may be -1. @throws ShapeError as view(x, shape) */
export function view(x: Tensor, ...sizes: number[]): Tensor;
export function view(x: Tensor, ...sizes: [Shape] | number[]): Tensor {
  const shape = (Array.isArray(sizes[0]) ? sizes[0] : sizes) as Shape;
  return ops.view({ x }, { shape: [...inferSize('view', x, shape)] });
}

/** Joins the dims `startDim` … `endDim`, both included, into one; by default all of them. */
export const flatten = (x: Tensor, startDim = 0, endDim = -1): Tensor => {
  if (x.ndim === 0) return ops.reshape({ x }, { shape: [1] });
  const start = normalizeDim('flatten', startDim, x.ndim);
  const end = normalizeDim('flatten', endDim, x.ndim);
  if (start > end) throw new ShapeError(`flatten: expected startDim <= endDim, got ${start} and ${end}`);
  const joined = numelOf(x.shape.slice(start, end + 1));
  return ops.reshape({ x }, { shape: [...x.shape.slice(0, start), joined, ...x.shape.slice(end + 1)] });
};

/** A view with the dims `dim0` and `dim1` swapped. */
export const transpose = (x: Tensor, dim0: number, dim1: number): Tensor => {
  const dims = x.shape.map((_, d) => d);
  const a = normalizeDim('transpose', dim0, x.ndim);
  const b = normalizeDim('transpose', dim1, x.ndim);
  if (x.ndim > 0) [dims[a], dims[b]] = [b, a];
  return ops.permute({ x }, { dims });
};

/** The matrix transposed: the last two dims swapped, as a view (PyTorch's `.mT`). */
export const t = (x: Tensor): Tensor => (x.ndim < 2 ? x : transpose(x, -2, -1));

/** A view with the dims in another order: dim d of the result is dim `dims[d]` of x. */
export const permute = (x: Tensor, dims: readonly number[]): Tensor =>
  ops.permute({ x }, { dims: dims.map((dim) => normalizeDim('permute', dim, x.ndim)) });

/**
 * A view that repeats dims of size 1, or puts dims in front; -1 keeps a size.
 * @throws ShapeError where a size other than 1 would change
 */
export const expand = (x: Tensor, shape: Shape): Tensor => {
  const lead = shape.length - x.ndim;
  return ops.expand({ x }, { shape: shape.map((size, d) => (size === -1 ? (x.shape[d - lead] ?? -1) : size)) });
};

/** A view with a dim of size 1 put in at `dim`; -1 puts it at the end. */
export const unsqueeze = (x: Tensor, dim: number): Tensor =>
  ops.unsqueeze({ x }, { dim: normalizeDim('unsqueeze', dim, x.ndim + 1) });

/** A view without the dims of size 1, or, with `dim`, without that one if it has size 1. */
export const squeeze = (x: Tensor, dim?: number): Tensor => {
  const only = dim === undefined ? -1 : normalizeDim('squeeze', dim, x.ndim);
  const gone = x.shape.map((_, d) => d).filter((d) => x.shape[d] === 1 && (only < 0 || d === only));
  return gone.reduceRight((y, d) => ops.squeeze({ x: y }, { dim: d }), x);
};

/** A view of the elements `start` … `end` − 1 along `dim`, every `step`-th; negative positions count from the end. */
export const slice = (x: Tensor, dim: number, start = 0, end: number = Number.MAX_SAFE_INTEGER, step = 1): Tensor =>
  sliceOnce(x, dim, start, end, step);

/** A view of `length` elements from `start` along `dim`. */
export const narrow = (x: Tensor, dim: number, start: number, length: number): Tensor =>
  ops.slice({ x }, { dim: normalizeDim('narrow', dim, x.ndim), start, length, step: 1 });

/**
 * The view at `index` along `dim`, without that dim; a negative index counts from the end.
 * @throws ShapeError for an index out of range
 */
export const select = (x: Tensor, dim: number, index: number): Tensor => {
  const d = normalizeDim('select', dim, x.ndim);
  const size = x.shape[d] ?? 0;
  if (!(Number.isInteger(index) && index >= -size && index < size))
    throw new ShapeError(
      `select: expected index from ${-size} to ${size - 1} in dim ${d} of ${formatShape(x.shape)}, got ${index}`,
    );
  const part = ops.slice({ x }, { dim: d, start: index < 0 ? index + size : index, length: 1, step: 1 });
  return ops.squeeze({ x: part }, { dim: d });
};

/**
 * The views along `dim`, without that dim (PyTorch's `unbind`); `for (const row of x)` goes through those of dim 0.
 * @throws ShapeError for a tensor without dims
 */
export const unbind = (x: Tensor, dim = 0): Tensor[] => {
  const size = x.shape[normalizeDim('unbind', dim, x.ndim)];
  if (size === undefined) throw new ShapeError('unbind: expected a tensor of at least 1 dim, got a single number');
  return Array.from({ length: size }, (_, i) => select(x, dim, i));
};

/** x itself if contiguous, else a copy in row-major order. */
export const contiguous = (x: Tensor): Tensor => (x.isContiguous() ? x : ops.contiguous({ x }));

/** A copy in memory of its own; gradients flow through it. */
export const clone = (x: Tensor): Tensor => ops.contiguous({ x });

/**
 * Views that cut x along `dim`.
 * @param size elements of each part (the last may have fewer), or the list of their sizes
 * @throws ShapeError where listed sizes do not add up to the size of `dim`
 */
export function split(x: Tensor, size: number | readonly number[], dim = 0): Tensor[] {
  const d = normalizeDim('split', dim, x.ndim);
  const total = x.shape[d];
  if (total === undefined) throw new ShapeError('split: expected a tensor of at least 1 dim, got a single number');
  if (typeof size === 'number' && !(Number.isInteger(size) && size >= 1))
    throw new ArgumentError(`split: expected a size >= 1, got ${size}`);
  const sizes =
    typeof size === 'number'
      ? Array.from({ length: Math.max(1, Math.ceil(total / size)) }, (_, i) => Math.min(size, total - i * size))
      : size;
  if (sizes.reduce((a, b) => a + b, 0) !== total)
    throw new ShapeError(`split: expected sizes that add up to ${total}, got ${formatShape(sizes)}`);
  let start = 0;
  return sizes.map((length) => {
    const part = ops.slice({ x }, { dim: d, start, length, step: 1 });
    start += length;
    return part;
  });
}

/** Joins tensors along an existing dim (PyTorch's `cat`). Other dims agree. @throws ShapeError */
export function concat(tensors: readonly Tensor[], dim = 0): Tensor {
  const [first] = tensors;
  if (!first) throw new ArgumentError('concat: expected at least one tensor, got none');
  if (first.ndim === 0)
    throw new ShapeError('concat: expected tensors of at least 1 dim, got a single number; use stack');
  return ops.concat({ xs: tensors }, { dim: normalizeDim('concat', dim, first.ndim) });
}

/** Joins tensors of one shape along a new dim. @throws ShapeError where shapes differ */
export function stack(tensors: readonly Tensor[], dim = 0): Tensor {
  const [first] = tensors;
  if (!first) throw new ArgumentError('stack: expected at least one tensor, got none');
  const d = normalizeDim('stack', dim, first.ndim + 1);
  for (const x of tensors)
    if (!sameShape(x.shape, first.shape))
      throw new ShapeError(
        `stack: expected tensors of one shape, got ${formatShape(first.shape)} and ${formatShape(x.shape)}`,
      );
  return ops.concat({ xs: [...tensors.map((x) => unsqueeze(x, d))] }, { dim: d });
}
