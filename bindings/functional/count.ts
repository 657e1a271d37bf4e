// Functions that count elements, and differences of neighbours.
import { familyOps, ops } from '../autograd.ts';
import { tracing } from '../execute.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { scatterRows } from '../ops/scatter.ts';
import { expectDtype, normalizeDim } from '../ops/shapes.ts';
import { type Callable, callable } from '../signature.ts';
import { host, type Tensor } from '../tensor.ts';
import { alike, cast, constantFor, paired, type TensorLike, widened } from './arguments.ts';
import { iota } from './places.ts';
import { bucketize, searchsorted } from './search.ts';
import { sort } from './sort.ts';

const own = familyOps(scatterRows);

const flat = (x: Tensor): Tensor => ops.reshape({ x }, { shape: [x.size] });

/** How often each of 0 … length − 1 is in a vector of indices, or the sum of their weights. */
function counted(index: Tensor, length: number, weights: Tensor | null): Tensor {
  if (!weights) {
    const src = constantFor(index, 1, 'i32', [index.size]);
    return own.scatter({ x: constantFor(index, 0, 'i32', [length]), index, src }, { dim: 0, how: 'sum' });
  }
  return ops.scatterAdd({ x: constantFor(index, 0, 'f32', [length]), index, src: weights }, { dim: 0 });
}

/** @throws ArgumentError where one of `counts`, in i32, is below 0 */
function expectCounts(op: string, counts: Tensor, what: string): void {
  if (counts.size === 0) return;
  const all = { dim: 0, end: counts.ndim, keepdim: false };
  const least = host.download(ops.min({ x: counts }, all), op)[0] as number;
  if (least < 0) throw new ArgumentError(`${op}: expected ${what} >= 0, got ${least}`);
}

/** Options of {@link bincount}. */
export interface BincountOptions {
  /** What each element counts, f32 of the shape of x; null: 1. @defaultValue null */
  weights?: Tensor | null;
  /** The least number of counts. @defaultValue 0 */
  minlength?: number;
}

/**
 * How often each whole number from 0 to the largest in x is there: i32, or with weights their sums, f32.
 * @param x i32 or u8 [n], none below 0; its largest is read
 * @throws RecordingError inside of compile(); ArgumentError, ShapeError, DtypeError
 */
export const bincount = callable<
  Callable<[x: Tensor], [weights: Tensor | null, minlength: number], BincountOptions, Tensor>
>(
  'bincount(x: Tensor, weights: Tensor|null = null, minlength: int = 0)',
  (x: Tensor, weights: Tensor | null, minlength: number) => {
    tracing()?.refuse('bincount', 'its length depends on values: add to as many zeros as there may be by scatterAdd()');
    expectDtype('bincount', x, 'i32', 'u8');
    if (minlength < 0) throw new ArgumentError(`bincount: expected minlength >= 0, got ${minlength}`);
    if (x.ndim !== 1 || (weights && (weights.ndim !== 1 || weights.size !== x.size)))
      throw new ShapeError(
        `bincount: expected a vector, and weights of its size, got ${formatShape(x.sizes)}${weights ? ` and ${formatShape(weights.sizes)}` : ''}`,
      );
    if (weights) expectDtype('bincount', weights, 'f32');
    const index = widened(x);
    const all = { dim: 0, end: 1, keepdim: false };
    const largest = x.size === 0 ? -1 : (host.download(ops.max({ x: index }, all), 'bincount')[0] as number);
    expectCounts('bincount', index, 'elements');
    return counted(index, Math.max(minlength, largest + 1), weights);
  },
);

/** Options of {@link histc}. */
export interface HistcOptions {
  /** How many bins. @defaultValue 100 */
  bins?: number;
  /** Where the first bin begins. @defaultValue 0 */
  min?: number;
  /** Where the last bin ends; where it is `min`, the least and the greatest element are the ends. @defaultValue 0 */
  max?: number;
}

/** The number of elements of x in each of `bins` bins of one width, f32; what is outside is not counted. */
function binned(op: string, x: Tensor, bins: number, ends: readonly [Tensor, Tensor], weights: Tensor | null): Tensor {
  if (bins < 1) throw new ArgumentError(`${op}: expected bins >= 1, got ${bins}`);
  const values = flat(x.detach());
  const [low, high] = ends;
  const number = (value: number): Tensor => constantFor(x, value);
  const same = ops.eq({ a: low, b: high });
  const one = ops.cast({ x: same }, { dtype: 'f32' });
  const [from, to] = [ops.sub({ a: low, b: one }), ops.add({ a: high, b: one })];
  const part = ops.div({ a: ops.sub({ a: values, b: from }), b: ops.sub({ a: to, b: from }) });
  const bin = ops.minimum({
    a: ops.floor({ x: ops.scale({ x: part }, { alpha: bins, beta: 0 }) }),
    b: number(bins - 1),
  });
  const inside = ops.logicalAnd({ a: ops.ge({ a: values, b: from }), b: ops.le({ a: values, b: to }) });
  // What is outside, or NaN, goes to a bin of its own.
  const index = ops.cast({ x: ops.where({ condition: inside, a: bin, b: number(bins) }) }, { dtype: 'i32' });
  const counts = cast(counted(index, bins + 1, weights), 'f32');
  return ops.slice({ x: counts }, { dim: 0, start: 0, length: bins, step: 1 });
}

/** The ends of bins: given, or, where they are one number, the least and the greatest element. */
function endsOf(op: string, x: Tensor, min: number, max: number): [Tensor, Tensor] {
  if (!(min <= max && Number.isFinite(min) && Number.isFinite(max)))
    throw new ArgumentError(`${op}: expected finite min <= max, got ${min} and ${max}`);
  if (min !== max || x.size === 0) return [constantFor(x, min), constantFor(x, max)];
  const all = { dim: 0, end: x.ndim, keepdim: false };
  return [ops.min({ x: x.detach() }, all), ops.max({ x: x.detach() }, all)];
}

/** How many elements of x are in each of `bins` bins of one width, f32 [bins]. @throws ArgumentError, DtypeError */
export const histc = callable<Callable<[x: Tensor], [bins: number, min: number, max: number], HistcOptions, Tensor>>(
  'histc(x: Tensor, bins: int = 100, min: number = 0, max: number = 0)',
  (x: Tensor, bins: number, min: number, max: number) => {
    expectDtype('histc', x, 'f32');
    return binned('histc', x, bins, endsOf('histc', x, min, max), null);
  },
);

/** Options of {@link diff}. */
export interface DiffOptions {
  /** How many times differences are taken. @defaultValue 1 */
  n?: number;
  /** The dim. @defaultValue -1 */
  dim?: number;
  /** What stands before x along the dim. @defaultValue null */
  prepend?: Tensor | null;
  /** What stands behind x along the dim. @defaultValue null */
  append?: Tensor | null;
}

/** The differences of neighbours along `dim`: x[i + 1] − x[i]. @throws ArgumentError, ShapeError */
export const diff = callable<
  Callable<[x: Tensor], [n: number, dim: number, prepend: Tensor | null, append: Tensor | null], DiffOptions, Tensor>
>(
  'diff(x: Tensor, n: int = 1, dim: int = -1, prepend: Tensor|null = null, append: Tensor|null = null)',
  (x: Tensor, n: number, dim: number, prepend: Tensor | null, append: Tensor | null) => {
    if (x.ndim === 0) throw new ShapeError('diff: expected at least 1 dim, got a single number');
    if (n < 0) throw new ArgumentError(`diff: expected n >= 0, got ${n}`);
    const d = normalizeDim('diff', dim, x.ndim);
    const parts = alike([prepend, x, append].filter((part) => part !== null));
    let y = parts.length > 1 ? ops.concat({ xs: parts }, { dim: d }) : x;
    const times = Math.min(n, y.sizes[d] as number);
    for (let i = 0; i < times; i++) {
      const length = Math.max(0, (y.sizes[d] as number) - 1);
      const part = (start: number): Tensor => ops.slice({ x: y }, { dim: d, start, length, step: 1 });
      y = ops.sub({ a: part(Math.min(1, y.sizes[d] as number)), b: part(0) });
    }
    return y === x ? ops.contiguous({ x }) : y;
  },
);

/** Options of {@link isin}. */
export interface IsinOptions {
  /** Whether no element comes twice; it makes no difference. @defaultValue false */
  assumeUnique?: boolean;
  /** Whether to say which elements are not among the others. @defaultValue false */
  invert?: boolean;
}

/** Which elements are among `testElements`, u8 of the shape of the elements. @throws DtypeError */
export const isin = callable<(elements: TensorLike, testElements: TensorLike, options?: IsinOptions) => Tensor>(
  'isin(elements: Tensor|number, testElements: Tensor|number, *, assumeUnique: bool = false, invert: bool = false)',
  (elements: TensorLike, testElements: TensorLike, _unique: boolean, invert: boolean) => {
    const { a, b } = paired('isin', elements, testElements);
    const x = a.detach();
    if (b.size === 0) return constantFor(x, Number(invert), 'u8', x.sizes);
    const { values } = sort(flat(b.detach()));
    const last = constantFor(x, b.size - 1, 'i32');
    const at = ops.minimum({ a: searchsorted(values, flat(x)), b: last });
    const found = ops.indexSelect({ x: values, index: at }, { dim: 0 });
    const [p, q] = [ops.reshape({ x: found }, { shape: x.sizes }), x];
    return invert ? ops.ne({ a: p, b: q }) : ops.eq({ a: p, b: q });
  },
);

/** Options of {@link repeatInterleave}. */
export interface RepeatInterleaveOptions {
  /** The dim; null: x in row-major order. @defaultValue null */
  dim?: number | null;
  /** How many elements there will be, where repeats are a tensor; null: their sum is read. @defaultValue null */
  outputSize?: number | null;
}

/**
 * A copy of x with each element along `dim` repeated: as often as a number says, or a tensor for each of them.
 * @param repeats a number, or i32 [size of the dim] or [1], none below 0
 * @throws RecordingError inside of compile(), for a tensor without `outputSize`; ArgumentError, ShapeError
 */
export const repeatInterleave = callable<
  Callable<
    [x: Tensor, repeats: number | Tensor],
    [dim: number | null],
    RepeatInterleaveOptions,
    Tensor,
    ['x', 'repeats']
  >
>(
  'repeatInterleave(x: Tensor, repeats: int|Tensor, dim: int|null = null, *, outputSize: int|null = null)',
  (x: Tensor, repeats: number | Tensor, dim: number | null, outputSize: number | null) => {
    const lanes = dim === null || x.ndim === 0 ? flat(x) : x;
    const d = dim === null || x.ndim === 0 ? 0 : normalizeDim('repeatInterleave', dim, x.ndim);
    const size = lanes.sizes[d] as number;
    if (typeof repeats === 'number') {
      if (repeats < 0) throw new ArgumentError(`repeatInterleave: expected repeats >= 0, got ${repeats}`);
      const [outer, inner] = [lanes.sizes.slice(0, d), lanes.sizes.slice(d + 1)].map((part) =>
        part.reduce((p, n) => p * n, 1),
      ) as [number, number];
      const rows = ops.reshape({ x: lanes }, { shape: [outer * size, 1, inner] });
      const wide = ops.expand({ x: rows }, { shape: [outer * size, repeats, inner] });
      return ops.reshape({ x: wide }, { shape: lanes.sizes.with(d, size * repeats) });
    }
    expectDtype('repeatInterleave', repeats, 'i32');
    if (repeats.ndim > 1 || (repeats.size !== size && repeats.size !== 1))
      throw new ShapeError(`repeatInterleave: expected repeats of [${size}], got ${formatShape(repeats.sizes)}`);
    if (!tracing()) expectCounts('repeatInterleave', repeats, 'repeats');
    const each = ops.expand({ x: flat(repeats) }, { shape: [size] });
    const ends = ops.cumsum({ x: each }, { dim: 0 });
    if (outputSize === null) tracing()?.refuse('repeatInterleave', 'give outputSize, the sum of the repeats');
    const total =
      outputSize ??
      (size === 0
        ? 0
        : (host.download(
            ops.slice({ x: ends }, { dim: 0, start: size - 1, length: 1, step: 1 }),
            'repeatInterleave',
          )[0] as number));
    return ops.indexSelect({ x: lanes, index: bucketize(iota(total, x), ends, { right: true }) }, { dim: d });
  },
);
