// Cases of rare functions and of recurrences.
import type { Shape } from '../../../bindings/tensor.ts';
import { type Nd, nd, zip } from '../../../reference/nd.ts';
import { erfc, erfinv } from '../../../reference/special.ts';
import {
  type Case,
  type Cases,
  dtypeError,
  type Fill,
  f32,
  freedError,
  i32,
  list,
  type Sample,
  shapeError,
  uniform,
  whole,
} from './types.ts';

const functions = {
  atan: [Math.atan, uniform(-3, 3)],
  asin: [Math.asin, uniform(-0.9, 0.9)],
  acos: [Math.acos, uniform(-0.9, 0.9)],
  sinh: [Math.sinh, uniform(-4, 4)],
  cosh: [Math.cosh, uniform(-4, 4)],
  asinh: [Math.asinh, uniform(-4, 4)],
  acosh: [Math.acosh, uniform(1.2, 6)],
  atanh: [Math.atanh, uniform(-0.9, 0.9)],
  erfc: [erfc, uniform(-2, 3)],
  erfinv: [erfinv, uniform(-0.9, 0.9)],
} satisfies Record<string, readonly [(x: number) => number, Fill]>;
type Name = keyof typeof functions;

const shapes: readonly Shape[] = [[], [0, 3], [2, 5], [67]];
const samples = (Object.entries(functions) as [Name, (typeof functions)[Name]][]).flatMap(([fn, [, fill]]) =>
  shapes.map(
    (shape): Sample<'special'> => ({
      inputs: { x: f32(shape, fill) },
      attrs: { fn },
    }),
  ),
);

type Pair = 'atan2' | 'remainder';
const pair = (op: Pair, of: (a: number, b: number) => number, a: Fill, b: Fill): Case<Pair> => ({
  samples: shapes.map((shape) => ({ inputs: { a: f32(shape, a), b: f32(shape, b) } })),
  reference: (inputs) => zip((x, y) => of(x as number, y as number), inputs.a, inputs.b),
  tolerance: { relative: 5e-7, absolute: 5e-7 },
  gradients: 'all',
  errors: [
    shapeError(
      { a: f32([2, 3]), b: f32([3]) },
      undefined,
      new RegExp(`^${op}: expected b of shape \\[2, 3\\], got \\[3\\]`),
    ),
    dtypeError({ a: i32([3]), b: f32([3]) }, undefined, new RegExp(`^${op}: expected dtype f32`)),
    freedError({ a: f32([3]), b: f32([3]) }, undefined, 'a'),
  ],
});

/** y[j] = a[j] y[j − 1] + b[j] along the middle of three dims. */
function recurred({ a, b }: { a: Nd; b: Nd | null }, dim: number, start: number, backward: boolean): Nd {
  const r = a.shape[dim] ?? 1;
  const inner = a.shape.slice(dim + 1).reduce((n, size) => n * size, 1);
  const y = Float64Array.from(a.data);
  for (let at = 0; at < y.length; at++) {
    const i = backward ? y.length - 1 - at : at;
    const j = Math.floor(i / inner) % r;
    const first = j === (backward ? r - 1 : 0);
    const before = first ? start : (y[backward ? i + inner : i - inner] as number);
    y[i] = (a.data[i] as number) * before + (b ? (b.data[i] as number) : 0);
  }
  return nd(a.shape, y);
}

const recurrences: Sample<'recurrence'>[] = (
  [
    [[5], 0],
    [[2, 3, 5], 1],
    [[2, 3, 5], 0],
    [[2, 3, 6], 1],
    [[3, 7], 1],
    [[7, 9], 0],
    [[0, 4], 0],
    [[4, 0], 1],
    [[1, 1], 0],
    [[], 0],
  ] as const
).flatMap(([shape, dim]) =>
  [false, true].flatMap((backward) => [
    { inputs: { a: f32(shape), b: f32(shape) }, attrs: { dim, start: 0.5, backward } },
    { inputs: { a: f32(shape), b: null }, attrs: { dim, start: 1, backward } },
  ]),
);
const attrs = { dim: 0, start: 1, backward: false };

export const specialCases = {
  special: {
    samples,
    reference: ({ x }, { fn }) => zip((v) => functions[fn][0](v as number), x),
    tolerance: { relative: 2e-6, absolute: 5e-7 },
    gradients: 'all',
    errors: [
      dtypeError({ x: i32([3]) }, { fn: 'atan' }, /^atan: expected dtype f32, got i32/),
      freedError({ x: f32([3]) }, { fn: 'erfc' }),
      freedError({ x: f32([]) }, { fn: 'asin' }),
    ],
  },
  atan2: pair('atan2', Math.atan2, uniform(0.2, 3), uniform(-3, 3)),
  remainder: pair('remainder', (a, b) => a - b * Math.floor(a / b), list(7, -7, 7.5, -7.25, 1), list(3, 3, -2, -2, 4)),
  floorDivide: {
    samples: [
      ...shapes.map((shape) => ({ inputs: { a: i32(shape, whole(-1000, 1000)), b: i32(shape, whole(1, 9)) } })),
      {
        inputs: {
          a: i32([5], list(2 ** 31 - 1, -(2 ** 31), 2 ** 31 - 1, -7, 0)),
          b: i32([5], list(2, 3, 2 ** 31 - 2, -2, 5)),
        },
      },
    ],
    reference: ({ a, b }) => zip((x, y) => Math.floor((x as number) / (y as number)), a, b),
    tolerance: { relative: 0 },
    gradients: 'none',
    errors: [
      shapeError({ a: i32([2, 3]), b: i32([3]) }, undefined, /^floorDivide: expected b of shape \[2, 3\], got \[3\]/),
      dtypeError({ a: f32([3]), b: i32([3]) }, undefined, /^floorDivide: expected dtype i32, got f32/),
      freedError({ a: i32([3]), b: i32([3]) }, undefined, 'b'),
    ],
  },
  recurrence: {
    samples: recurrences,
    reference: (inputs, { dim, start, backward }) => recurred(inputs, dim, start, backward),
    tolerance: { relative: 2e-6, absolute: 2e-6 },
    gradients: 'all',
    errors: [
      shapeError({ a: f32([2, 3]), b: f32([3]) }, attrs, /^recurrence: expected b of shape \[2, 3\], got \[3\]/),
      dtypeError({ a: i32([3]), b: null }, attrs, /^recurrence: expected dtype f32, got i32/),
      freedError({ a: f32([3]), b: null }, attrs, 'a'),
    ],
  },
} satisfies Cases;
