// Cases of the elementwise ops of two and three tensors.
import type { Dtype } from '../../../bindings/dtypes.ts';
import type { Shape } from '../../../bindings/tensor.ts';
import { binary, comparison as comparisons } from '../../../reference/elementwise.ts';
import { zip } from '../../../reference/nd.ts';
import {
  argumentError,
  type Bad,
  type Case,
  type Cases,
  dtypeError,
  type Fill,
  f32,
  freedError,
  grid,
  i32,
  list,
  type Sample,
  shapeError,
  u8,
  uniform,
  whole,
} from './types.ts';

type Pair = readonly [a: Shape, b: Shape];
/** Equal shapes, stretched dims on either side and on both, missing dims, sizes of none and of one, a prime. */
const pairs: readonly Pair[] = [
  [
    [2, 3],
    [2, 3],
  ],
  [[], []],
  [[5], []],
  [[], [2, 2]],
  [[3, 4], [4]],
  [[4], [3, 4]],
  [
    [3, 4],
    [3, 1],
  ],
  [
    [2, 1, 3],
    [4, 1],
  ],
  [[1], [6]],
  [[0, 3], [3]],
  [
    [0, 3],
    [1, 3],
  ],
  [
    [1, 0],
    [2, 1],
  ],
  [[1009], [1009]],
  [[7, 37], [37]],
  [[3, 10], [10]],
  [[10], [3, 10]],
  [
    [7, 37],
    [7, 1],
  ],
  [
    [2, 1, 3, 1, 5],
    [1, 4, 1, 2, 5],
  ],
];

const samples = (fill: Fill, other: Fill): Sample<'add'>[] =>
  pairs.map(([a, b]) => ({ inputs: { a: f32(a, fill), b: f32(b, other) } }));

const errors = (op: string, ...more: Bad[]): [Bad, Bad, Bad, ...Bad[]] => [
  shapeError(
    { a: f32([2, 3]), b: f32([4]) },
    undefined,
    new RegExp(`^${op}: expected shapes that broadcast together, got \\[2, 3\\] and \\[4\\]`),
  ),
  shapeError(
    { a: f32([2, 3]), b: f32([3, 2]) },
    undefined,
    new RegExp(`^${op}: expected shapes that broadcast.*sizes at dim 0 are 2 and 3`),
  ),
  argumentError({ a: { raw: 3n }, b: f32([2]) }, undefined, new RegExp(`^${op}: expected a tensor as a, got bigint`)),
  freedError({ a: f32([2]), b: f32([2]) }, undefined, 'b'),
  ...more,
];
const oneDtype = (op: string): Bad =>
  dtypeError(
    { a: f32([2]), b: i32([2]) },
    undefined,
    new RegExp(`^${op}: expected both of one dtype, got f32 and i32; convert one with .to\\('f32'\\)`),
  );
const floatOnly = (op: string): Bad =>
  dtypeError({ a: i32([2]), b: i32([2]) }, undefined, new RegExp(`^${op}: expected dtype f32, got i32`));

function arithmetic(op: keyof typeof binary, relative: number, fill: Fill = uniform(), other = fill): Case<'add'> {
  return {
    samples: samples(fill, other),
    reference: ({ a, b }) => zip(binary[op].forward as (...values: number[]) => number, a, b),
    tolerance: { relative },
    gradients: 'all',
    elementwise: true,
    errors: errors(op, ['div', 'pow'].includes(op) ? floatOnly(op) : oneDtype(op)),
  };
}

function comparison(op: keyof typeof comparisons): Case<'eq'> {
  const fill = grid(1);
  return {
    samples: samples(fill, fill),
    reference: ({ a, b }) => zip((x, y) => Number(comparisons[op](x as number, y as number)), a, b),
    dtype: 'u8',
    tolerance: { relative: 0 },
    gradients: 'none',
    elementwise: true,
    errors: errors(op, oneDtype(op)),
  };
}

/** Of bits (i32, u8) or of masks (u8 alone). */
function bitwise(
  op: string,
  make: typeof i32,
  f: (a: number, b: number) => number,
): Case<'bitwiseAnd'> & Case<'logicalAnd'> {
  const dtype = make([]).dtype;
  const fill = whole(0, 256);
  return {
    samples: [
      ...pairs.map(([a, b]) => ({ inputs: { a: make(a, fill), b: make(b, fill) } })),
      ...(dtype === 'i32' ? pairs.map(([a, b]) => ({ inputs: { a: u8(a, fill), b: u8(b, fill) } })) : []),
      { inputs: { a: make([4], list(0, 0, 2, 255)), b: make([4], list(0, 1, 1, 255)) } },
    ],
    reference: ({ a, b }) => zip(f as (...values: number[]) => number, a, b),
    tolerance: { relative: 0 },
    gradients: 'none',
    errors: [
      dtypeError({ a: f32([2]), b: make([2]) }, undefined, new RegExp(`^${op}: expected dtype .*, got f32`)),
      dtypeError(
        { a: make([2]), b: dtype === 'i32' ? u8([2]) : i32([2]) },
        undefined,
        new RegExp(`^${op}: expected (dtype u8, got i32|both of one dtype, got i32 and u8)`),
      ),
      shapeError({ a: make([2]), b: make([3]) }, undefined, new RegExp(`^${op}: expected shapes that broadcast`)),
    ],
  };
}

export const binaryCases = {
  add: arithmetic('add', 1e-7),
  sub: arithmetic('sub', 1e-7),
  mul: arithmetic('mul', 1e-7),
  div: arithmetic('div', 1e-7, uniform(), uniform(-3, 3, -0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3)),
  pow: arithmetic('pow', 3e-6, uniform(0.3, 3), uniform(-3, 3)),
  // The two fills never meet, so that finite differences see no kink.
  maximum: arithmetic('maximum', 0, grid(0.5), grid(0.5, 0.25)),
  minimum: arithmetic('minimum', 0, grid(0.5), grid(0.5, 0.25)),
  eq: comparison('eq'),
  ne: comparison('ne'),
  lt: comparison('lt'),
  le: comparison('le'),
  gt: comparison('gt'),
  ge: comparison('ge'),
  bitwiseAnd: bitwise('bitwiseAnd', i32, (a, b) => a & b),
  bitwiseOr: bitwise('bitwiseOr', i32, (a, b) => a | b),
  bitwiseXor: bitwise('bitwiseXor', i32, (a, b) => a ^ b),
  logicalAnd: bitwise('logicalAnd', u8, (a, b) => Number(a !== 0 && b !== 0)),
  logicalOr: bitwise('logicalOr', u8, (a, b) => Number(a !== 0 || b !== 0)),
  logicalXor: bitwise('logicalXor', u8, (a, b) => Number((a !== 0) !== (b !== 0))),
  where: {
    samples: [
      ...pairs.map(([a, b]) => ({ inputs: { condition: u8(b), a: f32(a), b: f32(b) } }) as const),
      { inputs: { condition: u8([2, 3]), a: f32([3]), b: f32([2, 1]) } },
      { inputs: { condition: u8([3], () => [255, 0, 2]), a: f32([4, 3]), b: f32([]) } },
      { inputs: { condition: u8([]), a: f32([2, 2]), b: f32([2, 2]) } },
    ],
    reference: ({ condition, a, b }) => zip((c, x, y) => (c !== 0 ? (x as number) : (y as number)), condition, a, b),
    dtype: (_, { a }) => a as Dtype,
    tolerance: { relative: 0 },
    gradients: { condition: false, a: true, b: true },
    elementwise: true,
    errors: [
      dtypeError({ condition: f32([2]), a: f32([2]), b: f32([2]) }, undefined, /^where: expected dtype u8, got f32/),
      dtypeError(
        { condition: u8([2]), a: i32([2]), b: f32([2]) },
        undefined,
        /^where: expected both of one dtype, got i32 and f32/,
      ),
      dtypeError({ condition: i32([2]), a: f32([2]), b: f32([2]) }, undefined, /^where: expected dtype u8, got i32/),
      shapeError(
        { condition: u8([2]), a: f32([3]), b: f32([]) },
        undefined,
        /^where: expected shapes that broadcast together, got \[2\] and \[3\] and \[\]/,
      ),
    ],
  },
} satisfies Cases;
