// GEMV, and products almost as thin: few rows, few columns or few steps. Their time is that of reading a matrix once,
// or of writing C, so nothing large is packed. The order of additions is that of the tiles, and so are the bits.
//
// One operand is the matrix, M, of many lines: the columns of B or the rows of A. The other is a few vectors, X: the
// rows of A or the columns of B. Sum (r, i) is that over p of X[r, p] * M[i, p], where M[i, p] is at m + i * lineBytes
// + p * stepBytes.
//
// Where the elements of M that share a step are neighbours, sums are made in axpy form (axpy.ts): a step of M times a
// number is added to all of them. Else they are made in dot form (dot.ts): a few at a time, in registers, over all
// steps.
import { KC } from "../blocked";
import { ACT_NONE, cutTile, finish } from "../epilogue";
import { PACK_SLACK } from "../pack";
import { axpySums } from "./axpy";
import { dotSums } from "./dot";

/** Vectors taken at a time: at most twice the GROUP of dot.ts. */
@inline
const FEW: i32 = 8;
/** Lines whose sums are kept in the workspace at a time: a multiple of the LINES of dot.ts. */
@inline
const STRIP: i32 = 512;
@inline
const STRIP_BYTES: usize = (<usize>STRIP) << 2;

/** Bytes of workspace that gemv needs: a strip of sums for each vector, and a K block of the vectors. */
@inline
export const GEMV_BYTES: i32 = (FEW * STRIP + FEW * KC) * 4 + PACK_SLACK;

/**
 * C = act(sums + bias) for `few` vectors and n lines. The vectors are rows of C when `inRows`, else columns;
 * rows of C are cRow bytes apart. `few` may be any number, but M is read again for every eight of them. Strides
 * are in bytes; `workspace` has GEMV_BYTES.
 */
// biome-ignore lint/complexity/noExcessiveCognitiveComplexity: two forms of sums for two layouts of C
export function gemv(
  c: usize,
  cRow: usize,
  inRows: bool,
  x: usize,
  xNext: usize,
  xStep: usize,
  few: i32,
  m: usize,
  lineBytes: usize,
  stepBytes: usize,
  bias: usize,
  n: i32,
  k: i32,
  act: i32,
  workspace: usize,
): void {
  const axpy = lineBytes == 4;
  const packed = workspace + STRIP_BYTES * <usize>FEW;
  const cLine: usize = inRows ? 4 : cRow;
  const cNext: usize = inRows ? cRow : 4;
  for (let r: i32 = 0; r < few; r += FEW) {
    const vectors = min(few - r, FEW);
    for (let i: i32 = 0; i < n; i += STRIP) {
      const lines = min(n - i, STRIP);
      const rows = inRows ? vectors : lines;
      const cols = inRows ? lines : vectors;
      const strip = c + <usize>i * cLine + <usize>r * cNext;
      let p: i32 = 0;
      do {
        const kb = min(k - p, KC);
        const xb = x + <usize>r * xNext + <usize>p * xStep;
        const mb = m + <usize>i * lineBytes + <usize>p * stepBytes;
        const add = p > 0;
        if (axpy && inRows && !add) {
          // The rows of C hold the sums.
          axpySums(strip, cRow, xb, xNext, xStep, vectors, mb, stepBytes, lines, kb);
        } else {
          if (axpy) {
            axpySums(workspace, STRIP_BYTES, xb, xNext, xStep, vectors, mb, stepBytes, lines, kb);
          } else {
            dotSums(workspace, STRIP_BYTES, xb, xNext, xStep, vectors, mb, lineBytes, stepBytes, lines, kb, packed);
          }
          if (inRows) cutTile(strip, cRow, workspace, STRIP_BYTES, rows, cols, add);
          else
            for (let v: i32 = 0; v < vectors; v++)
              cutTile(strip + ((<usize>v) << 2), cRow, workspace + <usize>v * STRIP_BYTES, 4, lines, 1, add);
        }
        p += kb;
      } while (p < k);
      const biasAt = inRows ? i : r;
      if (bias != 0 || act != ACT_NONE)
        finish(strip, cRow, rows, cols, bias != 0 ? bias + ((<usize>biasAt) << 2) : 0, act);
    }
  }
}
