// Weight packing of implicit GEMM: the operands beside im2col, in NCHW on the left of it and in NHWC on its right. They
// are weights, weights transposed tap by tap, and the gradient of the outputs, which stands in their place.
import { packPanels, packQuad } from "../../gemm/pack";
import { gather } from "../../gemm/vectors";

/** NCHW: weights as they lie, [outChannels, taps]. */
@final
@unmanaged
export class Weights {
  weight: usize;
  lineBytes: usize;

  pack(dst: usize, line: i32, lines: i32, width: i32, p: i32, k: i32): void {
    const src = this.weight + <usize>line * this.lineBytes + ((<usize>p) << 2);
    packPanels(dst, src, lines, width, k, this.lineBytes, 4);
  }
}

/**
 * NCHW: weights as the input's gradient takes them: a line an input channel, a step an output channel and a tap of a
 * phase.
 */
@final
@unmanaged
export class WeightsTransposed {
  weight: usize;
  /** From input channel to input channel: the size of a kernel. */
  lineBytes: usize;
  /** From output channel to output channel. */
  channelBytes: usize;
  // Bytes from tap to tap of the phase, and how many there are.
  depthStep: usize;
  rowStep: usize;
  columnStep: usize;
  depthTaps: i32;
  rowTaps: i32;
  columnTaps: i32;
  // The step that comes next.
  private channel: usize;
  private depth: i32;
  private row: i32;
  private column: i32;

  pack(dst: usize, line: i32, lines: i32, width: i32, p: i32, k: i32): void {
    const group = (<usize>width) << 2;
    const taps = this.depthTaps * this.rowTaps * this.columnTaps;
    const src = this.weight + <usize>line * this.lineBytes;
    if (this.lineBytes == 4) {
      packPanels(dst, src + <usize>p * this.channelBytes, lines, width, k, this.lineBytes, this.channelBytes);
      return;
    }
    if ((<usize>taps) << 2 != this.lineBytes) {
      this.packTaps(dst, src, lines, width, p, k);
      return;
    }
    for (let i: i32 = 0; i < lines; i += width) {
      const last = lines - 1;
      // Widths that are no multiple of 4 spill into the next group, which the first quad then overwrites.
      for (let quad = (width - 1) & ~3; quad >= 0; quad -= 4) {
        const to = dst + ((<usize>quad) << 2);
        const p0 = src + <usize>min(i + quad, last) * this.lineBytes;
        const p1 = src + <usize>min(i + quad + 1, last) * this.lineBytes;
        const p2 = src + <usize>min(i + quad + 2, last) * this.lineBytes;
        const p3 = src + <usize>min(i + quad + 3, last) * this.lineBytes;
        this.packKernels(to, group, p0, p1, p2, p3, taps, p, k);
      }
      dst += group * <usize>k;
    }
  }

  /** All taps of a kernel are neighbours. */
  private packKernels(
    dst: usize,
    group: usize,
    p0: usize,
    p1: usize,
    p2: usize,
    p3: usize,
    taps: i32,
    p: i32,
    k: i32,
  ): void {
    const channel = p / taps;
    let at = <usize>channel * this.channelBytes;
    for (let t = p - channel * taps; k > 0; t = 0) {
      const n = min(k, taps - t);
      const o = at + ((<usize>t) << 2);
      packQuad(dst, group, p0 + o, p1 + o, p2 + o, p3 + o, n, 4);
      dst += group * <usize>n;
      k -= n;
      at += this.channelBytes;
    }
  }

  /** Any taps: four steps of all panels at a time, so that kernels are read in the order in which they lie. */
  private packTaps(dst: usize, src: usize, lines: i32, width: i32, p: i32, k: i32): void {
    const group = (<usize>width) << 2;
    const panelBytes = group * <usize>k;
    const last = lines - 1;
    this.seek(p);
    for (; k > 0; k -= 4) {
      const at0 = this.next(),
        at1 = k > 1 ? this.next() : at0,
        at2 = k > 2 ? this.next() : at0,
        at3 = k > 3 ? this.next() : at0;
      let panel = dst;
      for (let i: i32 = 0; i < lines; i += width) {
        for (let quad: i32 = 0; quad < width; quad += 4) {
          const to = panel + ((<usize>quad) << 2);
          const p0 = src + <usize>min(i + quad, last) * this.lineBytes;
          const p1 = src + <usize>min(i + quad + 1, last) * this.lineBytes;
          const p2 = src + <usize>min(i + quad + 2, last) * this.lineBytes;
          const p3 = src + <usize>min(i + quad + 3, last) * this.lineBytes;
          const isWhole = quad + 4 <= width;
          putStep(to, gather(p0 + at0, p1 + at0, p2 + at0, p3 + at0), isWhole);
          if (k > 1) putStep(to + group, gather(p0 + at1, p1 + at1, p2 + at1, p3 + at1), isWhole);
          if (k > 2) putStep(to + 2 * group, gather(p0 + at2, p1 + at2, p2 + at2, p3 + at2), isWhole);
          if (k > 3) putStep(to + 3 * group, gather(p0 + at3, p1 + at3, p2 + at3, p3 + at3), isWhole);
        }
        panel += panelBytes;
      }
      dst += group << 2;
    }
  }

  /** Goes to step p. */
  private seek(p: i32): void {
    let rest = p / this.columnTaps;
    this.column = p - rest * this.columnTaps;
    p = rest / this.rowTaps;
    this.row = rest - p * this.rowTaps;
    rest = p / this.depthTaps;
    this.depth = p - rest * this.depthTaps;
    this.channel = <usize>rest * this.channelBytes;
  }

  /** Where the weight of a step is in a line; goes to the next step. */
  private next(): usize {
    const at =
      this.channel +
      <usize>this.depth * this.depthStep +
      <usize>this.row * this.rowStep +
      <usize>this.column * this.columnStep;
    if (++this.column < this.columnTaps) return at;
    this.column = 0;
    if (++this.row < this.rowTaps) return at;
    this.row = 0;
    if (++this.depth < this.depthTaps) return at;
    this.depth = 0;
    this.channel += this.channelBytes;
    return at;
  }
}

/** Four values of a group, or the two at the end of one of six. */
@inline
function putStep(to: usize, x: v128, isWhole: bool): void {
  if (isWhole) v128.store(to, x);
  else v128.store64_lane(to, x, 0);
}

/** NCHW: the outputs' gradient, [channels, images and pixels]. */
@final
@unmanaged
export class Gradient {
  images: usize;
  imageBytes: usize;
  pixels: i32;

  pack(dst: usize, line: i32, lines: i32, width: i32, j: i32, k: i32): void {
    const lineBytes = (<usize>this.pixels) << 2;
    const group = (<usize>width) << 2;
    const image = this.pixels > 0 ? j / this.pixels : 0;
    const first = j - image * this.pixels;
    const last = lines - 1;
    for (let i: i32 = 0; i < lines; i += width) {
      for (let quad = (width - 1) & ~3; quad >= 0; quad -= 4) {
        const o0 = <usize>min(i + quad, last) * lineBytes,
          o1 = <usize>min(i + quad + 1, last) * lineBytes;
        const o2 = <usize>min(i + quad + 2, last) * lineBytes,
          o3 = <usize>min(i + quad + 3, last) * lineBytes;
        let to = dst + ((<usize>quad) << 2);
        let src = this.images + <usize>image * this.imageBytes + <usize>line * lineBytes;
        for (let at = first, left = k; left > 0; at = 0) {
          const n = min(left, this.pixels - at);
          const p = src + ((<usize>at) << 2);
          packQuad(to, group, p + o0, p + o1, p + o2, p + o3, n, 4);
          to += group * <usize>n;
          left -= n;
          src += this.imageBytes;
        }
      }
      dst += group * <usize>k;
    }
  }
}

/** NHWC: a matrix whose rows are steps of neighbouring columns: weights, and gradients of outputs. */
@final
@unmanaged
export class MatrixNhwc {
  base: usize;
  rowBytes: usize;

  /** Packs rows p .. p + k - 1 of `lines` columns from j, as packPanels does. */
  pack(dst: usize, j: i32, lines: i32, width: i32, p: i32, k: i32): void {
    packPanels(dst, this.base + ((<usize>j) << 2) + <usize>p * this.rowBytes, lines, width, k, 4, this.rowBytes);
  }
}

/** NHWC: weights as the input's gradient takes them: step (tap, output channel), line input channel. */
@final
@unmanaged
export class WeightsTransposedNhwc {
  base: usize;
  /** Output channels, and bytes from input channel to input channel. */
  channels: i32;
  rowBytes: usize;
  rowTaps: i32;
  columnTaps: i32;
  depthStep: usize;
  rowStep: usize;
  columnStep: usize;

  pack(dst: usize, j: i32, lines: i32, width: i32, p: i32, k: i32): void {
    const panelLines = <usize>width * this.rowBytes;
    let from = this.base + <usize>j * this.rowBytes;
    const end = p + k;
    for (; lines > 0; lines -= width) {
      for (let at = p; at < end; ) {
        const tap = at / this.channels;
        const channel = at - tap * this.channels;
        const row = tap / this.columnTaps;
        const plane = row / this.rowTaps;
        const count = min(this.channels - channel, end - at);
        const src =
          from +
          <usize>plane * this.depthStep +
          <usize>(row - plane * this.rowTaps) * this.rowStep +
          <usize>(tap - row * this.columnTaps) * this.columnStep +
          ((<usize>channel) << 2);
        packPanels(dst, src, min(lines, width), width, count, this.rowBytes, 4);
        dst += (<usize>(width * count)) << 2;
        at += count;
      }
      from += panelLines;
    }
  }
}
