// Layers of convolutions.
import { type ConvOptions, type ConvTransposeOptions, eachDim, type Sizes } from '../convolution.ts';
import * as F from '../functional.ts';
import { ArgumentError, formatShape } from '../runtime/errors.ts';
import { Tensor } from '../tensor.ts';
import * as init from './init.ts';
import { Layer } from './layers.ts';

interface Bias {
  /** Whether it has a trained bias. Default true. */
  bias?: boolean;
}

/** A trained tensor of `shape`, uniform in ±bound, which lasts until disposed of. */
function uniformParameter(shape: readonly number[], bound: number): Tensor {
  return init.uniform_(Tensor.allocate(shape, 'f32', 'parameter').keep().requiresGrad_(), -bound, bound);
}

/** What all layers of convolutions have: sizes that are checked, a weight and a bias. */
abstract class ConvLayer<O extends { readonly groups?: number }> extends Layer {
  readonly weight: Tensor;
  readonly bias: Tensor | null;
  readonly options: Readonly<O>;

  constructor(
    spatial: number,
    transposed: boolean,
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    { bias = true, ...options }: O & Bias,
  ) {
    super();
    const name = new.target.name;
    const { groups = 1 } = options;
    for (const [what, size] of Object.entries({ inChannels, outChannels, groups }))
      if (!(Number.isSafeInteger(size) && size >= 1))
        throw new ArgumentError(`${name}: expected ${what} to be a whole number >= 1, got ${size}`);
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
    this.weight = uniformParameter(shape, bound);
    this.bias = bias ? uniformParameter([outChannels], bound) : null;
    this.options = options as unknown as O;
  }

  protected override describe(): string {
    const given = Object.entries(this.options)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => `, ${key}: ${Array.isArray(value) ? formatShape(value) : value}`)
      .join('');
    return `weight ${formatShape(this.weight.shape)}${given}${this.bias ? '' : ', no bias'}`;
  }
}

/** {@link F.conv1d} with weight [out, in / groups, kernel] and bias, which start uniform in ±1/√(in / groups · kernel). */
export class Conv1d extends ConvLayer<ConvOptions> {
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options: ConvOptions & Bias = {}) {
    super(1, false, inChannels, outChannels, kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return F.conv1d(x, this.weight, this.bias, this.options);
  }
}

/** {@link F.conv2d} with weight [out, in / groups, height, width] and bias. */
export class Conv2d extends ConvLayer<ConvOptions> {
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options: ConvOptions & Bias = {}) {
    super(2, false, inChannels, outChannels, kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return F.conv2d(x, this.weight, this.bias, this.options);
  }
}

/** {@link F.conv3d} with weight [out, in / groups, depth, height, width] and bias. */
export class Conv3d extends ConvLayer<ConvOptions> {
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options: ConvOptions & Bias = {}) {
    super(3, false, inChannels, outChannels, kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return F.conv3d(x, this.weight, this.bias, this.options);
  }
}

/** {@link F.convTranspose1d} with weight [in, out / groups, kernel] and bias [out]. */
export class ConvTranspose1d extends ConvLayer<ConvTransposeOptions> {
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options: ConvTransposeOptions & Bias = {}) {
    super(1, true, inChannels, outChannels, kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return F.convTranspose1d(x, this.weight, this.bias, this.options);
  }
}

/** {@link F.convTranspose2d} with weight [in, out / groups, height, width] and bias [out]. */
export class ConvTranspose2d extends ConvLayer<ConvTransposeOptions> {
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options: ConvTransposeOptions & Bias = {}) {
    super(2, true, inChannels, outChannels, kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return F.convTranspose2d(x, this.weight, this.bias, this.options);
  }
}
