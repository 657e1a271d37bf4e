// How an implicit GEMM stores its result channels last, with the epilogue: rows are pixels, or taps of the weight,
// columns channels.
import { ACT_NONE, cutTile, finish } from "../../gemm/epilogue";
import { PackedBlocks } from "./store";

/**
 * What a tile leaves behind: C[rows, cols] = act((add ? C : 0) + T + bias) for a part of it, or rows that lie apart.
 */
function putRows(
  c: PixelStore,
  scratch: usize,
  tBytes: usize,
  i: i32,
  rows: i32,
  offset: usize,
  cols: i32,
  add: bool,
  bias: usize,
  act: i32,
): void {
  for (; rows > 0; rows--) {
    const to = c.at(i++) + offset;
    cutTile(to, 0, scratch, tBytes, 1, cols, add);
    if (bias != 0 || act != ACT_NONE) finish(to, 0, 1, cols, bias, act);
    scratch += tBytes;
  }
}

/** Rows `rowBytes` apart, or, where `columns` is set, those of pixels of images that lie apart. */
@final
@unmanaged
export class PixelStore extends PackedBlocks {
  base: usize;
  rowBytes: usize;
  /** One value a column, or 0; and the activation. */
  bias: usize;
  act: i32;
  /** Pixels of a row of an image, its rows and planes; then rowBytes is from pixel to pixel. */
  columns: i32;
  rows: i32;
  planes: i32;
  lineBytes: usize;
  depthBytes: usize;
  imageBytes: usize;

  dense(base: usize, rowBytes: usize, bias: usize, act: i32): void {
    this.base = base;
    this.rowBytes = rowBytes;
    this.bias = bias;
    this.act = act;
    this.columns = 0;
  }

  at(i: i32): usize {
    if (this.columns == 0) return this.base + <usize>i * this.rowBytes;
    let row = i / this.columns;
    const column = i - row * this.columns;
    let plane = row / this.rows;
    row -= plane * this.rows;
    const image = plane / this.planes;
    plane -= image * this.planes;
    return (
      this.base +
      <usize>image * this.imageBytes +
      <usize>plane * this.depthBytes +
      <usize>row * this.lineBytes +
      <usize>column * this.rowBytes
    );
  }

  /** Whether the n rows from i are all rowBytes apart. */
  @inline together(i: i32, n: i32): bool {
    return this.columns == 0 || (i % this.columns) + n <= this.columns;
  }

  /** Stores the product of the packed blocks: act((add ? C : 0) + A B + bias). */
  run<T>(): void {
    const tile = changetype<T>(0);
    const mr = tile.mr(),
      nr = tile.nr();
    const aStep = (<usize>mr) << 2,
      bStep = (<usize>nr) << 2;
    const a = this.a,
      i = this.i,
      kb = this.kb,
      mb = this.mb,
      add = this.add,
      scratch = this.scratch;
    const act = this.last ? this.act : ACT_NONE;
    let b = this.b,
      offset = (<usize>this.j) << 2;
    for (let nb = this.nb; nb > 0; nb -= nr) {
      const cols = min(nb, nr);
      const bias = this.last && this.bias != 0 ? this.bias + offset : 0;
      let ap = a;
      let row = i;
      for (let left = mb; left > 0; left -= mr) {
        const rows = min(left, mr);
        if (rows == mr && cols == nr && this.together(row, mr)) {
          const to = this.at(row) + offset;
          tile.run(kb, ap, aStep, b, bStep, to, this.rowBytes, add);
          if (bias != 0 || act != ACT_NONE) finish(to, this.rowBytes, mr, nr, bias, act);
        } else {
          tile.run(kb, ap, aStep, b, bStep, scratch, bStep, false);
          putRows(this, scratch, bStep, row, rows, offset, cols, add, bias, act);
        }
        ap += aStep * <usize>kb;
        row += mr;
      }
      b += bStep * <usize>kb;
      offset += bStep;
    }
  }

  /** Tiles are finished one by one. */
  @inline finish(m: i32, j: i32, n: i32): void {}
}
