// Layers of convolutions.
import { eachDim, type Sizes } from '../functional/arguments.ts';
import * as F from '../functional/index.ts';
import { ArgumentError, formatShape, named, ShapeError } from '../memory/errors.ts';
import { type Arguments, type Signature, signature } from '../signature.ts';
import type { Shape, Tensor } from '../tensor.ts';
import { OwnLayer } from './layer.ts';
import type { BiasOptions } from './linear.ts';
import { COMPUTE } from './names.ts';
import { checkSizes, describeLayer, giveSettings, type Parameter, uniformParameter } from './parameter.ts';

/** Options of {@link Conv1d}, {@link Conv2d} and {@link Conv3d}. */
export interface ConvLayerOptions extends Omit<F.ConvOptions, 'layout'>, BiasOptions {
  /** What stands in the padding: zeros, or as {@link functional.pad} has it. @defaultValue 'zeros' */
  paddingMode?: PaddingMode;
}

/** What stands in the padding of a convolution. */
export type PaddingMode = 'zeros' | Exclude<F.PadMode, 'constant'>;

/** Options of {@link ConvTranspose1d}, {@link ConvTranspose2d} and {@link ConvTranspose3d}. */
export interface ConvTransposeLayerOptions extends F.ConvTransposeOptions, BiasOptions {}

/** What all layers of convolutions have: sizes that are checked, a weight and a bias. */
export abstract class ConvLayer<O extends object = object> extends OwnLayer {
  /** The trained kernels, uniform in ±1 / √fanIn at first; their shape is that of the class. */
  weight: Parameter;
  /** [outChannels], uniform in ±1 / √fanIn at first; or null. */
  bias: Parameter | null;
  /** The options of the convolution. */
  readonly options: Readonly<O>;
  /** Channels of the input. */
  readonly inChannels: number;
  /** Channels of the result. */
  readonly outChannels: number;
  /** Taps along each dim. */
  readonly kernelSize: Sizes;
  /** Elements from one position of the kernel to the next, of {@link options}. */
  declare stride: Sizes;
  /** Zeros around the input, of {@link options}. */
  declare padding: Sizes | 'same' | 'valid';
  /** Elements from one tap to the next, of {@link options}. */
  declare dilation: Sizes;
  /** Groups of channels, of {@link options}. */
  declare groups: number;

  readonly #declared: Signature;
  readonly #values: readonly unknown[];

  /** @internal */
  constructor(spatial: number, declared: Signature, args: readonly unknown[]) {
    super();
    const { name } = declared;
    const values = declared.parse(args);
    this.#declared = declared;
    this.#values = values;
    const options: Record<string, unknown> = {};
    declared.parameters.forEach((parameter, i) => {
      if (i > 2 && !parameter.absent && !OWN.includes(parameter.name)) options[parameter.name] = values[i];
    });
    const [inChannels, outChannels, kernelSize] = values as [number, number, Sizes];
    const { bias, groups } = { bias: values[BIAS], ...options } as { bias: boolean; groups: number };
    checkSizes(name, { inChannels, outChannels, groups });
    if (inChannels % groups !== 0 || outChannels % groups !== 0)
      throw new ArgumentError(
        `${name}: expected channels that divide into ${groups} groups, got ${inChannels} and ${outChannels}`,
      );
    const kernel = eachDim(name, 'kernelSize', kernelSize, spatial, 1);
    const shape =
      'outputPadding' in options
        ? [inChannels, outChannels / groups, ...kernel]
        : [outChannels, inChannels / groups, ...kernel];
    // kaimingUniform_ with a = √5, as PyTorch starts both: ±1 / √fanIn.
    const fanIn = shape.slice(1).reduce((a, b) => a * b, 1);
    const bound = 1 / Math.sqrt(fanIn);
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = kernelSize;
    this.weight = this.registerParameter('weight', uniformParameter(shape, bound));
    this.bias = this.registerParameter('bias', bias ? uniformParameter([outChannels], bound) : null);
    this.options = options as O;
    giveSettings(this, options);
  }

  override extraRepr(): string {
    return describeLayer(this.#declared, this.#values, this.settings());
  }

  /** What may have changed since. @internal */
  protected settings(): object {
    return this.options;
  }
}

/** A layer of F.conv…, that may pad by itself. */
abstract class PaddedConv extends ConvLayer<Omit<F.ConvOptions, 'layout'>> {
  /** What stands in the padding. */
  paddingMode: PaddingMode;
  readonly #spatial: number;
  readonly #function: F.ConvFunction;

  /** @internal */
  constructor(spatial: number, f: F.ConvFunction, declared: Signature, args: readonly unknown[]) {
    super(spatial, declared, args);
    this.#spatial = spatial;
    this.#function = f;
    this.paddingMode = declared.parse(args)[BIAS + 1] as PaddingMode;
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    const f = this.#function;
    if (this.paddingMode === 'zeros') return f(x, this.weight, this.bias, this.options);
    return f(F.pad(x, this.#sides(), this.paddingMode), this.weight, this.bias, { ...this.options, padding: 0 });
  }

  /** Elements before and behind each dim, the last one first. */
  #sides(): number[] {
    const { padding, stride, dilation } = this;
    const name = this.constructor.name;
    const each = (what: string, value: Sizes, least: number) => eachDim(name, what, value, this.#spatial, least);
    if (padding !== 'same')
      return each('padding', padding === 'valid' ? 0 : padding, 0)
        .reverse()
        .flatMap((n) => [n, n]);
    if (each('stride', stride, 1).some((step) => step !== 1))
      throw new ArgumentError(`${name}: expected stride 1 with padding 'same', got ${stride}; give numbers instead`);
    const taps = each('kernelSize', this.kernelSize, 1);
    const zeros = each('dilation', dilation, 1).map((step, d) => step * ((taps[d] as number) - 1));
    return zeros.reverse().flatMap((n) => [n >> 1, n - (n >> 1)]);
  }

  /** @internal */
  protected override settings(): object {
    return { ...this.options, paddingMode: this.paddingMode };
  }
}

const ofForward = signature('TransposedConv.forward(x: Tensor, outputSize: int[]|null = null)');

/** A layer of F.convTranspose…. */
abstract class TransposedConv extends ConvLayer<F.ConvTransposeOptions> {
  /** Elements that the result is longer at its end, of {@link options}. */
  declare outputPadding: Sizes;
  readonly #spatial: number;
  readonly #function: F.ConvTransposeFunction;

  /** @internal */
  constructor(spatial: number, f: F.ConvTransposeFunction, declared: Signature, args: readonly unknown[]) {
    super(spatial, declared, args);
    this.#spatial = spatial;
    this.#function = f;
  }

  /**
   * The result of the layer for the input x.
   * @param outputSize of its spatial dims, or of all: up to stride − 1 longer than without `outputPadding`, in place of
   * which it stands
   */
  override forward(x: Tensor, outputSize: Shape | null): Tensor;
  override forward(...args: [x: Tensor]): Tensor; // the last, whose arguments hooks are told
  override forward(...args: unknown[]): Tensor {
    try {
      const [x, outputSize] = ofForward.parse(args) as [Tensor, Shape | null];
      return this[COMPUTE](x, outputSize);
    } catch (error) {
      throw named(error, this.constructor.name);
    }
  }

  /** @internal */
  [COMPUTE](x: Tensor, outputSize: Shape | null = null): Tensor {
    const { weight, bias, options } = this;
    if (!outputSize) return this.#function(x, weight, bias, options);
    return this.#function(x, weight, bias, { ...options, outputPadding: this.#extra(x, outputSize) });
  }

  /** What makes the result as large as asked for. */
  #extra(x: Tensor, outputSize: Shape): number[] {
    const spatial = this.#spatial;
    const name = this.constructor.name;
    const each = (what: string, value: Sizes, least: number) => eachDim(name, what, value, spatial, least);
    const [stride, dilation] = [each('stride', this.stride, 1), each('dilation', this.dilation, 1)];
    const padding = each('padding', this.padding as Sizes, 0);
    const taps = each('kernelSize', this.kernelSize, 1);
    const least = stride.map((step, d) => {
      const length = x.sizes[x.ndim - spatial + d] ?? 0;
      const reach = (dilation[d] as number) * ((taps[d] as number) - 1) + 1;
      return (length - 1) * step - 2 * (padding[d] as number) + reach;
    });
    const given = outputSize.length === spatial + 2 ? outputSize.slice(2) : outputSize;
    const extra = given.map((n, d) => n - (least[d] as number));
    if (extra.length !== spatial || extra.some((n, d) => n < 0 || n >= (stride[d] as number)))
      throw new ShapeError(
        `${name}: expected outputSize from ${formatShape(least)} to less than stride ${formatShape(stride)} more, got ${formatShape(outputSize)}`,
      );
    return extra;
  }
}

/** Where `bias` stands in all signatures. */
const BIAS = 7;
/** What the functions do not take. */
const OWN = ['bias', 'paddingMode'];
/** What the constructors of convolutions take. */
export type ConvArguments = Arguments<
  [inChannels: number, outChannels: number, kernelSize: Sizes],
  [
    stride: Sizes,
    padding: Sizes | 'same' | 'valid',
    dilation: Sizes,
    groups: number,
    bias: boolean,
    paddingMode: PaddingMode,
  ],
  ConvLayerOptions,
  ['inChannels', 'outChannels', 'kernelSize']
>;
/** What the constructors of transposed convolutions take. */
export type TransposeArguments = Arguments<
  [inChannels: number, outChannels: number, kernelSize: Sizes],
  [stride: Sizes, padding: Sizes, outputPadding: Sizes, groups: number, bias: boolean, dilation: Sizes],
  ConvTransposeLayerOptions,
  ['inChannels', 'outChannels', 'kernelSize']
>;

/** What a convolution takes. */
/* @__NO_SIDE_EFFECTS__ */
const conv = (name: string): Signature =>
  signature(
    `${name}(inChannels: int, outChannels: int, kernelSize: int|int[], stride: int|int[] = 1, padding: int|int[]|'same'|'valid' = 0, dilation: int|int[] = 1, groups: int = 1, bias: bool = true, paddingMode: 'zeros'|'reflect'|'replicate'|'circular' = 'zeros', -device: any = null, -dtype: any = null)`,
  );
/** What a transposed convolution takes. */
/* @__NO_SIDE_EFFECTS__ */
const transposed = (name: string): Signature =>
  signature(
    `${name}(inChannels: int, outChannels: int, kernelSize: int|int[], stride: int|int[] = 1, padding: int|int[] = 0, outputPadding: int|int[] = 0, groups: int = 1, bias: bool = true, dilation: int|int[] = 1, -paddingMode: string = 'zeros', -device: any = null, -dtype: any = null)`,
  );
const ofConv1d = conv('Conv1d');
const ofConv2d = conv('Conv2d');
const ofConv3d = conv('Conv3d');
const ofTranspose1d = transposed('ConvTranspose1d');
const ofTranspose2d = transposed('ConvTranspose2d');
const ofTranspose3d = transposed('ConvTranspose3d');

/**
 * A convolution over one dim, {@link functional.conv1d} (PyTorch's `nn.Conv1d`):
 * [n, inChannels, length] → [n, outChannels, length], with or without n. Its weight is [outChannels, inChannels /
 * groups, kernel].
 */
export class Conv1d extends PaddedConv {
  /** A layer from `inChannels` to `outChannels` with `kernelSize` taps along each dim. @throws ArgumentError */
  constructor(...args: ConvArguments) {
    super(1, F.conv1d, ofConv1d, args);
  }
}

/**
 * A convolution over two dims, {@link functional.conv2d} (PyTorch's `nn.Conv2d`):
 * [n, inChannels, height, width] → [n, outChannels, height, width], with or without n. Its weight is [outChannels,
 * inChannels / groups, height, width].
 */
export class Conv2d extends PaddedConv {
  /** A layer from `inChannels` to `outChannels` with `kernelSize` taps along each dim. @throws ArgumentError */
  constructor(...args: ConvArguments) {
    super(2, F.conv2d, ofConv2d, args);
  }
}

/**
 * A convolution over three dims, {@link functional.conv3d} (PyTorch's `nn.Conv3d`):
 * [n, inChannels, depth, height, width] → [n, outChannels, depth, height, width], with or without n. Its weight is
 * [outChannels, inChannels / groups, depth, height, width].
 */
export class Conv3d extends PaddedConv {
  /** A layer from `inChannels` to `outChannels` with `kernelSize` taps along each dim. @throws ArgumentError */
  constructor(...args: ConvArguments) {
    super(3, F.conv3d, ofConv3d, args);
  }
}

/**
 * A transposed convolution over one dim, {@link functional.convTranspose1d} (PyTorch's `nn.ConvTranspose1d`):
 * [n, inChannels, length] → [n, outChannels, length], with or without n. Its weight is [inChannels, outChannels /
 * groups, kernel].
 */
export class ConvTranspose1d extends TransposedConv {
  /** A layer from `inChannels` to `outChannels` with `kernelSize` taps along each dim. @throws ArgumentError */
  constructor(...args: TransposeArguments) {
    super(1, F.convTranspose1d, ofTranspose1d, args);
  }
}

/**
 * A transposed convolution over two dims, {@link functional.convTranspose2d} (PyTorch's `nn.ConvTranspose2d`):
 * [n, inChannels, height, width] → [n, outChannels, height, width], with or without n. Its weight is [inChannels,
 * outChannels / groups, height, width].
 */
export class ConvTranspose2d extends TransposedConv {
  /** A layer from `inChannels` to `outChannels` with `kernelSize` taps along each dim. @throws ArgumentError */
  constructor(...args: TransposeArguments) {
    super(2, F.convTranspose2d, ofTranspose2d, args);
  }
}

/**
 * A transposed convolution over three dims, {@link functional.convTranspose3d} (PyTorch's `nn.ConvTranspose3d`):
 * [n, inChannels, depth, height, width] → [n, outChannels, depth, height, width], with or without n. Its weight is
 * [inChannels, outChannels / groups, depth, height, width].
 */
export class ConvTranspose3d extends TransposedConv {
  /** A layer from `inChannels` to `outChannels` with `kernelSize` taps along each dim. @throws ArgumentError */
  constructor(...args: TransposeArguments) {
    super(3, F.convTranspose3d, ofTranspose3d, args);
  }
}
