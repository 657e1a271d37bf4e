// Dropout of n contiguous elements, forward beside backward; philox.ts says what first and state are. Every kernel
// overwrites its outputs. An element takes a byte of the generator: it is dropped where that is below the first byte of
// p * 2^32, and where it is that byte, once in 256, by 24 bits more; so p counts to all of its bits.
import { loadLanes, storeLanes } from "../lanes";
import { bits, draw, threshold, twoWords } from "./philox";

/** Which of the 16 elements of a block whose first byte is that of p * 2^32 = limit are dropped, as bits. */
function settle(undecided: i32, limit: u32, state: usize, index: i32): i32 {
  let dropped = 0;
  for (; undecided; undecided &= undecided - 1) {
    const lane = ctz(undecided);
    if (<u32>twoWords(state, index, lane + 1) >> 8 < (limit & 0xffffff)) dropped |= 1 << lane;
  }
  return dropped;
}

/** Stores 16 numbers, or the first `count`: those at x times scale where bytes of kept are set, else zeros. */
@inline
function storeKept(out: usize, x: usize, kept: v128, scale: v128, count: i32): void {
  const low = i16x8.extend_low_i8x16_s(kept),
    high = i16x8.extend_high_i8x16_s(kept);
  let k0 = i32x4.extend_low_i16x8_s(low),
    k1 = i32x4.extend_high_i16x8_s(low),
    k2 = i32x4.extend_low_i16x8_s(high);
  const k3 = i32x4.extend_high_i16x8_s(high);
  if (count >= 16) {
    v128.store(out, v128.and(f32x4.mul(v128.load(x), scale), k0));
    v128.store(out, v128.and(f32x4.mul(v128.load(x, 16), scale), k1), 16);
    v128.store(out, v128.and(f32x4.mul(v128.load(x, 32), scale), k2), 32);
    v128.store(out, v128.and(f32x4.mul(v128.load(x, 48), scale), k3), 48);
    return;
  }
  for (; count > 0; count -= 4, out += 16, x += 16) {
    const lanes = min(4, count);
    storeLanes(out, v128.and(f32x4.mul(loadLanes(x, lanes), scale), k0), lanes);
    k0 = k1;
    k1 = k2;
    k2 = k3;
  }
}

/** Stores the first `count` of 16 bytes. */
function storeBytes(out: usize, bytes: v128, count: i32): void {
  for (let i = 0; i < count; i++, out++) {
    v128.store8_lane(out, bytes, 0);
    bytes = i8x16.shuffle(bytes, bytes, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0);
  }
}

/** The first `count` of 16 bytes, and zeros. */
function loadBytes(p: usize, count: i32): v128 {
  let bytes = i8x16.splat(0);
  for (let i = count - 1; i >= 0; i--) {
    bytes = i8x16.shuffle(bytes, bytes, 15, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14);
    bytes = v128.load8_lane(p + i, bytes, 0);
  }
  return bytes;
}

/** Of a draw p is the limit, p * 2^32, and s its first byte in all places. */
@final
@unmanaged
class Dropout {
  @inline perBlock(): i32 {
    return 16;
  }
  @inline rounds(): i32 {
    return 7;
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

  /** All bits of the bytes of elements that stay. */
  @inline kept(w: v128, limit: v128, first: v128, state: usize, index: i32): v128 {
    let dropped = i8x16.lt_u(w, first);
    const undecided = i8x16.bitmask(i8x16.eq(w, first));
    if (undecided) {
      const places = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
      const rest = i16x8.splat(<i16>settle(undecided, i32x4.extract_lane(limit, 0), state, index));
      const spread = i8x16.shuffle(rest, rest, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
      dropped = v128.or(dropped, i8x16.eq(v128.and(spread, places), places));
    }
    return v128.not(dropped);
  }

  @inline emit(
    out: usize,
    mask: usize,
    x: usize,
    at: usize,
    count: i32,
    w: v128,
    limit: v128,
    scale: v128,
    first: v128,
    state: usize,
    index: i32,
  ): void {
    const kept = this.kept(w, limit, first, state, index);
    storeKept(out + at, x + at, kept, scale, count);
    if (!mask) return;
    const ones = v128.and(kept, i8x16.splat(1));
    mask += at >> 2;
    if (count == 16) v128.store(mask, ones);
    else storeBytes(mask, ones, count);
  }
}

/**
 * mask[n], u8 = 0 with probability p, else 1; out[n] = mask * x / (1 - p), zeros for p = 1
 * (torch.nn.functional.dropout). out may be x; mask may be 0, for no one.
 */
export function dropout_forward_f32(out: usize, mask: usize, x: usize, n: i32, first: i32, p: f32, state: usize): void {
  if (p >= 1) {
    memory.fill(out, 0, (<usize>n) << 2);
    if (mask) memory.fill(mask, 0, n);
    return;
  }
  const limit = threshold(p);
  draw<Dropout>(out, mask, x, n, first, state, limit, bits(1 / (1 - p)), (limit >>> 24) * 0x01010101);
}

/** Reverses dropout_forward_f32: dx[n] = mask * g / (1 - p), zeros for p = 1. dx may be g. */
export function dropout_backward_f32(dx: usize, g: usize, mask: usize, n: i32, p: f32): void {
  const scale = f32x4.splat(1 / (1 - p)),
    zero = i8x16.splat(0);
  for (let left = n; left > 0; left -= 16, dx += 64, g += 64, mask += 16) {
    const bytes = left >= 16 ? v128.load(mask) : loadBytes(mask, left);
    storeKept(dx, g, i8x16.ne(bytes, zero), scale, left);
  }
}
