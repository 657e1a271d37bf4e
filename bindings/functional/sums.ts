// Reductions and scans that are rare: functions, no methods.
import { familyOps, ops } from '../autograd.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { recurrenceRows } from '../ops/recurrence.ts';
import { normalizeDim } from '../ops/shapes.ts';
import { type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { asFloat, cast, type Dims } from './arguments.ts';
import { add, clamp, div, mul, ne, sqrt, sub, where } from './elementwise.ts';
import { matmul } from './matmul.ts';
import {
  amax,
  amin,
  cumsum,
  mean,
  norm,
  type ReduceFunction,
  std,
  sum,
  type VarianceOptions,
  var as variance,
} from './reduction.ts';
import { slice, unsqueeze } from './shape.ts';

const own = familyOps(recurrenceRows);

/** The running product along `dim`: y[i] = x[0] · … · x[i]. */
export const cumprod = callable('cumprod(x: Tensor, dim: int)', (x: Tensor, dim: number): Tensor => {
  const d = normalizeDim('cumprod', dim, x.ndim);
  const y = own.recurrence({ a: asFloat(x), b: null }, { dim: d, start: 1, backward: false });
  return x.dtype === 'f32' ? y : cast(y, 'i32');
});

const NAN = '(x: Tensor, dim: int|int[]|null = null, keepdim: bool = false)';
const numbersOf = (x: Tensor): Tensor => (x.dtype === 'f32' ? where(ne(x, x), 0, x) : x);

/** The sum over `dim`, one dim or several, of the elements that are not NaN; of all by default. */
export const nansum: ReduceFunction = callable<ReduceFunction>(
  `nansum${NAN}`,
  (x: Tensor, dim: Dims | null, keepdim: boolean) => sum(numbersOf(x), dim, keepdim),
);

/** The mean over `dim`, one dim or several, of the elements that are not NaN; of all by default. NaN for none. */
export const nanmean: ReduceFunction = callable<ReduceFunction>(
  `nanmean${NAN}`,
  (x: Tensor, dim: Dims | null, keepdim: boolean) =>
    div(sum(numbersOf(asFloat(x)), dim, keepdim), sum(ops.eq({ a: x, b: x }), dim, keepdim)),
);

/** A measure of spread, and the mean. */
export type SpreadMeanFunction = Callable<
  [x: Tensor],
  [dim: Dims | null],
  VarianceOptions,
  [spread: Tensor, mean: Tensor]
>;
const SPREAD = '(x: Tensor, dim: int|int[]|null = null, *, correction: number = 1, keepdim: bool = false)';

/** The variance and the mean over `dim`, one dim or several; all by default. */
export const varMean: SpreadMeanFunction = callable<SpreadMeanFunction>(
  `varMean${SPREAD}`,
  (x: Tensor, dim: Dims | null, correction: number, keepdim: boolean): [Tensor, Tensor] => [
    variance(x, dim, { correction, keepdim }),
    mean(x, dim, keepdim),
  ],
);

/** The standard deviation and the mean over `dim`, one dim or several; all by default. */
export const stdMean: SpreadMeanFunction = callable<SpreadMeanFunction>(
  `stdMean${SPREAD}`,
  (x: Tensor, dim: Dims | null, correction: number, keepdim: boolean): [Tensor, Tensor] => [
    std(x, dim, { correction, keepdim }),
    mean(x, dim, keepdim),
  ],
);

/** Options of {@link aminmax}. */
export interface AminmaxOptions {
  /** The dim to search; null: all. @defaultValue null */
  dim?: number | null;
  /** Whether the reduced dim stays, with size 1. @defaultValue false */
  keepdim?: boolean;
}

/** What {@link aminmax} gives. */
export interface MinMax {
  /** The smallest elements. */
  min: Tensor;
  /** The largest elements. */
  max: Tensor;
}

/** The smallest and the largest elements along a dim, or of all; equal ones share the gradient. */
export const aminmax = callable<(x: Tensor, options?: AminmaxOptions) => MinMax>(
  'aminmax(x: Tensor, *, dim: int|null = null, keepdim: bool = false)',
  (x: Tensor, dim: number | null, keepdim: boolean): MinMax => ({
    min: amin(x, dim, keepdim),
    max: amax(x, dim, keepdim),
  }),
);

/** Options of {@link dist}. */
export interface DistOptions {
  /** The order of the norm. @defaultValue 2 */
  p?: number;
}

/** The p-norm of x − other, broadcast. */
export const dist = callable<Callable<[x: Tensor, other: Tensor], [p: number], DistOptions, Tensor, ['x', 'other']>>(
  'dist(x: Tensor, other: Tensor, p: number = 2)',
  (x: Tensor, other: Tensor, p: number) => norm(sub(x, other), p),
);

/**
 * x with the slices along `dim` scaled down whose p-norm is above `maxnorm`.
 * @throws ArgumentError for p or maxnorm below 0
 */
export const renorm = callable(
  'renorm(x: Tensor, p: number, dim: int, maxnorm: number)',
  (x: Tensor, p: number, dim: number, maxnorm: number): Tensor => {
    if (!(p > 0 && maxnorm >= 0))
      throw new ArgumentError(`renorm: expected p > 0 and maxnorm >= 0, got ${p} and ${maxnorm}`);
    if (x.ndim < 2) throw new ShapeError(`renorm: expected at least 2 dims, got ${formatShape(x.sizes)}`);
    const d = normalizeDim('renorm', dim, x.ndim);
    const others = x.sizes.map((_, i) => i).filter((i) => i !== d);
    const length = norm(x, p, others, true);
    // As PyTorch: a little less than maxnorm.
    const factor = div(
      maxnorm === 0 ? mul(length, 0) : ops.full({}, { shape: length.sizes, value: maxnorm }),
      add(length, 1e-7),
    );
    return mul(x, where(ops.gt({ a: length, b: ops.full({}, { shape: [], value: maxnorm }) }), factor, 1));
  },
);

/** Options of {@link cov}. */
export interface CovOptions {
  /** Is taken off the number of observations. @defaultValue 1 */
  correction?: number;
  /** How often each observation counts, i32 [n]; null: once. @defaultValue null */
  fweights?: Tensor | null;
  /** How much each observation counts, [n]; null: all alike. @defaultValue null */
  aweights?: Tensor | null;
}

function covariance(x: Tensor, correction: number, fweights: Tensor | null, aweights: Tensor | null): Tensor {
  if (x.ndim > 2) throw new ShapeError(`cov: expected at most 2 dims, got ${formatShape(x.sizes)}`);
  const rows = asFloat(x.ndim === 2 ? x : ops.reshape({ x }, { shape: [1, x.size] }));
  const n = rows.sizes[1] as number;
  for (const w of [fweights, aweights])
    if (w && (w.ndim !== 1 || w.size !== n))
      throw new ShapeError(`cov: expected a weight for each of ${n} observations, got ${formatShape(w.sizes)}`);
  const weights = fweights && aweights ? mul(fweights, aweights) : (fweights ?? aweights);
  const w = weights && asFloat(weights);
  const weighed = w ? mul(rows, w) : rows;
  const total = w ? sum(w) : null;
  const center = sub(rows, total ? div(sum(weighed, 1, true), total) : mean(rows, 1, true));
  const product = matmul(center, ops.permute({ x: w ? mul(center, w) : center }, { dims: [1, 0] }));
  let y: Tensor;
  if (!total) y = mul(product, 1 / Math.max(0, n - correction));
  else {
    const lost = aweights
      ? mul(div(sum(mul(w as Tensor, asFloat(aweights))), total), correction)
      : ops.full({}, { shape: [], value: correction });
    y = div(product, clamp(sub(total, lost), 0));
  }
  return x.ndim === 2 ? y : ops.reshape({ x: y }, { shape: [] });
}

/**
 * The covariances of the rows of x, each a variable of which the columns are observations.
 * @throws ShapeError
 */
export const cov = callable<(x: Tensor, options?: CovOptions) => Tensor>(
  'cov(x: Tensor, *, correction: int = 1, fweights: Tensor|null = null, aweights: Tensor|null = null)',
  covariance,
);

/** The correlations of the rows of x, each a variable of which the columns are observations. @throws ShapeError */
export const corrcoef = callable('corrcoef(x: Tensor)', (x: Tensor): Tensor => {
  const c = covariance(x, 1, null, null);
  if (c.ndim === 0) return div(c, c);
  const n = c.sizes[0] as number;
  const places = ops.slice(
    { x: ops.reshape({ x: c }, { shape: [n * n] }) },
    { dim: 0, start: 0, length: n, step: n + 1 },
  );
  const spread = sqrt(places);
  return clamp(div(div(c, ops.reshape({ x: spread }, { shape: [n, 1] })), spread), -1, 1);
});

/** Options of {@link trapezoid} and {@link cumulativeTrapezoid}. */
export interface TrapezoidOptions {
  /** The places of the values; null: they are `dx` apart. @defaultValue null */
  x?: Tensor | null;
  /** How far apart values are that have no places. @defaultValue 1 */
  dx?: number;
  /** The dim to integrate along. @defaultValue -1 */
  dim?: number;
}

/** The areas below neighbours along a dim. */
function areas(op: string, y: Tensor, x: Tensor | null, dx: number, dim: number): Tensor {
  const d = normalizeDim(op, dim, y.ndim);
  const sides = (z: Tensor, at: number): readonly [Tensor, Tensor] => [slice(z, at, 1), slice(z, at, 0, -1)];
  const [b, a] = sides(y, d);
  const heights = add(a, b);
  if (!x) return mul(heights, dx / 2);
  let places = x;
  if (x.ndim === 1) for (let i = d + 1; i < y.ndim; i++) places = unsqueeze(places, -1);
  const [q, p] = sides(places, x.ndim === 1 ? 0 : x.ndim - y.ndim + d);
  return mul(mul(sub(q, p), heights), 0.5);
}

type TrapezoidFunction = Callable<[y: Tensor], [x: Tensor | null], TrapezoidOptions, Tensor>;
const TRAPEZOID = '(y: Tensor, x: Tensor|null = null, *, dx: number = 1, dim: int = -1)';

/** The integral of y along a dim by the trapezoidal rule. */
export const trapezoid: TrapezoidFunction = callable<TrapezoidFunction>(
  `trapezoid${TRAPEZOID}`,
  (y: Tensor, x: Tensor | null, dx: number, dim: number) =>
    sum(areas('trapezoid', y, x, dx, dim), normalizeDim('trapezoid', dim, y.ndim)),
);

/** The running integral of y along a dim by the trapezoidal rule, one value less than y has. */
export const cumulativeTrapezoid: TrapezoidFunction = callable<TrapezoidFunction>(
  `cumulativeTrapezoid${TRAPEZOID}`,
  (y: Tensor, x: Tensor | null, dx: number, dim: number) =>
    cumsum(areas('cumulativeTrapezoid', y, x, dx, dim), normalizeDim('cumulativeTrapezoid', dim, y.ndim)),
);
