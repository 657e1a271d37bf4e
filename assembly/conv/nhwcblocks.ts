// The product of a channels-last convolution: BLIS's loops as in gemm/blocks.ts, over operands that pack themselves and a
// result whose rows are pixels, or taps of the weight.
import { A_BYTES, KC, MC, TILE_BYTES } from "../gemm/blocks";
import { ACT_NONE, cutTile, finish } from "../gemm/epilogue";
import { PACK_SLACK, packPanels } from "../gemm/pack";
import { beat } from "../program/team";
import { LINES_BYTES } from "./patches";

/** Columns of a block: a multiple of every NR. Half of gemm_f32's leave room for the rest in its workspace. */
@inline
const NC: i32 = 512;
@inline
const B_BYTES: usize = (<usize>(NC * KC * 4 + PACK_SLACK) + 63) & ~63;

/** The workspace behind the blocks: the lines of patches (of planes, which are the longer), then the descriptions of operands and result. */
@inline
export const PATCH_LINES_AT: usize = <usize>TILE_BYTES + <usize>A_BYTES + B_BYTES;
@inline
export const NHWC_OPERANDS_AT: usize = PATCH_LINES_AT + ((LINES_BYTES + 63) & ~63);

/** Rows `rowBytes` apart, or, where `columns` is set, those of pixels of images that lie apart. */
@final
@unmanaged
export class RowPlaces {
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
}

/** What a tile leaves behind: C[rows, cols] = act((add ? C : 0) + T + bias) for a part of it, or rows that lie apart. */
function putRows(
  c: RowPlaces,
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

/** C[mb, nb] = act((add ? C : 0) + A B + bias) for packed blocks, from row i and column j of the result. */
function blockTiles<T>(
  c: RowPlaces,
  a: usize,
  b: usize,
  i: i32,
  mb: i32,
  j: i32,
  nb: i32,
  kb: i32,
  add: bool,
  last: bool,
  scratch: usize,
): void {
  const tile = changetype<T>(0);
  const mr = tile.mr(),
    nr = tile.nr();
  const aStep = (<usize>mr) << 2,
    bStep = (<usize>nr) << 2;
  const act = last ? c.act : ACT_NONE;
  for (; nb > 0; nb -= nr) {
    const cols = min(nb, nr);
    const offset = (<usize>j) << 2;
    const bias = last && c.bias != 0 ? c.bias + offset : 0;
    let ap = a;
    let row = i;
    for (let left = mb; left > 0; left -= mr) {
      const rows = min(left, mr);
      if (rows == mr && cols == nr && c.together(row, mr)) {
        const to = c.at(row) + offset;
        tile.run(kb, ap, aStep, b, bStep, to, c.rowBytes, add);
        if (bias != 0 || act != ACT_NONE) finish(to, c.rowBytes, mr, nr, bias, act);
      } else {
        tile.run(kb, ap, aStep, b, bStep, scratch, bStep, false);
        putRows(c, scratch, bStep, row, rows, offset, cols, add, bias, act);
      }
      ap += aStep * <usize>kb;
      row += mr;
    }
    b += bStep * <usize>kb;
    j += nr;
  }
}

/** C[m, n] = act(A[m, k] B[k, n] + bias[n]), each element summed as in gemm_f32: overwrites C. */
export function nhwcProduct<T, A, B>(c: RowPlaces, a: A, b: B, m: i32, n: i32, k: i32, workspace: usize): void {
  const tile = changetype<T>(0);
  const mr = tile.mr(),
    nr = tile.nr();
  const packedA = workspace + TILE_BYTES;
  const packedB = packedA + A_BYTES;
  let pc: i32 = 0;
  do {
    const kb = min(k - pc, KC);
    for (let jc: i32 = 0; jc < n; jc += NC) {
      const nb = min(n - jc, NC);
      b.pack(packedB, jc, nb, nr, pc, kb);
      for (let ic: i32 = 0; ic < m; ic += MC) {
        beat();
        const mb = min(m - ic, MC);
        // The only block of A serves all blocks of B.
        if (jc == 0 || m > MC) a.pack(packedA, ic, mb, mr, pc, kb);
        blockTiles<T>(c, packedA, packedB, ic, mb, jc, nb, kb, pc > 0, pc + kb >= k, workspace);
      }
    }
    pc += kb;
  } while (pc < k);
}

/** A matrix whose rows are steps of neighbouring columns: weights, and gradients of images. */
@final
@unmanaged
export class RowLines {
  base: usize;
  rowBytes: usize;

  /** Packs rows p .. p + k - 1 of `lines` columns from j, as packPanels does. */
  pack(dst: usize, j: i32, lines: i32, width: i32, p: i32, k: i32): void {
    packPanels(dst, this.base + ((<usize>j) << 2) + <usize>p * this.rowBytes, lines, width, k, 4, this.rowBytes);
  }
}

/** Weights of some taps with their rows as columns: step (tap, output channel), line input channel. */
@final
@unmanaged
export class TurnedTaps {
  base: usize;
  /** Output channels, and bytes from input channel to input channel. */
  channels: i32;
  rowBytes: usize;
  rowTaps: i32;
  columnTaps: i32;
  depthStep: usize;
  rowStep: usize;
  columnStep: usize;

  pack(dst: usize, j: i32, lines: i32, width: i32, p: i32, k: i32): void {
    const panelLines = <usize>width * this.rowBytes;
    let from = this.base + <usize>j * this.rowBytes;
    const end = p + k;
    for (; lines > 0; lines -= width) {
      for (let at = p; at < end; ) {
        const tap = at / this.channels;
        const channel = at - tap * this.channels;
        const row = tap / this.columnTaps;
        const plane = row / this.rowTaps;
        const count = min(this.channels - channel, end - at);
        const src =
          from +
          <usize>plane * this.depthStep +
          <usize>(row - plane * this.rowTaps) * this.rowStep +
          <usize>(tap - row * this.columnTaps) * this.columnStep +
          ((<usize>channel) << 2);
        packPanels(dst, src, min(lines, width), width, count, this.rowBytes, 4);
        dst += (<usize>(width * count)) << 2;
        at += count;
      }
      from += panelLines;
    }
  }
}
