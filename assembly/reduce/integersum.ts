// Sums of integers over the middle axis of x[outer, r, inner], into i32, which wraps; shape.ts says how it is cut and
// what stride means. Every kernel overwrites out, which may not alias x.
import { loadBytes, loadLanes, storeLanes, widened } from "../lanes";
import { folds } from "./fold";

@final
@unmanaged
class Plus {
  @inline identity(): v128 {
    return i32x4.splat(0);
  }
  @inline combine(a: v128, b: v128): v128 {
    return i32x4.add(a, b);
  }
}

/** out[outer, inner] = sum over r of x (torch.sum), of i32, wrapping. */
export function sum_i32(out: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  folds<Plus, i32>(out, x, outer, r, inner, stride);
}

/** Four sums of the sixteen bytes of v, each of four neighbours. */
@inline
function sumsOfFour(v: v128): v128 {
  return i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(v));
}

/** The sum of n bytes at x. */
function sumBytes(x: usize, n: i32): i32 {
  let a = i32x4.splat(0),
    b = a;
  for (; n >= 32; n -= 32, x += 32) {
    a = i32x4.add(a, sumsOfFour(v128.load(x)));
    b = i32x4.add(b, sumsOfFour(v128.load(x, 16)));
  }
  for (; n >= 16; n -= 16, x += 16) a = i32x4.add(a, sumsOfFour(v128.load(x)));
  if (n > 0) b = i32x4.add(b, sumsOfFour(loadBytes(x, n)));
  a = i32x4.add(a, b);
  a = i32x4.add(a, v128.shuffle<i32>(a, a, 2, 3, 0, 1));
  return i32x4.extract_lane(a, 0) + i32x4.extract_lane(a, 1);
}

/** Rows of bytes that are added before their sums go back to memory. */
const BLOCK_ROWS: i32 = 16;

/** Adds r rows of sixteen columns of bytes to their sums. */
@inline
function addRows16(sums: usize, x: usize, r: i32, stride: usize): void {
  // Sixteen bytes at most 255 sum up to 4080, so that 16 bits hold a block.
  let low = i16x8.splat(0),
    high = low;
  for (; r > 0; r--, x += stride) {
    const v = v128.load(x);
    low = i16x8.add(low, i16x8.extend_low_i8x16_u(v));
    high = i16x8.add(high, i16x8.extend_high_i8x16_u(v));
  }
  v128.store(sums, i32x4.add(v128.load(sums), i32x4.extend_low_i16x8_u(low)));
  v128.store(sums, i32x4.add(v128.load(sums, 16), i32x4.extend_high_i16x8_u(low)), 16);
  v128.store(sums, i32x4.add(v128.load(sums, 32), i32x4.extend_low_i16x8_u(high)), 32);
  v128.store(sums, i32x4.add(v128.load(sums, 48), i32x4.extend_high_i16x8_u(high)), 48);
}

/** The sums of the columns of r rows of bytes, `stride` bytes apart; row block by row block. */
function sumByteColumns(out: usize, x: usize, r: i32, inner: i32, stride: usize): void {
  memory.fill(out, 0, (<usize>inner) << 2);
  for (let j = 0; j < r; j += BLOCK_ROWS, x += <usize>BLOCK_ROWS * stride) {
    const rows = min(BLOCK_ROWS, r - j);
    let i = 0;
    for (; i + 16 <= inner; i += 16) addRows16(out + ((<usize>i) << 2), x + i, rows, stride);
    for (; i < inner; i += 4) {
      const lanes = min(4, inner - i),
        sums = out + ((<usize>i) << 2);
      let a = loadLanes(sums, lanes);
      for (let k = 0, at = x + i; k < rows; k++, at += stride) {
        a = i32x4.add(a, widened(lanes == 4 ? v128.load32_zero(at) : loadBytes(at, lanes)));
      }
      storeLanes(sums, a, lanes);
    }
  }
}

/** out[outer, inner], i32 = sum over r of x[outer, r, inner], u8 (torch.sum). */
export function sum_u8(out: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  const slab = <usize>r * <usize>stride;
  for (let o = 0; o < outer; o++, out += (<usize>stride) << 2, x += slab) {
    if (stride == 1) store<i32>(out, sumBytes(x, r));
    else sumByteColumns(out, x, r, inner, stride);
  }
}
