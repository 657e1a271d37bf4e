// Normalisation by groups of channels, named as in PyTorch's torch.nn.functional.
import { noGrad, ops } from './autograd.ts';
import { ArgumentError, formatShape, ShapeError } from './runtime/errors.ts';
import { runtime } from './runtime/wasm.ts';
import { numelOf, type Tensor } from './tensor.ts';

interface Affine {
  /** [channels]; absent: ones. */
  weight?: Tensor | null;
  /** [channels]; absent: zeros. */
  bias?: Tensor | null;
  /** Added to the variance. Default 1e-5. */
  eps?: number;
}

/** Options of {@link instanceNorm}. */
export interface InstanceNormOptions extends Affine {
  /** Whether to use the input's own statistics and not the running ones. Default true. */
  useInputStats?: boolean;
  /** Share of the newest batch in the running statistics. Default 0.1. */
  momentum?: number;
}

/**
 * Splits the channels of x [n, channels, ...] into groups and normalises each group of a sample to mean 0 and variance 1, then
 * weight · x + bias (Wu and He 2018).
 * @throws ShapeError, ArgumentError, DtypeError
 */
export function groupNorm(
  x: Tensor,
  numGroups: number,
  { weight = null, bias = null, eps = 1e-5 }: Affine = {},
): Tensor {
  return ops.groupNorm(x, weight, bias, { groups: numGroups, eps });
}

/**
 * Normalises each channel of each sample of x [n, channels, ...], then weight · x + bias (Ulyanov et al. 2016). Where there
 * are running statistics it moves them towards the mean of the samples' by `momentum`; with `useInputStats: false` it
 * uses them instead.
 * @param runningMean [channels] @param runningVar [channels]
 * @throws ShapeError, ArgumentError, DtypeError
 */
export function instanceNorm(
  x: Tensor,
  runningMean: Tensor | null = null,
  runningVar: Tensor | null = null,
  { weight = null, bias = null, useInputStats = true, momentum = 0.1, eps = 1e-5 }: InstanceNormOptions = {},
): Tensor {
  const running = runningMean && runningVar ? { mean: runningMean, variance: runningVar } : null;
  if (!useInputStats) {
    if (!running)
      throw new ArgumentError('instanceNorm: expected runningMean and runningVar with useInputStats: false, got none');
    return ops.batchNorm(x, weight, bias, { running, training: false, momentum, eps });
  }
  const [n = 0, channels = 0, ...rest] = x.shape;
  if (x.ndim < 3 || numelOf(rest) <= 1)
    throw new ShapeError(
      `instanceNorm: expected input [n, channels, ...] of more than 1 value per channel, got ${formatShape(x.shape)}`,
    );
  if (!running) return ops.groupNorm(x, weight, bias, { groups: channels, eps });
  // Every channel of every sample is a channel of one large sample. Of a single sample they are the channels themselves.
  const repeat = (values: Tensor): Tensor =>
    ops.reshape(ops.expand(values, { shape: [n, channels] }), { shape: [n * channels] });
  const each = noGrad(() => ({ mean: repeat(running.mean), variance: repeat(running.variance) }));
  const flat = ops.reshape(x, { shape: [1, n * channels, ...rest] });
  const attrs = { running: each, training: true, momentum, eps };
  const y = ops.batchNorm(flat, weight && repeat(weight), bias && repeat(bias), attrs);
  if (n > 1) {
    const { kernels } = runtime();
    kernels.sum_f32(running.mean, each.mean, 1, n, channels, channels, 1 / n);
    kernels.sum_f32(running.variance, each.variance, 1, n, channels, channels, 1 / n);
    each.mean.dispose();
    each.variance.dispose();
  }
  return ops.reshape(y, { shape: x.shape });
}
