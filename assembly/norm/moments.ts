// Two sums in one pass: of a term, and of the term times a factor. They are the moments a norm divides by on its way
// forward, and what its gradient subtracts in backward.
import { lanesMask, loadLanes, madd, promoteHigh } from "../lanes";
import { ROW_BLOCK, sumRow } from "../loops";
import { applied, Identity, SquaredDeviation, USES_P, USES_Q, USES_W, USES_Y, usesOf, vectorOf } from "../ops";

/** xhat, for mean and rstd. */
@inline
export function xhat(x: v128, mean: v128, rstd: v128): v128 {
  return f32x4.mul(f32x4.sub(x, mean), rstd);
}

/** The term x - shift. */
@final
@unmanaged
class Deviation {
  @inline uses(): i32 {
    return USES_P;
  }
  @inline forward(x: v128, shift: v128): v128 {
    return f32x4.sub(x, shift);
  }
}

/** The term g * weight. */
@final
@unmanaged
class Weighted {
  @inline uses(): i32 {
    return USES_W;
  }
  @inline forward(g: v128, w: v128): v128 {
    return f32x4.mul(g, w);
  }
}

/** The factor xhat, with x for y. */
@final
@unmanaged
class Normalized {
  @inline uses(): i32 {
    return USES_Y | USES_Q;
  }
  @inline forward(term: v128, x: v128, mean: v128, rstd: v128): v128 {
    return xhat(x, mean, rstd);
  }
}

/** sum + term * factor. */
@inline
function product<G>(sum: v128, term: v128, y: usize, lanes: i32, p: v128, q: v128): v128 {
  const other = usesOf<G>() & USES_Y ? loadLanes(y, lanes) : term;
  return madd(term, applied<G>(term, other, term, term, p, q, p, q), sum);
}

/** Both halves of a vector, added in f64. */
@inline
function paired(v: v128): v128 {
  return f64x2.add(f64x2.promote_low_f32x4(v), promoteHigh(v));
}

/** Elements whose mean is the shift. */
const SAMPLE: i32 = 16;
/** E[d]^2 may be so many variances. */
const TOLERANCE: f64 = 4;
/**
 * Channels whose sums a workspace holds at a time: 16 KiB. With all of them a sample is read from its front to its end;
 * one channel after the other, every row would begin far from the last.
 */
const CHANNELS_AT_ONCE: i32 = 1024;

export class Moments {
  /**
   * [the sum of F's terms, the sum of terms times G's factors], as f64x2, along a row of n elements; by sumRow's tree.
   */
  private static pair<F, G>(x: usize, y: usize, w: usize, n: i32, p: f32, q: f32): v128 {
    const zero = f32x4.splat(0),
      pv = f32x4.splat(p),
      qv = f32x4.splat(q);
    let sums = f64x2.splat(0),
      products = sums;
    while (n > 0) {
      let left = min(n, ROW_BLOCK);
      n -= left;
      let a0 = zero,
        a1 = zero,
        a2 = zero,
        a3 = zero,
        b0 = zero,
        b1 = zero,
        b2 = zero,
        b3 = zero;
      for (; left >= 16; left -= 16, x += 64, y += 64, w += 64) {
        const t0 = vectorOf<F>(x, x, w, 0, true, false, 4, pv, qv, pv, qv),
          t1 = vectorOf<F>(x + 16, x + 16, w + 16, 0, true, false, 4, pv, qv, pv, qv),
          t2 = vectorOf<F>(x + 32, x + 32, w + 32, 0, true, false, 4, pv, qv, pv, qv),
          t3 = vectorOf<F>(x + 48, x + 48, w + 48, 0, true, false, 4, pv, qv, pv, qv);
        a0 = f32x4.add(a0, t0);
        b0 = product<G>(b0, t0, y, 4, pv, qv);
        a1 = f32x4.add(a1, t1);
        b1 = product<G>(b1, t1, y + 16, 4, pv, qv);
        a2 = f32x4.add(a2, t2);
        b2 = product<G>(b2, t2, y + 32, 4, pv, qv);
        a3 = f32x4.add(a3, t3);
        b3 = product<G>(b3, t3, y + 48, 4, pv, qv);
      }
      for (; left >= 4; left -= 4, x += 16, y += 16, w += 16) {
        const t = vectorOf<F>(x, x, w, 0, true, false, 4, pv, qv, pv, qv);
        a0 = f32x4.add(a0, t);
        b0 = product<G>(b0, t, y, 4, pv, qv);
      }
      if (left > 0) {
        const t = v128.and(vectorOf<F>(x, x, w, 0, true, false, left, pv, qv, pv, qv), lanesMask(left));
        a1 = f32x4.add(a1, t);
        b1 = product<G>(b1, t, y, left, pv, qv);
      }
      sums = f64x2.add(sums, paired(f32x4.add(f32x4.add(a0, a1), f32x4.add(a2, a3))));
      products = f64x2.add(products, paired(f32x4.add(f32x4.add(b0, b1), f32x4.add(b2, b3))));
    }
    return f64x2.add(v128.shuffle<i64>(sums, products, 0, 2), v128.shuffle<i64>(sums, products, 1, 3));
  }

  /** A number near the mean of the values that begin with the row of s elements at x: the mean of the first of them. */
  private static shift(x: usize, s: i32): f32 {
    const some = min(s, SAMPLE);
    return <f32>(sumRow<Identity>(0, x, 0, 0, some) / some);
  }

  /** [the sum of the deviations from shift, the sum of their squares] along a row. */
  @inline
  private static deviations(x: usize, s: i32, shift: f32): v128 {
    return Moments.pair<Deviation, Identity>(x, 0, 0, s, shift, 0);
  }

  /** [mean, biased variance], as f64x2, of n rows of s elements, `stride` bytes apart, from the sums of deviations. */
  private static finish(sums: v128, shift: f32, x: usize, n: i32, s: i32, stride: usize): v128 {
    const count = <f64>n * <f64>s,
      offset = f64x2.extract_lane(sums, 0) / count,
      mean = shift + offset;
    let variance = f64x2.extract_lane(sums, 1) / count - offset * offset;
    if (!(offset * offset <= TOLERANCE * variance)) {
      variance = 0;
      for (let i = n; i > 0; i--, x += stride) variance += sumRow<SquaredDeviation>(0, x, 0, 0, s, <f32>mean);
      variance /= count;
    }
    return f64x2.replace_lane(f64x2.splat(mean), 1, variance);
  }

  /**
   * [mean, biased variance], as f64x2, of a row of s elements, in one pass: of the distance d to a shift near the mean,
   * mean = shift + E[d] and variance = E[d^2] - E[d]^2, which loses few digits while E[d]^2 is not large beside the
   * variance. Where the shift has missed the mean (values in order of size, say, or all the same), a second pass takes
   * the variance about the mean.
   */
  static of(x: usize, s: i32): v128 {
    const shift = Moments.shift(x, s);
    return Moments.finish(Moments.deviations(x, s, shift), shift, x, 1, s, 0);
  }

  /** As `of` for c channels of n rows of s elements each: samples lie `stride` bytes apart, their channels together. */
  static ofChannels(
    mean: usize,
    variance: usize,
    x: usize,
    n: i32,
    c: i32,
    s: i32,
    stride: usize,
    workspace: usize,
  ): void {
    const row = (<usize>s) << 2;
    for (; c > 0; c -= CHANNELS_AT_ONCE) {
      const some = min(c, CHANNELS_AT_ONCE);
      memory.fill(workspace, 0, (<usize>some) << 4);
      // Shifts lie where the means will.
      for (let k = 0; k < some; k++) {
        store<f32>(mean + ((<usize>k) << 2), Moments.shift(x + <usize>k * row, s));
      }
      for (let i = 0, sample = x; i < n; i++, sample += stride) {
        for (let k = 0, at = sample, sums = workspace; k < some; k++, at += row, sums += 16) {
          const deviations = Moments.deviations(at, s, load<f32>(mean + ((<usize>k) << 2)));
          v128.store(sums, f64x2.add(v128.load(sums), deviations));
        }
      }
      for (let k = 0; k < some; k++, mean += 4, variance += 4, x += row) {
        const moments = Moments.finish(v128.load(workspace + ((<usize>k) << 4)), load<f32>(mean), x, n, s, stride);
        store<f32>(mean, <f32>f64x2.extract_lane(moments, 0));
        store<f32>(variance, <f32>f64x2.extract_lane(moments, 1));
      }
    }
  }

  /** [the sum of g * weight, the sum of g * weight * xhat], as f64x2, along a row; w = 0 means ones. */
  @inline
  static gradient(g: usize, x: usize, w: usize, n: i32, mean: f32, rstd: f32): v128 {
    if (w) return Moments.pair<Weighted, Normalized>(g, x, w, n, mean, rstd);
    return Moments.pair<Identity, Normalized>(g, x, 0, n, mean, rstd);
  }

  /**
   * dweight[k] = the sum of g * xhat and dbias[k] = the sum of g over n samples, `stride` bytes apart, of the channels
   * k from `first` to before `end`. Channel k of sample i has element i * groups + k / c of mean and rstd.
   */
  static gradients(
    dweight: usize,
    dbias: usize,
    g: usize,
    x: usize,
    mean: usize,
    rstd: usize,
    n: i32,
    groups: i32,
    c: i32,
    s: i32,
    first: i32,
    end: i32,
    stride: usize,
    workspace: usize,
  ): void {
    const row = (<usize>s) << 2;
    for (; first < end; first += CHANNELS_AT_ONCE) {
      const until = min(first + CHANNELS_AT_ONCE, end);
      memory.fill(workspace, 0, (<usize>(until - first)) << 4);
      for (let i = 0; i < n; i++) {
        let at = <usize>i * stride + <usize>first * row;
        for (let k = first, sums = workspace; k < until; k++, at += row, sums += 16) {
          const group = (<usize>(i * groups + k / c)) << 2;
          const m = load<f32>(mean + group),
            r = load<f32>(rstd + group);
          v128.store(sums, f64x2.add(v128.load(sums), Moments.pair<Identity, Normalized>(g + at, x + at, 0, s, m, r)));
        }
      }
      for (let k = first, sums = workspace; k < until; k++, sums += 16) {
        store<f32>(dbias + ((<usize>k) << 2), <f32>load<f64>(sums));
        store<f32>(dweight + ((<usize>k) << 2), <f32>load<f64>(sums, 8));
      }
    }
  }
}
