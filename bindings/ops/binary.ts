// Elementwise ops of two or three tensors, broadcast by strides: nothing is copied to stretch it.
import { dtypes } from '../dtypes.ts';
import { constant, div, mul, scale, sub, where } from './algebra.ts';
import {
  any,
  type ByDtype,
  byDtype,
  f32,
  family,
  grad,
  type Input,
  integers,
  type Kernels,
  type Ops,
  plain,
  row,
  signature,
  strided,
  type Tensor,
  u8,
} from './core.ts';
import { broadcastShapes, elementwiseDims, expectSameDtype } from './shapes.ts';

type Numbers = Input<false, false>;
const arithmeticOf = (numbers: Numbers) => signature({ a: strided(numbers), b: strided(numbers) }, { y: grad });
const comparisonOf = () => signature({ a: strided(any), b: strided(any) }, { y: plain });
const bitwiseOf = () => signature({ a: strided(integers), b: strided(integers) }, { y: plain });
const logicalOf = () => signature({ a: strided(u8), b: strided(u8) }, { y: plain });

const s = {
  add: arithmeticOf(any),
  sub: arithmeticOf(any),
  mul: arithmeticOf(any),
  div: arithmeticOf(f32),
  pow: arithmeticOf(f32),
  maximum: arithmeticOf(any),
  minimum: arithmeticOf(any),
  eq: comparisonOf(),
  ne: comparisonOf(),
  lt: comparisonOf(),
  le: comparisonOf(),
  gt: comparisonOf(),
  ge: comparisonOf(),
  bitwiseAnd: bitwiseOf(),
  bitwiseOr: bitwiseOf(),
  bitwiseXor: bitwiseOf(),
  /** Of masks, 1 where … and 0 elsewhere. */
  logicalAnd: logicalOf(),
  logicalOr: logicalOf(),
  logicalXor: logicalOf(),
  /** a where the u8 mask is not 0, else b. */
  where: signature({ condition: strided(u8), a: strided(any), b: strided(any) }, { y: grad }),
};
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

interface Call {
  readonly y: Tensor;
  readonly a: Tensor;
  readonly b: Tensor;
  readonly dims: readonly number[];
}
/** The kernel for each dtype that the op takes. */
type Choice = ByDtype<(k: Kernels, call: Call) => void>;

const callKernel = (kernels: Choice, k: Kernels, y: Tensor, a: Tensor, b: Tensor): void =>
  byDtype(kernels, a.dtype)(k, { y, a, b, dims: elementwiseDims(y, a, b) });

type Saved = { readonly a: Tensor; readonly b: Tensor; readonly y: Tensor };
type Partials = { readonly a: (() => Tensor) | null; readonly b: (() => Tensor) | null };

/** Which values the gradients need, and the gradients, each computed only if needed. */
function arithmetic<V extends keyof Saved>(
  kernels: Choice,
  saves: readonly V[],
  backward: (o: Ops, g: Tensor, saved: Pick<Saved, V>) => Partials,
) {
  return row(s.add, {
    outputs: (make, { a, b }, _, op) => {
      expectSameDtype(op, a, b);
      return { y: make(broadcastShapes(op, a.sizes, b.sizes), a.dtype) };
    },
    forward: (k, { y }, { a, b }) => callKernel(kernels, k, y, a, b),
    saves: saves as readonly ('a' | 'b' | 'y')[],
    backward: (o, { y: g }, saved, __, { needs }) => {
      const partials = backward(o, g, saved);
      return {
        a: needs.a && partials.a ? partials.a() : null,
        b: needs.b && partials.b ? partials.b() : null,
      };
    },
  });
}

const comparison = (kernels: Choice) =>
  row(s.eq, {
    outputs: (make, { a, b }, _, op) => {
      expectSameDtype(op, a, b);
      return { y: make(broadcastShapes(op, a.sizes, b.sizes), 'u8') };
    },
    forward: (k, { y }, { a, b }) => callKernel(kernels, k, y, a, b),
  });

const bitwise = (kernels: Choice) =>
  row(s.bitwiseAnd, {
    outputs: (make, { a, b }, _, op) => {
      expectSameDtype(op, a, b);
      return { y: make(broadcastShapes(op, a.sizes, b.sizes), a.dtype) };
    },
    forward: (k, { y }, { a, b }) => callKernel(kernels, k, y, a, b),
  });

/** Of two equal values each gets half the gradient, as in PyTorch. */
function pick(o: Ops, g: Tensor, { a, b }: Pick<Saved, 'a' | 'b'>, wins: (a: Tensor, b: Tensor) => Tensor): Partials {
  const share = (x: Tensor, y: Tensor) => (): Tensor =>
    where(o, wins(x, y), g, where(o, o.eq({ a: x, b: y }), scale(o, g, 0.5), constant(o, 0)));
  return { a: share(a, b), b: share(b, a) };
}

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: a table, of rows that are short each
export const binaryRows = family(s, () => ({
  add: arithmetic(
    {
      f32: (k, call) => k.add_forward_f32(call),
      i32: (k, call) => k.add_forward_i32(call),
      u8: (k, call) => k.add_forward_u8(call),
    },
    [],
    (_, g) => ({ a: () => g, b: () => g }),
  ),
  sub: arithmetic(
    {
      f32: (k, call) => k.sub_forward_f32(call),
      i32: (k, call) => k.sub_forward_i32(call),
      u8: (k, call) => k.sub_forward_u8(call),
    },
    [],
    (o, g) => ({ a: () => g, b: () => o.neg({ x: g }) }),
  ),
  mul: arithmetic(
    {
      f32: (k, call) => k.mul_forward_f32(call),
      i32: (k, call) => k.mul_forward_i32(call),
      u8: (k, call) => k.mul_forward_u8(call),
    },
    ['a', 'b'],
    (o, g, { a, b }) => ({ a: () => mul(o, g, b), b: () => mul(o, g, a) }),
  ),
  div: arithmetic({ f32: (k, call) => k.div_forward_f32(call) }, ['b', 'y'], (o, g, { b, y }) => ({
    a: () => div(o, g, b),
    b: () => o.neg({ x: mul(o, div(o, g, b), y) }),
  })),
  pow: arithmetic({ f32: (k, call) => k.pow_forward_f32(call) }, ['a', 'b', 'y'], (o, g, { a, b, y }) => ({
    // b aᵇ⁻¹, and 0 where b = 0, without the power that may be infinite, by which the second derivative would be NaN.
    a: () => {
      const zero = constant(o, 0);
      const none = o.eq({ a: b, b: zero });
      const slope = mul(o, b, o.pow({ a, b: where(o, none, zero, sub(o, b, constant(o, 1))) }));
      return mul(o, g, where(o, none, zero, slope));
    },
    // aᵇ log a, and 0 (not 0 · −∞) where a = 0 and b ≥ 0.
    b: () => {
      const zero = constant(o, 0);
      const slope = mul(o, y, o.log({ x: a }));
      return mul(o, g, where(o, o.eq({ a, b: zero }), where(o, o.ge({ a: b, b: zero }), zero, slope), slope));
    },
  })),
  maximum: arithmetic(
    {
      f32: (k, call) => k.maximum_forward_f32(call),
      i32: (k, call) => k.maximum_forward_i32(call),
      u8: (k, call) => k.maximum_forward_u8(call),
    },
    ['a', 'b'],
    (o, g, saved) => pick(o, g, saved, (a, b) => o.gt({ a, b })),
  ),
  minimum: arithmetic(
    {
      f32: (k, call) => k.minimum_forward_f32(call),
      i32: (k, call) => k.minimum_forward_i32(call),
      u8: (k, call) => k.minimum_forward_u8(call),
    },
    ['a', 'b'],
    (o, g, saved) => pick(o, g, saved, (a, b) => o.lt({ a, b })),
  ),
  eq: comparison({
    f32: (k, call) => k.eq_f32(call),
    i32: (k, call) => k.eq_i32(call),
    u8: (k, call) => k.eq_u8(call),
  }),
  ne: comparison({
    f32: (k, call) => k.ne_f32(call),
    i32: (k, call) => k.ne_i32(call),
    u8: (k, call) => k.ne_u8(call),
  }),
  lt: comparison({
    f32: (k, call) => k.lt_f32(call),
    i32: (k, call) => k.lt_i32(call),
    u8: (k, call) => k.lt_u8(call),
  }),
  le: comparison({
    f32: (k, call) => k.le_f32(call),
    i32: (k, call) => k.le_i32(call),
    u8: (k, call) => k.le_u8(call),
  }),
  gt: comparison({
    f32: (k, call) => k.gt_f32(call),
    i32: (k, call) => k.gt_i32(call),
    u8: (k, call) => k.gt_u8(call),
  }),
  ge: comparison({
    f32: (k, call) => k.ge_f32(call),
    i32: (k, call) => k.ge_i32(call),
    u8: (k, call) => k.ge_u8(call),
  }),
  bitwiseAnd: bitwise({ i32: (k, call) => k.and_forward_i32(call), u8: (k, call) => k.and_forward_u8(call) }),
  bitwiseOr: bitwise({ i32: (k, call) => k.or_forward_i32(call), u8: (k, call) => k.or_forward_u8(call) }),
  bitwiseXor: bitwise({ i32: (k, call) => k.xor_forward_i32(call), u8: (k, call) => k.xor_forward_u8(call) }),
  logicalAnd: bitwise({ u8: (k, call) => k.logical_and_u8(call) }),
  logicalOr: bitwise({ u8: (k, call) => k.logical_or_u8(call) }),
  logicalXor: bitwise({ u8: (k, call) => k.logical_xor_u8(call) }),
  where: row(s.where, {
    outputs: (make, { condition, a, b }, _, op) => {
      expectSameDtype(op, a, b);
      return { y: make(broadcastShapes(op, condition.sizes, a.sizes, b.sizes), a.dtype) };
    },
    forward: (k, { y }, { condition, a, b }) => {
      const call = { y, condition, a, b, dims: elementwiseDims(y, condition, a, b) };
      if (dtypes[y.dtype].bytes === 1) k.where_u8(call);
      else k.where_f32(call);
    },
    saves: ['condition'],
    backward: (o, { y: g }, { condition }, _, { needs }) => ({
      a: needs.a ? where(o, condition, g, constant(o, 0)) : null,
      b: needs.b ? where(o, condition, constant(o, 0), g) : null,
    }),
  }),
}));
