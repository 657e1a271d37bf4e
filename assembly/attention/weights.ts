// Between the products of attention: from the scores of a block to weights, and from those to the gradients of scores.
// Four vectors are worked out before the first is stored, since a power of two is a chain of steps that wait for each
// other. Of a block on the diagonal only what is read of it goes through: 16 keys with the queries from the first of
// them on.
import { exp2Normal } from "../math";
import { Head, ROW, STEP } from "./blocks";

/** Below every score but -Inf: with it as their maximum, queries that look nowhere have weights of 0. */
const LOWEST: f32 = -3.0e38;

/**
 * The weights of a block, not yet divided by their sums: scores become 2^(score - maximum), with maxima in line 0, sums
 * in line 1, and in line 2 the factors for what was summed before.
 */
export function weigh(head: Head, columns: i32, keys: i32, crosses: bool): void {
  for (let n = 0; n < columns; n += STEP) {
    const c = (<usize>n) << 2;
    const s = head.scores + c,
      maxima = head.line(0) + c,
      sums = head.line(1) + c,
      factors = head.line(2) + c;
    const end = s + <usize>(crosses ? min(keys, n + STEP) : keys) * ROW;
    const m0 = v128.load(maxima),
      m1 = v128.load(maxima, 16),
      m2 = v128.load(maxima, 32),
      m3 = v128.load(maxima, 48);
    const lowest = f32x4.splat(LOWEST);
    let x0 = f32x4.pmax(m0, lowest),
      x1 = f32x4.pmax(m1, lowest),
      x2 = f32x4.pmax(m2, lowest),
      x3 = f32x4.pmax(m3, lowest);
    for (let r = s; r < end; r += ROW) {
      x0 = f32x4.pmax(x0, v128.load(r));
      x1 = f32x4.pmax(x1, v128.load(r, 16));
      x2 = f32x4.pmax(x2, v128.load(r, 32));
      x3 = f32x4.pmax(x3, v128.load(r, 48));
    }
    v128.store(maxima, x0);
    v128.store(maxima, x1, 16);
    v128.store(maxima, x2, 32);
    v128.store(maxima, x3, 48);
    x0 = exp2Normal(f32x4.sub(m0, x0));
    x1 = exp2Normal(f32x4.sub(m1, x1));
    x2 = exp2Normal(f32x4.sub(m2, x2));
    x3 = exp2Normal(f32x4.sub(m3, x3));
    v128.store(factors, x0);
    v128.store(factors, x1, 16);
    v128.store(factors, x2, 32);
    v128.store(factors, x3, 48);
    x0 = f32x4.mul(x0, v128.load(sums));
    x1 = f32x4.mul(x1, v128.load(sums, 16));
    x2 = f32x4.mul(x2, v128.load(sums, 32));
    x3 = f32x4.mul(x3, v128.load(sums, 48));
    for (let r = s; r < end; r += ROW) {
      const w0 = exp2Normal(f32x4.sub(v128.load(r), v128.load(maxima))),
        w1 = exp2Normal(f32x4.sub(v128.load(r, 16), v128.load(maxima, 16))),
        w2 = exp2Normal(f32x4.sub(v128.load(r, 32), v128.load(maxima, 32))),
        w3 = exp2Normal(f32x4.sub(v128.load(r, 48), v128.load(maxima, 48)));
      v128.store(r, w0);
      v128.store(r, w1, 16);
      v128.store(r, w2, 32);
      v128.store(r, w3, 48);
      x0 = f32x4.add(x0, w0);
      x1 = f32x4.add(x1, w1);
      x2 = f32x4.add(x2, w2);
      x3 = f32x4.add(x3, w3);
    }
    v128.store(sums, x0);
    v128.store(sums, x1, 16);
    v128.store(sums, x2, 32);
    v128.store(sums, x3, 48);
  }
}

/** x[n] *= y[n] for the numbers of a row of a block. */
function multiplyRow(x: usize, y: usize): void {
  for (let c: usize = 0; c < ROW; c += 16) v128.store(x + c, f32x4.mul(v128.load(x + c), v128.load(y + c)));
}

/** Multiplies the weights of a block by what dropout leaves of them. */
export function dropBlock(head: Head, i: i32, j: i32, keys: i32): void {
  for (let n = 0; n < keys; n++) {
    head.drop(i, j + n);
    multiplyRow(head.scores + <usize>n * ROW, head.line(5));
  }
}

/** w (dw - inner) scale, the gradient of a score. */
@inline
function scoreGradient(w: v128, dw: v128, inner: v128, scale: v128): v128 {
  return f32x4.mul(f32x4.mul(w, f32x4.sub(dw, inner)), scale);
}

/**
 * From scores and the gradients of weights to weights, as values have them, and the gradients of scores: lines 0 and 1
 * hold lse and g . y of the queries.
 */
export function unweigh(head: Head, i: i32, columns: i32, j: i32, keys: i32): void {
  const scale = f32x4.splat(head.scale);
  const crosses = head.crosses(i, j, keys);
  const lse = head.line(0),
    inner = head.line(1),
    left = head.line(5);
  for (let n = 0; n < keys; n++) {
    const row = <usize>n * ROW;
    const scores = head.scores + row,
      gradients = head.gradients + row;
    if (head.state) {
      head.drop(i, j + n);
      multiplyRow(gradients, left);
    }
    for (let c: usize = crosses ? (<usize>(n & -STEP)) << 2 : 0; c < (<usize>columns) << 2; c += 64) {
      const s = scores + c,
        d = gradients + c,
        l = lse + c,
        e = inner + c;
      const w0 = exp2Normal(f32x4.sub(v128.load(s), v128.load(l))),
        w1 = exp2Normal(f32x4.sub(v128.load(s, 16), v128.load(l, 16))),
        w2 = exp2Normal(f32x4.sub(v128.load(s, 32), v128.load(l, 32))),
        w3 = exp2Normal(f32x4.sub(v128.load(s, 48), v128.load(l, 48)));
      v128.store(s, w0);
      v128.store(s, w1, 16);
      v128.store(s, w2, 32);
      v128.store(s, w3, 48);
      v128.store(d, scoreGradient(w0, v128.load(d), v128.load(e), scale));
      v128.store(d, scoreGradient(w1, v128.load(d, 16), v128.load(e, 16), scale), 16);
      v128.store(d, scoreGradient(w2, v128.load(d, 32), v128.load(e, 32), scale), 32);
      v128.store(d, scoreGradient(w3, v128.load(d, 48), v128.load(e, 48), scale), 48);
    }
    if (head.state) multiplyRow(scores, left);
  }
}
