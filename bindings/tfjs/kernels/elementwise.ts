// Kernels of one element at a time, of one tensor or several that stretch to one shape.
import type { Kernels } from '../../kernels/table.ts';
import { numelOf, sameShape } from '../../sizes.ts';
import type { Backend } from '../backend.ts';
import type { Data, NumberDtype } from '../data.ts';
import type { Info } from '../engine.ts';
import { B, F, type Family, I, listRow, type Row, row } from '../row.ts';
import { cast, copy, fill, stretch, stretchedDims } from './layout.ts';

type Unary = (k: Kernels, call: { readonly y: Data; readonly x: Data; readonly n: number }) => void;
type Binary = (
  k: Kernels,
  call: { readonly y: Data; readonly a: Data; readonly b: Data; readonly dims: readonly number[] },
) => void;
/** What is called for each dtype; a row takes those that it has something for. */
type ByDtype<F> = { readonly [D in NumberDtype]?: F };

const maskOf = (choice: ByDtype<unknown>): number =>
  (choice.float32 ? F : 0) | (choice.int32 ? I : 0) | (choice.bool ? B : 0);

/** y = f(x), of the dtype of x. */
const unary = (choice: ByDtype<Unary>): Row =>
  row({ x: maskOf(choice) }, (backend, { x }) => {
    const y = backend.make(x.shape, x.dtype as NumberDtype);
    const f = choice[x.dtype as NumberDtype] as Unary;
    f(backend.kernels, { y: y.dataId, x: backend.at(x), n: y.dataId.size });
    return y;
  });

/** y = f(x), of floats, with numbers from the attributes. */
const unaryWith = <A>(f: (k: Kernels, y: Data, x: Data, n: number, attrs: A) => void): Row =>
  row<{ x: number }, A>({ x: F }, (backend, { x }, attrs) => {
    const y = backend.make(x.shape, 'float32');
    f(backend.kernels, y.dataId, backend.at(x), y.dataId.size, attrs);
    return y;
  });

/** Runs a kernel of two tensors that stretch to one shape. */
function combine(kernel: string, backend: Backend, f: Binary, a: Info, b: Info, dtype: NumberDtype): Info {
  const shape = stretch(kernel, a.shape, b.shape);
  const y = backend.make(shape, dtype);
  const dims = stretchedDims(shape, a.shape, b.shape);
  f(backend.kernels, { y: y.dataId, a: backend.at(a), b: backend.at(b), dims });
  return y;
}

/** y = f(a, b), of their dtype or of `result`. */
function binary(kernel: string, choice: ByDtype<Binary>, result?: NumberDtype): Row {
  const mask = maskOf(choice);
  return row(
    { a: mask, b: mask },
    (backend, { a, b }) => {
      const dtype = a.dtype as NumberDtype;
      return combine(kernel, backend, choice[dtype] as Binary, a, b, result ?? dtype);
    },
    ({ a, b }) => a.dtype === b.dtype,
  );
}

const comparison = (kernel: string, choice: ByDtype<Binary>): Row => binary(kernel, choice, 'bool');

/** A result like x, all of one value. */
const constant = (value: number): Row =>
  row({ x: F | I | B }, (backend, { x }) => {
    const dtype = x.dtype as NumberDtype;
    const y = backend.make(x.shape, dtype);
    fill(backend.kernels, dtype, y.dataId, y.dataId.size, value);
    return y;
  });

interface Filled {
  readonly shape: readonly number[];
  readonly value: unknown;
  readonly dtype?: NumberDtype;
}

const unaryRows: Readonly<Record<string, Row>> = {
  Abs: unary({
    float32: (k, call) => k.abs_forward_f32(call),
    int32: (k, call) => k.abs_forward_i32(call),
  }),
  Neg: unary({
    float32: (k, call) => k.neg_forward_f32(call),
    int32: (k, call) => k.neg_forward_i32(call),
  }),
  Sign: unary({ float32: (k, call) => k.sign_forward_f32(call), int32: (k, call) => k.sign_forward_i32(call) }),
  Ceil: unary({ float32: (k, call) => k.ceil_forward_f32(call) }),
  Floor: unary({ float32: (k, call) => k.floor_forward_f32(call) }),
  Round: unary({ float32: (k, call) => k.round_forward_f32(call) }),
  Exp: unary({ float32: (k, call) => k.exp_forward_f32(call) }),
  Expm1: unary({ float32: (k, call) => k.expm1_forward_f32(call) }),
  Log: unary({ float32: (k, call) => k.log_forward_f32(call) }),
  Log1p: unary({ float32: (k, call) => k.log1p_forward_f32(call) }),
  Sqrt: unary({ float32: (k, call) => k.sqrt_forward_f32(call) }),
  Rsqrt: unary({ float32: (k, call) => k.rsqrt_forward_f32(call) }),
  Reciprocal: unary({ float32: (k, call) => k.reciprocal_forward_f32(call) }),
  Square: unary({
    float32: (k, call) => k.square_forward_f32(call),
    int32: (k, { y, x, n }) => k.mul_forward_i32({ y, a: x, b: x, dims: [1, n, 1, 1] }),
  }),
  Sin: unary({ float32: (k, call) => k.sin_forward_f32(call) }),
  Cos: unary({ float32: (k, call) => k.cos_forward_f32(call) }),
  Erf: unary({ float32: (k, call) => k.erf_forward_f32(call) }),
  Tanh: unary({ float32: (k, call) => k.tanh_forward_f32(call) }),
  Sigmoid: unary({ float32: (k, call) => k.sigmoid_forward_f32(call) }),
  Relu: unary({ float32: (k, call) => k.relu_forward_f32(call) }),
  Selu: unary({ float32: (k, call) => k.selu_forward_f32(call) }),
  LogicalNot: unary({ bool: (k, call) => k.logical_not_u8(call) }),
  Relu6: unaryWith((k, y, x, n) => k.hardtanh_forward_f32({ y, x, n, alpha: 0, beta: 6 })),
  Elu: unaryWith((k, y, x, n) => k.elu_forward_f32({ y, x, n, alpha: 1 })),
  LeakyRelu: unaryWith<{ alpha: number }>((k, y, x, n, { alpha }) => k.leaky_relu_forward_f32({ y, x, n, alpha })),
  ClipByValue: unaryWith<{ clipValueMin: number; clipValueMax: number }>(
    (k, y, x, n, { clipValueMin: alpha, clipValueMax: beta }) => k.clamp_forward_f32({ y, x, n, alpha, beta }),
  ),
  IsNan: row({ x: F }, (backend, { x }) => combine('IsNan', backend, (k, call) => k.ne_f32(call), x, x, 'bool')),
  ZerosLike: constant(0),
  OnesLike: constant(1),
};

const binaryRows: Readonly<Record<string, Row>> = {
  Add: binary('Add', {
    float32: (k, call) => k.add_forward_f32(call),
    int32: (k, call) => k.add_forward_i32(call),
  }),
  Sub: binary('Sub', {
    float32: (k, call) => k.sub_forward_f32(call),
    int32: (k, call) => k.sub_forward_i32(call),
  }),
  Multiply: binary('Multiply', {
    float32: (k, call) => k.mul_forward_f32(call),
    int32: (k, call) => k.mul_forward_i32(call),
  }),
  RealDiv: binary('RealDiv', { float32: (k, call) => k.div_forward_f32(call) }),
  Pow: binary('Pow', { float32: (k, call) => k.pow_forward_f32(call) }),
  Maximum: binary('Maximum', {
    float32: (k, call) => k.maximum_forward_f32(call),
    int32: (k, call) => k.maximum_forward_i32(call),
  }),
  Minimum: binary('Minimum', {
    float32: (k, call) => k.minimum_forward_f32(call),
    int32: (k, call) => k.minimum_forward_i32(call),
  }),
  SquaredDifference: binary('SquaredDifference', {
    float32: (k, call) => {
      k.sub_forward_f32(call);
      k.square_forward_f32({ y: call.y, x: call.y, n: call.y.size });
    },
    int32: (k, call) => {
      k.sub_forward_i32(call);
      k.mul_forward_i32({ y: call.y, a: call.y, b: call.y, dims: [1, call.y.size, 1, 1] });
    },
  }),
  FloorDiv: binary('FloorDiv', {
    float32: (k, call) => {
      k.div_forward_f32(call);
      k.floor_forward_f32({ y: call.y, x: call.y, n: call.y.size });
    },
  }),
  BitwiseAnd: binary('BitwiseAnd', { int32: (k, call) => k.and_forward_i32(call) }),
  // Of y = elu(x): dy where y is positive, else dy (y + 1).
  EluGrad: row(
    { dy: F, y: F },
    (backend, { dy, y }) => {
      const { kernels } = backend;
      const dx = backend.make(y.shape, 'float32');
      const { dataId } = dx;
      const n = dataId.size;
      kernels.clamp_forward_f32({ y: dataId, x: backend.at(y), n, alpha: -1, beta: 0 });
      kernels.scale_f32({ y: dataId, x: dataId, n, alpha: 1, beta: 1 });
      kernels.mul_forward_f32({ y: dataId, a: dataId, b: backend.at(dy), dims: [1, n, 1, 1] });
      return dx;
    },
    ({ dy, y }) => sameShape(dy.shape, y.shape),
  ),
};

const logicRows: Readonly<Record<string, Row>> = {
  Equal: comparison('Equal', {
    float32: (k, call) => k.eq_f32(call),
    int32: (k, call) => k.eq_i32(call),
    bool: (k, call) => k.eq_u8(call),
  }),
  NotEqual: comparison('NotEqual', {
    float32: (k, call) => k.ne_f32(call),
    int32: (k, call) => k.ne_i32(call),
    bool: (k, call) => k.ne_u8(call),
  }),
  Less: comparison('Less', {
    float32: (k, call) => k.lt_f32(call),
    int32: (k, call) => k.lt_i32(call),
    bool: (k, call) => k.lt_u8(call),
  }),
  LessEqual: comparison('LessEqual', {
    float32: (k, call) => k.le_f32(call),
    int32: (k, call) => k.le_i32(call),
    bool: (k, call) => k.le_u8(call),
  }),
  Greater: comparison('Greater', {
    float32: (k, call) => k.gt_f32(call),
    int32: (k, call) => k.gt_i32(call),
    bool: (k, call) => k.gt_u8(call),
  }),
  GreaterEqual: comparison('GreaterEqual', {
    float32: (k, call) => k.ge_f32(call),
    int32: (k, call) => k.ge_i32(call),
    bool: (k, call) => k.ge_u8(call),
  }),
  LogicalAnd: binary('LogicalAnd', { bool: (k, call) => k.logical_and_u8(call) }),
  LogicalOr: binary('LogicalOr', { bool: (k, call) => k.logical_or_u8(call) }),
  LogicalXor: binary('LogicalXor', { bool: (k, call) => k.logical_xor_u8(call) }),
};

/** y = x where it is not negative, else alpha x, alpha stretched to the shape of x. y may be x. */
export function prelu(backend: Backend, y: Data, x: Info, alpha: Info): void {
  const { kernels } = backend;
  const [data, n] = [backend.at(x), y.size];
  const mask = backend.temporary(n, 'bool');
  const zero = backend.temporary(1, 'float32');
  fill(kernels, 'float32', zero, 1, 0);
  kernels.ge_f32({ y: mask, a: data, b: zero, dims: [1, n, 1, 0] });
  const scaled = backend.temporary(n, 'float32');
  kernels.mul_forward_f32({
    y: scaled,
    a: data,
    b: backend.at(alpha),
    dims: stretchedDims(x.shape, x.shape, alpha.shape),
  });
  kernels.where_f32({ y, condition: mask, a: data, b: scaled, dims: [1, n, 1, 1, 1] });
}

/** Whether a condition has the shape of what it picks from, or one for each of the first dim. */
const picksRows = (condition: readonly number[], t: readonly number[]): boolean =>
  condition.length === 1 && t.length > 1 && condition[0] === t[0];

const otherRows: Readonly<Record<string, Row>> = {
  Select: row(
    { condition: B, t: F | I | B, e: F | I | B },
    (backend, { condition, t, e }) => {
      const dtype = t.dtype as NumberDtype;
      const y = backend.make(t.shape, dtype);
      const n = y.dataId.size;
      const rows = t.shape[0] as number;
      const dims = sameShape(condition.shape, t.shape)
        ? [1, n, 1, 1, 1]
        : [2, rows, n / Math.max(1, rows), 1, 0, n / Math.max(1, rows), 1, n / Math.max(1, rows), 1];
      const call = { y: y.dataId, condition: backend.at(condition), a: backend.at(t), b: backend.at(e), dims };
      if (dtype === 'bool') backend.kernels.where_u8(call);
      else backend.kernels.where_f32(call);
      return y;
    },
    ({ condition, t, e }) =>
      t.dtype === e.dtype &&
      sameShape(t.shape, e.shape) &&
      (sameShape(condition.shape, t.shape) || picksRows(condition.shape, t.shape)),
  ),
  AddN: listRow(
    F | I,
    (backend, list) => {
      const [first, ...rest] = list as [Info, ...Info[]];
      const dtype = first.dtype as NumberDtype;
      const y = backend.make(first.shape, dtype);
      const n = y.dataId.size;
      copy(backend.kernels, dtype, y.dataId, backend.at(first), [n], [1], [1]);
      for (const x of rest) {
        const call = { y: y.dataId, a: y.dataId, b: backend.at(x), dims: [1, n, 1, 1] };
        if (dtype === 'float32') backend.kernels.add_forward_f32(call);
        else backend.kernels.add_forward_i32(call);
      }
      return y;
    },
    (list) => list.every(({ dtype, shape }) => dtype === list[0]?.dtype && sameShape(shape, list[0].shape)),
  ),
  Cast: row<{ x: number }, { dtype: NumberDtype | 'complex64' | 'string' }>(
    { x: F | I | B },
    (backend, { x }, { dtype }) => {
      if (dtype === x.dtype) return backend.share(x, x.shape);
      const y = backend.make(x.shape, dtype as NumberDtype);
      cast(backend, x.dtype as NumberDtype, dtype as NumberDtype, y.dataId, backend.at(x), y.dataId.size);
      return y;
    },
    (_, { dtype }) => dtype !== 'complex64' && dtype !== 'string',
  ),
  Fill: row<Record<never, never>, Filled>(
    {},
    (backend, _, { shape, value, dtype = 'float32' }) => {
      const y = backend.make(shape, dtype);
      fill(backend.kernels, dtype, y.dataId, numelOf(shape), value as number);
      return y;
    },
    (_, { value, dtype = 'float32' }) => typeof value === 'number' && ['float32', 'int32', 'bool'].includes(dtype),
  ),
  Prelu: row(
    { x: F, alpha: F },
    (backend, { x, alpha }) => {
      const y = backend.make(x.shape, 'float32');
      prelu(backend, y.dataId, x, alpha);
      return y;
    },
    ({ x, alpha }) => sameShape(stretch('Prelu', x.shape, alpha.shape), x.shape),
  ),
};

export const elementwise: Family = {
  kernels: [],
  rows: { ...unaryRows, ...binaryRows, ...logicRows, ...otherRows },
};
