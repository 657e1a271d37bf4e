// Cases of the losses before reduction; those of classes are in class-loss.ts.
import { zip } from '../../../reference/nd.ts';
import {
  argumentError,
  type Bad,
  type Case,
  type Cases,
  dtypeError,
  type Fill,
  f32,
  grid,
  i32,
  list,
  type Sample,
  shapeError,
  u8,
  uniform,
} from './types.ts';

/** An elementwise loss with its derivatives by the prediction. */
interface Pointwise<A> {
  attrs: readonly A[];
  f(x: number, t: number, attrs: A): number;
  slope(x: number, t: number, attrs: A): number;
  x: Fill;
  target: Fill;
  errors?: readonly Bad[];
}
const sizes = [[2, 3], [], [1], [0, 2], [37], [2, 5, 7]];
const pairs = <A>({ attrs, x, target }: Pointwise<A>): Sample<'huber'>[] =>
  attrs.flatMap((a) =>
    sizes.map(
      (shape) => ({ inputs: { x: f32(shape, x), target: f32(shape, target) }, attrs: a }) as unknown as Sample<'huber'>,
    ),
  );
const pairErrors = (op: string, attrs: unknown): [Bad, Bad, Bad, Bad] => [
  shapeError(
    { x: f32([2, 3]), target: f32([3]) },
    attrs,
    new RegExp(`^${op}: expected the target of shape \\[2, 3\\], got \\[3\\]`),
  ),
  shapeError(
    { x: f32([2]), target: f32([3]) },
    attrs,
    new RegExp(`^${op}: expected the target of shape \\[2\\], got \\[3\\]`),
  ),
  dtypeError({ x: i32([2]), target: f32([2]) }, attrs, new RegExp(`^${op}: expected dtype f32, got i32`)),
  dtypeError({ x: f32([2]), target: u8([2]) }, attrs, new RegExp(`^${op}: expected dtype f32, got u8`)),
];

const pointwise = <A>(op: string, loss: Pointwise<A>): Case<'huber'> => ({
  samples: pairs(loss),
  reference: ({ x, target }, a) => zip((v, t) => loss.f(v as number, t as number, a as A), x, target),
  tolerance: { relative: 1e-6, absolute: 1e-7 },
  gradients: 'all',
  errors: [...pairErrors(op, loss.attrs[0]), ...(loss.errors ?? [])],
});
const pointwiseBackward = <A>(op: string, loss: Pointwise<A>): Case<'huberBackward'> => ({
  samples: pairs(loss).map(({ inputs: { x, target }, attrs }) => ({ inputs: { g: f32(x.shape), x, target }, attrs })),
  reference: ({ g, x, target }, a) =>
    zip((u, v, t) => (u as number) * loss.slope(v as number, t as number, a as A), g, x, target),
  tolerance: { relative: 1e-6, absolute: 1e-6 },
  gradients: 'all',
  errors: [
    shapeError(
      { g: f32([3]), x: f32([2]), target: f32([2]) },
      loss.attrs[0],
      new RegExp(`^${op}: expected the gradient of shape \\[2\\], got \\[3\\]`),
    ),
    shapeError(
      { g: f32([2]), x: f32([2]), target: f32([3]) },
      loss.attrs[0],
      new RegExp(`^${op}: expected the target of shape \\[2\\], got \\[3\\]`),
    ),
    dtypeError(
      { g: i32([2]), x: f32([2]), target: f32([2]) },
      loss.attrs[0],
      new RegExp(`^${op}: expected dtype f32, got i32`),
    ),
    dtypeError(
      { g: f32([2]), x: f32([2]), target: u8([2]) },
      loss.attrs[0],
      new RegExp(`^${op}: expected dtype f32, got u8`),
    ),
  ],
});

// The differences of these two fills are odd multiples of 1/8: never near the kinks at 0, ±0.5, ±1 and ±2.
const apart = { x: grid(0.25, 0.125, -3, 3), target: grid(0.25) };
const smoothL1: Pointwise<{ beta: number }> = {
  ...apart,
  attrs: [{ beta: 1 }, { beta: 0.5 }, { beta: 0 }],
  f: (x, t, { beta }) => (Math.abs(x - t) < beta ? (x - t) ** 2 / (2 * beta) : Math.abs(x - t) - beta / 2),
  slope: (x, t, { beta }) => (Math.abs(x - t) < beta ? (x - t) / beta : Math.sign(x - t)),
  errors: [argumentError({ x: f32([2]), target: f32([2]) }, { beta: -1 }, /^smoothL1: expected beta >= 0, got -1/)],
};
const huber: Pointwise<{ delta: number }> = {
  ...apart,
  attrs: [{ delta: 1 }, { delta: 0.5 }, { delta: 2 }],
  f: (x, t, { delta }) => (Math.abs(x - t) < delta ? (x - t) ** 2 / 2 : delta * (Math.abs(x - t) - delta / 2)),
  slope: (x, t, { delta }) => (Math.abs(x - t) < delta ? x - t : delta * Math.sign(x - t)),
  errors: [
    argumentError({ x: f32([2]), target: f32([2]) }, { delta: 0 }, /^huber: expected delta > 0, got 0/),
    argumentError({ x: f32([2]), target: f32([2]) }, { delta: Number.NaN }, /^huber: expected delta > 0, got NaN/),
  ],
};
const bce: Pointwise<undefined> = {
  attrs: [undefined],
  x: uniform(0.2, 0.8),
  target: uniform(0, 1),
  f: (p, t) => -(t * Math.log(p) + (1 - t) * Math.log1p(-p)),
  slope: (p, t) => (p - t) / (p * (1 - p)),
  errors: [
    [list(0.5, 1.5), list(1), /^bce: expected probabilities from 0 to 1, got 1.5 at position 1; use bceWithLogits/],
    [list(0.5, 0.5, 0.5, 0.5, -0.25), list(1), /^bce: expected probabilities from 0 to 1, got -0.25 at position 4/],
    [list(0.5, Number.NaN), list(1), /^bce: expected probabilities from 0 to 1, got NaN at position 1/],
    [list(0.5), list(0, 1, 2), /^bce: expected targets from 0 to 1, got 2 at position 2/],
  ].map(([x, target, message]) =>
    argumentError({ x: f32([7], x as Fill), target: f32([7], target as Fill) }, undefined, message as RegExp),
  ),
};

const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const withPosWeight = [[2, 3], [1], [0, 2], [5, 7], [2, 3, 4]];
const bceSamples = [
  ...sizes.map((shape) => [f32(shape, uniform(-4, 4)), f32(shape, uniform(0, 1)), null] as const),
  ...withPosWeight.map(
    (shape) => [f32(shape, uniform(-4, 4)), f32(shape, uniform(0, 1)), f32(shape.slice(-1), uniform(0.5, 3))] as const,
  ),
];

export const lossCases = {
  bceWithLogits: {
    samples: [
      ...bceSamples.map(([x, target, posWeight]) => ({ inputs: { x, target, posWeight } })),
      {
        inputs: {
          x: f32([6], list(-1000, 1000, -90, 90, 0, 20)),
          target: f32([6], list(0, 1, 1, 0, 0.5, 1)),
          posWeight: null,
        },
      },
    ],
    reference: ({ x, target, posWeight }) =>
      zip(
        (v, t, w) =>
          (1 - (t as number)) * (v as number) + (1 + ((w as number) - 1) * (t as number)) * softplus(-(v as number)),
        x,
        target,
        posWeight ?? { shape: [], data: Float64Array.of(1) },
      ),
    tolerance: { relative: 1e-6, absolute: 1e-6 },
    gradients: { x: true, target: true, posWeight: false },
    errors: [
      ...pairErrors('bceWithLogits', undefined).map((bad) => ({ ...bad, inputs: { ...bad.inputs, posWeight: null } })),
      shapeError(
        { x: f32([2, 3]), target: f32([2, 3]), posWeight: f32([2]) },
        undefined,
        /^bceWithLogits: expected posWeight of shape \[3\], got \[2\]/,
      ),
      dtypeError(
        { x: f32([2, 3]), target: f32([2, 3]), posWeight: i32([3]) },
        undefined,
        /^bceWithLogits: expected dtype f32, got i32/,
      ),
    ] as unknown as [Bad, Bad, Bad],
  },
  bceWithLogitsBackward: {
    samples: bceSamples.map(([x, target, posWeight]) => ({ inputs: { g: f32(x.shape), x, target, posWeight } })),
    reference: ({ g, x, target, posWeight }) =>
      zip(
        (u, v, t, w) =>
          (u as number) * (1 - (t as number) - (1 + ((w as number) - 1) * (t as number)) * sigmoid(-(v as number))),
        g,
        x,
        target,
        posWeight ?? { shape: [], data: Float64Array.of(1) },
      ),
    tolerance: { relative: 1e-6, absolute: 1e-6 },
    gradients: { g: true, x: true, target: true, posWeight: false },
    errors: [
      shapeError(
        { g: f32([3]), x: f32([2]), target: f32([2]), posWeight: null },
        undefined,
        /^bceWithLogitsBackward: expected the gradient of shape \[2\], got \[3\]/,
      ),
      shapeError(
        { g: f32([2]), x: f32([2]), target: f32([3]), posWeight: null },
        undefined,
        /^bceWithLogitsBackward: expected the target of shape \[2\], got \[3\]/,
      ),
      dtypeError(
        { g: f32([2]), x: i32([2]), target: f32([2]), posWeight: null },
        undefined,
        /^bceWithLogitsBackward: expected dtype f32, got i32/,
      ),
      shapeError(
        { g: f32([2]), x: f32([2]), target: f32([2]), posWeight: f32([3]) },
        undefined,
        /^bceWithLogitsBackward: expected posWeight of shape \[2\], got \[3\]/,
      ),
    ],
  },
  bce: pointwise('bce', bce) as unknown as Case<'bce'>,
  bceBackward: pointwiseBackward('bceBackward', bce) as unknown as Case<'bceBackward'>,
  smoothL1: pointwise('smoothL1', smoothL1) as unknown as Case<'smoothL1'>,
  smoothL1Backward: pointwiseBackward('smoothL1Backward', smoothL1) as unknown as Case<'smoothL1Backward'>,
  huber: pointwise('huber', huber),
  huberBackward: pointwiseBackward('huberBackward', huber),
} satisfies Cases;
