// Matrix products of every layout, alone and in batches.
import { gemmBlocks, WORKSPACE_BYTES } from "./blocks";
import { chooseTile, chosenTile } from "./choice";
import { SKINNY_BYTES, skinny } from "./skinny";
import { gemmSmall, isSmall } from "./small";
import { Tile4x8, Tile4x16, Tile6x8, Tile6x16 } from "./tiles";

export { madd_limit_f32 } from "./limit";

/** How many tiles gemm_set_tile knows. */
export function gemm_tile_count(): i32 {
  return 4;
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
  return max(WORKSPACE_BYTES, (SKINNY_BYTES + 63) & ~63);
}

/** Rows, columns or steps up to which a product is skinny: along B's rows, and across lines of steps. */
@inline
const SKINNY: i32 = 8;
@inline
const SKINNY_ACROSS: i32 = 4;

/** One product, the way its shape asks for; all ways give the same bits. Strides in bytes. */
@inline
function product(
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
  const wide = chosenTile() > 1;
  if (wide ? isSmall<Tile4x16>(m, n, k, aRow, aCol, bRow, bCol) : isSmall<Tile4x8>(m, n, k, aRow, aCol, bRow, bCol)) {
    if (wide) gemmSmall<Tile4x16>(c, a, b, bias, m, n, k, aRow, aCol, bRow, bCol, cRow, beta, act, workspace);
    else gemmSmall<Tile4x8>(c, a, b, bias, m, n, k, aRow, aCol, bRow, bCol, cRow, beta, act, workspace);
    return;
  }
  const fewRows = m <= n && m <= (bCol == 4 ? SKINNY : SKINNY_ACROSS);
  // With few steps the time is that of writing C, which rows do from front to back.
  if (fewRows || (bCol == 4 && k <= SKINNY && n > SKINNY)) {
    skinny(c, cRow, true, a, aRow, aCol, m, b, bCol, bRow, bias, n, k, beta, act, workspace);
    return;
  }
  if (n <= (aRow == 4 ? SKINNY : SKINNY_ACROSS)) {
    skinny(c, cRow, false, b, bCol, bRow, n, a, aRow, aCol, bias, m, k, beta, act, workspace);
    return;
  }
  switch (chosenTile()) {
    case 1:
      gemmBlocks<Tile6x8, Tile4x8>(c, a, b, bias, m, n, k, aRow, aCol, bRow, bCol, cRow, beta, act, workspace);
      break;
    case 2:
      gemmBlocks<Tile4x16, Tile4x16>(c, a, b, bias, m, n, k, aRow, aCol, bRow, bCol, cRow, beta, act, workspace);
      break;
    case 3:
      gemmBlocks<Tile6x16, Tile4x16>(c, a, b, bias, m, n, k, aRow, aCol, bRow, bCol, cRow, beta, act, workspace);
      break;
    default:
      gemmBlocks<Tile4x8, Tile4x8>(c, a, b, bias, m, n, k, aRow, aCol, bRow, bCol, cRow, beta, act, workspace);
  }
}

/**
 * C[m, n] = act(beta * C + A[m, k] B[k, n] + bias[n]), for every batch of `dims`.
 *
 * Strides are in elements: A[i, p] is at a + 4 * (i * ars + p * acs), B[p, j] at b + 4 * (p * brs + j * bcs), and
 * C[i, j] at c + 4 * (i * crs + j). A and B may have any strides, 0 included, and may overlap; C overlaps nothing.
 *
 * Overwrites C for beta 0, which never reads it; else accumulates. bias: n values, or 0 for none. act: 0 none, 1 relu;
 * both are applied once, to the whole sum. k = 0 leaves act(beta * C + bias); m or n = 0 does nothing.
 *
 * Each element is the sum over K blocks of 256, in order, of sums in the order of p, each from 0: the same bits
 * whatever the tile, the layout, m, n and the place in the matrix.
 *
 * workspace: gemm_workspace_bytes() bytes, aligned to 64. dims: i32 [rank, n[rank], a[rank], b[rank], c[rank]], the
 * sizes of the batch dimensions and the strides of A, B and C along them; 0 for one product. A stride 0 of A or B
 * broadcasts it.
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
  ars: i32,
  acs: i32,
  brs: i32,
  bcs: i32,
  crs: i32,
  beta: f32,
  act: i32,
  workspace: usize,
  dims: usize,
): void {
  if (m <= 0 || n <= 0) return;
  const rank = dims != 0 ? load<i32>(dims) : 0;
  let batches: i32 = 1;
  for (let d: i32 = 0; d < rank; d++) batches *= load<i32>(dims + 4 + ((<usize>d) << 2));
  const sizes = dims + 4;
  const aStrides = sizes + ((<usize>rank) << 2);
  const bStrides = aStrides + ((<usize>rank) << 2);
  const cStrides = bStrides + ((<usize>rank) << 2);
  for (let batch: i32 = 0; batch < batches; batch++) {
    let rest = batch;
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
    product(
      c + (cOffset << 2),
      a + (aOffset << 2),
      b + (bOffset << 2),
      bias,
      m,
      n,
      k,
      (<usize>ars) << 2,
      (<usize>acs) << 2,
      (<usize>brs) << 2,
      (<usize>bcs) << 2,
      (<usize>crs) << 2,
      beta,
      act,
      workspace,
    );
  }
}
