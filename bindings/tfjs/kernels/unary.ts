// Functions of one element, for all elements of a tensor.
import { specialKernels, tfjsKernels } from '../../generated/kernel-calls.ts';
import { specialNames } from '../../kernels/special.ts';
import type { Kernels } from '../../kernels/table.ts';
import { numelOf } from '../../sizes.ts';
import type { Backend } from '../backend.ts';
import type { Data, NumberDtype } from '../data.ts';
import type { Info } from '../engine.ts';
import { WORTH } from '../later.ts';
import { B, F, type Family, I, type Row, row } from '../row.ts';
import { asFloat, cast, constant, copy, fill } from './layout.ts';

type Call = { readonly y: Data; readonly x: Data; readonly n: number };
/** y = f(x). What it needs besides is temporary. */
type Unary<A = unknown> = (k: Kernels, call: Call, attrs: A, backend: Backend) => void;

interface Choice<A> {
  readonly float32: Unary<A>;
  /** Absent: computed as floats, and cut off as tfjs does. */
  readonly int32?: Unary<A>;
}

/** Of floats, or of integers, for which the result is one of them. */
function unary<A = unknown>(f: Unary<A>, int32?: Unary<A>): Row {
  const choice: Choice<A> = { float32: f, ...(int32 && { int32 }) };
  return row<{ x: number }, A>({ x: F | I }, (backend, { x }, attrs) => {
    const { kernels } = backend;
    const y = backend.make(x.shape, x.dtype as NumberDtype);
    const { dataId } = y;
    const call = { y: dataId, x: backend.at(x), n: dataId.size };
    if (x.dtype === 'float32') choice.float32(kernels, call, attrs, backend);
    else if (choice.int32) choice.int32(kernels, call, attrs, backend);
    else {
      const float = asFloat(backend, x);
      choice.float32(kernels, { y: float, x: float, n: call.n }, attrs, backend);
      cast(backend, 'float32', 'int32', dataId, float, call.n);
    }
    return y;
  });
}

/** Of numbers of any dtype, with a result of floats or bools. */
const unaryTo = <A = unknown>(dtype: 'float32' | 'bool', f: Unary<A>): Row =>
  row<{ x: number }, A>({ x: F | I | B }, (backend, { x }, attrs) => {
    const y = backend.make(x.shape, dtype);
    f(backend.kernels, { y: y.dataId, x: asFloat(backend, x), n: y.dataId.size }, attrs, backend);
    return y;
  });

/** y = x: what makes whole numbers of numbers leaves integers alone. */
const same: Unary = (k, { y, x, n }) => copy(k, 'int32', y, x, [n], [1], [1]);

/** The functions that share one kernel. */
const special = (name: (typeof specialNames)[number]): Row => {
  const fn = specialNames.indexOf(name);
  return unary((k, { y, x, n }) => k.special_forward_32({ y, a: x, b: null, n, fn }));
};

/** Between two numbers, of integers. */
function clampIntegers(backend: Backend, { y, x, n }: Call, low: number, high: number): void {
  const { kernels } = backend;
  const bound = (value: number): Data => constant(backend, 'int32', value);
  // Bounds of integers are whole: those of the user round inwards, as far as i32 goes.
  const [least, most] = [Math.max(Math.ceil(low), -(2 ** 31)), Math.min(Math.floor(high), 2 ** 31 - 1)];
  kernels.maximum_forward_i32({ y, a: x, b: bound(least), dims: [1, n, 1, 0] });
  kernels.minimum_forward_i32({ y, a: y, b: bound(most), dims: [1, n, 1, 0] });
}

/** A mask of a comparison with infinity. */
const beside =
  (compare: (k: Kernels, call: { y: Data; a: Data; b: Data; dims: number[] }) => void): Unary =>
  (k, { y, x, n }, _, backend) => {
    const size = backend.temporary(n, 'float32');
    k.abs_forward_f32({ y: size, x, n });
    compare(k, { y, a: size, b: constant(backend, 'float32', Number.POSITIVE_INFINITY), dims: [1, n, 1, 0] });
  };

interface Bounds {
  readonly clipValueMin: number;
  readonly clipValueMax: number;
}

/** A result like x, all of one value. */
const filled = (value: number): Row =>
  row({ x: F | I | B }, (backend, { x }) => {
    const dtype = x.dtype as NumberDtype;
    const y = backend.make(x.shape, dtype);
    fill(backend.kernels, dtype, y.dataId, y.dataId.size, value);
    return y;
  });

const rounding: Readonly<Record<string, Row>> = {
  Ceil: unary((k, call) => k.ceil_forward_f32(call), same),
  Floor: unary((k, call) => k.floor_forward_f32(call), same),
  Round: unary((k, call) => k.round_forward_f32(call), same),
  Abs: unary(
    (k, call) => k.abs_forward_f32(call),
    (k, call) => k.abs_forward_i32(call),
  ),
  Neg: unary(
    (k, call) => k.neg_forward_f32(call),
    (k, call) => k.neg_forward_i32(call),
  ),
  Sign: unary(
    (k, call) => k.sign_forward_f32(call),
    (k, call) => k.sign_forward_i32(call),
  ),
  Square: unary(
    (k, call) => k.square_forward_f32(call),
    (k, { y, x, n }) => k.mul_forward_i32({ y, a: x, b: x, dims: [1, n, 1, 1] }),
  ),
  ClipByValue: unary<Bounds>(
    // Of a relu() that waits: what is below 0 goes all the same.
    (k, { y, x, n }, { clipValueMin: alpha, clipValueMax: beta }) =>
      k.clamp_forward_f32({ y, x: (x.later && alpha >= 0 && x.relu) || x, n, alpha, beta }),
    (_, call, { clipValueMin, clipValueMax }, backend) => clampIntegers(backend, call, clipValueMin, clipValueMax),
  ),
};

const functions: Readonly<Record<string, Row>> = {
  Exp: unaryTo('float32', (k, call) => k.exp_forward_f32(call)),
  Expm1: unary((k, call) => k.expm1_forward_f32(call)),
  Log: unary((k, call) => k.log_forward_f32(call)),
  Log1p: unary((k, call) => k.log1p_forward_f32(call)),
  Sqrt: unary((k, call) => k.sqrt_forward_f32(call)),
  Rsqrt: unary((k, call) => k.rsqrt_forward_f32(call)),
  Reciprocal: unary((k, call) => k.reciprocal_forward_f32(call)),
  Erf: unary((k, call) => k.erf_forward_f32(call)),
  Sin: unary((k, call) => k.sin_forward_f32(call)),
  Cos: unary((k, call) => k.cos_forward_f32(call)),
  Asin: special('asin'),
  Acos: special('acos'),
  Atan: special('atan'),
  Sinh: special('sinh'),
  Cosh: special('cosh'),
  Asinh: special('asinh'),
  Acosh: special('acosh'),
  Atanh: special('atanh'),
};

const step = unary<{ alpha: number }>((k, { y, x, n }, { alpha }) => k.step_forward_f32({ y, x, n, alpha }));

/** A step, as the gradient of relu() has it, waits for the gradient that it is multiplied by. */
function stepLater(backend: Backend, inputs: object, attrs: unknown): Info | Info[] {
  const info = (inputs as { readonly x: Info }).x;
  const of = backend.at(info);
  // What relu() made of what is yet to be computed has the same step.
  const x = of.later && of.positive?.place ? of.positive : of;
  const n = numelOf(info.shape);
  if (info.dtype !== 'float32' || n < WORTH) return step.run(backend, inputs, attrs);
  const { alpha } = attrs as { readonly alpha: number };
  return backend.delay(info.shape, {
    inputs: [x],
    gate: alpha === 0 ? of : undefined,
    compute: (y) => backend.kernels.step_forward_f32({ y, x, n, alpha }),
    joins: (kernel, { dataId: dx }, other) => {
      if (kernel !== 'Multiply' || dx.size !== n || numelOf(other.shape) !== n) return false;
      backend.kernels.step_backward_f32({ dx, g: backend.at(other), saved: x, n, alpha });
      return true;
    },
  });
}

const relu = unary(
  (k, { y, x, n }) => {
    const result = { dataId: y, shape: [n], dtype: 'float32' } as const;
    if (x.later?.joins('Relu', result, { ...result, dataId: x })) x.positive = y;
    else k.relu_forward_f32({ y, x, n });
    y.relu = x;
  },
  (_, call, __, backend) => clampIntegers(backend, call, 0, 2 ** 31),
);

/** A relu waits for bounds, as tfjs puts them behind it where it has a greatest value, unless gradients look at it. */
function reluLater(backend: Backend, inputs: object, attrs: unknown): Info | Info[] {
  const info = (inputs as { readonly x: Info }).x;
  const x = backend.at(info);
  const n = numelOf(info.shape);
  if (info.dtype !== 'float32' || n < WORTH || backend.differentiates || x.later)
    return relu.run(backend, inputs, attrs);
  const y = backend.delay(info.shape, {
    inputs: [x],
    compute: (to) => backend.kernels.relu_forward_f32({ y: to, x, n }),
    joins: () => false,
  });
  backend.at(y).relu = x;
  return y;
}

const activations: Readonly<Record<string, Row>> = {
  Relu: { ...relu, run: reluLater },
  Relu6: unary(
    (k, call) => k.hardtanh_forward_f32({ ...call, alpha: 0, beta: 6 }),
    (_, call, __, backend) => clampIntegers(backend, call, 0, 6),
  ),
  Elu: unary((k, call) => k.elu_forward_f32({ ...call, alpha: 1 })),
  Selu: unary((k, call) => k.selu_forward_f32(call)),
  Sigmoid: unary((k, call) => k.sigmoid_forward_f32(call)),
  Tanh: unary((k, call) => k.tanh_forward_f32(call)),
  Softplus: unary((k, call) => k.softplus_forward_f32({ ...call, alpha: 1, beta: 20 })),
  LeakyRelu: unaryTo<{ alpha: number }>('float32', (k, call, { alpha }) =>
    k.leaky_relu_forward_f32({ ...call, alpha }),
  ),
  // 1 above 0, else alpha; NaN stays.
  Step: { ...step, run: stepLater },
};

const tests: Readonly<Record<string, Row>> = {
  LogicalNot: row({ x: B }, (backend, { x }) => {
    const y = backend.make(x.shape, 'bool');
    backend.kernels.logical_not_u8({ y: y.dataId, x: backend.at(x), n: y.dataId.size });
    return y;
  }),
  IsNan: unaryTo('bool', (k, { y, x, n }) => k.ne_f32({ y, a: x, b: x, dims: [1, n, 1, 1] })),
  IsFinite: unaryTo(
    'bool',
    beside((k, call) => k.lt_f32(call)),
  ),
  IsInf: unaryTo(
    'bool',
    beside((k, call) => k.eq_f32(call)),
  ),
  ZerosLike: filled(0),
  OnesLike: filled(1),
};

export const unaryFamily: Family = {
  kernels: [specialKernels, tfjsKernels],
  rows: { ...rounding, ...functions, ...activations, ...tests },
};
