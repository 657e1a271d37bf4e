// The padded band of depthwise and direct convolutions: some rows of one channel of an image, or of several, padded
// with zeros into the workspace, so that all taps of a kernel read it and none has to know of edges.
//
// A padded row is cut into `scale` parts, of every scale-th element, so that the elements that one tap reads for
// neighbouring outputs are neighbours, whatever the stride.
import { Axis, Window } from "../geometry";
import { copyRows, splitElements, spreadElements, zeros } from "../rows";

/** Most taps of a kernel. */
@inline
export const MOST_TAPS: usize = 512;
/** What a band takes where it can: it stays in the first cache. */
@inline
export const BAND_BYTES: i32 = 24576;

/** One channel of an image and how its outputs read it, in the workspace. */
@final
@unmanaged
export class Band {
  /** From the offset of a tap to its weight. */
  @inline static readonly WEIGHTS: usize = 4 * MOST_TAPS;

  image: usize;
  /** Elements of the image lie `spread` apart, with zeros between them. */
  spread: i32;
  /** Elements of a part of a padded row, and bytes of the row. */
  part: i32;
  rowBytes: usize;
  /** Most output rows of a band. */
  most: i32;
  /** Bytes from channel to channel. */
  plane: usize;

  @inline height(): Window {
    return changetype<Window>(changetype<usize>(this) + offsetof<Band>());
  }
  @inline width(): Window {
    return changetype<Window>(changetype<usize>(this) + offsetof<Band>() + offsetof<Window>());
  }
  @inline taps(): usize {
    return <usize>(this.height().taps * this.width().taps);
  }
  /** Room for what describes a block of outputs. */
  @inline scratch(): usize {
    return changetype<usize>(this) + 80;
  }
  @inline private tables(): usize {
    return changetype<usize>(this) + 128;
  }
  /** Where tap t reads, in bytes from the element of tap 0. */
  @inline offset(t: usize): usize {
    return this.tables() + (t << 2);
  }
  @inline weight(t: usize): usize {
    return this.offset(t) + Band.WEIGHTS;
  }
  @inline sum(t: usize): usize {
    return this.tables() + 8 * MOST_TAPS + (t << 4);
  }
  @inline base(): usize {
    return this.tables() + 24 * MOST_TAPS;
  }

  /** Lays rows and taps out, for so many channels in about so many bytes; the windows and `spread` are set. */
  layOut(channels: i32 = 1, bytes: i32 = BAND_BYTES): void {
    const h = this.height(),
      w = this.width();
    // Whole vectors, two in direct convolutions, are read for the last outputs.
    this.part = ((w.outputs + 7) & ~7) + ((w.taps - 1) * w.step) / w.scale + 1;
    this.rowBytes = (<usize>(this.part * w.scale)) << 2;
    let t: usize = 0;
    for (let i: i32 = 0; i < h.taps; i++) {
      for (let j: i32 = 0; j < w.taps; j++) {
        const ahead = j * w.step;
        const at = <usize>((ahead % w.scale) * this.part + ahead / w.scale);
        store<usize>(this.offset(t++), <usize>(i * h.step) * this.rowBytes + (at << 2));
      }
    }
    const fit = bytes / (<i32>this.rowBytes * channels) - (h.taps - 1) * h.step - 1;
    this.most = max(fit / h.scale + 1, 1);
    // The zeros beside the rows stay where they are, for all bands and channels.
    this.plane = <usize>this.paddedRows(min(this.most, h.outputs)) * this.rowBytes;
    memory.fill(this.base(), 0, <usize>channels * this.plane);
  }

  /** Rows that n rows of outputs read. */
  @inline private paddedRows(n: i32): i32 {
    const h = this.height();
    return (n - 1) * h.scale + (h.taps - 1) * h.step + 1;
  }

  /** Makes the padded rows that output rows o .. o + n - 1 read, of a channel. */
  fill(o: i32, n: i32, channel: i32 = 0): void {
    const h = this.height(),
      w = this.width();
    const rows = this.paddedRows(n);
    const y = o * h.scale + h.shift;
    const top = this.base() + <usize>channel * this.plane;
    if (this.spread > 1) {
      this.fillSpread(top, y, rows);
      return;
    }
    const scale = w.scale,
      rowBytes = this.rowBytes;
    const partBytes = (<usize>this.part) << 2,
      lineBytes = (<usize>w.size) << 2;
    const start = max(y, 0),
      end = max(min(y + rows, h.size), start);
    const first = top + <usize>(start - y) * rowBytes;
    const behind = first + <usize>(end - start) * rowBytes;
    if (this.most < h.outputs) {
      zeros(top, min(first, top + <usize>rows * rowBytes));
      zeros(behind, top + <usize>rows * rowBytes);
    }
    if (scale == 2) {
      this.fillHalves(first, start, end);
      return;
    }
    for (let r: i32 = 0; r < scale; r++) {
      const shift = w.shift + r;
      // The elements of this part that lie on the row.
      const from = shift >= 0 ? 0 : min((scale - 1 - shift) / scale, this.part);
      const room = w.size - 1 - shift;
      const count = max(min(room < 0 ? 0 : room / scale + 1, this.part) - from, 0);
      if (count == 0) continue;
      const src = this.image + <usize>start * lineBytes + ((<usize>(from * scale + shift)) << 2);
      const dst = first + <usize>r * partBytes + ((<usize>from) << 2);
      copyRows(dst, rowBytes, src, lineBytes, end - start, count, scale);
    }
  }

  /** Rows start .. end - 1 of the image, to padded rows of two parts from `dst` on. */
  private fillHalves(dst: usize, start: i32, end: i32): void {
    const w = this.width();
    const lineBytes = (<usize>w.size) << 2;
    // Element 0 is padded element -shift; the odd ones go to the other part.
    const even = -w.shift,
      odd = even + 1;
    const evens = max(min((w.size + 1) >> 1, this.part - (even >> 1)), 0),
      odds = max(min(w.size >> 1, this.part - (odd >> 1)), 0);
    const toEven = (<usize>((even & 1) * this.part + (even >> 1))) << 2,
      toOdd = (<usize>((odd & 1) * this.part + (odd >> 1))) << 2;
    let src = this.image + <usize>start * lineBytes;
    for (; start < end; start++) {
      splitElements(dst + toEven, evens, dst + toOdd, odds, src);
      dst += this.rowBytes;
      src += lineBytes;
    }
  }

  private fillSpread(dst: usize, y: i32, rows: i32): void {
    const h = this.height(),
      w = this.width();
    const lineBytes = (<usize>((w.size - 1) / this.spread + 1)) << 2;
    for (; rows > 0; rows--) {
      const row = y / this.spread;
      const end = dst + this.rowBytes;
      if (y < 0 || y >= h.size || row * this.spread != y) {
        if (this.most < h.outputs) zeros(dst, end);
      } else this.spreadRow(dst, end, this.image + <usize>row * lineBytes, w.shift);
      y++;
      dst = end;
    }
  }

  /** A row of elements that lie apart; scale is 1. */
  private spreadRow(dst: usize, end: usize, src: usize, shift: i32): void {
    const spread = this.spread;
    const first = shift <= 0 ? 0 : (shift + spread - 1) / spread;
    const start = first * spread - shift;
    // Elements whose zeros behind them fit as well; one more may follow.
    const there = (this.width().size - 1) / spread + 1 - first;
    const count = max(min((this.part - start) / spread, there), 0);
    let at = dst + ((<usize>min(start, this.part)) << 2);
    zeros(dst, at);
    spreadElements(at, src + ((<usize>first) << 2), count, spread);
    at += (<usize>(count * spread)) << 2;
    if (count < there && at < end) {
      store<f32>(at, load<f32>(src + ((<usize>(first + count)) << 2)));
      at += 4;
    }
    zeros(at, end);
  }
}

/**
 * Bytes that a Band needs for so many channels of images of these two axes: for the longer of the padded rows of both
 * directions.
 */
export function bandBytes(h: Axis, w: Axis, channels: i32 = 1, bytes: i32 = BAND_BYTES): usize {
  const row = <usize>max(w.outputs, w.size) + <usize>((w.kernel + 2) * w.dilation) + 12;
  const rows = <usize>((h.kernel - 1) * h.dilation + 1);
  return changetype<Band>(0).base() + max<usize>(row * <usize>w.stride * rows * 4 * <usize>channels, bytes);
}
