// Maps of x[n, c, s], contiguous f32, whose parameters belong to the channel.
//
// A channel map is an op with parameters mean, slope, gain and offset, which it computes from those of the channel:
// slope(rstd, weight, dweight / N), gain(rstd, weight) and offset(rstd, weight, bias, dbias / N).
import { mapLanes } from "../columns";
import { loadLanes } from "../lanes";
import { mapRow } from "../loops";
import { vectorOf } from "../ops";

@inline
function first(v: v128): f32 {
  return f32x4.extract_lane(v, 0);
}

/** `lanes` channels' parameters at byte `at`, or, for a row, one in all lanes; `absent` where p is 0. */
@inline
function parameter(p: usize, at: usize, lanes: i32, absent: f32, isRow: bool = false): v128 {
  if (!p) return f32x4.splat(absent);
  return isRow ? v128.load32_splat(p + at) : loadLanes(p + at, lanes);
}

/**
 * out = the channel map F of x and y at channel k: a row of s elements of the channel, or `lanes` (1 to 4) neighbouring
 * channels, one vector a row, `rows` rows `stride` bytes apart.
 */
@inline
function mapChannel<F>(
  out: usize,
  x: usize,
  y: usize,
  mean: usize,
  rstd: usize,
  weight: usize,
  bias: usize,
  dweight: usize,
  dbias: usize,
  k: i32,
  s: i32,
  lanes: i32,
  rows: i32,
  stride: usize,
  inverse: v128,
  isRow: bool,
): void {
  const f = changetype<F>(0),
    at = (<usize>k) << 2;
  const m = parameter(mean, at, lanes, 0, isRow),
    r = parameter(rstd, at, lanes, 1, isRow),
    w = parameter(weight, at, lanes, 1, isRow);
  const slope: v128 = f.slope(r, w, f32x4.mul(parameter(dweight, at, lanes, 0, isRow), inverse));
  const gain: v128 = f.gain(r, w);
  const db = f32x4.mul(parameter(dbias, at, lanes, 0, isRow), inverse);
  const offset: v128 = f.offset(r, w, parameter(bias, at, lanes, 0, isRow), db);
  if (isRow) mapRow<F>(out, x, y, 0, 0, s, first(m), first(slope), first(gain), first(offset));
  else mapLanes<F>(out, x, y, rows, stride, lanes, m, slope, gain, offset);
}

/** Bytes of the rows that share the parameters of some channels: they stay in the first cache. */
const SHARING_BYTES: i32 = 16384;

/** Eight neighbouring channels k .. k + 7, down `rows` rows `stride` bytes apart. */
@inline
function mapEight<F>(
  out: usize,
  x: usize,
  y: usize,
  mean: usize,
  rstd: usize,
  weight: usize,
  bias: usize,
  dweight: usize,
  dbias: usize,
  k: i32,
  rows: i32,
  stride: usize,
  inverse: v128,
): void {
  const f = changetype<F>(0),
    at = (<usize>k) << 2,
    on = at + 16;
  const m0 = parameter(mean, at, 4, 0),
    m1 = parameter(mean, on, 4, 0),
    r0 = parameter(rstd, at, 4, 1),
    r1 = parameter(rstd, on, 4, 1),
    w0 = parameter(weight, at, 4, 1),
    w1 = parameter(weight, on, 4, 1);
  const slope0: v128 = f.slope(r0, w0, f32x4.mul(parameter(dweight, at, 4, 0), inverse)),
    slope1: v128 = f.slope(r1, w1, f32x4.mul(parameter(dweight, on, 4, 0), inverse));
  const gain0: v128 = f.gain(r0, w0),
    gain1: v128 = f.gain(r1, w1);
  const db0 = f32x4.mul(parameter(dbias, at, 4, 0), inverse),
    db1 = f32x4.mul(parameter(dbias, on, 4, 0), inverse);
  const offset0: v128 = f.offset(r0, w0, parameter(bias, at, 4, 0), db0),
    offset1: v128 = f.offset(r1, w1, parameter(bias, on, 4, 0), db1);
  for (; rows > 0; rows--) {
    v128.store(out, vectorOf<F>(x, y, 0, 0, false, false, 4, m0, slope0, gain0, offset0));
    v128.store(out, vectorOf<F>(x + 16, y + 16, 0, 0, false, false, 4, m1, slope1, gain1, offset1), 16);
    out += stride;
    x += stride;
    y += stride;
  }
}

/** out[n, c, s] = the channel map F of x and y, samples `stride` elements apart; a channel has N = `count` values. */
export function mapChannels<F>(
  out: usize,
  x: usize,
  y: usize,
  mean: usize,
  rstd: usize,
  weight: usize,
  bias: usize,
  dweight: usize,
  dbias: usize,
  n: i32,
  c: i32,
  s: i32,
  stride: i32,
  count: i32,
): void {
  const inverse = f32x4.splat(<f32>(1 / <f64>count));
  const skip = (<usize>s) << 2,
    sample = (<usize>stride) << 2;
  const step = s == 1 ? max(8, SHARING_BYTES / max(4, <i32>sample)) : 1;
  for (let i = 0; i < n; i += step) {
    const rows = min(step, n - i);
    let k = 0,
      at = <usize>i * sample;
    if (s == 1) {
      for (; k + 8 <= c; k += 8, at += 32) {
        mapEight<F>(out + at, x + at, y + at, mean, rstd, weight, bias, dweight, dbias, k, rows, sample, inverse);
      }
      for (let lanes = 0; k < c; k += lanes, at += (<usize>lanes) << 2) {
        lanes = min(c - k, 4);
        mapChannel<F>(
          out + at,
          x + at,
          y + at,
          mean,
          rstd,
          weight,
          bias,
          dweight,
          dbias,
          k,
          1,
          lanes,
          rows,
          sample,
          inverse,
          false,
        );
      }
    } else {
      for (; k < c; k++, at += skip)
        mapChannel<F>(
          out + at,
          x + at,
          y + at,
          mean,
          rstd,
          weight,
          bias,
          dweight,
          dbias,
          k,
          s,
          0,
          1,
          sample,
          inverse,
          true,
        );
    }
  }
}
