// Elementwise functions of n contiguous elements, out = f(x). out may be x. Every kernel overwrites out, or dx. Where
// there is no backward, the gradient is a product of other kernels' results, or zero.
import { erf, exp, expm1, log, log1p, madd, magnitude } from "../lanes";
import { fill, grad1, map1 } from "../loops";

@final
@unmanaged
class Neg {
  @inline forward(x: v128, _p: v128, _q: v128): v128 {
    return v128.xor(x, i32x4.splat(0x80000000));
  }
}

@final
@unmanaged
class Exp {
  @inline forward(x: v128, _p: v128, _q: v128): v128 {
    return exp(x);
  }
}

@final
@unmanaged
class Log {
  @inline forward(x: v128, _p: v128, _q: v128): v128 {
    return log(x);
  }
}

@final
@unmanaged
class Log1p {
  @inline forward(x: v128, _p: v128, _q: v128): v128 {
    return log1p(x);
  }
}

@final
@unmanaged
class Expm1 {
  @inline forward(x: v128, _p: v128, _q: v128): v128 {
    return expm1(x);
  }
}

@final
@unmanaged
class Erf {
  @inline forward(x: v128, _p: v128, _q: v128): v128 {
    return erf(x);
  }
}

@final
@unmanaged
class Sqrt {
  @inline forward(x: v128, _p: v128, _q: v128): v128 {
    return f32x4.sqrt(x);
  }
}

@final
@unmanaged
class Rsqrt {
  @inline forward(x: v128, _p: v128, _q: v128): v128 {
    return f32x4.div(f32x4.splat(1), f32x4.sqrt(x));
  }
}

@final
@unmanaged
class Reciprocal {
  @inline forward(x: v128, _p: v128, _q: v128): v128 {
    return f32x4.div(f32x4.splat(1), x);
  }
}

@final
@unmanaged
class Square {
  @inline forward(x: v128, _p: v128, _q: v128): v128 {
    return f32x4.mul(x, x);
  }
}

@final
@unmanaged
class Floor {
  @inline forward(x: v128, _p: v128, _q: v128): v128 {
    return f32x4.floor(x);
  }
}

@final
@unmanaged
class Ceil {
  @inline forward(x: v128, _p: v128, _q: v128): v128 {
    return f32x4.ceil(x);
  }
}

@final
@unmanaged
class Round {
  @inline forward(x: v128, _p: v128, _q: v128): v128 {
    return f32x4.nearest(x);
  }
}

@final
@unmanaged
class Trunc {
  @inline forward(x: v128, _p: v128, _q: v128): v128 {
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
  @inline forward(x: v128, _p: v128, _q: v128): v128 {
    return sign(x);
  }
}

@final
@unmanaged
class Abs {
  @inline forward(x: v128, _p: v128, _q: v128): v128 {
    return magnitude(x);
  }
  @inline backward(g: v128, x: v128, _p: v128, _q: v128): v128 {
    return f32x4.mul(g, sign(x));
  }
}

@final
@unmanaged
class Scale {
  @inline forward(x: v128, alpha: v128, beta: v128): v128 {
    return madd(x, alpha, beta);
  }
}

/** y + alpha x, as the step of a loop over y and x. */
@final
@unmanaged
class Axpy {
  @inline backward(y: v128, x: v128, alpha: v128, _q: v128): v128 {
    return madd(x, alpha, y);
  }
}

/** out = -x (torch.neg). */
export function neg_forward_f32(out: usize, x: usize, n: i32): void {
  map1<Neg>(out, x, n, 0, 0);
}

/** out = e^x (torch.exp). Within 2 ulp. */
export function exp_forward_f32(out: usize, x: usize, n: i32): void {
  map1<Exp>(out, x, n, 0, 0);
}

/** out = ln x (torch.log). Within 2 ulp; -Inf at 0, NaN below. */
export function log_forward_f32(out: usize, x: usize, n: i32): void {
  map1<Log>(out, x, n, 0, 0);
}

/** out = ln(1 + x) (torch.log1p), accurate relative to itself. Within 2 ulp. */
export function log1p_forward_f32(out: usize, x: usize, n: i32): void {
  map1<Log1p>(out, x, n, 0, 0);
}

/** out = e^x - 1 (torch.expm1), accurate relative to itself. Within 2 ulp. */
export function expm1_forward_f32(out: usize, x: usize, n: i32): void {
  map1<Expm1>(out, x, n, 0, 0);
}

/** out = the error function (torch.erf). Within 3 ulp. */
export function erf_forward_f32(out: usize, x: usize, n: i32): void {
  map1<Erf>(out, x, n, 0, 0);
}

/** out = the square root (torch.sqrt); NaN below 0. */
export function sqrt_forward_f32(out: usize, x: usize, n: i32): void {
  map1<Sqrt>(out, x, n, 0, 0);
}

/** out = 1 / the square root (torch.rsqrt). Within 1 ulp. */
export function rsqrt_forward_f32(out: usize, x: usize, n: i32): void {
  map1<Rsqrt>(out, x, n, 0, 0);
}

/** out = 1 / x (torch.reciprocal). */
export function reciprocal_forward_f32(out: usize, x: usize, n: i32): void {
  map1<Reciprocal>(out, x, n, 0, 0);
}

/** out = x^2 (torch.square). */
export function square_forward_f32(out: usize, x: usize, n: i32): void {
  map1<Square>(out, x, n, 0, 0);
}

/** out = the greatest integer <= x (torch.floor). */
export function floor_forward_f32(out: usize, x: usize, n: i32): void {
  map1<Floor>(out, x, n, 0, 0);
}

/** out = the least integer >= x (torch.ceil). */
export function ceil_forward_f32(out: usize, x: usize, n: i32): void {
  map1<Ceil>(out, x, n, 0, 0);
}

/** out = the nearest integer, halves to even (torch.round). */
export function round_forward_f32(out: usize, x: usize, n: i32): void {
  map1<Round>(out, x, n, 0, 0);
}

/** out = x without its fraction (torch.trunc). */
export function trunc_forward_f32(out: usize, x: usize, n: i32): void {
  map1<Trunc>(out, x, n, 0, 0);
}

/** out = the sign of x (torch.sign): 1, -1, or 0, which is also NaN's. */
export function sign_forward_f32(out: usize, x: usize, n: i32): void {
  map1<Sign>(out, x, n, 0, 0);
}

/** out = |x| (torch.abs). */
export function abs_forward_f32(out: usize, x: usize, n: i32): void {
  map1<Abs>(out, x, n, 0, 0);
}

/** dx = g sign(x), so 0 at 0; reverses abs_forward_f32. dx may be g or x. */
export function abs_backward_f32(dx: usize, g: usize, x: usize, n: i32): void {
  grad1<Abs>(dx, g, x, n, 0, 0);
}

/** out = alpha x + beta. */
export function scale_f32(out: usize, x: usize, n: i32, alpha: f32, beta: f32): void {
  map1<Scale>(out, x, n, alpha, beta);
}

/** y += alpha x. Accumulates. x may be y. */
export function axpy_f32(y: usize, x: usize, n: i32, alpha: f32): void {
  grad1<Axpy>(y, y, x, n, alpha, 0);
}

/** out = value. */
export function fill_f32(out: usize, n: i32, value: f32): void {
  fill(out, n, value);
}
