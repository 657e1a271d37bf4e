// The gradient of 3x3 or 5x5 kernels by Winograd's algorithm transposed: sums over tiles in the transformed space.

import { tileColumns, tileRows } from "../../gemm/tiles";
import { interleaveHigh, interleaveLow, joinHigh, joinLow } from "../../gemm/vectors";
import { Geometry } from "../geometry";
import { GAP, Places } from "./places";
import { BAND_BYTES, TileBands } from "./tiles";
import { PLACES, STAGE_BYTES, transformGradient, transformInput, transformKernel } from "./transforms";

/** Output channels of a block of sums, input channels, and tiles that are summed at once, which fixes the order. */
@inline
const OUT_CHANNELS: i32 = 48;
@inline
const CHANNELS: i32 = 64;
@inline
const TILES: i32 = 32;

/** Most tiles for which the sums are more than what is summed; blocks of so many input channels keep them nearer. */
@inline
const FEW_TILES: i32 = 8;
@inline
const NEAR_CHANNELS: i32 = 32;
/** With so few of them, output channels times tiles, the workspace holds the gradient of all output channels. */
@inline
const WHOLE: i32 = 4096;

/** conv_backward_weight_f32 of one group. */
@final
@unmanaged
export class WinogradWeight {
  channels: i32;
  outChannels: i32;
  /** The gradient of the kernels, [outChannels, channels, taps, taps]. */
  result: usize;

  // The workspace.
  @inline private stage(): usize {
    return changetype<usize>(this) + 64;
  }
  @inline private taps(): usize {
    return this.stage() + STAGE_BYTES;
  }
  /** x is read, the gradient of y stands where the result of the convolution does. */
  @inline bands(): TileBands {
    return changetype<TileBands>(this.taps() + 512);
  }
  @inline private places(): Places {
    return changetype<Places>(this.bands().end());
  }
  @inline private band(): usize {
    return (this.bands().end() + offsetof<Places>() + 63) & ~63;
  }

  forward(g: Geometry): void {
    this.bands().forward(g);
    this.channels = g.inChannels;
    this.outChannels = g.outChannels;
  }

  /** Transforms x under n tiles, `count` channels from `channel`, into panels of `nr` channels, a step a tile. */
  private packTiles(dst: usize, placeBytes: usize, n: i32, nr: i32, channel: i32, count: i32): void {
    const group = (<usize>nr) << 2;
    const bands = this.bands(),
      band = this.band();
    const last = count - 1;
    for (let i: i32 = 0; i < count; i += 4) {
      // Missing channels repeat the last: they end in columns that are never read.
      for (let c: i32 = 0; c < 4; c++) bands.fill(band + <usize>c * BAND_BYTES, channel + min(i + c, last));
      const panel = i / nr;
      let to = dst + (<usize>(panel * n) * group + ((<usize>(i - panel * nr)) << 2));
      for (let t: i32 = 0; t < n; t++) {
        const at = band + bands.tile(t).from;
        transformInput(
          to,
          placeBytes,
          at,
          at + BAND_BYTES,
          at + 2 * BAND_BYTES,
          at + 3 * BAND_BYTES,
          bands.rowBytes,
          this.stage(),
        );
        to += group;
      }
    }
  }

  /** Transforms the gradient of n tiles, `count` channels from `out`, into panels of `mr` channels, a step a tile. */
  private packGradient(dst: usize, placeBytes: usize, n: i32, mr: i32, out: i32, count: i32): void {
    const group = (<usize>mr) << 2;
    const bands = this.bands();
    const rowBytes = (<usize>bands.toColumns) << 2;
    const plane = rowBytes * <usize>bands.toRows;
    const last = out + count - 1;
    for (let i = out; i <= last; i += mr) {
      // Widths that are no multiple of 4 spill into the next group, which the first quad then overwrites.
      for (let quad = (mr - 1) & ~3; quad >= 0; quad -= 4) {
        const o0 = <usize>min(i + quad, last) * plane,
          o1 = <usize>min(i + quad + 1, last) * plane;
        const o2 = <usize>min(i + quad + 2, last) * plane,
          o3 = <usize>min(i + quad + 3, last) * plane;
        let to = dst + ((<usize>quad) << 2);
        for (let t: i32 = 0; t < n; t++) {
          const tile = bands.tile(t),
            at = tile.to;
          transformGradient(
            to,
            placeBytes,
            at + o0,
            at + o1,
            at + o2,
            at + o3,
            rowBytes,
            bands.size,
            tile.rows,
            tile.columns,
            this.stage(),
          );
          to += group;
        }
      }
      dst += group * <usize>n;
    }
  }

  /** Transforms sums back to kernels. */
  private unpack(src: usize, placeBytes: usize, rowBytes: usize, out: i32, mb: i32, channel: i32, nb: i32): void {
    const taps = this.taps(),
      size = this.bands().taps,
      end = (<usize>(size * size - 1)) << 2;
    const kernel = end + 4;
    for (let i: i32 = 0; i < mb; i++) {
      for (let j: i32 = 0; j < nb; j += 4) {
        transformKernel(taps, src + ((<usize>j) << 2), placeBytes, size, this.stage());
        const to = this.result + <usize>((out + i) * this.channels + channel + j) * kernel;
        const count = min(nb - j, 4);
        for (let t: usize = 0; t < end; t += 16) {
          const x0 = v128.load(taps + 4 * t),
            x1 = v128.load(taps + 4 * t, 16),
            x2 = v128.load(taps + 4 * t, 32),
            x3 = v128.load(taps + 4 * t, 48);
          const low01 = interleaveLow(x0, x1),
            high01 = interleaveHigh(x0, x1);
          const low23 = interleaveLow(x2, x3),
            high23 = interleaveHigh(x2, x3);
          v128.store(to + t, joinLow(low01, low23));
          if (count > 1) v128.store(to + t + kernel, joinHigh(low01, low23));
          if (count > 2) v128.store(to + t + 2 * kernel, joinLow(high01, high23));
          if (count > 3) v128.store(to + t + 3 * kernel, joinHigh(high01, high23));
        }
        for (let c: usize = 0; c < <usize>count; c++)
          store<f32>(to + c * kernel + end, load<f32>(taps + (end << 2) + (c << 2)));
      }
      src += rowBytes;
    }
  }

  /** The whole gradient; overwrites it. */
  run(): void {
    const mr = tileRows(),
      nr = tileColumns();
    const bands = this.bands(),
      places = this.places();
    const total = bands.total();
    const near = total <= FEW_TILES,
      outs = OUT_CHANNELS,
      ins = near ? NEAR_CHANNELS : CHANNELS;
    const whole = near && this.outChannels * total <= WHOLE;
    const rowBytes = (<usize>ins) << 2;
    const sums = this.band() + 4 * BAND_BYTES;
    places.c = sums;
    places.rowBytes = rowBytes;
    places.cPlace = rowBytes * <usize>outs + GAP;
    const tiles = sums + PLACES * places.cPlace;
    for (let c: i32 = 0; c < this.channels; c += ins) {
      const nb = min(this.channels - c, ins);
      for (let i: i32 = 0; i < this.outChannels; i += outs) {
        const mb = min(this.outChannels - i, outs);
        for (let j: i32 = 0; j < total; j += TILES) {
          const n = min(total - j, TILES);
          const bPlace = ((<usize>(ins * n)) << 2) + GAP;
          const aPlace = ((<usize>((whole ? this.outChannels + outs : outs) * n)) << 2) + GAP;
          const gradient = tiles + PLACES * bPlace + (whole ? (<usize>(i * n)) << 2 : 0);
          bands.locate(j, n);
          if (i == 0 || total > TILES) this.packTiles(tiles, bPlace, n, nr, c, nb);
          if (!whole || c == 0) this.packGradient(gradient, aPlace, n, mr, i, mb);
          places.k = n;
          places.add = j > 0;
          places.multiply(gradient, aPlace, mb, tiles, bPlace, nb, false);
        }
        this.unpack(sums, places.cPlace, rowBytes, i, mb, c, nb);
      }
    }
  }
}
