// What a direct convolution is, in the workspace, for those that select, prepare and run it.
import { Band, MOST_TAPS } from "../depthwise/band";

/** What a band takes where it can: to fill it takes as long per channel as for some rows. */
@inline
export const DIRECT_BYTES: i32 = 196608;

/** Likewise the results of a phase, before they go to their places. */
@inline
export const PHASE_BYTES: i32 = 32768;

/** How a direct convolution reads weights and writes results, behind which its band lies. */
@final
@unmanaged
export class Direct {
  /** Channels that are read. */
  channels: i32;
  /** Channels that are written, and bytes of each. */
  results: i32;
  resultBytes: usize;
  /** Bytes of the weights of a written channel: those of all taps of a read one, then those of the next. */
  weightResult: usize;
  /** Channels whose taps are in the table of offsets. */
  listed: i32;
  act: i32;
  /** Of ConvAlgorithm, for outputs: DIRECT, DIRECT_ROWS or WINOGRAD_ROWS. */
  algorithm: i32;
  /**
   * Where results are made for a stride, so that they are not neighbours: bytes from one to the next, and from row to
   * row; else 0. Bytes of a channel.
   */
  apart: usize;
  rowApart: usize;
  planeApart: usize;

  @inline band(): Band {
    return changetype<Band>(changetype<usize>(this) + 64);
  }
  /** The sums of the weights' gradient: a vector a weight. */
  @inline sums(): usize {
    return (this.band().base() + <usize>this.channels * this.band().plane + 15) & ~15;
  }

  /** Lays the band out, as its windows are, and lists where the taps of some channels read, one list for all. */
  layOut(): void {
    const band = this.band();
    band.layOut(this.channels, DIRECT_BYTES);
    const taps = band.taps();
    const listed = max(min<usize>(this.channels, MOST_TAPS / taps), 1);
    this.listed = <i32>listed;
    this.weightResult = (taps * <usize>this.channels) << 2;
    for (let t = taps; t < taps * listed; t++)
      store<usize>(band.offset(t), load<usize>(band.offset(t - taps)) + band.plane);
  }

  /** Behind the weights of a phase, where its results are made before they go to their places. */
  @inline together(): usize {
    return this.sums() + this.weightResult * <usize>this.results;
  }

  /** Makes the band of output rows o .. o + rows - 1 of the image at x, whose channels are `bytes` apart. */
  @inline read(x: usize, bytes: usize, o: i32, rows: i32): void {
    const band = this.band();
    for (let c: i32 = 0; c < this.channels; c++, x += bytes) {
      band.image = x;
      band.fill(o, rows, c);
    }
  }
}
