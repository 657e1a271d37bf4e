// The register tiles: C[MR, NR] = or += A[MR, k] B[k, NR] on panels, with the whole tile of C held in locals.
//
// A is k groups of MR values, `aStep` bytes (not 0) apart; B is k groups of NR values, `bStep` bytes apart. Each
// element is one sum over p = 0 .. k-1, in order, from 0, so that every tile gives the same bits. `add` says whether the
// sum is added to C or replaces it.
//
// How V8 schedules a block decides the speed: in a plainly unrolled loop it computes one element of C through all the
// steps before the next, keeps the operands of all steps at once, and spills. A way out of the loop after every step
// keeps the steps apart, and the addresses of the splats are then computed outside the loop. The 6-row tiles have no
// register left for that, and take one step a turn. Rows of C are stored as adjacent pairs, from pointers of their
// own, because V8's revectorizer starts from such pairs.
import { madd } from "../lanes";

/** Stores 8 neighbours. */
@inline
function put8(c: usize, v0: v128, v1: v128): void {
  v128.store(c, v0);
  v128.store(c, v1, 16);
}

/** Adds to 8 neighbours. */
@inline
function add8(c: usize, v0: v128, v1: v128): void {
  put8(c, f32x4.add(v128.load(c), v0), f32x4.add(v128.load(c, 16), v1));
}

/** Stores 16 neighbours. */
@inline
function put16(c: usize, v0: v128, v1: v128, v2: v128, v3: v128): void {
  put8(c, v0, v1);
  put8(c + 32, v2, v3);
}

/** Adds to 16 neighbours. */
@inline
function add16(c: usize, v0: v128, v1: v128, v2: v128, v3: v128): void {
  add8(c, v0, v1);
  add8(c + 32, v2, v3);
}

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
      x = v128.load32_splat(a); c00 = madd(x, b0, c00); c01 = madd(x, b1, c01);
      x = v128.load32_splat(a, 4); c10 = madd(x, b0, c10); c11 = madd(x, b1, c11);
      x = v128.load32_splat(a, 8); c20 = madd(x, b0, c20); c21 = madd(x, b1, c21);
      x = v128.load32_splat(a, 12); c30 = madd(x, b0, c30); c31 = madd(x, b1, c31);
      a += aStep; b += bStep;
      if (a == end) break;

      b0 = v128.load(b); b1 = v128.load(b, 16);
      x = v128.load32_splat(a); c00 = madd(x, b0, c00); c01 = madd(x, b1, c01);
      x = v128.load32_splat(a, 4); c10 = madd(x, b0, c10); c11 = madd(x, b1, c11);
      x = v128.load32_splat(a, 8); c20 = madd(x, b0, c20); c21 = madd(x, b1, c21);
      x = v128.load32_splat(a, 12); c30 = madd(x, b0, c30); c31 = madd(x, b1, c31);
      a += aStep; b += bStep;
      if (a == end) break;

      b0 = v128.load(b); b1 = v128.load(b, 16);
      x = v128.load32_splat(a); c00 = madd(x, b0, c00); c01 = madd(x, b1, c01);
      x = v128.load32_splat(a, 4); c10 = madd(x, b0, c10); c11 = madd(x, b1, c11);
      x = v128.load32_splat(a, 8); c20 = madd(x, b0, c20); c21 = madd(x, b1, c21);
      x = v128.load32_splat(a, 12); c30 = madd(x, b0, c30); c31 = madd(x, b1, c31);
      a += aStep; b += bStep;
      if (a == end) break;

      b0 = v128.load(b); b1 = v128.load(b, 16);
      x = v128.load32_splat(a); c00 = madd(x, b0, c00); c01 = madd(x, b1, c01);
      x = v128.load32_splat(a, 4); c10 = madd(x, b0, c10); c11 = madd(x, b1, c11);
      x = v128.load32_splat(a, 8); c20 = madd(x, b0, c20); c21 = madd(x, b1, c21);
      x = v128.load32_splat(a, 12); c30 = madd(x, b0, c30); c31 = madd(x, b1, c31);
      a += aStep; b += bStep;
      if (a == end) break;
    }
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
