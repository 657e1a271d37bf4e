// x^y = 2^(y log2 x), four lanes at a time, in f64 between the f32 ends: the exponent then needs no compensation,
// overflow and denormals come of the last rounding, and that rounding is all but the whole error.
import { demotePair, magnitude, promoteHigh, select } from "../lanes";

const SQRT_HALF_HIGH: i32 = 0x3fe6a09e; // the upper word of sqrt(1/2) as f64
const ROUND_F64: f64 = 6755399441055744 + 1023; // 1.5 * 2^52: adding it leaves an integer in the low bits, here biased
const SIGN: i32 = 0x80000000;

@inline
function madd64(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f64x2.relaxed_madd(a, b, c);
  return f64x2.add(f64x2.mul(a, b), c);
}

/** log2 of 2^e m for m in [sqrt(1/2), sqrt(2)): e + s P(s^2) with s = (m - 1) / (m + 1). */
@inline
function log2(e: v128, m: v128): v128 {
  const one = f64x2.splat(1);
  const s = f64x2.div(f64x2.sub(m, one), f64x2.add(m, one));
  const z = f64x2.mul(s, s);
  let p = madd64(z, f64x2.splat(0.34073368959210576), f64x2.splat(0.4116725380854985));
  p = madd64(z, p, f64x2.splat(0.5770835877116349));
  p = madd64(z, p, f64x2.splat(0.9617966733295621));
  p = madd64(z, p, f64x2.splat(2.8853900817900904));
  return madd64(s, p, e);
}

/** 2^x for |x| <= 1000. */
@inline
function exp2(x: v128): v128 {
  const shifted = f64x2.add(x, f64x2.splat(ROUND_F64));
  const r = f64x2.sub(x, f64x2.sub(shifted, f64x2.splat(ROUND_F64)));
  const z = f64x2.mul(r, r);
  const c01 = madd64(r, f64x2.splat(0.693147205737263), f64x2.splat(1.000000000554166));
  const c23 = madd64(r, f64x2.splat(0.05550328776970853), f64x2.splat(0.24022646890627497));
  const c45 = madd64(r, f64x2.splat(0.0013399931217305215), f64x2.splat(0.009618488957876634));
  const c456 = madd64(z, f64x2.splat(0.00015345811792410376), c45);
  return f64x2.mul(madd64(z, madd64(z, c456, c23), c01), i64x2.shl(shifted, 52));
}

@inline
function bounded(x: v128): v128 {
  return f64x2.pmin(f64x2.pmax(x, f64x2.splat(-1000)), f64x2.splat(1000));
}

/** x^y for finite x > 0 and finite y. */
@inline
function powPositive(x: v128, y: v128): v128 {
  const low = f64x2.promote_low_f32x4(x),
    high = promoteHigh(x);
  // The four upper words split into exponent and mantissa at once; denormal f32s are normal here.
  const words = v128.shuffle<i32>(low, high, 1, 3, 5, 7);
  const e = i32x4.shr_s(i32x4.sub(words, i32x4.splat(SQRT_HALF_HIGH)), 20);
  const m = i32x4.sub(words, i32x4.shl(e, 20));
  const eHigh = v128.shuffle<i32>(e, e, 2, 3, 2, 3);
  const logLow = log2(f64x2.convert_low_i32x4_s(e), v128.shuffle<i32>(low, m, 0, 4, 2, 5));
  const logHigh = log2(f64x2.convert_low_i32x4_s(eHigh), v128.shuffle<i32>(high, m, 0, 6, 2, 7));
  return demotePair(
    exp2(bounded(f64x2.mul(logLow, f64x2.promote_low_f32x4(y)))),
    exp2(bounded(f64x2.mul(logHigh, promoteHigh(y)))),
  );
}

/** x^y for any x and y, by C's rules: what powPositive gives, and then each special case over it. */
function powAny(x: v128, y: v128): v128 {
  const zero = f32x4.splat(0),
    one = f32x4.splat(1),
    infinity = f32x4.splat(Infinity);
  const a = magnitude(x),
    b = magnitude(y);
  let z = powPositive(a, y);
  // Bases 0 and Inf: 0 or Inf, whichever side of 0 the exponent is.
  const vanishes = v128.xor(f32x4.eq(a, infinity), f32x4.gt(y, zero));
  const extreme = v128.or(f32x4.eq(a, zero), f32x4.eq(a, infinity));
  z = select(extreme, v128.andnot(infinity, vanishes), z);
  // Exponents ±Inf likewise, by which side of 1 the base is.
  const fades = v128.xor(f32x4.gt(a, one), f32x4.gt(y, zero));
  z = select(f32x4.eq(b, infinity), v128.andnot(infinity, fades), z);
  // Negative bases: the sign of odd powers, and no fractional powers but of -0 and -Inf.
  const whole = f32x4.eq(f32x4.nearest(y), y);
  const half = f32x4.mul(y, f32x4.splat(0.5));
  const odd = v128.and(whole, f32x4.ne(f32x4.nearest(half), half));
  z = v128.xor(z, v128.and(v128.and(x, odd), i32x4.splat(SIGN)));
  z = v128.or(z, v128.andnot(f32x4.lt(x, zero), v128.or(whole, extreme)));
  z = v128.or(z, v128.or(f32x4.ne(x, x), f32x4.ne(y, y)));
  const unity = v128.or(f32x4.eq(x, one), v128.and(f32x4.eq(a, one), f32x4.eq(b, infinity)));
  return select(v128.or(unity, f32x4.eq(y, zero)), one, z);
}

/** x^y (torch.pow). Within 0.6 ulp; special cases as in C: x^0 = 1^y = 1 even for NaN, (-1)^±Inf = 1. */
@inline
export function pow(x: v128, y: v128): v128 {
  const usual = v128.and(
    v128.and(f32x4.gt(x, f32x4.splat(0)), f32x4.lt(x, f32x4.splat(Infinity))),
    f32x4.lt(magnitude(y), f32x4.splat(Infinity)),
  );
  if (i32x4.all_true(usual)) return powPositive(x, y);
  return powAny(x, y);
}
