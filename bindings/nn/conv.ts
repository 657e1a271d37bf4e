// Layers of convolutions.
import { eachDim, type Sizes } from '../functional/arguments.ts';
import * as F from '../functional/index.ts';
import { ArgumentError, formatShape } from '../memory/errors.ts';
import type { Tensor } from '../tensor.ts';
import { Layer } from './layer.ts';
import type { BiasOptions } from './linear.ts';
import { checkSizes, describeOptions, type Parameter, uniformParameter } from './parameter.ts';

/** Options of {@link Conv1d}, {@link Conv2d} and {@link Conv3d}. */
export interface ConvLayerOptions extends F.ConvOptions, BiasOptions {}

/** Options of {@link ConvTranspose1d} and {@link ConvTranspose2d}. */
export interface ConvTransposeLayerOptions extends F.ConvTransposeOptions, BiasOptions {}

/** What all layers of convolutions have: sizes that are checked, a weight and a bias. */
export abstract class ConvLayer<O extends { readonly groups?: number }> extends Layer {
  /** The trained kernels, uniform in ±1 / √fanIn at first; their shape is that of the class. */
  weight: Parameter;
  /** [outChannels], uniform in ±1 / √fanIn at first; or null. */
  bias: Parameter | null;
  /** The options of the convolution. */
  readonly options: Readonly<O>;

  /** @internal */
  constructor(
    spatial: number,
    transposed: boolean,
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    { bias = true, ...options }: O & BiasOptions,
  ) {
    super();
    const name = new.target.name;
    const { groups = 1 } = options;
    checkSizes(name, { inChannels, outChannels, groups });
    if (inChannels % groups !== 0 || outChannels % groups !== 0)
      throw new ArgumentError(
        `${name}: expected channels that divide into ${groups} groups, got ${inChannels} and ${outChannels}`,
      );
    const kernel = eachDim(name, 'kernelSize', kernelSize, spatial, 1);
    const shape = transposed
      ? [inChannels, outChannels / groups, ...kernel]
      : [outChannels, inChannels / groups, ...kernel];
    // kaimingUniform_ with a = √5, as PyTorch starts both: ±1 / √fanIn.
    const fanIn = shape.slice(1).reduce((a, b) => a * b, 1);
    const bound = 1 / Math.sqrt(fanIn);
    this.weight = this.registerParameter('weight', uniformParameter(shape, bound));
    this.bias = this.registerParameter('bias', bias ? uniformParameter([outChannels], bound) : null);
    this.options = options as unknown as O;
  }

  override extraRepr(): string {
    const parts = [`weight ${formatShape(this.weight.shape)}`, describeOptions(this.options)];
    return [...parts, this.bias ? '' : 'no bias'].filter(Boolean).join(', ');
  }
}

/**
 * A convolution over one dim, {@link functional.conv1d} (PyTorch's `nn.Conv1d`):
 * [n, inChannels, length] → [n, outChannels, length], with or without n. Its weight is [outChannels, inChannels /
 * groups, kernel].
 */
export class Conv1d extends ConvLayer<F.ConvOptions> {
  /**
   * @param inChannels channels of inputs
   * @param outChannels channels of results
   * @param kernelSize taps along the dim
   * @throws ArgumentError
   */
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options: ConvLayerOptions = {}) {
    super(1, false, inChannels, outChannels, kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return F.conv1d(x, this.weight, this.bias, this.options);
  }
}

/**
 * A convolution over two dims, {@link functional.conv2d} (PyTorch's `nn.Conv2d`):
 * [n, inChannels, height, width] → [n, outChannels, height, width], with or without n. Its weight is [outChannels,
 * inChannels / groups, height, width].
 */
export class Conv2d extends ConvLayer<F.ConvOptions> {
  /**
   * @param inChannels channels of inputs
   * @param outChannels channels of results
   * @param kernelSize taps along each dim
   * @throws ArgumentError
   */
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options: ConvLayerOptions = {}) {
    super(2, false, inChannels, outChannels, kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return F.conv2d(x, this.weight, this.bias, this.options);
  }
}

/**
 * A convolution over three dims, {@link functional.conv3d} (PyTorch's `nn.Conv3d`):
 * [n, inChannels, depth, height, width] → [n, outChannels, depth, height, width], with or without n. Its weight is
 * [outChannels, inChannels / groups, depth, height, width].
 */
export class Conv3d extends ConvLayer<F.ConvOptions> {
  /**
   * @param inChannels channels of inputs
   * @param outChannels channels of results
   * @param kernelSize taps along each dim
   * @throws ArgumentError
   */
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options: ConvLayerOptions = {}) {
    super(3, false, inChannels, outChannels, kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return F.conv3d(x, this.weight, this.bias, this.options);
  }
}

/**
 * A transposed convolution over one dim, {@link functional.convTranspose1d} (PyTorch's `nn.ConvTranspose1d`):
 * [n, inChannels, length] → [n, outChannels, length], with or without n. Its weight is [inChannels, outChannels /
 * groups, kernel].
 */
export class ConvTranspose1d extends ConvLayer<F.ConvTransposeOptions> {
  /**
   * @param inChannels channels of inputs
   * @param outChannels channels of results
   * @param kernelSize taps along the dim
   * @throws ArgumentError
   */
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options: ConvTransposeLayerOptions = {}) {
    super(1, true, inChannels, outChannels, kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return F.convTranspose1d(x, this.weight, this.bias, this.options);
  }
}

/**
 * A transposed convolution over two dims, {@link functional.convTranspose2d} (PyTorch's `nn.ConvTranspose2d`):
 * [n, inChannels, height, width] → [n, outChannels, height, width], with or without n. Its weight is [inChannels,
 * outChannels / groups, height, width].
 */
export class ConvTranspose2d extends ConvLayer<F.ConvTransposeOptions> {
  /**
   * @param inChannels channels of inputs
   * @param outChannels channels of results
   * @param kernelSize taps along each dim
   * @throws ArgumentError
   */
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options: ConvTransposeLayerOptions = {}) {
    super(2, true, inChannels, outChannels, kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return F.convTranspose2d(x, this.weight, this.bias, this.options);
  }
}
