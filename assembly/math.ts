// The functions that kernels share, four f32 at a time. Each holds for every f32: NaN gives NaN; infinities, zeros and
// denormals give the limit. The bounds named are against f64, in units of the last place, over a sweep of all exponents
// in both builds (test/kernels/math.test.ts).
import { clamp, madd, magnitude, nmadd, select, withSign } from "./lanes";

export const LOG2E: f32 = 1.44269504;
// ln 2 in two parts; the first has 9 bits, so that its product with an exponent is exact.
const LN2_HI: f32 = 0.693359375;
const LN2_LO: f32 = -2.1219444e-4;
export const LN2: f32 = 0.69314718;
// 1.5 * 2^23: adding it rounds to an integer, which the low bits of the sum then hold.
const ROUND: f32 = 12582912;
const SQRT_HALF_BITS: i32 = 0x3f3504f3;
const MANTISSA: i32 = 0x007fffff;
const ONE_BITS: i32 = 0x3f800000;
const SMALLEST_NORMAL: i32 = 0x00800000;
const TAIL_BIAS: f32 = 127 + 64;
/** 2^-64, the factor that expTail leaves out. */
export const TAIL_SCALE: f32 = 5.421010862427522e-20;

// Exponentials: x = n ln 2 + r with |r| <= ln 2 / 2. `shifted` is n + bias + ROUND, so that its low nine bits hold
// n + bias, and a shift by 23 makes a power of two of them. The polynomials are minimax.

@inline
function exponent(x: v128, bias: f32): v128 {
  return madd(x, f32x4.splat(LOG2E), f32x4.splat(ROUND + bias));
}

@inline
function remainder(x: v128, shifted: v128, bias: f32): v128 {
  const n = f32x4.sub(shifted, f32x4.splat(ROUND + bias));
  return nmadd(n, f32x4.splat(LN2_LO), nmadd(n, f32x4.splat(LN2_HI), x));
}

/** e^r - 1 for |r| <= ln 2 / 2, accurate relative to itself. Terms go in pairs: a chain of seven steps would stall. */
@inline
function expm1Polynomial(r: v128): v128 {
  const square = f32x4.mul(r, r);
  const c23 = madd(r, f32x4.splat(0.16666546), f32x4.splat(0.49999997));
  const c45 = madd(r, f32x4.splat(0.008366262), f32x4.splat(0.041667435));
  const p = madd(square, madd(square, f32x4.splat(0.0013870657), c45), c23);
  return madd(square, p, r);
}

/** e^r for |r| <= ln 2 / 2. */
@inline
function expPolynomial(r: v128): v128 {
  return f32x4.add(expm1Polynomial(r), f32x4.splat(1));
}

/** e^x. Within 2 ulp. */
@inline
export function exp(x: v128): v128 {
  x = clamp(x, f32x4.splat(-104), f32x4.splat(89));
  const shifted = exponent(x, 254);
  const p = expPolynomial(remainder(x, shifted, 254));
  // 2^n in two factors: neither overflows nor is denormal, so only the last product rounds.
  const half = i32x4.shr_u(shifted, 1);
  return f32x4.mul(f32x4.mul(p, i32x4.shl(half, 23)), i32x4.shl(i32x4.sub(shifted, half), 23));
}

/**
 * factor e^r 2^(n + 64) for |r| <= ln 2 / 2, where the low nine bits of `shifted` hold n + 191. Never denormal for
 * n > -190: what follows loses no bits, and TAIL_SCALE rounds once at the end.
 */
@inline
export function scaledTail(factor: v128, r: v128, shifted: v128): v128 {
  return f32x4.mul(madd(factor, expm1Polynomial(r), factor), i32x4.shl(shifted, 23));
}

/** factor e^(x + low) 2^64 for a sum in [-120, 40] that one f32 does not hold. */
@inline
export function expTailSum(factor: v128, x: v128, low: v128): v128 {
  const shifted = exponent(f32x4.add(x, low), TAIL_BIAS);
  return scaledTail(factor, f32x4.add(remainder(x, shifted, TAIL_BIAS), low), shifted);
}

/**
 * e^x 2^64 for x <= 40; 0 from -132.4 down, where the power of two is 0: of -Inf a tiny number would take processors a
 * hundred steps to scale back.
 */
@inline
export function expTail(x: v128): v128 {
  x = f32x4.pmax(x, f32x4.splat(-132.4));
  const shifted = exponent(x, TAIL_BIAS);
  return f32x4.mul(expPolynomial(remainder(x, shifted, TAIL_BIAS)), i32x4.shl(shifted, 23));
}

/** e^x for x <= 40: exp without the care for overflow, as softmax needs it. Within 2 ulp. */
@inline
export function expNegative(x: v128): v128 {
  return f32x4.mul(expTail(x), f32x4.splat(TAIL_SCALE));
}

/** 2^x for x <= 100: 0 below -126.5, where it would be denormal. Within 2 ulp. */
@inline
export function exp2Normal(x: v128): v128 {
  x = f32x4.pmax(x, f32x4.splat(-127));
  const shifted = f32x4.add(x, f32x4.splat(ROUND + 127));
  const f = f32x4.sub(x, f32x4.sub(shifted, f32x4.splat(ROUND + 127)));
  const square = f32x4.mul(f, f);
  const c01 = madd(f, f32x4.splat(0.693147), f32x4.splat(1));
  const c23 = madd(f, f32x4.splat(0.055507336), f32x4.splat(0.24022242));
  const c45 = madd(f, f32x4.splat(0.0013264727), f32x4.splat(0.009671513));
  // The sum of -127 and the bias is 0, and so is this power of two.
  return f32x4.mul(madd(square, madd(square, c45, c23), c01), i32x4.shl(shifted, 23));
}

/** 1 - e^x for x <= 0, accurate relative to itself. Within 2 ulp. */
@inline
export function oneMinusExp(x: v128): v128 {
  x = f32x4.pmax(x, f32x4.splat(-40));
  const shifted = exponent(x, 127);
  // ln 2 in one part: its error is multiplied by e^x, which is small where n is not.
  const n = f32x4.sub(shifted, f32x4.splat(ROUND + 127));
  const q = expm1Polynomial(nmadd(n, f32x4.splat(LN2), x));
  const scale = i32x4.shl(shifted, 23);
  return nmadd(scale, q, f32x4.sub(f32x4.splat(1), scale));
}

/** e^x - 1, accurate relative to itself. Within 2 ulp. */
@inline
export function expm1(x: v128): v128 {
  const bounded = clamp(x, f32x4.splat(-40), f32x4.splat(89));
  // The sum is halved, so that 2^128 does not overflow before it is multiplied.
  const shifted = exponent(bounded, 126);
  const q = expm1Polynomial(remainder(bounded, shifted, 126));
  const scale = i32x4.shl(shifted, 23);
  const half = madd(scale, q, f32x4.sub(scale, f32x4.splat(0.5)));
  // Below 2^-25 the answer is x itself; this keeps -0 and the last bit of denormals.
  return select(f32x4.lt(magnitude(x), f32x4.splat(2.98e-8)), x, f32x4.add(half, half));
}

// Logarithms: x = 2^e m with m in [sqrt(1/2), sqrt(2)), f = m - 1, w = f / (1 + f / 2). Then
// log(1 + f) = f - w (f / 2 - w^2 P(w^2)), whose first term is exact (after fdlibm, with a shorter P).

@inline
function logOf(e: v128, f: v128): v128 {
  const half = f32x4.mul(f, f32x4.splat(0.5));
  const w = f32x4.div(f, f32x4.add(half, f32x4.splat(1)));
  const z = f32x4.mul(w, w);
  let p = madd(z, f32x4.splat(0.0023336473), f32x4.splat(0.012492996));
  p = madd(p, z, f32x4.splat(0.08333347));
  const low = nmadd(e, f32x4.splat(LN2_LO), f32x4.mul(w, nmadd(z, p, half)));
  return madd(e, f32x4.splat(LN2_HI), f32x4.sub(f, low));
}

/** Whether a lane is not a positive, normal, finite number. */
@inline
function anyUnusual(x: v128): bool {
  return v128.any_true(i32x4.ge_u(i32x4.sub(x, i32x4.splat(SMALLEST_NORMAL)), i32x4.splat(0x7f000000)));
}

/** y, but -Inf where x is 0, NaN where x < 0 or NaN, Inf where x is. */
function logEdges(y: v128, x: v128): v128 {
  y = select(f32x4.lt(x, f32x4.splat(Infinity)), y, x);
  y = select(f32x4.eq(x, f32x4.splat(0)), f32x4.splat(-Infinity), y);
  return v128.or(y, f32x4.lt(x, f32x4.splat(0)));
}

@inline
function logNormal(x: v128): v128 {
  const bits = i32x4.sub(x, i32x4.splat(SQRT_HALF_BITS));
  const m = i32x4.add(v128.and(bits, i32x4.splat(MANTISSA)), i32x4.splat(SQRT_HALF_BITS));
  return logOf(f32x4.convert_i32x4_s(i32x4.shr_s(bits, 23)), f32x4.sub(m, f32x4.splat(1)));
}

function logUnusual(x: v128): v128 {
  // Denormals go up by 2^23.
  const small = i32x4.lt_u(x, i32x4.splat(SMALLEST_NORMAL));
  const y = logNormal(select(small, f32x4.mul(x, f32x4.splat(8388608)), x));
  return logEdges(f32x4.sub(y, v128.and(small, f32x4.splat(15.942385))), x);
}

/** ln x. Within 2 ulp; -Inf at 0, NaN below. */
@inline
export function log(x: v128): v128 {
  if (anyUnusual(x)) return logUnusual(x);
  return logNormal(x);
}

/** ln(1 + x) for x in [0, 2^126], of sums that have 1 in them: 1 + x is rounded. Within 2 ulp of that. */
@inline
export function logOneAnd(x: v128): v128 {
  return logNormal(f32x4.add(x, f32x4.splat(1)));
}

// Of one number, called where there is one for a row or for a kernel.

/** ln x, as `log` has it. */
export function logOne(x: f32): f32 {
  return f32x4.extract_lane(log(f32x4.splat(x)), 0);
}

/** e^x, as `exp` has it. */
export function expOne(x: f32): f32 {
  return f32x4.extract_lane(exp(f32x4.splat(x)), 0);
}

/** ln(1 + x), accurate relative to itself. Within 2 ulp; -Inf at -1, NaN below. */
@inline
export function log1p(x: v128): v128 {
  const u = f32x4.add(x, f32x4.splat(1));
  const lost = f32x4.sub(x, f32x4.sub(u, f32x4.splat(1)));
  const bits = i32x4.sub(u, i32x4.splat(SQRT_HALF_BITS));
  const m = i32x4.add(v128.and(bits, i32x4.splat(MANTISSA)), i32x4.splat(SQRT_HALF_BITS));
  const e = i32x4.shr_s(bits, 23);
  // What rounding 1 + x lost comes back, scaled as m is. 2^-128 would need a sign bit; there is nothing lost up there.
  const down = i32x4.sub(i32x4.splat(ONE_BITS), i32x4.shl(i32x4.min_s(e, i32x4.splat(127)), 23));
  const f = madd(lost, down, f32x4.sub(m, f32x4.splat(1)));
  const y = withSign(logOf(f32x4.convert_i32x4_s(e), f), x);
  if (anyUnusual(u)) return logEdges(y, u);
  return y;
}

/** ln(1 + e) for e in [0, 1], as softplus needs it. Within 2 ulp. */
@inline
export function log1pUnit(e: v128): v128 {
  const half = f32x4.mul(e, f32x4.splat(0.5));
  const w = f32x4.div(e, f32x4.add(half, f32x4.splat(1)));
  const z = f32x4.mul(w, w);
  let p = madd(z, f32x4.splat(0.0005470075), f32x4.splat(0.0021877363));
  p = madd(p, z, f32x4.splat(0.012506699));
  p = madd(p, z, f32x4.splat(0.08333302));
  return nmadd(w, nmadd(z, p, half), e);
}

/** 1 / (1 + e^-x). Within 3 ulp, denormal results too. */
@inline
export function sigmoid(x: v128): v128 {
  const e = expNegative(f32x4.pmin(x, f32x4.splat(40)));
  return f32x4.div(e, f32x4.add(e, f32x4.splat(1)));
}

/** (e^x - e^-x) / (e^x + e^-x). Within 3 ulp; never beyond ±1. */
@inline
export function tanh(x: v128): v128 {
  const e = oneMinusExp(f32x4.mul(magnitude(x), f32x4.splat(-2)));
  return withSign(f32x4.div(e, f32x4.sub(f32x4.splat(2), e)), x);
}

/** The error function, 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x. Within 3 ulp. */
@inline
export function erf(x: v128): v128 {
  const a = f32x4.pmin(magnitude(x), f32x4.splat(4));
  // erf = 1 - e^(-a P(a)), where a P(a) = -ln erfc(a): one polynomial serves from 0 to where erf is 1.
  const a2 = f32x4.mul(a, a);
  const c01 = madd(a, f32x4.splat(-0.6366194), f32x4.splat(-0.0033791717));
  const c23 = madd(a, f32x4.splat(0.01915267), f32x4.splat(-0.102777734));
  const c45 = madd(a, f32x4.splat(-0.0016677901), f32x4.splat(0.00016114848));
  const c67 = madd(a, f32x4.splat(-0.00011776316), f32x4.splat(0.00063326076));
  const c678 = madd(a2, f32x4.splat(9.27042e-6), c67);
  const p = madd(a2, madd(a2, madd(a2, c678, c45), c23), c01);
  // 2 / sqrt(pi) is split, 1.125 and the rest, so that rounding it and P costs nothing near 0.
  return withSign(oneMinusExp(madd(p, a, f32x4.mul(a, f32x4.splat(-1.125)))), x);
}
