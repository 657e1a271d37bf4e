// Sums and the like over axes.
import { cast } from '../../functional/arguments.ts';
import * as F from '../../functional/elementwise.ts';
import { pad } from '../../functional/pad.ts';
import { flip } from '../../functional/rearrange.ts';
import * as R from '../../functional/reduction.ts';
import { argmax, argmin, cumsum } from '../../functional/reduction.ts';
import { narrow } from '../../functional/shape.ts';
import { cumprod } from '../../functional/sums.ts';
import type { Tensor } from '../../tensor.ts';
import * as H from '../host.ts';
import { DATA } from '../messages.ts';
import { always, type Call, type Family, type Operator } from '../operator.ts';
import { dtypeOf, type HostArray } from '../values.ts';

type Reduction = (x: Tensor, dims: number[], keepdim: boolean) => Tensor;
type OnHost = (x: HostArray, dims: number[], keep: boolean) => HostArray;

/** The axes, null for none at all: then nothing is reduced. */
function dimsOf(call: Call, rank: number): number[] | null {
  const axes = call.listOr(1, 'axes');
  if (axes && axes.length > 0) return axes.map((axis) => call.axis(axis, rank));
  return call.attr('noop_with_empty_axes') ? null : Array.from({ length: rank }, (_, d) => d);
}

/** @param alone what stands for the reduction of an element by itself */
const reduction = (fn: Reduction, host?: OnHost, alone: (x: Tensor) => Tensor = (x) => x): Operator => ({
  takes: 'data axes?# | axes:ints keepdims=1 noop_with_empty_axes=0',
  ...(host && {
    host: (call: Call, x: HostArray) => {
      const dims = dimsOf(call, x.sizes.length);
      return dims ? host(x, dims, call.attr('keepdims') !== 0) : x;
    },
  }),
  run: (call) => {
    const x = call.x();
    const dims = dimsOf(call, x.ndim);
    const y = !dims || x.ndim === 0 ? alone(x) : fn(x, dims, call.attr('keepdims') !== 0);
    return cast(y, dtypeOf(call.type()));
  },
});

const folding =
  (fn: (a: number, b: number) => number, start?: number): OnHost =>
  (x, dims, keep) =>
    H.folded(x, dims, keep, fn, start);

/** Greatest and least, which have no numbers to begin with where there are no elements. */
const extreme =
  (fn: Reduction, none: number): Reduction =>
  (x, dims, keep) => {
    if (x.size > 0) return fn(x, dims, keep);
    return F.add(R.sum(x, dims, keep), x.dtype === 'f32' ? none : 0);
  };

const squares: Reduction = (x, dims, keep) => R.sum(F.square(x), dims, keep);
const sizes: Reduction = (x, dims, keep) => R.sum(F.abs(x), dims, keep);

/** Where the greatest or least element is; with select_last_index the last of equal ones. */
const place = (fn: typeof argmax): Operator => ({
  takes: 'data | axis=0 keepdims=1 select_last_index=0',
  types: always(DATA.INT64),
  run: (call) => {
    const x = call.x();
    const axis = call.axis(call.attr('axis'), x.ndim);
    const keep = call.attr('keepdims') !== 0;
    if (!call.attr('select_last_index')) return fn(x, axis, keep);
    return F.add(F.neg(fn(flip(x, [axis]), axis, keep)), (x.sizes[axis] as number) - 1);
  },
});

const running = (fn: (x: Tensor, dim: number) => Tensor, start: number): Operator => ({
  takes: 'X axis# | exclusive=0 reverse=0',
  run: (call) => {
    const x = call.x();
    const dim = call.axis(call.number(1), x.ndim);
    const turned = (y: Tensor): Tensor => (call.attr('reverse') ? flip(y, [dim]) : y);
    let y = turned(x);
    if (call.attr('exclusive')) {
      const length = y.sizes[dim] as number;
      const sides = y.sizes.flatMap((_, i) => [y.ndim - 1 - i === dim ? 1 : 0, 0]);
      y = narrow(pad(y, sides, 'constant', start), dim, 0, length);
    }
    return cast(turned(fn(y, dim)), dtypeOf(call.type()));
  },
});

export const reductions: Family = {
  ArgMax: place(argmax),
  ArgMin: place(argmin),
  CumProd: running(cumprod, 1),
  CumSum: running(cumsum, 0),
  ReduceL1: reduction(sizes, undefined, F.abs),
  ReduceL2: reduction((x, dims, keep) => F.sqrt(squares(x, dims, keep)), undefined, F.abs),
  ReduceLogSum: reduction((x, dims, keep) => F.log(R.sum(x, dims, keep)), undefined, F.log),
  ReduceLogSumExp: reduction((x, dims, keep) =>
    x.size > 0 ? R.logsumexp(x, dims, keep) : F.log(R.sum(cast(x, 'f32'), dims, keep)),
  ),
  ReduceMax: reduction(extreme(R.amax, Number.NEGATIVE_INFINITY), folding(Math.max)),
  ReduceMean: reduction((x, dims, keep) => R.mean(cast(x, 'f32'), dims, keep)),
  ReduceMin: reduction(extreme(R.amin, Number.POSITIVE_INFINITY), folding(Math.min)),
  ReduceProd: reduction(
    R.prod,
    folding((a, b) => a * b, 1),
  ),
  ReduceSum: reduction(
    R.sum,
    folding((a, b) => a + b, 0),
  ),
  ReduceSumSquare: reduction(squares, undefined, F.square),
};
