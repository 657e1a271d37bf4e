// softmax and logSoftmax over one dim. Both save their result; both backwards are ops of the table themselves.
import { mul, sub } from './algebra.ts';
import { attrs, f32, family, grad, type Kernels, type Ops, row, signature, type Tensor } from './core.ts';
import { lanesOf, scanning } from './reduce.ts';
import { expectShape, normalizeDim } from './shapes.ts';

type Dim = { readonly dim: number };
const forward = () => signature({ x: f32 }, { y: grad }, attrs<Dim>());
const backward = () => signature({ g: f32, y: f32 }, { dx: grad }, attrs<Dim>());

const s = {
  softmax: forward(),
  softmaxBackward: backward(),
  logSoftmax: forward(),
  logSoftmaxBackward: backward(),
};
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

/** Sum along `dim`, kept; of a single number, which has no dims, itself. */
const sumOver = (o: Ops, x: Tensor, dim: number): Tensor => {
  const d = normalizeDim('softmax', dim, x.ndim);
  return o.sum({ x }, { dim: d, end: Math.min(d + 1, x.ndim), keepdim: true });
};

const backwardRow = (
  kernel: (
    k: Kernels,
    call: ReturnType<typeof lanesOf> & { readonly dx: Tensor; readonly g: Tensor; readonly y: Tensor },
  ) => void,
  second: (o: Ops, h: Tensor, saved: { readonly g: Tensor; readonly y: Tensor }, dim: Dim) => { g: Tensor; y: Tensor },
) =>
  row(s.softmaxBackward, {
    outputs: (make, { g, y }, { dim }, op) => {
      expectShape(op, 'the gradient', g, y.sizes);
      normalizeDim(op, dim, y.ndim);
      return { dx: make(g.sizes, 'f32') };
    },
    forward: (k, { dx }, { g, y }, { dim }) => kernel(k, { dx, g, y, ...lanesOf(y, dim) }),
    saves: ['g', 'y'],
    backward: (o, { dx: h }, saved, dim) => second(o, h, saved, dim),
  });

export const softmaxRows = family(s, () => ({
  softmax: scanning(
    (k, call) => k.softmax_forward_f32(call),
    ['y'],
    (o, g, { y }, dim) => o.softmaxBackward({ g, y }, dim),
  ),
  // dx = y (g − Σ g y)
  softmaxBackward: backwardRow(
    (k, call) => k.softmax_backward_f32(call),
    (o, h, { g, y }, { dim }) => ({
      g: o.softmaxBackward({ g: h, y }, { dim }),
      y: sub(o, mul(o, h, sub(o, g, sumOver(o, mul(o, g, y), dim))), mul(o, g, sumOver(o, mul(o, h, y), dim))),
    }),
  ),
  logSoftmax: scanning(
    (k, call) => k.log_softmax_forward_f32(call),
    ['y'],
    (o, g, { y }, dim) => o.logSoftmaxBackward({ g, y }, dim),
  ),
  // dx = g − eʸ Σ g
  logSoftmaxBackward: backwardRow(
    (k, call) => k.log_softmax_backward_f32(call),
    (o, h, { g, y }, { dim }) => {
      const weighted = mul(o, h, o.exp({ x: y }));
      return {
        g: sub(o, h, sumOver(o, weighted, dim)),
        y: o.neg({ x: mul(o, weighted, sumOver(o, g, dim)) }),
      };
    },
  ),
}));
