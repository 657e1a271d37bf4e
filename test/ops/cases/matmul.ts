// Cases of the matrix products.
import { build, matmulNd, type Nd, zip } from '../../../reference/nd.ts';
import { argumentError, type Cases, dtypeError, f32, i32, shapeError } from './types.ts';

/** Around the tile and its edges, with no rows, no columns and nothing to sum; batches broadcast. */
const shapes: readonly (readonly [readonly number[], readonly number[]])[] = [
  [
    [2, 3],
    [3, 4],
  ],
  [
    [1, 1],
    [1, 1],
  ],
  [
    [1, 7],
    [7, 1],
  ],
  [
    [5, 1],
    [1, 6],
  ],
  [
    [4, 8],
    [8, 8],
  ],
  [
    [9, 17],
    [17, 13],
  ],
  [
    [0, 3],
    [3, 2],
  ],
  [
    [2, 3],
    [3, 0],
  ],
  [
    [2, 0],
    [0, 3],
  ],
  [
    [3, 2, 4],
    [3, 4, 5],
  ],
  [
    [2, 3],
    [4, 3, 2],
  ],
  [
    [4, 2, 3],
    [3, 2],
  ],
  [
    [2, 1, 2, 3],
    [3, 3, 2],
  ],
  [
    [1, 2, 3],
    [5, 3, 2],
  ],
  [
    [0, 2, 3],
    [3, 2],
  ],
  [
    [33, 67],
    [67, 31],
  ],
];

const transposed = (x: Nd): Nd =>
  build(
    [x.shape[1] as number, x.shape[0] as number],
    ([i, j]) => x.data[(j as number) * (x.shape[1] as number) + (i as number)] as number,
  );

export const matmulCases = {
  matmul: {
    samples: shapes.map(([a, b]) => ({ inputs: { a: f32(a), b: f32(b) } })),
    reference: ({ a, b }) => matmulNd(a, b),
    tolerance: { relative: 1e-6, absolute: 2e-5 },
    gradients: 'all',
    errors: [
      shapeError(
        { a: f32([2, 3]), b: f32([4, 5]) },
        undefined,
        /^matmul: expected inner dimensions to match, got \[2, 3\] and \[4, 5\]/,
      ),
      shapeError(
        { a: f32([3]), b: f32([3, 2]) },
        undefined,
        /^matmul: expected at least 2 dims each, got \[3\] and \[3, 2\]/,
      ),
      shapeError(
        { a: f32([2, 2, 3]), b: f32([3, 3, 2]) },
        undefined,
        /^matmul: expected shapes that broadcast together, got \[2\] and \[3\]/,
      ),
      dtypeError({ a: f32([2, 3]), b: i32([3, 2]) }, undefined, /^matmul: expected dtype f32, got i32/),
      argumentError(
        { a: { raw: [[1, 2, 3]] }, b: f32([3, 2]) },
        undefined,
        /^matmul: expected a tensor as a, got object/,
      ),
    ],
  },
  linear: {
    samples: [
      ...[
        [2, 3, 4],
        [1, 1, 1],
        [5, 7, 3],
        [0, 3, 2],
        [3, 0, 2],
        [3, 2, 0],
        [17, 33, 9],
        [8, 37, 10],
      ].flatMap(([n, inner, out]) => [
        {
          inputs: {
            x: f32([n, inner] as number[]),
            weight: f32([out, inner] as number[]),
            bias: f32([out] as number[]),
          } as const,
        },
        { inputs: { x: f32([n, inner] as number[]), weight: f32([out, inner] as number[]), bias: null } as const },
      ]),
    ],
    reference: ({ x, weight, bias }) => {
      const product = matmulNd(x, transposed(weight));
      return bias ? zip((a, b) => (a as number) + (b as number), product, bias) : product;
    },
    tolerance: { relative: 1e-6, absolute: 2e-5 },
    gradients: 'all',

    errors: [
      shapeError(
        { x: f32([2, 3]), weight: f32([3, 2]), bias: null },
        undefined,
        /^linear: expected input \[n, in\] and weight \[out, in\], got \[2, 3\] and \[3, 2\]/,
      ),
      shapeError(
        { x: f32([2, 3]), weight: f32([4, 3]), bias: f32([3]) },
        undefined,
        /^linear: expected bias of shape \[4\], got \[3\]/,
      ),
      shapeError(
        { x: f32([2, 2, 3]), weight: f32([4, 3]), bias: null },
        undefined,
        /^linear: expected input \[n, in\]/,
      ),
      dtypeError(
        { x: f32([2, 3]), weight: i32([4, 3]), bias: null },
        undefined,
        /^linear: expected dtype f32, got i32/,
      ),
    ],
  },
} satisfies Cases;
