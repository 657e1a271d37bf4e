// Functions that look at, cut or join tensors. All but clone, concat and stack (and reshape of some that are strided)
// share memory.
import { ops } from '../autograd.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { reshaped } from '../ops/shape.ts';
import { normalizeDim, sameShape, sizeAt } from '../ops/shapes.ts';
import { type Callable, callable } from '../signature.ts';
import { checkParts, copyOf } from '../sizes.ts';
import { numelOf, type Shape, type Tensor } from '../tensor.ts';
import { alike, type Dims } from './arguments.ts';

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

/** A function of a list of sizes, which may also be given one by one. */
export type SizedFunction = {
  (x: Tensor, shape: Shape): Tensor;
  (x: Tensor, ...shape: number[]): Tensor;
};

/**
 * The same elements in another shape; a view where the strides of x allow that, else a copy.
 * @param shape as many elements as x has; one size may be -1 and is worked out
 * @throws ShapeError for another number of elements
 */
export const reshape = callable<SizedFunction>('reshape(x: Tensor, ...shape: int)', (x: Tensor, shape: Shape) =>
  reshaped(ops, x, copyOf(inferSize('reshape', x, shape))),
);

/**
 * The same memory in another shape (PyTorch's `view`): what is written to one is seen in the other.
 * @param shape as many elements as x has; one size may be -1 and is worked out
 * @throws ShapeError for another number of elements, or where the strides of x need a copy, which reshape() makes
 */
export const view = callable<SizedFunction>('view(x: Tensor, ...shape: int)', (x: Tensor, shape: Shape) =>
  ops.view({ x }, { shape: copyOf(inferSize('view', x, shape)) }),
);

/** Options of {@link flatten}. */
export interface FlattenOptions {
  /** The first dim that is joined. @defaultValue 0 */
  startDim?: number;
  /** The last dim that is joined. @defaultValue -1 */
  endDim?: number;
}

/** Joins the dims `startDim` … `endDim`, both included, into one; by default all of them. */
export const flatten = callable<Callable<[x: Tensor], [startDim: number, endDim: number], FlattenOptions, Tensor>>(
  'flatten(x: Tensor, startDim: int = 0, endDim: int = -1)',
  (x: Tensor, startDim: number, endDim: number) => {
    if (x.ndim === 0) return ops.reshape({ x }, { shape: [1] });
    const start = normalizeDim('flatten', startDim, x.ndim);
    const end = normalizeDim('flatten', endDim, x.ndim);
    if (start > end) throw new ShapeError(`flatten: expected startDim <= endDim, got ${start} and ${end}`);
    const joined = numelOf(x.sizes.slice(start, end + 1));
    return ops.reshape({ x }, { shape: [...x.sizes.slice(0, start), joined, ...x.sizes.slice(end + 1)] });
  },
);

/** A view with the dims `dim0` and `dim1` swapped. */
export const transpose = callable(
  'transpose(x: Tensor, dim0: int, dim1: int)',
  (x: Tensor, dim0: number, dim1: number): Tensor => {
    const dims = x.sizes.map((_, d) => d);
    const a = normalizeDim('transpose', dim0, x.ndim);
    const b = normalizeDim('transpose', dim1, x.ndim);
    if (x.ndim > 0) [dims[a], dims[b]] = [b, a];
    return ops.permute({ x }, { dims });
  },
);

/**
 * A matrix transposed, as a view; x itself where it has fewer dims. For batches of matrices see {@link transpose}.
 * @throws ShapeError beyond 2 dims
 */
export const t = callable('t(x: Tensor)', (x: Tensor): Tensor => {
  if (x.ndim > 2)
    throw new ShapeError(`t: expected at most 2 dims, got ${formatShape(x.sizes)}; use transpose(-2, -1) or permute()`);
  return x.ndim < 2 ? x : ops.permute({ x }, { dims: [1, 0] });
});

/** A view with the dims in another order: dim d of the result is dim `dims[d]` of x. */
export const permute = callable<{
  (x: Tensor, dims: readonly number[]): Tensor;
  (x: Tensor, ...dims: number[]): Tensor;
}>('permute(x: Tensor, ...dims: int)', (x: Tensor, dims: readonly number[]) =>
  ops.permute({ x }, { dims: dims.map((dim) => normalizeDim('permute', dim, x.ndim)) }),
);

/**
 * A view that repeats dims of size 1, or puts dims in front; -1 keeps a size.
 * @throws ShapeError where a size other than 1 would change
 */
export const expand = callable<SizedFunction>('expand(x: Tensor, ...shape: int)', (x: Tensor, shape: Shape) => {
  const lead = shape.length - x.ndim;
  return ops.expand({ x }, { shape: shape.map((size, d) => (size === -1 ? (x.sizes[d - lead] ?? -1) : size)) });
});

/** A view with a dim of size 1 put in at `dim`; -1 puts it at the end. */
export const unsqueeze = callable(
  'unsqueeze(x: Tensor, dim: int)',
  (x: Tensor, dim: number): Tensor => ops.unsqueeze({ x }, { dim: normalizeDim('unsqueeze', dim, x.ndim + 1) }),
);

/** Options of {@link squeeze}. */
export interface SqueezeOptions {
  /** The dims that go, if they have size 1; null: all of size 1. @defaultValue null */
  dim?: Dims | null;
}

/** A view without the dims of size 1, or, with `dim`, without those of them that have size 1. */
export const squeeze = callable<Callable<[x: Tensor], [dim: Dims | null], SqueezeOptions, Tensor>>(
  'squeeze(x: Tensor, dim: int|int[]|null = null)',
  (x: Tensor, dim: Dims | null) => {
    const only = dim === null ? null : [dim].flat().map((d) => normalizeDim('squeeze', d, x.ndim));
    const gone = x.sizes.map((_, d) => d).filter((d) => x.sizes[d] === 1 && (only?.includes(d) ?? true));
    return gone.reduceRight((y, d) => ops.squeeze({ x: y }, { dim: d }), x);
  },
);

/** Options of {@link slice}. */
export interface SliceOptions {
  /** The first position. @defaultValue 0 */
  start?: number;
  /** The position before which it ends; null: the end of the dim. @defaultValue null */
  end?: number | null;
  /** How far one is from the next, at least 1. @defaultValue 1 */
  step?: number;
}

/** A view of the elements `start` … `end` − 1 along `dim`, every `step`-th; negative positions count from the end. */
export const slice = callable<
  Callable<
    [x: Tensor, dim: number],
    [start: number, end: number | null, step: number],
    SliceOptions,
    Tensor,
    ['x', 'dim']
  >
>(
  'slice(x: Tensor, dim: int, start: int = 0, end: int|null = null, step: int = 1)',
  (x: Tensor, dim: number, start: number, end: number | null, step: number) => {
    const [d, size] = sizeAt('slice', x, dim);
    if (step < 1) throw new ArgumentError(`slice: expected step >= 1, got ${step}`);
    const clip = (i: number): number => Math.min(size, Math.max(0, i < 0 ? i + size : i));
    const from = clip(start);
    const length = Math.max(0, Math.ceil((clip(end ?? size) - from) / step));
    return ops.slice({ x }, { dim: d, start: from, length, step });
  },
);

/** A view of `length` elements from `start` along `dim`; a negative start counts from the end. */
export const narrow = callable(
  'narrow(x: Tensor, dim: int, start: int, length: int)',
  (x: Tensor, dim: number, start: number, length: number): Tensor => {
    const d = normalizeDim('narrow', dim, x.ndim);
    return ops.slice({ x }, { dim: d, start: start < 0 ? start + (x.sizes[d] ?? 0) : start, length, step: 1 });
  },
);

/**
 * The view at `index` along `dim`, without that dim; a negative index counts from the end.
 * @throws ShapeError for an index out of range
 */
export const select = callable(
  'select(x: Tensor, dim: int, index: int)',
  (x: Tensor, dim: number, index: number): Tensor => {
    const d = normalizeDim('select', dim, x.ndim);
    const size = x.sizes[d] ?? 0;
    if (index < -size || index >= size)
      throw new ShapeError(
        `select: expected index from ${-size} to ${size - 1} in dim ${d} of ${formatShape(x.sizes)}, got ${index}`,
      );
    const part = ops.slice({ x }, { dim: d, start: index < 0 ? index + size : index, length: 1, step: 1 });
    return ops.squeeze({ x: part }, { dim: d });
  },
);

/** Options of {@link unbind}, {@link split}, {@link cat} and {@link stack}. */
export interface DimOptions {
  /** The dim along which they are cut or joined; negative ones count from the end. @defaultValue 0 */
  dim?: number;
}

/**
 * The views along `dim`, without that dim (PyTorch's `unbind`): `for (const row of x.unbind())`.
 * @throws ShapeError for a tensor without dims
 */
export const unbind = callable<Callable<[x: Tensor], [dim: number], DimOptions, Tensor[]>>(
  'unbind(x: Tensor, dim: int = 0)',
  (x: Tensor, dim: number) => {
    const [, size] = sizeAt('unbind', x, dim);
    checkParts('unbind', size);
    return Array.from({ length: size }, (_, i) => select(x, dim, i));
  },
);

/** x itself if contiguous, else a copy in row-major order. */
export const contiguous = callable(
  'contiguous(x: Tensor)',
  (x: Tensor): Tensor => (x.isContiguous() ? x : ops.contiguous({ x })),
);

/** A copy in memory of its own; gradients flow through it. */
export const clone = callable('clone(x: Tensor)', (x: Tensor): Tensor => ops.contiguous({ x }));

/**
 * Views that cut x along `dim`.
 * @param splitSize elements of each part (the last may have fewer), or the list of their sizes
 * @throws ShapeError where listed sizes do not add up to the size of `dim`
 */
export const split = callable<
  Callable<[x: Tensor, splitSize: Dims], [dim: number], DimOptions, Tensor[], ['x', 'splitSize']>
>('split(x: Tensor, splitSize: int|int[], dim: int = 0)', (x: Tensor, splitSize: Dims, dim: number) => {
  const [d, total] = sizeAt('split', x, dim);
  const least = typeof splitSize === 'number' ? 1 : 0;
  for (const size of [splitSize].flat())
    if (size < least) throw new ArgumentError(`split: expected sizes >= ${least}, got ${size}`);
  if (typeof splitSize === 'number') checkParts('split', Math.ceil(total / splitSize));
  const sizes =
    typeof splitSize === 'number'
      ? Array.from({ length: Math.max(1, Math.ceil(total / splitSize)) }, (_, i) =>
          Math.min(splitSize, total - i * splitSize),
        )
      : splitSize;
  if (sizes.reduce((a, b) => a + b, 0) !== total)
    throw new ShapeError(`split: expected sizes that add up to ${total}, got ${formatShape(sizes)}`);
  let start = 0;
  return sizes.map((length) => {
    const part = ops.slice({ x }, { dim: d, start, length, step: 1 });
    start += length;
    return part;
  });
});

/** A function that joins tensors. */
export type JoinFunction = Callable<[tensors: readonly Tensor[]], [dim: number], DimOptions, Tensor>;

/** Joins tensors along an existing dim, in the dtype that holds those of all. Other dims agree. @throws ShapeError */
export const cat = callable<JoinFunction>(
  'cat(tensors: Tensor[], dim: int = 0)',
  (tensors: readonly Tensor[], dim: number) => {
    const [first] = tensors;
    if (!first) throw new ArgumentError('cat: expected at least one tensor, got none');
    if (first.ndim === 0)
      throw new ShapeError('cat: expected tensors of at least 1 dim, got a single number; use stack');
    return ops.concat({ xs: alike(tensors) }, { dim: normalizeDim('cat', dim, first.ndim) });
  },
);

/** {@link cat}, by its other name. */
export const concat = callable<JoinFunction>(
  'concat(tensors: Tensor[], dim: int = 0)',
  (tensors: readonly Tensor[], dim: number) => cat(tensors, dim),
);

/** Joins tensors of one shape along a new dim. @throws ShapeError where shapes differ */
export const stack = callable<JoinFunction>(
  'stack(tensors: Tensor[], dim: int = 0)',
  (tensors: readonly Tensor[], dim: number) => {
    const [first] = tensors;
    if (!first) throw new ArgumentError('stack: expected at least one tensor, got none');
    const d = normalizeDim('stack', dim, first.ndim + 1);
    for (const x of tensors)
      if (!sameShape(x.sizes, first.sizes))
        throw new ShapeError(
          `stack: expected tensors of one shape, got ${formatShape(first.sizes)} and ${formatShape(x.sizes)}`,
        );
    return ops.concat({ xs: alike(tensors).map((x) => unsqueeze(x, d)) }, { dim: d });
  },
);
