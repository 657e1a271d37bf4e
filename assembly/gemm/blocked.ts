// One matrix product by the five loops of BLIS: blocks of K, of columns and of rows, then the tiles of a block.
//
// A block of B (KC by NC) stays in the last cache, a block of A (MC by KC) in the second, and one panel of B in the
// first, while all panels of A pass by it. Small blocks that lie as a tile reads them are not packed.
// Source: Van Zee, van de Geijn, "BLIS: A Framework for Rapidly Instantiating BLAS Functionality", 2015.

import { beat } from "../program/threads";
import { ACT_NONE, cutTile, finish } from "./epilogue";
import { inPlace, PACK_SLACK, packPanels } from "./pack";

/** The K block. It fixes the order of additions, so it is the same for every tile: changing it changes the bits. */
@inline
export const KC: i32 = 256;
/** Rows of a block of A: a multiple of every MR. */
@inline
export const MC: i32 = 144;
/** Columns of a block of B: a multiple of every NR. */
@inline
const NC: i32 = 1024;
/** Columns of a block of B when A is one block, packed once for all of them: such a block stays in the second cache. */
@inline
const NC_FEW_ROWS: i32 = 256;
/** With this many columns of C or fewer, packing A costs more than it saves. */
@inline
const DIRECT_COLUMNS: i32 = 128;
/** The largest tile, in bytes. */
@inline
export const TILE_BYTES: i32 = 6 * 16 * 4;

@inline
export const A_BYTES: i32 = (MC * KC * 4 + PACK_SLACK + 63) & ~63;
@inline
const B_BYTES: i32 = (NC * KC * 4 + PACK_SLACK + 63) & ~63;
/** Bytes of a Gemm in front of what it packs. */
@inline
const GEMM_BYTES: i32 = 128;

/** Bytes of workspace that a product needs: its description, one tile, a block of A and a block of B. */
@inline
export const WORKSPACE_BYTES: i32 = GEMM_BYTES + TILE_BYTES + A_BYTES + B_BYTES;
/** What products of up to MC rows leave of it: those that belong to a larger job have its data behind this. */
@inline
export const SCRATCH_BYTES: i32 = GEMM_BYTES + TILE_BYTES + A_BYTES + ((NC_FEW_ROWS * KC * 4 + PACK_SLACK + 63) & ~63);

/**
 * How many of `rows` rows go by panels of 6, so that the rest fills panels of 4 but for one row at most: the tiles of 4
 * rows waste less of themselves at the end of C.
 */
@inline
function tallRows(rows: i32): i32 {
  const even = (rows + 1) & ~1;
  const over = even % 6;
  const low = over == 0 ? 0 : over == 4 ? 4 : 8;
  return even < low ? 0 : min(rows, even - low);
}

/**
 * C[m, n] = act((adds ? C : 0) + A[m, k] B[k, n] + bias[n]), described at the start of the workspace; strides in bytes.
 */
@final
@unmanaged
export class Gemm {
  c: usize;
  a: usize;
  b: usize;
  bias: usize;
  m: i32;
  n: i32;
  k: i32;
  aRow: usize;
  aCol: usize;
  bRow: usize;
  bCol: usize;
  cRow: usize;
  act: i32;
  /** Whether the product is added to what C holds. */
  adds: bool;

  // The block of B that the tiles now read: its panels, bytes from step to step and from panel to panel, and a last
  // panel of fewer than NR columns, which is packed.
  private bPanels: usize;
  private bStep: usize;
  private bNext: usize;
  private bEdge: usize;
  /** Columns and steps of this block. */
  private nb: i32;
  private kb: i32;
  /** Bias and activation that this block finishes with: none before the last K block. */
  private biasNow: usize;
  private actNow: i32;

  /**
   * All tiles of T in `mb` rows of a block: C = act((add ? C : 0) + A B + bias).
   *
   * Panels of A start at `a`, `aNext` bytes apart, with steps of `aStep` bytes; where `rows` is set they are rows as
   * they lie in A, `aStep` bytes apart, with neighbouring steps. A last panel of fewer than MR rows is packed, at
   * `aEdge`.
   */
  private blockTiles<T>(
    tile: T,
    c: usize,
    rows: bool,
    a: usize,
    aStep: usize,
    aNext: usize,
    aEdge: usize,
    mb: i32,
    add: bool,
  ): void {
    const mr = tile.mr();
    const nr = tile.nr();
    const scratch = changetype<usize>(this) + GEMM_BYTES;
    const cRow = this.cRow;
    const nb = this.nb,
      kb = this.kb;
    const act = this.actNow;
    const bNext = this.bNext;
    let bias = this.biasNow;
    let b = this.bPanels,
      bStep = this.bStep;
    const finishes = bias != 0 || act != ACT_NONE;
    const whole = mb - (mb % mr);
    for (let j: i32 = 0; j < nb; j += nr) {
      const cols = min(nb - j, nr);
      if (cols < nr) {
        b = this.bEdge;
        bStep = (<usize>nr) << 2;
      }
      let ap = a;
      let cp = c;
      let i: i32 = 0;
      if (cols == nr) {
        for (; i < whole; i += mr) {
          if (rows) tile.runRows(kb, ap, aStep, b, bStep, cp, cRow, add);
          else tile.run(kb, ap, aStep, b, bStep, cp, cRow, add);
          if (finishes) finish(cp, cRow, mr, nr, bias, act);
          ap += aNext;
          cp += cRow * <usize>mr;
        }
      }
      for (; i < mb; i += mr) {
        const lines = min(mb - i, mr);
        if (lines < mr) tile.run(kb, aEdge, (<usize>mr) << 2, b, bStep, scratch, (<usize>nr) << 2, false);
        else if (rows) tile.runRows(kb, ap, aStep, b, bStep, scratch, (<usize>nr) << 2, false);
        else tile.run(kb, ap, aStep, b, bStep, scratch, (<usize>nr) << 2, false);
        cutTile(cp, cRow, scratch, (<usize>nr) << 2, lines, cols, add);
        if (finishes) finish(cp, cRow, lines, cols, bias, act);
        ap += aNext;
        cp += cRow * <usize>mr;
      }
      b += bNext;
      c += (<usize>nr) << 2;
      if (bias != 0) bias += (<usize>nr) << 2;
    }
  }

  /**
   * All tiles of T in `mb` rows of a block, from row i, column j and step p on. What cannot be read where it lies in A
   * is in panels at `packed`, and is put there first where `packs` is set; returns the end of these panels.
   */
  private blockRows<T>(
    tile: T,
    i: i32,
    mb: i32,
    j: i32,
    p: i32,
    rows: bool,
    kept: bool,
    packs: bool,
    packed: usize,
  ): usize {
    const mr = tile.mr();
    const kb = this.kb;
    const aRow = this.aRow,
      aCol = this.aCol;
    const a = this.a + <usize>i * aRow + <usize>p * aCol;
    const inA = kept ? mb - (mb % mr) : 0;
    const panelBytes = <usize>kb * ((<usize>mr) << 2);
    if (inA < mb && packs) packPanels(packed, a + <usize>inA * aRow, mb - inA, mr, kb, aRow, aCol);
    const panels = kept ? a : packed;
    const step = rows ? aRow : kept ? aCol : (<usize>mr) << 2;
    const next = kept ? aRow * <usize>mr : panelBytes;
    const edge = kept ? packed : packed + <usize>(mb / mr) * panelBytes;
    const c = this.c + <usize>i * this.cRow + ((<usize>j) << 2);
    this.blockTiles(tile, c, rows, panels, step, next, edge, mb, p > 0 || this.adds);
    return packed + <usize>((mb - inA + mr - 1) / mr) * panelBytes;
  }

  /** The whole product by tile T and, at the end of a block of rows, by the one of 4 rows and as many columns. */
  // biome-ignore lint/complexity/noExcessiveCognitiveComplexity: BLIS's loops over K, columns and rows, in their order
  run<T>(): void {
    const tall = changetype<T>(0),
      low = tall.low();
    const nr = tall.nr();
    const m = this.m,
      n = this.n,
      k = this.k;
    const aRow = this.aRow,
      aCol = this.aCol,
      bRow = this.bRow,
      bCol = this.bCol;
    const packedA = changetype<usize>(this) + GEMM_BYTES + TILE_BYTES;
    const packedB = packedA + A_BYTES;
    const nc = m <= MC ? NC_FEW_ROWS : NC;
    // Rows of A are read where they lie when few tiles would read them packed.
    const rows = aCol == 4 && (m <= MC || n <= DIRECT_COLUMNS);
    let pc: i32 = 0;
    do {
      const kb = min(k - pc, KC);
      const last = pc + kb == k;
      const aKept = rows || inPlace(aRow, aCol, kb);
      const bInPlace = inPlace(bCol, bRow, kb);
      const bNext = bInPlace ? (<usize>nr) << 2 : <usize>kb * ((<usize>nr) << 2);
      this.kb = kb;
      this.bStep = bInPlace ? bRow : (<usize>nr) << 2;
      this.bNext = bNext;
      this.actNow = last ? this.act : ACT_NONE;
      for (let jc: i32 = 0; jc < n; jc += nc) {
        const nb = min(n - jc, nc);
        const bBlock = this.b + <usize>jc * bCol + <usize>pc * bRow;
        const bKept = bInPlace ? nb - (nb % nr) : 0;
        if (bKept < nb) packPanels(packedB, bBlock + <usize>bKept * bCol, nb - bKept, nr, kb, bCol, bRow);
        this.nb = nb;
        this.bPanels = bInPlace ? bBlock : packedB;
        this.bEdge = bInPlace ? packedB : packedB + <usize>(nb / nr) * bNext;
        this.biasNow = last && this.bias != 0 ? this.bias + ((<usize>jc) << 2) : 0;
        for (let ic: i32 = 0; ic < m; ic += MC) {
          beat();
          const mb = min(m - ic, MC);
          const high = tall.mr() == low.mr() ? mb : tallRows(mb);
          // The only block of A serves all blocks of B.
          const packs = jc == 0 || m > MC;
          let packed = packedA;
          if (high > 0) packed = this.blockRows(tall, ic, high, jc, pc, rows, aKept, packs, packed);
          if (high < mb) this.blockRows(low, ic + high, mb - high, jc, pc, rows, aKept, packs, packed);
        }
      }
      pc += kb;
    } while (pc < k);
  }
}
