// Histograms over bins of one width, or between given edges.
import { familyOps, ops } from '../autograd.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { orderRows } from '../ops/order.ts';
import { expectDtype, sameShape } from '../ops/shapes.ts';
import { callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { constantFor } from './arguments.ts';
import { iota } from './places.ts';

const own = familyOps(orderRows);

/** Options of {@link histogram} and {@link histogramdd}. */
export interface HistogramOptions {
  /**
   * Where the first bin begins and where the last one ends, of {@link histogramdd} for each dim one after the other;
   * null: the least and the greatest element. Where both are one number, half a unit before and behind it.
   * @defaultValue null
   */
  range?: readonly number[] | null;
  /** What each element, or each point, counts; null: 1. @defaultValue null */
  weight?: Tensor | null;
  /** Whether the result is a density, whose integral is 1. @defaultValue false */
  density?: boolean;
}

/** What {@link histogram} gives. */
export interface Histogram {
  /** How many elements are in each bin, the sums of their weights, or their density. */
  readonly hist: Tensor;
  /** Where bins begin, and where the last one ends. */
  readonly binEdges: Tensor;
}

/** What {@link histogramdd} gives. */
export interface HistogramDd {
  /** How many points are in each bin, the sums of their weights, or their density; one dim for each coordinate. */
  readonly hist: Tensor;
  /** The edges along each dim. */
  readonly binEdges: readonly Tensor[];
}

const flat = (x: Tensor): Tensor => ops.reshape({ x }, { shape: [x.size] });

/** The edges of `bins` bins of one width. */
function edgesOf(op: string, x: Tensor, bins: number, range: readonly number[] | null): Tensor {
  if (bins < 1) throw new ArgumentError(`${op}: expected bins >= 1, got ${bins}`);
  const number = (value: number): Tensor => constantFor(x, value);
  const all = { dim: 0, end: 1, keepdim: false };
  let [from, to] = range ? [number(range[0] as number), number(range[1] as number)] : [number(0), number(1)];
  if (!range && x.size > 0) [from, to] = [ops.min({ x }, all), ops.max({ x }, all)];
  const half = ops.scale({ x: ops.cast({ x: ops.eq({ a: from, b: to }) }, { dtype: 'f32' }) }, { alpha: 0.5, beta: 0 });
  const [low, high] = [ops.sub({ a: from, b: half }), ops.add({ a: to, b: half })];
  const part = ops.scale({ x: ops.cast({ x: iota(bins + 1, x) }, { dtype: 'f32' }) }, { alpha: 1 / bins, beta: 0 });
  const rest = ops.scale({ x: part }, { alpha: -1, beta: 1 });
  // The ends are these to the bit.
  return ops.add({ a: ops.mul({ a: low, b: rest }), b: ops.mul({ a: high, b: part }) });
}

/** @throws ArgumentError unless `range` has two numbers in order for each of `dims` */
function checkRange(op: string, range: readonly number[] | null, dims: number): void {
  if (!range) return;
  const bad = range.length !== 2 * dims || range.some((x, i) => !(i % 2 ? (range[i - 1] as number) <= x : x > -1 / 0));
  if (bad || !range.every(Number.isFinite))
    throw new ArgumentError(
      `${op}: expected a range of ${2 * dims} finite numbers, each second one not below the one before, got [${range}]`,
    );
}

/** The bin of each element of a vector, from 0 up, and whether it is in any. The last one has its end as well. */
function binsOf(x: Tensor, edges: Tensor): { bin: Tensor; inside: Tensor } {
  const last = edges.size - 1;
  const at = (i: number): Tensor => ops.slice({ x: edges }, { dim: 0, start: i, length: 1, step: 1 });
  const inside = ops.logicalAnd({ a: ops.ge({ a: x, b: at(0) }), b: ops.le({ a: x, b: at(last) }) });
  const behind = own.searchSorted({ x: edges, v: x }, { right: true });
  const number = (value: number): Tensor => constantFor(x, value, 'i32');
  return { bin: ops.minimum({ a: ops.sub({ a: behind, b: number(1) }), b: number(last - 1) }), inside };
}

/** The histogram of points, given by their coordinates. */
function counted(
  op: string,
  columns: readonly Tensor[],
  edges: readonly Tensor[],
  given: Tensor | null,
  density: boolean,
): Tensor {
  const [first] = columns as [Tensor];
  const shape = edges.map(({ size }) => size - 1);
  const size = shape.reduce((a, b) => a * b, 1);
  if (size >= 2 ** 31) throw new ArgumentError(`${op}: expected fewer than 2^31 bins, got ${size}`);
  let place: Tensor | null = null;
  let within: Tensor | null = null;
  columns.forEach((x, d) => {
    const { bin, inside } = binsOf(x, edges[d] as Tensor);
    const wide = place ? ops.mul({ a: place, b: constantFor(first, shape[d] as number, 'i32') }) : null;
    place = wide ? ops.add({ a: wide, b: bin }) : bin;
    within = within ? ops.logicalAnd({ a: within, b: inside }) : inside;
  });
  // What is outside, or NaN, goes to a bin of its own.
  const index = ops.where({
    condition: within as unknown as Tensor,
    a: place as unknown as Tensor,
    b: constantFor(first, size, 'i32'),
  });
  const src = given ? flat(given.detach()) : constantFor(first, 1, 'f32', [first.size]);
  const sums = ops.scatterAdd({ x: constantFor(first, 0, 'f32', [size + 1]), index, src }, { dim: 0 });
  const counts = ops.slice({ x: sums }, { dim: 0, start: 0, length: size, step: 1 });
  const hist = ops.reshape({ x: counts }, { shape });
  if (!density) return hist;
  const total = ops.sum({ x: counts }, { dim: 0, end: 1, keepdim: false });
  return edges.reduce(
    (y, at, d) => {
      const part = (start: number): Tensor => ops.slice({ x: at }, { dim: 0, start, length: at.size - 1, step: 1 });
      const width = ops.sub({ a: part(1), b: part(0) });
      return ops.div({ a: y, b: ops.reshape({ x: width }, { shape: shape.map((n, e) => (e === d ? n : 1)) }) });
    },
    ops.div({ a: hist, b: total }),
  );
}

/** @throws ShapeError, DtypeError unless these are edges of bins */
function expectEdges(op: string, edges: Tensor): Tensor {
  expectDtype(op, edges, 'f32');
  if (edges.ndim !== 1 || edges.size < 2)
    throw new ShapeError(`${op}: expected a vector of at least 2 edges, got ${formatShape(edges.sizes)}`);
  return edges.detach();
}

function expectWeight(op: string, weight: Tensor | null, shape: readonly number[]): void {
  if (!weight) return;
  expectDtype(op, weight, 'f32');
  if (!sameShape(weight.sizes, shape))
    throw new ShapeError(`${op}: expected a weight for each, ${formatShape(shape)}, got ${formatShape(weight.sizes)}`);
}

/**
 * How many elements of x are in each bin: from its edge up to, without, the next one; the last bin has its end as well
 * (PyTorch's `histogram`). What is outside is not counted. Nothing flows back.
 * @param x f32, of any shape
 * @param bins how many of one width, or their edges in ascending order, at least 2
 * @throws ArgumentError, ShapeError, DtypeError
 */
export const histogram = callable<(x: Tensor, bins: number | Tensor, options?: HistogramOptions) => Histogram>(
  'histogram(x: Tensor, bins: int|Tensor, *, range: number[]|null = null, weight: Tensor|null = null, density: bool = false)',
  (
    x: Tensor,
    bins: number | Tensor,
    range: readonly number[] | null,
    weight: Tensor | null,
    density: boolean,
  ): Histogram => {
    const op = 'histogram';
    expectDtype(op, x, 'f32');
    checkRange(op, range, 1);
    expectWeight(op, weight, x.sizes);
    if (typeof bins !== 'number' && range)
      throw new ArgumentError(`${op}: expected a range beside a number of bins only, got both edges and a range`);
    const values = flat(x.detach());
    const binEdges = typeof bins === 'number' ? edgesOf(op, values, bins, range) : expectEdges(op, bins);
    return { hist: counted(op, [values], [binEdges], weight, density), binEdges };
  },
);

/**
 * {@link histogram} of points: the last dim of x has their coordinates (PyTorch's `histogramdd`).
 * @param x f32 [..., coordinates]
 * @param bins how many along all dims, or along each, or the edges along each
 * @throws ArgumentError, ShapeError, DtypeError
 */
export const histogramdd = callable<
  (x: Tensor, bins: number | readonly number[] | readonly Tensor[], options?: HistogramOptions) => HistogramDd
>(
  'histogramdd(x: Tensor, bins: int|int[]|Tensor[], range: number[]|null = null, weight: Tensor|null = null, density: bool = false)',
  (
    x: Tensor,
    bins: number | readonly (number | Tensor)[],
    range: readonly number[] | null,
    weight: Tensor | null,
    density: boolean,
  ): HistogramDd => {
    const op = 'histogramdd';
    expectDtype(op, x, 'f32');
    const dims = x.sizes.at(-1) ?? 0;
    if (x.ndim < 2 || dims < 1)
      throw new ShapeError(`${op}: expected points [..., coordinates], got ${formatShape(x.sizes)}`);
    checkRange(op, range, dims);
    expectWeight(op, weight, x.sizes.slice(0, -1));
    const each = typeof bins === 'number' ? new Array<number>(dims).fill(bins) : bins;
    if (each.length !== dims)
      throw new ArgumentError(`${op}: expected bins for each of ${dims} coordinates, got ${each.length}`);
    const points = ops.reshape({ x: x.detach() }, { shape: [x.size / dims, dims] });
    const columns = each.map((_, d) => flat(ops.slice({ x: points }, { dim: 1, start: d, length: 1, step: 1 })));
    const binEdges = each.map((bin, d) =>
      typeof bin === 'number'
        ? edgesOf(op, columns[d] as Tensor, bin, range?.slice(2 * d, 2 * d + 2) ?? null)
        : expectEdges(op, bin),
    );
    return { hist: counted(op, columns, binEdges, weight, density), binEdges };
  },
);
