// Parametrizations of weights (PyTorch's torch.nn.utils.parametrizations).

import { ArgumentError } from '../../../memory/errors.ts';
import { callable } from '../../../signature.ts';
import type { Tensor } from '../../../tensor.ts';
import { Module } from '../../module.ts';
import type { Buffer } from '../../parameter.ts';
import { type Changes, parameterOf, resultDim } from '../computed.ts';
import { registerParametrization } from '../parametrize.ts';
import { dimOf, divided, matrixOf, normalised, normExcept, powerIteration, randomVector, weighed } from '../weights.ts';

/** Options of {@link weightNorm}. */
export interface WeightNormOptions {
  /** The parameter. @defaultValue 'weight' */
  name?: string;
  /** The dim whose parts have norms of their own; null: one for all. @defaultValue 0 */
  dim?: number | null;
}

/** Options of {@link spectralNorm}. */
export interface SpectralNormOptions {
  /** The parameter. @defaultValue 'weight' */
  name?: string;
  /** Steps of the power iteration at each use in training. @defaultValue 1 */
  nPowerIterations?: number;
  /** The least norm that is divided by. @defaultValue 1e-12 */
  eps?: number;
  /** The dim of the results; null: 0, of transposed convolutions 1. @defaultValue null */
  dim?: number | null;
}

class WeightNorm extends Module {
  readonly dim: number;
  constructor(dim: number) {
    super();
    this.dim = dim;
  }
  forward(g: Tensor, v: Tensor): Tensor {
    return weighed(g, v, this.dim);
  }
  rightInverse(weight: Tensor): Tensor[] {
    return [normExcept(weight, this.dim), weight];
  }
}

/**
 * Has a weight computed as g v / |v|, of a length and a direction that are trained by themselves (Salimans and Kingma
 * 2016; PyTorch's `parametrizations.weight_norm`): `parametrizations.weight.original0` and `original1`.
 * @returns the module
 * @throws ArgumentError
 */
export const weightNorm = callable<Changes<[name: string, dim: number | null], WeightNormOptions>>(
  "parametrizations.weightNorm(module: Module, name: string = 'weight', dim: int|null = 0)",
  ((module: Module, name: string, dim: number | null) => {
    const weight = parameterOf('weightNorm', module, name);
    return registerParametrization(module, name, new WeightNorm(dimOf('weightNorm', weight, dim)), { unsafe: true });
  }) as never,
);

class SpectralNorm extends Module {
  readonly dim: number;
  readonly nPowerIterations: number;
  readonly eps: number;
  declare readonly _u: Buffer;
  declare readonly _v: Buffer;

  constructor(weight: Tensor, nPowerIterations: number, dim: number, eps: number) {
    super();
    this.dim = dim;
    this.nPowerIterations = nPowerIterations;
    this.eps = eps;
    if (weight.ndim < 2) return;
    const matrix = matrixOf(weight.detach(), dim);
    const [rows, columns] = matrix.shape as [number, number];
    this.registerBuffer('_u', randomVector(rows, eps));
    this.registerBuffer('_v', randomVector(columns, eps));
    powerIteration(matrix, this._u, this._v, { steps: 15, eps, leftFirst: true });
  }

  forward(weight: Tensor): Tensor {
    const { dim, eps, nPowerIterations } = this;
    if (weight.ndim < 2) return normalised(weight, eps);
    const matrix = matrixOf(weight, dim);
    const steps = this.training ? nPowerIterations : 0;
    const [u, v] =
      steps > 0
        ? powerIteration(matrix.detach(), this._u, this._v, { steps, eps, leftFirst: true })
        : [this._u.clone(), this._v.clone()];
    return divided(weight, matrix, u, v);
  }

  rightInverse(value: Tensor): Tensor {
    return value;
  }
}

/**
 * Has a weight divided by its largest singular value, which a power iteration follows in training (Miyato et al. 2018;
 * PyTorch's `parametrizations.spectral_norm`): `parametrizations.weight.original`, and its buffers.
 * @returns the module
 * @throws ArgumentError
 */
export const spectralNorm = callable<
  Changes<[name: string, nPowerIterations: number, eps: number, dim: number | null], SpectralNormOptions>
>(
  "parametrizations.spectralNorm(module: Module, name: string = 'weight', nPowerIterations: int = 1, eps: number = 1e-12, dim: int|null = null)",
  ((module: Module, name: string, ...[steps, eps, dim]: [number, number, number | null]) => {
    const weight = parameterOf('spectralNorm', module, name);
    if (steps < 1) throw new ArgumentError(`spectralNorm: expected nPowerIterations >= 1, got ${steps}`);
    const of = dimOf('spectralNorm', weight, resultDim(module, dim));
    return registerParametrization(module, name, new SpectralNorm(weight, steps, of, eps));
  }) as never,
);
