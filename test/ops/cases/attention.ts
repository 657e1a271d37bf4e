// Cases of attention.
import { attentionGradients, attentionOf, weightsOf } from '../../../reference/attention.ts';
import { build, type Nd } from '../../../reference/nd.ts';
import { advanced, dropped, state } from './random.ts';
import {
  type Bad,
  type Cases,
  dtypeError,
  type Fill,
  f32,
  from,
  i32,
  type Known,
  type Spec,
  shapeError,
  u8,
} from './types.ts';

interface Sizes {
  /** n, queries, keys, heads, shared heads, width, depth. */
  readonly sizes: readonly [number, number, number, number, number, number, number];
  readonly causal?: boolean;
  readonly p?: number;
  readonly mask?: readonly [type: 'u8' | 'f32', ...shape: number[]];
  /** Whether numbers that are added may be −∞. */
  readonly hides?: boolean;
}
/** Blocks have 64 queries and keys: some sizes stand around it. */
const calls: readonly Sizes[] = [
  { sizes: [1, 1, 1, 1, 1, 1, 1] },
  { sizes: [2, 3, 4, 2, 2, 3, 2] },
  { sizes: [1, 5, 5, 2, 2, 4, 4], causal: true },
  { sizes: [1, 3, 6, 4, 2, 2, 3], causal: true },
  { sizes: [1, 6, 3, 2, 1, 2, 3], causal: true },
  { sizes: [1, 4, 5, 2, 2, 2, 2], mask: ['u8', 1, 1, 4, 5] },
  { sizes: [2, 3, 5, 1, 1, 2, 2], mask: ['u8', 2, 1, 1, 5], causal: true },
  { sizes: [1, 4, 3, 2, 1, 2, 2], mask: ['f32', 1, 2, 4, 3] },
  { sizes: [1, 3, 4, 1, 1, 2, 2], mask: ['f32', 1, 1, 3, 1] },
  { sizes: [1, 5, 3, 2, 2, 2, 2], p: 0.4 },
  { sizes: [2, 3, 3, 2, 1, 2, 1], p: 0.3, causal: true },
  { sizes: [0, 3, 4, 2, 2, 2, 2] },
  { sizes: [2, 0, 4, 2, 2, 2, 2] },
  { sizes: [2, 3, 0, 2, 2, 2, 2] },
  { sizes: [1, 2, 3, 2, 2, 2, 0] },
];
/** Too many numbers for finite differences. */
const large: readonly Sizes[] = [
  { sizes: [1, 67, 70, 1, 1, 2, 17] },
  { sizes: [1, 130, 67, 2, 1, 2, 3], causal: true },
  { sizes: [1, 65, 66, 1, 1, 3, 2], p: 0.5 },
  { sizes: [1, 5, 4, 2, 2, 2, 2], mask: ['f32', 1, 2, 5, 4], hides: true },
  { sizes: [1, 3, 68, 1, 1, 18, 2], mask: ['u8', 1, 1, 3, 68] },
];
const SCALE = 0.6;

/** Now and then a row that is all 0. */
const some: Fill = (n, next) => Array.from({ length: n }, (_, i) => Number(i % 15 > 4 && next() < 0.7));
/** Numbers of which none is whole; in some calls −∞ among them. */
const numbers =
  (hides: boolean): Fill =>
  (n, next) =>
    Array.from({ length: n }, () => (hides && next() < 0.3 ? Number.NEGATIVE_INFINITY : next() + 0.01));

const inputsOf = ({ sizes: [n, rows, keys, heads, shared, width, depth], mask, hides = false, p = 0 }: Sizes) => {
  const [type, ...shape] = mask ?? ['f32'];
  return {
    q: f32([n, rows, heads, width]),
    k: f32([n, keys, shared, width]),
    v: f32([n, keys, shared, depth]),
    mask: mask ? (type === 'u8' ? u8(shape, some) : f32(shape, numbers(hides))) : null,
    state: p > 0 ? state : null,
  };
};
const attrsOf = ({ causal = false, p = 0 }: Sizes) => ({ causal, scale: SCALE, p });

/** Elements that dropout draws: heads of keys by queries, rounded up to 4. */
const drawn = (n: number, heads: number, keys: number, rows: number): number => n * heads * keys * ((rows + 15) & ~15);
function keptOf(q: Nd, k: Nd, p: number): Nd | null {
  if (p === 0) return null;
  const [n, rows, heads] = q.shape as [number, number, number];
  const keys = k.shape[1] as number;
  const padded = (rows + 15) & ~15;
  const all = dropped(drawn(n, heads, keys, rows), p);
  return build([n, heads, rows, keys], ([b, h, i, j]) => {
    const head = (b as number) * heads + (h as number);
    return all[(head * keys + (j as number)) * padded + (i as number)] as number;
  });
}

/** What the forward pass leaves, from the inputs before. */
const saved = (call: Sizes): { y: Spec; lse: Spec } => {
  const [n, rows, , heads, , , depth] = call.sizes;
  const known = (before: Known) => {
    const { q, k, v, mask = null } = before as Readonly<Record<'q' | 'k' | 'v', Nd>> & { readonly mask?: Nd };
    return { q, k, v, mask };
  };
  const { p } = attrsOf(call);
  return {
    y: f32(
      [n, rows, heads, depth],
      from((before) => attentionOf(known(before), attrsOf(call), keptOf(known(before).q, known(before).k, p))),
    ),
    lse: f32(
      [n, heads, rows],
      from((before) => weightsOf(known(before), attrsOf(call)).lse),
    ),
  };
};

const plain = { q: f32([1, 2, 1, 3]), k: f32([1, 4, 1, 3]), v: f32([1, 4, 1, 2]), mask: null };
const attrs = { causal: false, scale: 1, p: 0 };
const errors = (op: string, rest: Readonly<Record<string, Spec | null>>): [Bad, Bad, Bad, ...Bad[]] => [
  shapeError(
    { ...rest, ...plain, k: f32([1, 4, 1, 2]) },
    attrs,
    new RegExp(`^${op}: expected k of shape \\[1, 4, 1, 3\\], got \\[1, 4, 1, 2\\]`),
  ),
  shapeError({ ...rest, ...plain, v: f32([1, 3, 1, 2]) }, attrs, new RegExp(`^${op}: expected v of shape`)),
  shapeError({ ...rest, ...plain, q: f32([2, 3]) }, attrs, new RegExp(`^${op}: expected q, k and v of 4 dims`)),
  shapeError(
    { ...rest, ...plain, k: f32([1, 4, 2, 3]), v: f32([1, 4, 2, 2]) },
    attrs,
    new RegExp(`^${op}: expected heads in groups that share one of 2, got 1`),
  ),
  shapeError(
    { ...rest, ...plain, mask: f32([1, 1, 3, 4]) },
    attrs,
    new RegExp(`^${op}: expected a mask that stretches to \\[1, 1, 2, 4\\], got \\[1, 1, 3, 4\\]`),
  ),
  dtypeError(
    { ...rest, ...plain, mask: i32([1, 1, 2, 4]) },
    attrs,
    new RegExp(`^${op}: expected dtype f32 or u8, got i32`),
  ),
];

export const attentionCases = {
  attention: {
    samples: [
      ...calls.map((call) => ({ inputs: inputsOf(call), attrs: attrsOf(call) })),
      ...large.map((call) => ({ inputs: inputsOf(call), attrs: attrsOf(call), valueOnly: true })),
    ],
    reference: ({ q, k, v, mask, state: given }, looks) => {
      const y = attentionOf({ q, k, v, mask }, looks, keptOf(q, k, looks.p));
      const [n, rows, heads] = q.shape as [number, number, number];
      return { y, state: given && advanced(drawn(n, heads, k.shape[1] as number, rows)) };
    },
    tolerance: { relative: 1e-5, absolute: 1e-6 },
    gradients: { q: true, k: true, v: true, mask: true },
    gradientTolerance: 1e-4,
    errors: errors('attention', { state: null }),
  },
  attentionBackward: {
    samples: [...calls, ...large].map((call) => {
      const { state: seen, ...inputs } = inputsOf(call);
      const [n, rows, , heads, , , depth] = call.sizes;
      return { inputs: { g: f32([n, rows, heads, depth]), ...inputs, ...saved(call), seen }, attrs: attrsOf(call) };
    }),
    reference: ({ g, q, k, v, mask }, looks) => attentionGradients({ g, q, k, v, mask }, looks, keptOf(q, k, looks.p)),
    tolerance: { relative: 1e-5, absolute: 1e-5 },
    gradients: 'none',
    errors: errors('attentionBackward', {
      ...{ g: f32([1, 2, 1, 2]), y: f32([1, 2, 1, 2]), lse: f32([1, 1, 2]), seen: null },
    }),
  },
} satisfies Cases;
