// The affine layer, and the layer that does nothing.
import * as F from '../functional/index.ts';
import type { Tensor } from '../tensor.ts';
import { Layer } from './layer.ts';
import { checkSizes, type Parameter, uniformParameter } from './parameter.ts';

/** Options of layers with a weight and a bias. */
export interface BiasOptions {
  /** Whether the layer has a trained bias. @defaultValue true */
  bias?: boolean;
}

/**
 * x · weightᵀ + bias (PyTorch's `nn.Linear`): [..., inFeatures] → [..., outFeatures]. Weight and bias start uniform in
 * ±1 / √inFeatures.
 */
export class Linear extends Layer {
  /** [outFeatures, inFeatures]. */
  weight: Parameter;
  /** [outFeatures], or null. */
  bias: Parameter | null;

  /**
   * @param inFeatures the size of the last dim of inputs
   * @param outFeatures the size of the last dim of results
   */
  constructor(inFeatures: number, outFeatures: number, options: BiasOptions = {}) {
    const { bias = true } = options;
    super();
    checkSizes('Linear', { inFeatures, outFeatures });
    const bound = 1 / Math.sqrt(inFeatures);
    this.weight = this.registerParameter('weight', uniformParameter([outFeatures, inFeatures], bound));
    this.bias = this.registerParameter('bias', bias ? uniformParameter([outFeatures], bound) : null);
  }

  forward(x: Tensor): Tensor {
    return F.linear(x, this.weight, this.bias);
  }

  override extraRepr(): string {
    const [out, inner] = this.weight.shape;
    return `${inner} → ${out}${this.bias ? '' : ', no bias'}`;
  }
}

/** Returns its input (PyTorch's `nn.Identity`). */
export class Identity extends Layer {
  forward(x: Tensor): Tensor {
    return x;
  }
}
