// NCHW convolutions of 3x3 or 5x5 taps without strides, and the gradient of their input, by Winograd's F(4x4, 3x3) and
// F(2x2, 5x5): 36 products a tile instead of 144 or 100. There is no Winograd path for NHWC.
//
// Blocks of tiles, of input channels and of output channels are transformed into the workspace and multiplied there,
// place by place, by the register tiles of gemm_f32; no more than a block is ever written down. Tiles run over all
// images. For the gradient of the input, the outputs of the convolution are the input here.
import { ACT_NONE, ACT_RELU } from "../../gemm/epilogue";
import { tileColumns, tileRows } from "../../gemm/tiles";
import { loadLanes, storeLanes } from "../../lanes";
import { Geometry } from "../geometry";
import { GAP, Places } from "./places";
import { BAND_BYTES, MOST_TILES, TileBands } from "./tiles";
import { PLACES, STAGE_BYTES, transformInput, transformOutput, transformWeight } from "./transforms";

/** Output channels of a block: a multiple of every MR. */
@inline
const OUT_CHANNELS: i32 = 24;
/** Input channels that are summed in the transformed space: it fixes the order of additions. */
@inline
const CHANNELS: i32 = 128;
/** Tiles of a block, a multiple of every NR; twice as many where half the channels leave room for them. */
@inline
const TILES: i32 = MOST_TILES / 2;
/** Most tiles that go by fours, not by NR, where that is fewer. */
@inline
const FEW_TILES: i32 = 12;
/** Output channels of a block then: a multiple of every NR. */
@inline
const FEW_OUT_CHANNELS: i32 = 32;
/** Input channels whose kernels are read together, where these are far apart. */
@inline
const NEAR: i32 = 8;

/** A convolution without strides: its kernels, and its images in `bands`. */
@final
@unmanaged
export class Winograd {
  channels: i32;
  outChannels: i32;
  /** Kernels: bytes from output to output channel and from input to input channel; turned around or not. */
  weights: usize;
  outBytes: usize;
  channelBytes: usize;
  isTurned: i32;
  bias: usize;
  act: i32;

  // The workspace.
  @inline private stage(): usize {
    return changetype<usize>(this) + 64;
  }
  @inline private outputs(): usize {
    return this.stage() + STAGE_BYTES;
  }
  @inline bands(): TileBands {
    return changetype<TileBands>(this.outputs() + 256);
  }
  @inline private places(): Places {
    return changetype<Places>(this.bands().end());
  }
  @inline private band(): usize {
    return (this.bands().end() + offsetof<Places>() + 63) & ~63;
  }

  /** Takes the shape of conv_forward_f32. */
  forward(g: Geometry, act: i32): void {
    this.bands().forward(g);
    this.channels = g.inChannels;
    this.outChannels = g.outChannels;
    this.channelBytes = (<usize>g.kernelSize()) << 2;
    this.outBytes = this.channelBytes * <usize>g.inChannels;
    this.isTurned = 0;
    this.act = act;
  }

  /** Takes the shape of conv_backward_input_f32. */
  backward(g: Geometry): void {
    this.bands().backward(g);
    this.channels = g.outChannels;
    this.outChannels = g.inChannels;
    this.outBytes = (<usize>g.kernelSize()) << 2;
    this.channelBytes = this.outBytes * <usize>g.inChannels;
    this.isTurned = 1;
    this.act = ACT_NONE;
  }

  /**
   * Transforms n tiles of `kb` channels from `channel` into panels of `width` tiles; missing ones repeat the last.
   */
  private packTiles(dst: usize, placeBytes: usize, n: i32, width: i32, channel: i32, kb: i32): void {
    const group = (<usize>width) << 2;
    const bands = this.bands(),
      band = this.band();
    const last = n - 1;
    for (let k: i32 = 0; k < kb; k++) {
      bands.fill(band, channel + k);
      for (let i: i32 = 0; i < n; i += 4) {
        const panel = i / width;
        transformInput(
          dst + (<usize>(panel * kb + k) * group + ((<usize>(i - panel * width)) << 2)),
          placeBytes,
          band + bands.tile(i).from,
          band + bands.tile(min(i + 1, last)).from,
          band + bands.tile(min(i + 2, last)).from,
          band + bands.tile(min(i + 3, last)).from,
          bands.rowBytes,
          this.stage(),
        );
      }
    }
  }

  /**
   * Transforms the kernels of `mb` output and `kb` input channels into panels of `width` output channels; missing ones
   * repeat the last.
   */
  private packKernels(dst: usize, placeBytes: usize, out: i32, mb: i32, width: i32, channel: i32, kb: i32): void {
    const group = (<usize>width) << 2;
    const last = out + mb - 1,
      taps = this.bands().taps;
    const turned = this.isTurned != 0,
      stage = this.band();
    // Turned around, output channels are the neighbours, and few input channels at a time go by them; but not where
    // panels spill into the next one.
    const near = turned && (width & 3) == 0 ? NEAR : kb;
    for (let first: i32 = 0; first < kb; first += near) {
      const count = min(kb - first, near);
      const src = this.weights + <usize>(channel + first) * this.channelBytes;
      let panel = dst + <usize>first * group;
      for (let i = out; i <= last; i += width) {
        // Widths that are no multiple of 4 spill into the next group, which the first quad then overwrites.
        for (let quad = (width - 1) & ~3; quad >= 0; quad -= 4) {
          let to = panel + ((<usize>quad) << 2);
          let p0 = src + <usize>min(i + quad, last) * this.outBytes,
            p1 = src + <usize>min(i + quad + 1, last) * this.outBytes,
            p2 = src + <usize>min(i + quad + 2, last) * this.outBytes,
            p3 = src + <usize>min(i + quad + 3, last) * this.outBytes;
          for (let k: i32 = 0; k < count; k++) {
            transformWeight(to, placeBytes, p0, p1, p2, p3, taps, turned, stage);
            to += group;
            p0 += this.channelBytes;
            p1 += this.channelBytes;
            p2 += this.channelBytes;
            p3 += this.channelBytes;
          }
        }
        panel += group * <usize>kb;
      }
    }
  }

  /**
   * Transforms the sums of `mb` output channels and n tiles back: result = act((add ? result : 0) + sums + bias), where
   * `ends` is set, and without bias and activation else.
   */
  private unpack(out: i32, mb: i32, n: i32, add: bool, ends: bool): void {
    const bands = this.bands(),
      places = this.places();
    let src = places.c;
    const plane = (<usize>(bands.toRows * bands.toColumns)) << 2;
    const lineBytes = (<usize>bands.toColumns) << 2;
    const floor = f32x4.splat(ends && this.act == ACT_RELU ? 0 : -Infinity);
    const outputs = this.outputs(),
      few = this.isFew();
    // Rows of sums are channels, and columns tiles, or the other way round.
    const rows = few ? n : mb,
      columns = few ? mb : n;
    for (let i: i32 = 0; i < rows; i++) {
      for (let j: i32 = 0; j < columns; j += 4) {
        transformOutput(outputs, src + ((<usize>j) << 2), places.cPlace, bands.size, this.stage());
        for (let t: i32 = 0; t < min(columns - j, 4); t++) {
          const tile = bands.tile(few ? i : j + t),
            channel = <usize>(out + (few ? j + t : i));
          // Adding -0 leaves every value as it is.
          const bias = ends && this.bias != 0 ? v128.load32_splat(this.bias + (channel << 2)) : f32x4.splat(-0.0);
          let to = tile.to + channel * plane,
            from = outputs + ((<usize>t) << 6);
          const lanes = tile.columns;
          for (let r = tile.rows; r > 0; r--) {
            let x = v128.load(from);
            if (add) x = f32x4.add(loadLanes(to, lanes), x);
            x = f32x4.pmax(f32x4.add(x, bias), floor);
            storeLanes(to, x, lanes);
            from += 16;
            to += lineBytes;
          }
        }
      }
      src += places.rowBytes;
    }
  }

  /** Whether tiles are the rows of the product, which come in fours: few of them would leave columns empty. */
  @inline private isFew(): bool {
    const total = this.bands().total();
    return total <= FEW_TILES && ((total - 1) & 4) == 0;
  }

  /** The whole convolution; overwrites the result. */
  run(): void {
    const few = this.isFew();
    const mr = few ? 4 : tileRows(),
      nr = tileColumns();
    const bands = this.bands(),
      places = this.places();
    const total = bands.total();
    places.add = false;
    const most = this.channels <= CHANNELS / 2 ? 2 * TILES : TILES;
    const tiles = this.band() + BAND_BYTES;
    const outs = few ? FEW_OUT_CHANNELS : OUT_CHANNELS;
    for (let j: i32 = 0; j < total; j += most) {
      const n = min(total - j, most);
      const width = few ? mr : nr;
      const lines = ((n + width - 1) / width) * width;
      places.rowBytes = (<usize>(few ? outs : lines)) << 2;
      places.cPlace = ((<usize>(lines * outs)) << 2) + GAP;
      bands.locate(j, n);
      for (let p: i32 = 0; p < this.channels; p += CHANNELS) {
        const kb = min(this.channels - p, CHANNELS);
        const tilePlace = ((<usize>(lines * kb)) << 2) + GAP;
        const kernelPlace = ((<usize>(outs * kb)) << 2) + GAP;
        const kernels = tiles + PLACES * tilePlace;
        places.c = kernels + PLACES * kernelPlace;
        places.k = kb;
        this.packTiles(tiles, tilePlace, n, width, p, kb);
        for (let i: i32 = 0; i < this.outChannels; i += outs) {
          const mb = min(this.outChannels - i, outs);
          this.packKernels(kernels, kernelPlace, i, mb, few ? nr : mr, p, kb);
          if (few) places.multiply(tiles, tilePlace, n, kernels, kernelPlace, mb, true);
          else places.multiply(kernels, kernelPlace, mb, tiles, tilePlace, n, false);
          this.unpack(i, mb, n, p > 0, p + kb == this.channels);
        }
      }
    }
  }
}
