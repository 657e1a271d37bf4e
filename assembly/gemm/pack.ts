// Packing: rows of A, or columns of B, into panels of W that a register tile reads from front to back.
//
// A "line" is what a panel holds W of: a row of A or a column of B. Element p of line i lies at
// src + i * lineBytes + p * stepBytes; it goes to panel i / W, group p, place i % W. Lines missing from the last panel
// repeat the last line that exists: their sums end in rows or columns of the tile that are never written. So they need
// no zeros, cannot reach a real element, and nothing is read outside the matrix.
//
// A panel is packed by quads of 4 lines, the last quad first: for W = 6 it spills 2 values into the next group (or,
// at the end, into the next panel or the slack behind the area), which the first quad then overwrites.
import { gather, interleaveHigh, interleaveLow, joinHigh, joinLow } from "./vectors";

/** Bytes that packing may write behind the last panel. */
@inline
export const PACK_SLACK: i32 = 16;

/** How far the steps of a block may reach for it to stay unpacked. */
@inline
const IN_PLACE_BYTES: usize = 16384;

/**
 * Whether a block of `kb` steps is read where it lies: its lines are neighbours, and all steps are close enough to stay
 * in the first cache. A tile counts its steps by the address in A, so a stride of 0 is packed.
 */
@inline
export function inPlace(lineBytes: usize, stepBytes: usize, kb: i32): bool {
  return lineBytes == 4 && stepBytes - 1 < IN_PLACE_BYTES && stepBytes * <usize>kb <= IN_PLACE_BYTES;
}

/** Packs 4 neighbouring steps of 4 lines into 4 groups; gives the address behind them. */
@inline
function packFour(dst: usize, groupBytes: usize, p0: usize, p1: usize, p2: usize, p3: usize): usize {
  const x0 = v128.load(p0);
  const x1 = v128.load(p1);
  const x2 = v128.load(p2);
  const x3 = v128.load(p3);
  const low01 = interleaveLow(x0, x1);
  const high01 = interleaveHigh(x0, x1);
  const low23 = interleaveLow(x2, x3);
  const high23 = interleaveHigh(x2, x3);
  const dst2 = dst + (groupBytes << 1);
  v128.store(dst, joinLow(low01, low23));
  v128.store(dst + groupBytes, joinHigh(low01, low23));
  v128.store(dst2, joinLow(high01, high23));
  v128.store(dst2 + groupBytes, joinHigh(high01, high23));
  return dst2 + (groupBytes << 1);
}

/** Packs 4 lines, at p0 .. p3, into k groups of `groupBytes`; transposes where the steps of a line are neighbours. */
export function packQuad(
  dst: usize,
  groupBytes: usize,
  p0: usize,
  p1: usize,
  p2: usize,
  p3: usize,
  k: i32,
  stepBytes: usize,
): void {
  if (stepBytes == 4) {
    for (; k >= 4; k -= 4) {
      dst = packFour(dst, groupBytes, p0, p1, p2, p3);
      p0 += 16;
      p1 += 16;
      p2 += 16;
      p3 += 16;
    }
  }
  for (; k > 0; k--) {
    v128.store(dst, gather(p0, p1, p2, p3));
    dst += groupBytes;
    p0 += stepBytes;
    p1 += stepBytes;
    p2 += stepBytes;
    p3 += stepBytes;
  }
}

/** Packs `lines` (1 .. width) lines as one panel. */
function packPanel(dst: usize, src: usize, lines: i32, width: i32, k: i32, lineBytes: usize, stepBytes: usize): void {
  const last = lines - 1;
  for (let quad = (width - 1) & ~3; quad >= 0; quad -= 4) {
    packQuad(
      dst + ((<usize>quad) << 2),
      (<usize>width) << 2,
      src + <usize>min(quad, last) * lineBytes,
      src + <usize>min(quad + 1, last) * lineBytes,
      src + <usize>min(quad + 2, last) * lineBytes,
      src + <usize>min(quad + 3, last) * lineBytes,
      k,
      stepBytes,
    );
  }
}

/**
 * As packPanels for whole quads of lines and of neighbouring steps, without its calls, which are most of the time for
 * few.
 */
export function packWholeLines(dst: usize, src: usize, lines: i32, width: i32, k: i32, lineBytes: usize): void {
  const groupBytes = (<usize>width) << 2;
  const panelBytes = groupBytes * <usize>k;
  let place: usize = 0;
  for (; lines > 0; lines -= 4) {
    let d = dst + place;
    let p0 = src;
    let p1 = p0 + lineBytes;
    let p2 = p1 + lineBytes;
    let p3 = p2 + lineBytes;
    for (let n = k; n > 0; n -= 4) {
      d = packFour(d, groupBytes, p0, p1, p2, p3);
      p0 += 16;
      p1 += 16;
      p2 += 16;
      p3 += 16;
    }
    src += lineBytes << 2;
    place += 16;
    if (place == groupBytes) {
      place = 0;
      dst += panelBytes;
    }
  }
}

/** Packs one step (a row of neighbouring lines) into the same group of every panel. */
export function packStep(dst: usize, src: usize, panels: i32, width: i32, panelBytes: usize): void {
  for (; panels > 0; panels--) {
    let i: i32 = 0;
    for (; i + 4 <= width; i += 4) v128.store(dst + ((<usize>i) << 2), v128.load(src + ((<usize>i) << 2)));
    if (i < width) v128.store64_lane(dst + ((<usize>i) << 2), v128.load64_zero(src + ((<usize>i) << 2)), 0);
    src += (<usize>width) << 2;
    dst += panelBytes;
  }
}

/** Packs four steps at once, so that a panel gets whole cache lines: panels often lie a multiple of 4 KiB apart. */
export function packFourSteps(
  dst: usize,
  src: usize,
  panels: i32,
  width: i32,
  panelBytes: usize,
  stepBytes: usize,
): void {
  const groupBytes = (<usize>width) << 2;
  for (; panels > 0; panels--) {
    let s = src;
    let d = dst;
    let i: i32 = 0;
    for (; i + 4 <= width; i += 4) {
      const s2 = s + (stepBytes << 1);
      const d2 = d + (groupBytes << 1);
      v128.store(d, v128.load(s));
      v128.store(d + groupBytes, v128.load(s + stepBytes));
      v128.store(d2, v128.load(s2));
      v128.store(d2 + groupBytes, v128.load(s2 + stepBytes));
      s += 16;
      d += 16;
    }
    if (i < width) {
      const s2 = s + (stepBytes << 1);
      const d2 = d + (groupBytes << 1);
      v128.store64_lane(d, v128.load64_zero(s), 0);
      v128.store64_lane(d + groupBytes, v128.load64_zero(s + stepBytes), 0);
      v128.store64_lane(d2, v128.load64_zero(s2), 0);
      v128.store64_lane(d2 + groupBytes, v128.load64_zero(s2 + stepBytes), 0);
    }
    src += groupBytes;
    dst += panelBytes;
  }
}

/**
 * Packs `lines` lines of k elements into ceil(lines / width) panels of k groups of `width` (4, 6, 8 or 16) values.
 *
 * Writes up to PACK_SLACK bytes behind the last panel.
 */
export function packPanels(
  dst: usize,
  src: usize,
  lines: i32,
  width: i32,
  k: i32,
  lineBytes: usize,
  stepBytes: usize,
): void {
  const panelBytes = ((<usize>width) << 2) * <usize>k;
  const panelLines = <usize>width * lineBytes;
  if (lineBytes == 4 && lines >= width) {
    const panels = lines / width;
    let d = dst;
    let s = src;
    let p = k;
    for (; p >= 4; p -= 4) {
      packFourSteps(d, s, panels, width, panelBytes, stepBytes);
      d += (<usize>width) << 4;
      s += stepBytes << 2;
    }
    for (; p > 0; p--) {
      packStep(d, s, panels, width, panelBytes);
      d += (<usize>width) << 2;
      s += stepBytes;
    }
    lines -= panels * width;
    src += <usize>panels * panelLines;
    dst += <usize>panels * panelBytes;
  }
  for (; lines > 0; lines -= width) {
    packPanel(dst, src, min(lines, width), width, k, lineBytes, stepBytes);
    src += panelLines;
    dst += panelBytes;
  }
}
