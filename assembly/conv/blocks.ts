// The product of a convolution: BLIS's loops as in gemm/blocks.ts, over operands that pack themselves and a result that
// lies in images.
//
// Columns run over all images, so that small images fill whole blocks and weights are packed once for many of them. The
// loop over columns is the outermost: a block of the result stays in the second cache until it is done.
import { A_BYTES, KC, MC, TILE_BYTES } from "../gemm/blocks";
import { cutTile } from "../gemm/epilogue";
import { PACK_SLACK } from "../gemm/pack";
import { beat } from "../program/team";
import { LINE, LINES_BYTES } from "./patches";
import { Result } from "./result";

/** Columns of a block: what a line of patches holds, and a multiple of every NR. */
@inline
const NC: i32 = LINE;
@inline
const B_BYTES: usize = (<usize>(NC * KC * 4 + PACK_SLACK) + 63) & ~63;

/**
 * The workspace behind the blocks: the lines of patches, then the descriptions of operands and result. Blocks of half the
 * columns of gemm_f32 leave room for them in its workspace.
 */
@inline
export const LINES_AT: usize = <usize>TILE_BYTES + <usize>A_BYTES + B_BYTES;
@inline
export const OPERANDS_AT: usize = LINES_AT + ((LINES_BYTES + 63) & ~63);
/** C[mb, nb] = (add ? C : 0) + A B for packed blocks, from row i and column j of the result. */
function blockTiles<T>(
  c: Result,
  a: usize,
  b: usize,
  i: i32,
  mb: i32,
  j: i32,
  nb: i32,
  kb: i32,
  add: bool,
  scratch: usize,
): void {
  const tile = changetype<T>(0);
  const mr = tile.mr(),
    nr = tile.nr();
  const aStep = (<usize>mr) << 2,
    bStep = (<usize>nr) << 2;
  const rowBytes = c.rowBytes;
  const end = j + nb;
  for (; j < end; j += nr) {
    const cols = min(end - j, nr);
    const together = c.locate(j, cols);
    let to = c.first + <usize>i * rowBytes;
    let ap = a;
    for (let left = mb; left > 0; left -= mr) {
      const rows = min(left, mr);
      if (together && rows == mr && cols == nr) {
        tile.run(kb, ap, aStep, b, bStep, to, rowBytes, add);
      } else {
        tile.run(kb, ap, aStep, b, bStep, scratch, bStep, false);
        if (together) cutTile(to, rowBytes, scratch, bStep, rows, cols, add);
        else c.scatter(to, scratch, bStep, rows, cols, add);
      }
      ap += aStep * <usize>kb;
      to += rowBytes * <usize>mr;
    }
    b += bStep * <usize>kb;
  }
}

/** C[m, n] = act(A[m, k] B[k, n] + bias[m]), each element summed as in gemm_f32: overwrites C. */
export function convProduct<T, A, B>(c: Result, a: A, b: B, m: i32, n: i32, k: i32, workspace: usize): void {
  const tile = changetype<T>(0);
  const mr = tile.mr(),
    nr = tile.nr();
  const packedA = workspace + TILE_BYTES;
  const packedB = packedA + A_BYTES;
  const oneBlock = m <= MC && k <= KC;
  for (let jc: i32 = 0; jc < n; jc += NC) {
    const nb = min(n - jc, NC);
    let pc: i32 = 0;
    do {
      const kb = min(k - pc, KC);
      b.pack(packedB, jc, nb, nr, pc, kb);
      for (let ic: i32 = 0; ic < m; ic += MC) {
        beat();
        const mb = min(m - ic, MC);
        if (!oneBlock || jc == 0) a.pack(packedA, ic, mb, mr, pc, kb);
        blockTiles<T>(c, packedA, packedB, ic, mb, jc, nb, kb, pc > 0, workspace);
      }
      pc += kb;
    } while (pc < k);
    c.finish(m, jc, nb);
  }
}
