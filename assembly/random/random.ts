// Random numbers of several distributions: n of them, which are those of the draw at `state` (philox.ts) from element
// `first` on. Every kernel overwrites out and leaves state as it is; random_advance moves it on.
import { madd, storeLanes } from "../lanes";
import { log } from "../math";
import { always, bits, draw, happens, highWords, ROUNDS, threshold, Words } from "./philox";

@final
@unmanaged
class Integers extends Words {
  /** The high word of w * range, which is below range; w itself where the range is all of 2^32. */
  @inline emit(
    out: usize,
    mask: usize,
    x: usize,
    at: usize,
    lanes: i32,
    w: v128,
    low: v128,
    range: v128,
    all: v128,
    state: usize,
    index: i32,
  ): void {
    const high = highWords(i64x2.extmul_low_i32x4_u(w, range), i64x2.extmul_high_i32x4_u(w, range));
    storeLanes(out + at, i32x4.add(v128.bitselect(w, high, all), low), lanes);
  }
}

/** The top 24 bits as a number in [0, 1). */
@inline
function unit(w: v128): v128 {
  return f32x4.mul(f32x4.convert_i32x4_u(i32x4.shr_u(w, 8)), f32x4.splat(5.9604644775390625e-8));
}

@final
@unmanaged
class Uniform extends Words {
  @inline emit(
    out: usize,
    mask: usize,
    x: usize,
    at: usize,
    lanes: i32,
    w: v128,
    low: v128,
    range: v128,
    top: v128,
    state: usize,
    index: i32,
  ): void {
    storeLanes(out + at, f32x4.pmin(madd(unit(w), range, low), top), lanes);
  }
}

/** sin(2 pi t) for |t| <= 1/4, a minimax polynomial, odd in t; relative error 2e-7. */
@inline
function sinTurn(t: v128): v128 {
  const z = f32x4.mul(t, t);
  let p = madd(z, f32x4.splat(39.71092), f32x4.splat(-76.57499));
  p = madd(p, z, f32x4.splat(81.602234));
  p = madd(p, z, f32x4.splat(-41.34168));
  p = madd(p, z, f32x4.splat(6.2831855));
  return f32x4.mul(p, t);
}

/** Box and Muller: two words u, v make the normals sqrt(-2 ln u) cos(2 pi v) and sqrt(-2 ln u) sin(2 pi v). */
@final
@unmanaged
class Normal {
  @inline perBlock(): i32 {
    return 4;
  }
  @inline rounds(): i32 {
    return ROUNDS;
  }
  /** sqrt(-2 ln u), for u in (0, 1] by all 32 bits, so that the tail reaches 6.7 and is never infinite. */
  @inline prepare(w: v128): v128 {
    const u = madd(f32x4.convert_i32x4_u(w), f32x4.splat(2.3283064365386963e-10), f32x4.splat(1.1641532182693481e-10));
    return f32x4.sqrt(f32x4.mul(log(u), f32x4.splat(-2)));
  }
  // With t = v - 1/2: cos(2 pi v) = sin(2 pi (|t| - 1/4)), and sin(2 pi v) = -sin(2 pi t), folded to |t| <= 1/4.
  @inline first(radius: v128, w: v128): v128 {
    const t = f32x4.sub(unit(w), f32x4.splat(0.5));
    return f32x4.mul(radius, sinTurn(f32x4.sub(f32x4.abs(t), f32x4.splat(0.25))));
  }
  @inline second(radius: v128, w: v128): v128 {
    const t = f32x4.sub(f32x4.splat(0.5), unit(w));
    const folded = f32x4.pmin(f32x4.abs(t), f32x4.sub(f32x4.splat(0.5), f32x4.abs(t)));
    return f32x4.mul(radius, sinTurn(v128.bitselect(t, folded, f32x4.splat(-0.0))));
  }
  @inline emit(
    out: usize,
    mask: usize,
    x: usize,
    at: usize,
    lanes: i32,
    z: v128,
    mean: v128,
    std: v128,
    s: v128,
    state: usize,
    index: i32,
  ): void {
    storeLanes(out + at, madd(z, std, mean), lanes);
  }
}

@final
@unmanaged
class Bernoulli extends Words {
  @inline emit(
    out: usize,
    mask: usize,
    x: usize,
    at: usize,
    lanes: i32,
    w: v128,
    limit: v128,
    q: v128,
    certain: v128,
    state: usize,
    index: i32,
  ): void {
    storeLanes(out + at, v128.and(happens(w, limit, certain), f32x4.splat(1)), lanes);
  }
}

/** out[n] = low + floor(range * w / 2^32), w the generator's words; range is a u32, 0 for 2^32. */
export function randint_i32(out: usize, n: i32, first: i32, low: i32, range: i32, state: usize): void {
  draw<Integers>(out, 0, 0, n, first, state, low, range, range == 0 ? -1 : 0);
}

/**
 * words[n], n random words = the numbers 0 ... n - 1 in an order that follows from them: number i takes the place of
 * one of the i + 1 first ones, which moves to place i (Durstenfeld 1964, inside out). In place, as each word is read
 * before a number comes to lie there.
 */
export function randperm_i32(words: usize, n: i32): void {
  for (let i = 0; i < n; ++i) {
    const at = words + ((<usize>i) << 2);
    const place = words + (((<usize>load<u32>(at) * <u64>(i + 1)) >> 32) << 2);
    store<i32>(at, load<i32>(<usize>place));
    store<i32>(<usize>place, i);
  }
}

/** The greatest f32 below a finite x. */
function below(x: f32): f32 {
  const bits = reinterpret<i32>(x);
  if (x == 0) return reinterpret<f32>(0x80000001);
  return reinterpret<f32>(bits < 0 ? bits + 1 : bits - 1);
}

/** out[n] = low + (high - low) * u, u in [0, 1) by 24 bits; in [low, high), or low if that is empty. */
export function uniform_f32(out: usize, n: i32, first: i32, low: f32, high: f32, state: usize): void {
  // low + (high - low) * u can round up to high.
  const top = high > low ? below(high) : low;
  draw<Uniform>(out, 0, 0, n, first, state, bits(low), bits(high - low), bits(top));
}

/** out[n] = mean + std * z, z normal, by pairs of words of one block. */
export function normal_f32(out: usize, n: i32, first: i32, mean: f32, std: f32, state: usize): void {
  draw<Normal>(out, 0, 0, n, first, state, bits(mean), bits(std));
}

/** out[n] = 1 with probability p, else 0; always for p = 1, never for p = 0. */
export function bernoulli_f32(out: usize, n: i32, first: i32, p: f32, state: usize): void {
  draw<Bernoulli>(out, 0, 0, n, first, state, threshold(p), 0, always(p));
}

/** Moves the counter past a draw of n elements: by ceil(n / 4) blocks. */
export function random_advance(state: usize, n: i32): void {
  store<u64>(state, load<u64>(state, 8) + ((<u64>n + 3) >> 2), 8);
}
