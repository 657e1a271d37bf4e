// Activations: each a row whose gradient is one kernel, and the row of that gradient.
import { ArgumentError } from '../memory/errors.ts';
import { add, constant, mul, scale, sub, where } from './algebra.ts';
import {
  attrs,
  f32,
  family,
  grad,
  type Kernels,
  type OpName,
  type Ops,
  type Row,
  row,
  type Signature,
  signature,
  type Tensor,
} from './core.ts';
import { expectShape } from './shapes.ts';

type Slope = { readonly negativeSlope: number };
type Alpha = { readonly alpha: number };
type Softplus = { readonly beta: number; readonly threshold: number };
type Range = { readonly min: number; readonly max: number };

const forward = () => signature({ x: f32 }, { y: grad });
const forwardOf = <A>() => signature({ x: f32 }, { y: grad }, attrs<A>());
/** saved: x or y, whichever f' is a function of. */
const backward = () => signature({ g: f32, saved: f32 }, { dx: grad });
const backwardOf = <A>() => signature({ g: f32, saved: f32 }, { dx: grad }, attrs<A>());

const s = {
  abs: forward(),
  absBackward: backward(),
  tanh: forward(),
  tanhBackward: backward(),
  sigmoid: forward(),
  sigmoidBackward: backward(),
  relu: forward(),
  reluBackward: backward(),
  leakyRelu: forwardOf<Slope>(),
  leakyReluBackward: backwardOf<Slope>(),
  elu: forwardOf<Alpha>(),
  eluBackward: backwardOf<Alpha>(),
  selu: forward(),
  seluBackward: backward(),
  gelu: forward(),
  geluBackward: backward(),
  geluTanh: forward(),
  geluTanhBackward: backward(),
  silu: forward(),
  siluBackward: backward(),
  mish: forward(),
  mishBackward: backward(),
  softplus: forwardOf<Softplus>(),
  softplusBackward: backwardOf<Softplus>(),
  softsign: forward(),
  softsignBackward: backward(),
  hardtanh: forwardOf<Range>(),
  hardtanhBackward: backwardOf<Range>(),
  clamp: forwardOf<Range>(),
  clampBackward: backwardOf<Range>(),
};
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

type Forward = { readonly y: Tensor; readonly x: Tensor; readonly n: number };
type Backward = { readonly dx: Tensor; readonly g: Tensor; readonly saved: Tensor; readonly n: number };

/** Calls of kernels with settings name their operands one by one: to spread an object takes half a microsecond. */
interface Activation<A> {
  forward(k: Kernels, call: Forward, attrs: A): void;
  /** dx = g · f'(saved). */
  backward(k: Kernels, call: Backward, attrs: A): void;
  /** What f' is a function of. */
  readonly of: 'x' | 'y';
  /** The derivative of f' by what it is a function of; absent where it is 0 almost everywhere. */
  second?(o: Ops, saved: Tensor, attrs: A): Tensor;
  check?(op: string, attrs: A): void;
}

type Pair<N extends string> = Readonly<Record<N | `${N}Backward`, Row>>;

/** The row of an activation, and that of its gradient. */
function activation<A, N extends OpName>(name: N, f: Activation<A>): Pair<N> {
  const call = (o: Ops, g: Tensor, saved: Tensor, attributes: A): Tensor =>
    (o as unknown as Record<string, (inputs: object, attrs: A) => Tensor>)[`${name}Backward`]?.(
      { g, saved },
      attributes,
    ) as Tensor;
  const rows = {
    [name]: row(forward() as unknown as Signature<{ x: typeof f32 }, A, { y: typeof grad }>, {
      outputs: (make, { x }, attributes, op) => {
        f.check?.(op, attributes);
        return { y: make(x.sizes, 'f32') };
      },
      forward: (k, { y }, { x }, attributes) => f.forward(k, { y, x, n: x.size }, attributes),
      saves: [f.of],
      backward: (o, { y: g }, saved, attributes) => ({ x: call(o, g, saved[f.of], attributes) }),
    }),
    [`${name}Backward`]: row(
      backward() as unknown as Signature<Record<'g' | 'saved', typeof f32>, A, { dx: typeof grad }>,
      {
        outputs: (make, { g, saved }, _, op) => {
          expectShape(op, 'the gradient', g, saved.sizes);
          return { dx: make(g.sizes, 'f32') };
        },
        forward: (k, { dx }, { g, saved }, attributes) => f.backward(k, { dx, g, saved, n: g.size }, attributes),
        saves: ['g', 'saved'],
        backward: (o, { dx: h }, { g, saved }, attributes, { needs }) => ({
          g: needs.g ? call(o, h, saved, attributes) : null,
          saved: needs.saved && f.second ? mul(o, mul(o, h, g), f.second(o, saved, attributes)) : null,
        }),
      },
    ),
  };
  return rows as Pair<N>;
}

/** `x` where the input is negative, else 0. */
const whereNegative = (o: Ops, input: Tensor, x: Tensor): Tensor => {
  const zero = constant(o, 0);
  return where(o, o.lt({ a: input, b: zero }), x, zero);
};

/** SELU's constants (Klambauer et al. 2017): scale · alpha. */
const SELU_SCALE_ALPHA = 1.0507009873554805 * 1.6732632423543772;

export const checkRange = (op: string, { min, max }: Range): void => {
  if (!(min <= max)) throw new ArgumentError(`${op}: expected min <= max, got ${min} and ${max}`);
};

/** Of the core: methods of tensors, and what other rules are made of. */
export const activationRows = family(s, () => ({
  ...activation('abs', {
    forward: (k, call) => k.abs_forward_f32(call),
    backward: (k, call) => k.abs_backward_f32(call),
    of: 'x',
  }),
  ...activation('tanh', {
    forward: (k, call) => k.tanh_forward_f32(call),
    backward: (k, call) => k.tanh_backward_f32(call),
    of: 'y',
    second: (o, y) => scale(o, y, -2),
  }),
  ...activation('sigmoid', {
    forward: (k, call) => k.sigmoid_forward_f32(call),
    backward: (k, call) => k.sigmoid_backward_f32(call),
    of: 'y',
    second: (o, y) => scale(o, y, -2, 1),
  }),
  ...activation('relu', {
    forward: (k, call) => k.relu_forward_f32(call),
    backward: (k, call) => k.relu_backward_f32(call),
    of: 'y',
  }),
  ...activation<Range, 'clamp'>('clamp', {
    forward: (k, { y, x, n }, { min, max }) => k.clamp_forward_f32({ y, x, n, alpha: min, beta: max }),
    backward: (k, { dx, g, saved, n }, { min, max }) =>
      k.clamp_backward_f32({ dx, g, saved, n, alpha: min, beta: max }),
    of: 'x',
    check: checkRange,
  }),
}));

/** Which a loss needs as well. */
export const softplusRows = family(s, () => ({
  ...activation<Softplus, 'softplus'>('softplus', {
    forward: (k, { y, x, n }, { beta, threshold }) => k.softplus_forward_f32({ y, x, n, alpha: beta, beta: threshold }),
    backward: (k, { dx, g, saved, n }, { beta, threshold }) =>
      k.softplus_backward_f32({ dx, g, saved, n, alpha: beta, beta: threshold }),
    of: 'x',
    second: (o, x, { beta, threshold }) => {
      const sigma = o.sigmoid({ x: scale(o, x, beta) });
      const curve = mul(o, scale(o, sigma, beta), scale(o, sigma, -1, 1));
      return whereNegative(o, scale(o, x, beta, -threshold), curve); // linear from the threshold on
    },
  }),
}));

export const layerActivationRows = family(s, () => ({
  ...activation<Slope, 'leakyRelu'>('leakyRelu', {
    forward: (k, { y, x, n }, { negativeSlope: alpha }) => k.leaky_relu_forward_f32({ y, x, n, alpha }),
    backward: (k, { dx, g, saved, n }, { negativeSlope: alpha }) =>
      k.leaky_relu_backward_f32({ dx, g, saved, n, alpha }),
    of: 'x',
  }),
  ...activation<Alpha, 'elu'>('elu', {
    forward: (k, { y, x, n }, { alpha }) => k.elu_forward_f32({ y, x, n, alpha }),
    backward: (k, { dx, g, saved, n }, { alpha }) => k.elu_backward_f32({ dx, g, saved, n, alpha }),
    of: 'x',
    second: (o, x, { alpha }) => whereNegative(o, x, scale(o, o.exp({ x }), alpha)),
  }),
  ...activation('selu', {
    forward: (k, call) => k.selu_forward_f32(call),
    backward: (k, call) => k.selu_backward_f32(call),
    of: 'x',
    second: (o, x) => whereNegative(o, x, scale(o, o.exp({ x }), SELU_SCALE_ALPHA)),
  }),
  ...activation('gelu', {
    forward: (k, call) => k.gelu_forward_f32(call),
    backward: (k, call) => k.gelu_backward_f32(call),
    of: 'x',
    // f'' = φ(x) (2 − x²), φ the normal density.
    second: (o, x) => {
      const squared = o.square({ x });
      const density = scale(o, o.exp({ x: scale(o, squared, -0.5) }), 1 / Math.sqrt(2 * Math.PI));
      return mul(o, density, scale(o, squared, -1, 2));
    },
  }),
  ...activation('geluTanh', {
    forward: (k, call) => k.gelu_tanh_forward_f32(call),
    backward: (k, call) => k.gelu_tanh_backward_f32(call),
    of: 'x',
    // f = x (1 + t) / 2 with t = tanh u, u = c (x + a x³): f'' = t' + x t'' / 2.
    second: (o, x) => {
      const c = Math.sqrt(2 / Math.PI);
      const a = 0.044715;
      const squared = o.square({ x });
      const t = o.tanh({ x: mul(o, x, scale(o, squared, c * a, c)) });
      const slope = scale(o, squared, 3 * a * c, c); // u'
      const rest = scale(o, o.square({ x: t }), -1, 1); // 1 − t²
      const first = mul(o, rest, slope); // t'
      const second = sub(o, mul(o, rest, scale(o, x, 6 * a * c)), mul(o, scale(o, t, 2), mul(o, first, slope))); // t''
      return add(o, first, mul(o, scale(o, x, 0.5), second));
    },
  }),
  ...activation('silu', {
    forward: (k, call) => k.silu_forward_f32(call),
    backward: (k, call) => k.silu_backward_f32(call),
    of: 'x',
    // f'' = s (1 − s) (2 + x (1 − 2 s)), s = sigmoid x.
    second: (o, x) => {
      const sigma = o.sigmoid({ x });
      const curve = mul(o, sigma, scale(o, sigma, -1, 1));
      return mul(o, curve, scale(o, mul(o, x, scale(o, sigma, -2, 1)), 1, 2));
    },
  }),
  ...activation('mish', {
    forward: (k, call) => k.mish_forward_f32(call),
    backward: (k, call) => k.mish_backward_f32(call),
    of: 'x',
    // Of the gate t = tanh(ln(1 + eˣ)): f' = t + x t', and t' = (1 − t²) σ, so f'' = t' (2 + x (1 − σ − 2 t σ)).
    second: (o, x) => {
      const sigma = o.sigmoid({ x });
      const gate = o.tanh({ x: o.log1p({ x: o.exp({ x }) }) });
      const slope = mul(o, scale(o, o.square({ x: gate }), -1, 1), sigma);
      const bend = sub(o, scale(o, sigma, -1, 1), scale(o, mul(o, gate, sigma), 2));
      return mul(o, slope, scale(o, mul(o, x, bend), 1, 2));
    },
  }),
  ...activation('softsign', {
    forward: (k, call) => k.softsign_forward_f32(call),
    backward: (k, call) => k.softsign_backward_f32(call),
    of: 'x',
    // f'' = −2 sign(x) / (1 + |x|)³.
    second: (o, x) => {
      const r = o.reciprocal({ x: scale(o, o.abs({ x }), 1, 1) });
      return mul(o, scale(o, o.sign({ x }), -2), mul(o, r, o.square({ x: r })));
    },
  }),
  ...activation<Range, 'hardtanh'>('hardtanh', {
    forward: (k, { y, x, n }, { min, max }) => k.hardtanh_forward_f32({ y, x, n, alpha: min, beta: max }),
    backward: (k, { dx, g, saved, n }, { min, max }) =>
      k.hardtanh_backward_f32({ dx, g, saved, n, alpha: min, beta: max }),
    of: 'x',
    check: checkRange,
  }),
}));
