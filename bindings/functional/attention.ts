// Attention: how much each query takes of each value.
import { familyOps, ops } from '../autograd.ts';
import { MOST_WIDE } from '../kernels/attention.ts';
import { ArgumentError, DtypeError, formatShape, ShapeError } from '../memory/errors.ts';
import { attentionRows, causalMask } from '../ops/attention.ts';
import { broadcastShapes } from '../ops/shapes.ts';
import { defaultGenerator } from '../random.ts';
import { type Callable, callable } from '../signature.ts';
import { numelOf, type Shape, type Tensor } from '../tensor.ts';
import { constantFor } from './arguments.ts';
import { dropout } from './dropout.ts';
import { matmul } from './matmul.ts';
import { amax, softmax } from './reduction.ts';
import { expand, reshape, transpose, unsqueeze } from './shape.ts';

const attentionOps = familyOps(attentionRows);

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

/** The scores [..., queries, keys] where the mask is 1, else −∞. */
const only = (mask: Tensor, scores: Tensor): Tensor =>
  ops.where({ condition: mask, a: scores, b: constantFor(scores, Number.NEGATIVE_INFINITY) });

/** Softmax over the keys; 0 where all scores are −∞, and so are the gradients. */
function safeSoftmax(scores: Tensor): Tensor {
  if (scores.size === 0) return scores;
  const dead = ops.eq({ a: amax(scores.detach(), -1, true), b: constantFor(scores, Number.NEGATIVE_INFINITY) });
  const zero = constantFor(scores, 0);
  const weights = softmax(ops.where({ condition: dead, a: zero, b: scores }), -1);
  return ops.where({ condition: dead, a: zero, b: weights });
}

/** The scores of queries [..., L, E] for keys [..., S, E], masked. */
export function attentionScores(query: Tensor, key: Tensor, { mask, causal, scale }: Looks): Tensor {
  let scores = ops.scale({ x: matmul(query, transpose(key, -2, -1)) }, { alpha: scale, beta: 0 });
  if (causal) scores = only(causalMask(ops, query.sizes.at(-2) as number, key.sizes.at(-2) as number), scores);
  if (mask) scores = mask.dtype === 'u8' ? only(mask, scores) : ops.add({ a: scores, b: mask });
  return scores;
}

/** softmax(scale · query · keyᵀ + mask) · value, put together from other ops. */
function composedAttention(query: Tensor, key: Tensor, value: Tensor, looks: Looks): Tensor {
  const scores = attentionScores(query, key, looks);
  const weights = looks.mask ? safeSoftmax(scores) : softmax(scores, -1);
  return matmul(looks.dropout > 0 ? dropout(weights, looks.dropout) : weights, value);
}

/** Heads before or behind rows. */
const HEADS = [0, 2, 1, 3] as const;

/**
 * As {@link composedAttention}, of query [n, heads, L, E], key [n, shared, S, E] and value [n, shared, S, Ev], and a
 * mask of up to 4 dims; without room for all scores.
 */
export function attend(query: Tensor, key: Tensor, value: Tensor, looks: Looks): Tensor {
  const heads = query.sizes[1] as number;
  if ((query.sizes[3] as number) + (value.sizes[3] as number) > MOST_WIDE)
    return composedAttention(query, repeatHeads(key, heads), repeatHeads(value, heads), looks);
  const [q, k, v] = [query, key, value].map((x) => ops.permute({ x }, { dims: HEADS })) as [Tensor, Tensor, Tensor];
  const mask = looks.mask && ops.reshape({ x: looks.mask }, { shape: fourDims(looks.mask.sizes) });
  const { dropout: p, causal, scale } = looks;
  const y = attentionOps.attention({ q, k, v, mask, state: p > 0 ? defaultGenerator() : null }, { causal, scale, p });
  return ops.permute({ x: y }, { dims: HEADS });
}

/** A shape with dims of 1 in front, to be 4 in all; of more, the first are joined. */
const fourDims = (shape: Shape): number[] => {
  const tail = [1, 1, 1, ...shape].slice(-3);
  return [numelOf(shape.slice(0, -3)), ...tail];
};

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
    Tensor,
    ['query', 'key', 'value']
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
    return attendTo(
      query,
      key,
      value,
      {
        ...{ mask, dropout: dropoutP, causal: isCausal },
        scale: scale ?? 1 / Math.sqrt(query.sizes.at(-1) as number),
      },
      gqa,
    );
  },
);

/** Any dims in front become one of a batch and one of heads. */
function attendTo(query: Tensor, key: Tensor, value: Tensor, looks: Looks, gqa: boolean): Tensor {
  const op = 'scaledDotProductAttention';
  const { mask } = looks;
  // Heads in groups need not be equal; all other dims in front broadcast.
  const batch = (x: Tensor): Shape => x.sizes.slice(0, gqa ? -3 : -2);
  const lead = broadcastShapes(op, broadcastShapes(op, batch(query), batch(key)), batch(value));
  const heads = query.sizes.at(-3) as number;
  const shape = gqa ? [...lead, heads] : lead;
  const [rows, keys] = [query.sizes.at(-2) as number, key.sizes.at(-2) as number];
  if (mask) expectBroadcasts(mask, [...shape, rows, keys]);
  const shared = key.sizes.at(-3) === value.sizes.at(-3);
  const four = (x: Tensor): Tensor => {
    const full = gqa ? [...lead, ...x.sizes.slice(-3)] : [...lead, ...x.sizes.slice(-2)];
    return reshape(expand(x, full), fourDims(full));
  };
  const [q, k, v] = [query, key, value].map((x, i) => four(gqa && !shared && i > 0 ? repeatHeads(x, heads) : x)) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  // A mask of more dims than 4 is joined as the others are.
  const joined = mask && (mask.ndim > 4 ? expand(mask, [...shape, ...mask.sizes.slice(-2)]) : mask);
  const y = attend(q, k, v, { ...looks, mask: joined });
  return reshape(y, [...shape, rows, value.sizes.at(-1) as number]);
}

/** @throws ShapeError unless the mask broadcasts to the shape of the scores */
function expectBroadcasts(mask: Tensor, scores: readonly number[]): void {
  const joined = broadcastShapes('scaledDotProductAttention', mask.sizes, scores);
  if (formatShape(joined) !== formatShape(scores))
    throw new ShapeError(
      `scaledDotProductAttention: expected attnMask of a shape that broadcasts to ${formatShape(scores)}, got ${formatShape(mask.sizes)}`,
    );
}
