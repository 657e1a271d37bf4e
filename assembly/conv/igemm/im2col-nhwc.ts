// The im2col packing of NHWC images: the matrix [pixels, taps], packed straight from the images and never written down.
//
// A tap is a place in the kernel and a channel, channels fastest; a pixel is an image and a place in the output. What
// one pixel takes is runs of neighbouring channels, or zeros where a tap is off the image.
import { KC } from "../../gemm/blocked";
import { packFourSteps, packQuad, packStep } from "../../gemm/pack";
import { Window } from "../geometry";
import { copyElements, zeros } from "../rows";

/** A line has the steps of a K block, or the lines of a block of A: MC is less. A little more than that apart. */
@inline
const LINE_BYTES: usize = (<usize>KC + 16) << 2;
/** Images [batch, depth, rows, columns, channels] or some channels of them, and their taps. */
@final
@unmanaged
export class Im2colNhwc {
  images: usize;
  imageBytes: usize;
  /** From pixel to pixel, which may have other channels as well. */
  pixelBytes: usize;
  channels: i32;
  /** Whether neighbouring taps of a row lie side by side in the image. */
  joins: i32;
  /** The line, of all images, that pixel 0 begins. */
  first: i32;
  /** Workspace for four lines, which those of im2col.ts have room for. */
  lines: usize;

  @inline window(i: i32): Window {
    return changetype<Window>(changetype<usize>(this) + offsetof<Im2colNhwc>() + <usize>i * offsetof<Window>());
  }
  @inline taps(): i32 {
    return this.window(0).taps * this.window(1).taps * this.window(2).taps;
  }
  @inline pixels(): i32 {
    return this.window(0).outputs * this.window(1).outputs * this.window(2).outputs;
  }

  /** Takes the windows as they are now. */
  start(images: usize, imageBytes: usize, pixelBytes: usize, channels: i32, lines: usize, first: i32 = 0): void {
    this.first = first;
    this.images = images;
    this.imageBytes = imageBytes;
    this.pixelBytes = pixelBytes;
    this.channels = channels;
    this.joins = this.window(2).step == 1 && pixelBytes == (<usize>channels) << 2;
    this.lines = lines;
  }

  /** Where n > 0 steps of a pixel from step p are: in the image if they are one run there, else made at `line`. */
  find(line: usize, pixel: i32, p: i32, n: i32): usize {
    const d = this.window(0),
      h = this.window(1),
      w = this.window(2);
    let rest = pixel / w.outputs;
    const x0 = (pixel - rest * w.outputs) * w.scale + w.shift;
    rest += this.first;
    let image = rest / h.outputs;
    const y0 = (rest - image * h.outputs) * h.scale + h.shift;
    rest = image;
    image = rest / d.outputs;
    const z0 = (rest - image * d.outputs) * d.scale + d.shift;
    const src = this.images + <usize>image * this.imageBytes;

    // A row of taps that lies in the image is one run, as if it were one tap of more channels.
    const joined = this.joins && x0 >= 0 && x0 + w.taps <= w.size;
    const run = joined ? this.channels * w.taps : this.channels,
      taps = joined ? 1 : w.taps;
    let c: i32 = 0,
      tx: i32 = 0,
      ty: i32 = 0,
      tz: i32 = 0;
    if (p != 0) {
      rest = p / run;
      c = p - rest * run;
      const row = rest / taps;
      tx = rest - row * taps;
      tz = row / h.taps;
      ty = row - tz * h.taps;
    }
    let to = line;
    while (true) {
      const count = min(run - c, n);
      const x = x0 + tx * w.step,
        y = y0 + ty * h.step,
        z = z0 + tz * d.step;
      const next = to + ((<usize>count) << 2);
      if (<u32>x < <u32>w.size && <u32>y < <u32>h.size && <u32>z < <u32>d.size) {
        const from = src + <usize>((z * h.size + y) * w.size + x) * this.pixelBytes + ((<usize>c) << 2);
        if (count == n && to == line) return from;
        copyElements(to, from, count, 4);
      } else zeros(to, next);
      n -= count;
      if (n == 0) return line;
      to = next;
      c = 0;
      if (++tx == taps) {
        tx = 0;
        if (++ty == h.taps) {
          ty = 0;
          tz++;
        }
      }
    }
  }
}

/** Panels of pixels, a step a tap: what the forward and the input's product read. */
@final
@unmanaged
export class Im2colNhwcPixels {
  @inline im2col(): Im2colNhwc {
    return changetype<Im2colNhwc>(changetype<usize>(this));
  }
  /** Packs taps p .. p + k - 1 of `lines` pixels from i, as packPanels does. */
  pack(dst: usize, i: i32, lines: i32, width: i32, p: i32, k: i32): void {
    if (k == 0) return;
    const s = this.im2col();
    const group = (<usize>width) << 2;
    const l0 = s.lines,
      l1 = l0 + LINE_BYTES,
      l2 = l1 + LINE_BYTES,
      l3 = l2 + LINE_BYTES;
    for (; lines > 0; lines -= width) {
      const last = i + min(lines, width) - 1;
      // The last quad first: of a width of 6 it spills into the next group. Missing pixels repeat the last.
      for (let quad = (width - 1) & ~3; quad >= 0; quad -= 4) {
        const j = i + quad;
        packQuad(
          dst + ((<usize>quad) << 2),
          group,
          s.find(l0, min(j, last), p, k),
          s.find(l1, min(j + 1, last), p, k),
          s.find(l2, min(j + 2, last), p, k),
          s.find(l3, min(j + 3, last), p, k),
          k,
          4,
        );
      }
      i += width;
      dst += group * <usize>k;
    }
  }
}

/** Panels of taps, a step a pixel: what the weight's product reads. */
@final
@unmanaged
export class Im2colNhwcTaps {
  @inline im2col(): Im2colNhwc {
    return changetype<Im2colNhwc>(changetype<usize>(this));
  }
  /** Packs pixels p .. p + k - 1 of `lines` taps from i. */
  pack(dst: usize, i: i32, lines: i32, width: i32, p: i32, k: i32): void {
    const s = this.im2col();
    const panels = (lines + width - 1) / width;
    const group = (<usize>width) << 2;
    const panelBytes = group * <usize>k;
    // The last panel takes along what lies behind the lines: it ends in rows that are never written.
    for (; k >= 4; k -= 4) {
      for (let step: i32 = 0; step < 4; step++) fillLine(s, s.lines + <usize>step * LINE_BYTES, p++, i, lines);
      packFourSteps(dst, s.lines, panels, width, panelBytes, LINE_BYTES);
      dst += group << 2;
    }
    for (; k > 0; k--) {
      fillLine(s, s.lines, p++, i, lines);
      packStep(dst, s.lines, panels, width, panelBytes);
      dst += group;
    }
  }
}

@inline
function fillLine(s: Im2colNhwc, line: usize, pixel: i32, i: i32, lines: i32): void {
  const from = s.find(line, pixel, i, lines);
  if (from != line) copyElements(line, from, lines, 4);
}
