// Medians, quantiles and modes: elements by their place in order. NaN is greater than all numbers.
import { ops } from '../autograd.ts';
import { ArgumentError, ShapeError } from '../memory/errors.ts';
import { expectDtype, normalizeDim } from '../ops/shapes.ts';
import { alternatives, type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { asTensor, cast, constantFor, type TensorLike, widened } from './arguments.ts';
import { gather } from './indexing.ts';
import { kept, ordered } from './ordered.ts';
import { iota } from './places.ts';
import { cummax } from './search.ts';
import { transpose } from './shape.ts';
import type { AlongOptions, Sorted } from './sort.ts';

/** How many elements along the last dim are no NaN, i32 [..., 1]. */
function countNumbers(x: Tensor): Tensor {
  const numbers = ops.cast({ x: ops.eq({ a: x, b: x }) }, { dtype: 'i32' });
  return ops.sum({ x: numbers }, { dim: x.ndim - 1, end: x.ndim, keepdim: true });
}

/** The lower median along the last dim, which stays; where there is a NaN that, or the median of the others. */
function medianOf(op: string, x: Tensor, ignoresNan: boolean): Sorted {
  const n = x.sizes.at(-1) as number;
  if (n === 0) throw new ShapeError(`${op}: expected at least one element, got none`);
  const { values, indices } = ordered(op, x, -1, null, false);
  const shape = x.sizes.with(-1, 1);
  const number = (value: number): Tensor => constantFor(x, value, 'i32', shape);
  let at = number((n - 1) >> 1);
  if (x.dtype === 'f32') {
    const count = countNumbers(values);
    if (!ignoresNan) at = ops.where({ condition: ops.lt({ a: count, b: number(n) }), a: count, b: at });
    else {
      // (count − 1) / 2 of a whole count, rounded down; of no numbers the first.
      const most = ops.maximum({ a: ops.sub({ a: count, b: number(1) }), b: number(0) });
      const half = ops.floor({ x: ops.scale({ x: ops.cast({ x: most }, { dtype: 'f32' }) }, { alpha: 0.5, beta: 0 }) });
      at = ops.cast({ x: half }, { dtype: 'i32' });
    }
  }
  return { values: gather(values, -1, at), indices: gather(indices, -1, at) };
}

/** The two forms of a median: of all elements, and along a dim with its place. */
export type MedianFunction = {
  (x: Tensor): Tensor;
  (x: Tensor, dim: number, options?: { keepdim?: boolean }): Sorted;
  (x: Tensor, dim: number, keepdim?: boolean): Sorted;
};

/** The gradient of the median of all is shared by the elements that equal it. */
function medianOfAll(op: string, x: Tensor, ignoresNan: boolean): Tensor {
  const flat = ops.reshape({ x }, { shape: [x.size] });
  // Of no elements it is NaN, as in PyTorch.
  if (x.size === 0) return constantFor(x, Number.NaN);
  const { values } = medianOf(op, flat.detach(), ignoresNan);
  if (x.dtype !== 'f32') return ops.reshape({ x: values }, { shape: [] });
  const nan = (t: Tensor): Tensor => ops.ne({ a: t, b: t });
  const alike = ops.logicalOr({
    a: ops.eq({ a: flat, b: values }),
    b: ops.logicalAnd({ a: nan(flat), b: nan(values) }),
  });
  const share = ops.where({ condition: alike, a: flat, b: constantFor(x, 0) });
  const count = ops.sum({ x: ops.cast({ x: alike }, { dtype: 'f32' }) }, { dim: 0, end: 1, keepdim: false });
  const mean = ops.div({ a: ops.sum({ x: share }, { dim: 0, end: 1, keepdim: false }), b: count });
  // Of many equal elements the mean is rounded: its value is the median's, its gradient the mean's.
  return ops.add({
    a: ops.reshape({ x: values }, { shape: [] }),
    b: ops.where({ condition: nan(mean.detach()), a: mean, b: ops.sub({ a: mean, b: mean.detach() }) }),
  });
}

/* @__NO_SIDE_EFFECTS__ */
const median_ = (name: 'median' | 'nanmedian'): MedianFunction =>
  alternatives(
    [`${name}(x: Tensor)`, (x: Tensor) => medianOfAll(name, x, name === 'nanmedian')],
    [
      `${name}(x: Tensor, dim: int, keepdim: bool = false)`,
      (x: Tensor, dim: number, keepdim: boolean): Sorted => {
        const d = normalizeDim(name, dim, x.ndim);
        if (x.ndim === 0) return { values: x, indices: constantFor(x, 0, 'i32') };
        const last = x.ndim - 1;
        const { values, indices } = medianOf(name, d === last ? x : transpose(x, d, last), name === 'nanmedian');
        const back = (t: Tensor): Tensor => kept(d === last ? t : transpose(t, d, last), d, keepdim);
        return { values: back(values), indices: back(indices) };
      },
    ],
  );

/**
 * `median(x)`: the median of all elements, of an even number the lower one; equal ones share the gradient.
 * `median(x, dim)`: the medians along `dim`, with their places. A NaN makes it NaN.
 * @throws ShapeError
 */
export const median: MedianFunction = median_('median');

/** As {@link median}, of the elements that are no NaN. @throws ShapeError */
export const nanmedian: MedianFunction = median_('nanmedian');

/** What {@link quantile} takes between two elements: a straight line, one of them, the nearer one, or their mean. */
export type Interpolation = 'linear' | 'lower' | 'higher' | 'nearest' | 'midpoint';

/** Options of {@link quantile} and {@link nanquantile}. */
export interface QuantileOptions {
  /** The dim; null: all elements. @defaultValue null */
  dim?: number | null;
  /** Whether the dim stays, with size 1. @defaultValue false */
  keepdim?: boolean;
  /** What counts between two elements. @defaultValue 'linear' */
  interpolation?: Interpolation;
}

/** A function of fractions of the elements along a dim. */
export type QuantileFunction = Callable<
  [x: Tensor, q: TensorLike],
  [dim: number | null, keepdim: boolean],
  QuantileOptions,
  Tensor,
  ['x', 'q']
>;

/** The elements of sorted rows at the ranks q · (how many − 1), f32 [..., quantiles]. */
function atRanks(values: Tensor, q: Tensor, interpolation: Interpolation, ignoresNan: boolean): Tensor {
  const n = values.sizes.at(-1) as number;
  const count = countNumbers(values);
  const last = constantFor(values, n - 1);
  const most = ignoresNan ? ops.sub({ a: ops.cast({ x: count }, { dtype: 'f32' }), b: constantFor(values, 1) }) : last;
  let rank = ops.maximum({ a: ops.mul({ a: q, b: most }), b: constantFor(values, 0) });
  // A NaN, which is the last, counts for all.
  if (!ignoresNan)
    rank = ops.where({ condition: ops.lt({ a: count, b: constantFor(values, n, 'i32') }), a: last, b: rank });
  const shape = values.sizes.with(-1, q.size);
  const pick = (t: Tensor): Tensor =>
    gather(values, -1, ops.contiguous({ x: ops.expand({ x: ops.cast({ x: t }, { dtype: 'i32' }) }, { shape }) }));
  const below = ops.floor({ x: rank });
  if (interpolation === 'lower') return pick(below);
  if (interpolation === 'higher') return pick(ops.ceil({ x: rank }));
  if (interpolation === 'nearest') return pick(ops.round({ x: rank }));
  const weight = interpolation === 'midpoint' ? constantFor(values, 0.5) : ops.sub({ a: rank, b: below });
  const [a, b] = [pick(below), pick(ops.ceil({ x: rank }))];
  return ops.add({ a, b: ops.mul({ a: weight, b: ops.sub({ a: b, b: a }) }) });
}

/* @__NO_SIDE_EFFECTS__ */
const quantile_ = (name: 'quantile' | 'nanquantile'): QuantileFunction =>
  callable<QuantileFunction>(
    `${name}(x: Tensor, q: Tensor|number, dim: int|null = null, keepdim: bool = false, *, interpolation: 'linear'|'lower'|'higher'|'nearest'|'midpoint' = 'linear')`,
    (x: Tensor, q: TensorLike, dim: number | null, keepdim: boolean, interpolation: Interpolation) => {
      expectDtype(name, x, 'f32');
      if (typeof q === 'number' && !(q >= 0 && q <= 1))
        throw new ArgumentError(`${name}: expected q from 0 to 1, got ${q}`);
      const fractions = asTensor(name, q, x);
      expectDtype(name, fractions, 'f32');
      if (fractions.ndim > 1 || x.size === 0)
        throw new ShapeError(
          `${name}: expected elements, and a number or a vector as q, got ${x.size} and ${fractions.ndim} dims`,
        );
      const flat = dim === null || x.ndim === 0;
      const d = flat ? 0 : normalizeDim(name, dim, x.ndim);
      const lanes = flat ? ops.reshape({ x }, { shape: [x.size] }) : transpose(x, d, x.ndim - 1);
      const { values } = ordered(name, lanes, -1, null, false);
      const row = ops.reshape({ x: fractions }, { shape: [fractions.size] });
      const found = atRanks(values, row, interpolation, name === 'nanquantile');
      // [..., quantiles], with the dim that was the last where `dim` was: quantiles come first.
      const one = flat
        ? ops.reshape({ x: found }, { shape: [...(keepdim ? x.sizes.map(() => 1) : []), fractions.size] })
        : withoutLane(found, d, x.ndim, keepdim);
      const front = ops.permute({ x: one }, { dims: [one.ndim - 1, ...one.sizes.slice(0, -1).map((_, at) => at)] });
      return fractions.ndim === 0 ? ops.squeeze({ x: front }, { dim: 0 }) : front;
    },
  );

/** [..., quantiles], of lanes whose last dim was swapped with `dim`, as dims in their order and quantiles behind. */
function withoutLane(found: Tensor, dim: number, ndim: number, keepdim: boolean): Tensor {
  const spread = ops.unsqueeze({ x: found }, { dim: ndim - 1 });
  const ordered = dim === ndim - 1 ? spread : transpose(spread, dim, ndim - 1);
  return keepdim ? ordered : ops.squeeze({ x: ordered }, { dim });
}

/**
 * What a fraction q of the elements along `dim`, or of all, is not greater than. Several fractions come along a first
 * dim. A NaN makes it NaN.
 * @param x f32
 * @param q a number from 0 to 1, or f32 of [] or [n]
 * @throws ArgumentError, ShapeError, DtypeError
 */
export const quantile: QuantileFunction = quantile_('quantile');

/** As {@link quantile}, of the elements that are no NaN. @throws ArgumentError, ShapeError, DtypeError */
export const nanquantile: QuantileFunction = quantile_('nanquantile');

/** The most frequent elements along `dim`, of several the least, and where each comes last. @throws ShapeError */
export const mode = callable<Callable<[x: Tensor], [dim: number, keepdim: boolean], AlongOptions, Sorted>>(
  'mode(x: Tensor, dim: int = -1, keepdim: bool = false)',
  (x: Tensor, dim: number, keepdim: boolean) => {
    const d = normalizeDim('mode', dim, x.ndim);
    if (x.ndim === 0) return { values: x, indices: constantFor(x, 0, 'i32') };
    const last = x.ndim - 1;
    const n = x.sizes[d] as number;
    if (n === 0) throw new ShapeError('mode: expected at least one element, got none');
    const lanes = widened(d === last ? x : transpose(x, d, last));
    const { values, indices } = ordered('mode', lanes, -1, null, false);
    const part = (start: number): Tensor =>
      ops.slice({ x: values.detach() }, { dim: last, start, length: n - 1, step: 1 });
    // Where a run of equal elements begins, and how long it is until each.
    const place = ops.expand({ x: iota(n, x) }, { shape: values.sizes });
    let begins = constantFor(x, 0, 'i32', values.sizes);
    if (n > 1) {
      const behind = ops.slice({ x: place }, { dim: last, start: 1, length: n - 1, step: 1 });
      const starts = ops.where({
        condition: ops.ne({ a: part(1), b: part(0) }),
        a: behind,
        b: constantFor(x, 0, 'i32'),
      });
      begins = ops.concat({ xs: [constantFor(x, 0, 'i32', values.sizes.with(-1, 1)), starts] }, { dim: last });
    }
    const since = cummax(begins, last).values;
    const most = ops.argmax({ x: ops.sub({ a: place, b: since }) }, { dim: last, end: last + 1, keepdim: true });
    const back = (t: Tensor): Tensor => kept(d === last ? t : transpose(t, d, last), d, keepdim);
    return { values: cast(back(gather(values, -1, most)), x.dtype), indices: back(gather(indices, -1, most)) };
  },
);
