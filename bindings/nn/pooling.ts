// Layers that pool.
import { eachDim, type Sizes } from '../functional/arguments.ts';
import * as F from '../functional/index.ts';
import type { Tensor } from '../tensor.ts';
import { Layer } from './layer.ts';
import { describeOptions } from './parameter.ts';

const formatSize = (size: Sizes | F.OutputSize): string =>
  typeof size === 'object' && size !== null ? `[${size.map(String).join(', ')}]` : String(size);

/** Windows of a given size, over one dim or two. */
abstract class WindowPool<O extends object> extends Layer {
  /** Elements of a window along each dim. */
  readonly kernelSize: Sizes;
  /** The options of the pool. */
  readonly options: Readonly<O>;

  /** @internal */
  constructor(pooled: number, kernelSize: Sizes, options: O) {
    super();
    eachDim(new.target.name, 'kernelSize', kernelSize, pooled, 1);
    this.kernelSize = kernelSize;
    this.options = options;
  }

  override extraRepr(): string {
    return [formatSize(this.kernelSize), describeOptions(this.options)].filter(Boolean).join(', ');
  }
}

/** The largest element of each window of the last dim: {@link functional.maxPool1d} (PyTorch's `nn.MaxPool1d`). */
export class MaxPool1d extends WindowPool<F.MaxPoolOptions> {
  /** @param kernelSize elements of a window: one number for all dims, or one for each */
  constructor(kernelSize: Sizes, options: F.MaxPoolOptions = {}) {
    super(1, kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return F.maxPool1d(x, this.kernelSize, this.options);
  }
}

/** The largest element of each window of the last two dims: {@link functional.maxPool2d} (PyTorch's `nn.MaxPool2d`). */
export class MaxPool2d extends WindowPool<F.MaxPoolOptions> {
  /** @param kernelSize elements of a window: one number for all dims, or one for each */
  constructor(kernelSize: Sizes, options: F.MaxPoolOptions = {}) {
    super(2, kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return F.maxPool2d(x, this.kernelSize, this.options);
  }
}

/** The mean of each window of the last dim: {@link functional.avgPool1d} (PyTorch's `nn.AvgPool1d`). */
export class AvgPool1d extends WindowPool<F.AvgPoolOptions> {
  /** @param kernelSize elements of a window: one number for all dims, or one for each */
  constructor(kernelSize: Sizes, options: F.AvgPoolOptions = {}) {
    super(1, kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return F.avgPool1d(x, this.kernelSize, this.options);
  }
}

/** The mean of each window of the last two dims: {@link functional.avgPool2d} (PyTorch's `nn.AvgPool2d`). */
export class AvgPool2d extends WindowPool<F.AvgPool2dOptions> {
  /** @param kernelSize elements of a window: one number for all dims, or one for each */
  constructor(kernelSize: Sizes, options: F.AvgPool2dOptions = {}) {
    super(2, kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return F.avgPool2d(x, this.kernelSize, this.options);
  }
}

/** A result of a given size. */
abstract class AdaptivePool extends Layer {
  /** The size of the result along each dim; null keeps the input's. */
  readonly outputSize: F.OutputSize;

  /** @param outputSize one number for all dims, or one for each; null keeps the input's */
  constructor(outputSize: F.OutputSize) {
    super();
    this.outputSize = outputSize;
  }

  override extraRepr(): string {
    return formatSize(this.outputSize);
  }
}

/**
 * A result of given size over the last dim; with outputSize 1 the global average: {@link functional.adaptiveAvgPool1d}
 * (PyTorch's `nn.AdaptiveAvgPool1d`).
 */
export class AdaptiveAvgPool1d extends AdaptivePool {
  forward(x: Tensor): Tensor {
    return F.adaptiveAvgPool1d(x, this.outputSize);
  }
}

/**
 * A result of given size over the last two dims; with outputSize 1 the global average: {@link
 * functional.adaptiveAvgPool2d} (PyTorch's `nn.AdaptiveAvgPool2d`).
 */
export class AdaptiveAvgPool2d extends AdaptivePool {
  forward(x: Tensor): Tensor {
    return F.adaptiveAvgPool2d(x, this.outputSize);
  }
}

/**
 * A result of given size over the last dim; with outputSize 1 the global maximum: {@link functional.adaptiveMaxPool1d}
 * (PyTorch's `nn.AdaptiveMaxPool1d`).
 */
export class AdaptiveMaxPool1d extends AdaptivePool {
  forward(x: Tensor): Tensor {
    return F.adaptiveMaxPool1d(x, this.outputSize);
  }
}

/**
 * A result of given size over the last two dims; with outputSize 1 the global maximum: {@link
 * functional.adaptiveMaxPool2d} (PyTorch's `nn.AdaptiveMaxPool2d`).
 */
export class AdaptiveMaxPool2d extends AdaptivePool {
  forward(x: Tensor): Tensor {
    return F.adaptiveMaxPool2d(x, this.outputSize);
  }
}
