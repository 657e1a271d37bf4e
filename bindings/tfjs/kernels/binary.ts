// Functions of elements of two tensors or more, which stretch to one shape.
import { specialKernels } from '../../generated/kernel-calls.ts';
import { specialNames } from '../../kernels/special.ts';
import type { Kernels } from '../../kernels/table.ts';
import { sameShape } from '../../sizes.ts';
import type { Backend } from '../backend.ts';
import type { Data, NumberDtype } from '../data.ts';
import type { Info } from '../engine.ts';
import { B, F, type Family, I, listRow, type Row, row } from '../row.ts';
import { asFloat, cast, constant, copy, fill, stretch, stretched, stretchedDims } from './layout.ts';

type Call = { readonly y: Data; readonly a: Data; readonly b: Data; readonly dims: readonly number[] };
type Binary = (k: Kernels, call: Call) => void;
type Result = Info & { readonly dataId: Data };
/** What is called for each dtype; a row takes those that it has something for. */
type Choice = { readonly [D in NumberDtype]?: Binary };

/** Whether a kernel that waits has computed y together with its own result, which is one of the two. */
function joins(kernel: string, y: Result, first: Data, second: Data, a: Info, b: Info): boolean {
  if (first === second) return false;
  return first.later?.joins(kernel, y, b) || second.later?.joins(kernel, y, a) || false;
}

/** y = f(a, b), of their dtype, or of `result`. */
function binary(kernel: string, choice: Choice, result?: NumberDtype): Row {
  const mask = (choice.float32 ? F : 0) | (choice.int32 ? I : 0) | (choice.bool ? B : 0);
  return row(
    { a: mask, b: mask },
    (backend, { a, b }) => {
      const dtype = a.dtype as NumberDtype;
      const shape = stretch(kernel, a.shape, b.shape);
      const y = backend.make(shape, result ?? dtype);
      if (joins(kernel, y, backend.at(a), backend.at(b), a, b)) return y;
      const dims = stretchedDims(shape, a.shape, b.shape);
      const run = dtype === 'float32' ? choice.float32 : dtype === 'int32' ? choice.int32 : choice.bool;
      (run as Binary)(backend.kernels, { y: y.dataId, a: backend.at(a), b: backend.at(b), dims });
      return y;
    },
    ({ a, b }) => a.dtype === b.dtype,
  );
}

const comparison = (kernel: string, choice: Choice): Row => binary(kernel, choice, 'bool');

/** y = f(a, b), by the kernel of rare functions, which takes neither strides nor other dtypes. */
function special(
  kernel: string,
  mask: number,
  run: (backend: Backend, y: Data, a: Data, b: Data) => void,
  result?: 'int32',
): Row {
  return row(
    { a: mask, b: mask },
    (backend, { a, b }) => {
      const shape = stretch(kernel, a.shape, b.shape);
      const y = backend.make(shape, result ?? (a.dtype as NumberDtype));
      run(backend, y.dataId, stretched(backend, a, shape), stretched(backend, b, shape));
      return y;
    },
    ({ a, b }) => a.dtype === b.dtype,
  );
}
const codeOf = (name: (typeof specialNames)[number]): number => specialNames.indexOf(name);

/** y = the whole number below a / b. */
function floorDivide(backend: Backend, y: Data, a: Data, b: Data): void {
  const { kernels } = backend;
  const n = y.size;
  if (a.dtype === 'int32') {
    kernels.special_forward_32({ y, a, b, n, fn: codeOf('floorDivide') });
    return;
  }
  const quotient = backend.temporary(n, 'float32');
  kernels.div_forward_f32({ y: quotient, a, b, dims: [1, n, 1, 1] });
  kernels.floor_forward_f32({ y: quotient, x: quotient, n });
  cast(backend, 'float32', 'int32', y, quotient, n);
}

/** y = a - b floor(a / b), of the sign of b; of integers 0 where b is. */
function modulo(backend: Backend, y: Data, a: Data, b: Data): void {
  const { kernels } = backend;
  const n = y.size;
  if (a.dtype === 'float32') {
    kernels.special_forward_32({ y, a, b, n, fn: codeOf('remainder') });
    return;
  }
  const dims = [1, n, 1, 1];
  kernels.special_forward_32({ y, a, b, n, fn: codeOf('floorDivide') });
  kernels.mul_forward_i32({ y, a: y, b, dims });
  kernels.sub_forward_i32({ y, a, b: y, dims });
  const some = backend.temporary(n, 'bool');
  const zero = constant(backend, 'int32', 0);
  kernels.ne_i32({ y: some, a: b, b: zero, dims: [1, n, 1, 0] });
  kernels.where_f32({ y, condition: some, a: y, b: zero, dims: [1, n, 1, 1, 0] });
}

/** y = a to the power of b, of integers, modulo 2^32 as their product is; what is no whole number is cut off, to 0. */
function power(backend: Backend, y: Data, a: Data, b: Data): void {
  const { kernels } = backend;
  const n = y.size;
  const dims = [1, n, 1, 1];
  const single = [1, n, 1, 0];
  const number = (value: number): Data => constant(backend, 'int32', value);
  const [base, bit, product] = [1, 2, 3].map(() => backend.temporary(n, 'int32')) as [Data, Data, Data];
  const [some, whole] = [1, 2].map(() => backend.temporary(n, 'bool')) as [Data, Data];
  // By less than 0, only 1 and -1 give whole numbers.
  kernels.maximum_forward_i32({ y: base, a, b: number(-1), dims: single });
  kernels.minimum_forward_i32({ y: base, a: base, b: number(1), dims: single });
  kernels.eq_i32({ y: whole, a, b: base, dims });
  kernels.ge_i32({ y: some, a: b, b: number(0), dims: single });
  kernels.logical_or_u8({ y: whole, a: whole, b: some, dims });
  kernels.where_f32({ y: base, condition: whole, a, b: number(0), dims: [1, n, 1, 1, 0] });
  fill(kernels, 'int32', y, n, 1);
  for (let i = 0; i < 31; i++) {
    kernels.and_forward_i32({ y: bit, a: b, b: number(2 ** i), dims: single });
    kernels.ne_i32({ y: some, a: bit, b: number(0), dims: single });
    kernels.mul_forward_i32({ y: product, a: y, b: base, dims });
    kernels.where_f32({ y, condition: some, a: product, b: y, dims: [1, n, 1, 1, 1] });
    kernels.mul_forward_i32({ y: base, a: base, b: base, dims });
  }
}

const powers = {
  float32: binary('Pow', { float32: (k, call) => k.pow_forward_f32(call) }),
  int32: special('Pow', I, power),
};

const arithmetic: Readonly<Record<string, Row>> = {
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
  Pow: {
    fits: (...call) => powers.float32.fits(...call) || powers.int32.fits(...call),
    run: (backend, inputs, attrs) =>
      powers[(inputs as { readonly a: Info }).a.dtype as 'int32'].run(backend, inputs, attrs),
  },
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
  BitwiseAnd: binary('BitwiseAnd', { int32: (k, call) => k.and_forward_i32(call) }),
  // Integers, of floats as well.
  FloorDiv: special('FloorDiv', F | I, floorDivide, 'int32'),
  Mod: special('Mod', F | I, modulo),
  Atan2: special('Atan2', F, ({ kernels }, y, a, b) =>
    kernels.special_forward_32({ y, a, b, n: y.size, fn: codeOf('atan2') }),
  ),
};

const logic: Readonly<Record<string, Row>> = {
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
  const n = y.size;
  const data = asFloat(backend, x);
  const above = backend.temporary(n, 'bool');
  kernels.ge_f32({ y: above, a: data, b: constant(backend, 'float32', 0), dims: [1, n, 1, 0] });
  const scaled = backend.temporary(n, 'float32');
  const dims = stretchedDims(x.shape, x.shape, alpha.shape);
  kernels.mul_forward_f32({ y: scaled, a: data, b: asFloat(backend, alpha), dims });
  kernels.where_f32({ y, condition: above, a: data, b: scaled, dims: [1, n, 1, 1, 1] });
}

/** Whether a condition has the shape of what it picks from, or one for each of the first dim. */
const picksRows = (condition: readonly number[], t: readonly number[]): boolean =>
  condition.length === 1 && t.length > 1 && condition[0] === t[0];

const rest: Readonly<Record<string, Row>> = {
  Prelu: row(
    { x: F | I, alpha: F | I },
    (backend, { x, alpha }) => {
      const y = backend.make(x.shape, 'float32');
      prelu(backend, y.dataId, x, alpha);
      return y;
    },
    ({ x, alpha }) => sameShape(stretch('Prelu', x.shape, alpha.shape), x.shape),
  ),
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
  Select: row(
    { condition: B, t: F | I | B, e: F | I | B },
    (backend, { condition, t, e }) => {
      const dtype = t.dtype as NumberDtype;
      const y = backend.make(t.shape, dtype);
      const n = y.dataId.size;
      const rows = t.shape[0] ?? 1;
      const width = n / Math.max(1, rows);
      const dims = sameShape(condition.shape, t.shape) ? [1, n, 1, 1, 1] : [2, rows, width, 1, 0, width, 1, width, 1];
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
      const [first, ...others] = list as [Info, ...Info[]];
      const dtype = first.dtype as NumberDtype;
      const y = backend.make(first.shape, dtype);
      const n = y.dataId.size;
      copy(backend.kernels, dtype, y.dataId, backend.at(first), [n], [1], [1]);
      for (const x of others) {
        const call = { y: y.dataId, a: y.dataId, b: backend.at(x), dims: [1, n, 1, 1] };
        if (dtype === 'float32') backend.kernels.add_forward_f32(call);
        else backend.kernels.add_forward_i32(call);
      }
      return y;
    },
    (list) => list.every(({ dtype, shape }) => dtype === list[0]?.dtype && sameShape(shape, list[0].shape)),
  ),
};

export const binaryFamily: Family = {
  kernels: [specialKernels],
  rows: { ...arithmetic, ...logic, ...rest },
};
