// Rare functions of elements. Their derivatives are other functions of x, so that there are all of any order.
import type { Dtype } from '../dtypes.ts';
import { specialKernels } from '../generated/kernel-calls.ts';
import { specialNames } from '../kernels/special.ts';
import { optional } from '../lookup.ts';
import { div, mul, scale } from './algebra.ts';
import {
  attrs,
  calling,
  f32,
  family,
  grad,
  i32,
  type Kernels,
  type Make,
  type Ops,
  plain,
  row,
  signature,
  type Tensor,
} from './core.ts';
import { expectShape } from './shapes.ts';

/** A function that has no op of its own. */
export type SpecialName = Exclude<(typeof specialNames)[number], 'atan2' | 'remainder' | 'floorDivide'>;

const s = optional(() => ({
  special: signature({ x: f32 }, { y: grad }, attrs<{ readonly fn: SpecialName }>()),
  /** The angle of (b, a). */
  atan2: signature({ a: f32, b: f32 }, { y: grad }),
  /** a − b ⌊a / b⌋. */
  remainder: signature({ a: f32, b: f32 }, { y: grad }),
  /** ⌊a / b⌋. */
  floorDivide: signature({ a: i32, b: i32 }, { y: plain }),
}));
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

const of = (o: Ops, fn: SpecialName, x: Tensor): Tensor => o.special({ x }, { fn });
/** (x + low)(x + high), which keeps its digits near its zeros. */
const between = (o: Ops, x: Tensor, low: number, high: number): Tensor =>
  mul(o, scale(o, x, 1, low), scale(o, x, 1, high));
const circle = (o: Ops, x: Tensor): Tensor => o.neg({ x: between(o, x, -1, 1) });
const square = (o: Ops, x: Tensor): Tensor => scale(o, o.square({ x }), 1, 1);
const bell = (o: Ops, x: Tensor, sign: number): Tensor => o.exp({ x: scale(o, o.square({ x }), sign) });

const slopes: Readonly<Record<SpecialName, (o: Ops, g: Tensor, x: Tensor) => Tensor>> = {
  atan: (o, g, x) => div(o, g, square(o, x)),
  asin: (o, g, x) => mul(o, g, o.rsqrt({ x: circle(o, x) })),
  acos: (o, g, x) => o.neg({ x: mul(o, g, o.rsqrt({ x: circle(o, x) })) }),
  sinh: (o, g, x) => mul(o, g, of(o, 'cosh', x)),
  cosh: (o, g, x) => mul(o, g, of(o, 'sinh', x)),
  asinh: (o, g, x) => mul(o, g, o.rsqrt({ x: square(o, x) })),
  acosh: (o, g, x) => mul(o, g, o.rsqrt({ x: between(o, x, -1, 1) })),
  atanh: (o, g, x) => div(o, g, circle(o, x)),
  erfc: (o, g, x) => mul(o, g, scale(o, bell(o, x, -1), -2 / Math.sqrt(Math.PI))),
  erfinv: (o, g, x) => mul(o, g, scale(o, bell(o, of(o, 'erfinv', x), 1), Math.sqrt(Math.PI) / 2)),
};

const call = (k: Kernels, fn: (typeof specialNames)[number], y: Tensor, a: Tensor, b: Tensor | null = null): void =>
  k.special_forward_32({ y, a, b, n: y.size, fn: specialNames.indexOf(fn) });

/** A result for two operands of one shape. */
const alike =
  (dtype: Dtype) =>
  (
    make: Make,
    { a, b }: { readonly a: Tensor; readonly b: Tensor },
    _: unknown,
    op: string,
  ): { readonly y: Tensor } => {
    expectShape(op, 'b', b, a.sizes);
    return { y: make(a.sizes, dtype) };
  };

export const specialRows = family(calling(specialKernels, s), () => ({
  special: row(s.special, {
    title: (_, { fn }) => fn,
    outputs: (make, { x }) => ({ y: make(x.sizes, 'f32') }),
    forward: (k, { y }, { x }, { fn }) => call(k, fn, y, x),
    saves: ['x'],
    backward: (o, { y: g }, { x }, { fn }) => ({ x: slopes[fn](o, g, x) }),
  }),
  atan2: row(s.atan2, {
    outputs: alike('f32'),
    forward: (k, { y }, { a, b }) => call(k, 'atan2', y, a, b),
    saves: ['a', 'b'],
    backward: (o, { y: g }, { a, b }, _, { needs }) => {
      const part = div(o, g, o.add({ a: o.square({ x: a }), b: o.square({ x: b }) }));
      return { a: needs.a ? mul(o, part, b) : null, b: needs.b ? o.neg({ x: mul(o, part, a) }) : null };
    },
  }),
  remainder: row(s.remainder, {
    outputs: alike('f32'),
    forward: (k, { y }, { a, b }) => call(k, 'remainder', y, a, b),
    saves: ['a', 'b'],
    backward: (o, { y: g }, { a, b }, _, { needs }) => ({
      a: g,
      b: needs.b ? o.neg({ x: mul(o, g, o.floor({ x: div(o, a, b) })) }) : null,
    }),
  }),
  floorDivide: row(s.floorDivide, {
    outputs: alike('i32'),
    forward: (k, { y }, { a, b }) => call(k, 'floorDivide', y, a, b),
  }),
}));
