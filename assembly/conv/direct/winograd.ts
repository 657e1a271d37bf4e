// Outputs of 3x3 taps of few channels by Winograd's F(4, 3) down the rows: four rows of a channel take 18 products and
// some additions where they take 36 by taps. Only lines are transformed, those of the band once for all results.
import { madd } from "../../lanes";
import { biasOf, floorOf } from "../depthwise/generic";
import { inputLine, weightLine } from "../winograd/transforms";
import { Direct } from "./plan";

/** Bytes of the transformed weights of a pair of channels: six lines of three taps and one that is not there. */
@inline
const PAIR_BYTES: usize = 96;

/** Transforms the weights at w, all of a group. */
export function transformWeights(d: Direct, w: usize): void {
  let to = d.together();
  // Behind the weights that are copied here, one more may be read.
  const from = d.together() + <usize>(d.results * d.channels) * PAIR_BYTES;
  for (let pair = d.results * d.channels; pair > 0; pair--, w += 36, to += PAIR_BYTES) {
    memory.copy(from, w, 36);
    weightLine(to, 16, from, 12, false);
  }
}

/** From line to line: whole vectors. */
@inline
function lineBytes(d: Direct): usize {
  return (d.band().rowBytes + 15) & ~15;
}
@inline
function linesOf(d: Direct): usize {
  return (d.together() + <usize>(d.results * d.channels) * PAIR_BYTES + 15) & ~15;
}

/** Transforms `rows` rows of the band, in fours: six lines of each channel, one channel after the other. */
function transformRows(d: Direct, rows: i32): void {
  const band = d.band(),
    line = band.rowBytes,
    last = line - 16,
    toLine = lineBytes(d);
  let to = linesOf(d);
  for (let r: i32 = 0; ; r = min(r + 4, rows - 4)) {
    let from = band.base() + <usize>r * line;
    for (let c = d.channels; c > 0; c--, from += band.plane, to += 6 * toLine)
      for (let i: usize = 0; ; i = min(i + 16, last)) {
        let p = from + i;
        const d0 = v128.load(p);
        p += line;
        const d1 = v128.load(p);
        p += line;
        const d2 = v128.load(p);
        p += line;
        const d3 = v128.load(p);
        p += line;
        const d4 = v128.load(p);
        inputLine(to + i, toLine, d0, d1, d2, d3, d4, v128.load(p + line));
        if (i == last) break;
      }
    if (r == rows - 4) break;
  }
}

/** Adds what four columns at x, before y, take of a line, with its three weights. */
@inline
function three(sum: v128, x: v128, y: v128, k0: v128, k1: v128, k2: v128): v128 {
  sum = madd(x, k0, sum);
  sum = madd(v128.shuffle<i32>(x, y, 1, 2, 3, 4), k1, sum);
  return madd(v128.shuffle<i32>(x, y, 2, 3, 4, 5), k2, sum);
}

@inline
function put(y: usize, s0: v128, s1: v128, floor: v128): void {
  v128.store(y, f32x4.pmax(s0, floor));
  v128.store(y, f32x4.pmax(s1, floor), 16);
}

/**
 * `rows` rows of a channel at y, in tiles of four rows by two vectors, of which the last may overlap those before: they
 * come out the same again. x: the transformed lines; w: the weights likewise.
 */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: sums stay in registers
function tiles(d: Direct, y: usize, x: usize, w: usize, rows: i32, bias: usize): void {
  const line = lineBytes(d),
    floor = floorOf(d.act),
    start = biasOf(bias),
    four = f32x4.splat(4),
    channels = d.channels,
    row = (<usize>d.band().width().outputs) << 2;
  // Exits that are never taken, for engines that load all lines first and spill them: see depthwise/generic.ts.
  const never = load<usize>(d.band().offset(0));
  let k0: v128, k1: v128, k2: v128, x0: v128, x1: v128;
  const last = row - 32,
    step = <usize>(6 * channels) * line;
  for (; ; x += step) {
    for (let i: usize = 0; ; i = min(i + 32, last)) {
      let a1 = start,
        a2 = f32x4.splat(0),
        b1 = start,
        b2 = a2,
        a3 = a2,
        a4 = a2,
        b3 = a2,
        b4 = a2;
      const at = x + i,
        to = y + i;
      let p = at + line,
        u = w;
      for (let c = channels; c > 0; c--) {
        k0 = v128.load32_splat(u, 16);
        k1 = v128.load32_splat(u, 20);
        k2 = v128.load32_splat(u, 24);
        x0 = v128.load(p);
        x1 = v128.load(p, 16);
        a1 = three(a1, x0, x1, k0, k1, k2);
        b1 = three(b1, x1, v128.load(p, 32), k0, k1, k2);
        if (p == never) break;
        p += line;
        k0 = v128.load32_splat(u, 32);
        k1 = v128.load32_splat(u, 36);
        k2 = v128.load32_splat(u, 40);
        x0 = v128.load(p);
        x1 = v128.load(p, 16);
        a2 = three(a2, x0, x1, k0, k1, k2);
        b2 = three(b2, x1, v128.load(p, 32), k0, k1, k2);
        p += 5 * line;
        u += PAIR_BYTES;
      }
      let s = f32x4.sub(a1, a2);
      a1 = f32x4.add(a1, a2);
      a2 = s;
      s = f32x4.sub(b1, b2);
      b1 = f32x4.add(b1, b2);
      b2 = s;
      p = at + 3 * line;
      u = w;
      for (let c = channels; c > 0; c--) {
        k0 = v128.load32_splat(u, 48);
        k1 = v128.load32_splat(u, 52);
        k2 = v128.load32_splat(u, 56);
        x0 = v128.load(p);
        x1 = v128.load(p, 16);
        a3 = three(a3, x0, x1, k0, k1, k2);
        b3 = three(b3, x1, v128.load(p, 32), k0, k1, k2);
        if (p == never) break;
        p += line;
        k0 = v128.load32_splat(u, 64);
        k1 = v128.load32_splat(u, 68);
        k2 = v128.load32_splat(u, 72);
        x0 = v128.load(p);
        x1 = v128.load(p, 16);
        a4 = three(a4, x0, x1, k0, k1, k2);
        b4 = three(b4, x1, v128.load(p, 32), k0, k1, k2);
        p += 5 * line;
        u += PAIR_BYTES;
      }
      s = f32x4.sub(a3, a4);
      a3 = f32x4.add(a3, a4);
      a4 = f32x4.add(s, s);
      s = f32x4.sub(b3, b4);
      b3 = f32x4.add(b3, b4);
      b4 = f32x4.add(s, s);
      put(to + row, f32x4.add(a2, a4), f32x4.add(b2, b4), floor);
      put(to + 2 * row, madd(four, a3, a1), madd(four, b3, b1), floor);
      a1 = f32x4.add(a1, a3);
      b1 = f32x4.add(b1, b3);
      a2 = madd(four, a4, a2);
      b2 = madd(four, b4, b2);
      p = at;
      u = w;
      for (let c = channels; c > 0; c--) {
        k0 = v128.load32_splat(u);
        k1 = v128.load32_splat(u, 4);
        k2 = v128.load32_splat(u, 8);
        x0 = v128.load(p);
        x1 = v128.load(p, 16);
        a1 = three(a1, x0, x1, k0, k1, k2);
        b1 = three(b1, x1, v128.load(p, 32), k0, k1, k2);
        if (p == never) break;
        p += 5 * line;
        k0 = v128.load32_splat(u, 80);
        k1 = v128.load32_splat(u, 84);
        k2 = v128.load32_splat(u, 88);
        x0 = v128.load(p);
        x1 = v128.load(p, 16);
        a2 = three(a2, x0, x1, k0, k1, k2);
        b2 = three(b2, x1, v128.load(p, 32), k0, k1, k2);
        p += line;
        u += PAIR_BYTES;
      }
      put(to, a1, b1, floor);
      put(to + 3 * row, a2, b2, floor);
      if (i == last) break;
    }
    if (rows == 4) break;
    const more = min(4, rows - 4);
    rows -= more;
    y += <usize>more * row;
  }
}

/** Writes `rows` rows of all results, whose first row is at y, from the band; at least four of eight columns. */
export function storeWinograd(d: Direct, y: usize, rows: i32, bias: usize): void {
  transformRows(d, rows);
  const pair = <usize>d.channels * PAIR_BYTES;
  let w = d.together();
  for (let c = d.results; c > 0; c--, w += pair, y += d.resultBytes) {
    tiles(d, y, linesOf(d), w, rows, bias);
    if (bias != 0) bias += 4;
  }
}
