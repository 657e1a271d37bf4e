// Runs of a row of an image: what im2col and padded bands are made of.
import { interleaveHigh, interleaveLow } from "../gemm/vectors";
import { loadPart, storePart } from "../lanes";

/** Fills dst .. end with zeros, or with x. */
export function zeros(dst: usize, end: usize, x: f32 = 0): void {
  for (; dst + 16 <= end; dst += 16) v128.store(dst, f32x4.splat(x));
  for (; dst < end; dst += 4) store<f32>(dst, x);
}

/** Zeros at dst .. from and to .. end, and maybe between, where a copy comes next: edges are mostly narrow. */
@inline
export function padRow(dst: usize, from: usize, to: usize, end: usize): void {
  if (end - dst >= 16 && from - dst <= 16 && end - to <= 16) {
    v128.store(dst, f32x4.splat(0));
    v128.store(end - 16, f32x4.splat(0));
  } else {
    zeros(dst, from);
    zeros(to, end);
  }
}

/** Neighbours: n > 0 elements. */
@inline
function copyRun(dst: usize, src: usize, n: i32): void {
  if (n < 4) {
    storePart(dst, loadPart(src, n), n);
    return;
  }
  const last = (<usize>(n - 4)) << 2;
  for (let i: usize = 0; i < last; i += 16) v128.store(dst + i, v128.load(src + i));
  // The last four may overlap those before.
  v128.store(dst + last, v128.load(src + last));
}

/** Every second element: n > 0 of them. */
function copySecond(dst: usize, src: usize, n: i32): void {
  if (n < 4) {
    copyApart(dst, src, n, 8);
    return;
  }
  for (let i: i32 = 0; i < n; i += 4) {
    // The last four may overlap those before.
    const at = (<usize>min(i, n - 4)) << 2,
      p = src + (at << 1);
    v128.store(dst + at, v128.shuffle<i32>(v128.load(p), v128.load(p, 12), 0, 2, 5, 7));
  }
}

function copyApart(dst: usize, src: usize, n: i32, bytes: usize): void {
  for (; n > 0; n--) {
    store<f32>(dst, load<f32>(src));
    dst += 4;
    src += bytes;
  }
}

/** n > 0 elements, `bytes` apart, to neighbours. */
@inline
export function copyElements(dst: usize, src: usize, n: i32, bytes: usize): void {
  if (bytes == 4) copyRun(dst, src, n);
  else if (bytes == 8) copySecond(dst, src, n);
  else copyApart(dst, src, n, bytes);
}

/** Adds n neighbours to elements `bytes` apart. */
export function addElements(dst: usize, src: usize, n: i32, bytes: usize): void {
  if (bytes == 4)
    for (; n >= 4; n -= 4) {
      v128.store(dst, f32x4.add(v128.load(dst), v128.load(src)));
      dst += 16;
      src += 16;
    }
  // Adding -0 leaves what is between as it is; behind the last there may be nothing.
  const none = f32x4.splat(-0.0);
  if (bytes == 8)
    for (; n > 4; n -= 4) {
      const v = v128.load(src);
      v128.store(dst, f32x4.add(v128.load(dst), interleaveLow(v, none)));
      v128.store(dst, f32x4.add(v128.load(dst, 16), interleaveHigh(v, none)), 16);
      dst += 32;
      src += 16;
    }
  for (; n > 0; n--) {
    store<f32>(dst, load<f32>(dst) + load<f32>(src));
    dst += bytes;
    src += 4;
  }
}

/** `rows` rows of n > 0 elements, `step` apart, to rows of neighbours. */
export function copyRows(dst: usize, dstRow: usize, src: usize, srcRow: usize, rows: i32, n: i32, step: i32): void {
  if (step != 1 || n < 4) {
    for (; rows > 0; rows--) {
      copyElements(dst, src, n, (<usize>step) << 2);
      dst += dstRow;
      src += srcRow;
    }
    return;
  }
  const last = (<usize>(n - 4)) << 2;
  for (; rows > 0; rows--) {
    for (let i: usize = 0; i < last; i += 16) v128.store(dst + i, v128.load(src + i));
    v128.store(dst + last, v128.load(src + last));
    dst += dstRow;
    src += srcRow;
  }
}

@inline
function splitEight(even: usize, odd: usize, src: usize): void {
  const x = v128.load(src),
    y = v128.load(src, 16);
  v128.store(even, v128.shuffle<i32>(x, y, 0, 2, 4, 6));
  v128.store(odd, v128.shuffle<i32>(x, y, 1, 3, 5, 7));
}

/** Every second element of a row to `even`, and those behind them to `odd`: as many as said, which differ by few. */
@inline
export function splitElements(even: usize, evens: i32, odd: usize, odds: i32, src: usize): void {
  const both = min(evens, odds);
  let done: i32 = 0;
  if (both >= 4) {
    done = both;
    const last = (<usize>(both - 4)) << 2;
    for (let i: usize = 0; i < last; i += 16) splitEight(even + i, odd + i, src + (i << 1));
    // The last four may overlap those before.
    splitEight(even + last, odd + last, src + (last << 1));
  }
  const at = (<usize>done) << 2;
  if (evens > done) copyApart(even + at, src + (at << 1), evens - done, 8);
  if (odds > done) copyApart(odd + at, src + (at << 1) + 4, odds - done, 8);
}

/** n neighbours to places `step` elements apart; between them, and up to the next place behind the last, come zeros. */
export function spreadElements(dst: usize, src: usize, n: i32, step: i32): void {
  if (step == 2) {
    const zero = f32x4.splat(0);
    for (; n >= 4; n -= 4) {
      const v = v128.load(src);
      v128.store(dst, v128.shuffle<i32>(v, zero, 0, 4, 1, 5));
      v128.store(dst, v128.shuffle<i32>(v, zero, 2, 6, 3, 7), 16);
      src += 16;
      dst += 32;
    }
  }
  const bytes = (<usize>step) << 2;
  for (; n > 0; n--) {
    store<f32>(dst, load<f32>(src));
    zeros(dst + 4, dst + bytes);
    src += 4;
    dst += bytes;
  }
}
