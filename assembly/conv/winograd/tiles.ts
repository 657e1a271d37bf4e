// The tiles of Winograd's algorithm, which cover the outputs of a convolution over all images, and what they read: the
// rows of a channel under a block of tiles, padded with zeros into the workspace. A tile has 4x4 outputs of 3x3 taps,
// or 2x2 of 5x5.
import { Geometry } from "../geometry";
import { copyElements, zeros } from "../rows";
import { SPAN } from "./transforms";

/** Most tiles of a block. */
@inline
export const MOST_TILES: i32 = 64;
/** Bytes of a band of one channel for any block. */
@inline
export const BAND_BYTES: usize = 20480;

/** A tile of a block. */
@final
@unmanaged
export class Tile {
  /** Where its inputs are in the band, and where its outputs are in channel 0. */
  from: usize;
  to: usize;
  /** How much of it exists. */
  rows: i32;
  columns: i32;
}

/** Neighbouring tiles of one row of tiles: what they read. */
@final
@unmanaged
class Run {
  image: usize;
  row: i32;
  column: i32;
  /** Elements of a row. */
  count: i32;
}

/** Images that are read and images of outputs: output (y, x) reads from element (y + shiftRow, x + shiftColumn) on. */
@final
@unmanaged
export class TileBands {
  images: usize;
  imageBytes: usize;
  rows: i32;
  columns: i32;
  shiftRow: i32;
  shiftColumn: i32;
  to: usize;
  toImageBytes: usize;
  toRows: i32;
  toColumns: i32;
  batch: i32;
  /** Outputs of a tile, and taps of a kernel, along an axis. */
  size: i32;
  taps: i32;

  private runs: i32;
  /** Bytes of a row of the band. */
  rowBytes: usize;

  @inline tile(i: i32): Tile {
    return changetype<Tile>(changetype<usize>(this) + offsetof<TileBands>() + <usize>i * offsetof<Tile>());
  }
  @inline private run(i: i32): Run {
    return changetype<Run>(changetype<usize>(this.tile(MOST_TILES)) + <usize>i * offsetof<Run>());
  }
  /** Behind the tables. */
  @inline end(): usize {
    return changetype<usize>(this.run(MOST_TILES));
  }

  private take(g: Geometry): void {
    this.batch = g.batch;
    this.taps = g.axis(2).kernel;
    this.size = SPAN + 1 - this.taps;
  }

  /** As conv_forward_f32 reads x and writes y, without the addresses. */
  forward(g: Geometry): void {
    const h = g.axis(1),
      w = g.axis(2);
    this.take(g);
    this.imageBytes = g.inImageBytes();
    this.rows = h.size;
    this.columns = w.size;
    this.shiftRow = -h.padding;
    this.shiftColumn = -w.padding;
    this.toImageBytes = g.outImageBytes();
    this.toRows = h.outputs;
    this.toColumns = w.outputs;
  }

  /** As conv_backward_input_f32 reads g and writes dx: a convolution by the kernels turned around. */
  backward(g: Geometry): void {
    const h = g.axis(1),
      w = g.axis(2);
    this.take(g);
    this.imageBytes = g.outImageBytes();
    this.rows = h.outputs;
    this.columns = w.outputs;
    this.shiftRow = h.padding + 1 - this.taps;
    this.shiftColumn = w.padding + 1 - this.taps;
    this.toImageBytes = g.inImageBytes();
    this.toRows = h.size;
    this.toColumns = w.size;
  }

  @inline private across(): i32 {
    return (this.toColumns + this.size - 1) / this.size;
  }
  @inline private down(): i32 {
    return (this.toRows + this.size - 1) / this.size;
  }
  /** Tiles of all images. */
  total(): i32 {
    return this.across() * this.down() * this.batch;
  }

  /** Finds the places of the tiles j .. j + n - 1. */
  locate(j: i32, n: i32): void {
    const across = this.across(),
      down = this.down(),
      size = this.size;
    const lineBytes = (<usize>this.toColumns) << 2;
    this.rowBytes = ((<usize>(min(n, across) * size)) << 2) + 16;
    let rest = j / across,
      column = j - rest * across;
    let image = rest / down,
      row = rest - image * down;
    let runs: i32 = 0;
    for (let i: i32 = 0; i < n; runs++) {
      const count = min(n - i, across - column);
      const run = this.run(runs);
      run.image = this.images + <usize>image * this.imageBytes;
      run.row = row * size + this.shiftRow;
      run.column = column * size + this.shiftColumn;
      run.count = count * size + this.taps - 1;
      const to = this.to + <usize>image * this.toImageBytes + <usize>(row * size) * lineBytes;
      for (let t: i32 = 0; t < count; t++) {
        const tile = this.tile(i++);
        tile.from = <usize>(runs * SPAN) * this.rowBytes + ((<usize>(t * size)) << 2);
        tile.to = to + ((<usize>((column + t) * size)) << 2);
        tile.rows = min(this.toRows - row * size, size);
        tile.columns = min(this.toColumns - (column + t) * size, size);
      }
      column = 0;
      if (++row < down) continue;
      row = 0;
      image++;
    }
    this.runs = runs;
  }

  /** Copies what the tiles read of a channel to `band`. */
  fill(band: usize, channel: i32): void {
    const plane = (<usize>(this.rows * this.columns)) << 2;
    const lineBytes = (<usize>this.columns) << 2;
    for (let i: i32 = 0; i < this.runs; i++) {
      const run = this.run(i);
      const before = min(max(-run.column, 0), run.count);
      const count = max(min(this.columns - run.column, run.count) - before, 0);
      const src = run.image + <usize>channel * plane + ((<usize>(run.column + before)) << 2);
      const start = (<usize>before) << 2,
        end = (<usize>(before + count)) << 2;
      for (let r: i32 = 0; r < SPAN; r++) {
        const y = run.row + r;
        const next = band + ((<usize>run.count) << 2);
        if (<u32>y < <u32>this.rows && count > 0) {
          zeros(band, band + start);
          copyElements(band + start, src + <usize>y * lineBytes, count, 4);
          zeros(band + end, next);
        } else zeros(band, next);
        band += this.rowBytes;
      }
    }
  }
}
