// Products so small that the blocks, calls and packing of gemmBlocks would be a good part of their time.
import { inPlace } from "./blocks";
import { ACT_NONE, finish, scaleRows } from "./epilogue";
import { packPanels, packWholeLines } from "./pack";

/** Rows, columns and steps of a small product at most. */
@inline
const SMALL: i32 = 64;

/**
 * Whether gemmSmall does it: whole tiles of T, one K block, and operands small enough to be read where they lie, or B to
 * be packed whole.
 */
@inline
export function isSmall<T>(m: i32, n: i32, k: i32, aRow: usize, aCol: usize, bRow: usize, bCol: usize): bool {
  const tile = changetype<T>(0);
  return (
    m % tile.mr() == 0 &&
    n % tile.nr() == 0 &&
    <u32>(k - 1) < <u32>SMALL &&
    m <= SMALL &&
    n <= SMALL &&
    (aCol == 4 || inPlace(aRow, aCol, k)) &&
    (bRow == 4 || inPlace(bCol, bRow, k))
  );
}

/** As gemmBlocks, for what isSmall() admits: where the time of a product is that of a hundred instructions. */
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
  beta: f32,
  act: i32,
  workspace: usize,
): void {
  const tile = changetype<T>(0);
  const mr = tile.mr();
  const nr = tile.nr();
  if (beta != 0 && beta != 1) scaleRows(c, cRow, m, n, beta);
  let bNext: usize = (<usize>nr) << 2;
  if (bCol != 4) {
    if (k % 4 == 0) packWholeLines(workspace, b, n, nr, k, bCol);
    else packPanels(workspace, b, n, nr, k, bCol, bRow);
    b = workspace;
    bRow = bNext;
    bNext *= <usize>k;
  }
  const add = beta != 0;
  const rows = aCol == 4;
  const aNext = aRow * <usize>mr;
  const cNext = cRow * <usize>mr;
  const end = c + ((<usize>n) << 2);
  for (let to = c; to < end; to += (<usize>nr) << 2) {
    let ap = a;
    let cp = to;
    for (let i = m; i > 0; i -= mr) {
      if (rows) tile.runRows(k, ap, aRow, b, bRow, cp, cRow, add);
      else tile.run(k, ap, aCol, b, bRow, cp, cRow, add);
      ap += aNext;
      cp += cNext;
    }
    b += bNext;
  }
  if (bias != 0 || act != ACT_NONE) finish(c, cRow, m, n, bias, act);
}
