// Layers that pool.
import { eachDim, type Sizes } from '../functional/arguments.ts';
import * as F from '../functional/index.ts';
import type { Kind } from '../kinds.ts';
import { type Arguments, type Signature, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { OwnLayer } from './layer.ts';
import { COMPUTE } from './names.ts';
import { describeLayer, describeOptions, giveSettings } from './parameter.ts';

/** Windows of a given size, over one dim or two. */
abstract class WindowPool<O extends object> extends OwnLayer {
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
    `${name}(kernelSize: int|int[], stride: int|int[]|null = null, padding: int|int[] = 0, dilation: int|int[] = 1, -returnIndices: bool = false, ceilMode: bool = false)`,
  );
const ofMaxPool1d = max('MaxPool1d');
const ofMaxPool2d = max('MaxPool2d');
const ofAvgPool1d = signature(
  'AvgPool1d(kernelSize: int|int[], stride: int|int[]|null = null, padding: int|int[] = 0, ceilMode: bool = false, countIncludePad: bool = true)',
);
const ofAvgPool2d = signature(
  'AvgPool2d(kernelSize: int|int[], stride: int|int[]|null = null, padding: int|int[] = 0, ceilMode: bool = false, countIncludePad: bool = true, divisorOverride: number|null = null)',
);
/** What the constructors of pools of maxima take. */
export type MaxArguments = Arguments<
  [kernelSize: Sizes],
  [stride: Sizes | null, padding: Sizes, dilation: Sizes, returnIndices: false, ceilMode: boolean],
  F.MaxPoolOptions
>;
/** What the constructor of {@link AvgPool1d} takes. */
export type AvgArguments = Arguments<
  [kernelSize: Sizes],
  [stride: Sizes | null, padding: Sizes, ceilMode: boolean, countIncludePad: boolean],
  F.AvgPoolOptions
>;
/** What the constructor of {@link AvgPool2d} takes. */
export type Avg2dArguments = Arguments<
  [kernelSize: Sizes],
  [stride: Sizes | null, padding: Sizes, ceilMode: boolean, countIncludePad: boolean, divisorOverride: number | null],
  F.AvgPool2dOptions
>;

/** The largest element of each window of the last dim: {@link functional.maxPool1d} (PyTorch's `nn.MaxPool1d`). */
export class MaxPool1d extends WindowPool<F.MaxPoolOptions> {
  /** A pool of windows of `kernelSize`: one number for all dims, or one for each. @throws ArgumentError */
  constructor(...args: MaxArguments) {
    super(1, ofMaxPool1d, args);
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return F.maxPool1d(x, this.kernelSize, this.options);
  }
}

/** The largest element of each window of the last two dims: {@link functional.maxPool2d} (PyTorch's `nn.MaxPool2d`). */
export class MaxPool2d extends WindowPool<F.MaxPoolOptions> {
  /** A pool of windows of `kernelSize`: one number for all dims, or one for each. @throws ArgumentError */
  constructor(...args: MaxArguments) {
    super(2, ofMaxPool2d, args);
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return F.maxPool2d(x, this.kernelSize, this.options);
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

/** A result of a given size. */
abstract class AdaptivePool extends OwnLayer {
  /** The size of the result along each dim; null keeps the input's. */
  readonly outputSize: F.OutputSize;

  /** @internal */
  constructor(declared: Signature, args: readonly unknown[]) {
    super();
    [this.outputSize] = declared.parse(args) as [F.OutputSize];
  }

  override extraRepr(): string {
    return describeOptions({ outputSize: this.outputSize });
  }
}

const isSize = (x: unknown): boolean => x === null || Number.isSafeInteger(x);
const outputSize: Kind = [
  (x) => isSize(x) || (Array.isArray(x) && x.every(isSize)),
  'a whole number, null or a list of these',
];
/** What an adaptive pool takes. */
/* @__NO_SIDE_EFFECTS__ */
const adaptive = (name: string, more = ''): Signature =>
  signature(`${name}(outputSize: outputSize${more})`, { outputSize });
const ofAdaptiveAvgPool1d = adaptive('AdaptiveAvgPool1d');
const ofAdaptiveAvgPool2d = adaptive('AdaptiveAvgPool2d');
const ofAdaptiveMaxPool1d = adaptive('AdaptiveMaxPool1d', ', -returnIndices: bool = false');
const ofAdaptiveMaxPool2d = adaptive('AdaptiveMaxPool2d', ', -returnIndices: bool = false');

/**
 * A result of given size over the last dim; with outputSize 1 the global average: {@link functional.adaptiveAvgPool1d}
 * (PyTorch's `nn.AdaptiveAvgPool1d`).
 */
export class AdaptiveAvgPool1d extends AdaptivePool {
  /**
   * A pool that gives `outputSize`: one number for all dims, or one for each; null keeps the input's.
   * @throws ArgumentError
   */
  constructor(...args: [outputSize: F.OutputSize]) {
    super(ofAdaptiveAvgPool1d, args);
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return F.adaptiveAvgPool1d(x, this.outputSize);
  }
}

/**
 * A result of given size over the last two dims; with outputSize 1 the global average: {@link
 * functional.adaptiveAvgPool2d} (PyTorch's `nn.AdaptiveAvgPool2d`).
 */
export class AdaptiveAvgPool2d extends AdaptivePool {
  /**
   * A pool that gives `outputSize`: one number for all dims, or one for each; null keeps the input's.
   * @throws ArgumentError
   */
  constructor(...args: [outputSize: F.OutputSize]) {
    super(ofAdaptiveAvgPool2d, args);
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return F.adaptiveAvgPool2d(x, this.outputSize);
  }
}

/**
 * A result of given size over the last dim; with outputSize 1 the global maximum: {@link functional.adaptiveMaxPool1d}
 * (PyTorch's `nn.AdaptiveMaxPool1d`).
 */
export class AdaptiveMaxPool1d extends AdaptivePool {
  /**
   * A pool that gives `outputSize`: one number for all dims, or one for each; null keeps the input's.
   * @throws ArgumentError
   */
  constructor(...args: [outputSize: F.OutputSize]) {
    super(ofAdaptiveMaxPool1d, args);
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return F.adaptiveMaxPool1d(x, this.outputSize);
  }
}

/**
 * A result of given size over the last two dims; with outputSize 1 the global maximum: {@link
 * functional.adaptiveMaxPool2d} (PyTorch's `nn.AdaptiveMaxPool2d`).
 */
export class AdaptiveMaxPool2d extends AdaptivePool {
  /**
   * A pool that gives `outputSize`: one number for all dims, or one for each; null keeps the input's.
   * @throws ArgumentError
   */
  constructor(...args: [outputSize: F.OutputSize]) {
    super(ofAdaptiveMaxPool2d, args);
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return F.adaptiveMaxPool2d(x, this.outputSize);
  }
}
