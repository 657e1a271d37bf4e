// One matrix product by the five loops of BLIS: blocks of columns, of K and of rows, then the tiles of a block.
//
// Packed, a K block of B (NC columns) lies in the last cache, a block of A (MC rows) in the second, and one panel of B (NR
// columns) in the first while all panels of A pass by. Source: Van Zee, van de Geijn, "BLIS: A Framework for Rapidly
// Instantiating BLAS Functionality", 2015.
import { finishTile, scaleRows } from "./epilogue";
import { PACK_SLACK, packPanels } from "./pack";

/** The K block. It fixes the order of additions, so it is the same for every tile: changing it changes the bits. */
@inline export const KC: i32 = 256;
/** Rows of a block of A: a multiple of every MR. */
@inline const MC: i32 = 144;
/** Columns of a block of B: a multiple of every NR. */
@inline const NC: i32 = 1024;
/** The largest tile, in bytes. */
@inline const TILE_BYTES: i32 = 6 * 16 * 4;

@inline const A_BYTES: i32 = (MC * KC * 4 + <i32>PACK_SLACK + 63) & ~63;
@inline const B_BYTES: i32 = (NC * KC * 4 + <i32>PACK_SLACK + 63) & ~63;

/** Bytes of workspace a product needs: a block of A, a block of B and one tile. */
@inline export const WORKSPACE_BYTES: i32 = TILE_BYTES + A_BYTES + B_BYTES;

/** All tiles of a block: C[mb, nb] = or += packed A * packed B, with bias and activation when `last`. */
function blockTiles<T>(
  c: usize, a: usize, b: usize, bias: usize, mb: i32, nb: i32, kb: i32, cBytes: usize, add: bool, act: i32,
  scratch: usize,
): void {
  const tile = changetype<T>(0);
  const mr = tile.mr(), nr = tile.nr();
  const plain = bias == 0 && act == 0;
  const aPanelBytes = <usize>kb * (<usize>mr << 2), bPanelBytes = <usize>kb * (<usize>nr << 2);
  for (let j: i32 = 0; j < nb; j += nr) {
    const cols = min(nb - j, nr);
    const whole = plain && cols == nr;
    let ap = a, cp = c;
    for (let i: i32 = 0; i < mb; i += mr) {
      const rows = min(mb - i, mr);
      if (whole && rows == mr) {
        tile.run(kb, ap, b, cp, cBytes, add);
      } else {
        tile.run(kb, ap, b, scratch, <usize>nr << 2, false);
        finishTile(cp, cBytes, scratch, <usize>nr << 2, rows, cols, bias, add, act);
      }
      ap += aPanelBytes;
      cp += cBytes * <usize>mr;
    }
    b += bPanelBytes;
    c += <usize>nr << 2;
    if (bias != 0) bias += <usize>nr << 2;
  }
}

/**
 * C[m, n] = act(beta * C + A[m, k] B[k, n] + bias[n]) by tile T; strides and arguments as in gemm_f32, in bytes.
 *
 * Each element is act((((beta * C) + S0) + S1) ... + bias), S the sums over the K blocks, each from 0 in the order of p.
 */
export function gemmBlocks<T>(
  c: usize, a: usize, b: usize, bias: usize, m: i32, n: i32, k: i32,
  aRow: usize, aCol: usize, bRow: usize, bCol: usize, cRow: usize, beta: f32, act: i32, workspace: usize,
): void {
  const tile = changetype<T>(0);
  const mr = tile.mr(), nr = tile.nr();
  const packedA = workspace + TILE_BYTES, packedB = packedA + A_BYTES;
  if (beta != 0 && beta != 1) scaleRows(c, cRow, m, n, beta);
  for (let jc: i32 = 0; jc < n; jc += NC) {
    const nb = min(n - jc, NC);
    let pc: i32 = 0;
    do {
      const kb = min(k - pc, KC);
      const last = pc + kb == k;
      const add = pc > 0 || beta != 0;
      packPanels(packedB, b + <usize>jc * bCol + <usize>pc * bRow, nb, nr, kb, bCol, bRow);
      for (let ic: i32 = 0; ic < m; ic += MC) {
        const mb = min(m - ic, MC);
        packPanels(packedA, a + <usize>ic * aRow + <usize>pc * aCol, mb, mr, kb, aRow, aCol);
        blockTiles<T>(
          c + <usize>ic * cRow + (<usize>jc << 2), packedA, packedB, last && bias != 0 ? bias + (<usize>jc << 2) : 0,
          mb, nb, kb, cRow, add, last ? act : 0, workspace,
        );
      }
      pc += kb;
    } while (pc < k);
  }
}
