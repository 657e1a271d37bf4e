// GEMV in axpy form: a step of the matrix, times a number, is added to all sums. See gemv.ts for the names.
import { madd } from "../../lanes";
import { Four, One } from "../vectors";

/** One row of sums: (first ? 0 : sums) + x0 m0 + x1 m1 + x2 m2 + x3 m3, in this order. */
// biome-ignore format: the vectors in a line.
@inline
function addFour<W>(
  sums: usize, first: bool, m0: v128, m1: v128, m2: v128, m3: v128, x0: v128, x1: v128, x2: v128, x3: v128,
): void {
  const w = changetype<W>(0);
  const s = first ? f32x4.splat(0) : w.load(sums);
  w.store(sums, madd(x3, m3, madd(x2, m2, madd(x1, m1, madd(x0, m0, s)))));
}

/** Whether sums start at 0 or go on. */
@final
@unmanaged
class Start {
  @inline first(): bool {
    return true;
  }
}
@final
@unmanaged
class GoOn {
  @inline first(): bool {
    return false;
  }
}

/** Four steps of `lines` neighbouring lines, for a vector. */
function addToOne<F>(
  sums: usize,
  x: usize,
  xStep: usize,
  m: usize,
  stepBytes: usize,
  vectorEnd: usize,
  end: usize,
): void {
  const first = changetype<F>(0).first();
  const four = changetype<Four>(0),
    one = changetype<One>(0);
  const x2 = x + (xStep << 1);
  const v0 = v128.load32_splat(x),
    v1 = v128.load32_splat(x + xStep);
  const v2 = v128.load32_splat(x2),
    v3 = v128.load32_splat(x2 + xStep);
  let i: usize = 0;
  for (; i < vectorEnd; i += 16) {
    const p = m + i,
      p2 = p + (stepBytes << 1);
    addFour<Four>(
      sums + i,
      first,
      four.load(p),
      four.load(p + stepBytes),
      four.load(p2),
      four.load(p2 + stepBytes),
      v0,
      v1,
      v2,
      v3,
    );
  }
  for (; i < end; i += 4) {
    const p = m + i,
      p2 = p + (stepBytes << 1);
    addFour<One>(
      sums + i,
      first,
      one.load(p),
      one.load(p + stepBytes),
      one.load(p2),
      one.load(p2 + stepBytes),
      v0,
      v1,
      v2,
      v3,
    );
  }
}

/** Likewise for two vectors, so that each element of M is loaded once for both. */
function addToTwo<F>(
  sums: usize,
  sumsNext: usize,
  x: usize,
  xNext: usize,
  xStep: usize,
  m: usize,
  stepBytes: usize,
  vectorEnd: usize,
  end: usize,
): void {
  const first = changetype<F>(0).first();
  const four = changetype<Four>(0),
    one = changetype<One>(0);
  const y = x + xNext,
    x2 = x + (xStep << 1),
    y2 = y + (xStep << 1);
  const v0 = v128.load32_splat(x),
    v1 = v128.load32_splat(x + xStep);
  const v2 = v128.load32_splat(x2),
    v3 = v128.load32_splat(x2 + xStep);
  const u0 = v128.load32_splat(y),
    u1 = v128.load32_splat(y + xStep);
  const u2 = v128.load32_splat(y2),
    u3 = v128.load32_splat(y2 + xStep);
  const sums2 = sums + sumsNext;
  let i: usize = 0;
  for (; i < vectorEnd; i += 16) {
    const p = m + i,
      p2 = p + (stepBytes << 1);
    const m0 = four.load(p),
      m1 = four.load(p + stepBytes),
      m2 = four.load(p2),
      m3 = four.load(p2 + stepBytes);
    addFour<Four>(sums + i, first, m0, m1, m2, m3, v0, v1, v2, v3);
    addFour<Four>(sums2 + i, first, m0, m1, m2, m3, u0, u1, u2, u3);
  }
  for (; i < end; i += 4) {
    const p = m + i,
      p2 = p + (stepBytes << 1);
    const m0 = one.load(p),
      m1 = one.load(p + stepBytes),
      m2 = one.load(p2),
      m3 = one.load(p2 + stepBytes);
    addFour<One>(sums + i, first, m0, m1, m2, m3, v0, v1, v2, v3);
    addFour<One>(sums2 + i, first, m0, m1, m2, m3, u0, u1, u2, u3);
  }
}

/** One step, for a vector. */
function addStep<F>(sums: usize, x: usize, m: usize, vectorEnd: usize, end: usize): void {
  const first = changetype<F>(0).first();
  const four = changetype<Four>(0),
    one = changetype<One>(0);
  const none = f32x4.splat(0);
  const v = v128.load32_splat(x);
  let i: usize = 0;
  for (; i < vectorEnd; i += 16) four.store(sums + i, madd(v, four.load(m + i), first ? none : four.load(sums + i)));
  for (; i < end; i += 4) one.store(sums + i, madd(v, one.load(m + i), first ? none : one.load(sums + i)));
}

/** sums[few, lines] = X M for neighbouring lines: four steps of M in the first cache, and all vectors past them. */
export function axpySums(
  sums: usize,
  sumsNext: usize,
  x: usize,
  xNext: usize,
  xStep: usize,
  few: i32,
  m: usize,
  stepBytes: usize,
  lines: i32,
  k: i32,
): void {
  const vectorEnd = (<usize>(lines & ~3)) << 2;
  const end = (<usize>lines) << 2;
  let p: i32 = 0;
  for (; p + 4 <= k; p += 4) {
    let to = sums;
    let v = x;
    let r = few;
    for (; r >= 2; r -= 2) {
      if (p == 0) addToTwo<Start>(to, sumsNext, v, xNext, xStep, m, stepBytes, vectorEnd, end);
      else addToTwo<GoOn>(to, sumsNext, v, xNext, xStep, m, stepBytes, vectorEnd, end);
      to += sumsNext << 1;
      v += xNext << 1;
    }
    if (r > 0) {
      if (p == 0) addToOne<Start>(to, v, xStep, m, stepBytes, vectorEnd, end);
      else addToOne<GoOn>(to, v, xStep, m, stepBytes, vectorEnd, end);
    }
    x += xStep << 2;
    m += stepBytes << 2;
  }
  for (; p < k; p++) {
    for (let r: i32 = 0; r < few; r++) {
      const to = sums + <usize>r * sumsNext;
      const v = x + <usize>r * xNext;
      if (p == 0) addStep<Start>(to, v, m, vectorEnd, end);
      else addStep<GoOn>(to, v, m, vectorEnd, end);
    }
    x += xStep;
    m += stepBytes;
  }
  if (k == 0) for (let r: i32 = 0; r < few; r++) memory.fill(sums + <usize>r * sumsNext, 0, end);
}
