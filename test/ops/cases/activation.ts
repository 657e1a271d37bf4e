// Cases of the activations. One line declares f, f' and the kinks; it yields the case of the op and that of its backward.
import type { UnaryOps } from '../../../bindings/ops/unary.ts';
import { erf } from '../../support/reference.ts';
import { zip } from '../../support/tensors.ts';
import { argumentError, type Bad, type Cases, f32, gradientErrors, type Sample, type Tolerance, unaryErrors, uniform } from './types.ts';

type BackwardName = Extract<keyof UnaryOps, `${string}Backward`>;
type ForwardName = BackwardName extends `${infer Name}Backward` ? Name : never;
export type ActivationOps = Pick<UnaryOps, BackwardName | ForwardName>;

interface Activation<A> {
  /** The attributes to try. */
  attrs: readonly A[];
  f(x: number, attrs: A): number;
  /** f' as a function of what backward saves. */
  slope(saved: number, attrs: A): number;
  /** Where f or f' jumps. */
  kinks: readonly number[];
  /** Range of the saved values; default that of the inputs. */
  saved?: readonly [low: number, high: number];
  tolerance: Tolerance;
  errors?: readonly Bad[];
  /** f' is constant between the kinks: backward has no gradient by what is saved. */
  straight?: boolean;
}

const shapes = [[2, 3], [], [1], [0, 3], [31], [1009], [2, 1, 5, 3]];

// What the generic parts below need to know of one op of the many; the exported table is typed op by op.
type Any = Cases<Pick<UnaryOps, 'elu'>>['elu'];
type AnyBackward = Cases<Pick<UnaryOps, 'eluBackward'>>['eluBackward'];

function forward<A>(op: string, activation: Activation<A>): Any {
  const { attrs, f, kinks, tolerance, errors = [] } = activation;
  const fill = uniform(-4, 4, ...kinks);
  return {
    samples: shapes.map((shape, i) => ({ inputs: [f32(shape, fill)], attrs: attrs[i % attrs.length] }) as unknown as Sample<'elu'>),
    reference: ([x], a) => zip((v) => f(v as number, a as A), x),
    tolerance,
    gradients: 'all',
    elementwise: true,
    errors: [...unaryErrors(op, attrs[0]), ...errors],
  };
}

function backward<A>(op: string, { attrs, slope, kinks, saved = [-4, 4], straight = false }: Activation<A>): AnyBackward {
  return {
    samples: shapes.map(
      (shape, i) => ({ inputs: [f32(shape), f32(shape, uniform(...saved, ...kinks))], attrs: attrs[i % attrs.length] }) as unknown as Sample<'eluBackward'>,
    ),
    reference: ([g, x], a) => zip((u, v) => (u as number) * slope(v as number, a as A), g, x),
    tolerance: { relative: 1e-6, absolute: 5e-7 },
    gradients: [true, !straight],
    errors: gradientErrors(op, attrs[0]),
  };
}

/** The cases of an op and of its backward. */
const both =
  <A>(activation: Activation<A>) =>
  (op: string): Record<string, Any | AnyBackward> => ({ [op]: forward(op, activation), [`${op}Backward`]: backward(`${op}Backward`, activation) });

const NONE = [undefined];
const ULP4 = { relative: 4.8e-7, absolute: 1e-38 };
const EXACT = { relative: 0 };
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const density = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
const normal = (x: number): number => (1 + erf(x / Math.SQRT2)) / 2;
/** x · 0 is 0 for the infinite x where a gate is shut. */
const gated = (x: number, gate: number): number => (gate === 0 && !Number.isNaN(x) ? 0 : x * gate);
const elu = (x: number, alpha: number): number => (x > 0 ? x : alpha * Math.expm1(x));
const eluSlope = (x: number, alpha: number): number => (x > 0 ? 1 : alpha * Math.exp(x));
const SELU = { alpha: 1.6732632423543772, scale: 1.0507009873554805 };
const tanhArgument = (x: number): number => Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3);

type Range = { min: number; max: number };
const range = (op: string): Activation<Range> => ({
  attrs: [{ min: -1, max: 1 }, { min: -2.5, max: 0.5 }, { min: Number.NEGATIVE_INFINITY, max: 1 }],
  f: (x, { min, max }) => (Number.isNaN(x) ? x : Math.min(max, Math.max(min, x))),
  slope: (x, { min, max }) => (x > min && x < max ? 1 : 0),
  kinks: [-2.5, -1, 0.5, 1],
  tolerance: EXACT,
  straight: true,
  errors: [argumentError([f32([2])], { min: 1, max: -1 }, new RegExp(`^${op}: expected min <= max, got 1 and -1`))],
});

const activations: { [K in ForwardName]: ReturnType<typeof both> } = {
  abs: both({ attrs: NONE, f: Math.abs, slope: Math.sign, kinks: [0], tolerance: EXACT, straight: true }),
  tanh: both({ attrs: NONE, f: Math.tanh, slope: (y) => 1 - y * y, kinks: [], saved: [-1, 1], tolerance: ULP4 }),
  sigmoid: both({ attrs: NONE, f: sigmoid, slope: (y) => y * (1 - y), kinks: [], saved: [0, 1], tolerance: ULP4 }),
  relu: both({ attrs: NONE, f: (x) => (x > 0 || Number.isNaN(x) ? x : 0), slope: (y) => (y > 0 ? 1 : 0), kinks: [0], tolerance: EXACT, straight: true }),
  leakyRelu: both({
    attrs: [{ negativeSlope: 0.01 }, { negativeSlope: 0.3 }],
    f: (x, { negativeSlope }) => (x > 0 ? x : negativeSlope * x),
    slope: (x, { negativeSlope }) => (x > 0 ? 1 : negativeSlope),
    kinks: [0],
    tolerance: { relative: 2e-7, absolute: 1e-44 },
    straight: true,
  }),
  elu: both({
    attrs: [{ alpha: 1 }, { alpha: 0.5 }],
    f: (x, { alpha }) => elu(x, alpha),
    slope: (x, { alpha }) => eluSlope(x, alpha),
    kinks: [0],
    tolerance: ULP4,
  }),
  selu: both({
    attrs: NONE,
    f: (x) => SELU.scale * elu(x, SELU.alpha),
    slope: (x) => SELU.scale * eluSlope(x, SELU.alpha),
    kinks: [0],
    tolerance: ULP4,
  }),
  gelu: both({
    attrs: NONE,
    f: (x) => gated(x, normal(x)),
    slope: (x) => normal(x) + x * density(x),
    kinks: [],
    tolerance: { relative: 4.8e-7, absolute: 2e-7 },
  }),
  geluTanh: both({
    attrs: NONE,
    f: (x) => gated(x, (1 + Math.tanh(tanhArgument(x))) / 2),
    slope: (x) => {
      const t = Math.tanh(tanhArgument(x));
      return (1 + t) / 2 + (x / 2) * (1 - t * t) * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x);
    },
    kinks: [],
    tolerance: { relative: 4.8e-7, absolute: 2e-7 },
  }),
  silu: both({
    attrs: NONE,
    f: (x) => gated(x, sigmoid(x)),
    slope: (x) => sigmoid(x) * (1 + x * (1 - sigmoid(x))),
    kinks: [],
    tolerance: ULP4,
  }),
  softplus: both({
    attrs: [{ beta: 1, threshold: 20 }, { beta: 2, threshold: 3 }],
    f: (x, { beta, threshold }) => (beta * x > threshold ? x : Math.log1p(Math.exp(beta * x)) / beta),
    slope: (x, { beta, threshold }) => (beta * x > threshold ? 1 : sigmoid(beta * x)),
    kinks: [1.5],
    tolerance: ULP4,
  }),
  softsign: both({
    attrs: NONE,
    f: (x) => (Number.isFinite(x) ? x / (1 + Math.abs(x)) : x / Math.abs(x)),
    slope: (x) => 1 / (1 + Math.abs(x)) ** 2,
    kinks: [0],
    tolerance: { relative: 4.8e-7, absolute: 1e-44 },
  }),
  hardtanh: both(range('hardtanh')),
  clamp: both(range('clamp')),
};

export const activationCases = Object.assign({}, ...Object.entries(activations).map(([op, make]) => make(op))) as Cases<ActivationOps>;
