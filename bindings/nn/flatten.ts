// Layers that change shapes.
import { flatten } from '../functional/functions.ts';
import { type Arguments, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { OwnLayer } from './layer.ts';
import { COMPUTE } from './names.ts';

/** Options of {@link Flatten}. */
export interface FlattenOptions {
  /** The first dim that is joined. @defaultValue 1 */
  startDim?: number;
  /** The last dim that is joined; negative ones count from the end. @defaultValue -1 */
  endDim?: number;
}

const declared = signature('Flatten(startDim: int = 1, endDim: int = -1)');

/** Joins dims into one; by default all but the first, the batch (PyTorch's `nn.Flatten`). */
export class Flatten extends OwnLayer {
  /** The first dim that is joined. */
  readonly startDim: number;
  /** The last dim that is joined. */
  readonly endDim: number;

  /** A layer that joins the dims `startDim` … `endDim`, both included. */
  constructor(...args: Arguments<[], [startDim: number, endDim: number], FlattenOptions>) {
    super();
    const [startDim, endDim] = declared.parse(args) as [number, number];
    this.startDim = startDim;
    this.endDim = endDim;
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return flatten(x, this.startDim, this.endDim);
  }

  override extraRepr(): string {
    return `startDim: ${this.startDim}, endDim: ${this.endDim}`;
  }
}
