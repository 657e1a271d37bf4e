// Attention and its gradients, from the definition: q [n, queries, heads, width], k [n, keys, shared, width], v [n, keys,
// shared, depth], masks [n, heads, queries, keys] or stretched to that.
import { at, build, type Nd, nd } from './nd.ts';

export interface Attention {
  readonly q: Nd;
  readonly k: Nd;
  readonly v: Nd;
  readonly mask: Nd | null;
}
export interface Looks {
  readonly causal: boolean;
  readonly scale: number;
}
type Index = readonly [n: number, head: number, query: number, key: number];

const indices = (length: number): number[] => Array.from({ length }, (_, i) => i);
const sizesOf = ({ q, k, v }: Attention) => {
  const [n, rows, heads, width] = q.shape as [number, number, number, number];
  const [, keys, shared, depth] = v.shape as [number, number, number, number];
  return { n, rows, heads, width, keys, shared, depth, group: heads / Math.max(1, shared), k };
};

/** Numbers that are added, or a mask of 0 and 1: which none of the tested numbers are. */
const isMask = (mask: Nd): boolean => Array.from(mask.data).every((x) => x === 0 || x === 1);

function scoreOf({ q, k, mask }: Attention, { causal, scale }: Looks, group: number, [n, h, i, j]: Index): number {
  let sum = 0;
  for (let e = 0; e < (q.shape[3] as number); e++) sum += at(q, [n, i, h, e]) * at(k, [n, j, Math.floor(h / group), e]);
  const value =
    mask &&
    at(
      mask,
      mask.shape.map((size, d) => (size === 1 ? 0 : ([n, h, i, j][d] as number))),
    );
  if ((causal && j > i) || (mask && isMask(mask) && value === 0)) return Number.NEGATIVE_INFINITY;
  return sum * scale + (mask && !isMask(mask) ? (value as number) : 0);
}

/** Weights [n, heads, queries, keys], and the logarithm of the sum of e^score [n, heads, queries]. */
export function weightsOf(x: Attention, looks: Looks): { readonly weights: Nd; readonly lse: Nd } {
  const { n, rows, heads, keys, group } = sizesOf(x);
  const weights: number[] = [];
  const lse: number[] = [];
  for (const b of indices(n))
    for (const h of indices(heads))
      for (const i of indices(rows)) {
        const scores = indices(keys).map((j) => scoreOf(x, looks, group, [b, h, i, j]));
        const top = Math.max(...scores);
        const dead = !Number.isFinite(top);
        const sum = scores.reduce((all, score) => all + (dead ? 0 : Math.exp(score - top)), 0);
        lse.push(dead ? Number.POSITIVE_INFINITY : top + Math.log(sum));
        weights.push(...scores.map((score) => (dead ? 0 : Math.exp(score - top) / sum)));
      }
  return { weights: nd([n, heads, rows, keys], weights), lse: nd([n, heads, rows], lse) };
}

/** y [n, queries, heads, depth]. @param kept what weights are multiplied by; null: 1 */
export function attentionOf(x: Attention, looks: Looks, kept: Nd | null): Nd {
  const { n, rows, heads, keys, depth, group } = sizesOf(x);
  const { weights } = weightsOf(x, looks);
  return build([n, rows, heads, depth], ([b, i, h, e]) =>
    indices(keys).reduce((sum, j) => {
      const where = [b, h, i, j] as number[];
      return (
        sum +
        at(weights, where) *
          (kept ? at(kept, where) : 1) *
          at(x.v, [b, j, Math.floor((h as number) / group), e] as number[])
      );
    }, 0),
  );
}

/** The gradients of q, k and v for the gradient g of y. */
export function attentionGradients(x: Attention & { readonly g: Nd }, looks: Looks, kept: Nd | null) {
  const { n, rows, heads, keys, group, depth } = sizesOf(x);
  const { weights } = weightsOf(x, looks);
  const dWeights = build([n, heads, rows, keys], (index) => {
    const [b, h, i, j] = index as unknown as Index;
    const sum = indices(depth).reduce(
      (all, e) => all + at(x.g, [b, i, h, e]) * at(x.v, [b, j, Math.floor(h / group), e]),
      0,
    );
    return sum * (kept ? at(kept, index) : 1);
  });
  const means = build([n, heads, rows], (index) =>
    indices(keys).reduce((all, j) => all + at(weights, [...index, j]) * at(dWeights, [...index, j]), 0),
  );
  const dScores = build(
    [n, heads, rows, keys],
    (index) => at(weights, index) * (at(dWeights, index) - at(means, index.slice(0, 3))),
  );
  const headsOf = (s: number): number[] => indices(group).map((g) => s * group + g);
  return {
    dq: build(x.q.shape, ([b, i, h, e]) =>
      indices(keys).reduce(
        (sum, j) =>
          sum +
          looks.scale *
            at(dScores, [b, h, i, j] as number[]) *
            at(x.k, [b, j, Math.floor((h as number) / group), e] as number[]),
        0,
      ),
    ),
    dk: build(x.k.shape, ([b, j, s, e]) =>
      headsOf(s as number).reduce(
        (sum, h) =>
          sum +
          indices(rows).reduce(
            (all, i) => all + looks.scale * at(dScores, [b, h, i, j] as number[]) * at(x.q, [b, i, h, e] as number[]),
            0,
          ),
        0,
      ),
    ),
    dv: build(x.v.shape, ([b, j, s, e]) =>
      headsOf(s as number).reduce(
        (sum, h) =>
          sum +
          indices(rows).reduce((all, i) => {
            const where = [b, h, i, j] as number[];
            return all + at(weights, where) * (kept ? at(kept, where) : 1) * at(x.g, [b, i, h, e] as number[]);
          }, 0),
        0,
      ),
    ),
  };
}
