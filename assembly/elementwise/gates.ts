// The units x * gate(x) whose gate rises from 0 to 1 with gate(x) + gate(-x) = 1: gelu, its tanh form, and silu. With
// a = |x| and t = gate(-a), the tail:
//
//   unit(x)  = relu(x) - a t
//   slope(x) = x < 0 ? s : 1 - s, where s is the slope at -a
//
// so one formula serves both signs, and the tail is accurate relative to itself down to denormals: t is held times
// 2^64 (see expTail), and scaled back last.
import { TAIL_SCALE, demotePair, expTail, expTailOf, expTailSum, madd, nmadd, promoteHigh, relu, select } from "../lanes";

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
  return f32x4.pmin(f32x4.abs(x), f32x4.splat(most));
}

// gelu: the gate is the normal distribution's Phi. Phi(-a) = e^(-a^2/2) G(a), where G = P/Q has no exponential
// left in it (a minimax fit, all of whose coefficients are positive, so that nothing cancels).

const GELU_END: f32 = 15;

/** e^(-a^2/2) 2^64. The square is held in two parts, because its last bit would be worth many of the result's. */
@inline
function normalTail(a: v128): v128 {
  const high = v128.and(a, i32x4.splat(0xfffff000));
  const low = f32x4.mul(f32x4.add(a, high), f32x4.sub(a, high));
  const half = f32x4.splat(-0.5);
  return expTailSum(f32x4.mul(f32x4.mul(high, half), high), f32x4.mul(low, half));
}

/** (P(a) - 1/2) / a. */
@inline
function numerator(a: v128): v128 {
  const c12 = madd(a, f32x4.splat(0.18396962), f32x4.splat(0.4392841));
  const c34 = madd(a, f32x4.splat(0.0041532554), f32x4.splat(0.040881302));
  return madd(f32x4.mul(a, a), c34, c12);
}

/** Q(a). */
@inline
function denominator(a: v128): v128 {
  const square = f32x4.mul(a, a);
  const c01 = madd(a, f32x4.splat(1.6764531), f32x4.splat(1));
  const c23 = madd(a, f32x4.splat(0.47141), f32x4.splat(1.2055503));
  const c45 = madd(a, f32x4.splat(0.010410557), f32x4.splat(0.10248033));
  return madd(square, madd(square, c45, c23), c01);
}

/** x Phi(x). Within 4 ulp. */
@inline
export function gelu(x: v128): v128 {
  const a = distance(x, GELU_END);
  // a P(a) in one sum, whose first term is exact.
  const p = madd(f32x4.mul(a, a), numerator(a), f32x4.mul(a, f32x4.splat(0.5)));
  return unitOf(x, f32x4.div(f32x4.mul(normalTail(a), p), denominator(a)));
}

/** Phi(x) + x phi(x), the derivative of gelu. */
@inline
export function geluSlope(x: v128): v128 {
  const a = distance(x, GELU_END);
  const p = madd(a, numerator(a), f32x4.splat(0.5));
  // phi(a) = e^(-a^2/2) / sqrt(2 pi)
  const g = nmadd(a, f32x4.splat(0.3989423), f32x4.div(p, denominator(a)));
  return slopeOf(x, f32x4.mul(normalTail(a), g));
}

// The logistic gate sigma(z(x)): tail = e / (1 + e) with e = e^(-z(a)), and the tail's slope = tail (1 - a z'(a) / (1 + e)).

/** 1 / (1 + e), of e 2^64. */
@inline
function complement(e: v128): v128 {
  return f32x4.div(f32x4.splat(1), madd(e, f32x4.splat(TAIL_SCALE), f32x4.splat(1)));
}

@inline
function logisticUnit(x: v128, a: v128, e: v128): v128 {
  return unitOf(x, f32x4.div(f32x4.mul(a, e), madd(e, f32x4.splat(TAIL_SCALE), f32x4.splat(1))));
}

@inline
function logisticSlope(x: v128, az: v128, e: v128): v128 {
  const c = complement(e);
  return slopeOf(x, f32x4.mul(f32x4.mul(e, c), nmadd(az, c, f32x4.splat(1))));
}

const SILU_END: f32 = 110;

/** x sigma(x). Within 3 ulp. */
@inline
export function silu(x: v128): v128 {
  const a = distance(x, SILU_END);
  return logisticUnit(x, a, expTail(f32x4.neg(a)));
}

/** sigma(x) (1 + x sigma(-x)), the derivative of silu. */
@inline
export function siluSlope(x: v128): v128 {
  const a = distance(x, SILU_END);
  return logisticSlope(x, a, expTail(f32x4.neg(a)));
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
  const low = cubic(f64x2.promote_low_f32x4(a)), high = cubic(promoteHigh(a));
  const round = f64x2.splat(ROUND_F64 + 191);
  const shiftedLow = f64x2.add(low, round), shiftedHigh = f64x2.add(high, round);
  const fraction = demotePair(
    f64x2.sub(low, f64x2.sub(shiftedLow, round)), f64x2.sub(high, f64x2.sub(shiftedHigh, round)),
  );
  return expTailOf(f32x4.mul(fraction, f32x4.splat(0.6931472)), v128.shuffle<i32>(shiftedLow, shiftedHigh, 0, 2, 4, 6));
}

/** x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). Within 3 ulp. */
@inline
export function geluTanh(x: v128): v128 {
  const a = distance(x, GELU_TANH_END);
  return logisticUnit(x, a, cubicTail(a));
}

/** The derivative of geluTanh. */
@inline
export function geluTanhSlope(x: v128): v128 {
  const a = distance(x, GELU_TANH_END);
  const slope = madd(f32x4.mul(a, a), f32x4.splat(<f32>(3 * Z3)), f32x4.splat(<f32>Z1));
  return logisticSlope(x, f32x4.mul(a, slope), cubicTail(a));
}
