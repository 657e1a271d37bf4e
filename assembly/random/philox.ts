// Random numbers by Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): the block with
// number `counter` holds four words that depend on it and the key alone. Element i of a draw is word i & 3 of
// block counter + (i >> 2), so a draw is the same however it is cut: a kernel makes n elements of it from element
// `first` on, a multiple of 4. Dropout (dropout.ts) has 16 elements a block, and 7 rounds, after which the paper found
// no fault either. state is u32 [key0, key1, counterLow, counterHigh], 16 bytes; the kernels leave it as it is, and
// random_advance moves it past a draw.

const MULTIPLIER_0: i32 = <i32>0xd2511f53;
const MULTIPLIER_1: i32 = <i32>0xcd9e8d57;
const WEYL_0: i32 = <i32>0x9e3779b9;
const WEYL_1: i32 = <i32>0xbb67ae85;
export const ROUNDS: i32 = 10;

/** The high words of four products, given as two vectors of two. */
@inline
export function highWords(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 1, 3, 5, 7);
}

@inline
function lowWords(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 0, 2, 4, 6);
}

/**
 * Draws n elements from element `first` on, of which a distribution F takes perBlock() from a block of so many rounds.
 * It turns the words (w0, w1, w2, w3) of four blocks at once, a vector a word, into first(r, w1), second(r, w1),
 * first(s, w3), second(s, w3) with r = prepare(w0), s = prepare(w2), and then, in the order of the elements, emits a
 * block at byte offset `at` of f32. p, q and s are parameters of F, given as bits, because a call takes no vectors.
 */
export function draw<F>(
  out: usize,
  mask: usize,
  x: usize,
  n: i32,
  first: i32,
  state: usize,
  bitsP: i32 = 0,
  bitsQ: i32 = 0,
  bitsS: i32 = 0,
): void {
  const f = changetype<F>(0);
  const p = i32x4.splat(bitsP),
    q = i32x4.splat(bitsQ),
    s = i32x4.splat(bitsS);
  const m0 = i32x4.splat(MULTIPLIER_0),
    m1 = i32x4.splat(MULTIPLIER_1);
  const count = f.perBlock();
  const bytes = (<usize>count) << 2;
  const start = load<u64>(state, 8);
  let index = first / count;
  let at: usize = 0;
  for (let left = n; left > 0; left -= count << 2, index += 4) {
    const counter = start + index;
    const low = i32x4.splat(<i32>counter);
    let c0 = i32x4.add(low, i32x4(0, 1, 2, 3));
    let c1 = i32x4.sub(i32x4.splat(<i32>(counter >> 32)), i32x4.lt_u(c0, low)); // the carry is -1
    let c2 = i32x4.splat(0),
      c3 = c2;
    let k0 = v128.load32_splat(state),
      k1 = v128.load32_splat(state, 4);
    for (let round = f.rounds(); round > 0; round--) {
      const a = i64x2.extmul_low_i32x4_u(c0, m0),
        b = i64x2.extmul_high_i32x4_u(c0, m0);
      const c = i64x2.extmul_low_i32x4_u(c2, m1),
        d = i64x2.extmul_high_i32x4_u(c2, m1);
      c0 = v128.xor(highWords(c, d), v128.xor(c1, k0)); // in this order the keys are ready before the product
      c2 = v128.xor(highWords(a, b), v128.xor(c3, k1));
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
    if (left >= count << 2) {
      f.emit(out, mask, x, at, count, e0, p, q, s, state, index);
      f.emit(out, mask, x, at + bytes, count, e1, p, q, s, state, index + 1);
      f.emit(out, mask, x, at + 2 * bytes, count, e2, p, q, s, state, index + 2);
      f.emit(out, mask, x, at + 3 * bytes, count, e3, p, q, s, state, index + 3);
      at += 4 * bytes;
      continue;
    }
    for (let rest = left, i = index; rest > 0; rest -= count, at += bytes, i++) {
      f.emit(out, mask, x, at, min(count, rest), e0, p, q, s, state, i);
      e0 = e1;
      e1 = e2;
      e2 = e3;
    }
  }
}

/** The first two words of block state + index, under a third word of the counter that is not 0 as that of draws. */
export function twoWords(state: usize, index: i64, third: u32): u64 {
  const counter = load<u64>(state, 8) + index;
  let c0 = <u32>counter,
    c1 = <u32>(counter >> 32),
    c2 = third,
    c3: u32 = 0,
    k0 = load<u32>(state),
    k1 = load<u32>(state, 4);
  for (let round = 0; round < ROUNDS; round++) {
    const a = <u64>c0 * <u64>(<u32>MULTIPLIER_0),
      b = <u64>c2 * <u64>(<u32>MULTIPLIER_1);
    c0 = <u32>(b >> 32) ^ c1 ^ k0;
    c2 = <u32>(a >> 32) ^ c3 ^ k1;
    c1 = <u32>b;
    c3 = <u32>a;
    k0 += WEYL_0;
    k1 += WEYL_1;
  }
  return ((<u64>c1) << 32) | <u64>c0;
}

/** A distribution that takes word by word. */
@unmanaged
export class Words {
  @inline perBlock(): i32 {
    return 4;
  }
  @inline rounds(): i32 {
    return ROUNDS;
  }
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

/** A number as the bits that draw takes. */
@inline
export function bits(x: f32): i32 {
  return reinterpret<i32>(x);
}

/** All bits set where an event of probability p happens: w < p * 2^32, or always. */
@inline
export function happens(w: v128, threshold: v128, always: v128): v128 {
  return v128.or(i32x4.lt_u(w, threshold), always);
}

/** The word below which an event of probability p happens. */
@inline
export function threshold(p: f32): i32 {
  return <i32>(<u32>min<f64>(<f64>p * 4294967296, 4294967295));
}

/** All ones where an event of probability p is certain. */
@inline
export function always(p: f32): i32 {
  return p >= 1 ? -1 : 0;
}
