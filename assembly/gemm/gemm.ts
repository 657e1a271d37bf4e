// Matrix products (GEMM) of every layout, alone and in batches.
import { Gemm, WORKSPACE_BYTES } from "./blocked";
import { GEMV_BYTES, gemv } from "./gemv/gemv";
import { GemmAlgorithm, isWholeTiles, selectGemm } from "./select";
import { gemmSmall } from "./small";
import { chooseTile, isWide, runWithTile, TILES } from "./tiles";
import { Tile4x8 } from "./tiles8";
import { Tile4x16 } from "./tiles16";

/** How many tiles gemm_set_tile knows. */
export function gemm_tile_count(): i32 {
  return TILES;
}

/**
 * Chooses the register tile of later products in this instance: 0 is 4x8, 1 is 6x8, 2 is 4x16, 3 is 6x16.
 *
 * Other numbers choose 0. The choice changes the speed, never the bits. Which is fastest depends on the engine.
 */
export function gemm_set_tile(id: i32): void {
  chooseTile(id);
}

/** Bytes of the workspace that gemm_f32 packs into. */
export function gemm_workspace_bytes(): i32 {
  return max(WORKSPACE_BYTES, (GEMV_BYTES + 63) & ~63);
}

/**
 * C[m, n] = act(A[m, k] B[k, n] + bias[n]), for every product of `batch`.
 *
 * Strides are in elements: A[i, p] is at a + 4 * (i * aRow + p * aCol), B[p, j] at b + 4 * (p * bRow + j * bCol), and
 * C[i, j] at c + 4 * (i * cRow + j). A and B may have any strides, 0 included, and may overlap; C overlaps nothing.
 *
 * Overwrites C and never reads what was there. bias: n values, or 0 for none. act: 0 none, 1 relu; both are applied
 * once, to the whole sum. k = 0 leaves act(bias); m or n = 0 does nothing.
 *
 * Each element is the sum over K blocks of 256, in order, of sums in the order of p, each from 0: the same bits
 * whatever the tile, the algorithm, the layout, m, n and the place in the matrix.
 *
 * algorithm: 0 selects one for this call; else what gemm_select_f32 answered for the product that this is, or is a
 * slice of. workspace: gemm_workspace_bytes() bytes, aligned to 64. batch: i32 [rank, n[rank], a[rank], b[rank],
 * c[rank]], the sizes of the batch dimensions and the strides of A, B and C along them; 0 for one product. A stride 0
 * of A or B broadcasts it.
 *
 * Source: PyTorch's addmm, baddbmm and matmul.
 */
export function gemm_f32(
  c: usize,
  a: usize,
  b: usize,
  bias: usize,
  m: i32,
  n: i32,
  k: i32,
  aRow: i32,
  aCol: i32,
  bRow: i32,
  bCol: i32,
  cRow: i32,
  act: i32,
  algorithm: i32,
  workspace: usize,
  batch: usize,
): void {
  if (m <= 0 || n <= 0) return;
  if (algorithm == 0) algorithm = selectGemm(m, n, k, aRow, aCol, bRow, bCol);
  // A slice of a small product may cut its tiles.
  else if (algorithm == GemmAlgorithm.SMALL && !isWholeTiles(m, n)) algorithm = GemmAlgorithm.BLOCKED;
  // In bytes.
  const ar = (<usize>aRow) << 2,
    ac = (<usize>aCol) << 2,
    br = (<usize>bRow) << 2,
    bc = (<usize>bCol) << 2,
    cr = (<usize>cRow) << 2;
  const job = changetype<Gemm>(workspace);
  if (algorithm == GemmAlgorithm.BLOCKED) {
    job.bias = bias;
    job.m = m;
    job.n = n;
    job.k = k;
    job.aRow = ar;
    job.aCol = ac;
    job.bRow = br;
    job.bCol = bc;
    job.cRow = cr;
    job.act = act;
    job.adds = false;
  }
  const rank = batch != 0 ? load<i32>(batch) : 0;
  const sizes = batch + 4;
  const aStrides = sizes + ((<usize>rank) << 2);
  const bStrides = aStrides + ((<usize>rank) << 2);
  const cStrides = bStrides + ((<usize>rank) << 2);
  let products: i32 = 1;
  for (let d: i32 = 0; d < rank; d++) products *= load<i32>(sizes + ((<usize>d) << 2));
  for (let product: i32 = 0; product < products; product++) {
    let rest = product;
    let aOffset: usize = 0;
    let bOffset: usize = 0;
    let cOffset: usize = 0;
    for (let d = rank - 1; d >= 0; d--) {
      const at = (<usize>d) << 2;
      const size = load<i32>(sizes + at);
      const i = rest % size;
      rest /= size;
      aOffset += <usize>i * <usize>load<i32>(aStrides + at);
      bOffset += <usize>i * <usize>load<i32>(bStrides + at);
      cOffset += <usize>i * <usize>load<i32>(cStrides + at);
    }
    const to = c + (cOffset << 2),
      x = a + (aOffset << 2),
      y = b + (bOffset << 2);
    switch (algorithm) {
      case GemmAlgorithm.SMALL:
        if (isWide()) gemmSmall<Tile4x16>(to, x, y, bias, m, n, k, ar, ac, br, bc, cr, act, workspace);
        else gemmSmall<Tile4x8>(to, x, y, bias, m, n, k, ar, ac, br, bc, cr, act, workspace);
        break;
      case GemmAlgorithm.GEMV_ROWS:
        gemv(to, cr, true, x, ar, ac, m, y, bc, br, bias, n, k, act, workspace);
        break;
      case GemmAlgorithm.GEMV_COLUMNS:
        gemv(to, cr, false, y, bc, br, n, x, ar, ac, bias, m, k, act, workspace);
        break;
      default:
        job.c = to;
        job.a = x;
        job.b = y;
        runWithTile(job);
    }
  }
}
