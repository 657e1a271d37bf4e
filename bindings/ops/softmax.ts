// softmax and logSoftmax over one dim. Both save their output; both backwards are ops of the table themselves.
import type { Kernels } from '../runtime/commands.ts';
import { expectDtype, expectShape, like, normalizeDim, split3 } from './shapes.ts';
import type { KernelRow, Ops, Rows, Tensor } from './types.ts';

type Dim = { readonly dim: number };

export interface SoftmaxOps {
  softmax(x: Tensor, attrs: Dim): Tensor;
  softmaxBackward(g: Tensor, y: Tensor, attrs: Dim): Tensor;
  logSoftmax(x: Tensor, attrs: Dim): Tensor;
  logSoftmaxBackward(g: Tensor, y: Tensor, attrs: Dim): Tensor;
}

type Sizes = [outer: number, r: number, inner: number, stride: number];
function sizesOf(op: string, x: Tensor, dim: number): Sizes {
  const [outer, r, inner] = split3(x.shape, normalizeDim(op, dim, x.ndim));
  return [outer, r, inner, inner];
}
/** Sum along `dim`, kept; of a single number, which has no dims, itself. */
const sumOver = (o: Ops, x: Tensor, dim: number): Tensor => {
  const d = normalizeDim('softmax', dim, x.ndim);
  return o.sum(x, { dim: d, end: Math.min(d + 1, x.ndim), keepdim: true });
};

function forwardRow(
  op: string,
  kernel: (k: Kernels, y: Tensor, x: Tensor, sizes: Sizes) => void,
  again: (o: Ops, g: Tensor, y: Tensor, attrs: Dim) => Tensor,
): KernelRow<[Tensor], Dim> {
  return {
    infer: ([x], { dim }) => {
      expectDtype(op, x, 'f32');
      normalizeDim(op, dim, x.ndim);
      return [like(x)];
    },
    forward: (k, [y], [x], { dim }) => kernel(k, y as Tensor, x, sizesOf(op, x, dim)),
    saves: 'output',
    backward: (o, g, { outputs: [y], attrs }) => [again(o, g, y as Tensor, attrs)],
  };
}

function backwardRow(
  op: string,
  kernel: (k: Kernels, dx: Tensor, g: Tensor, y: Tensor, sizes: Sizes) => void,
  second: (o: Ops, h: Tensor, g: Tensor, y: Tensor, dim: number) => [toG: Tensor, toY: Tensor],
): KernelRow<[Tensor, Tensor], Dim> {
  return {
    infer: ([g, y], { dim }) => {
      expectDtype(op, g, 'f32');
      expectDtype(op, y, 'f32');
      expectShape(op, 'the gradient', g, y.shape);
      normalizeDim(op, dim, y.ndim);
      return [like(g)];
    },
    forward: (k, [dx], [g, y], { dim }) => kernel(k, dx as Tensor, g, y, sizesOf(op, y, dim)),
    saves: 'inputs',
    backward: (o, h, { inputs: [g, y], attrs: { dim } }) => second(o, h, g, y, dim),
  };
}

export const softmaxRows: Rows<SoftmaxOps> = {
  softmax: forwardRow(
    'softmax',
    (k, y, x, sizes) => k.softmax_forward_f32(y, x, ...sizes),
    (o, g, y, attrs) => o.softmaxBackward(g, y, attrs),
  ),
  // dx = y (g − Σ g y)
  softmaxBackward: backwardRow(
    'softmaxBackward',
    (k, dx, g, y, sizes) => k.softmax_backward_f32(dx, g, y, ...sizes),
    (o, h, g, y, dim) => [
      o.softmaxBackward(h, y, { dim }),
      o.sub(o.mul(h, o.sub(g, sumOver(o, o.mul(g, y), dim))), o.mul(g, sumOver(o, o.mul(h, y), dim))),
    ],
  ),
  logSoftmax: forwardRow(
    'logSoftmax',
    (k, y, x, sizes) => k.log_softmax_forward_f32(y, x, ...sizes),
    (o, g, y, attrs) => o.logSoftmaxBackward(g, y, attrs),
  ),
  // dx = g − eʸ Σ g
  logSoftmaxBackward: backwardRow(
    'logSoftmaxBackward',
    (k, dx, g, y, sizes) => k.log_softmax_backward_f32(dx, g, y, ...sizes),
    (o, h, g, y, dim) => {
      const weighted = o.mul(h, o.exp(y));
      return [o.sub(h, sumOver(o, weighted, dim)), o.neg(o.mul(weighted, sumOver(o, g, dim)))];
    },
  ),
};
