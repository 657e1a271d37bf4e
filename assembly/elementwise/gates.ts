// The units x * gate(x) whose gate rises from 0 to 1 with gate(x) + gate(-x) = 1: gelu, its tanh form, and silu. With
// a = |x| and t = gate(-a), the tail:
//
//   unit(x)  = relu(x) - a t
//   slope(x) = x < 0 ? s : 1 - s, where s is the slope at -a
//
// so one formula serves both signs, and the tail is accurate relative to itself down to denormals: t is held times 2^64
// (see scaledTail), and scaled back last. Kernels as in activations.ts: n contiguous elements, out may be x, dx may be
// g or x, and every kernel overwrites out, or dx.
import { demotePair, madd, magnitude, negative, nmadd, promoteHigh, relu, select } from "../lanes";
import { gradLong, map } from "../loops";
import { expTail, expTailSum, scaledTail, TAIL_SCALE } from "../math";

@inline
function unitOf(x: v128, tailUnit: v128): v128 {
  return f32x4.sub(relu(x), f32x4.mul(tailUnit, f32x4.splat(TAIL_SCALE)));
}

@inline
function slopeOf(x: v128, tailSlope: v128): v128 {
  const s = f32x4.mul(tailSlope, f32x4.splat(TAIL_SCALE));
  return select(f32x4.lt(x, f32x4.splat(0)), s, f32x4.sub(f32x4.splat(1), s));
}

/** |x|, but no more than where the tail is long 0. */
@inline
function distance(x: v128, most: f32): v128 {
  return f32x4.pmin(magnitude(x), f32x4.splat(most));
}

// gelu: the gate is the normal distribution's Phi. Phi(-a) = e^(-a^2/2) G(a), where G has no exponential left in it:
// G = D / (sqrt(2 pi) a D + N), a minimax fit of polynomials with positive coefficients. D's errors cancel as a grows,
// where G nears 1 / (sqrt(2 pi) a).

const GELU_END: f32 = 15;

/** factor e^(-a^2/2) 2^64. The square is held in two parts: its last bit would be worth many of the result's. */
@inline
function normalTail(factor: v128, a: v128): v128 {
  const high = v128.and(a, i32x4.splat(0xfffff000));
  const low = f32x4.mul(f32x4.add(a, high), f32x4.sub(a, high));
  const half = f32x4.splat(-0.5);
  return expTailSum(factor, f32x4.mul(f32x4.mul(high, half), high), f32x4.mul(low, half));
}

/** (D(a) - 1) / a. */
@inline
function numerator(a: v128): v128 {
  const c12 = madd(a, f32x4.splat(0.3962618), f32x4.splat(0.91612643));
  const c34 = madd(a, f32x4.splat(0.009777914), f32x4.splat(0.09144439));
  return madd(f32x4.mul(a, a), c34, c12);
}

/** sqrt(2 pi) a D(a) + N(a), given a D(a); 2, which is the greatest part near 0, is added last. */
@inline
function denominator(a: v128, aD: v128): v128 {
  const c12 = madd(a, f32x4.splat(0.23127957), f32x4.splat(0.9213956));
  const c34 = madd(a, f32x4.splat(2.2948134e-6), f32x4.splat(0.024403878));
  const n = f32x4.mul(a, madd(f32x4.mul(a, a), c34, c12));
  return f32x4.add(madd(aD, f32x4.splat(2.5066283), n), f32x4.splat(2));
}

/** x Phi(x). Within 4 ulp. */
@inline
function gelu(x: v128): v128 {
  const a = distance(x, GELU_END);
  const aD = madd(f32x4.mul(a, a), numerator(a), a);
  return unitOf(x, f32x4.div(normalTail(aD, a), denominator(a, aD)));
}

/** Phi(x) + x phi(x), the derivative of gelu. */
@inline
function geluSlope(x: v128): v128 {
  const a = distance(x, GELU_END);
  const d = madd(a, numerator(a), f32x4.splat(1));
  const g = f32x4.div(d, denominator(a, f32x4.mul(a, d)));
  // phi(a) = e^(-a^2/2) / sqrt(2 pi)
  return slopeOf(x, normalTail(nmadd(a, f32x4.splat(0.3989423), g), a));
}

// The logistic gate sigma(z(x)): with e = e^(-z(a)), the tail is e / (1 + e), and the slope there is the tail times
// 1 - a z'(a) / (1 + e).

@inline
function logisticUnit(x: v128, a: v128, e: v128): v128 {
  return unitOf(x, f32x4.div(f32x4.mul(a, e), madd(e, f32x4.splat(TAIL_SCALE), f32x4.splat(1))));
}

@inline
function logisticSlope(x: v128, az: v128, e: v128): v128 {
  const c = f32x4.div(f32x4.splat(1), madd(e, f32x4.splat(TAIL_SCALE), f32x4.splat(1)));
  return slopeOf(x, f32x4.mul(f32x4.mul(e, c), nmadd(az, c, f32x4.splat(1))));
}

const SILU_END: f32 = 110;

/** x sigma(x). Within 3 ulp. */
@inline
function silu(x: v128): v128 {
  const a = distance(x, SILU_END);
  return logisticUnit(x, a, expTail(negative(a)));
}

/** sigma(x) (1 + x sigma(-x)), the derivative of silu. */
@inline
function siluSlope(x: v128): v128 {
  const a = distance(x, SILU_END);
  return logisticSlope(x, a, expTail(negative(a)));
}

// gelu's tanh form: 1/2 (1 + tanh u) = sigma(2u), with 2u = 2 sqrt(2/pi) (x + 0.044715 x^3).

const GELU_TANH_END: f32 = 11;
const Z1: f64 = 1.5957691216057308; // 2 sqrt(2/pi)
const Z3: f64 = 0.07135481627159999; // 0.044715 Z1
const LOG2E: f64 = 1.4426950408889634;
const ROUND_F64: f64 = 6755399441055744; // 1.5 * 2^52: adding it leaves an integer in the low bits

/** -z(a) log2(e) in f64, where the cubic rounds to nothing that shows. */
@inline
function cubic(a: v128): v128 {
  const z = f64x2.add(f64x2.mul(f64x2.mul(a, a), f64x2.splat(-Z3 * LOG2E)), f64x2.splat(-Z1 * LOG2E));
  return f64x2.mul(z, a);
}

/** e^(-z(a)) 2^64. */
@inline
function cubicTail(a: v128): v128 {
  const low = cubic(f64x2.promote_low_f32x4(a)),
    high = cubic(promoteHigh(a));
  const round = f64x2.splat(ROUND_F64 + 191);
  const shiftedLow = f64x2.add(low, round),
    shiftedHigh = f64x2.add(high, round);
  const fraction = demotePair(
    f64x2.sub(low, f64x2.sub(shiftedLow, round)),
    f64x2.sub(high, f64x2.sub(shiftedHigh, round)),
  );
  const shifted = v128.shuffle<i32>(shiftedLow, shiftedHigh, 0, 2, 4, 6);
  return scaledTail(f32x4.splat(1), f32x4.mul(fraction, f32x4.splat(0.6931472)), shifted);
}

/** x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). Within 3 ulp. */
@inline
function geluTanh(x: v128): v128 {
  const a = distance(x, GELU_TANH_END);
  return logisticUnit(x, a, cubicTail(a));
}

/** The derivative of geluTanh. */
@inline
function geluTanhSlope(x: v128): v128 {
  const a = distance(x, GELU_TANH_END);
  const slope = madd(f32x4.mul(a, a), f32x4.splat(<f32>(3 * Z3)), f32x4.splat(<f32>Z1));
  return logisticSlope(x, f32x4.mul(a, slope), cubicTail(a));
}

@final
@unmanaged
class Gelu {
  @inline forward(x: v128): v128 {
    return gelu(x);
  }
  @inline backward(g: v128, x: v128): v128 {
    return f32x4.mul(g, geluSlope(x));
  }
}

@final
@unmanaged
class GeluTanh {
  @inline forward(x: v128): v128 {
    return geluTanh(x);
  }
  @inline backward(g: v128, x: v128): v128 {
    return f32x4.mul(g, geluTanhSlope(x));
  }
}

@final
@unmanaged
class Silu {
  @inline forward(x: v128): v128 {
    return silu(x);
  }
  @inline backward(g: v128, x: v128): v128 {
    return f32x4.mul(g, siluSlope(x));
  }
}

/** out = x Phi(x), Phi the normal distribution (torch.nn.functional.gelu). Within 4 ulp. */
export function gelu_forward_f32(out: usize, x: usize, n: i32): void {
  map<Gelu>(out, x, n);
}

/** dx = g (Phi(x) + x phi(x)); reverses gelu_forward_f32. */
export function gelu_backward_f32(dx: usize, g: usize, x: usize, n: i32): void {
  gradLong<Gelu>(dx, g, x, n);
}

/** out = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) (gelu with approximate='tanh'). Within 3 ulp. */
export function gelu_tanh_forward_f32(out: usize, x: usize, n: i32): void {
  map<GeluTanh>(out, x, n);
}

/** dx = g times the derivative; reverses gelu_tanh_forward_f32. */
export function gelu_tanh_backward_f32(dx: usize, g: usize, x: usize, n: i32): void {
  gradLong<GeluTanh>(dx, g, x, n);
}

/** out = x / (1 + e^-x) (torch.nn.functional.silu). Within 3 ulp. */
export function silu_forward_f32(out: usize, x: usize, n: i32): void {
  map<Silu>(out, x, n);
}

/** dx = g s (1 + x (1 - s)), s = 1 / (1 + e^-x); reverses silu_forward_f32. */
export function silu_backward_f32(dx: usize, g: usize, x: usize, n: i32): void {
  gradLong<Silu>(dx, g, x, n);
}
