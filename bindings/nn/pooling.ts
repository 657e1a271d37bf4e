// Layers that pool.
import { eachDim, type Sizes } from '../convolution.ts';
import * as F from '../functional.ts';
import type { AvgPool2dOptions, AvgPoolOptions, MaxPoolOptions, OutputSize } from '../pooling.ts';
import type { Tensor } from '../tensor.ts';
import { describeOptions, Layer } from './layer.ts';

const formatSize = (size: Sizes | OutputSize): string =>
  typeof size === 'object' && size !== null ? `[${size.map(String).join(', ')}]` : String(size);

/** Windows of a given size, over one dim or two. */
abstract class WindowPool<O extends object> extends Layer {
  readonly kernelSize: Sizes;
  readonly options: Readonly<O>;

  constructor(pooled: number, kernelSize: Sizes, options: O) {
    super();
    eachDim(new.target.name, 'kernelSize', kernelSize, pooled, 1);
    this.kernelSize = kernelSize;
    this.options = options;
  }

  protected override describe(): string {
    return `${formatSize(this.kernelSize)}${describeOptions(this.options)}`;
  }
}

/** {@link F.maxPool1d}. */
export class MaxPool1d extends WindowPool<MaxPoolOptions> {
  constructor(kernelSize: Sizes, options: MaxPoolOptions = {}) {
    super(1, kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return F.maxPool1d(x, this.kernelSize, this.options);
  }
}

/** {@link F.maxPool2d}. */
export class MaxPool2d extends WindowPool<MaxPoolOptions> {
  constructor(kernelSize: Sizes, options: MaxPoolOptions = {}) {
    super(2, kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return F.maxPool2d(x, this.kernelSize, this.options);
  }
}

/** {@link F.avgPool1d}. */
export class AvgPool1d extends WindowPool<AvgPoolOptions> {
  constructor(kernelSize: Sizes, options: AvgPoolOptions = {}) {
    super(1, kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return F.avgPool1d(x, this.kernelSize, this.options);
  }
}

/** {@link F.avgPool2d}. */
export class AvgPool2d extends WindowPool<AvgPool2dOptions> {
  constructor(kernelSize: Sizes, options: AvgPool2dOptions = {}) {
    super(2, kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return F.avgPool2d(x, this.kernelSize, this.options);
  }
}

/** A result of a given size. */
abstract class AdaptivePool extends Layer {
  readonly outputSize: OutputSize;

  constructor(outputSize: OutputSize) {
    super();
    this.outputSize = outputSize;
  }

  protected override describe(): string {
    return formatSize(this.outputSize);
  }
}

/** {@link F.adaptiveAvgPool1d}; with outputSize 1 a global average. */
export class AdaptiveAvgPool1d extends AdaptivePool {
  forward(x: Tensor): Tensor {
    return F.adaptiveAvgPool1d(x, this.outputSize);
  }
}

/** {@link F.adaptiveAvgPool2d}; with outputSize 1 a global average. */
export class AdaptiveAvgPool2d extends AdaptivePool {
  forward(x: Tensor): Tensor {
    return F.adaptiveAvgPool2d(x, this.outputSize);
  }
}

/** {@link F.adaptiveMaxPool1d}; with outputSize 1 a global maximum. */
export class AdaptiveMaxPool1d extends AdaptivePool {
  forward(x: Tensor): Tensor {
    return F.adaptiveMaxPool1d(x, this.outputSize);
  }
}

/** {@link F.adaptiveMaxPool2d}; with outputSize 1 a global maximum. */
export class AdaptiveMaxPool2d extends AdaptivePool {
  forward(x: Tensor): Tensor {
    return F.adaptiveMaxPool2d(x, this.outputSize);
  }
}
