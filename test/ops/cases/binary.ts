// Cases of the elementwise ops of two and three tensors.
import type { BinaryOps } from '../../../bindings/ops/binary.ts';
import type { Shape } from '../../../bindings/tensor.ts';
import { binary, comparison as comparisons } from '../../support/reference.ts';
import { zip } from '../../support/tensors.ts';
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
  type Sample,
  shapeError,
  u8,
  uniform,
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
  pairs.map(([a, b]) => ({ inputs: [f32(a, fill), f32(b, other)] }));
const integers: readonly Sample<'add'>[] = pairs.map(([a, b]) => ({ inputs: [i32(a), i32(b)] }));

const errors = (op: string, ...more: Bad[]): [Bad, Bad, Bad, ...Bad[]] => [
  shapeError(
    [f32([2, 3]), f32([4])],
    undefined,
    new RegExp(`^${op}: expected shapes that broadcast together, got \\[2, 3\\] and \\[4\\]`),
  ),
  shapeError(
    [f32([2, 3]), f32([3, 2])],
    undefined,
    new RegExp(`^${op}: expected shapes that broadcast.*sizes at dim 0 are 2 and 3`),
  ),
  dtypeError(
    [f32([2]), u8([2])],
    undefined,
    new RegExp(`^${op}: expected both of one dtype, got f32 and u8; convert one with .to\\('f32'\\)`),
  ),
  argumentError([{ raw: 3n }, f32([2])], undefined, new RegExp(`^${op}: expected a tensor as argument 1, got bigint`)),
  freedError([f32([2]), f32([2])], undefined, 1),
  ...more,
];
const floatOnly = (op: string): Bad =>
  dtypeError([i32([2]), i32([2])], undefined, new RegExp(`^${op}: expected dtype f32, got i32`));

function arithmetic(op: keyof typeof binary, relative: number, fill: Fill = uniform(), other = fill): Case<'add'> {
  return {
    samples: samples(fill, other),
    reference: ([a, b]) => zip(binary[op].forward as (...values: number[]) => number, a, b),
    tolerance: { relative },
    gradients: 'all',
    elementwise: true,
    errors: errors(op, ...(['div', 'pow', 'maximum', 'minimum'].includes(op) ? [floatOnly(op)] : [])),
  };
}

/** With samples of integers, which must be exact and wrap as 32-bit numbers do. */
function withIntegers(base: Case<'add'>, f: (a: number, b: number) => number): Case<'add'> {
  const large: Sample<'add'> = {
    inputs: [i32([3], () => [2 ** 31 - 1, -(2 ** 31), 65537]), i32([3], () => [1, -1, 65537])],
  };
  return {
    ...base,
    samples: [...base.samples, ...integers, large],
    reference: (inputs, attrs) => {
      const [a, b] = inputs;
      const wraps = [a, b].some((x) => x.data.includes(65537));
      return wraps ? zip(f as (...values: number[]) => number, a, b) : base.reference(inputs, attrs);
    },
  };
}

function comparison(op: keyof typeof comparisons): Case<'eq'> {
  const fill = grid(1);
  return {
    samples: [...samples(fill, fill), ...integers],
    reference: ([a, b]) => zip((x, y) => Number(comparisons[op](x as number, y as number)), a, b),
    dtype: 'u8',
    tolerance: { relative: 0 },
    gradients: 'none',
    elementwise: true,
    errors: errors(op),
  };
}

export const binaryCases: Cases<BinaryOps> = {
  add: withIntegers(arithmetic('add', 1e-7), (a, b) => (a + b) | 0),
  sub: withIntegers(arithmetic('sub', 1e-7), (a, b) => (a - b) | 0),
  mul: withIntegers(arithmetic('mul', 1e-7), Math.imul),
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
  where: {
    samples: [
      ...pairs.map(([a, b]) => ({ inputs: [u8(b), f32(a), f32(b)] }) as const),
      { inputs: [u8([2, 3]), f32([3]), f32([2, 1])] },
      { inputs: [u8([3], () => [255, 0, 2]), f32([4, 3]), f32([])] },
      { inputs: [u8([]), f32([2, 2]), f32([2, 2])] },
    ],
    reference: ([condition, a, b]) => zip((c, x, y) => (c !== 0 ? (x as number) : (y as number)), condition, a, b),
    dtype: 'f32',
    tolerance: { relative: 0 },
    gradients: [false, true, true],
    elementwise: true,
    errors: [
      dtypeError([f32([2]), f32([2]), f32([2])], undefined, /^where: expected dtype u8, got f32/),
      dtypeError([u8([2]), i32([2]), f32([2])], undefined, /^where: expected dtype f32, got i32/),
      dtypeError([u8([2]), f32([2]), u8([2])], undefined, /^where: expected dtype f32, got u8/),
      shapeError(
        [u8([2]), f32([3]), f32([])],
        undefined,
        /^where: expected shapes that broadcast together, got \[2\] and \[3\] and \[\]/,
      ),
    ],
  },
};
