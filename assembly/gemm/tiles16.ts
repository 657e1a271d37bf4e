// The register tiles of 16 columns, for engines that join pairs of vectors into 256 bits; see tiles8.ts.
import { madd } from "../lanes";
import { add16, put16 } from "./vectors";

/** Sixteen accumulators: for engines that join pairs of vectors into 256 bits. */
@final
@unmanaged
export class Tile4x16 {
  @inline mr(): i32 {
    return 4;
  }
  @inline nr(): i32 {
    return 16;
  }
  /** The tile of 4 rows and as many columns. */
  @inline low(): Tile4x16 {
    return changetype<Tile4x16>(0);
  }

  // biome-ignore format: a row of the tile in a line.
  run(
    k: i32, a: usize, aStep: usize, b: usize, bStep: usize, c: usize, rowBytes: usize, add: bool,
  ): void {
    let c00 = f32x4.splat(0), c01 = f32x4.splat(0), c02 = f32x4.splat(0), c03 = f32x4.splat(0);
    let c10 = f32x4.splat(0), c11 = f32x4.splat(0), c12 = f32x4.splat(0), c13 = f32x4.splat(0);
    let c20 = f32x4.splat(0), c21 = f32x4.splat(0), c22 = f32x4.splat(0), c23 = f32x4.splat(0);
    let c30 = f32x4.splat(0), c31 = f32x4.splat(0), c32 = f32x4.splat(0), c33 = f32x4.splat(0);
    let x: v128, b0: v128, b1: v128, b2: v128, b3: v128;
    const end = a + aStep * <usize>k;
    if (a != end) while (true) {
      b0 = v128.load(b); b1 = v128.load(b, 16); b2 = v128.load(b, 32); b3 = v128.load(b, 48);
      x = v128.load32_splat(a);
      c00 = madd(x, b0, c00); c01 = madd(x, b1, c01); c02 = madd(x, b2, c02); c03 = madd(x, b3, c03);
      x = v128.load32_splat(a, 4);
      c10 = madd(x, b0, c10); c11 = madd(x, b1, c11); c12 = madd(x, b2, c12); c13 = madd(x, b3, c13);
      x = v128.load32_splat(a, 8);
      c20 = madd(x, b0, c20); c21 = madd(x, b1, c21); c22 = madd(x, b2, c22); c23 = madd(x, b3, c23);
      x = v128.load32_splat(a, 12);
      c30 = madd(x, b0, c30); c31 = madd(x, b1, c31); c32 = madd(x, b2, c32); c33 = madd(x, b3, c33);
      a += aStep; b += bStep;
      if (a == end) break;

      b0 = v128.load(b); b1 = v128.load(b, 16); b2 = v128.load(b, 32); b3 = v128.load(b, 48);
      x = v128.load32_splat(a);
      c00 = madd(x, b0, c00); c01 = madd(x, b1, c01); c02 = madd(x, b2, c02); c03 = madd(x, b3, c03);
      x = v128.load32_splat(a, 4);
      c10 = madd(x, b0, c10); c11 = madd(x, b1, c11); c12 = madd(x, b2, c12); c13 = madd(x, b3, c13);
      x = v128.load32_splat(a, 8);
      c20 = madd(x, b0, c20); c21 = madd(x, b1, c21); c22 = madd(x, b2, c22); c23 = madd(x, b3, c23);
      x = v128.load32_splat(a, 12);
      c30 = madd(x, b0, c30); c31 = madd(x, b1, c31); c32 = madd(x, b2, c32); c33 = madd(x, b3, c33);
      a += aStep; b += bStep;
      if (a == end) break;

      b0 = v128.load(b); b1 = v128.load(b, 16); b2 = v128.load(b, 32); b3 = v128.load(b, 48);
      x = v128.load32_splat(a);
      c00 = madd(x, b0, c00); c01 = madd(x, b1, c01); c02 = madd(x, b2, c02); c03 = madd(x, b3, c03);
      x = v128.load32_splat(a, 4);
      c10 = madd(x, b0, c10); c11 = madd(x, b1, c11); c12 = madd(x, b2, c12); c13 = madd(x, b3, c13);
      x = v128.load32_splat(a, 8);
      c20 = madd(x, b0, c20); c21 = madd(x, b1, c21); c22 = madd(x, b2, c22); c23 = madd(x, b3, c23);
      x = v128.load32_splat(a, 12);
      c30 = madd(x, b0, c30); c31 = madd(x, b1, c31); c32 = madd(x, b2, c32); c33 = madd(x, b3, c33);
      a += aStep; b += bStep;
      if (a == end) break;

      b0 = v128.load(b); b1 = v128.load(b, 16); b2 = v128.load(b, 32); b3 = v128.load(b, 48);
      x = v128.load32_splat(a);
      c00 = madd(x, b0, c00); c01 = madd(x, b1, c01); c02 = madd(x, b2, c02); c03 = madd(x, b3, c03);
      x = v128.load32_splat(a, 4);
      c10 = madd(x, b0, c10); c11 = madd(x, b1, c11); c12 = madd(x, b2, c12); c13 = madd(x, b3, c13);
      x = v128.load32_splat(a, 8);
      c20 = madd(x, b0, c20); c21 = madd(x, b1, c21); c22 = madd(x, b2, c22); c23 = madd(x, b3, c23);
      x = v128.load32_splat(a, 12);
      c30 = madd(x, b0, c30); c31 = madd(x, b1, c31); c32 = madd(x, b2, c32); c33 = madd(x, b3, c33);
      a += aStep; b += bStep;
      if (a == end) break;
    }
    this.put(c, rowBytes, add, c00, c01, c02, c03, c10, c11, c12, c13, c20, c21, c22, c23, c30, c31, c32, c33);
  }

  // biome-ignore format: a row of the tile in a line.
  runRows(
    k: i32, a: usize, aRow: usize, b: usize, bStep: usize, c: usize, rowBytes: usize, add: bool,
  ): void {
    let c00 = f32x4.splat(0), c01 = f32x4.splat(0), c02 = f32x4.splat(0), c03 = f32x4.splat(0);
    let c10 = f32x4.splat(0), c11 = f32x4.splat(0), c12 = f32x4.splat(0), c13 = f32x4.splat(0);
    let c20 = f32x4.splat(0), c21 = f32x4.splat(0), c22 = f32x4.splat(0), c23 = f32x4.splat(0);
    let c30 = f32x4.splat(0), c31 = f32x4.splat(0), c32 = f32x4.splat(0), c33 = f32x4.splat(0);
    let x: v128, b0: v128, b1: v128, b2: v128, b3: v128;
    let a1 = a + aRow, a2 = a1 + aRow, a3 = a2 + aRow;
    if (k > 0) while (true) {
      b0 = v128.load(b); b1 = v128.load(b, 16); b2 = v128.load(b, 32); b3 = v128.load(b, 48);
      x = v128.load32_splat(a);
      c00 = madd(x, b0, c00); c01 = madd(x, b1, c01); c02 = madd(x, b2, c02); c03 = madd(x, b3, c03);
      x = v128.load32_splat(a1);
      c10 = madd(x, b0, c10); c11 = madd(x, b1, c11); c12 = madd(x, b2, c12); c13 = madd(x, b3, c13);
      x = v128.load32_splat(a2);
      c20 = madd(x, b0, c20); c21 = madd(x, b1, c21); c22 = madd(x, b2, c22); c23 = madd(x, b3, c23);
      x = v128.load32_splat(a3);
      c30 = madd(x, b0, c30); c31 = madd(x, b1, c31); c32 = madd(x, b2, c32); c33 = madd(x, b3, c33);
      b += bStep;
      if (k == 1) break;

      b0 = v128.load(b); b1 = v128.load(b, 16); b2 = v128.load(b, 32); b3 = v128.load(b, 48);
      x = v128.load32_splat(a, 4);
      c00 = madd(x, b0, c00); c01 = madd(x, b1, c01); c02 = madd(x, b2, c02); c03 = madd(x, b3, c03);
      x = v128.load32_splat(a1, 4);
      c10 = madd(x, b0, c10); c11 = madd(x, b1, c11); c12 = madd(x, b2, c12); c13 = madd(x, b3, c13);
      x = v128.load32_splat(a2, 4);
      c20 = madd(x, b0, c20); c21 = madd(x, b1, c21); c22 = madd(x, b2, c22); c23 = madd(x, b3, c23);
      x = v128.load32_splat(a3, 4);
      c30 = madd(x, b0, c30); c31 = madd(x, b1, c31); c32 = madd(x, b2, c32); c33 = madd(x, b3, c33);
      b += bStep;
      if (k == 2) break;

      b0 = v128.load(b); b1 = v128.load(b, 16); b2 = v128.load(b, 32); b3 = v128.load(b, 48);
      x = v128.load32_splat(a, 8);
      c00 = madd(x, b0, c00); c01 = madd(x, b1, c01); c02 = madd(x, b2, c02); c03 = madd(x, b3, c03);
      x = v128.load32_splat(a1, 8);
      c10 = madd(x, b0, c10); c11 = madd(x, b1, c11); c12 = madd(x, b2, c12); c13 = madd(x, b3, c13);
      x = v128.load32_splat(a2, 8);
      c20 = madd(x, b0, c20); c21 = madd(x, b1, c21); c22 = madd(x, b2, c22); c23 = madd(x, b3, c23);
      x = v128.load32_splat(a3, 8);
      c30 = madd(x, b0, c30); c31 = madd(x, b1, c31); c32 = madd(x, b2, c32); c33 = madd(x, b3, c33);
      b += bStep;
      if (k == 3) break;

      b0 = v128.load(b); b1 = v128.load(b, 16); b2 = v128.load(b, 32); b3 = v128.load(b, 48);
      x = v128.load32_splat(a, 12);
      c00 = madd(x, b0, c00); c01 = madd(x, b1, c01); c02 = madd(x, b2, c02); c03 = madd(x, b3, c03);
      x = v128.load32_splat(a1, 12);
      c10 = madd(x, b0, c10); c11 = madd(x, b1, c11); c12 = madd(x, b2, c12); c13 = madd(x, b3, c13);
      x = v128.load32_splat(a2, 12);
      c20 = madd(x, b0, c20); c21 = madd(x, b1, c21); c22 = madd(x, b2, c22); c23 = madd(x, b3, c23);
      x = v128.load32_splat(a3, 12);
      c30 = madd(x, b0, c30); c31 = madd(x, b1, c31); c32 = madd(x, b2, c32); c33 = madd(x, b3, c33);
      b += bStep; k -= 4;
      if (k == 0) break;
      a += 16; a1 += 16; a2 += 16; a3 += 16;
    }
    this.put(c, rowBytes, add, c00, c01, c02, c03, c10, c11, c12, c13, c20, c21, c22, c23, c30, c31, c32, c33);
  }

  /** Stores or adds the tile. */
  // biome-ignore format: a row of the tile in a line.
  @inline put(
    c: usize, rowBytes: usize, add: bool,
    c00: v128, c01: v128, c02: v128, c03: v128,
    c10: v128, c11: v128, c12: v128, c13: v128,
    c20: v128, c21: v128, c22: v128, c23: v128,
    c30: v128, c31: v128, c32: v128, c33: v128,
  ): void {
    const r1 = c + rowBytes, r2 = r1 + rowBytes, r3 = r2 + rowBytes;
    if (add) {
      add16(c, c00, c01, c02, c03);
      add16(r1, c10, c11, c12, c13);
      add16(r2, c20, c21, c22, c23);
      add16(r3, c30, c31, c32, c33);
    } else {
      put16(c, c00, c01, c02, c03);
      put16(r1, c10, c11, c12, c13);
      put16(r2, c20, c21, c22, c23);
      put16(r3, c30, c31, c32, c33);
    }
  }
}

/** Twenty-four accumulators: for engines that join pairs of vectors into 256 bits and fuse multiply-add. */
@final
@unmanaged
export class Tile6x16 {
  @inline mr(): i32 {
    return 6;
  }
  @inline nr(): i32 {
    return 16;
  }
  /** The tile of 4 rows and as many columns. */
  @inline low(): Tile4x16 {
    return changetype<Tile4x16>(0);
  }

  // biome-ignore format: a row of the tile in a line.
  run(
    k: i32, a: usize, aStep: usize, b: usize, bStep: usize, c: usize, rowBytes: usize, add: bool,
  ): void {
    let c00 = f32x4.splat(0), c01 = f32x4.splat(0), c02 = f32x4.splat(0), c03 = f32x4.splat(0);
    let c10 = f32x4.splat(0), c11 = f32x4.splat(0), c12 = f32x4.splat(0), c13 = f32x4.splat(0);
    let c20 = f32x4.splat(0), c21 = f32x4.splat(0), c22 = f32x4.splat(0), c23 = f32x4.splat(0);
    let c30 = f32x4.splat(0), c31 = f32x4.splat(0), c32 = f32x4.splat(0), c33 = f32x4.splat(0);
    let c40 = f32x4.splat(0), c41 = f32x4.splat(0), c42 = f32x4.splat(0), c43 = f32x4.splat(0);
    let c50 = f32x4.splat(0), c51 = f32x4.splat(0), c52 = f32x4.splat(0), c53 = f32x4.splat(0);
    let x: v128, b0: v128, b1: v128, b2: v128, b3: v128;
    for (; k > 0; k--) {
      b0 = v128.load(b); b1 = v128.load(b, 16); b2 = v128.load(b, 32); b3 = v128.load(b, 48);
      x = v128.load32_splat(a);
      c00 = madd(x, b0, c00); c01 = madd(x, b1, c01); c02 = madd(x, b2, c02); c03 = madd(x, b3, c03);
      x = v128.load32_splat(a, 4);
      c10 = madd(x, b0, c10); c11 = madd(x, b1, c11); c12 = madd(x, b2, c12); c13 = madd(x, b3, c13);
      x = v128.load32_splat(a, 8);
      c20 = madd(x, b0, c20); c21 = madd(x, b1, c21); c22 = madd(x, b2, c22); c23 = madd(x, b3, c23);
      x = v128.load32_splat(a, 12);
      c30 = madd(x, b0, c30); c31 = madd(x, b1, c31); c32 = madd(x, b2, c32); c33 = madd(x, b3, c33);
      x = v128.load32_splat(a, 16);
      c40 = madd(x, b0, c40); c41 = madd(x, b1, c41); c42 = madd(x, b2, c42); c43 = madd(x, b3, c43);
      x = v128.load32_splat(a, 20);
      c50 = madd(x, b0, c50); c51 = madd(x, b1, c51); c52 = madd(x, b2, c52); c53 = madd(x, b3, c53);
      a += aStep; b += bStep;
    }
    this.put(
      c, rowBytes, add, c00, c01, c02, c03, c10, c11, c12, c13, c20, c21, c22, c23,
      c30, c31, c32, c33, c40, c41, c42, c43, c50, c51, c52, c53,
    );
  }

  // biome-ignore format: a row of the tile in a line.
  runRows(
    k: i32, a: usize, aRow: usize, b: usize, bStep: usize, c: usize, rowBytes: usize, add: bool,
  ): void {
    let c00 = f32x4.splat(0), c01 = f32x4.splat(0), c02 = f32x4.splat(0), c03 = f32x4.splat(0);
    let c10 = f32x4.splat(0), c11 = f32x4.splat(0), c12 = f32x4.splat(0), c13 = f32x4.splat(0);
    let c20 = f32x4.splat(0), c21 = f32x4.splat(0), c22 = f32x4.splat(0), c23 = f32x4.splat(0);
    let c30 = f32x4.splat(0), c31 = f32x4.splat(0), c32 = f32x4.splat(0), c33 = f32x4.splat(0);
    let c40 = f32x4.splat(0), c41 = f32x4.splat(0), c42 = f32x4.splat(0), c43 = f32x4.splat(0);
    let c50 = f32x4.splat(0), c51 = f32x4.splat(0), c52 = f32x4.splat(0), c53 = f32x4.splat(0);
    let x: v128, b0: v128, b1: v128, b2: v128, b3: v128;
    let a1 = a + aRow, a2 = a1 + aRow, a3 = a2 + aRow, a4 = a3 + aRow, a5 = a4 + aRow;
    for (; k > 0; k--) {
      b0 = v128.load(b); b1 = v128.load(b, 16); b2 = v128.load(b, 32); b3 = v128.load(b, 48);
      x = v128.load32_splat(a);
      c00 = madd(x, b0, c00); c01 = madd(x, b1, c01); c02 = madd(x, b2, c02); c03 = madd(x, b3, c03);
      x = v128.load32_splat(a1);
      c10 = madd(x, b0, c10); c11 = madd(x, b1, c11); c12 = madd(x, b2, c12); c13 = madd(x, b3, c13);
      x = v128.load32_splat(a2);
      c20 = madd(x, b0, c20); c21 = madd(x, b1, c21); c22 = madd(x, b2, c22); c23 = madd(x, b3, c23);
      x = v128.load32_splat(a3);
      c30 = madd(x, b0, c30); c31 = madd(x, b1, c31); c32 = madd(x, b2, c32); c33 = madd(x, b3, c33);
      x = v128.load32_splat(a4);
      c40 = madd(x, b0, c40); c41 = madd(x, b1, c41); c42 = madd(x, b2, c42); c43 = madd(x, b3, c43);
      x = v128.load32_splat(a5);
      c50 = madd(x, b0, c50); c51 = madd(x, b1, c51); c52 = madd(x, b2, c52); c53 = madd(x, b3, c53);
      a += 4; a1 += 4; a2 += 4; a3 += 4; a4 += 4; a5 += 4; b += bStep;
    }
    this.put(
      c, rowBytes, add, c00, c01, c02, c03, c10, c11, c12, c13, c20, c21, c22, c23,
      c30, c31, c32, c33, c40, c41, c42, c43, c50, c51, c52, c53,
    );
  }

  /** Stores or adds the tile. */
  // biome-ignore format: a row of the tile in a line.
  @inline put(
    c: usize, rowBytes: usize, add: bool,
    c00: v128, c01: v128, c02: v128, c03: v128,
    c10: v128, c11: v128, c12: v128, c13: v128,
    c20: v128, c21: v128, c22: v128, c23: v128,
    c30: v128, c31: v128, c32: v128, c33: v128,
    c40: v128, c41: v128, c42: v128, c43: v128,
    c50: v128, c51: v128, c52: v128, c53: v128,
  ): void {
    const r1 = c + rowBytes, r2 = r1 + rowBytes, r3 = r2 + rowBytes, r4 = r3 + rowBytes, r5 = r4 + rowBytes;
    if (add) {
      add16(c, c00, c01, c02, c03);
      add16(r1, c10, c11, c12, c13);
      add16(r2, c20, c21, c22, c23);
      add16(r3, c30, c31, c32, c33);
      add16(r4, c40, c41, c42, c43);
      add16(r5, c50, c51, c52, c53);
    } else {
      put16(c, c00, c01, c02, c03);
      put16(r1, c10, c11, c12, c13);
      put16(r2, c20, c21, c22, c23);
      put16(r3, c30, c31, c32, c33);
      put16(r4, c40, c41, c42, c43);
      put16(r5, c50, c51, c52, c53);
    }
  }
}
