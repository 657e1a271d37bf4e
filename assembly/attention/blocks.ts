// Attention in blocks of BLOCK queries by BLOCK keys, as in FlashAttention (Dao et al. 2022): no more scores than those
// of a block are there at a time. A block lies keys first, scores[key][query], so that the maximum and the sum of a
// query are those of lanes, and every product reads its operands as they lie: all five are GEMMs.
import { Gemm, SCRATCH_BYTES } from "../gemm/blocked";
import { packQuad } from "../gemm/pack";
import { runWithTile } from "../gemm/tiles";
import { LOG2E } from "../math";
import { dropout_forward_f32 } from "../random/dropout";

/** Queries and keys of a block. */
@inline
export const BLOCK: i32 = 64;
/** Bytes of a row of a block. */
@inline
export const ROW: usize = (<usize>BLOCK) << 2;
/** Keys or queries of a step of the diagonal. */
@inline
export const STEP: i32 = 16;
@inline
const ROWS: usize = 128;
/** Lists of rows. */
@inline
const LISTS: i32 = 3;
@inline
const FIELDS: usize = 256;

/** Rows x[query or key][column] as products read them, strides in bytes. */
@final
@unmanaged
export class Rows {
  x: usize;
  row: usize;
  column: usize;
}

/**
 * One head of attention, at the end of the workspace: where its operands lie, strides in bytes, and what its blocks
 * need.
 */
@final
@unmanaged
export class Head {
  q: usize;
  k: usize;
  v: usize;
  qRow: usize;
  qCol: usize;
  kRow: usize;
  kCol: usize;
  vRow: usize;
  vCol: usize;
  /** Rows of results, and of their gradients, whose numbers are neighbours. */
  oRow: usize;
  rows: i32;
  keys: i32;
  width: i32;
  depth: i32;
  scale: f32;
  causal: bool;
  /** Where rows are part of a longer head, which of its rows is the first. */
  firstRow: i32;
  /** Numbers that are added to scores, or 0. */
  mask: usize;
  mRow: usize;
  mCol: usize;
  /** Bytes, 0 where a query does not look, or 0. */
  allowed: usize;
  aRow: usize;
  aCol: usize;
  /** The generator of what is dropped, or 0, and the number of this head's first element. */
  state: usize;
  p: f32;
  element: u64;
  /** Queries of a key in the order of elements. */
  elementRow: i32;

  @inline get job(): Gemm {
    return changetype<Gemm>(changetype<usize>(this) - SCRATCH_BYTES);
  }
  /** A row of BLOCK numbers: 0 to 4 are those of the caller, 5 is what is dropped, 6 the generator. */
  @inline line(i: i32): usize {
    return changetype<usize>(this) + FIELDS + <usize>i * ROW;
  }
  @inline get scores(): usize {
    return this.line(8);
  }
  @inline get gradients(): usize {
    return this.scores + ROW * <usize>BLOCK;
  }
  /** Room for the rows of a list of up to BLOCK columns. */
  @inline private copies(list: i32): usize {
    return this.gradients + ROW * <usize>(BLOCK * (1 + list));
  }
  /** Queries of a block, [width][query]. */
  @inline get queries(): usize {
    return this.copies(LISTS);
  }
  /** Gradients of the results of a block, [depth][query]. */
  @inline get results(): usize {
    return this.queries + ROW * <usize>this.width;
  }

  /** The rows of a block that near() has laid: 0 and 1 are those of the caller. */
  @inline laid(list: i32): Rows {
    return changetype<Rows>(changetype<usize>(this) + ROWS + ((<usize>list) << 4));
  }

  /** Notes `count` rows of x, and copies them side by side where products would pack them each time. */
  near(list: i32, x: usize, row: usize, column: usize, count: i32, columns: i32): Rows {
    const rows = this.laid(list);
    const apart = column == 4 && columns <= BLOCK && row > ROW;
    const to = this.copies(list),
      bytes = (<usize>columns) << 2;
    rows.x = apart ? to : x;
    rows.row = apart ? bytes : row;
    rows.column = column;
    if (apart)
      for (let n: usize = 0; n < <usize>count; n++) {
        const from = x + n * row,
          at = to + n * bytes;
        let c: usize = 0;
        for (; c + 16 <= bytes; c += 16) v128.store(at + c, v128.load(from + c));
        for (; c < bytes; c += 4) store<f32>(at + c, load<f32>(from + c));
      }
    return rows;
  }

  /** C[m, n] = (add ? C : 0) + A[m, k] B[k, n]. */
  product(
    c: usize,
    cRow: usize,
    a: usize,
    aRow: usize,
    aCol: usize,
    b: usize,
    bRow: usize,
    bCol: usize,
    m: i32,
    n: i32,
    k: i32,
    add: bool,
  ): void {
    const job = this.job;
    job.c = c;
    job.a = a;
    job.b = b;
    job.bias = 0;
    job.m = m;
    job.n = n;
    job.k = k;
    job.aRow = aRow;
    job.aCol = aCol;
    job.bRow = bRow;
    job.bCol = bCol;
    job.cRow = cRow;
    job.act = 0;
    job.adds = add;
    runWithTile<Gemm>(job);
  }

  /** Whether some queries of a block are before some of its keys: then it is a block on the diagonal, j is i. */
  @inline crosses(i: i32, j: i32, keys: i32): bool {
    return this.causal && j + keys - 1 > this.firstRow + i;
  }

  /**
   * to[key][query] = sum of x[key][e] turned[e][query], for rows x of keys. On the diagonal 16 keys at a time go with
   * the queries from the first of them on: the rest is left as it is.
   */
  keysBy(
    to: usize,
    x: usize,
    row: usize,
    column: usize,
    turned: usize,
    i: i32,
    count: i32,
    j: i32,
    keys: i32,
    width: i32,
  ): void {
    const columns = (count + 15) & ~15;
    const step = this.crosses(i, j, keys) ? STEP : keys;
    for (let n = 0; n < keys; n += step) {
      const c = step == STEP ? min(n, columns) : 0;
      const at = (<usize>c) << 2;
      this.product(
        to + <usize>n * ROW + at,
        ROW,
        x + <usize>n * row,
        row,
        column,
        turned + at,
        ROW,
        4,
        min(step, keys - n),
        columns - c,
        width,
        false,
      );
    }
  }

  /** to[key][e] += sum over the queries of block[key][query] x[query][e]; on the diagonal as above. */
  sumQueries(to: usize, toRow: usize, block: usize, x: Rows, i: i32, count: i32, j: i32, keys: i32, width: i32): void {
    const step = this.crosses(i, j, keys) ? STEP : keys;
    for (let n = 0; n < keys; n += step) {
      const c = step == STEP ? min(n, count) : 0;
      this.product(
        to + <usize>n * toRow,
        toRow,
        block + <usize>n * ROW + ((<usize>c) << 2),
        ROW,
        4,
        x.x + <usize>c * x.row,
        x.row,
        x.column,
        min(step, keys - n),
        width,
        count - c,
        true,
      );
    }
  }

  /** to[query][e] = (add ? to : 0) + sum over the keys of block[key][query] x[key][e]; on the diagonal likewise. */
  sumKeys(
    to: usize,
    toRow: usize,
    block: usize,
    x: Rows,
    i: i32,
    count: i32,
    j: i32,
    keys: i32,
    width: i32,
    add: bool,
  ): void {
    const step = this.crosses(i, j, keys) ? STEP : count;
    for (let c = 0; c < count; c += step) {
      const last = step == STEP ? min(keys, c + STEP) : keys;
      const queries = min(step, count - c);
      this.product(
        to + <usize>c * toRow,
        toRow,
        block + ((<usize>c) << 2),
        4,
        ROW,
        x.x,
        x.row,
        x.column,
        queries,
        width,
        last,
        add,
      );
    }
  }

  /** to[column][row] = scale * x[row][column] for `count` rows; the last stands behind them up to a multiple of 16. */
  turn(to: usize, x: usize, row: usize, column: usize, count: i32, columns: i32, scale: f32): void {
    const padded = (count + 15) & ~15;
    const last = count - 1;
    const factor = f32x4.splat(scale);
    for (let i = 0; i < padded; i += 4) {
      const d = to + ((<usize>i) << 2);
      packQuad(
        d,
        ROW,
        x + <usize>min(i, last) * row,
        x + <usize>min(i + 1, last) * row,
        x + <usize>min(i + 2, last) * row,
        x + <usize>min(i + 3, last) * row,
        columns,
        column,
      );
      for (let e: usize = 0; e < <usize>columns; e++)
        v128.store(d + e * ROW, f32x4.mul(v128.load(d + e * ROW), factor));
    }
  }

  /**
   * The scores of `keys` keys from key j on for the `count` queries that lie turned: scaled products, masked, as powers
   * of 2.
   */
  score(i: i32, count: i32, j: i32, keys: i32): void {
    const columns = (count + 15) & ~15;
    this.keysBy(
      this.scores,
      this.k + <usize>j * this.kRow,
      this.kRow,
      this.kCol,
      this.queries,
      i,
      count,
      j,
      keys,
      this.width,
    );
    if (this.mask | this.allowed) {
      for (let n = 0; n < keys; n++) this.add(this.scores + <usize>n * ROW, i, count, j + n);
    }
    if (this.crosses(i, j, keys)) {
      for (let n = 0; n < keys; n++) {
        const row = this.scores + <usize>n * ROW;
        for (let c = n & -STEP; c < min(n, columns); c++) store<f32>(row + ((<usize>c) << 2), -Infinity);
      }
    }
  }

  /** Adds the masks of one key to the scores of `count` queries. */
  private add(row: usize, i: i32, count: i32, j: i32): void {
    if (this.mask) {
      let m = this.mask + <usize>i * this.mRow + <usize>j * this.mCol;
      for (let c: usize = 0; c < <usize>count; c++, m += this.mRow)
        store<f32>(row + (c << 2), load<f32>(row + (c << 2)) + load<f32>(m) * LOG2E);
    }
    if (this.allowed) {
      let m = this.allowed + <usize>i * this.aRow + <usize>j * this.aCol;
      for (let c: usize = 0; c < <usize>count; c++, m += this.aRow)
        if (!load<u8>(m)) store<f32>(row + (c << 2), -Infinity);
    }
  }

  /** What of the weights of key j is left by dropout for the queries from row i on, in line 5. */
  drop(i: i32, j: i32): void {
    const element = this.element + <u64>j * <u64>this.elementRow + <u64>(this.firstRow + i);
    const left = this.line(5),
      own = this.line(6);
    store<u64>(own, load<u64>(this.state));
    store<u64>(own, load<u64>(this.state, 8) + element / 16, 8);
    for (let c: usize = 0; c < ROW; c += 16) v128.store(left + c, f32x4.splat(1));
    dropout_forward_f32(left, 0, left, BLOCK, 0, this.p, own);
  }

  /** How many keys the `count` queries from row i on look at. */
  @inline seen(i: i32, count: i32): i32 {
    return this.causal ? min(this.keys, this.firstRow + i + count) : this.keys;
  }
}
