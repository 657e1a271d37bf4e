// Weight packing of implicit GEMM: the operands beside im2col, in NCHW on the left of it and in NHWC on its right. They
// are weights, in NHWC weights transposed tap by tap, and the gradient of the outputs, which stands in their place.
import { packPanels, packQuad } from "../../gemm/pack";

/** NCHW: weights as they lie, [outChannels, taps], or transposed. */
@final
@unmanaged
export class Weights {
  weight: usize;
  lineBytes: usize;
  stepBytes: usize;

  pack(dst: usize, line: i32, lines: i32, width: i32, p: i32, k: i32): void {
    const src = this.weight + <usize>line * this.lineBytes + <usize>p * this.stepBytes;
    packPanels(dst, src, lines, width, k, this.lineBytes, this.stepBytes);
  }
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
