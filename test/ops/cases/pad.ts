// Cases of padding.
import { at, build, forEachIndex, type Nd, nd } from '../../../reference/nd.ts';
import { type AttrsOf, argumentError, type Cases, dtypeError, f32, i32, shapeError, u8 } from './types.ts';

const EXACT = { relative: 0 };
const SUMS = { relative: 1e-6, absolute: 1e-6 };
type Pairs = readonly (readonly [number, number])[];
const constants: readonly (readonly [x: readonly number[], pads: Pairs])[] = [
  [[], []],
  [[4], [[1, 2]]],
  [
    [2, 3],
    [
      [0, 0],
      [-1, 2],
    ],
  ],
  [
    [2, 3, 4],
    [
      [1, 0],
      [-1, -1],
      [3, 1],
    ],
  ],
  [
    [0, 3],
    [
      [0, 0],
      [1, 1],
    ],
  ],
  [[3], [[-3, 0]]],
  [
    [33, 17],
    [
      [2, 0],
      [-4, 5],
    ],
  ],
];
type Edged = AttrsOf<'padEdge'>;
const edged: readonly (readonly [x: readonly number[], Edged])[] = [
  [[4], { dim: 0, pads: [[3, 2]], mode: 'reflect' }],
  [[4], { dim: 0, pads: [[1, 2]], mode: 'reflect' }],
  [[1], { dim: 0, pads: [[2, 3]], mode: 'replicate' }],
  [[2, 3], { dim: 1, pads: [[3, 3]], mode: 'circular' }],
  [[2, 5, 3], { dim: 1, pads: [[2, 4]], mode: 'reflect' }],
  [[2, 5, 7], { dim: 1, pads: [[-2, 3]], mode: 'replicate' }],
  [[3, 6], { dim: 1, pads: [[1, -2]], mode: 'reflect' }],
  [[3, 6], { dim: 1, pads: [[-3, -2]], mode: 'replicate' }],
  [[2, 5, 4], { dim: 1, pads: [[2, 1]], mode: 'reflect' }],
  [[2, 3, 8], { dim: 1, pads: [[2, 3]], mode: 'circular' }],
  [[0, 3, 2], { dim: 1, pads: [[1, 1]], mode: 'circular' }],
  [[67, 9], { dim: 1, pads: [[2, 1]], mode: 'circular' }],
  [[9, 67], { dim: 0, pads: [[8, 3]], mode: 'reflect' }],
  [
    [2, 3, 4],
    {
      dim: 1,
      pads: [
        [1, 2],
        [2, 3],
      ],
      mode: 'reflect',
    },
  ],
  [
    [2, 3, 4, 2],
    {
      dim: 1,
      pads: [
        [0, 2],
        [-1, 3],
      ],
      mode: 'replicate',
    },
  ],
  [
    [3, 2, 2, 3],
    {
      dim: 1,
      pads: [
        [2, 1],
        [1, 0],
        [2, 3],
      ],
      mode: 'circular',
    },
  ],
];
const paddedShape = (x: readonly number[], { dim, pads }: Edged): number[] =>
  x.map((size, d) => size + (pads[d - dim]?.[0] ?? 0) + (pads[d - dim]?.[1] ?? 0));
/** Where position j of padded dim d comes from, step by step as the definition walks. */
function sourceOf(n: number, { dim, pads, mode }: Edged, d: number, j: number): number {
  const pad = pads[d - dim];
  if (!pad) return j;
  const i = j - pad[0];
  if (mode === 'replicate') return Math.min(Math.max(i, 0), n - 1);
  if (mode === 'circular') return ((i % n) + n) % n;
  return i < 0 ? -i : i < n ? i : n - 1 - (i - (n - 1));
}
function taken(x: Nd, attrs: Edged): Nd {
  return build(paddedShape(x.shape, attrs), (index) =>
    at(
      x,
      index.map((j, d) => sourceOf(x.shape[d] as number, attrs, d, j)),
    ),
  );
}
function given(g: Nd, shape: readonly number[], attrs: Edged): Nd {
  const dx = nd(shape, new Float64Array(shape.reduce((a, b) => a * b, 1)));
  forEachIndex(g.shape, (index) => {
    const to = index.map((j, d) => sourceOf(shape[d] as number, attrs, d, j));
    const p = to.reduce((sum, i, d) => sum * (shape[d] as number) + i, 0);
    dx.data[p] = (dx.data[p] as number) + at(g, index);
  });
  return dx;
}

export const padCases = {
  pad: {
    samples: [
      ...constants.map(([x, pads]) => ({ inputs: { x: f32(x) }, attrs: { pads, value: 0.5 } })),
      ...constants.map(([x, pads]) => ({ inputs: { x: i32(x) }, attrs: { pads, value: -7 } })),
      ...constants.map(([x, pads]) => ({ inputs: { x: u8(x) }, attrs: { pads, value: 200 } })),
    ],
    reference: ({ x }, { pads, value }) => {
      const shape = x.shape.map((size, d) => size + (pads[d]?.[0] ?? 0) + (pads[d]?.[1] ?? 0));
      return build(shape, (index) => {
        const from = index.map((j, d) => j - (pads[d]?.[0] ?? 0));
        return from.every((i, d) => i >= 0 && i < (x.shape[d] as number)) ? at(x, from) : value;
      });
    },
    tolerance: EXACT,
    gradients: 'all',
    errors: [
      argumentError({ x: f32([2, 3]) }, { pads: [[1, 1]], value: 0 }, /^pad: expected two whole numbers for each dim/),
      argumentError({ x: f32([2]) }, { pads: [[1, 0.5]], value: 0 }, /^pad: expected two whole numbers for each dim/),
      argumentError({ x: u8([2]) }, { pads: [[1, 1]], value: -1 }, /^pad: expected/),
      shapeError(
        { x: f32([3]) },
        { pads: [[-4, 5]], value: 0 },
        /^pad: expected padding that cuts off no more than there is, got -4 and 5 around dim 0 of \[3\]/,
      ),
      shapeError({ x: f32([3]) }, { pads: [[-2, -2]], value: 0 }, /^pad: expected padding that cuts off no more/),
    ],
  },
  padEdge: {
    samples: edged.map(([x, attrs]) => ({ inputs: { x: f32(x) }, attrs })),
    reference: ({ x }, attrs) => taken(x, attrs),
    tolerance: EXACT,
    gradients: 'all',
    errors: [
      dtypeError(
        { x: u8([3]) },
        { dim: 0, pads: [[1, 1]], mode: 'reflect' },
        /^padEdge: expected dtype f32 or i32, got u8/,
      ),
      shapeError({ x: f32([3]) }, { dim: 1, pads: [[1, 1]], mode: 'reflect' }, /^padEdge: expected dim from -1/),
      shapeError(
        { x: f32([3]) },
        { dim: 0, pads: [[3, 0]], mode: 'reflect' },
        /^padEdge: expected at most 2 elements of padding by 'reflect' around dim 0 of \[3\], got 3 and 0/,
      ),
      shapeError(
        { x: f32([3]) },
        { dim: 0, pads: [[0, 4]], mode: 'circular' },
        /^padEdge: expected at most 3 elements of padding by 'circular'/,
      ),
      shapeError(
        { x: f32([3, 0]) },
        { dim: 1, pads: [[1, 0]], mode: 'replicate' },
        /^padEdge: expected at most .* elements of padding by 'replicate' around dim 1 of \[3, 0\]/,
      ),
      shapeError(
        { x: f32([3]) },
        { dim: 0, pads: [[-3, 3]], mode: 'replicate' },
        /^padEdge: expected padding that leaves an element of dim 0 of \[3\], got -3 and 3/,
      ),
    ],
  },
  padEdgeBackward: {
    samples: edged.map(([x, attrs]) => ({
      inputs: { g: f32(paddedShape(x, attrs)) },
      attrs: { ...attrs, shape: x },
    })),
    reference: ({ g }, { shape, ...attrs }) => given(g, shape, attrs),
    tolerance: SUMS,
    gradients: 'all',
    errors: [
      dtypeError(
        { g: i32([5]) },
        { dim: 0, pads: [[1, 1]], mode: 'reflect', shape: [3] },
        /^padEdgeBackward: expected dtype f32, got i32/,
      ),
      shapeError(
        { g: f32([4]) },
        { dim: 0, pads: [[1, 1]], mode: 'reflect', shape: [3] },
        /^padEdgeBackward: expected the gradient of shape \[5\], got \[4\]/,
      ),
      shapeError(
        { g: f32([5]) },
        { dim: 0, pads: [[3, -1]], mode: 'reflect', shape: [3] },
        /^padEdgeBackward: expected at most 2 elements/,
      ),
    ],
  },
} satisfies Cases;
