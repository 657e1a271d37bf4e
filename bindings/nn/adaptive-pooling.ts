// Layers that pool to a result of given size.
import * as F from '../functional/index.ts';
import type { Kind } from '../kinds.ts';
import { type Arguments, type Signature, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { type Pooled, PoolLayer } from './layer.ts';
import { COMPUTE } from './names.ts';
import { describeOptions } from './parameter.ts';

/** A result of a given size. */
abstract class AdaptivePool<R extends boolean = false> extends PoolLayer<R> {
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
const ofAdaptiveAvgPool3d = adaptive('AdaptiveAvgPool3d');

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
 * A result of given size over the last three dims; with outputSize 1 the global average: {@link
 * functional.adaptiveAvgPool3d} (PyTorch's `nn.AdaptiveAvgPool3d`).
 */
export class AdaptiveAvgPool3d extends AdaptivePool {
  /**
   * A pool that gives `outputSize`: one number for all dims, or one for each; null keeps the input's.
   * @throws ArgumentError
   */
  constructor(...args: [outputSize: F.OutputSize]) {
    super(ofAdaptiveAvgPool3d, args);
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return F.adaptiveAvgPool3d(x, this.outputSize);
  }
}

/** What the constructors of {@link AdaptiveMaxPool1d} and its like take. */
export type AdaptiveMaxArguments<R extends boolean = boolean> = Arguments<
  [outputSize: F.OutputSize],
  [returnIndices: R],
  {
    /**
     * Whether the places of the maxima are given as well.
     * @defaultValue false
     */
    returnIndices?: R;
  },
  ['outputSize']
>;

/** Maxima, and where they lie. */
abstract class AdaptiveMaxPool<R extends boolean> extends AdaptivePool<R> {
  /** Whether forward() gives [output, indices]. */
  readonly returnIndices: boolean;
  readonly #function: F.AdaptiveMaxPoolFunction;

  /** @internal */
  constructor(f: F.AdaptiveMaxPoolFunction, declared: Signature, args: readonly unknown[]) {
    super(declared, args);
    this.#function = f;
    [, this.returnIndices] = declared.parse(args) as [unknown, boolean];
  }

  /** @internal */
  [COMPUTE](x: Tensor): Pooled {
    return this.#function(x, this.outputSize, { returnIndices: this.returnIndices });
  }
}

const ofAdaptiveMaxPool1d = adaptive('AdaptiveMaxPool1d', ', returnIndices: bool = false');
/**
 * A result of given size over the last dim; with outputSize 1 the global maximum: {@link
 * functional.adaptiveMaxPool1d} (PyTorch's `nn.AdaptiveMaxPool1d`).
 */
export class AdaptiveMaxPool1d<R extends boolean = false> extends AdaptiveMaxPool<R> {
  /**
   * A pool that gives `outputSize`: one number for all dims, or one for each; null keeps the input's.
   * @throws ArgumentError
   */
  constructor(...args: AdaptiveMaxArguments<R>) {
    super(F.adaptiveMaxPool1d, ofAdaptiveMaxPool1d, args);
  }
}

const ofAdaptiveMaxPool2d = adaptive('AdaptiveMaxPool2d', ', returnIndices: bool = false');
/**
 * A result of given size over the last two dims; with outputSize 1 the global maximum: {@link
 * functional.adaptiveMaxPool2d} (PyTorch's `nn.AdaptiveMaxPool2d`).
 */
export class AdaptiveMaxPool2d<R extends boolean = false> extends AdaptiveMaxPool<R> {
  /**
   * A pool that gives `outputSize`: one number for all dims, or one for each; null keeps the input's.
   * @throws ArgumentError
   */
  constructor(...args: AdaptiveMaxArguments<R>) {
    super(F.adaptiveMaxPool2d, ofAdaptiveMaxPool2d, args);
  }
}

const ofAdaptiveMaxPool3d = adaptive('AdaptiveMaxPool3d', ', returnIndices: bool = false');
/**
 * A result of given size over the last three dims; with outputSize 1 the global maximum: {@link
 * functional.adaptiveMaxPool3d} (PyTorch's `nn.AdaptiveMaxPool3d`).
 */
export class AdaptiveMaxPool3d<R extends boolean = false> extends AdaptiveMaxPool<R> {
  /**
   * A pool that gives `outputSize`: one number for all dims, or one for each; null keeps the input's.
   * @throws ArgumentError
   */
  constructor(...args: AdaptiveMaxArguments<R>) {
    super(F.adaptiveMaxPool3d, ofAdaptiveMaxPool3d, args);
  }
}
