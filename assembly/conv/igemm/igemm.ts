// Implicit GEMM: the product of a convolution by BLIS's loops, as in gemm/blocked.ts, over operands that pack
// themselves and a result that stores itself. The im2col matrix is packed block by block, straight from the images.
//
// NCHW: rows are output channels, columns the pixels of all images, so that small images fill whole blocks and weights
// are packed once for many of them. NHWC: rows are pixels, columns channels. The loop over columns is the outermost: a
// block of the result stays in the second cache until it is done.
import { A_BYTES, KC, MC, TILE_BYTES } from "../../gemm/blocked";
import { PACK_SLACK } from "../../gemm/pack";
import { runWithTile, tileColumns, tileRows } from "../../gemm/tiles";
import { beat } from "../../program/threads";
import { PhaseTaps } from "../geometry";
import { LINE, LINES_BYTES } from "./im2col";

/** Columns of a block: what a line of im2col holds, and a multiple of every NR. */
@inline
const NC: i32 = LINE;
@inline
const B_BYTES: usize = (<usize>(NC * KC * 4 + PACK_SLACK) + 63) & ~63;

/**
 * The workspace: a tile, a block of A, a block of B, the lines of im2col, then an Igemm. Blocks of half the columns of
 * gemm_f32 leave room for all that in its workspace.
 */
@inline
export const LINES_AT: usize = <usize>TILE_BYTES + <usize>A_BYTES + B_BYTES;
@inline
const IGEMM_AT: usize = LINES_AT + ((LINES_BYTES + 63) & ~63);

// Where an Igemm describes its operands and result.
@inline
const A_AT: usize = 64;
@inline
const B_AT: usize = A_AT + 128;
@inline
const C_AT: usize = B_AT + 128;
@inline
const PHASE_AT: usize = C_AT + 256;

/**
 * C[m, n] = act(A[m, k] B[k, n] + bias), each element summed as in gemm_f32: overwrites C.
 *
 * A and B have pack(dst, line, lines, width, p, k), which packs steps p .. p + k - 1 of `lines` lines as packPanels
 * does. C is a PackedBlocks and has finish(): see store.ts.
 */
@final
@unmanaged
export class Igemm<C, A, B> {
  m: i32;
  n: i32;
  k: i32;
  /** Columns of an image. */
  pixels: i32;
  /** How many times as deep as KC a block is, of as much fewer rows and columns. */
  deep: i32;

  @inline a(): A {
    return changetype<A>(changetype<usize>(this) + A_AT);
  }
  @inline b(): B {
    return changetype<B>(changetype<usize>(this) + B_AT);
  }
  @inline c(): C {
    return changetype<C>(changetype<usize>(this) + C_AT);
  }
  @inline phaseTaps(): PhaseTaps {
    return changetype<PhaseTaps>(changetype<usize>(this) + PHASE_AT);
  }
  /** Room for a block of the product. */
  @inline sums(): usize {
    return (changetype<usize>(this) + 1024 + 63) & ~63;
  }
  /** LINES_BYTES for the lines of im2col. */
  @inline lines(): usize {
    return changetype<usize>(this) - IGEMM_AT + LINES_AT;
  }

  /**
   * Blocks have whole images of `pixels` columns, or parts of one: where columns add up in an image, its sums then have
   * one order, whichever images come before. A result that is dear to store takes deep blocks.
   */
  @inline setSize(m: i32, n: i32, k: i32, pixels: i32 = n, deep: i32 = 1): void {
    this.m = m;
    this.n = n;
    this.k = k;
    this.pixels = pixels;
    this.deep = deep;
  }

  run(): void {
    const mr = tileRows(),
      nr = tileColumns();
    const m = this.m,
      n = this.n,
      k = this.k,
      pixels = this.pixels;
    const kc = KC * this.deep,
      mc = MC / this.deep,
      nc = NC / this.deep;
    const a = this.a(),
      b = this.b(),
      c = this.c();
    const scratch = changetype<usize>(this) - IGEMM_AT;
    const packedA = scratch + TILE_BYTES;
    const packedB = packedA + A_BYTES;
    const oneBlock = m <= mc && k <= kc;
    c.scratch = scratch;
    c.a = packedA;
    c.b = packedB;
    for (let jc: i32 = 0, nb: i32 = 0; jc < n; jc += nb) {
      nb = min(n - jc, pixels < nc ? nc - (nc % pixels) : min(pixels - (jc % pixels), nc));
      c.j = jc;
      c.nb = nb;
      let pc: i32 = 0;
      do {
        const kb = min(k - pc, kc);
        c.kb = kb;
        c.add = pc > 0;
        c.last = pc + kb >= k;
        b.pack(packedB, jc, nb, nr, pc, kb);
        for (let ic: i32 = 0; ic < m; ic += mc) {
          beat();
          const mb = min(m - ic, mc);
          if (!oneBlock || jc == 0) a.pack(packedA, ic, mb, mr, pc, kb);
          c.i = ic;
          c.mb = mb;
          runWithTile(c);
        }
        pc += kb;
      } while (pc < k);
      c.finish(m, jc, nb);
    }
  }
}

/** Where an Igemm lies in the workspace. */
@inline
export function igemmIn<C, A, B>(workspace: usize): Igemm<C, A, B> {
  return changetype<Igemm<C, A, B>>(workspace + IGEMM_AT);
}
