// Which algorithm computes a matrix product: the only place that decides. All algorithms give the same bits, so the
// choice is one of speed.
import { inPlace } from "./pack";
import { isWide } from "./tiles";

/**
 * The algorithms of gemm_f32. Each is right for every product that is a slice, of rows or of columns, of one for which
 * it was selected. 0 is no algorithm: it asks gemm_f32 to select.
 */
export enum GemmAlgorithm {
  /** Packed blocks and register tiles, the five loops of BLIS: blocked.ts. */
  BLOCKED = 1,
  /** Register tiles on operands as they lie, for products of a few hundred instructions: small.ts. */
  SMALL = 2,
  /** GEMV for a few rows of A, x^T B, or for a few steps, a sum of outer products: gemv/. */
  GEMV_ROWS = 3,
  /** GEMV for a few columns of B, A x: gemv/. */
  GEMV_COLUMNS = 4,
}

/** Most rows, columns and steps of a small product. */
@inline
const SMALL: i32 = 64;
/** Most vectors, or steps, of a GEMV where the elements of the matrix that are added at once are neighbours. */
@inline
const FEW: i32 = 8;
/** Likewise where they are not. */
@inline
const FEW_APART: i32 = 4;

/** Whether C is whole tiles, which a slice of such a product need not be. */
@inline
export function isWholeTiles(m: i32, n: i32): bool {
  return ((m & 3) | (n & (isWide() ? 15 : 7))) == 0;
}

/** The algorithm for A [m, k] B [k, n], whose strides are in elements, or for each product of a batch of them. */
@inline
export function selectGemm(m: i32, n: i32, k: i32, aRow: i32, aCol: i32, bRow: i32, bCol: i32): i32 {
  if (
    isWholeTiles(m, n) &&
    <u32>(k - 1) < <u32>SMALL &&
    m <= SMALL &&
    n <= SMALL &&
    (aCol == 1 || inPlace((<usize>aRow) << 2, (<usize>aCol) << 2, k)) &&
    (bRow == 1 || inPlace((<usize>bCol) << 2, (<usize>bRow) << 2, k))
  )
    return GemmAlgorithm.SMALL;
  if (m <= n && m <= (bCol == 1 ? FEW : FEW_APART)) return GemmAlgorithm.GEMV_ROWS;
  // With few steps the time is that of writing C, and GEMV writes its rows from front to back.
  if (bCol == 1 && k <= FEW && n > FEW) return GemmAlgorithm.GEMV_ROWS;
  if (n <= (aRow == 1 ? FEW : FEW_APART)) return GemmAlgorithm.GEMV_COLUMNS;
  return GemmAlgorithm.BLOCKED;
}

/**
 * Answers with the GemmAlgorithm of gemm_f32 for these operands of it: that of a whole product serves all its slices.
 */
export function gemm_select_f32(m: i32, n: i32, k: i32, aRow: i32, aCol: i32, bRow: i32, bCol: i32): i32 {
  return selectGemm(m, n, k, aRow, aCol, bRow, bCol);
}
