// Cases of the activations. One entry yields the case of the op and that of its backward.
import type { OpName, OpTypes } from '../../../bindings/ops/core.ts';
import { type Unary, unary } from '../../../reference/elementwise.ts';
import { zip } from '../../../reference/nd.ts';
import {
  type AllCases,
  argumentError,
  type Bad,
  type Case,
  f32,
  gradientErrors,
  type Sample,
  type Tolerance,
  unaryErrors,
  uniform,
} from './types.ts';

/** Those whose backward takes what they saved. */
type ForwardName = {
  [K in OpName]: K extends `${infer Name}Backward`
    ? 'saved' extends keyof OpTypes[K]['inputs']
      ? Name
      : never
    : never;
}[OpName];
type ActivationName = Extract<OpName, ForwardName | `${ForwardName}Backward`>;

interface Activation {
  readonly reference: Unary;
  /** The attributes to try, and what the reference takes of them. */
  readonly attrs: readonly unknown[];
  scalars?(attrs: never): readonly [p?: number, q?: number];
  /** Where f or f' jumps. */
  readonly kinks: readonly number[];
  readonly tolerance: Tolerance;
  readonly errors?: readonly Bad[];
  /** f' is constant between the kinks: backward has no gradient by what is saved. */
  readonly straight?: boolean;
  /** Tolerance of f'', where it is a sum of terms that cancel in the tails. Default 2e-5. */
  readonly curveTolerance?: number;
  /** Range of the outputs, where backward saves those. */
  readonly outputs?: readonly [low: number, high: number];
}

const shapes = [[2, 3], [], [1], [0, 3], [31], [1009], [2, 1, 5, 3]];
/** What all share: a case of one op of the many, which the exported table types op by op. */
type Forward = Case<'elu'>;
type Backward = Case<'eluBackward'>;

const scalarsOf = ({ scalars }: Activation, attrs: unknown): [number, number] => {
  const [p = 0, q = 0] = scalars?.(attrs as never) ?? [];
  return [p, q];
};

function forward(op: string, activation: Activation): Forward {
  const { reference, attrs, kinks, tolerance, errors = [] } = activation;
  const fill = uniform(-4, 4, ...kinks);
  return {
    samples: shapes.map(
      (shape, i) => ({ inputs: { x: f32(shape, fill) }, attrs: attrs[i % attrs.length] }) as Sample<'elu'>,
    ),
    reference: ({ x }, a) => zip((v) => reference.forward(v as number, ...scalarsOf(activation, a)), x),
    tolerance,
    gradients: 'all',
    elementwise: true,
    errors: [...unaryErrors(op, attrs[0]), ...errors],
  };
}

/** g · f', f' as a function of what forward saves: its input, or where `outputs` is given its output. */
function backward(op: string, activation: Activation): Backward {
  const { reference, attrs, kinks, outputs, straight = false, curveTolerance = 2e-5 } = activation;
  const fill = outputs ? uniform(...outputs, ...kinks) : uniform(-4, 4, ...kinks);
  const slope = (outputs ? reference.derivativeOfOutput : reference.derivative) as Unary['derivative'];
  return {
    samples: shapes.map(
      (shape, i) =>
        ({
          inputs: { g: f32(shape), saved: f32(shape, fill) },
          attrs: attrs[i % attrs.length],
        }) as Sample<'eluBackward'>,
    ),
    reference: ({ g, saved: x }, a) =>
      zip((u, v) => (u as number) * slope(v as number, ...scalarsOf(activation, a)), g, x),
    tolerance: { relative: 1e-6, absolute: 5e-7 },
    gradients: { g: true, saved: !straight },
    gradientTolerance: curveTolerance,
    errors: gradientErrors(op, attrs[0]),
  };
}

const NONE = [undefined];
const ULP4 = { relative: 4.8e-7, absolute: 1e-38 };
const EXACT = { relative: 0 };
/** Products that end near 0. */
const GATE = { relative: 4.8e-7, absolute: 2e-7 };

type Range = { min: number; max: number };
const range = (op: 'hardtanh' | 'clamp'): Activation => ({
  reference: unary[op],
  attrs: [
    { min: -1, max: 1 },
    { min: -2.5, max: 0.5 },
    { min: Number.NEGATIVE_INFINITY, max: 1 },
  ],
  scalars: ({ min, max }: Range) => [min, max],
  kinks: [-2.5, -1, 0.5, 1],
  tolerance: EXACT,
  straight: true,
  errors: [
    argumentError({ x: f32([2]) }, { min: 1, max: -1 }, new RegExp(`^${op}: expected min <= max, got 1 and -1`)),
  ],
});

const activations: { readonly [K in ForwardName]: Activation } = {
  abs: { reference: unary.abs, attrs: NONE, kinks: [0], tolerance: EXACT, straight: true },
  tanh: { reference: unary.tanh, attrs: NONE, kinks: [], outputs: [-1, 1], tolerance: ULP4 },
  sigmoid: { reference: unary.sigmoid, attrs: NONE, kinks: [], outputs: [0, 1], tolerance: ULP4 },
  relu: { reference: unary.relu, attrs: NONE, kinks: [0], outputs: [-4, 4], tolerance: EXACT, straight: true },
  leakyRelu: {
    reference: unary.leaky_relu,
    attrs: [{ negativeSlope: 0.01 }, { negativeSlope: 0.3 }],
    scalars: ({ negativeSlope }: { negativeSlope: number }) => [negativeSlope],
    kinks: [0],
    tolerance: { relative: 2e-7, absolute: 1e-44 },
    straight: true,
  },
  elu: {
    reference: unary.elu,
    attrs: [{ alpha: 1 }, { alpha: 0.5 }],
    scalars: ({ alpha }: { alpha: number }) => [alpha],
    kinks: [0],
    tolerance: ULP4,
  },
  selu: { reference: unary.selu, attrs: NONE, kinks: [0], tolerance: ULP4 },
  gelu: { reference: unary.gelu, attrs: NONE, kinks: [], tolerance: GATE },
  geluTanh: { reference: unary.gelu_tanh, attrs: NONE, kinks: [], tolerance: GATE, curveTolerance: 1e-4 },
  silu: { reference: unary.silu, attrs: NONE, kinks: [], tolerance: ULP4 },
  mish: { reference: unary.mish, attrs: NONE, kinks: [], tolerance: ULP4 },
  softplus: {
    reference: unary.softplus,
    attrs: [
      { beta: 1, threshold: 20 },
      { beta: 2, threshold: 3 },
    ],
    scalars: ({ beta, threshold }: { beta: number; threshold: number }) => [beta, threshold],
    kinks: [1.5],
    tolerance: ULP4,
  },
  softsign: { reference: unary.softsign, attrs: NONE, kinks: [0], tolerance: { relative: 4.8e-7, absolute: 1e-44 } },
  hardtanh: range('hardtanh'),
  clamp: range('clamp'),
};

export const activationCases = Object.fromEntries(
  Object.entries(activations).flatMap(([op, activation]) => [
    [op, forward(op, activation)],
    [`${op}Backward`, backward(`${op}Backward`, activation)],
  ]),
) as unknown as Pick<AllCases, ActivationName>;
