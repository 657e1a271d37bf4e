// Products so small that the blocks, calls and packing of blocked.ts would be a good part of their time.
import { ACT_NONE, finish } from "./epilogue";
import { packPanels, packWholeLines } from "./pack";

/**
 * C = act(A B + bias), as Gemm of blocked.ts, for products of whole tiles that select.ts calls small: operands are read
 * where they lie, or B is packed whole. Strides are in bytes. The time of a product is that of a hundred instructions.
 */
export function gemmSmall<T>(
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
  act: i32,
  workspace: usize,
): void {
  const tile = changetype<T>(0);
  const mr = tile.mr();
  const nr = tile.nr();
  let bNext: usize = (<usize>nr) << 2;
  if (bCol != 4) {
    if (k % 4 == 0) packWholeLines(workspace, b, n, nr, k, bCol);
    else packPanels(workspace, b, n, nr, k, bCol, bRow);
    b = workspace;
    bRow = bNext;
    bNext *= <usize>k;
  }
  const rows = aCol == 4;
  const aNext = aRow * <usize>mr;
  const cNext = cRow * <usize>mr;
  const end = c + ((<usize>n) << 2);
  for (let to = c; to < end; to += (<usize>nr) << 2) {
    let ap = a;
    let cp = to;
    for (let i = m; i > 0; i -= mr) {
      if (rows) tile.runRows(k, ap, aRow, b, bRow, cp, cRow, false);
      else tile.run(k, ap, aCol, b, bRow, cp, cRow, false);
      ap += aNext;
      cp += cNext;
    }
    b += bNext;
  }
  if (bias != 0 || act != ACT_NONE) finish(c, cRow, m, n, bias, act);
}
