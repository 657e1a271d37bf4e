// The operands that stand to the left of the patches: weights, their transpose by taps, and the outputs' gradient.
import { packPanels, packQuad } from "../gemm/pack";
import { gather } from "../gemm/vectors";

/** Weights as they lie, [outChannels, taps]. */
@final
@unmanaged
export class WeightLines {
  weight: usize;
  lineBytes: usize;

  pack(dst: usize, line: i32, lines: i32, width: i32, p: i32, k: i32): void {
    const src = this.weight + <usize>line * this.lineBytes + ((<usize>p) << 2);
    packPanels(dst, src, lines, width, k, this.lineBytes, 4);
  }
}

/** Weights as the input's gradient takes them: a line an input channel, a step an output channel and a tap of a phase. */
@final
@unmanaged
export class WeightTaps {
  weight: usize;
  /** From input channel to input channel: the size of a kernel. */
  lineBytes: usize;
  /** From output channel to output channel. */
  channelBytes: usize;
  // Bytes from tap to tap of the phase, and how many there are.
  depthBytes: usize;
  rowBytes: usize;
  columnBytes: usize;
  depthTaps: i32;
  rowTaps: i32;
  columnTaps: i32;

  pack(dst: usize, line: i32, lines: i32, width: i32, p: i32, k: i32): void {
    const group = (<usize>width) << 2;
    const taps = this.depthTaps * this.rowTaps * this.columnTaps;
    const src = this.weight + <usize>line * this.lineBytes;
    if (taps == 1) {
      packPanels(dst, src + <usize>p * this.channelBytes, lines, width, k, this.lineBytes, this.channelBytes);
      return;
    }
    const isWhole = (<usize>taps) << 2 == this.lineBytes;
    for (let i: i32 = 0; i < lines; i += width) {
      const last = lines - 1;
      // Widths that are no multiple of 4 spill into the next group, which the first quad then overwrites.
      for (let quad = (width - 1) & ~3; quad >= 0; quad -= 4) {
        const to = dst + ((<usize>quad) << 2);
        const p0 = src + <usize>min(i + quad, last) * this.lineBytes;
        const p1 = src + <usize>min(i + quad + 1, last) * this.lineBytes;
        const p2 = src + <usize>min(i + quad + 2, last) * this.lineBytes;
        const p3 = src + <usize>min(i + quad + 3, last) * this.lineBytes;
        if (isWhole) this.packKernels(to, group, p0, p1, p2, p3, taps, p, k);
        else this.packTaps(to, group, p0, p1, p2, p3, p, k);
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

  private packTaps(dst: usize, group: usize, p0: usize, p1: usize, p2: usize, p3: usize, p: i32, k: i32): void {
    let rest = p / this.columnTaps;
    let column = p - rest * this.columnTaps;
    p = rest / this.rowTaps;
    let row = rest - p * this.rowTaps;
    rest = p / this.depthTaps;
    let depth = p - rest * this.depthTaps;
    let channel = <usize>rest * this.channelBytes;
    for (; k > 0; k--) {
      const at =
        channel + <usize>depth * this.depthBytes + <usize>row * this.rowBytes + <usize>column * this.columnBytes;
      v128.store(dst, gather(p0 + at, p1 + at, p2 + at, p3 + at));
      dst += group;
      if (++column < this.columnTaps) continue;
      column = 0;
      if (++row < this.rowTaps) continue;
      row = 0;
      if (++depth < this.depthTaps) continue;
      depth = 0;
      channel += this.channelBytes;
    }
  }
}

/** The outputs' gradient, [channels, images and pixels]. */
@final
@unmanaged
export class MapLines {
  maps: usize;
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
        let src = this.maps + <usize>image * this.imageBytes + <usize>line * lineBytes;
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
