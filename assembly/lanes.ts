// Four f32 at a time, or sixteen bytes: partial loads and stores, fused steps, choices and sums across lanes.

const SIGN: i32 = 0x80000000;

/** The first `lanes` (1 to 3) elements at p, and zeros. Reads nothing past the last element. */
export function loadPart(p: usize, lanes: i32): v128 {
  if (lanes == 1) return v128.load32_zero(p);
  const two = v128.load64_zero(p);
  return lanes == 2 ? two : v128.load32_lane(p, two, 2, 8);
}

// Exported by an inline wrapper: asc warns of exported functions that take a v128 (AS112).
function storeFew(p: usize, v: v128, lanes: i32): void {
  if (lanes == 1) {
    v128.store32_lane(p, v, 0);
    return;
  }
  v128.store64_lane(p, v, 0);
  if (lanes == 3) v128.store32_lane(p, v, 2, 8);
}

/** Stores the first `lanes` (1 to 3) lanes of v at p. */
@inline
export function storePart(p: usize, v: v128, lanes: i32): void {
  storeFew(p, v, lanes);
}

/** The vector at p, or its first `lanes` (1 to 4) elements and zeros. */
@inline
export function loadLanes(p: usize, lanes: i32): v128 {
  return lanes == 4 ? v128.load(p) : loadPart(p, lanes);
}

/** Stores v, or its first `lanes` (1 to 4) lanes, at p. */
@inline
export function storeLanes(p: usize, v: v128, lanes: i32): void {
  if (lanes == 4) v128.store(p, v);
  else storePart(p, v, lanes);
}

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

/** mask ? a : b, for masks whose 32-bit lanes are all ones or all zeros. */
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

/** |x|; cheaper than f32x4.abs where an engine builds its mask anew each time. */
@inline
export function magnitude(x: v128): v128 {
  return v128.and(x, i32x4.splat(~SIGN));
}

/** -|x|. */
@inline
export function negative(x: v128): v128 {
  return v128.or(x, i32x4.splat(SIGN));
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

/** All bits set in the first `lanes` lanes, none in the others. */
@inline
export function lanesMask(lanes: i32): v128 {
  return i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(lanes));
}

// Bytes. A load or store of 4 bytes or more is two that overlap; fewer go one by one.

/** The first `n` (1 to 15) bytes at p as the low bytes of a vector, the others 0. */
export function loadBytes(p: usize, n: i32): v128 {
  if (n >= 8) {
    const low = load<u64>(p);
    if (n == 8) return i64x2(low, 0);
    return i64x2(low, load<u64>(p + n - 8) >> (128 - ((<u64>n) << 3)));
  }
  if (n >= 4) {
    const first = <u64>load<u32>(p),
      last = <u64>load<u32>(p + n - 4);
    return i64x2(first | (last << ((<u64>n - 4) << 3)), 0);
  }
  let bytes: u64 = load<u8>(p);
  if (n > 1) bytes |= (<u64>load<u8>(p, 1)) << 8;
  if (n > 2) bytes |= (<u64>load<u8>(p, 2)) << 16;
  return i64x2(bytes, 0);
}

/** Stores the first `n` (1 to 15) of the sixteen bytes of `low` and `high`. */
function storeFewBytes(p: usize, low: u64, high: u64, n: i32): void {
  if (n >= 8) {
    store<u64>(p, low);
    if (n > 8) store<u64>(p + n - 8, (low >> ((<u64>n - 8) << 3)) | (high << (128 - ((<u64>n) << 3))));
  } else if (n >= 4) {
    store<u32>(p, <u32>low);
    store<u32>(p + n - 4, <u32>(low >> ((<u64>n - 4) << 3)));
  } else {
    store<u8>(p, <u8>low);
    if (n > 1) store<u8>(p, <u8>(low >> 8), 1);
    if (n > 2) store<u8>(p, <u8>(low >> 16), 2);
  }
}

/** Stores the first `n` (1 to 15) bytes of v at p. */
@inline
export function storeBytes(p: usize, v: v128, n: i32): void {
  storeFewBytes(p, i64x2.extract_lane(v, 0), i64x2.extract_lane(v, 1), n);
}

/** The low four bytes as i32s. */
@inline
export function widened(bytes: v128): v128 {
  return i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(bytes));
}

/** Sixteen i32s as bytes, each within 0 and 255. */
@inline
export function narrowed(a: v128, b: v128, c: v128, d: v128): v128 {
  return i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
}
