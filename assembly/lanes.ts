// Four f32 at a time: fused steps, sums across lanes and the functions that kernels share. No function here branches
// on a lane or calls out (but sin and cos, for arguments no network has). Each holds for every f32: NaN gives NaN, and infinities, zeros and
// denormals give what the limit gives. The bounds are against f64, in units of the last place, over a sweep of all
// exponents in both builds; they are held by test/kernels/math.test.ts.

const LOG2E: f32 = 1.44269504;
// ln 2 in two parts; the first has 9 bits, so that its product with an exponent is exact.
const LN2_HI: f32 = 0.693359375;
const LN2_LO: f32 = -2.12194440e-4;
const LN2: f32 = 0.69314718;
// 1.5 * 2^23: adding it rounds to an integer, which the low bits of the sum then hold.
const ROUND: f32 = 12582912;
const SIGN: i32 = 0x80000000;
const SQRT_HALF_BITS: i32 = 0x3f3504f3;
const MANTISSA: i32 = 0x007fffff;
const ONE_BITS: i32 = 0x3f800000;
/** tail-scaled exponentials (`expTail`) hold e^x * 2^64, so that a denormal result rounds once, at the very end. */
const TAIL_BIAS: f32 = 127 + 64;
export const TAIL_SCALE: f32 = 5.421010862427522e-20; // 2^-64

/** a * b + c; one rounding where the engine has relaxed SIMD with FMA, else two. */
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** c - a * b; one rounding where the engine has relaxed SIMD with FMA, else two. */
@inline
export function nmadd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_nmadd(a, b, c);
  return f32x4.sub(c, f32x4.mul(a, b));
}

/** mask ? a : b, for masks whose lanes are all ones or all zeros. */
@inline
export function select(mask: v128, a: v128, b: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i32x4.relaxed_laneselect(a, b, mask);
  return v128.bitselect(a, b, mask);
}

/** x within [low, high]; NaN stays NaN, and -0 stays -0. */
@inline
export function clamp(x: v128, low: v128, high: v128): v128 {
  return f32x4.pmin(f32x4.pmax(x, low), high);
}

/** max(x, 0); NaN stays NaN, and -0 stays -0. */
@inline
export function relu(x: v128): v128 {
  return f32x4.pmax(x, f32x4.splat(0));
}

/** y with the sign bit of x, for y without one. */
@inline
export function withSign(y: v128, x: v128): v128 {
  return v128.or(y, v128.and(x, i32x4.splat(SIGN)));
}

/** (v0 + v2) + (v1 + v3). */
@inline
export function horizontalSum(v: v128): f32 {
  const pair = f32x4.add(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(pair, 0) + f32x4.extract_lane(pair, 1);
}

/** The greatest lane; NaN where one is. */
@inline
export function horizontalMax(v: v128): f32 {
  const pair = f32x4.max(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  return max<f32>(f32x4.extract_lane(pair, 0), f32x4.extract_lane(pair, 1));
}

/** The least lane; NaN where one is. */
@inline
export function horizontalMin(v: v128): f32 {
  const pair = f32x4.min(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  return min<f32>(f32x4.extract_lane(pair, 0), f32x4.extract_lane(pair, 1));
}

/** Lanes 2 and 3 as f64x2; the other half is `f64x2.promote_low_f32x4`. */
@inline
export function promoteHigh(v: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<i32>(v, v, 2, 3, 2, 3));
}

/** Two f64x2 rounded to one f32x4. */
@inline
export function demotePair(low: v128, high: v128): v128 {
  return v128.shuffle<i32>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 1, 4, 5);
}

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

/** e^r for |r| <= ln 2 / 2. */
@inline
export function expPolynomial(r: v128): v128 {
  let p = madd(r, f32x4.splat(0.0013820734), f32x4.splat(0.008368677));
  p = madd(p, r, f32x4.splat(0.041668266));
  p = madd(p, r, f32x4.splat(0.16666521));
  p = madd(p, r, f32x4.splat(0.49999994));
  p = madd(p, r, f32x4.splat(1));
  return madd(p, r, f32x4.splat(1));
}

/** e^r - 1 for |r| <= ln 2 / 2, accurate relative to itself. */
@inline
function expm1Polynomial(r: v128): v128 {
  let p = madd(r, f32x4.splat(0.0013870657), f32x4.splat(0.008366262));
  p = madd(p, r, f32x4.splat(0.041667435));
  p = madd(p, r, f32x4.splat(0.16666546));
  p = madd(p, r, f32x4.splat(0.49999997));
  return madd(f32x4.mul(r, r), p, r);
}

/** e^x. Within 1 ulp. */
@inline
export function exp(x: v128): v128 {
  x = clamp(x, f32x4.splat(-104), f32x4.splat(89));
  const shifted = exponent(x, 254);
  const p = expPolynomial(remainder(x, shifted, 254));
  // 2^n in two factors: neither overflows nor is denormal, so only the last product rounds.
  const half = i32x4.shr_u(shifted, 1);
  return f32x4.mul(f32x4.mul(p, i32x4.shl(half, 23)), i32x4.shl(i32x4.sub(shifted, half), 23));
}

/** e^x * 2^64 for x <= 40, never denormal; multiply by TAIL_SCALE last. x below -110 counts as -110. */
@inline
export function expTail(x: v128): v128 {
  x = f32x4.pmax(x, f32x4.splat(-110));
  const shifted = exponent(x, TAIL_BIAS);
  return f32x4.mul(expPolynomial(remainder(x, shifted, TAIL_BIAS)), i32x4.shl(shifted, 23));
}

/** e^x for x <= 40: exp without the care for overflow, as softmax needs it. Within 1 ulp. */
@inline
export function expNegative(x: v128): v128 {
  return f32x4.mul(expTail(x), f32x4.splat(TAIL_SCALE));
}
