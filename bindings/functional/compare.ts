// What numbers are and how they compare, by masks; numbers put in the place of others; bits.
import { ops } from '../autograd.ts';
import { tracing } from '../execute.ts';
import { type Callable, callable } from '../signature.ts';
import { host, type Tensor } from '../tensor.ts';
import { asFloat, asTensor, cast, constantFor, type Dims, paired, type TensorLike } from './arguments.ts';
import {
  abs,
  add,
  type BinaryFunction,
  type ClampOptions,
  clamp,
  div,
  eq,
  ge,
  gt,
  le,
  logicalAnd,
  logicalNot,
  logicalOr,
  lt,
  mul,
  ne,
  sign,
  sub,
  type UnaryFunction,
  where,
} from './elementwise.ts';
import { nonzeroMask } from './places.ts';
import { wholeQuotient } from './quotient.ts';
import { type ReduceOptions, sum } from './reduction.ts';

const INFINITY = Number.POSITIVE_INFINITY;

/* @__NO_SIDE_EFFECTS__ */
const unary = (name: string, of: UnaryFunction): UnaryFunction => callable(`${name}(x: Tensor)`, of);

/** The u8 mask of where x is NaN. */
export const isnan: UnaryFunction = unary('isnan', (x) => ne(x, x));

/** The u8 mask of where x is ∞ or −∞. */
export const isinf: UnaryFunction = unary('isinf', (x) => eq(abs(x), INFINITY));

/** The u8 mask of where x is neither infinite nor NaN. */
export const isfinite: UnaryFunction = unary('isfinite', (x) => lt(abs(x), INFINITY));

/** The u8 mask of where x is ∞. */
export const isposinf: UnaryFunction = unary('isposinf', (x) => eq(x, INFINITY));

/** The u8 mask of where x is −∞. */
export const isneginf: UnaryFunction = unary('isneginf', (x) => eq(x, -INFINITY));

/** The u8 mask of where x is below 0 or −0; NaN counts as positive. */
export const signbit: UnaryFunction = unary('signbit', (x) =>
  x.dtype === 'f32' ? logicalOr(lt(x, 0), eq(ops.reciprocal({ x }), -INFINITY)) : lt(x, 0),
);

/** −1, 0 or 1: {@link sign}, since there are no complex numbers. */
export const sgn: UnaryFunction = unary('sgn', (x) => sign(x));

/** x itself. */
export const positive: UnaryFunction = unary('positive', (x) => x);

/** x without its whole part: x − trunc(x). */
export const frac: UnaryFunction = unary('frac', (x) => sub(x, ops.trunc({ x: asFloat(x) })));

/** What {@link isclose} and {@link allclose} allow. */
export interface CloseOptions {
  /** How far apart, as a part of `other`. @defaultValue 1e-5 */
  rtol?: number;
  /** How far apart besides. @defaultValue 1e-8 */
  atol?: number;
  /** Whether NaN is close to NaN. @defaultValue false */
  equalNan?: boolean;
}

function close(x: Tensor, other: Tensor, rtol: number, atol: number, equalNan: boolean): Tensor {
  const { a, b } = paired('isclose', x, other);
  const [p, q] = [asFloat(a), asFloat(b)];
  const gap = abs(sub(p, q));
  // The gap to an infinity is infinite, and so is what is allowed there.
  const near = logicalAnd(le(gap, add(mul(abs(q), rtol), atol)), lt(gap, INFINITY));
  const same = logicalOr(eq(a, b), near);
  return equalNan ? logicalOr(same, logicalAnd(ne(p, p), ne(q, q))) : same;
}

/** A comparison of two tensors that allows a gap. */
export type CloseFunction<R> = Callable<
  [x: Tensor, other: Tensor],
  [rtol: number, atol: number, equalNan: boolean],
  CloseOptions,
  R,
  ['x', 'other']
>;
const CLOSE = '(x: Tensor, other: Tensor, rtol: number = 1e-5, atol: number = 1e-8, equalNan: bool = false)';

/** The u8 mask of |x − other| ≤ atol + rtol |other|, broadcast. */
export const isclose: CloseFunction<Tensor> = callable<CloseFunction<Tensor>>(`isclose${CLOSE}`, close);

/** Whether a mask is 1 everywhere, read from memory. */
function everywhere(op: string, mask: Tensor): boolean {
  const missing = sum(logicalNot(mask));
  return host.download(missing, op)[0] === 0;
}
const INSIDE =
  'its answer depends on values: call it outside of the compiled function, or use isclose() or eq() and all()';

/** Whether |x − other| ≤ atol + rtol |other| everywhere, broadcast. @throws RecordingError inside of compile() */
export const allclose: CloseFunction<boolean> = callable<CloseFunction<boolean>>(
  `allclose${CLOSE}`,
  (x: Tensor, other: Tensor, rtol: number, atol: number, equalNan: boolean) => {
    tracing()?.refuse('allclose', INSIDE);
    return everywhere('allclose', close(x, other, rtol, atol, equalNan));
  },
);

/** Whether both have one shape and the same elements. @throws RecordingError inside of compile() */
export const equal = callable('equal(x: Tensor, other: Tensor)', (x: Tensor, other: Tensor): boolean => {
  tracing()?.refuse('equal', INSIDE);
  const alike = x.ndim === other.ndim && x.sizes.every((size, d) => size === other.sizes[d]);
  return alike && everywhere('equal', eq(x, other));
});

/** |x| with the sign of `other`, broadcast. */
export const copysign: BinaryFunction = callable(
  'copysign(x: Tensor, other: Tensor|number)',
  (x: Tensor, other: TensorLike): Tensor => {
    const size = abs(asFloat(x));
    const s = asTensor('copysign', other);
    return where(signbit(s), ops.neg({ x: size }), size);
  },
);

/** 0 below 0, 1 above, and `values` at 0, broadcast. */
export const heaviside = callable(
  'heaviside(x: Tensor, values: Tensor)',
  (x: Tensor, values: Tensor): Tensor => where(eq(x, 0), values, cast(gt(x, 0), values.dtype)),
);

/* @__NO_SIDE_EFFECTS__ */
const number = (name: 'fmax' | 'fmin', wins: BinaryFunction): ((x: Tensor, other: Tensor) => Tensor) =>
  callable(`${name}(x: Tensor, other: Tensor)`, (x: Tensor, other: Tensor): Tensor => {
    const { a, b } = paired(name, x, other);
    return ops.where({ condition: logicalOr(wins(a, b), ne(b, b)), a, b });
  });

/** The larger of x and `other`, broadcast; where one is NaN, the other. */
export const fmax: (x: Tensor, other: Tensor) => Tensor = number('fmax', ge);

/** The smaller of x and `other`, broadcast; where one is NaN, the other. */
export const fmin: (x: Tensor, other: Tensor) => Tensor = number('fmin', le);

/** x, but at least `min`, broadcast; the gradient is 0 where it was below. */
export const clampMin = callable('clampMin(x: Tensor, min: Tensor|number)', (x: Tensor, min: TensorLike): Tensor => {
  const { a, b } = paired('clampMin', x, min);
  return ops.where({ condition: lt(a, b), a: b, b: a });
});

/** x, but at most `max`, broadcast; the gradient is 0 where it was above. */
export const clampMax = callable('clampMax(x: Tensor, max: Tensor|number)', (x: Tensor, max: TensorLike): Tensor => {
  const { a, b } = paired('clampMax', x, max);
  return ops.where({ condition: gt(a, b), a: b, b: a });
});

/** {@link clamp} by another name. @throws ArgumentError without either bound */
export const clip = callable<Callable<[x: Tensor], [min: number | null, max: number | null], ClampOptions, Tensor>>(
  'clip(x: Tensor, min: number|null = null, max: number|null = null)',
  (x: Tensor, min: number | null, max: number | null) => clamp(x, min, max),
);

/** Options of {@link nanToNum}. */
export interface NanToNumOptions {
  /** What NaN becomes; null: 0. @defaultValue null */
  nan?: number | null;
  /** What ∞ becomes; null: the largest finite number. @defaultValue null */
  posinf?: number | null;
  /** What −∞ becomes; null: the smallest finite number. @defaultValue null */
  neginf?: number | null;
}

const LARGEST = (2 - 2 ** -23) * 2 ** 127;

/** x with finite numbers in the place of NaN and infinities. Their gradient is 0. */
export const nanToNum = callable<
  Callable<[x: Tensor], [nan: number | null, posinf: number | null, neginf: number | null], NanToNumOptions, Tensor>
>(
  'nanToNum(x: Tensor, nan: number|null = null, posinf: number|null = null, neginf: number|null = null)',
  (x: Tensor, nan: number | null, posinf: number | null, neginf: number | null) => {
    if (x.dtype !== 'f32') return ops.contiguous({ x });
    const y = where(ne(x, x), nan ?? 0, x);
    const z = where(eq(y, INFINITY), posinf ?? LARGEST, y);
    return where(eq(z, -INFINITY), neginf ?? -LARGEST, z);
  },
);

/** x / other in f32: {@link div} by another name. */
export const trueDivide: BinaryFunction = callable(
  'trueDivide(x: Tensor, other: Tensor|number)',
  (x: Tensor, other: TensorLike): Tensor => div(x, other),
);

/** Options of {@link addcmul} and {@link addcdiv}. */
export interface AddcOptions {
  /** What the product or quotient is multiplied by. @defaultValue 1 */
  value?: number;
}
type AddcFunction = (x: Tensor, tensor1: Tensor, tensor2: Tensor, options?: AddcOptions) => Tensor;
/* @__NO_SIDE_EFFECTS__ */
const addc = (name: string, of: BinaryFunction): AddcFunction =>
  callable<AddcFunction>(
    `${name}(x: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: number = 1)`,
    (x: Tensor, tensor1: Tensor, tensor2: Tensor, value: number) => {
      const y = of(tensor1, tensor2);
      return add(x, value === 1 ? y : mul(y, value));
    },
  );

/** x + value · tensor1 · tensor2, broadcast. */
export const addcmul: AddcFunction = addc('addcmul', mul);

/** x + value · tensor1 / tensor2, broadcast. */
export const addcdiv: AddcFunction = addc('addcdiv', div);

/** 2ⁿ as i32 for n from 0 to 30; 2³⁰ above, 0 or 1 below. */
const powerOfTwo = (n: Tensor): Tensor =>
  ops.cast({ x: ops.pow({ a: constantFor(n, 2), b: asFloat(clamp(n, 0, 30)) }) }, { dtype: 'i32' });

/** Both as i32, and the dtype of the result. */
function shift(
  op: string,
  x: Tensor,
  other: TensorLike,
  of: (a: Tensor, n: Tensor, outside: Tensor) => Tensor,
): Tensor {
  const { a, b } = paired(op, x, other);
  const n = cast(b, 'i32');
  const outside = logicalOr(lt(n, 0), ge(n, a.dtype === 'u8' ? 8 : 32));
  return cast(of(cast(a, 'i32'), n, outside), a.dtype);
}

/** The bits of x, of i32 or u8, moved up by `other` places, broadcast; 0 for as many places as there are bits. */
export const bitwiseLeftShift: BinaryFunction = callable(
  'bitwiseLeftShift(x: Tensor, other: Tensor|number)',
  (x: Tensor, other: TensorLike): Tensor =>
    shift('bitwiseLeftShift', x, other, (a, n, outside) => {
      const moved = mul(a, powerOfTwo(n));
      return where(outside, 0, where(eq(n, 31), mul(moved, 2), moved));
    }),
);

/** The bits of x, of i32 or u8, moved down by `other` places, broadcast; the sign stays. */
export const bitwiseRightShift: BinaryFunction = callable(
  'bitwiseRightShift(x: Tensor, other: Tensor|number)',
  (x: Tensor, other: TensorLike): Tensor =>
    shift('bitwiseRightShift', x, other, (a, n, outside) =>
      where(logicalOr(outside, eq(n, 31)), where(lt(a, 0), -1, 0), wholeQuotient(a, powerOfTwo(n))),
    ),
);

type MaskFunction = Callable<[x: Tensor], [dim: Dims | null, keepdim: boolean], ReduceOptions, Tensor>;
const MASKED = '(x: Tensor, dim: int|int[]|null = null, keepdim: bool = false)';

/** The u8 mask of whether any element over `dim`, one dim or several, is not 0; of all by default. */
export const any: MaskFunction = callable<MaskFunction>(
  `any${MASKED}`,
  (x: Tensor, dim: Dims | null, keepdim: boolean) => ne(sum(truth(x), dim, keepdim), 0),
);

/** The u8 mask of whether no element over `dim`, one dim or several, is 0; of all by default. */
export const all: MaskFunction = callable<MaskFunction>(
  `all${MASKED}`,
  (x: Tensor, dim: Dims | null, keepdim: boolean) => eq(sum(logicalNot(nonzeroMask(x)), dim, keepdim), 0),
);

/** 1 where x is not 0, as u8. */
const truth = (x: Tensor): Tensor => ne(x, 0);

/** Options of {@link countNonzero}. */
export interface CountOptions {
  /** The dims to count over; null: all of them. @defaultValue null */
  dim?: Dims | null;
}

/** How many elements over `dim`, one dim or several, are not 0, as i32; of all by default. */
export const countNonzero = callable<Callable<[x: Tensor], [dim: Dims | null], CountOptions, Tensor>>(
  'countNonzero(x: Tensor, dim: int|int[]|null = null)',
  (x: Tensor, dim: Dims | null) => sum(truth(x), dim),
);
