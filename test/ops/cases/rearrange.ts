// Cases of diagonals, windows and flips.
import { at, build, forEachIndex, type Nd } from '../../../reference/nd.ts';
import { type Cases, dtypeError, f32, freedError, i32, shapeError } from './types.ts';

const EXACT = { relative: 0 };
const SUMS = { relative: 1e-6, absolute: 1e-6 };

/** Zeros of `shape`, with the elements of g added where `to` says. */
function placed(g: Nd, shape: readonly number[], to: (index: readonly number[]) => readonly number[]): Nd {
  const result = build(shape, () => 0);
  forEachIndex(g.shape, (index) => {
    const p = to(index).reduce((sum, i, d) => sum * (shape[d] as number) + i, 0);
    result.data[p] = (result.data[p] as number) + at(g, index);
  });
  return result;
}

type Diagonal = { readonly offset: number; readonly dim1: number; readonly dim2: number };
const length = (shape: readonly number[], { offset, dim1, dim2 }: Diagonal): number => {
  const [rows, cols] = [shape[dim1] as number, shape[dim2] as number];
  return Math.max(0, offset >= 0 ? Math.min(rows, cols - offset) : Math.min(rows + offset, cols));
};
const diagonalShape = (shape: readonly number[], attrs: Diagonal): number[] => [
  ...shape.filter((_, d) => d !== attrs.dim1 && d !== attrs.dim2),
  length(shape, attrs),
];
/** Where an element of the diagonal is. */
const onDiagonal = (index: readonly number[], { offset, dim1, dim2 }: Diagonal): number[] => {
  const rest = index.slice(0, -1);
  const i = index.at(-1) as number;
  return Array.from({ length: index.length + 1 }, (_, d) =>
    d === dim1 ? i + Math.max(0, -offset) : d === dim2 ? i + Math.max(0, offset) : (rest.shift() as number),
  );
};
const diagonals: readonly (readonly [shape: readonly number[], attrs: Diagonal])[] = [
  [[3, 4], { offset: 0, dim1: 0, dim2: 1 }],
  [[3, 4], { offset: 2, dim1: 1, dim2: 0 }],
  [[3, 4], { offset: -1, dim1: 0, dim2: 1 }],
  [[3, 4], { offset: 9, dim1: 0, dim2: 1 }],
  [[2, 5, 3], { offset: 1, dim1: 2, dim2: 1 }],
  [[1, 1], { offset: 0, dim1: 0, dim2: 1 }],
  [[0, 4], { offset: 0, dim1: 0, dim2: 1 }],
  [[31, 37], { offset: -3, dim1: 0, dim2: 1 }],
];

type Windows = { readonly dim: number; readonly size: number; readonly step: number };
const windowed = (shape: readonly number[], { dim, size, step }: Windows): number[] => [
  ...shape.with(dim, Math.floor(((shape[dim] as number) - size) / step) + 1),
  size,
];
const inWindow = (index: readonly number[], { dim, step }: Windows): number[] =>
  index.slice(0, -1).with(dim, (index[dim] as number) * step + (index.at(-1) as number));
const windows: readonly (readonly [shape: readonly number[], attrs: Windows])[] = [
  [[7], { dim: 0, size: 3, step: 1 }],
  [[7], { dim: 0, size: 5, step: 2 }],
  [[3, 6], { dim: 0, size: 2, step: 1 }],
  [[3, 6, 2], { dim: 1, size: 3, step: 3 }],
  [[1], { dim: 0, size: 1, step: 1 }],
  [[4], { dim: 0, size: 0, step: 1 }],
  [[0, 4], { dim: 1, size: 2, step: 2 }],
  [[67, 31], { dim: 1, size: 29, step: 1 }],
];

export const rearrangeCases = {
  diagonal: {
    samples: [
      ...diagonals.map(([shape, attrs]) => ({ inputs: { x: f32(shape) }, attrs })),
      { inputs: { x: i32([3, 3]) }, attrs: { offset: 1, dim1: 0, dim2: 1 } },
    ],
    reference: ({ x }, attrs) => build(diagonalShape(x.shape, attrs), (index) => at(x, onDiagonal(index, attrs))),
    tolerance: EXACT,
    gradients: 'all',
    errors: [
      shapeError({ x: f32([3]) }, { offset: 0, dim1: 0, dim2: 1 }, /^diagonal: expected dim from -1 to 0, got 1/),
      shapeError({ x: f32([3, 2]) }, { offset: 0, dim1: 1, dim2: 1 }, /^diagonal: expected two dims .*got 1 and 1/),
      freedError({ x: f32([3, 2]) }, { offset: 0, dim1: 0, dim2: 1 }),
    ],
  },
  diagonalBackward: {
    samples: diagonals.map(([shape, attrs]) => ({
      inputs: { g: f32(diagonalShape(shape, attrs)) },
      attrs: { ...attrs, shape },
    })),
    reference: ({ g }, { shape, ...attrs }) => placed(g, shape, (index) => onDiagonal(index, attrs)),
    tolerance: EXACT,
    gradients: 'all',
    errors: [
      shapeError(
        { g: f32([3]) },
        { offset: 0, dim1: 0, dim2: 1, shape: [3] },
        /^diagonalBackward: expected dim from -1 to 0, got 1/,
      ),
      shapeError(
        { g: f32([3]) },
        { offset: 1, dim1: 0, dim2: 1, shape: [3, 3] },
        /^diagonalBackward: expected the diagonal of shape \[2\], got \[3\]/,
      ),
      freedError({ g: f32([3]) }, { offset: 0, dim1: 0, dim2: 1, shape: [3, 3] }, 'g'),
    ],
  },
  windows: {
    samples: windows.map(([shape, attrs]) => ({ inputs: { x: f32(shape) }, attrs })),
    reference: ({ x }, attrs) => build(windowed(x.shape, attrs), (index) => at(x, inWindow(index, attrs))),
    tolerance: EXACT,
    gradients: 'all',
    errors: [
      shapeError({ x: f32([3]) }, { dim: 0, size: 4, step: 1 }, /^unfold: expected a size from 0 to 3 .*got 4 and 1/),
      shapeError({ x: f32([3]) }, { dim: 0, size: 2, step: 0 }, /^unfold: expected .* a step >= 1 .*got 2 and 0/),
      shapeError({ x: f32([3]) }, { dim: 1, size: 2, step: 1 }, /^unfold: expected dim from -1 to 0, got 1/),
    ],
  },
  windowsBackward: {
    samples: windows.map(([shape, attrs]) => ({
      inputs: { g: f32(windowed(shape, attrs)) },
      attrs: { ...attrs, shape },
    })),
    reference: ({ g }, { shape, ...attrs }) => placed(g, shape, (index) => inWindow(index, attrs)),
    tolerance: SUMS,
    gradients: 'all',
    errors: [
      shapeError(
        { g: f32([3, 2]) },
        { dim: 0, size: 2, step: 1, shape: [3] },
        /^windowsBackward: expected the gradient of shape \[2, 2\], got \[3, 2\]/,
      ),
      shapeError(
        { g: f32([3, 4]) },
        { dim: 0, size: 4, step: 1, shape: [3] },
        /^windowsBackward: expected a size from 0 to 3/,
      ),
      dtypeError({ g: i32([2, 2]) }, { dim: 0, size: 2, step: 1, shape: [3] }, /^windowsBackward: expected dtype f32/),
    ],
  },
  flip: {
    samples: [
      { inputs: { x: f32([5]) }, attrs: { dims: [0] } },
      { inputs: { x: f32([3, 4]) }, attrs: { dims: [1] } },
      { inputs: { x: f32([3, 4, 5]) }, attrs: { dims: [2, 0] } },
      { inputs: { x: f32([]) }, attrs: { dims: [] } },
      { inputs: { x: f32([0, 2]) }, attrs: { dims: [0, 1] } },
      { inputs: { x: f32([1]) }, attrs: { dims: [0] } },
      { inputs: { x: f32([31, 67]) }, attrs: { dims: [0] } },
    ],
    reference: ({ x }, { dims }) =>
      build(x.shape, (index) =>
        at(
          x,
          index.map((i, d) => (dims.includes(d) ? (x.shape[d] as number) - 1 - i : i)),
        ),
      ),
    tolerance: EXACT,
    gradients: 'all',
    errors: [
      shapeError({ x: f32([3]) }, { dims: [1] }, /^flip: expected dim from -1 to 0, got 1/),
      shapeError({ x: f32([3]) }, { dims: [-2] }, /^flip: expected dim from -1 to 0, got -2/),
      freedError({ x: f32([3]) }, { dims: [0] }),
    ],
  },
} satisfies Cases;
