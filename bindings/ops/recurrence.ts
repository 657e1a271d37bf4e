// First-order recurrences: running products, and what decays. A derivative of one is one that goes the other way.
import { recurrenceKernels } from '../generated/kernel-calls.ts';
import { optional } from '../lookup.ts';
import { mul } from './algebra.ts';
import { attrs, calling, f32, family, grad, maybe, type Ops, row, signature, type Tensor } from './core.ts';
import { expectShape, normalizeDim, split3 } from './shapes.ts';

type Recurrence = { readonly dim: number; readonly start: number; readonly backward: boolean };

const s = optional(() => ({
  /** y[j] = a[j] y[j − 1] + b[j] along `dim`, from `start` on; or backward, from the end. */
  recurrence: signature({ a: f32, b: maybe(f32) }, { y: grad }, attrs<Recurrence>()),
}));
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

/** What was there one step before, `first` at the first step; of a recurrence that goes forward. */
function shifted(o: Ops, x: Tensor, first: number, { dim, backward }: Recurrence): Tensor {
  if (x.ndim === 0 || x.size === 0) return o.full({}, { shape: x.sizes, value: first });
  const d = normalizeDim('recurrence', dim, x.ndim);
  const n = x.sizes[d] as number;
  const edge = o.full({}, { shape: x.sizes.map((size, i) => (i === d ? 1 : size)), value: first });
  const rest = o.slice({ x }, { dim: d, start: backward ? 1 : 0, length: n - 1, step: 1 });
  return o.concat({ xs: backward ? [rest, edge] : [edge, rest] }, { dim: d });
}

export const recurrenceRows = family(calling(recurrenceKernels, s), () => ({
  recurrence: row(s.recurrence, {
    outputs: (make, { a, b }, { dim }, op) => {
      normalizeDim(op, dim, a.ndim);
      if (b) expectShape(op, 'b', b, a.sizes);
      return { y: make(a.sizes, 'f32') };
    },
    forward: (k, { y }, { a, b }, { dim, start, backward }) => {
      const [outer, r, inner] = split3(a.sizes, dim);
      k.recurrence_f32({ y, a, b, outer, r, inner, start, backward: Number(backward) });
    },
    saves: ['a', 'y'],
    // The gradient of y[j] is g[j] and what y[j + 1] passes on, which is its own times a[j + 1].
    backward: (o, { y: g }, { a, y }, attributes, { needs }) => {
      const { dim, backward } = attributes;
      const next = shifted(o, a, 0, { ...attributes, backward: !backward });
      const whole = o.recurrence({ a: next, b: g }, { dim, start: 0, backward: !backward });
      return {
        a: needs.a ? mul(o, whole, shifted(o, y, attributes.start, attributes)) : null,
        b: needs.b ? whole : null,
      };
    },
  }),
}));
