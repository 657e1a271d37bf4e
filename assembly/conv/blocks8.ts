// Outputs of depthwise kernels of any size, eight vectors at a time: two rows by four places, which are neighbours where
// rows are long, and otherwise more of the same rows.
//
// The loops are bound by loads. Where the second row reads what the first does one row of taps later, it shares them.
// Ways out of a step that are never taken keep engines from loading everything first and spilling it: see tiles.ts.
import { madd } from "../lanes";
import { Plane } from "./plane";

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

@inline
function put(to: usize, s: v128, bias: v128, floor: v128): void {
  v128.store(to, f32x4.pmax(f32x4.add(s, bias), floor));
}

/**
 * One block from `p` in the band; of the rows of the first two places and of the others, `rows` and `rows2` exist. The
 * sums of rows that do not exist are made of other workspace.
 */
function eight(plane: Plane, block: Block, p: usize, to: usize, rows: i32, rows2: i32, bias: v128, floor: v128): void {
  const w = plane.width();
  const next = <usize>plane.height().scale * plane.rowBytes;
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
  let t = plane.offset(0);
  const end = plane.offset(plane.taps());
  const never = load<usize>(t);
  let x: v128;
  if (plane.height().scale == plane.height().step) {
    const line = (<usize>w.taps) << 2;
    for (const behind = t + line; t < behind; t += 4) {
      const wa = v128.load32_splat(t, Plane.WEIGHTS);
      const q = p + load<usize>(t);
      a0 = madd(wa, v128.load(q), a0);
      a1 = madd(wa, v128.load(q + c1), a1);
      a2 = madd(wa, v128.load(q + c2), a2);
      a3 = madd(wa, v128.load(q + c3), a3);
    }
    for (; t < end; t += 4) {
      const wa = v128.load32_splat(t, Plane.WEIGHTS),
        wb = v128.load32_splat(t - line, Plane.WEIGHTS);
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
      const wb = v128.load32_splat(t, Plane.WEIGHTS);
      const q = p + load<usize>(t);
      b0 = madd(wb, v128.load(q), b0);
      b1 = madd(wb, v128.load(q + c1), b1);
      b2 = madd(wb, v128.load(q + c2), b2);
      b3 = madd(wb, v128.load(q + c3), b3);
    }
  } else {
    for (; t < end; t += 4) {
      const wa = v128.load32_splat(t, Plane.WEIGHTS);
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

/** `rows` rows of 4 or more outputs; `floor` is what the activation lets through at least. */
export function rowsAny(plane: Plane, y: usize, rows: i32, bias: v128, floor: v128): void {
  const n = plane.width().outputs;
  const next = <usize>plane.height().scale * plane.rowBytes,
    outBytes = (<usize>n) << 2;
  const block = changetype<Block>(plane.scratch());
  // Vectors at the end of a row may overlap those before, and come out the same again.
  const last = (<usize>(n - 4)) << 2;
  const isNarrow = n <= 8;
  block.from1 = block.to1 = isNarrow ? last : 16;
  block.from2 = isNarrow ? next << 1 : min<usize>(32, last);
  block.to2 = isNarrow ? outBytes << 1 : block.from2;
  block.from3 = isNarrow ? block.from2 + last : min<usize>(48, last);
  block.to3 = isNarrow ? block.to2 + last : block.from3;
  const step = isNarrow ? 4 : 2;
  let p = plane.band();
  for (; rows > 0; rows -= step) {
    for (let i: i32 = 0; i < n; i += 16) {
      if (n >= 16) i = min(i, n - 16);
      const at = (<usize>i) << 2;
      eight(plane, block, p + at, y + at, rows, isNarrow ? rows - 2 : rows, bias, floor);
    }
    p += next * <usize>step;
    y += outBytes * <usize>step;
  }
}
