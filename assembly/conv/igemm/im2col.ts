// The im2col packing of NCHW images: the matrix [taps, pixels], packed straight from the images and never written down.
//
// A tap is a channel and a place in the kernel, the last axis fastest; a pixel is an image and a place in the output. A
// line of one tap is made for many pixels at once: runs of a row of the image between runs of zeros.
import { packFourSteps, packPanels, packQuad, packStep } from "../../gemm/pack";
import { Window } from "../geometry";
import { addElements, copyElements, padRow, zeros } from "../rows";

/** Most pixels of a line. */
@inline
export const LINE: i32 = 512;
/** Lines lie a little more than a multiple of the cache's ways apart. */
@inline
export const LINE_BYTES: usize = (<usize>LINE + 16) << 2;
/** Bytes of workspace for lines. */
@inline
export const LINES_BYTES: usize = 4 * LINE_BYTES;

/** Images [batch, channels, depth, rows, columns], contiguous but for the step from image to image, and their taps. */
@final
@unmanaged
export class Im2col {
  images: usize;
  imageBytes: usize;
  channelBytes: usize;
  /** LINES_BYTES of workspace. */
  lines: usize;
  /** Whether pixel j is element j of a channel, for the one tap that there is. */
  isIdentity: i32;
  /** The line, of all images, that pixel 0 begins. */
  first: i32;

  @inline window(i: i32): Window {
    return changetype<Window>(changetype<usize>(this) + offsetof<Im2col>() + <usize>i * offsetof<Window>());
  }
  @inline taps(): i32 {
    return this.window(0).taps * this.window(1).taps * this.window(2).taps;
  }
  @inline pixels(): i32 {
    return this.window(0).outputs * this.window(1).outputs * this.window(2).outputs;
  }

  /** Takes the windows as they are now. */
  start(images: usize, imageBytes: usize, lines: usize, first: i32 = 0): void {
    this.first = first;
    const d = this.window(0),
      h = this.window(1),
      w = this.window(2);
    this.images = images;
    this.imageBytes = imageBytes;
    this.channelBytes = (<usize>(d.size * h.size * w.size)) << 2;
    this.lines = lines;
    this.isIdentity = d.isIdentity() && h.isIdentity() && w.isIdentity();
    if (!this.isIdentity) return;
    // One axis of all pixels makes for long runs.
    w.size = w.outputs = d.size * h.size * w.size;
    d.size = d.outputs = h.size = h.outputs = 1;
  }

  /**
   * Makes the line of tap `tap` for the pixels j .. j + n - 1; or, `reversed`, adds that line to what the tap takes of
   * the images.
   */
  fill(dst: usize, tap: i32, j: i32, n: i32, reversed: bool = false): void {
    const d = this.window(0),
      h = this.window(1),
      w = this.window(2);
    let rest = tap / w.taps;
    const tw = tap - rest * w.taps;
    tap = rest / h.taps;
    const shiftRow = h.shift + (rest - tap * h.taps) * h.step;
    const channel = tap / d.taps;
    const shiftPlane = d.shift + (tap - channel * d.taps) * d.step;
    const from = w.first(tw),
      to = w.end(tw);
    const scale = (<usize>w.scale) << 2;
    const shift = (w.shift + tw * w.step) << 2;

    rest = j / w.outputs;
    let o = j - rest * w.outputs;
    rest += this.first;
    j = rest / h.outputs;
    let row = rest - j * h.outputs;
    rest = j / d.outputs;
    let plane = j - rest * d.outputs;
    let src = this.images + <usize>rest * this.imageBytes + <usize>channel * this.channelBytes;
    while (n > 0) {
      const end = min(o + n, w.outputs);
      const next = dst + ((<usize>(end - o)) << 2);
      const y = row * h.scale + shiftRow,
        z = plane * d.scale + shiftPlane;
      const start = max(o, from),
        count = min(end, to) - start;
      if (count > 0 && <u32>y < <u32>h.size && <u32>z < <u32>d.size) {
        const at = dst + ((<usize>(start - o)) << 2);
        const p = src + ((<usize>((z * h.size + y) * w.size)) << 2) + <usize>start * scale + shift;
        if (reversed) addElements(p, at, count, scale);
        else {
          padRow(dst, at, at + ((<usize>count) << 2), next);
          copyElements(at, p, count, scale);
        }
      } else if (!reversed) zeros(dst, next);
      n -= end - o;
      dst = next;
      o = 0;
      if (++row == h.outputs) {
        row = 0;
        if (++plane == d.outputs) {
          plane = 0;
          src += this.imageBytes;
        }
      }
    }
  }
}

/** Panels of pixels, a step a tap: what the forward and the input's product read. */
@final
@unmanaged
export class Im2colPixels {
  @inline im2col(): Im2col {
    return changetype<Im2col>(changetype<usize>(this));
  }
  /** Packs taps p .. p + k - 1 of `lines` pixels from j, as packPanels does. */
  pack(dst: usize, j: i32, lines: i32, width: i32, p: i32, k: i32): void {
    const s = this.im2col();
    if (s.isIdentity) {
      const pixels = s.pixels();
      const image = j / pixels;
      const at = j - image * pixels;
      if (at + lines <= pixels) {
        const src = s.images + <usize>image * s.imageBytes + <usize>p * s.channelBytes + ((<usize>at) << 2);
        packPanels(dst, src, lines, width, k, 4, s.channelBytes);
        return;
      }
    }
    const panels = (lines + width - 1) / width;
    const group = (<usize>width) << 2;
    const panelBytes = group * <usize>k;
    // The last panel takes along what lies behind the lines: it ends in columns that are never written.
    for (; k >= 4; k -= 4) {
      for (let i: i32 = 0; i < 4; i++) s.fill(s.lines + <usize>i * LINE_BYTES, p++, j, lines);
      packFourSteps(dst, s.lines, panels, width, panelBytes, LINE_BYTES);
      dst += group << 2;
    }
    for (; k > 0; k--) {
      s.fill(s.lines, p++, j, lines);
      packStep(dst, s.lines, panels, width, panelBytes);
      dst += group;
    }
  }
}

/** Panels of taps, a step a pixel: what the weight's product reads. */
@final
@unmanaged
export class Im2colTaps {
  @inline im2col(): Im2col {
    return changetype<Im2col>(changetype<usize>(this));
  }
  /** Packs pixels j .. j + k - 1 of `lines` taps from p. */
  pack(dst: usize, p: i32, lines: i32, width: i32, j: i32, k: i32): void {
    const s = this.im2col();
    const group = (<usize>width) << 2;
    const l0 = s.lines,
      l1 = l0 + LINE_BYTES,
      l2 = l1 + LINE_BYTES,
      l3 = l2 + LINE_BYTES;
    for (; lines > 0; lines -= width) {
      for (let quad: i32 = 0; quad < min(width, lines); quad += 4) {
        const count = min(lines - quad, 4);
        for (let i: i32 = 0; i < count; i++) s.fill(l0 + <usize>i * LINE_BYTES, p + quad + i, j, k);
        packQuad(dst + ((<usize>quad) << 2), group, l0, l1, l2, l3, k, 4);
      }
      p += width;
      dst += group * <usize>k;
    }
  }
}
