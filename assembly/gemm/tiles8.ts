// The register tiles of 8 columns, the micro-kernels of GEMM: C[MR, NR] = or += A[MR, k] B[k, NR] on panels, with the
// whole tile of C held in locals.
//
// A is k groups of MR values, `aStep` bytes (not 0) apart; B is k groups of NR values, `bStep` bytes apart. Each
// element is one sum over p = 0 .. k-1, in order, from 0, so that every tile gives the same bits. `add` says whether
// the sum is added to C or replaces it. runRows() takes A as rows, `aRow` bytes apart, whose steps are neighbours: A
// that is not worth packing.
//
// How V8 schedules a basic block decides the speed. In a plainly unrolled loop V8 computes one element of C through all
// steps before the next element, keeps the operands of all steps at once, and spills. An exit from the loop after every
// step makes each step a block of its own; V8 then also computes the addresses of the splats outside of the loop.
// Within a step V8 goes through the locals from the last to the first. So the last row stands first in the source, and
// its operand is loaded where it is used. Tiles of 6 rows have no register left for that and are not unrolled. This is
// why the steps are written out, and why tiles do not share a generic body. Rows of C are stored as adjacent pairs,
// from pointers of their own, because V8's revectorizer starts from such pairs.
import { madd } from "../lanes";
import { add8, put8 } from "./vectors";

/** Eight accumulators: the fastest where the product is rounded on its own (strict). */
@final
@unmanaged
export class Tile4x8 {
  @inline mr(): i32 {
    return 4;
  }
  @inline nr(): i32 {
    return 8;
  }
  /** The tile of 4 rows and as many columns. */
  @inline low(): Tile4x8 {
    return changetype<Tile4x8>(0);
  }

  // biome-ignore format: a row of the tile in a line.
  run(
    k: i32, a: usize, aStep: usize, b: usize, bStep: usize, c: usize, rowBytes: usize, add: bool,
  ): void {
    let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
    let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
    let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
    let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
    let x: v128, b0: v128, b1: v128;
    const end = a + aStep * <usize>k;
    if (a != end) while (true) {
      b0 = v128.load(b); b1 = v128.load(b, 16);
      x = v128.load32_splat(a, 12); c30 = madd(x, b0, c30); c31 = madd(x, b1, c31);
      x = v128.load32_splat(a, 8); c20 = madd(x, b0, c20); c21 = madd(x, b1, c21);
      x = v128.load32_splat(a, 4); c10 = madd(x, b0, c10); c11 = madd(x, b1, c11);
      x = v128.load32_splat(a); c00 = madd(x, b0, c00); c01 = madd(x, b1, c01);
      a += aStep; b += bStep;
      if (a == end) break;

      b0 = v128.load(b); b1 = v128.load(b, 16);
      x = v128.load32_splat(a, 12); c30 = madd(x, b0, c30); c31 = madd(x, b1, c31);
      x = v128.load32_splat(a, 8); c20 = madd(x, b0, c20); c21 = madd(x, b1, c21);
      x = v128.load32_splat(a, 4); c10 = madd(x, b0, c10); c11 = madd(x, b1, c11);
      x = v128.load32_splat(a); c00 = madd(x, b0, c00); c01 = madd(x, b1, c01);
      a += aStep; b += bStep;
      if (a == end) break;

      b0 = v128.load(b); b1 = v128.load(b, 16);
      x = v128.load32_splat(a, 12); c30 = madd(x, b0, c30); c31 = madd(x, b1, c31);
      x = v128.load32_splat(a, 8); c20 = madd(x, b0, c20); c21 = madd(x, b1, c21);
      x = v128.load32_splat(a, 4); c10 = madd(x, b0, c10); c11 = madd(x, b1, c11);
      x = v128.load32_splat(a); c00 = madd(x, b0, c00); c01 = madd(x, b1, c01);
      a += aStep; b += bStep;
      if (a == end) break;

      b0 = v128.load(b); b1 = v128.load(b, 16);
      x = v128.load32_splat(a, 12); c30 = madd(x, b0, c30); c31 = madd(x, b1, c31);
      x = v128.load32_splat(a, 8); c20 = madd(x, b0, c20); c21 = madd(x, b1, c21);
      x = v128.load32_splat(a, 4); c10 = madd(x, b0, c10); c11 = madd(x, b1, c11);
      x = v128.load32_splat(a); c00 = madd(x, b0, c00); c01 = madd(x, b1, c01);
      a += aStep; b += bStep;
      if (a == end) break;
    }
    this.put(c, rowBytes, add, c00, c01, c10, c11, c20, c21, c30, c31);
  }

  // biome-ignore format: a row of the tile in a line.
  runRows(
    k: i32, a: usize, aRow: usize, b: usize, bStep: usize, c: usize, rowBytes: usize, add: bool,
  ): void {
    let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
    let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
    let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
    let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
    let x: v128, b0: v128, b1: v128;
    let a1 = a + aRow, a2 = a1 + aRow, a3 = a2 + aRow;
    if (k > 0) while (true) {
      b0 = v128.load(b); b1 = v128.load(b, 16);
      x = v128.load32_splat(a3); c30 = madd(x, b0, c30); c31 = madd(x, b1, c31);
      x = v128.load32_splat(a2); c20 = madd(x, b0, c20); c21 = madd(x, b1, c21);
      x = v128.load32_splat(a1); c10 = madd(x, b0, c10); c11 = madd(x, b1, c11);
      x = v128.load32_splat(a); c00 = madd(x, b0, c00); c01 = madd(x, b1, c01);
      b += bStep;
      if (k == 1) break;

      b0 = v128.load(b); b1 = v128.load(b, 16);
      x = v128.load32_splat(a3, 4); c30 = madd(x, b0, c30); c31 = madd(x, b1, c31);
      x = v128.load32_splat(a2, 4); c20 = madd(x, b0, c20); c21 = madd(x, b1, c21);
      x = v128.load32_splat(a1, 4); c10 = madd(x, b0, c10); c11 = madd(x, b1, c11);
      x = v128.load32_splat(a, 4); c00 = madd(x, b0, c00); c01 = madd(x, b1, c01);
      b += bStep;
      if (k == 2) break;

      b0 = v128.load(b); b1 = v128.load(b, 16);
      x = v128.load32_splat(a3, 8); c30 = madd(x, b0, c30); c31 = madd(x, b1, c31);
      x = v128.load32_splat(a2, 8); c20 = madd(x, b0, c20); c21 = madd(x, b1, c21);
      x = v128.load32_splat(a1, 8); c10 = madd(x, b0, c10); c11 = madd(x, b1, c11);
      x = v128.load32_splat(a, 8); c00 = madd(x, b0, c00); c01 = madd(x, b1, c01);
      b += bStep;
      if (k == 3) break;

      b0 = v128.load(b); b1 = v128.load(b, 16);
      x = v128.load32_splat(a3, 12); c30 = madd(x, b0, c30); c31 = madd(x, b1, c31);
      x = v128.load32_splat(a2, 12); c20 = madd(x, b0, c20); c21 = madd(x, b1, c21);
      x = v128.load32_splat(a1, 12); c10 = madd(x, b0, c10); c11 = madd(x, b1, c11);
      x = v128.load32_splat(a, 12); c00 = madd(x, b0, c00); c01 = madd(x, b1, c01);
      b += bStep; k -= 4;
      if (k == 0) break;
      a += 16; a1 += 16; a2 += 16; a3 += 16;
    }
    this.put(c, rowBytes, add, c00, c01, c10, c11, c20, c21, c30, c31);
  }

  /** Stores or adds the tile. */
  // biome-ignore format: a row of the tile in a line.
  @inline put(
    c: usize, rowBytes: usize, add: bool,
    c00: v128, c01: v128,
    c10: v128, c11: v128,
    c20: v128, c21: v128,
    c30: v128, c31: v128,
  ): void {
    const r1 = c + rowBytes, r2 = r1 + rowBytes, r3 = r2 + rowBytes;
    if (add) {
      add8(c, c00, c01);
      add8(r1, c10, c11);
      add8(r2, c20, c21);
      add8(r3, c30, c31);
    } else {
      put8(c, c00, c01);
      put8(r1, c10, c11);
      put8(r2, c20, c21);
      put8(r3, c30, c31);
    }
  }
}

/** Twelve accumulators, one operand and two of B: all 15 registers V8 has, so only for fused multiply-add. */
@final
@unmanaged
export class Tile6x8 {
  @inline mr(): i32 {
    return 6;
  }
  @inline nr(): i32 {
    return 8;
  }
  /** The tile of 4 rows and as many columns. */
  @inline low(): Tile4x8 {
    return changetype<Tile4x8>(0);
  }

  // biome-ignore format: a row of the tile in a line.
  run(
    k: i32, a: usize, aStep: usize, b: usize, bStep: usize, c: usize, rowBytes: usize, add: bool,
  ): void {
    let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
    let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
    let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
    let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
    let c40 = f32x4.splat(0), c41 = f32x4.splat(0);
    let c50 = f32x4.splat(0), c51 = f32x4.splat(0);
    let x: v128, b0: v128, b1: v128;
    for (; k > 0; k--) {
      b0 = v128.load(b); b1 = v128.load(b, 16);
      x = v128.load32_splat(a); c00 = madd(x, b0, c00); c01 = madd(x, b1, c01);
      x = v128.load32_splat(a, 4); c10 = madd(x, b0, c10); c11 = madd(x, b1, c11);
      x = v128.load32_splat(a, 8); c20 = madd(x, b0, c20); c21 = madd(x, b1, c21);
      x = v128.load32_splat(a, 12); c30 = madd(x, b0, c30); c31 = madd(x, b1, c31);
      x = v128.load32_splat(a, 16); c40 = madd(x, b0, c40); c41 = madd(x, b1, c41);
      x = v128.load32_splat(a, 20); c50 = madd(x, b0, c50); c51 = madd(x, b1, c51);
      a += aStep; b += bStep;
    }
    this.put(c, rowBytes, add, c00, c01, c10, c11, c20, c21, c30, c31, c40, c41, c50, c51);
  }

  // biome-ignore format: a row of the tile in a line.
  runRows(
    k: i32, a: usize, aRow: usize, b: usize, bStep: usize, c: usize, rowBytes: usize, add: bool,
  ): void {
    let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
    let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
    let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
    let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
    let c40 = f32x4.splat(0), c41 = f32x4.splat(0);
    let c50 = f32x4.splat(0), c51 = f32x4.splat(0);
    let x: v128, b0: v128, b1: v128;
    let a1 = a + aRow, a2 = a1 + aRow, a3 = a2 + aRow, a4 = a3 + aRow, a5 = a4 + aRow;
    for (; k > 0; k--) {
      b0 = v128.load(b); b1 = v128.load(b, 16);
      x = v128.load32_splat(a); c00 = madd(x, b0, c00); c01 = madd(x, b1, c01);
      x = v128.load32_splat(a1); c10 = madd(x, b0, c10); c11 = madd(x, b1, c11);
      x = v128.load32_splat(a2); c20 = madd(x, b0, c20); c21 = madd(x, b1, c21);
      x = v128.load32_splat(a3); c30 = madd(x, b0, c30); c31 = madd(x, b1, c31);
      x = v128.load32_splat(a4); c40 = madd(x, b0, c40); c41 = madd(x, b1, c41);
      x = v128.load32_splat(a5); c50 = madd(x, b0, c50); c51 = madd(x, b1, c51);
      a += 4; a1 += 4; a2 += 4; a3 += 4; a4 += 4; a5 += 4; b += bStep;
    }
    this.put(c, rowBytes, add, c00, c01, c10, c11, c20, c21, c30, c31, c40, c41, c50, c51);
  }

  /** Stores or adds the tile. */
  // biome-ignore format: a row of the tile in a line.
  @inline put(
    c: usize, rowBytes: usize, add: bool,
    c00: v128, c01: v128,
    c10: v128, c11: v128,
    c20: v128, c21: v128,
    c30: v128, c31: v128,
    c40: v128, c41: v128,
    c50: v128, c51: v128,
  ): void {
    const r1 = c + rowBytes, r2 = r1 + rowBytes, r3 = r2 + rowBytes, r4 = r3 + rowBytes, r5 = r4 + rowBytes;
    if (add) {
      add8(c, c00, c01);
      add8(r1, c10, c11);
      add8(r2, c20, c21);
      add8(r3, c30, c31);
      add8(r4, c40, c41);
      add8(r5, c50, c51);
    } else {
      put8(c, c00, c01);
      put8(r1, c10, c11);
      put8(r2, c20, c21);
      put8(r3, c30, c31);
      put8(r4, c40, c41);
      put8(r5, c50, c51);
    }
  }
}
