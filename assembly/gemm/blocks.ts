// One matrix product by the five loops of BLIS: blocks of K, of columns and of rows, then the tiles of a block.
//
// A block of B (KC by NC) stays in the last cache, a block of A (MC by KC) in the second, and one panel of B in the
// first, while all panels of A pass by it. Small blocks that lie as a tile reads them are not packed.
// Source: Van Zee, van de Geijn, "BLIS: A Framework for Rapidly Instantiating BLAS Functionality", 2015.

import { beat } from "../program/team";
import { ACT_NONE, cutTile, finish, scaleRows } from "./epilogue";
import { PACK_SLACK, packPanels } from "./pack";

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
/** Columns of C too few for packing A to pay. */
@inline
const DIRECT_COLUMNS: i32 = 128;
/** How far the steps of a block may reach for it to stay unpacked. */
@inline
const IN_PLACE_BYTES: usize = 16384;
/** The largest tile, in bytes. */
@inline
export const TILE_BYTES: i32 = 6 * 16 * 4;

@inline
export const A_BYTES: i32 = (MC * KC * 4 + PACK_SLACK + 63) & ~63;
@inline
const B_BYTES: i32 = (NC * KC * 4 + PACK_SLACK + 63) & ~63;

/** Bytes of workspace a product needs: a block of A, a block of B and one tile. */
@inline
export const WORKSPACE_BYTES: i32 = TILE_BYTES + A_BYTES + B_BYTES;

/**
 * Whether lines are read where they lie: neighbours, with all steps of the K block close enough to stay in the first
 * cache. A tile counts its steps by the address in A, so a stride of 0 is packed.
 */
@inline
export function inPlace(lineBytes: usize, stepBytes: usize, kb: i32): bool {
  return lineBytes == 4 && stepBytes - 1 < IN_PLACE_BYTES && stepBytes * <usize>kb <= IN_PLACE_BYTES;
}

/**
 * All tiles of T in some rows of a block: C[mb, nb] = act((add ? C : 0) + A B + bias).
 *
 * Panels of A start at `a`, `aNext` bytes apart, with steps of `aStep` bytes; where `rows` is set they are rows as they
 * lie in A, `aStep` bytes apart, with neighbouring steps. A last panel of fewer than MR rows is packed, at `aEdge`. B
 * likewise, always with steps.
 */
function blockTiles<T>(
  c: usize,
  cRow: usize,
  rows: bool,
  a: usize,
  aStep: usize,
  aNext: usize,
  aEdge: usize,
  b: usize,
  bStep: usize,
  bNext: usize,
  bEdge: usize,
  bias: usize,
  mb: i32,
  nb: i32,
  kb: i32,
  add: bool,
  act: i32,
  scratch: usize,
): void {
  const tile = changetype<T>(0);
  const mr = tile.mr();
  const nr = tile.nr();
  const finishes = bias != 0 || act != ACT_NONE;
  const whole = mb - (mb % mr);
  for (let j: i32 = 0; j < nb; j += nr) {
    const cols = min(nb - j, nr);
    if (cols < nr) {
      b = bEdge;
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
 * C[m, n] = act(beta * C + A[m, k] B[k, n] + bias[n]) by tile T, and by U, of 4 rows and as many columns, at the end of
 * a block of rows. Arguments as in gemm_f32, strides in bytes.
 *
 * Each element is act((((beta * C) + S0) + S1) ... + bias), where S are the sums over the K blocks.
 */
export function gemmBlocks<T, U>(
  c: usize,
  a: usize,
  b: usize,
  bias: usize,
  m: i32,
  n: i32,
  k: i32,
  aRow: usize,
  aCol: usize,
  bRow: usize,
  bCol: usize,
  cRow: usize,
  beta: f32,
  act: i32,
  workspace: usize,
): void {
  const tall = changetype<T>(0).mr();
  const low = changetype<U>(0).mr();
  const nr = changetype<T>(0).nr();
  const packedA = workspace + TILE_BYTES;
  const packedB = packedA + A_BYTES;
  if (beta != 0 && beta != 1) scaleRows(c, cRow, m, n, beta);
  const nc = m <= MC ? NC_FEW_ROWS : NC;
  // Rows of A are read where they lie when few tiles would read them packed.
  const rows = aCol == 4 && (m <= MC || n <= DIRECT_COLUMNS);
  let pc: i32 = 0;
  do {
    const kb = min(k - pc, KC);
    const add = pc > 0 || beta != 0;
    const last = pc + kb == k;
    const aKept = rows || inPlace(aRow, aCol, kb);
    const bInPlace = inPlace(bCol, bRow, kb);
    const bStep = bInPlace ? bRow : (<usize>nr) << 2;
    const bNext = bInPlace ? (<usize>nr) << 2 : <usize>kb * ((<usize>nr) << 2);
    for (let jc: i32 = 0; jc < n; jc += nc) {
      const nb = min(n - jc, nc);
      const bBlock = b + <usize>jc * bCol + <usize>pc * bRow;
      const bKept = bInPlace ? nb - (nb % nr) : 0;
      if (bKept < nb) packPanels(packedB, bBlock + <usize>bKept * bCol, nb - bKept, nr, kb, bCol, bRow);
      const bPanels = bInPlace ? bBlock : packedB;
      const bEdge = bInPlace ? packedB : packedB + <usize>(nb / nr) * bNext;
      for (let ic: i32 = 0; ic < m; ic += MC) {
        beat();
        const mb = min(m - ic, MC);
        let at = ic;
        let left = tall == 4 ? mb : tallRows(mb);
        let packed = packedA;
        // The rows of the tall tile, then those of the low one.
        for (let turn = 0; turn < 2; turn++) {
          if (left > 0) {
            const mr = turn == 0 ? tall : low;
            const source = a + <usize>at * aRow + <usize>pc * aCol;
            const kept = aKept ? left - (left % mr) : 0;
            const panelBytes = <usize>kb * ((<usize>mr) << 2);
            // The only block of A serves all blocks of B.
            if (kept < left && (jc == 0 || m > MC))
              packPanels(packed, source + <usize>kept * aRow, left - kept, mr, kb, aRow, aCol);
            const panels = aKept ? source : packed;
            const step = rows ? aRow : aKept ? aCol : (<usize>mr) << 2;
            const next = aKept ? aRow * <usize>mr : panelBytes;
            const edge = aKept ? packed : packed + <usize>(left / mr) * panelBytes;
            const to = c + <usize>at * cRow + ((<usize>jc) << 2);
            const biasNow = last && bias != 0 ? bias + ((<usize>jc) << 2) : 0;
            const actNow = last ? act : ACT_NONE;
            if (turn == 0)
              blockTiles<T>(
                to,
                cRow,
                rows,
                panels,
                step,
                next,
                edge,
                bPanels,
                bStep,
                bNext,
                bEdge,
                biasNow,
                left,
                nb,
                kb,
                add,
                actNow,
                workspace,
              );
            else
              blockTiles<U>(
                to,
                cRow,
                rows,
                panels,
                step,
                next,
                edge,
                bPanels,
                bStep,
                bNext,
                bEdge,
                biasNow,
                left,
                nb,
                kb,
                add,
                actNow,
                workspace,
              );
            packed += <usize>((left - kept + mr - 1) / mr) * panelBytes;
          }
          at += left;
          left = ic + mb - at;
        }
      }
    }
    pc += kb;
  } while (pc < k);
}
