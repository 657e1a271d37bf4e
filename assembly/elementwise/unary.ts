// Elementwise functions of n contiguous elements, out = f(x). out may be x. Every kernel overwrites out, or dx. Where
// there is no backward, the gradient is a product of other kernels' results, or zero.
import { madd, magnitude, select } from "../lanes";
import { grad, map } from "../loops";
import { erf, exp, expm1, log, log1p } from "../math";
import { Square, USES_P, USES_Q } from "../ops";

@final
@unmanaged
class Neg {
  @inline forward(x: v128): v128 {
    return v128.xor(x, i32x4.splat(0x80000000));
  }
}

@final
@unmanaged
class Exp {
  @inline forward(x: v128): v128 {
    return exp(x);
  }
}

@final
@unmanaged
class Log {
  @inline forward(x: v128): v128 {
    return log(x);
  }
}

@final
@unmanaged
class Log1p {
  @inline forward(x: v128): v128 {
    return log1p(x);
  }
}

@final
@unmanaged
class Expm1 {
  @inline forward(x: v128): v128 {
    return expm1(x);
  }
}

@final
@unmanaged
class Erf {
  @inline forward(x: v128): v128 {
    return erf(x);
  }
}

@final
@unmanaged
class Sqrt {
  @inline forward(x: v128): v128 {
    return f32x4.sqrt(x);
  }
}

@final
@unmanaged
class Rsqrt {
  @inline forward(x: v128): v128 {
    return f32x4.div(f32x4.splat(1), f32x4.sqrt(x));
  }
}

@final
@unmanaged
class Reciprocal {
  @inline forward(x: v128): v128 {
    return f32x4.div(f32x4.splat(1), x);
  }
}

@final
@unmanaged
class Floor {
  @inline forward(x: v128): v128 {
    return f32x4.floor(x);
  }
}

@final
@unmanaged
class Ceil {
  @inline forward(x: v128): v128 {
    return f32x4.ceil(x);
  }
}

@final
@unmanaged
class Round {
  @inline forward(x: v128): v128 {
    return f32x4.nearest(x);
  }
}

@final
@unmanaged
class Trunc {
  @inline forward(x: v128): v128 {
    return f32x4.trunc(x);
  }
}

/** 1, -1, or 0, which is also NaN's. */
@inline
function sign(x: v128): v128 {
  const zero = f32x4.splat(0),
    one = f32x4.splat(1);
  return f32x4.sub(v128.and(f32x4.gt(x, zero), one), v128.and(f32x4.lt(x, zero), one));
}

@final
@unmanaged
class Sign {
  @inline forward(x: v128): v128 {
    return sign(x);
  }
}

@final
@unmanaged
class Step {
  @inline uses(): i32 {
    return USES_P;
  }
  @inline forward(x: v128, low: v128): v128 {
    const zero = f32x4.splat(0);
    return select(f32x4.eq(x, x), select(f32x4.gt(x, zero), f32x4.splat(1), low), x);
  }
  @inline backward(g: v128, x: v128, low: v128): v128 {
    return f32x4.mul(g, this.forward(x, low));
  }
}

@final
@unmanaged
class Abs {
  @inline forward(x: v128): v128 {
    return magnitude(x);
  }
  @inline backward(g: v128, x: v128): v128 {
    return f32x4.mul(g, sign(x));
  }
}

@final
@unmanaged
class Affine {
  @inline uses(): i32 {
    return USES_Q;
  }
  @inline forward(x: v128, alpha: v128, beta: v128): v128 {
    return madd(x, alpha, beta);
  }
}

/** out = -x (torch.neg). */
export function neg_forward_f32(out: usize, x: usize, n: i32): void {
  map<Neg>(out, x, n);
}

/** out = e^x (torch.exp). Within 2 ulp. */
export function exp_forward_f32(out: usize, x: usize, n: i32): void {
  map<Exp>(out, x, n);
}

/** out = ln x (torch.log). Within 2 ulp; -Inf at 0, NaN below. */
export function log_forward_f32(out: usize, x: usize, n: i32): void {
  map<Log>(out, x, n);
}

/** out = ln(1 + x) (torch.log1p), accurate relative to itself. Within 2 ulp. */
export function log1p_forward_f32(out: usize, x: usize, n: i32): void {
  map<Log1p>(out, x, n);
}

/** out = e^x - 1 (torch.expm1), accurate relative to itself. Within 2 ulp. */
export function expm1_forward_f32(out: usize, x: usize, n: i32): void {
  map<Expm1>(out, x, n);
}

/** out = the error function (torch.erf). Within 3 ulp. */
export function erf_forward_f32(out: usize, x: usize, n: i32): void {
  map<Erf>(out, x, n);
}

/** out = the square root (torch.sqrt); NaN below 0. */
export function sqrt_forward_f32(out: usize, x: usize, n: i32): void {
  map<Sqrt>(out, x, n);
}

/** out = 1 / the square root (torch.rsqrt). Within 1 ulp. */
export function rsqrt_forward_f32(out: usize, x: usize, n: i32): void {
  map<Rsqrt>(out, x, n);
}

/** out = 1 / x (torch.reciprocal). */
export function reciprocal_forward_f32(out: usize, x: usize, n: i32): void {
  map<Reciprocal>(out, x, n);
}

/** out = x^2 (torch.square). */
export function square_forward_f32(out: usize, x: usize, n: i32): void {
  map<Square>(out, x, n);
}

/** out = the greatest integer <= x (torch.floor). */
export function floor_forward_f32(out: usize, x: usize, n: i32): void {
  map<Floor>(out, x, n);
}

/** out = the least integer >= x (torch.ceil). */
export function ceil_forward_f32(out: usize, x: usize, n: i32): void {
  map<Ceil>(out, x, n);
}

/** out = the nearest integer, halves to even (torch.round). */
export function round_forward_f32(out: usize, x: usize, n: i32): void {
  map<Round>(out, x, n);
}

/** out = x without its fraction (torch.trunc). */
export function trunc_forward_f32(out: usize, x: usize, n: i32): void {
  map<Trunc>(out, x, n);
}

/** out = the sign of x (torch.sign): 1, -1, or 0, which is also NaN's. */
export function sign_forward_f32(out: usize, x: usize, n: i32): void {
  map<Sign>(out, x, n);
}

/** out = x > 0 ? 1 : low, and NaN of NaN (tf.step). */
export function step_forward_f32(out: usize, x: usize, n: i32, low: f32): void {
  map<Step>(out, x, n, low);
}

/** dx = g times what step_forward_f32 gives for x, as tfjs differentiates relu(). dx may be g or x. */
export function step_backward_f32(dx: usize, g: usize, x: usize, n: i32, low: f32): void {
  grad<Step>(dx, g, x, n, low);
}

/** out = |x| (torch.abs). */
export function abs_forward_f32(out: usize, x: usize, n: i32): void {
  map<Abs>(out, x, n);
}

/** dx = g sign(x), so 0 at 0; reverses abs_forward_f32. dx may be g or x. */
export function abs_backward_f32(dx: usize, g: usize, x: usize, n: i32): void {
  grad<Abs>(dx, g, x, n);
}

/** out = alpha x + beta. */
export function scale_f32(out: usize, x: usize, n: i32, alpha: f32, beta: f32): void {
  map<Affine>(out, x, n, alpha, beta);
}
