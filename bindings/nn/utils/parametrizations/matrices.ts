// Functions of square matrices [..., n, n], made of products: so they are differentiable to any order.
import { withoutTape } from '../../../autograd.ts';
import { eye, ones, zeros } from '../../../creation.ts';
import { tracing } from '../../../execute.ts';
import { where } from '../../../functional/elementwise.ts';
import { matmul } from '../../../functional/matmul.ts';
import { triu } from '../../../functional/parts.ts';
import { diagonal } from '../../../functional/rearrange.ts';
import { cat, narrow } from '../../../functional/shape.ts';
import type { Tensor } from '../../../tensor.ts';

/** The matrices the other way round. */
export const turned = (x: Tensor): Tensor => x.transpose(-2, -1);

/** How often compiled functions may square, in which it cannot depend on values. */
const SQUARINGS = 12;

/**
 * e^A by scaling and squaring: e^A = (e^(A / 2ˢ))^(2ˢ), the inner one by its Taylor polynomial of degree 8, which is
 * exact in f32 where the rows of |A / 2ˢ| add up to 1/2 at most.
 */
export function matrixExp(a: Tensor): Tensor {
  if (a.size === 0) return a;
  const squarings = withoutTape(() => a.abs().sum(-1).max().mul(2).log().mul(Math.LOG2E).ceil().clamp({ min: 0 }));
  const x = a.mul(withoutTape(() => squarings.mul(-Math.LN2).exp()));
  const x2 = matmul(x, x);
  const x3 = matmul(x2, x);
  const one = eye(a.sizes.at(-1) as number);
  const part = (p: number, q: number, r: number): Tensor => one.mul(p).add(x.mul(q)).add(x2.mul(r));
  let y = part(1 / 720, 1 / 5040, 1 / 40320);
  y = part(1 / 6, 1 / 24, 1 / 120).add(matmul(x3, y));
  y = part(1, 1, 1 / 2).add(matmul(x3, y));
  if (!tracing()) {
    for (let s = squarings.item(); s > 0; s--) y = matmul(y, y);
    return y;
  }
  for (let i = 0; i < SQUARINGS; i++) y = where(squarings.gt(i), matmul(y, y), y);
  return where(squarings.gt(SQUARINGS), Number.NaN, y);
}

/** Four blocks as one matrix. */
const joined = (a: Tensor, b: Tensor, c: Tensor, d: Tensor): Tensor => cat([cat([a, b], -1), cat([c, d], -1)], -2);

/** The matrix of some rows and columns of another one. */
const block = (x: Tensor, row: number, rows: number, column: number, columns: number): Tensor =>
  narrow(narrow(x, -2, row, rows), -1, column, columns);

/**
 * The inverse of matrices whose symmetric part is positive definite, by blocks: so are the first block and what is left
 * of the last one, and nothing has to be exchanged.
 */
export function inverse(x: Tensor): Tensor {
  const n = x.sizes.at(-1) as number;
  if (n < 2) return x.reciprocal();
  const first = n >> 1;
  const a = inverse(block(x, 0, first, 0, first));
  const b = matmul(a, block(x, 0, first, first, n - first));
  const below = block(x, first, n - first, 0, first);
  const d = inverse(block(x, first, n - first, first, n - first).sub(matmul(below, b)));
  const c = matmul(d, matmul(below, a));
  return joined(a.add(matmul(b, c)), matmul(b, d).neg(), c.neg(), d);
}

/**
 * The inverse of upper triangular matrices, of all blocks of one size at once:
 * [[A, B], [0, C]]⁻¹ = [[A⁻¹, −A⁻¹ B C⁻¹], [0, C⁻¹]].
 */
function upperInverse(x: Tensor): Tensor {
  const batch = x.sizes.slice(0, -2);
  const n = x.sizes.at(-1) as number;
  let size = 1;
  while (size < n) size *= 2;
  // The identity beyond makes a power of two of it.
  const more = size - n;
  const beside = (rows: number): Tensor => zeros([...batch, rows, size - rows]);
  const one = eye(more).expand([...batch, more, more]);
  const whole = more === 0 ? x : cat([cat([x, beside(n)], -1), cat([beside(more), one], -1)], -2);
  let y = diagonal(whole, 0, -2, -1).reciprocal().unsqueeze(-1).unsqueeze(-1);
  for (let part = 1; part < size; part *= 2) {
    const pairs = size / part / 2;
    // Beside the block 2i stands one above the block 2i + 1.
    const cut = whole.reshape([...batch, pairs, 2, part, pairs, 2, part]);
    const d = batch.length;
    const above = diagonal(cut.select(d + 4, 1).select(d + 1, 0), 0, d, d + 2);
    const order = [...batch.keys(), d + 2, d, d + 1];
    const [a, c] = y.reshape([...batch, pairs, 2, part, part]).unbind(d + 1) as [Tensor, Tensor];
    const corner = matmul(matmul(a, above.permute(order)), c).neg();
    y = joined(a, corner, zeros(a.shape), c);
  }
  return block(y.squeeze(-3), 0, n, 0, n);
}

/**
 * The first columns of the product of the reflections I − 2 v vᵀ / |v|², v being 1 on the diagonal and below it as in
 * the columns of `below` [..., n, k]: I − V T Vᵀ, where T⁻¹ is the upper triangle of Vᵀ V, half of its diagonal.
 */
export function reflected(below: Tensor): Tensor {
  const [n, k] = below.sizes.slice(-2) as [number, number];
  if (below.size === 0) return below;
  const one = eye(n, k);
  const v = below.add(one);
  const products = matmul(turned(v), v);
  const t = upperInverse(products.mul(triu(ones([k, k])).sub(eye(k).mul(0.5))));
  return one.sub(matmul(v, matmul(t, turned(narrow(v, -2, 0, k)))));
}
