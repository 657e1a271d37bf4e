// Matrix products, and attention.
import { DATA } from '../../messages.ts';
import type { Graph, Value } from '../graph.ts';
import { type Size, type Sizes, same } from '../sizes.ts';
import type { Call, Operand, Writers } from '../writers.ts';

/** Masks are added, or say where a query looks. */
interface Looking {
  readonly q: Operand;
  readonly k: Operand;
  readonly v: Operand;
  readonly mask: Operand | null;
}

/** Heads before rows; where groups of heads share keys, a dim of groups behind them. */
function byHead(g: Graph, x: Operand, shared: Size, group: number, perm: readonly number[]): Value {
  const turned = g.transpose(x, perm);
  if (group === 1) return turned;
  const sizes = perm.map((d) => x.sizes[d] as Size);
  const split: Sizes = [sizes[0] as Size, shared, x.sizes[2] === shared ? 1 : group, ...sizes.slice(2)];
  return g.reshape(turned, split);
}

function attention(
  g: Graph,
  { q, k, v, mask }: Looking,
  looks: { causal: boolean; scale: number; p: number },
  call: Call,
): Value {
  if (looks.p > 0) call.refuse('dropout of weights');
  const [batch, rows, heads] = q.sizes as [Size, Size, Size];
  const [, keys, shared] = k.sizes as [Size, Size, Size];
  const group = same(heads, shared) ? 1 : call.fixed(heads) / Math.max(1, call.fixed(shared));
  const turned = byHead(g, q, shared, group, [0, 2, 1, 3]);
  const products = g.node('MatMul', [turned, byHead(g, k, shared, group, [0, 2, 3, 1])]);
  let scores = g.scale(products, looks.scale);
  if (group > 1) scores = g.reshape(scores, [batch, heads, rows, keys]);
  const hidden = g.scalar(Number.NEGATIVE_INFINITY);
  if (looks.causal) {
    const [m, n] = [call.fixed(rows), call.fixed(keys)];
    const seen = Array.from({ length: m * n }, (_, i) => Number(i % n <= Math.floor(i / n)));
    scores = g.where(g.constant(seen, DATA.BOOL, [m, n]), scores, hidden);
  }
  if (mask) scores = mask.type === DATA.FLOAT ? g.add(scores, mask) : g.where(g.bool(mask), scores, hidden);
  let weights = g.node('Softmax', [scores], { axis: -1 });
  if (mask) {
    // A query that looks nowhere gets zeros.
    const dead = g.equal(g.reduce('ReduceMax', scores, [3], true), hidden);
    weights = g.where(dead, g.scalar(0), weights);
  }
  if (group > 1) weights = g.reshape(weights, [batch, shared, group, rows, keys]);
  let y = g.node('MatMul', [weights, byHead(g, v, shared, group, [0, 2, 1, 3])]);
  if (group > 1) y = g.reshape(y, [batch, heads, rows, v.sizes[3] as Size]);
  return g.transpose(y, [0, 2, 1, 3]);
}

export const productWriters = {
  matmul: (g, { a, b }) => g.node('MatMul', [a, b]),
  linear: (g, { x, weight, bias }) => g.node('Gemm', [x, weight, bias], { transB: 1 }),
  attention: (g, inputs, looks, call) => attention(g, inputs, looks, call),
} satisfies Writers;
