// Random numbers by Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): block number
// `counter` under a key gives four words, whoever asks and in whatever order. Element i of a draw is word i & 3 of
// block counter + (i >> 2), so a draw is the same however it is cut: a kernel makes n elements of it from element
// `first` on, a multiple of 4. state is u32 [key0, key1, counterLow, counterHigh], 16 bytes; the kernels leave it as it
// is, and random_advance moves it past a draw.
import { loadLanes, log, madd, storeLanes } from "./lanes";

const MULTIPLIER_0: i32 = <i32>0xd2511f53;
const MULTIPLIER_1: i32 = <i32>0xcd9e8d57;
const WEYL_0: i32 = <i32>0x9e3779b9;
const WEYL_1: i32 = <i32>0xbb67ae85;
const ROUNDS: i32 = 10;

/** The high words of four products, given as two vectors of two. */
@inline
function highWords(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 1, 3, 5, 7);
}

@inline
function lowWords(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 0, 2, 4, 6);
}

/**
 * Draws n elements from element `first` on. A distribution F turns the words (w0, w1, w2, w3) of four blocks at once, a vector a word, into
 * first(r, w1), second(r, w1), first(s, w3), second(s, w3) with r = prepare(w0), s = prepare(w2), and then, in the
 * order of the elements, emits them at byte offset `at`.
 */
function draw<F>(out: usize, mask: usize, x: usize, n: i32, first: i32, state: usize, p: v128, q: v128, s: v128): void {
  const f = changetype<F>(0);
  const m0 = i32x4.splat(MULTIPLIER_0),
    m1 = i32x4.splat(MULTIPLIER_1);
  let counter = load<u64>(state, 8) + (first >> 2);
  let at: usize = 0;
  for (let left = n; left > 0; left -= 16, counter += 4) {
    const low = i32x4.splat(<i32>counter);
    let c0 = i32x4.add(low, i32x4(0, 1, 2, 3));
    let c1 = i32x4.sub(i32x4.splat(<i32>(counter >> 32)), i32x4.lt_u(c0, low)); // the carry is -1
    let c2 = i32x4.splat(0),
      c3 = c2;
    let k0 = v128.load32_splat(state),
      k1 = v128.load32_splat(state, 4);
    for (let round = 0; round < ROUNDS; round++) {
      const a = i64x2.extmul_low_i32x4_u(c0, m0),
        b = i64x2.extmul_high_i32x4_u(c0, m0);
      const c = i64x2.extmul_low_i32x4_u(c2, m1),
        d = i64x2.extmul_high_i32x4_u(c2, m1);
      c0 = v128.xor(v128.xor(highWords(c, d), c1), k0);
      c2 = v128.xor(v128.xor(highWords(a, b), c3), k1);
      c1 = lowWords(c, d);
      c3 = lowWords(a, b);
      k0 = i32x4.add(k0, i32x4.splat(WEYL_0));
      k1 = i32x4.add(k1, i32x4.splat(WEYL_1));
    }
    const r0: v128 = f.prepare(c0),
      r2: v128 = f.prepare(c2);
    const w0: v128 = f.first(r0, c1),
      w1: v128 = f.second(r0, c1);
    const w2: v128 = f.first(r2, c3),
      w3: v128 = f.second(r2, c3);
    // From a vector a word to a vector a block.
    const t0 = v128.shuffle<i32>(w0, w1, 0, 4, 1, 5),
      t1 = v128.shuffle<i32>(w2, w3, 0, 4, 1, 5);
    const t2 = v128.shuffle<i32>(w0, w1, 2, 6, 3, 7),
      t3 = v128.shuffle<i32>(w2, w3, 2, 6, 3, 7);
    let e0 = v128.shuffle<i64>(t0, t1, 0, 2),
      e1 = v128.shuffle<i64>(t0, t1, 1, 3);
    let e2 = v128.shuffle<i64>(t2, t3, 0, 2),
      e3 = v128.shuffle<i64>(t2, t3, 1, 3);
    if (left >= 16) {
      f.emit(out, mask, x, at, 4, e0, p, q, s);
      f.emit(out, mask, x, at + 16, 4, e1, p, q, s);
      f.emit(out, mask, x, at + 32, 4, e2, p, q, s);
      f.emit(out, mask, x, at + 48, 4, e3, p, q, s);
      at += 64;
      continue;
    }
    for (let rest = left; rest > 0; rest -= 4, at += 16) {
      f.emit(out, mask, x, at, min(4, rest), e0, p, q, s);
      e0 = e1;
      e1 = e2;
      e2 = e3;
    }
  }
}

/** A distribution that takes word by word. */
@unmanaged
class Words {
  @inline prepare(w: v128): v128 {
    return w;
  }
  @inline first(w: v128, next: v128): v128 {
    return w;
  }
  @inline second(w: v128, next: v128): v128 {
    return next;
  }
}

@final
@unmanaged
class Bits extends Words {
  @inline emit(out: usize, mask: usize, x: usize, at: usize, lanes: i32, w: v128, p: v128, q: v128, s: v128): void {
    storeLanes(out + at, w, lanes);
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
  ): void {
    storeLanes(out + at, madd(z, std, mean), lanes);
  }
}

/** All bits set where an event of probability p happens: w < p * 2^32, or always. */
@inline
function happens(w: v128, threshold: v128, always: v128): v128 {
  return v128.or(i32x4.lt_u(w, threshold), always);
}

@inline
function threshold(p: f32): v128 {
  return i32x4.splat(<i32>(<u32>min<f64>(<f64>p * 4294967296, 4294967295)));
}

@inline
function always(p: f32): v128 {
  return i32x4.splat(p >= 1 ? -1 : 0);
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
  ): void {
    storeLanes(out + at, v128.and(happens(w, limit, certain), f32x4.splat(1)), lanes);
  }
}

@final
@unmanaged
class Dropout extends Words {
  @inline emit(
    out: usize,
    mask: usize,
    x: usize,
    at: usize,
    lanes: i32,
    w: v128,
    limit: v128,
    scale: v128,
    certain: v128,
  ): void {
    const keep = v128.not(happens(w, limit, certain));
    storeLanes(out + at, v128.and(f32x4.mul(loadLanes(x + at, lanes), scale), keep), lanes);
    // The low byte of every lane, one after the other.
    const bytes = v128.and(
      i8x16.shuffle(keep, keep, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12),
      i8x16.splat(1),
    );
    mask += at >> 2;
    if (lanes == 4) {
      v128.store32_lane(mask, bytes, 0);
    } else {
      let word = i32x4.extract_lane(bytes, 0);
      for (let i = 0; i < lanes; i++, word >>= 8) store<u8>(mask + i, word);
    }
  }
}

/** out[n], u32 = the generator's words. */
export function random_u32(out: usize, n: i32, first: i32, state: usize): void {
  const zero = f32x4.splat(0);
  draw<Bits>(out, 0, 0, n, first, state, zero, zero, zero);
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
  const top = f32x4.splat(high > low ? below(high) : low);
  draw<Uniform>(out, 0, 0, n, first, state, f32x4.splat(low), f32x4.splat(high - low), top);
}

/** out[n] = mean + std * z, z normal, by pairs of words of one block. */
export function normal_f32(out: usize, n: i32, first: i32, mean: f32, std: f32, state: usize): void {
  draw<Normal>(out, 0, 0, n, first, state, f32x4.splat(mean), f32x4.splat(std), f32x4.splat(0));
}

/** out[n] = 1 with probability p, else 0; always for p = 1, never for p = 0. */
export function bernoulli_f32(out: usize, n: i32, first: i32, p: f32, state: usize): void {
  draw<Bernoulli>(out, 0, 0, n, first, state, threshold(p), f32x4.splat(0), always(p));
}

/**
 * mask[n], u8 = 0 with probability p, else 1; out[n] = mask * x / (1 - p), zeros for p = 1
 * (torch.nn.functional.dropout). out may be x.
 */
export function dropout_forward_f32(out: usize, mask: usize, x: usize, n: i32, first: i32, p: f32, state: usize): void {
  draw<Dropout>(out, mask, x, n, first, state, threshold(p), f32x4.splat(1 / (1 - p)), always(p));
}

/** dx[n] = mask * g / (1 - p), zeros for p = 1. dx may be g. */
export function dropout_backward_f32(dx: usize, g: usize, mask: usize, n: i32, p: f32): void {
  const scale = f32x4.splat(1 / (1 - p)),
    zero = f32x4.splat(0);
  for (let left = n; left > 0; left -= 4, dx += 16, g += 16, mask += 4) {
    const lanes = min(4, left);
    let word: u32 = 0;
    if (lanes == 4) word = load<u32>(mask);
    else for (let i = 0; i < lanes; i++) word |= (<u32>load<u8>(mask + i)) << (i << 3);
    const bytes = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(i32x4.splat(word)));
    storeLanes(dx, v128.and(f32x4.mul(loadLanes(g, lanes), scale), i32x4.ne(bytes, zero)), lanes);
  }
}

/** Moves the counter past a draw of n elements: by ceil(n / 4) blocks. */
export function random_advance(state: usize, n: i32): void {
  store<u64>(state, load<u64>(state, 8) + ((<u64>n + 3) >> 2), 8);
}
