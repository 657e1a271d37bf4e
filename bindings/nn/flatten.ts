// Layers that change shapes.
import { flatten } from '../functional/functions.ts';
import type { Tensor } from '../tensor.ts';
import { Layer } from './layer.ts';

/** Options of {@link Flatten}. */
export interface FlattenOptions {
  /** The first dim that is joined. @defaultValue 1 */
  startDim?: number;
  /** The last dim that is joined; negative ones count from the end. @defaultValue -1 */
  endDim?: number;
}

/** Joins dims into one; by default all but the first, the batch (PyTorch's `nn.Flatten`). */
export class Flatten extends Layer {
  /** The first dim that is joined. */
  readonly startDim: number;
  /** The last dim that is joined. */
  readonly endDim: number;

  /** A layer that joins the dims `startDim` … `endDim`, both included. */
  constructor(options: FlattenOptions = {}) {
    const { startDim = 1, endDim = -1 } = options;
    super();
    this.startDim = startDim;
    this.endDim = endDim;
  }

  forward(x: Tensor): Tensor {
    return flatten(x, this.startDim, this.endDim);
  }

  override extraRepr(): string {
    return `startDim: ${this.startDim}, endDim: ${this.endDim}`;
  }
}
