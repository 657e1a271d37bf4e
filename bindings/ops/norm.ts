// Layer and batch normalisation. Forward leaves the mean and 1/σ it used for backward.
import { formatShape, ShapeError } from '../runtime/errors.ts';
import { numelOf } from '../tensor.ts';
import { expectDtype, expectShape, like, sameShape, split3 } from './shapes.ts';
import { noSecondDerivative, type Rows, type Tensor } from './types.ts';

type LayerNorm = { readonly normalizedShape: readonly number[]; readonly eps: number };
type BatchNorm = {
  /** Statistics that evaluation uses and training updates; absent: the batch's own are used in both. */
  readonly running: { readonly mean: Tensor; readonly variance: Tensor } | null;
  readonly training: boolean;
  /** Share of the new value in the running statistics. */
  readonly momentum: number;
  readonly eps: number;
};

export interface NormOps {
  layerNorm(x: Tensor, weight: Tensor | null, bias: Tensor | null, attrs: LayerNorm): Tensor;
  layerNormBackward(g: Tensor, x: Tensor, mean: Tensor, rstd: Tensor, weight: Tensor | null): Tensor;
  /** [2, cols]: the gradients of weight and bias. */
  layerNormBackwardParams(g: Tensor, x: Tensor, mean: Tensor, rstd: Tensor): Tensor;
  /** x [n, c, ...]. */
  batchNorm(x: Tensor, weight: Tensor | null, bias: Tensor | null, attrs: BatchNorm): Tensor;
  /** [2, c]: the gradients of weight and bias. */
  batchNormBackwardParams(g: Tensor, x: Tensor, mean: Tensor, rstd: Tensor): Tensor;
  batchNormBackward(g: Tensor, x: Tensor, mean: Tensor, rstd: Tensor, weight: Tensor | null, params: Tensor): Tensor;
  batchNormBackwardEval(g: Tensor, rstd: Tensor, weight: Tensor | null): Tensor;
}

/** x as [rows, cols], cols the normalised dims: those behind the dims of the mean. */
function rowsAndCols(x: Tensor, mean: Tensor): [rows: number, cols: number] {
  return [mean.size, numelOf(x.shape.slice(mean.ndim))];
}

function channels(x: Tensor): [n: number, c: number, s: number, stride: number] {
  const [n, c, s] = split3(x.shape, 1);
  return [n, c, s, c * s];
}

/** Row `i` of a [2, n] tensor. */
const half = (params: Tensor, i: number): Tensor => {
  const n = params.shape[1] as number;
  return params.view([n], [1], params.offset + i * n);
};

function expectFloats(op: string, what: string, x: Tensor | null, shape: readonly number[]): void {
  if (!x) return;
  expectDtype(op, x, 'f32');
  expectShape(op, what, x, shape);
}

function expectAffine(op: string, weight: Tensor | null, bias: Tensor | null, shape: readonly number[]): void {
  expectFloats(op, 'weight', weight, shape);
  expectFloats(op, 'bias', bias, shape);
}

function expectChannels(op: string, x: Tensor): number {
  expectDtype(op, x, 'f32');
  if (x.ndim < 2) throw new ShapeError(`${op}: expected input [n, channels, ...], got ${formatShape(x.shape)}`);
  return x.shape[1] as number;
}

/** What a backward pass takes: a gradient like the input, and a mean and 1/σ of shape `statistics`. */
function expectSaved(
  op: string,
  g: Tensor,
  x: Tensor,
  mean: Tensor,
  rstd: Tensor,
  statistics: readonly number[],
): void {
  expectFloats(op, 'the gradient', g, x.shape);
  expectDtype(op, x, 'f32');
  expectFloats(op, 'the mean', mean, statistics);
  expectFloats(op, '1/σ', rstd, statistics);
}

/** Layer norm's statistics have the dims of x in front of the normalised ones. */
function expectRows(op: string, g: Tensor, x: Tensor, mean: Tensor, rstd: Tensor): void {
  expectSaved(op, g, x, mean, rstd, x.shape.slice(0, mean.ndim));
}

export const normRows: Rows<NormOps> = {
  layerNorm: {
    infer: ([x, weight, bias], { normalizedShape }) => {
      expectDtype('layerNorm', x, 'f32');
      const lead = x.ndim - normalizedShape.length;
      if (normalizedShape.length === 0 || lead < 0 || !sameShape(x.shape.slice(lead), normalizedShape))
        throw new ShapeError(
          `layerNorm: expected the last dims to be ${formatShape(normalizedShape)}, got ${formatShape(x.shape)}`,
        );
      expectAffine('layerNorm', weight, bias, normalizedShape);
      const rows = { shape: x.shape.slice(0, lead), dtype: 'f32' } as const;
      return [like(x), rows, rows];
    },
    forward: (k, [y, mean, rstd], [x, weight, bias], { eps }) =>
      k.layer_norm_forward_f32(
        y as Tensor,
        mean as Tensor,
        rstd as Tensor,
        x,
        weight,
        bias,
        ...rowsAndCols(x, mean as Tensor),
        eps,
      ),
    saves: 'both',
    backward: (o, g, { inputs: [x, weight], outputs, attrs: { normalizedShape }, needs }) => {
      const [, mean, rstd] = outputs as [Tensor, Tensor, Tensor];
      const params = needs[1] || needs[2] ? o.layerNormBackwardParams(g, x, mean, rstd) : null;
      const part = (i: number): Tensor =>
        o.reshape(o.slice(params as Tensor, { dim: 0, start: i, length: 1, step: 1 }), { shape: normalizedShape });
      return [
        needs[0] ? o.layerNormBackward(g, x, mean, rstd, weight) : null,
        needs[1] ? part(0) : null,
        needs[2] ? part(1) : null,
      ];
    },
  },
  layerNormBackward: {
    infer: ([g, x, mean, rstd, weight]) => {
      expectRows('layerNormBackward', g, x, mean, rstd);
      expectFloats('layerNormBackward', 'weight', weight, x.shape.slice(mean.ndim));
      return [like(x)];
    },
    forward: (k, [dx], [g, x, mean, rstd, weight]) =>
      k.layer_norm_backward_f32(dx as Tensor, g, x, mean, rstd, weight, ...rowsAndCols(x, mean)),
    saves: 'none',
    backward: noSecondDerivative('layerNorm'),
  },
  layerNormBackwardParams: {
    infer: ([g, x, mean, rstd]) => {
      expectRows('layerNormBackwardParams', g, x, mean, rstd);
      return [{ shape: [2, rowsAndCols(x, mean)[1]], dtype: 'f32' }];
    },
    forward: (k, [out], [g, x, mean, rstd]) => {
      const params = out as Tensor;
      const [rows, cols] = rowsAndCols(x, mean);
      k.layer_norm_backward_params_f32(half(params, 0), half(params, 1), g, x, mean, rstd, rows, cols, cols);
    },
    saves: 'none',
    backward: noSecondDerivative('layerNorm'),
  },
  batchNorm: {
    infer: ([x, weight, bias], { running, training }) => {
      expectChannels('batchNorm', x);
      const [n, c, s] = channels(x);
      expectAffine('batchNorm', weight, bias, [c]);
      if (running) {
        expectFloats('batchNorm', 'the running mean', running.mean, [c]);
        expectFloats('batchNorm', 'the running variance', running.variance, [c]);
      }
      if ((training || !running) && n * s <= 1)
        throw new ShapeError(
          `batchNorm: expected more than 1 value per channel when training, got input ${formatShape(x.shape)}`,
        );
      const perChannel = { shape: [c], dtype: 'f32' } as const;
      return [like(x), perChannel, perChannel, perChannel]; // result, mean, 1/σ, variance
    },
    forward: (k, outputs, [x, weight, bias], { running, training, momentum, eps }) => {
      const [y, mean, rstd, variance] = outputs as [Tensor, Tensor, Tensor, Tensor];
      const [n, c, s, stride] = channels(x);
      const own = training || !running;
      if (own) k.batch_norm_stats_f32(mean, variance, x, n, c, s, stride);
      else {
        k.copy_32(mean, running.mean, [1, c, 1, 1]);
        k.copy_32(variance, running.variance, [1, c, 1, 1]);
      }
      if (own && running) {
        const count = n * s;
        k.batch_norm_update_f32(running.mean, running.variance, mean, variance, c, momentum, count / (count - 1));
      }
      k.rstd_f32(rstd, variance, c, eps);
      k.batch_norm_forward_f32(y, x, mean, rstd, weight, bias, n, c, s, stride);
    },
    saves: 'both',
    backward: (o, g, { inputs: [x, weight], outputs, attrs: { running, training }, needs }) => {
      const [, mean, rstd] = outputs as [Tensor, Tensor, Tensor, Tensor];
      const own = training || !running;
      const params = own || needs[1] || needs[2] ? o.batchNormBackwardParams(g, x, mean, rstd) : null;
      const part = (i: number): Tensor =>
        o.reshape(o.slice(params as Tensor, { dim: 0, start: i, length: 1, step: 1 }), { shape: mean.shape });
      const toInput = (): Tensor =>
        own
          ? o.batchNormBackward(g, x, mean, rstd, weight, params as Tensor)
          : o.batchNormBackwardEval(g, rstd, weight);
      return [needs[0] ? toInput() : null, needs[1] ? part(0) : null, needs[2] ? part(1) : null];
    },
  },
  batchNormBackwardParams: {
    infer: ([g, x, mean, rstd]) => {
      const c = expectChannels('batchNormBackwardParams', x);
      expectSaved('batchNormBackwardParams', g, x, mean, rstd, [c]);
      return [{ shape: [2, c], dtype: 'f32' }];
    },
    forward: (k, [out], [g, x, mean, rstd]) => {
      const params = out as Tensor;
      k.batch_norm_backward_params_f32(half(params, 0), half(params, 1), g, x, mean, rstd, ...channels(x));
    },
    saves: 'none',
    backward: noSecondDerivative('batchNorm'),
  },
  batchNormBackward: {
    infer: ([g, x, mean, rstd, weight, params]) => {
      const c = expectChannels('batchNormBackward', x);
      expectSaved('batchNormBackward', g, x, mean, rstd, [c]);
      expectFloats('batchNormBackward', 'weight', weight, [c]);
      expectFloats('batchNormBackward', "the parameters' gradients", params, [2, c]);
      return [like(x)];
    },
    forward: (k, [dx], [g, x, mean, rstd, weight, params]) =>
      k.batch_norm_backward_f32(
        dx as Tensor,
        g,
        x,
        mean,
        rstd,
        weight,
        half(params, 0),
        half(params, 1),
        ...channels(x),
      ),
    saves: 'none',
    backward: noSecondDerivative('batchNorm'),
  },
  batchNormBackwardEval: {
    infer: ([g, rstd, weight]) => {
      const c = expectChannels('batchNormBackwardEval', g);
      expectFloats('batchNormBackwardEval', '1/σ', rstd, [c]);
      expectFloats('batchNormBackwardEval', 'weight', weight, [c]);
      return [like(g)];
    },
    forward: (k, [dx], [g, rstd, weight]) =>
      k.batch_norm_backward_eval_f32(dx as Tensor, g, rstd, weight, ...channels(g)),
    saves: 'inputs',
    backward: (o, h, { inputs: [, rstd, weight], needs }) => {
      if (needs[1] || needs[2]) noSecondDerivative('batchNorm by its weight')();
      return [o.batchNormBackwardEval(h, rstd, weight), null, null];
    },
  },
};
