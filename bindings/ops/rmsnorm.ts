// RMS norm: layer norm without the mean, by the same kernels. Where the gradients need derivatives they are put
// together from ops that have some.
import { layerNormKernels } from '../generated/kernel-calls.ts';
import { optional } from '../lookup.ts';
import { numelOf } from '../tensor.ts';
import { mul, scale, sub, sum } from './algebra.ts';
import { attrs, aux, calling, f32, family, grad, maybe, type Ops, plain, row, signature, type Tensor } from './core.ts';
import { expectNormalized, expectOptional, expectRows, layerNormRows, rowsOf } from './norm.ts';

type RmsNorm = { readonly normalizedShape: readonly number[]; readonly eps: number };
const s = optional(() => ({
  /** mean is 0 everywhere: the kernels of the backward pass are those of layer norm. */
  rmsNorm: signature({ x: f32, weight: maybe(f32) }, { y: grad, mean: aux, rstd: aux }, attrs<RmsNorm>()),
  rmsNormBackward: signature({ g: f32, x: f32, mean: f32, rstd: f32, weight: maybe(f32) }, { dx: plain }),
}));
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

type Affine = { readonly g: Tensor; readonly x: Tensor; readonly weight: Tensor | null };

/**
 * The gradients of weight · x / √(mean x² + eps), of ops that have derivatives: with x̂ the normalised rows and h =
 * g · weight, dx = (h − x̂ mean (h x̂)) / σ.
 */
function composedRmsNorm(o: Ops, { g, x, weight }: Affine, { normalizedShape, eps }: RmsNorm) {
  const shape = [-1, numelOf(normalizedShape)];
  shape[0] = shape[1] === 0 ? 0 : x.size / (shape[1] as number);
  const fold = (t: Tensor): Tensor => o.reshape({ x: t }, { shape });
  const mean = (t: Tensor): Tensor => o.mean({ x: t }, { dim: 1, end: 2, keepdim: true });
  const folded = fold(x);
  const rstd = o.rsqrt({ x: scale(o, mean(o.square({ x: folded })), 1, eps) });
  const normal = mul(o, folded, rstd);
  const h = fold(weight ? mul(o, g, weight) : g);
  const dx = mul(o, rstd, sub(o, h, mul(o, normal, mean(mul(o, h, normal)))));
  return {
    x: o.reshape({ x: dx }, { shape: x.shape }),
    weight: o.reshape({ x: sum(o, mul(o, fold(g), normal), 0, 1) }, { shape: normalizedShape }),
  };
}

export const rmsNormRows = family(calling(layerNormKernels, s), () => ({
  rmsNorm: row(s.rmsNorm, {
    outputs: (make, { x, weight }, { normalizedShape }, op) => {
      const rows = expectNormalized(op, x, normalizedShape);
      expectOptional(op, 'weight', weight, normalizedShape);
      return { y: make(x.sizes, 'f32'), mean: make(rows, 'f32'), rstd: make(rows, 'f32') };
    },
    forward: (k, { y, mean, rstd }, { x, weight }, { eps }) =>
      k.layer_norm_forward_f32({ y, mean, rstd, x, weight, bias: null, ...rowsOf(x, mean), eps, centered: 0 }),
    saves: ['x', 'weight', 'mean', 'rstd'],
    backward: (o, { y: g }, { x, weight, mean, rstd }, attributes, { needs, noted }) => {
      if (noted) return composedRmsNorm(o, { g, x, weight }, attributes);
      const params = needs.weight ? o.layerNormBackwardParams({ g, x, mean, rstd }) : null;
      return {
        x: needs.x ? o.rmsNormBackward({ g, x, mean, rstd, weight }) : null,
        weight: params && o.reshape({ x: params.dweight }, { shape: attributes.normalizedShape }),
      };
    },
  }),
  rmsNormBackward: row(s.rmsNormBackward, {
    outputs: (make, inputs, _, op) => {
      const { x, mean, weight } = inputs;
      expectRows(op, inputs);
      expectOptional(op, 'weight', weight, x.sizes.slice(mean.ndim));
      return { dx: make(x.sizes, 'f32') };
    },
    forward: (k, { dx }, inputs) =>
      k.layer_norm_backward_f32({ dx, ...inputs, ...rowsOf(inputs.x, inputs.mean), centered: 0 }),
  }),
  layerNormBackwardParams: layerNormRows.layerNormBackwardParams,
}));
