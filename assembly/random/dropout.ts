// Dropout of n contiguous elements, forward beside backward; philox.ts says what first and state are. Every kernel
// overwrites its outputs.
import { loadLanes, storeLanes } from "../lanes";
import { always, bits, draw, happens, threshold, Words } from "./philox";

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

/**
 * mask[n], u8 = 0 with probability p, else 1; out[n] = mask * x / (1 - p), zeros for p = 1
 * (torch.nn.functional.dropout). out may be x.
 */
export function dropout_forward_f32(out: usize, mask: usize, x: usize, n: i32, first: i32, p: f32, state: usize): void {
  draw<Dropout>(out, mask, x, n, first, state, threshold(p), bits(1 / (1 - p)), always(p));
}

/** Reverses dropout_forward_f32: dx[n] = mask * g / (1 - p), zeros for p = 1. dx may be g. */
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
