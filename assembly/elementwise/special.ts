// Rare functions of n contiguous elements. They share one loop, which asks at each vector which function it is: little
// code, and little time beside what they take.
import { demotePair, loadLanes, madd, magnitude, promoteHigh, select, storeLanes, withSign } from "../lanes";
import { exp, expm1, log, log1p } from "../math";

/** The places of the words of the descriptor's code. */
enum Fn {
  ATAN,
  ASIN,
  ACOS,
  SINH,
  COSH,
  ASINH,
  ACOSH,
  ATANH,
  ERFC,
  ERFINV,
  ATAN2,
  REMAINDER,
  FLOOR_DIVIDE,
}

/** A polynomial, its highest coefficient first. */
@inline
function horner(x: v128, c: StaticArray<f32>): v128 {
  let p = f32x4.splat(unchecked(c[0]));
  for (let i = 1; i < c.length; i++) p = madd(p, x, f32x4.splat(unchecked(c[i])));
  return p;
}

const ERFC: StaticArray<f32> = [
  0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368,
];
const ERFINV_NEAR: StaticArray<f32> = [
  2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503, -0.00417768164,
  0.246640727, 1.50140941,
];
const ERFINV_FAR: StaticArray<f32> = [
  -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
  1.00167406, 2.83297682,
];

/**
 * The angle of (x, y): t = tan of an angle below pi/8 is reached by taking the smaller of both over the larger, and
 * pi/4 off (polynomial of Cephes). Within 3 ulp.
 */
function atan2(y: v128, x: v128): v128 {
  const zero = f32x4.splat(0);
  const a = magnitude(y),
    b = magnitude(x);
  const high = f32x4.max(a, b),
    low = f32x4.min(a, b);
  const same = f32x4.eq(low, high);
  // Of infinities as well.
  const turned = v128.or(f32x4.gt(low, f32x4.mul(high, f32x4.splat(0.41421357))), v128.and(same, f32x4.gt(high, zero)));
  const t = select(
    same,
    zero,
    f32x4.div(f32x4.sub(low, v128.and(turned, high)), f32x4.add(high, v128.and(turned, low))),
  );
  const z = f32x4.mul(t, t);
  let p = madd(z, f32x4.splat(0.080537446), f32x4.splat(-0.13877685));
  p = madd(p, z, f32x4.splat(0.19977711));
  p = madd(p, z, f32x4.splat(-0.3333295));
  let angle = f32x4.add(v128.and(turned, f32x4.splat(0.7853982)), madd(f32x4.mul(p, z), t, t));
  angle = select(f32x4.gt(a, b), f32x4.sub(f32x4.splat(1.5707964), angle), angle);
  angle = select(i32x4.shr_s(x, 31), f32x4.sub(f32x4.splat(3.1415927), angle), angle);
  return withSign(angle, y);
}

/** sqrt(1 - x^2). */
@inline
function besideSine(x: v128): v128 {
  const one = f32x4.splat(1);
  return f32x4.sqrt(f32x4.mul(f32x4.sub(one, x), f32x4.add(one, x)));
}

/** sinh or cosh, by h = e^(|x| / 2) - 1, so that nothing cancels and nothing overflows before the answer. */
function hyperbolic(x: v128, cosine: bool): v128 {
  const one = f32x4.splat(1),
    half = f32x4.splat(0.5);
  const h = expm1(f32x4.mul(f32x4.pmin(magnitude(x), f32x4.splat(177)), half));
  const q = f32x4.add(h, one);
  const s = f32x4.add(h, f32x4.div(h, q)); // 2 sinh(|x| / 2)
  if (cosine) return madd(f32x4.mul(s, half), s, one);
  return withSign(f32x4.mul(f32x4.mul(s, half), f32x4.add(q, f32x4.div(one, q))), x);
}

/** asinh, acosh and atanh as ln(1 + u). */
function inverseHyperbolic(x: v128, fn: Fn): v128 {
  const one = f32x4.splat(1);
  const a = magnitude(x);
  if (fn == Fn.ACOSH) {
    const t = f32x4.sub(x, one);
    return log1p(f32x4.add(t, f32x4.mul(f32x4.sqrt(t), f32x4.sqrt(f32x4.add(x, one)))));
  }
  const asinh = fn == Fn.ASINH;
  const i = f32x4.div(one, a);
  const slope = f32x4.add(i, f32x4.sqrt(madd(i, i, one)));
  const u = asinh ? f32x4.add(a, f32x4.div(a, slope)) : f32x4.div(f32x4.add(a, a), f32x4.sub(one, a));
  const y = log1p(u);
  return withSign(asinh ? y : f32x4.mul(y, f32x4.splat(0.5)), x);
}

/** 1 - erf x, accurate relative to itself where it is small (Numerical Recipes, 6.2). */
function erfc(x: v128): v128 {
  const z = magnitude(x),
    one = f32x4.splat(1);
  const t = f32x4.div(one, madd(z, f32x4.splat(0.5), one));
  const p = madd(horner(t, ERFC), t, f32x4.splat(-1.26551223));
  const y = f32x4.mul(t, exp(f32x4.sub(p, f32x4.mul(z, z))));
  return select(i32x4.shr_s(x, 31), f32x4.sub(f32x4.splat(2), y), y);
}

/** The inverse of erf (Giles 2010, single precision). */
function erfinv(x: v128): v128 {
  const one = f32x4.splat(1);
  const w = f32x4.neg(log(f32x4.mul(f32x4.sub(one, x), f32x4.add(one, x))));
  const close = f32x4.lt(w, f32x4.splat(5));
  const near = horner(f32x4.sub(w, f32x4.splat(2.5)), ERFINV_NEAR);
  if (i32x4.all_true(close)) return f32x4.mul(near, x);
  const p = select(close, near, horner(f32x4.sub(f32x4.sqrt(w), f32x4.splat(3)), ERFINV_FAR));
  return f32x4.mul(select(f32x4.eq(w, f32x4.splat(Infinity)), w, p), x);
}

/** a - b floor(a / b), exact while the quotient is below 2^28: then its product with b is. */
@inline
function lessFloors(a: v128, b: v128): v128 {
  const r = f64x2.sub(a, f64x2.mul(f64x2.floor(f64x2.div(a, b)), b));
  // A quotient that was rounded up to a whole number.
  const wrong = v128.and(f64x2.ne(r, f64x2.splat(0)), i64x2.shr_s(v128.xor(r, b), 63));
  return f64x2.add(r, v128.and(wrong, b));
}

/** The remainder of any numbers, by multiples of b that grow by 2^28. */
function remainderOne(a: f32, b: f32): f32 {
  let left = <f64>a,
    step = <f64>abs(b);
  // Of NaN too, which the loop below would not leave.
  if (!(abs(a) < Infinity) || !(step > 0)) return NaN;
  if (step == Infinity) return a == 0 || a < 0 == b < 0 ? a : b;
  while (abs(left) >= step * 268435456) step *= 268435456;
  for (;;) {
    left -= floor(left / step) * step;
    if (left < 0) left += step;
    if (step == <f64>abs(b)) break;
    step /= 268435456;
  }
  if (b < 0 && left > 0) left += b;
  return <f32>left;
}

/** Where the quotient is too large, or not finite, each lane alone. */
function remainderFar(a: v128, b: v128): v128 {
  for (let i = 0; i < 4; i++) {
    const r = remainderOne(f32x4.extract_lane(a, 0), f32x4.extract_lane(b, 0));
    a = v128.shuffle<i32>(f32x4.replace_lane(a, 0, r), a, 1, 2, 3, 0);
    b = v128.shuffle<i32>(b, b, 1, 2, 3, 0);
  }
  return a;
}

function remainder(a: v128, b: v128): v128 {
  const near = f32x4.lt(magnitude(f32x4.div(a, b)), f32x4.splat(268435456));
  if (!i32x4.all_true(v128.and(near, f32x4.lt(magnitude(b), f32x4.splat(Infinity))))) return remainderFar(a, b);
  return demotePair(
    lessFloors(f64x2.promote_low_f32x4(a), f64x2.promote_low_f32x4(b)),
    lessFloors(promoteHigh(a), promoteHigh(b)),
  );
}

/** floor(a / b) of the first two i32: f64 holds them, and the quotient rounds to no whole number that it is not. */
@inline
function floors(a: v128, b: v128): v128 {
  return i32x4.trunc_sat_f64x2_s_zero(
    f64x2.floor(f64x2.div(f64x2.convert_low_i32x4_s(a), f64x2.convert_low_i32x4_s(b))),
  );
}

function floorDivide(a: v128, b: v128): v128 {
  const high = floors(v128.shuffle<i64>(a, a, 1, 1), v128.shuffle<i64>(b, b, 1, 1));
  return v128.shuffle<i64>(floors(a, b), high, 0, 2);
}

function lanesOf(x: v128, y: v128, fn: Fn): v128 {
  if (fn == Fn.ATAN) return atan2(x, f32x4.splat(1));
  if (fn == Fn.ASIN) return atan2(x, besideSine(x));
  if (fn == Fn.ACOS) return atan2(besideSine(x), x);
  if (fn <= Fn.COSH) return hyperbolic(x, fn == Fn.COSH);
  if (fn <= Fn.ATANH) return inverseHyperbolic(x, fn);
  if (fn == Fn.ERFC) return erfc(x);
  if (fn == Fn.ERFINV) return erfinv(x);
  if (fn == Fn.ATAN2) return atan2(x, y);
  if (fn == Fn.REMAINDER) return remainder(x, y);
  return floorDivide(x, y);
}

/**
 * out = the function of x (torch.asinh and so on), or of x and y: the angle of (y, x) (torch.atan2);
 * x - y floor(x / y), exactly, NaN for y = 0 (torch.remainder); of i32 floor(x / y), 0 for 0 / 0 (torch.floor_divide).
 * out may be x or y.
 */
export function special_forward_32(out: usize, x: usize, y: usize, n: i32, fn: i32): void {
  for (; n > 0; n -= 4, out += 16, x += 16) {
    const lanes = min(n, 4);
    const v = loadLanes(x, lanes);
    storeLanes(out, lanesOf(v, y ? loadLanes(y, lanes) : v, fn), lanes);
    if (y) y += 16;
  }
}
