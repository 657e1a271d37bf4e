// What a direct convolution is, in the workspace, for those that select, prepare and run it.
import { Band } from "../depthwise/band";

/** What a band takes where it can: to fill it takes as long per channel as for some rows. */
@inline
export const DIRECT_BYTES: i32 = 65536;

/** How a direct convolution reads weights and writes results, behind which its band lies. */
@final
@unmanaged
export class Direct {
  /** Channels that are read. */
  channels: i32;
  /** Channels that are written, and bytes of each. */
  results: i32;
  resultBytes: usize;
  /** Bytes of weights from a written channel, from a read one and from a tap to the next. */
  weightResult: usize;
  weightChannel: usize;
  weightTap: usize;
  act: i32;
  /** Whether it goes by rows, not by channels. */
  byRows: bool;

  @inline band(): Band {
    return changetype<Band>(changetype<usize>(this) + 64);
  }
  /** The sums of the weights' gradient: a vector a weight. */
  @inline sums(): usize {
    return (this.band().base() + <usize>this.channels * this.band().plane + 15) & ~15;
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
