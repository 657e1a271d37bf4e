// Cases of the views, and of the copies that join and lay out anew.
import { at, build, type Nd, nd } from '../../../reference/nd.ts';
import { argumentError, type Cases, dtypeError, f32, freedError, i32, shapeError, u8, whole } from './types.ts';

const EXACT = { relative: 0 };
const slices = [
  { dim: 0, start: 1, length: 2, step: 1 },
  { dim: 1, start: 0, length: 2, step: 3 },
  { dim: 2, start: 1, length: 2, step: 2 },
  { dim: 1, start: 4, length: 1, step: 7 },
  { dim: 0, start: 3, length: 0, step: 1 },
  { dim: 2, start: 0, length: 4, step: 1 },
];
const sliced = [3, 5, 4];
const backwards = [
  ...slices.map((attrs) => ({ ...attrs, shape: sliced })),
  { dim: 0, start: 1, length: 1, step: 1, shape: [3] },
];
const take = (x: Nd, shape: readonly number[], toSource: (index: readonly number[]) => number[]): Nd =>
  build(shape, (index) => at(x, toSource(index)));

export const shapeCases = {
  reshape: {
    samples: [
      { inputs: { x: f32([2, 6]) }, attrs: { shape: [3, 4] } },
      { inputs: { x: f32([2, 6]) }, attrs: { shape: [12] } },
      { inputs: { x: f32([1, 1]) }, attrs: { shape: [] } },
      { inputs: { x: f32([]) }, attrs: { shape: [1, 1, 1] } },
      { inputs: { x: f32([0, 3]) }, attrs: { shape: [5, 0] } },
      { inputs: { x: f32([31, 7]) }, attrs: { shape: [7, 31] } },
    ],
    reference: ({ x }, { shape }) => nd(shape, x.data),
    tolerance: EXACT,
    gradients: 'all',
    errors: [
      shapeError(
        { x: f32([2, 3]) },
        { shape: [4] },
        /^reshape: expected a shape of 6 elements for \[2, 3\], got \[4\]/,
      ),
      shapeError(
        { x: f32([2, 3]) },
        { shape: [-2, -3] },
        /^reshape: expected sizes to be whole numbers from 0, got \[-2, -3\]/,
      ),
      shapeError({ x: f32([2, 3]) }, { shape: [1.5, 4] }, /^reshape: expected sizes to be whole numbers/),
      shapeError({ x: f32([1]) }, { shape: [1, 1, 1, 1, 1, 1, 1, 1, 1] }, /^reshape: expected at most 8 dims, got 9/),
    ],
  },
  view: {
    // Shapes that all layouts allow: dims are cut, or of size 1. Those that join dims stand in view.test.ts.
    samples: [
      { inputs: { x: f32([2, 6]) }, attrs: { shape: [2, 3, 2] } },
      { inputs: { x: f32([12]) }, attrs: { shape: [2, 1, 6] } },
      { inputs: { x: f32([1, 1]) }, attrs: { shape: [] } },
      { inputs: { x: f32([]) }, attrs: { shape: [1, 1, 1] } },
      { inputs: { x: f32([0, 3]) }, attrs: { shape: [5, 0] } },
      { inputs: { x: f32([31, 8]) }, attrs: { shape: [31, 2, 1, 4] } },
    ],
    reference: ({ x }, { shape }) => nd(shape, x.data),
    tolerance: EXACT,
    gradients: 'all',
    errors: [
      shapeError({ x: f32([2, 3]) }, { shape: [4] }, /^view: expected a shape of 6 elements for \[2, 3\], got \[4\]/),
      shapeError({ x: f32([2, 3]) }, { shape: [-2, -3] }, /^view: expected sizes to be whole numbers from 0/),
      shapeError({ x: f32([1]) }, { shape: [1, 1, 1, 1, 1, 1, 1, 1, 1] }, /^view: expected at most 8 dims, got 9/),
    ],
  },
  permute: {
    samples: [
      { inputs: { x: f32([2, 3]) }, attrs: { dims: [1, 0] } },
      { inputs: { x: f32([2, 3, 4]) }, attrs: { dims: [2, 0, 1] } },
      { inputs: { x: f32([2, 3, 1, 5]) }, attrs: { dims: [3, 2, 0, 1] } },
      { inputs: { x: f32([7]) }, attrs: { dims: [0] } },
      { inputs: { x: f32([]) }, attrs: { dims: [] } },
      { inputs: { x: f32([0, 2]) }, attrs: { dims: [1, 0] } },
      { inputs: { x: i32([3, 2]) }, attrs: { dims: [1, 0] } },
    ],
    reference: ({ x }, { dims }) =>
      take(
        x,
        dims.map((d) => x.shape[d] as number),
        (index) => {
          const source: number[] = [];
          dims.forEach((d, i) => {
            source[d] = index[i] as number;
          });
          return source;
        },
      ),
    tolerance: EXACT,
    gradients: 'all',
    errors: [
      shapeError({ x: f32([2, 3]) }, { dims: [0] }, /^permute: expected each dim of \[2, 3\] once, got \[0\]/),
      shapeError({ x: f32([2, 3]) }, { dims: [0, 0] }, /^permute: expected each dim of \[2, 3\] once, got \[0, 0\]/),
      shapeError({ x: f32([2, 3]) }, { dims: [1, 2] }, /^permute: expected each dim of \[2, 3\] once, got \[1, 2\]/),
    ],
  },
  expand: {
    samples: [
      { inputs: { x: f32([3, 1]) }, attrs: { shape: [3, 4] } },
      { inputs: { x: f32([1]) }, attrs: { shape: [5] } },
      { inputs: { x: f32([]) }, attrs: { shape: [2, 3] } },
      { inputs: { x: f32([2, 1, 3]) }, attrs: { shape: [4, 2, 5, 3] } },
      { inputs: { x: f32([1, 3]) }, attrs: { shape: [0, 3] } },
      { inputs: { x: f32([0, 1]) }, attrs: { shape: [2, 0, 3] } },
      { inputs: { x: f32([7]) }, attrs: { shape: [7] } },
    ],
    reference: ({ x }, { shape }) => build(shape, (index) => at(x, index)),
    tolerance: EXACT,
    gradients: 'all',
    errors: [
      shapeError({ x: f32([2, 3]) }, { shape: [3] }, /^expand: expected a shape that \[2, 3\] stretches to, got \[3\]/),
      shapeError(
        { x: f32([2, 3]) },
        { shape: [4, 3] },
        /^expand: expected a shape that \[2, 3\] stretches to, got \[4, 3\]/,
      ),
      shapeError({ x: f32([2]) }, { shape: [-1, 2] }, /^expand: expected sizes to be whole numbers from 0/),
      shapeError({ x: f32([1]) }, { shape: [2 ** 16, 2 ** 16] }, /^expand: expected at most 2147483647 elements/),
    ],
  },
  unsqueeze: {
    samples: [
      { inputs: { x: f32([2, 3]) }, attrs: { dim: 0 } },
      { inputs: { x: f32([2, 3]) }, attrs: { dim: 1 } },
      { inputs: { x: f32([2, 3]) }, attrs: { dim: 2 } },
      { inputs: { x: f32([]) }, attrs: { dim: 0 } },
      { inputs: { x: f32([0]) }, attrs: { dim: 0 } },
    ],
    reference: ({ x }, { dim }) => nd(x.shape.toSpliced(dim, 0, 1), x.data),
    tolerance: EXACT,
    gradients: 'all',
    errors: [
      shapeError({ x: f32([2, 3]) }, { dim: 3 }, /^unsqueeze: expected dim from -3 to 2, got 3/),
      shapeError({ x: f32([2, 3]) }, { dim: 0.5 }, /^unsqueeze: expected dim from -3 to 2, got 0.5/),
      shapeError({ x: f32([1, 1, 1, 1, 1, 1, 1, 1]) }, { dim: 0 }, /^unsqueeze: expected at most 8 dims, got 9/),
    ],
  },
  squeeze: {
    samples: [
      { inputs: { x: f32([1, 3]) }, attrs: { dim: 0 } },
      { inputs: { x: f32([2, 1, 3]) }, attrs: { dim: 1 } },
      { inputs: { x: f32([2, 1]) }, attrs: { dim: 1 } },
      { inputs: { x: f32([1]) }, attrs: { dim: 0 } },
      { inputs: { x: f32([1, 0]) }, attrs: { dim: 0 } },
    ],
    reference: ({ x }, { dim }) => nd(x.shape.toSpliced(dim, 1), x.data),
    tolerance: EXACT,
    gradients: 'all',
    errors: [
      shapeError({ x: f32([2, 3]) }, { dim: 0 }, /^squeeze: expected size 1 at dim 0, got \[2, 3\]/),
      shapeError({ x: f32([1, 3]) }, { dim: 2 }, /^squeeze: expected size 1 at dim 2, got \[1, 3\]/),
      shapeError({ x: f32([]) }, { dim: 0 }, /^squeeze: expected size 1 at dim 0, got \[\]/),
    ],
  },
  slice: {
    samples: [
      ...slices.map((attrs) => ({ inputs: { x: f32(sliced) } as const, attrs })),
      { inputs: { x: f32([0, 2]) }, attrs: { dim: 0, start: 0, length: 0, step: 1 } },
      { inputs: { x: f32([101]) }, attrs: { dim: 0, start: 2, length: 33, step: 3 } },
      { inputs: { x: f32([1]) }, attrs: { dim: 0, start: 0, length: 1, step: 5 } },
    ],
    reference: ({ x }, { dim, start, length, step }) =>
      take(
        x,
        x.shape.map((s, d) => (d === dim ? length : s)),
        (index) => index.map((i, d) => (d === dim ? start + i * step : i)),
      ),
    tolerance: EXACT,
    gradients: 'all',
    errors: [
      shapeError(
        { x: f32([4]) },
        { dim: 0, start: 3, length: 2, step: 1 },
        /^slice: expected start, length and step inside dim 0 of \[4\], got 3, 2 and 1/,
      ),
      shapeError({ x: f32([4]) }, { dim: 0, start: -1, length: 2, step: 1 }, /^slice: expected .* got -1, 2 and 1/),
      shapeError({ x: f32([4]) }, { dim: 0, start: 0, length: 2, step: 0 }, /^slice: expected .* got 0, 2 and 0/),
      shapeError(
        { x: f32([4]) },
        { dim: 1, start: 0, length: 1, step: 1 },
        /^slice: expected .* inside dim 1 of \[4\]/,
      ),
      shapeError({ x: f32([4]) }, { dim: 0, start: 0.5, length: 1, step: 1 }, /^slice: expected .* got 0.5, 1 and 1/),
    ],
  },
  sliceBackward: {
    samples: backwards.map((attrs) => ({
      inputs: { g: f32(attrs.shape.map((s, d) => (d === attrs.dim ? attrs.length : s))) },
      attrs,
    })),
    reference: ({ g }, { shape, dim, start, length, step }) =>
      build(shape, (index) => {
        const i = ((index[dim] as number) - start) / step;
        return Number.isInteger(i) && i >= 0 && i < length
          ? at(
              { ...g, shape: g.shape },
              index.map((v, d) => (d === dim ? i : v)),
            )
          : 0;
      }),
    tolerance: EXACT,
    gradients: 'all',
    errors: [
      shapeError(
        { g: f32([2]) },
        { dim: 0, start: 3, length: 2, step: 1, shape: [4] },
        /^sliceBackward: expected start, length and step inside dim 0 of \[4\]/,
      ),
      shapeError(
        { g: f32([3]) },
        { dim: 0, start: 0, length: 2, step: 1, shape: [4] },
        /^sliceBackward: expected the gradient of shape \[2\], got \[3\]/,
      ),
      dtypeError(
        { g: i32([2]) },
        { dim: 0, start: 0, length: 2, step: 1, shape: [4] },
        /^sliceBackward: expected dtype f32, got i32/,
      ),
    ],
  },
  contiguous: {
    samples: [
      { inputs: { x: f32([2, 3]) } },
      { inputs: { x: f32([]) } },
      { inputs: { x: f32([0, 2]) } },
      { inputs: { x: f32([3, 5, 7]) } },
      { inputs: { x: f32([1009]) } },
    ],
    reference: ({ x }) => x,
    tolerance: EXACT,
    gradients: 'all',
    errors: [
      freedError({ x: f32([2, 3]) }, undefined),
      freedError({ x: i32([3]) }, undefined),
      freedError({ x: u8([]) }, undefined),
    ],
  },
  concat: {
    samples: [
      { inputs: { xs: [f32([2, 3]), f32([1, 3])] }, attrs: { dim: 0 } },
      { inputs: { xs: [f32([2, 3]), f32([2, 1]), f32([2, 4])] }, attrs: { dim: 1 } },
      { inputs: { xs: [f32([5])] }, attrs: { dim: 0 } },
      { inputs: { xs: [f32([0, 2]), f32([3, 2]), f32([0, 2])] }, attrs: { dim: 0 } },
      { inputs: { xs: [f32([0])] }, attrs: { dim: 0 } },
      { inputs: { xs: [f32([2, 5, 3]), f32([2, 2, 3])] }, attrs: { dim: 1 } },
      { inputs: { xs: [f32([1, 1, 1]), f32([1, 1, 1])] }, attrs: { dim: 2 } },
      { inputs: { xs: [f32([509]), f32([101])] }, attrs: { dim: 0 } },
    ],
    reference: ({ xs: parts }, { dim }) => {
      const first = parts[0] as Nd;
      const size = parts.reduce((sum, x) => sum + (x.shape[dim] as number), 0);
      return build(
        first.shape.map((s, d) => (d === dim ? size : s)),
        (index) => {
          let i = index[dim] as number;
          let part = 0;
          while (i >= ((parts[part] as Nd).shape[dim] as number)) i -= (parts[part++] as Nd).shape[dim] as number;
          return at(
            parts[part] as Nd,
            index.map((v, d) => (d === dim ? i : v)),
          );
        },
      );
    },
    tolerance: EXACT,
    gradients: 'all',
    errors: [
      argumentError({ xs: [] }, { dim: 0 }, /^concat: expected tensors of at least one dim, got none/),
      shapeError(
        { xs: [f32([2, 3]), f32([2, 4])] },
        { dim: 0 },
        /^concat: expected shapes that differ in dim 0 only, got \[2, 3\] and \[2, 4\]/,
      ),
      shapeError({ xs: [f32([2, 3]), f32([3])] }, { dim: 0 }, /^concat: expected shapes that differ in dim 0 only/),
      shapeError({ xs: [f32([2, 3]), f32([2, 3])] }, { dim: 2 }, /^concat: expected dim from -2 to 1, got 2/),
      dtypeError({ xs: [f32([2]), u8([2], whole(0, 9))] }, { dim: 0 }, /^concat: expected dtype f32, got u8/),
    ],
  },
} satisfies Cases;
