// Cases of the writes by index into a copy.

import type { Joining } from '../../../bindings/ops/scatter.ts';
import { at, build, forEachIndex, type Nd, nd } from '../../../reference/nd.ts';
import {
  argumentError,
  type Cases,
  distinct,
  dtypeError,
  f32,
  freedError,
  i32,
  list,
  type Sample,
  shapeError,
  u8,
  uniform,
  whole,
} from './types.ts';

const EXACT = { relative: 0 };

const join: Readonly<Record<Joining, (a: number, b: number) => number>> = {
  set: (_, b) => b,
  sum: (a, b) => a + b,
  prod: (a, b) => a * b,
  amax: Math.max,
  amin: Math.min,
};

/** A copy of x with the elements of src joined to those where `to` says. */
function joined(x: Nd, src: Nd, how: Joining, to: (index: readonly number[]) => readonly number[]): Nd {
  const result = nd(x.shape, x.data);
  forEachIndex(src.shape, (index) => {
    const p = to(index).reduce((sum, i, d) => sum * (x.shape[d] as number) + i, 0);
    result.data[p] = join[how](result.data[p] as number, at(src, index));
  });
  return result;
}

/** x, number of indices, dim. */
const layouts: readonly (readonly [x: readonly number[], m: number, dim: number])[] = [
  [[4], 3, 0],
  [[3, 4], 5, 0],
  [[2, 3, 5], 7, 1],
  [[1], 1, 0],
  [[3, 4], 0, 0],
  [[3, 0], 2, 0],
  [[31, 7], 40, 0],
  [[7, 31], 40, 1],
];
/** Each position of a lane once, so that all results have a gradient. */
const once: readonly (readonly [x: readonly number[], m: number, dim: number])[] = [
  [[4], 3, 0],
  [[5, 2], 4, 0],
  [[5, 4], 4, 0],
  [[2, 5], 5, 1],
  [[1], 1, 0],
  [[0, 3], 0, 0],
  [[37], 37, 0],
];

const scatter = ([x, m, dim]: (typeof layouts)[number], how: Joining): Sample<'scatter'> => ({
  inputs: {
    x: f32(x, distinct(0.3, 2)),
    index: i32(x.with(dim, m), whole(0, x[dim] as number)),
    src: f32(x.with(dim, m), how === 'prod' ? uniform(0.5, 1.5) : distinct(-1.9, 2.2)),
  },
  attrs: { dim, how },
});
/** 0, 1, … along the dim. */
const setting = ([x, m, dim]: (typeof layouts)[number]): Sample<'scatter'> => {
  const inner = x.slice(dim + 1).reduce((a, b) => a * b, 1);
  const index = i32(x.with(dim, m), (n) => Array.from({ length: n }, (_, p) => Math.floor(p / inner) % Math.max(1, m)));
  return { inputs: { x: f32(x), index, src: f32(x.with(dim, m)) }, attrs: { dim, how: 'set' } };
};
const copying = ([x, m, dim]: (typeof layouts)[number]): Sample<'indexCopy'> => ({
  inputs: {
    x: f32(x),
    index: i32([m], (n) => Array.from({ length: n }, (_, i) => (x[dim] as number) - 1 - i)),
    src: f32(x.with(dim, m)),
  },
  attrs: { dim },
});
const unlike = { x: f32([3]), index: i32([2], list(0)), src: f32([3]) };

export const scatterCases = {
  scatter: {
    samples: [
      ...(['sum', 'prod'] as const).flatMap((how) => layouts.map((layout) => scatter(layout, how))),
      // Of many, finite differences would meet the next in order.
      ...(['amax', 'amin'] as const).flatMap((how) =>
        layouts.map((layout, i) => ({ ...scatter(layout, how), valueOnly: i > 1 })),
      ),
      ...once.map(setting),
      // Products of larger ones are not whole in f64.
      ...(['set', 'sum', 'prod', 'amax', 'amin'] as const).map((how) => ({
        inputs: { x: i32([3, 4]), index: i32([5, 4], whole(0, 3)), src: i32([5, 4]) },
        attrs: { dim: 0, how },
      })),
      { ...scatter([[3, 4], 5, 0], 'set'), valueOnly: true },
      {
        inputs: {
          x: f32([4], list(2, 0, 3, 0)),
          index: i32([5], list(0, 0, 1, 2, 3)),
          src: f32([5], list(0, 2, 3, 0, 0)),
        },
        attrs: { dim: 0, how: 'prod' },
        valueOnly: true,
      },
    ],
    reference: ({ x, index, src }, { dim, how }) => joined(x, src, how, (i) => i.with(dim, at(index, i))),
    tolerance: { relative: 2e-6, absolute: 2e-6 },
    gradients: { x: true, index: false, src: true },
    gradientTolerance: 5e-5,
    errors: [
      argumentError(
        { x: f32([3]), index: i32([2], list(1, 3)), src: f32([2]) },
        { dim: 0, how: 'sum' },
        /^scatter: expected indices from 0 to 2 for dim 0 of \[3\], got 3 at position 1/,
      ),
      shapeError(unlike, { dim: 0, how: 'sum' }, /^scatter: expected src of shape \[2\], got \[3\]/),
      dtypeError(
        { x: f32([3]), index: i32([2], list(0)), src: i32([2]) },
        { dim: 0, how: 'sum' },
        /^scatter: expected both of one dtype, got f32 and i32/,
      ),
      shapeError(unlike, { dim: 1, how: 'sum' }, /^scatter: expected dim from -1 to 0, got 1/),
    ],
  },
  indexCopy: {
    samples: [
      ...once.map(copying),
      copying([[31, 7], 20, 0]),
      copying([[7, 31], 30, 1]),
      {
        inputs: { x: f32([3, 5]), index: i32([4], list(2, 0)), src: f32([4, 5]) },
        attrs: { dim: 0 },
        valueOnly: true,
      },
    ],
    reference: ({ x, index, src }, { dim }) =>
      joined(x, src, 'set', (i) => i.with(dim, index.data[i[dim] as number] as number)),
    tolerance: EXACT,
    gradients: { x: true, index: false, src: true },
    errors: [
      argumentError(
        { x: f32([3]), index: i32([2], list(1, -1)), src: f32([2]) },
        { dim: 0 },
        /^indexCopy: expected indices from 0 to 2 for dim 0 of \[3\], got -1 at position 1/,
      ),
      shapeError(unlike, { dim: 0 }, /^indexCopy: expected src of shape \[2\], got \[3\]/),
      dtypeError(
        { x: f32([3]), index: i32([2], list(0)), src: i32([2]) },
        { dim: 0 },
        /^indexCopy: expected both of one dtype, got f32 and i32/,
      ),
    ],
  },
  checkedIndex: {
    samples: [0, 1, 5, 37].map((n) => ({ inputs: { x: i32([n], whole(0, 7)) }, attrs: { size: 7, dim: 1 } })),
    reference: ({ x }) => x,
    dtype: 'i32',
    tolerance: EXACT,
    gradients: 'none',
    errors: [
      argumentError(
        { x: i32([3], list(0, -1, 2)) },
        { size: 3, dim: 1 },
        /^at: expected indices from -3 to 2 for dim 1, got -4 at position 1/,
      ),
      argumentError({ x: i32([3], list(0, 3)) }, { size: 3, dim: 1 }, /^at: expected indices .* got 3 at position 1/),
      dtypeError({ x: f32([3]) }, { size: 1, dim: 0 }, /^at: expected dtype i32, got f32/),
    ],
  },
  coordinate: {
    samples: [0, 1, 5, 37].map((n) => ({
      inputs: { x: i32([n], whole(0, 100)) },
      attrs: { size: 4, stride: 3 },
    })),
    reference: ({ x }, { size, stride }) => build(x.shape, (i) => Math.floor(at(x, i) / stride) % size),
    dtype: 'i32',
    tolerance: EXACT,
    gradients: 'none',
    errors: [
      dtypeError({ x: f32([3]) }, { size: 1, stride: 1 }, /^coordinate: expected dtype i32, got f32/),
      dtypeError({ x: u8([3]) }, { size: 1, stride: 1 }, /^coordinate: expected dtype i32, got u8/),
      freedError({ x: i32([3], whole(0, 3)) }, { size: 1, stride: 1 }),
    ],
  },
} satisfies Cases;
