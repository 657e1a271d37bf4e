// sin and cos, for every f32.
import { demotePair, madd, magnitude, nmadd, promoteHigh, select, withSign } from "../lanes";
import { map } from "../loops";

// x = k pi/2 + r with |r| <= pi/4. The reduction is done in f64 with pi/2 in two parts, the first of 25 bits (after
// fdlibm), so that its product with k is exact up to the bound. The polynomials are minimax.

const TRIG_BOUND: f32 = 268435456; // 2^28
const TWO_OVER_PI: f64 = 0.6366197723675814;
const HALF_PI_HI: f64 = 1.5707963109016418;
const HALF_PI_LO: f64 = 1.5893254773528196e-8;
const HALF_PI_FIXED: f64 = 8.515303950216386e-20; // pi/2 * 2^-64
const ROUND_F64: f64 = 6755399441055744; // 1.5 * 2^52

@inline
function quarterTurns(x: v128): v128 {
  return f64x2.add(f64x2.mul(x, f64x2.splat(TWO_OVER_PI)), f64x2.splat(ROUND_F64));
}

@inline
function lessTurns(x: v128, shifted: v128): v128 {
  const k = f64x2.sub(shifted, f64x2.splat(ROUND_F64));
  return f64x2.sub(f64x2.sub(x, f64x2.mul(k, f64x2.splat(HALF_PI_HI))), f64x2.mul(k, f64x2.splat(HALF_PI_LO)));
}

/** sin(r + k pi/2) for |r| <= pi/4. */
@inline
function sinPolynomials(r: v128, k: v128): v128 {
  const z = f32x4.mul(r, r);
  let s = madd(z, f32x4.splat(-0.000195181), f32x4.splat(0.008332188));
  s = madd(s, z, f32x4.splat(-0.16666655));
  s = withSign(madd(f32x4.mul(r, z), s, r), r);
  let c = madd(z, f32x4.splat(2.4432327e-5), f32x4.splat(-0.001388731));
  c = madd(c, z, f32x4.splat(0.041666646));
  c = madd(f32x4.mul(z, z), c, nmadd(z, f32x4.splat(0.5), f32x4.splat(1)));
  // Odd k: the bit moves to the sign and then fills the lane.
  const odd = i32x4.shr_s(i32x4.shl(k, 31), 31);
  return v128.xor(select(odd, c, s), i32x4.shl(v128.and(k, i32x4.splat(2)), 30));
}

/**
 * Quarter turns of a finite |x| >= 2^25, modulo 4, in units of 2^-62 (after Payne and Hanek): the mantissa times those
 * 96 bits of 2/pi whose products are neither whole turns nor too small to matter.
 */
function turnsFixed(x: f32): u64 {
  const bits = reinterpret<u32>(x);
  // The first bit of 2/pi that counts: its product with the mantissa's last bit is worth 2.
  const from = ((bits >> 23) & 0xff) - 152;
  const near = from < 64;
  const w0: u64 = near ? 0xa2f9836e4e441529 : 0xfc2757d1f534ddc0;
  const w1: u64 = near ? 0xfc2757d1f534ddc0 : 0xdb6295993c439041;
  const w2: u64 = near ? 0xdb6295993c439041 : 0xfe5163abdebbc561;
  const shift = <u64>(from & 63);
  // Two shifts, because a shift by 64 is a shift by 0.
  const high = (w0 << shift) | ((w1 >> 1) >> (63 - shift));
  const low = ((w1 << shift) | ((w2 >> 1) >> (63 - shift))) >> 32;
  const mantissa = <u64>((bits & 0x7fffff) | 0x800000);
  const turns = mantissa * high + ((mantissa * low) >> 32);
  return bits >> 31 ? 0 - turns : turns;
}

/** As sinTurned, for any x: what lies beyond the bound is reduced alone, in lane 0, as the lanes rotate through it. */
function sinFar(x: v128, r: v128, k: v128, turns: i32): v128 {
  for (let i = 0; i < 4; i++) {
    const distance = abs(f32x4.extract_lane(x, 0));
    if (distance > TRIG_BOUND && distance < Infinity) {
      const fixed = turnsFixed(f32x4.extract_lane(x, 0));
      r = f32x4.replace_lane(r, 0, <f32>(<f64>(<i64>(fixed << 2)) * HALF_PI_FIXED));
      k = i32x4.replace_lane(k, 0, <i32>((fixed + ((<u64>1) << 61)) >> 62));
    }
    x = v128.shuffle<i32>(x, x, 1, 2, 3, 0);
    r = v128.shuffle<i32>(r, r, 1, 2, 3, 0);
    k = v128.shuffle<i32>(k, k, 1, 2, 3, 0);
  }
  return sinPolynomials(r, i32x4.add(k, i32x4.splat(turns)));
}

/** sin(x + turns pi/2). */
@inline
function sinTurned(x: v128, turns: i32): v128 {
  const low = f64x2.promote_low_f32x4(x),
    high = promoteHigh(x);
  const kLow = quarterTurns(low),
    kHigh = quarterTurns(high);
  const r = demotePair(lessTurns(low, kLow), lessTurns(high, kHigh));
  const k = v128.shuffle<i32>(kLow, kHigh, 0, 2, 4, 6);
  if (v128.any_true(f32x4.gt(magnitude(x), f32x4.splat(TRIG_BOUND)))) return sinFar(x, r, k, turns);
  return sinPolynomials(r, i32x4.add(k, i32x4.splat(turns)));
}

@final
@unmanaged
class Sin {
  @inline forward(x: v128): v128 {
    return sinTurned(x, 0);
  }
}

@final
@unmanaged
class Cos {
  @inline forward(x: v128): v128 {
    return sinTurned(x, 1);
  }
}

/** out = sin x (torch.sin), n elements. Within 2 ulp; NaN at ±Inf. out may be x. Overwrites out. */
export function sin_forward_f32(out: usize, x: usize, n: i32): void {
  map<Sin>(out, x, n);
}

/** out = cos x (torch.cos), n elements. Within 2 ulp; NaN at ±Inf. out may be x. Overwrites out. */
export function cos_forward_f32(out: usize, x: usize, n: i32): void {
  map<Cos>(out, x, n);
}
