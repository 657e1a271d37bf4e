// Activations that learn their slopes, or draw them.
import * as F from '../functional/index.ts';
import { type Arguments, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import * as init from './init.ts';
import { OwnLayer } from './layer.ts';
import { COMPUTE } from './names.ts';
import { checkSizes, describeOptions, type Parameter, parameter } from './parameter.ts';

/** Options of {@link PReLU}. */
export interface PReLUOptions {
  /** How many slopes: one for all, or one for each channel. @defaultValue 1 */
  numParameters?: number;
  /** Their first value. @defaultValue 0.25 */
  init?: number;
}
const ofPReLU = signature(
  'PReLU(numParameters: int = 1, init: number = 0.25, -device: any = null, -dtype: any = null)',
);

/** x where x > 0, else weight · x, with trained slopes: {@link functional.prelu} (PyTorch's `nn.PReLU`). */
export class PReLU extends OwnLayer {
  /** How many slopes. */
  readonly numParameters: number;
  /** [numParameters]. */
  weight: Parameter;

  /** A layer with one slope, or one for each channel. @throws ArgumentError */
  constructor(...args: Arguments<[], [numParameters: number, init: number], PReLUOptions>) {
    super();
    const [numParameters, first] = ofPReLU.parse(args) as [number, number];
    checkSizes('PReLU', { numParameters });
    this.numParameters = numParameters;
    this.weight = this.registerParameter('weight', init.constant_(parameter([numParameters]), first));
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return F.prelu(x, this.weight);
  }

  override extraRepr(): string {
    return describeOptions({ numParameters: this.numParameters });
  }
}

/** Options of {@link RReLU}. */
export interface RReLUOptions extends F.InplaceOptions {
  /** The least slope below 0. @defaultValue 1/8 */
  lower?: number;
  /** The greatest one. @defaultValue 1/3 */
  upper?: number;
}
const ofRReLU = signature('RReLU(lower: number = 0.125, upper: number = 0.3333333333333333, inplace: bool = false)');

/** x where x > 0, else x times a slope that is drawn in training: {@link functional.rrelu} (PyTorch's `nn.RReLU`). */
export class RReLU extends OwnLayer {
  /** The least slope below 0. */
  lower: number;
  /** The greatest one. */
  upper: number;
  /** Whether it writes over what it is given. */
  inplace: boolean;

  /** A layer that draws slopes from lower … upper. @throws ArgumentError */
  constructor(...args: Arguments<[], [lower: number, upper: number, inplace: boolean], RReLUOptions>) {
    super();
    const [lower, upper, inplace] = ofRReLU.parse(args) as [number, number, boolean];
    this.lower = lower;
    this.upper = upper;
    this.inplace = inplace;
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return F.rrelu(x, this.lower, this.upper, this.training, this.inplace);
  }

  override extraRepr(): string {
    return describeOptions({ lower: this.lower, upper: this.upper, ...(this.inplace && { inplace: true }) });
  }
}
