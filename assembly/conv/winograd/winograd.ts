// NCHW convolutions of 3x3 taps without strides, and the gradient of their input, by Winograd's F(4x4, 3x3): a quarter
// of the products, in the transformed space of tiles of 4x4 outputs. There is no Winograd path for NHWC.
//
// Blocks of tiles, of input channels and of output channels are transformed into the workspace and multiplied there,
// place by place, by the register tiles of gemm_f32; no more than a block is ever written down. Tiles run over all
// images. For the gradient of the input, the outputs of the convolution are the input here.
import { ACT_NONE, ACT_RELU } from "../../gemm/epilogue";
import { loadPart, storePart } from "../../lanes";
import { beat } from "../../program/threads";
import { Geometry } from "../geometry";
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

/** Bytes between places: a line of cache keeps their starts out of one set of the cache. */
@inline
export const GAP: usize = 64;
/** A kernel of 3x3 taps. */
@inline
export const KERNEL_BYTES: usize = 36;

/** C = A B, place by place: panels of `mr` rows and of `nr` columns, rows of C `rowBytes` apart. */
@inline
export function multiplyPlaces<T>(
  c: usize,
  cPlace: usize,
  rowBytes: usize,
  a: usize,
  aPlace: usize,
  b: usize,
  bPlace: usize,
  m: i32,
  n: i32,
  k: i32,
  add: bool,
): void {
  const tile = changetype<T>(0);
  const mr = tile.mr(),
    nr = tile.nr();
  const aStep = (<usize>mr) << 2,
    bStep = (<usize>nr) << 2;
  beat();
  for (let s: usize = 0; s < PLACES; s++) {
    let bp = b + s * bPlace,
      column = c + s * cPlace;
    for (let j: i32 = 0; j < n; j += nr) {
      let ap = a + s * aPlace,
        to = column;
      for (let i: i32 = 0; i < m; i += mr) {
        tile.run(k, ap, aStep, bp, bStep, to, rowBytes, add);
        ap += aStep * <usize>k;
        to += rowBytes * <usize>mr;
      }
      bp += bStep * <usize>k;
      column += bStep;
    }
  }
}

/** A convolution of 3x3 taps without strides: its kernels, and its images in `bands`. */
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
  @inline private band(): usize {
    return (this.bands().end() + 63) & ~63;
  }

  /** Takes the shape of conv_forward_f32. */
  forward(g: Geometry, act: i32): void {
    this.bands().forward(g);
    this.channels = g.inChannels;
    this.outChannels = g.outChannels;
    this.outBytes = KERNEL_BYTES * <usize>g.inChannels;
    this.channelBytes = KERNEL_BYTES;
    this.isTurned = 0;
    this.act = act;
  }

  /** Takes the shape of conv_backward_input_f32. */
  backward(g: Geometry): void {
    this.bands().backward(g);
    this.channels = g.outChannels;
    this.outChannels = g.inChannels;
    this.outBytes = KERNEL_BYTES;
    this.channelBytes = KERNEL_BYTES * <usize>g.inChannels;
    this.isTurned = 1;
    this.act = ACT_NONE;
  }

  /** Transforms n tiles of `kb` channels from `channel` into panels of `nr` tiles; missing ones repeat the last. */
  private packTiles(dst: usize, placeBytes: usize, n: i32, nr: i32, channel: i32, kb: i32): void {
    const group = (<usize>nr) << 2;
    const bands = this.bands(),
      band = this.band();
    const last = n - 1;
    for (let k: i32 = 0; k < kb; k++) {
      bands.fill(band, channel + k);
      for (let i: i32 = 0; i < n; i += 4) {
        const panel = i / nr;
        transformInput(
          dst + (<usize>(panel * kb + k) * group + ((<usize>(i - panel * nr)) << 2)),
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
   * Transforms the kernels of `mb` output and `kb` input channels into panels of `mr` output channels; missing ones
   * repeat the last.
   */
  private packKernels(dst: usize, placeBytes: usize, out: i32, mb: i32, mr: i32, channel: i32, kb: i32): void {
    const group = (<usize>mr) << 2;
    const src = this.weights + <usize>channel * this.channelBytes;
    const last = out + mb - 1;
    for (let i = out; i <= last; i += mr) {
      // Widths that are no multiple of 4 spill into the next group, which the first quad then overwrites.
      for (let quad = (mr - 1) & ~3; quad >= 0; quad -= 4) {
        let to = dst + ((<usize>quad) << 2);
        let p0 = src + <usize>min(i + quad, last) * this.outBytes,
          p1 = src + <usize>min(i + quad + 1, last) * this.outBytes,
          p2 = src + <usize>min(i + quad + 2, last) * this.outBytes,
          p3 = src + <usize>min(i + quad + 3, last) * this.outBytes;
        for (let k: i32 = 0; k < kb; k++) {
          transformWeight(to, placeBytes, p0, p1, p2, p3, this.isTurned != 0, this.stage());
          to += group;
          p0 += this.channelBytes;
          p1 += this.channelBytes;
          p2 += this.channelBytes;
          p3 += this.channelBytes;
        }
      }
      dst += group * <usize>kb;
    }
  }

  /**
   * Transforms the sums of `mb` output channels and n tiles back: result = act((add ? result : 0) + sums + bias), where
   * `ends` is set, and without bias and activation else.
   */
  private unpack(
    src: usize,
    placeBytes: usize,
    rowBytes: usize,
    out: i32,
    mb: i32,
    n: i32,
    add: bool,
    ends: bool,
  ): void {
    const bands = this.bands();
    const plane = (<usize>(bands.toRows * bands.toColumns)) << 2;
    const lineBytes = (<usize>bands.toColumns) << 2;
    const floor = f32x4.splat(ends && this.act == ACT_RELU ? 0 : -Infinity);
    const outputs = this.outputs();
    for (let i = out; i < out + mb; i++) {
      const at = <usize>i * plane;
      // Adding -0 leaves every value as it is.
      const bias = ends && this.bias != 0 ? v128.load32_splat(this.bias + ((<usize>i) << 2)) : f32x4.splat(-0.0);
      for (let j: i32 = 0; j < n; j += 4) {
        transformOutput(outputs, src + ((<usize>j) << 2), placeBytes, this.stage());
        for (let t: i32 = 0; t < min(n - j, 4); t++) {
          const tile = bands.tile(j + t);
          let to = tile.to + at,
            from = outputs + ((<usize>t) << 6);
          const columns = tile.columns;
          for (let r = tile.rows; r > 0; r--) {
            let x = v128.load(from);
            if (add) x = f32x4.add(columns == 4 ? v128.load(to) : loadPart(to, columns), x);
            x = f32x4.pmax(f32x4.add(x, bias), floor);
            if (columns == 4) v128.store(to, x);
            else storePart(to, x, columns);
            from += 16;
            to += lineBytes;
          }
        }
      }
      src += rowBytes;
    }
  }

  /** The whole convolution; overwrites the result. */
  run<T>(): void {
    const tile = changetype<T>(0);
    const mr = tile.mr(),
      nr = tile.nr();
    const bands = this.bands();
    const total = bands.total();
    const most = this.channels <= CHANNELS / 2 ? 2 * TILES : TILES;
    const tiles = this.band() + BAND_BYTES;
    for (let j: i32 = 0; j < total; j += most) {
      const n = min(total - j, most);
      const rowBytes = (<usize>(((n + nr - 1) / nr) * nr)) << 2;
      const cPlace = rowBytes * OUT_CHANNELS + GAP;
      bands.locate(j, n);
      for (let p: i32 = 0; p < this.channels; p += CHANNELS) {
        const kb = min(this.channels - p, CHANNELS);
        const bPlace = rowBytes * <usize>kb + GAP;
        const aPlace = ((<usize>(OUT_CHANNELS * kb)) << 2) + GAP;
        const kernels = tiles + PLACES * bPlace;
        const sums = kernels + PLACES * aPlace;
        this.packTiles(tiles, bPlace, n, nr, p, kb);
        for (let i: i32 = 0; i < this.outChannels; i += OUT_CHANNELS) {
          const mb = min(this.outChannels - i, OUT_CHANNELS);
          this.packKernels(kernels, aPlace, i, mb, mr, p, kb);
          multiplyPlaces<T>(sums, cPlace, rowBytes, kernels, aPlace, tiles, bPlace, mb, n, kb, false);
          this.unpack(sums, cPlace, rowBytes, i, mb, n, p > 0, p + kb == this.channels);
        }
      }
    }
  }
}
