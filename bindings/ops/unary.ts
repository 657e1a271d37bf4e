// Elementwise ops of one tensor. An activation is declared once with both directions, and yields two rows: the op and its
// backward, which is an op as well so that second derivatives go through the same table.
import type { Kernels } from '../runtime/commands.ts';
import { ArgumentError, DtypeError } from '../runtime/errors.ts';
import type { Dtype } from '../tensor.ts';
import { expectDtype, expectShape, like } from './shapes.ts';
import type { KernelRow, Ops, Rows, Saved, Saves, Tensor } from './types.ts';

type Slope = { readonly negativeSlope: number };
type Alpha = { readonly alpha: number };
type Softplus = { readonly beta: number; readonly threshold: number };
type Range = { readonly min: number; readonly max: number };

export interface UnaryOps {
  neg(x: Tensor): Tensor;
  exp(x: Tensor): Tensor;
  expm1(x: Tensor): Tensor;
  log(x: Tensor): Tensor;
  log1p(x: Tensor): Tensor;
  sqrt(x: Tensor): Tensor;
  rsqrt(x: Tensor): Tensor;
  reciprocal(x: Tensor): Tensor;
  square(x: Tensor): Tensor;
  sign(x: Tensor): Tensor;
  floor(x: Tensor): Tensor;
  ceil(x: Tensor): Tensor;
  round(x: Tensor): Tensor;
  trunc(x: Tensor): Tensor;
  sin(x: Tensor): Tensor;
  cos(x: Tensor): Tensor;
  erf(x: Tensor): Tensor;
  /** alpha · x + beta. */
  scale(x: Tensor, attrs: { readonly alpha: number; readonly beta: number }): Tensor;
  cast(x: Tensor, attrs: { readonly dtype: Dtype }): Tensor;

  abs(x: Tensor): Tensor;
  absBackward(g: Tensor, x: Tensor): Tensor;
  tanh(x: Tensor): Tensor;
  tanhBackward(g: Tensor, y: Tensor): Tensor;
  sigmoid(x: Tensor): Tensor;
  sigmoidBackward(g: Tensor, y: Tensor): Tensor;
  relu(x: Tensor): Tensor;
  reluBackward(g: Tensor, y: Tensor): Tensor;
  leakyRelu(x: Tensor, attrs: Slope): Tensor;
  leakyReluBackward(g: Tensor, x: Tensor, attrs: Slope): Tensor;
  elu(x: Tensor, attrs: Alpha): Tensor;
  eluBackward(g: Tensor, x: Tensor, attrs: Alpha): Tensor;
  selu(x: Tensor): Tensor;
  seluBackward(g: Tensor, x: Tensor): Tensor;
  gelu(x: Tensor): Tensor;
  geluBackward(g: Tensor, x: Tensor): Tensor;
  geluTanh(x: Tensor): Tensor;
  geluTanhBackward(g: Tensor, x: Tensor): Tensor;
  silu(x: Tensor): Tensor;
  siluBackward(g: Tensor, x: Tensor): Tensor;
  softplus(x: Tensor, attrs: Softplus): Tensor;
  softplusBackward(g: Tensor, x: Tensor, attrs: Softplus): Tensor;
  softsign(x: Tensor): Tensor;
  softsignBackward(g: Tensor, x: Tensor): Tensor;
  hardtanh(x: Tensor, attrs: Range): Tensor;
  hardtanhBackward(g: Tensor, x: Tensor, attrs: Range): Tensor;
  clamp(x: Tensor, attrs: Range): Tensor;
  clampBackward(g: Tensor, x: Tensor, attrs: Range): Tensor;
}

type Unary<A> = KernelRow<[Tensor], A>;
type Grad<A> = KernelRow<[Tensor, Tensor], A>;

function inferUnary(op: string): (inputs: [Tensor]) => ReturnType<Unary<unknown>['infer']> {
  return ([x]) => {
    expectDtype(op, x, 'f32');
    return [like(x)];
  };
}

/** An op whose gradient is put together from other ops. */
function unary(
  op: string,
  forward: (k: Kernels, y: Tensor, x: Tensor) => void,
  saves: Saves,
  backward: (o: Ops, g: Tensor, saved: Saved<[Tensor], undefined>) => Tensor,
): Unary<undefined> {
  return {
    infer: inferUnary(op),
    forward: (k, [y], [x]) => forward(k, y as Tensor, x),
    saves,
    backward: (o, g, saved) => [backward(o, g, saved)],
  };
}

/** A step function: its gradient is 0 wherever it has one. */
const step = (op: string, forward: (k: Kernels, y: Tensor, x: Tensor) => void): Unary<undefined> =>
  unary(op, forward, 'none', (o, g) => o.full({ shape: g.shape, value: 0 }));

interface Activation<A> {
  forward(k: Kernels, y: Tensor, x: Tensor, attrs: A): void;
  /** dx = g · f'(saved). */
  backward(k: Kernels, dx: Tensor, g: Tensor, saved: Tensor, attrs: A): void;
  /** What f' is a function of. */
  saves: 'inputs' | 'output';
  /** The derivative of f' by what it is a function of; absent where it is 0 almost everywhere. */
  second?(o: Ops, saved: Tensor, attrs: A): Tensor;
  checkAttrs?(attrs: A): void;
}

/** The row of an activation; `again` names its backward row. */
function activation<A>(
  op: string,
  again: (o: Ops, g: Tensor, saved: Tensor, attrs: A) => Tensor,
  f: Activation<A>,
): Unary<A> {
  const infer = inferUnary(op);
  return {
    infer: (inputs, attrs) => {
      f.checkAttrs?.(attrs);
      return infer(inputs);
    },
    forward: (k, [y], [x], attrs) => f.forward(k, y as Tensor, x, attrs),
    saves: f.saves,
    backward: (o, g, { inputs, outputs, attrs }) => [
      again(o, g, f.saves === 'output' ? (outputs[0] as Tensor) : inputs[0], attrs),
    ],
  };
}

/** The row of its backward: (g, saved) → g · f'(saved). */
function activationBackward<A>(
  op: string,
  again: (o: Ops, g: Tensor, saved: Tensor, attrs: A) => Tensor,
  f: Activation<A>,
): Grad<A> {
  return {
    infer: ([g, saved]) => {
      expectDtype(op, g, 'f32');
      expectDtype(op, saved, 'f32');
      expectShape(op, 'the gradient', g, saved.shape);
      return [like(g)];
    },
    forward: (k, [dx], [g, saved], attrs) => f.backward(k, dx as Tensor, g, saved, attrs),
    saves: 'inputs',
    backward: (o, h, { inputs: [g, saved], attrs, needs }) => [
      needs[0] ? again(o, h, saved, attrs) : null,
      needs[1] && f.second ? o.mul(o.mul(h, g), f.second(o, saved, attrs)) : null,
    ],
  };
}

const affine = (o: Ops, x: Tensor, alpha: number, beta = 0): Tensor => o.scale(x, { alpha, beta });
/** `x` where the input is negative, else 0. */
const whereNegative = (o: Ops, input: Tensor, x: Tensor): Tensor => {
  const zero = o.full({ shape: [], value: 0 });
  return o.where(o.lt(input, zero), x, zero);
};

const abs: Activation<undefined> = {
  forward: (k, y, x) => k.abs_forward_f32(y, x, x.size),
  backward: (k, dx, g, x) => k.abs_backward_f32(dx, g, x, x.size),
  saves: 'inputs',
};
const tanh: Activation<undefined> = {
  forward: (k, y, x) => k.tanh_forward_f32(y, x, x.size),
  backward: (k, dx, g, y) => k.tanh_backward_f32(dx, g, y, y.size),
  saves: 'output',
  second: (o, y) => affine(o, y, -2),
};
const sigmoid: Activation<undefined> = {
  forward: (k, y, x) => k.sigmoid_forward_f32(y, x, x.size),
  backward: (k, dx, g, y) => k.sigmoid_backward_f32(dx, g, y, y.size),
  saves: 'output',
  second: (o, y) => affine(o, y, -2, 1),
};
const relu: Activation<undefined> = {
  forward: (k, y, x) => k.relu_forward_f32(y, x, x.size),
  backward: (k, dx, g, y) => k.relu_backward_f32(dx, g, y, y.size),
  saves: 'output',
};
const leakyRelu: Activation<Slope> = {
  forward: (k, y, x, { negativeSlope }) => k.leaky_relu_forward_f32(y, x, x.size, negativeSlope),
  backward: (k, dx, g, x, { negativeSlope }) => k.leaky_relu_backward_f32(dx, g, x, x.size, negativeSlope),
  saves: 'inputs',
};
const elu: Activation<Alpha> = {
  forward: (k, y, x, { alpha }) => k.elu_forward_f32(y, x, x.size, alpha),
  backward: (k, dx, g, x, { alpha }) => k.elu_backward_f32(dx, g, x, x.size, alpha),
  saves: 'inputs',
  second: (o, x, { alpha }) => whereNegative(o, x, affine(o, o.exp(x), alpha)),
};
/** SELU's constants (Klambauer et al. 2017): scale · alpha. */
const SELU_SCALE_ALPHA = 1.0507009873554805 * 1.6732632423543772;
const selu: Activation<undefined> = {
  forward: (k, y, x) => k.selu_forward_f32(y, x, x.size),
  backward: (k, dx, g, x) => k.selu_backward_f32(dx, g, x, x.size),
  saves: 'inputs',
  second: (o, x) => whereNegative(o, x, affine(o, o.exp(x), SELU_SCALE_ALPHA)),
};
const gelu: Activation<undefined> = {
  forward: (k, y, x) => k.gelu_forward_f32(y, x, x.size),
  backward: (k, dx, g, x) => k.gelu_backward_f32(dx, g, x, x.size),
  saves: 'inputs',
  // f'' = φ(x) (2 − x²), φ the normal density.
  second: (o, x) => {
    const squared = o.square(x);
    return o.mul(affine(o, o.exp(affine(o, squared, -0.5)), 1 / Math.sqrt(2 * Math.PI)), affine(o, squared, -1, 2));
  },
};
const geluTanh: Activation<undefined> = {
  forward: (k, y, x) => k.gelu_tanh_forward_f32(y, x, x.size),
  backward: (k, dx, g, x) => k.gelu_tanh_backward_f32(dx, g, x, x.size),
  saves: 'inputs',
  // f = x (1 + t) / 2 with t = tanh u, u = c (x + a x³): f'' = t' + x t'' / 2.
  second: (o, x) => {
    const c = Math.sqrt(2 / Math.PI);
    const a = 0.044715;
    const squared = o.square(x);
    const t = o.tanh(o.mul(x, affine(o, squared, c * a, c)));
    const slope = affine(o, squared, 3 * a * c, c); // u'
    const rest = affine(o, o.square(t), -1, 1); // 1 − t²
    const first = o.mul(rest, slope); // t'
    const second = o.sub(o.mul(rest, affine(o, x, 6 * a * c)), o.mul(affine(o, t, 2), o.mul(first, slope))); // t''
    return o.add(first, o.mul(affine(o, x, 0.5), second));
  },
};
const silu: Activation<undefined> = {
  forward: (k, y, x) => k.silu_forward_f32(y, x, x.size),
  backward: (k, dx, g, x) => k.silu_backward_f32(dx, g, x, x.size),
  saves: 'inputs',
  // f'' = s (1 − s) (2 + x (1 − 2 s)), s = sigmoid x.
  second: (o, x) => {
    const s = o.sigmoid(x);
    return o.mul(o.mul(s, affine(o, s, -1, 1)), affine(o, o.mul(x, affine(o, s, -2, 1)), 1, 2));
  },
};
const softplus: Activation<Softplus> = {
  forward: (k, y, x, { beta, threshold }) => k.softplus_forward_f32(y, x, x.size, beta, threshold),
  backward: (k, dx, g, x, { beta, threshold }) => k.softplus_backward_f32(dx, g, x, x.size, beta, threshold),
  saves: 'inputs',
  second: (o, x, { beta, threshold }) => {
    const s = o.sigmoid(affine(o, x, beta));
    const curve = o.mul(affine(o, s, beta), affine(o, s, -1, 1));
    return whereNegative(o, affine(o, x, beta, -threshold), curve); // linear from the threshold on
  },
};
const softsign: Activation<undefined> = {
  forward: (k, y, x) => k.softsign_forward_f32(y, x, x.size),
  backward: (k, dx, g, x) => k.softsign_backward_f32(dx, g, x, x.size),
  saves: 'inputs',
  // f'' = −2 sign(x) / (1 + |x|)³.
  second: (o, x) => {
    const r = o.reciprocal(affine(o, o.abs(x), 1, 1));
    return o.mul(affine(o, o.sign(x), -2), o.mul(r, o.square(r)));
  },
};
const checkRange =
  (op: string) =>
  ({ min, max }: Range): void => {
    if (!(min <= max)) throw new ArgumentError(`${op}: expected min <= max, got ${min} and ${max}`);
  };
const hardtanh: Activation<Range> = {
  forward: (k, y, x, { min, max }) => k.hardtanh_forward_f32(y, x, x.size, min, max),
  backward: (k, dx, g, x, { min, max }) => k.hardtanh_backward_f32(dx, g, x, x.size, min, max),
  saves: 'inputs',
  checkAttrs: checkRange('hardtanh'),
};
const clamp: Activation<Range> = {
  forward: (k, y, x, { min, max }) => k.clamp_forward_f32(y, x, x.size, min, max),
  backward: (k, dx, g, x, { min, max }) => k.clamp_backward_f32(dx, g, x, x.size, min, max),
  saves: 'inputs',
  checkAttrs: checkRange('clamp'),
};

const castKernels = {
  f32: { i32: 'cast_f32_i32', u8: 'cast_f32_u8' },
  i32: { f32: 'cast_i32_f32', u8: 'cast_i32_u8' },
  u8: { f32: 'cast_u8_f32', i32: 'cast_u8_i32' },
} as const satisfies Record<Dtype, Partial<Record<Dtype, keyof Kernels>>>;
const castKernel = (x: Tensor, to: Dtype): string | undefined =>
  (castKernels[x.dtype] as Partial<Record<Dtype, string>>)[to];

export const unaryRows: Rows<UnaryOps> = {
  neg: unary(
    'neg',
    (k, y, x) => k.neg_forward_f32(y, x, x.size),
    'none',
    (o, g) => o.neg(g),
  ),
  exp: unary(
    'exp',
    (k, y, x) => k.exp_forward_f32(y, x, x.size),
    'output',
    (o, g, { outputs: [y] }) => o.mul(g, y as Tensor),
  ),
  expm1: unary(
    'expm1',
    (k, y, x) => k.expm1_forward_f32(y, x, x.size),
    'output',
    (o, g, { outputs: [y] }) => o.mul(g, affine(o, y as Tensor, 1, 1)),
  ),
  log: unary(
    'log',
    (k, y, x) => k.log_forward_f32(y, x, x.size),
    'inputs',
    (o, g, { inputs: [x] }) => o.div(g, x),
  ),
  log1p: unary(
    'log1p',
    (k, y, x) => k.log1p_forward_f32(y, x, x.size),
    'inputs',
    (o, g, { inputs: [x] }) => o.div(g, affine(o, x, 1, 1)),
  ),
  sqrt: unary(
    'sqrt',
    (k, y, x) => k.sqrt_forward_f32(y, x, x.size),
    'output',
    (o, g, { outputs: [y] }) => o.div(g, affine(o, y as Tensor, 2)),
  ),
  rsqrt: unary(
    'rsqrt',
    (k, y, x) => k.rsqrt_forward_f32(y, x, x.size),
    'output',
    (o, g, { outputs: [y] }) => o.mul(g, o.mul(affine(o, y as Tensor, -0.5), o.square(y as Tensor))),
  ),
  reciprocal: unary(
    'reciprocal',
    (k, y, x) => k.reciprocal_forward_f32(y, x, x.size),
    'output',
    (o, g, { outputs: [y] }) => o.neg(o.mul(g, o.square(y as Tensor))),
  ),
  square: unary(
    'square',
    (k, y, x) => k.square_forward_f32(y, x, x.size),
    'inputs',
    (o, g, { inputs: [x] }) => o.mul(g, affine(o, x, 2)),
  ),
  sign: step('sign', (k, y, x) => k.sign_forward_f32(y, x, x.size)),
  floor: step('floor', (k, y, x) => k.floor_forward_f32(y, x, x.size)),
  ceil: step('ceil', (k, y, x) => k.ceil_forward_f32(y, x, x.size)),
  round: step('round', (k, y, x) => k.round_forward_f32(y, x, x.size)),
  trunc: step('trunc', (k, y, x) => k.trunc_forward_f32(y, x, x.size)),
  sin: unary(
    'sin',
    (k, y, x) => k.sin_forward_f32(y, x, x.size),
    'inputs',
    (o, g, { inputs: [x] }) => o.mul(g, o.cos(x)),
  ),
  cos: unary(
    'cos',
    (k, y, x) => k.cos_forward_f32(y, x, x.size),
    'inputs',
    (o, g, { inputs: [x] }) => o.neg(o.mul(g, o.sin(x))),
  ),
  erf: unary(
    'erf',
    (k, y, x) => k.erf_forward_f32(y, x, x.size),
    'inputs',
    (o, g, { inputs: [x] }) => o.mul(g, affine(o, o.exp(o.neg(o.square(x))), 2 / Math.sqrt(Math.PI))),
  ),
  scale: {
    infer: inferUnary('scale'),
    forward: (k, [y], [x], { alpha, beta }) => k.scale_f32(y as Tensor, x, x.size, alpha, beta),
    saves: 'none',
    backward: (o, g, { attrs: { alpha } }) => [affine(o, g, alpha)],
  },
  cast: {
    infer: ([x], { dtype }) => {
      if (!castKernel(x, dtype)) throw new DtypeError(`cast: expected a dtype other than ${x.dtype}, got '${dtype}'`);
      return [like(x, dtype)];
    },
    forward: (k, [y], [x], { dtype }) => k[castKernel(x, dtype) as 'cast_f32_i32'](y as Tensor, x, x.size),
    saves: 'none',
  },

  abs: activation('abs', (o, g, x) => o.absBackward(g, x), abs),
  absBackward: activationBackward('absBackward', (o, g, x) => o.absBackward(g, x), abs),
  tanh: activation('tanh', (o, g, y) => o.tanhBackward(g, y), tanh),
  tanhBackward: activationBackward('tanhBackward', (o, g, y) => o.tanhBackward(g, y), tanh),
  sigmoid: activation('sigmoid', (o, g, y) => o.sigmoidBackward(g, y), sigmoid),
  sigmoidBackward: activationBackward('sigmoidBackward', (o, g, y) => o.sigmoidBackward(g, y), sigmoid),
  relu: activation('relu', (o, g, y) => o.reluBackward(g, y), relu),
  reluBackward: activationBackward('reluBackward', (o, g, y) => o.reluBackward(g, y), relu),
  leakyRelu: activation('leakyRelu', (o, g, x, a) => o.leakyReluBackward(g, x, a), leakyRelu),
  leakyReluBackward: activationBackward('leakyReluBackward', (o, g, x, a) => o.leakyReluBackward(g, x, a), leakyRelu),
  elu: activation('elu', (o, g, x, a) => o.eluBackward(g, x, a), elu),
  eluBackward: activationBackward('eluBackward', (o, g, x, a) => o.eluBackward(g, x, a), elu),
  selu: activation('selu', (o, g, x) => o.seluBackward(g, x), selu),
  seluBackward: activationBackward('seluBackward', (o, g, x) => o.seluBackward(g, x), selu),
  gelu: activation('gelu', (o, g, x) => o.geluBackward(g, x), gelu),
  geluBackward: activationBackward('geluBackward', (o, g, x) => o.geluBackward(g, x), gelu),
  geluTanh: activation('geluTanh', (o, g, x) => o.geluTanhBackward(g, x), geluTanh),
  geluTanhBackward: activationBackward('geluTanhBackward', (o, g, x) => o.geluTanhBackward(g, x), geluTanh),
  silu: activation('silu', (o, g, x) => o.siluBackward(g, x), silu),
  siluBackward: activationBackward('siluBackward', (o, g, x) => o.siluBackward(g, x), silu),
  softplus: activation('softplus', (o, g, x, a) => o.softplusBackward(g, x, a), softplus),
  softplusBackward: activationBackward('softplusBackward', (o, g, x, a) => o.softplusBackward(g, x, a), softplus),
  softsign: activation('softsign', (o, g, x) => o.softsignBackward(g, x), softsign),
  softsignBackward: activationBackward('softsignBackward', (o, g, x) => o.softsignBackward(g, x), softsign),
  hardtanh: activation('hardtanh', (o, g, x, a) => o.hardtanhBackward(g, x, a), hardtanh),
  hardtanhBackward: activationBackward('hardtanhBackward', (o, g, x, a) => o.hardtanhBackward(g, x, a), hardtanh),
  clamp: activation('clamp', (o, g, x, a) => o.clampBackward(g, x, a), clamp),
  clampBackward: activationBackward('clampBackward', (o, g, x, a) => o.clampBackward(g, x, a), clamp),
};
