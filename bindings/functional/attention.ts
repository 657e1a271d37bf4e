// Attention: how much each query takes of each value.
import { ops } from '../autograd.ts';
import { arange } from '../creation.ts';
import { ArgumentError, DtypeError, formatShape, ShapeError } from '../memory/errors.ts';
import { broadcastShapes } from '../ops/shapes.ts';
import { type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { constantFor } from './arguments.ts';
import { dropout } from './dropout.ts';
import { matmul } from './matmul.ts';
import { amax, softmax } from './reduction.ts';
import { expand, reshape, transpose, unsqueeze } from './shape.ts';

/** Options of {@link scaledDotProductAttention}. */
export interface AttentionOptions {
  /**
   * What of the keys each query looks at, of a shape that broadcasts to [..., queries, keys]: a mask (u8), 1 where it
   * looks, or numbers (f32) that are added to the scores, −∞ where it does not. A query that looks nowhere gets 0.
   * @defaultValue null
   */
  attnMask?: Tensor | null;
  /** The probability from 0 to 1 that a weight becomes 0. @defaultValue 0 */
  dropoutP?: number;
  /** Whether query i looks at keys 0 … i alone; not beside attnMask. @defaultValue false */
  isCausal?: boolean;
  /** What the products are multiplied by; null: 1 / √width. @defaultValue null */
  scale?: number | null;
  /** Whether query heads share the heads of keys and values in groups, of which there are fewer. @defaultValue false */
  enableGqa?: boolean;
}

/** How {@link attention} looks at keys. */
export interface Looks {
  readonly mask: Tensor | null;
  readonly dropout: number;
  readonly causal: boolean;
  readonly scale: number;
}

/** Whether key j is at or before query i, u8 [queries, keys]. */
export const causalMask = (queries: number, keys: number): Tensor =>
  ops.ge({ a: unsqueeze(arange(queries, { dtype: 'i32' }), 1), b: arange(keys, { dtype: 'i32' }) });

/** The scores [..., queries, keys] where the mask is 1, else −∞. */
const only = (mask: Tensor, scores: Tensor): Tensor =>
  ops.where({ condition: mask, a: scores, b: constantFor(scores, Number.NEGATIVE_INFINITY) });

/** Softmax over the keys; 0 where all scores are −∞, and so are the gradients. */
export function safeSoftmax(scores: Tensor): Tensor {
  if (scores.size === 0) return scores;
  const dead = ops.eq({ a: amax(scores.detach(), -1, true), b: constantFor(scores, Number.NEGATIVE_INFINITY) });
  const zero = constantFor(scores, 0);
  const weights = softmax(ops.where({ condition: dead, a: zero, b: scores }), -1);
  return ops.where({ condition: dead, a: zero, b: weights });
}

/** The scores of queries [..., L, E] for keys [..., S, E], masked. */
export function attentionScores(query: Tensor, key: Tensor, { mask, causal, scale }: Looks): Tensor {
  let scores = ops.scale({ x: matmul(query, transpose(key, -2, -1)) }, { alpha: scale, beta: 0 });
  if (causal) scores = only(causalMask(query.sizes.at(-2) as number, key.sizes.at(-2) as number), scores);
  if (mask) scores = mask.dtype === 'u8' ? only(mask, scores) : ops.add({ a: scores, b: mask });
  return scores;
}

/** softmax(scale · query · keyᵀ + mask) · value, put together from other ops. */
export function composedAttention(query: Tensor, key: Tensor, value: Tensor, looks: Looks): Tensor {
  const scores = attentionScores(query, key, looks);
  const weights = looks.mask ? safeSoftmax(scores) : softmax(scores, -1);
  return matmul(looks.dropout > 0 ? dropout(weights, looks.dropout) : weights, value);
}

/** As {@link composedAttention}, of query [n, heads, L, E], key [n, heads, S, E] and value [n, heads, S, Ev]. */
export const attend = composedAttention;

/** Every head of keys or values [..., heads, S, E] as often as queries share it. */
function repeatHeads(x: Tensor, heads: number): Tensor {
  const own = x.sizes.at(-3) as number;
  if (own === heads) return x;
  const [lead, tail] = [x.shape.slice(0, -2), x.shape.slice(-2)];
  return reshape(expand(unsqueeze(x, -3), [...lead, heads / own, ...tail]), [...lead.slice(0, -1), heads, ...tail]);
}

/** @throws ShapeError, DtypeError, ArgumentError for what attention does not take */
function checkAttention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | null): void {
  const shapes = [query, key, value].map((x) => formatShape(x.sizes)).join(', ');
  for (const x of [query, key, value]) {
    if (x.dtype !== 'f32')
      throw new DtypeError(`scaledDotProductAttention: expected query, key and value in f32, got ${x.dtype}`);
    if (x.ndim < 2)
      throw new ShapeError(
        `scaledDotProductAttention: expected query, key and value of at least 2 dims, got ${shapes}`,
      );
  }
  if (query.sizes.at(-1) !== key.sizes.at(-1) || key.sizes.at(-2) !== value.sizes.at(-2))
    throw new ShapeError(
      `scaledDotProductAttention: expected query [..., L, E], key [..., S, E] and value [..., S, Ev], got ${shapes}`,
    );
  if (mask && mask.dtype === 'i32')
    throw new DtypeError(
      "scaledDotProductAttention: expected attnMask in u8 or f32, got i32; make a mask by .ne(0), or numbers by .to('f32')",
    );
}

/** @throws ShapeError unless the heads of queries are groups of those of keys and of values */
function checkGroups(query: Tensor, key: Tensor, value: Tensor): void {
  const heads = query.sizes.at(-3) as number;
  for (const x of [query, key, value])
    if (x.ndim < 3 || heads % (x.sizes.at(-3) as number) !== 0)
      throw new ShapeError(
        `scaledDotProductAttention: expected [..., heads, L, E] with heads of queries that are groups of those of keys and values, got ${[query, key, value].map((each) => formatShape(each.sizes)).join(', ')}`,
      );
}

/**
 * softmax(scale · query · keyᵀ + attnMask) · value, over the keys (Vaswani et al. 2017).
 * @param query [..., L, E]
 * @param key [..., S, E]
 * @param value [..., S, Ev]; dims in front of the last two broadcast
 * @returns [..., L, Ev]
 * @throws ShapeError, DtypeError, ArgumentError
 */
export const scaledDotProductAttention = callable<
  Callable<
    [query: Tensor, key: Tensor, value: Tensor],
    [attnMask: Tensor | null, dropoutP: number, isCausal: boolean, scale: number | null, enableGqa: boolean],
    AttentionOptions,
    Tensor
  >
>(
  'scaledDotProductAttention(query: Tensor, key: Tensor, value: Tensor, attnMask: Tensor|null = null, dropoutP: number = 0, isCausal: bool = false, scale: number|null = null, enableGqa: bool = false)',
  (query: Tensor, key: Tensor, value: Tensor, ...rest: [Tensor | null, number, boolean, number | null, boolean]) => {
    const [mask, dropoutP, isCausal, scale, gqa] = rest;
    checkAttention(query, key, value, mask);
    if (!(dropoutP >= 0 && dropoutP <= 1))
      throw new ArgumentError(`scaledDotProductAttention: expected dropoutP from 0 to 1, got ${dropoutP}`);
    if (mask && isCausal)
      throw new ArgumentError(
        'scaledDotProductAttention: expected attnMask or isCausal, got both; put what is causal into the mask',
      );
    if (gqa) checkGroups(query, key, value);
    const heads = query.sizes.at(-3) as number;
    const [k, v] = gqa ? [repeatHeads(key, heads), repeatHeads(value, heads)] : [key, value];
    const lead = broadcastShapes(
      'scaledDotProductAttention',
      broadcastShapes('scaledDotProductAttention', query.sizes.slice(0, -2), k.sizes.slice(0, -2)),
      v.sizes.slice(0, -2),
    );
    const [rows, keys] = [query.sizes.at(-2) as number, key.sizes.at(-2) as number];
    if (mask) expectBroadcasts(mask, [...lead, rows, keys]);
    return composedAttention(query, k, v, {
      mask,
      dropout: dropoutP,
      causal: isCausal,
      scale: scale ?? 1 / Math.sqrt(query.sizes.at(-1) as number),
    });
  },
);

/** @throws ShapeError unless the mask broadcasts to the shape of the scores */
function expectBroadcasts(mask: Tensor, scores: readonly number[]): void {
  const joined = broadcastShapes('scaledDotProductAttention', mask.sizes, scores);
  if (formatShape(joined) !== formatShape(scores))
    throw new ShapeError(
      `scaledDotProductAttention: expected attnMask of a shape that broadcasts to ${formatShape(scores)}, got ${formatShape(mask.sizes)}`,
    );
}
