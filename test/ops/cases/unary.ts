// Cases of the elementwise ops of one tensor, but for the activations.
import type { Dtype } from '../../../bindings/dtypes.ts';
import type { OpName } from '../../../bindings/ops/core.ts';
import { unary as references } from '../../../reference/elementwise.ts';
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
  i32,
  list,
  type Sample,
  u8,
  unaryErrors,
  uniform,
  whole,
} from './types.ts';

type Plain = Extract<keyof typeof references, OpName>;

/** Every size class, with and without dims, of the numbers that `fill` makes. */
const samples = (fill: Fill): Sample<'neg'>[] => [
  { inputs: { x: f32([2, 3], fill) } },
  { inputs: { x: f32([], fill) } },
  { inputs: { x: f32([1], fill) } },
  { inputs: { x: f32([0, 3], fill) } },
  { inputs: { x: f32([17], fill) } },
  { inputs: { x: f32([1009], fill) } },
  { inputs: { x: f32([2, 1, 5, 3], fill) } },
];

function unary(op: Plain, relative: number, fill: Fill = uniform(), absolute = 0): Case<'neg'> {
  return {
    samples: samples(fill),
    reference: ({ x }) => zip(references[op].forward, x),
    tolerance: { relative, absolute },
    gradients: 'all',
    elementwise: true,
    errors: unaryErrors(op),
  };
}

/** Four units in the last place. */
const ULP4 = 2.4e-7 * 2;
const steps = uniform(-3, 3, -3, -2.5, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5, 3);

const limits = { u8: [0, 255], i32: [-(2 ** 31), 2 ** 31 - 1] } as const;
/** From floats it truncates and saturates; of an integer a byte is the lowest one. */
const convert = (from: Dtype, to: Dtype, x: number): number => {
  if (to === 'f32') return Math.fround(x);
  if (from === 'i32') return x & 255;
  const [low, high] = limits[to];
  return Number.isNaN(x) ? 0 : Math.min(high, Math.max(low, Math.trunc(x)));
};

const numericErrors = (op: string): [Bad, Bad, Bad] => [
  dtypeError({ x: u8([3]) }, undefined, new RegExp(`^${op}: expected dtype f32 or i32, got u8; convert`)),
  argumentError({ x: { raw: 3 } }, undefined, new RegExp(`^${op}: expected a tensor as x, got number`)),
  freedError({ x: f32([3]) }, undefined),
];

export const unaryCases = {
  neg: { ...unary('neg', 0), errors: numericErrors('neg') },
  exp: unary('exp', ULP4, uniform(-8, 8)),
  expm1: unary('expm1', ULP4, uniform(-4, 4)),
  log: unary('log', ULP4, uniform(0.2, 9)),
  log1p: unary('log1p', ULP4, uniform(-0.7, 9)),
  sqrt: unary('sqrt', 1e-7, uniform(0.2, 9)),
  rsqrt: unary('rsqrt', ULP4, uniform(0.2, 9)),
  reciprocal: unary('reciprocal', 1e-7, uniform(-3, 3, -0.2, -0.1, 0, 0.1, 0.2)),
  square: unary('square', 1e-7),
  sign: { ...unary('sign', 0, uniform(-2, 2, 0)), errors: numericErrors('sign') },
  floor: unary('floor', 0, steps),
  ceil: unary('ceil', 0, steps),
  round: unary('round', 0, steps),
  trunc: unary('trunc', 0, steps),
  sin: unary('sin', ULP4, uniform(-9, 9), 1e-7),
  cos: unary('cos', ULP4, uniform(-9, 9), 1e-7),
  erf: unary('erf', ULP4, uniform(-4, 4)),
  bitwiseNot: {
    samples: [
      ...samples(uniform()).map(({ inputs: { x } }) => ({ inputs: { x: i32(x.shape, whole(-300, 300)) } })),
      { inputs: { x: i32([2], list(2 ** 31 - 1, -(2 ** 31))) } },
    ],
    reference: ({ x }) => zip((v) => ~(v as number), x),
    tolerance: { relative: 0 },
    gradients: 'none',
    errors: [
      dtypeError({ x: f32([3]) }, undefined, /^bitwiseNot: expected dtype i32 or u8, got f32/),
      argumentError({ x: { raw: 3 } }, undefined, /^bitwiseNot: expected a tensor as x, got number/),
      freedError({ x: i32([3]) }, undefined),
    ],
  },
  logicalNot: {
    samples: [
      ...samples(uniform()).map(({ inputs: { x } }) => ({ inputs: { x: u8(x.shape) } })),
      { inputs: { x: u8([4], list(0, 1, 2, 255)) } },
    ],
    reference: ({ x }) => zip((v) => Number(v === 0), x),
    tolerance: { relative: 0 },
    gradients: 'none',
    errors: [
      dtypeError({ x: f32([3]) }, undefined, /^logicalNot: expected dtype u8, got f32/),
      dtypeError({ x: i32([3]) }, undefined, /^logicalNot: expected dtype u8, got i32/),
      freedError({ x: u8([3]) }, undefined),
    ],
  },
  scale: {
    samples: samples(uniform()).map((sample) => ({ ...sample, attrs: { alpha: -1.5, beta: 0.75 } })),
    reference: ({ x }, { alpha, beta }) => zip((v) => alpha * v + beta, x),
    tolerance: { relative: 2e-7, absolute: 2e-7 },
    gradients: 'all',
    elementwise: true,
    errors: unaryErrors('scale', { alpha: 2, beta: 1 }),
  },
  cast: {
    samples: [
      { inputs: { x: f32([2, 9], uniform(-300, 300)) }, attrs: { dtype: 'i32' } },
      {
        inputs: {
          x: f32([8], list(1e20, -1e20, 2147483520, 2147483648, -0.9, 0.9, Number.NaN, Number.POSITIVE_INFINITY)),
        },
        attrs: { dtype: 'i32' },
      },
      { inputs: { x: f32([2, 9], uniform(-300, 300)) }, attrs: { dtype: 'u8' } },
      {
        inputs: {
          x: f32(
            [9],
            list(255, 256, -1, -0.5, 0.99, 254.9, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
          ),
        },
        attrs: { dtype: 'u8' },
      },
      { inputs: { x: i32([3, 7], whole(-(2 ** 31), 2 ** 31)) }, attrs: { dtype: 'f32' } },
      { inputs: { x: i32([3, 7], whole(-300, 600)) }, attrs: { dtype: 'u8' } },
      { inputs: { x: u8([19], whole(0, 256)) }, attrs: { dtype: 'f32' } },
      { inputs: { x: u8([2, 19], whole(0, 256)) }, attrs: { dtype: 'i32' } },
      { inputs: { x: u8([0]) }, attrs: { dtype: 'f32' } },
      { inputs: { x: f32([]) }, attrs: { dtype: 'u8' } },
    ],
    // The samples of floats hold fractions: whole numbers only are those of an integer dtype.
    reference: ({ x }, { dtype }) =>
      zip((v) => convert(x.data.every(Number.isInteger) ? 'i32' : 'f32', dtype, v as number), x),
    dtype: ({ dtype }) => dtype,
    tolerance: { relative: 0 },
    gradients: 'none',
    errors: [
      dtypeError({ x: f32([2]) }, { dtype: 'f32' }, /^cast: expected a dtype other than f32, got 'f32'/),
      dtypeError({ x: f32([2]) }, { dtype: 'f64' }, /^cast: expected a dtype .*got 'f64'/),
      argumentError({ x: { raw: 3 } }, { dtype: 'i32' }, /^cast: expected a tensor as x, got number/),
    ],
  },
} satisfies Cases;
