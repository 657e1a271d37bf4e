// Functions that write by index into a copy: in the place of what is there, or joined with it.
import { familyOps, ops } from '../autograd.ts';
import { checkValues } from '../dtypes.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { type Joining, scatterRows } from '../ops/scatter.ts';
import { broadcastShapes, expectDtype, expectSameDtype, normalizeDim } from '../ops/shapes.ts';
import { type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { cast, constantFor, widened } from './arguments.ts';
import { gather } from './indexing.ts';
import { wrapped } from './places.ts';

const own = familyOps(scatterRows);

/** x cut to `length` positions from `start` along `dim`. */
const part = (x: Tensor, dim: number, start: number, length: number): Tensor =>
  ops.slice({ x }, { dim, start, length, step: 1 });

/** `fn` of the first elements of x along all dims but `dim`, as many as `sizes` says, between what is left of x. */
function within(x: Tensor, sizes: readonly number[], dim: number, fn: (x: Tensor) => Tensor): Tensor {
  const d = sizes.findIndex((size, at) => at !== dim && size < (x.sizes[at] as number));
  if (d < 0) return fn(x);
  const length = sizes[d] as number;
  const head = within(part(x, d, 0, length), sizes, dim, fn);
  return ops.concat({ xs: [head, part(x, d, length, (x.sizes[d] as number) - length)] }, { dim: d });
}

/** `src` at the places of `index` along `dim`, joined to a copy of x. The index may be smaller than both. */
function joined(op: string, x: Tensor, dim: number, index: Tensor, src: Tensor | number, how: Joining): Tensor {
  const d = normalizeDim(op, dim, x.ndim);
  expectDtype(op, index, 'i32');
  if (typeof src === 'number') checkValues(op, [src], x.dtype);
  else expectSameDtype(op, x, src);
  if (x.ndim === 0) {
    const vector = (t: Tensor): Tensor => ops.reshape({ x: t }, { shape: [t.size] });
    const given = typeof src === 'number' ? src : vector(src);
    return ops.reshape({ x: joined(op, vector(x), 0, vector(index), given, how) }, { shape: [] });
  }
  const fits = (t: Tensor, but: number): boolean =>
    t.ndim === index.ndim && index.sizes.every((size, at) => at === but || size <= (t.sizes[at] as number));
  if (!fits(x, d) || (typeof src !== 'number' && !fits(src, -1)))
    throw new ShapeError(
      `${op}: expected an index of the dims of x, no larger than x but for dim ${d}, nor than src, got ${formatShape(index.sizes)} for ${formatShape(x.sizes)}${typeof src === 'number' ? '' : ` and ${formatShape(src.sizes)}`}`,
    );
  const wide = widened(x);
  let given: Tensor;
  if (typeof src === 'number') given = constantFor(x, src, wide.dtype, index.sizes);
  else
    given = index.sizes.reduce(
      (y, size, at) => (size < (y.sizes[at] as number) ? part(y, at, 0, size) : y),
      widened(src),
    );
  return cast(
    within(wide, index.sizes, d, (y) => own.scatter({ x: y, index, src: given }, { dim: d, how })),
    x.dtype,
  );
}

/** Options of {@link scatter}. */
export interface ScatterOptions {
  /** How `src` joins what is there; by default it takes its place. @defaultValue undefined */
  reduce?: 'add' | 'multiply';
}

/**
 * A copy of x with `src` at the index along `dim`: out[.., index[.., i, ..], ..] = src[.., i, ..]. Where an index comes
 * twice, the last one counts.
 * @param index i32, of the number of dims of x; no larger than `src`, nor, in other dims than `dim`, than x
 * @param src of the dtype of x, or a number
 * @throws ArgumentError for an index out of range; ShapeError, DtypeError
 */
export const scatter = callable<
  (x: Tensor, dim: number, index: Tensor, src: Tensor | number, options?: ScatterOptions) => Tensor
>(
  "scatter(x: Tensor, dim: int, index: Tensor, src: Tensor|number, *, reduce?: 'add'|'multiply')",
  (x: Tensor, dim: number, index: Tensor, src: Tensor | number, reduce?: 'add' | 'multiply') =>
    joined('scatter', x, dim, index, src, reduce === undefined ? 'set' : reduce === 'add' ? 'sum' : 'prod'),
);

/** How elements that meet at one place become one. */
export type ScatterReduction = 'sum' | 'prod' | 'mean' | 'amax' | 'amin';

/** Options of {@link scatterReduce} and {@link indexReduce}. */
export interface IncludeSelfOptions {
  /** Whether what x has at a place is one of those that meet there. @defaultValue true */
  includeSelf?: boolean;
}

/** What changes nothing. */
function identityOf({ dtype }: Tensor, reduce: ScatterReduction): number {
  if (reduce === 'sum' || reduce === 'mean') return 0;
  if (reduce === 'prod') return 1;
  if (dtype === 'u8') return reduce === 'amax' ? 0 : 255;
  const least = dtype === 'f32' ? Number.NEGATIVE_INFINITY : -(2 ** 31);
  return reduce === 'amax' ? least : dtype === 'f32' ? Number.POSITIVE_INFINITY : 2 ** 31 - 1;
}

function reduced(
  op: string,
  x: Tensor,
  { dim, index, src }: { readonly dim: number; readonly index: Tensor; readonly src: Tensor },
  reduce: ScatterReduction,
  includeSelf: boolean,
): Tensor {
  if (reduce === 'mean') expectDtype(op, x, 'f32');
  const from = includeSelf ? x : joined(op, x, dim, index, identityOf(x, reduce), 'set');
  const total = joined(op, from, dim, index, src, reduce === 'mean' ? 'sum' : reduce);
  if (reduce !== 'mean') return total;
  const start = constantFor(x, Number(includeSelf), 'f32', x.sizes);
  const count = joined(op, start, dim, index, 1, 'sum');
  return ops.div({ a: total, b: ops.maximum({ a: count, b: constantFor(x, 1) }) });
}

/**
 * A copy of x with what comes to one place by the index along `dim` reduced to one element, as {@link scatter} places
 * it. Equal extremes share the gradient.
 * @throws ArgumentError for an index out of range; ShapeError, DtypeError
 */
export const scatterReduce = callable<
  (x: Tensor, dim: number, index: Tensor, src: Tensor, reduce: ScatterReduction, options?: IncludeSelfOptions) => Tensor
>(
  "scatterReduce(x: Tensor, dim: int, index: Tensor, src: Tensor, reduce: 'sum'|'prod'|'mean'|'amax'|'amin', *, includeSelf: bool = true)",
  (x: Tensor, dim: number, index: Tensor, src: Tensor, reduce: ScatterReduction, includeSelf: boolean) =>
    reduced('scatterReduce', x, { dim, index, src }, reduce, includeSelf),
);

/** An index of places along a dim, of the shape of what comes there. */
function spread(op: string, source: Tensor, dim: number, index: Tensor): Tensor {
  expectDtype(op, index, 'i32');
  if (index.ndim > 1 || index.size !== (source.sizes[dim] ?? 1))
    throw new ShapeError(
      `${op}: expected a vector with an index for each of dim ${dim} of source, got ${formatShape(index.sizes)} for ${formatShape(source.sizes)}`,
    );
  const shape = source.sizes.map((size, d) => (d === dim ? size : 1));
  return ops.expand({ x: ops.reshape({ x: index }, { shape }) }, { shape: source.sizes });
}

/** An index vector, of a single number as well. */
const vector = (index: Tensor): Tensor => (index.ndim === 0 ? ops.reshape({ x: index }, { shape: [1] }) : index);

/** Options of {@link indexAdd}. */
export interface IndexAddOptions {
  /** What `source` is multiplied by. @defaultValue 1 */
  alpha?: number;
}

/**
 * A copy of x with `alpha · source` added at the listed places along `dim`: out[.., index[i], ..] += source[.., i, ..].
 * @param index i32 [m]
 * @throws ArgumentError for an index out of range; ShapeError, DtypeError
 */
export const indexAdd = callable<
  (x: Tensor, dim: number, index: Tensor, source: Tensor, options?: IndexAddOptions) => Tensor
>(
  'indexAdd(x: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: number = 1)',
  (x: Tensor, dim: number, index: Tensor, source: Tensor, alpha: number) => {
    const d = normalizeDim('indexAdd', dim, x.ndim);
    expectSameDtype('indexAdd', x, source);
    const times = alpha === 1 ? source : cast(ops.mul({ a: source, b: constantFor(x, alpha, x.dtype) }), x.dtype);
    if (x.dtype === 'f32' && x.ndim > 0) return ops.indexAdd({ x, index: vector(index), src: times }, { dim: d });
    return joined('indexAdd', x, d, spread('indexAdd', source, d, index), times, 'sum');
  },
);

/**
 * A copy of x with `source` at the listed places along `dim`: out[.., index[i], ..] = source[.., i, ..].
 * @param index i32 [m]; where one comes twice, the last one counts
 * @throws ArgumentError for an index out of range; ShapeError, DtypeError
 */
export const indexCopy = callable(
  'indexCopy(x: Tensor, dim: int, index: Tensor, source: Tensor)',
  (x: Tensor, dim: number, index: Tensor, source: Tensor): Tensor => {
    const d = normalizeDim('indexCopy', dim, x.ndim);
    expectSameDtype('indexCopy', x, source);
    if (x.ndim === 0) return joined('indexCopy', x, d, spread('indexCopy', source, d, index), source, 'set');
    return cast(own.indexCopy({ x: widened(x), index: vector(index), src: widened(source) }, { dim: d }), x.dtype);
  },
);

/**
 * A copy of x with `value` at the listed places along `dim`.
 * @param index i32 [m]
 * @param value a number, or a tensor of one
 * @throws ArgumentError for an index out of range; ShapeError, DtypeError
 */
export const indexFill = callable(
  'indexFill(x: Tensor, dim: int, index: Tensor, value: number|Tensor)',
  (x: Tensor, dim: number, index: Tensor, value: number | Tensor): Tensor => {
    const d = normalizeDim('indexFill', dim, x.ndim);
    if (typeof value === 'number') checkValues('indexFill', [value], x.dtype);
    else if (value.ndim > 0)
      throw new ShapeError(`indexFill: expected a single number as value, got ${formatShape(value.sizes)}`);
    const fill = typeof value === 'number' ? constantFor(x, value, x.dtype) : value;
    const shape = x.ndim === 0 ? [] : x.sizes.with(d, index.size);
    return indexCopy(x, d, index, ops.expand({ x: fill }, { shape }));
  },
);

/**
 * A copy of x with what comes to one place along `dim` reduced to one element, as {@link indexAdd} places it.
 * @param index i32 [m]
 * @throws ArgumentError for an index out of range; ShapeError, DtypeError
 */
export const indexReduce = callable<
  (
    x: Tensor,
    dim: number,
    index: Tensor,
    source: Tensor,
    reduce: Exclude<ScatterReduction, 'sum'>,
    options?: IncludeSelfOptions,
  ) => Tensor
>(
  "indexReduce(x: Tensor, dim: int, index: Tensor, source: Tensor, reduce: 'prod'|'mean'|'amax'|'amin', *, includeSelf: bool = true)",
  (
    x: Tensor,
    dim: number,
    index: Tensor,
    source: Tensor,
    reduce: Exclude<ScatterReduction, 'sum'>,
    includeSelf: boolean,
  ) => {
    const d = normalizeDim('indexReduce', dim, x.ndim);
    const full = spread('indexReduce', source, d, index);
    return reduced('indexReduce', x, { dim: d, index: full, src: source }, reduce, includeSelf);
  },
);

/** x in row-major order. */
const flat = (x: Tensor): Tensor => ops.reshape({ x }, { shape: [x.size] });

/** Options of {@link put}. */
export interface PutOptions {
  /** Whether elements are added to what is there. @defaultValue false */
  accumulate?: boolean;
}

/**
 * A copy of x with `source` at the positions `index` of its elements in row-major order.
 * @param index i32; negative ones count from the end
 * @param source as many elements as `index` has
 * @throws ArgumentError for an index out of range; ShapeError, DtypeError
 */
export const put = callable<
  Callable<
    [x: Tensor, index: Tensor, source: Tensor],
    [accumulate: boolean],
    PutOptions,
    Tensor,
    ['x', 'index', 'source']
  >
>(
  'put(x: Tensor, index: Tensor, source: Tensor, accumulate: bool = false)',
  (x: Tensor, index: Tensor, source: Tensor, accumulate: boolean) => {
    expectDtype('put', index, 'i32');
    if (source.size !== index.size)
      throw new ArgumentError(
        `put: expected as many elements in source as in index, got ${source.size} and ${index.size}`,
      );
    const at = wrapped(flat(index), x.size, 0);
    const y = accumulate ? indexAdd(flat(x), 0, at, flat(source)) : indexCopy(flat(x), 0, at, flat(source));
    return ops.reshape({ x: y }, { shape: x.sizes });
  },
);

/**
 * The elements of x at the positions `index` in row-major order.
 * @param index i32; negative ones count from the end
 * @returns index's shape
 * @throws ArgumentError for an index out of range
 */
export const take = callable('take(x: Tensor, index: Tensor)', (x: Tensor, index: Tensor): Tensor => {
  expectDtype('take', index, 'i32');
  const y = ops.indexSelect({ x: flat(x), index: wrapped(flat(index), x.size, 0) }, { dim: 0 });
  return ops.reshape({ x: y }, { shape: index.sizes });
});

/** Options of {@link takeAlongDim}. */
export interface TakeAlongDimOptions {
  /** The dim along which the indices count; null: x in row-major order. @defaultValue null */
  dim?: number | null;
}

/**
 * {@link gather} of x and indices that broadcast together in all dims but `dim`: with the places that `argsort` or
 * `argmax` with keepdim give, the elements there.
 * @throws ArgumentError for an index out of range, ShapeError
 */
export const takeAlongDim = callable<
  Callable<[x: Tensor, indices: Tensor], [dim: number | null], TakeAlongDimOptions, Tensor, ['x', 'indices']>
>(
  'takeAlongDim(x: Tensor, indices: Tensor, dim: int|null = null)',
  (x: Tensor, indices: Tensor, dim: number | null) => {
    if (dim === null) return gather(flat(x), 0, flat(indices));
    const d = normalizeDim('takeAlongDim', dim, x.ndim);
    if (x.ndim !== indices.ndim)
      throw new ShapeError(
        `takeAlongDim: expected indices of ${x.ndim} dims, got ${formatShape(indices.sizes)}; unsqueeze() them`,
      );
    const shape = broadcastShapes('takeAlongDim', x.sizes.with(d, 1), indices.sizes.with(d, 1));
    const stretched = (t: Tensor): Tensor => ops.expand({ x: t }, { shape: shape.with(d, t.sizes[d] as number) });
    return gather(stretched(x), d, stretched(indices));
  },
);

/**
 * A copy of x with the elements of `source`, one after the other, where the mask is not 0.
 * @param mask u8, broadcast with x
 * @param source of the dtype of x, with at least as many elements as there are places
 * @throws ArgumentError where source has too few; ShapeError, DtypeError
 */
export const maskedScatter = callable(
  'maskedScatter(x: Tensor, mask: Tensor, source: Tensor)',
  (x: Tensor, mask: Tensor, source: Tensor): Tensor => {
    expectDtype('maskedScatter', mask, 'u8');
    expectSameDtype('maskedScatter', x, source);
    const shape = broadcastShapes('maskedScatter', x.sizes, mask.sizes);
    const onto = ops.expand({ x }, { shape });
    const truth = flat(ops.expand({ x: ops.ne({ a: mask, b: constantFor(mask, 0, 'u8') }) }, { shape }));
    const nth = ops.sub({ a: ops.cumsum({ x: widened(truth) }, { dim: 0 }), b: constantFor(x, 1, 'i32') });
    const zero = constantFor(x, 0, 'i32');
    const index = ops.where({ condition: truth, a: nth, b: zero });
    const taken = ops.indexSelect({ x: flat(source), index }, { dim: 0 });
    return ops.where({
      condition: ops.reshape({ x: truth }, { shape }),
      a: ops.reshape({ x: taken }, { shape }),
      b: onto,
    });
  },
);
