// The mean and the variance of a channel, in one pass over it: of a value's distance d to a shift near the mean, mean =
// shift + E[d] and variance = E[d^2] - E[d]^2, which loses few digits while E[d]^2 is not large beside the variance.
// The shift is the mean of the channel's first elements. Where it has missed (elements in order of size, say, or all
// the same), a second pass takes the variance about the mean.
import { madd, promoteHigh } from "./lanes";
import { ROW_BLOCK, Rows, SquaredDeviation, Value } from "./reduceloops";

/** E[d]^2 may be so many variances. */
const TOLERANCE: f64 = 4;

/** Both halves of a vector, added in f64. */
@inline
function paired(v: v128): v128 {
  return f64x2.add(f64x2.promote_low_f32x4(v), promoteHigh(v));
}

@inline
function total(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1);
}

export class Moments {
  /** [mean, biased variance], as f64x2, of n rows of s elements, `stride` bytes apart. */
  static of(x: usize, n: i32, s: i32, stride: usize): v128 {
    const zero = f32x4.splat(0),
      some = min(s, ROW_BLOCK),
      count = <f64>n * <f64>s;
    const shift = <f32>(Rows.sum<Value>(0, x, 0, 0, some, zero, zero) / some),
      base = f32x4.splat(shift);
    let sums = f64x2.splat(0),
      squares = sums,
      row = x;
    for (let i = n; i > 0; i--, row += stride) {
      let left = s,
        p = row;
      while (left >= 4) {
        let block = min(left & ~3, ROW_BLOCK);
        left -= block;
        let a0 = zero,
          a1 = zero,
          a2 = zero,
          a3 = zero,
          b0 = zero,
          b1 = zero,
          b2 = zero,
          b3 = zero;
        for (; block >= 16; block -= 16, p += 64) {
          const d0 = f32x4.sub(v128.load(p), base),
            d1 = f32x4.sub(v128.load(p + 16), base),
            d2 = f32x4.sub(v128.load(p + 32), base),
            d3 = f32x4.sub(v128.load(p + 48), base);
          a0 = f32x4.add(a0, d0);
          b0 = madd(d0, d0, b0);
          a1 = f32x4.add(a1, d1);
          b1 = madd(d1, d1, b1);
          a2 = f32x4.add(a2, d2);
          b2 = madd(d2, d2, b2);
          a3 = f32x4.add(a3, d3);
          b3 = madd(d3, d3, b3);
        }
        for (; block > 0; block -= 4, p += 16) {
          const d = f32x4.sub(v128.load(p), base);
          a0 = f32x4.add(a0, d);
          b0 = madd(d, d, b0);
        }
        sums = f64x2.add(sums, paired(f32x4.add(f32x4.add(a0, a1), f32x4.add(a2, a3))));
        squares = f64x2.add(squares, paired(f32x4.add(f32x4.add(b0, b1), f32x4.add(b2, b3))));
      }
      for (; left > 0; left--, p += 4) {
        const d = <f64>load<f32>(p) - <f64>shift;
        sums = f64x2.add(sums, f64x2.replace_lane(f64x2.splat(0), 0, d));
        squares = f64x2.add(squares, f64x2.replace_lane(f64x2.splat(0), 0, d * d));
      }
    }
    const offset = total(sums) / count,
      mean = shift + offset;
    let variance = total(squares) / count - offset * offset;
    if (!(offset * offset <= TOLERANCE * variance)) {
      const m = f32x4.splat(<f32>mean);
      variance = 0;
      for (let i = n; i > 0; i--, x += stride) variance += Rows.sum<SquaredDeviation>(0, x, 0, 0, s, m, zero);
      variance /= count;
    }
    return f64x2.replace_lane(f64x2.splat(mean), 1, variance);
  }
}
