// The affine layer, and the layer that does nothing.
import { ops } from '../autograd.ts';
import * as F from '../functional/index.ts';
import { type Arguments, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { OwnLayer } from './layer.ts';
import { COMPUTE } from './names.ts';
import { checkSizes, describeOptions, type Parameter, uniformParameter } from './parameter.ts';

/** Options of layers with a weight and a bias. */
export interface BiasOptions {
  /** Whether the layer has a trained bias. @defaultValue true */
  bias?: boolean;
}

const linear = signature(
  'Linear(inFeatures: int, outFeatures: int, bias: bool = true, -device: any = null, -dtype: any = null)',
);

/**
 * x · weightᵀ + bias (PyTorch's `nn.Linear`): [..., inFeatures] → [..., outFeatures]. Weight and bias start uniform in
 * ±1 / √inFeatures.
 */
export class Linear extends OwnLayer {
  /** The size of the last dim of inputs. */
  readonly inFeatures: number;
  /** The size of the last dim of results. */
  readonly outFeatures: number;
  /** [outFeatures, inFeatures]. */
  weight: Parameter;
  /** [outFeatures], or null. */
  bias: Parameter | null;

  /** A layer from rows of `inFeatures` numbers to rows of `outFeatures`. @throws ArgumentError */
  constructor(
    ...args: Arguments<
      [inFeatures: number, outFeatures: number],
      [bias: boolean],
      BiasOptions,
      ['inFeatures', 'outFeatures']
    >
  ) {
    super();
    const [inFeatures, outFeatures, bias] = linear.parse(args) as [number, number, boolean];
    checkSizes('Linear', { inFeatures, outFeatures });
    this.inFeatures = inFeatures;
    this.outFeatures = outFeatures;
    const bound = 1 / Math.sqrt(inFeatures);
    this.weight = this.registerParameter('weight', uniformParameter([outFeatures, inFeatures], bound));
    this.bias = this.registerParameter('bias', bias ? uniformParameter([outFeatures], bound) : null);
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    const { weight, bias } = this;
    return x.ndim === 2 ? ops.linear({ x, weight, bias }) : F.linear(x, weight, bias);
  }

  override extraRepr(): string {
    const { inFeatures, outFeatures, bias } = this;
    return describeOptions({ inFeatures, outFeatures, bias: bias !== null });
  }
}

const identity = signature('Identity()');

/** Returns its input (PyTorch's `nn.Identity`). */
export class Identity extends OwnLayer {
  /** A layer that does nothing. @throws ArgumentError for any argument */
  constructor(...args: []) {
    super();
    identity.parse(args);
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return x;
  }
}
