// Cases of the ops that read or write by index.
import { at, build, forEachIndex, type Nd, nd } from '../../../reference/nd.ts';
import {
  argumentError,
  type Bad,
  type BadInputs,
  type Cases,
  dtypeError,
  f32,
  i32,
  list,
  type Sample,
  type Spec,
  shapeError,
  u8,
  whole,
} from './types.ts';

/** x, number of indices, dim; indices repeat. */
const layouts: readonly (readonly [x: readonly number[], m: number, dim: number])[] = [
  [[4], 6, 0],
  [[3, 4], 5, 0],
  [[3, 4], 2, 1],
  [[2, 3, 5], 7, 1],
  [[1], 1, 0],
  [[3, 4], 0, 0],
  [[3, 0], 2, 0],
  [[0, 3], 0, 0],
  [[3, 6], 5, 0],
  [[31, 7], 40, 0],
  [[7, 31], 40, 1],
];
const replaced = (shape: readonly number[], dim: number, size: number): number[] =>
  shape.map((s, d) => (d === dim ? size : s));
/** Index i of the result, with what the index list says at `dim`. */
const moved = (index: readonly number[], dim: number, to: number): number[] =>
  index.map((i, d) => (d === dim ? to : i));

const EXACT = { relative: 0 };
const SUMS = { relative: 1e-6, absolute: 2e-6 };
const position = (x: Nd, index: readonly number[]): number =>
  index.reduce((p, i, d) => p * (x.shape[d] as number) + i, 0);

/** A copy of x with the elements of src added where `to` says. */
function added(x: Nd, src: Nd, to: (index: readonly number[]) => number[]): Nd {
  const result = nd(x.shape, x.data);
  forEachIndex(src.shape, (index) => {
    const p = position(x, to(index));
    result.data[p] = (result.data[p] as number) + at(src, index);
  });
  return result;
}

/** Errors of the index itself: first input, then one that is out of range at both ends, then a wrong dtype. */
const indexErrors = (op: string, x: Spec, shape: readonly number[], src: BadInputs = {}): [Bad, Bad, Bad, Bad] => [
  argumentError(
    { x, index: i32(shape, list(0, 1, x.shape[0] as number)), ...src },
    { dim: 0 },
    new RegExp(`^${op}: expected indices from 0 to 2 for dim 0 of \\[3.*got 3 at position 2`),
  ),
  argumentError(
    { x, index: i32(shape, list(0, -1)), ...src },
    { dim: 0 },
    new RegExp(`^${op}: expected indices from 0 to 2 .*got -1 at position 1`),
  ),
  dtypeError({ x, index: f32(shape), ...src }, { dim: 0 }, new RegExp(`^${op}: expected dtype i32, got f32`)),
  shapeError({ x, index: i32(shape, whole(0, 2)), ...src }, { dim: 5 }, new RegExp(`^${op}: expected dim from`)),
];

const gathered = layouts.map(([x, m, dim]) => ({ shape: replaced(x, dim, m), high: x[dim] as number }));

export const indexingCases = {
  indexSelect: {
    samples: [
      ...layouts.map(([x, m, dim]) => ({
        inputs: { x: f32(x), index: i32([m], whole(0, x[dim] as number)) } as const,
        attrs: { dim },
      })),
      { inputs: { x: i32([5, 2]), index: i32([3], list(4, 0, 4)) }, attrs: { dim: 0 } },
    ],
    reference: ({ x, index }, { dim }) =>
      build(replaced(x.shape, dim, index.data.length), (i) =>
        at(x, moved(i, dim, index.data[i[dim] as number] as number)),
      ),
    tolerance: EXACT,
    gradients: { x: true, index: false },
    errors: [
      ...indexErrors('indexSelect', f32([3, 2]), [3]),
      shapeError(
        { x: f32([3, 2]), index: i32([2, 2], list(0)) },
        { dim: 0 },
        /^indexSelect: expected an index of 1 dim, got \[2, 2\]/,
      ),
      shapeError(
        { x: f32([]), index: i32([1], list(0)) },
        { dim: 0 },
        /^indexSelect: expected a tensor of at least 1 dim/,
      ),
    ],
  },
  indexAdd: {
    samples: layouts.map(([x, m, dim]) => ({
      inputs: { x: f32(x), index: i32([m], whole(0, x[dim] as number)), src: f32(replaced(x, dim, m)) },
      attrs: { dim },
    })),
    reference: ({ x, index, src }, { dim }) =>
      added(x, src, (i) => moved(i, dim, index.data[i[dim] as number] as number)),
    tolerance: SUMS,
    gradients: { x: true, index: false, src: true },
    errors: [
      ...indexErrors('indexAdd', f32([3, 2]), [3], { src: f32([3, 2]) }),
      shapeError(
        { x: f32([3, 2]), index: i32([2], list(0)), src: f32([3, 2]) },
        { dim: 0 },
        /^indexAdd: expected src of shape \[2, 2\], got \[3, 2\]/,
      ),
      dtypeError(
        { x: i32([3, 2]), index: i32([3], list(0)), src: f32([3, 2]) },
        { dim: 0 },
        /^indexAdd: expected dtype f32, got i32/,
      ),
    ],
  },
  gather: {
    samples: [
      ...layouts.map(([x, , dim], i) => {
        const { shape, high } = gathered[i] as (typeof gathered)[number];
        return { inputs: { x: f32(x), index: i32(shape, whole(0, high)) } as const, attrs: { dim } };
      }),
      { inputs: { x: i32([5, 2]), index: i32([1, 2], list(4, 1)) }, attrs: { dim: 0 } },
    ],
    reference: ({ x, index }, { dim }) => build(index.shape, (i) => at(x, moved(i, dim, at(index, i)))),
    tolerance: EXACT,
    gradients: { x: true, index: false },
    errors: [
      ...indexErrors('gather', f32([3, 2]), [3, 2]),
      shapeError(
        { x: f32([3, 2]), index: i32([3, 3], list(0)) },
        { dim: 0 },
        /^gather: expected index to have the shape \[3, 2\] but for dim 0, got \[3, 3\]/,
      ),
      shapeError({ x: f32([3, 2]), index: i32([3], list(0)) }, { dim: 0 }, /^gather: expected index to have the shape/),
    ],
  },
  scatterAdd: {
    samples: layouts.map(([x, , dim], i) => {
      const { shape, high } = gathered[i] as (typeof gathered)[number];
      return {
        inputs: { x: f32(x), index: i32(shape, whole(0, high)), src: f32(shape) },
        attrs: { dim },
      } satisfies Sample<'scatterAdd'>;
    }),
    reference: ({ x, index, src }, { dim }) => added(x, src, (i) => moved(i, dim, at(index, i))),
    tolerance: SUMS,
    gradients: { x: true, index: false, src: true },
    errors: [
      ...indexErrors('scatterAdd', f32([3, 2]), [3, 2], { src: f32([3, 2]) }),
      shapeError(
        { x: f32([3, 2]), index: i32([2, 2], list(0)), src: f32([3, 2]) },
        { dim: 0 },
        /^scatterAdd: expected src of shape \[2, 2\], got \[3, 2\]/,
      ),
      shapeError(
        { x: f32([3, 2]), index: i32([3, 3], list(0)), src: f32([3, 3]) },
        { dim: 0 },
        /^scatterAdd: expected index to have the shape/,
      ),
    ],
  },
  maskPositions: {
    samples: [[], [1], [0, 1], [1, 0, 1], [1, 0, 0, 1, 1], [0, 0, 255, 2], [3, 0, 0, 1, 0, 1, 1]]
      .map((mask) => ({
        inputs: { mask: u8([mask.length], () => mask) },
        attrs: { count: mask.filter((v) => v !== 0).length },
      }))
      .concat([
        {
          inputs: { mask: u8([1009], (n) => Array.from({ length: n }, (_, i) => Number(i % 3 === 1))) },
          attrs: { count: 336 },
        },
        { inputs: { mask: u8([3, 4], list(0, 1, 1)) }, attrs: { count: 8 } },
      ]),
    reference: ({ mask }) => {
      const positions = Array.from(mask.data).flatMap((v, i) => (v === 0 ? [] : [i]));
      return nd([positions.length], positions);
    },
    dtype: 'i32',
    tolerance: EXACT,
    gradients: 'none',
    errors: [
      argumentError(
        { mask: u8([4], list(1, 0)) },
        { count: 3 },
        /^maskPositions: expected 3 elements that are not 0, got 2/,
      ),
      dtypeError({ mask: i32([4]) }, { count: 0 }, /^maskPositions: expected dtype u8, got i32/),
      dtypeError({ mask: f32([4]) }, { count: 0 }, /^maskPositions: expected dtype u8, got f32/),
    ],
  },
} satisfies Cases;
