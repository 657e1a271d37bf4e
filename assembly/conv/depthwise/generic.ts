// Outputs of depthwise kernels of any size, eight vectors at a time: two rows by four places, which are neighbours
// where rows are long, and otherwise more of the same rows.
//
// The loops are bound by loads. Where the second row reads what the first one reads one row of taps later, they share
// loads. Exits from a step that are never taken keep engines from loading everything first and spilling it: see
// gemm/tiles8.ts.
import { ACT_RELU } from "../../gemm/epilogue";
import { madd } from "../../lanes";
import { Band } from "./band";

/** The eight sums of a block, and where they go. */
@final
@unmanaged
class Block {
  /** Bytes from the first place to the others: of what they read and of what they write. */
  from1: usize;
  from2: usize;
  from3: usize;
  to1: usize;
  to2: usize;
  to3: usize;
}

/** The value at p in all lanes, or what adds nothing. */
@inline
export function biasOf(p: usize): v128 {
  return p != 0 ? v128.load32_splat(p) : f32x4.splat(-0.0);
}

/** What an activation lets through at least. */
@inline
export function floorOf(act: i32): v128 {
  return f32x4.splat(act == ACT_RELU ? 0 : -Infinity);
}

@inline
function put(to: usize, s: v128, bias: v128, floor: v128): void {
  v128.store(to, f32x4.pmax(f32x4.add(s, bias), floor));
}

/**
 * One block from `p` in the band; of the rows of the first two places and of the others, `rows` and `rows2` exist. The
 * sums of rows that do not exist are made of other workspace.
 */
function eight(band: Band, block: Block, p: usize, to: usize, rows: i32, rows2: i32, bias: v128, floor: v128): void {
  const w = band.width();
  const next = <usize>band.height().scale * band.rowBytes;
  const c1 = block.from1,
    c2 = block.from2,
    c3 = block.from3;
  let a0 = f32x4.splat(0),
    a1 = a0,
    a2 = a0,
    a3 = a0,
    b0 = a0,
    b1 = a0,
    b2 = a0,
    b3 = a0;
  let t = band.offset(0);
  const end = band.offset(band.taps());
  const never = load<usize>(t);
  let x: v128;
  if (band.height().scale == band.height().step) {
    const line = (<usize>w.taps) << 2;
    for (const behind = t + line; t < behind; t += 4) {
      const wa = v128.load32_splat(t, Band.WEIGHTS);
      const q = p + load<usize>(t);
      a0 = madd(wa, v128.load(q), a0);
      a1 = madd(wa, v128.load(q + c1), a1);
      a2 = madd(wa, v128.load(q + c2), a2);
      a3 = madd(wa, v128.load(q + c3), a3);
    }
    for (; t < end; t += 4) {
      const wa = v128.load32_splat(t, Band.WEIGHTS),
        wb = v128.load32_splat(t - line, Band.WEIGHTS);
      const q = p + load<usize>(t);
      x = v128.load(q);
      a0 = madd(wa, x, a0);
      b0 = madd(wb, x, b0);
      x = v128.load(q + c1);
      a1 = madd(wa, x, a1);
      b1 = madd(wb, x, b1);
      if (q == never) break;
      x = v128.load(q + c2);
      a2 = madd(wa, x, a2);
      b2 = madd(wb, x, b2);
      x = v128.load(q + c3);
      a3 = madd(wa, x, a3);
      b3 = madd(wb, x, b3);
    }
    p += next;
    for (t = end - line; t < end; t += 4) {
      const wb = v128.load32_splat(t, Band.WEIGHTS);
      const q = p + load<usize>(t);
      b0 = madd(wb, v128.load(q), b0);
      b1 = madd(wb, v128.load(q + c1), b1);
      b2 = madd(wb, v128.load(q + c2), b2);
      b3 = madd(wb, v128.load(q + c3), b3);
    }
  } else {
    for (; t < end; t += 4) {
      const wa = v128.load32_splat(t, Band.WEIGHTS);
      let q = p + load<usize>(t);
      a0 = madd(wa, v128.load(q), a0);
      a1 = madd(wa, v128.load(q + c1), a1);
      a2 = madd(wa, v128.load(q + c2), a2);
      a3 = madd(wa, v128.load(q + c3), a3);
      if (q == never) break;
      q += next;
      b0 = madd(wa, v128.load(q), b0);
      b1 = madd(wa, v128.load(q + c1), b1);
      b2 = madd(wa, v128.load(q + c2), b2);
      b3 = madd(wa, v128.load(q + c3), b3);
    }
  }
  const down = (<usize>w.outputs) << 2;
  put(to, a0, bias, floor);
  put(to + block.to1, a1, bias, floor);
  if (rows > 1) {
    put(to + down, b0, bias, floor);
    put(to + down + block.to1, b1, bias, floor);
  }
  if (rows2 < 1) return;
  put(to + block.to2, a2, bias, floor);
  put(to + block.to3, a3, bias, floor);
  if (rows2 < 2) return;
  put(to + down + block.to2, b2, bias, floor);
  put(to + down + block.to3, b3, bias, floor);
}

/** `rows` rows of 4 or more outputs; bias: where one value is, or 0. */
export function outputsGeneric(band: Band, y: usize, rows: i32, biasAt: usize, act: i32): void {
  const bias = biasOf(biasAt),
    floor = floorOf(act);
  const n = band.width().outputs;
  const next = <usize>band.height().scale * band.rowBytes,
    outBytes = (<usize>n) << 2;
  const block = changetype<Block>(band.scratch());
  // Vectors at the end of a row may overlap those before, and come out the same again.
  const last = (<usize>(n - 4)) << 2;
  const isNarrow = n <= 8;
  block.from1 = block.to1 = isNarrow ? last : 16;
  block.from2 = isNarrow ? next << 1 : min<usize>(32, last);
  block.to2 = isNarrow ? outBytes << 1 : block.from2;
  block.from3 = isNarrow ? block.from2 + last : min<usize>(48, last);
  block.to3 = isNarrow ? block.to2 + last : block.from3;
  const step = isNarrow ? 4 : 2;
  let p = band.base();
  for (; rows > 0; rows -= step) {
    for (let i: i32 = 0; i < n; i += 16) {
      if (n >= 16) i = min(i, n - 16);
      const at = (<usize>i) << 2;
      eight(band, block, p + at, y + at, rows, isNarrow ? rows - 2 : rows, bias, floor);
    }
    p += next * <usize>step;
    y += outBytes * <usize>step;
  }
}
