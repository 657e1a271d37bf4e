// Outputs of a direct convolution, in tiles of four lines by one or two vectors, for which engines have registers.
// Lines are output channels, which read the same elements; or, where few of these are read or written, rows, which
// share what they read with the next rows of taps.
import { madd, storeLanes, storePart } from "../../lanes";
import { biasOf, floorOf } from "../depthwise/generic";
import { ConvAlgorithm } from "../select";
import { Direct } from "./plan";

@final
@unmanaged
class One {
  @inline vectors(): i32 {
    return 1;
  }
}
@final
@unmanaged
class Two {
  @inline vectors(): i32 {
    return 2;
  }
}

/** Stores one vector or two, or the first `lanes` of the last. */
@inline
function put<V>(y: usize, s0: v128, s1: v128, floor: v128, lanes: i32): void {
  s0 = f32x4.pmax(s0, floor);
  if (changetype<V>(0).vectors() == 1) {
    storeLanes(y, s0, lanes);
    return;
  }
  // One behind the other, which V8's revectorizer joins.
  s1 = f32x4.pmax(s1, floor);
  v128.store(y, s0);
  if (lanes == 4) v128.store(y, s1, 16);
  else storePart(y + 16, s1, lanes);
}

/**
 * `lines` channels, 1 to 4, of n outputs of a row at y, in tiles of one vector or of two, of which the last may overlap
 * the one before: outputs come out the same again. Fewer than four go by one vector. w: the first channel's weights;
 * bias: its own, or 0.
 */
// biome-ignore lint/complexity/noExcessiveCognitiveComplexity: eight sums stay in registers
function tilesOfChannels<V>(d: Direct, y: usize, x: usize, w: usize, lines: i32, n: i32, bias: usize): void {
  const two = changetype<V>(0).vectors() == 2;
  const band = d.band();
  const offsets = band.offset(0),
    most = d.listed,
    channelBytes = band.taps() << 2,
    step = band.plane * <usize>most;
  // Channels that are not there are the last one once more.
  const l1: usize = lines > 1 ? 1 : 0,
    l2: usize = lines > 2 ? 2 : l1,
    l3: usize = lines > 3 ? 3 : l2;
  const w1 = l1 * d.weightResult,
    w2 = l2 * d.weightResult,
    w3 = l3 * d.weightResult;
  const y1 = l1 * d.resultBytes,
    y2 = l2 * d.resultBytes,
    y3 = l3 * d.resultBytes,
    floor = floorOf(d.act);
  const bias0 = biasOf(bias);
  let bias1 = bias0,
    bias2 = bias0,
    bias3 = bias0;
  if (bias != 0) {
    bias1 = biasOf(bias + (l1 << 2));
    bias2 = biasOf(bias + (l2 << 2));
    bias3 = biasOf(bias + (l3 << 2));
  }
  const lanes = min(two ? n - 4 : n, 4),
    last = (<usize>max(n - (two ? 8 : 4), 0)) << 2;
  for (let i: usize = 0; ; i = min<usize>(i + (two ? 32 : 16), last)) {
    let a0 = bias0,
      a1 = bias0,
      b0 = bias1,
      b1 = bias1,
      c0 = bias2,
      c1 = bias2,
      d0 = bias3,
      d1 = bias3;
    let from = x + i,
      weight = w;
    for (let c = d.channels; c > 0; c -= most, from += step) {
      const end = offsets + channelBytes * <usize>min(c, most);
      for (let at = offsets; at < end; at += 4, weight += 4) {
        const p = from + load<usize>(at);
        const x0 = v128.load(p),
          x1 = two ? v128.load(p, 16) : x0;
        let k = v128.load32_splat(weight);
        a0 = madd(x0, k, a0);
        if (two) a1 = madd(x1, k, a1);
        k = v128.load32_splat(weight + w1);
        b0 = madd(x0, k, b0);
        if (two) b1 = madd(x1, k, b1);
        k = v128.load32_splat(weight + w2);
        c0 = madd(x0, k, c0);
        if (two) c1 = madd(x1, k, c1);
        if (lines > 3) {
          k = v128.load32_splat(weight + w3);
          d0 = madd(x0, k, d0);
          if (two) d1 = madd(x1, k, d1);
        }
      }
    }
    const to = y + i;
    if (lines > 3) put<V>(to + y3, d0, d1, floor, lanes);
    put<V>(to + y2, c0, c1, floor, lanes);
    put<V>(to + y1, b0, b1, floor, lanes);
    put<V>(to, a0, a1, floor, lanes);
    if (i == last) break;
  }
}

/**
 * `lines` rows, 1 to 4, of n outputs of a channel at y, eight or more, in tiles likewise. Where neighbours among them
 * read neighbouring rows, three rows of taps go at a time: so six rows are loaded for twelve products.
 */
// biome-ignore lint/complexity/noExcessiveCognitiveComplexity: eight sums stay in registers
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: likewise
function tilesOfRows(d: Direct, y: usize, x: usize, w: usize, lines: i32, n: i32, bias: usize): void {
  const band = d.band();
  const h = band.height();
  const columns = (<usize>band.width().taps) << 2,
    line = (<usize>n) << 2,
    step = <usize>h.scale * band.rowBytes,
    next = band.rowBytes;
  const offsets = band.offset(0),
    tableEnd = band.offset(band.taps()),
    threesEnd = h.scale == 1 && h.step == 1 ? offsets + columns * <usize>(h.taps - (h.taps % 3)) : offsets;
  const floor = floorOf(d.act),
    start = biasOf(bias);
  // Exits that are never taken, for engines that load all rows first and spill them: see depthwise/outputs.ts.
  const never = load<usize>(offsets);
  // Rows that are not there go where others come next.
  const y1: usize = lines > 1 ? line : 0,
    y2: usize = lines > 2 ? 2 * line : y1,
    y3: usize = lines > 3 ? 3 * line : y2;
  const last = line - 32;
  for (let i: usize = 0; ; i = min(i + 32, last)) {
    let a0 = start,
      a1 = start,
      b0 = start,
      b1 = start,
      c0 = start,
      c1 = start,
      d0 = start,
      d1 = start;
    let from = x + i,
      weight = w;
    for (let c = d.channels; c > 0; c--, from += band.plane) {
      let at = offsets;
      for (; at < threesEnd; at += 2 * columns, weight += 2 * columns) {
        for (const rowEnd = at + columns; at < rowEnd; at += 4, weight += 4) {
          let p = from + load<usize>(at);
          const k0 = v128.load32_splat(weight),
            k1 = v128.load32_splat(weight + columns),
            k2 = v128.load32_splat(weight + 2 * columns);
          let x0 = v128.load(p),
            x1 = v128.load(p, 16);
          a0 = madd(x0, k0, a0);
          a1 = madd(x1, k0, a1);
          if (p == never) break;
          p += next;
          x0 = v128.load(p);
          x1 = v128.load(p, 16);
          a0 = madd(x0, k1, a0);
          a1 = madd(x1, k1, a1);
          b0 = madd(x0, k0, b0);
          b1 = madd(x1, k0, b1);
          if (p == never) break;
          p += next;
          x0 = v128.load(p);
          x1 = v128.load(p, 16);
          a0 = madd(x0, k2, a0);
          a1 = madd(x1, k2, a1);
          b0 = madd(x0, k1, b0);
          b1 = madd(x1, k1, b1);
          c0 = madd(x0, k0, c0);
          c1 = madd(x1, k0, c1);
          if (p == never) break;
          p += next;
          x0 = v128.load(p);
          x1 = v128.load(p, 16);
          b0 = madd(x0, k2, b0);
          b1 = madd(x1, k2, b1);
          c0 = madd(x0, k1, c0);
          c1 = madd(x1, k1, c1);
          d0 = madd(x0, k0, d0);
          d1 = madd(x1, k0, d1);
          if (p == never) break;
          p += next;
          x0 = v128.load(p);
          x1 = v128.load(p, 16);
          c0 = madd(x0, k2, c0);
          c1 = madd(x1, k2, c1);
          d0 = madd(x0, k1, d0);
          d1 = madd(x1, k1, d1);
          if (p == never) break;
          p += next;
          d0 = madd(v128.load(p), k2, d0);
          d1 = madd(v128.load(p, 16), k2, d1);
        }
      }
      for (; at < tableEnd; at += 4, weight += 4) {
        let p = from + load<usize>(at);
        const k = v128.load32_splat(weight);
        a0 = madd(v128.load(p), k, a0);
        a1 = madd(v128.load(p, 16), k, a1);
        p += step;
        b0 = madd(v128.load(p), k, b0);
        b1 = madd(v128.load(p, 16), k, b1);
        p += step;
        c0 = madd(v128.load(p), k, c0);
        c1 = madd(v128.load(p, 16), k, c1);
        p += step;
        d0 = madd(v128.load(p), k, d0);
        d1 = madd(v128.load(p, 16), k, d1);
      }
    }
    const to = y + i;
    put<Two>(to + y3, d0, d1, floor, 4);
    put<Two>(to + y2, c0, c1, floor, 4);
    put<Two>(to + y1, b0, b1, floor, 4);
    put<Two>(to, a0, a1, floor, 4);
    if (i == last) break;
  }
}

/** Writes `rows` rows of all results, whose first row is at y, from the band. */
export function storeDirect(d: Direct, y: usize, rows: i32, w: usize, bias: usize): void {
  const band = d.band();
  const step = <usize>band.height().scale * band.rowBytes,
    n = band.width().outputs,
    line = (<usize>n) << 2,
    base = band.base();
  if (d.algorithm == ConvAlgorithm.DIRECT_ROWS) {
    for (let c: i32 = d.results; c > 0; c--, y += d.resultBytes, w += d.weightResult) {
      for (let r: i32 = 0; r < rows; r += 4)
        tilesOfRows(d, y + <usize>r * line, base + <usize>r * step, w, min(4, rows - r), n, bias);
      if (bias != 0) bias += 4;
    }
    return;
  }
  // Outputs that come in tiles of two vectors. One is enough for four that are left.
  const rest = n & 7,
    pairs = rest > 4 ? n : n - rest,
    ones = pairs == n || pairs == 0 ? n - pairs : 4,
    start = (<usize>(n - ones)) << 2;
  for (let c: i32 = 0; c < d.results; c += 4) {
    const lines = min(4, d.results - c);
    for (let r: usize = 0, to = y, from = base; r < <usize>rows; r++, to += line, from += step) {
      if (pairs > 0) tilesOfChannels<Two>(d, to, from, w, lines, pairs, bias);
      if (ones > 0) tilesOfChannels<One>(d, to + start, from + start, w, lines, ones, bias);
    }
    y += 4 * d.resultBytes;
    w += 4 * d.weightResult;
    if (bias != 0) bias += 16;
  }
}
