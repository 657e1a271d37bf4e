// How an implicit GEMM stores its result in NCHW images, with the epilogue: rows are channels, columns the pixels of
// all images.
import { ACT_NONE, ACT_RELU, cutTile } from "../../gemm/epilogue";
import { loadLanes, relu, storeLanes } from "../../lanes";
import { Im2col, LINE_BYTES } from "./im2col";

/** Packed blocks of A and B whose product comes next: mb rows from i and nb columns from j of the result. */
@unmanaged
export class PackedBlocks {
  a: usize;
  b: usize;
  i: i32;
  mb: i32;
  j: i32;
  nb: i32;
  kb: i32;
  /** Whether the product is added to what is there, and whether the sum is whole then. */
  add: bool;
  last: bool;
  /** Room for a tile. */
  scratch: usize;
}

/** Columns of images whose pixels lie side by side. */
@final
@unmanaged
export class ImageStore extends PackedBlocks {
  base: usize;
  /** From channel to channel. */
  rowBytes: usize;
  imageBytes: usize;
  /** Pixels of an image. */
  pixels: i32;
  /** One value a channel, or 0; and the activation. */
  bias: usize;
  act: i32;
  /** Where locate() found the first column, for channel 0. */
  first: usize;

  /** Behind the fields: room for 16 offsets, one for each column of the widest tile. */
  @inline private offset(i: usize): usize {
    return changetype<usize>(this) + offsetof<ImageStore>() + (i << 2);
  }

  dense(base: usize, rowBytes: usize, imageBytes: usize, pixels: i32, bias: usize, act: i32): void {
    this.base = base;
    this.rowBytes = rowBytes;
    this.imageBytes = imageBytes;
    this.pixels = pixels;
    this.bias = bias;
    this.act = act;
  }

  /**
   * Finds the columns j .. j + n - 1: at `first` and behind it if they lie together, else each by its offset from it.
   */
  locate(j: i32, n: i32): bool {
    const image = j / this.pixels;
    let pixel = j - image * this.pixels;
    let at = this.base + <usize>image * this.imageBytes;
    if (pixel + n <= this.pixels) {
      this.first = at + ((<usize>pixel) << 2);
      return true;
    }
    this.first = this.base;
    at -= this.base;
    for (let i: i32 = 0; i < n; i++) {
      store<usize>(this.offset(i), at + ((<usize>pixel) << 2));
      if (++pixel < this.pixels) continue;
      pixel = 0;
      at += this.imageBytes;
    }
    return false;
  }

  /** C[rows, cols] = (add ? C : 0) + T for the columns that locate() found apart. */
  scatter(to: usize, t: usize, tBytes: usize, rows: i32, cols: i32, add: bool): void {
    for (; rows > 0; rows--) {
      for (let i: i32 = 0; i < cols; i++) {
        const at = to + load<usize>(this.offset(i));
        const x = load<f32>(t + ((<usize>i) << 2));
        store<f32>(at, add ? load<f32>(at) + x : x);
      }
      to += this.rowBytes;
      t += tBytes;
    }
  }

  /** Stores the product of the packed blocks: (add ? C : 0) + A B. */
  run<T>(): void {
    const tile = changetype<T>(0);
    const mr = tile.mr(),
      nr = tile.nr();
    const aStep = (<usize>mr) << 2,
      bStep = (<usize>nr) << 2;
    const a = this.a,
      kb = this.kb,
      mb = this.mb,
      add = this.add,
      scratch = this.scratch;
    const rowBytes = this.rowBytes,
      firstRow = <usize>this.i * rowBytes;
    let b = this.b;
    const end = this.j + this.nb;
    for (let j = this.j; j < end; j += nr) {
      const cols = min(end - j, nr);
      const together = this.locate(j, cols);
      let to = this.first + firstRow;
      let ap = a;
      for (let left = mb; left > 0; left -= mr) {
        const rows = min(left, mr);
        if (together && rows == mr && cols == nr) {
          tile.run(kb, ap, aStep, b, bStep, to, rowBytes, add);
        } else {
          tile.run(kb, ap, aStep, b, bStep, scratch, bStep, false);
          if (together) cutTile(to, rowBytes, scratch, bStep, rows, cols, add);
          else this.scatter(to, scratch, bStep, rows, cols, add);
        }
        ap += aStep * <usize>kb;
        to += rowBytes * <usize>mr;
      }
      b += bStep * <usize>kb;
    }
  }

  /** C[m, n] = act(C + bias) from column j. */
  finish(m: i32, j: i32, n: i32): void {
    if (this.bias == 0 && this.act == ACT_NONE) return;
    const image = j / this.pixels;
    let at = j - image * this.pixels;
    let to = this.base + <usize>image * this.imageBytes;
    while (n > 0) {
      const count = min(n, this.pixels - at);
      finishPixels(to + ((<usize>at) << 2), this.rowBytes, m, count, this.bias, this.act);
      n -= count;
      at = 0;
      to += this.imageBytes;
    }
  }
}

/** Adds what a product makes of each tap to the images: rows are those of im2col, columns its pixels. */
@final
@unmanaged
export class TapStore extends PackedBlocks {
  /** Room for a block of the product. */
  sums: usize;

  /** The images that the taps reach, and how. */
  @inline images(): Im2col {
    return changetype<Im2col>(changetype<usize>(this) + offsetof<TapStore>());
  }

  run<T>(): void {
    const tile = changetype<T>(0);
    const mr = tile.mr(),
      nr = tile.nr();
    const aStep = (<usize>mr) << 2,
      bStep = (<usize>nr) << 2;
    const kb = this.kb,
      mb = this.mb;
    let b = this.b,
      column = this.sums;
    for (let left = this.nb; left > 0; left -= nr) {
      let a = this.a,
        to = column;
      for (let rows = mb; rows > 0; rows -= mr) {
        tile.run(kb, a, aStep, b, bStep, to, LINE_BYTES, false);
        a += aStep * <usize>kb;
        to += LINE_BYTES * <usize>mr;
      }
      b += bStep * <usize>kb;
      column += bStep;
    }
    this.reverse();
  }

  private reverse(): void {
    let sums = this.sums;
    for (let i: i32 = 0; i < this.mb; i++, sums += LINE_BYTES)
      this.images().fill(sums, this.i + i, this.j, this.nb, true);
  }

  finish(m: i32, j: i32, n: i32): void {}
}

/** C[m, n] = act(C + bias[m]), rows `rowBytes` apart. */
export function finishPixels(c: usize, rowBytes: usize, m: i32, n: i32, bias: usize, act: i32): void {
  for (let i: i32 = 0; i < m; i++) {
    // Adding -0 leaves every value as it is.
    const b = bias != 0 ? v128.load32_splat(bias + ((<usize>i) << 2)) : f32x4.splat(-0.0);
    for (let j: i32 = 0; j < n; j += 4) {
      const lanes = min(n - j, 4),
        at = c + ((<usize>j) << 2);
      const x = f32x4.add(loadLanes(at, lanes), b);
      storeLanes(at, act == ACT_RELU ? relu(x) : x, lanes);
    }
    c += rowBytes;
  }
}
