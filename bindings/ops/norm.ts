// Layer and batch normalisation. Forward leaves the mean and 1/σ it used for backward. The fused gradients have no
// derivatives: where those are wanted, gradients are put together from ops that have some.
import { batchNormKernels, layerNormKernels } from '../generated/kernel-calls.ts';
import { optional } from '../lookup.ts';
import { formatShape, ShapeError } from '../memory/errors.ts';
import { numelOf } from '../tensor.ts';
import { mul, scale, sub, sum } from './algebra.ts';
import {
  attrs,
  aux,
  calling,
  f32,
  family,
  grad,
  inout,
  maybe,
  type Ops,
  plain,
  row,
  signature,
  type Tensor,
} from './core.ts';
import { expectShape, sameShape, split3 } from './shapes.ts';

type LayerNorm = { readonly normalizedShape: readonly number[]; readonly eps: number };
type BatchNorm = {
  readonly training: boolean;
  /** Share of the new value in the running statistics. */
  readonly momentum: number;
  readonly eps: number;
};
const saved = { g: f32, x: f32, mean: f32, rstd: f32 };
const affine = optional(() => ({ weight: maybe(f32), bias: maybe(f32) }));

const s = optional(() => ({
  layerNorm: signature({ x: f32, ...affine }, { y: grad, mean: aux, rstd: aux }, attrs<LayerNorm>()),
  layerNormBackward: signature({ ...saved, weight: maybe(f32) }, { dx: plain }),
  layerNormBackwardParams: signature(saved, { dweight: plain, dbias: plain }),
  /**
   * x [n, c, ...]. Running statistics are those that evaluation uses and training updates; absent: the batch's own are
   * used in both.
   */
  batchNorm: signature(
    { x: f32, ...affine, runningMean: maybe(inout(f32)), runningVariance: maybe(inout(f32)) },
    { y: grad, mean: aux, rstd: aux, variance: aux },
    attrs<BatchNorm>(),
  ),
  batchNormBackwardParams: signature(saved, { dweight: plain, dbias: plain }),
  batchNormBackward: signature({ ...saved, weight: maybe(f32), dweight: f32, dbias: f32 }, { dx: plain }),
  batchNormBackwardEval: signature({ g: f32, rstd: f32, weight: maybe(f32) }, { dx: plain }),
}));
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

/** x as rows of the normalised dims: those behind the dims of the mean. */
export function rowsOf(x: Tensor, mean: Tensor): { rows: number; width: number } {
  return { rows: mean.size, width: numelOf(x.sizes.slice(mean.ndim)) };
}

/** The code of an epilogue that leaves the results as they are: a relu behind may become part of it. */
const NO_ACTIVATION = 0;

/** The dims in front of those that are normalised. @throws ShapeError */
export function expectNormalized(op: string, x: Tensor, normalizedShape: readonly number[]): readonly number[] {
  const lead = x.ndim - normalizedShape.length;
  if (normalizedShape.length === 0 || lead < 0 || !sameShape(x.sizes.slice(lead), normalizedShape))
    throw new ShapeError(
      `${op}: expected the last dims to be ${formatShape(normalizedShape)}, got ${formatShape(x.sizes)}`,
    );
  return x.sizes.slice(0, lead);
}

function channels(x: Tensor): { n: number; c: number; s: number; stride: number } {
  const [n, c, plane] = split3(x.sizes, 1);
  return { n, c, s: plane, stride: c * plane };
}

/** An optional input of shape `shape`. */
export function expectOptional(op: string, what: string, x: Tensor | null, shape: readonly number[]): void {
  if (x) expectShape(op, what, x, shape);
}

type Statistics = { readonly g: Tensor; readonly x: Tensor; readonly mean: Tensor; readonly rstd: Tensor };

/** What a backward pass takes: a gradient like the input, and a mean and 1/σ of shape `statistics`. */
export function expectSaved(op: string, { g, x, mean, rstd }: Statistics, statistics: readonly number[]): void {
  expectShape(op, 'the gradient', g, x.sizes);
  expectShape(op, 'the mean', mean, statistics);
  expectShape(op, '1/σ', rstd, statistics);
}

/** Layer norm's statistics have the dims of x in front of the normalised ones. */
export const expectRows = (op: string, inputs: Statistics): void =>
  expectSaved(op, inputs, inputs.x.sizes.slice(0, inputs.mean.ndim));

function expectChannels(op: string, x: Tensor): number {
  if (x.ndim < 2) throw new ShapeError(`${op}: expected input [n, channels, ...], got ${formatShape(x.sizes)}`);
  return x.sizes[1] as number;
}

/** How a norm looks at its input: its elements as rows that are normalised each for itself, and back. */
interface Rows {
  /** The gradient, or the input, as [rows, width]. */
  fold(x: Tensor): Tensor;
  unfold(rows: Tensor): Tensor;
  /** The sum of what goes to the weight and the bias, of their shape. */
  sum(x: Tensor): Tensor;
}
type Affine = { readonly g: Tensor; readonly x: Tensor; readonly weight: Tensor | null };
type AffineGrads = { readonly x: Tensor; readonly weight: Tensor; readonly bias: Tensor };

/**
 * The gradients of weight · (x − mean) / √(variance + eps) + bias, of ops that have derivatives: with x̂ the normalised
 * rows and h = g · weight, dx = (h − mean h − x̂ mean (h x̂)) / σ. The weight stretches to x.
 */
export function composedNorm(o: Ops, { g, x, weight }: Affine, eps: number, rows: Rows): AffineGrads {
  const mean = (t: Tensor): Tensor => o.mean({ x: t }, { dim: 1, end: 2, keepdim: true });
  const folded = rows.fold(x);
  const centered = sub(o, folded, mean(folded));
  const rstd = o.rsqrt({ x: scale(o, mean(o.square({ x: centered })), 1, eps) });
  const normal = mul(o, centered, rstd);
  const h = rows.fold(weight ? mul(o, g, weight) : g);
  const dx = mul(o, rstd, sub(o, sub(o, h, mean(h)), mul(o, normal, mean(mul(o, h, normal)))));
  return { x: rows.unfold(dx), weight: rows.sum(mul(o, g, rows.unfold(normal))), bias: rows.sum(g) };
}

/** The sum over all dims of x [n, channels, ...] but the channels. */
export const sumToChannels = (o: Ops, x: Tensor): Tensor =>
  sum(o, sum(o, o.reshape({ x }, { shape: split3(x.shape, 1) }), 2, 3), 0, 1);
/** A weight [channels], so that it stretches to x [n, channels, ...]. */
export const alongChannels = (o: Ops, weight: Tensor, x: Tensor): Tensor =>
  o.reshape({ x: weight }, { shape: [weight.size, ...x.shape.slice(2).map(() => 1)] });

export const layerNormRows = family(calling(layerNormKernels, s), () => ({
  layerNorm: row(s.layerNorm, {
    outputs: (make, { x, weight, bias }, { normalizedShape }, op) => {
      const rows = expectNormalized(op, x, normalizedShape);
      expectOptional(op, 'weight', weight, normalizedShape);
      expectOptional(op, 'bias', bias, normalizedShape);
      return { y: make(x.sizes, 'f32'), mean: make(rows, 'f32'), rstd: make(rows, 'f32') };
    },
    forward: (k, { y, mean, rstd }, { x, weight, bias }, { eps }) =>
      k.layer_norm_forward_f32({ y, mean, rstd, x, weight, bias, ...rowsOf(x, mean), eps, centered: 1 }),
    saves: ['x', 'weight', 'mean', 'rstd'],
    backward: (o, { y: g }, { x, weight, mean, rstd }, { normalizedShape, eps }, { needs, noted }) => {
      if (noted)
        return composedNorm(o, { g, x, weight }, eps, {
          fold: (t) => o.reshape({ x: t }, { shape: [mean.size, numelOf(normalizedShape)] }),
          unfold: (rows) => o.reshape({ x: rows }, { shape: x.shape }),
          sum: (t) => sum(o, t, 0, mean.ndim),
        });
      const params = needs.weight || needs.bias ? o.layerNormBackwardParams({ g, x, mean, rstd }) : null;
      const shaped = (dx: Tensor): Tensor => o.reshape({ x: dx }, { shape: normalizedShape });
      return {
        x: needs.x ? o.layerNormBackward({ g, x, mean, rstd, weight }) : null,
        weight: params && shaped(params.dweight),
        bias: params && shaped(params.dbias),
      };
    },
  }),
  layerNormBackward: row(s.layerNormBackward, {
    outputs: (make, inputs, _, op) => {
      const { x, mean, weight } = inputs;
      expectRows(op, inputs);
      expectOptional(op, 'weight', weight, x.sizes.slice(mean.ndim));
      return { dx: make(x.sizes, 'f32') };
    },
    forward: (k, { dx }, inputs) =>
      k.layer_norm_backward_f32({ dx, ...inputs, ...rowsOf(inputs.x, inputs.mean), centered: 1 }),
  }),
  layerNormBackwardParams: row(s.layerNormBackwardParams, {
    outputs: (make, inputs, _, op) => {
      expectRows(op, inputs);
      const { width } = rowsOf(inputs.x, inputs.mean);
      return { dweight: make([width], 'f32'), dbias: make([width], 'f32') };
    },
    forward: (k, { dweight, dbias }, inputs) => {
      const { rows, width } = rowsOf(inputs.x, inputs.mean);
      k.layer_norm_backward_params_f32({ dweight, dbias, ...inputs, rows, width, stride: width });
    },
  }),
}));

/** The gradients of batch normalisation by the batch's own statistics or by others, of ops that have derivatives. */
function composedBatchNorm(
  o: Ops,
  { g, x, weight }: Affine,
  by: { readonly eps: number } | { readonly mean: Tensor; readonly rstd: Tensor },
): AffineGrads {
  const along = (t: Tensor): Tensor => alongChannels(o, t, x);
  const affine = { g, x, weight: weight && along(weight) };
  if ('eps' in by) {
    const [n, c, s] = split3(x.shape, 1);
    const swap = (t: Tensor): Tensor => o.permute({ x: t }, { dims: [1, 0, 2] });
    return composedNorm(o, affine, by.eps, {
      fold: (t) => o.reshape({ x: swap(o.reshape({ x: t }, { shape: [n, c, s] })) }, { shape: [c, n * s] }),
      unfold: (rows) => o.reshape({ x: swap(o.reshape({ x: rows }, { shape: [c, n, s] })) }, { shape: x.shape }),
      sum: (t) => sumToChannels(o, t),
    });
  }
  const rstd = along(by.rstd);
  const normal = mul(o, sub(o, x, along(by.mean)), rstd);
  return {
    x: mul(o, affine.weight ? mul(o, g, affine.weight) : g, rstd),
    weight: sumToChannels(o, mul(o, g, normal)),
    bias: sumToChannels(o, g),
  };
}

export const batchNormRows = family(calling(batchNormKernels, s), () => ({
  batchNorm: row(s.batchNorm, {
    outputs: (make, { x, weight, bias, runningMean, runningVariance }, { training }, op) => {
      expectChannels(op, x);
      const { n, c, s: plane } = channels(x);
      expectOptional(op, 'weight', weight, [c]);
      expectOptional(op, 'bias', bias, [c]);
      expectOptional(op, 'the running mean', runningMean, [c]);
      expectOptional(op, 'the running variance', runningVariance, [c]);
      if ((training || !runningMean) && n * plane <= 1)
        throw new ShapeError(
          `${op}: expected more than 1 value per channel when training, got input ${formatShape(x.sizes)}`,
        );
      const channel = [c];
      return {
        y: make(x.sizes, 'f32'),
        mean: make(channel, 'f32'),
        rstd: make(channel, 'f32'),
        variance: make(channel, 'f32'),
      };
    },
    forward: (k, outputs, { x, weight, bias, runningMean, runningVariance }, { training, momentum, eps }) => {
      const { y, mean, rstd, variance } = outputs;
      const sizes = channels(x);
      const { n, c, s: plane } = sizes;
      const running = runningMean && runningVariance ? { runningMean, runningVariance } : null;
      if (!running || training) {
        k.batch_norm_stats_f32({ mean, variance, x, ...sizes });
        const count = n * plane;
        if (running)
          k.batch_norm_update_f32({ ...running, mean, variance, c, momentum, correction: count / (count - 1) });
      } else {
        const dims = [1, c, 1, 1];
        k.copy_32({ y: mean, x: running.runningMean, dims });
        k.copy_32({ y: variance, x: running.runningVariance, dims });
      }
      k.rstd_f32({ rstd, variance, n: c, eps });
      k.batch_norm_forward_f32({ y, x, mean, rstd, weight, bias, ...sizes, act: NO_ACTIVATION });
    },
    saves: ['x', 'weight', 'mean', 'rstd'],
    backward: (o, { y: g }, { x, weight, mean, rstd }, { training, eps }, { needs, shapes, noted }) => {
      const own = training || !shapes.runningMean;
      if (noted) return composedBatchNorm(o, { g, x, weight }, own ? { eps } : { mean, rstd });
      const params = own || needs.weight || needs.bias ? o.batchNormBackwardParams({ g, x, mean, rstd }) : null;
      const toInput = (): Tensor =>
        own && params
          ? o.batchNormBackward({ g, x, mean, rstd, weight, ...params })
          : o.batchNormBackwardEval({ g, rstd, weight });
      return {
        x: needs.x ? toInput() : null,
        weight: needs.weight && params ? params.dweight : null,
        bias: needs.bias && params ? params.dbias : null,
      };
    },
  }),
  batchNormBackwardParams: row(s.batchNormBackwardParams, {
    outputs: (make, inputs, _, op) => {
      const c = expectChannels(op, inputs.x);
      expectSaved(op, inputs, [c]);
      return { dweight: make([c], 'f32'), dbias: make([c], 'f32') };
    },
    forward: (k, { dweight, dbias }, inputs) =>
      k.batch_norm_backward_params_f32({ dweight, dbias, ...inputs, ...channels(inputs.x) }),
  }),
  batchNormBackward: row(s.batchNormBackward, {
    outputs: (make, inputs, _, op) => {
      const { x, weight, dweight, dbias } = inputs;
      const c = expectChannels(op, x);
      expectSaved(op, inputs, [c]);
      expectOptional(op, 'weight', weight, [c]);
      expectShape(op, 'the gradient of the weight', dweight, [c]);
      expectShape(op, 'the gradient of the bias', dbias, [c]);
      return { dx: make(x.sizes, 'f32') };
    },
    forward: (k, { dx }, inputs) => {
      const sizes = channels(inputs.x);
      k.batch_norm_backward_f32({ dx, ...inputs, ...sizes, count: sizes.n * sizes.s });
    },
  }),
  batchNormBackwardEval: row(s.batchNormBackwardEval, {
    outputs: (make, { g, rstd, weight }, _, op) => {
      const c = expectChannels(op, g);
      expectShape(op, '1/σ', rstd, [c]);
      expectOptional(op, 'weight', weight, [c]);
      return { dx: make(g.sizes, 'f32') };
    },
    forward: (k, { dx }, { g, rstd, weight }) =>
      k.batch_norm_backward_eval_f32({ dx, g, rstd, weight, ...channels(g) }),
  }),
}));
