// Attention whose scores are never there all at once: the backward pass computes them again. Where the gradients need
// derivatives, or the mask has one, they are put together from ops that have some.
import { attentionKernels } from '../generated/kernel-calls.ts';
import { ATTENTION_WORDS } from '../kernels/attention.ts';
import { optional } from '../lookup.ts';
import { formatShape, ShapeError } from '../memory/errors.ts';
import { add, constant, mul, scale as scaled, sub, where } from './algebra.ts';
import {
  attrs,
  aux,
  calling,
  f32,
  family,
  grad,
  i32,
  inout,
  maybe,
  type Ops,
  plain,
  row,
  signature,
  strided,
  type Tensor,
} from './core.ts';
import { expectShape } from './shapes.ts';

type Looks = {
  readonly causal: boolean;
  /** What products are multiplied by. */
  readonly scale: number;
  /** The probability that a weight becomes 0. */
  readonly p: number;
};
/** Numbers that are added, or 1 where a query looks. */
const mask = maybe(strided({ ...f32, dtypes: ['f32', 'u8'] as const }));
const looking = { q: strided(f32), k: strided(f32), v: strided(f32), mask };

const s = optional(() => ({
  /**
   * q [n, queries, heads, width], k [n, keys, shared, width], v [n, keys, shared, depth] with heads in groups that
   * share one of keys and values, mask [n or 1, heads or 1, queries or 1, keys or 1] → y [n, queries, heads, depth].
   * state is that of the generator, with p > 0.
   */
  attention: signature({ ...looking, state: maybe(inout(i32)) }, { y: grad, lse: aux, seen: aux }, attrs<Looks>()),
  attentionBackward: signature(
    { g: f32, ...looking, y: f32, lse: f32, seen: maybe(i32) },
    { dq: plain, dk: plain, dv: plain },
    attrs<Looks>(),
  ),
}));
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

interface Operands {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  readonly mask: Tensor | null;
}
type Four = readonly [number, number, number, number];

/** Words of the generator's state. */
const STATE = 4;

function sizesOf({ q, k, v }: Operands) {
  const [batch, rows, heads, width] = q.sizes as Four;
  const [, keys, shared] = k.sizes as Four;
  return { batch, rows, heads, width, keys, shared, depth: v.sizes[3] as number };
}

/** @throws ShapeError, DtypeError */
function check(op: string, operands: Operands): ReturnType<typeof sizesOf> {
  const { q, k, v, mask } = operands;
  if ([q, k, v].some(({ ndim }) => ndim !== 4))
    throw new ShapeError(
      `${op}: expected q, k and v of 4 dims, got ${[q, k, v].map((x) => formatShape(x.sizes)).join(', ')}`,
    );
  const sizes = sizesOf(operands);
  const { batch, rows, heads, width, keys, shared, depth } = sizes;
  expectShape(op, 'k', k, [batch, keys, shared, width]);
  expectShape(op, 'v', v, [batch, keys, shared, depth]);
  if (shared === 0 ? heads > 0 : heads % shared !== 0)
    throw new ShapeError(`${op}: expected heads in groups that share one of ${shared}, got ${heads}`);
  const whole = [batch, heads, rows, keys];
  if (mask && !(mask.ndim === 4 && mask.sizes.every((size, d) => size === 1 || size === whole[d])))
    throw new ShapeError(
      `${op}: expected a mask that stretches to ${formatShape(whole)}, got ${formatShape(mask.sizes)}`,
    );
  return sizes;
}

/** What both kernels take. */
function callOf(operands: Operands, { causal, scale, p }: Looks) {
  const { q, k, v, mask } = operands;
  const { batch, rows, heads, width, keys, shared, depth } = sizesOf(operands);
  const group = shared === 0 ? 1 : heads / shared;
  const [qBatch, qRow, qHead, qCol] = q.steps as Four;
  const [kBatch, kRow, kHead, kCol] = k.steps as Four;
  const [vBatch, vRow, vHead, vCol] = v.steps as Four;
  const [mBatch, mHead, mRow, mCol] = (mask
    ? mask.steps.map((step, d) => (mask.sizes[d] === 1 ? 0 : step))
    : [0, 0, 0, 0]) as unknown as Four;
  const words: Record<(typeof ATTENTION_WORDS)[number], number> = {
    ...{ batch, heads: shared, group, qBatch, qHead: qHead * group, qGroup: qHead, qRow, qCol },
    ...{ kBatch, kHead, kRow, kCol, vBatch, vHead, vRow, vCol },
    ...{ oBatch: rows * heads * depth, oHead: group * depth, oGroup: depth, oRow: heads * depth },
    ...{ lBatch: heads * rows, lHead: group * rows, lGroup: rows },
    ...{ mBatch, mHead: mHead * group, mGroup: mHead, mRow, mCol, allHeads: shared, allRows: rows },
    ...{ dqBatch: rows * heads * width, dqHead: group * width, dqGroup: width, dqRow: heads * width },
    ...{ dkBatch: keys * shared * width, dkHead: width, dkRow: shared * width },
    ...{ dvBatch: keys * shared * depth, dvHead: depth, dvRow: shared * depth },
  };
  const dims = ATTENTION_WORDS.map((word) => words[word]);
  const numbers = { rows, keys, width, depth, scale, causal: Number(causal), p, firstBatch: 0, firstHead: 0 };
  const floats = mask?.dtype === 'f32' ? mask : null;
  return { q, k, v, mask: floats, allowed: floats ? null : mask, ...numbers, dims };
}

/** Elements of a generator that dropout takes: of each head, keys by queries, rounded up to 16. */
const drawn = ({ batch, heads, keys, rows }: ReturnType<typeof sizesOf>): readonly number[] => [
  batch,
  heads,
  keys,
  (rows + 15) & ~15,
];

export const attentionRows = family(calling(attentionKernels, s), () => ({
  attention: row(s.attention, {
    outputs: (make, { q, k, v, mask, state }, _, op) => {
      const { batch, rows, heads, depth } = check(op, { q, k, v, mask });
      if (state) expectShape(op, 'the state', state, [STATE]);
      return {
        y: make([batch, rows, heads, depth], 'f32'),
        lse: make([batch, heads, rows], 'f32'),
        seen: make([STATE], 'i32'),
      };
    },
    forward: (kernels, { y, lse, seen }, { q, k, v, mask, state }, looks) => {
      const operands = { q, k, v, mask };
      if (state) kernels.copy_32({ y: seen, x: state, dims: [1, STATE, 1, 1] });
      const call = callOf(operands, looks);
      kernels.attention_forward_f32({ ...call, out: y, lse, state: state && seen, firstRow: 0 });
      if (!state) return;
      const [batch = 0, heads = 0, keys = 0, padded = 0] = drawn(sizesOf(operands));
      // A head at a time, since the number of all may be more than an i32 holds.
      for (let n = batch * heads; n > 0; n--) kernels.random_advance({ state, n: keys * padded });
    },
    saves: ['q', 'k', 'v', 'mask', 'y', 'lse', 'seen'],
    backward: (o, { y: g }, { y, lse, seen, ...operands }, looks, { needs, noted }) => {
      const dropped = looks.p > 0 ? seen : null;
      if (noted || needs.mask) return composedGradients(o, { ...operands, g, lse }, looks, dropped);
      const { dq, dk, dv } = o.attentionBackward({ g, ...operands, y, lse, seen: dropped }, looks);
      return { q: dq, k: dk, v: dv };
    },
  }),
  attentionBackward: row(s.attentionBackward, {
    outputs: (make, { g, q, k, v, mask, y, lse, seen }, _, op) => {
      const { batch, rows, heads, depth } = check(op, { q, k, v, mask });
      expectShape(op, 'the gradient', g, [batch, rows, heads, depth]);
      expectShape(op, 'y', y, g.sizes);
      expectShape(op, 'lse', lse, [batch, heads, rows]);
      if (seen) expectShape(op, 'the state', seen, [STATE]);
      return { dq: make(q.sizes, 'f32'), dk: make(k.sizes, 'f32'), dv: make(v.sizes, 'f32') };
    },
    forward: (kernels, { dq, dk, dv }, { g, q, k, v, mask, y, lse, seen }, looks) =>
      kernels.attention_backward_f32({ ...callOf({ q, k, v, mask }, looks), dq, dk, dv, g, y, lse, state: seen }),
  }),
}));

const [HEADS, TURNED] = [
  [0, 2, 1, 3],
  [0, 1, 3, 2],
] as const;

/** Heads before rows, and those of keys and values as often as queries share them. */
function byHead(o: Ops, x: Tensor, heads: number): Tensor {
  const [n, rows, shared, width] = x.sizes as Four;
  const first = o.permute({ x }, { dims: HEADS });
  if (shared === heads) return first;
  const apart = o.reshape({ x: first }, { shape: [n, shared, 1, rows, width] });
  const often = o.expand({ x: apart }, { shape: [n, shared, heads / shared, rows, width] });
  return o.reshape({ x: often }, { shape: [n, heads, rows, width] });
}

/** The gradient of {@link byHead}. */
function together(o: Ops, x: Tensor, shared: number): Tensor {
  const [n, heads, rows, width] = x.sizes as Four;
  if (heads === shared) return o.permute({ x }, { dims: HEADS });
  const apart = o.reshape({ x }, { shape: [n, shared, heads / shared, rows, width] });
  return o.permute({ x: o.sum({ x: apart }, { dim: 2, end: 3, keepdim: false }) }, { dims: HEADS });
}

/**
 * The gradients, of ops that have derivatives: with weights P, what dropout leaves of them Z and dP = Z g vᵀ, those of
 * the scores are dS = P (dP − Σ P dP), of values (P Z)ᵀ g, of queries scale dS k, of keys scale dSᵀ q.
 */
function composedGradients(
  o: Ops,
  { g, lse, ...operands }: Operands & { readonly g: Tensor; readonly lse: Tensor },
  looks: Looks,
  seen: Tensor | null,
) {
  const sizes = sizesOf(operands);
  const { heads, shared, rows } = sizes;
  const [q, k, v] = [operands.q, operands.k, operands.v].map((x) => byHead(o, x, heads)) as [Tensor, Tensor, Tensor];
  const turn = (x: Tensor): Tensor => o.permute({ x }, { dims: TURNED });
  const gradient = byHead(o, g, heads);
  const weights = composedWeights(o, { ...operands, q, k, v }, looks, lse);
  let left: Tensor | null = null;
  if (seen) {
    const ones = o.full({}, { shape: [...drawn(sizes)], value: 1 });
    const all = o.dropout({ x: ones, state: o.contiguous({ x: seen }) }, { p: looks.p });
    left = turn(o.slice({ x: all }, { dim: 3, start: 0, length: rows, step: 1 }));
  }
  const used = left ? mul(o, weights, left) : weights;
  const products = o.matmul({ a: gradient, b: turn(v) });
  const dWeights = left ? mul(o, products, left) : products;
  const sums = o.sum({ x: mul(o, weights, dWeights) }, { dim: 3, end: 4, keepdim: true });
  const dScores = mul(o, weights, sub(o, dWeights, sums));
  const dProducts = scaled(o, dScores, looks.scale);
  return {
    q: together(o, o.matmul({ a: dProducts, b: k }), heads),
    k: together(o, o.matmul({ a: turn(dProducts), b: q }), shared),
    v: together(o, o.matmul({ a: turn(used), b: gradient }), shared),
    mask: operands.mask?.dtype === 'f32' ? dScores : null,
  };
}

/** Whether key j is at or before query i, u8 [queries, keys]. */
export function causalMask(o: Pick<Ops, 'cumsum' | 'full' | 'ge' | 'reshape'>, queries: number, keys: number): Tensor {
  const places = (n: number): Tensor => o.cumsum({ x: o.full({}, { shape: [n], value: 1, dtype: 'i32' }) }, { dim: 0 });
  return o.ge({ a: o.reshape({ x: places(queries) }, { shape: [queries, 1] }), b: places(keys) });
}

/** The weights [n, heads, queries, keys]; 0 where a query looks nowhere, whose lse is Infinity. */
function composedWeights(o: Ops, { q, k, mask }: Operands, { causal, scale }: Looks, lse: Tensor): Tensor {
  const hidden = constant(o, Number.NEGATIVE_INFINITY);
  let scores = scaled(o, o.matmul({ a: q, b: o.permute({ x: k }, { dims: TURNED }) }), scale);
  if (causal) scores = where(o, causalMask(o, q.sizes[2] as number, k.sizes[2] as number), scores, hidden);
  if (!mask) return o.softmax({ x: scores }, { dim: 3 });
  scores = mask.dtype === 'u8' ? where(o, mask, scores, hidden) : add(o, scores, mask);
  const lost = o.reshape({ x: lse }, { shape: [...lse.sizes, 1] });
  const dead = o.eq({ a: lost, b: constant(o, Number.POSITIVE_INFINITY) });
  const zero = constant(o, 0);
  return where(o, dead, zero, o.softmax({ x: where(o, dead, zero, scores) }, { dim: 3 }));
}
