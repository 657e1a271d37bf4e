// The bilinear layer.
import * as F from '../functional/index.ts';
import { named } from '../memory/errors.ts';
import { type Arguments, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import type { BiasOptions } from './linear.ts';
import { Module } from './module.ts';
import { checkSizes, describeOptions, type Parameter, uniformParameter } from './parameter.ts';

const declared = signature(
  'Bilinear(in1Features: int, in2Features: int, outFeatures: int, bias: bool = true, -device: any = null, -dtype: any = null)',
);
const ofForward = signature('Bilinear.forward(input1: Tensor, input2: Tensor)');

/**
 * x1 · weight[o] · x2 + bias[o] for each o (PyTorch's `nn.Bilinear`): [..., in1Features] and [..., in2Features] →
 * [..., outFeatures]. Weight and bias start uniform in ±1 / √in1Features.
 */
export class Bilinear extends Module {
  /** The size of the last dim of the first input. */
  readonly in1Features: number;
  /** The size of the last dim of the second input. */
  readonly in2Features: number;
  /** The size of the last dim of results. */
  readonly outFeatures: number;
  /** [outFeatures, in1Features, in2Features]. */
  weight: Parameter;
  /** [outFeatures], or null. */
  bias: Parameter | null;

  /** A layer from two inputs to rows of `outFeatures`. @throws ArgumentError */
  constructor(
    ...args: Arguments<
      [in1Features: number, in2Features: number, outFeatures: number],
      [bias: boolean],
      BiasOptions,
      ['in1Features', 'in2Features', 'outFeatures']
    >
  ) {
    super();
    const [in1Features, in2Features, outFeatures, bias] = declared.parse(args) as [number, number, number, boolean];
    checkSizes('Bilinear', { in1Features, in2Features, outFeatures });
    this.in1Features = in1Features;
    this.in2Features = in2Features;
    this.outFeatures = outFeatures;
    const bound = 1 / Math.sqrt(in1Features);
    this.weight = this.registerParameter('weight', uniformParameter([outFeatures, in1Features, in2Features], bound));
    this.bias = this.registerParameter('bias', bias ? uniformParameter([outFeatures], bound) : null);
  }

  /**
   * @param input1 [..., in1Features]
   * @param input2 [..., in2Features]
   * @returns [..., outFeatures]
   * @throws ShapeError, DtypeError
   */
  forward(...args: [input1: Tensor, input2: Tensor]): Tensor {
    try {
      const [input1, input2] = ofForward.parse(args) as [Tensor, Tensor];
      return F.bilinear(input1, input2, this.weight, this.bias);
    } catch (error) {
      throw named(error, 'Bilinear');
    }
  }

  override extraRepr(): string {
    const { in1Features, in2Features, outFeatures, bias } = this;
    return describeOptions({ in1Features, in2Features, outFeatures, bias: bias !== null });
  }
}
