// Layers that pool.
import { eachDim, type Sizes } from '../functional/arguments.ts';
import * as F from '../functional/index.ts';
import { type Arguments, type Signature, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { type Pooled, PoolLayer } from './layer.ts';
import { COMPUTE } from './names.ts';
import { describeLayer, giveSettings } from './parameter.ts';

/** Windows of a given size, over one dim or several. */
abstract class WindowPool<O extends object, R extends boolean = false> extends PoolLayer<R> {
  /** Elements of a window along each dim. */
  readonly kernelSize: Sizes;
  /** The options of the pool. */
  readonly options: Readonly<O>;
  /** Elements from one window to the next, of {@link options}; null: as long as a window. */
  declare stride: Sizes | null;
  /** Elements around the input, of {@link options}. */
  declare padding: Sizes;
  /** Whether windows may end outside of the input, of {@link options}. */
  declare ceilMode: boolean;

  readonly #declared: Signature;
  readonly #values: readonly unknown[];

  /** @internal */
  constructor(pooled: number, declared: Signature, args: readonly unknown[]) {
    super();
    const values = declared.parse(args);
    const [kernelSize] = values as [Sizes];
    eachDim(declared.name, 'kernelSize', kernelSize, pooled, 1);
    this.kernelSize = kernelSize;
    this.options = Object.fromEntries(
      declared.parameters.flatMap(({ name, absent }, i) => (i === 0 || absent ? [] : [[name, values[i]] as const])),
    ) as O;
    giveSettings(this, this.options as Record<string, unknown>);
    this.#declared = declared;
    this.#values = values;
  }

  override extraRepr(): string {
    return describeLayer(this.#declared, this.#values, { ...this.options, kernelSize: this.kernelSize });
  }
}

/** What a pool of maxima takes. */
/* @__NO_SIDE_EFFECTS__ */
const max = (name: string): Signature =>
  signature(
    `${name}(kernelSize: int|int[], stride: int|int[]|null = null, padding: int|int[] = 0, dilation: int|int[] = 1, returnIndices: bool = false, ceilMode: bool = false)`,
  );
const ofMaxPool1d = max('MaxPool1d');
const ofMaxPool2d = max('MaxPool2d');
const ofMaxPool3d = max('MaxPool3d');
const ofAvgPool1d = signature(
  'AvgPool1d(kernelSize: int|int[], stride: int|int[]|null = null, padding: int|int[] = 0, ceilMode: bool = false, countIncludePad: bool = true)',
);
/** What an average pool of planes or volumes takes. */
/* @__NO_SIDE_EFFECTS__ */
const average = (name: string): Signature =>
  signature(
    `${name}(kernelSize: int|int[], stride: int|int[]|null = null, padding: int|int[] = 0, ceilMode: bool = false, countIncludePad: bool = true, divisorOverride: number|null = null)`,
  );
const ofAvgPool2d = average('AvgPool2d');
const ofAvgPool3d = average('AvgPool3d');
/** What the constructors of pools of maxima take. */
export type MaxArguments<R extends boolean = boolean> = Arguments<
  [kernelSize: Sizes],
  [stride: Sizes | null, padding: Sizes, dilation: Sizes, returnIndices: R, ceilMode: boolean],
  F.MaxPoolOptions & {
    /**
     * Whether the places of the maxima are given as well.
     * @defaultValue false
     */
    returnIndices?: R;
  },
  ['kernelSize']
>;
/** What the constructor of {@link AvgPool1d} takes. */
export type AvgArguments = Arguments<
  [kernelSize: Sizes],
  [stride: Sizes | null, padding: Sizes, ceilMode: boolean, countIncludePad: boolean],
  F.AvgPoolOptions,
  ['kernelSize']
>;
/** What the constructors of {@link AvgPool2d} and {@link AvgPool3d} take. */
export type Avg2dArguments = Arguments<
  [kernelSize: Sizes],
  [stride: Sizes | null, padding: Sizes, ceilMode: boolean, countIncludePad: boolean, divisorOverride: number | null],
  F.AvgPool2dOptions,
  ['kernelSize']
>;

/** The largest element of each window of the last dim: {@link functional.maxPool1d} (PyTorch's `nn.MaxPool1d`). */
export class MaxPool1d<R extends boolean = false> extends WindowPool<F.MaxPoolOptions & F.IndicesOptions, R> {
  /** A pool of windows of `kernelSize`: one number for all dims, or one for each. @throws ArgumentError */
  constructor(...args: MaxArguments<R>) {
    super(1, ofMaxPool1d, args);
  }

  /** @internal */
  [COMPUTE](x: Tensor): Pooled {
    return F.maxPool1d(x, this.kernelSize, this.options);
  }
}

/** The largest element of each window of the last two dims: {@link functional.maxPool2d} (PyTorch's `nn.MaxPool2d`). */
export class MaxPool2d<R extends boolean = false> extends WindowPool<F.MaxPoolOptions & F.IndicesOptions, R> {
  /** A pool of windows of `kernelSize`: one number for all dims, or one for each. @throws ArgumentError */
  constructor(...args: MaxArguments<R>) {
    super(2, ofMaxPool2d, args);
  }

  /** @internal */
  [COMPUTE](x: Tensor): Pooled {
    return F.maxPool2d(x, this.kernelSize, this.options);
  }
}

/**
 * The largest element of each window of the last three dims: {@link functional.maxPool3d} (PyTorch's `nn.MaxPool3d`).
 */
export class MaxPool3d<R extends boolean = false> extends WindowPool<F.MaxPoolOptions & F.IndicesOptions, R> {
  /** A pool of windows of `kernelSize`: one number for all dims, or one for each. @throws ArgumentError */
  constructor(...args: MaxArguments<R>) {
    super(3, ofMaxPool3d, args);
  }

  /** @internal */
  [COMPUTE](x: Tensor): Pooled {
    return F.maxPool3d(x, this.kernelSize, this.options);
  }
}

/** The mean of each window of the last dim: {@link functional.avgPool1d} (PyTorch's `nn.AvgPool1d`). */
export class AvgPool1d extends WindowPool<F.AvgPoolOptions> {
  /** A pool of windows of `kernelSize`: one number for all dims, or one for each. @throws ArgumentError */
  constructor(...args: AvgArguments) {
    super(1, ofAvgPool1d, args);
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return F.avgPool1d(x, this.kernelSize, this.options);
  }
}

/** The mean of each window of the last two dims: {@link functional.avgPool2d} (PyTorch's `nn.AvgPool2d`). */
export class AvgPool2d extends WindowPool<F.AvgPool2dOptions> {
  /** A pool of windows of `kernelSize`: one number for all dims, or one for each. @throws ArgumentError */
  constructor(...args: Avg2dArguments) {
    super(2, ofAvgPool2d, args);
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return F.avgPool2d(x, this.kernelSize, this.options);
  }
}

/** The mean of each window of the last three dims: {@link functional.avgPool3d} (PyTorch's `nn.AvgPool3d`). */
export class AvgPool3d extends WindowPool<F.AvgPool2dOptions> {
  /** A pool of windows of `kernelSize`: one number for all dims, or one for each. @throws ArgumentError */
  constructor(...args: Avg2dArguments) {
    super(3, ofAvgPool3d, args);
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return F.avgPool3d(x, this.kernelSize, this.options);
  }
}
