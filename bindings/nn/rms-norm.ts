// RMS normalisation as a layer.
import * as F from '../functional/index.ts';
import { type Arguments, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import * as init from './init.ts';
import { OwnLayer } from './layer.ts';
import { COMPUTE } from './names.ts';
import { checkSizes, describeOptions, type Parameter, parameter } from './parameter.ts';

/** Options of {@link RMSNorm}. */
export interface RMSNormOptions {
  /** Added to the mean of the squares; null: 2⁻²³, the epsilon of f32. @defaultValue null */
  eps?: number | null;
  /** Whether it has a trained weight. @defaultValue true */
  elementwiseAffine?: boolean;
}

const declared = signature(
  'RMSNorm(normalizedShape: int|int[], eps: number|null = null, elementwiseAffine: bool = true, -device: any = null, -dtype: any = null)',
);

/**
 * Divides the last dims by the root of the mean of their squares: {@link functional.rmsNorm} (PyTorch's `nn.RMSNorm`).
 */
export class RMSNorm extends OwnLayer {
  /** Of normalizedShape, ones at first; or null. */
  weight: Parameter | null;
  /** The sizes of the dims that are normalised together. */
  readonly normalizedShape: readonly number[];
  /** Added to the mean of the squares; null: the epsilon of f32. */
  eps: number | null;

  /** A layer for last dims of `normalizedShape`; one number for the last alone. @throws ArgumentError */
  constructor(
    ...args: Arguments<
      [normalizedShape: number | readonly number[]],
      [eps: number | null, elementwiseAffine: boolean],
      RMSNormOptions,
      ['normalizedShape']
    >
  ) {
    super();
    const [normalizedShape, eps, affine] = declared.parse(args) as [number | readonly number[], number | null, boolean];
    this.normalizedShape = typeof normalizedShape === 'number' ? [normalizedShape] : [...normalizedShape];
    for (const size of this.normalizedShape) checkSizes('RMSNorm', { normalizedShape: size });
    this.eps = eps;
    const { normalizedShape: shape } = this;
    this.weight = this.registerParameter('weight', affine ? init.ones_(parameter(shape)) : null);
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return F.rmsNorm(x, this.normalizedShape, this.weight, this.eps);
  }

  override extraRepr(): string {
    const { normalizedShape, eps, weight } = this;
    return describeOptions({ normalizedShape, eps, elementwiseAffine: weight !== null });
  }
}
