// Products with few rows, few columns or few steps: where the time is that of reading a matrix once, or of writing C, so
// that nothing large is packed. The order of additions is that of the tiles, and so are the bits.
//
// One operand is the matrix, M, of many lines: the columns of B or the rows of A. The other is a few vectors, X: the rows
// of A or the columns of B. Sum (r, i) is that over p of X[r, p] * M[i, p], where M[i, p] is at
// m + i * lineBytes + p * stepBytes.
import { KC } from "./blocks";
import { ACT_NONE, cutTile, finish, scaleRows } from "./epilogue";
import { sumEight, sumLines, sumSixteen } from "./lines";
import { sumNeighbours } from "./neighbours";
import { PACK_SLACK, packPanels } from "./pack";

/** Vectors taken at a time, and how many of them the registers hold where lines are not neighbours. */
@inline
const FEW: i32 = 8;
@inline
const GROUP: i32 = 4;
/** Lines whose sums are kept in the workspace at a time: a multiple of LINES. */
@inline
const STRIP: i32 = 512;
@inline
const STRIP_BYTES: usize = (<usize>STRIP) << 2;
/** Lines summed at a time where they are not neighbours. */
@inline
const LINES: i32 = 8;

/** Bytes of workspace that skinny needs: a strip of sums for each vector, and a K block of the vectors. */
@inline
export const SKINNY_BYTES: i32 = (FEW * STRIP + FEW * KC) * 4 + PACK_SLACK;

/**
 * C = act(beta * C + sums + bias) for `few` vectors and n lines. The vectors are rows of C when `inRows`, else columns;
 * rows of C are cRow bytes apart. Strides are in bytes; `workspace` has SKINNY_BYTES.
 */
export function skinny(
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
  beta: f32,
  act: i32,
  workspace: usize,
): void {
  const neighbours = lineBytes == 4;
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
      if (beta != 0 && beta != 1) scaleRows(strip, cRow, rows, cols, beta);
      let p: i32 = 0;
      do {
        const kb = min(k - p, KC);
        const xb = x + <usize>r * xNext + <usize>p * xStep;
        const mb = m + <usize>i * lineBytes + <usize>p * stepBytes;
        const add = p > 0 || beta != 0;
        if (neighbours && inRows && !add) {
          // The rows of C hold the sums.
          sumNeighbours(strip, cRow, xb, xNext, xStep, vectors, mb, stepBytes, lines, kb);
        } else {
          if (neighbours) {
            sumNeighbours(workspace, STRIP_BYTES, xb, xNext, xStep, vectors, mb, stepBytes, lines, kb);
          } else {
            let l: i32 = 0;
            if (vectors == 1 && stepBytes == 4 && kb % 4 == 0) {
              // The first cache holds 8 lines a multiple of 4 KiB apart, and no more.
              const group = (lineBytes & 4095) == 0 ? 8 : 16;
              for (; l + group <= lines; l += group) {
                const sums = workspace + ((<usize>l) << 2);
                const lineAt = mb + <usize>l * lineBytes;
                if (group == 8) sumEight(sums, xb, xStep, lineAt, lineBytes, kb);
                else sumSixteen(sums, xb, xStep, lineAt, lineBytes, kb);
              }
            }
            if (l < lines) packPanels(packed, xb, vectors, GROUP, kb, xNext, xStep);
            for (; l < lines; l += LINES) {
              const last = min(lines - l, LINES) - 1;
              const sums = workspace + ((<usize>l) << 2);
              const lineAt = mb + <usize>l * lineBytes;
              sumLines(sums, STRIP_BYTES, packed, lineAt, lineBytes, stepBytes, last, kb);
              if (vectors > GROUP)
                sumLines(
                  sums + STRIP_BYTES * <usize>GROUP,
                  STRIP_BYTES,
                  packed + <usize>kb * 16,
                  lineAt,
                  lineBytes,
                  stepBytes,
                  last,
                  kb,
                );
            }
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
