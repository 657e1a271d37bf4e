// Attention: results and gradients. Queries q[batch, rows, heads, group, width] look at keys k[batch, keys, heads,
// width] and take of values v[batch, keys, heads, depth]; `group` query heads share a head of keys and values.
// dims: i32 [batch, heads, group, then strides in elements: those of q along batch, heads, group, rows and width; of k
// and of v along batch, heads, keys and width; of the results along batch, heads, group and rows; of lse along batch,
// heads and group; of the mask along batch, heads, group, rows and keys; heads and rows of the whole call; of dq along
// batch, heads, group and rows; of dk, and of dv, along batch, heads and keys].
import { SCRATCH_BYTES } from "../gemm/blocked";
import { horizontalSum, madd } from "../lanes";
import { LN2, LOG2E, logOne } from "../math";
import { BLOCK, Head, ROW } from "./blocks";
import { dropBlock, unweigh, weigh } from "./weights";

/** Word i of the list as a number of bytes. */
@inline
function stride(dims: usize, i: i32): usize {
  return (<usize>load<i32>(dims + ((<usize>i) << 2))) << 2;
}

@inline
function word(dims: usize, i: i32): i32 {
  return load<i32>(dims + ((<usize>i) << 2));
}

/** The operands of head (b, h, g). */
function open(
  workspace: usize,
  q: usize,
  k: usize,
  v: usize,
  mask: usize,
  allowed: usize,
  dims: usize,
  b: i32,
  h: i32,
  g: i32,
): Head {
  const head = changetype<Head>(workspace + SCRATCH_BYTES);
  const ub = <usize>b,
    uh = <usize>h,
    ug = <usize>g;
  head.q = q + ub * stride(dims, 3) + uh * stride(dims, 4) + ug * stride(dims, 5);
  head.qRow = stride(dims, 6);
  head.qCol = stride(dims, 7);
  head.k = k + ub * stride(dims, 8) + uh * stride(dims, 9);
  head.kRow = stride(dims, 10);
  head.kCol = stride(dims, 11);
  head.v = v + ub * stride(dims, 12) + uh * stride(dims, 13);
  head.vRow = stride(dims, 14);
  head.vCol = stride(dims, 15);
  head.oRow = stride(dims, 19);
  const at = ub * stride(dims, 23) + uh * stride(dims, 24) + ug * stride(dims, 25);
  head.mask = mask ? mask + at : 0;
  head.mRow = stride(dims, 26);
  head.mCol = stride(dims, 27);
  head.allowed = allowed ? allowed + (at >> 2) : 0;
  head.aRow = head.mRow >> 2;
  head.aCol = head.mCol >> 2;
  return head;
}

/** Where the results of head (b, h, g) begin. */
@inline
function resultOf(dims: usize, b: i32, h: i32, g: i32): usize {
  return <usize>b * stride(dims, 16) + <usize>h * stride(dims, 17) + <usize>g * stride(dims, 18);
}

@inline
function lseOf(dims: usize, b: i32, h: i32, g: i32): usize {
  return <usize>b * stride(dims, 20) + <usize>h * stride(dims, 21) + <usize>g * stride(dims, 22);
}

/** What the head shares with all others. */
@inline
function settle(
  head: Head,
  state: usize,
  rows: i32,
  keys: i32,
  width: i32,
  depth: i32,
  scale: f32,
  causal: i32,
  p: f32,
  firstRow: i32,
): void {
  head.state = state;
  head.rows = rows;
  head.keys = keys;
  head.width = width;
  head.depth = depth;
  head.scale = scale;
  head.causal = causal != 0;
  head.p = p;
  head.firstRow = firstRow;
}

/**
 * Number of head (b, h, g) among all, in elements of `keys` rows of as many queries as the whole call has, rounded up
 * to 4.
 */
@inline
function identify(head: Head, dims: usize, b: i32, h: i32, g: i32): void {
  const group = word(dims, 2);
  head.elementRow = (word(dims, 29) + 15) & ~15;
  const at = (<u64>b * <u64>word(dims, 28) + <u64>h) * <u64>group + <u64>g;
  head.element = at * <u64>head.keys * <u64>head.elementRow;
}

/** x[n] = factor * x. */
function scaleRow(x: usize, n: i32, factor: f32): void {
  const end = x + ((<usize>n) << 2);
  const f = f32x4.splat(factor);
  for (; x + 16 <= end; x += 16) v128.store(x, f32x4.mul(v128.load(x), f));
  for (; x < end; x += 4) store<f32>(x, load<f32>(x) * factor);
}

/** The results of a head, and the logarithms of the sums of its weights. */
function forwardHead(head: Head, out: usize, lse: usize): void {
  const oRow = head.oRow,
    depth = head.depth;
  for (let i = 0; i < head.rows; i += BLOCK, out += oRow * <usize>BLOCK, lse += ROW) {
    const count = min(BLOCK, head.rows - i);
    const columns = (count + 15) & ~15;
    head.turn(head.queries, head.q + <usize>i * head.qRow, head.qRow, head.qCol, count, head.width, head.scale * LOG2E);
    for (let c: usize = 0; c < ROW; c += 16) {
      v128.store(head.line(0) + c, f32x4.splat(-Infinity));
      v128.store(head.line(1) + c, f32x4.splat(0));
    }
    const seen = head.seen(i, count);
    for (let n: usize = 0; n < <usize>count && seen == 0; n++) memory.fill(out + n * oRow, 0, (<usize>depth) << 2);
    for (let j = 0; j < seen; j += BLOCK) {
      const keys = min(BLOCK, seen - j);
      head.score(i, count, j, keys);
      weigh(head, columns, keys, head.crosses(i, j, keys));
      if (head.state) dropBlock(head, i, j, keys);
      if (j > 0)
        for (let n: usize = 0; n < <usize>count; n++) {
          const factor = load<f32>(head.line(2) + (n << 2));
          if (factor != 1) scaleRow(out + n * oRow, depth, factor);
        }
      head.sumKeys(
        out,
        oRow,
        head.scores,
        head.near(0, head.v + <usize>j * head.vRow, head.vRow, head.vCol, keys, depth),
        i,
        count,
        j,
        keys,
        depth,
        j > 0,
      );
    }
    for (let n: usize = 0; n < <usize>count; n++) {
      const sum = load<f32>(head.line(1) + (n << 2));
      scaleRow(out + n * oRow, depth, sum == 0 ? 0 : 1 / sum);
      store<f32>(lse + (n << 2), sum == 0 ? Infinity : load<f32>(head.line(0) + (n << 2)) * LN2 + logOne(sum));
    }
  }
}

/**
 * out = softmax over the keys of (scale q k^T + mask), times v; lse = log of the sum of e^score, Inf where a query
 * looks nowhere, which gets 0. mask: f32, or 0; allowed: u8, 0 where a query does not look, or 0; both have the strides
 * of the mask. causal: query i looks at keys 0 .. i only. state: with it, weights are dropped with probability p and
 * the others divided by 1 - p; element (key, query) of a head has the number key * (rows + 15 & ~15) + query of those
 * of the head.
 *
 * firstRow, firstHead, firstBatch: where the call is part of a larger one. A slice of rows begins at a multiple of 64.
 * (torch.nn.functional.scaled_dot_product_attention)
 */
export function attention_forward_f32(
  out: usize,
  lse: usize,
  q: usize,
  k: usize,
  v: usize,
  mask: usize,
  allowed: usize,
  state: usize,
  rows: i32,
  keys: i32,
  width: i32,
  depth: i32,
  scale: f32,
  causal: i32,
  p: f32,
  firstBatch: i32,
  firstHead: i32,
  firstRow: i32,
  workspace: usize,
  dims: usize,
): void {
  for (let b = 0; b < word(dims, 0); b++)
    for (let h = 0; h < word(dims, 1); h++)
      for (let g = 0; g < word(dims, 2); g++) {
        const head = open(workspace, q, k, v, mask, allowed, dims, b, h, g);
        settle(head, state, rows, keys, width, depth, scale, causal, p, firstRow);
        identify(head, dims, firstBatch + b, firstHead + h, g);
        forwardHead(head, out + resultOf(dims, b, h, g), lse + lseOf(dims, b, h, g));
      }
}

/** g . y over `n` neighbours. */
function dot(g: usize, y: usize, n: i32): f32 {
  const end = g + ((<usize>n) << 2);
  let sums = f32x4.splat(0);
  for (; g + 16 <= end; g += 16, y += 16) sums = madd(v128.load(g), v128.load(y), sums);
  let sum = horizontalSum(sums);
  for (; g < end; g += 4, y += 4) sum += load<f32>(g) * load<f32>(y);
  return sum;
}

/** The gradients of a head; those of keys and values are added to what is there. */
function backwardHead(
  head: Head,
  dq: usize,
  dk: usize,
  dv: usize,
  dqRow: usize,
  dkRow: usize,
  dvRow: usize,
  g: usize,
  y: usize,
  lse: usize,
): void {
  const oRow = head.oRow,
    depth = head.depth,
    width = head.width;
  for (let i = 0; i < head.rows; i += BLOCK, g += oRow * <usize>BLOCK, y += oRow * <usize>BLOCK, lse += ROW) {
    const count = min(BLOCK, head.rows - i);
    const columns = (count + 15) & ~15;
    const q = head.q + <usize>i * head.qRow;
    head.turn(head.queries, q, head.qRow, head.qCol, count, width, head.scale * LOG2E);
    head.turn(head.results, g, oRow, 4, count, depth, 1);
    head.near(0, g, oRow, 4, count, depth);
    head.near(1, q, head.qRow, head.qCol, count, width);
    for (let n: usize = 0; n < <usize>BLOCK; n++) {
      const there = n < <usize>count;
      store<f32>(head.line(0) + (n << 2), there ? load<f32>(lse + (n << 2)) * LOG2E : Infinity);
      store<f32>(head.line(1) + (n << 2), there ? dot(g + n * oRow, y + n * oRow, depth) : 0);
    }
    const seen = head.seen(i, count);
    const to = dq + <usize>i * dqRow;
    for (let n: usize = 0; n < <usize>count && seen == 0; n++) memory.fill(to + n * dqRow, 0, (<usize>width) << 2);
    for (let j = 0; j < seen; j += BLOCK) {
      const keys = min(BLOCK, seen - j);
      const k = head.k + <usize>j * head.kRow,
        v = head.v + <usize>j * head.vRow;
      const scores = head.scores,
        gradients = head.gradients;
      head.score(i, count, j, keys);
      head.keysBy(gradients, v, head.vRow, head.vCol, head.results, i, count, j, keys, depth);
      unweigh(head, i, columns, j, keys);
      head.sumQueries(dv + <usize>j * dvRow, dvRow, scores, head.laid(0), i, count, j, keys, depth);
      head.sumQueries(dk + <usize>j * dkRow, dkRow, gradients, head.laid(1), i, count, j, keys, width);
      const keyRows = head.near(2, k, head.kRow, head.kCol, keys, width);
      head.sumKeys(to, dqRow, gradients, keyRows, i, count, j, keys, width, j > 0);
    }
  }
}

/**
 * Reverses attention_forward_f32, whose operands these are, in q, k and v: g is the gradient of y, its result. Weights
 * are computed again, block by block.
 */
export function attention_backward_f32(
  dq: usize,
  dk: usize,
  dv: usize,
  g: usize,
  q: usize,
  k: usize,
  v: usize,
  mask: usize,
  allowed: usize,
  y: usize,
  lse: usize,
  state: usize,
  rows: i32,
  keys: i32,
  width: i32,
  depth: i32,
  scale: f32,
  causal: i32,
  p: f32,
  firstBatch: i32,
  firstHead: i32,
  workspace: usize,
  dims: usize,
): void {
  for (let b = 0; b < word(dims, 0); b++)
    for (let h = 0; h < word(dims, 1); h++) {
      const toKeys = dk + <usize>b * stride(dims, 34) + <usize>h * stride(dims, 35);
      const toValues = dv + <usize>b * stride(dims, 37) + <usize>h * stride(dims, 38);
      for (let j: usize = 0; j < <usize>keys; j++) {
        memory.fill(toKeys + j * stride(dims, 36), 0, (<usize>width) << 2);
        memory.fill(toValues + j * stride(dims, 39), 0, (<usize>depth) << 2);
      }
      for (let e = 0; e < word(dims, 2); e++) {
        const head = open(workspace, q, k, v, mask, allowed, dims, b, h, e);
        settle(head, state, rows, keys, width, depth, scale, causal, p, 0);
        identify(head, dims, firstBatch + b, firstHead + h, e);
        const at = resultOf(dims, b, h, e);
        backwardHead(
          head,
          dq + <usize>b * stride(dims, 30) + <usize>h * stride(dims, 31) + <usize>e * stride(dims, 32),
          toKeys,
          toValues,
          stride(dims, 33),
          stride(dims, 36),
          stride(dims, 39),
          g + at,
          y + at,
          lse + lseOf(dims, b, h, e),
        );
      }
    }
}
