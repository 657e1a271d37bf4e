// The transforms of Winograd's F(4x4, 3x3) and F(2x2, 5x5): a tile of 4x4 outputs of a 3x3 kernel, or of 2x2 of a 5x5
// one, is made of 6x6 inputs, and in the transformed space of 36 places by one product a place instead of 144 or 100.
// Each is a transform of lines, then of columns; the four lanes of a vector are four tiles, or four channels.
//
// Y = A'[(G g G') * (B' d B)]A with the points 0, 1, -1, 2, -2 and infinity.
// Source: Lavin, Gray, "Fast Algorithms for Convolutional Neural Networks", 2015.

import { gather, interleaveHigh, interleaveLow, joinHigh, joinLow } from "../../gemm/vectors";
import { loadLanes, madd, nmadd } from "../../lanes";

/** What a tile reads along an axis, and the places of a transformed tile. */
@inline
export const SPAN: i32 = 6;
@inline
export const PLACES: usize = 36;
/** Bytes between the two steps of a transform: one vector a place, but for that of a weight. */
@inline
export const STAGE_BYTES: usize = PLACES << 4;

/** B' d, six vectors `step` bytes apart. */
@inline
export function inputLine(to: usize, step: usize, d0: v128, d1: v128, d2: v128, d3: v128, d4: v128, d5: v128): void {
  const two = f32x4.splat(2),
    four = f32x4.splat(4),
    five = f32x4.splat(5);
  v128.store(to, f32x4.add(nmadd(five, d2, f32x4.mul(four, d0)), d4));
  let even = nmadd(four, d2, d4),
    odd = nmadd(four, d1, d3);
  v128.store(to + step, f32x4.add(even, odd));
  v128.store(to + 2 * step, f32x4.sub(even, odd));
  even = f32x4.sub(d4, d2);
  odd = f32x4.mul(two, f32x4.sub(d3, d1));
  v128.store(to + 3 * step, f32x4.add(even, odd));
  v128.store(to + 4 * step, f32x4.sub(even, odd));
  v128.store(to + 5 * step, f32x4.add(nmadd(five, d3, f32x4.mul(four, d1)), d5));
}

/** G g of 3 or 5 taps, which are `fromStep` bytes apart: six vectors `step` bytes apart. */
@inline
export function weightLine(to: usize, step: usize, from: usize, fromStep: usize, five: bool): void {
  const g0 = v128.load(from),
    g1 = v128.load(from + fromStep);
  let last = v128.load(from + 2 * fromStep);
  let evens = last,
    odds = g1,
    evens2 = last,
    odds2 = g1;
  if (five) {
    const g3 = v128.load(from + 3 * fromStep),
      four = f32x4.splat(4);
    last = v128.load(from + 4 * fromStep);
    odds = f32x4.add(g1, g3);
    odds2 = madd(four, g3, g1);
    evens = f32x4.add(evens, last);
    evens2 = madd(four, last, evens2);
  }
  v128.store(to, f32x4.mul(f32x4.splat(0.25), g0));
  const sixth = f32x4.splat(-1 / 6.0);
  let even = f32x4.mul(sixth, f32x4.add(g0, evens)),
    odd = f32x4.mul(sixth, odds);
  v128.store(to + step, f32x4.add(even, odd));
  v128.store(to + 2 * step, f32x4.sub(even, odd));
  even = madd(f32x4.splat(1 / 6.0), evens2, f32x4.mul(f32x4.splat(1 / 24.0), g0));
  odd = f32x4.mul(f32x4.splat(1 / 12.0), odds2);
  v128.store(to + 3 * step, f32x4.add(even, odd));
  v128.store(to + 4 * step, f32x4.sub(even, odd));
  v128.store(to + 5 * step, last);
}

/** Row i of 4 tiles to lanes: elements 0 .. 5 of each. */
@inline
function inputRow(stage: usize, p0: usize, p1: usize, p2: usize, p3: usize): void {
  const x0 = v128.load(p0),
    x1 = v128.load(p1),
    x2 = v128.load(p2),
    x3 = v128.load(p3);
  const low01 = interleaveLow(x0, x1),
    high01 = interleaveHigh(x0, x1);
  const low23 = interleaveLow(x2, x3),
    high23 = interleaveHigh(x2, x3);
  const end01 = v128.load64_lane(p1 + 16, v128.load64_zero(p0 + 16), 1);
  const end23 = v128.load64_lane(p3 + 16, v128.load64_zero(p2 + 16), 1);
  inputLine(
    stage,
    16,
    joinLow(low01, low23),
    joinHigh(low01, low23),
    joinLow(high01, high23),
    joinHigh(high01, high23),
    v128.shuffle<f32>(end01, end23, 0, 2, 4, 6),
    v128.shuffle<f32>(end01, end23, 1, 3, 5, 7),
  );
}

/** B' d B of the four tiles at p0 .. p3, whose rows are `rowBytes` apart; the places go `placeBytes` apart. */
export function transformInput(
  to: usize,
  placeBytes: usize,
  p0: usize,
  p1: usize,
  p2: usize,
  p3: usize,
  rowBytes: usize,
  stage: usize,
): void {
  for (let at = stage; at < stage + STAGE_BYTES; at += 6 << 4) {
    inputRow(at, p0, p1, p2, p3);
    p0 += rowBytes;
    p1 += rowBytes;
    p2 += rowBytes;
    p3 += rowBytes;
  }
  for (let i: i32 = 0; i < SPAN; i++) {
    inputLine(
      to,
      6 * placeBytes,
      v128.load(stage),
      v128.load(stage, 96),
      v128.load(stage, 192),
      v128.load(stage, 288),
      v128.load(stage, 384),
      v128.load(stage, 480),
    );
    stage += 16;
    to += placeBytes;
  }
}

/**
 * G g G' of the four kernels of `size` by `size` taps, 3 or 5, at p0 .. p3, or of the kernels turned around; the places
 * go `placeBytes` apart.
 */
export function transformWeight(
  to: usize,
  placeBytes: usize,
  p0: usize,
  p1: usize,
  p2: usize,
  p3: usize,
  size: i32,
  turned: bool,
  stage: usize,
): void {
  const five = size == 5,
    line = (<usize>size) << 4;
  // Taps to lanes, behind the stage of the first step.
  const taps = stage + 6 * line,
    end = (<usize>(size * size - 1)) << 2;
  let at = turned ? taps + (end << 2) : taps;
  const step: usize = turned ? ~15 : 16;
  for (let t: usize = 0; t < end; t += 16) {
    const x0 = v128.load(p0 + t),
      x1 = v128.load(p1 + t),
      x2 = v128.load(p2 + t),
      x3 = v128.load(p3 + t);
    const low01 = interleaveLow(x0, x1),
      high01 = interleaveHigh(x0, x1);
    const low23 = interleaveLow(x2, x3),
      high23 = interleaveHigh(x2, x3);
    v128.store(at, joinLow(low01, low23));
    v128.store(at + step, joinHigh(low01, low23));
    v128.store(at + 2 * step, joinLow(high01, high23));
    v128.store(at + 3 * step, joinHigh(high01, high23));
    at += 4 * step;
  }
  v128.store(at, gather(p0 + end, p1 + end, p2 + end, p3 + end));

  for (let j: usize = 0; j < line; j += 16) weightLine(stage + j, line, taps + j, line, five);
  for (let i: i32 = 0; i < SPAN; i++) {
    weightLine(to, placeBytes, stage, 16, five);
    stage += line;
    to += 6 * placeBytes;
  }
}

/** A' M, of six vectors `step` bytes apart, to four or two vectors `toStep` bytes apart. */
@inline
function outputLine(to: usize, toStep: usize, from: usize, step: usize, two: bool): void {
  const m1 = v128.load(from + step),
    m2 = v128.load(from + 2 * step);
  const sum = f32x4.add(m1, m2),
    difference = f32x4.sub(m1, m2);
  const m3 = v128.load(from + 3 * step),
    m4 = v128.load(from + 4 * step);
  const sum2 = f32x4.add(m3, m4),
    difference2 = f32x4.sub(m3, m4);
  v128.store(to, f32x4.add(f32x4.add(v128.load(from), sum), sum2));
  const second = madd(f32x4.splat(2), difference2, difference),
    last = v128.load(from + 5 * step);
  v128.store(to + toStep, two ? f32x4.add(second, last) : second);
  if (two) return;
  v128.store(to + 2 * toStep, madd(f32x4.splat(4), sum2, sum));
  v128.store(to + 3 * toStep, f32x4.add(madd(f32x4.splat(8), difference2, difference), last));
}

/**
 * A' M A of four tiles of `size` by `size` outputs, 4 or 2, whose places are `placeBytes` apart, to `out`: rows of tile
 * after tile, 16 bytes apart, and tiles 64.
 */
export function transformOutput(out: usize, from: usize, placeBytes: usize, size: i32, stage: usize): void {
  const two = size == 2;
  for (let j: usize = 0; j < 96; j += 16) {
    outputLine(stage + j, 96, from, 6 * placeBytes, two);
    from += placeBytes;
  }
  const line = stage + 384;
  for (const end = out + ((<usize>size) << 4); out < end; out += 16) {
    // The columns of a row, and from them the row of each tile.
    outputLine(line, 16, stage, 16, two);
    stage += 96;
    const x0 = v128.load(line),
      x1 = v128.load(line, 16),
      x2 = v128.load(line, 32),
      x3 = v128.load(line, 48);
    const low01 = interleaveLow(x0, x1),
      high01 = interleaveHigh(x0, x1);
    const low23 = interleaveLow(x2, x3),
      high23 = interleaveHigh(x2, x3);
    v128.store(out, joinLow(low01, low23));
    v128.store(out, joinHigh(low01, low23), 64);
    v128.store(out, joinLow(high01, high23), 128);
    v128.store(out, joinHigh(high01, high23), 192);
  }
}

/** A g of four lines (vectors of lanes), or of two and zeros, to six vectors `step` bytes apart. last: g3, or g1. */
@inline
function gradientLine(to: usize, step: usize, g0: v128, g1: v128, g2: v128, g3: v128, last: v128): void {
  const two = f32x4.splat(2),
    four = f32x4.splat(4);
  v128.store(to, g0);
  let even = f32x4.add(g0, g2),
    odd = f32x4.add(g1, g3);
  v128.store(to + step, f32x4.add(even, odd));
  v128.store(to + 2 * step, f32x4.sub(even, odd));
  even = madd(four, g2, g0);
  odd = f32x4.mul(two, madd(four, g3, g1));
  v128.store(to + 3 * step, f32x4.add(even, odd));
  v128.store(to + 4 * step, f32x4.sub(even, odd));
  v128.store(to + 5 * step, last);
}

/**
 * A g A' of one tile of `size` by `size` outputs, 4 or 2, of four channels, `rows` by `columns` of which exist, the
 * rest being zeros; the rows at p0 .. p3 are `rowBytes` apart, the places go `placeBytes` apart.
 */
export function transformGradient(
  to: usize,
  placeBytes: usize,
  p0: usize,
  p1: usize,
  p2: usize,
  p3: usize,
  rowBytes: usize,
  size: i32,
  rows: i32,
  columns: i32,
  stage: usize,
): void {
  const two = size == 2;
  for (let i: i32 = 0; i < size; i++) {
    let x0 = f32x4.splat(0),
      x1 = x0,
      x2 = x0,
      x3 = x0;
    if (i < rows) {
      x0 = loadLanes(p0, columns);
      x1 = loadLanes(p1, columns);
      x2 = loadLanes(p2, columns);
      x3 = loadLanes(p3, columns);
    }
    const low01 = interleaveLow(x0, x1),
      high01 = interleaveHigh(x0, x1);
    const low23 = interleaveLow(x2, x3),
      high23 = interleaveHigh(x2, x3);
    const g1 = joinHigh(low01, low23),
      g3 = joinHigh(high01, high23);
    gradientLine(stage + <usize>i * 96, 16, joinLow(low01, low23), g1, joinLow(high01, high23), g3, two ? g1 : g3);
    p0 += rowBytes;
    p1 += rowBytes;
    p2 += rowBytes;
    p3 += rowBytes;
  }
  for (let j: usize = 0; j < 96; j += 16) {
    const at = stage + j,
      g1 = v128.load(at, 96);
    let g2 = f32x4.splat(0),
      g3 = g2,
      last = g1;
    if (!two) {
      g2 = v128.load(at, 192);
      last = g3 = v128.load(at, 288);
    }
    gradientLine(to, 6 * placeBytes, v128.load(at), g1, g2, g3, last);
    to += placeBytes;
  }
}

/** G' M of six vectors `step` bytes apart, to three or five vectors `toStep` bytes apart. */
@inline
function kernelLine(to: usize, toStep: usize, from: usize, step: usize, five: bool): void {
  const sixth = f32x4.splat(1 / 6.0);
  const m1 = v128.load(from + step),
    m2 = v128.load(from + 2 * step);
  const m3 = v128.load(from + 3 * step),
    m4 = v128.load(from + 4 * step);
  const sum = f32x4.mul(sixth, f32x4.add(m1, m2)),
    sum2 = f32x4.add(m3, m4);
  const first = madd(f32x4.splat(1 / 24.0), sum2, f32x4.mul(f32x4.splat(0.25), v128.load(from)));
  v128.store(to, f32x4.sub(first, sum));
  const difference = f32x4.mul(sixth, f32x4.sub(m1, m2)),
    difference2 = f32x4.sub(m3, m4);
  v128.store(to + toStep, f32x4.sub(f32x4.mul(f32x4.splat(1 / 12.0), difference2), difference));
  let third = f32x4.sub(f32x4.mul(sixth, sum2), sum);
  const last = v128.load(from + 5 * step);
  if (five) {
    v128.store(to + 3 * toStep, f32x4.sub(f32x4.mul(f32x4.splat(1 / 3.0), difference2), difference));
    v128.store(to + 4 * toStep, f32x4.add(f32x4.sub(f32x4.mul(f32x4.splat(2 / 3.0), sum2), sum), last));
  } else third = f32x4.add(third, last);
  v128.store(to + 2 * toStep, third);
}

/**
 * G' M G of four channels whose places are `placeBytes` apart, to kernels of `size` by `size` taps, 3 or 5: vectors,
 * tap after tap, at `taps`.
 */
export function transformKernel(taps: usize, from: usize, placeBytes: usize, size: i32, stage: usize): void {
  const five = size == 5,
    line = (<usize>size) << 4;
  for (let j: usize = 0; j < 96; j += 16) {
    kernelLine(stage + j, 96, from, 6 * placeBytes, five);
    from += placeBytes;
  }
  for (const end = taps + line * <usize>size; taps < end; taps += line) {
    kernelLine(taps, 16, stage, 16, five);
    stage += 96;
  }
}
