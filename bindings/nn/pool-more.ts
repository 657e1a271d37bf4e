// Layers that pool by powers, and at random places.
import type { Sizes } from '../functional/arguments.ts';
import * as F from '../functional/pool-more.ts';
import { ArgumentError } from '../memory/errors.ts';
import { type Arguments, type Signature, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { OwnLayer, type Pooled, PoolLayer } from './layer.ts';
import { COMPUTE } from './names.ts';
import { describeOptions } from './parameter.ts';

/** What the constructors of {@link LPPool1d} and its like take. */
export type LPArguments = Arguments<
  [normType: number, kernelSize: Sizes],
  [stride: Sizes | null, ceilMode: boolean],
  F.LPPoolOptions,
  ['normType', 'kernelSize']
>;

/** A pool by powers. */
abstract class LPPool extends OwnLayer {
  /** The power. */
  readonly normType: number;
  /** Elements of a window along each dim. */
  readonly kernelSize: Sizes;
  /** Elements from one window to the next; null: as long as a window. */
  readonly stride: Sizes | null;
  /** Whether windows may end outside of the input. */
  readonly ceilMode: boolean;
  readonly #function: F.LPPoolFunction;

  /** @internal */
  constructor(f: F.LPPoolFunction, declared: Signature, args: readonly unknown[]) {
    super();
    const [normType, kernelSize, stride, ceilMode] = declared.parse(args) as [number, Sizes, Sizes | null, boolean];
    this.normType = normType;
    this.kernelSize = kernelSize;
    this.stride = stride;
    this.ceilMode = ceilMode;
    this.#function = f;
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return this.#function(x, this.normType, this.kernelSize, this.stride, this.ceilMode);
  }

  override extraRepr(): string {
    const { normType, kernelSize, stride, ceilMode } = this;
    return describeOptions({ normType, kernelSize, stride, ceilMode });
  }
}

/* @__NO_SIDE_EFFECTS__ */
const power = (name: string): Signature =>
  signature(`${name}(normType: number, kernelSize: int|int[], stride: int|int[]|null = null, ceilMode: bool = false)`);

const ofLPPool1d = power('LPPool1d');
/** (Σ xᵖ)^(1 / p) of each window of the last dim: {@link functional.lpPool1d} (PyTorch's `nn.LPPool1d`). */
export class LPPool1d extends LPPool {
  /** A pool of windows of `kernelSize` by the power `normType`. @throws ArgumentError */
  constructor(...args: LPArguments) {
    super(F.lpPool1d, ofLPPool1d, args);
  }
}

const ofLPPool2d = power('LPPool2d');
/** (Σ xᵖ)^(1 / p) of each window of the last two dims: {@link functional.lpPool2d} (PyTorch's `nn.LPPool2d`). */
export class LPPool2d extends LPPool {
  /** A pool of windows of `kernelSize` by the power `normType`. @throws ArgumentError */
  constructor(...args: LPArguments) {
    super(F.lpPool2d, ofLPPool2d, args);
  }
}

const ofLPPool3d = power('LPPool3d');
/** (Σ xᵖ)^(1 / p) of each window of the last three dims: {@link functional.lpPool3d} (PyTorch's `nn.LPPool3d`). */
export class LPPool3d extends LPPool {
  /** A pool of windows of `kernelSize` by the power `normType`. @throws ArgumentError */
  constructor(...args: LPArguments) {
    super(F.lpPool3d, ofLPPool3d, args);
  }
}

/** Results to inputs along all dims, or each; null where sizes are given. */
export type OutputRatio = number | readonly number[] | null;
/** What the constructors of {@link FractionalMaxPool2d} and {@link FractionalMaxPool3d} take. */
export type FractionalArguments<R extends boolean = boolean> = Arguments<
  [kernelSize: Sizes],
  [outputSize: Sizes | null, outputRatio: OutputRatio, returnIndices: R, randomSamples: Tensor | null],
  F.FractionalOptions & {
    /**
     * Whether the places of the maxima are given as well.
     * @defaultValue false
     */
    returnIndices?: R;
  },
  ['kernelSize']
>;
/* @__NO_SIDE_EFFECTS__ */
const fraction = (name: string): Signature =>
  signature(
    `${name}(kernelSize: int|int[], outputSize: int|int[]|null = null, outputRatio: number|number[]|null = null, returnIndices: bool = false, randomSamples: Tensor|null = null)`,
  );

/** A max pool of windows at random places. */
abstract class FractionalMaxPool<R extends boolean> extends PoolLayer<R> {
  /** Elements of a window along each dim. */
  readonly kernelSize: Sizes;
  /** Windows along each dim; null: by {@link outputRatio}. */
  readonly outputSize: Sizes | null;
  /** Windows for an element of the input along each dim; null: by {@link outputSize}. */
  readonly outputRatio: OutputRatio;
  /** Whether forward() gives [output, indices]. */
  readonly returnIndices: boolean;
  /** Numbers that places of windows follow from; null: new ones for each call. */
  readonly randomSamples: Tensor | null;
  readonly #function: F.FractionalMaxPoolFunction;

  /** @internal */
  constructor(f: F.FractionalMaxPoolFunction, declared: Signature, args: readonly unknown[]) {
    super();
    const [kernelSize, outputSize, outputRatio, returnIndices, samples] = declared.parse(args) as [
      Sizes,
      Sizes | null,
      OutputRatio,
      boolean,
      Tensor | null,
    ];
    if ((outputSize === null) === (outputRatio === null))
      throw new ArgumentError(
        `${declared.name}: expected either outputSize or outputRatio, got ${outputSize === null ? 'neither' : 'both'}`,
      );
    this.kernelSize = kernelSize;
    this.outputSize = outputSize;
    this.outputRatio = outputRatio;
    this.returnIndices = returnIndices;
    this.randomSamples = samples;
    this.#function = f;
  }

  /** @internal */
  [COMPUTE](x: Tensor): Pooled {
    const { outputSize, outputRatio, returnIndices, randomSamples } = this;
    return this.#function(x, this.kernelSize, { outputSize, outputRatio, returnIndices, randomSamples });
  }

  override extraRepr(): string {
    const { kernelSize, outputSize, outputRatio } = this;
    return describeOptions({ kernelSize, ...(outputSize === null ? { outputRatio } : { outputSize }) });
  }
}

const ofFractional2d = fraction('FractionalMaxPool2d');
/** Maxima of windows at random places over the last two dims: {@link functional.fractionalMaxPool2d}. */
export class FractionalMaxPool2d<R extends boolean = false> extends FractionalMaxPool<R> {
  /** A pool of windows of `kernelSize`, by either `outputSize` or `outputRatio`. @throws ArgumentError */
  constructor(...args: FractionalArguments<R>) {
    super(F.fractionalMaxPool2d, ofFractional2d, args);
  }
}

const ofFractional3d = fraction('FractionalMaxPool3d');
/** Maxima of windows at random places over the last three dims: {@link functional.fractionalMaxPool3d}. */
export class FractionalMaxPool3d<R extends boolean = false> extends FractionalMaxPool<R> {
  /** A pool of windows of `kernelSize`, by either `outputSize` or `outputRatio`. @throws ArgumentError */
  constructor(...args: FractionalArguments<R>) {
    super(F.fractionalMaxPool3d, ofFractional3d, args);
  }
}
