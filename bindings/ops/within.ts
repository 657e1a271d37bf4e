// A check of values alone, for what is made of other ops: it stops eager calls and programs alike.
import { optional } from '../lookup.ts';
import { ArgumentError } from '../memory/errors.ts';
import { attrs, f32, family, row, signature } from './core.ts';

type Within = { readonly low: number; readonly high: number; readonly what: string };

const s = optional(() => ({
  /** Nothing, where all numbers lie in low … high; `what` says what they are. */
  within: signature({ x: f32 }, {}, attrs<Within>()),
}));
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

export const withinRows = family(s, () => ({
  within: row(s.within, {
    outputs: () => ({}),
    check: (probes, { x }, { low, high, what }, op) => {
      const bad = probes.check_range_f32({ x, n: x.size, low, high });
      if (bad < 0) return;
      const range = high === Number.POSITIVE_INFINITY ? `of at least ${low}` : `from ${low} to ${high}`;
      throw new ArgumentError(`${op}: expected ${what} ${range}, got ${x.data[bad]} at position ${bad}`);
    },
    forward: () => {},
  }),
}));
