// Elementwise ops of one tensor whose gradients are put together from other ops. Activations are in activation.ts.
import type { Dtype } from '../dtypes.ts';
import { rowOf } from '../lookup.ts';
import { DtypeError } from '../memory/errors.ts';
import { mul, scale } from './algebra.ts';
import {
  any,
  attrs,
  type ByDtype,
  byDtype,
  f32,
  family,
  grad,
  integers,
  type Kernels,
  numeric,
  type Ops,
  plain,
  row,
  signature,
  type Tensor,
  u8,
} from './core.ts';

const unary = () => signature({ x: f32 }, { y: grad });
const integral = () => signature({ x: integers }, { y: plain });

const s = {
  neg: signature({ x: numeric }, { y: grad }),
  exp: unary(),
  expm1: unary(),
  log: unary(),
  log1p: unary(),
  sqrt: unary(),
  rsqrt: unary(),
  reciprocal: unary(),
  square: unary(),
  sign: signature({ x: numeric }, { y: grad }),
  floor: unary(),
  ceil: unary(),
  round: unary(),
  trunc: unary(),
  sin: unary(),
  cos: unary(),
  erf: unary(),
  bitwiseNot: integral(),
  /** 1 where a mask is 0, else 0. */
  logicalNot: signature({ x: u8 }, { y: plain }),
  /** alpha x + beta. */
  scale: signature({ x: f32 }, { y: grad }, attrs<{ readonly alpha: number; readonly beta: number }>()),
  cast: signature({ x: any }, { y: plain }, attrs<{ readonly dtype: Dtype }>()),
};
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

type Forward = (k: Kernels, operands: { readonly y: Tensor; readonly x: Tensor; readonly n: number }) => void;

/** f' is a function of x. */
const ofInput = (forward: Forward, backward: (o: Ops, g: Tensor, x: Tensor) => Tensor) =>
  row(unary(), {
    outputs: (make, { x }) => ({ y: make(x.sizes, 'f32') }),
    forward: (k, { y }, { x }) => forward(k, { y, x, n: x.size }),
    saves: ['x'],
    backward: (o, { y: g }, { x }) => ({ x: backward(o, g, x) }),
  });
/** f' is a function of y. */
const ofOutput = (forward: Forward, backward: (o: Ops, g: Tensor, y: Tensor) => Tensor) =>
  row(unary(), {
    outputs: (make, { x }) => ({ y: make(x.sizes, 'f32') }),
    forward: (k, { y }, { x }) => forward(k, { y, x, n: x.size }),
    saves: ['y'],
    backward: (o, { y: g }, { y }) => ({ x: backward(o, g, y) }),
  });
/** f' is a constant. */
const ofNothing = (kernels: ByDtype<Forward>, backward: (o: Ops, g: Tensor) => Tensor) =>
  row(s.neg, {
    outputs: (make, { x }) => ({ y: make(x.sizes, x.dtype) }),
    forward: (k, { y }, { x }) => byDtype(kernels, x.dtype)(k, { y, x, n: x.size }),
    backward: (o, { y: g }) => ({ x: backward(o, g) }),
  });
/** A step function: its gradient is 0 wherever it has one. */
const step = (kernels: ByDtype<Forward>) => ofNothing(kernels, (o, g) => o.full({}, { shape: g.sizes, value: 0 }));

/** The kernel that casts x, by its dtype and that of the result. */
const casts: Readonly<Record<Dtype, ByDtype<Forward>>> = {
  f32: { i32: (k, call) => k.cast_f32_i32(call), u8: (k, call) => k.cast_f32_u8(call) },
  i32: { f32: (k, call) => k.cast_i32_f32(call), u8: (k, call) => k.cast_i32_u8(call) },
  u8: { f32: (k, call) => k.cast_u8_f32(call), i32: (k, call) => k.cast_u8_i32(call) },
};

export const unaryRows = family(s, () => ({
  neg: ofNothing({ f32: (k, call) => k.neg_forward_f32(call), i32: (k, call) => k.neg_forward_i32(call) }, (o, g) =>
    o.neg({ x: g }),
  ),
  exp: ofOutput(
    (k, call) => k.exp_forward_f32(call),
    (o, g, y) => mul(o, g, y),
  ),
  expm1: ofOutput(
    (k, call) => k.expm1_forward_f32(call),
    (o, g, y) => mul(o, g, scale(o, y, 1, 1)),
  ),
  log: ofInput(
    (k, call) => k.log_forward_f32(call),
    (o, g, x) => o.div({ a: g, b: x }),
  ),
  log1p: ofInput(
    (k, call) => k.log1p_forward_f32(call),
    (o, g, x) => o.div({ a: g, b: scale(o, x, 1, 1) }),
  ),
  sqrt: ofOutput(
    (k, call) => k.sqrt_forward_f32(call),
    (o, g, y) => o.div({ a: g, b: scale(o, y, 2) }),
  ),
  rsqrt: ofOutput(
    (k, call) => k.rsqrt_forward_f32(call),
    (o, g, y) => mul(o, g, mul(o, scale(o, y, -0.5), o.square({ x: y }))),
  ),
  reciprocal: ofOutput(
    (k, call) => k.reciprocal_forward_f32(call),
    (o, g, y) => o.neg({ x: mul(o, g, o.square({ x: y })) }),
  ),
  square: ofInput(
    (k, call) => k.square_forward_f32(call),
    (o, g, x) => mul(o, g, scale(o, x, 2)),
  ),
  sign: step({ f32: (k, call) => k.sign_forward_f32(call), i32: (k, call) => k.sign_forward_i32(call) }),
  floor: step({ f32: (k, call) => k.floor_forward_f32(call) }),
  ceil: step({ f32: (k, call) => k.ceil_forward_f32(call) }),
  round: step({ f32: (k, call) => k.round_forward_f32(call) }),
  trunc: step({ f32: (k, call) => k.trunc_forward_f32(call) }),
  sin: ofInput(
    (k, call) => k.sin_forward_f32(call),
    (o, g, x) => mul(o, g, o.cos({ x })),
  ),
  cos: ofInput(
    (k, call) => k.cos_forward_f32(call),
    (o, g, x) => o.neg({ x: mul(o, g, o.sin({ x })) }),
  ),
  erf: ofInput(
    (k, call) => k.erf_forward_f32(call),
    (o, g, x) => mul(o, g, scale(o, o.exp({ x: o.neg({ x: o.square({ x }) }) }), 2 / Math.sqrt(Math.PI))),
  ),
  bitwiseNot: row(s.bitwiseNot, {
    outputs: (make, { x }) => ({ y: make(x.sizes, x.dtype) }),
    forward: (k, { y }, { x }) => {
      if (x.dtype === 'u8') k.not_forward_u8({ y, x, n: x.size });
      else k.not_forward_i32({ y, x, n: x.size });
    },
  }),
  logicalNot: row(s.logicalNot, {
    outputs: (make, { x }) => ({ y: make(x.sizes, 'u8') }),
    forward: (k, { y }, { x }) => k.logical_not_u8({ y, x, n: x.size }),
  }),
  scale: row(s.scale, {
    outputs: (make, { x }) => ({ y: make(x.sizes, 'f32') }),
    forward: (k, { y }, { x }, { alpha, beta }) => k.scale_f32({ y, x, n: x.size, alpha, beta }),
    backward: (o, { y: g }, _, { alpha }) => ({ x: scale(o, g, alpha) }),
  }),
  cast: row(s.cast, {
    outputs: (make, { x }, { dtype }) => {
      if (!rowOf(casts[x.dtype], dtype))
        throw new DtypeError(`cast: expected a dtype other than ${x.dtype}, got '${dtype}'`);
      return { y: make(x.sizes, dtype) };
    },
    forward: (k, { y }, { x }, { dtype }) => byDtype(casts[x.dtype], dtype)(k, { y, x, n: x.size }),
  }),
}));
